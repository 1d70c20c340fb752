"""How good are answers, and how good is a retrieval run? Judged by what was built.

ANLS: Biten et al., "Scene Text Visual Question Answering" (2019), threshold 0.5, as DocVQA uses it.
nDCG and recall: trec_eval's, by ir_measures.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edge_glass.core import manifest, outputs, schema
from edge_glass.core.atomic_files import AtomicFile
from edge_glass.core.errors import ConfigError, DataError
from edge_glass.core.extras import needs
from edge_glass.domains.slides.bm25 import Index
from edge_glass.domains.slides.retrieval_set import RetrievalSet, built, remedy, rows
from edge_glass.vectors import exact_search, late_search
from edge_glass.vectors.numbered_rows import SPLIT, Filter, Table
from edge_glass.vectors.query import Column, Query, encoder_of, takes
from edge_glass.vectors.stored_vectors import Stored, Tokens, chosen, stored
from edge_glass.vectors.text_encoders import normal

THRESHOLD = 0.5  # of normalised distance, from which on an answer is worth nothing
DEPTH = 100  # documents of a query that a search gives
PAGES = ("_pages",)  # ends of configs' names
AT_ONCE = 32  # queries that are encoded

Measures = dict[str, str | float]
Run = dict[str, dict[str, float]]  # the documents of each query, with their scores
Array = np.ndarray[Any, Any]


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
            f"{out}: no question in split {split}: {remedy(PAGES)}, or name another --split"
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
    for folder in built(out, PAGES).values():
        if {"pairs", "image"} <= manifest.read(folder).features.keys():
            for row in rows(folder, split, "pairs"):
                yield from ((pair["id"], pair["answer"]) for pair in row["pairs"])
            return


def retrieval(
    out: Path,
    run: Path | None,
    split: str,
    save: Path | None,
    column: str | None = None,
    indexed: bool = False,
) -> Measures:
    """nDCG@5, nDCG@10, recall@1 and @5 of a run, of BM25 or of an embedded column of the pages.

    `column` is `column:encoder`; with `indexed`, its index is asked. Queries in several languages
    have a nDCG@10 each. Raises DataError if there is no query.
    """
    needs("Judging a retrieval run", "qa", "ir_measures")
    import ir_measures
    from ir_measures import R, nDCG

    qa_set = RetrievalSet.of(out)
    qrels = qa_set.relevant(split)
    if run:
        name, ranked = str(run), read_run(run)
    elif column:
        name, ranked = column, _ranked(qa_set, split, column, indexed, DEPTH)
    else:
        name, ranked = "BM25", bm25(qa_set, split)
    if save:
        _save(ranked, save, name)
    # a query without a document counts as 0, which trec_eval would leave out of the mean
    whole = {query: ranked.get(query) or {"": 0.0} for query in qrels}
    names = {nDCG @ 5: "nDCG@5", nDCG @ 10: "nDCG@10", R @ 1: "recall@1", R @ 5: "recall@5"}
    scores = ir_measures.calc_aggregate(list(names), qrels, whole)
    pages = sum(1 for _ in rows(qa_set.corpus, split, "page"))
    measures: Measures = {"run": name, "queries": len(qrels), "documents": pages}
    measures |= {said: float(scores[measure]) for measure, said in names.items()}
    each = {m.query_id: m.value for m in ir_measures.iter_calc([nDCG @ 10], qrels, whole)}
    return measures | _by_language(qa_set, split, each)


def _ranked(qa_set: RetrievalSet, split: str, name: str, indexed: bool, depth: int) -> Run:
    """The `depth` best pages of each query by an embedded column, `column:encoder`.

    All pages of the split are compared, or with `indexed` those that the column's index gives.
    Raises EdgeGlassError if the column is not embedded, or by a model that takes no texts.
    """
    column = chosen(stored(qa_set.corpus), name, late=True)
    if not takes(column, "text"):
        raise ConfigError(f"{column.name}: its model takes no texts: embed with one that does")
    column.check()
    among = Table(qa_set.corpus).passing([Filter(SPLIT, "=", split)], unsafe=True)
    assert among is not None
    pages = np.flatnonzero(among).tolist()
    ids = dict(zip(pages, (row["page"] for row in rows(qa_set.corpus, split, "page")), strict=True))
    asked = qa_set.questions(split)
    hits = (_by_index if indexed else _exactly)(column, [*asked.values()], among, depth)
    return {
        query: {ids[n]: s for n, s in zip(rows_.tolist(), scores.tolist(), strict=True) if n >= 0}
        for query, (rows_, scores) in zip(asked, hits, strict=True)
    }


def _exactly(
    column: Stored, texts: list[str], among: Array, depth: int
) -> Iterator[tuple[Array, Array]]:
    """Rows and scores of the best pages of each text, all of them compared in one go."""
    encoder = encoder_of(column, "text")
    starts = range(0, len(texts), AT_ONCE)
    batches = (encoder.encode([*map(encoder.prepare, texts[at : at + AT_ONCE])]) for at in starts)
    queries = [query for batch in batches for query in batch]
    if isinstance(column, Tokens):
        places, scores = late_search.top(
            [*map(normal, queries)], column, depth, np.flatnonzero(among)
        )
    else:
        blocks = ((n[among[n]], normal(vectors[among[n]])) for n, vectors in column.blocks())
        places, scores = exact_search.top(normal(queries), blocks, depth)
    yield from zip(places, scores, strict=True)


def _by_index(
    column: Stored, texts: list[str], among: Array, depth: int
) -> Iterator[tuple[Array, Array]]:
    """Rows and scores of the best pages of each text, by the column's index."""
    indexed = Column(column)
    for text in texts:
        hits = indexed.index.find(indexed.vector(Query("text", text)), depth, among)
        yield hits.rows, hits.scores


