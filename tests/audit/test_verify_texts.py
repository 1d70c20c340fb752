"""Tables of text are verified many rows at once: what is found is what is found row by row."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from forge import Content, forge, seal
from kit import Cli, Recorded, build_raw

from edge_glass.audit import checked_build
from edge_glass.audit import verify as audit_verify
from edge_glass.audit.checked_build import printed
from edge_glass.audit.verify import Finding, verify
from edge_glass.core import ledger, manifest
from edge_glass.media.features import arrow_schema

SHARD = "train-00000-of-00001.parquet"
CAPTIONS = ("a tabby cat", "a missile, a T-shirt and a tabby", "two tabbies", "a rocket", "brick")
Mutant = Callable[[Content], object]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Captions that name none, one or two classes: as many examples of each."""
    raw = tmp_path_factory.mktemp("raw")
    lines = [f"http://x.example/{n}.jpg\t{CAPTIONS[n % 5]} {n}\n" for n in range(20)]
    (raw / "cc12m.tsv").write_text("".join(lines))
    return build_raw("cc12m_cls_metadata", raw, tmp_path_factory.mktemp("out"))


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / whole.name))


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of rows that are checked one by one."""
    ids: list[str] = []
    check = audit_verify._checked

    def noted(*row: object) -> object:
        ids.append(row[3]["id"])  # type: ignore[index]
        return check(*row)  # type: ignore[arg-type]

    monkeypatch.setattr(audit_verify, "_checked", noted)
    return ids


def in_groups(folder: Path, rows: int) -> None:
    pq.write_table(pq.read_table(folder / SHARD), folder / SHARD, row_group_size=rows)
    seal(folder, manifest.read(folder).plain())


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 100])
def test_a_group_of_rows_may_end_among_the_examples_of_one(
    rows: int, folder: Path, one_by_one: list[str]
) -> None:
    in_groups(folder, rows)
    assert list(verify(folder)) == []
    ids = pq.read_table(folder / SHARD)["id"].to_pylist()
    stems = [id.partition("#")[0] for id in ids]
    cut = {stems[n] for n in range(rows, len(ids), rows) if stems[n] == stems[n - 1]}
    assert "#" in "".join(ids) and {id.partition("#")[0] for id in one_by_one} == cut


@pytest.mark.parametrize("column", [True, False])
def test_what_an_earlier_release_built_is_read_row_by_row(
    column: bool, folder: Path, one_by_one: list[str]
) -> None:
    def change(build: Content) -> None:
        for entry in build.entries:
            entry["text_digests"] = None

    forge(folder, change, digests=False)
    if not column:
        table = pq.read_table(folder / ledger.FILE)
        pq.write_table(table.drop(["text_digests", "media_digests", "media"]), folder / ledger.FILE)
        seal(folder, manifest.read(folder).plain())
    assert list(verify(folder)) == [] and len(one_by_one) == pq.read_table(folder / SHARD).num_rows


def test_media_that_the_ledger_knows_nothing_of_are_looked_at(built: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(built / "clotho_sample", tmp_path / "clotho_sample"))
    gone = {"sha256": None, "media_digests": None}
    forge(folder, lambda build: [entry.update(gone) for entry in build.entries], digests=False)
    assert {f.check for f in verify(folder) if f.kind == "error"} == {"altered_media"}


def test_licences_and_seconds_of_texts(tmp_path: Path, cli: Cli, one_by_one: list[str]) -> None:
    (tmp_path / "mine").mkdir()
    licences = [None, "CC0-1.0", "CC-BY-4.0"]
    rows = [{"text": f"word {n}", "license": licences[n % 3], "duration": n / 4} for n in range(9)]
    (tmp_path / "mine" / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert cli("build", tmp_path / "mine", "--out", tmp_path / "out", "--jobs", 1).code == 0
    folder = tmp_path / "out" / "mine"
    made = manifest.read(folder).plain()  # of one's own table it is called listed_duration
    made["features"]["duration"] = made["features"].pop("listed_duration")
    schema = arrow_schema(datasets.Features.from_dict(made["features"]))
    table = pa.table(pq.read_table(folder / SHARD).columns, schema=schema)
    pq.write_table(table, folder / SHARD)
    seal(folder, made)
    forge(folder, lambda build: None)
    in_groups(folder, 4)
    figures, seen = manifest.read(folder).splits["train"].figures, Recorded()
    assert (figures.seconds, figures.licences[""]) == (9.0, 3)
    assert [f.check for f in verify(folder, seen)] == ["other_features"]
    assert one_by_one == []
    assert [said[2] for said in seen.said] == [(9, 0)]


def first(**columns: object) -> Mutant:
    return lambda build: build.shards[SHARD][0].update(columns)


def kept(number: int, **columns: object) -> Mutant:
    """Other values in a row of the ledger that is kept."""
    return lambda build: [e for e in build.entries if e["outcome"] == "kept"][number].update(
        columns
    )


def many_too_few(build: Content) -> None:
    """As many as are looked through, from the end of a group on."""
    rows = build.shards[SHARD]
    rows[6:15] = [rows[6] | {"id": "another"}]


def two_without_an_example(build: Content) -> None:
    """At the end of a group, and at the begin of the next."""
    build.shards[SHARD].pop(9)
    kept(4, text_digests=["0", "1"])(build)


def swapped(build: Content) -> None:
    rows = build.shards[SHARD]
    rows[0], rows[3] = rows[3], rows[0]


def without_examples(build: Content) -> None:
    entry = next(entry for entry in build.entries if entry["outcome"] == "kept")
    build.entries.insert(3, entry | {"id": "another", "row": "line 0", "text_digests": []})


MUTANTS: dict[str, tuple[str, Mutant]] = {
    "an id that is blank": ("empty_id", first(id="\u2003")),
    "an id that is null": ("unpaired_row", first(id=None)),
    "an id of no row": ("unpaired_row", first(id="another")),
    "a caption": ("altered_text", first(caption="another")),
    "a row in the place of another": ("unpaired_row", swapped),
    "a row too few": ("unpaired_row", lambda build: build.shards[SHARD].pop(0)),
    "an example too few": ("missing_examples", lambda build: build.shards[SHARD].pop(2)),
    "rows too few": ("unpaired_row", many_too_few),
    "two that lack one": ("missing_examples", two_without_an_example),
    "a row twice": ("altered_text", lambda b: b.shards[SHARD].append(b.shards[SHARD][-1])),
    "a split": ("unpaired_row", kept(-1, split="test")),
    "no split": ("unpaired_row", kept(-1, split=None)),
    "no id": ("unpaired_row", kept(-1, id=None)),
    "no outcome": ("other_outcomes", kept(-1, outcome=None)),
    "a digest of media": ("altered_media", kept(0, media_digests=["0"])),
    "no digests of a row": ("altered_text", kept(2, text_digests=[])),
    "a row without examples": ("unpaired_row", without_examples),
    "digests of another": ("missing_examples", kept(0, text_digests=["0", "1"])),
    "a source's digest": ("altered_media", kept(0, sha256="0")),
    "a source row twice": ("repeated_source_row", kept(1, row="line 1")),
    "a warning": ("other_warnings", kept(0, detail="cut: 3; cut: 4")),
}


@pytest.mark.parametrize("rows", [7, 9])
@pytest.mark.parametrize("name", MUTANTS)
def test_the_same_is_found_as_row_by_row(
    name: str, rows: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check, spoil = MUTANTS[name]
    forge(folder, spoil, digests=False, counts=False)
    in_groups(folder, rows)
    monkeypatch.setattr(checked_build, "AHEAD", 3)
    found = list(verify(folder))
    monkeypatch.setattr(checked_build, "_examples", lambda *_: (0, 0))
    assert found == list(verify(folder))
    assert check in {finding.check for finding in found}, found


def test_warnings_are_counted(folder: Path) -> None:
    def change(build: Content) -> None:
        for number in (0, 1):
            kept(number, detail="cut: 3; cut: 4")(build)

    forge(folder, change, lambda made: made["splits"]["train"].update(warnings={"cut": 4}))
    assert list(verify(folder)) == []


def test_a_column_called_text_may_hold_numbers(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "t.jsonl").write_text('{"text": 5, "word": "one"}\n')
    assert cli("build", tmp_path / "mine", "--out", tmp_path / "out", "--jobs", 1).code == 0
    assert list(verify(tmp_path / "out")) == []


def test_text_of_own_data_may_be_missing(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "t.jsonl").write_text('{"text": null, "word": "one"}\n{"text": "two"}\n')
    choice = ("--column", "text=text")
    assert cli("build", tmp_path / "mine", *choice, "--out", tmp_path / "out").code == 0
    assert list(verify(tmp_path / "out")) == []


BLANK = ["", None, *filter(str.isspace, map(chr, range(sys.maxunicode)))]
LISTS: list[list[str | None] | None] = [None, [], ["a", None], ["a", " "]]


def test_what_has_letters_is_not_blank() -> None:
    for text in BLANK:
        assert not printed(pa.chunked_array([["a", text]], pa.string())), text
    for texts in LISTS:
        assert not printed(pa.chunked_array([[["a"], texts]], pa.list_(pa.string()))), texts
    assert printed(pa.chunked_array([[["a", "\u2003b"], ["c"]]]))


@pytest.mark.parametrize("caption", ["\x1c \u2003", "", None])
def test_a_blank_caption_that_the_ledger_vouches_for(caption: str | None, folder: Path) -> None:
    forge(folder, first(caption=caption))
    found: list[Finding] = list(verify(folder))
    assert {finding.check for finding in found} == {"blank_caption"}, found
