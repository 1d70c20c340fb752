"""Data of one's own as people have them: folders, tables, shards, questions about pictures."""

import base64
import gzip
import hashlib
import io
import json
import struct
import zipfile
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
from ownfiles import WAV, jpeg, png, put, table, tarred


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
        meta |= {"original_width": 80 + 2 * n, "caption": f"No. {n}"}
        meta |= {"sha256": hashlib.sha256(b"as it was downloaded").hexdigest()}
        key = f"00000000{n}"
        members |= {
            f"{key}.jpg": jpeg(n),
            f"{key}.txt": f"No. {n}",
            f"{key}.json": json.dumps(meta),
        }
    tarred(at / "output" / "00000.tar", members)
    failed = {"url": "http://a/1", "key": "000000001", "status": "failed_to_download"}
    table(at / "output" / "00000.parquet", [failed | {"error_message": "HTTP Error 404"}])
    put(at / "output" / "00000_stats.json", "{}")


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
    encodings = {
        "caption": "str", "image": "jpeg", "index": "int", "score": "float32",
        "pages": "list[jpeg]", "grid": "ndarray", "raw": "pil",
    }  # fmt: skip
    for split, numbers in (("train", (1, 2)), ("val", (3,))):
        samples = []
        for n in numbers:
            score = struct.pack("<f", n / 2)
            pages = [jpeg(n), jpeg(0)]
            pages = struct.pack("<4I", 0, 2, *map(len, pages)) + b"".join(pages)
            grid = bytes([17, 2 << 2, 1, 2]) + struct.pack("<2h", n, -n)  # int16 of 1 by 2
            parts = [f"No. {n}".encode(), jpeg(n), struct.pack("<q", n), score, pages, grid, b"raw"]
            sizes = [len(parts[at]) for at in (0, 1, 4, 5, 6)]
            samples.append(struct.pack("<5I", *sizes) + b"".join(parts))
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
            "column_sizes": [None, None, 8, 4, None, None, None], "compression": packing,
            "format": "mds", "hashes": [],
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
