"""Images and captions learn which of them belong together: CLIP's loss, on small networks.

    pip install . torch && python examples/train_captions.py

Builds PixMo-Cap's bundled sample. Each time another part of an image and another half of its
caption's words are seen. Ends with an error if the loss on parts that it was not trained on is not
below 0.5; who guesses among the four has ln 4 = 1.4.
"""

import sys
import tempfile
import zlib

import numpy as np
import torch
from torch import nn

import edge_glass
from edge_glass.train import Loader, Picture, loader

WORDS, SIDE, EPOCHS, GOAL = 512, 32, 30, 0.5


def words(row: dict, draw: np.random.Generator) -> dict:
    """Half of the words of a caption, counted by a number of 0 to 511 for each."""
    text = row["caption"].lower().split()
    some = draw.permutation(len(text))[: len(text) // 2]
    numbers = [zlib.crc32(text[at].encode()) % WORDS for at in some]
    return row | {"caption": np.bincount(numbers, minlength=WORDS).astype(np.float32)}


def batches(folder: str, seed: int) -> Loader:
    return loader(
        folder, columns=["image", "caption"], decode={"image": Picture(SIDE, "random")},
        transform=words, batch_size=4, seed=seed,
    )  # fmt: skip


class Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layers = [nn.Conv2d(3, 16, 5, 4), nn.ReLU(), nn.Conv2d(16, 32, 3, 2), nn.ReLU()]
        self.image = nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * 3 * 3, 32))
        self.text = nn.Sequential(nn.Linear(WORDS, 64), nn.ReLU(), nn.Linear(64, 32))

    def forward(self, batch: dict) -> torch.Tensor:
        pixels = batch["image"].permute(0, 3, 1, 2) / 127.5 - 1
        image, text = self.image(pixels), self.text(batch["caption"])
        alike = 10 * nn.functional.normalize(image) @ nn.functional.normalize(text).T
        own = torch.arange(len(alike))
        one, other = (nn.functional.cross_entropy(each, own) for each in (alike, alike.T))
        return (one + other) / 2


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as out:
        edge_glass.build("pixmo_cap_sample", out)
        folder, net = f"{out}/pixmo_cap_sample", Pair()
        optimizer = torch.optim.Adam(net.parameters(), lr=0.003)
        data, unseen = batches(folder, 1).torch(), batches(folder, 99).torch()
        for _ in range(EPOCHS):
            for batch in data:
                optimizer.zero_grad()
                net(batch).backward()
                optimizer.step()
        with torch.no_grad():
            loss = np.mean([net(batch).item() for _ in range(8) for batch in unseen])
    print(f"4 images, {EPOCHS} epochs: loss {loss:.2f}, at most {GOAL}")
    sys.exit(bool(loss > GOAL))


if __name__ == "__main__":
    main()
