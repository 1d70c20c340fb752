"""Whether anything is left of rows that were withdrawn: every file of a dataset is read for it.

Looked for are their ids, texts, URLs and media. What rows that stay say or hold as well is no
residue, nor what is said of such a dataset whatever its rows are; both are counted apart.
"""

import html
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import pyarrow as pa
from ahocorasick_rs import AhoCorasick, BytesAhoCorasick
from markupsafe import escape
from pydantic import PlainSerializer

from edge_glass.core import ledger, manifest, parquet
from edge_glass.core.arrow_columns import is_media
from edge_glass.core.ledger import EntryRow
from edge_glass.core.names import HIDDEN
from edge_glass.core.row import Example
from edge_glass.core.row_digests import RowDigests
from edge_glass.core.schema import Plain
from edge_glass.corpora import catalog
from edge_glass.release import card, citation, croissant

SHORT = 6  # characters of an id that stands by chance in other files: it is looked for as a cell
TEXT = 12  # characters of a text that is looked for
CHUNK = 2**24  # bytes of a file that are read at a time
Texts = Annotated[set[str], PlainSerializer(sorted)]  # in one order where they are noted


@dataclass
class Traces(Plain):
    """What could be left of rows."""

    ids: Texts = field(default_factory=set)
    texts: Texts = field(default_factory=set)
    urls: Texts = field(default_factory=set)
    media: Texts = field(default_factory=set)  # sha256

    def add_entry(self, entry: EntryRow) -> None:
        """What the ledger says of a row."""
        self.ids.add(entry["id"])
        self.urls |= {*filter(None, (entry.get("url"), entry.get("final_url")))}
        self.media |= {*filter(None, [entry.get("sha256"), *(entry.get("media_digests") or [])])}
        self.texts |= {text for text in texts(entry.get("caption")) if len(text) >= TEXT}

    def add_row(self, row: Example) -> None:
        """What a shard says of it; without its media, of which the ledger has the digests."""
        self.ids.add(row["id"])
        values = [text for value in row.values() for text in texts(value)]
        self.texts |= {text for text in values if len(text) >= TEXT and text != row["id"]}

    def all(self) -> set[str]:
        """All of them."""
        return self.ids | self.texts | self.urls | self.media


@dataclass
class Scan:
    """What was read, and what was left."""

    files: int = 0
    bytes: int = 0
    rows: int = 0
    residue: list[str] = field(default_factory=list)  # file and kind
    shared: set[str] = field(default_factory=set)  # of rows that stay as well


