"""Batches of a training run: read ahead by threads, in an order that can be gone on with."""

import json
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import asdict, replace
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any

from edge_glass.core import parquet, schema
from edge_glass.core.errors import ConfigError, DataError
from edge_glass.core.manifest import Count
from edge_glass.pipeline.executor_local import cores
from edge_glass.train.batch import Batch, Decoder, Group, Made, Row, Skipped, Unreadable, load, make
from edge_glass.train.epoch_plan import Order, Plan
from edge_glass.train.row_groups import Place

if TYPE_CHECKING:
    from edge_glass.train.torch_loader import TorchLoader

BUFFER, ROWS = 64_000_000, 4000  # bytes and rows that shuffling keeps, at most
READERS = 2
STATE = schema.shape(
    epoch=Count, batches=Count, skipped=dict[str, Count], data=list[str], order=Order
)
TOLD = 100  # rows that were skipped and are named; all are counted


class Loader:
    """See `edge_glass.train.loader`. A `for` over it gives an epoch, the next one another order."""

    def __init__(
        self,
        places: Sequence[Place],
        order: Order,
        decode: Mapping[str, Decoder],
        drop_last: bool,
        rank: int,
        world: int,
        threads: int | None,
        prefetch: int,
    ) -> None:
        self._places, self._order, self._decode = places, order, dict(decode)
        self._drop_last, self._rank, self._world = drop_last, rank, world
        self._threads, self._prefetch = threads, prefetch
        self.epoch = 0
        self.skipped: Counter[str] = Counter()
        self.last_skipped: deque[Skipped] = deque(maxlen=TOLD)
        self._given = self._start = 0
        self._plan: Plan | None = None

    def __len__(self) -> int:
        """Batches that this rank gets in an epoch."""
        return len(self._numbers(0))

    @property
    def batches(self) -> int:
        """Batches of an epoch, those of all ranks."""
        return self._planned().batches

    def __iter__(self) -> Iterator[Batch]:
        for made in self.run(self.begin()):
            yield self.received(made)
        self.ended()

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of the next `for`, from its beginning."""
        self.epoch, self._start = epoch, 0

    def state_dict(self) -> dict[str, Any]:
        """Where the epoch stands, after the batch that was received last; plain JSON.

        The same on every rank that has received as many batches.
        """
        return {
            "epoch": self.epoch,
            "batches": self._given,
            "skipped": dict(self.skipped),
            "data": [place.digest for place in self._places],
            "order": {**asdict(self._order), "weights": list(self._order.weights)},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next `for` go on where a state was taken, here or with other ranks and workers.

        Raises EdgeGlassError if data, batch size, seed or mixture are not those of the state.
        """
        state = _checked(state)
        order = state["order"]
        ours = replace(self._order, lanes=order.lanes, reach=order.reach)
        faults = [
            f"the state is of {name} {getattr(order, name)}, this loader has {getattr(ours, name)}"
            for name in asdict(ours)
            if getattr(order, name) != getattr(ours, name)
        ]
        if state["data"] != [place.digest for place in self._places]:
            names = ", ".join(place.source for place in self._places)
            faults.append(f"{names}: not the shards that the state was taken of")
        if state["batches"] > self.batches + self._world:
            faults.append(f"the state is at batch {state['batches']} of {self.batches}")
        if faults:
            raise DataError(*(f"cannot go on: {fault}" for fault in faults))
        self._order, self._plan = order, None
        self.epoch, self._given = state["epoch"], state["batches"]
        self._start = self._given
        self.skipped = Counter(state["skipped"])

    def torch(self, workers: int = 0, pin_memory: bool = False) -> "TorchLoader":
        """This loader as a DataLoader of torch: tensors, made in `workers` processes.

        It has the same order, `state_dict`, `set_epoch` and `skipped`, whatever `workers` is.
        """
        from edge_glass.train.torch_loader import TorchLoader

        return TorchLoader(self, workers, pin_memory)

    def begin(self) -> range:
        """The numbers of the batches that this rank is to be given from here on."""
        self._given, self._start = self._start, 0
        if not self._given:
            self.skipped.clear()
            self.last_skipped.clear()
        return self._numbers(self._given)

    def received(self, made: Made) -> Batch:
        """Count a batch that the consumer gets."""
        self._given += self._world
        for skipped in made.skipped:
            self.skipped[skipped.outcome] += 1
            self.last_skipped.append(skipped)
        return made.batch

    def ended(self) -> None:
        """The next `for` is the next epoch."""
        self.epoch, self._given = self.epoch + 1, 0

    def forked(self) -> None:
        """Called in a worker: what threads of its parent held is free here."""
        for place in self._places:
            place.begin()

    def run(self, numbers: Iterable[int], beside: int = 1) -> Iterator[Made]:
        """Make batches in this order, some ahead; `beside` processes share cores and prefetch."""
        threads = self._threads or max(1, cores() // beside)
        depth = max(self._prefetch // beside, threads)
        readers = ThreadPoolExecutor(READERS, "edge-glass-read")
        makers = ThreadPoolExecutor(threads, "edge-glass-make")
        ahead: deque[Callable[[], Made]] = deque()
        try:
            for turn, rows in enumerate(self._rows(numbers, readers)):
                ahead.append(self._begun(rows, makers, 1 if turn else threads))
                del rows
                if len(ahead) > depth:
                    yield ahead.popleft()()
            while ahead:
                yield ahead.popleft()()
        finally:
            readers.shutdown(wait=True, cancel_futures=True)
            makers.shutdown(wait=True, cancel_futures=True)

    def _begun(self, rows: list[Row], makers: Executor, pieces: int) -> Callable[[], Made]:
        """What gives the batch of these rows, for which several threads can work at once."""
        columns, decode = self._places[0].columns, self._decode
        if not decode:  # a thread of its own would only wait for this one
            return lambda: make(load(rows, decode), columns)
        if pieces == 1:
            return makers.submit(lambda: make(load(rows, decode), columns)).result
        cuts = [len(rows) * at // pieces for at in range(pieces + 1)]
        parts = [makers.submit(load, rows[here:after], decode) for here, after in pairwise(cuts)]
        return lambda: make(chain.from_iterable(part.result() for part in parts), columns)

    def _rows(self, numbers: Iterable[int], readers: ThreadPoolExecutor) -> Iterator[list[Row]]:
        plan, window = self._planned(), _Window(self._places, readers)
        for number in numbers:
            yield window.rows(plan, number, bool(self._decode))

    def _numbers(self, start: int) -> range:
        """Batches of this rank from `start` on; all ranks get as many, if `drop_last`."""
        plan, end = self._planned(), self._planned().batches
        if self._drop_last:
            end = plan.whole_batches
            end -= max(0, end - start) % self._world
        return range(start + self._rank, end, self._world)

    def _planned(self) -> Plan:
        if self._plan is None or self._plan.epoch != self.epoch:
            self._plan = Plan([place.shape for place in self._places], self._order, self.epoch)
        return self._plan


def _checked(state: Mapping[str, Any]) -> dict[str, Any]:
    """A state with its values as they have to be."""
    try:
        data = json.dumps(state).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"the state of a loader is JSON, this is none: {error}") from None
    found: dict[str, Any] = schema.parse(STATE, data, "the state of a loader", "begin anew")
    return found


class _Window:
    """The row groups that lanes are in the midst of, read once each."""

    def __init__(self, places: Sequence[Place], readers: ThreadPoolExecutor) -> None:
        self._places, self._readers = places, readers
        self._live: dict[tuple[int, int], dict[int, Future[Group]]] = {}

    def rows(self, plan: Plan, number: int, draw: bool) -> list[Row]:
        """The rows of a batch; their groups are being read, and older ones are let go."""
        rows = []
        for part in plan.parts(number):
            live = self._live.setdefault((part.lane, part.corpus), {})
            for turn in [turn for turn in live if turn < part.oldest]:
                del live[turn]
            inside = part.rows.tolist()
            turns = zip(part.turns.tolist(), part.groups.tolist(), strict=True)
            for at, (turn, group) in enumerate(turns):
                if turn not in live:
                    live[turn] = self._readers.submit(read, self._places[part.corpus], group)
                rows.append(Row(live[turn], inside[at], plan.draw(part, at) if draw else []))
        return [rows[at] for at in plan.mixed(number, len(rows))]


def read(place: Place, group: int) -> Group:
    """A row group of a place; raises Unreadable where its bytes are damaged."""
    media = [column for column in place.columns if place.is_media(column)]
    try:
        stored = place.stored(group)
        table = place.table(group, [name for name in place.columns if name not in stored])
    except parquet.DamagedFile as error:
        raise Unreadable(error.detail, place.file(group), group) from None
    return Group(table, stored, place.file(group), group, media)
