"""The command line: one command a verb."""

import os
import re
import sys
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text
from typer.models import CommandInfo

from edge_glass.cli import (
    audit_verbs,
    built_verbs,
    own_verbs,
    revision_verbs,
    session,
    table_verbs,
    vector_verbs,
    version_verbs,
)
from edge_glass.cli import search_verbs as search
from edge_glass.cli import slide_verbs as slides
from edge_glass.cli.options import (
    AllowEmpty,
    Intranet,
    Jobs,
    Json,
    Licences,
    Limit,
    Name,
    Names,
    Out,
    OwnData,
    RawDir,
    Ray,
    Set,
    terminal_progress,
    variants,
)
from edge_glass.core.errors import OUT_OF, ConfigError, EdgeGlassError, raise_all
from edge_glass.core.processors import cores
from edge_glass.core.visible import visible

if TYPE_CHECKING:
    from edge_glass.core.manifest import Manifest
    from edge_glass.corpora.catalog import Variant
    from edge_glass.pipeline.build import Options

app = typer.Typer(
    help="Multimodal training data as self-contained Parquet, every source row accounted for.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

INTERRUPTED = 130
EMPTY = re.compile(r"--[\w-]+=")  # an option without its value
GROUPS = {  # in the help; a command of none is one of builds
    "Versions": "push diff history reproduce append amend withdraw compact purge why",
    "Vectors": "embed score index search serve page align views",
    "Large tables": "dedup match similarity retrieve",
    "Slides": "collect qa filter eval",
    "This machine": "cache docs",
}
PANELS = {verb: group for group, verbs in GROUPS.items() for verb in verbs.split()}


@app.callback(invoke_without_command=True)
def about(
    version: Annotated[bool, typer.Option("--version", "-V", help="Print the version.")] = False,
) -> None:
    """Multimodal training data as self-contained Parquet, every source row accounted for."""
    if version:
        from edge_glass.core.version import VERSION

        print(VERSION)
        raise typer.Exit


@app.command("list", epilog="Example: edge-glass list")
def list_(json: Json = False) -> None:
    """All corpora with their published configs."""
    from edge_glass.cli import terminal
    from edge_glass.corpora import catalog

    specs = {name: catalog.spec(name) for name in catalog.corpora()}
    if json:
        terminal.as_json({name: list(spec.configs) for name, spec in specs.items()})
        return
    rows = ((f"{name}\n  {spec.title}", ", ".join(spec.configs)) for name, spec in specs.items())
    terminal.table("Corpora", ["corpus", "configs"], rows)


@app.command(epilog="Example: edge-glass info clotho")
def info(corpus: Annotated[str, typer.Argument(help="See `list`.")], json: Json = False) -> None:
    """A corpus: licence, configs, parameters, sources."""
    from edge_glass.cli import terminal
    from edge_glass.corpora import catalog

    kind = catalog.corpus(corpus)
    terminal.as_json(kind.spec().model_dump(mode="json")) if json else terminal.info(kind)


@app.command(epilog="Example: edge-glass plan clotho_16k --set 'splits=\\[validation]'")
def plan(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="Configs, see `list`.")],
    out: Out = Path("data"),
    raw: RawDir = None,
    limit: Limit = None,
    set_: Set = None,
    licences: Licences = None,
    name: Name = None,
    *,
    own: OwnData,
    json: Json = False,
) -> None:
    """What a build will fetch and make, and how your own data are understood. Fetches nothing."""
    from edge_glass.cli import terminal
    from edge_glass.corpora import catalog
    from edge_glass.pipeline import estimate as planning
    from edge_glass.pipeline.unused_options import unused_options

    if raw is None and all(map(catalog.is_our_sample, names)):
        session.spare_memory()  # before a builder is imported
    wanted = variants(names, set_, name, own.choices(), licences)
    session.refuse(unused_options(wanted, raw is not None, fetch_clips=False))
    plans = [planning.plan(v, out, raw, limit, terminal_progress()) for v in wanted]
    if not any(each.exact for each in plans):
        session.ignored(planning.UNCOUNTED, "--limit")
    if json:
        terminal.as_json([asdict(each) | {"fetch_bytes": each.fetch_bytes} for each in plans])
    else:
        for each in plans:
            terminal.plan(each)


