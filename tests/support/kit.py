"""What several test files need: sounds, builds of spoilt raw folders, the command line."""

import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile as sf
from hub import Hub

from edge_glass.cli.main import main
from edge_glass.core import ledger
from edge_glass.core.progress import Progress, RowCount
from edge_glass.corpora import catalog
from edge_glass.pipeline import shard_plan
from edge_glass.pipeline.build import Options
from edge_glass.release.write_card import build

ROOT = Path(__file__).parents[2]
HORSE = "train/ Horse neigh.wav"
HORSE_FILE = Path("development") / " Horse neigh.wav"


def tones(seconds: float, rate: int, *hertz: float) -> np.ndarray:
    """Sines of a peak of 0.8 together, float64 of shape (frames,)."""
    time = np.arange(round(seconds * rate)) / rate
    return sum(np.sin(2 * np.pi * f * time + f) for f in hertz) * 0.8 / len(hertz)


def encoded(samples: np.ndarray, rate: int, format: str = "WAV", subtype: str = "PCM_16") -> bytes:
    out = io.BytesIO()
    sf.write(out, samples, rate, format=format, subtype=subtype)
    return out.getvalue()


def sound(channels: int = 1, format: str = "WAV", subtype: str = "PCM_16") -> bytes:
    """Half a second at 44.1 kHz."""
    mono = tones(0.5, 44100, 440, 1000)
    return encoded(np.stack([mono * 0.9**n for n in range(channels)], 1), 44100, format, subtype)


def bundled() -> list[str]:
    """All configs whose sources come with us."""
    named = catalog.configs()
    return [name for corpus, name in named if catalog.spec(corpus).configs[name].get("bundled")]


def build_raw(config: str, raw: Path, out: Path, jobs: int = 1, **overrides: Any) -> Path:
    """Build a config out of a raw folder, `<corpus>_test` if it is changed; its folder."""
    name = f"{config.partition('_')[0]}_test" if overrides else None
    variant = catalog.variant(config, overrides, name)
    build(variant, out, Options(raw=raw, jobs=jobs, unverified=True))
    return out / variant.name


def build_clotho(raw: Path, out: Path, config: str = "clotho", **overrides: Any) -> Path:
    """Build a config of Clotho out of a raw folder; the folder of the config."""
    return build_raw(config, raw, out, **overrides)


def build_in_pieces(config: str, out: Path, shard_bytes: int) -> Path:
    """Build a config in several shards; its folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shard_plan, "SHARD_BYTES", shard_bytes)
        build(catalog.variant(config), out)
    return out / config


def rows(folder: Path) -> dict[str, dict[str, Any]]:
    """Id -> row, of all shards of a config."""
    tables = [pq.read_table(path) for path in sorted(folder.glob("*-of-*.parquet"))]
    return {row["id"]: row for table in tables for row in table.to_pylist()}


def entries(folder: Path) -> dict[str, dict[str, Any]]:
    """Id -> row of the ledger of a config."""
    return {row["id"]: row for row in ledger.read(folder / ledger.FILE)}


def edit(path: Path, change: Callable[[bytes], bytes]) -> None:
    """Change the bytes of a file; something has to change."""
    before = path.read_bytes()
    assert change(before) != before
    path.write_bytes(change(before))


def until(ready: Callable[[], object], process: subprocess.Popen[Any]) -> None:
    """Wait until a process has come to something, or ended, and leave it the processors."""
    while not ready() and process.poll() is None:
        time.sleep(0.002)


def kill(process: subprocess.Popen[Any]) -> None:
    """Kill a process that is at work: one that had ended already would show nothing."""
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "it had ended already: nothing was killed"


class Recorded(Progress):
    """What was said of rows: what, how many in all, and how many were done and dropped."""

    def __init__(self) -> None:
        self.said: list[tuple[str, int, tuple[int, int]]] = []

    @contextmanager
    def rows(self, what: str, total: int, count: RowCount) -> Iterator[None]:
        yield
        self.said.append((what, total, count()))


@dataclass
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Cli:
    """`edge-glass` in this process."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd

    def __call__(self, *arguments: object) -> Result:
        self._capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        out, err = self._capfd.readouterr()
        assert ("Traceback" not in out + err or "-v" in arguments) and Hub.token not in out + err
        return Result(int(end.value.code or 0), out, err)


def client(hub: Hub, code: str, **more: str) -> Any:
    """What a Python process with nothing of ours in its code prints as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        env=hub.env() | more,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
