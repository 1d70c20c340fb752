"""JSON of ours as frozen dataclasses: read field by field, and nothing is taken on trust."""

from functools import cache
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast, overload

from pydantic import ConfigDict, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from edge_glass.core.errors import DataError
from edge_glass.core.row import JsonObject

MAX_BYTES = 500_000_000  # of a file of ours, whoever wrote it
SHOWN = 5  # faults of one file that are told


class Plain:
    """What can be written as JSON and read back; the base of frozen dataclasses."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", strict=True, allow_inf_nan=False
    )

    def plain(self) -> JsonObject:
        """As JSON holds it; fields that may be left out are, where they say nothing."""
        written: TypeAdapter[Any] = adapter(cast("Any", type(self)))
        return dict(written.dump_python(self, mode="json", exclude_defaults=True, warnings=False))


Kind = TypeVar("Kind", bound=Plain)


@overload
def parse(kind: type[Kind], data: bytes, where: str, remedy: str) -> Kind: ...


@overload
def parse(kind: Any, data: bytes, where: str, remedy: str) -> Any: ...


def parse(kind: Any, data: bytes, where: str, remedy: str) -> Any:
    """JSON as an object of this class, or as a dictionary of this shape.

    Raises EdgeGlassError if a field is missing, unknown or not as its type says; it names `where`
    the JSON stands and the field, and ends with what to do.
    """
    try:
        return adapter(kind).validate_json(data)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)
        said = "; ".join(map(fault, faults[:SHOWN]))
        raise DataError(
            f"{where}: {said}: it is damaged, or another version of Edge Glass wrote it: {remedy}"
        ) from None


def shape(**fields: Any) -> Any:
    """What a JSON object has, by name, and may have more; for `read`."""
    kind = TypedDict("kind", fields)  # type: ignore[misc]
    kind.__pydantic_config__ = ConfigDict(extra="allow", strict=True)  # type: ignore[attr-defined]
    return kind


def read(path: Path, kind: Any, remedy: str) -> Any:
    """The JSON of a file of ours that has the shape `kind`.

    Raises FileNotFoundError, or EdgeGlassError that says what is not as it should be and ends with
    what to do.
    """
    with path.open("rb") as file:
        return parse(kind, file.read(MAX_BYTES), str(path), remedy)


@cache
def adapter(kind: Any) -> TypeAdapter[Any]:
    """What checks values of a type."""
    return TypeAdapter(kind)


def fault(error: Any) -> str:
    """A field, what is wrong with it, and what it is: of an error of pydantic's."""
    place = ".".join(map(str, error["loc"]))
    value = ascii(error["input"])[:80] if place and error["type"] != "missing" else ""
    return f"{place}{': ' if place else ''}{error['msg']}{f' ({value})' if value else ''}"
