"""MPEG audio (MP3, MP2) frame by frame: how long it is follows from the frames that are there.

What stands before, between and after the frames does not: a Xing header counts those of one file of
several that were joined, and a decoder that finds none estimates from the first frame's bit rate.
"""

from dataclasses import dataclass
from functools import lru_cache

from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.media.riff import is_unknown

START = 2**16  # bytes among which the first frame is looked for
SURE = 4  # frames in a row: two bytes that look like one's beginning are nothing rare
DECODER_DELAY = 529  # samples that every decoder adds to those an encoder says that it added
_TAGS = (b"Xing", b"Info", b"VBRI")
_RATES = (44100, 48000, 32000)
_OF_MPEG_1 = {
    1: range(0, 449, 32),
    2: (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
}
_OF_MPEG_2 = {
    1: (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


@dataclass(frozen=True, slots=True)
class _Header:
    size: int  # bytes of the whole frame; 0: a free format, its header does not say
    samples: int
    rate: int
    layer: int
    channels: int

    @property
    def kind(self) -> tuple[int, int, int]:
        return self.layer, self.rate, self.channels


@dataclass(frozen=True, slots=True)
class Stream:
    """What to decode: `frames` (samples per channel) come out, after `skip` to pass over.

    `frames` is None where the header of `data` says so itself.
    """

    data: bytes
    frames: int | None = None
    skip: int = 0


def stream(data: bytes) -> Stream | None:
    """The frames of MPEG audio, from whatever place they begin at; None if there are none.

    Raises Dropped if the last frame is cut, if a header promises more frames than there are, or if
    rate or channels change.
    """
    at = _first(data)
    if at is None or not (first := _header(data, at)):
        return None
    start, info = at, _tag(data, at, first)
    frames: list[tuple[int, int]] = []
    together = True
    while at < len(data):
        header = _header(data, at)
        if header is None or not header.size or header.kind != first.kind:
            following = _resynchronised(data, at + 1, first)
            together = together and following is None
            at = len(data) if following is None else following
            continue
        if at + header.size > len(data):
            detail = f"its last frame lacks {at + header.size - len(data)} bytes"
            raise Dropped(Outcome.TRUNCATED_MEDIA, detail)
        if _tag(data, at, header) is None:
            frames.append((at, at + header.size))
        at += header.size
    promised, skip = info or (None, 0)
    if promised is not None and promised > len(frames) + 1:  # some count their own header
        detail = f"{len(frames)} of {promised} frames"
        raise Dropped(Outcome.TRUNCATED_MEDIA, detail)
    if together and promised == len(frames):
        return Stream(data[start:])
    sound = b"".join(data[begin:end] for begin, end in frames)
    return Stream(sound, len(frames) * first.samples - skip, skip)


def _first(data: bytes) -> int | None:
    """Where the first frame begins that others follow."""
    at = 0
    while (at := data.find(b"\xff", at, START)) >= 0:
        header = _header(data, at)
        if header and _row(data, at) >= SURE:
            return at
        if header and at == 0:  # of a free format, perhaps
            return None
        at += 1
    return None


def _resynchronised(data: bytes, at: int, first: _Header) -> int | None:
    """Where frames go on after something else, or after a change that cannot be decoded."""
    while (at := data.find(b"\xff", at)) >= 0:
        header = _header(data, at)
        if header and header.size:
            row = _row(data, at)
            if header.kind == first.kind and row > 1:
                return at
            if row >= SURE:
                kinds = [f"{h.rate} Hz with {h.channels} channels" for h in (first, header)]
                raise Dropped(Outcome.UNSUITABLE_MEDIA, ", then ".join(kinds))
        at += 1
    return None


def _row(data: bytes, at: int) -> int:
    """How many frames of one kind follow each other without a gap; to the very end is enough."""
    row, kind = 0, None
    while row < SURE:
        header = _header(data, at)
        if header is None or not header.size or kind not in (None, header.kind):
            return SURE if row and at == len(data) else row
        row, kind, at = row + 1, header.kind, at + header.size
    return row


def _header(data: bytes, at: int) -> _Header | None:
    return _parsed(data[at : at + 4])


@lru_cache(1024)
def _parsed(word: bytes) -> _Header | None:
    if len(word) < 4 or word[0] != 0xFF or word[1] < 0xE0:
        return None
    version, layer = word[1] >> 3 & 3, 4 - (word[1] >> 1 & 3)
    index, rate = word[2] >> 4, word[2] >> 2 & 3
    if version == 1 or layer == 4 or index == 15 or rate == 3:
        return None
    rates = _OF_MPEG_1[layer] if version == 3 else _OF_MPEG_2[min(layer, 2)]
    hertz = _RATES[rate] >> {3: 0, 2: 1, 0: 2}[version]
    samples = {1: 384, 2: 1152, 3: 1152 if version == 3 else 576}[layer]
    slot = 4 if layer == 1 else 1
    size = (samples // 8 // slot * rates[index] * 1000 // hertz + (word[2] >> 1 & 1)) * slot
    return _Header(size if index else 0, samples, hertz, layer, 1 if word[3] >> 6 == 3 else 2)


def _tag(data: bytes, at: int, header: _Header) -> tuple[int | None, int] | None:
    """What a frame says that holds no sound but a count: frames (None: not said), and the delay."""
    if header.layer != 3:
        return None
    one, two = (9, 17) if header.samples == 576 else (17, 32)
    place = at + 4 + (one if header.channels == 1 else two)
    if data[at + 36 : at + 40] == _TAGS[2]:
        return _count(data[at + 50 : at + 54]), 0
    if data[place : place + 4] not in _TAGS[:2]:
        return None
    flags = int.from_bytes(data[place + 4 : place + 8])
    encoder = place + 8 + 4 * (flags & 1) + 2 * (flags & 2) + 25 * (flags & 4) + (flags // 2 & 4)
    return (_count(data[place + 8 : place + 12]) if flags & 1 else None), _delay(data, encoder)


def _count(field: bytes) -> int | None:
    count = int.from_bytes(field)
    return None if is_unknown(count) else count


def _delay(data: bytes, at: int) -> int:
    """Samples before the first, where the encoder has said how many it put there."""
    if len(data) < at + 24 or not data[at]:
        return 0
    return (int.from_bytes(data[at + 21 : at + 23]) >> 4) + DECODER_DELAY
