"""The people of README's first lines: their files become a dataset that loads, and batches."""

import subprocess
import sys
from pathlib import Path

import pytest
from hub import Hub

EXAMPLES = Path(__file__).parents[1] / "examples"
SAID = {
    "laptop": "a batch of sounds of shape (9, 32000), said in them: ['",
    "lab": "tag='v1.0.0'",
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
