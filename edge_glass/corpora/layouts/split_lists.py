"""Splits by lists: text files among the data that name the records of a split, a line each.

A line names a record by its file or by a key, with or without the folders before it and the
suffix. Behind a name there may be more, after a blank, a tab, a comma or `|`.
"""

import re
from array import array
from collections.abc import Callable, Iterator
from functools import partial
from itertools import accumulate, chain, islice
from pathlib import PurePosixPath

from edge_glass.core.errors import ConfigError, SourceError
from edge_glass.core.key_digests import rank
from edge_glass.core.libraries import np
from edge_glass.core.spec import Splits
from edge_glass.corpora.layouts import values
from edge_glass.corpora.layouts.media_folders import kind_of
from edge_glass.corpora.layouts.record import Files
from edge_glass.corpora.layouts.tables import split_word
from edge_glass.sources.folder import nfc

ENDINGS = (".txt", ".lst", ".list")
BEHIND = re.compile(r"[\s,|]")
TRIED = 20  # lines by which a list is told
SHOWN = 3  # names in a message


def splitter(rule: Splits, every: list[Files]) -> Callable[[str], str | None]:
    """What says the split of a record, out of what the rule looks at (see `values.split_of`)."""
    return Lists(rule, every).split_of if rule.by == "list" else partial(values.split_of, rule)


class Lists:
    """The names in the lists of all splits, by their digests.

    Raises EdgeGlassError if a list is not there, or two of different splits have the same name.
    """

    def __init__(self, rule: Splits, every: list[Files]) -> None:
        self._splits, self._every = rule.names, every
        self._rest = next((split for split, lists in rule.names.items() if not lists), None)
        digests, splits = array("Q"), bytearray()
        for number, lists in enumerate(rule.names.values()):
            for line in chain.from_iterable(map(self._lines, lists)):
                digests.extend(_digests(line))
                splits += bytes([number]) * (len(digests) - len(splits))
        every_digest = np.frombuffer(digests, np.uint64)
        order = np.argsort(every_digest, kind="stable")
        self._digests, self._of = every_digest[order], np.frombuffer(splits, np.uint8)[order]
        self._named = np.zeros(len(order), bool)
        twice = (self._digests[1:] == self._digests[:-1]) & (self._of[1:] != self._of[:-1])
        if twice.any():
            self._must_be_one(int(self._digests[1:][twice][0]))

    def split_of(self, said: str) -> str | None:
        """The split of the list that has this record; of one that none has that without a list.

        Raises ConfigError if several have it.
        """
        names = [*accumulate(reversed(_stem(said).split("/")), lambda end, part: f"{part}/{end}")]
        numbers = {
            int(self._of[at]) for name in names if (at := self._at(_digest(name))) is not None
        }
        if len(numbers) > 1:
            lists = [*self._splits.values()]
            there = ", ".join(name for at in sorted(numbers) for name in lists[at])
            raise ConfigError(
                f"{said} is in the lists of two splits ({there}): correct one of them"
            )
        return [*self._splits][numbers.pop()] if numbers else self._rest

    def unmatched(self) -> Iterator[tuple[str, int, list[str]]]:
        """Of each list with names that no record has had until now how many, and the first."""
        for name in (name for lists in self._splits.values() for name in lists):
            lost = [line for line in self._lines(name) if not any(map(self._was, _digests(line)))]
            if lost:
                yield name, len(lost), lost[:SHOWN]

    def _at(self, digest: int) -> int | None:
        at = int(np.searchsorted(self._digests, np.uint64(digest)))
        if at == len(self._digests) or int(self._digests[at]) != digest:
            return None
        self._named[at] = True
        return at

    def _was(self, digest: int) -> bool:
        return bool(self._named[np.searchsorted(self._digests, np.uint64(digest))])

    def _lines(self, name: str) -> Iterator[str]:
        files = next((each for each in self._every if each.there(name)), None)
        if files is None:
            raise SourceError(
                f"{self._every[0].raw.corpus}: the list of a split {name} is not there"
            )
        return _lines(files, name)

    def _must_be_one(self, digest: int) -> None:
        places = {
            name: line
            for lists in self._splits.values()
            for name in lists
            for line in self._lines(name)
            if digest in _digests(line)
        }
        line, named = next(iter(places.values())), " and ".join(places)
        raise ConfigError(f"{line} is in {named}: correct one, or leave one out")


def names(rule: Splits) -> tuple[str, ...]:
    """All lists of a rule."""
    return tuple(chain.from_iterable(rule.names.values())) if rule.by == "list" else ()


def seen(files: Files) -> list[str]:
    """Text files that name media files, in folders where one of them is called as a split."""
    every = [*files.names()]
    texts = [name for name in every if name.lower().endswith(ENDINGS)]
    folders = {name.rpartition("/")[0] for name in texts if word(name)}
    near = [name for name in texts if name.rpartition("/")[0] in folders]
    if not near:
        return []
    stems = {_digest(_stem(name).rpartition("/")[2]) for name in every if kind_of(name)}
    lists = [name for name in near if _is_list(files, name, stems)]
    return lists if any(map(word, lists)) else []


def _is_list(files: Files, name: str, stems: set[int]) -> bool:
    lines = [*islice(_lines(files, name), TRIED)]
    ends = ({_digest(each.rpartition("/")[2]) for each in _names(line)} for line in lines)
    urls = any("://" in line for line in lines)
    return not urls and 2 * sum(bool(end & stems) for end in ends) >= max(1, len(lines))


def word(name: str) -> str:
    """The word for a split in a list's own name; empty if there is none."""
    return split_word(f"{PurePosixPath(name).stem}.txt")


def _lines(files: Files, name: str) -> Iterator[str]:
    root = files.root
    for line in files.text(name).splitlines():
        text = line.strip()
        for start in ("./", f"{root.absolute()}/", f"{root.name}/"):
            text = text.removeprefix(start)
        if text:
            yield text


def _names(line: str) -> set[str]:
    """What a line may name: the whole of it, and what stands before a blank or the like."""
    whole = {_stem(line)}
    return whole if kind_of(line) else whole | {_stem(BEHIND.split(line, maxsplit=1)[0])}


def _digests(line: str) -> set[int]:
    return {*map(_digest, _names(line))}


def _digest(name: str) -> int:
    return rank(0, nfc(name))


def _stem(name: str) -> str:
    """A name without the suffix of a media file."""
    return name.rpartition(".")[0] if kind_of(name) else name
