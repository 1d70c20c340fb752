"""How good are answers, and how good is a retrieval run? Judged by what was built.

ANLS: Biten et al., "Scene Text Visual Question Answering" (2019), threshold 0.5, as DocVQA uses it.
nDCG and recall: trec_eval's, by ir_measures.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge_glass.core import manifest, parquet
from edge_glass.core.atomic_files import Whole
from edge_glass.core.columns import ColumnRole
from edge_glass.core.errors import DataError, EdgeGlassError
from edge_glass.core.extras import needs
from edge_glass.corpora import catalog
from edge_glass.domains.slides.bm25 import Index

THRESHOLD = 0.5  # of normalised distance, from which on an answer is worth nothing
DEPTH = 100  # documents of a query that BM25 gives
PAGES, RETRIEVAL = ("_pages",), ("-corpus", "-queries", "-qrels")  # ends of configs' names
Run = dict[str, dict[str, float]]
Measures = dict[str, str | float]


def anls(answer: str, right: list[str]) -> float:
    """The similarity of an answer with the most similar right one, 0 to 1; case does not count."""
    needs("ANLS", "qa", "rapidfuzz")
    from rapidfuzz.distance import Levenshtein

    apart = min(Levenshtein.normalized_distance(_plain(answer), _plain(one)) for one in right)
    return 1.0 - apart if apart < THRESHOLD else 0.0


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


def answers(out: Path, predictions: Path, split: str) -> Measures:
    """Mean ANLS and exact match over all questions of a split; one without an answer counts as 0.

    `predictions` is DocVQA's file: a JSON list of `{"questionId": …, "answer": …}`.

    Raises DataError if there is no question, or the file is another.
    """
    said = _predictions(predictions)
    right = dict(_questions(out, split))
    if not right:
        raise DataError(
            f"{out}: no question in split {split}: {_remedy(PAGES)}, or name another --split"
        )
    scores = [anls(said[id], [answer]) if id in said else 0.0 for id, answer in right.items()]
    exact = [id in said and _plain(said[id]) == _plain(answer) for id, answer in right.items()]
    return {
        "ANLS": sum(scores) / len(scores),
        "exact match": sum(exact) / len(exact),
        "questions": len(right),
        "without an answer": len(right.keys() - said.keys()),
        "answers to no question": len(said.keys() - right.keys()),
    }


def _predictions(path: Path) -> dict[str, str]:
    try:
        answers = json.loads(path.read_text(encoding="utf-8"))
        return {str(one["questionId"]): str(one["answer"]) for one in answers}
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise DataError(
            f'{path}: expected DocVQA\'s predictions, [{{"questionId": "…", "answer": "…"}}, …], '
            f"found: {type(error).__name__}: {error}"
        ) from None


def _questions(out: Path, split: str) -> Iterator[tuple[str, str]]:
    """Each question of a split with its answer, out of the first config that has a row a slide."""
    for folder in _built(out, PAGES).values():
        if {"pairs", "image"} <= manifest.read(folder).features.keys():
            for row in _rows(folder, split, ["pairs"]):
                yield from ((pair["id"], pair["answer"]) for pair in row["pairs"])
            return


def retrieval(out: Path, run: Path | None, split: str, save: Path | None) -> Measures:
    """nDCG@5 and recall@1 and @5 of a run, or of BM25 over the texts of the corpus.

    Raises DataError if there is no query.
    """
    needs("Judging a retrieval run", "qa", "ir_measures")
    import ir_measures
    from ir_measures import R, nDCG

    parts = _parts(out)
    qrels: dict[str, dict[str, int]] = {}
    for row in _rows(parts["qrels"], split, ["query-id", "corpus-id", "score"]):
        qrels.setdefault(row["query-id"], {})[row["corpus-id"]] = row["score"]
    if not qrels:
        raise DataError(f"{parts['qrels']}: no query in split {split}: name another --split")
    ranked = read_run(run) if run else bm25(parts, split)
    if save:
        _save(ranked, save)
    wanted = {nDCG @ 5: "nDCG@5", R @ 1: "recall@1", R @ 5: "recall@5"}
    # a query without a document counts as 0, which trec_eval would leave out of the mean
    whole = {query: ranked.get(query) or {"": 0.0} for query in qrels}
    scores = ir_measures.calc_aggregate(list(wanted), qrels, whole)
    slides = sum(1 for _ in _rows(parts["corpus"], split, ["id"]))
    about: Measures = {
        "run": str(run) if run else "BM25",
        "queries": len(qrels),
        "documents": slides,
    }
    return about | {name: float(scores[measure]) for measure, name in wanted.items()}


def _parts(out: Path) -> dict[str, Path]:
    """The three configs of a retrieval set, told by their names and columns."""
    built = _built(out, RETRIEVAL)
    for name, folder in built.items():
        stem = name.removesuffix("-qrels")
        if stem != name and {"query-id", "corpus-id"} <= manifest.read(folder).features.keys():
            parts = {part: f"{stem}-{part}" for part in ("corpus", "queries", "qrels")}
            if missing := [config for config in parts.values() if config not in built]:
                raise DataError(
                    f"{out}: {', '.join(missing)} is not built: build it as well, from the same "
                    f"decks and with the same options as {name}"
                )
            return {part: built[config] for part, config in parts.items()}
    raise DataError(
        f"{out}: no retrieval set (<config>-corpus, -queries, -qrels) is built: "
        f"{_remedy(RETRIEVAL)}"
    )


def _built(out: Path, ends: tuple[str, ...]) -> dict[str, Path]:
    try:
        return manifest.built(out)
    except EdgeGlassError as error:
        raise DataError(f"{error}. To judge, {_remedy(ends)}") from None


def _remedy(ends: tuple[str, ...]) -> str:
    """Which configs to build, of those whose names end so."""
    published = [name for _, name in catalog.configs() if "_sample" not in name]
    names = [name for name in published if name.endswith(ends)]
    return f"build {' and '.join(filter(None, [', '.join(names[:-1]), *names[-1:]]))}"


def bm25(parts: dict[str, Path], split: str) -> Run:
    """The best documents of each query by BM25. Raises DataError if nothing is text."""
    build = manifest.read(parts["corpus"])
    if not (texts := build.with_role(ColumnRole.CAPTION)):
        raise DataError(f"{parts['corpus']}: no column of texts to search")
    ids, documents = [], []
    for row in _rows(parts["corpus"], split, ["id", texts[0]]):
        ids.append(row["id"])
        documents.append(row[texts[0]] or "")
    index = Index(documents)
    queries = _rows(parts["queries"], split, ["id", "text"])
    return {
        row["id"]: {ids[place]: score for place, score in index.top(row["text"], DEPTH)}
        for row in queries
    }


def read_run(path: Path) -> Run:
    """A run out of TREC's format, or out of JSON: `{query: {document: score}}`.

    Raises DataError for others.
    """
    ranked: Run = {}
    try:
        text = path.read_text(encoding="utf-8")
        if text.lstrip().startswith("{"):
            return {
                str(query): {str(document): float(score) for document, score in scores.items()}
                for query, scores in json.loads(text).items()
            }
        for line in filter(str.strip, text.splitlines()):
            query, _, document, _, score, _ = line.split()
            ranked.setdefault(query, {})[document] = float(score)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(
            f"{path}: expected a run, `query Q0 document rank score name` a line, or JSON "
            f'{{"query": {{"document": score}}}}; found: {error}'
        ) from None
    return ranked


def _save(run: Run, path: Path) -> None:
    with Whole(path) as file:
        for query, scores in run.items():
            for rank, (document, score) in enumerate(scores.items(), 1):
                file.write(f"{query} Q0 {document} {rank} {score:.6f} bm25\n".encode())


def _rows(folder: Path, split: str, columns: list[str]) -> Iterator[dict[str, Any]]:
    facts = manifest.read(folder).splits.get(split)
    for shard in facts.shards if facts else ():
        yield from parquet.rows(folder / shard.file, columns)
