"""Which records are in which split: as the user says, or as names of folders and values say."""

import re
from collections import Counter
from collections.abc import Iterable
from itertools import groupby, islice
from pathlib import PurePosixPath

from edge_glass.core.errors import ChoiceError, ConfigError, absent
from edge_glass.core.spec import Splits
from edge_glass.corpora.key_profile import FEW, KeyProfile
from edge_glass.corpora.layouts import split_lists, tables
from edge_glass.corpora.layouts.record import Files
from edge_glass.corpora.own_columns import stop

SPLITS = ("split", "subset", "partition", "set")
WORDS = {word: name for name, all_ in tables.WORDS.items() for word in all_}


def rule(
    name: str,
    asked: str | None,
    folders: Counter[str],
    keys: dict[str, KeyProfile],
    lists: list[str],
    *,
    listed: str | None,
    files: dict[str, bool],
) -> Splits:
    """The rule for data called `name`. Raises ConfigError if it is to be said which one.

    `lists`: those that were seen, and `listed` the key whose values they have; `files`: the keys
    of files or URLs that several records may have, and whether lists of them.
    """
    if asked:
        return _asked(name, asked, folders, keys, listed, files)
    words = {k: {w.lower() for w in p.few} for k, p in keys.items() if k.lower() in SPLITS}
    said = [key for key, all_ in words.items() if all_ and all_ <= WORDS.keys()]
    for key in words if not said else ():
        if some := words[key] & WORDS.keys():
            others = ", ".join(sorted(words[key] - some)) or "none"
            raise stop(
                name, f"{key} has names of splits ({', '.join(sorted(some))}), and {others}",
                f"--split key={key}  (each value is a split)", "--split all  (everything is train)",
            )  # fmt: skip
    named = [folder for folder in folders if folder in WORDS]
    ways = {"folders": "--split folder"} if named else {}
    ways |= {said[0]: f"--split key={said[0]}"} if said else {}
    ways |= {"lists": f"--split list={','.join(lists)}"} if lists else {}
    if len(ways) > 1:
        raise stop(
            name, f"{' and '.join(ways)} may each say the splits", *ways.values(), "--split all"
        )
    if lists and not chosen(lists):
        near = (chosen([*some]) for _, some in groupby(lists, key=lambda n: n.rpartition("/")[0]))
        sets = (f"--split list={','.join(few or lists[:2])}" for few in near)
        raise stop(
            name,
            f"there are {len(lists)} lists of files, and several may be of one split",
            *sets,
            "--split all",
        )
    if lists:
        return _by_lists(chosen(lists), listed)
    if said:
        return Splits(by="key", key=said[0], names=_names(keys[said[0]].few))
    if named and len(named) < len(folders):
        others = ", ".join(sorted(filter(None, set(folders) - set(named)))) or "files beside them"
        raise stop(
            name, f"{', '.join(named)} are names of splits, {others} are not",
            "--split folder  (each folder is a split)", "--split all  (everything is train)",
        )  # fmt: skip
    return Splits(by="folder", names=_names(named)) if named else Splits()


def _names(words: Iterable[str]) -> dict[str, list[str]]:
    """The splits that words are, under names that `datasets` takes; the usual ones first.

    Where several words are of one split (`dev`, `val`), each is a split under its own name.
    Raises ConfigError if two of these differ in nothing that names keep apart.
    """
    usual = {word: WORDS.get(word.lower(), "") for word in words}
    order, said = [*tables.WORDS, ""], Counter(usual.values())
    named: dict[str, list[str]] = {}
    for word in sorted(usual, key=lambda word: (order.index(usual[word]), word)):
        alone = usual[word] if said[usual[word]] == 1 else ""
        name = alone or re.sub(r"\W+", "_", word) or "_"
        if other := next((each for each in named if each.lower() == name.lower()), None):
            alike = (named[other] or [other])[0]
            raise ConfigError(
                f"{alike!r} and {word!r} would be one split, {name}: rename one of them, or begin "
                "with `init --split all` and write into the YAML which splits they are"
            )
        named[name] = [word] if name != word else []
    return named


def lists_of(files: Files, asked: str | None) -> list[str]:
    """The lists that the user names. Raises ConfigError if there is none of that name."""
    if asked is None or not asked.startswith("list="):
        return []
    lists = asked.removeprefix("list=").partition(" by ")[0].split(",")
    for each in lists:
        if not files.there(each):
            texts = (name for name in files.names() if name.lower().endswith(split_lists.ENDINGS))
            raise ConfigError(f"--split {asked}: {absent('file', each, islice(texts, FEW))}")
    return lists


def _word(list_: str) -> str:
    """The word for a split in a list's name, or the name."""
    return split_lists.word(list_) or PurePosixPath(list_).stem


def _by_lists(lists: list[str], key: str | None) -> Splits:
    """The rule of these lists; what none names is `train`, where no list is of it."""
    words: dict[str, list[str]] = {}
    for each in lists:
        words.setdefault(_word(each), []).append(each)
    names = {split: words[(said or [split])[0]] for split, said in _names(words).items()}
    rest: dict[str, list[str]] = {} if "train" in map(WORDS.get, words) else {"train": []}
    return Splits(by="list", names=rest | names, key=key)


def chosen(lists: list[str]) -> list[str]:
    """Of lists that were seen one of each split; none if it is to be said which."""
    lists = [each for each in lists if split_lists.word(each)]  # and not trainval
    exact = [each for each in lists if PurePosixPath(each).stem.lower() in WORDS]
    for some in (lists, exact):
        if {*Counter(WORDS[_word(each)] for each in some).values()} == {1}:
            return some
    return []


def _asked(
    name: str,
    rule: str,
    folders: Counter[str],
    keys: dict[str, KeyProfile],
    listed: str | None,
    files: dict[str, bool],
) -> Splits:
    """`all`, `folder`, `key=NAME`, `list=FILE,FILE`, or shares: `train:0.9,test:0.1 by speaker`."""
    kind, _, value = rule.partition("=")
    if rule == "all":
        return Splits()
    if rule == "folder" and any(folders):
        return Splits(by="folder", names=_names(filter(None, folders)))
    if kind == "list":
        lists, _, group = value.partition(" by ")
        if group and group not in keys:
            raise ConfigError(f"--split {rule}: {absent('key', group, keys)}")
        return _by_lists(lists.split(","), group or listed)
    if kind == "key" and value in keys:
        return Splits(by="key", key=value, names=_names(keys[value].few))
    shares, _, group = rule.partition(" by ")
    try:
        parts = {name: float(share) for name, share in (p.split(":") for p in shares.split(","))}
        if group and group not in keys:
            raise ValueError
        if not group and (len(files) > 1 or any(files.values())):
            raise _files_shared(name, rule, files)
        key = group or next(iter(files), None)  # or the rows of a file came into several splits
        return Splits(by="share", names={n: [] for n in parts}, shares=parts, key=key)
    except ValueError:
        raise ConfigError(
            f"--split {rule}: use all, folder, key=NAME, list=FILE,FILE, or shares such "
            f"as 'train:0.9,test:0.1 by speaker', which add up to 1; the keys are {', '.join(keys)}"
        ) from None


def _files_shared(name: str, shares: str, files: dict[str, bool]) -> ChoiceError:
    """What is to be decided where each row has several files."""
    return stop(
        name,
        f"a row has several files ({', '.join(files)}): two rows that share some may come into "
        "different splits, unless a key says which rows stay together (a document, a scene)",
        f"--split '{shares} by KEY'",
        *(f"--split '{shares} by {key}'  (rows with the same {key})" for key in files),
    )
