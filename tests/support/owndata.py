"""Data of one's own as people have them: a folder or table for each layout, in its real shape."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from own_pictures import (
    BOXES,
    base64_in_tsv,
    bytes_in_parquet,
    class_folders,
    clip_retrieval,
    coco,
    docvqa,
    img2dataset,
    lists_in_parquet,
    lists_of_files,
    mds_packed,
    mds_shards,
    metadata_csv,
    metadata_splits,
    mp_docvqa,
    object_around,
    saved,
    slidevqa,
    stems,
    table_beside,
    table_of_files,
    url_csv,
    url_list,
    url_text,
    vqa,
    webdataset,
    webdataset_packed,
    zipped,
)
from own_recordings import (
    common_voice,
    espnet,
    folds,
    kaldi,
    lerobot,
    lerobot_images,
    lerobot_v3,
    lerobot_v3_images,
    lhotse_cuts,
    lhotse_manifests,
    ljspeech,
    nemo,
    speech_commands,
    subtitles,
    textgrid,
    turns,
    videos,
    voxforge,
    words,
)


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
        ("image", "caption", "url", "status", "listed_width", "sha256"), {"id": "000000000"},
        outcomes={"missing_media": 1},
    ),
    "ljspeech": Case(
        "LJSpeech", "LJSpeech-1.1", ljspeech, {"train": 2},
        ("audio", "caption", "normalized_text"),
        {"id": "LJ001-0001", "caption": "Printing, in 1890"}, {"missing_media": 1},
    ),
    "voxforge": Case(
        "VoxForge, CMU Arctic: etc/PROMPTS, prompts-original or txt.done.data beside wav/ or flac/",
        "voxforge", voxforge, {"train": 4},
        ("audio", "caption", "normalized_text", "speaker", "gender", "language"),
        {"id": "anna-20080426-adv/a1", "caption": "The quick fox.", "speaker": "anna",
         "normalized_text": "THE QUICK FOX", "gender": "female", "language": "DE"},
        {"missing_media": 2, "missing_caption": 1},
    ),
    "speech_commands": Case(
        "lists of the files of each split: `validation_list.txt`, `ImageSets/Main/val.txt`, …",
        "speech_commands", speech_commands, {"train": 2, "validation": 2, "test": 2},
        ("audio", "label"), {"id": "bed/0c40e710_nohash_0.wav", "label": 0},
    ),
    "folds": Case(
        "a table that names files, and in other columns their folders, as UrbanSound8K's",
        "urban --split key=fold", folds, {"5": 1, "6": 1}, ("audio", "class"),
        {"id": "1-3-0.wav"},
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
        {"id": "a-test", "caption": "HELLO THERE", "gender": "f", "duration": 0.75},
        {"unsuitable_media": 2},
    ),
    "espnet": Case(
        "ESPnet's dump folder, with its arks", "asr1/dump", espnet,
        {"train": 1, "test": 1}, ("audio", "caption", "speaker"), {"caption": "HELLO"},
    ),
    "nemo": Case(
        "NeMo manifests, with offset and duration", "nemo", nemo, {"train": 2},
        ("audio", "caption", "offset"), {"duration": 1.5}, {"wrong_duration": 1},
    ),
    "lhotse_cuts": Case(
        "Lhotse: cuts", "cuts", lhotse_cuts, {"train": 2}, ("audio", "caption", "speaker", "snr"),
        {"id": "cut-0", "duration": 1.5}, {"unsuitable_media": 2},
    ),
    "lhotse_manifests": Case(
        "Lhotse: recordings and supervisions", "manifests", lhotse_manifests, {"train": 2},
        ("audio", "caption", "speaker"), {"id": "talk-0", "caption": "No. 0", "duration": 1.5},
    ),
    "subtitles": Case(
        "recordings with VTT or SRT beside them, cut", "talks", subtitles, {"train": 2},
        ("audio", "caption", "start", "end"),
        {"caption": "Hello there & you", "speaker": "Anna", "duration": 1.25},
        {"wrong_duration": 1},
    ),
    "turns": Case(
        "recordings with RTTM", "meeting", turns, {"train": 2}, ("audio", "speaker"),
        {"duration": 1.434}, {"missing_media": 1},
    ),
    "words": Case(
        "recordings with CTM", "aligned", words, {"train": 2}, ("audio", "caption"),
        {"caption": "hello", "channel": 0, "duration": 0.4},
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
        ("image", "pages", "caption", "index", "score", "grid"),
        {"caption": "No. 1", "score": 0.5, "grid": [[1, -1]]},
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
