"""What Whisper hears in a corpus of speech: wrong transcripts, word error rates, and speakers."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from edge_glass.audit import profiles
from edge_glass.audit.audited_shards import Shard
from edge_glass.audit.profiles import PLACE, Trace
from edge_glass.audit.rules import Rule
from edge_glass.core import parquet, row_counts
from edge_glass.core.columns import speech
from edge_glass.core.errors import ConfigError, of_the_hub
from edge_glass.core.extras import needs
from edge_glass.core.key_digests import rank
from edge_glass.core.ledger import Dropped
from edge_glass.core.row import JsonObject
from edge_glass.corpora.params import normaliser
from edge_glass.media import audio

RATE = 16000  # Hz
STATES = 50  # of the encoder, a second
WINDOW = 30  # seconds that the encoder takes at once
WANTED = ("faster_whisper", "jiwer", "whisper_normalizer")
MODEL = "tiny"
SPEAKERS = ("speaker_id", "speaker")
LETTERS = 0.5  # that are wrong, too: in a short text, one word misheard is half of the words
RULES = (
    Rule(
        "transcript", "wer", 0.6, f"score >= threshold AND words >= 2 AND cer >= {LETTERS}",
        "'heard: ' || left(hypothesis, 300)",
    ),
)  # fmt: skip
ROWS = 2_000  # whose embeddings are compared, drawn by their ids
STEP = 0.05  # of the histogram of cosines
SCHEMA = pa.schema(
    [
        *PLACE,
        ("speaker", pa.string()),
        ("reference", pa.string()),  # both as the normaliser writes them
        ("hypothesis", pa.string()),
        ("words", pa.int32()),  # of the reference
        ("wer", pa.float64()),
        ("cer", pa.float64()),  # of the letters, however they are cut into words
        ("embedding", pa.list_(pa.float32())),
    ]
)


@dataclass(frozen=True)
class Speech(Trace):
    """A transcript of each row with sound and text, by a Whisper that faster-whisper runs."""

    name: ClassVar[str] = "speech"
    schemas: ClassVar[dict[str, pa.Schema]] = {"speech": SCHEMA}
    folder: str
    weights: str  # their sha256
    version: int = 2

    @classmethod
    def of(cls, model: str | None) -> "Speech":
        """Of a folder in CTranslate2's format, or a name that faster-whisper knows or the Hub has.

        Raises EdgeGlassError if the model or a library is not there.
        """
        needs("--check asr", "asr", *WANTED)
        from faster_whisper.utils import download_model

        name = model or MODEL
        try:
            folder = Path(name) if Path(name).is_dir() else Path(download_model(name))
            with (folder / "model.bin").open("rb") as file:
                return cls(str(folder), hashlib.file_digest(file, "sha256").hexdigest())
        except of_the_hub() as error:
            what = " ".join(str(error).split())[:300]
            raise ConfigError(
                f"--model {name}: no Whisper in CTranslate2's format there ({what}): give a folder "
                "with model.bin, tiny, base, …, or org/model on the Hub"
            ) from None

    def __repr__(self) -> str:
        return f"Speech({self.weights}, {self.version})"

    def libraries(self) -> dict[str, str]:
        """What it depends on besides the shard."""
        return {name: version(name) for name in ("faster-whisper", "ctranslate2", "jiwer")}

    def tables(self, shard: Shard) -> Iterator[dict[str, pa.Table]]:
        """Rows for each file, a few at a time."""
        if (heard := speech(shard.features)) is None:
            return
        sound, text = heard
        named = [name for name in SPEAKERS if name in shard.features][:1]
        row = 0
        for group in parquet.groups(shard.path, ["id", sound, text, *named]):
            measured = []
            for example in group.to_pylist():
                speaker = str(example[named[0]]) if named else None
                known = {"row": row, "item": row, "id": example["id"], "column": text}
                scores = self._heard(example[sound], example[text] or "")
                measured.append(known | {"speaker": speaker} | scores)
                row += 1
                row_counts.count(1, 0)
            yield {"speech": pa.Table.from_pylist(measured, schema=SCHEMA)}

    def _heard(self, sound: JsonObject | None, text: str) -> JsonObject:
        try:
            samples, _ = audio.decode((sound or {}).get("bytes") or b"", RATE)
        except Dropped:
            return {}  # verify says so
        mono = samples.mean(axis=1, dtype=np.float32)
        heard, embedding = hear(self.folder, mono)
        return score(text, heard) | {"embedding": embedding.tolist()}


def score(reference: str, hypothesis: str) -> JsonObject:
    """Both texts as Whisper's English normaliser writes them, and the error rates of the second.

    `wer` is of words, `cer` of letters without spaces; None where there is no reference.
    """
    import jiwer

    one, other = normaliser()(reference), normaliser()(hypothesis)
    scores = {"reference": one, "hypothesis": other, "words": len(words := one.split())}
    if not words:
        return scores | {"wer": None, "cer": None}
    cer = jiwer.cer("".join(words), "".join(other.split()))
    return scores | {"wer": float(jiwer.wer(one, other)), "cer": float(cer)}


def hear(folder: str, mono: np.ndarray[Any, Any]) -> tuple[str, np.ndarray[Any, Any]]:
    """What is said in samples at 16 kHz, and the mean state of the encoder over the first 30 s."""
    model = _model(folder)
    segments, _ = model.transcribe(
        mono, beam_size=5, temperature=0.0, condition_on_previous_text=False,
        without_timestamps=True, vad_filter=False,
    )  # fmt: skip
    text = " ".join(segment.text.strip() for segment in segments)
    features = model.feature_extractor(mono[: WINDOW * RATE], padding=True)
    frames = WINDOW * STATES * 2
    padded = np.zeros((features.shape[0], frames), dtype=np.float32)
    padded[:, : min(frames, features.shape[1])] = features[:, :frames]
    states = np.array(model.encode(padded))[0]
    heard = max(1, min(len(states), -(-len(mono) * STATES // RATE)))
    return text, states[:heard].mean(axis=0, dtype=np.float32)


@cache
def _model(folder: str) -> Any:
    from faster_whisper import WhisperModel

    return WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=1, num_workers=1)


def figures(shards: list[Shard], folder: Any) -> dict[str, Any]:
    """Word errors over all rows, and cosines of clips of one speaker and of two."""
    words = errors = 0.0
    sample: list[tuple[int, str, np.ndarray[Any, Any]]] = []
    for shard in shards:
        columns = ["id", "words", "wer", "speaker", "embedding"]
        for row in parquet.rows(profiles.path(folder, shard, "speech"), columns):
            if row["wer"] is not None:
                words, errors = words + row["words"], errors + row["wer"] * row["words"]
            if row["speaker"] is not None and row["embedding"]:
                vector = np.array(row["embedding"], dtype=np.float32)
                sample.append((rank(0, row["id"]), row["speaker"], vector))
        sample = sorted(sample, key=lambda one: one[0])[:ROWS]
    rate = round(errors / words, 6) if words else None
    summary = {"words": int(words), "word_error_rate": rate, "normaliser": "whisper english"}
    return summary | ({"cosines": cosines(sample)} if sample else {})


def cosines(sample: list[tuple[int, str, np.ndarray[Any, Any]]]) -> dict[str, Any]:
    """Cosines between embeddings of one speaker, and of two: medians, histogram, separation.

    `separation` is the probability that a pair of one speaker is more alike than one of two.
    """
    vectors = np.stack([vector for *_, vector in sample])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    speakers = np.array([speaker for _, speaker, _ in sample])
    upper = np.triu_indices(len(sample), 1)
    values = (vectors @ vectors.T)[upper]
    alike = (speakers[:, None] == speakers[None])[upper]
    same, other = values[alike], values[~alike]
    if not len(same) or not len(other):
        return {"pairs": [len(same), len(other)]}
    below = np.searchsorted(np.sort(other), same).sum() / (len(same) * len(other))
    edges = np.arange(-1, 1 + STEP, STEP)
    return {
        "pairs": [len(same), len(other)],
        "median": [round(float(np.median(part)), 4) for part in (same, other)],
        "separation": round(float(below), 4),
        "histogram": [np.histogram(part, edges)[0].tolist() for part in (same, other)],
    }
