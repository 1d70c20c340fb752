"""A clip out of what a folder of raw files holds: the clip itself, or the whole track."""

import io

import soundfile as sf

from edge_glass.ledger import Dropped, Outcome
from edge_glass.media import audio, container

SLACK = 0.5  # seconds by which a clip may be shorter or longer than its section


def clip(data: bytes, name: str, start: float, end: float, notes: list[str]) -> tuple[bytes, str]:
    """Bytes and name of seconds `start` to `end` of a track.

    What is as long as the section is the clip already and keeps its bytes. What reaches to `end` is
    the whole track: it is cut, as FLAC, and `notes` says so. Raises Dropped: anything else is
    wrong_duration.
    """
    found = audio.probe(data)
    wanted = end - start
    if abs(found.seconds - wanted) <= SLACK:
        return data, name
    if found.seconds < end - SLACK:
        detail = f"{found.seconds:.2f} s where {wanted:g} s were asked for"
        raise Dropped(Outcome.WRONG_DURATION, detail)
    notes.append(f"cut out of {found.seconds:.1f} s")
    stem = name.rpartition(".")[0] or name
    return _cut(data, found, start, end), f"{stem}.flac"


def _cut(data: bytes, found: audio.Probe, start: float, end: float) -> bytes:
    source = container.wav(data) if container.demuxer(data) else data
    first, last = round(start * found.rate), min(round(end * found.rate), found.frames)
    deep = found.subtype in audio.DEEP
    out = io.BytesIO()
    try:
        with sf.SoundFile(io.BytesIO(source)) as file:
            file.seek(first)
            samples = file.read(last - first, dtype="float64" if deep else "float32")
        if len(samples) < last - first:
            missing = f"{len(samples)} of {last - first} samples"
            raise Dropped(Outcome.TRUNCATED_MEDIA, missing)
        sf.write(out, samples, found.rate, "PCM_24" if deep else "PCM_16", format="FLAC")
    except sf.LibsndfileError as error:
        raise Dropped(Outcome.UNDECODABLE_MEDIA, error.error_string.strip()) from None
    return out.getvalue()
