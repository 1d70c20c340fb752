"""Every option of every command stands in a test or in a block of the docs."""

import ast
import re
import shlex
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
import typer
from hub import Hub
from kit import ROOT, Cli
from releases import REPO, SAMPLE

from edge_glass.cli import main, session
from edge_glass.cli.main import app
from edge_glass.core.errors import ConfigError
from edge_glass.core.spec import CLIPS
from edge_glass.corpora import catalog

COMMON = {"--help", "--quiet", "--verbose", "--log"}  # of all commands, tested once
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def options() -> set[tuple[str, str]]:
    """Command and option, by the option's first name."""
    group = typer.main.get_command(app)
    return {
        (verb, next(name for name in parameter.opts if name.startswith("--")))
        for verb, command in group.commands.items()
        for parameter in command.params
        if parameter.param_type_name == "option"
    }


def in_docs() -> Iterator[tuple[str, str]]:
    """Command and option of each line of shell in the docs."""
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                for start in [i for i, word in enumerate(words) if word == "edge-glass"]:
                    verb, *rest = [*words[start + 1 :], ""]
                    yield from ((verb, word.partition("=")[0].rstrip(";")) for word in rest)


def in_tests() -> Iterator[tuple[str, str]]:
    """The words of each function of the tests, of those it calls, and of its module's constants."""
    for path in sorted((ROOT / "tests").rglob("*.py")):
        tree = ast.parse(path.read_text())
        functions = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef)}
        shared = _words(ast.Module([n for n in tree.body if n not in functions.values()], []))
        for function in functions.values():
            called = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
            near = [function, *(functions[name] for name in called & functions.keys())]
            words = shared.union(*map(_words, near))
            yield from product(words, [word for word in words if word.startswith("--")])


def _words(tree: ast.AST) -> set[str]:
    return {
        word
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 200
        for word in node.value.split()
    }


def test_every_option_is_used() -> None:
    known = {(verb, option) for verb, option in options() if option not in COMMON}
    assert len(known) > 150
    assert sorted(known - {*in_docs(), *in_tests()}) == []


@pytest.mark.parametrize(
    "words",
    [
        f"build {SAMPLE} --proxy http://127.0.0.1:9",
        f"build {SAMPLE} --clip-seconds 9",
        f"build {SAMPLE} --intranet",
        f"build {SAMPLE} --unverified",
        "build clotho --raw samples/clotho --mirror http://127.0.0.1:9",
        "build musiccaps --raw samples/musiccaps --cookies README.md",
        f"plan {SAMPLE} --licences commercial --set licences=[permissive]",
        "audit BUILT --name other",
        "audit BUILT --check signals --model tiny",
        "audit BUILT --check signals --language en",
        "collect samples --out decks --delay 1",
        "collect samples --out decks --intranet",
        "eval BUILT --run README.md --save run.trec",
        "export BUILT --format tsv --out OUT --jpeg",
        "export BUILT --out OUT --name-by id",
    ],
)
def test_an_option_that_would_do_nothing_is_an_error(
    words: str, built: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    places = {"BUILT": str(built / SAMPLE), "OUT": str(tmp_path / "out")}
    option = next(word for word in reversed(words.split()) if word.startswith("--"))
    shown = cli(*(places.get(word, word) for word in words.split()))
    assert shown.code == 1 and option in shown.err


def panels(verb: str) -> dict[str, str]:
    """The options of a command, and the part of the help that each stands in."""
    command = typer.main.get_command(app).commands[verb]
    return {p.opts[0]: p.rich_help_panel for p in command.params if p.param_type_name == "option"}


@pytest.mark.parametrize("config", catalog.samples())
def test_each_option_of_build_is_used_by_a_config_or_refused(
    config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The help says what an option is about: clips, URLs, or any config."""
    variant = catalog.variant(config)
    fetched = {source.fetch for source in variant.kind.spec().sources.values()}
    about = panels("build")
    assert {"Clips", "URLs"} <= set(about.values())
    for raw, fetches, option in product((None, Path("raw")), (False, True), about):
        clips = fetches or option == "--fetch-clips"
        given = [option, *(["--fetch-clips"] if clips else []), *(["--raw"] if raw else [])]
        monkeypatch.setattr(session, "_given", given)
        is_used = {
            "Clips": bool(fetched & {*CLIPS}) and (raw is None or clips),
            "URLs": bool(fetched - {*CLIPS, None}),
        }.get(about[option], True)
        is_used &= raw is None or option != "--mirror"
        is_used &= raw is not None or option not in ("--unverified", "--fetch-clips")
        is_used &= not clips or (raw is not None and bool(fetched & {*CLIPS}))
        try:
            main._check_used([variant], raw, clips)
        except ConfigError:
            assert not is_used, given
        else:
            assert is_used, given


def test_a_variant_of_a_few_rows(tmp_path: Path, cli: Cli) -> None:
    few = [SAMPLE, "--limit", 1, "--set", "seed=1", "--name", "few", "--out", tmp_path, "--json"]
    (planned,) = cli("plan", *few).json
    assert (planned["config"], set(planned["shards"].values())) == ("few", {1})
    (made,) = cli("build", *few, "--jobs", 1).json
    assert all(split["outcomes"]["kept"] == 1 for split in made["splits"].values())


def test_a_pull_request_to_a_private_dataset(hub: Hub, built: Path, cli: Cli) -> None:
    command = ["push", SAMPLE, "--from", built, "--repo", REPO, "--version", "1.0.0"]
    done = cli(*command, "--private", "--pr", "--json").json
    assert (done["tagged"], hub.store.repos[REPO].private) == (False, True)
    assert done["pull_request"]


def test_the_catalogue_says_where_it_is(tmp_path: Path, cli: Cli) -> None:
    assert cli("docs", "--out", tmp_path, "--json").json == [str(tmp_path / "index.html")]
