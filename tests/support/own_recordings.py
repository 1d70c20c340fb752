"""Data of one's own as people have them: recordings, speech, videos, episodes of robots."""

import gzip
import json
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
from kit import ROOT, encoded, sound, tones
from ownfiles import WAV, jpeg, lines, put, table

TALK = encoded(tones(6, 16000, 440, 600), 16000)  # six seconds


def ljspeech(at: Path, url: str) -> None:
    lines = [
        "LJ001-0001|Printing, in 1890|Printing, in eighteen ninety",
        'LJ001-0002|"In being|"In being',
    ]
    put(at / "LJSpeech-1.1" / "metadata.csv", "\n".join([*lines, "LJ001-0003|x|"]) + "\n")
    for number in (1, 2):
        put(at / "LJSpeech-1.1" / "wavs" / f"LJ001-000{number}.wav", WAV)


def voxforge(at: Path, url: str) -> None:
    """Its shapes: an old README, prompts not recorded, an unknown speaker, FLAC; and Festival's."""
    for speaker, sex, kind, ids in (
        ("anna-20080426-adv", "[female];", "flac", ("a1", "a2")),
        ("anonymous-20170321-czb", "Weiblich", "wav", ("de11-095",)),
    ):
        folder = at / "voxforge" / speaker
        who = f"User Name:{speaker[:4]}\n\nSpeaker Characteristics:\n\nGender: {sex}\nO/S:\n"
        put(folder / "etc" / "README", f"{who}Microphone make: n/a\nLanguage: [DE]; \n")
        said = [f"{speaker}/mfc/{id} THE QUICK FOX\n" for id in (*ids, "b7")]
        put(folder / "etc" / "PROMPTS", "".join(said))
        put(folder / "etc" / "prompts-original", "".join(f"{id} The quick fox. \n" for id in ids))
        for id in ids:
            put(folder / kind / f"{id}.{kind}", sound(format=kind.upper()))
    put(at / "voxforge" / "anna-20080426-adv" / "flac" / "a9.flac", sound(format="FLAC"))
    arctic = at / "voxforge" / "cmu_us_awb_arctic"
    put(arctic / "etc" / "txt.done.data", "( arctic_a0001 \"Author of the 'danger' trail.\" )\n")
    put(arctic / "wav" / "arctic_a0001.wav", WAV)


def speech_commands(at: Path, url: str) -> None:
    for word in ("bed", "one"):
        for number in range(3):
            put(at / "speech_commands" / word / f"0c40e71{number}_nohash_0.wav", WAV)
    for list_, number in (("validation", 0), ("testing", 1)):
        names = [f"{word}/0c40e71{number}_nohash_0.wav\n" for word in ("bed", "one")]
        put(at / "speech_commands" / f"{list_}_list.txt", "".join(names))


def folds(at: Path, url: str) -> None:
    """As UrbanSound8K's table, which names a file and the number of its folder."""
    records = [
        {"slice_file_name": f"{n}-3-0.wav", "fold": n % 2 + 5, "class": "dog"} for n in (1, 2)
    ]
    table(at / "urban" / "metadata" / "UrbanSound8K.csv", records)
    for each in records:
        put(at / "urban" / "audio" / f"fold{each['fold']}" / str(each["slice_file_name"]), WAV)


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
            f"a-{split} talk-{split} 0.5 1.25\nb-{split} talk-{split} 1.25 -1\nc-{split} old 0 1\n",
        )
        put(folder / "spk2gender", "anna f\nbert m\n")
        shares = folder / "split2" / "1"  # of utils/split_data.sh
        for name in ("wav.scp", "segments"):
            put(shares / name, (folder / name).read_text())
        put(folder / "text", f"a-{split} HELLO THERE\nb-{split} GOOD BYE\n")
        put(folder / "utt2spk", f"a-{split} anna\nb-{split} bert\n")
        put(at / "egs" / "wavs" / f"{split}.wav", TALK)


def espnet(at: Path, url: str) -> None:
    """An ark as kaldiio writes it for `audio_format: wav.ark`; a path from where the recipe ran."""
    size = len(WAV).to_bytes(3, "little")
    put(at / "asr1" / "dump" / "raw" / "train" / "wav.ark", b"u1 AUDIO\3" + size + WAV)
    for split, place in (("train", "dump/raw/train/wav.ark:3"), ("test", "dump/raw/test/u1.wav")):
        folder = at / "asr1" / "dump" / "raw" / split
        put(folder / "wav.scp", f"u1 {place}\n")
        put(folder / "text", "u1 HELLO\n")
        put(folder / "utt2spk", "u1 anna\n")
    put(at / "asr1" / "dump" / "raw" / "test" / "u1.wav", WAV)


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
    # as Lhotse writes them: a path from where its writer ran, padding, keys of one's own, mixes
    sources = [{"type": "file", "channels": [0], "source": "corpora/cuts/audio/talk.wav"}]
    cuts[1] |= {"recording": RECORDING | {"sources": sources}, "custom": {"snr": 1.5}}
    mixed = {"type": "MixedCut", "id": "cut-1", "tracks": [
        {"cut": cuts[1], "offset": 0.0}, {"cut": {"type": "PaddingCut", "id": "pad"}}]}  # fmt: skip
    sped = {"name": "Speed", "kwargs": {"factor": 1.1}}
    faster = cuts[0] | {"id": "fast", "recording": RECORDING | {"transforms": [sped]}}
    several = {"type": "MixedCut", "id": "mix", "tracks": [{"cut": each} for each in cuts]}
    data = gzip.compress(lines([cuts[0], mixed, several, faster]).encode(), mtime=0)
    put(at / "cuts" / "lab_cuts_train.jsonl.gz", data)
    put(at / "cuts" / "audio" / "talk.wav", TALK)


def lhotse_manifests(at: Path, url: str) -> None:
    table(at / "manifests" / "lab_recordings_all.jsonl", [RECORDING])
    table(at / "manifests" / "lab_supervisions_all.jsonl", SAID)
    put(at / "manifests" / "audio" / "talk.wav", TALK)


def subtitles(at: Path, url: str) -> None:
    vtt = "WEBVTT\n\nNOTE by hand\n\n1\n00:00.500 --> 00:01.750 align:start\n"
    vtt += "<v Anna>Hello <i>there</i> &amp;\nyou\n"  # no blank line before the next
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
        ";; made by hand\ntalk A 0.10 0.40 hello 0.98\ntalk B 0.55 0.30 you\n",
    )
    put(at / "aligned" / "talk.wav", TALK)


def textgrid(at: Path, url: str) -> None:
    put(at / "praat" / "talk.wav", TALK)
    put(at / "praat" / "talk.TextGrid", TEXTGRID.encode("utf-16"))  # as Praat does beyond ASCII


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
