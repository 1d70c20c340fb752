"""One DuckDB per task: one thread, a share of the memory, and a folder to spill to."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

LEAST = 200_000_000  # bytes without which nothing of use can be done


@contextmanager
def connected(memory: int, folder: Path) -> "Iterator[duckdb.DuckDBPyConnection]":
    """A database in memory that spills into `folder`."""
    import duckdb

    with (
        TemporaryDirectory(dir=folder, prefix="spill-") as spill,
        duckdb.connect(
            config={
                # the order of rows and so every byte follows from one thread
                "threads": 1,
                "memory_limit": f"{max(memory, LEAST)}B",
                "temp_directory": spill,
                "autoinstall_known_extensions": False,
            }
        ) as connection,
    ):
        with suppress(duckdb.InvalidInputException):  # a notebook without ipywidgets has no bar
            connection.execute("SET enable_progress_bar = false")
        yield connection


def libraries() -> dict[str, str]:
    """What the output's bytes depend on; its hash is DuckDB's, so all nodes must have the same."""
    import duckdb
    import pyarrow as pa

    return {"duckdb": duckdb.__version__, "pyarrow": pa.__version__}


def text(value: object) -> str:
    """A text in SQL."""
    return "'" + str(value).replace("'", "''") + "'"
