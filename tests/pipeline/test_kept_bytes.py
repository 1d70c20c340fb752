"""What was kept is believed only while its bytes are what they were: caches, work, builds."""

import shutil
from collections.abc import Callable
from pathlib import Path

import planted
import pytest
from kit import Cli, tones
from test_pixmo_cap import jpeg, listed, made
from wildsite import Site, page

from edge_glass.core import finished, manifest, records
from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.names import HIDDEN
from edge_glass.core.progress import Progress
from edge_glass.corpora import catalog, code_digest
from edge_glass.pipeline import shard_plan, worker
from edge_glass.pipeline.build import Options
from edge_glass.release.rebuild import reproduce
from edge_glass.release.write_card import build

VARIANT = catalog.variant("clotho_sample")


def flip(path: Path, at: int | None = None) -> None:
    """Change one bit of a file, in the middle if nothing else is said."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2 if at is None else at] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path: Path) -> None:
    path.write_text("{}")


DAMAGE = [flip, cut, emptied, Path.unlink]


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# Caches


@pytest.mark.parametrize("damage", [cut, emptied, flip])
def test_a_record_that_is_damaged_is_no_record(
    damage: Callable[[Path], None], tmp_path: Path
) -> None:
    records.write(tmp_path / "r.json", {"bytes": 5, "name": "é"})
    assert records.read(tmp_path / "r.json") == {"bytes": 5, "name": "é"}
    damage(tmp_path / "r.json")
    assert records.read(tmp_path / "r.json") is None
    for text in ("[]", "null", "[" * 100_000, '{"bytes": 5}'):
        (tmp_path / "r.json").write_text(text)
        assert records.read(tmp_path / "r.json") is None


# Work under way


@pytest.fixture
def stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The work of a build of several shards that stopped before its last step."""
    monkeypatch.setattr(shard_plan, "SHARD_BYTES", 250_000)

    def stop(*_: object) -> None:
        raise EdgeGlassError("stopped")

    with monkeypatch.context() as patch, pytest.raises(EdgeGlassError, match="stopped"):
        patch.setattr(manifest.Manifest, "check_balance", stop)
        build(VARIANT, tmp_path)
    return tmp_path / HIDDEN / "work" / VARIANT.name


