"""Each check of `verify` finds a wrong build that vouches for itself, and that no other finds."""

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from forge import Content, Row, forge, seal
from hub import Hub
from kit import HORSE, ROOT, Cli, build_clotho, edit, encoded, tones
from releases import REPO, commit, push

from edge_glass.audit import verify as table
from edge_glass.audit.verify import Finding, verify
from edge_glass.core import locations, manifest
from edge_glass.core.atomic_files import json_bytes
from edge_glass.corpora import catalog
from edge_glass.release import card, checks_papers, citation, croissant

SHARD = "train-00000-of-00001.parquet"
TEST = "test-00000-of-00001.parquet"
Mutant = Callable[[Path], None]
CHECKS = [
    *table.FILE_CHECKS,
    *table.ROW_CHECKS,
    *table.BUILD_CHECKS,
    *checks_papers.PAPER_CHECKS,
]
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


# Files


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


# Rows


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


# The ledger and the counts


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


# The config, and what upstream is known to hold


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


ROW = f"{SHARD}: train {HORSE}"
NEXT = f"{SHARD}: train train/Corner of a sheep field, summer.wav"
LEDGER = "ledger.parquet"
FOUND: dict[str, tuple[set[str], str]] = {  # where, and what was found and expected
    "stray_file": ({"notes.txt"}, ""),
    "damaged_file": ({SHARD}, "[0-9a-f]{64}.* [0-9a-f]{64}"),
    "other_count": ({LEDGER}, r"\d+ bytes.* \d+"),
    "other_columns": ({TEST}, "Hugging Face"),
    "other_sums": ({"test"}, r" 1 bytes.* \d{6}"),
    "empty_id": ({f"{SHARD}: train  "}, "no id"),
    "undecodable": ({ROW}, "audio .*truncated_media"),
    "no_files": ({f"{SHARD}: train egVid_Smp01_48.000_53.000"}, "image_jpegs"),
    "other_rate": ({ROW}, "8000 Hz.* 16000"),
    "other_channels": ({ROW}, "2 channels.* 1"),
    "other_duration": ({ROW}, "audio .*1.700 s.* duration .*9.000"),
    "other_pixels": ({f"{SHARD}: train 9900001"}, r"256x390 .*\(7, 390\)"),
    "blank_caption": ({ROW}, "captions"),
    "altered_text": ({ROW, NEXT}, "columns"),
    "altered_media": ({ROW}, "media .*source's"),
    "repeated_id": ({HORSE}, f"2 times: train in {SHARD}; test in {TEST}"),
    "moved_row": ({ROW, NEXT}, "one of train"),
    "unpaired_row": ({f"{SHARD}: train another", f"{LEDGER}: train train/Cash till.wav"}, "kept"),
    "missing_examples": ({f"{LEDGER}: train 42f841cfade466933e3e6332af6e06de"}, "2 of its 3"),
    "other_outcomes": ({LEDGER}, "train .*'blank_caption': 1, 'kept': 5.* {'kept': 5}"),
    "other_plan": ({LEDGER}, "train: 6 rows, 5 "),
    "other_kept": ({LEDGER}, "test: 3 rows .*4 rows"),
    "repeated_source_row": (
        {f"{LEDGER}: train", f"{LEDGER}: test"},
        r" Horse neigh.wav of .*development.csv stands there (twice$|and in train)",
    ),
    "claimed_leftover": ({f"{LEDGER}: test"}, "Horse neigh.wav is left .* row in train"),
    "other_warnings": ({LEDGER}, "train .*'start_end_samples is empty': 1.* {}"),
    "other_seconds": ({"test"}, "4.359 s.* 9.000"),
    "other_licences": ({"test"}, "by/3.0/': 2.* {'x': 3}"),
    "other_config": ({"clotho_sample"}, "seed .*7.* 0"),
    "other_features": ({"clotho_sample"}, "features"),
    "same_sound": ({HORSE}, "test/Cow moan.wav"),
    "same_bytes": ({"9900005"}, "9900006"),
}


