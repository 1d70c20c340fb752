"""Another release of `datasets` reads every published sample, and reads the same as ours.

python tests/support/old_client.py OTHER_PYTHON

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

from edge_glass.corpora import catalog
from edge_glass.release import publish
from edge_glass.release.write_card import build

REPO = "org/edge-glass"
NEWER = {"Video"}  # a release without it cannot read it, whatever we write
QUIET = {"HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
READ = """if True:
    import datasets, hashlib, json, sys

    def plain(value):
        if isinstance(value, bytes):
            return hashlib.sha256(value).hexdigest()
        if isinstance(value, dict):
            return {key: plain(inner) for key, inner in value.items()}
        return [plain(inner) for inner in value] if isinstance(value, list) else value

    found = {"datasets": datasets.__version__}
    for config, needed in json.loads(sys.argv[2]).items():
        if not all(hasattr(datasets, feature) for feature in needed):
            continue
        loaded = datasets.load_dataset(sys.argv[1], config, revision="v1.0.0")
        for split, rows in loaded.items():
            assert list(rows.features) == rows.column_names
            table = rows.with_format("arrow")[:]
            columns = {name: str(table.schema.field(name).type) for name in rows.column_names}
            found[config + " " + split] = {"columns": columns, "rows": plain(table.to_pylist())}
    print(json.dumps(found))
"""


def release(out: Path, hub: Hub) -> dict[str, list[str]]:
    """Build and publish all samples; the configs that there are then, and the features they hold
    that `datasets` 2.14 does not know."""
    corpora = [catalog.corpus(name) for name in catalog.corpora()]
    samples = [name for kind in corpora for name in kind.spec().configs if "sample" in name]
    configs: dict[str, list[str]] = {}
    for name in samples:
        made = build(catalog.variant(name), out)
        features = made.features.values()  # one of structs is a list
        types = {feature.get("_type") for feature in features if isinstance(feature, dict)}
        configs |= {name: sorted(types & NEWER), f"{name}_ledger": []}
    publish.push(out, samples, REPO, "1.0.0", endpoint=hub.url, token=hub.token)
    return configs


def read(python: str, configs: dict[str, list[str]], hub: Hub) -> dict[str, Any]:
    """What a Python reads of the configs."""
    done = subprocess.run(
        [python, "-c", READ, REPO, json.dumps(configs)],
        env=hub.env() | QUIET, check=False, capture_output=True, text=True,
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
    wrong = 0
    for name, split in ours.items():
        newer = " and ".join(configs[name.split()[0]])
        if name not in theirs and newer:
            print(f"  {name}: not read, it holds {newer}")
            continue
        same = theirs.get(name) == split
        wrong += not same
        print(f"  {name}: {len(split['rows'])} rows, {'the same' if same else 'DIFFERENT'}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main(sys.argv[1])
