"""A retrieval set: pages, queries, and how well which page answers which query.

Each is a config, `<name>-corpus`, `-queries` and `-qrels`. Columns are called as in BEIR and mteb,
or as in ViDoRe v3, whose three folders are built as data of one's own.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_glass.core import columns, manifest, parquet
from edge_glass.core.errors import DataError, EdgeGlassError
from edge_glass.core.manifest import Manifest
from edge_glass.core.row import Example
from edge_glass.corpora import catalog

PARTS = ("corpus", "queries", "qrels")
ENDS = tuple(f"-{part}" for part in PARTS)  # of configs' names
SPELLINGS = {
    "page": ("corpus-id", "corpus_id", "id"),
    "query": ("query-id", "query_id", "id"),
    "question": ("query", "text"),
    "text": ("markdown", "transcript"),
    "language": ("language", "lang"),
    "document": ("doc_id", "deck"),
    "number": ("page_number_in_doc", "slide"),
    "boxes": ("bounding_boxes",),
}


@dataclass(frozen=True)
class RetrievalSet:
    """The folders of its three configs."""

    name: str
    corpus: Path
    queries: Path
    qrels: Path

    @classmethod
    def of(cls, out: Path, name: str = "") -> "RetrievalSet":
        """The one that is built in a folder, or of this name. Raises EdgeGlassError for none."""
        folders = built(out, ENDS)
        for config in folders:
            stem = config.removesuffix("-qrels")
            if stem != config and name in ("", stem):
                parts = [f"{stem}{end}" for end in ENDS]
                if missing := [part for part in parts if part not in folders]:
                    raise DataError(
                        f"{out}: {', '.join(missing)} is not built: build it as well, from the "
                        f"same decks and with the same options as {config}"
                    )
                return cls(stem, *(folders[part] for part in parts))
        raise DataError(
            f"{out}: no retrieval set (<config>-corpus, -queries, -qrels) is built: {remedy(ENDS)}"
        )

    def relevant(self, split: str) -> dict[str, dict[str, int]]:
        """How well pages answer queries, by the ids of both. Raises EdgeGlassError for none."""
        grades: dict[str, dict[str, int]] = {}
        for row in rows(self.qrels, split, "query", "page", "score"):
            grades.setdefault(row["query"], {})[row["page"]] = int(row["score"])
        if not grades:
            raise DataError(f"{self.qrels}: no query in split {split}: name another --split")
        return grades

    def texts(self, split: str) -> dict[str, str]:
        """The text of each page by its id. Raises EdgeGlassError if they have none."""
        if not spelled(manifest.read(self.corpus), "text"):
            raise DataError(f"{self.corpus}: no column of texts to search: transcript or markdown")
        return {row["page"]: row["text"] or "" for row in rows(self.corpus, split, "page", "text")}

    def questions(self, split: str) -> dict[str, str]:
        """The text of each query by its id."""
        asked = rows(self.queries, split, "query", "question")
        return {row["query"]: row["question"] for row in asked}

    @property
    def image(self) -> str:
        """The column of pages as pictures. Raises EdgeGlassError if there is none."""
        kinds = columns.media_kinds(manifest.read(self.corpus).features)
        for name, (kind, _) in kinds.items():
            if kind == "image":
                return name
        raise DataError(f"{self.corpus}: no column of images")


def rows(folder: Path, split: str, *names: str) -> Iterator[Example]:
    """Columns of a split's rows, whatever their spelling; null where there is none; ids as text.

    Raises DataError if ids or questions are not there.
    """
    build = manifest.read(folder)
    known = spelled(build, *names)
    for name in ("page", "query", "question"):
        if name in names and name not in known:
            said = " or ".join(SPELLINGS[name])
            raise DataError(f"{folder}: no column {said}: build it with that column")
    facts = build.splits.get(split)
    for shard in facts.shards if facts else ():
        for row in parquet.rows(folder / shard.file, [*known.values()]):
            values = {name: row[known[name]] if name in known else None for name in names}
            yield values | {id: str(values[id]) for id in ("page", "query") if id in values}


def spelled(build: Manifest, *names: str) -> dict[str, str]:
    """The columns that a build has of these, each by how it is spelled there."""
    spellings = ((name, SPELLINGS.get(name, (name,))) for name in names)
    pairs = ((name, next((s for s in some if s in build.features), "")) for name, some in spellings)
    return {name: spelling for name, spelling in pairs if spelling}


def built(out: Path, ends: tuple[str, ...]) -> dict[str, Path]:
    """What is built in a folder. Raises EdgeGlassError that names configs that end so."""
    try:
        return manifest.built(out)
    except EdgeGlassError as error:
        raise DataError(f"{error}. To judge, {remedy(ends)}") from None


def remedy(ends: tuple[str, ...]) -> str:
    """Which configs to build, of those whose names end so."""
    published = [name for _, name in catalog.configs() if "_sample" not in name]
    names = [name for name in published if name.endswith(ends)]
    return f"build {' and '.join(filter(None, [', '.join(names[:-1]), *names[-1:]]))}"
