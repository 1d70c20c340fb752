"""A folder that any web server shows: the rows of a build, and a search that runs in the browser.

Nothing but files, of which the page reads ranges: a static Space will do. Media stay where they
are, in the shards; the page knows where in them each begins.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from shutil import copyfile
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from edge_glass.core import outputs, pages, parquet, schema
from edge_glass.core.atomic_files import AtomicFile, scratch, write_json
from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.progress import Progress, Tally
from edge_glass.core.visible import visible
from edge_glass.media import magic
from edge_glass.vectors import embedding_map, index_build, vector_index, web_index
from edge_glass.vectors.numbered_rows import SHOWN, SPLIT, Table, caption
from edge_glass.vectors.query import encoder_of, takes
from edge_glass.vectors.stored_vectors import Stored, Tokens, stored
from edge_glass.vectors.text_encoders import normal

FILES = [Path(__file__).with_name(name) for name in ("page.css", "page.js", "web.js")]
MARK = "site.json"
WORDS = 10_000  # that a text may be made of, the most frequent in the captions
WORD = re.compile(r"[^\W\d_]{2,}")
AT_ONCE = 256  # words that are embedded, or rows that are looked for, at a time
MEMORY = 4_000_000_000  # bytes of an index that is made here, as `edge-glass index` takes them
Array = np.ndarray[Any, Any]


def write(folder: Path, out: Path, data: str, root: Path | None, progress: Progress) -> Path:
    """Write the page of the build in `folder` to `out`; gives its index.html.

    `data` is the address that the shards have, as seen from the page; `root` has the embeddings.
    Without embeddings the page shows rows, and has no search. An earlier page in `out` is replaced
    when all of this one is there. Raises EdgeGlassError if `out` holds anything else.
    """
    outputs.check_apart(folder, out)
    outputs.check_replaceable(out, _inventory(out))
    with scratch(out.resolve().parent, f"{out.resolve().name}.page") as work:
        new = work / out.resolve().name
        new.mkdir()
        _write(folder, new, data, root, progress)
        outputs.replace(new, out, _inventory(out))
    return out / "index.html"


def _inventory(out: Path) -> list[str] | None:
    """The files of a page, None where there is none whose description is whole."""
    try:
        files: list[str] = schema.read(out / MARK, schema.shape(files=list[str]), "delete it")[
            "files"
        ]
    except (OSError, EdgeGlassError):
        return None
    return files


def _write(folder: Path, out: Path, data: str, root: Path | None, progress: Progress) -> None:
    table = Table(folder)
    turned = [(one, *_vectors(one, table.rows)) for one in _columns(folder, root)]
    searched = [each for each in turned if each[1].any()]  # others have nothing to find
    places = _rows(table, [vectors for _, vectors, _ in searched], out, progress)
    facts: list[dict[str, Any]] = []
    for number, (one, values, turn) in enumerate(searched):
        near = _near(one, table.rows, progress)
        index = web_index.write(one, values, turn, near, places, out / str(number))
        words = _words(one, turn, table, out / f"{number}.words", progress)
        facts.append(asdict(index) | {"words": words})
    maps = embedding_map.of(folder, root)
    _copy(folder.parent / "report.html", table, facts, maps, out, _origin(data))
    site = {
        "rows": table.rows,
        "data": data.rstrip("/"),
        "shards": [shard.file for shard in table.manifest.shards()],
        "columns": facts,
        "caption": table.caption,
        "files": sorted([MARK, *(path.name for path in out.iterdir())]),
    }
    write_json(out / MARK, site)


def _copy(
    report: Path,
    table: Table,
    facts: list[dict[str, Any]],
    maps: list[embedding_map.EmbeddingMap],
    out: Path,
    origin: str,
) -> None:
    """Write the page itself, with its script and style, and the report if there is one."""
    copies = [*FILES, *pages.ROWS]
    for path in [*copies, *([report] if report.is_file() else [])]:
        copyfile(path, out / path.name)
    pages.write(
        out / "index.html",
        "vectors",
        "page.html",
        config=table.manifest.config,
        rows=table.rows,
        columns=[(f["column"], ["text"] if f["words"] else []) for f in facts],
        unsafe=table.unsafe,
        prompt=_prompt(facts),
        searchable=any(one["words"] for one in facts),
        maps=maps,
        static=True,
        report=report.is_file(),
        origin=origin,
    )


def _prompt(facts: list[dict[str, Any]]) -> str:
    if any(one["words"] for one in facts):
        return "Type a text, or open a row and ask for more like it"
    return "Open a row and ask for more like it" if facts else "Open a row to see all of it"


def _origin(data: str) -> str:
    """Where the shards are, as a policy names it; the Hub sends readers on to hosts of its own."""
    scheme = urlsplit(data).scheme
    return f"{scheme}:" if scheme in ("http", "https") else ""


def _columns(folder: Path, root: Path | None) -> list[Stored]:
    """What is embedded, one encoder a column."""
    where = (root or folder.parent / "embeddings") / folder.name
    embedded = stored(folder, root) if where.is_dir() else []
    single = [one for one in reversed(embedded) if not isinstance(one, Tokens)]
    return list({one.column: one for one in single}.values())[::-1]


def _vectors(one: Stored, rows: int) -> tuple[Array, Array]:
    """The vectors of all rows in numbers of 8 bits, turned, and what turned them."""
    one.check()
    some = np.sort(np.random.default_rng(0).permutation(rows)[: web_index.TRAINED])
    turn = web_index.rotation(one.some(some))
    vectors = np.zeros((rows, one.dim), dtype=np.int8)
    for numbers, values in one.blocks():
        vectors[numbers] = web_index.small(values @ turn)
    return vectors, turn


def _near(one: Stored, rows: int, progress: Progress) -> Array:
    """The nearest other rows of each by the index of the column, which is made if there is none.

    Gives numbers of rows, int64 (rows, 10), the nearest first; -1 where there are no more.
    """
    index_build.build(one, [], MEMORY, progress)
    index, tally = vector_index.opened(one), Tally()
    near = np.full((rows, web_index.ROWS), -1)
    with progress.rows(f"{one.name}: rows like each", rows, tally):
        for numbers, values in one.blocks():
            for at in range(0, len(numbers), AT_ONCE):
                own = numbers[at : at + AT_ONCE]
                places, _ = index.search(normal(values[at : at + AT_ONCE]), web_index.ROWS + 1)
                others = np.argsort(places == own[:, None], axis=1, kind="stable")[:, :-1]
                near[own] = np.take_along_axis(places, others, 1)
                tally.add(len(own))
    return near


def _rows(table: Table, vectors: list[Array], out: Path, progress: Progress) -> Array:
    """Write the records, and where each begins; gives their starts and ends, uint64 (rows, 2)."""
    ends, tally = np.zeros(table.rows + 1, dtype="<u8"), Tally()
    with progress.rows("rows", table.rows, tally), AtomicFile(out / "rows") as file:
        at = 0
        for number, record in enumerate(_records(table)):
            text = pages.browser_json(visible(record)).encode()
            parts = [len(text).to_bytes(4, "little"), text]
            parts += [column[number].tobytes() for column in vectors]
            ends[number + 1] = at = at + sum(map(len, parts))
            file.write(b"".join(parts))
            tally.add()
    with AtomicFile(out / "places") as file:
        file.write(ends.tobytes())
    return np.stack([ends[:-1], ends[1:]], axis=1)


def _records(table: Table) -> Iterator[dict[str, Any]]:
    """All of a row but its media, and where those are: column, kind, shard, start and size.

    Where pyarrow alone can tell (lists, a group in which some are missing) no media are shown.
    """
    number = 0
    for shard, (split, path) in enumerate(table.shards):
        with parquet.opened(path) as file:
            for group in range(file.num_row_groups):
                plain = file.read_row_group(group, table.columns)
                safe, rows = table.is_safe(plain), plain.to_pylist()
                numbers = list(range(len(rows)))
                media = {n: file.cells(group, f"{n}.bytes", numbers) for n in table.media}
                for at, row in enumerate(rows):
                    places = [
                        (name, kind, shard, values.start(place), values.size(place))
                        for name, cells in media.items()
                        for values, place in (cells or [])[at : at + 1]
                        if (kind := magic.kind(values.read(place, 0, magic.HEAD))) in SHOWN
                    ]
                    columns = {SPLIT: split, **row}
                    yield {"row": number, "media": places, "safe": safe[at], "columns": columns}
                    number += 1


def _words(
    one: Stored, turn: Array, table: Table, path: Path, progress: Progress
) -> dict[str, float] | None:
    """Write the vectors of words, as the column's encoder gives them; word -> weight, in order.

    A text is looked for by the mean of its words, the rare ones weighing more. None where the
    encoder takes no texts, or its weights are not here.
    """
    if not takes(one, "text"):
        return None
    try:
        encoder = encoder_of(one, "text")
        encoder.threads = one.settings.get("threads", 0)
    except EdgeGlassError as error:
        progress.say(f"{one.name}: no search by text: {error}")
        return None
    counts: Counter[str] = Counter()
    for _, shard in table.shards:
        for row in parquet.rows(shard, [table.caption]):
            counts.update(set(WORD.findall(caption(row[table.caption]).lower())))
    common = sorted(counts, key=lambda word: (-counts[word], word))[:WORDS]
    tally = Tally()
    with (
        progress.rows(f"{one.name}: words", len(common), tally),
        AtomicFile(path) as file,
    ):
        for at in range(0, len(common), AT_ONCE):
            some = [encoder.prepare(word) for word in common[at : at + AT_ONCE]]
            file.write(web_index.small(encoder.encode(some) @ turn).tobytes())
            tally.add(len(some))
    weights = np.log((table.rows + 1) / np.array([counts[word] for word in common]))
    return dict(zip(common, weights.round(3).tolist(), strict=True))
