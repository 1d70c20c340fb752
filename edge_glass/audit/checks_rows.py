"""Checks of one row: what its columns say against its media, and both against the ledger."""

from collections.abc import Iterator, Sequence

from edge_glass.audit.checked_build import CheckedBuild, CheckedRow
from edge_glass.core.units import DURATION_SLACK


def empty_id(build: CheckedBuild, row: CheckedRow) -> Iterator[str]:
    """A row has no id, or a blank one."""
    if not (row.example["id"] or "").strip():
        yield "it has no id"


def undecodable(build: CheckedBuild, row: CheckedRow) -> Iterator[str]:
    """Audio, an image, a frame or a clip does not decode to its end."""
    silent = build.manifest.parameters.get("require_audio") is False
    for file in row.media:
        if file.fault and not (silent and file.name == "audio" and row.example["audio"] is None):
            yield f"{file.name} does not decode: {file.fault}"


def no_files(build: CheckedBuild, row: CheckedRow) -> Iterator[str]:
    """A list of images or frames is empty."""
    for name, (kind, listed) in build.media_kinds.items():
        if listed and kind != "samples" and not row.example[name]:
            yield f"{name} is empty"


def other_rate(build: CheckedBuild, row: CheckedRow) -> Iterator[str]:
    """Audio has another sample rate than the config promises."""
    promised = build.manifest.parameters.get("sample_rate")
    for file in row.media if promised else ():
        if file.rate not in (None, promised):
            yield f"{file.rate} Hz where the config promises {promised}"


def other_channels(build: CheckedBuild, row: CheckedRow) -> Iterator[str]:
    """Audio has another number of channels than the config promises."""
    promised = build.manifest.parameters.get("channels")
    for file in row.media if promised else ():
        if file.channels not in (None, promised):
            yield f"{file.channels} channels where the config promises {promised}"


def other_duration(build: CheckedBuild, row: CheckedRow) -> Iterator[str]:
    """Audio or a clip is longer or shorter than the column `duration`, or that is missing."""
    # the duration of a clip is that of its picture, and some have no sound
    kinds = ("video",) if "fps" in row.example else ("audio", "video")
    for file in row.media:
        its_own = f"{file.name}_duration"
        column = its_own if its_own in row.example else "duration"
        if column not in row.example or file.seconds is None or file.kind not in kinds:
            continue
        promised = row.example[column]
        if promised is None:
            yield f"{file.name} of {file.seconds:.3f} s, and no duration"
        elif abs(file.seconds - promised) > DURATION_SLACK:
            lengths = f"{file.seconds:.3f} s where the column {column} says {promised:.3f}"
            yield f"{file.name} of {lengths}"


def other_pixels(build: CheckedBuild, row: CheckedRow) -> Iterator[str]:
    """An image or a clip has another size than the columns `width` and `height`, or its own."""
    for file in row.media:
        its_own = f"{file.name}_width" in row.example
        names = [f"{file.name}_{side}" if its_own else side for side in ("width", "height")]
        alone = file.kind in ("image", "video") and "[" not in file.name  # of no list
        if not alone or not {*names} <= row.example.keys():
            continue
        promised = row.example[names[0]], row.example[names[1]]
        if file.pixels not in (None, promised):
            yield f"{'x'.join(map(str, file.pixels or ()))} pixels where the columns say {promised}"


def blank_caption(build: CheckedBuild, row: CheckedRow) -> Iterator[str]:
    """A caption is missing or blank, or a list of captions is empty; not text of own data."""
    for name in build.captions:
        value = row.example[name]
        texts = value if isinstance(value, list) else [value]
        if not texts or not all(text and text.strip() for text in texts):
            yield f"{name} is blank"


def altered_text(build: CheckedBuild, row: CheckedRow) -> Iterator[str]:
    """What a row says beside its media is not what the ledger has a digest of."""
    digests = row.entry.get("text_digests") if row.entry else None
    if digests is not None and row.digests[0] != _nth(digests, row.number):
        yield "captions or other columns are not those that the ledger has a digest of"


def altered_media(build: CheckedBuild, row: CheckedRow) -> Iterator[str]:
    """A row's media are neither the source's bytes nor those that the ledger has a digest of."""
    if row.entry is None or row.entry.get("text_digests") is None:
        return
    kept = row.entry["media_digests"]
    expected = row.entry["sha256"] if kept is None else _nth(kept, row.number)
    if row.digests[1] != expected:
        named = "the source's bytes" if kept is None else "those that the ledger has a digest of"
        yield f"its media are not {named}"


def _nth(values: Sequence[str | None], number: int) -> str | None:
    return values[number] if number < len(values) else None
