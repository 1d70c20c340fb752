"""The command line's verbs that turn rows into vectors."""

from pathlib import Path
from typing import Annotated

import typer

from edge_glass.cli.options import Built, Embeddings, terminal_progress
from edge_glass.cli.session import ignored, verb
from edge_glass.core.processors import cores

Jobs = Annotated[
    int | None,
    typer.Option("--jobs", min=1, help="Processes that decode; default: cores with a GPU, else 1."),
]


@verb("embed data --encoder clip-vit-b32 --columns image,caption")
def embed(
    directory: Built,
    encoder: Annotated[str, "clip-vit-b32, minilm, …; org/model on the Hub; a folder or .onnx."],
    columns: Annotated[str, "Columns, with commas: image,caption"],
    out: Annotated[Path | None, "OUT/<config>/<encoder>/; default: DIR/embeddings."] = None,
    layout: Annotated[str, "parquet, or clip-retrieval."] = "parquet",
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Rows at once; default: chosen for the device.")
    ] = None,
    jobs: Jobs = None,
    keep: Annotated[bool, "Continue what other libraries began; both are noted."] = False,
) -> None:
    """Embeddings of columns, beside the data; run it again to go on after a stop."""
    from edge_glass.cli import terminal
    from edge_glass.core import manifest
    from edge_glass.vectors.embed import embed as make
    from edge_glass.vectors.embed import modality_of
    from edge_glass.vectors.models import short_name

    folders = manifest.built(directory)
    names = [name.strip() for name in columns.split(",")]
    for folder in folders.values():  # of all, before the first one takes hours
        for name in names:
            modality_of(manifest.read(folder), name)
    targets = []
    for config, folder in folders.items():
        root = out or folder.parent / "embeddings"
        target = root / config / short_name(encoder)
        make(
            folder, target, encoder, names, layout,  # type: ignore[arg-type]
            batch=batch_size, jobs=jobs or processes(), keep=keep,
        )  # fmt: skip
        targets.append(target)
    terminal.paths(targets)


@verb("views data/mm_imdb --encoder clip --out arrays")
def views(
    directory: Built,
    out: Annotated[Path, "Folder for the arrays."],
    encoder: Annotated[
        list[str], "clip, blip2, or NAME=IMAGE,TEXT of two encoders; may be repeated."
    ],
    count: Annotated[int, typer.Option("--views", min=1, help="Views of each original.")] = 70,
    fit: Annotated[str, "What the z-score is fitted on: train, or all as in the paper."] = "train",
    noisy_labels: Annotated[bool, "Labels with noise for each view, too."] = False,
    as_paper: Annotated[bool, "Masks and crops drawn as the paper's code does."] = False,
    image: Annotated[str, typer.Option("--image-column", help="Column of images.")] = "image",
    text: Annotated[str, typer.Option("--text-column", help="Column of texts.")] = "plot",
    jobs: Jobs = None,
) -> None:
    """Embeddings of augmented views of images and texts, as arrays; goes on after a stop."""
    from edge_glass.cli import terminal
    from edge_glass.core import manifest
    from edge_glass.core.errors import ConfigError
    from edge_glass.corpora import catalog
    from edge_glass.domains.mm_imdb.artefacts import Options, export, pair

    if fit not in ("train", "all"):
        raise ConfigError(f"--fit {fit}: use train or all")
    pairs = dict(map(pair, encoder))
    folders = manifest.built(directory)
    written = []
    for config, folder in folders.items():
        spec = catalog.of(manifest.read(folder))
        prefix = (spec and spec.arrays) or f"{config}_globals"
        options = Options(
            pairs, prefix, count, fit, noisy_labels, as_paper,  # type: ignore[arg-type]
            image, text, jobs or processes(),
        )  # fmt: skip
        target = out if len(folders) == 1 else out / config
        export(folder, target, options)
        written.append(target / f"{options.base}_manifest.json")
    terminal.paths(written)


@verb("align data/clotho --left audio:whisper-tiny --right captions")
def align(
    directory: Built,
    left: Annotated[str, "COLUMN:ENCODER, or COLUMN if one encoder."],
    right: Annotated[str, "The other one, like --left."],
    layers: Annotated[int, typer.Option(min=1, max=2, help="1: linear.")] = 1,
    seeds: Annotated[int, typer.Option(min=1, max=100, help="Number of probes to train.")] = 5,
    plot: Annotated[Path | None, "FILE", "Draw the recalls into this SVG."] = None,
    embeddings: Embeddings = None,
) -> None:
    """How well two embedded columns align: probes between them, shuffled pairs, chance."""
    from edge_glass.cli import terminal
    from edge_glass.core import manifest
    from edge_glass.core.extras import needs
    from edge_glass.core.progress import Tally
    from edge_glass.release import write_card
    from edge_glass.vectors import alignment as probes
    from edge_glass.vectors.stored_vectors import chosen, stored

    needs("align", "encoders", "torch")
    reports = []
    for folder in manifest.built(directory).values():
        columns = stored(folder, embeddings)
        sides, tally = (chosen(columns, left), chosen(columns, right)), Tally()
        with terminal_progress().rows(f"align {folder.name}, probes", 2 * seeds, tally):
            reports.append(probes.align(folder, *sides, layers, seeds, tally.add))
        probes.note(folder, reports[-1])
        write_card.listed(folder.parent)
    if plot is not None:
        probes.draw(reports, plot)
    if not terminal.printed_as_json(reports):
        for report in reports:
            terminal.alignment(report)


@verb("score data/clotho --name fit --of audio:clap,captions:clap")
def score(
    directory: Built,
    name: Annotated[str, "Name of the score, for --where."],
    of: Annotated[str | None, "Embedded columns: two (image:clip,caption:clip), or one."] = None,
    head: Annotated[Path | None, "FILE", "--of one: a linear head, safetensors."] = None,
    model: Annotated[str | None, "A classifier: org/model on the Hub, or a folder."] = None,
    column: Annotated[str | None, "--model: the column that it sees, hears or reads."] = None,
    label: Annotated[str | None, "--model: the label to score."] = None,
    embeddings: Embeddings = None,
    jobs: Jobs = None,
) -> None:
    """A number for each row, beside the data: how well two columns fit, or what a model says."""
    from edge_glass.cli import terminal
    from edge_glass.core import manifest
    from edge_glass.core.errors import ConfigError
    from edge_glass.vectors import scores

    if model is not None and column is not None and label is not None:
        ignored("they are no matter of --model", "--of", "--head", "--embeddings")
        saying = scores.Saying(model, column, label)
        given = {
            config: scores.classify(folder, name, saying, jobs or processes())
            for config, folder in manifest.built(directory).items()
        }
    elif of is not None:
        ignored("they are no matter of --of", "--model", "--column", "--label", "--jobs")
        sides = [side.strip() for side in of.split(",")]
        given = {
            config: scores.score(folder, name, sides, head, embeddings)
            for config, folder in manifest.built(directory).items()
        }
    else:
        raise ConfigError("score: give --of with embedded columns; or --model, --column, --label")
    if terminal.printed_as_json({config: each.plain() for config, each in given.items()}):
        return
    for config, each in given.items():
        rows = ((figure, f"{value:.4g}") for figure, value in each.figures.items())
        terminal.table(f"{config}: {name}", ["", "score"], rows)


def processes() -> int:
    """Cores where a GPU is to be fed; one where the encoder takes them itself."""
    from importlib.util import find_spec

    if find_spec("torch") is None:
        return 1
    import torch

    return cores() if torch.cuda.is_available() else 1
