"""Questions learn to find the slide that answers them, among all slides of their deck and others.

    pip install . torch && python examples/train_slides.py

Builds the bundled sample of SlidesQA. A row is a deck: `transform` draws one of its questions and
decodes the slide that it is about. Ends with an error if the loss is not below 0.3 or not each
question finds its slide first.
"""

import sys
import tempfile
import zlib

import numpy as np
import torch
from torch import nn

import edge_glass
from edge_glass.train import Picture, loader

WORDS, SIDE, EPOCHS, GOAL = 512, 32, 80, 0.3
SLIDE = Picture(SIDE, "stretch")


def counted(text: str) -> np.ndarray:
    numbers = [zlib.crc32(word.encode()) % WORDS for word in text.lower().split()]
    return np.bincount(numbers, minlength=WORDS).astype(np.float32)


def question(deck: dict, draw: np.random.Generator) -> dict:
    pair = deck["pairs"][draw.integers(len(deck["pairs"]))]
    data = deck["images"][deck["slides"].index(pair["slide"])]["bytes"]
    name = f"{deck['id']} {pair['slide']}"
    return {"slide": name, "image": SLIDE(data, draw), "question": counted(pair["question"])}


class Finder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layers = [nn.Conv2d(3, 16, 5, 4), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 7 * 7, 32)]
        self.slide = nn.Sequential(*layers)
        self.question = nn.Sequential(nn.Linear(WORDS, 64), nn.ReLU(), nn.Linear(64, 32))

    def forward(self, images: torch.Tensor, questions: torch.Tensor) -> torch.Tensor:
        """How well each question (rows) fits each slide (columns)."""
        slides = self.slide(images.permute(0, 3, 1, 2) / 127.5 - 1)
        normal = nn.functional.normalize
        return 10 * normal(self.question(questions)) @ normal(slides).T


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as out:
        edge_glass.build("slides_qa_sample", out)
        decks = [f"{out}/slides_qa_sample"] * 8  # a list of sources is one corpus
        data = loader(
            decks, columns=["id", "slides", "images", "pairs"], transform=question, batch_size=16
        ).torch()
        net = Finder()
        optimizer = torch.optim.Adam(net.parameters(), lr=0.003)
        for _ in range(EPOCHS):
            for batch in data:
                names = batch["slide"]
                slides = [names.index(name) for name in dict.fromkeys(names)]  # each once
                own = torch.tensor([[*dict.fromkeys(names)].index(name) for name in names])
                optimizer.zero_grad()
                scores = net(batch["image"][slides], batch["question"])
                loss = nn.functional.cross_entropy(scores, own)
                loss.backward()
                optimizer.step()
        right = (scores.argmax(1) == own).float().mean().item()
    print(
        f"{len(slides)} slides, {EPOCHS} epochs: loss {loss:.2f}, at most {GOAL}; {right:.0%} first"
    )
    sys.exit(bool(loss > GOAL or right < 1))


if __name__ == "__main__":
    main()
