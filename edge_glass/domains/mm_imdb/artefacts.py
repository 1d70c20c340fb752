"""Embeddings of many views of every original, in the files of the paper's MM-IMDb pipeline.

`<prefix>_aug70_<encoder>_<image|text>.npy` with `.stats.npz`, a manifest and an index. Row
`orig_idx * views + view`; originals are sorted by id over all splits. An original's views go
through an encoder as one batch, so the arrays are the same whatever the number of workers.
"""

import codecs
import csv
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from glob import escape
from pathlib import Path
from typing import Any, Literal, NotRequired

import numpy as np

from edge_glass.core import manifest, outputs, schema
from edge_glass.core.atomic_files import AtomicFile, write_json
from edge_glass.core.errors import ConfigError, DataError
from edge_glass.core.ledger import Dropped
from edge_glass.core.row import Example
from edge_glass.domains.mm_imdb import paper_views, views
from edge_glass.domains.mm_imdb.originals import Originals, multi_hot
from edge_glass.media import images
from edge_glass.vectors import arrays
from edge_glass.vectors.embed import THREADS, fingerprint, modality_of
from edge_glass.vectors.encode_ahead import Workers
from edge_glass.vectors.encoder import Encoder, open_encoder
from edge_glass.vectors.models import Modality

Array = np.ndarray[Any, Any]
PAIRS = {"clip": ("clip-vit-b32", "clip-multilingual"), "blip2": ("blip2", "blip2")}
FLUSH = 64  # originals between two times that what is done is put on disk
INDEX = ["aug_idx", "orig_idx", "view", "stem", "image_name", "text_len"]


@dataclass(frozen=True)
class Options:
    """What is written, and how."""

    encoders: dict[str, tuple[str, str]]  # name in the files -> encoder of images, of texts
    prefix: str
    count: int = 70  # views of an original
    fit: Literal["train", "all"] = "train"  # what the z-score is fitted on
    noisy_labels: bool = False
    as_paper: bool = False  # views are drawn as the paper's code draws them
    image: str = "image"  # columns
    text: str = "plot"
    jobs: int = 1

    @property
    def base(self) -> str:
        """What the names of all files begin with."""
        return f"{self.prefix}_aug{self.count}"


def pair(value: str) -> tuple[str, tuple[str, str]]:
    """`clip`, `blip2`, or `name=IMAGE,TEXT` of any two encoders. Raises ConfigError for others."""
    name, _, given = value.partition("=")
    models = tuple(given.split(",")) if given else PAIRS.get(name, ())
    if len(models) != 2 or not name or not all(models):
        raise ConfigError(f"--encoder {value}: use {', '.join(PAIRS)}, or NAME=IMAGE,TEXT")
    return name, (models[0], models[1])


def export(folder: Path, out: Path, options: Options) -> None:
    """Write the views of the config that is built in `folder` to `out`; goes on after a stop.

    Raises EdgeGlassError if `out` was begun otherwise, or if an image cannot be decoded.
    """
    _Export(folder, out, options).run()


