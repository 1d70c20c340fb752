"""The command line's verbs that turn rows into vectors."""

import os
from pathlib import Path
from typing import Annotated

import typer

Built = Annotated[Path, typer.Argument(metavar="DIR", help="A folder that `build` made.")]
Jobs = Annotated[
    int | None,
    typer.Option("--jobs", min=1, help="Processes that decode; default: cores if on a GPU, or 1."),
]


def embed(
    directory: Built,
    encoder: Annotated[
        str, typer.Option(help="clip-vit-b32, minilm, …; org/model on the Hub; a folder or .onnx.")
    ],
    columns: Annotated[str, typer.Option(help="Columns, with commas: image,caption")],
    out: Annotated[
        Path | None, typer.Option("--out", help="OUT/<config>/<encoder>/; default: DIR/embeddings.")
    ] = None,
    layout: Annotated[str, typer.Option(help="parquet, or clip-retrieval.")] = "parquet",
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Rows at once; found by itself if not set.")
    ] = None,
    jobs: Jobs = None,
) -> None:
    """Embeddings of columns, beside the data; run it again to go on after a stop."""
    from edge_glass import manifest
    from edge_glass.encode.embed import embed as make

    folders = manifest.built(directory)
    for config, folder in folders.items():
        root = out or folder.parent / "embeddings"
        target = root / config / short(encoder)
        names = [name.strip() for name in columns.split(",")]
        make(folder, target, encoder, names, layout, batch_size, jobs or processes())  # type: ignore[arg-type]
        print(target)


def short(encoder: str) -> str:
    """An encoder's name as that of a folder."""
    path = Path(encoder)
    return path.stem if path.suffix == ".onnx" or path.exists() else encoder.replace("/", "--")


def processes() -> int:
    """Cores where a GPU is to be fed; one where the encoder takes them itself."""
    from importlib.util import find_spec

    if find_spec("torch") is None:
        return 1
    import torch

    return len(os.sched_getaffinity(0)) if torch.cuda.is_available() else 1
