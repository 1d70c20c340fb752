"""The loader as torch has them: a DataLoader of rows by key, and what trainers take it apart into.

A key is (epoch, batch, place in the batch). The sampler of batches says which keys there are, so
that accelerate, Trainer and StatefulDataLoader, which skip, share out and count what a sampler
gives, skip and share out batches that were never made; and workers that live on learn the epoch.

From a worker to its parent bytes go as a tensor does, in shared memory: through the pipe they would
be copied twice as often, in pieces of 64 kB.
"""

import os
import weakref
from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler, get_worker_info

from edge_glass.core.errors import ConfigError
from edge_glass.core.row import JsonObject
from edge_glass.train.batch import ELSEWHERE, Batch, Made

if TYPE_CHECKING:
    from edge_glass.train.stream import Loader


class TorchLoader(DataLoader[Any]):
    """See `Loader.torch`. Worker w of W makes every W-th batch, so the order stays the same."""

    def __init__(self, loader: "Loader", workers: int, options: Mapping[str, Any]) -> None:
        self.loader = loader
        self._options = dict(options) | {"num_workers": workers}
        self._own: DataLoader[Any] | None = None
        super().__init__(
            Rows(loader), batch_sampler=Keys(loader), collate_fn=_batch, **self._options
        )

    def __iter__(self) -> Iterator[Batch]:
        if self._own is None:
            self._own = DataLoader(
                self.dataset, batch_sampler=Keys(self.loader, True), collate_fn=_as_is,
                **self._options,
            )  # fmt: skip
        try:
            for batch in self._own:
                yield self.loader.received(batch)
        finally:
            self.dataset.close()
        self.loader.ended()

    @property
    def skipped(self) -> Counter[str]:
        """Rows that were left out in this epoch, by reason."""
        return self.loader.skipped

    def set_epoch(self, epoch: int) -> None:
        """See `Loader.set_epoch`."""
        self.loader.set_epoch(epoch)

    def state_dict(self) -> JsonObject:
        """See `Loader.state_dict`: it counts what was received, not what workers have made."""
        return self.loader.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Loader.load_state_dict`."""
        self.loader.load_state_dict(state)
        self._own = None  # its workers may live on, with the order that was


class Key(NamedTuple):
    """Which row it is: the `place`-th of a batch of an epoch."""

    epoch: int
    batch: int
    place: int


class Keys(Sampler[list[Key]]):
    """The batches of this rank, as keys of their rows; `own` if a TorchLoader counts them.

    It is its own `sampler`: Lightning and accelerate call `set_epoch` of that one.
    """

    drop_last = False

    def __init__(self, loader: "Loader", own: bool = False) -> None:
        self._loader, self._own, self._given = loader, own, 0

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[list[Key]]:
        loader = self._loader
        numbers = loader.begin(elsewhere=not self._own)
        if not numbers and not self._own:  # a state of the end of an epoch
            loader.ended()
            numbers = loader.begin(elsewhere=True)
        plan = loader.planned()
        start = loader.given
        for turn, number in enumerate(numbers, 1):
            self._given = start + turn * loader.world
            rows = plan.size(number % plan.batches)
            yield [Key(plan.epoch, number, place) for place in range(rows)]
        if not self._own:
            self._given = 0
            loader.ended()

    @property
    def sampler(self) -> "Keys":
        """What has `set_epoch`."""
        return self

    @property
    def batch_size(self) -> int | None:
        """Rows of a full batch. Only who shares batches out among ranks asks for it.

        Raises EdgeGlassError if they are shared out already.
        """
        if self._loader.world > 1:
            raise ConfigError(
                "this loader gives each rank batches of its own already, and would be shared out "
                "a second time: with accelerate leave it out of `prepare`, or make it with rank=0, "
                "world=1; with Lightning say use_distributed_sampler=False"
            )
        return self._loader.batch_size

    def set_epoch(self, epoch: int) -> None:
        """See `Loader.set_epoch`."""
        self._loader.set_epoch(epoch)

    def state_dict(self) -> JsonObject:
        """See `Loader.state_dict`: after the batch whose keys were given last."""
        return self._loader.state_at(self._given)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Loader.load_state_dict`."""
        self._loader.load_state_dict(state)
        self._given = int(state["batches"])


class Rows(Dataset[Any]):
    """Rows by key. Whole batches that are asked for one after another are made ahead."""

    def __init__(self, loader: "Loader") -> None:
        self._loader = loader
        self._ahead: dict[int, _Ahead] = {}  # by process: threads do not live through a fork

    def __len__(self) -> int:
        return self._loader.rows

    def __getitem__(self, key: Any) -> Made:
        return self.__getitems__([key])

    def __getitems__(self, keys: list[Any]) -> Made:
        """The batch of these rows, as tensors, and what was left out of it."""
        if not all(isinstance(key, Key) for key in keys):
            raise ConfigError(ELSEWHERE)
        worker = get_worker_info()
        beside = worker.num_workers if worker else 1
        result = self._batch(keys, beside)
        batch = result.batch
        if isinstance(batch, dict):
            batch = {name: _tensor(value) for name, value in batch.items()}
            if worker:
                batch = {name: _packed(value) for name, value in batch.items()}
        return Made(batch, result.skipped)

    def close(self) -> None:
        """Let go what was made ahead in this process."""
        if ahead := self._ahead.pop(os.getpid(), None):
            ahead.close()

    def _batch(self, keys: list[Key], beside: int) -> Made:
        epoch, number, _ = keys[0]
        plan = self._loader.planned(epoch)
        rows = range(plan.size(number % plan.batches))
        if keys != [Key(epoch, number, place) for place in rows]:
            return self._loader.picked(keys)
        process = os.getpid()
        if process not in self._ahead:
            if get_worker_info():
                self._loader.forked()
            self._ahead[process] = _Ahead(self._loader)
        return self._ahead[process].batch(epoch, number, beside)

    def __getstate__(self) -> dict[str, Any]:
        return {"_loader": self._loader, "_ahead": {}}


class _Ahead:
    """Batches that are made before they are asked for, as long as that is at regular steps."""

    def __init__(self, loader: "Loader") -> None:
        self._loader = loader
        self._last = self._next = (-1, -1)
        self._step = self._end = 0
        self._run: list[Generator[Made, None, None]] = []
        weakref.finalize(self, _end, self._run)  # at exit, too: before threads are taken apart

    def batch(self, epoch: int, number: int, beside: int) -> Made:
        """A batch; what was made ahead is thrown away if it is another one than was expected."""
        if (epoch, number) != self._next or not self._run:
            self.close()
            between = number - self._last[1] if self._last[0] == epoch else 0
            self._step = between if between > 0 else self._loader.world * beside
            self._end = max(number + 1, self._loader.planned(epoch).batches)
            numbers = range(number, self._end, self._step)
            self._run.append(self._loader.run(numbers, beside, epoch))
        result = next(self._run[0])
        self._last, self._next = (epoch, number), (epoch, number + self._step)
        if number + self._step >= self._end:
            self.close()
        return result

    def close(self) -> None:
        """End the threads that work ahead."""
        _end(self._run)


def _end(runs: list[Generator[Made, None, None]]) -> None:
    while runs:
        runs.pop().close()


class _Packed:
    """Bytes one after another, and the size of each value; it arrives as the list of them."""

    def __init__(self, data: torch.Tensor, sizes: list[int | None]) -> None:
        self._data, self._sizes = data, sizes

    def __reduce__(self) -> Any:
        return _unpacked, (self._data, self._sizes)


def _packed(value: Any) -> Any:
    """A list of bytes as a tensor; anything else as it is."""
    kinds = set(map(type, value)) if isinstance(value, list) else set()
    if bytes not in kinds or not kinds <= {bytes, type(None)} or not any(value):
        return value
    sizes = [None if cell is None else len(cell) for cell in value]
    data = torch.empty(sum(map(len, filter(None, value))), dtype=torch.uint8).share_memory_()
    view, at = memoryview(data.numpy()), 0
    for cell in filter(None, value):
        view[at : at + len(cell)] = cell
        at += len(cell)
    return _Packed(data, sizes)


def _unpacked(data: torch.Tensor, sizes: list[int | None]) -> list[bytes | None]:
    view = memoryview(data.numpy())
    ends = accumulate(size or 0 for size in sizes)
    bounds = zip(sizes, ends, strict=True)
    return [None if size is None else bytes(view[end - size : end]) for size, end in bounds]


def _tensor(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    return torch.from_numpy(value if value.flags.writeable else value.copy())


def _as_is(batch: Made) -> Made:
    return batch


def _batch(batch: Made) -> Any:
    return batch.batch
