"""Builds that ended: whether their files are still what was written, and which code wrote them.

What only this machine knows stands beside a build, in a record in the hidden folder: the sizes and
times of change of its files, and the digests of the code.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from edge_glass.core import manifest, records
from edge_glass.core.errors import DataError, EdgeGlassError
from edge_glass.core.locations import is_local
from edge_glass.core.manifest import File, Inputs
from edge_glass.core.names import HIDDEN
from edge_glass.core.schema import Plain

CODE = ("builder", "made_with")  # the inputs that say what made a build, not of what


@dataclass(frozen=True)
class _Finished(Plain):
    """What this machine knows of a build; `files` have a size and a time of change, or nothing."""

    files: dict[str, list[int]]
    manifest: str  # its sha256
    code: dict[str, str] | None
    places: list[str] = field(default_factory=list)


UNKNOWN = _Finished({}, "", None)  # of a build that no record is of


def mends(folder: Path) -> str:
    """What makes the broken files of a build again."""
    with suppress(EdgeGlassError):
        if manifest.read(folder).appended:  # no single build makes it
            return (
                "rows were appended to it: get it again from where it was published, or build each "
                f"part into another --out, append them in order, and move that to {folder}"
            )
    return (
        f"`edge-glass build {folder.name} --out {folder.parent}`, with the other options that it "
        "was built with, makes the damaged files again; --rebuild makes all of them"
    )


def check(folder: Path, files: Iterable[File]) -> None:
    """Raise EdgeGlassError if files of a build are not, byte for byte, what its manifest says."""
    paths = ((folder / each.file, each) for each in files)
    faults = ((path, records.fault(path, each.bytes, each.sha256)) for path, each in paths)
    if differences := [f"{path}: {fault}" for path, fault in faults if fault]:
        raise DataError(*differences, f"{folder}: damaged, not used: {mends(folder)}")


def remember(
    folder: Path,
    files: Iterable[File],
    code: Mapping[str, str] | None,
    places: Iterable[Path] = (),
) -> None:
    """Note how the files of a build are now that they are known to be right, and its code.

    `places`: where one's own data lie that it was built of.
    """
    stamps = {each.file: records.stamp(folder / each.file) for each in files}
    written = records.sha256(folder / manifest.FILE)
    known = [str(place.absolute()) for place in places] or _read(folder).places
    finished = _Finished(stamps, written, None if code is None else {**code}, known)
    records.write(_path(folder), finished.plain())


def check_places(folder: Path, places: Iterable[Path]) -> None:
    """Raise DataError if a build that is there was made of data that lie elsewhere, and still do.

    Two folders of one name would replace each other's builds.
    """
    known, now = _read(folder).places, [str(place.absolute()) for place in places]
    others = [place for place in known if place not in now and Path(place).exists()]
    if now and others and inventory(folder):
        raise DataError(
            f"{folder} was built of {others[0]}, this is {now[0]}: give this build a name of its "
            f"own (--name {folder.name}_2) or another --out, or remove {folder}"
        )


def suspect(folder: Path) -> None:
    """Note that a fault was found: the next build reads all of it, and writes its manifest anew."""
    if is_local(folder) and (record := _read(folder)) != UNKNOWN:
        with suppress(OSError):  # a disk that is only read
            unknown = replace(record, files={name: [] for name in record.files}, manifest="")
            records.write(_path(folder), unknown.plain())


def broken(folder: Path, files: Iterable[File], every: bool = False) -> dict[str, str]:
    """What is wrong with files of a build, by name.

    Read are those whose size or time of change is another than it was, or with `every` all.
    """
    record = _read(folder)
    faults: dict[str, str] = {}
    if record != UNKNOWN and record.manifest != records.sha256(folder / manifest.FILE):
        faults[manifest.FILE] = "is not as it was written, or `verify` found a fault"
    stamps = {} if every or faults else record.files
    for each in files:
        path = folder / each.file
        if path.is_file() and stamps.get(each.file) == records.stamp(path):
            continue
        if fault := records.fault(path, each.bytes, each.sha256):
            faults[each.file] = fault
    return faults


def inventory(folder: Path) -> set[str] | None:
    """The names of all files of a build, though its manifest be damaged; None if it is none."""
    record = _read(folder)
    noted = set() if record == UNKNOWN else {manifest.FILE, *record.files}
    return (manifest.inventory(folder) or set()) | noted or None


def code(folder: Path) -> dict[str, str] | None:
    """The digests of the code that made a build, if it was made on this machine."""
    return _read(folder).code


def other_inputs(build: Inputs, now: Inputs) -> list[str]:
    """Names of what goes in, code and libraries aside, that is not the same."""
    return [name for name in build.differing(now) if name not in CODE]


def other_code(build: Inputs, now: Inputs) -> bool:
    """Whether other code or libraries made a build, all or part of it."""
    return any(name in CODE for name in build.differing(now))


def differing_code(
    build: Inputs, now: Inputs, known: Mapping[str, str] | None, code: Mapping[str, str]
) -> list[str]:
    """Libraries and modules that are not the same; `known` are the digests when it was made."""
    every = sorted(build.made_with.keys() | now.made_with.keys())
    pairs = ((name, build.made_with.get(name), now.made_with.get(name)) for name in every)
    differences = [f"{name} {old} -> {new}" for name, old, new in pairs if old != new]
    if build.builder != now.builder:
        changed = {name for name, _ in known.items() ^ code.items()} if known else set()
        differences += sorted(changed) or ["modules of the engine or the builder"]
    return differences


def made_by_both(build: Inputs, now: Inputs) -> Inputs:
    """The inputs of a build of which other code made a part."""
    libraries = {name: both(build.made_with.get(name), new) for name, new in now.made_with.items()}
    return replace(now, builder=str(both(build.builder, now.builder)), made_with=libraries)


def both(old: str | None, new: str | None) -> str | None:
    """A version that two parts have, or both of theirs."""
    parts = str(old).split(" and ")
    return new if old == new else " and ".join(dict.fromkeys([*parts, str(new)]))


def _read(folder: Path) -> _Finished:
    return records.parsed(_path(folder), _Finished) or UNKNOWN


def _path(folder: Path) -> Path:
    return folder.parent / HIDDEN / "built" / f"{folder.name}.json"
