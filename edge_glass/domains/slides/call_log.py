"""Every call of a model and what it cost, kept as it happens in `calls.sqlite`.

A call is written down before it is made, with the most that it can cost, and its end with what it
did cost in the same transaction as the answer. So a process that is killed loses no answer that it
had and no cost: what had no end is counted at its most by the next run, as `lost`. Rows are only
ever added.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from edge_glass.core.errors import DataError
from edge_glass.core.shard_files import write_table

FILE, TABLE = "calls.sqlite", "calls.parquet"
TABLES = """
create table if not exists calls (
  id integer primary key, deck text, slide integer, item text, task text, attempt integer,
  prompt text, model text, begun real, most_in integer, most_out integer, most_cost real);
create table if not exists ends (
  call integer primary key references calls, outcome text, status integer, tokens_in integer,
  tokens_out integer, cost real, estimated integer, seconds real, detail text);
create table if not exists answers (
  deck text, slide integer, task text, item text, outcome text, content text, call integer,
  primary key (deck, slide, task, item));
"""
LOSE = """
insert into ends select id, 'lost', null, most_in, most_out, most_cost, 1, null,
  'the run ended before the answer came' from calls where id not in (select call from ends)
"""
# the most tokens that a prompt of each task had, by the server's own count
LARGEST = """
select task, max(tokens_in) from ends join calls on id = call where not estimated group by task
"""
SCHEMA = pa.schema(
    [
        ("id", pa.int64()), ("deck", pa.string()), ("slide", pa.int32()), ("task", pa.string()),
        ("item", pa.string()), ("attempt", pa.int32()), ("prompt", pa.string()),
        ("model", pa.string()), ("begun", pa.float64()), ("outcome", pa.string()),
        ("status", pa.int32()), ("tokens_in", pa.int64()), ("tokens_out", pa.int64()),
        ("cost", pa.float64()), ("estimated", pa.bool_()), ("seconds", pa.float64()),
        ("detail", pa.string()),
    ]
)  # fmt: skip
ALL = f"select {', '.join(SCHEMA.names)} from calls join ends on call = id order by id"


@dataclass(frozen=True)
class Key:
    """What is asked for: a task about a slide, or (`item`) about one pair of it."""

    deck: str
    slide: int
    task: str
    item: str = ""


@dataclass(frozen=True)
class Use:
    """Tokens and money; `estimated` where the server did not say."""

    tokens_in: int
    tokens_out: int
    cost: float
    estimated: bool = False

    @property
    def tokens(self) -> int:
        """Those that were sent, and those of the answer."""
        return self.tokens_in + self.tokens_out


@dataclass(frozen=True)
class Prices:
    """Dollars for a million tokens."""

    tokens_in: float = 0.0
    tokens_out: float = 0.0

    def use(self, tokens_in: int, tokens_out: int, *, estimated: bool = False) -> Use:
        """What so many tokens cost."""
        cost = (tokens_in * self.tokens_in + tokens_out * self.tokens_out) / 1_000_000
        return Use(tokens_in, tokens_out, cost, estimated)


@dataclass(frozen=True)
class Answer:
    """What was stored of a model's answer; `content` is JSON where it is `answered`."""

    outcome: str
    content: Any
    prompt: str
    model: str


