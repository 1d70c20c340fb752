"""Finds corpora and their configs, ours and other people's."""

import importlib
import json
import re
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import yaml

from edge_glass.core import locations
from edge_glass.core.errors import ConfigError, meant
from edge_glass.core.row import Parameters
from edge_glass.core.spec import Own, Spec, corpus_of, of_package, read_spec, room

if TYPE_CHECKING:  # what there is, is known from the YAML alone: no builder is imported for it
    from edge_glass.core.manifest import Inputs
    from edge_glass.corpora.corpus import Corpus

GROUP = "edge_glass.corpora"
YAMLS = (".yaml", ".yml")


@dataclass(frozen=True)
class Variant:
    """A published config, or one with parameters of the user's own."""

    corpus: str
    base: str
    name: str
    overrides: Parameters = field(default_factory=dict)
    own: Own | None = None  # of a corpus without a builder

    @property
    def kind(self) -> "type[Corpus]":
        """The class of its corpus."""
        return _without_builder(self.own) if self.own else corpus(self.corpus)

    def builder(self) -> "Corpus":
        """The corpus in this config."""
        kind = self.kind
        return kind.of(kind.configure(self.base, self.name, **self.overrides))


_broken: dict[str, str] = {}  # corpus or package of others -> why it was passed over


@cache
def corpora() -> dict[str, str]:
    """Corpus -> the package that has it: every `configs/*.yaml` of ours and of entry points."""
    packages = dict.fromkeys(_configs("edge_glass"), "edge_glass")
    for entry in entry_points(group=GROUP):
        package = entry.value.partition(":")[0].strip() or entry.name
        with _passed_over(package):
            for name in _configs(package):
                with _passed_over(f"{package}: {name}"):
                    of_package(package, name)
                    packages.setdefault(name, package)
    return packages


@contextmanager
def _passed_over(what: str) -> Iterator[None]:
    """Whatever others wrote, what can be read of ours and theirs can be built."""
    try:
        yield
    except (Exception, SystemExit) as error:  # of a script that ends where it is imported
        said = "" if isinstance(error, SystemExit) else str(error).removeprefix(f"{what}: ")
        said = said or repr(error)
        _broken[what.rpartition(": ")[2]] = f"{what} cannot be read: {said}"
        warnings.warn(f"{what}: passed over, it cannot be read: {said}", stacklevel=4)


def _configs(package: str) -> list[str]:
    if names := sorted(path.stem for path in room(package, "configs").glob("*.yaml")):
        return names
    raise ConfigError("no configs/*.yaml is installed: name it in package-data")


def loaded() -> dict[str, "type[Corpus]"]:
    """Corpus -> its class; of others' packages, what cannot be imported is passed over."""
    classes = {}
    for name, package in corpora().items():
        with nullcontext() if package == "edge_glass" else _passed_over(f"{package}: {name}"):
            classes[name] = corpus(name)
    return classes


@cache
def corpus(name: str) -> "type[Corpus]":
    """The builder class of a corpus. Raises EdgeGlassError if there is none."""
    from edge_glass.corpora.corpus import Corpus

    if spec(name).layout:
        return _without_builder(Own.of(name, spec(name), package=_package(name)))
    module = _builder(name)
    for kind in (each for each in vars(module).values() if isinstance(each, type)):
        if issubclass(kind, Corpus) and kind.__module__ == module.__name__:
            return kind
    raise ConfigError(f"{module.__file__}: no class in it that inherits from Corpus")


def _builder(name: str) -> ModuleType:
    """The module of a builder. Raises ConfigError for one of others' that cannot be imported."""
    package = _package(name)
    try:
        return importlib.import_module(f"{package}.builders.{name}")
    except (Exception, SystemExit) as error:
        if package == "edge_glass":
            raise
        said = f"{_place(error)}{type(error).__name__}: {getattr(error, 'msg', error)}"
        remedy = "mend it, or say layout: in its YAML, which needs none"
        raise ConfigError(
            f"{package}: {name}: its builder cannot be imported: {said}: {remedy}"
        ) from error


def _place(error: BaseException) -> str:
    """The file of others, and the line, that an import failed at; nothing where there is none."""
    frames = [(each.filename, each.lineno) for each in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError):
        frames.append((error.filename or "", error.lineno))
    ours = (__file__, importlib.__file__, "<")
    theirs = [f"{file}:{line}: " for file, line in frames if not file.startswith(ours)]
    return theirs[-1] if theirs else ""


def _without_builder(mine: Own) -> "type[Corpus]":
    from edge_glass.corpora import own

    return own.corpus(mine)


def spec(name: str) -> Spec:
    """What the YAML of a corpus says. Raises EdgeGlassError if there is none."""
    return of_package(_package(name), name)


def _package(name: str) -> str:
    if name not in corpora():
        raise ConfigError(_unread(name) or f"no corpus {name}{_near(name, corpora())}")
    return corpora()[name]


def of(build: "Inputs") -> Spec | None:
    """What is said of the corpus of a build: by its manifest, or the YAML here, if there is one."""
    if build.own is not None:
        return Spec.model_validate(build.own)
    return spec(build.corpus) if build.corpus in corpora() else None


def specs(manifests: "Iterable[Inputs]") -> list[Spec]:
    """What is said of each corpus of some builds. Raises EdgeGlassError if one is unknown."""
    return [of(build) or spec(name) for name, build in {m.corpus: m for m in manifests}.items()]


def variant_of(build: "Inputs", base: str, overrides: Parameters) -> Variant:
    """The config of a build, made of `base` and these overrides."""
    mine = None if build.own is None else Own(build.corpus, json.dumps(build.own))
    return Variant(build.corpus, base, build.config, overrides, mine)


