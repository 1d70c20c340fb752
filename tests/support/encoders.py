"""Programs that write media and are not ours: all are there in CI, elsewhere a test skips."""

import os
import shutil
import subprocess
from functools import cache

import pytest


@cache
def program(name: str) -> str:
    """Where a program is; ffmpeg comes with imageio-ffmpeg, the others are Debian's."""
    if name == "ffmpeg":
        return str(pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe())
    found = shutil.which(name)
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{name} is not installed")
    return found


def run(name: str, *arguments: object, given: bytes = b"") -> bytes:
    """What a program writes to its standard output, a pipe."""
    command = [program(name), *map(str, arguments)]
    return subprocess.run(command, input=given, capture_output=True, check=True, timeout=120).stdout


def ffmpeg(*arguments: object, given: bytes = b"") -> bytes:
    """What ffmpeg writes to a pipe, without a clock or a word about itself."""
    quiet = ("-hide_banner", "-loglevel", "error", "-y")
    return run("ffmpeg", *quiet, *arguments, given=given)
