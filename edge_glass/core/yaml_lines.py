"""Where each key of a YAML file stands, by line, and which stand there twice."""

from pathlib import Path
from typing import Any

import yaml

Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C is ten times faster
Place = tuple[Any, ...]  # the keys that lead to a value


def line_of(path: Path, *location: str) -> int:
    """The line where `location` stands in a YAML file, 1-based."""
    root = yaml.compose(path.read_text(encoding="utf-8"), Loader=Loader)
    return nearest(lines(root), location)


def lines(node: yaml.Node | None, at: Place = ()) -> dict[Place, int]:
    """The line of each place below a node."""
    if node is None:
        return {(): 1}
    places = {at: node.start_mark.line + 1}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            places |= lines(value, (*at, key.value))
            places[(*at, key.value)] = key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            places |= lines(value, (*at, number))
    return places


def repeated(node: yaml.Node | None) -> list[tuple[int, str]]:
    """The line of each key that its mapping has already, and what is wrong."""
    problems: list[tuple[int, str]] = []
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                problems.append(
                    (key.start_mark.line + 1, f"{key.value!r} stands here a second time")
                )
            seen.add(key.value)
            problems += repeated(value)
    return problems


def nearest(lines: dict[Place, int], location: Place) -> int:
    """The line of a place, or of what it would stand in."""
    while location not in lines:
        location = location[:-1]
    return lines[location]
