"""Do tests notice faults? mutmut plants them in the core, one at a time; prints how many they do.

`make mutants`, or for a tenth of two modules, the mutants whose number ends in 3:
`python benchmarks/mutants.py --digits 3 core.ledger release.diff`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
TOOL = [sys.executable, "-m", "mutmut"]
KILLED = {1, 3, 24, 36, 152, 255, -24}  # failed, broke, or took for ever; as mutmut counts
UNTESTED = {5, 33}  # no test of the selection comes by


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("modules", nargs="*", default=["*"])
    parser.add_argument(
        "--digits", default="0123456789", help="of mutants that are tried, the last"
    )
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    mutants = [f"edge_glass.{module}.*__mutmut_*[{asked.digits}]" for module in asked.modules]
    with tempfile.TemporaryDirectory() as samples:
        build = [sys.executable, "-m", "edge_glass", "build", "--out", samples, "--jobs", "1"]
        subprocess.run(build, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        run = [*TOOL, "run", "--max-children", str(asked.jobs), *mutants]
        env = os.environ | {"EDGE_GLASS_TEST_BUILT": samples}
        subprocess.run(run, cwd=ROOT, check=True, env=env)
    table()


def table() -> None:
    """What is known of each module, from this run and earlier ones; then the survivors."""
    survivors = []
    print("| module | mutants | tried | noticed | survived | no test comes by | score |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for path in sorted((ROOT / "mutants").rglob("*.py.meta")):
        codes = json.loads(path.read_text())["exit_code_by_key"]
        tried = {name: code for name, code in codes.items() if code is not None}
        if not tried:
            continue
        kinds = Counter(map(_kind, tried.values()))
        module = path.relative_to(ROOT / "mutants").as_posix().removesuffix(".meta")
        counts = [len(codes), len(tried), kinds["noticed"], kinds["survived"], kinds["untested"]]
        score = kinds["noticed"] / len(tried)
        print(f"| {module} | {' | '.join(map(str, counts))} | {score:.0%} |")
        survivors += [name for name, code in tried.items() if _kind(code) == "survived"]
    for name in survivors:
        show = [*TOOL, "show", name]
        shown = subprocess.run(show, cwd=ROOT, check=True, capture_output=True, text=True).stdout
        changed = [line for line in shown.splitlines() if line[:1] in ("-", "+")]
        print(f"\n{name}", *changed[2:], sep="\n")


def _kind(code: int) -> str:
    return "noticed" if code in KILLED else "untested" if code in UNTESTED else "survived"


if __name__ == "__main__":
    main()
