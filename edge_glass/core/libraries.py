"""Large libraries, each imported when something of it is first used: NumPy takes 12 MB, Arrow 30.

In a type they are quoted: it would be looked up, and the library imported, where it stands.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = ["duckdb", "np", "pa", "pc", "ray", "sqlite3"]


class _Library:
    """Stands for a module until something of it is used."""

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __getattr__(self, name: str) -> Any:
        value = getattr(import_module(self.__name__), name)
        setattr(self, name, value)
        return value


if TYPE_CHECKING:
    import sqlite3

    import duckdb
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    import ray
else:
    duckdb, np, pa, pc, ray, sqlite3 = map(
        _Library, ("duckdb", "numpy", "pyarrow", "pyarrow.compute", "ray", "sqlite3")
    )
