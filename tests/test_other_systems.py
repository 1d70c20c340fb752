"""What Windows and macOS lack is missed by nothing at import."""

import subprocess
import sys

HIDE = """
import asyncio, builtins, importlib, os, pkgutil, signal, sys
import edge_glass

LACKING = {"fcntl", "resource", "pwd", "termios", "pty", "grp", "uvloop"}
LACKING |= {"multiprocessing.forkserver"}
real = builtins.__import__

def without(name, globals=None, locals=None, fromlist=(), level=0):
    if name in LACKING and globals and str(globals.get("__name__")).startswith("edge_glass"):
        raise ImportError(f"{globals['__name__']} imports {name}")
    return real(name, globals, locals, fromlist, level)

builtins.__import__ = without
for name in ("sync", "killpg", "fork", "getuid", "pread", "sched_getaffinity", "statvfs"):
    delattr(os, name)
for name in ("SIGKILL", "SIGHUP", "SIGALRM", "SIGUSR1"):
    delattr(signal, name)
modules = [m.name for m in pkgutil.walk_packages(edge_glass.__path__, "edge_glass.")]
for name in modules:
    if name == "edge_glass.__main__":
        continue
    try:
        importlib.import_module(name)
    except ImportError as error:
        if (error.name or "edge_glass").split(".")[0] == "edge_glass":
            raise
print(len(modules))
"""


def test_no_module_misses_what_other_systems_lack() -> None:
    done = subprocess.run([sys.executable, "-c", HIDE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 200