PARTS = ["train-00001-of-*.parquet", "train-00001.ledger", "train-00001.done.json"]
PLANS = ["train-00001.rows", "plan.json", "inputs.json"]


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("part", [*PARTS, *PLANS])
def test_work_that_was_damaged_is_done_again(
    damage: Callable[[Path], None], part: str, stopped: Path, in_pieces: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    make, again = worker._make, list[str]()

    def counted(task: worker.Task, *more: object) -> object:
        again.append(task.order.stem)
        return make(task, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(worker, "_make", counted)
    [path] = stopped.glob(part)
    damage(path)
    build(VARIANT, stopped.parents[2])
    assert files(stopped.parents[2] / VARIANT.name) == files(in_pieces / VARIANT.name)
    if part in PARTS:
        assert again == ["train-00001"]
    elif part != "inputs.json":  # nobody knows any more what the shards were made of
        assert again == []


# Builds that ended


@pytest.fixture
def done(in_pieces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A complete build of several shards."""
    monkeypatch.setattr(shard_plan, "SHARD_BYTES", 250_000)
    build(VARIANT, tmp_path)
    return tmp_path / VARIANT.name


class Said(Progress):
    """What a build says."""

    def __init__(self) -> None:
        self.text = ""

    def say(self, text: str) -> None:
        self.text += f"{text}\n"


def once_more(folder: Path, options: Options | None = None) -> str:
    """Build again; what is said of it."""
    said = Said()
    build(VARIANT, folder.parent, options, said)
    return said.text


WHOLE = ["train-00001-of-*.parquet", "ledger.parquet", "manifest.json"]


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("part", WHOLE)
def test_a_build_over_a_broken_one_mends_it(
    damage: Callable[[Path], None], part: str, done: Path, in_pieces: Path
) -> None:
    [path] = done.glob(part)
    inodes = {shard.name: shard.stat().st_ino for shard in done.glob("*-of-*")}
    damage(path)
    said = once_more(done)
    assert files(done) == files(in_pieces / VARIANT.name)
    if part == WHOLE[0]:
        kept = {
            shard.name for shard in done.glob("*-of-*") if shard.stat().st_ino == inodes[shard.name]
        }
        assert kept == inodes.keys() - {path.name}
        assert f"{done}: {path.name} " in said and "made again" in said
    before = {file.name: file.stat().st_ino for file in done.iterdir()}
    assert once_more(done) == ""
    assert {file.name: file.stat().st_ino for file in done.iterdir()} == before


def test_a_broken_one_that_an_earlier_release_cut_elsewhere(
    done: Path, in_pieces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.name: path.read_bytes() for path in done.glob("*-of-*")}
    with monkeypatch.context() as earlier:
        earlier.setattr(shard_plan, "_chance", lambda size, weight: size >= 200_000)
        once_more(done, Options(rebuild=True))
    after = {path.name: path.read_bytes() for path in done.glob("*-of-*")}
    assert after.keys() == before.keys() and after != before
    flip(next(done.glob("train-00001-*")))
    assert "made again" in once_more(done)
    assert files(done) == files(in_pieces / VARIANT.name)


def test_a_flip_that_leaves_no_trace_is_found_when_asked_for(
    done: Path, in_pieces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flip(next(done.glob("train-00001-*")))
    with monkeypatch.context() as patch:  # a disk that forgets bits tells no time
        patch.setattr(records, "stamp", lambda path: [])
        finished.remember(done, manifest.read(done).files(), None)
        assert once_more(done) == ""
        assert files(done) != files(in_pieces / VARIANT.name)
        assert "sha256 is" in once_more(done, Options(check=True))
    assert files(done) == files(in_pieces / VARIANT.name)


def test_after_a_fault_was_found_all_is_read(
    done: Path, in_pieces: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    flip(next(done.glob("train-00001-*")))
    monkeypatch.setattr(records, "stamp", lambda path: [])
    finished.remember(done, manifest.read(done).files(), None)
    found = cli("verify", done.parent)
    assert found.code == 1
    assert f"`edge-glass build {VARIANT.name} --out {done.parent}`" in found.out.replace("\n", "")
    assert "sha256 is" in once_more(done)
    assert files(done) == files(in_pieces / VARIANT.name)
    assert cli("verify", done.parent).code == 0


def test_damaged_builds_are_not_called_identical(done: Path, in_pieces: Path, cli: Cli) -> None:
    other = in_pieces / VARIANT.name
    assert cli("diff", other, done).code == 0
    shard = next(done.glob("train-00001-*"))
    flip(shard)
    for pair in ((other, done), (done, other)):
        told = cli("diff", *pair)
        assert told.code == 1 and told.err.startswith(f"error: {shard}: sha256 is ")
    shard.unlink()
    assert f"{shard}: is missing" in cli("diff", other, done).err


# Rows that are taken from an earlier build


PAGES = {f"/{n}.jpg": page(jpeg(n)) for n in range(6)}


@pytest.mark.parametrize("part", ["train-00000-of-*.parquet", "ledger.parquet"])
def test_nothing_is_taken_from_a_damaged_build(part: str, tmp_path: Path, cli: Cli) -> None:
    with Site(PAGES | {"/5.jpg": page(b"", 500)}) as site:
        raw = listed(tmp_path / "raw", [f"{site.url}/{n}.jpg" for n in range(6)])
        folder = made(raw, tmp_path / "out")
        whole = files(folder)
        flip(next(folder.glob(part)))
        for again in ({"refresh": tmp_path / "out"}, {"retry_failed": True}):
            with pytest.raises(
                EdgeGlassError, match=r"(?s)recorded was.*edge-glass build pixmo_cap"
            ):
                made(raw, tmp_path / "out", **again)
            with pytest.raises(EdgeGlassError, match=r"damaged, not used"):
                made(raw, tmp_path / "new", refresh=tmp_path / "out")
        assert files(made(raw, tmp_path / "out")) == whole
        assert files(made(raw, tmp_path / "out", refresh=tmp_path / "out")) == whole


def test_no_row_is_dropped_from_a_damaged_build(tmp_path: Path, cli: Cli) -> None:
    sounds = [planted.wav(tones(1, 16000, 440 + 200 * n), 16000) for n in (0, 0, 1, 2)]
    loud = [{"id": str(n), "audio": sound} for n, sound in enumerate(sounds)]
    folder = planted.corpus(tmp_path, "sounds", {"train": loud}, shards=2)
    drop = ("audit", folder, "--check", "duplicates", "--drop-flagged", "--name", "clean")
    assert cli(*drop).code == 0
    clean = tmp_path / "clean"
    whole = files(clean)
    for part in ("train-00000-*", "ledger.parquet"):
        flip(next(clean.glob(part)))
        assert cli(*drop).code == 0 and files(clean) == whole
    shutil.rmtree(clean)
    shard = next(folder.glob("train-00000-*"))
    flip(shard, 200)
    told = cli(*drop)
    assert told.code == 1 and f"{shard}: sha256 is" in told.err and not clean.exists()


# Code


def other_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on another version of a module is at work."""
    real = code_digest.digests
    monkeypatch.setattr(
        code_digest, "digests", lambda name: real(name) | {"edge_glass.core.columns": "0" * 16}
    )


def test_work_that_other_code_began_is_gone_on_with_if_one_says_so(
    stopped: Path, in_pieces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other_code(monkeypatch)
    inodes = {shard.name: shard.stat().st_ino for shard in stopped.glob("*-of-*")}
    out, final = stopped.parents[2], stopped.parents[2] / VARIANT.name
    with pytest.raises(EdgeGlassError, match=r"other code began .*edge_glass.core.columns.*--keep"):
        build(VARIANT, out)
    kept = build(VARIANT, out, Options(keep=True))
    assert {shard.name: shard.stat().st_ino for shard in final.glob("*-of-*")} == inodes
    ours = manifest.read(in_pieces / VARIANT.name)
    assert kept.digests() == ours.digests()
    assert kept.builder.startswith(f"{ours.builder} and ")  # both made it, and it says so


def test_work_that_other_code_began_is_begun_afresh_if_one_says_so(
    stopped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inodes = {shard.stat().st_ino for shard in stopped.glob("*-of-*")}
    keep = [shard.open("rb") for shard in stopped.glob("*-of-*")]  # so that no inode is used again
    other_code(monkeypatch)
    fresh = build(VARIANT, stopped.parents[2], Options(rebuild=True))
    final = stopped.parents[2] / VARIANT.name
    assert not inodes & {shard.stat().st_ino for shard in final.glob("*-of-*")}
    assert " and " not in fresh.builder
    for file in keep:
        file.close()


def test_reproducing_takes_no_build_of_other_code(
    done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = Path(shutil.copytree(done, tmp_path / "version" / VARIANT.name)).parent
    other_code(monkeypatch)
    [found] = reproduce(version, done.parent, [], Options())
    assert found.identical and list(found.inputs) == ["builder"]
    flip(next((version / VARIANT.name).glob("train-00001-*")))
    with pytest.raises(EdgeGlassError, match="sha256 is"):
        next(reproduce(version, done.parent, [], Options()))
