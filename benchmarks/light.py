"""What do commands take that read little: help, lists, descriptions, plans of samples, a ledger?

    python benchmarks/light.py [--rounds 5]

The samples are built first. Each command is a process of its own, one after another, and so are
three imports to measure the machine by. CPU seconds (user and system, start and imports included)
and peak memory (the largest resident set, in units of 1,000,000 bytes) are the least of the rounds:
other work on the machine can only add to them. Python keeps its compiled modules, as it does where
`PYTHONDONTWRITEBYTECODE` is not set; a round that is not counted compiles them.
"""

import os
import subprocess
import sys
from pathlib import Path

from measure import arguments, scratch, show

from edge_glass.corpora import catalog

COMMAND = str(Path(sys.executable).with_name("edge-glass"))
IMPORTS = ("numpy", "pyarrow", "datasets")
# a small process starts it: what whoever starts a process holds counts as held by it
LAUNCHER = """
import os, sys
child = os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, *sys.argv[1:]])
_, status, used = os.wait4(child, 0)
print(status, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6)
"""


def taken(*words: str) -> tuple[float, float]:
    """CPU seconds and megabytes of one run of a Python."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    line = [sys.executable, "-S", "-c", LAUNCHER, *words]
    out = subprocess.run(line, check=True, capture_output=True, text=True, env=environment).stdout
    status, seconds, megabytes = map(float, out.splitlines()[-1].split())
    if status:
        sys.exit(f"{' '.join(words)} failed")
    return seconds, megabytes


def lines(folder: str) -> dict[str, list[str]]:
    """What is run, by its name."""
    every = catalog.configs()
    bundled = [name for corpus, name in every if catalog.spec(corpus).configs[name].get("bundled")]
    verbs = ["--help", "list", "info clotho", "info laionet", *map("plan {}".format, bundled)]
    return {
        **{f"`import {name}`": ["-c", f"import {name}"] for name in IMPORTS},
        **{f"`{verb}`": [COMMAND, *verb.split()] for verb in verbs},
        "`ledger` of the samples": [COMMAND, "ledger", folder],
    }


def main() -> None:
    """Print the table."""
    options = arguments(__doc__ or "", rounds=5)
    rows = []
    with scratch(100_000_000) as folder:
        taken(COMMAND, "build", "--out", str(folder), "-q")
        for name, words in lines(str(folder)).items():
            taken(*words)
            runs = [taken(*words) for _ in range(options.rounds)]
            seconds, megabytes = map(min, zip(*runs, strict=True))
            rows.append([name, f"{seconds:.2f}", f"{megabytes:.0f}"])
    show("Commands that read little", ["command", "CPU s", "peak MB"], rows)


if __name__ == "__main__":
    main()
