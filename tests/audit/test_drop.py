"""Configs without the rows that an audit flagged: ledger, checks, loading, publishing."""

from pathlib import Path

import planted
from kit import Cli, entries, rows
from test_audit import heard

from edge_glass.audit import audits
from edge_glass.audit.verify import verify
from edge_glass.core import manifest


def test_flagged_rows_are_dropped_and_the_ledger_says_so(tmp_path: Path, cli: Cli) -> None:
    sounds = heard()
    train = [{"id": name, "audio": planted.wav(*sound)} for name, sound in sounds.items()]
    first, second, *_ = sounds
    train.append({"id": "softer", "audio": planted.softer(*sounds[first])})
    test = [{"id": "leak", "audio": planted.mp3(*sounds[second])}]
    folder = planted.corpus(tmp_path, "sounds", {"train": train, "test": test}, shards=2)
    done = cli(
        "audit", folder, "--check", "duplicates", "--drop-flagged", "--name", "clean", "--jobs", 1
    )
    assert done.code == 0 and "like_sound" in done.out
    clean = tmp_path / "clean"
    assert rows(clean).keys() == rows(folder).keys() - {"softer", second}
    book = entries(clean)
    assert len(book) == len(train) + 1
    flagged = {id: row["detail"] for id, row in book.items() if row["outcome"] == "flagged"}
    assert flagged == {
        "softer": f"like_sound: sounds train {first}", second: "like_sound: sounds test leak",
    }  # fmt: skip
    made, audited = manifest.read(clean), audits.read(tmp_path, "sounds")
    assert (
        audited
        and made.audit
        and made.audit.findings == {"duplicates": audited.groups["duplicates"].sha256}
    )
    assert made.splits["train"].outcomes == {"flagged": 2, "kept": len(train) - 2}
    kept = {path.name: path.read_bytes() for path in clean.iterdir()}
    assert cli("audit", folder, "--check", "leaks", "--drop-flagged", "--name", "noleak").code == 0
    assert rows(tmp_path / "noleak").keys() == rows(folder).keys() - {second}
    shown = cli("audit", folder, "--check", "silence").out
    table, _, earlier = shown.partition("Found by earlier audits, in ")
    assert "silence" in table and "clipping" not in table and "like_sound" not in table
    assert "2 like_sound" in " ".join(earlier.split())
    cli("audit", folder, "--check", "duplicates", "--drop-flagged", "--name", "clean")
    assert {path.name: path.read_bytes() for path in clean.iterdir()} == kept


def test_a_dropped_config_verifies_loads_and_publishes(
    built: Path, tmp_path: Path, cli: Cli
) -> None:
    done = cli("audit", built / "pixmo_cap_sample", "--against", built / "laion400m_sample",
               "--check", "leaks", "--out", tmp_path, "--drop-flagged")  # fmt: skip
    assert done.code == 0
    assert list(verify(tmp_path)) == []
    import datasets

    loaded = datasets.load_dataset(str(tmp_path), "pixmo_cap_sample_audited", split="train")
    assert 0 < len(loaded) < 4
    assert "3 flagged" in (tmp_path / "README.md").read_text()
