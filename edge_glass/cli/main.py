"""The command line: one command a verb."""

import os
import re
import sys
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from edge_glass.cli import (  # noqa: F401 - each makes its functions commands
    audit_verbs,
    built_verbs,
    own_verbs,
    revision_verbs,
    search_verbs,
    session,
    slide_verbs,
    table_verbs,
    vector_verbs,
    version_verbs,
)
from edge_glass.cli.options import (
    AllowEmpty,
    Intranet,
    Jobs,
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
from edge_glass.cli.session import PANELS, app, verb
from edge_glass.core.errors import OUT_OF, ConfigError, EdgeGlassError, raise_all
from edge_glass.core.processors import cores
from edge_glass.core.visible import visible

if TYPE_CHECKING:
    from edge_glass.core.manifest import Manifest
    from edge_glass.corpora.catalog import Variant
    from edge_glass.pipeline.build import Options

INTERRUPTED = 130
EMPTY = re.compile(r"--[\w-]+=")  # an option without its value


@app.callback(invoke_without_command=True)
def about(
    version: Annotated[bool, typer.Option("--version", "-V", help="Print the version.")] = False,
) -> None:
    """Multimodal training data as self-contained Parquet, every source row accounted for."""
    if version:
        from edge_glass.core.version import VERSION

        print(VERSION)
        raise typer.Exit


@verb("list")
def list_() -> None:
    """All corpora with their published configs."""
    from edge_glass.cli import terminal
    from edge_glass.corpora import catalog

    specs = {name: catalog.spec(name) for name in catalog.corpora()}
    if not terminal.printed_as_json({name: [*spec.configs] for name, spec in specs.items()}):
        rows = ((f"{n}\n  {spec.title}", ", ".join(spec.configs)) for n, spec in specs.items())
        terminal.table("Corpora", ["corpus", "configs"], rows)


@verb("info clotho")
def info(corpus: Annotated[str, typer.Argument(help="See `list`.")]) -> None:
    """A corpus: licence, configs, parameters, sources."""
    from edge_glass.cli import terminal
    from edge_glass.corpora import catalog

    kind = catalog.corpus(corpus)
    if not terminal.printed_as_json(kind.spec().model_dump(mode="json")):
        terminal.info(kind)


@verb("plan clotho_16k --set 'splits=\\[validation]'")
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
    plain = [asdict(each) | {"fetch_bytes": each.fetch_bytes} for each in plans]
    if not terminal.printed_as_json(plain):
        for each in plans:
            terminal.plan(each)


@verb("build clotho_16k --out data --set subset=500 --jobs 4")
def build(
    names: Names = None,
    out: Annotated[str, "DIR", "Folder for DIR/<config>/; or a URL: s3://…"] = "data",
    raw: RawDir = None,
    jobs: Jobs = None,
    ray: Ray = None,
    limit: Limit = None,
    set_: Set = None,
    licences: Licences = None,
    name: Name = None,
    *,
    own: OwnData,
    mirror: Annotated[str | None, "URL of a folder to fetch from before upstream."] = None,
    unverified: Annotated[bool, "Accept raw files with another checksum."] = False,
    fetch_clips: Annotated[bool, "Clips: fetch them, though --raw has the rest."] = False,
    cookies: Annotated[Path | None, "FILE", "Clips: a cookies.txt to sign in with."] = None,
    proxy: Annotated[str | None, "URL", "Clips: use this proxy."] = None,
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
        int, typer.Option(min=1, max=1000, help="URLs: so many at once, by a process.")
    ] = 128,
    per_host: Annotated[
        int, typer.Option(min=1, max=1000, help="URLs: so many at once from a host, by a process.")
    ] = 16,
    intranet: Intranet = False,
    retry_failed: Annotated[bool, "URLs: only failed ones that may work now."] = False,
    refresh: Annotated[Path | None, "DIR", "URLs: only what changed since that build."] = None,
    allow_empty: AllowEmpty = False,
    check: Annotated[bool, "Complete builds: read every file, repair damaged ones."] = False,
    keep: Annotated[bool, "Complete builds: continue what other code began."] = False,
    rebuild: Annotated[bool, "Complete builds: make again, also of other code."] = False,
    obey: Annotated[
        list[str] | None, "DIR", "Apply the withdrawals and edits of that build here, too."
    ] = None,
    where: Annotated[
        str | None, "SQL", "Only rows of the build NAME for which this is true."
    ] = None,
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
    chosen = list["Manifest"]()
    if where is None:
        wanted = variants(names or catalog.samples(), set_, name, own.choices(), licences)
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
    if not terminal.printed_as_json([each.plain() for each in manifests]) and manifests:
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


app.registered_commands.sort(key=lambda each: [*PANELS].index(str(each.name)))


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
    asked = [c for c in app.registered_commands if c.name in verbs]
    if asked and not any(name.endswith("_COMPLETE") for name in os.environ):
        app.registered_commands = asked


def _tell(*problems: str) -> None:
    for problem in problems:
        Console(stderr=True).print(Text(f"error: {visible(problem)}", style="red"), soft_wrap=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
