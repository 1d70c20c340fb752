"""The command line's verbs that find rows that are alike."""

import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge_glass.cli.options import Built, Embeddings, one_build, terminal_progress
from edge_glass.cli.session import ignored, verb
from edge_glass.core.errors import ConfigError

if TYPE_CHECKING:
    from edge_glass.vectors.query import Finder, Hit, Query


@verb("index data/clotho")
def index(
    directory: Built,
    column: Annotated[
        str | None, "COLUMN or COLUMN:ENCODER; default: all that are embedded."
    ] = None,
    memory: Annotated[
        float, typer.Option(min=0.1, help="Memory in GB, to build and for the index.")
    ] = 4,
    embeddings: Embeddings = None,
) -> None:
    """KNN indexes over embedded columns, with their recall and speed; goes on after a stop."""
    from edge_glass.cli import terminal
    from edge_glass.core import manifest
    from edge_glass.vectors import index_build, stored_vectors

    folders = []
    for folder in manifest.built(directory).values():
        all_ = stored_vectors.stored(folder, embeddings)
        for one in [stored_vectors.chosen(all_, column)] if column else all_:
            near = [other for other in all_ if other != one and one.is_near(other)]
            folders.append(index_build.build(one, near, int(memory * 1e9), terminal_progress()))
    indexes = [index_build.facts(folder) for folder in folders]
    terminal.result(indexes, terminal.indexes)


@verb("search data/clotho 'a dog on a beach'")
def search(
    directory: Built,
    text: Annotated[str | None, typer.Argument(help="What to look for.")] = None,
    image: Annotated[Path | None, "A picture to look for."] = None,
    sound: Annotated[Path | None, "A sound to look for."] = None,
    row: Annotated[int | None, typer.Option(min=0, help="A row of the data.")] = None,
    column: Annotated[
        str | None, typer.Option("--in", metavar="COLUMN", help="COLUMN or COLUMN:ENCODER.")
    ] = None,
    k: Annotated[int, typer.Option(min=1, max=1000, help="Rows to show.")] = 10,
    filters: Annotated[
        list[str] | None,
        typer.Option("--filter", help="column=value, >=, <= or ~ (contains); may be repeated."),
    ] = None,
    nsfw: Annotated[bool, "Also rows that may be unsafe."] = False,
    embeddings: Embeddings = None,
) -> None:
    """The rows that are nearest to a text, a picture, a sound or a row; doubles are shown once."""
    from edge_glass.cli import terminal
    from edge_glass.vectors.numbered_rows import Filter

    finder, query = _finder(directory, embeddings), _query(text, image, sound, row)
    wanted = [Filter.parsed(one) for one in filters or []]
    hits = finder.find(query, column, k, wanted, nsfw)
    rows = [_row(finder, hit) for hit in hits]
    name = finder.column(query, column).stored.name
    terminal.result(rows, partial(terminal.hits, name))


@verb("serve data/clotho")
def serve(
    directory: Built,
    host: Annotated[str, "Address to listen on."] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8017,
    embeddings: Embeddings = None,
) -> None:
    """A page to search a build with: texts, pictures, sounds; results to see and to hear."""
    from edge_glass.vectors.serve import serve as run

    ignored("a server has no result to print", "--json")
    run(_finder(directory, embeddings), host, port)
    sys.stdout.flush()
    os._exit(0)  # nothing was written, and torch takes seconds to be taken apart


@verb("page data/clotho --out site")
def page(
    directory: Annotated[
        str, typer.Argument(help="A build, or a version on the Hub: org/name@1.0.0", metavar="DIR")
    ],
    out: Annotated[Path, "Folder for the page."],
    config: Annotated[str | None, "If there are several, or on the Hub."] = None,
    data: Annotated[
        str | None, "URL", "Address where the page finds the shards; default: DIR."
    ] = None,
    embeddings: Embeddings = None,
) -> None:
    """A page of files alone, for any web server or a static Space: rows, report, search."""
    from edge_glass.cli import terminal
    from edge_glass.release.load import addressed
    from edge_glass.vectors import web_page

    folder, address = addressed(directory, config, out)
    progress = terminal_progress()
    page = web_page.write(folder, out, data or address, embeddings, progress)
    terminal.paths([page])
    progress.say(
        "A web server shows it, such as nginx or a static Space; opened as a file it is empty."
    )


def _finder(directory: Path, embeddings: Path | None) -> "Finder":
    from edge_glass.vectors.query import Finder

    return Finder(one_build(directory), embeddings)


def _query(text: str | None, image: Path | None, sound: Path | None, row: int | None) -> "Query":
    from edge_glass.vectors.query import Query

    given: list[tuple[Any, Any]] = [("text", text), ("image", image), ("audio", sound)]
    queries = [(kind, value) for kind, value in [*given, ("row", row)] if value is not None]
    if len(queries) != 1:
        raise ConfigError("give one of: a text, --image FILE, --sound FILE, --row N")
    [(kind, value)] = queries
    return Query(kind, value.read_bytes() if isinstance(value, Path) else value)


def _row(finder: "Finder", hit: "Hit") -> dict[str, Any]:
    from edge_glass.vectors.numbered_rows import caption

    row = finder.table.row(hit.row)
    return {
        "row": hit.row,
        "score": hit.score,
        "split": row["split"],
        "id": row["id"],
        "caption": caption(row[finder.table.caption]),
        "like_it": list(hit.like_it),
    }
