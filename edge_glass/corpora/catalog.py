"""Finds corpora and their configs, ours and other people's."""

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

import yaml

from edge_glass.core.errors import ConfigError, meant
from edge_glass.core.spec import Spec, of_package

if TYPE_CHECKING:  # what there is, is known from the YAML alone: no builder is imported for it
    from edge_glass.corpora.corpus import Corpus

GROUP = "edge_glass.corpora"


@dataclass(frozen=True)
class Variant:
    """A published config, or one with parameters of the user's own."""

    corpus: str
    base: str
    name: str
    overrides: dict[str, Any] = field(default_factory=dict)

    def builder(self, cache_dir: str) -> "Corpus":
        """The builder of this variant; `datasets` keeps its locks in `cache_dir`."""
        kind = corpus(self.corpus)
        # a hash keeps the caches of `datasets` apart, and nothing is cached here
        builder = kind(cache_dir=cache_dir, config_name=self.base, hash=self.base)
        builder.config = kind.configure(self.base, self.name, **self.overrides)
        return builder


@cache
def corpora() -> dict[str, str]:
    """Corpus -> the package that has it: every `configs/*.yaml` of ours and of entry points."""
    packages = ["edge_glass", *(entry.value for entry in entry_points(group=GROUP))]
    found: dict[str, str] = {}
    for package in packages:
        for path in sorted(resources.files(f"{package}.configs").iterdir(), key=lambda p: p.name):
            if path.name.endswith(".yaml"):
                found.setdefault(path.name.removesuffix(".yaml"), package)
    return found


@cache
def corpus(name: str) -> "type[Corpus]":
    """The builder class of a corpus. Raises EdgeGlassError if there is none."""
    from edge_glass.corpora.corpus import Corpus

    module = importlib.import_module(f"{_package(name)}.builders.{name}")
    return next(
        thing
        for thing in vars(module).values()
        if isinstance(thing, type)
        and issubclass(thing, Corpus)
        and thing.__module__ == module.__name__
    )


def spec(name: str) -> Spec:
    """What the YAML of a corpus says. Raises EdgeGlassError if there is none."""
    return of_package(_package(name), name)


def _package(name: str) -> str:
    if name not in corpora():
        raise ConfigError(f"no corpus {name}{_near(name, corpora())}")
    return corpora()[name]


def configs() -> Iterator[tuple[str, str]]:
    """Every corpus with each of its published configs."""
    for name in corpora():
        for config in spec(name).configs:
            yield name, config


def samples() -> list[str]:
    """The sample config of every corpus."""
    return [f"{name}_sample" for name in corpora()]


def variant(base: str, overrides: dict[str, Any] | None = None, name: str | None = None) -> Variant:
    """The config `base` with overrides, named by `name` or by what is overridden.

    Raises EdgeGlassError if there is no such config, parameter or value.
    """
    known = {config: corpus for corpus, config in configs()}
    if base not in known:
        raise ConfigError(f"no config {base}{_near(base, known)}")
    overrides = overrides or {}
    name = name or "-".join([base, *(_suffix(*item) for item in overrides.items())])
    if overrides and name in known:
        raise ConfigError(f"{name} is a published config: name the variant otherwise")
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise ConfigError(f"{name!r} is no config name: use letters, digits, _ - and .")
    corpus(known[base]).configure(base, name, **overrides)
    return Variant(known[base], base, name, overrides)


def parse_overrides(settings: list[str]) -> dict[str, Any]:
    """YAML values by name: `["subset=500", "splits=[train]"]`."""
    found = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        try:
            found[key.strip()] = yaml.safe_load(value)
        except (yaml.YAMLError, ValueError, TypeError, RecursionError):
            raise ConfigError(f"--set {setting}: {value} is no YAML value") from None
        if not equals or not key.strip():
            raise ConfigError(f"--set {setting}: write it as NAME=VALUE, e.g. sample_rate=22050")
    return found


def _suffix(key: str, value: Any) -> str:
    return re.sub(r"[^\w.]+", "-", f"{key}-{value}").strip("-")


def _near(name: str, known: Any) -> str:
    return f"{meant(name, known)} (see `edge-glass list`)"
