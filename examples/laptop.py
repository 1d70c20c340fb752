"""A researcher with a laptop: recordings in a folder and a CSV become a dataset, then batches.

    pip install . && python examples/laptop.py [FOLDER]

Without a folder of yours it lays out the utterances of LibriSpeech's bundled sample as many lie
about: sounds in one folder, and beside them a metadata.csv that says what is said in each.
"""

import csv
import shutil
import sys
import tempfile
from importlib import resources
from pathlib import Path

from datasets import load_dataset

import edge_glass
from edge_glass.train import Sound, loader


def recordings(folder: Path) -> Path:
    """Sounds and a table, as the researcher has them."""
    sample = Path(str(resources.files("edge_glass.samples"))) / "librispeech"
    folder.mkdir()
    with (folder / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["file_name", "text", "speaker"])
        for lines in sorted(sample.rglob("*.trans.txt")):
            for line in lines.read_text(encoding="utf-8").splitlines():
                name, _, text = line.partition(" ")
                if (sound := lines.with_name(f"{name}.flac")).is_file():
                    shutil.copy(sound, folder)
                    table.writerow([sound.name, text, name.partition("-")[0]])
    return folder


def main() -> None:
    with tempfile.TemporaryDirectory() as temp:
        given = sys.argv[1:]
        folder = Path(given[0]) if given else recordings(Path(temp, "utterances"))
        made = edge_glass.build(folder, f"{temp}/data")
        print(made)
        rows = load_dataset(f"{temp}/data", folder.name, split="train", cache_dir=f"{temp}/cache")
        print(rows.features)
        decode = {"audio": Sound(2, 16_000)}
        batch = next(iter(loader(made.folder, columns=["audio", "caption"], decode=decode)))
        print(
            f"a batch of sounds of shape {batch['audio'].shape}, said in them: {batch['caption']}"
        )
        sys.exit(len(rows) != made.manifest.kept)


if __name__ == "__main__":
    main()
