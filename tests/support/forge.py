"""Wrong builds that vouch for themselves: rows are changed, then digests and counts made to fit."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from edge_glass.core import ledger, manifest
from edge_glass.core.row_digests import RowDigests

Row = dict[str, Any]


@dataclass
class Content:
    """What a build holds: the rows of each shard by its name, the ledger's rows, the manifest."""

    shards: dict[str, list[Row]]
    entries: list[Row]
    made: dict[str, Any]

    def split_rows(self, split: str) -> list[Row]:
        return [row for file in self.made["splits"][split]["shards"]
                for row in self.shards[file["file"]]]  # fmt: skip


def forge(
    folder: Path,
    change: Callable[[Content], object],
    last: Callable[[dict[str, Any]], object] | None = None,
    digests: bool = True,
    counts: bool = True,
) -> None:
    """Change the rows of a build; all else follows, but for digests of rows or counts if told so.

    `last` changes the manifest when everything else is as it should be.
    """
    made = manifest.read(folder).plain()
    names = [shard["file"] for split in made["splits"].values() for shard in split["shards"]]
    schemas = {name: pq.read_schema(folder / name) for name in names}
    before = {name: pq.read_table(folder / name).to_pylist() for name in names}
    entries = pq.read_table(folder / ledger.FILE).to_pylist()
    content = Content(before, entries, made)
    change(content)
    if digests:
        redigest(content, schemas[names[0]])
    for name, schema in schemas.items():
        pq.write_table(pa.Table.from_pylist(content.shards[name], schema=schema), folder / name)
    table = pa.Table.from_pylist(content.entries, schema=ledger.schema())
    pq.write_table(table, folder / ledger.FILE)
    if counts:
        recount(content)
    seal(folder, made)
    if last:
        last(made)
        (folder / manifest.FILE).write_text(json.dumps(made))


def seal(folder: Path, made: dict[str, Any]) -> None:
    """Write the manifest with the sizes and digests of the files as they are."""
    splits = made["splits"].values()
    for facts in [made["ledger"], *(shard for split in splits for shard in split["shards"])]:
        data = (folder / facts["file"]).read_bytes()
        rows = pq.read_metadata(folder / facts["file"]).num_rows
        facts |= {"sha256": hashlib.sha256(data).hexdigest(), "rows": rows, "bytes": len(data)}
    for split in splits:
        split |= {key: sum(s[key] for s in split["shards"]) for key in ("rows", "bytes")}
    (folder / manifest.FILE).write_text(json.dumps(made))


def redigest(content: Content, schema: pa.Schema) -> None:
    """Give the ledger the digests of the rows that have its ids."""
    rows: dict[tuple[str, str], list[Row]] = {}
    for split in content.made["splits"]:
        for row in content.split_rows(split):
            rows.setdefault((split, (row["id"] or "").partition("#")[0]), []).append(row)
    of_all = RowDigests(schema).of_all
    for entry in content.entries:
        if found := rows.get((entry["split"], entry["id"].partition("#")[0])):
            text, media = of_all(found, entry["sha256"])
            entry |= {"text_digests": text, "media_digests": media}


def recount(content: Content) -> None:
    """Give the manifest the counts of the rows."""
    for name, split in content.made["splits"].items():
        entries = [entry for entry in content.entries if entry["split"] == name]
        kept = [entry for entry in entries if entry["outcome"] == "kept"]
        rows = content.split_rows(name)
        split["planned"] = len(entries)
        split["outcomes"] = dict(Counter(entry["outcome"] for entry in entries))
        split["warnings"] = dict(
            Counter(d for e in kept for d in ledger.warnings(e["detail"] or ""))
        )
        seconds = sum(row.get("duration") or 0 for row in rows)
        licences = Counter(row["license"] or "" for row in rows if "license" in row)
        split["figures"] = ({"seconds": round(seconds, 3)} if seconds else {}) | (
            {"licences": dict(licences)} if licences else {}
        )
