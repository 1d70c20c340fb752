"""Rows by number, to look at or to draw from: no media are read before they are asked for."""

import io
from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache, partial
from typing import Any

import numpy as np
import soundfile as sf

from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.core.parquet import Cell
from edge_glass.core.row import Example
from edge_glass.media import sound_file, video
from edge_glass.train.row_groups import Place

SEEKABLE = (b"RIFF", b"fLaC")  # where any sample is found without those before it
GROUPS = 4  # whose columns without media are kept


class Rows:
    """See `edge_glass.train.rows`. A row is a dictionary; media in it are `Media`."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._ends = np.cumsum(place.shape.rows)
        self._media = [name for name in place.columns if place.is_media(name)]

    def __len__(self) -> int:
        return self._place.rows

    def __getitem__(self, number: int) -> Example:
        number = range(len(self))[number]
        group = int(np.searchsorted(self._ends, number, side="right"))
        inside = number - int(self._ends[group] - self._place.shape.rows[group])
        texts = self._columns(group)
        row: Example = {}
        for name in self._place.columns:
            if name not in self._media:
                row[name] = texts[name][inside].as_py()
            else:
                cell = partial(self._place.cell, group, name, inside)
                row[name] = Media(cell, partial(self._whole, group, name, inside))
        return row

    def __iter__(self) -> Iterator[Example]:
        return (self[number] for number in range(len(self)))

    @lru_cache(maxsize=GROUPS)  # noqa: B019
    def _columns(self, group: int) -> Any:
        names = [name for name in self._place.columns if name not in self._media]
        return self._place.table(group, names)

    @lru_cache(maxsize=1)  # noqa: B019
    def _bytes(self, group: int, name: str) -> Any:
        return self._place.table(group, [name])[name]

    def _whole(self, group: int, name: str, row: int) -> bytes:
        value = (self._bytes(group, name)[row].as_py() or {}).get("bytes")
        if value is None:
            raise Dropped(Outcome.MISSING_MEDIA, "no bytes")
        return bytes(value)


class Media:
    """Bytes of a row that are read when they are asked for, and no more than that.

    Media that are stored uncompressed, as in builds, are read where they stand, or their page is
    fetched; else their row group is read.
    """

    def __init__(self, cell: Callable[[], Cell | None], whole: Callable[[], bytes]) -> None:
        self._find, self._whole = cell, whole

    @cached_property
    def _cell(self) -> Cell | None:
        return self._find()

    @property
    def size(self) -> int:
        """How many bytes there are."""
        if self._cell:
            values, number = self._cell
            return values.size(number)
        return len(self._whole())

    def read(self, start: int = 0, size: int | None = None) -> bytes:
        """The bytes from `start` on, `size` at most. Raises Dropped where there are none."""
        if self._cell:
            values, number = self._cell
            return values.read(number, start, size)
        return self._whole()[start : None if size is None else start + size]

    def sound(self, start: float, seconds: float) -> tuple[np.ndarray, int]:
        """Part of a sound: float32 of shape (frames, channels), and its rate in Hz.

        Of WAV and FLAC no more is read and decoded; it equals that part of the whole. Where the
        sound ends before, it is shorter. Raises Dropped.
        """
        if self.read(0, 4) in SEEKABLE:
            try:
                with sf.SoundFile(_File(self)) as file:
                    if file.subtype.startswith(sound_file.SEEKABLE):
                        file.seek(min(round(start * file.samplerate), file.frames))
                        frames = round(seconds * file.samplerate)
                        return file.read(frames, "float32", always_2d=True), file.samplerate
            except sf.LibsndfileError as error:
                raise Dropped(Outcome.UNDECODABLE_MEDIA, error.error_string) from None
        whole = sound_file.Sound.of(self.read())
        first = min(round(start * whole.info.rate), whole.info.frames)
        frames = min(round(seconds * whole.info.rate), whole.info.frames - first)
        return whole.stretch(first, frames, "float32"), whole.info.rate

    def frame(self, at: float, side: int | None = None) -> bytes:
        """What a clip shows `at` seconds from its start, as JPEG of `side` pixels at most.

        Nothing before the last keyframe is decoded. Raises Dropped.
        """
        return video.frame(self.read(), at, side)


class _File(io.RawIOBase):
    """Media as a file that is read where libsndfile looks."""

    def __init__(self, media: Media) -> None:
        self._media, self._at = media, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = (0, self._at, self._media.size)[whence]
        self._at = max(0, base + offset)  # a damaged header's seek to nowhere
        return self._at

    def readinto(self, buffer: Any) -> int:
        size = min(len(buffer), max(0, self._media.size - self._at))
        buffer[:size] = self._media.read(self._at, size)
        self._at += size
        return size
