"""The commands that change a dataset row by row, and say where a row comes from."""

from pathlib import Path
from typing import Annotated

import typer

from edge_glass.cli.options import Jobs, Json, Place
from edge_glass.core.errors import ConfigError
from edge_glass.core.processors import cores

app = typer.Typer()


@app.command(epilog="Example: edge-glass withdraw data --ids gone.txt --reason 'asked by mail'")
def withdraw(
    directory: Annotated[
        str, typer.Argument(metavar="DIR", help="A folder that `build` made, or org/name.")
    ],
    config: Annotated[
        str | None, typer.Argument(metavar="[CONFIG]", help="Only this one; default: all.")
    ] = None,
    ids: Annotated[
        Path | None, typer.Option("--ids", metavar="FILE", help="Ids, a line each.")
    ] = None,
    sha256: Annotated[
        Path | None,
        typer.Option("--sha256", metavar="FILE", help="Digests of media, a line each."),
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", help="A pattern, e.g. 'https://example.com/*'.")
    ] = None,
    where: Annotated[
        str | None, typer.Option("--where", help="SQL over columns, e.g. 'speaker_id = 1089'.")
    ] = None,
    reason: Annotated[
        str, typer.Option("--reason", help="Is published: names nobody.")
    ] = "on request",
    version: Annotated[
        str | None, typer.Option("--version", help="On the Hub: the version that this makes.")
    ] = None,
    certificate: Annotated[
        Path | None,
        typer.Option("--certificate", metavar="DIR", help="Default: DIR/certificates."),
    ] = None,
    jobs: Jobs = None,
    json: Json = False,
) -> None:
    """Take rows back: from shards, ledger and all that was made of them; with a certificate."""
    from edge_glass.cli import terminal
    from edge_glass.release.withdraw import Request
    from edge_glass.release.withdraw import withdraw as take_back

    request = Request(_lines(ids), _lines(sha256), url, where, reason)
    done = take_back(directory, request, config, version, certificate, jobs or cores())
    terminal.as_json(terminal.plain(done)) if json else terminal.withdrawn(done)


@app.command(epilog="Example: edge-glass why org/edge-glass@1.0.0 'train/12'")
def why(
    directory: Place,
    id: Annotated[str, typer.Argument(metavar="ID", help="Of a row.")],
    json: Json = False,
) -> None:
    """Where a row comes from: source, licence, consent, code, shard, findings, edits."""
    from edge_glass.cli import terminal
    from edge_glass.core import locations
    from edge_glass.release.why import why as ask

    where = locations.at(directory)
    with locations.errors_explained(where):
        origins = [terminal.plain(origin) for origin in ask(where, id)]
    terminal.as_json(origins) if json else terminal.origins(origins)


def _lines(path: Path | None) -> frozenset[str]:
    if path is None:
        return frozenset()
    if not path.is_file():
        raise ConfigError(f"{path}: no such file")
    return frozenset(filter(None, path.read_text(encoding="utf-8").split("\n")))
