"""The 1,000 classes of ImageNet-1k: ids, names, WordNet 3.0 lemmas and definitions, templates."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from edge_glass.errors import EdgeGlassError, raise_all
from edge_glass.shards import Whole

TEMPLATES = {"cname": ("{}",), "a+cname": ("a {}",), "photo": ("a photo of a {}",)}


@dataclass(frozen=True, slots=True)
class Class:
    """A class; its label is its place among the sorted wnids."""

    wnid: str
    name: str  # as OpenAI prompts CLIP with
    lemmas: tuple[str, ...]  # of its synset, WordNet's first one first
    definition: str

    @property
    def query(self) -> str:
        """What captions are compared with: `<first lemma> which is <definition>` (LAIONet)."""
        return f"{self.lemmas[0]} which is {self.definition}"


@cache
def imagenet() -> tuple[Class, ...]:
    """The classes in the order of their wnids, which is that of labels."""
    lines = _text("classes.tsv").splitlines()[1:]
    records = (line.split("\t") for line in lines)
    return tuple(Class(w, n, tuple(lemmas.split("|")), text) for w, n, lemmas, text in records)


@cache
def labels() -> dict[str, int]:
    """Wnid -> label."""
    return {found.wnid: label for label, found in enumerate(imagenet())}


@cache
def in100() -> tuple[str, ...]:
    """The wnids of ImageNet-100, sorted."""
    return tuple(_text("in100.txt").split())


@cache
def templates(mode: str) -> tuple[str, ...]:
    """The prompts of a mode, `{}` for the class: one, or OpenAI's 80."""
    return tuple(_text("templates.txt").splitlines()) if mode == "openai80" else TEMPLATES[mode]


def listed(wnids: Iterable[str]) -> tuple[str, ...]:
    """Wnids, sorted; `in100` stands for ImageNet-100. Raises EdgeGlassError for a stranger."""
    found = {w for name in wnids for w in (in100() if name == "in100" else (name,))}
    strangers = sorted(found - labels().keys())
    raise_all(f"{name}: no wnid of ImageNet-1k; they look like n01440764" for name in strangers)
    return tuple(sorted(found))


def frequencies(path: Path) -> dict[str, int]:
    """Wnid -> rows, out of a file of lines `name<TAB>count`, as `write_frequencies` makes.

    A name is a wnid or a class's name; a name that two classes have is read in class order.
    """
    waiting: dict[str, list[str]] = {}
    for found in imagenet():
        waiting.setdefault(found.name, []).append(found.wnid)
        waiting[found.wnid] = [found.wnid]
    counts, problems = dict.fromkeys(labels(), 0), []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        name, _, count = line.rpartition("\t")
        if not waiting.get(name) or not count.isdecimal():
            problems.append(f"{path}, line {number}: expected `name<TAB>count`, found {line!a}")
        else:
            counts[waiting[name].pop(0)] = int(count)
    if problems:
        raise EdgeGlassError(*problems[:10])
    return counts


def write_frequencies(folder: Path, stem: str, counts: Mapping[str, int]) -> None:
    """Write `<stem>_ori.txt` in class order and `<stem>.txt` from the largest class down.

    Lines are `name<TAB>count` of all 1,000 classes, without a header (Wen et al., 2024).
    """
    rows = [(found.name, counts.get(found.wnid, 0)) for found in imagenet()]
    for name, lines in (
        (f"{stem}_ori.txt", rows),
        (f"{stem}.txt", sorted(rows, key=lambda row: -row[1])),
    ):
        with Whole(folder / name) as file:
            file.write("".join(f"{name}\t{count}\n" for name, count in lines).encode())


def shared() -> frozenset[str]:
    """The lemmas that two classes have."""
    counts = Counter(lemma for found in imagenet() for lemma in set(found.lemmas))
    return frozenset(lemma for lemma, number in counts.items() if number > 1)


def _text(name: str) -> str:
    return (resources.files("edge_glass.tables") / "imagenet" / name).read_text(encoding="utf-8")
