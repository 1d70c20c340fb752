"""The people of README's first lines: their files become a dataset that loads, and batches."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hub import Hub

EXAMPLES = Path(__file__).parents[1] / "examples"
SAID = {
    "laptop": "a batch of sounds of shape (9, 32000), said in them: ['",
    "lab": "org/photos v1.0.0\n  sent: 7 files (",
}


@pytest.mark.parametrize("name", SAID)
def test_from_files_to_a_batch(name: str, tmp_path: Path) -> None:
    repo = ["org/photos"] if name == "lab" else []
    with Hub() as hub:
        done = subprocess.run(
            [sys.executable, EXAMPLES / f"{name}.py", *repo],
            env=hub.env(), capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert SAID[name] in done.stdout


def test_a_hub_of_ones_own(built: Path) -> None:
    push = ["push", "clotho_sample", "--from", built, "--repo", "me/sounds", "--version", "1.0.0"]
    load = "from datasets import load_dataset as load; print(load('me/sounds', split='train'))"
    python = [sys.executable, "-u"]
    with subprocess.Popen(
        [*python, EXAMPLES / "mini_hub.py"], stdout=subprocess.PIPE, text=True
    ) as hub:
        assert hub.stdout
        _, *settings = hub.stdout.readline().split()
        env = dict(os.environ) | dict(one.split("=", 1) for one in settings)
        for command in (["-m", "edge_glass", *push], ["-c", load]):
            done = subprocess.run(
                [*python, *command], env=env, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
        hub.send_signal(signal.SIGINT)
        assert hub.wait() == 0
    assert "num_rows: 5" in done.stdout
