"""How many images and sounds a second does each encoder embed, and does loading them hold it up?

    python benchmarks/gpu.py [--seconds 20] [--jobs 16] [--encoders clip-vit-b32,siglip2,clap]
    python benchmarks/gpu.py --encoders tiny --seconds 1

For each encoder, on the GPU or, where there is none, on the CPU: rows a second of one prepared
batch over and over (`card alone`), and of a column as `edge-glass embed` reads it, with decoding
and preparing in `--jobs` processes (`with loading`). The rows are those of the bundled samples,
over and over. The share of the two says who waits: 100% is a card that never does. `--minutes` (10)
ends the run with those encoders that it has time for. `tiny` are models of random weights: a check
that the script works. An encoder that is neither here nor in the Hub's cache is named and left out.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

import edge_glass as eg
from edge_glass.core import parquet
from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.processors import cores
from edge_glass.vectors.encode_ahead import Workers
from edge_glass.vectors.encoder import Encoder, open_encoder

COLUMNS = {"image": ("pixmo_cap_sample", "image"), "audio": ("clotho_sample", "audio")}
ENCODERS = "clip-vit-b32,siglip2,dinov2,clap,whisper-base"
LEAST = 3  # batches of each measure, the first one before the clock starts


def main() -> None:
    """Measure each encoder; print a row as it is done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encoders", default=ENCODERS)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--jobs", type=int, default=cores())
    parser.add_argument(
        "--batch", type=int, help="rows at once; by itself as many as there is room"
    )
    asked = parser.parse_args()
    end, console = time.monotonic() + 60 * asked.minutes, Console(width=100)
    table = Table(
        "encoder", "rows", "device", "batch", "card alone", "with loading", "", box=MARKDOWN
    )
    with tempfile.TemporaryDirectory() as folder, Workers(asked.jobs) as workers:
        for name in asked.encoders.split(","):
            for each in models(name, Path(folder)):
                if time.monotonic() + 3 * asked.seconds > end:
                    console.print(f"{each}: no time left")
                    continue
                try:
                    table.add_row(*measured(each, Path(folder), asked, workers))
                except EdgeGlassError as error:
                    console.print(f"{each} is left out: {error}")
    console.print(table)


def models(name: str, folder: Path) -> Iterator[str]:
    """The encoders of a name: `tiny` are a CLIP, a SigLIP and a CLAP of random weights."""
    if name != "tiny":
        yield name
        return
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
    import tinymodels

    for kind in ("clip", "siglip", "clap"):
        (folder / kind).mkdir()
        yield str(getattr(tinymodels, kind)(folder / kind))


def measured(name: str, folder: Path, asked: argparse.Namespace, workers: Workers) -> Iterator[str]:
    """The row of an encoder in the table, for the first kind of media that it takes."""
    encoder = of_media(name)
    config, column = COLUMNS[encoder.modality]
    if not (folder / config).is_dir():
        eg.build(config, folder, progress=False)
    media = [*rows(folder / config, column)]
    sample = encoder.prepare(media[0])
    batch = asked.batch or encoder.batch_size(sample)
    alone = rate(cycle([[sample] * batch]), encoder, asked.seconds)
    loaded = encoder.embed(cycle(media), batch, workers)
    whole = rate(loaded, None, asked.seconds)
    if encoder.device == "cpu":
        print(f"{name}: there is no GPU here: these are figures of the CPU", file=sys.stderr)
    figures = (f"{alone:,.1f} a second", f"{whole:,.1f} a second", f"{whole / alone:.0%}")
    return iter((Path(name).name, encoder.modality, encoder.device, str(batch), *figures))


def of_media(name: str) -> Encoder:
    """The encoder for images, or for sounds if it takes none."""
    try:
        return open_encoder(name, "image")
    except EdgeGlassError as error:
        if "not image" not in str(error):
            raise
        return open_encoder(name, "audio")


def rows(folder: Path, column: str) -> Iterator[bytes]:
    """The files of a column."""
    for shard in sorted(folder.glob("*-of-*.parquet")):
        for row in parquet.rows(shard, [column]):
            yield row[column]["bytes"]


def rate(batches: Iterator[Any], encoder: Encoder | None, seconds: float) -> float:
    """Rows a second; batches are encoded, or come so."""
    done, start = 0, 0.0
    for number, batch in enumerate(batches):
        if number == 1:
            start = time.perf_counter()
        encoded = encoder.encode(batch) if encoder else batch
        done += len(encoded) if number else 0
        if number >= LEAST and time.perf_counter() - start > seconds:
            break
    return done / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
