"""A small network learns to name the recording that a quarter of a second of sound comes from.

    pip install . torch && python examples/train_torch.py

Builds Clotho's bundled sample and reads random sections of its five recordings for training, in two
worker processes. In the midst of it the run is stopped, and goes on from the state that was saved.
Ends with an error if the loss on sections that it was not trained on is not below 0.8; who guesses
has ln 5 = 1.6.
"""

import json
import sys
import tempfile

import torch
from torch.nn.functional import cross_entropy

import edge_glass
from edge_glass.train import Sound, loader

STEPS, STOP, GOAL = 40, 17, 0.8
RATE, WINDOW = 16000, 512


def batches(folder: str, seed: int, workers: int) -> "torch.utils.data.DataLoader":
    """Sixteen sections a batch, each recording as often as the others, without end to speak of."""
    source = [folder] * 64  # a list of sources is one corpus
    decode = {"audio": Sound(0.25, RATE)}
    made = loader(source, columns=["id", "audio"], decode=decode, batch_size=16, seed=seed)
    return made.torch(workers)


def spectra(sounds: torch.Tensor) -> torch.Tensor:
    """Loudness of each frequency, on a logarithmic scale, of shape (batch, WINDOW // 2 + 1)."""
    window = torch.hann_window(WINDOW)
    power = torch.stft(sounds, WINDOW, window=window, return_complex=True).abs().square()
    loud = torch.log(power.mean(dim=2) + 1e-8)
    return (loud - loud.mean(dim=1, keepdim=True)) / loud.std(dim=1, keepdim=True)


class Learner:
    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.net = torch.nn.Linear(WINDOW // 2 + 1, len(names))
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=0.01)

    def loss(self, batch: dict) -> torch.Tensor:
        labels = torch.tensor([self.names.index(name) for name in batch["id"]])
        return cross_entropy(self.net(spectra(batch["audio"])), labels)

    def learn(self, data: "torch.utils.data.DataLoader", steps: int) -> None:
        while steps:
            for batch in data:
                self.optimizer.zero_grad()
                self.loss(batch).backward()
                self.optimizer.step()
                steps -= 1
                if not steps:
                    break


def main() -> None:
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as out:
        edge_glass.build("clotho_sample", out)
        folder = f"{out}/clotho_sample"
        unseen = list(batches(folder, seed=99, workers=0))
        learner = Learner(sorted({name for batch in unseen for name in batch["id"]}))
        data = batches(folder, seed=1, workers=2)
        learner.learn(data, STOP)
        saved = json.dumps(data.state_dict())
        data = batches(folder, seed=1, workers=1)  # another machine, some time later
        data.load_state_dict(json.loads(saved))
        learner.learn(data, STEPS - STOP)
        with torch.no_grad():
            loss = sum(float(learner.loss(batch)) for batch in unseen) / len(unseen)
    print(f"{len(learner.names)} recordings, {STEPS} steps: loss {loss:.2f}, at most {GOAL}")
    sys.exit(loss > GOAL)


if __name__ == "__main__":
    main()
