"""The engine's plan, drawn from its imports: each room, and the rooms that it imports from.

`make plan` prints it. Exits 1 where a room imports from one above it, or modules import each other.
Imports in functions count, those that only types need do not.
"""

import sys
import tomllib
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp

PACKAGE = "edge_glass"
PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def rooms() -> list[str]:
    """The rooms, the uppermost first, as the contract in pyproject.toml has them."""
    contract = tomllib.loads(PYPROJECT.read_text())["tool"]["importlinter"]["contracts"][0]
    layers = [part for layer in contract["layers"] for part in layer.split(" : ")]
    return [layer.removeprefix(f"{PACKAGE}.") for layer in layers]


def imports(package: str = PACKAGE) -> dict[str, set[str]]:
    """Module -> the modules of the package that it imports."""
    graph = grimp.build_graph(package, exclude_type_checking_imports=True, cache_dir=None)
    return {name: set(graph.find_modules_directly_imported_by(name)) for name in graph.modules}


def arrows(modules: dict[str, set[str]]) -> Counter[tuple[str, str]]:
    """How many imports lead from a room to another."""
    pairs = ((_room(name), _room(other)) for name in modules for other in modules[name])
    return Counter((one, other) for one, other in pairs if one != other and one and other)


def faults(modules: dict[str, set[str]], order: list[str]) -> list[str]:
    """Arrows that lead up or to a room beside, rooms without a place, circles of modules."""
    pairs = arrows(modules)
    places = {room: place for place, room in enumerate(order)}
    lost = sorted({room for pair in pairs for room in pair} - places.keys())
    up = [pair for pair in pairs if not lost and places[pair[0]] > places[pair[1]]]
    problems = [f"{room}: has no place among the layers in pyproject.toml" for room in lost]
    problems += [f"{one} imports from {other}, which is above it" for one, other in up]
    try:
        TopologicalSorter(modules).prepare()
    except CycleError as error:
        problems.append(f"a circle: {' <- '.join(error.args[1])}")
    return problems


def _room(module: str) -> str:
    return [*module.split("."), ""][1]


def main() -> None:
    modules, order = imports(), rooms()
    sizes, counts = Counter(map(_room, modules)), arrows(modules)
    for room in order:
        targets = [f"{other} {n}" for other in order if (n := counts[room, other])]
        print(f"{room:12}{sizes[room]:4} modules  -> {', '.join(targets) or '(nothing)'}")
    problems = faults(modules, order)
    print("\n".join(problems) or "no arrow up, no circle")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
