"""A Hub on this machine, to try `push` without an account: python examples/mini_hub.py

It is the one that the tests talk to, so it runs in a clone. It prints a line for another shell, in
which `edge-glass`, `datasets` and `hf` talk to it, and runs until Ctrl-C. Then what was pushed is
gone.
"""

import sys
import threading
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
from hub import Hub


def main() -> None:
    with Hub() as hub, suppress(KeyboardInterrupt):
        settings = {name: value for name, value in hub.env().items() if name.startswith("HF_")}
        print("export", *(f"{name}={value}" for name, value in settings.items()), flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
