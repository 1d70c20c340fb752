"""The same batches without torch, for NumPy and what takes its arrays (JAX): a regression by hand.

    pip install . && python examples/train_numpy.py

Builds the bundled sample of ImageNet-Captions and learns, by the gradient of a softmax, which of
its pictures a random part comes from. Ends with an error if the loss on parts that it was not
trained on is not below 1.0; who guesses has the logarithm of the number of pictures.
"""

import sys
import tempfile

import numpy as np

import edge_glass
from edge_glass.train import Loader, Picture, loader

EPOCHS, RATE, GOAL = 30, 0.02, 1.0
SIDE = 8


def batches(folder: str, seed: int) -> Loader:
    decode = {"image": Picture(SIDE, "random")}
    source = [folder] * 32  # a list of sources is one corpus
    return loader(source, columns=["id", "image"], decode=decode, batch_size=16, seed=seed)


def parts(batch: dict, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of shape (batch, SIDE * SIDE * 3), and one-hot labels."""
    pixels = batch["image"].reshape(len(batch["id"]), -1) / 127.5 - 1
    return pixels, np.eye(len(names))[[names.index(name) for name in batch["id"]]]


def softmax(values: np.ndarray) -> np.ndarray:
    grown = np.exp(values - values.max(axis=1, keepdims=True))
    return grown / grown.sum(axis=1, keepdims=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as out:
        edge_glass.build("imagenet_captions_sample", out)
        folder = f"{out}/imagenet_captions_sample"
        unseen = list(batches(folder, seed=99))
        names = sorted({name for batch in unseen for name in batch["id"]})
        weights = np.zeros((SIDE * SIDE * 3, len(names)))
        data = batches(folder, seed=1)
        for _ in range(EPOCHS):
            for batch in data:
                pixels, labels = parts(batch, names)
                weights -= RATE * pixels.T @ (softmax(pixels @ weights) - labels) / len(labels)
        losses = []
        for batch in unseen:
            pixels, labels = parts(batch, names)
            losses.append(-np.log((softmax(pixels @ weights) * labels).sum(axis=1)).mean())
    loss = float(np.mean(losses))
    print(f"{len(names)} pictures, {EPOCHS} epochs: loss {loss:.2f}, at most {GOAL}")
    sys.exit(loss > GOAL)


if __name__ == "__main__":
    main()
