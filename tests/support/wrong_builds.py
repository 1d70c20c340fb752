"""Builds that are wrong in one point each and vouch for themselves, named as the check for it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from forge import Content, Row, forge, seal
from kit import HORSE, encoded, tones

from edge_glass.core import manifest

SHARD = "train-00000-of-00001.parquet"


TEST = "test-00000-of-00001.parquet"


Mutant = Callable[[Path], None]


MUTANTS: dict[str, tuple[str, Mutant]] = {}  # check -> config that is spoilt, and how


def mutant(config: str = "clotho_sample") -> Callable[[Mutant], Mutant]:
    """The function of a check's name spoils a build of `config`."""

    def noted(function: Mutant) -> Mutant:
        MUTANTS[function.__name__] = (config, function)
        return function

    return noted


def first(folder: Path, shard: str = SHARD, **columns: Any) -> None:
    """Other values in the first row of a shard; digests and counts follow."""
    forge(folder, lambda build: build.shards[shard][0].update(columns))


def manifest_of(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    made = manifest.read(folder).plain()
    change(made)
    (folder / manifest.FILE).write_text(json.dumps(made))


def nothing(_: Any) -> None:
    """No change."""


def audio(samples: Any, rate: int = 44100, format: str = "WAV") -> Row:
    return {"bytes": encoded(samples, rate, format), "path": "a.wav"}


@mutant()
def stray_file(folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")


@mutant()
def damaged_file(folder: Path) -> None:
    data = bytearray((folder / SHARD).read_bytes())
    data[50_000] ^= 1
    (folder / SHARD).write_bytes(data)


@mutant()
def other_count(folder: Path) -> None:
    def change(made: dict[str, Any]) -> None:
        made["ledger"]["bytes"] += 1

    manifest_of(folder, change)


@mutant()
def other_columns(folder: Path) -> None:
    """The metadata alone: `datasets` would read other features than the manifest has."""
    wrong = pq.read_table(folder / TEST)
    metadata = wrong.schema.metadata[b"huggingface"].replace(b'"string"', b'"large_string"')
    pq.write_table(wrong.replace_schema_metadata({"huggingface": metadata}), folder / TEST)
    seal(folder, manifest.read(folder).plain())


@mutant()
def other_sums(folder: Path) -> None:
    manifest_of(folder, lambda made: made["splits"]["test"].update(bytes=1))


@mutant()
def empty_id(folder: Path) -> None:
    def change(build: Content) -> None:
        build.shards[SHARD][0]["id"] = build.entries[0]["id"] = " "

    forge(folder, change)


@mutant()
def undecodable(folder: Path) -> None:
    wav = pq.read_table(folder / SHARD)["audio"][0].as_py()["bytes"]
    spoil_media(folder, {"bytes": wav[:5000], "path": "a.wav"})


def spoil_media(folder: Path, value: Row, **columns: Any) -> None:
    """Other media in the first row, which the ledger has the digest of."""
    forge(folder, lambda build: build.shards[SHARD][0].update(audio=value, **columns))


@mutant("valor_sample")
def no_files(folder: Path) -> None:
    first(folder, image_jpegs=[])


@mutant("clotho_test")
def other_rate(folder: Path) -> None:
    spoil_media(folder, audio(tones(1.7002, 8000, 440), 8000, "FLAC"))


@mutant("clotho_test")
def other_channels(folder: Path) -> None:
    mono = tones(1.7002, 16000, 440)
    spoil_media(folder, audio(mono.repeat(2).reshape(-1, 2), 16000, "FLAC"))


@mutant()
def other_duration(folder: Path) -> None:
    first(folder, duration=9.0)


@mutant("mm_imdb_sample")
def other_pixels(folder: Path) -> None:
    first(folder, width=7)


@mutant()
def blank_caption(folder: Path) -> None:
    first(folder, captions=["one", " \n"])


@mutant()
def altered_text(folder: Path) -> None:
    """Captions of two rows changed places."""

    def change(build: Content) -> None:
        one, other = build.shards[SHARD][:2]
        one["captions"], other["captions"] = other["captions"], one["captions"]

    forge(folder, change, digests=False)


@mutant()
def altered_media(folder: Path) -> None:
    """A sample of sound is another one; the container is as long as it was."""

    def change(build: Content) -> None:
        media = build.shards[SHARD][0]["audio"]
        media["bytes"] = media["bytes"][:5000] + b"\x07\x00" + media["bytes"][5002:]

    forge(folder, change, digests=False)


@mutant()
def repeated_id(folder: Path) -> None:
    """In shards and ledger alike, in two splits."""

    def change(build: Content) -> None:
        build.shards[TEST][0]["id"] = HORSE
        next(e for e in build.entries if e["split"] == "test")["id"] = HORSE

    forge(folder, change)


@mutant()
def moved_row(folder: Path) -> None:
    def change(build: Content) -> None:
        rows = build.shards[SHARD]
        rows[0], rows[2] = rows[2], rows[0]

    forge(folder, change, digests=False)


@mutant()
def unpaired_row(folder: Path) -> None:
    """A row of a shard under an id that the ledger has not."""
    forge(folder, lambda build: build.shards[SHARD][4].update(id="another"), digests=False)


@mutant("cc12m_cls_sample")
def missing_examples(folder: Path) -> None:
    """The last example of a row that gave several."""

    def change(build: Content) -> None:
        rows = build.shards[SHARD]
        stems = [row["id"].partition("#")[0] for row in rows]
        last = max(n for n, stem in enumerate(stems) if stems.count(stem) > 1)
        del rows[last]

    forge(folder, change, digests=False)


@mutant()
def other_outcomes(folder: Path) -> None:
    """A drop that the manifest does not tell of."""
    drop_in_ledger(folder, lambda made: made["splits"]["train"].update(outcomes={"kept": 5}))


def drop_in_ledger(folder: Path, last: Callable[[dict[str, Any]], object]) -> None:
    def change(build: Content) -> None:
        blank = dict.fromkeys(build.entries[0])
        text = {"source": "x.csv", "row": "9", "id": "9", "split": "train", "detail": ""}
        build.entries.append(blank | text | {"outcome": "blank_caption"})

    forge(folder, change, last)


@mutant()
def other_plan(folder: Path) -> None:
    """A drop that the sources have no row for."""
    drop_in_ledger(folder, lambda made: made["splits"]["train"].update(planned=5))


@mutant("clotho_sample")
def other_kept(folder: Path) -> None:
    """The ledger does not keep a row that is published, and calls it no example of any."""

    def change(build: Content) -> None:
        row = build.shards[TEST][-1]
        again = row | {"id": f"{row['id']}#2"}
        build.shards[TEST].append(again)

    forge(folder, change)


@mutant()
def repeated_source_row(folder: Path) -> None:
    """In its split, and in another one."""

    def change(build: Content) -> None:
        other = next(entry for entry in build.entries if entry["split"] == "test")
        for entry in (build.entries[1], other):
            entry |= {key: build.entries[0][key] for key in ("source", "row")}

    forge(folder, change)


@mutant()
def claimed_leftover(folder: Path) -> None:
    """One split names a file, and another one has it as a file that no record names."""

    def change(build: Content) -> None:
        named = build.entries[0]
        source, _, name = named["media"][0].partition("/")
        gone = {"outcome": "missing_caption", "detail": "no record names this file", "media": None}
        last = next(entry for entry in build.entries if entry["split"] == "test")
        left = last | gone | {"source": source, "row": name, "id": "left", "sha256": None}
        build.entries.append(left | {"text_digests": None, "media_digests": None})

    forge(folder, change, lambda made: made["splits"]["test"].update(planned=4))


@mutant()
def other_warnings(folder: Path) -> None:
    manifest_of(folder, lambda made: made["splits"]["train"].update(warnings={}))


@mutant()
def other_seconds(folder: Path) -> None:
    manifest_of(folder, lambda made: made["splits"]["test"]["figures"].update(seconds=9.0))


@mutant()
def other_licences(folder: Path) -> None:
    manifest_of(folder, lambda made: made["splits"]["test"]["figures"].update(licences={"x": 3}))


@mutant()
def other_config(folder: Path) -> None:
    manifest_of(folder, lambda made: made["parameters"].update(seed=7))


@mutant()
def other_features(folder: Path) -> None:
    """A column that the corpus has not, in shards and manifest."""
    made = manifest.read(folder).plain()
    made["features"]["more"] = {"dtype": "string", "_type": "Value"}
    for name in [SHARD, TEST, "validation-00000-of-00001.parquet"]:
        rows = pq.read_table(folder / name)
        told = json.dumps({"info": {"features": made["features"]}})
        rows = rows.append_column("more", pa.array(["x"] * len(rows)))
        pq.write_table(rows.replace_schema_metadata({"huggingface": told}), folder / name)
    seal(folder, made)
    forge(folder, nothing)


@mutant()
def same_sound(folder: Path) -> None:
    """A note: the train set's sound, in another container, is in the test set too."""

    def change(build: Content) -> None:
        source, target = build.shards[SHARD][0], build.shards[TEST][0]
        wav = source["audio"]["bytes"]
        target |= {"duration": source["duration"], "audio": {"bytes": wav + b"x", "path": "a.wav"}}

    forge(folder, change)


@mutant("mm_imdb_sample")
def same_bytes(folder: Path) -> None:
    def change(build: Content) -> None:
        kept = {entry["split"]: entry for entry in build.entries if entry["outcome"] == "kept"}
        kept["test"]["sha256"] = kept["train"]["sha256"]

    forge(folder, change)
