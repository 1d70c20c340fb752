"""The command line's verb for the folder of downloads."""

from typing import Annotated

import typer

from edge_glass.cli.options import Json

app = typer.Typer()


@app.command(epilog="Example: edge-glass cache --clear unpacked")
def cache(
    clear: Annotated[
        str | None, typer.Option("--clear", metavar="PART", help="Empty this part.")
    ] = None,
    json: Json = False,
) -> None:
    """What lies in the folder of downloads ($EDGE_GLASS_CACHE), and how much it is."""
    from edge_glass.cli import terminal
    from edge_glass.core import units
    from edge_glass.pipeline import cache as parts
    from edge_glass.sources.obtain import store

    for path in parts.clear(clear) if clear else []:
        terminal.say(f"{path} is not of Edge Glass: it stays")
    listed = parts.parts()
    if json:
        terminal.as_json([terminal.plain(part) for part in listed])
        return
    rows = [(part.name, part.files, units.size(part.bytes), part.what) for part in listed]
    terminal.table(str(store()), ["part", "files#", "size#", "what it is; when cleared"], rows)