@app.command(epilog="Example: edge-glass build clotho_16k --out data --set subset=500 --jobs 4")
def build(
    names: Names = None,
    out: Annotated[
        str, typer.Option("--out", metavar="DIR", help="Folder for DIR/<config>/; or a URL: s3://…")
    ] = "data",
    raw: RawDir = None,
    jobs: Jobs = None,
    ray: Ray = None,
    limit: Limit = None,
    set_: Set = None,
    licences: Licences = None,
    name: Name = None,
    *,
    own: OwnData,
    mirror: Annotated[
        str | None, typer.Option("--mirror", help="URL of a folder to fetch from before upstream.")
    ] = None,
    unverified: Annotated[
        bool, typer.Option("--unverified", help="Accept raw files with another checksum.")
    ] = False,
    fetch_clips: Annotated[
        bool, typer.Option("--fetch-clips", help="Clips: fetch them, though --raw has the rest.")
    ] = False,
    cookies: Annotated[
        Path | None,
        typer.Option("--cookies", metavar="FILE", help="Clips: a cookies.txt to sign in with."),
    ] = None,
    proxy: Annotated[
        str | None, typer.Option("--proxy", metavar="URL", help="Clips: use this proxy.")
    ] = None,
    at_once: Annotated[
        int, typer.Option("--clips-at-once", min=1, max=64, help="Clips: fetched at once.")
    ] = 4,
    per_minute: Annotated[
        float | None, typer.Option("--clips-per-minute", min=0.1, help="Clips: at most this rate.")
    ] = None,
    seconds: Annotated[
        float, typer.Option("--clip-seconds", min=1, help="Clips: seconds for one try.")
    ] = 180,
    connections: Annotated[
        int,
        typer.Option("--connections", min=1, max=1000, help="URLs: so many at once, by a process."),
    ] = 128,
    per_host: Annotated[
        int,
        typer.Option(
            "--per-host", min=1, max=1000, help="URLs: so many at once from a host, by a process."
        ),
    ] = 16,
    intranet: Intranet = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="URLs: only failed ones that may work now.")
    ] = False,
    refresh: Annotated[
        Path | None,
        typer.Option("--refresh", metavar="DIR", help="URLs: only what changed since that build."),
    ] = None,
    allow_empty: AllowEmpty = False,
    check: Annotated[
        bool, typer.Option("--check", help="Complete builds: read every file, repair damaged ones.")
    ] = False,
    keep: Annotated[
        bool,
        typer.Option("--keep", help="Complete builds: continue what other code began."),
    ] = False,
    rebuild: Annotated[
        bool,
        typer.Option("--rebuild", help="Complete builds: make again, also of other code."),
    ] = False,
    obey: Annotated[
        list[str] | None,
        typer.Option(
            "--obey", metavar="DIR", help="Apply the withdrawals and edits of that build here, too."
        ),
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(
            "--where", metavar="SQL", help="Only rows of the build NAME for which this is true."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Build configs, or your own data: a folder, a table, its YAML (no name: every bundled sample).

    Run it again to continue after a stop.
    """
    from edge_glass.cli import terminal
    from edge_glass.core import locations
    from edge_glass.corpora import catalog
    from edge_glass.pipeline.build import Options
    from edge_glass.pipeline.remote_output import Away
    from edge_glass.pipeline.unused_options import unused_options
    from edge_glass.release import write_card
    from edge_glass.sources.row_fetch import Limits, Network

    if raw is not None and not names:
        raise ConfigError("--raw: name the config to build from it: build NAME --raw …")
    if where is None:
        wanted, chosen = (
            variants(names or catalog.samples(), set_, name, own.choices(), licences),
            [],
        )
    else:
        wanted, chosen = [], [built_verbs.filtered(names or [], out, name, where, jobs)]
    if cookies is not None and not cookies.is_file():
        raise ConfigError(f"--cookies {cookies}: no such file")
    session.refuse(unused_options(wanted, raw is not None, fetch_clips))
    session.apart("--rebuild", "--keep", "--check")
    session.apart("--refresh", "--retry-failed")
    web = Limits(connections, per_host, intranet=intranet)
    network = Network(cookies, proxy, at_once, per_minute, seconds, fetch_clips, web)
    jobs, away = jobs or cores(), Away(out) if "://" in out else None
    options = Options(
        raw, jobs, limit, mirror, unverified, network, ray, away, retry_failed, refresh,
        allow_empty, check, keep, rebuild,
        obey=tuple(map(locations.at, obey or [])),
    )  # fmt: skip
    folder = away.staging if away else Path(out)
    built, problems = _built(wanted, folder, options, spare=not names)
    manifests = [*chosen, *built]
    if manifests:
        write_card.write_report(folder, away)
    if json:
        terminal.as_json([each.plain() for each in manifests])
    elif manifests:
        terminal.builds(manifests)
        terminal.built(out, manifests[0])
    raise_all(problems)


def _built(
    wanted: list["Variant"], folder: Path, options: "Options", spare: bool
) -> tuple[list["Manifest"], list[str]]:
    """What could be built, and why the rest was not; `spare` passes over what lacks a library."""
    from edge_glass.core.extras import LibraryError
    from edge_glass.release.write_card import build as make

    progress, manifests, problems = terminal_progress(), list["Manifest"](), list[str]()
    for variant in wanted:
        try:
            manifests.append(make(variant, folder, options, progress))
        except EdgeGlassError as error:  # the others can be built all the same
            if spare and isinstance(error, LibraryError):
                progress.say(f"{variant.name} is left out: {error}")
            else:
                problems += error.problems
    return manifests, problems


def _name(command: CommandInfo) -> str:
    return str(command.name or getattr(command.callback, "__name__", ""))


EXAMPLES: dict[Callable[..., None], str] = {  # each begins with the name of its verb
    own_verbs.init: "init ./birds > birds.yaml",
    own_verbs.new: "new birds",
    vector_verbs.embed: "embed data --encoder clip-vit-b32 --columns image,caption",
    vector_verbs.score: "score data/clotho --name fit --of audio:clap,captions:clap",
    vector_verbs.views: "views data/mm_imdb --encoder clip --out arrays",
    vector_verbs.align: "align data/clotho --left audio:whisper-tiny --right captions",
    slides.collect: "collect talks --out decks --language es",
    slides.qa: "qa decks --model NAME --base-url http://localhost:8000/v1",
    slides.filter_: "filter decks --out good",
    slides.evaluate: "eval data --run run.trec",
    search.index: "index data/clotho",
    search.search: "search data/clotho 'a dog on a beach'",
    search.serve: "serve data/clotho",
    search.page: "page data/clotho --out site",
    audit_verbs.audit: "audit data/clotho --check leaks,silence --drop-flagged",
}
for group in (built_verbs, version_verbs, revision_verbs, table_verbs):
    app.registered_commands += group.app.registered_commands
for verb, example in EXAMPLES.items():
    app.command(example.split()[0], epilog=f"Example: edge-glass {example}")(verb)
for each in app.registered_commands:
    assert each.callback is not None
    each.rich_help_panel = PANELS.get(_name(each), "Builds")
    each.callback = session.command(each.callback)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a user's mistake is told without a traceback and exits with 1."""
    session.alone = arguments is None
    if session.alone:
        # or pydantic looks into every library that is installed for plugins
        os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
        _keep_alone(sys.argv[1:2])
        warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"
    try:
        if any(each == "" or EMPTY.fullmatch(each) for each in arguments or sys.argv[1:]):
            raise ConfigError("an argument is empty: is a variable of your shell not set?")
        app(arguments)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            print("stopped: run the same command again to continue", file=sys.stderr)
        raise
    except EdgeGlassError as error:
        _tell(*error.problems)
    except MemoryError:
        _tell("memory ran out: allow more (`ulimit -v`), or give fewer --jobs")
    except RuntimeError as error:
        if "can't start new thread" not in str(error):
            raise
        _tell("no thread can be started: allow more memory or processes (`ulimit -v`, `-u`)")
    except OSError as error:
        if error.filename is None and error.errno not in OUT_OF:
            raise
        limit = OUT_OF.get(error.errno or 0, "")
        _tell(f"{error.filename or ''}: {error.strerror}{limit}".removeprefix(": "))


def _keep_alone(verbs: list[str]) -> None:
    """Leave only the command that is asked for: to make them all takes a tenth of a short one."""
    asked = [c for c in app.registered_commands if _name(c) in verbs]
    if asked and not any(name.endswith("_COMPLETE") for name in os.environ):
        app.registered_commands = asked


def _tell(*problems: str) -> None:
    for problem in problems:
        Console(stderr=True).print(Text(f"error: {visible(problem)}", style="red"), soft_wrap=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
