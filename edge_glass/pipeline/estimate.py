"""What a build will do, before it does it. Nothing is fetched, only own archives are unpacked."""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edge_glass.core.progress import Progress
from edge_glass.core.row import Parameters
from edge_glass.core.spec import CLIPS, Source
from edge_glass.core.visible import Result, Summary
from edge_glass.corpora.catalog import Variant
from edge_glass.corpora.corpus import Corpus
from edge_glass.corpora.layouts.media_folders import kind_of
from edge_glass.pipeline import shard_plan
from edge_glass.sources import archives, contents, tars
from edge_glass.sources.chunk_text import PACKED
from edge_glass.sources.folder import Folder
from edge_glass.sources.obtain import find, obtain, store

NO_CLIPS = "not here: build with --fetch-clips"
SETTLED = ("here", "missing", NO_CLIPS)  # states of sources of which nothing is fetched
UNCOUNTED = "no rows are here to be counted, as long as nothing is fetched"


@dataclass
class SourcePlan:
    """One source: where it is, or how many bytes are to come."""

    file: str
    url: str
    bytes: int | None
    state: str  # "to fetch", "row by row", "partly here", "by hand", or one of SETTLED

    @property
    def fetched(self) -> bool:
        """Whether a build fetches it, or a person."""
        return self.state not in SETTLED


@dataclass(repr=False)
class Plan(Result):
    """What a build of one config will read and make. Unknown numbers are None."""

    config: str
    title: str
    licence: str
    parameters: Parameters
    sources: list[SourcePlan]
    rows: dict[str, int | None]  # source rows per split
    shards: dict[str, int] = field(default_factory=dict)
    exact: bool = False  # counted from the sources themselves, not from what upstream states
    columns: dict[str, dict[str, str]] = field(default_factory=dict)  # read under another name
    free_bytes: int = 0

    def _summary(self) -> Summary:
        size = "an unknown number of" if self.fetch_bytes is None else f"{self.fetch_bytes:,}"
        rows = [(s, f"{'?' if n is None else f'{n:,}'} rows") for s, n in self.rows.items()]
        sources = [(source.file, source.state) for source in self.sources]
        return Summary(f"{self.config}: {size} bytes to fetch", rows=[*sources, *rows])

    @property
    def fetch_bytes(self) -> int | None:
        """Bytes to be fetched; None if upstream does not say how large a file is."""
        sizes = [source.bytes for source in self.sources if source.fetched]
        return None if None in sizes else sum(size for size in sizes if size is not None)


def plan(
    variant: Variant,
    out: Path,
    raw: Path | None = None,
    limit: int | None = None,
    progress: Progress | None = None,
) -> Plan:
    """Plan the build of `variant` into `out`."""
    with tempfile.TemporaryDirectory() as temp:
        corpus = variant.builder()
        raw = raw or corpus.home()
        spec = corpus.spec()
        estimate = Plan(
            config=variant.name,
            title=spec.title,
            licence=" ".join(spec.licence.split()),
            parameters=corpus.parameters(),
            sources=[],
            rows={split: stated_rows(corpus, split) for split in corpus.chosen_splits()},
            free_bytes=shutil.disk_usage(_existing(out)).free,
        )
        readable = raw is not None and (corpus.home() is not None or _readable(corpus, raw))
        if corpus.config.bundled or readable:
            files = obtain(corpus.request(), raw, unverified=True, facts=False)
            rows = shard_plan.few(corpus, files) if corpus.config.bundled else None
            if rows is None:
                planned = shard_plan.plan(corpus, files, Path(temp), limit, progress)
                estimate.rows, estimate.shards = {**planned.rows}, dict(planned.shards)
            else:
                estimate.rows, estimate.shards = {**rows}, dict.fromkeys(rows, 1)
            estimate.columns = {name: others for name, others in files.renamed.items() if others}
            if (table := corpus.TABLE) and table.source in files.paths:
                from edge_glass.sources import table_chunks

                others = table_chunks.renamed(files.paths[table.source], table)
                estimate.columns |= {table.source: others} if others else {}
            estimate.exact = True
        counted = [rows or 0 for rows in estimate.rows.values()]
        estimate.sources = list(
            _sources(corpus, raw, sum(min(rows, limit or rows) for rows in counted))
        )
    return estimate


def _sources(corpus: Corpus, raw: Path | None, rows: int) -> Iterator[SourcePlan]:
    root, request = store() / "downloads" / corpus.corpus, corpus.request()
    raw, by_row = request.samples or raw, request.by_row(raw)
    for name, source in request.sources.items():
        file = name
        if name in by_row and not request.samples:
            size, state = rows * (source.row_bytes or 0) or None, "row by row"
        elif raw is not None:
            place = find(raw, name, source)
            state = "missing" if place is None else _here(source, place)
            measured = place is not None and (place.is_file() or source.path)
            size = contents.size(place, request.links) if place and measured else None
            file = place.name if place and source.path else name
        else:
            size, state = _of_upstream(source, root / name)
        yield SourcePlan(file, source.template, size, state)


def _here(source: Source, place: Path) -> str:
    """Whether a source is there; of clips, which may lie among other files, whether any is."""
    clips = source.fetch in CLIPS
    return "here" if not clips or any(map(kind_of, Folder(place).names())) else NO_CLIPS


def _of_upstream(source: Source, path: Path) -> tuple[int | None, str]:
    """Bytes of a source that is kept at `path` once it is fetched, and how much is there."""
    from edge_glass.sources import download, hub_files, link_index

    if source.by_hand:
        return source.bytes, "by hand"
    if source.index:
        begun = (path / link_index.PAGE).is_file()
    elif source.hub:
        return hub_files.state(source, path)
    elif download.stored(path, source) is not None:
        return source.bytes, "here"
    else:
        begun = download.begun(path)
    return source.bytes, "partly here" if begun else "to fetch"


def stated_rows(corpus: Corpus, split: str) -> int | None:
    """How many source rows upstream says that a split has, None if it does not."""
    if not corpus.config.bundled and split in corpus.spec().expected.rows:
        return corpus.spec().expected.rows[split]
    stated = [corpus.spec().sources[name].rows for name in corpus.sources(split)]
    known = [rows for rows in stated if rows is not None]
    return None if corpus.config.bundled or not known else sum(known)


def _readable(corpus: Corpus, raw: Path) -> bool:
    """Whether all sources are there and none of them is packed, still to be read through."""
    places = {name: find(raw, name, source) for name, source in corpus.request().sources.items()}
    return all(place and (place.is_dir() or not _shut(n, place)) for n, place in places.items())


def _shut(name: str, place: Path) -> bool:
    packed = [f"{name}{ending}" for ending in PACKED]
    return archives.is_archive(place.name) or tars.is_tar(place.name) or place.name in packed


def _existing(path: Path) -> Path:
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path
