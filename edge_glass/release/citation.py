"""CITATION.cff: how to cite a release, and each corpus in it (citation-file-format.github.io)."""

from hashlib import sha256
from typing import Any

import yaml

from edge_glass.core.manifest import Manifest
from edge_glass.core.row import JsonObject
from edge_glass.corpora import catalog

FILE = "CITATION.cff"
MARK = "# Written by Edge Glass. What is edited is not written again. "
KINDS = {"article": "article", "inproceedings": "conference-paper", "misc": "generic"}


def render(manifests: list[Manifest], url: str, tag: str, doi: str | None) -> str:
    """The citation of a release at `url`: its corpora are its references, from their BibTeX."""
    citations = dict.fromkeys(spec.citation for spec in catalog.specs(manifests))
    owner, name = url.split("/")[-2:]
    fields: JsonObject = {
        "cff-version": "1.2.0",
        "type": "dataset",
        "title": name,
        "message": "Please cite the corpora that you use, and this version of them.",
        "authors": [{"name": owner}],
        "version": tag.removeprefix("v"),
        "url": url,
        "references": [_reference(text) for text in citations if text],
    }
    if doi:
        fields["doi"] = doi
    text = str(yaml.safe_dump(fields, sort_keys=False, allow_unicode=True))
    return f"{MARK}{_digest(text)}\n{text}"


def is_ours(text: str | None) -> bool:
    """Whether a citation is as it was written here; what is edited by hand is its author's."""
    mark, _, rest = (text or "").partition("\n")
    return text is None or mark == f"{MARK}{_digest(rest)}"


def authors(bibtex: str) -> list[str]:
    """The names of who made what a BibTeX entry cites."""
    order = ("given-names", "name-particle", "family-names", "name")
    return [" ".join(p[k] for k in order if k in p) for p in _reference(bibtex)["authors"]]


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:16]


def _reference(bibtex: str) -> JsonObject:
    from bibtexparser import middlewares
    from bibtexparser.entrypoint import parse_string

    layers = [
        middlewares.LatexDecodingMiddleware(),
        middlewares.SeparateCoAuthors(),
        middlewares.SplitNameParts(),
    ]
    (entry,) = parse_string(bibtex, append_middleware=layers).entries
    fields = {f.key: " ".join(f.value.split()) for f in entry.fields if isinstance(f.value, str)}
    reference: JsonObject = {
        "type": KINDS.get(entry.entry_type, "generic"),
        "title": fields["title"],
        "authors": [_author(name) for name in entry["author"]],
    }
    if "year" in fields:
        reference["year"] = int(fields["year"])
    if "booktitle" in fields:
        reference["conference"] = {"name": fields["booktitle"]}
    return reference | {key: fields[key] for key in ("journal", "doi", "url") if key in fields}


def _author(name: Any) -> dict[str, str]:
    if not name.first:
        return {"name": " ".join(name.last)}
    author = {"family-names": " ".join(name.last), "given-names": " ".join(name.first)}
    return author | ({"name-particle": " ".join(name.von)} if name.von else {})
