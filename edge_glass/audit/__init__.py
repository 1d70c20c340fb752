"""Does a build hold what it promises, and what is odd about its rows?"""

import sys
from types import ModuleType
from typing import Any


class _Room(ModuleType):
    """`edge_glass.audit(…)` is the function of that name, though the room is called so, too."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from edge_glass.api import audit

        return audit(*args, **kwargs)


sys.modules[__name__].__class__ = _Room
