"""Grain reads rows by number: an iterator that is stopped goes on with the same batches."""

import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("grain", reason="see `make test-trainers`")
PAGE = Path(__file__).parents[2] / "docs" / "training.md"


def test_what_the_page_says_of_grain(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "pixmo_cap").symlink_to(built / "pixmo_cap_sample")
    monkeypatch.chdir(tmp_path)
    block = PAGE.read_text().split("## JAX")[1].split("```python")[2].split("```")[0]

    def batches() -> tuple[object, object]:
        names: dict[str, object] = {}
        exec(block, names)
        return names["batches"], names["state"]

    def ids(iterator: object) -> list[list[str]]:
        return [batch["id"].tolist() for batch in iterator]  # type: ignore[attr-defined]

    whole = ids(batches()[0])
    assert len(whole) == 6 and len({id for batch in whole for id in batch}) > 3
    stopped, _ = batches()
    first = [next(stopped)["id"].tolist() for _ in range(4)]  # type: ignore[call-overload]
    state = stopped.get_state()  # type: ignore[attr-defined]
    resumed, _ = batches()
    resumed.set_state(json.loads(json.dumps(state)))  # type: ignore[attr-defined]
    assert first + ids(resumed) == whole
    assert "jax" not in sys.modules
