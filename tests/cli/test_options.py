"""Every option of every command stands in a test or in a block of the docs."""

import ast
import inspect
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from itertools import product
from pathlib import Path

import pytest
import typer
import yaml
from hub import Hub
from huggingface_hub import HfApi
from kit import ROOT, Cli
from ownfiles import jpeg, put
from releases import REPO, SAMPLE

from edge_glass.cli import options as options_of
from edge_glass.cli import session, slide_verbs
from edge_glass.cli.main import app
from edge_glass.core.errors import ConfigError
from edge_glass.core.spec import CLIPS
from edge_glass.corpora import catalog
from edge_glass.corpora.understand import Choices, understand
from edge_glass.pipeline import unused_options as rules
from edge_glass.pipeline.unused_options import unused_options

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


SOME = "--ids README.md --version 1.0.0 --purge --dry-run"
REFUSED = [  # the last option of each line would do nothing
    f"build {SAMPLE} --proxy http://127.0.0.1:9",
    f"build {SAMPLE} --clip-seconds 9",
    f"build {SAMPLE} --intranet",
    f"build {SAMPLE} --unverified",
    f"build {SAMPLE} --rebuild --keep",
    f"build {SAMPLE} --rebuild --check",
    "build cc3m_sample --refresh BUILT --retry-failed",
    "build clotho --raw samples/clotho --mirror http://127.0.0.1:9",
    f"build {SAMPLE} --mirror http://127.0.0.1:9",
    f"build {SAMPLE} --raw samples/clotho",
    "build ./samples/ljspeech/LJSpeech-1.1 --mirror http://127.0.0.1:9",
    *(f"{verb} ./samples/ljspeech/LJSpeech-1.1 --raw samples" for verb in ("build", "plan")),
    f"plan {SAMPLE} --raw samples/clotho",
    "build musiccaps --raw samples/musiccaps --cookies README.md",
    f"plan {SAMPLE} --licences commercial --set licences=[permissive]",
    "plan clotho --limit 5",
    "audit BUILT --name other",
    "audit BUILT --check signals --model tiny",
    "audit BUILT --check signals --language en",
    "audit BUILT --check signals --against BUILT",
    *(f"score BUILT --name n --of a:b,c:d {each}"
      for each in ("--model m", "--column c", "--label l", "--jobs 2")),
    *(f"score BUILT --name n --model m --column c --label l {each}"
      for each in ("--of a:b,c:d", "--head README.md", "--embeddings OUT")),
    f"withdraw org/name {SOME} --certificate OUT",
    f"withdraw org/name {SOME} --jobs 2",
    f"withdraw org/name {SOME} --reason asked",
    "collect samples --out decks --delay 1",
    "collect samples --out decks --site nextdata",
    "collect samples --out decks --keyword bird",
    "collect samples --out decks --limit 3",
    "collect samples --out decks --intranet",
    "collect samples --out decks --dpi 99",
    "collect README.md --out decks --jobs 2",
    "filter samples/slides_qa --out OUT --filters blank --min-chars 5",
    "filter samples/slides_qa --out OUT --filters blank --whole-deck",
    "filter samples/slides_qa --out OUT --filters blank --min-slides 2",
    "filter samples/slides_qa --out OUT --filters blank --language en",
    "filter samples/slides_qa --out OUT --filters blank --qa-language en",
    *(f"qa samples --model m --base-url http://a --task caption {each}"
      for each in ("--pairs 3", "--blind", "--others 2")),
    "qa samples --model m --base-url http://a --column image",
    "qa samples --model m --base-url http://a --name other",
    "eval BUILT --run README.md --save run.trec",
    "eval BUILT --indexed",
    "eval BUILT --run README.md --column image",
    "export BUILT --format tsv --out OUT --jpeg",
    "export BUILT --out OUT --name-by id",
    "serve BUILT --json",
]  # fmt: skip


