"""What every command takes: how much it says on the way, and where that is written down."""

import inspect
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from pathlib import Path
from platform import python_version
from typing import Annotated, Any, cast

import typer

from edge_glass.core.errors import ConfigError, EdgeGlassError, redacted
from edge_glass.core.visible import visible

alone = False  # whether this process is one of a command, not of a program that calls `main`
_given: list[str] = []  # options that are on the command line
LOG = logging.getLogger("edge_glass")
TOPIC = re.compile(  # of an option, in its help
    r"(Messages|Clips|URLs|PDFs|Site|Your own data|Complete builds): (.*)"
)
GROUPS = {  # in the help
    "Builds": "list info plan build init new verify ledger report export audit",
    "Versions": "push diff history reproduce append amend withdraw compact purge why",
    "Vectors": "embed score index search serve page align views",
    "Large tables": "dedup match similarity retrieve",
    "Slides": "collect qa filter eval",
    "This machine": "cache docs",
}
PANELS = {verb: group for group, verbs in GROUPS.items() for verb in verbs.split()}
app = typer.Typer(
    help="Multimodal training data as self-contained Parquet, every source row accounted for.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@dataclass(frozen=True)
class Messages:
    """What every command takes."""

    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Messages: print nothing but errors.")
    ] = False
    verbose: Annotated[
        bool,
        typer.Option("--verbose", "-v", help="Messages: say each step, and where errors arise."),
    ] = False
    log: Annotated[Path | None, "FILE", "Messages: append each step to this file."] = None
    json: Annotated[bool, "Messages: print JSON; one line for each row."] = False


