"""The loader as torch has them: an IterableDataset, and a DataLoader that knows where it stands.

From a worker to its parent bytes go as a tensor does, in shared memory: through the pipe they would
be copied twice as often, in pieces of 64 kB.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from edge_glass.train.batch import Batch, Made
from edge_glass.train.stream import Loader


class TorchLoader(DataLoader[Any]):
    """See `Loader.torch`. Worker w of W makes every W-th batch, so the order stays the same."""

    def __init__(self, loader: Loader, workers: int, pin_memory: bool) -> None:
        self.loader = loader
        stream = _Stream(loader)
        super().__init__(
            stream, batch_size=None, num_workers=workers, pin_memory=pin_memory, collate_fn=_as_is
        )

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Batch]:
        self.dataset.numbers = self.loader.begin()
        for made in super().__iter__():
            batch = self.loader.received(made)
            yield {name: _unpacked(value) for name, value in batch.items()}
        self.loader.ended()

    @property
    def skipped(self) -> Counter[str]:
        """Rows that were left out in this epoch, by reason."""
        return self.loader.skipped

    def set_epoch(self, epoch: int) -> None:
        """See `Loader.set_epoch`."""
        self.loader.set_epoch(epoch)

    def state_dict(self) -> dict[str, Any]:
        """See `Loader.state_dict`: it counts what was received, not what workers have made."""
        return self.loader.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Loader.load_state_dict`."""
        self.loader.load_state_dict(state)


class _Stream(IterableDataset[Made]):
    """The batches of one worker."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader
        self.numbers = range(0)

    def __iter__(self) -> Iterator[Made]:
        worker = get_worker_info()
        mine, beside = self.numbers, 1
        if worker:
            mine, beside = self.numbers[worker.id :: worker.num_workers], worker.num_workers
            self._loader.forked()
        for made in self._loader.run(mine, beside):
            batch = {name: _tensor(value) for name, value in made.batch.items()}
            if worker:
                batch = {name: _packed(value) for name, value in batch.items()}
            yield Made(batch, made.skipped)
            del made, batch  # while the next one is made


class _Packed(NamedTuple):
    """Bytes one after another, and the size of each value; None where there is none."""

    data: torch.Tensor
    sizes: list[int | None]


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


def _unpacked(value: Any) -> Any:
    if not isinstance(value, _Packed):
        return value
    view = memoryview(value.data.numpy())
    ends = accumulate(size or 0 for size in value.sizes)
    found = zip(value.sizes, ends, strict=True)
    return [None if size is None else bytes(view[end - size : end]) for size, end in found]


def _tensor(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    return torch.from_numpy(value if value.flags.writeable else value.copy())


def _as_is(made: Made) -> Made:
    return made
