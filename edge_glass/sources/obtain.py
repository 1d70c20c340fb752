"""From the sources that a corpus names to files on disk: the store, `--raw`, or what we ship."""

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import NoReturn

from edge_glass.core import names, records, units
from edge_glass.core.errors import SourceError, SpaceError, raise_all
from edge_glass.core.progress import Progress
from edge_glass.core.spec import CLIPS, Source, SourceFacts
from edge_glass.sources import archives, prefetch, tars
from edge_glass.sources.chunk_text import PACKED
from edge_glass.sources.contents import Place, checksums, contents
from edge_glass.sources.folder import Folder
from edge_glass.sources.opened_folder import Opened
from edge_glass.sources.packed_folder import Packed
from edge_glass.sources.parquet_folder import Tables
from edge_glass.sources.raw import Raw
from edge_glass.sources.row_fetch import BODIES, Network, Remote


def store() -> Path:
    """The folder of downloads: `$EDGE_GLASS_CACHE`, or `~/.cache/edge_glass`."""
    return Path(os.environ.get("EDGE_GLASS_CACHE") or Path.home() / ".cache" / "edge_glass")


@dataclass(frozen=True)
class Request:
    """What a config wants of its sources: those of the chosen splits, in the order of asking."""

    corpus: str
    config: str
    homepage: str
    sources: dict[str, Source]
    splits: dict[str, list[str]]  # chosen split -> names of its sources
    samples: Path | None = None  # the bundled files, of a config that is made of them
    beside: tuple[str, ...] = ()  # files that are read beside a folder of raw files
    links: bool = True  # to folders are followed, as records may name files behind them
    ignored: tuple[str, ...] = ()  # checks of consent that the config opts out of
    max_bytes: int | None = None  # of one file that is fetched by URL
    home: Path | None = None  # the folder that paths of one's own data begin from

    @property
    def has_addresses(self) -> bool:
        """Whether there are files to fetch from URLs of upstream, or a mirror of them."""
        by_url = (each for each in self.sources.values() if not (each.hub or each.fetch))
        return not (self.samples or self.home) and any(each.url for each in by_url)

    def by_row(self, raw: Path | None, beside_raw: bool = False) -> dict[str, Source]:
        """The sources that are fetched row by row, where `raw` has the rest of them.

        Clips lie in `raw`, too, unless they are fetched `beside_raw`.
        """
        own = self.samples or ((raw or self.home) and not beside_raw)
        kinds = BODIES if own else (*BODIES, *CLIPS)
        return {name: source for name, source in self.sources.items() if source.fetch in kinds}

    def own_places(self) -> list[Path]:
        """Where one's own data lie."""
        paths = [source.path for source in self.sources.values() if source.path is not None]
        return [self.home / path for path in paths] if self.home else []


def obtain(
    request: Request,
    raw: Path | None = None,
    *,
    mirror: str | None = None,
    unverified: bool = False,
    facts: bool = True,
    network: Network | None = None,
    progress: Progress | None = None,
) -> Raw:
    """Make every source of the chosen splits ready to be read.

    With `raw` (or for a bundled config) files are taken from that folder and the network is left
    alone, unless it says that clips are fetched `beside_raw`, and but for what rows name by URL;
    otherwise they come from the store, fetched first if need be, `mirror` (the URL of a folder)
    being tried before upstream. `unverified` takes raw files whose checksum differs. Without
    `facts` folders are not read to learn what they hold. What is fetched row by row (asked for as
    `network` says) is fetched where rows are worked on.

    Raises SourceError for all that is missing or differs.
    """
    network = network or Network()
    folder = request.samples or raw or request.home
    if folder is not None and folder == request.home:
        gone = (path for path in request.own_places() if not path.exists())
        remedy = "mend the path of its source in the YAML, or pass --raw DIR"
        raise_all((f"{request.config}: no {path}: {remedy}" for path in gone), SourceError)
    rows = request.by_row(raw, network.beside_raw)
    remote = {name: _remote(request, source, network) for name, source in rows.items()}
    for each in remote.values() if facts else ():
        prefetch.fetcher(each).close()  # now, not after an hour, it says what is not installed
    asked = _Asked(request, remote, progress or Progress())
    if folder is None:
        return asked.fetched(mirror)
    return asked.given(folder, unverified or bool(request.samples), facts)


def _remote(request: Request, source: Source, network: Network) -> Remote:
    assert source.fetch and source.row_bytes
    remote = Remote(
        source.template,
        source.fetch,
        source.row_bytes,
        store().absolute() / ("clips" if source.fetch in CLIPS else "bodies"),
        network,
        ignored=request.ignored,
        bundle=request.samples and request.samples / "web",
    )
    most = request.max_bytes
    return remote if most is None else replace(remote, max_bytes=most)


