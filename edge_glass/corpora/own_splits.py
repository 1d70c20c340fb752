"""Which records are in which split: as the user says, or as names of folders and values say."""

import re
from collections import Counter
from collections.abc import Iterable

from edge_glass.core.errors import ConfigError
from edge_glass.core.spec import Splits
from edge_glass.corpora.key_profile import KeyProfile
from edge_glass.corpora.layouts import tables
from edge_glass.corpora.own_columns import stop

SPLITS = ("split", "subset", "partition", "set")
WORDS = {word: name for name, all_ in tables.WORDS.items() for word in all_}


def rule(
    name: str, asked: str | None, folders: Counter[str], keys: dict[str, KeyProfile]
) -> Splits:
    """The rule for data called `name`. Raises ConfigError if it is to be said which one."""
    if asked:
        return _asked(asked, folders, keys)
    words = {k: {w.lower() for w in p.few} for k, p in keys.items() if k.lower() in SPLITS}
    said = [key for key, all_ in words.items() if all_ and all_ <= WORDS.keys()]
    for key in words if not said else ():
        if some := words[key] & WORDS.keys():
            others = ", ".join(sorted(words[key] - some)) or "none"
            raise stop(
                name, f"{key} says {', '.join(sorted(some))}, and {others}",
                f"--split key={key}  (each is one)", "--split all  (all is train)",
            )  # fmt: skip
    named = [folder for folder in folders if folder in WORDS]
    if said and named:
        raise stop(
            name, "its folders and a key speak of splits",
            "--split folder", f"--split key={said[0]}", "--split all",
        )  # fmt: skip
    if said:
        return Splits(by="key", key=said[0], names=_names(keys[said[0]].few))
    if named and len(named) < len(folders):
        others = ", ".join(sorted(filter(None, set(folders) - set(named)))) or "files beside them"
        ways = ("--split folder  (each folder is one)", "--split all  (all is train)")
        raise stop(name, f"{', '.join(named)} are splits, {others} are not", *ways)
    return Splits(by="folder", names=_names(named)) if named else Splits()


def _names(words: Iterable[str]) -> dict[str, list[str]]:
    """The splits that words are, under names that `datasets` takes; the usual ones first."""
    ordered = sorted(words)
    usual = {word: WORDS[word.lower()] for word in ordered if word.lower() in WORDS}
    named: dict[str, list[str]] = {n: [] for n in tables.WORDS if n in usual.values()}
    for word in (*usual, *(word for word in ordered if word not in usual)):
        name = usual.get(word) or re.sub(r"\W+", "_", word) or "_"
        named.setdefault(name, []).extend([word] if name != word else [])
    return named


def _asked(rule: str, folders: Counter[str], keys: dict[str, KeyProfile]) -> Splits:
    """`all`, `folder`, `key=NAME`, or shares: `train:0.9,test:0.1 by speaker`."""
    kind, _, value = rule.partition("=")
    if rule == "all":
        return Splits()
    if rule == "folder":
        return Splits(by="folder", names=_names(filter(None, folders)))
    if kind == "key" and value in keys:
        return Splits(by="key", key=value, names=_names(keys[value].few))
    shares, _, group = rule.partition(" by ")
    try:
        parts = {name: float(share) for name, share in (p.split(":") for p in shares.split(","))}
        if group and group not in keys:
            raise ValueError
        return Splits(by="share", names={n: [] for n in parts}, shares=parts, key=group or None)
    except ValueError:
        raise ConfigError(
            f"--split {rule}: use all, folder, key=NAME, or shares such as "
            f"'train:0.9,test:0.1 by speaker', which are 1 in all; there are {', '.join(keys)}"
        ) from None