def verb(example: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a function the command that its example begins with."""
    name = example.split(maxsplit=1)[0]

    def register(function: Callable[..., None]) -> Callable[..., None]:
        panel, epilog = PANELS[name], f"Example: edge-glass {example}"
        app.command(name, epilog=epilog, rich_help_panel=panel)(command(function))
        return function

    return register


def command(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function of a command, with the options that all commands take."""
    own = inspect.signature(function).parameters.values()
    context = inspect.Parameter(
        "ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
    )
    messages = inspect.Parameter("messages", inspect.Parameter.KEYWORD_ONLY, annotation=Messages)
    parameters = [each for p in (context, *own, messages) for each in _parameters(p)]
    for option in (data for p in parameters for data in getattr(p.annotation, "__metadata__", ())):
        if topic := TOPIC.fullmatch(option.help or ""):
            option.rich_help_panel, option.help = topic[1], topic[2][:1].upper() + topic[2][1:]

    @wraps(function)
    def run(ctx: typer.Context, **given: Any) -> Any:
        _given[:] = _on_the_command_line(ctx)
        said = _group(Messages, given)
        apart("--ray", "--jobs")  # which takes the processors of all nodes
        with _session(function.__name__.strip("_"), given, said):
            groups = {p.name: _group(p.annotation, given) for p in own if _is_group(p)}
            return function(**given, **groups)

    run.__dict__["__signature__"] = inspect.Signature(parameters)
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run


def _is_group(parameter: inspect.Parameter) -> bool:
    """Whether this is a class of options that several commands take."""
    return is_dataclass(parameter.annotation)


def _parameters(parameter: inspect.Parameter) -> Iterator[inspect.Parameter]:
    """A parameter, or those that it stands for."""
    if not _is_group(parameter):
        yield _with_option(parameter)
        return
    for field in fields(parameter.annotation):
        one = parameter.replace(name=field.name, default=field.default, annotation=field.type)
        yield _with_option(one)


def _with_option(parameter: inspect.Parameter) -> inspect.Parameter:
    """A parameter; texts beside its type make it an option of its name.

    The last is its help; one before says what its value is called.
    """
    match getattr(parameter.annotation, "__metadata__", None):
        case (*metavar, str(text)):
            name = f"--{parameter.name.strip('_').replace('_', '-')}"
            option = typer.Option(name, help=text, metavar=next(iter(metavar), None))
            kind = cast(Any, Annotated)[parameter.annotation.__origin__, option]
            return parameter.replace(annotation=kind)
    return parameter


def _group(kind: Any, given: dict[str, Any]) -> Any:
    """The options of a group, out of all that are given."""
    return kind(**{field.name: given.pop(field.name) for field in fields(kind)})


def ignored(why: str, *options: str) -> None:
    """Raise ConfigError if any of these options was given: it would do nothing, for `why`."""
    if given := [option for option in options if option in _given]:
        raise ConfigError(f"{', '.join(given)}: {why}; leave it out")


def refuse(unused: Iterable[tuple[str, tuple[str, ...]]]) -> None:
    """Raise ConfigError if any option was given of those that would do nothing, each for a why."""
    for why, options in unused:
        ignored(why, *options)


def only(why: str, *options: str) -> None:
    """Raise ConfigError if any option was given but these, and those of every command."""
    known = {"", *options, *(f"--{field.name}" for field in fields(Messages))}
    ignored(why, *(option for option in _given if option not in known))


def apart(option: str, *others: str) -> None:
    """Raise ConfigError if an option was given with one of the others, which it leaves no use."""
    if option in _given:
        ignored(f"it has no use beside {option}", *others)


class _Spared:
    """Libraries that pyarrow imports wherever they are, and goes without where they are not.

    pandas is asked whether a list is one of its Series, for 45 MB and 0.2 s; the file systems of
    clouds take 4 MB with Parquet; NumPy takes 12 MB, for arrays that are made of Arrow's. Commands
    that read nothing of a user's own go without these.
    """

    NAMES = ("pandas", "pyarrow._azurefs", "pyarrow._gcsfs", "pyarrow._s3fs")

    def find_spec(self, name: str, *_: object) -> None:
        arrow = sys.modules.get("pyarrow")
        begun = name == "numpy" and arrow is not None and not hasattr(arrow, "lib")
        if begun or name in self.NAMES:
            raise ModuleNotFoundError(f"{name}: this command goes without", name=name)


def spare_memory() -> None:
    """Let pyarrow go without what it needs not, if the process is a command's alone."""
    if alone:
        sys.meta_path.insert(0, cast(Any, _Spared()))
        os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")


def _on_the_command_line(context: typer.Context) -> Iterator[str]:
    """The options that were given, by their first long names."""
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if source is not None and source.name == "COMMANDLINE":
            yield next((name for name in parameter.opts if name.startswith("--")), "")


@contextmanager
def _session(verb: str, given: dict[str, Any], said: Messages) -> Iterator[None]:
    from edge_glass.cli import terminal

    if said.quiet and said.verbose:
        raise ConfigError("--quiet and --verbose: give one of them")
    handlers = [*_handlers(said.verbose, said.log)]
    LOG.handlers, LOG.propagate = handlers, False
    LOG.setLevel(logging.INFO if handlers else logging.CRITICAL)
    terminal.console.quiet, terminal.in_json = said.quiet, said.json
    words = " ".join(f"{key}={value}" for key, value in given.items() if value)
    if handlers:  # to ask for the version takes as long as a list
        from edge_glass.core.version import VERSION

        LOG.info("%s %s (edge-glass %s, Python %s)", verb, words, VERSION, python_version())
    start = time.monotonic()
    try:
        yield
    except BaseException as error:
        code = getattr(error, "exit_code", None)
        LOG.info("ended: %s", visible(str(error)) if code is None else f"exit code {code}")
        if said.verbose and isinstance(error, EdgeGlassError):
            LOG.exception("where it arose:")
        raise
    else:
        LOG.info("done in %.1f s", time.monotonic() - start)
    finally:
        terminal.console.quiet = terminal.in_json = False
        for handler in handlers:
            handler.close()
        LOG.handlers, LOG.propagate = [], True
        LOG.setLevel(logging.NOTSET)


class _Redacted(logging.Formatter):
    """What is logged, tracebacks too, without the secrets of URLs."""

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


def _handlers(verbose: bool, log: Path | None) -> Iterator[logging.Handler]:
    if log:
        try:
            file = logging.FileHandler(log, encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"--log {log}: {error.strerror}") from None
        file.setFormatter(_Redacted("%(asctime)s %(message)s"))
        yield file
    if verbose:
        stream = logging.StreamHandler()
        stream.setFormatter(_Redacted())
        yield stream