@dataclass(frozen=True)
class _Asked:
    """What is asked for, the part of it that is fetched row by row, and who waits for the rest."""

    request: Request
    remote: dict[str, Remote]
    progress: Progress

    def fetched(self, mirror: str | None) -> Raw:
        """All that is not fetched row by row, in the store."""
        from edge_glass.sources import download, hub_files, link_index

        if mirror is None:
            _check_addresses(self.request)
        root = store() / "downloads" / self.request.corpus
        sources = {n: s for n, s in self.request.sources.items() if n not in self.remote}
        listed = {n: hub_files.files(s, root / n) for n, s in sources.items() if s.hub}
        linked = {n: link_index.files(s, root / n) for n, s in sources.items() if s.index}
        jobs = [
            download.Job(name, root / name, source, list(_urls(name, source, mirror)))
            for name, source in sources.items()
            if name not in {**listed, **linked}
        ]
        trees = {name: files for name, files in listed.items() if sources[name].files}
        beside = ((n, each) for n, files in listed.items() if n not in trees for each in files)
        jobs += [hub_files.job(sources[name], root / name, each) for name, each in beside]
        with self.progress.bytes("fetch") as tick:
            facts = download.fetch(jobs, tick)
            for name, files in trees.items():
                many = [hub_files.job(sources[name], root / name, each) for each in files]
                download.fetch(many, link_index.together(name, tick), link_index.AT_ONCE)
            for name, urls in linked.items():
                many = link_index.jobs(root / name, urls, mirror)
                together = link_index.together(name, tick)
                arrived = download.fetch(many, together, link_index.AT_ONCE)
                facts[name] = link_index.facts([arrived[job.name] for job in many], urls)
        facts |= {name: hub_files.facts(files) for name, files in listed.items()}
        own = {name: facts[name] for name in sources}  # without the single files of a folder
        places = {name: root / name for name in sources}
        places |= {n: hub_files.laid_out(sources[n], root / n, fs) for n, fs in listed.items()}
        return self._opened(places, own, expect=True)

    def given(self, folder: Path, unverified: bool, with_facts: bool) -> Raw:
        """All that is not fetched row by row, out of a folder."""
        request = self.request
        if not folder.exists():
            what = "its package is installed without its data:" if request.samples else "--raw"
            raise SourceError(f"{request.config}: {what} {folder} is not a folder")
        sources = {n: s for n, s in request.sources.items() if n not in self.remote}
        places = {name: find(folder, name, source) for name, source in sources.items()}
        if missing := [name for name, place in places.items() if place is None]:
            raise SourceError(_lacking(request, folder, missing))
        present = {n: self._plain(n, place) for n, place in places.items() if place is not None}
        facts = {n: self._facts(place, sources[n], with_facts) for n, place in present.items()}
        if not unverified:
            raise_all(_differing(request, present, facts), SourceError)
        return self._opened(present, facts, expect=not unverified)

    def _plain(self, name: str, place: Path) -> Path:
        """What was found of a source; a file that is packed there, unpacked into the store."""
        if place.is_dir() or place.name not in (f"{name}{packed}" for packed in PACKED):
            return place
        return self._unpacked(place, records.sha256(place)) / name

    def _facts(self, place: Path, source: Source, with_facts: bool) -> SourceFacts:
        """What is told of a file or folder: its name is the user's affair, what it holds is not."""
        facts = SourceFacts(folder=source.folder or ".")
        if place.is_dir() and not with_facts:
            return facts
        with self.progress.bytes(f"checksum {place.name}") as tick:
            if not place.is_dir():
                return checksums(place)
            listing = store() / "listings" / sha256(bytes(place.absolute())).hexdigest()
            named, request = partial(tick, place.name), self.request
            seen = contents(place, listing, named, request.beside, request.links)
        return replace(facts, files=seen.files, bytes=seen.bytes, content=seen.sha256)

    def _opened(self, located: dict[str, Path], facts: dict[str, SourceFacts], expect: bool) -> Raw:
        """Make what was found ready to be read: tars are indexed, other archives unpacked.

        `expect`: text files must have as many rows as upstream says.
        """
        paths, places, sources = dict(located), dict[str, Place](), self.request.sources
        for name, path in located.items():
            source, digest = sources[name], facts[name].sha256 or ""
            if source.tables or (source.hub and not source.files):
                places[name] = Tables(path, nested=bool(source.path or source.files))
            elif source.packed:
                places[name] = Packed(path, store() / "index")
            elif source.archives:
                places[name] = Opened(path, store() / "unpacked")
            elif path.is_file() and tars.is_tar(path.name):
                places[name] = self._indexed(path, digest, source)
            elif path.is_file() and archives.is_archive(path.name):
                paths[name] = self._inside(path, digest, source)
        facts |= {name: SourceFacts(fetch=remote.want) for name, remote in self.remote.items()}
        rows = {name: s.rows for name, s in sources.items() if expect and s.rows is not None}
        return Raw(self.request.corpus, paths, facts, places, self.remote, rows)

    def _indexed(self, path: Path, digest: str, source: Source) -> tars.Tar:
        folder = store() / "index" / digest
        with self.progress.bytes(f"index {path.name}") as tick:
            tars.index(path, folder, partial(tick, path.name))
        tar = tars.Tar(path, folder, source.folder or "")
        if next(tar.names(), None) is None:
            _no_folder(path, source, tars.Tar(path, folder).names())
        return tar

    def _inside(self, path: Path, digest: str, source: Source) -> Path:
        if not (store() / "unpacked" / digest).is_dir():
            _make_room(path)
        folder = self._unpacked(path, digest)
        inner = folder / source.folder if source.folder else folder
        if not inner.is_dir():
            _no_folder(path, source, sorted(entry.name for entry in folder.iterdir()))
        return inner

    def _unpacked(self, path: Path, digest: str) -> Path:
        folder = store() / "unpacked" / digest
        with self.progress.bytes(f"unpack {path.name}") as tick:
            archives.unpack(path, folder, partial(tick, path.name))
        return folder