class _Export:
    def __init__(self, folder: Path, out: Path, options: Options) -> None:
        self._folder, self._out, self._options = folder, out, options
        self._work = out / f".{options.base}"
        self._originals, self._made = Originals.of(folder), manifest.read(folder)
        for column, wanted in ((options.image, "image"), (options.text, "text")):
            if modality_of(self._made, column) != wanted:
                raise DataError(f"{self._made.config}: {column} holds no {wanted}s")
        self._encoders: dict[str, Encoder] = {}
        for name, (image, text) in options.encoders.items():
            self._encoders[f"{name}_image"] = open_encoder(image, "image")
            self._encoders[f"{name}_text"] = open_encoder(text, "text")

    def run(self) -> None:
        settings, done = self._settings(), self._file("_manifest.json")
        work = self._work / "settings.json"
        if done.is_file():  # what is whole may be of other code
            _same(done, {name: value for name, value in settings.items() if name != "made_with"})
            return
        encoders = self._encoders.values()
        if work.is_file():  # what earlier releases began says nothing of threads
            threads = _same(work, settings).get("threads", 0)
        else:
            threads = max(one.torch_threads for one in encoders)
        for one in encoders:
            one.threads = threads
        settings["threads"] = threads
        outputs.claim(self._out, [self._work.name])
        if not self._work.exists():
            ready = self._out.glob(f"{escape(self._options.base)}_*")
            outputs.claim(self._out, [path.name for path in ready])
        write_json(work, settings)
        self._normalise(self._embedded())
        if self._options.noisy_labels:
            self._noisy_labels()
        self._index()
        write_json(done, settings)
        shutil.rmtree(self._work)

    def _file(self, suffix: str) -> Path:
        return self._out / f"{self._options.base}{suffix}"

    def _settings(self) -> dict[str, Any]:
        """The manifest: the keys of the paper's, and what else the arrays depend on."""
        models = {
            name: {"name": one.model.name, "revision": one.model.revision or fingerprint(one.model)}
            for name, one in self._encoders.items()
        }
        return {
            "total_rows": len(self._originals) * self._options.count,
            "original_rows": len(self._originals),
            "views_per_sample": self._options.count,
            "dims": {name: one.dim for name, one in self._encoders.items()},
            "models": models,
            "made_with": {name: one.made_with for name, one in self._encoders.items()},
            "dtype": "float32",
            "device": next(iter(self._encoders.values())).device,
            "simclr": views.SIMCLR,
            "text_mask_prob": views.MASKED,
            "index_csv": self._file("_aug_index.csv").name,
            "fit": self._options.fit,
            "epsilon": arrays.EPSILON,
            "noisy_labels": self._options.noisy_labels,
            "as_paper": self._options.as_paper,
            "columns": {"image": self._options.image, "text": self._options.text},
            "config": self._made.config,
            "data": self._made.digests(),
        }

    def _embedded(self) -> dict[str, Array]:
        """The arrays with every view of every original, before they are normalised."""
        count, views_ = len(self._originals), self._options.count
        raw = {
            name: arrays.opened(self._work / f"{name}.npy", (count * views_, one.dim))
            for name, one in self._encoders.items()
        }
        lengths, done = self._lengths(), arrays.opened(self._work / "done.npy", (count,), np.bool_)
        prepares = {n: (e.modality, e.prepare) for n, e in self._encoders.items()}
        waiting: list[int] = []
        with Workers(self._options.jobs) as workers:
            rows = self._originals.rows([self._options.image, self._options.text], done)
            left = ((place, self._originals.ids[place], row) for place, row in rows)
            prepare = partial(_prepared, prepares, self._options)
            for place, batches, texts in workers.map(prepare, left, piece=1):
                for name, encoder in self._encoders.items():
                    raw[name][place * views_ : (place + 1) * views_] = encoder.encode(batches[name])
                lengths[place] = texts
                waiting.append(place)
                if len(waiting) == FLUSH:
                    _flush([*raw.values(), lengths], done, waiting)
        _flush([*raw.values(), lengths], done, waiting)
        return raw

    def _lengths(self) -> Array:
        """Words of every view's text, (originals, views)."""
        shape = (len(self._originals), self._options.count)
        return arrays.opened(self._work / "lengths.npy", shape, np.int32)

    def _normalise(self, raw: dict[str, Array]) -> None:
        every = self._options.fit == "all"
        fitted = [every or split.startswith("train") for split in self._originals.splits]
        rows = np.repeat(fitted, self._options.count)
        for name, array in raw.items():
            mu, sigma = arrays.moments(array, rows)
            arrays.normalised(array, self._file(f"_{name}.npy"), mu, sigma)
            arrays.save_stats(self._file(f"_{name}.stats.npz"), mu, sigma)

    def _noisy_labels(self) -> None:
        clean, count = multi_hot(self._folder, self._originals), self._options.count
        path = self._work / "labels.npy"
        out = arrays.opened(path, (len(clean) * count, clean.shape[1]))
        for place, row in enumerate(clean):
            for view in range(count):
                out[place * count + view] = views.labels_view(row, place, view)
        arrays.flush(out)
        path.replace(self._file("_labels.npy"))

    def _index(self) -> None:
        lengths, names = self._lengths(), self._originals.paths(self._options.image)
        with AtomicFile(self._file("_aug_index.csv")) as file:
            text = codecs.getwriter("utf-8")(file)  # type: ignore[arg-type] # it seeks nothing
            table = csv.writer(text, lineterminator="\n")
            table.writerow(INDEX)
            for place, (id, name) in enumerate(zip(self._originals.ids, names, strict=True)):
                first, words = place * self._options.count, lengths[place].tolist()
                table.writerows([first + v, place, v, id, name, n] for v, n in enumerate(words))


def _prepared(
    prepares: dict[str, tuple[Modality, Callable[[Any], Any]]],
    options: Options,
    item: tuple[int, str, Example],
) -> tuple[int, dict[str, list[Any]], list[int]]:
    """An original's place, all its views as each encoder takes them, and their texts' lengths."""
    place, id, row = item
    data = (row[options.image] or {}).get("bytes") or b""
    try:
        image = images.rgb(data)
    except Dropped as drop:
        raise DataError(
            f"{id}: its image does not decode ({drop.outcome} {drop.detail}): build again, where "
            "broken images are dropped, or black with --set broken_images=black"
        ) from None
    numbers, module = range(options.count), paper_views if options.as_paper else views
    if options.as_paper:
        image = paper_views.opened(data)
    variants: dict[Modality, list[Any]] = {
        "image": [module.image_view(image, place, view) for view in numbers],
        "text": [module.text_view(row[options.text] or "", place, view) for view in numbers],
    }
    batches = {
        name: [prepare(view) for view in variants[modality]]
        for name, (modality, prepare) in prepares.items()
    }
    return place, batches, [len(text.split()) for text in variants["text"]]


def _flush(filled: list[Array], done: Array, waiting: list[int]) -> None:
    """Put rows on disk, and then that they are there."""
    arrays.flush(*filled)
    done[waiting] = True
    arrays.flush(done)
    waiting.clear()


def _same(path: Path, settings: dict[str, Any]) -> dict[str, Any]:
    shape = schema.shape(threads=NotRequired[THREADS])
    known: dict[str, Any] = schema.read(path, shape, "delete what is there")
    if other := [name for name, value in settings.items() if known.get(name) != value]:
        raise DataError(
            f"{path}: was made otherwise ({', '.join(other)} differ): delete what is there, or "
            "give another --out"
        )
    return known
