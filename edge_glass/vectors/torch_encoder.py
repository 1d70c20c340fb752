"""What all encoders that run on torch share: how weights are read, and tensors come and go."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from edge_glass.core.errors import ConfigError
from edge_glass.vectors.models import Model

Array = np.ndarray[Any, Any]


def weights(kind: Any, model: Model, device: str, optional: str = "pooler") -> Any:
    """A pretrained model of a class of `transformers`, in eval mode: bfloat16 on a GPU.

    Safetensors only, and no code of the model's own. Weights may lack what is `optional`.

    Raises ConfigError if they lack more.
    """
    import torch

    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    with quietly():
        net, info = kind.from_pretrained(
            model.folder, dtype=dtype, use_safetensors=True, trust_remote_code=False,
            local_files_only=True, output_loading_info=True,
        )  # fmt: skip
    # what is left at random would give embeddings all the same
    if missing := sorted(k for k in info["missing_keys"] if not optional or optional not in k):
        raise ConfigError(f"{model.name}: its weights lack {', '.join(missing[:5])}")
    return net.eval().to(device)


@contextmanager
def quietly() -> Iterator[None]:
    """Without a bar, and a table of the weights of the other half of a model."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        logging.enable_progress_bar()


@contextmanager
def threads(count: int) -> Iterator[None]:
    """So many threads compute on a CPU, for digits depend on them; 0: as many as before."""
    if not count:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def tokenizer(model: Model) -> Any:
    """The model's own tokenizer."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(
        model.folder, trust_remote_code=False, local_files_only=True
    )


def forward(compute: Callable[[Sequence[Any]], Any]) -> Callable[[Sequence[Any]], Array]:
    """`compute`, which gives a tensor, without gradients and with float32 NumPy out of it."""
    import torch

    def run(rows: Sequence[Any]) -> Array:
        with torch.inference_mode():
            array: Array = compute(rows).float().cpu().numpy()
            return array

    return run


def masked_mean(states: Any, mask: Any) -> Any:
    """The mean over the positions (rows, positions, dim) that the mask (rows, positions) has."""
    weight = mask.unsqueeze(-1).float()  # bfloat16 cannot count beyond 256
    return (states.float() * weight).sum(1) / weight.sum(1).clamp(min=1)
