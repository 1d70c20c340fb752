"""A retrieval set as ViDoRe v3 publishes its own, with the columns that `mteb` reads beside them.

`corpus`, `queries` and `qrels` are configs of one data set: pages as pictures, queries of all
languages with answers, grades and boxes. `<language>-queries` and its like, which `mteb` takes for
subsets, are the same files.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import yaml

from edge_glass.core import manifest, names, outputs
from edge_glass.core.atomic_files import AtomicFile
from edge_glass.core.errors import ConfigError, DataError
from edge_glass.core.row import Example, Features
from edge_glass.core.shard_files import write_shard, write_table
from edge_glass.domains.slides.retrieval_set import PARTS, RetrievalSet, rows, spelled
from edge_glass.media.features import Image, Sequence, Value, arrow_schema

LANGUAGES = {"de": "german", "en": "english", "es": "spanish", "fr": "french", "it": "italian",
             "pt": "portuguese"}  # fmt: skip
INT64 = 19  # digits of its largest
TEXT, NUMBER, TEXTS = Value("string"), Value("int64"), Sequence(Value("string"))
BOX = dict.fromkeys(("annotator", "x1", "x2", "y1", "y2"), NUMBER)
QUERY: Features = {"query_id": NUMBER, "id": TEXT, "query": TEXT, "text": TEXT, "language": TEXT}
QREL: Features = {"query_id": NUMBER, "corpus_id": NUMBER, "query-id": TEXT, "corpus-id": TEXT}
QREL |= {"score": NUMBER, "content_type": TEXTS, "bounding_boxes": [BOX]}
PAGE: Features = {"corpus_id": NUMBER, "id": TEXT, "image": Image()}
# columns by what the rows of a set call them; those that a set does not have are left out
OF_PAGES = {"document": "doc_id", "text": "markdown", "number": "page_number_in_doc"}
OF_QUERIES: Features = dict.fromkeys(("query_types", "content_type", "raw_answers"), TEXTS)
OF_QUERIES |= dict.fromkeys(
    ("query_format", "query_generator", "query_generation_pipeline", "source_type",
     "query_type_for_generation", "answer"), TEXT,
)  # fmt: skip


def write(folder: Path, out: Path) -> None:
    """Write the set whose `-corpus` is in `folder` to `out/corpus/`, `queries/` and `qrels/`.

    Raises EdgeGlassError if it is none, or a part is not built.
    """
    name = folder.name.removesuffix("-corpus")
    if name == folder.name:
        raise ConfigError(f"{folder}: vidore wants the folder of a <config>-corpus: give that one")
    qa_set = RetrievalSet.of(folder.parent, name)
    outputs.claim(out, ["README.md", *PARTS])
    configs: dict[str, dict[str, list[str]]] = {}
    for split in manifest.read(folder).splits:
        for config, path in _split(qa_set, split, out):
            configs.setdefault(config, {}).setdefault(split, []).append(path)
    files = [
        {"config_name": config, "data_files": [{"split": s, "path": p} for s, p in parts.items()]}
        for config, parts in configs.items()
    ]
    with AtomicFile(out / "README.md") as file:
        file.write(f"---\n{yaml.safe_dump({'configs': files}, sort_keys=False)}---\n".encode())


def _split(qa_set: RetrievalSet, split: str, out: Path) -> Iterator[tuple[str, str]]:
    """Write a split; gives each config that it is in, with the files of that."""
    pages = _numbers([row["page"] for row in rows(qa_set.corpus, split, "page")])
    asked = [*rows(qa_set.queries, split, "query", "question", "language", *OF_QUERIES)]
    queries = _numbers([row["query"] for row in asked])
    relevant = [*rows(qa_set.qrels, split, "query", "page", "score", "content_type", "boxes")]
    for row in relevant:
        if row["page"] not in pages:
            raise DataError(
                f"{qa_set.qrels}: query {row['query']} is judged by page {row['page']}, which "
                f"{qa_set.corpus} does not have: withdraw those rows of the former, or build both"
            )
    corpus = f"corpus/{split}.parquet"
    _pages(qa_set, split, pages, out / corpus)
    yield "corpus", corpus
    by_language: dict[str, list[Example]] = {}
    for row in asked:
        language = LANGUAGES.get(row["language"] or "", row["language"] or "und")
        by_language.setdefault(language, []).append(row | {"language": language})
    others = spelled(manifest.read(qa_set.queries), *OF_QUERIES)
    query = QUERY | {name: OF_QUERIES[name] for name in others}
    for spoken, own in sorted(by_language.items()):
        language, known = names.file_name(spoken), {row["query"] for row in own}
        judged = [_qrel(row, queries, pages) for row in relevant if row["query"] in known]
        said = [_query(row, queries) for row in own]
        yield f"{language}-corpus", corpus
        for part, values, columns in (("queries", said, query), ("qrels", judged, QREL)):
            path, schema = f"{part}/{split}-{language}.parquet", arrow_schema(columns)
            filled = [_filled(row, columns) for row in values]
            write_table(out / path, [pa.Table.from_pylist(filled, schema)], schema)
            yield part, path
            yield f"{language}-{part}", path


def _numbers(ids: list[str]) -> dict[str, int]:
    """A number for each id: its own if all are numbers, or its place."""
    if all(id.isdecimal() and len(id) < INT64 and str(int(id)) == id for id in ids):
        return {id: int(id) for id in ids}
    return {id: place for place, id in enumerate(ids)}


def _pages(qa_set: RetrievalSet, split: str, numbers: dict[str, int], path: Path) -> None:
    columns = spelled(manifest.read(qa_set.corpus), *OF_PAGES)
    columns = PAGE | {OF_PAGES[name]: NUMBER if name == "number" else TEXT for name in columns}

    def examples() -> Iterator[Example]:
        for row in rows(qa_set.corpus, split, "page", qa_set.image, *OF_PAGES):
            others = {new: row[name] for name, new in OF_PAGES.items()}
            ids = {"corpus_id": numbers[row["page"]], "id": row["page"]}
            yield _filled(others | ids | {"image": row[qa_set.image]}, columns)

    write_shard(path, examples(), arrow_schema(columns))


def _filled(row: Example, columns: Features) -> Example:
    """The columns of a row, nothing in the place of null, which `mteb` does not take."""
    nothing = {"string": "", "int64": -1}
    kinds = {name: kind["dtype"] for name, kind in columns.items() if "dtype" in kind}
    return {
        name: nothing.get(kinds.get(name, ""), []) if row[name] is None else row[name]
        for name in columns
    }


def _query(row: Example, numbers: dict[str, int]) -> Example:
    ids = {"query_id": numbers[row["query"]], "id": row["query"]}
    return row | ids | dict.fromkeys(("query", "text"), row["question"])


def _qrel(row: Example, queries: dict[str, int], pages: dict[str, int]) -> Example:
    boxes = json.loads(row["boxes"]) if isinstance(row["boxes"], str) else row["boxes"]
    ids = {"query_id": queries[row["query"]], "corpus_id": pages[row["page"]]}
    return row | ids | {
        "query-id": row["query"], "corpus-id": row["page"], "bounding_boxes": boxes,
    }  # fmt: skip
