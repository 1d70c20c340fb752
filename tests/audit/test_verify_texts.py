"""Tables of text are verified many rows at once: what is found is what is found row by row."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from forge import Content, forge, seal
from kit import Cli, build_raw

from edge_glass.audit import checked_build
from edge_glass.audit import verify as audit_verify
from edge_glass.audit.verify import Finding, verify
from edge_glass.core import manifest

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


def test_what_an_earlier_release_built_is_read_row_by_row(
    folder: Path, one_by_one: list[str]
) -> None:
    def change(build: Content) -> None:
        for entry in build.entries:
            entry["text_digests"] = None

    forge(folder, change, digests=False)
    assert list(verify(folder)) == [] and len(one_by_one) == pq.read_table(folder / SHARD).num_rows


def first(**columns: object) -> Mutant:
    return lambda build: build.shards[SHARD][0].update(columns)


def kept(number: int, **columns: object) -> Mutant:
    """Other values in a row of the ledger that is kept."""
    return lambda build: [e for e in build.entries if e["outcome"] == "kept"][number].update(
        columns
    )


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


@pytest.mark.parametrize("name", MUTANTS)
def test_the_same_is_found_as_row_by_row(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check, spoil = MUTANTS[name]
    forge(folder, spoil, digests=False, counts=False)
    in_groups(folder, 7)
    found = list(verify(folder))
    monkeypatch.setattr(checked_build, "examples", lambda *_: (0, 0))
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


@pytest.mark.parametrize("caption", ["\x1c \u2003", "", None])
def test_a_blank_caption_that_the_ledger_vouches_for(caption: str | None, folder: Path) -> None:
    forge(folder, first(caption=caption))
    found: list[Finding] = list(verify(folder))
    assert {finding.check for finding in found} == {"blank_caption"}, found
