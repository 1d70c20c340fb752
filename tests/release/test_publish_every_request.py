"""Whatever request goes wrong: a version is whole or absent, and the last one stays."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hub import Fault, Hub
from kit import ROOT
from releases import assert_released, command, push, tags

from edge_glass.core.errors import EdgeGlassError

KINDS: list[dict[str, Any]] = [
    {"status": 500, "times": 99},
    {"status": 429, "times": 99, "retry_after": 1},
    {"cut": 20, "times": 99},
    {"lost": True},
    {"drip": 0.01},
]
REQUESTS = 25  # no fewer than the push of a second version makes


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: next(iter(kind)))
@pytest.mark.parametrize("nth", range(1, REQUESTS + 1))
def test_every_request_in_turn(
    nth: int, kind: dict[str, Any], hub: Hub, built: Path, in_pieces: Path, naps: list[float]
) -> None:
    push(hub, in_pieces)
    hub.reset_log()
    hub.fail(Fault(".*", "", nth=nth, **kind))
    try:
        push(hub, built, "2.0.0")
    except EdgeGlassError:
        assert_released(hub, in_pieces, "v1.0.0")
        assert "v2.0.0" not in tags(hub) or kind.get("lost")
        hub.heal()
        if "v2.0.0" not in tags(hub):
            push(hub, built, "2.0.0")
    else:
        assert len(hub.log) <= REQUESTS
    assert_released(hub, in_pieces, "v1.0.0")
    assert_released(hub, built, "v2.0.0")


@pytest.mark.parametrize("_", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2))])
def test_two_pushers_at_once(_: int, hub: Hub, built: Path, in_pieces: Path) -> None:
    push(hub, built, "0.9.0")

    def pushed(out: Path) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "upload.py", *map(str, command("--from", out)[1:])]
        return subprocess.run(
            words, cwd=ROOT, env=hub.env(), capture_output=True, text=True, check=False
        )

    with ThreadPoolExecutor(2) as threads:
        done = list(threads.map(pushed, (built, in_pieces)))
    won = [out for out, one in zip((built, in_pieces), done, strict=True) if one.returncode == 0]
    assert len(won) == 1, [one.stderr[-500:] for one in done]
    assert_released(hub, won[0], "v1.0.0")
    (told,) = (one.stderr for one in done if one.returncode)
    assert "Someone else pushed meanwhile" in told or "version v1.0.0 exists" in told
