"""One page to look at: what was built, what was dropped and why, and a few rows to hear and see."""

import base64
from pathlib import Path
from typing import Any

import jinja2

from edge_glass import manifest, parquet
from edge_glass.audit import balance
from edge_glass.ledger import Outcome
from edge_glass.manifest import Manifest
from edge_glass.media import magic
from edge_glass.shards import Whole

FILE = "report.html"
ROWS = 3  # shown of each split
MEDIA_BYTES = 300_000  # of one row; larger media are not put into the page


def write(out: Path) -> None:
    """Write `out/report.html`: self-contained, it loads nothing and runs no script."""
    folders = manifest.built(out).values()
    configs = [_config(folder) for folder in folders]
    found = (balance.of(folder, manifest.read(folder)) for folder in folders)
    balances = [one for one in found if one]
    loader = jinja2.PackageLoader("edge_glass", "audit")
    template = jinja2.Environment(loader=loader, autoescape=True).get_template("report.html.jinja")
    with Whole(out / FILE) as file:
        page = template.render(
            configs=configs, balances=balances, overlaps=balance.overlaps(balances)
        )
        file.write(page.encode())


def _config(folder: Path) -> dict[str, Any]:
    made = manifest.read(folder)
    return {"name": made["config"], "splits": [_split(folder, made, s) for s in made["splits"]]}


def _split(folder: Path, made: Manifest, name: str) -> dict[str, Any]:
    facts = made["splits"][name]
    outcomes, total = facts["outcomes"], sum(facts["outcomes"].values())
    return {
        "name": name,
        "total": total,
        "kept": outcomes.get(Outcome.KEPT, 0),
        "dropped": {reason: n for reason, n in outcomes.items() if reason != Outcome.KEPT},
        "megabytes": facts["bytes"] / 1e6,
        "rows": [_row(row) for row in _first_rows(folder / facts["shards"][0]["file"])],
    }


def _first_rows(shard: Path) -> list[dict[str, Any]]:
    if not shard.is_file():  # it was sent away
        return []
    with parquet.opened(shard) as file:
        for batch in file.iter_batches(batch_size=ROWS):
            rows: list[dict[str, Any]] = batch.to_pylist()
            return rows
    return []


def _row(row: dict[str, Any]) -> dict[str, Any]:
    media, texts = [], {}
    for name, value in row.items():
        if isinstance(value, dict) and "bytes" in value:
            media.append(_player(value["bytes"]))
        elif isinstance(value, bytes):
            media.append(_player(value))
        elif isinstance(value, list) and value and isinstance(value[0], bytes):
            media += map(_player, value)
        elif isinstance(value, list) and value and isinstance(value[0], str):
            texts[name] = value
        elif not isinstance(value, list):
            texts[name] = [] if value is None else [str(value)]
    return {"id": texts.pop("id")[0], "media": [m for m in media if m], "texts": texts}


def _player(data: bytes | None) -> str | None:
    """A data URL, None for media too large for the page."""
    if not data or len(data) > MEDIA_BYTES:
        return None
    kind = magic.kind(data[: magic.HEAD]) or "application/octet-stream"
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