def texts(value: Any) -> Iterator[str]:
    """The texts in a cell."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, tuple, dict)):
        each = value.values() if isinstance(value, dict) else value
        yield from (text for one in each for text in texts(one))


class Finder:
    """Finds traces in texts and bytes."""

    def __init__(self, traces: Traces) -> None:
        self._traces = traces
        self._long = sorted(t for t in traces.all() if t not in traces.ids or len(t) >= SHORT)
        self._every = traces.all()

    @cached_property
    def _in_text(self) -> AhoCorasick:
        return AhoCorasick(self._long)

    def within(self, text: str) -> set[str]:
        """What stands in a text."""
        traces = set(self._in_text.find_matches_as_strings(text, overlapping=True))
        return traces | ({text} & self._every)

    def in_file(self, path: Path, without: set[str]) -> tuple[set[str], int]:
        """What stands in the bytes of a file, and how many they are."""
        forms = [
            (form, text) for text in self._long if text not in without for form in _forms(text)
        ]
        search = BytesAhoCorasick([form for form, _ in forms])
        overlap = max((len(form) for form, _ in forms), default=0)
        traces, size, tail, digest = set[str](), 0, b"", sha256()
        with path.open("rb") as file:
            while data := file.read(CHUNK):
                size += len(data)
                digest.update(data)
                at = search.find_matches_as_indexes(tail + data, overlapping=True)
                traces |= {forms[number][1] for number, _, _ in at}
                tail = (tail + data)[-overlap:]
        return traces | ({digest.hexdigest()} & self._traces.media - without), size


def _forms(text: str) -> set[bytes]:
    """A text as files of several kinds have it: plain, JSON, HTML, CSV, part of a URL."""
    in_json = [json.dumps(text, ensure_ascii=ascii)[1:-1] for ascii in (True, False)]
    in_html = [html.escape(text), html.escape(text, quote=False), escape(text)]
    in_url = [quote(text, safe, errors="surrogatepass") for safe in ("/", "")]
    every = [text, *in_json, *in_html, *in_url, text.replace('"', '""')]
    return {form.encode(errors="surrogatepass") for form in every}


def scan(out: Path, traces: Traces, besides: Collection[Path] = ()) -> Scan:
    """Read all files below `out`, shards and ledgers row by row."""
    done, finder, built = Scan(), Finder(traces), manifest.built(out)
    for folder in built.values():
        for shard in manifest.read(folder).shards():
            _rows(done, finder, traces, folder / shard.file, _shard(folder / shard.file))
        _rows(done, finder, traces, folder / ledger.FILE, ledger.read(folder / ledger.FILE))
    every = {path for path in out.rglob("*") if path.is_file()} - {*besides}
    ordinary = {one for text in _ordinary([*built.values()]) for one in finder.within(text)}
    for path in sorted(every):
        present, size = finder.in_file(path, done.shared | ordinary)
        if path.suffix == ".parquet" and path.parent not in built.values():
            for cell in (text for row in parquet.rows(path) for text in texts([*row.values()])):
                present |= finder.within(cell) - done.shared - (ordinary - {cell})
        # what lies there, and what is half written, depends on how often a run was stopped
        if HIDDEN not in path.parts and path.suffix != ".tmp":
            done.files, done.bytes = done.files + 1, done.bytes + size
        _note(done, traces, str(path.relative_to(out)), present)
    done.residue, done.shared = sorted(set(done.residue)), done.shared | ordinary
    return done


def _ordinary(folders: list[Path]) -> Iterator[str]:
    """The texts of pages, papers and footers that no row has a part in."""
    known = [each for each in map(manifest.read, folders) if catalog.of(each)]
    if known:
        about = (known, "org/name", "v1.0.0", None)
        yield from (
            card.render(known, "org/name", None),
            croissant.render(*about),
            citation.render(*about),
        )
    for folder in folders:
        yield (folder / manifest.FILE).read_text(encoding="utf-8")
    yield " ".join(ledger.schema().names)
    for path in Path(str(files("edge_glass"))).rglob("*.jinja"):
        yield path.read_text(encoding="utf-8")


def _shard(path: Path) -> Iterator[Example]:
    """Rows with the digest of their media in the place of those."""
    schema = parquet.schema(path)
    digests = RowDigests(schema)
    plain = [one.name for one in schema if not is_media(one.type) and not _numbers(one.type)]
    for row in parquet.rows(path):
        yield {name: row[name] for name in plain} | {"media digest": digests.of(row)[1]}


def _numbers(type_: pa.DataType) -> bool:
    return bool(pa.types.is_list(type_) and pa.types.is_floating(type_.value_type))


def _rows(
    done: Scan, finder: Finder, traces: Traces, path: Path, rows: Iterable[Mapping[str, Any]]
) -> None:
    """Rows that stay: what they say themselves is theirs; an id in what is said of them is not."""
    for row in rows:
        done.rows += 1
        gone = row["id"] in traces.ids
        for name, value in row.items():
            present = {one for text in texts(value) for one in finder.within(text)}
            if not present:
                continue
            left = present if gone else present & traces.ids if name == "detail" else set()
            _note(done, traces, f"{path.parent.name}/{path.name}", left)
            done.shared |= present - left


def _note(done: Scan, traces: Traces, where: str, ids: set[str]) -> None:
    done.residue += [f"{where}: {kind}" for kind, own in vars(traces).items() if own & ids]
