"""What training calls: batches out of Parquet, and datasets over arrays that were exported.

>>> from edge_glass.train import Picture, loader
>>> batches = loader("data/pixmo_cap", columns=["image", "caption"], decode={"image": Picture(224)})
>>> for batch in batches:  # NumPy; batches.torch(workers=2) gives tensors
...     batch["image"], batch["caption"]  # uint8 of shape (64, 224, 224, 3), list of str
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from edge_glass.core import lazy_names
from edge_glass.core.errors import ConfigError, raise_all
from edge_glass.core.libraries import np

if TYPE_CHECKING:
    from edge_glass.train.batch import Transform
    from edge_glass.train.decode import Padded, Picture, Sound
    from edge_glass.train.epoch_plan import Order
    from edge_glass.train.lazy_rows import Rows
    from edge_glass.train.row_groups import Columns, Place
    from edge_glass.train.stream import Loader

__all__ = ["Loader", "Padded", "Picture", "Rows", "Sound", "cached", "loader", "rows"]

Source = str | Path
LANES = 4  # of each rank


def __getattr__(name: str) -> Any:
    """Decoders bring Pillow and soundfile: imported when they are asked for."""
    return lazy_names.load(__name__, name)


def loader(
    sources: Source | Sequence[Source] | Mapping[Source, float],
    split: str = "train",
    *,
    batch_size: int = 64,
    columns: "Columns | None" = None,
    decode: "Mapping[str, Callable[[bytes, np.random.Generator], Any]] | None" = None,
    shuffle: bool = True,
    seed: int = 0,
    buffer: int | None = None,
    lanes: int = LANES,
    until: Literal["first", "last"] | int = "first",
    temperature: float | None = None,
    max_seconds: float | None = None,
    drop_last: bool = False,
    even: bool = False,
    transform: "Transform | None" = None,
    collate_fn: Callable[[list[Any]], Any] | None = None,
    rank: int | None = None,
    world: int | None = None,
    threads: int | None = None,
    prefetch: int = 4,
) -> "Loader":
    """Batches of a split, read from Parquet by row groups, in an order that can be gone on with.

    Batches are dictionaries: numbers are arrays of shape (batch,), media that `decode` has a
    function for arrays of shape (batch, …), media otherwise bytes, all else lists.
    `Sound(None, rate)` and `Padded` give arrays that end in zeros, and `<column>_length` beside.

    The order depends on data, `seed`, epoch, `world` and what says how to shuffle; not on workers
    and threads. Ranks get a batch less than others where rows do not suffice.

    Args:
        sources: the folder of a config (`data/clotho`; `cached` fetches one from the Hub), its URL
            (`hf://datasets/org/name@v1.0.0/clotho`, `s3://…`: only what is needed is read), or
            Parquet files (`data/*.parquet`). Several in a list are one corpus. A mapping to weights
            is a mixture: the weights are shares of each batch.
        split: of each source.
        batch_size: rows of a batch, on one rank.
        columns: that are read, all by default. Where corpora call them otherwise, a mapping says
            how: `{"text": ["caption", "transcript", None]}` is the first that a corpus has, and
            None where it has none.
        decode: column -> `Picture`, `Sound`, or yours: bytes and a Generator -> array. A row for
            which it raises Dropped, ValueError or OSError is left out of its batch and counted in
            `skipped`; where none is left, the batch is empty.
        shuffle: or the order of the source.
        seed: of the order, and of what decoding draws.
        buffer: rows among which a row moves that a rank has at hand, by default what 64 MB hold, at
            most 4,000: in memory, unless their file is local and holds media uncompressed.
        lanes: into which they are cut: workers whose number divides it read row groups of their
            own, others read some of them, too.
        until: of a mixture an epoch ends with the first corpus that ends, when each was given whole
            (`last`), the smaller ones several times, or after so many batches.
        temperature: T multiplies weights by rows ** (1 / T): 1 is as large as the corpora are,
            infinity what the weights alone say.
        max_seconds: puts sounds together that are about as long: a batch has so many seconds with
            its padding, by the column `duration`, and `batch_size` rows at most; a longer sound
            comes alone. Then epochs differ a little in their number of batches.
        drop_last: leave out what is uneven.
        even: or give the first ones again.
        transform: is given a whole row, decoded, and a Generator, and gives the row as it shall be
            (tokens of its text, say), where batches are made.
        collate_fn: makes the batch of a list of rows.
        rank: of this process, by default that of torch.distributed.
        world: how many ranks there are, likewise.
        threads: that make batches, by default one a core.
        prefetch: batches that are made ahead.

    Returns:
        A loader: a `for` over it is an epoch, `batches.torch(workers=2)` gives tensors.

    Raises:
        ConfigError: there are no such columns, or a number makes no sense.
        DataError: there are no such shards.

    Examples:
        >>> batches = loader("data/pixmo_cap", columns=["image"], decode={"image": Picture(224)})
        >>> next(iter(batches))["image"].shape
        (64, 224, 224, 3)
    """
    from edge_glass.train.batch import Recipe
    from edge_glass.train.row_groups import Place
    from edge_glass.train.stream import Loader

    rank, world = _rank(rank, world)
    counts = {"batch_size": batch_size, "lanes": lanes, "prefetch": prefetch}
    _check(counts | {"threads": threads or 1}, buffer, rank, world)
    _check_numbers(
        even and drop_last, until, isinstance(sources, Mapping), temperature, max_seconds
    )
    groups, weights = _mixture(sources)
    places = [Place(group, split, columns) for group in groups]
    _check_decode(places, decode or {})
    if temperature:
        pairs = zip(weights, places, strict=True)
        weights = tuple(weight * float(place.rows) ** (1 / temperature) for weight, place in pairs)
    order = _order(
        places, weights, batch_size, shuffle=shuffle, seed=seed, buffer=buffer, lanes=lanes,
        world=world, until=until, max_seconds=max_seconds or 0.0,
    )  # fmt: skip
    recipe = Recipe(places[0].columns, dict(decode or {}), transform, collate_fn)
    loaded = Loader(
        places, order, recipe, drop_last=drop_last, even=even, rank=rank, world=world,
        threads=threads, prefetch=prefetch,
    )  # fmt: skip
    if not loaded.batches:
        raise _no_batch(places, batch_size)
    return loaded


def _no_batch(places: "list[Place]", batch_size: int) -> ConfigError:
    names = ", ".join(f"{place.source} with {place.rows} rows" for place in places)
    return ConfigError(
        f"{names}: one ends before a batch of {batch_size} is full. Give a smaller batch_size, "
        "or until='last'"
    )


def rows(source: Source, split: str = "train", columns: "Columns | None" = None) -> "Rows":
    """The rows of a split by number, to look at: a row's text without its media, part of a sound.

    Args:
        source: as of `loader`.
        split: of the config.
        columns: as of `loader`; all of them without it.

    Returns:
        A sequence of rows that reads what is asked for.

    Raises:
        EdgeGlassError: as `loader` does.

    Examples:
        >>> row = rows("data/librispeech", "test.clean")[7]
        >>> samples, rate = row["audio"].sound(start=2, seconds=1)
    """
    from edge_glass.train.lazy_rows import Rows
    from edge_glass.train.row_groups import Place

    return Rows(Place([source], split, columns))


def cached(name: str, repo: str, version: str | None = None) -> Path:
    """The folder of a config of a dataset on the Hub, fetched unless it is here.

    Args:
        name: of the config.
        repo: `org/name`.
        version: such as `1.0.0`; the latest without it.

    Returns:
        A folder for `loader`.

    Raises:
        EdgeGlassError: as `edge_glass.load` does.
    """
    from edge_glass.release.load import snapshot

    return snapshot(name, repo, version)


def _mixture(
    sources: Source | Sequence[Source] | Mapping[Source, float],
) -> tuple[list[list[Source]], tuple[float, ...]]:
    """Corpora, each of one or more sources, and their weights."""
    if isinstance(sources, Mapping):
        if not sources or any(not weight > 0 for weight in sources.values()):
            raise ConfigError(f"weights {dict(sources)}: each source needs one above 0")
        return [[source] for source in sources], tuple(map(float, sources.values()))
    return [[sources] if isinstance(sources, str | Path) else list(sources)], (1.0,)


def _check(counts: Mapping[str, int], buffer: int | None, rank: int, world: int) -> None:
    problems = [f"{name} {n}: at least 1" for name, n in counts.items() if n < 1]
    if buffer is not None and buffer < 0:
        problems.append(f"buffer {buffer}: at least 0")
    if not 0 <= rank < world:
        problems.append(f"rank {rank} of {world}: ranks count from 0")
    raise_all(problems, ConfigError)


def _check_numbers(
    twice: bool, until: str | int, mixed: bool, temperature: float | None, seconds: float | None
) -> None:
    problems = ["drop_last and even: each makes ranks even, give one"] if twice else []
    if until not in ("first", "last") and not (isinstance(until, int) and until > 0 and mixed):
        problems.append(f"until {until}: 'first', 'last', or, for a mixture, batches of an epoch")
    if temperature is not None and not (temperature > 0 and mixed):
        problems.append(f"temperature {temperature}: above 0, and for a mixture")
    if seconds is not None and not seconds > 0:
        problems.append(f"max_seconds {seconds}: above 0")
    raise_all(problems, ConfigError)


def _check_decode(places: "list[Place]", decode: Mapping[str, object]) -> None:
    for place in places:
        media = [column for column in place.columns if place.can_decode(column)]
        if wrong := sorted(set(decode) - set(media)):
            there = ", ".join(media) or "none"
            raise ConfigError(f"{place.source}: decode names {', '.join(wrong)}; media are {there}")
        if place.columns != places[0].columns:
            raise ConfigError(
                f"{place.source} has columns {', '.join(place.columns)}, {places[0].source} has "
                f"{', '.join(places[0].columns)}: say with `columns` which ones to read of both"
            )


def _order(
    places: "list[Place]",
    weights: tuple[float, ...],
    batch_size: int,
    *,
    shuffle: bool,
    seed: int,
    buffer: int | None,
    lanes: int,
    world: int,
    until: str | int,
    max_seconds: float,
) -> "Order":
    from edge_glass.train.epoch_plan import GROUPS, Order
    from edge_glass.train.stream import BUFFER, ROWS

    groups = sum(len(place.shape.rows) for place in places)
    if shuffle:  # fewer in a small corpus, but workers and ranks still divide them
        most, lanes = max(1, groups // GROUPS), lanes * world
        lanes = next(n for n in range(lanes, 0, -1) if lanes % n == 0 and n <= most)
    else:
        lanes = 1
    if buffer is None:
        each = max(place.bytes / place.rows for place in places)
        buffer = min(ROWS, int(BUFFER / max(each, 1)))
    reach = buffer // max(1, lanes // world) // len(places)
    length = until if isinstance(until, int) else 0
    last = until == "last"
    return Order(seed, batch_size, shuffle, lanes, reach, weights, last, length, max_seconds)


def _rank(rank: int | None, world: int | None) -> tuple[int, int]:
    if (rank is None) != (world is None):
        raise ConfigError(f"rank {rank} of {world}: give both or none")
    if rank is not None and world is not None:
        return rank, world
    torch = sys.modules.get("torch")
    if torch and torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1
