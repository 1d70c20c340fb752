"""Rows are withdrawn: nothing of them is left, and no later build takes them in again."""

import html
import json
import platform
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import markupsafe
import numpy as np
import planted
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import searchkit
from hub import Fault, Hub
from kit import Cli, build_clotho, entries, rows, tones
from releases import REPO, SAMPLE, push, sent

import edge_glass as eg
from edge_glass.audit import report_stats
from edge_glass.core import manifest, outputs
from edge_glass.core.atomic_files import write_json
from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.manifest import WITHDRAWN
from edge_glass.core.progress import Progress
from edge_glass.release import residue, withdraw
from edge_glass.release.checks_papers import verify
from edge_glass.release.residue import Traces
from edge_glass.vectors import embed, index_build
from edge_glass.vectors.embedding_files import Target
from edge_glass.vectors.query import Finder, Query


@pytest.fixture
def out(in_pieces: Path, tmp_path: Path) -> Path:
    """Clotho's sample in seven shards, to be changed."""
    return Path(shutil.copytree(in_pieces, tmp_path / "data"))


def digests(folder: Path) -> dict[str, str]:
    return {file.file: file.sha256 for file in manifest.read(folder).files()}


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def first(folder: Path) -> str:
    """The id of a row."""
    return sorted(rows(folder))[0]


def gone(out: Path, *ids: str) -> Path:
    path = out.parent / "gone.txt"
    path.write_text("\n".join(ids) + "\n")
    return path


def test_only_shards_with_such_rows_are_written_anew(out: Path, cli: Cli) -> None:
    folder = out / SAMPLE
    before, held, id = digests(folder), rows(folder), first(out / SAMPLE)
    done = cli("withdraw", out, "--ids", gone(out, id), "--reason", "asked by mail", "--jobs", 1)
    assert done.code == 0, done.err
    assert rows(folder) == {key: row for key, row in held.items() if key != id}
    after = digests(folder)
    changed = {name for name in after if after[name] != before.get(name)}
    assert len(changed) == 3 and {"ledger.parquet", WITHDRAWN} < changed
    assert not [each for each in verify(out) if each.kind == "error"]
    told = [row for row in entries(folder).values() if row["outcome"] == "withdrawn"]
    assert [(row["detail"], row["sha256"], row["text_digests"]) for row in told] == [
        ("asked by mail", None, None)
    ]
    for path in (path for path in out.rglob("*") if path.is_file()):
        assert not [
            text for text in [id, *held[id]["captions"]] if text.encode() in path.read_bytes()
        ]


def test_the_certificate_says_what_was_done(out: Path) -> None:
    folder, id = out / SAMPLE, first(out / SAMPLE)
    before = digests(folder)
    done = eg.withdraw(out, ids=[id])
    (path,) = (out / "certificates").glob("*.json")
    told = json.loads(path.read_text())
    assert told == json.loads(json.dumps(eg.withdraw(out, ids=[id]).plain())) | told
    changed = {one.file: (one.before, one.after) for one in done.configs[SAMPLE].changed}
    after = digests(folder)
    assert {n: p for n, p in changed.items() if n != manifest.FILE} == {
        name: (before.get(name), after[name]) for name in after if after[name] != before.get(name)
    }
    assert done.search and done.search.rows and not done.search.residue
    assert id not in path.read_text() and id not in path.with_suffix(".html").read_text()


def test_the_scan_finds_what_is_left(out: Path) -> None:
    folder, id = out / SAMPLE, first(out / SAMPLE)
    caption = rows(folder)[id]["captions"][0]
    (out / "notes.txt").write_text(f"I like: {caption}")
    with pytest.raises(EdgeGlassError, match=r"notes\.txt: texts"):
        eg.withdraw(out, ids=[id])
    (out / "notes.txt").unlink()
    done = eg.withdraw(out, ids=[id])
    assert done.search and done.search.residue == ()


def test_a_row_that_is_still_there_is_residue(built: Path) -> None:
    folder = built / SAMPLE
    id = first(folder)
    traces = Traces()
    traces.add_entry(entries(folder)[id])
    left = residue.scan(built, traces).residue
    assert f"{SAMPLE}/ledger.parquet: ids" in left
    assert any("-of-" in one and one.endswith(": ids") for one in left)
    assert any("-of-" in one and one.endswith(": media") for one in left)