class Calls:
    """The calls of a folder of decks. One process at a time has them open."""

    def __init__(self, folder: Path) -> None:
        self._folder, path = folder, folder / FILE
        self._base = sqlite3.connect(path, timeout=0, isolation_level=None)
        try:
            self._base.execute("pragma locking_mode = exclusive")
            self._base.execute("pragma journal_mode = wal")
            self._base.execute("pragma synchronous = full")
            self._base.execute("begin exclusive")
            self._base.execute("commit")
            self._base.executescript(TABLES)
            self._base.execute(LOSE)
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            raise DataError(f"{path}: another run uses it: wait until it has ended") from None
        except sqlite3.DatabaseError as error:
            raise DataError(
                f"{path}: damaged ({error}): put it aside; answers in qa files are kept"
            ) from None
        sums = self._base.execute("select sum(cost), sum(tokens_in + tokens_out) from ends")
        cost, tokens = sums.fetchone()
        self.largest: dict[str, int] = dict(self._base.execute(LARGEST))
        self.cost, self.tokens = float(cost or 0), int(tokens or 0)  # of all that ended

    def begin(self, key: Key, attempt: int, prompt: str, model: str, most: Use) -> int:
        """Write down that a call is made now; its number."""
        row = (key.deck, key.slide, key.item, key.task, attempt, prompt, model, time.time())
        inserted = self._base.execute(
            "insert into calls values (null, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*row, most.tokens_in, most.tokens_out, most.cost),
        )
        assert inserted.lastrowid is not None
        return inserted.lastrowid

    def store(
        self, key: Key, call: int, outcome: str, use: Use, seconds: float, content: Any
    ) -> None:
        """Write down an answer together with the end of its call: both, or neither."""
        self._base.execute("begin immediate")
        self.end(call, outcome, use, seconds, 200, "")
        text = json.dumps(content, ensure_ascii=False)
        row = (key.deck, key.slide, key.task, key.item, outcome, text, call)
        self._base.execute("insert into answers values (?, ?, ?, ?, ?, ?, ?)", row)
        self._base.execute("commit")

    def end(
        self, call: int, outcome: str, use: Use, seconds: float, status: int | None, detail: str
    ) -> None:
        """Write down how a call ended."""
        used = (use.tokens_in, use.tokens_out, use.cost, use.estimated)
        row = (call, outcome, status, *used, round(seconds, 4), detail)
        self._base.execute("insert into ends values (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        self.cost += use.cost
        self.tokens += use.tokens

    def answer(self, key: Key) -> Answer | None:
        """The stored answer to what is asked for, None if there is none."""
        stored = self._base.execute(
            "select answers.outcome, content, prompt, model from answers join calls on id = call "
            "where answers.deck = ? and answers.slide = ? and answers.task = ? "
            "and answers.item = ?",
            (key.deck, key.slide, key.task, key.item),
        ).fetchone()
        return Answer(stored[0], json.loads(stored[1]), stored[2], stored[3]) if stored else None

    def outcomes(self) -> dict[str, dict[str, float]]:
        """Calls, tokens, cost and the mean of seconds, by task and outcome."""
        rows = self._base.execute(
            "select task || ', ' || outcome, count(*), sum(tokens_in), sum(tokens_out), sum(cost), "
            "avg(seconds) from calls join ends on call = id group by 1 order by 1"
        )
        names = ("calls", "tokens_in", "tokens_out", "cost", "seconds")
        return {row[0]: dict(zip(names, row[1:], strict=True)) for row in rows}

    def write(self) -> None:
        """Write the table of all calls as Parquet, beside them."""

        def tables() -> Iterator[pa.Table]:
            rows = self._base.execute(ALL)
            while batch := rows.fetchmany(10_000):
                columns = zip(SCHEMA.names, zip(*batch, strict=True), strict=True)
                yield pa.table(dict(columns)).cast(SCHEMA)

        write_table(self._folder / TABLE, tables(), SCHEMA)

    def forget(self, gone: Callable[[str], bool]) -> None:
        """Nothing is left of rows that are withdrawn but what their calls cost."""
        ids = [id for (id,) in self._base.execute("select distinct deck from calls") if gone(id)]
        self._base.execute("pragma secure_delete = on")
        for id in ids:
            self._base.execute("delete from answers where deck = ?", (id,))
            self._base.execute("update calls set deck = '', item = '' where deck = ?", (id,))
        self._base.execute("vacuum")
        self._base.execute("pragma wal_checkpoint(truncate)")
        self.write()

    def close(self) -> None:
        """Let others have the calls."""
        self._base.close()
