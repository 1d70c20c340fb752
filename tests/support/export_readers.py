"""What other packages read of an export, printed as JSON: run in a process that has them.

`export_readers.py webdataset | clip_inference | clip_back | img2dataset | open_clip | vidore PATH`
"""

import importlib
import json
import sys
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

# what these packages want for logging, models and resizing, and no reader of files uses
mocked = ["wandb", "all_clip", "sentence_transformers", "albumentations", "torchvision",
          "torchvision.datasets", "open_clip"]  # fmt: skip
for name in mocked if sys.argv[1] != "vidore" else ():
    sys.modules[name] = MagicMock()


def webdataset(folder: Path) -> list[Any]:
    import webdataset as wds

    urls = [str(path) for path in sorted(folder.glob("*/*.tar"))]
    samples = wds.WebDataset(urls, shardshuffle=False).decode("pil")
    return [
        {"key": s["__key__"], "json": s["json"], "txt": s["txt"],
         "media": {n: len(v) if isinstance(v, bytes) else getattr(v, "size", str(v))
                   for n, v in s.items() if n not in ("json", "txt") and n[0] != "_"}}
        for s in samples
    ]  # fmt: skip


def clip_inference(folder: Path) -> list[Any]:
    from clip_retrieval.clip_inference.reader import WebdatasetReader

    reader = WebdatasetReader(
        lambda urls: urls, lambda image: image.size[0], lambda texts: [len(texts[0])],
        [str(path) for path in sorted(folder.glob("*/*.tar"))], 1, 0, enable_metadata=True,
    )  # fmt: skip
    return [[batch["image_filename"][0], batch["text"][0], json.loads(batch["metadata"][0])]
            for batch in reader]  # fmt: skip


def clip_back(folder: Path) -> list[Any]:
    """The nearest rows to the first vector, with metadata, as its service answers; from PATH."""
    import faiss
    import numpy as np

    importlib.import_module("clip_retrieval")  # whose names hide its module's
    back = sys.modules["clip_retrieval.clip_back"]
    vectors = [np.load(path) for path in sorted((folder / "img_emb").glob("*.npy"))]
    index = faiss.IndexFlatIP(vectors[0].shape[1])
    index.add(np.concatenate(vectors).astype(np.float32))
    found = []
    for hdf5 in (False, True):
        columns = ["url", "image_path", "caption", "NSFW"]
        metadata, _ = back.load_metadata_provider(str(folder), hdf5, False, index, columns, False)
        resource = MagicMock(
            metadata_provider=metadata, image_index=index, columns_to_return=columns,
            metadata_is_ordered_by_ivf=False, aesthetic_embeddings=None, safety_model=None,
        )  # fmt: skip
        service = back.KnnService(clip_resources={"index": resource})
        query = vectors[0][0].astype(np.float32).tolist()
        found.append(service.query(embedding_input=query, num_images=index.ntotal,
                                   num_result_ids=index.ntotal, deduplicate=False))  # fmt: skip
    return found


def img2dataset(folder: Path) -> list[Any]:
    """Fetch `urls.arrow` in a folder into it, as img2dataset does without resizing."""
    import pyarrow as pa
    from img2dataset.downloader import Downloader
    from img2dataset.resizer import Resizer
    from img2dataset.writer import WebDatasetSampleWriter

    listed = folder / "urls.arrow"
    columns = pa.ipc.open_file(listed).read_all().column_names
    fetch = Downloader(
        WebDatasetSampleWriter, Resizer(256, "no", False, skip_reencode=True), 1, True, True,
        str(folder), columns, 5, 10_000, 5, "sha256", None, "jpg", 0, None, None,
    )  # fmt: skip
    done, _ = fetch((0, str(listed)))
    return [done]


def open_clip(path: Path) -> list[Any]:
    from open_clip_train.data import CsvDataset

    rows = CsvDataset(str(path), lambda image: image.size, "filepath", "caption", "\t",
                      lambda texts: texts)  # fmt: skip
    return [rows[place] for place in range(len(rows))]


def vidore(folder: Path) -> list[Any]:
    """nDCG@10 of each language of a retrieval set, as mteb finds it with the model in `model`."""
    import mteb
    from mteb.abstasks.retrieval import AbsTaskRetrieval
    from mteb.abstasks.task_metadata import TaskMetadata
    from mteb.models.model_meta import ModelMeta
    from sentence_transformers import MultiVectorEncoder
    from sentence_transformers.util import maxsim

    net = MultiVectorEncoder(str(folder / "model"), device="cpu", local_files_only=True)

    class Late:
        mteb_model_meta = ModelMeta.create_empty({"modalities": ["text", "image"]})

        def encode(self, inputs: Any, **about: Any) -> Any:
            rows = [row for batch in inputs for row in batch.get("image") or batch["text"]]
            if about["prompt_type"] == "query":
                return net.encode_query(rows)
            return net.encode_document([image.convert("RGB") for image in rows])

        def similarity(self, queries: Any, pages: Any) -> Any:
            return maxsim(queries, pages)

        similarity_pairwise = similarity  # of the protocol, and not asked for

    languages = {"french": "fra", "german": "deu", "spanish": "spa"}

    class Own(AbsTaskRetrieval):
        metadata = TaskMetadata(
            name="Own", description="own", dataset={"path": str(folder), "revision": "main"},
            type="DocumentUnderstanding", category="t2i", eval_splits=["test"],
            eval_langs={name: [f"{code}-Latn"] for name, code in languages.items()},
            main_score="ndcg_at_10", modalities=["text", "image"], reference=None, date=None,
            domains=None, task_subtypes=None, license=None, annotations_creators=None,
            dialect=None, sample_creation=None, bibtex_citation=None,
        )  # fmt: skip

    done = mteb.evaluate(Late(), Own(), cache=None, co2_tracker=False)
    return [[one["hf_subset"], one["ndcg_at_10"]] for one in done[0].scores["test"]]


if __name__ == "__main__":
    json.dump(globals()[sys.argv[1]](Path(sys.argv[2])), sys.stdout, default=str)