@pytest.fixture(scope="module")
def variants(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Builds of whose promises the samples make none."""
    out = tmp_path_factory.mktemp("variants")
    raw = ROOT / "samples" / "clotho"
    build_clotho(raw, out, sample_rate=16000, channels=1, audio_format="flac")
    return out


def spoilt(config: str, built: Path, variants: Path, tmp_path: Path) -> Path:
    here = variants if (variants / config).is_dir() else built
    return Path(shutil.copytree(here / config, tmp_path / config))


def found_by(folder: Path, before: list[Finding]) -> list[Finding]:
    return [finding for finding in verify(folder) if finding not in before]


def test_every_check_has_its_mutant() -> None:
    papers = [spoil.__name__ for spoil in [*PAPERS, unpushed_manifest]]
    assert sorted(c.__name__ for c in CHECKS) == sorted([*MUTANTS, *UPSTREAM, *papers])


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_found_by_its_check_alone(
    name: str, built: Path, variants: Path, tmp_path: Path
) -> None:
    config, spoil = MUTANTS[name]
    folder = spoilt(config, built, variants, tmp_path)
    before = list(verify(folder))
    spoil(folder)
    found = found_by(folder, before)
    where, what = FOUND[name]
    assert {finding.where for finding in found} == where and {f.check for f in found} == {name}
    assert all(re.search(what, finding.what) for finding in found), found
    kind = "note" if name.startswith("same_") else "error"
    assert {(f.kind, f.config) for f in found} == {(kind, config)}


# What a corpus's YAML says of upstream: a full build that is all of it, and then is not


@pytest.fixture
def spec(monkeypatch: pytest.MonkeyPatch) -> Any:
    spec = catalog.spec("clotho").model_copy(deep=True)
    monkeypatch.setattr(catalog, "spec", lambda name: spec)
    for source in spec.sources.values():
        source.rows = source.hours = None
    spec.expected.published, spec.expected.rows, spec.expected.values = {}, {}, {}
    return spec


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    folder = build_clotho(ROOT / "samples" / "clotho", out)
    manifest_of(folder, lambda made: [s.update(as_published=True) for s in made["sources"]])
    return folder


CSV = "clotho_captions_development.csv"
UPSTREAM: dict[str, Callable[[Any, int], None]] = {
    "other_source_rows": lambda spec, by: setattr(spec.sources[CSV], "rows", 5 + by),
    "other_published_rows": lambda spec, by: spec.expected.published.update(clotho=11 + by),
    "other_hours": lambda spec, by: setattr(spec.sources[CSV], "hours", 0.01 + by),
    "other_published_values": lambda spec, by: spec.expected.rows.update(train=5 + by),
}


@pytest.mark.parametrize("name", UPSTREAM)
def test_a_build_unlike_upstream_is_found_by_its_check_alone(
    name: str, spec: Any, whole: Path
) -> None:
    UPSTREAM[name](spec, 0)
    assert [f for f in verify(whole) if f.kind == "error"] == []
    UPSTREAM[name](spec, 1)
    assert {f.check for f in verify(whole)} == {name}


# What is said of builds beside them


@pytest.fixture
def release(built: Path, tmp_path: Path) -> Path:
    """A folder of one build as it is on the Hub."""
    out = tmp_path / "out"
    shutil.copytree(built / "clotho_sample", out / "clotho_sample")
    card.write(out)
    say(out)
    assert list(checks_papers.verify(out)) == []
    return out


def say(out: Path) -> None:
    about = ([manifest.read(out / "clotho_sample")], "https://x.org/datasets/o/n", "v1.0.0", None)
    (out / croissant.FILE).write_text(croissant.render(*about))
    (out / citation.FILE).write_text(citation.render(*about))


def unsealed_manifest(out: Path) -> None:
    manifest_of(out / "clotho_sample", lambda made: made.update(builder="0123456789abcdef"))


def outdated_card(out: Path) -> None:
    edit(out / card.FILE, lambda text: text.replace(b"| 5 | 0:00:07 |", b"| 6 | 0:00:07 |"))


def edited_card(out: Path) -> None:
    """In a folder that is no release: there all of it is written by builds."""
    (out / croissant.FILE).unlink()
    (out / citation.FILE).unlink()
    edit(out / card.FILE, lambda text: text.replace(b"the media inside", b"the media insidE"))


def outdated_croissant(out: Path) -> None:
    edit(out / croissant.FILE, lambda text: text.replace(b"11 rows", b"12 rows"))


def outdated_citation(out: Path) -> None:
    edit(out / citation.FILE, lambda text: text.replace(b"version: 1.0.0", b"version: 1.0.1"))


PAPERS: dict[Mutant, tuple[str, str]] = {  # the config or folder, and the file
    unsealed_manifest: ("clotho_sample", manifest.FILE),
    outdated_card: ("out", card.FILE),
    edited_card: ("out", card.FILE),
    outdated_croissant: ("out", croissant.FILE),
    outdated_citation: ("out", citation.FILE),
}


@pytest.mark.parametrize("spoil", PAPERS)
def test_a_paper_that_is_not_current_is_found_by_its_check_alone(
    spoil: Mutant, release: Path
) -> None:
    spoil(release)
    (found,) = checks_papers.verify(release)
    kind = "note" if spoil is edited_card else "error"
    assert (found.kind, found.check) == (kind, spoil.__name__)
    assert (found.config, found.where) == PAPERS[spoil]


def test_a_card_that_is_gone_or_damaged(release: Path) -> None:
    (release / card.FILE).write_text("---\n: [\n---\n")
    (found,) = checks_papers.verify(release)
    assert found.where == card.FILE and "cannot be read" in found.what
    (release / card.FILE).unlink()
    (found,) = checks_papers.verify(release)
    assert (found.where, found.check) == (card.FILE, "outdated_card")


def test_a_card_that_is_gone_comes_back_as_verify_says(
    built: Path, tmp_path: Path, cli: Cli
) -> None:
    out = tmp_path / "out"
    shutil.copytree(built / "clotho_sample", out / "clotho_sample")
    said = cli("verify", out).out
    assert "edge-glass report" in said and "edge-glass build" not in said
    assert cli("report", out).code == 0
    assert list(checks_papers.verify(out)) == []


@pytest.mark.parametrize("text", [b"Built with", b"pretty_name: Edge", b'load_dataset("'])
def test_every_text_of_a_card_that_a_build_wrote_is_compared(
    text: bytes, built: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(built / "clotho_sample", out / "clotho_sample")
    card.write(out)
    shutil.move(out, tmp_path / "renamed")
    assert list(checks_papers.verify(tmp_path / "renamed")) == []
    edit(tmp_path / "renamed" / card.FILE, lambda old: old.replace(text, text[:-1] + b"?"))
    (found,) = checks_papers.verify(tmp_path / "renamed")
    assert found.check == edited_card.__name__


def test_the_seal_is_the_sha256_of_the_manifests_file(release: Path) -> None:
    data = (release / "clotho_sample" / manifest.FILE).read_bytes()
    assert card.sealed((release / card.FILE).read_text()) == {
        "clotho_sample": hashlib.sha256(data).hexdigest()
    }


def test_the_tag_of_a_release_has_the_seal(hub: Hub, built: Path) -> None:
    push(hub, built)
    seal = manifest.read(built / "clotho_sample").seal
    assert hub.store.repos[REPO].tag_messages == {
        "v1.0.0": f"clotho_sample: sha256 of its manifest {seal}"
    }


def test_the_commit_of_a_release_has_the_seal_which_is_held_against_it(
    hub: Hub, built: Path
) -> None:
    push(hub, built)
    assert list(checks_papers.verify(locations.at(f"{REPO}@1.0.0"))) == []
    unpushed_manifest(hub)
    (found,) = checks_papers.verify(locations.at(f"{REPO}@1.0.0"))
    assert (found.check, found.config, found.where, found.kind) == (
        unpushed_manifest.__name__, "clotho_sample", manifest.FILE, "error",
    )  # fmt: skip


def unpushed_manifest(hub: Hub) -> None:
    """The tag is moved to a later commit, whose card has the seal of another manifest."""
    path = "clotho_sample/manifest.json"
    made = manifest.parse(hub.read(REPO, path), path)
    other = replace(made, builder="0123456789abcdef")
    readme = hub.read(REPO, card.FILE).replace(made.seal.encode(), other.seal.encode())
    commit(hub, {path: json_bytes(other.plain()), card.FILE: readme})
    refs = hub.store.repos[REPO].refs
    refs["refs/tags/v1.0.0"] = refs["refs/heads/main"]


# The table


def test_the_docs_list_every_check_and_what_it_finds() -> None:
    """Written by `python tests/audit/test_verify_checks.py`."""
    assert (ROOT / "docs" / "verify.md").read_text() == page()


def page() -> str:
    """docs/verify.md: the head that it has, and the table."""
    head = (ROOT / "docs" / "verify.md").read_text().partition("| check |")[0]
    rows = [f"| `{c.__name__}` | {(c.__doc__ or '').splitlines()[0]} |" for c in CHECKS]
    return head + "\n".join(["| check | what it finds |", "|---|---|", *rows]) + "\n"


if __name__ == "__main__":
    (ROOT / "docs" / "verify.md").write_text(page())
