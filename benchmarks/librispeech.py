"""A tarball of LibriSpeech's layout -> Parquet: ours beside the plain way with `datasets`.

python benchmarks/librispeech.py [--utterances 2000 20000] [--rounds 3]

The tarballs are made of the real speech in samples/, repeated under new ids, and of the same with
one FLAC file left out. Each way runs in a fresh process with an empty cache, the ways in turn in
every round. CPU seconds are those of the process; the median over the rounds is printed.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
FAILED = -1
sys.path.insert(0, str(ROOT / "tests"))

OURS = """
from pathlib import Path
from edge_glass.corpora import catalog
from edge_glass.pipeline.build import Options
from edge_glass.release.write_card import build

raw, out = Path(sys.argv[1]), Path(sys.argv[2])
variant = catalog.variant("librispeech", {"splits": ["validation.clean"]}, "librispeech_bench")
made = build(variant, out, Options(raw=raw, unverified=True))
rows = made.splits["validation.clean"].rows
"""

# as the loading script of the Hub did it until scripts went out of use: audio is kept until the
# transcript of its chapter has come, and the other way round
PLAIN = """
import datasets
from edge_glass.media.decoding import Audio

class Plain(datasets.GeneratorBasedBuilder):
    def _info(self):
        text, number = datasets.Value("string"), datasets.Value("int64")
        columns = {"id": text, "audio": Audio(sampling_rate=16000), "text": text}
        return datasets.DatasetInfo(features=datasets.Features(
            columns | {"speaker_id": number, "chapter_id": number}))

    def _split_generators(self, dl_manager):
        files = dl_manager.iter_archive(sys.argv[1] + "/dev-clean.tar.gz")
        return [datasets.SplitGenerator("validation", gen_kwargs={"files": files})]

    def _generate_examples(self, files):
        audio, lines = {}, []
        for path, file in files:
            if path.endswith(".flac"):
                audio[path.split("/")[-1][:-5]] = file.read()
            elif path.endswith(".trans.txt"):
                lines += [line.decode().strip().split(" ", 1) for line in file if line]
            if audio and len(audio) == len(lines):
                for name, text in lines:
                    speaker, chapter = map(int, name.split("-")[:2])
                    sound = {"path": name + ".flac", "bytes": audio[name]}
                    yield name, {"id": name, "audio": sound, "text": text,
                                 "speaker_id": speaker, "chapter_id": chapter}
                audio, lines = {}, []

builder = Plain(cache_dir=sys.argv[2])
builder.download_and_prepare(sys.argv[2] + "/out", file_format="parquet")
rows = builder.info.splits["validation"].num_examples if builder.info.splits else 0
"""

HEAD = "import json, resource, sys\n"
TAIL = """
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"cpu": used.ru_utime + used.ru_stime, "mb": used.ru_maxrss / 1024, "rows": rows}))
"""
# the same with the check that ours makes of every clip, so that both do equal work
CHECKED = "import io, soundfile\n" + PLAIN.replace(
    'yield name, {"id"',
    'soundfile.read(io.BytesIO(audio[name]))\n                    yield name, {"id"',
)
START = {
    "edge-glass": "import edge_glass.pipeline.build; rows = 0",
    "datasets": "import datasets; rows = 0",
}
WAYS = {"edge-glass": OURS, "datasets": PLAIN, "datasets, clips decoded": CHECKED}


def run(code: str, raw: Path) -> dict[str, float]:
    """CPU seconds, peak memory in MB and rows of one way on one tarball."""
    with tempfile.TemporaryDirectory(dir=raw.parents[1]) as temp:
        quiet = {"EDGE_GLASS_CACHE": f"{temp}/store", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
        done = subprocess.run(
            [sys.executable, "-c", HEAD + code + TAIL, str(raw), f"{temp}/out"],
            env={**os.environ, **quiet, "HF_HOME": f"{temp}/hf", "HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        if code == OURS:
            sys.exit(done.stderr)
        return {"cpu": float("nan"), "mb": float("nan"), "rows": FAILED}
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def tarballs(folder: Path, utterances: int) -> tuple[Path, Path]:
    """Folders with the tarball, and with the one that lacks a FLAC file a quarter into it."""
    from rawlibri import corpus, pack

    gone = f"{utterances // 4 % 40:04d}.flac"
    chapter = f"/{100 + utterances // 160}/"
    whole = pack(folder / f"{utterances}" / "dev-clean.tar.gz", corpus(utterances))
    less = [m for m in corpus(utterances) if not (chapter in m[0] and m[0].endswith(gone))]
    lacking = pack(folder / f"{utterances}-lacking" / "dev-clean.tar.gz", less)
    return whole.parent, lacking.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--utterances", type=int, nargs="+", default=[2000, 20000])
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temp:
        found = measure(Path(temp), asked.utterances, asked.rounds)
    print("| utterances | way | CPU s | ratio | peak MB | rows | rows with one FLAC missing |")
    print("|--:|---|--:|--:|--:|--:|--:|")
    for (count, way), runs in found.items():
        cpu, mb = (statistics.median(r[key] for r in runs["whole"]) for key in ("cpu", "mb"))
        ours = statistics.median(r["cpu"] for r in found[count, "edge-glass"]["whole"])
        rows, left = (runs[kind][0]["rows"] for kind in ("whole", "lacking"))
        lacking = "ends in an error" if left == FAILED else f"{left:,}"
        figures = f"{cpu:.1f} | {cpu / ours:.2f} | {mb:.0f}"
        print(f"| {count:,} | {way} | {figures} | {rows:,} | {lacking} |")


def measure(
    folder: Path, counts: list[int], rounds: int
) -> dict[tuple[int, str], dict[str, list[dict[str, float]]]]:
    raw = {count: tarballs(folder / "raw", count) for count in counts}
    keys = [(count, way) for count in counts for way in WAYS]
    found = {key: {"whole": [], "lacking": []} for key in keys}
    for _ in range(rounds):
        for count, way in keys:
            found[count, way]["whole"].append(run(WAYS[way], raw[count][0]))
    for count, way in keys:
        found[count, way]["lacking"].append(run(WAYS[way], raw[count][1]))
    for way, code in START.items():
        used = run(code, raw[counts[0]][0])
        print(f"{way}: importing alone takes {used['cpu']:.1f} CPU s and {used['mb']:.0f} MB")
    return found


if __name__ == "__main__":
    main()
