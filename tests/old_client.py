"""Another release of `datasets` reads every published sample, and reads the same as ours.

python tests/old_client.py OTHER_PYTHON

The samples are built and pushed to the Hub for tests by this Python; then this one and OTHER_PYTHON
load them, each with nothing but its own `datasets`.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"

from hub import Hub

from edge_glass import catalog, publish
from edge_glass.build import build

REPO = "org/edge-glass"
READ = """if True:
    import datasets, hashlib, json, sys

    def plain(value):
        if isinstance(value, bytes):
            return hashlib.sha256(value).hexdigest()
        if isinstance(value, dict):
            return {key: plain(inner) for key, inner in value.items()}
        return [plain(inner) for inner in value] if isinstance(value, list) else value

    found = {"datasets": datasets.__version__}
    for config in sys.argv[2:]:
        loaded = datasets.load_dataset(sys.argv[1], config, revision="v1.0.0")
        for split, rows in loaded.items():
            assert list(rows.features) == rows.column_names
            table = rows.with_format("arrow")[:]
            columns = {name: str(table.schema.field(name).type) for name in rows.column_names}
            found[config + " " + split] = {"columns": columns, "rows": plain(table.to_pylist())}
    print(json.dumps(found))
"""


def release(out: Path, hub: Hub) -> list[str]:
    """Build and publish all samples; the configs that there are then."""
    corpora = [catalog.corpus(name) for name in catalog.corpora()]
    samples = [name for kind in corpora for name in kind.spec().configs if "sample" in name]
    for name in samples:
        build(catalog.variant(name), out)
    publish.push(out, samples, REPO, "1.0.0", endpoint=hub.url, token=hub.token)
    return [config for name in samples for config in (name, f"{name}_ledger")]


def read(python: str, configs: list[str], hub: Hub) -> dict[str, Any]:
    """What a Python reads of the configs."""
    done = subprocess.run(
        [python, "-c", READ, REPO, *configs],
        env=hub.env(), check=False, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{python} cannot read what was published:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main(other: str) -> None:
    with tempfile.TemporaryDirectory() as folder, Hub() as hub:
        configs = release(Path(folder), hub)
        ours, theirs = read(sys.executable, configs, hub), read(other, configs, hub)
    print(f"datasets {theirs.pop('datasets')} against {ours.pop('datasets')}")
    different = [name for name in ours if ours[name] != theirs.get(name)]
    for name, split in ours.items():
        said = "DIFFERENT" if name in different else "the same"
        print(f"  {name}: {len(split['rows'])} rows, {said}")
    sys.exit(1 if different or ours.keys() != theirs.keys() else 0)


if __name__ == "__main__":
    main(sys.argv[1])