def _by_language(qa_set: RetrievalSet, split: str, scores: dict[str, float]) -> Measures:
    """The mean nDCG@10 of the queries of each language, if there are several."""
    spoken = rows(qa_set.queries, split, "query", "language")
    languages = {row["query"]: row["language"] or "" for row in spoken}
    measures: Measures = {}
    for language in sorted(set(languages.values())) if len(set(languages.values())) > 1 else ():
        values = [value for query, value in scores.items() if languages.get(query) == language]
        measures[f"nDCG@10, {language}"] = sum(values) / max(1, len(values))
    return measures


def bm25(qa_set: RetrievalSet, split: str) -> Run:
    """The best documents of each query by BM25."""
    texts = qa_set.texts(split)
    index, ids = Index([*texts.values()]), [*texts]
    return {
        query: {ids[at]: score for at, score in index.top(question, DEPTH)}
        for query, question in qa_set.questions(split).items()
    }


def read_run(path: Path) -> Run:
    """A run out of TREC's format, or out of JSON: `{query: {document: score}}`.

    Raises DataError for others.
    """
    import ir_measures

    ranked: Run = {}
    try:
        text = path.read_text(encoding="utf-8")
        if text.lstrip().startswith("{"):
            ranked = schema.adapter(Run).validate_json(text)
            return ranked
        for scored in ir_measures.read_trec_run(f"{text}\n"):
            ranked.setdefault(scored.query_id, {})[scored.doc_id] = scored.score
    except ValueError as error:
        raise DataError(
            f"{path}: expected a run, `query Q0 document rank score name` a line, or JSON "
            f'{{"query": {{"document": score}}}}; found: {error}'
        ) from None
    return ranked


def _save(run: Run, path: Path, name: str) -> None:
    tag = "-".join(name.lower().split())
    outputs.check_marked(path, f" {tag}\n".encode())
    with AtomicFile(path) as file:
        for query, scores in run.items():
            for rank, (document, score) in enumerate(scores.items(), 1):
                file.write(f"{query} Q0 {document} {rank} {score:.6f} {tag}\n".encode())
