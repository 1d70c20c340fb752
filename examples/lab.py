"""A lab that publishes its own data: photographs in folders of classes become a version on the Hub.

    pip install . && hf auth login && python examples/lab.py org/name

Writes down how the data are read (`edge-glass init`), with the licence and the home page that the
lab states, builds, verifies, publishes version 1.0.0, and loads it as anyone does: with `datasets`,
and nothing of ours. The photographs are those of ImageNet-Captions' bundled sample.
"""

import shutil
import subprocess
import sys
import tempfile
from importlib import resources
from pathlib import Path

from datasets import load_dataset

import edge_glass

HOMEPAGE = "homepage: https://lab.example.org/photos\n"


def photographs(folder: Path) -> Path:
    """Folders of classes with pictures in them."""
    sample = Path(str(resources.files("edge_glass.samples"))) / "imagenet_captions" / "train"
    shutil.copytree(sample, folder)
    return folder


def main() -> None:
    [repo] = sys.argv[1:]
    with tempfile.TemporaryDirectory() as temp:
        folder = photographs(Path(temp, "photos"))
        init = [sys.executable, "-m", "edge_glass", "init", str(folder), "--licence", "cc-by-4.0"]
        said = subprocess.run(init, check=True, capture_output=True, text=True, cwd=temp).stdout
        described = folder.with_suffix(".yaml")
        described.write_text(said + HOMEPAGE, encoding="utf-8")
        made = edge_glass.build(described, f"{temp}/data")
        print(made)
        if faults := edge_glass.verify(made.folder):
            sys.exit("\n".join(map(str, faults)))
        print(edge_glass.push(f"{temp}/data", ["photos"], repo=repo, version="1.0.0"))
        rows = load_dataset(repo, "photos", revision="v1.0.0", split="train")
        batch = rows.with_format("numpy")[:4]
        print([image.shape for image in batch["image"]], batch["label"])
        sys.exit(len(rows) != made.manifest.kept)


if __name__ == "__main__":
    main()