@pytest.mark.parametrize("words", REFUSED)
def test_an_option_that_would_do_nothing_is_an_error(
    words: str, built: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    places = {"BUILT": str(built / SAMPLE), "OUT": str(tmp_path / "out")}
    option = _last(words)
    shown = cli(*(places.get(word, word) for word in words.split()))
    assert shown.code == 1 and option in shown.err


def calls(tree: ast.AST, *names: str) -> Iterator[ast.Call]:
    """The calls of functions of these names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in names:
            yield node


def _text(node: ast.AST) -> object:
    return node.value if isinstance(node, ast.Constant) else None


def named(tree: ast.AST) -> set[str]:
    """The options that a piece of code names."""
    return {word for word in _words(tree) if word.startswith("--")}


def test_each_refusal_has_its_line() -> None:
    """Of what stands in the code: those of `build` by clips and URLs are walked over below."""
    known = {(line.split()[0], _last(line)) for line in REFUSED}
    verbs = {f.__name__.strip("_"): verb for verb, f in functions().items()}
    for path in sorted((ROOT / "edge_glass" / "cli").glob("*_verbs.py")):
        for function in ast.parse(path.read_text()).body:
            if isinstance(function, ast.FunctionDef) and function.name.strip("_") in verbs:
                verb = verbs[function.name.strip("_")]
                given = (word for each in calls(function, "ignored", "apart") for word in each.args)
                refused = {each for word in given for each in named(word) if each == _text(word)}
                assert sorted(refused - {option for of, option in known if of == verb}) == [], verb
    about = {*slide_verbs.COLLECT, *slide_verbs.FILTER.values()}
    assert {option for each in about for option in each} <= {option for _, option in known}


def _last(line: str) -> str:
    return next(word for word in reversed(line.split()) if word.startswith("--"))


@pytest.mark.parametrize("verb", sorted({verb for verb, option in options() if option == "--ray"}))
def test_a_cluster_leaves_no_use_for_jobs(verb: str, cli: Cli) -> None:
    places = typer.main.get_command(app).commands[verb].params
    words = ["x" for each in places if each.param_type_name == "argument"]
    out = [] if verb == "audit" else ["--out", "out"]
    told = cli(verb, *words, *out, "--ray", "auto", "--jobs", 2)
    assert told.code == 1 and "--jobs: it has no use beside --ray" in told.err


def functions() -> dict[str, Callable[..., object]]:
    """The function of each command."""
    every = {each.name or (each.callback and each.callback.__name__): each.callback
             for each in app.registered_commands}  # fmt: skip
    return {str(verb): inspect.unwrap(function) for verb, function in every.items() if function}


JSON = ("printed_as_json", "result", "paths")  # of `terminal`, which heed --json
EVERY = "*"  # all options but a few that are read, by `only`
Ways = set[tuple[frozenset[str], bool]]  # what each reads, and whether it goes on behind it


Helpers = dict[str, ast.FunctionDef]  # functions of the command line by name


def ways(nodes: list[ast.AST], helpers: Helpers) -> Ways:
    """All ways through some code; one that ends in an error is none."""
    through: Ways = {(frozenset(), True)}
    for node in nodes:
        ended = {way for way in through if not way[1]}
        steps = _steps(node, helpers) if len(ended) < len(through) else set()
        through = ended | {(a | b, on) for a, goes in through if goes for b, on in steps}
    return through


def _steps(node: ast.AST, helpers: Helpers) -> Ways:
    if isinstance(node, ast.If | ast.IfExp):
        sides = (each if isinstance(each, list) else [each] for each in (node.body, node.orelse))
        return set().union(*(ways([node.test, *side], helpers) for side in sides))
    if isinstance(node, ast.Raise) and "Exit" not in ast.unparse(node):
        return set()
    if isinstance(node, ast.Name):
        return {(frozenset([node.id]), True)}
    if isinstance(node, ast.Attribute) and node.attr == "in_json":
        return {(frozenset(["--json"]), True)}
    if isinstance(node, ast.Return | ast.Raise):
        return {(reads, False) for reads, _ in ways([*ast.iter_child_nodes(node)], helpers)}
    inner = ways([*ast.iter_child_nodes(node)], helpers)
    refused = set[str]()
    if isinstance(node, ast.Call):
        called = ast.unparse(node.func).rpartition(".")[2]
        code = helpers.get(called, ast.Module([], []))
        refused = named(node) if called in ("ignored", "apart") else set()
        code = ast.parse(Path(rules.__file__).read_text()) if called == "unused_options" else code
        refused |= named(code) if called.startswith(("_check", "unused")) else set()
        refused |= {EVERY} if [*calls(code, "only")] else set()
        refused |= {"--json"} if called in JSON or [*calls(code, *JSON)] else set()
    return {(reads | refused, on) for reads, on in inner}


def named_by(function: Callable[..., None], option: str) -> set[str]:
    """What a command calls an option: by its own name, or that of the group it stands in."""
    groups = (p for p in inspect.signature(function).parameters.values())
    return {option} | {
        group.name
        for group in groups
        if is_dataclass(group.annotation) and option in {f.name for f in fields(group.annotation)}
    }


@pytest.mark.parametrize("verb", sorted({verb for verb, _ in options()}))
def test_each_way_through_a_command_reads_an_option_or_refuses_it(verb: str) -> None:
    function = functions()[verb]
    paths = [*sorted((ROOT / "edge_glass" / "cli").glob("*.py")), Path(inspect.getfile(function))]
    code = (each for path in paths for each in ast.parse(path.read_text()).body)
    helpers = {each.name: each for each in code if isinstance(each, ast.FunctionDef)}
    through = ways([*helpers[function.__name__].body], helpers)
    assert through
    for parameter in typer.main.get_command(app).commands[verb].params:
        if parameter.param_type_name == "option" and parameter.opts[0] not in COMMON:
            names = {EVERY, *named_by(function, str(parameter.name)), *parameter.opts}
            assert not [reads for reads, _ in through if not names & reads], parameter.opts


def panels(verb: str) -> dict[str, str]:
    """The options of a command, and the part of the help that each stands in."""
    command = typer.main.get_command(app).commands[verb]
    return {p.opts[0]: p.rich_help_panel for p in command.params if p.param_type_name == "option"}


def test_each_option_of_build_stands_in_its_part_of_the_help() -> None:
    parts: dict[str | None, str] = {
        None: "out raw jobs ray limit set licences name mirror unverified allow-empty obey where",
        "Your own data": "url caption column layout split licence",
        "Clips": "fetch-clips cookies proxy clips-at-once clips-per-minute clip-seconds",
        "URLs": "connections per-host intranet retry-failed refresh",
        "Complete builds": "check keep rebuild",
        "Messages": "quiet verbose log json",
    }
    where = {f"--{option}": part for part, names in parts.items() for option in names.split()}
    assert panels("build") == where


@pytest.mark.parametrize("config", [*catalog.corpora(), *catalog.samples()])
def test_each_option_of_build_is_used_by_a_config_or_refused(
    config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The help says what an option is about: clips, URLs, or any config."""
    variant = catalog.variant(config)
    sources = variant.builder().request().sources.values()
    fetched = {source.fetch for source in variant.kind.spec().sources.values()}
    stated = any(source.checksum or source.rows is not None for source in sources)
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
        by_url = any(source.url and not (source.hub or source.fetch) for source in sources)
        is_used &= (raw is None and by_url) or option != "--mirror"
        is_used &= stated or option != "--unverified"
        is_used &= not (config.endswith("_sample") and {"--raw", "--mirror"} & {*given})
        is_used &= raw is not None or option not in ("--unverified", "--fetch-clips")
        is_used &= not clips or (raw is not None and bool(fetched & {*CLIPS}))
        try:
            session.refuse(unused_options([variant], raw is not None, clips))
        except ConfigError:
            assert not is_used, given
        else:
            assert is_used, given


def own_data(kind: str, at: Path, hub: Hub) -> str:
    """What is typed for data of one's own of a kind."""
    put(at / "birds" / "1.jpg", jpeg(1))
    put(at / "list.csv", "url,caption\nhttps://photos.example/1.jpg,a cat\n")
    spec = understand(at / "birds").spec.model_dump(mode="json", exclude_defaults=True)
    put(at / "birds.yaml", yaml.safe_dump(spec))
    api = HfApi(endpoint=hub.url, token=hub.token)
    api.create_repo("org/birds", repo_type="dataset", exist_ok=True)
    api.upload_file(path_or_fileobj=jpeg(1), path_in_repo="1.jpg", repo_id="org/birds",
                    repo_type="dataset")  # fmt: skip
    return "org/birds" if kind == "hub" else str(at / kind)


@pytest.mark.parametrize("kind", ["birds", "list.csv", "birds.yaml", "hub"])
def test_each_option_is_used_by_own_data_or_refused(
    kind: str, tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_GLASS_CACHE", str(tmp_path / "cache"))
    place, described = own_data(kind, tmp_path, hub), kind == "birds.yaml"
    for verb, raw in product(("build", "plan"), (None, tmp_path)):
        for option, panel in panels(verb).items():
            given = [option, *(["--raw"] if raw else [])]
            is_used = panel not in ("Clips", *(["URLs"] if kind != "list.csv" else []))
            is_used &= option not in ("--mirror", "--unverified") and "--fetch-clips" not in given
            is_used &= described or "--raw" not in given
            is_used &= not (described and panel == "Your own data")
            said = Choices(split="all") if panel == "Your own data" else None
            monkeypatch.setattr(session, "_given", given)
            try:
                (variant,) = options_of.variants([place], None, None, said)
                session.refuse(unused_options([variant], "--raw" in given, fetch_clips=False))
            except ConfigError:
                assert not is_used, (verb, given)
            else:
                assert is_used, (verb, given)


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


def test_verbs_of_own_data_and_the_page_as_json(
    built: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("list.csv").write_text("url,caption\nhttps://photos.example/1.jpg,a cat\n")
    assert cli("init", "list.csv", "--json").json["layout"] == "table"
    assert cli("new", "birds", "--json").json == ["birds"]
    page = cli("page", built / SAMPLE, "--out", "site", "--json").json
    assert page == ["site/index.html"]


def test_the_catalogue_says_where_it_is(tmp_path: Path, cli: Cli) -> None:
    assert cli("docs", "--out", tmp_path, "--json").json == [str(tmp_path / "index.html")]
