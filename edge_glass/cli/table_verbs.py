"""The commands that work on tables: one machine or a cluster, whatever their size."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge_glass.cli.options import (
    AllowEmpty,
    Encoder,
    Jobs,
    Memory,
    RawDir,
    Ray,
    terminal_progress,
    variants,
)
from edge_glass.cli.session import verb
from edge_glass.core.errors import ConfigError
from edge_glass.core.ledger import check_kept
from edge_glass.core.processors import cores
from edge_glass.domains.imagenet import RULES

if TYPE_CHECKING:
    from edge_glass.sources.table_layout import Layout

PartsOut = Annotated[Path, "DIR", "For parts and ledger."]
TableName = Annotated[str, typer.Argument(help="A config whose source is a table of captions.")]
ModelJobs = Annotated[int, typer.Option("--jobs", min=1, help="Processes; each loads a model.")]


@verb("dedup laion400m --raw chunks --out unique --parts 32")
def dedup(
    name: Annotated[str, typer.Argument(help="A config whose source is a table in chunks.")],
    out: PartsOut,
    raw: RawDir = None,
    parts: Annotated[int, typer.Option(min=1, max=10_000, help="Files to make.")] = 32,
    shuffle: Annotated[int | None, "SEED", "Shuffle the rows, seeded."] = None,
    memory: Memory = 4,
    jobs: Jobs = None,
    ray: Ray = None,
    skip_damaged: Annotated[bool, "Of damaged chunks take what can be read."] = False,
    allow_empty: AllowEmpty = False,
) -> None:
    """Deduplicate a table into N parts: the first of equal rows stays, all are in a ledger."""
    from edge_glass.cli import terminal
    from edge_glass.tables.dedup import Wanted, deduplicate

    wanted = Wanted(parts, shuffle, skip_damaged, jobs or cores(), int(memory * 1e9), ray)
    summary = deduplicate(variants([name], None, None)[0], raw, out, wanted, terminal_progress())
    terminal.result(summary, partial(terminal.deduplicated, out))
    if not allow_empty:
        check_kept(name, summary["outcomes"], out / "ledger")


@verb("match laion400m --raw unique --out matched --rule word")
def match(
    name: TableName,
    out: PartsOut,
    raw: RawDir = None,
    rule: Annotated[str, "laionet (the paper's), word (better), or cls."] = RULES[0],
    jobs: Jobs = None,
    ray: Ray = None,
    allow_empty: AllowEmpty = False,
) -> None:
    """Find rows of a table whose captions name one class of ImageNet, and add its id."""
    from edge_glass.cli import terminal
    from edge_glass.domains.imagenet import classify
    from edge_glass.tables import steps

    if rule not in RULES:
        raise ConfigError(f"--rule {rule}: use {', '.join(RULES)}")
    folder, layout = _table(name, raw)
    step = classify.Matched(layout, rule)  # type: ignore[arg-type]
    summary = steps.run(step, folder, out, jobs or cores(), ray, terminal_progress())
    terminal.result(summary, partial(terminal.step, out))
    if not allow_empty:
        check_kept(name, summary["outcomes"], out / "ledger")


@verb("similarity matched --out scored --encoder clip-vit-b32")
def similarity(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The folder that `match` made.")],
    out: PartsOut,
    encoder: Encoder = "clip-vit-b32",
    jobs: ModelJobs = 1,
    ray: Ray = None,
) -> None:
    """Measure with a text encoder how similar each caption is to the definition of its class."""
    from edge_glass.cli import terminal
    from edge_glass.domains.imagenet import classify
    from edge_glass.tables import steps
    from edge_glass.tables.parts import FOLDER

    parts = directory / FOLDER if (directory / FOLDER).is_dir() else directory
    summary = steps.run(classify.Scored(encoder), parts, out, jobs, ray, terminal_progress())
    terminal.result(summary, partial(terminal.step, out))


@verb("retrieve data/imagenet_captions laion400m --raw unique --out near")
def retrieve(
    queries: Annotated[Path, typer.Argument(metavar="DIR", help="A build with captions.")],
    name: TableName,
    out: PartsOut,
    raw: RawDir = None,
    encoder: Encoder = "clip-vit-b32",
    k: Annotated[int, typer.Option(min=1, max=1000, help="Nearest texts of each.")] = 50,
    jobs: ModelJobs = 1,
    ray: Ray = None,
) -> None:
    """Find for each caption of a build the most similar one in a table, each of them once."""
    from edge_glass.cli import terminal
    from edge_glass.domains.imagenet import nearest

    folder, layout = _table(name, raw)
    summary = nearest.retrieve(
        queries, folder, layout, out, encoder, k=k, jobs=jobs, ray=ray, progress=terminal_progress()
    )
    terminal.result(summary, partial(terminal.step, out))


def _table(name: str, raw: Path | None) -> tuple[Path, "Layout"]:
    """The folder of chunks that a config is made of, and their layout."""
    from edge_glass.sources.obtain import obtain

    corpus = variants([name], None, None)[0].builder()
    if corpus.TABLE is None or not corpus.TABLE.caption:
        raise ConfigError(
            f"{name}: it is not built from a table of captions in chunks: name a config that is "
            "(--help has an example), and give the folder of its chunks by --raw"
        )
    obtained = obtain(corpus.request(), raw, progress=terminal_progress())
    return obtained.paths[corpus.TABLE.source], corpus.TABLE