def test_an_id_in_what_is_said_of_another_row_is_residue() -> None:
    traces, done = Traces({"the leak itself"}), residue.Scan()
    said = {"id": "the second one", "detail": "like_sound: test the leak itself", "caption": "x"}
    finder = residue.Finder(traces)
    residue._rows(done, finder, traces, Path("clean/ledger.parquet"), [said])
    assert done.residue == ["clean/ledger.parquet: ids"]


def test_a_later_build_obeys(clotho: Path, tmp_path: Path) -> None:
    folder = build_clotho(clotho, tmp_path / "a", splits=["train", "test"])
    id = first(folder)
    eg.withdraw(tmp_path / "a", ids=[id])
    kept = files(folder)
    assert build_clotho(clotho, tmp_path / "a", splits=["train", "test"]) == folder
    assert files(folder) == kept
    shutil.rmtree(tmp_path / "a" / ".edge_glass")
    for shard in folder.glob("*-of-*"):
        shard.unlink()  # is made again out of the sources, without the row
    build_clotho(clotho, tmp_path / "a", splits=["train", "test"])
    assert files(folder) == kept
    eg.build("clotho", tmp_path / "b", raw=clotho, progress=False, name="clotho_test",
             splits=["train", "test"], unverified=True, obey=[tmp_path / "a"])  # fmt: skip
    assert files(tmp_path / "b" / "clotho_test") == kept


def test_what_names_no_row_changes_nothing(out: Path, cli: Cli) -> None:
    before = files(out / SAMPLE)
    done = cli("withdraw", out, "--ids", gone(out, "nobody"))
    assert done.code == 1 and "no row nobody: nothing was changed" in done.err
    done = cli("withdraw", out, "--where", "nonsense = 1")
    assert done.code == 1 and "nonsense" in done.err
    assert files(out / SAMPLE) == before


def test_by_media_and_by_sql(out: Path, cli: Cli) -> None:
    folder = out / SAMPLE
    id, other = sorted(rows(folder))[:2]
    eg.withdraw(out, sha256=[entries(folder)[id]["sha256"]])
    assert id not in rows(folder)
    told = cli("withdraw", out, SAMPLE, "--where", f"id = '{other}'", "--json").json
    assert told["configs"][SAMPLE]["rows"] == 1
    assert other not in rows(folder)
    assert manifest.read(folder).outcomes()["withdrawn"] == 2


