"""An encoder: what it takes and gives is known at once, weights are read for the first batch."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from importlib import import_module
from importlib.metadata import version
from itertools import islice
from typing import Any

import numpy as np

from edge_glass.core.errors import ConfigError
from edge_glass.core.extras import needs
from edge_glass.core.ledger import Dropped
from edge_glass.media import images
from edge_glass.vectors import torch_encoder
from edge_glass.vectors.encode_ahead import Workers
from edge_glass.vectors.models import Modality, Model, locate

Array = np.ndarray[Any, Any]
Forward = Callable[[Sequence[Any]], Array]
MODULES = {"late": "sentence", "multimodal": "sentence"}  # that run other kinds, too
CODE = "2"  # raised where our code around a model changes digits of vectors: a test asks
LIBRARIES = {  # that run a kind, if not torch and transformers alone
    "onnx": ("onnxruntime", "transformers"),
    "sentence": ("torch", "transformers", "sentence-transformers"),
}
LARGEST = {"cuda": 256, "cpu": 32}  # rows of the first batch that is tried


@dataclass
class Encoder:
    """Rows of one modality -> vectors.

    `prepare` turns a row (bytes of an image or sound file, or a text) into what a batch is made of,
    in any process, without weights.
    """

    model: Model
    modality: Modality
    dim: int
    prepare: Callable[[Any], Any]
    threads: int = 0  # of torch on a CPU; 0: as many as it has

    @property
    def late(self) -> bool:
        """Whether a row is as many vectors as it has tokens (late interaction)."""
        return self.model.kind == "late"

    @property
    def device(self) -> str:
        """Cuda or cpu."""
        if self.model.kind == "onnx":
            return "cpu"
        import torch

        return "cuda" if torch.cuda.is_available() else "cpu"

    @property
    def torch_threads(self) -> int:
        """The threads that torch would compute on here; 0 where digits do not depend on them."""
        if self.device != "cpu" or self.model.kind == "onnx":  # ONNX Runtime splits no sum
            return 0
        import torch

        return int(torch.get_num_threads())

    @property
    def made_with(self) -> dict[str, str]:
        """What else digits of vectors depend on: our code around models, and libraries."""
        kind = MODULES.get(self.model.kind, self.model.kind)
        libraries = LIBRARIES.get(kind, ("torch", "transformers"))
        return {"encoders": CODE} | images.library() | {name: version(name) for name in libraries}

    @cached_property
    def _forward(self) -> Forward:
        forward: Forward = _module(self.model).load(self.model, self.modality, self.device)
        return forward

    def encode(self, prepared: Sequence[Any]) -> Array:
        """Prepared rows as one batch: float32 (rows, dim). Halved where memory ends.

        Raises ConfigError if `dim` is wrong. Of late interaction: objects (rows,), each float32
        (tokens, dim).
        """
        try:
            with torch_encoder.threads(self.threads):
                vectors = self._forward(prepared)
        except RuntimeError as error:
            if "out of memory" not in str(error) or len(prepared) < 2:
                raise
            half = len(prepared) // 2
            return np.concatenate([self.encode(prepared[:half]), self.encode(prepared[half:])])
        shapes = {row.shape[1:] for row in vectors} if self.late else {vectors.shape[1:]}
        if len(vectors) != len(prepared) or shapes != {(self.dim,)}:
            raise ConfigError(
                f"{self.model.name}: gave {len(vectors)} vectors of {shapes}, expected "
                f"{len(prepared)} of {(self.dim,)}, as its config says"
            )
        return vectors if self.late else vectors.astype(np.float32, copy=False)

    def batch_size(self, sample: Any) -> int:
        """The most rows like `sample` (as `prepare` gives them) that go through at once."""
        size = LARGEST[self.device]
        while size > 1:
            try:
                self._forward([sample] * size)
                break
            except RuntimeError as error:
                if "out of memory" not in str(error):
                    raise
                size //= 2
        return size

    def embed(self, rows: Iterable[Any], batch: int, workers: Workers) -> Iterator[Array]:
        """Embed rows in their order, `batch` at a time; `workers` prepare those to come.

        A row that is None, or no media that can be decoded, is NaN throughout; of late interaction
        it is None.
        """
        prepared = workers.map(partial(_or_none, self.prepare), rows)
        while chunk := list(islice(prepared, batch)):
            there = [number for number, one in enumerate(chunk) if one is not None]
            shape = (len(chunk),) if self.late else (len(chunk), self.dim)
            embedded: Array = np.full(shape, None if self.late else np.float32(np.nan))
            if there:
                embedded[there] = self.encode([chunk[number] for number in there])
            yield embedded


def _or_none(prepare: Callable[[Any], Any], row: Any) -> Any:
    if row is None:
        return None
    try:
        return prepare(row)
    except Dropped:
        return None


def open_encoder(name: str, modality: Modality | None = None) -> Encoder:
    """The encoder `name` (an alias, a model of the Hub, a folder, an ONNX file) for a modality.

    No weight is read. Raises EdgeGlassError if the model is not to be had or takes other rows.
    """
    return of_model(locate(name), modality)


def of_model(model: Model, modality: Modality | None = None) -> Encoder:
    """The encoder of a model that is on disk. Raises ConfigError if it takes no such rows."""
    if model.kind == "onnx":
        needs(model.name, "onnx", "onnxruntime", "transformers")
    else:
        needs(model.name, "encoders", "torch", "transformers")
    module = _module(model)
    can: tuple[Modality, ...] = module.modalities(model)
    chosen = modality or can[0]
    if chosen not in can:
        raise ConfigError(f"{model.name} encodes {' and '.join(can)}, not {chosen}")
    return Encoder(model, chosen, module.dim(model, chosen), module.prepare(model, chosen))


def _module(model: Model) -> Any:
    return import_module(f"edge_glass.vectors.{MODULES.get(model.kind, model.kind)}")
