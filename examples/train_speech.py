"""A small network learns to write down speech, with CTC, on whole utterances of any length.

    pip install . torch && python examples/train_speech.py

Builds LibriSpeech's bundled sample. Text becomes letters where sounds are decoded, utterances of
about one length share a batch of 20 s at most, and the loss looks at no more than the real length
of each. Ends with an error if the loss after training is not below 0.5; it begins above 5.
"""

import sys
import tempfile

import numpy as np
import torch
from torch import nn

import edge_glass
from edge_glass.train import Sound, loader

LETTERS = " 'ABCDEFGHIJKLMNOPQRSTUVWXYZ"
RATE, HOP, WINDOW, SKIP = 16000, 320, 800, 2  # a step of the network is 40 ms
EPOCHS, GOAL = 80, 0.5


def letters(row: dict, draw: np.random.Generator) -> dict:
    return row | {"text": [1 + LETTERS.index(letter) for letter in row["text"]]}  # 0: the blank


class Speech(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layers = [nn.Conv1d((WINDOW // 2 + 1) // 5 * SKIP, 96, 5, padding=2), nn.ReLU()]
        layers += [nn.Conv1d(96, 96, 9, padding=4), nn.ReLU()]
        self.letters = nn.Sequential(*layers, nn.Conv1d(96, 1 + len(LETTERS), 1))

    def forward(self, sounds: torch.Tensor) -> torch.Tensor:
        """The logarithm of each letter's probability, (steps, batch, letters)."""
        window = torch.hann_window(WINDOW)
        spectra = torch.stft(sounds, WINDOW, HOP, window=window, return_complex=True).abs()
        bands = spectra[:, : spectra.shape[1] // 5 * 5].unflatten(1, (-1, 5)).mean(2)
        frames = (bands + 1e-4).log().transpose(1, 2)
        steps = frames[:, : frames.shape[1] // SKIP * SKIP].unflatten(1, (-1, SKIP)).flatten(2)
        return self.letters((steps.transpose(1, 2) + 4) / 3).permute(2, 0, 1).log_softmax(-1)


def loss(net: Speech, batch: dict) -> torch.Tensor:
    written = [torch.tensor(text) for text in batch["text"]]
    sizes = torch.tensor([len(text) for text in written])
    heard = batch["audio_length"] // (HOP * SKIP)
    return nn.functional.ctc_loss(net(batch["audio"]), torch.cat(written), heard, sizes)


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as out:
        edge_glass.build("librispeech_sample", out)
        data = loader(
            f"{out}/librispeech_sample", "validation.clean", columns=["audio", "text"],
            decode={"audio": Sound(None, RATE)}, transform=letters, max_seconds=20,
        ).torch()  # fmt: skip
        net = Speech()
        optimizer = torch.optim.Adam(net.parameters(), lr=0.005)
        losses = []
        for _ in range(EPOCHS):
            losses.append([])
            for batch in data:
                optimizer.zero_grad()
                value = loss(net, batch)
                value.backward()
                nn.utils.clip_grad_norm_(net.parameters(), 1)
                optimizer.step()
                losses[-1].append(value.item())
    first, last = np.mean(losses[0]), np.mean(losses[-1])
    print(f"5 utterances, {EPOCHS} epochs: loss from {first:.2f} to {last:.2f}, at most {GOAL}")
    sys.exit(bool(last > GOAL))


if __name__ == "__main__":
    main()
