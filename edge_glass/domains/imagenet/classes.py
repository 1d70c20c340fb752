"""The 1,000 classes of ImageNet-1k: ids, names, WordNet 3.0 lemmas and definitions, templates."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from edge_glass.core.atomic_files import AtomicFile
from edge_glass.core.errors import ConfigError, raise_all

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
        """What captions are compared with: `<first lemma> which is <definition>` (LAIONet).

        The lemma in lower case, as NLTK names a synset.
        """
        return f"{self.lemmas[0].lower()} which is {self.definition}"


@cache
def imagenet() -> tuple[Class, ...]:
    """The classes in the order of their wnids, which is that of labels."""
    lines = _text("classes.tsv").splitlines()[1:]
    records = (line.split("\t") for line in lines)
    return tuple(Class(w, n, tuple(lemmas.split("|")), text) for w, n, lemmas, text in records)


@cache
def labels() -> dict[str, int]:
    """Wnid -> label."""
    return {synset.wnid: label for label, synset in enumerate(imagenet())}


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
    chosen = {w for name in wnids for w in (in100() if name == "in100" else (name,))}
    strangers = sorted(chosen - labels().keys())
    lost = (f"{name}: no wnid of ImageNet-1k; they look like n01440764" for name in strangers)
    raise_all(lost, ConfigError)
    return tuple(sorted(chosen))


@cache
def aliases() -> tuple[dict[str, tuple[int, ...]], ...]:
    """Labels by name, the surest names first: wnids and our names, other lists', WordNet's."""
    lines = (line.split("\t") for line in _text("aliases.tsv").splitlines()[1:])
    others = [(name, labels()[wnid]) for wnid, name in lines]
    ours: list[tuple[str, int]] = []
    lemmas: list[tuple[str, int]] = []
    for label, synset in enumerate(imagenet()):
        ours += [(synset.wnid, label), (synset.name, label)]
        # what lists that come of WordNet call a class: a lemma, or all of them
        names = {*synset.lemmas, ", ".join(synset.lemmas), " ".join(synset.lemmas)}
        lemmas += [(name, label) for name in names]
    return _grouped(ours), _grouped(others), _grouped(lemmas)


def _grouped(pairs: list[tuple[str, int]]) -> dict[str, tuple[int, ...]]:
    """Name -> its labels."""
    grouped: dict[str, tuple[int, ...]] = {}
    for name, label in pairs:
        grouped[name] = (*grouped.get(name, ()), label)
    return grouped


def our_wnid(wnid: str | None) -> str | None:
    """The wnid that we have for a class where others have another; any other one as it is."""
    label = next(iter(aliases()[1].get(wnid or "", ())), None)
    return wnid if label is None else imagenet()[label].wnid


def frequencies(path: Path) -> dict[str, int]:
    """How many rows of each class a file asks for, as `write_frequencies` makes it.

    A name is a wnid or what a public list of the classes calls one. A file of all of them in class
    order is read by position, whatever a few are called. A name of two classes is the one's that
    no other line names.

    Args:
        path: of a file of lines `name<TAB>count`.

    Returns:
        Wnid -> rows.

    Raises:
        ConfigError: a line is none, a class stands there twice, or may be one of two.
    """
    lines = [line.rpartition("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    names = [name.strip().replace("_", " ") for name, _, _ in lines]
    choices = [next((tier[name] for tier in aliases() if name in tier), ()) for name in names]
    if len(choices) == len(labels()) and _in_class_order(names):
        choices = [(label,) for label in range(len(choices))]
    sure = {choice[0] for choice in choices if len(choice) == 1}
    choices = [tuple(label for label in c if label not in sure) or c for c in choices]
    counts, problems = dict.fromkeys(labels(), 0), []
    seen: set[int] = set()
    for number, ((name, _, count), choice) in enumerate(zip(lines, choices, strict=True), 1):
        where = f"{path}, line {number}"
        if not choice or not count.isdecimal():
            line = f"{name}\t{count}" if name else count
            problems.append(f"{where}: expected `name<TAB>count`, found {line!a}")
        elif len(choice) > 1 or choice[0] in seen:
            wnids = ", ".join(imagenet()[label].wnid for label in choice)
            problems.append(f"{where}: {name!a} is {wnids}, or stands there twice: write wnids")
        else:
            seen.add(choice[0])
            counts[imagenet()[choice[0]].wnid] = int(count)
    if problems:
        raise ConfigError(*problems[:10])
    return counts


def _in_class_order(names: list[str]) -> bool:
    """Whether nine in ten names stand where their class does."""
    right = sum(
        any(label in tier.get(name, ()) for tier in aliases()) for label, name in enumerate(names)
    )
    return right >= 0.9 * len(names)


def write_frequencies(
    folder: Path, stem: str, counts: Mapping[str, int], wnids: Iterable[str] | None = None
) -> None:
    """Write `<stem>_ori.txt` in class order and `<stem>.txt` from the largest class down.

    Lines are `name<TAB>count` of all classes, or of `wnids`; no header (Wen et al., 2024). As
    theirs, a class that shares its name is called by its first lemma.
    """
    wanted = labels().keys() if wnids is None else set(wnids)
    alike = Counter(c.name for c in imagenet())
    named = {c.wnid: c.name if alike[c.name] == 1 else c.lemmas[0] for c in imagenet()}
    rows = [(named[c.wnid], counts.get(c.wnid, 0)) for c in imagenet() if c.wnid in wanted]
    for name, lines in (
        (f"{stem}_ori.txt", rows),
        (f"{stem}.txt", sorted(rows, key=lambda row: -row[1])),
    ):
        with AtomicFile(folder / name) as file:
            file.write("".join(f"{name}\t{count}\n" for name, count in lines).encode())


def shared(without: str = "") -> frozenset[str]:
    """The lemmas that two classes have, one of them left out where its wnid is given."""
    counts = Counter(lemma for c in imagenet() if c.wnid != without for lemma in set(c.lemmas))
    return frozenset(lemma for lemma, number in counts.items() if number > 1)


def _text(name: str) -> str:
    return (resources.files("edge_glass.domains.imagenet") / "data" / name).read_text(
        encoding="utf-8"
    )
