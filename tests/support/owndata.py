"""Data of one's own as people have them: a folder or table for each layout, in its real shape."""

import base64
import csv
import gzip
import hashlib
import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from kit import ROOT, encoded, sound, tones
from PIL import Image

WAV = sound()


def jpeg(number: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40 + number, 30), (number * 9 % 256, 90, 200)).save(out, "JPEG")
    return out.getvalue()


def put(path: Path, data: bytes | str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)


def lines(records: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def table(path: Path, records: list[dict[str, Any]], delimiter: str = ",") -> None:
    """Records as the kind of table that the suffix says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(records), path)
    elif path.suffix == ".jsonl":
        path.write_text(lines(records))
    elif path.suffix == ".json":
        path.write_text(json.dumps(records, indent=1))
    else:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, [*records[0]], delimiter=delimiter)
            writer.writeheader()
            writer.writerows(records)


@dataclass(frozen=True)
class Case:
    """A layout: how it looks, what is typed to build it, and what comes out."""

    looks: str
    command: str  # after `edge-glass build`
    write: Callable[[Path, str], None]  # into a folder; the URL of a server over it
    rows: dict[str, int]  # by split
    columns: tuple[str, ...]
    first: dict[str, Any] = field(default_factory=dict)  # of the row with the least id
    outcomes: dict[str, int] = field(default_factory=dict)  # beside kept

    @property
    def fetched(self) -> bool:
        """Whether its media come from URLs."""
        return self.write in (url_list, url_text, url_csv)

    @property
    def line(self) -> str:
        """Its line in docs/own-data.md."""
        return f"| {self.looks} | `edge-glass build {self.command}` |"


def class_folders(at: Path, url: str) -> None:
    for split in ("train", "test"):
        for number, name in enumerate(("owl", "wren")):
            put(at / "birds" / split / name / "1.jpg", jpeg(number + 5 * (split == "test")))
            put(at / "birds" / split / name / "2.jpg", jpeg(number + 9 + 5 * (split == "test")))
    put(at / "birds" / "README.md", "Birds.")


def metadata_csv(at: Path, url: str) -> None:
    records = [{"file_name": f"{n}.wav", "transcription": f"Bird {n}.", "age": n} for n in (1, 2)]
    table(
        at / "calls" / "metadata.csv",
        [*records, {"file_name": "9.wav", "transcription": "x", "age": 3}],
    )
    for number in (1, 2, 3):
        put(at / "calls" / f"{number}.wav", WAV)


def metadata_splits(at: Path, url: str) -> None:
    for split in ("train", "validation"):
        folder = at / "pairs" / split
        for name in ("a", "b"):
            put(folder / "images" / f"{name}.jpg", jpeg(ord(name) % 50 + len(split)))
            put(folder / "depth" / f"{name}.png", png(len(split) + ord(name)))
        names = [
            {"image_file_name": f"images/{n}.jpg", "depth_file_name": f"depth/{n}.png", "text": n}
            for n in ("a", "b")
        ]
        table(folder / "metadata.jsonl", names)


def png(number: int) -> bytes:
    out = io.BytesIO()
    Image.new("L", (40, 30), number % 256).save(out, "PNG")
    return out.getvalue()


def zipped(at: Path, url: str) -> None:
    with zipfile.ZipFile(at / "birds.zip", "w") as archive:
        for name in ("owl", "wren"):
            archive.writestr(zipfile.ZipInfo(f"birds/{name}/1.jpg"), jpeg(len(name)))
        archive.writestr(
            zipfile.ZipInfo("birds/metadata.csv"),
            "file_name,caption\nowl/1.jpg,An owl.\nwren/1.jpg,A wren.\n",
        )


def stems(at: Path, url: str) -> None:
    for number in (1, 2):
        put(at / "sets" / f"a{number}.jpg", jpeg(number))
        put(at / "sets" / f"a{number}.txt", f"Set {number}.\n")
        put(at / "sets" / f"a{number}.json", json.dumps({"artist": "Ann", "year": 1900 + number}))
    put(at / "sets" / "a3.txt", "Alone.")


def table_of_files(at: Path, url: str) -> None:
    for number in (1, 2):
        put(at / "speech" / "clips" / "deep" / f"s{number}.wav", WAV)
    records = [
        {"path": f"deep/s{n}.wav", "sentence": f"Word {n}", "speaker": f"p{n}", "mos": n / 2}
        for n in (1, 2)
    ]
    table(at / "speech" / "list.tsv", records, "\t")


def object_around(at: Path, url: str) -> None:
    """As WavCaps' and SP-DocVQA's files are: counts beside the list of records."""
    said = {"num_captions_per_audio": 1, "data": [
        {"title": f"Bell {n}", "href": f"{n}-Bell.html", "caption": f"Bell {n}.", "id": str(n),
         "duration": 0.5, "audio": "wav_path"}
        for n in (1, 2)
    ]}  # fmt: skip
    put(at / "sounds" / "sb_final.json", json.dumps(said, indent=4))
    for number in (1, 2):
        put(at / "sounds" / "audio" / f"{number}.wav", WAV)


def table_beside(at: Path, url: str) -> None:
    for number in (1, 2):
        put(at / "pictures" / "x" / f"{number}.jpg", jpeg(number))
    records = [
        {"image": str(at / "pictures" / "x" / f"{n}.jpg"), "title": f"No. {n}", "text": "One."}
        for n in (1, 2)
    ]
    table(at / "list.csv", records)


def bytes_in_parquet(at: Path, url: str) -> None:
    for split in ("train", "test"):
        rows = [
            {
                "image": {"bytes": jpeg(n + len(split)), "path": f"{n}.jpg"},
                "caption": f"{split} {n}",
                "tags": ["a", "b"],
            }
            for n in (1, 2)
        ]
        table(at / "hub" / "data" / f"{split}-00000-of-00001.parquet", rows)


def base64_in_tsv(at: Path, url: str) -> None:
    records = [
        {"id": f"i{n}", "img": base64.b64encode(jpeg(n)).decode(), "caption": f"No. {n}"}
        for n in (1, 2)
    ]
    table(at / "ofa.tsv", records, "\t")


def url_list(at: Path, url: str) -> None:
    put(at / "web" / "1.jpg", jpeg(1))
    put(at / "web" / "2.jpg", jpeg(2))
    md5 = [hashlib.md5(jpeg(n)).hexdigest() for n in (1, 2)]
    records = [
        {"URL": f"{url}/web/1.jpg", "TEXT": "One", "WIDTH": 41, "md5": md5[0], "similarity": 0.3},
        {"URL": f"{url}/web/2.jpg", "TEXT": "Two", "WIDTH": 42, "md5": md5[0], "similarity": 0.4},
        {"URL": f"{url}/web/3.jpg", "TEXT": "Three", "WIDTH": 43, "md5": md5[0], "similarity": 0.5},
    ]
    table(at / "laion" / "part-0.parquet", records)


def url_text(at: Path, url: str) -> None:
    put(at / "web" / "1.jpg", jpeg(1))
    put(at / "urls.txt", f"{url}/web/1.jpg\n\n{url}/web/4.jpg\n")


def url_csv(at: Path, url: str) -> None:
    put(at / "web" / "1.jpg", jpeg(1))
    text = f"image_url,page_url,caption\n{url}/web/1.jpg,{url}/1.html,One\n"
    put(at / "list.csv.gz", gzip.compress(text.encode(), mtime=0))


TALK = encoded(tones(6, 16000, 440, 600), 16000)  # six seconds


def tarred(path: Path, members: dict[str, bytes | str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    modes: dict[str, Any] = {".gz": "w:gz", ".bz2": "w:bz2"}
    with tarfile.open(path, modes.get(path.suffix, "w")) as tar:
        for name, member in members.items():
            data = member.encode() if isinstance(member, str) else member
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def webdataset_packed(at: Path, url: str) -> None:
    webdataset(at, url, ".gz")


def webdataset(at: Path, url: str, packed: str = "") -> None:
    for shard, split in enumerate(("train", "train", "val")):
        members: dict[str, bytes | str] = {}
        for n in range(2):
            key = f"{shard}{n:03d}"
            members |= {f"{key}.jpg": jpeg(n + 2 * shard), f"{key}.cls": str(n)}
            members |= {f"{key}.seg.png": png(n), f"{key}.json": json.dumps({"by": "Ann"})}
        tarred(at / "shards" / f"{split}-{shard:06d}.tar{packed}", members)


def img2dataset(at: Path, url: str) -> None:
    members: dict[str, bytes | str] = {}
    for n in (0, 2):
        meta = {"url": f"http://a/{n}", "key": f"00000000{n}", "status": "success", "width": 40 + n}
        meta |= {"sha256": hashlib.sha256(jpeg(n)).hexdigest(), "caption": f"No. {n}"}
        key = f"00000000{n}"
        members |= {
            f"{key}.jpg": jpeg(n),
            f"{key}.txt": f"No. {n}",
            f"{key}.json": json.dumps(meta),
        }
    tarred(at / "output" / "00000.tar", members)
    table(at / "output" / "00000.parquet", [{"url": "http://a/1", "status": "failed_to_download"}])
    put(at / "output" / "00000_stats.json", "{}")


def ljspeech(at: Path, url: str) -> None:
    lines = [
        "LJ001-0001|Printing, in 1890|Printing, in eighteen ninety",
        'LJ001-0002|"In being|"In being',
    ]
    put(at / "LJSpeech-1.1" / "metadata.csv", "\n".join([*lines, "LJ001-0003|x|"]) + "\n")
    for number in (1, 2):
        put(at / "LJSpeech-1.1" / "wavs" / f"LJ001-000{number}.wav", WAV)


def common_voice(at: Path, url: str) -> None:
    head = (
        "client_id\tpath\tsentence\tup_votes\tdown_votes\tage\tgender\taccents\tlocale\tsegment\n"
    )
    lines = [
        f'c{n}\tcommon_voice_nl_{n}.mp3\tIk "vind" {n}.\t2\t0\t\tmale\t\tnl\t\n' for n in range(4)
    ]
    for name, own in (
        ("train", lines[:2]),
        ("dev", lines[2:3]),
        ("test", lines[3:]),
        ("validated", lines),
    ):
        put(at / "nl" / f"{name}.tsv", head + "".join(own))
    for number in range(4):
        put(at / "nl" / "clips" / f"common_voice_nl_{number}.mp3", MP3)


MP3 = sound(format="MP3", subtype="MPEG_LAYER_III")


def kaldi(at: Path, url: str) -> None:
    for split in ("train", "test"):
        folder = at / "egs" / "data" / split
        put(folder / "wav.scp", f"talk-{split} ./wavs/{split}.wav\nold sph2pipe -f wav old.sph |\n")
        put(
            folder / "segments",
            f"a-{split} talk-{split} 0.5 1.25\nb-{split} talk-{split} 1.25 5\nc-{split} old 0 1\n",
        )
        put(folder / "text", f"a-{split} HELLO THERE\nb-{split} GOOD BYE\n")
        put(folder / "utt2spk", f"a-{split} anna\nb-{split} bert\n")
        put(at / "egs" / "wavs" / f"{split}.wav", TALK)


def nemo(at: Path, url: str) -> None:
    cuts = ((0.25, 1.5, "hello"), (2, 0.5, "bye"), (5, 60, "too long"))
    records = [
        {"audio_filepath": "audio/talk.wav", "offset": begin, "duration": length, "text": text}
        for begin, length, text in cuts
    ]
    put(at / "nemo" / "train_manifest.json", lines(records))
    put(at / "nemo" / "audio" / "talk.wav", TALK)


RECORDING = {
    "id": "talk", "sampling_rate": 16000, "num_samples": 96000, "duration": 6.0,
    "sources": [{"type": "file", "channels": [0], "source": "audio/talk.wav"}],
}  # fmt: skip
SAID = [
    {"id": f"talk-{n}", "recording_id": "talk", "start": n, "duration": 1.5, "channel": 0,
     "text": f"No. {n}", "speaker": "anna"}
    for n in range(2)
]  # fmt: skip


def lhotse_cuts(at: Path, url: str) -> None:
    cuts = [
        {"id": f"cut-{n}", "start": n, "duration": 1.5, "channel": 0, "recording": RECORDING,
         "type": "MonoCut", "supervisions": [SAID[n] | {"start": 0}]}
        for n in range(2)
    ]  # fmt: skip
    data = gzip.compress(lines(cuts).encode(), mtime=0)
    put(at / "cuts" / "lab_cuts_train.jsonl.gz", data)
    put(at / "cuts" / "audio" / "talk.wav", TALK)


def lhotse_manifests(at: Path, url: str) -> None:
    table(at / "manifests" / "lab_recordings_all.jsonl", [RECORDING])
    table(at / "manifests" / "lab_supervisions_all.jsonl", SAID)
    put(at / "manifests" / "audio" / "talk.wav", TALK)


def subtitles(at: Path, url: str) -> None:
    vtt = "WEBVTT\n\nNOTE by hand\n\n1\n00:00.500 --> 00:01.750 align:start\n"
    vtt += "<v Anna>Hello <i>there</i>\nyou\n\n"
    put(at / "talks" / "a.en.vtt", vtt + "00:00:02.000 --> 00:00:09.000\nToo late\n")
    put(at / "talks" / "a.wav", TALK)
    put(at / "talks" / "b.srt", "1\r\n00:00:00,000 --> 00:00:06,000\r\nAll of it\r\n\r\n")
    put(at / "talks" / "b.wav", TALK)


def turns(at: Path, url: str) -> None:
    line = "SPEAKER {} 1 {} 1.434 <NA> <NA> SPEAKER_0{} <NA> <NA>\n"
    put(
        at / "meeting" / "all.rttm",
        line.format("small", 0.031, 0) + line.format("small", 2.5, 1) + line.format("gone", 1, 1),
    )
    put(at / "meeting" / "small.wav", TALK)


def words(at: Path, url: str) -> None:
    put(
        at / "aligned" / "talk.ctm",
        ";; made by hand\ntalk 1 0.10 0.40 hello 0.98\ntalk 1 0.55 0.30 you\n",
    )
    put(at / "aligned" / "talk.wav", TALK)


def textgrid(at: Path, url: str) -> None:
    put(at / "praat" / "talk.wav", TALK)
    put(at / "praat" / "talk.TextGrid", TEXTGRID)


TEXTGRID = '''File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 6
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "words"
        xmin = 0
        xmax = 6
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 0.5
            text = """Is anyone home?"""
        intervals [2]:
            xmin = 0.5
            xmax = 1
            text = ""
        intervals [3]:
            xmin = 1
            xmax = 6
            text = "asked 2"
    item [2]:
        class = "TextTier"
        name = "points"
        xmin = 0
        xmax = 6
        points: size = 1
        points [1]:
            number = 0.25
            mark = "event"
'''


def films() -> list[Path]:
    return sorted((ROOT / "samples" / "valor" / "videos").iterdir())[:2]


def videos(at: Path, url: str) -> None:
    for number, path in enumerate(films()):
        put(at / "videos" / ("dance", "sing")[number] / path.name, path.read_bytes())


STEPS = "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet"  # of v2
KINDS = {"action": "float32", "observation.images.top": "video", "timestamp": "float32"}


def lerobot_info(
    at: Path, version: str, data: str, video: str | None, kinds: dict[str, str], robot: str | None
) -> None:
    info = {
        "codebase_version": version, "robot_type": robot, "total_episodes": 2, "chunks_size": 1000,
        "fps": 10, "splits": {"train": "0:2"}, "data_path": data, "video_path": video,
        "features": {name: {"dtype": dtype, "shape": [2]} for name, dtype in kinds.items()},
    }  # fmt: skip
    put(at / "meta" / "info.json", json.dumps(info))


def steps(episode: int, length: int) -> list[dict[str, Any]]:
    return [
        {"action": [0.5 * n, 1.0], "timestamp": n / 10, "episode_index": episode}
        for n in range(length)
    ]


def lerobot(at: Path, url: str) -> None:
    video = "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4"
    lerobot_info(at / "pusht", "v2.1", STEPS, video, KINDS, None)
    for number, film in enumerate(films()):
        table(at / "pusht" / STEPS.format(episode_chunk=0, episode_index=number), steps(number, 3))
        name = video.format(
            episode_chunk=0, episode_index=number, video_key="observation.images.top"
        )
        put(at / "pusht" / name, film.read_bytes())
    episodes = [{"episode_index": n, "tasks": ["Push the T."], "length": 3} for n in range(2)]
    table(at / "pusht" / "meta" / "episodes.jsonl", episodes)


def lerobot_v3(at: Path, url: str) -> None:
    """Two episodes in one file of each kind, as v3 packs them."""
    import av

    with av.open(str(films()[0])) as file:
        frames = [frame.to_image().resize((64, 48)) for frame in file.decode(video=0)][:30]
    path = at / "pusht3" / "videos" / "observation.images.top" / "chunk-000" / "file-000.mp4"
    path.parent.mkdir(parents=True)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("h264", rate=10, options={"g": "2", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for image in frames:
            out.mux(stream.encode(av.VideoFrame.from_image(image)))
        out.mux(stream.encode())
    data = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
    video = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
    lerobot_info(at / "pusht3", "v3.0", data, video, KINDS, "unknown")
    key, episodes, every = "videos/observation.images.top", [], []
    for number, (begin, length) in enumerate(((0, 20), (20, 10))):
        episodes.append(
            {"episode_index": number, "tasks": ["Push the T."], "length": length,
             "data/chunk_index": 0, "data/file_index": 0, f"{key}/chunk_index": 0,
             f"{key}/file_index": 0, f"{key}/from_timestamp": begin / 10,
             f"{key}/to_timestamp": (begin + length) / 10}
        )  # fmt: skip
        every += steps(number, length)
    table(at / "pusht3" / "meta" / "episodes" / "chunk-000" / "file-000.parquet", episodes)
    table(at / "pusht3" / data.format(chunk_index=0, file_index=0), every)
    table(at / "pusht3" / "meta" / "tasks.parquet", [{"task_index": 0, "task": "Push the T."}])


def lerobot_images(at: Path, url: str) -> None:
    """Without videos: each step has its picture in the table."""
    kinds = {"observation.image": "image", "action": "float32", "timestamp": "float32"}
    lerobot_info(at / "pushing", "v2.1", STEPS, None, kinds, None)
    episodes = [{"episode_index": n, "tasks": ["Push."], "length": 2} for n in range(2)]
    table(at / "pushing" / "meta" / "episodes.jsonl", episodes)
    for number in range(2):
        seen = [
            {"observation.image": {"bytes": jpeg(1 + 2 * number + n), "path": f"frame_{n}.png"}}
            for n in range(2)
        ]
        rows = [picture | step for picture, step in zip(seen, steps(number, 2), strict=True)]
        table(at / "pushing" / STEPS.format(episode_chunk=0, episode_index=number), rows)


def lerobot_v3_images(at: Path, url: str) -> None:
    """As LeRobot's own DatasetWriter writes it: `datasets` makes the tables, a group an episode."""
    views = ("observation.images.top", "observation.images.wrist")
    counters = {"timestamp": "float32", "frame_index": "int64", "episode_index": "int64"}
    counters |= {"index": "int64", "task_index": "int64"}
    kinds = {view: ("image", [30, 40, 3]) for view in views} | {
        "observation.state": ("float32", [2]), "observation.grid": ("float32", [2, 2]),
        "next.done": ("bool", [1]), **{name: (dtype, [1]) for name, dtype in counters.items()},
    }  # fmt: skip
    features = datasets.Features(
        dict.fromkeys(views, datasets.Image())
        | {"observation.state": datasets.Sequence(datasets.Value("float32"), length=2)}
        | {"observation.grid": datasets.Array2D((2, 2), "float32")}
        | {"next.done": datasets.Value("bool")}
        | {name: datasets.Value(dtype) for name, dtype in counters.items()}
    )
    data = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
    info = {
        "codebase_version": "v3.0", "robot_type": "unknown", "total_episodes": 3,
        "total_frames": 7, "total_tasks": 1, "chunks_size": 1000, "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200, "fps": 10, "splits": {"train": "0:3"}, "data_path": data,
        "video_path": None,
        "features": {
            name: {"dtype": dtype, "shape": shape, "names": None}
            for name, (dtype, shape) in kinds.items()
        },
    }  # fmt: skip
    put(at / "pushing3" / "meta" / "info.json", json.dumps(info, indent=4))
    files = ((2, 3), (2,))  # the steps of each episode in them
    episodes: list[dict[str, Any]] = []
    steps = 0
    for file, lengths in enumerate(files):
        path = at / "pushing3" / data.format(chunk_index=0, file_index=file)
        path.parent.mkdir(parents=True, exist_ok=True)
        with pq.ParquetWriter(path, features.arrow_schema, compression="snappy") as writer:
            for length in lengths:
                number = len(episodes)
                said: dict[str, Any] = {
                    view: [
                        {"bytes": jpeg(steps + n + 10 * at_), "path": f"frame-{n:06d}.png"}
                        for n in range(length)
                    ]
                    for at_, view in enumerate(views)
                }
                said |= {
                    "observation.state": [[n, 0.5] for n in range(length)],
                    "observation.grid": [[[n, 1], [2, 3]] for n in range(length)],
                    "next.done": [n == length - 1 for n in range(length)],
                    "timestamp": [n / 10 for n in range(length)],
                    "frame_index": [*range(length)], "episode_index": [number] * length,
                    "index": [*range(steps, steps + length)], "task_index": [0] * length,
                }  # fmt: skip
                one = datasets.Dataset.from_dict(said, features=features, split="train")
                writer.write_table(one.with_format("arrow")[:])
                episodes.append(
                    {"episode_index": number, "tasks": ["Push."], "length": length,
                     "data/chunk_index": 0, "data/file_index": file, "dataset_from_index": steps,
                     "dataset_to_index": steps + length,
                     "stats/observation.images.top/min": [[[0.1]], [[0.2]], [[0.3]]],
                     "stats/observation.state/count": [length],
                     "meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0}
                )  # fmt: skip
                steps += length
    table(at / "pushing3" / "meta" / "episodes" / "chunk-000" / "file-000.parquet", episodes)
    put(at / "pushing3" / "meta" / "stats.json", json.dumps({"next.done": {"count": [steps]}}))
    tasks = pa.table({"task_index": [0], "__index_level_0__": ["Push."]})  # as pandas writes it
    pq.write_table(tasks, at / "pushing3" / "meta" / "tasks.parquet")


def coco(at: Path, url: str) -> None:
    for split, numbers in (("train2017", (9, 25)), ("val2017", (42,))):
        images = [
            {"license": 3, "file_name": f"{n:012d}.jpg", "coco_url": f"http://a/{n}", "height": 30,
             "width": 40, "date_captured": "2013-11-14 17:02:52", "flickr_url": "http://b", "id": n}
            for n in (*numbers, 99)
        ]  # fmt: skip
        said = [
            {"image_id": n, "id": 10 * n + k, "caption": f"Picture {n}, {k}."}
            for n in numbers
            for k in (1, 2)
        ]
        boxes = [
            {"segmentation": [[1.0, 2.0]], "area": 12.5, "iscrowd": 0, "image_id": numbers[0],
             "bbox": [1.5, 2.0, 5, 5], "category_id": 18, "id": 7}
        ]  # fmt: skip
        kinds = [{"supercategory": "animal", "id": 18, "name": "dog"}]
        folder = at / "coco" / "annotations"
        head = {"info": {"year": 2017}, "licenses": [], "images": images}
        put(folder / f"captions_{split}.json", json.dumps(head | {"annotations": said}))
        instances = head | {"annotations": boxes, "categories": kinds}
        put(folder / f"instances_{split}.json", json.dumps(instances))
        for n in numbers:
            put(at / "coco" / split / f"{n:012d}.jpg", jpeg(n))


def vqa(at: Path, url: str) -> None:
    head = {"info": {}, "task_type": "Open-Ended", "data_type": "mscoco", "data_subtype": "val2014"}
    asked = [
        {"image_id": n, "question": f"What is {n}?", "question_id": 1000 * n}
        for n in (262148, 393225)
    ]
    told = [
        {"question_type": "what is", "multiple_choice_answer": "down", "image_id": 262148,
         "answers": [{"answer": each, "answer_confidence": "yes"} for each in ("down", "up")],
         "answer_type": "other", "question_id": 262148000}
    ]  # fmt: skip
    name = "v2_OpenEnded_mscoco_val2014_questions.json"
    put(at / "vqa" / name, json.dumps(head | {"questions": asked}))
    put(at / "vqa" / "v2_mscoco_val2014_annotations.json", json.dumps(head | {"annotations": told}))
    put(at / "vqa" / "val2014" / "COCO_val2014_000000262148.jpg", jpeg(1))
    put(at / "vqa" / "val2014" / "COCO_val2014_000000393225.jpg", jpeg(2))


def docvqa(at: Path, url: str) -> None:
    """The names of pages begin with a folder that the release calls otherwise."""
    for split, number in (("train", 37), ("val", 52)):
        asked = [
            {"questionId": number + k, "question": f"What is on {k}?", "question_types": ["form"],
             "image": f"documents/xnbl00{number}_{k}.png", "docId": 279,
             "ucsf_document_id": f"xnbl00{number}", "ucsf_document_page_no": str(k),
             "answers": ["1/8/93"], "data_split": split}
            for k in (1, 2)
        ]  # fmt: skip
        head = {"dataset_name": "SP-DocVQA", "dataset_version": "1.0", "dataset_split": split}
        put(
            at / "docvqa" / "spdocvqa_qas" / f"{split}_v1.0_withQT.json",
            json.dumps(head | {"data": asked}),
        )
        put(at / "docvqa" / "spdocvqa_images" / f"xnbl00{number}_1.png", png(number))


def mp_docvqa(at: Path, url: str) -> None:
    pages = [f"ffbf0023_p{n}" for n in range(3)]
    asked = [
        {"questionId": 49153, "question": "Which page?", "doc_id": "ffbf0023", "page_ids": pages,
         "answers": ["0.28"], "answer_page_idx": 1, "data_split": "train"}
    ]  # fmt: skip
    head = {"dataset_name": "MP-DocVQA", "dataset_split": "train"}
    put(at / "mpdocvqa" / "qas" / "train.json", json.dumps(head | {"data": asked}, indent=2))
    for number, page in enumerate(pages):
        put(at / "mpdocvqa" / "images" / f"{page}.jpg", jpeg(number))


BOXES = '[["1", [{"bbox_id": 7, "class": "Title", "bbox": [12, 8, 30, 9]}]], ["2", []]]'


def slidevqa(at: Path, url: str) -> None:
    """The authors' repository, once its scripts have run: they call files as the URLs end."""
    put(at / "slidevqa" / "requirements.txt", "tqdm\npytesseract==0.3.10\n")
    put(at / "slidevqa" / "ocrs_tesseract" / "dev" / "talk-8" / "1.json", '{"text": ["", "Hi"]}')
    for split, deck, query in (("train", "odyssey-2017", "?cb=1353400249"), ("dev", "talk-8", "")):
        slides = [
            f"http://image.slidesharecdn.com/{deck}/95/{deck}-{n}-1024.jpg{query}"
            for n in (1, 2, 10)
        ]
        asked = {
            "deck_name": deck, "deck_url": f"http://s/{deck}", "image_urls": slides,
            "qa_id": len(deck), "question": "How many?", "answer": "3",
            "arithmetic_expression": "None", "evidence_pages": [2],
            "reasoning_type": "Single-Hop", "answer_type": "Single-Span",
        }  # fmt: skip
        table(at / "slidevqa" / "annotations" / "qa" / f"{split}.jsonl", [asked])
        boxed = {key: asked[key] for key in ("deck_name", "deck_url", "image_urls")}
        boxed |= {"category": split, "bboxes": json.loads(BOXES)}
        table(at / "slidevqa" / "annotations" / "bbox" / f"{split}.jsonl", [boxed])
        for name in slides[:2] if split == "dev" else slides:
            put(at / "slidevqa" / "images" / split / deck / Path(name).name, jpeg(len(name) % 40))


def clip_retrieval(at: Path, url: str) -> None:
    for number in (1, 2):
        put(at / "pictures" / f"{number}.jpg", jpeg(number))
    records = [
        {"image_path": str(at / "pictures" / f"{n}.jpg"), "caption": f"No. {n}", "NSFW": "UNLIKELY"}
        for n in (1, 2)
    ]
    table(at / "embeddings" / "metadata" / "metadata_0.parquet", records)
    for kind in ("img", "text"):
        out = io.BytesIO()
        np.save(out, np.array([[0.5, 0.25], [1, 0]], np.float16))
        put(at / "embeddings" / f"{kind}_emb" / f"{kind}_emb_0.npy", out.getvalue())


def lists_of_files(at: Path, url: str) -> None:
    records = [
        {"images": ["a1.jpg", "a2.jpg"], "question": "Which is older?", "answer": "the first"},
        {"images": ["a2.jpg"], "question": "How old?", "answer": "9"},
    ]
    table(at / "pages" / "qa.jsonl", records)
    for number in (1, 2):
        put(at / "pages" / "scans" / f"a{number}.jpg", jpeg(number))


def lists_in_parquet(at: Path, url: str) -> None:
    files = [{"bytes": jpeg(n), "path": f"{n}.jpg"} for n in range(3)]
    rows = [{"images": files, "texts": "Three."}, {"images": files[:1], "texts": "One."}]
    table(at / "vlm" / "train-00000-of-00001.parquet", rows)


def mds_packed(at: Path, url: str) -> None:
    mds_shards(at, url, "zstd:7")


def mds_shards(at: Path, url: str, packing: str | None = None) -> None:
    encodings = {"caption": "str", "image": "jpeg", "index": "int", "score": "float32"}
    for split, numbers in (("train", (1, 2)), ("val", (3,))):
        samples = []
        for n in numbers:
            score = struct.pack("<f", n / 2)
            parts = [f"No. {n}".encode(), jpeg(n), struct.pack("<q", n), score]
            samples.append(struct.pack("<II", len(parts[0]), len(parts[1])) + b"".join(parts))
        config = b'{"version": 2}'
        begin = 4 * (2 + len(samples)) + len(config)
        edges = [begin + sum(map(len, samples[:k])) for k in range(len(samples) + 1)]
        head = struct.pack(f"<I{len(edges)}I", len(samples), *edges)
        data, name, zipped = head + config + b"".join(samples), "shard.00000.mds", None
        if packing:
            codec = pa.Codec("zstd", int(packing.partition(":")[2]))
            packed = codec.compress(data, asbytes=True)
            zipped = {"basename": f"{name}.zstd", "bytes": len(packed), "hashes": {}}
        put(at / "mds" / split / (f"{name}.zstd" if packing else name), packed if packing else data)
        shard = {
            "column_encodings": [*encodings.values()], "column_names": [*encodings],
            "column_sizes": [None, None, 8, 4], "compression": packing, "format": "mds",
            "hashes": [],
            "raw_data": {"basename": "shard.00000.mds", "bytes": edges[-1], "hashes": {}},
            "samples": len(samples), "size_limit": 67108864, "version": 2, "zip_data": zipped,
        }  # fmt: skip
        put(at / "mds" / split / "index.json", json.dumps({"shards": [shard], "version": 2}))


def saved(at: Path, url: str) -> None:
    features = datasets.Features(
        {"image": datasets.Image(), "bird": datasets.ClassLabel(names=["owl", "wren"]),
         "text": datasets.Value("string")}
    )  # fmt: skip
    rows = [
        {"image": {"bytes": jpeg(n), "path": None}, "bird": n % 2, "text": f"No. {n}"}
        for n in (1, 2)
    ]
    dataset = datasets.Dataset.from_list(rows, features=features)
    datasets.DatasetDict(train=dataset, test=dataset.select([1])).save_to_disk(str(at / "saved"))


CASES = {
    "class_folders": Case(
        "folders of classes, in folders of splits (`imagefolder`, `audiofolder`, `videofolder`)",
        "birds", class_folders, {"train": 4, "test": 4}, ("image", "width", "height", "label"),
        {"id": "test/owl/1.jpg", "label": 0},
    ),
    "metadata_csv": Case(
        "`metadata.csv`, `.jsonl` or `.parquet` beside the files that it names", "calls",
        metadata_csv, {"train": 2}, ("audio", "duration", "caption", "age"),
        {"id": "1.wav", "age": 1}, {"missing_media": 1, "missing_caption": 1},
    ),
    "metadata_splits": Case(
        "several files a row (`*_file_name`), a table in each split's folder", "pairs",
        metadata_splits, {"train": 2, "validation": 2},
        ("image", "width", "height", "depth", "depth_width", "depth_height", "caption"),
    ),
    "zipped": Case(
        "the same in a .zip, .7z, .tar or .tar.gz", "birds.zip", zipped, {"train": 2},
        ("image", "caption"),
    ),
    "stems": Case(
        "texts and JSON of the same stem beside the files", "sets", stems, {"train": 2},
        ("image", "caption", "artist", "year"), {"year": 1901}, {"missing_media": 1},
    ),
    "table_of_files": Case(
        "a table that names files in some folder below it", "speech", table_of_files, {"train": 2},
        ("audio", "caption", "speaker", "mos"), {"mos": 0.5},
    ),
    "object_around": Case(
        'JSON objects with one list of records in them (`{"data": [...]}`)', "sounds",
        object_around, {"train": 2}, ("audio", "caption", "title"), {"caption": "Bell 1."},
    ),
    "table_beside": Case(
        "a table that names files in full, wherever they are", "list.csv", table_beside,
        {"train": 2}, ("image", "caption", "title"),
    ),
    "bytes_in_parquet": Case(
        "Parquet with the files' bytes in it, as the Hub has it", "hub", bytes_in_parquet,
        {"train": 2, "test": 2}, ("image", "caption", "tags"),
    ),
    "base64_in_tsv": Case(
        "base64 in a table", "ofa.tsv", base64_in_tsv, {"train": 2}, ("image", "caption"),
        {"id": "i1"},
    ),
    "url_list": Case(
        "lists of URLs as img2dataset takes them: csv, tsv, json, jsonl, parquet, folders of them",
        "laion --url URL --caption TEXT", url_list, {"train": 1},
        ("image", "caption", "URL", "md5", "similarity"),
        {"listed_WIDTH": 41}, {"other_bytes": 1, "removed": 1},
    ),
    "url_text": Case(
        "a URL a line", "urls.txt", url_text, {"train": 1}, ("image", "url"), {}, {"removed": 1},
    ),
    "url_csv": Case(
        "packed tables (.gz, .bz2, .zst)", "list.csv.gz --url image_url", url_csv, {"train": 1},
        ("image", "caption", "page_url"),
    ),
    "webdataset": Case(
        "WebDataset: folders of tars", "shards", webdataset, {"train": 4, "validation": 2},
        ("image", "seg_png", "cls", "by"), {"cls": 0},
    ),
    "webdataset_packed": Case(
        "the same as .tar.gz", "shards", webdataset_packed, {"train": 4, "validation": 2},
        ("image", "seg_png", "cls", "by"), {"cls": 0},
    ),
    "img2dataset": Case(
        "what img2dataset wrote", "output", img2dataset, {"train": 2},
        ("image", "caption", "url", "status", "listed_width"), {"id": "000000000"},
    ),
    "ljspeech": Case(
        "LJSpeech", "LJSpeech-1.1", ljspeech, {"train": 2},
        ("audio", "caption", "normalized_text"),
        {"id": "LJ001-0001", "caption": "Printing, in 1890"}, {"missing_media": 1},
    ),
    "common_voice": Case(
        "Common Voice: TSV and clips/", "nl", common_voice,
        {"train": 2, "validation": 1, "test": 1},
        ("audio", "caption", "client_id", "up_votes", "locale"),
        {"caption": 'Ik "vind" 0.'},
    ),
    "kaldi": Case(
        "Kaldi, ESPnet: wav.scp, text, utt2spk, segments", "egs", kaldi, {"train": 2, "test": 2},
        ("audio", "caption", "speaker", "start", "end"),
        {"id": "a-test", "caption": "HELLO THERE", "duration": 0.75}, {"unsuitable_media": 2},
    ),
    "nemo": Case(
        "NeMo manifests, with offset and duration", "nemo", nemo, {"train": 2},
        ("audio", "caption", "offset"), {"duration": 1.5}, {"wrong_duration": 1},
    ),
    "lhotse_cuts": Case(
        "Lhotse: cuts", "cuts", lhotse_cuts, {"train": 2}, ("audio", "caption", "speaker"),
        {"id": "cut-0", "duration": 1.5},
    ),
    "lhotse_manifests": Case(
        "Lhotse: recordings and supervisions", "manifests", lhotse_manifests, {"train": 2},
        ("audio", "caption", "speaker"), {"id": "talk-0", "caption": "No. 0", "duration": 1.5},
    ),
    "subtitles": Case(
        "recordings with VTT or SRT beside them, cut", "talks", subtitles, {"train": 2},
        ("audio", "caption", "start", "end"),
        {"caption": "Hello there you", "speaker": "Anna", "duration": 1.25}, {"wrong_duration": 1},
    ),
    "turns": Case(
        "recordings with RTTM", "meeting", turns, {"train": 2}, ("audio", "speaker"),
        {"duration": 1.434}, {"missing_media": 1},
    ),
    "words": Case(
        "recordings with CTM", "aligned", words, {"train": 2}, ("audio", "caption"),
        {"caption": "hello", "duration": 0.4},
    ),
    "textgrid": Case(
        "recordings with TextGrid", "praat", textgrid, {"train": 2}, ("audio", "caption", "tier"),
        {"caption": '"Is anyone home?"', "duration": 0.5},
    ),
    "coco": Case(
        "COCO: captions and instances, licences by their number", "coco", coco,
        {"train": 2, "validation": 1},
        ("image", "captions", "objects", "coco_url"),
        {"captions": ["Picture 9, 1.", "Picture 9, 2."], "listed_license": 3},
        {"missing_media": 2},
    ),
    "vqa": Case(
        "VQA v2: questions, annotations and pictures", "vqa", vqa, {"validation": 2},
        ("image", "question", "answer", "answers"), {"answer": "down", "answers": ["down", "up"]},
    ),
    "docvqa": Case(
        "DocVQA: questions and pictures of pages", "docvqa", docvqa,
        {"train": 1, "validation": 1}, ("image", "question", "answers", "docId"),
        {"answers": ["1/8/93"], "question_types": ["form"]}, {"missing_media": 2},
    ),
    "mp_docvqa": Case(
        "MP-DocVQA: several pages a question", "mpdocvqa", mp_docvqa, {"train": 1},
        ("images", "images_width", "question", "answers", "page_ids", "answer_page_idx"),
        {"images_width": [40, 41, 42]},
    ),
    "slidevqa": Case(
        "SlideVQA: questions about decks of slides", "slidevqa", slidevqa,
        {"train": 1, "validation": 1},
        ("images", "pages", "question", "answer", "evidence_pages", "boxes", "category"),
        {"pages": [1, 2], "answer": "3", "boxes": BOXES},
    ),
    "lists_of_files": Case(
        "lists of files, several a row", "pages", lists_of_files, {"train": 2},
        ("images", "images_width", "images_height", "question"),
        {"images_width": [41, 42], "images_height": [30, 30]},
    ),
    "lists_in_parquet": Case(
        "Parquet with lists of files' bytes, as the Hub has it", "vlm", lists_in_parquet,
        {"train": 2}, ("images", "images_width", "texts"), {"images_width": [40, 41, 42]},
    ),
    "clip_retrieval": Case(
        "what clip-retrieval wrote: metadata and embeddings", "embeddings", clip_retrieval,
        {"train": 2}, ("image", "caption", "image_embedding", "text_embedding", "NSFW"),
        {"image_embedding": [0.5, 0.25]},
    ),
    "mds": Case(
        "MDS shards", "mds", mds_shards, {"train": 2, "validation": 1},
        ("image", "caption", "index", "score"), {"caption": "No. 1", "score": 0.5},
    ),
    "mds_packed": Case(
        "MDS shards that are packed (zstd, gz, bz2)", "mds", mds_packed,
        {"train": 2, "validation": 1}, ("image", "caption", "index", "score"),
        {"caption": "No. 1", "score": 0.5},
    ),
    "saved": Case(
        "a folder of `save_to_disk`", "saved", saved, {"train": 2, "test": 1},
        ("image", "caption", "bird"), {"bird": 0, "caption": "No. 2"},
    ),
    "videos": Case(
        "video, as frames and sound; whole with `--set whole_video=true`", "videos", videos,
        {"train": 2}, ("image_jpegs", "audio", "duration", "fps", "label"), {"label": 0},
    ),
    "lerobot": Case(
        "LeRobot v2, a row an episode", "pusht", lerobot, {"train": 2},
        ("image_jpegs", "duration", "action", "tasks", "steps"),
        {"id": "episode_000000", "action": [[0.0, 1.0], [0.5, 1.0], [1.0, 1.0]], "steps": 3},
    ),
    "lerobot_images": Case(
        "LeRobot with pictures inside of its tables, a list an episode", "pushing", lerobot_images,
        {"train": 2}, ("images", "action", "tasks"), {"id": "episode_000000", "steps": 2},
    ),
    "lerobot_v3_images": Case(
        "LeRobot v3 with pictures inside of its tables", "pushing3", lerobot_v3_images,
        {"train": 3}, ("top", "wrist", "observation.state", "next.done", "tasks"),
        {"id": "episode_000000", "steps": 2, "top_width": [40, 41], "wrist_width": [50, 51],
         "observation.grid": [[[0, 1], [2, 3]], [[1, 1], [2, 3]]]},
    ),
    "lerobot_v3": Case(
        "LeRobot v3: each episode cut out of its videos", "pusht3", lerobot_v3, {"train": 2},
        ("image_jpegs", "duration", "action", "tasks", "steps"),
        {"id": "episode_000000", "steps": 20, "duration": 2.0},
    ),
}  # fmt: skip
