"""Captions -> the classes whose lemmas stand in them: one pass of an Aho-Corasick automaton.

Three rules. `laionet` is that of Shirali and Hardt (2023), to the letter: punctuation becomes a
space, case counts, spaces stand on both sides, a lemma of two classes is nobody's; their 999
synsets lack the machine of two cranes, so the word is the bird's alone. `cls` is that of
Wen et al. (2024) for YFCC15M-Cls: any case, word boundaries, every lemma that is there. `word` is
ours: any case, one space for any whitespace, lemmas with the punctuation that they have, and where
lemmas overlap the first and longest alone. A lemma of two classes is the one's that has no other,
or whose first one it is; where that decides nothing, both's.
"""

import string
from collections.abc import Callable, Iterator
from functools import cache
from typing import Literal

import ahocorasick_rs

from edge_glass.core.libraries import pa
from edge_glass.domains.imagenet.classes import imagenet, shared

Rule = Literal["laionet", "word", "cls"]
Labels = tuple[int, ...]
Hit = tuple[int, int, int]  # number of the lemma, start, end
PUNCTUATION = str.maketrans(string.punctuation, " " * len(string.punctuation))
LACKING = "n03126707"  # a crane, the machine: none of the 999 synsets of `laionet`
QUOTES = str.maketrans("‘’ʼ‐‑", "'''--")  # as typographers write what WordNet has in ASCII


@cache
def matcher(rule: Rule) -> Callable[[str], Labels]:
    """A function: caption -> the labels of its classes, ascending."""
    owners = lemmas(rule)
    patterns, labels = list(owners), list(owners.values())
    prepare, chosen = {
        "laionet": (_padded, _all),
        "word": (_plain, _longest),
        "cls": (_folded, _whole),
    }[rule]
    automaton = ahocorasick_rs.AhoCorasick(patterns, ahocorasick_rs.MatchKind.Standard)

    def match(caption: str) -> Labels:
        text = prepare(caption)
        hits = automaton.find_matches_as_indexes(text, overlapping=True)
        if not hits:
            return ()
        return tuple(sorted({label for hit in chosen(text, hits) for label in labels[hit[0]]}))

    return match


def column(rule: Rule, captions: "pa.Array") -> "pa.ListArray":
    """The labels of each caption; none for a null."""
    match = matcher(rule)
    matches = [match(caption) if caption else () for caption in captions.to_pylist()]
    return pa.array(matches, pa.list_(pa.int16()))


def lemmas(rule: Rule) -> dict[str, Labels]:
    """Each lemma as the rule looks for it, and whose it is."""
    written = {"laionet": " {} ".format, "word": _plain, "cls": _folded}[rule]
    owners: dict[str, list[int]] = {}
    left_out = shared(LACKING) if rule == "laionet" else frozenset[str]()
    for label, synset in enumerate(imagenet()):
        for lemma in synset.lemmas:
            if lemma not in left_out and not (rule == "laionet" and synset.wnid == LACKING):
                owners.setdefault(written(lemma), []).append(label)
    if rule == "word":
        owners = {lemma: _main(lemma, labels) for lemma, labels in owners.items()}
    return {lemma: tuple(sorted(set(labels))) for lemma, labels in owners.items()}


def _main(lemma: str, labels: list[int]) -> list[int]:
    """Of the classes that have a lemma, the one that it most likely means, or all."""
    alone = [label for label in labels if len(imagenet()[label].lemmas) == 1]
    first = [label for label in labels if _plain(imagenet()[label].lemmas[0]) == lemma]
    return next((narrowed for narrowed in (alone, first) if len(narrowed) == 1), labels)


def _padded(caption: str) -> str:
    return f" {_text(caption).translate(PUNCTUATION)} "


def _plain(caption: str) -> str:
    return " ".join(_folded(caption).translate(QUOTES).split())


def _folded(caption: str) -> str:
    return _text(caption).casefold()


def _text(caption: str) -> str:
    """Without lone surrogates, which are no text."""
    return caption if caption.isascii() else caption.encode(errors="replace").decode()


def _all(_: str, hits: list[Hit]) -> list[Hit]:
    return hits


def _whole(text: str, hits: list[Hit]) -> Iterator[Hit]:
    """Hits with no letter, digit or underscore beside them."""
    for hit in hits:
        _, start, end = hit
        if not (_inside_word(text[start - 1 : start]) or _inside_word(text[end : end + 1])):
            yield hit


def _longest(text: str, hits: list[Hit]) -> Iterator[Hit]:
    """From the left, of what begins together the longest, and nothing that it covers."""
    reached = 0
    for hit in sorted(_whole(text, hits), key=lambda hit: (hit[1], -hit[2])):
        if hit[1] >= reached:
            reached = hit[2]
            yield hit


def _inside_word(character: str) -> bool:
    return character.isalnum() or character == "_"
