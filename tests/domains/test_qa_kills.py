"""Killed while it asks: no slide is asked twice after its answer was stored, no cost uncounted."""

import random
import shutil
import signal
import sqlite3
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from kit import kill, until
from modelserver import Asked, Model
from slidekit import LINES, deck, pdf, process

from edge_glass.domains.slides import call_log, decks

PRICE_IN, PRICE_OUT = 3.0, 15.0
OPTIONS = ("--connections", 6, "--price-in", PRICE_IN, "--price-out", PRICE_OUT, "--pairs", 1)


def stored(root: Path, copy: Path) -> set[tuple[str, int, str]]:
    """The answers in the book as a kill left it: read in a copy, so that nothing mends it."""
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    for path in root.glob(f"{call_log.FILE}*"):
        shutil.copy(path, copy)
    base = sqlite3.connect(copy / call_log.FILE)
    try:
        return set(base.execute("select deck, slide, task from answers"))
    except sqlite3.OperationalError:  # killed before the tables were there
        return set()
    finally:
        base.close()


def cost(tokens: tuple[int, int]) -> float:
    return (tokens[0] * PRICE_IN + tokens[1] * PRICE_OUT) / 1e6


def slides(root: Path) -> dict[str, tuple[str, int]]:
    """The slide of each picture, by sha256."""
    import hashlib

    found = {}
    for folder in decks.folders(root):
        for number, name in decks.numbered(decks.read(folder).images).items():
            mark = hashlib.sha256((folder / name).read_bytes()).hexdigest()
            found[mark] = folder.name, number
    return found


def test_ctrl_c(tmp_path: Path) -> None:
    """What was answered is written out, and the rest goes on with the same command."""
    root = tmp_path / "decks"
    for number in range(6):
        deck(root, f"d{number}", [f"{number} {line}" for line in LINES])
    with Model(root, latency=0.2) as model:
        running = process("qa", root, "--model", "m", "--base-url", model.url, *OPTIONS)
        until(lambda: len(model.log) >= 20, running)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=30)
        assert running.returncode == 130 and "run the same command again" in err
        assert "Traceback" not in err
        rows = pq.read_table(root / call_log.TABLE).to_pylist()
        answered = [row for row in rows if row["outcome"] == "answered"]
        assert len(answered) >= 10
        assert sum(len(decks.read_noted(f)[1]) for f in decks.folders(root)) == len(answered)


@pytest.mark.slow
def test_collecting_killed_at_random_moments(tmp_path: Path) -> None:
    """No half deck is ever seen, and the end is that of a run that nobody stopped."""
    talks, chance = tmp_path / "talks", random.Random(3)
    talks.mkdir()
    for number in range(12):
        (talks / f"t{number}.pdf").write_bytes(pdf([f"{number} {line}" for line in LINES]))
    clean, out = tmp_path / "clean", tmp_path / "out"
    assert process("collect", talks, "--out", clean, "--jobs", 2).wait(120) == 0
    for _ in range(3):
        goal = len(whole(out)) + chance.randint(0, 3)
        running = process("collect", talks, "--out", out, "--jobs", 2)
        while len(whole(out)) < goal and running.poll() is None:
            time.sleep(0.01)
        kill(running)
        for folder in decks.folders(out) if any(out.glob("[!.]*/*.json")) else []:
            assert len(decks.read(folder).numbers) == 8
    assert process("collect", talks, "--out", out, "--jobs", 2).wait(120) == 0
    assert files(out) == files(clean)


def whole(out: Path) -> set[Path]:
    """The folders of decks that are collected."""
    return {path.parent for path in out.glob("[!.]*/*.json")}


def files(root: Path) -> dict[str, bytes]:
    found = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in found}


@pytest.mark.parametrize(
    ("kills", "count"), [(5, 10), pytest.param(20, 40, marks=pytest.mark.slow)]
)
def test_killed_at_random_moments(kills: int, count: int, tmp_path: Path) -> None:
    root, chance = tmp_path / "decks", random.Random(kills)
    for number in range(count):
        deck(root, f"d{number:02}", [f"{number} {line}" for line in LINES])
    of = slides(root)
    assert len(of) == 8 * count
    known: set[tuple[str, int, str]] = set()
    seen = 0

    def again(asked: list[Asked]) -> set[tuple[str, int, str]]:
        return {(*of[one.slides[0]], one.task) for one in asked} & known

    with Model(root, latency=0.05) as model:
        line = ("qa", root, "--model", "m", "--base-url", model.url, *OPTIONS)
        for _ in range(kills):
            running = process(*line)
            # after so many requests, for a busy machine gets to few in any time
            enough = len(model.log) + chance.randint(1, 20)
            until(lambda enough=enough: len(model.log) >= enough, running)
            time.sleep(chance.uniform(0, 0.1))
            assert running.poll() is None, running.communicate()
            kill(running)
            time.sleep(0.1)  # requests that were under way reach their end
            assert again(model.log[seen:]) == set()
            seen, known = len(model.log), stored(root, tmp_path / "copy")
        assert 0 < len(known) < 16 * count
        last = process(*line)
        out, err = last.communicate(timeout=120)
        assert last.returncode == 0, out + err
        assert again(model.log[seen:]) == set()
        log = {int(asked.call): asked for asked in model.log}
        assert len(log) == len(model.log)  # no number was given twice
    base = sqlite3.connect(root / call_log.FILE)
    rows = base.execute("select call, outcome, cost from ends").fetchall()
    assert len(rows) == len(set(rows))
    assert log.keys() <= {call for call, _, _ in rows}  # each that was paid for is in the book
    for call, outcome, counted in rows:
        paid = cost(log[call].billed) if call in log else 0.0
        assert counted >= paid - 1e-12
        if outcome == "answered":
            assert counted == pytest.approx(paid)
    assert {outcome for _, outcome, _ in rows} == {"answered", "lost"}
    assert len(stored(root, tmp_path / "copy")) == 16 * count
    assert all(len(decks.read_noted(folder)[1]) == 16 for folder in decks.folders(root))