def _urls(name: str, source: Source, mirror: str | None) -> Iterator[str]:
    if mirror:
        yield f"{mirror.rstrip('/')}/{name}"
    yield from map(str, source.mirrors if source.by_hand else (source.url, *source.mirrors))


def _check_addresses(request: Request) -> None:
    """Raise EdgeGlassError if there are sources that only a person can get."""
    pages = {
        name: f"see {source.url}" if source.url else "a folder or file of your own"
        for name, source in request.sources.items()
        if source.by_hand or not (source.url or source.hub or source.fetch)
    }
    if pages:
        listed = "\n".join(f"  {name}: {page}" for name, page in pages.items())
        raise SourceError(
            f"{request.config}: upstream gives no address to fetch these from\n{listed}\n"
            "  Get them there, put them into one folder and pass it as --raw DIR\n"
            "  (with --fetch-clips if the clips are not there, too)."
        )


def find(folder: Path, name: str, source: Source) -> Path | None:
    """A source in a folder of raw files, unpacked or as published, at most two folders down.

    A single file may also lie there under this name and the ending of its packing. Of the folder
    that an archive holds its last part is enough. Clips lie in a folder of the source's name, or
    all together in `folder` itself.
    """
    if folder.is_file():  # the archive or table itself, and others beside it
        if folder.name in (name, *(name + packed for packed in PACKED)):
            return folder
        folder = folder.parent
    unpacked = [source.folder, PurePosixPath(source.folder).name] if source.folder else []
    if source.path is not None or source.url is None:
        said = source.path or "."
        own = [folder / said, folder / PurePosixPath(said).name, folder]
        place = next(path for path in own if path.exists())
        return _selected(place, source) if source.files else place
    single = not (source.folder or source.fetch or source.hub or source.tables or source.index)
    files = [name, *(name + packed for packed in PACKED if single)]
    for wanted in (*unpacked, *files):
        for pattern in (wanted, f"*/{wanted}", f"*/*/{wanted}"):
            for path in sorted(folder.glob(pattern)):
                if path.is_dir() == (wanted not in files or source.fetch is not None):
                    return path
    together = source.anywhere or (source.fetch and not source.folder)
    return folder if together or folder.name in unpacked else None


def _selected(root: Path, source: Source) -> Path:
    """A folder of links to the files that are read of one's own folder, in the store."""
    files = names.selected(Folder(root).names(), source.files, source.folder)
    said = json.dumps([str(root.absolute()), source.folder, files])
    place = store() / "selected" / sha256(said.encode(errors="surrogatepass")).hexdigest()
    for name, below in files.items():
        (link := place / below).parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            link.symlink_to(root.absolute() / name)
    return place


def _lacking(request: Request, folder: Path, missing: list[str]) -> str:
    splits = [s for s in request.splits if not set(request.splits[s]) & set(missing)]
    sources = request.sources
    lines = [f"{request.config}: --raw {folder} lacks"]
    for name in missing:
        other = f" (or the folder {sources[name].folder}/)" if sources[name].folder else ""
        lines.append(f"  {name}{other}")
    without = f"; --set 'splits=[{', '.join(splits)}]' would do without" if splits else ""
    lines.append(f"  Get them from {request.homepage}{without}.")
    return "\n".join(lines)


def _differing(
    request: Request, places: dict[str, Path], facts: dict[str, SourceFacts]
) -> Iterable[str]:
    for name, place in places.items():
        source, wanted = request.sources[name], request.sources[name].checksum
        digest = facts[name].digest(wanted[0]) if wanted and place.is_file() else None
        if wanted and digest not in (None, wanted[1]):
            yield (
                f"{request.config}: {place}: {wanted[0]} is {digest}, upstream "
                f"publishes {wanted[1]}. Get the file again from {source.url}, or, if you "
                "changed it on purpose, pass --unverified (the manifest will say so)."
            )


def _no_folder(path: Path, source: Source, names: Iterable[str]) -> NoReturn:
    some = ", ".join(islice(names, 5))
    raise SourceError(f"{path}: no folder {source.folder}/ in it; found {some or 'nothing'}")


def _make_room(archive: Path) -> None:
    folder = store() / "unpacked"
    folder.mkdir(parents=True, exist_ok=True)
    free, size = shutil.disk_usage(folder).free, archive.stat().st_size
    if free < size:
        raise SpaceError(
            f"{folder}: {units.size(free)} free, unpacking {archive.name} takes more than "
            f"{units.size(size)}. Make room, or set EDGE_GLASS_CACHE to a larger disk."
        )