def recipe(build: "Inputs") -> Variant:
    """The variant that a manifest tells of. Raises EdgeGlassError if it cannot be configured."""
    if chosen := build.where:
        raise ConfigError(
            f"{build.config}: its rows are those of {chosen.of.config} where {chosen.condition}: "
            f"reproduce {chosen.of.config}, then `build --where`"
        )
    if by := build.captions:
        raise ConfigError(
            f"{build.config}: its captions are by {by.model}, which may answer differently now: "
            f"reproduce {by.of.config}"
        )
    kind, name = variant_of(build, "", {}).kind, build.config
    base = name if name in kind.spec().configs else kind.corpus
    ours = variant_of(build, base, {}).builder().parameters()
    overrides = {key: value for key, value in build.parameters.items() if ours.get(key) != value}
    kind.configure(base, name, **overrides)
    return variant_of(build, base, overrides)


def configs() -> Iterator[tuple[str, str]]:
    """Every corpus with each of its published configs."""
    yield from ((name, config) for name in corpora() for config in spec(name).configs)


def samples() -> list[str]:
    """The sample config of every corpus that has one."""
    return [sample for name in loaded() if (sample := f"{name}_sample") in spec(name).configs]


def owner(config: str) -> str | None:
    """The corpus that publishes a config; its name begins those of its configs."""
    near = (name for name in corpora() if f"{config}_".startswith(f"{name}_"))
    return next((name for name in near if config in spec(name).configs), None)


def is_our_sample(config: str) -> bool:
    """Whether all that a config reads, and all code that reads it, comes with us."""
    ours = (name := owner(config)) and _package(name) == "edge_glass"
    return bool(name and ours and spec(name).configs[config].get("bundled"))


def variant(
    base: str,
    overrides: Parameters | None = None,
    name: str | None = None,
    mine: Own | None = None,
) -> Variant:
    """The config `base` with overrides, named by `name` or by what is overridden.

    `base` may be data of one's own (`mine` if they are understood already), or their YAML. Raises
    EdgeGlassError if there is no such config, parameter or value.
    """
    corpus = owner(base)
    published: Callable[[str], Any] = owner
    if corpus is None:
        if not _is_place(base):
            near = _near(base, [name for _, name in configs()])
            raise ConfigError(_unread(base) or f"no config {base}{near}")
        mine = mine or at(base)
        base, corpus = _config(base, mine), mine.corpus
        published = json.loads(mine.spec)["configs"].__contains__
    overrides = overrides or {}
    name = name or "-".join([base, *(_suffix(*item) for item in overrides.items())])
    if overrides and published(name):
        raise ConfigError(f"{name} is a published config: give the variant another name")
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise ConfigError(f"{name!r} is no config name: use letters, digits, _ - and .")
    chosen = Variant(corpus, base, name, overrides, mine)
    chosen.kind.configure(base, name, **overrides)
    return chosen


def _unread(config: str) -> str | None:
    """Why the corpus of this config was passed over, if it was."""
    names = (name for name in _broken if f"{config}_".startswith(f"{name}_"))
    return next((_broken[name] for name in names), None)


def at(place: str) -> Own:
    """The corpus that a YAML of one's own tells of, or that data without one are.

    Raises ConfigError where there is none.
    """
    if is_data(place):
        from edge_glass.corpora.understand import understand

        return understand(place).own
    path, _, _ = place.partition(".yaml:")
    file = Path(place if path == place else f"{path}.yaml")
    if not file.is_file():
        raise ConfigError(f"{file}: no such file")
    said = read_spec(file)
    if said.layout is None:
        raise ConfigError(f"{file}: no layout: `edge-glass init FOLDER` writes one that has it")
    return Own.of(corpus_of(file, said), said, file.absolute().parent)


def is_data(base: str) -> bool:
    """Whether this is a place of data that no YAML describes."""
    described = ".yaml:" in base or base.endswith(YAMLS)
    return owner(base) is None and _is_place(base) and not described


def _is_place(base: str) -> bool:
    named = "/" in base or ".yaml:" in base or base.endswith(YAMLS)
    there = base != "" and locations.part_of(base)[0].exists()
    return named or (there and not _unread(base))


def _config(place: str, mine: Own) -> str:
    """`birds.yaml:birds_16k` is a config of it; without one the config of the corpus's name."""
    config = place.rpartition(".yaml:")[2] if ".yaml:" in place else mine.corpus
    known = json.loads(mine.spec)["configs"]
    if config not in known:
        raise ConfigError(f"{place}: no config {config}; there are {', '.join(known)}")
    return config


def parse_overrides(settings: list[str]) -> Parameters:
    """YAML values by name: `["subset=500", "splits=[train]"]`.

    Raises ConfigError for what is none.
    """
    overrides = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        try:
            overrides[key.strip()] = yaml.safe_load(value)
        except (yaml.YAMLError, ValueError, TypeError, RecursionError):
            raise ConfigError(f"--set {setting}: {value} is no YAML value") from None
        if not equals or not key.strip():
            raise ConfigError(f"--set {setting}: write it as NAME=VALUE, e.g. sample_rate=22050")
    return overrides


def _suffix(key: str, value: Any) -> str:
    return re.sub(r"[^\w.]+", "-", f"{key}-{value}").strip("-")


def _near(name: str, known: Any) -> str:
    there = ", and no file or folder is there" if {".", "/"} & {*name} else ""
    return f"{meant(name, known)} (see `edge-glass list`){there}"