@pytest.mark.parametrize("step", ["put", "rename", "sync_folder", "forget", "scan", "write"])
def test_a_withdrawal_that_was_stopped_goes_on(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    whole = Path(shutil.copytree(out, tmp_path / "whole" / "data"))
    id = first(out / SAMPLE)
    eg.withdraw(whole, ids=[id])
    owner = {
        "put": withdraw.Edition,
        "rename": Path,  # the old build is out of its place, the new one not there
        "sync_folder": outputs,  # the new one is there, the old one not removed
        "forget": withdraw.derived,
        "scan": withdraw.residue,
        "write": withdraw.certificate,
    }[step]

    rename = Path.rename

    def stop(*places: Path, **__: object) -> object:
        if step == "rename" and places[0].parent.name != "work":
            return rename(*places)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(owner, step, stop)
        with pytest.raises(KeyboardInterrupt):
            eg.withdraw(out, ids=[id])
    assert list(out.rglob("*.previous")) or step not in ("rename", "sync_folder")
    (out / "certificates").mkdir(exist_ok=True)
    (out / "certificates" / f"w.json.{platform.node()}.1.tmp").touch()  # of a killed process
    eg.withdraw(out, ids=[id])
    for name in (SAMPLE, "certificates"):
        assert files(out / name) == files(whole / name)
    assert not list(out.rglob("*.previous"))


def test_a_version_without_the_rows(hub: Hub, out: Path, tmp_path: Path) -> None:
    push(hub, out, "1.0.0")
    id, size = first(out / SAMPLE), sum(f.bytes for f in manifest.read(out / SAMPLE).shards())
    hub.reset_log()
    done = eg.withdraw(REPO, ids=[id], version="1.1.0", certificate=tmp_path / "c")
    assert done.earlier_versions == ("v1.0.0",)
    assert done.search and done.search.rows and not done.search.residue
    assert sent(hub) < size / 2
    eg.withdraw(out, ids=[id])
    ours = {f"{SAMPLE}/{name}": data for name, data in files(out / SAMPLE).items()}
    there = {path for path in hub.files(REPO, "v1.1.0") if path.startswith(SAMPLE)}
    assert there == ours.keys()
    assert all(hub.read(REPO, path, "v1.1.0") == ours[path] for path in there)
    assert f"{SAMPLE}/{WITHDRAWN}" not in hub.files(REPO, "v1.0.0")


def test_a_push_of_a_build_that_knows_nothing_of_it_is_refused(
    hub: Hub, in_pieces: Path, out: Path
) -> None:
    push(hub, out, "1.0.0")
    eg.withdraw(REPO, ids=[first(out / SAMPLE)], version="1.1.0", certificate=out / "c")
    head = hub.store.repos[REPO].refs["refs/heads/main"]
    hub.reset_log()
    with pytest.raises(EdgeGlassError, match="--obey org/edge-glass"):
        push(hub, in_pieces, "1.2.0")
    read = [request.path for request in hub.seen("GET|HEAD", "/(tree|resolve)/")]
    assert len(read) > 2 and all(f"/{head}" in path for path in read)


def test_a_fault_at_any_request_leaves_the_versions_whole(
    hub: Hub, out: Path, tmp_path: Path
) -> None:
    push(hub, out, "1.0.0")
    id = first(out / SAMPLE)
    hub.fail(Fault("POST", "/commit/", status=500, times=50))
    with pytest.raises(EdgeGlassError, match="Nothing is tagged"):
        eg.withdraw(REPO, ids=[id], version="1.1.0", certificate=tmp_path / "c")
    assert not (tmp_path / "c").exists()
    hub.heal()
    eg.withdraw(REPO, ids=[id], version="1.1.0", certificate=tmp_path / "c")
    assert f"{SAMPLE}/{WITHDRAWN}" in hub.files(REPO, "v1.1.0")


def embedded(folder: Path) -> Path:
    """Vectors of a build's captions, planted, with an index; their folder."""
    target, made = folder.parent / "embeddings" / folder.name / "planted", manifest.read(folder)
    encoded = {"captions": {"modality": "text", "dim": 8}}
    model = {"name": "planted", "revision": "0", "kind": "sentence"}
    data = {shard.file: shard.sha256 for shard in made.shards()}
    told = {"config": SAMPLE, "data": data, "model": model, "layout": "parquet"}
    write_json(target / embed.FILE, told | {"encoded": encoded})
    for number, shard in enumerate(made.shards()):
        vectors = np.full((shard.rows, 8), number + 1, dtype=np.float32)
        one = Target("parquet", target, number, len(made.shards()), folder / shard.file)
        one.write({"captions": iter([vectors])}, encoded)
    index_build.build(searchkit.only(folder), [], 10**9, Progress())
    return target


def test_what_was_made_of_the_rows_is_cleaned_or_removed(out: Path) -> None:
    folder, id = out / SAMPLE, first(out / SAMPLE)
    eg.audit(out, checks=["silence", "captions"], progress=False)
    vectors = embedded(folder)
    assert (
        list(vectors.glob("index/*/*")) and (out / "audit" / SAMPLE / "captions.parquet").exists()
    )
    before = {trace.name for trace in out.glob(".edge_glass/traces/*/*")}
    done = eg.withdraw(out, ids=[id])
    assert done.derived == (
        f"audit/{SAMPLE}: removed: run `edge-glass audit` again",
        f"embeddings/{SAMPLE}/planted/index: follows, or is removed: then run `edge-glass index` "
        "again",
        f"embeddings/{SAMPLE}/planted: `edge-glass embed` goes on with it",
    )
    [index] = vectors.glob("index/*")
    assert json.loads((index / "index.json").read_text())["rows"] == manifest.read(folder).rows
    hit = Finder(folder).find(Query("row", 0), k=1)[0]
    assert hit.score == pytest.approx(1, abs=1e-4) and not list((out / "audit" / SAMPLE).iterdir())
    after = {trace.name for trace in out.glob(".edge_glass/traces/*/*")}
    assert after < before
    searchkit.only(folder).check()
    for shard in manifest.read(folder).shards():
        ids = pq.read_table(folder / shard.file, columns=["id"])["id"]
        assert pq.read_table(vectors / shard.file)["id"].to_pylist() == ids.to_pylist()


def test_what_a_user_keeps_beside_an_index_stays_where_the_index_goes(out: Path) -> None:
    index = embedded(out / SAMPLE) / "index"
    notes = [index / "notes.txt", *(each / "notes.txt" for each in index.glob("*/"))]
    notes += [index / "mine" / "index.json"]
    for path in notes:
        path.parent.mkdir(exist_ok=True)
        path.write_text("{}")
    eg.withdraw(out, ids=[first(out / SAMPLE)])
    assert sorted(index.rglob("*.*")) == sorted(notes)


def test_a_word_of_a_row_in_a_findings_detail_goes_with_it(tmp_path: Path, cli: Cli) -> None:
    """An audited config's ledger names the row that a dropped one was like."""
    sound = planted.wav(tones(1.0, 16000, 440.0).astype(np.float32), 16000)
    train = [{"id": name, "audio": sound} for name in ("the first of all", "the second one")]
    other = [{"id": "the leak itself", "audio": sound}]
    folder = planted.corpus(tmp_path, "sounds", {"train": train, "test": other})
    cli("audit", folder, "--check", "duplicates", "--drop-flagged", "--name", "clean", "--jobs", 1)
    details = [row["detail"] for row in entries(tmp_path / "clean").values()]
    assert any("the leak itself" in detail for detail in details)
    done = eg.withdraw(tmp_path, ids=["the leak itself"])
    assert sorted(done.configs) == ["clean", "sounds"]
    details = [row["detail"] for row in entries(tmp_path / "clean").values()]
    assert any("a withdrawn row" in detail for detail in details)


def test_what_is_drawn_of_a_part_of_the_shards_counts_the_ledger_alone(out: Path) -> None:
    """As where a version is changed on the Hub, of which only shards that change are fetched."""
    folder = out / SAMPLE
    made = manifest.read(folder)
    whole = report_stats.of(folder, made, out / "facts-whole")
    (folder / made.shards()[0].file).unlink()
    part = report_stats.of(folder, made, out / "facts-part")
    titles = [{plot["title"] for plot in facts["histograms"]} for facts in (whole, part)]
    assert "Characters of captions" in titles[0] and titles[1] == {"Bytes of a source file"}
    assert part["rows"] and part["hosts"] == whole["hosts"]


@pytest.mark.parametrize(
    "written",
    [
        lambda text: json.dumps({"text": text}),
        lambda text: json.dumps(text, ensure_ascii=False),
        lambda text: f"<p>{html.escape(text)}",
        lambda text: f"<p>{markupsafe.escape(text)}",
        lambda text: f"https://example.com/{quote(text)}",
        lambda text: f'1\t"{text.replace(chr(34), 2 * chr(34))}"',
    ],
    ids=["json", "json-utf-8", "html", "jinja", "url", "csv"],
)
def test_the_scan_finds_texts_as_files_escape_them(
    tmp_path: Path, written: Callable[[str], str]
) -> None:
    id, other = 'the "fêted" one & <all>', 'says "naïve" things & <more>'
    planted.corpus(tmp_path, "texts", {"train": [{"id": n, "caption": n} for n in (id, "b")]})
    note = tmp_path / "notes.txt"
    note.write_text(written(id))
    with pytest.raises(EdgeGlassError, match=r"notes\.txt: ids"):
        eg.withdraw(tmp_path, ids=[id])
    note.write_text(written(other))
    assert eg.withdraw(tmp_path, ids=[id]).search


def test_ids_that_cards_and_pages_say_in_any_case(tmp_path: Path) -> None:
    ids = ["dataset", "configs", "caption", "license", "text_digests", "background", "outcomes"]
    train = [{"id": id, "caption": f"what {id} says"} for id in [*ids, "another row"]]
    folder = planted.corpus(tmp_path, "texts", {"train": train})
    table = {"id": pa.array(["dataset", "b"])}
    pq.write_table(pa.table(table), tmp_path / "mine.parquet")
    with pytest.raises(EdgeGlassError) as error:
        eg.withdraw(tmp_path, ids=ids)
    assert "mine.parquet: ids" in str(error.value) and "README" not in str(error.value)
    (tmp_path / "mine.parquet").unlink()
    assert eg.withdraw(tmp_path, ids=ids).search
    assert [*rows(folder)] == ["another row"]


def test_the_scan_finds_media_that_lie_as_files(out: Path) -> None:
    folder, id = out / SAMPLE, first(out / SAMPLE)
    (out / "a-copy.wav").write_bytes(rows(folder)[id]["audio"]["bytes"])
    with pytest.raises(EdgeGlassError, match=r"a-copy\.wav: media"):
        eg.withdraw(out, ids=[id])
    (out / "a-copy.wav").unlink()
    assert eg.withdraw(out, ids=[id]).search
