"""One DuckDB per task: one thread, a share of the memory, and a folder to spill to."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from edge_glass.core.errors import ConfigError
from edge_glass.core.libraries import duckdb, pa

LEAST = 200_000_000  # bytes without which nothing of use can be done


@contextmanager
def connected(memory: int, folder: Path) -> "Iterator[duckdb.DuckDBPyConnection]":
    """A database in memory that spills into `folder`."""
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
    return {"duckdb": duckdb.__version__, "pyarrow": pa.__version__}


def holding(
    tables: "Iterable[pa.Table]", condition: str, holds: bool = True
) -> "Iterator[pa.Table]":
    """The rows of tables for which an SQL expression holds, or does not: is false, or unknown.

    It is one expression over a row, which reads no file. Raises ConfigError if it is none.
    """
    # x / 0 is unknown, not a NaN, which were greater than all
    off = ["enable_external_access", "python_enable_replacements"]
    off += ["ieee_floating_point_ops", "error_on_division_by_zero"]
    wanted = condition if holds else f"({condition}\n) IS NOT TRUE"
    with duckdb.connect(config=dict.fromkeys(off, "false")) as connection:
        for table in tables:
            try:  # as one expression: no other statement, and no other rows
                yield connection.from_arrow(table).filter(wanted).to_arrow_table()
            except duckdb.Error as error:
                said = " ".join(str(error).split())[:300]
                raise ConfigError(f"--where {condition[:300]!r}: {said}") from None


def text(value: object) -> str:
    """A text in SQL."""
    return "'" + str(value).replace("'", "''") + "'"
