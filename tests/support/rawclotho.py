"""Raw Clotho of any size, cut out of the real sounds in samples/, and a house of its own for it.

raw = write_raw(tmp / "raw", clips=40, seconds=2.0, archives=True)
house = House.build(tmp / "house", raw)  # a corpus `meadow`: Clotho with the checksums of `raw`
edge_glass("build", "meadow", "--mirror", url, env=house.env(cache))
"""

import csv
import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import py7zr
import soundfile
import yaml

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples" / "clotho"
RATE = 44100
PARTS = ("development", "validation", "evaluation")
FACTS = ("sound_id", "sound_link", "start_end_samples", "manufacturer", "license")
ODD_NAMES = (" Leading space.wav", "L&#39;entity.wav", "Bell #1.wav", "Café.wav")
LICENCE = "http://creativecommons.org/publicdomain/zero/1.0/"


def write_raw(folder: Path, clips: int, seconds: float = 1.0, archives: bool = False) -> Path:
    """`clips` clips in the upstream layout: three fifths for training, and odd names first.

    With `archives` the audio is in .7z files as upstream publishes it, else in folders.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shares = (clips - 2 * (clips // 5), clips // 5, clips // 5)
    number = 0
    for part, count in zip(PARTS, shares, strict=True):
        names = [*ODD_NAMES, *(f"{part} {i:05d}.wav" for i in range(count))][:count]
        for name in names:
            write_clip(folder / part / name, number, seconds)
            number += 1
        _write_tables(folder, part, names, round(seconds * RATE))
        if archives:
            pack(folder / part, folder / f"clotho_audio_{part}.7z")
    return folder


def write_clip(path: Path, number: int, seconds: float) -> None:
    """A WAV of that length: a piece of the sample sounds, each number another one."""
    sound, frames = _sound(), round(seconds * RATE)
    start = number * 9973 % len(sound)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.resize(np.roll(sound, -start), frames), RATE, subtype="PCM_16")


def pack(folder: Path, archive: Path) -> None:
    """Move a folder into a .7z file."""
    with py7zr.SevenZipFile(archive, "w") as file:
        for path in sorted(folder.iterdir()):
            file.write(path, f"{folder.name}/{path.name}")
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


@cache
def _sound() -> np.ndarray:
    sounds = [soundfile.read(path, dtype="int16") for path in sorted(SAMPLES.rglob("*.wav"))]
    return np.concatenate([data for data, rate in sounds if rate == RATE and data.ndim == 1])


def _write_tables(folder: Path, part: str, names: list[str], frames: int) -> None:
    captions = [[n, *(f"Sound {i} is heard, they say: {n}." for i in range(5))] for n in names]
    header = ["file_name", *(f"caption_{i}" for i in range(1, 6))]
    _write_csv(folder / f"clotho_captions_{part}.csv", header, captions, "utf-8")
    facts = [[n, "water;été", "1", "link", f"[0, {frames}]", "someone", LICENCE] for n in names]
    _write_csv(
        folder / f"clotho_metadata_{part}.csv",
        ["file_name", "keywords", *FACTS],
        facts,
        "iso-8859-1",
    )


def _write_csv(path: Path, header: list[str], rows: list[list[str]], encoding: str) -> None:
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows([header, *rows])


@dataclass(frozen=True)
class House:
    """A package outside of ours that brings one corpus, found through its entry point."""

    root: Path
    corpus: str

    @classmethod
    def build(
        cls,
        root: Path,
        raw: Path,
        corpus: str = "meadow",
        url: str = "http://127.0.0.1:9",
        sizes: bool = True,
    ) -> "House":
        """Clotho under another name, its sources being the archives and tables in `raw`.

        `url`: of the folder where they are published; `sizes`: whether their bytes are told.
        """
        house = cls(root, corpus)
        sources = {p.name: _source(p, url, sizes) for p in sorted(raw.iterdir()) if p.is_file()}
        configs = {corpus: {}, f"{corpus}_16k": {"sample_rate": 16000}}
        configs[f"{corpus}_sample"] = {"bundled": True}
        spec = yaml.safe_load((ROOT / "configs" / "clotho.yaml").read_text())
        spec |= {"sources": sources, "configs": configs}
        house._write(f"configs/{corpus}.yaml", yaml.safe_dump(spec, sort_keys=False))
        base = "from edge_glass.builders.clotho import Clotho"
        house._write(
            f"builders/{corpus}.py", f"{base}\n\n\nclass {corpus.title()}(Clotho):\n    pass\n"
        )
        house._write(f"cards/{corpus}.md", "{{ tables }}\n")
        house._write("samples/README.md", "")
        (house._package / "samples" / corpus).symlink_to(SAMPLES)
        house._announce()
        return house

    def env(self, store: Path) -> dict[str, str]:
        """The environment of a process that has this house, and its downloads in `store`."""
        path = os.pathsep.join(filter(None, [str(self.root), os.environ.get("PYTHONPATH")]))
        return {**os.environ, "PYTHONPATH": path, "EDGE_GLASS_CACHE": str(store)}

    @property
    def _package(self) -> Path:
        return self.root / f"house_{self.corpus}"

    def _write(self, name: str, text: str) -> None:
        path = self._package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        (path.parent / "__init__.py").touch()
        (self._package / "__init__.py").touch()

    def _announce(self) -> None:
        name = self._package.name
        about = self.root / f"{name}-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        entry = f"[edge_glass.corpora]\n{self.corpus} = {name}\n"
        (about / "entry_points.txt").write_text(entry)


def _source(path: Path, url: str, sizes: bool) -> dict[str, Any]:
    data = path.read_bytes()
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    source: dict[str, Any] = {"url": f"{url}/{path.name}", "md5": md5}
    if path.suffix == ".7z":
        source["folder"] = path.stem.removeprefix("clotho_audio_")
    return source | ({"bytes": len(data)} if sizes else {})


def command(*arguments: str | Path, shard_bytes: int | None = None) -> list[str]:
    """The command line `edge-glass …`, with shards cut smaller than 500 MB if asked to."""
    cut = f"shard_plan.SHARD_BYTES = {shard_bytes}" if shard_bytes else ""
    imports = "from edge_glass.cli.main import main\nfrom edge_glass.pipeline import shard_plan"
    code = f"{imports}\n{cut}\nmain()"
    return [sys.executable, "-c", code, *map(str, arguments)]


def edge_glass(
    *arguments: str | Path, shard_bytes: int | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end."""
    return subprocess.run(
        command(*arguments, shard_bytes=shard_bytes),
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def contents(folder: Path) -> dict[str, str]:
    """What a build made, name -> sha256, without its hidden folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".edge_glass" not in path.parts
    }
