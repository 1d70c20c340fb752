"""Batches of a training run: read ahead by threads, in an order that can be gone on with."""

import json
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import asdict, replace
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any

from edge_glass.core import parquet, schema
from edge_glass.core.errors import ConfigError, DataError
from edge_glass.core.extras import needs
from edge_glass.core.manifest import Count
from edge_glass.core.processors import cores
from edge_glass.core.row import JsonObject
from edge_glass.train.batch import (
    ELSEWHERE,
    Batch,
    Group,
    Made,
    Recipe,
    Row,
    Skipped,
    Unreadable,
    load,
    make,
)
from edge_glass.train.buckets import Buckets
from edge_glass.train.epoch_plan import Order, Plan
from edge_glass.train.row_groups import Place

if TYPE_CHECKING:
    from edge_glass.train.torch_loader import TorchLoader

BUFFER, ROWS = 64_000_000, 4000  # bytes and rows that shuffling keeps, at most
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
        recipe: Recipe,
        *,
        drop_last: bool,
        even: bool,
        rank: int,
        world: int,
        threads: int | None,
        prefetch: int,
    ) -> None:
        self._places, self._order, self._recipe = places, order, recipe
        self._drop_last, self._even, self._rank, self.world = drop_last, even, rank, world
        self._threads, self._prefetch = threads, prefetch
        self.epoch = 0
        self.skipped: Counter[str] = Counter()
        self.last_skipped: deque[Skipped] = deque(maxlen=TOLD)
        self.given = self._start = 0
        self._elsewhere = False
        self._plan: Plan | None = None

    def __len__(self) -> int:
        """Batches that this rank gets in an epoch."""
        return len(self._numbers(0))

    def __getitem__(self, number: object) -> Batch:
        """Raises EdgeGlassError: a DataLoader was made of this loader, where `torch` gives one."""
        raise ConfigError(ELSEWHERE)

    __getitems__ = __getitem__

    @property
    def batches(self) -> int:
        """Batches of an epoch, those of all ranks."""
        return self.planned().batches

    @property
    def rows(self) -> int:
        """Rows of an epoch, those of all ranks."""
        plan = self.planned()
        if len(self._places) == 1:
            return self._places[0].rows
        return sum(map(plan.size, range(plan.batches)))

    @property
    def batch_size(self) -> int | None:
        """Rows of a full batch; None where batches are full of seconds."""
        return None if self._order.max_seconds else self._order.batch_size

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.run(self.begin()):
            yield self.received(batch)
        self.ended()

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of the next `for`: from its beginning, or from a state of that epoch.

        Args:
            epoch: its number, from 0.
        """
        if epoch != self.epoch:
            self.epoch, self._start = epoch, 0

    def state_dict(self) -> JsonObject:
        """Where the epoch stands, after the batch that was received last.

        Returns:
            Plain JSON, the same on every rank that has received as many batches.

        Raises:
            ConfigError: another DataLoader takes the batches: then its state is what is to be kept.
        """
        if self._elsewhere:
            raise ConfigError(
                "another DataLoader takes the batches of this loader, so it does not know how many "
                "were received: keep the state of that one (StatefulDataLoader.state_dict, "
                "Accelerator.save_state), or take the batches from this loader itself"
            )
        return self.state_at(self.given)

    def state_at(self, given: int) -> JsonObject:
        """The state after some batches.

        Args:
            given: batches of the epoch, those of all ranks.

        Returns:
            What `state_dict` gives then.
        """
        return {
            "epoch": self.epoch,
            "batches": given,
            "skipped": dict(self.skipped),
            "data": [place.digest for place in self._places],
            "order": {**asdict(self._order), "weights": list(self._order.weights)},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next `for` go on where a state was taken, here or with other ranks and workers.

        Args:
            state: of `state_dict`.

        Raises:
            DataError: data, batch size, seed or mixture are not those of the state.
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
            faults.append(f"{names}: other shards than those of the state")
        if state["batches"] > self.batches + self.world:
            faults.append(f"the state is at batch {state['batches']} of {self.batches}")
        if faults:
            raise DataError(*(f"cannot go on: {fault}" for fault in faults))
        self._order, self._plan = order, None
        self.epoch, self.given = state["epoch"], state["batches"]
        self._start = self.given
        self.skipped = Counter(state["skipped"])

    def torch(self, workers: int = 0, **options: Any) -> "TorchLoader":
        """This loader as a DataLoader of torch: tensors, made in other processes.

        It has the same order, `state_dict`, `set_epoch` and `skipped`, however many they are.

        Args:
            workers: processes; 0 makes them in this one.
            options: the DataLoader's: pin_memory, persistent_workers, prefetch_factor,
                multiprocessing_context, timeout, ….

        Returns:
            The DataLoader.

        Raises:
            ConfigError: torch is not installed.
        """
        needs("A DataLoader", "encoders", "torch", instead=", or `pip install torch`")
        from edge_glass.train.torch_loader import TorchLoader

        return TorchLoader(self, workers, options)

    def begin(self, elsewhere: bool = False) -> range:
        """The batches that this rank is to be given from here on.

        Args:
            elsewhere: nobody will tell how many of them were received.

        Returns:
            Their numbers.
        """
        self.given, self._start, self._elsewhere = self._start, 0, elsewhere
        if not self.given:
            self.skipped.clear()
            self.last_skipped.clear()
        return self._numbers(self.given)

    def received(self, batch: Made) -> Batch:
        """Count a batch that the consumer gets.

        Args:
            batch: as `run` makes it.

        Returns:
            What the consumer sees of it.
        """
        self.given += self.world
        for skipped in batch.skipped:
            self.skipped[skipped.outcome] += 1
            self.last_skipped.append(skipped)
        return batch.batch

    def ended(self) -> None:
        """The next `for` is the next epoch."""
        self.epoch, self.given = self.epoch + 1, 0

    def forked(self) -> None:
        """Called in a worker: what threads of its parent held is free here."""
        for place in self._places:
            place.begin()

    def picked(self, keys: Sequence[tuple[int, int, int]]) -> Made:
        """The batch of any rows; nothing is read ahead.

        Args:
            keys: of each row its epoch, batch and place.

        Returns:
            The batch.
        """
        with ThreadPoolExecutor(self._readers, "edge-glass-read") as readers:
            windows = {epoch: _Window(self._places, readers) for epoch, _, _ in keys}
            rows = {
                (epoch, number): windows[epoch].rows(self.planned(epoch), number, True)
                for epoch, number in sorted({key[:2] for key in keys})
            }
            asked = [rows[epoch, number][place] for epoch, number, place in dict.fromkeys(keys)]
            loaded = dict(zip(dict.fromkeys(keys), load(asked, self._recipe), strict=True))
        return make([loaded[key] for key in keys], self._recipe)

    def run(
        self, numbers: Iterable[int], beside: int = 1, epoch: int | None = None
    ) -> Generator[Made, None, None]:
        """Make batches, some ahead.

        Args:
            numbers: of the batches, in their order.
            beside: processes that share cores and prefetch.
            epoch: this one by default.

        Returns:
            The batches.
        """
        threads = self._threads or max(1, cores() // beside)
        depth = max(self._prefetch // beside, threads)
        readers = ThreadPoolExecutor(self._readers, "edge-glass-read")
        makers = ThreadPoolExecutor(threads, "edge-glass-make")
        ahead: deque[Callable[[], Made]] = deque()
        try:
            for turn, rows in enumerate(self._rows(numbers, readers, self.planned(epoch))):
                ahead.append(self._begun(rows, makers, 1 if turn else threads))
                del rows
                if len(ahead) > depth:
                    yield ahead.popleft()()
            while ahead:
                yield ahead.popleft()()
        finally:
            readers.shutdown(wait=True, cancel_futures=True)
            makers.shutdown(wait=True, cancel_futures=True)

    @property
    def _readers(self) -> int:
        return max(place.readers for place in self._places)

    def _begun(self, rows: list[Row], makers: Executor, pieces: int) -> Callable[[], Made]:
        """What gives the batch of these rows, for which several threads can work at once."""
        recipe = self._recipe
        if recipe.is_plain:  # a thread of its own would only wait for this one
            return lambda: make(load(rows, recipe), recipe)
        if pieces == 1:
            return makers.submit(lambda: make(load(rows, recipe), recipe)).result
        cuts = [len(rows) * at // pieces for at in range(pieces + 1)]
        parts = [makers.submit(load, rows[here:after], recipe) for here, after in pairwise(cuts)]
        return lambda: make(chain.from_iterable(part.result() for part in parts), recipe)

    def _rows(
        self, numbers: Iterable[int], readers: ThreadPoolExecutor, plan: Plan
    ) -> Iterator[list[Row]]:
        window = _Window(self._places, readers)
        for number in numbers:
            yield window.rows(plan, number % plan.batches, not self._recipe.is_plain)

    def _numbers(self, start: int) -> range:
        """Batches of this rank from `start` on; those beyond the last are the first ones anew."""
        plan, end = self.planned(), self.planned().batches
        if self._drop_last:
            end = plan.whole_batches
            end -= max(0, end - start) % self.world
        elif self._even:
            end += -max(0, end - start) % self.world
        return range(start + self._rank, end, self.world)

    def planned(self, epoch: int | None = None) -> Plan:
        """The plan of an epoch.

        Args:
            epoch: this one by default.

        Returns:
            Which rows each batch has.
        """
        epoch = self.epoch if epoch is None else epoch
        if self._plan is None or self._plan.epoch != epoch:
            shapes = [place.shape for place in self._places]
            if self._order.max_seconds:
                seconds = [place.seconds for place in self._places]
                self._plan = Buckets(shapes, self._order, epoch, seconds)
            else:
                self._plan = Plan(shapes, self._order, epoch)
        return self._plan


def _checked(state: Mapping[str, Any]) -> JsonObject:
    """A state with its values as they have to be."""
    try:
        data = json.dumps(state).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"the state of a loader must be JSON: {error}") from None
    checked: JsonObject = schema.parse(STATE, data, "the state of a loader", "begin anew")
    return checked


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
