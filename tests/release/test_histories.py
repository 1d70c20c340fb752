"""Histories of random steps, killed at random: replayed they give the same bytes, and what was
withdrawn is never seen again."""

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import planted
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hub import Fault, Hub
from kit import entries, rows
from releases import REPO, push

import edge_glass as eg
from edge_glass.core.errors import EdgeGlassError
from edge_glass.pipeline import revise
from edge_glass.release import certificate, derived, residue
from edge_glass.release.editions import Edition

CONFIG, STEPS = "sounds", 10
WHO = {"who": "an editor", "why": "a slip"}
REFUSED = "/lfs/|/commit/|/tag/|/preupload/"
SOUND = planted.wav(np.full(80, 0.1, dtype=np.float32), 8000)
POINTS = (
    (revise, "make"),
    (Edition, "put"),
    (derived, "forget"),
    (residue, "scan"),
    (certificate, "write"),
)


@dataclass
class History:
    """A dataset, what it should hold, and the random steps that it takes."""

    folder: Path
    seed: int
    kill: Callable[[Callable[[], object]], None]
    captions: dict[str, str] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    count: int = 0

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)
        self.out = self.folder / "data"
        self._build(self.out, 9)

    def _build(self, out: Path, number: int, *more: str) -> Path:
        ids = [f"row number {n:05d}" for n in range(self.count, self.count + number)]
        self.count += number
        data = {id: f"what {id} says, {self.draw.random()}" for id in [*ids, *more]}
        train = [{"id": id, "audio": SOUND, "caption": text} for id, text in data.items()]
        planted.corpus(out, CONFIG, {"train": train}, shards=3)
        new = {id: text for id, text in data.items() if id not in self.gone}
        self.captions = new | self.captions
        return out

    def step(self, number: int) -> None:
        verb = self.draw.choice([self.append, self.amend, self.withdraw])
        self.kill(verb(number))
        assert {id: row["caption"] for id, row in rows(self.out / CONFIG).items()} == self.captions
        assert not self.gone & entries(self.out / CONFIG).keys()

    def _some(self, ids: Any) -> list[str]:
        return self.draw.sample(sorted(ids), min(len(ids), self.draw.randint(1, 2)))

    def append(self, number: int) -> Callable[[], object]:
        known = [*self._some(self.captions), *self._some(self.gone)]
        more = self._build(self.folder / f"more{number}", self.draw.randint(3, 5), *known)
        return lambda: eg.append(self.out, more)

    def amend(self, number: int) -> Callable[[], object]:
        told = [
            {
                "id": id,
                "column": "caption",
                "value": f"amended {number} {id}",
                "who": "w",
                "why": "y",
            }
            for id in self._some(self.captions)
        ]
        path = self.folder / f"edits{number}.parquet"
        pq.write_table(pa.Table.from_pylist(told), path)
        self.captions |= {edit["id"]: edit["value"] for edit in told}
        return lambda: eg.amend(self.out, path)

    def withdraw(self, number: int) -> Callable[[], object]:
        ids = self._some(self.captions)
        self.gone |= {*ids}
        self.captions = {id: text for id, text in self.captions.items() if id not in ids}
        return lambda: eg.withdraw(self.out, ids=ids)


def files(folder: Path) -> dict[str, bytes]:
    names = (path for path in folder.rglob("*") if path.is_file())
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in names if ".edge_glass" not in p.parts
    }


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    draw = random.Random(1)

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    def run(action: Callable[[], object]) -> None:
        while draw.random() < 0.6:
            with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
                patch.setattr(*draw.choice(POINTS), stop)
                action()
        action()

    return run


@pytest.mark.parametrize(
    ("seed", "steps"), [(3, STEPS), pytest.param(4, 100, marks=pytest.mark.slow)]
)
def test_a_killed_history_ends_as_one_that_was_not(
    tmp_path: Path, killed: Callable[[Callable[[], object]], None], seed: int, steps: int
) -> None:
    whole = History(tmp_path / "whole", seed, lambda action: action())
    other = History(tmp_path / "killed", seed, killed)
    for number in range(steps):
        whole.step(number)
        other.step(number)
        assert files(other.out) == files(whole.out), number
    assert whole.gone and len(whole.captions) > 3
    for path in (path for path in other.out.rglob("*") if path.is_file()):
        assert not [id for id in other.gone if id.encode() in path.read_bytes()], path


def test_versions_of_a_history_whose_pushes_are_refused_at_random(hub: Hub, tmp_path: Path) -> None:
    draw, gone = random.Random(7), list[set[str]]()
    history = History(tmp_path, 5, lambda action: action())
    for number in range(5):
        history.step(number)
        gone.append(set(history.gone))
        for _ in range(2):
            hub.fail(
                Fault(
                    "PUT|POST", "/lfs/|/commit/|/tag/|/preupload/", draw.randint(1, 4), status=403
                )
            )
            with suppress(EdgeGlassError):
                push(hub, history.out, f"1.0.{number}", CONFIG)
            hub.heal()
        with suppress(EdgeGlassError):  # one of those before came through
            push(hub, history.out, f"1.0.{number}", CONFIG)
    assert gone[-1]
    for number, ids in enumerate(gone):
        for path in hub.files(REPO, f"v1.0.{number}"):
            data = hub.read(REPO, path, f"v1.0.{number}")
            assert not [id for id in ids if id.encode() in data], (number, path)
    there = {
        name: hub.read(REPO, f"{CONFIG}/{name}", "v1.0.4") for name in files(history.out / CONFIG)
    }
    assert there == files(history.out / CONFIG)
