"""A probe between two frozen spaces: a projection of each into a common one, and how it ranks.

Symmetric contrastive loss with a learned temperature, as in CLIP (Radford et al., 2021), AdamW,
stopped when the loss on the validation rows has not fallen for a while. Needs torch.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from edge_glass.vectors.torch_encoder import threads

Array = np.ndarray[Any, Any]
Pairs = tuple[Array, Array]  # left and right, float32 (n, dim); row i of one belongs to row i
Project = Callable[[Pairs], Pairs]
WIDTH = 256  # of the common space; between two layers there is twice that
BATCH = 512
EPOCHS = 200
PATIENCE = 10  # epochs without a lower validation loss
RATE, DECAY = 1e-3, 1e-2
TEMPERATURE = 0.07  # at first
SHARPEST = 100.0  # what similarities are multiplied by at most, as in CLIP
RANKED = 1024  # queries that are ranked at a time


def train(fit: Pairs, check: Pairs, layers: int, seed: int) -> Project:
    """Fit a probe of one or two layers to pairs and stop by others.

    What is returned projects pairs to unit vectors of the common space, float32 (n, 256).
    """
    with threads(1):  # small steps do not wait for one another
        return _trained(fit, check, layers, seed)


def _trained(fit: Pairs, check: Pairs, layers: int, seed: int) -> Project:
    import torch

    torch.manual_seed(seed)
    scales = [(array.mean(0), array.std(0) + 1e-6) for array in fit]
    model = torch.nn.ModuleList([_layers(array.shape[1], layers) for array in fit])
    heat = torch.nn.Parameter(torch.tensor(float(np.log(1 / TEMPERATURE))))
    model.register_parameter("heat", heat)
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    rows, others = _tensors(fit, scales, heat), _tensors(check, scales, heat)
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY)
    best, state, since = float("inf"), model.state_dict(), 0
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(rows[0])).split(BATCH):
            if len(batch) > 1:  # one pair has nothing to be told apart from
                optimiser.zero_grad()
                _loss(model, [side[batch.to(heat.device)] for side in rows]).backward()
                optimiser.step()
        with torch.inference_mode():
            parts = zip(*(side.split(BATCH) for side in others), strict=True)
            loss = float(np.mean([_loss(model, list(part)).item() for part in parts]))
        since += 1
        if loss < best:
            state = {name: value.detach().clone() for name, value in model.state_dict().items()}
            best, since = loss, 0
        elif since == PATIENCE:
            break
    model.load_state_dict(state)

    def project(pairs: Pairs) -> Pairs:
        with torch.inference_mode(), threads(1):
            left, right = _projected(model, _tensors(pairs, scales, heat))
        return left.cpu().numpy(), right.cpu().numpy()

    return project


def _layers(dim: int, layers: int) -> Any:
    from torch import nn

    if layers == 1:
        return nn.Linear(dim, WIDTH)
    return nn.Sequential(nn.Linear(dim, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH))


def _tensors(pairs: Pairs, scales: list[Pairs], like: Any) -> list[Any]:
    """Standardised with the mean and deviation of the training rows."""
    import torch

    scaled = [(a - mean) / deviation for a, (mean, deviation) in zip(pairs, scales, strict=True)]
    return [torch.from_numpy(a).to(like.device, torch.float32) for a in scaled]


def _projected(model: Any, sides: list[Any]) -> list[Any]:
    from torch.nn.functional import normalize

    return [normalize(net(side), dim=1) for net, side in zip(model, sides, strict=True)]


def _loss(model: Any, sides: list[Any]) -> Any:
    import torch
    from torch.nn.functional import cross_entropy

    left, right = _projected(model, sides)
    alike = left @ right.T * model.heat.exp().clamp(max=SHARPEST)
    own = torch.arange(len(alike), device=alike.device)
    return (cross_entropy(alike, own) + cross_entropy(alike.T, own)) / 2


def ranks(queries: Array, gallery: Array) -> Array:
    """The place, from 1, at which each query (n, dim) finds the gallery's row of its number.

    Of equal similarities half stand before it, so that a space without order is ranked by chance.
    """
    places = []
    for start in range(0, len(queries), RANKED):
        alike = queries[start : start + RANKED] @ gallery.T
        own = alike[np.arange(len(alike)), start + np.arange(len(alike))][:, None]
        places.append(1 + (alike > own).sum(1) + ((alike == own).sum(1) - 1) / 2)
    return np.concatenate(places)
