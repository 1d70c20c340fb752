"""JSON of ours as frozen dataclasses: read field by field, and nothing is taken on trust."""

from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from typing import Any, ClassVar, TypeVar, cast

from pydantic import ConfigDict, TypeAdapter, ValidationError

from edge_glass.core.errors import EdgeGlassError

SHOWN = 5  # faults of one file that are told


class Plain:
    """What can be written as JSON and read back; the base of frozen dataclasses."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", strict=True, allow_inf_nan=False
    )

    def plain(self) -> dict[str, Any]:
        """As JSON holds it; fields that may be left out are, where they say nothing."""
        assert is_dataclass(self)
        pairs = ((each, getattr(self, each.name)) for each in fields(self))
        return {each.name: _plain(value) for each, value in pairs if value != _default(each)}


Kind = TypeVar("Kind", bound=Plain)


def _plain(value: Any) -> Any:
    if isinstance(value, Plain):
        return value.plain()
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, (list, tuple)) else value


def _default(each: Field[Any]) -> Any:
    return each.default if each.default_factory is MISSING else each.default_factory()


def parse(kind: type[Kind], data: bytes, where: str, remedy: str) -> Kind:
    """JSON as an object of this class.

    Raises EdgeGlassError if a field is missing, unknown or not as its type says; it names `where`
    the JSON stands and the field, and ends with what to do.
    """
    try:
        return cast("Kind", _adapter(cast("Any", kind)).validate_json(data))
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)
        told = "; ".join(map(_fault, faults[:SHOWN]))
        raise EdgeGlassError(
            f"{where}: {told}: it is damaged, or another version of Edge Glass wrote it: {remedy}"
        ) from None


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _fault(fault: Any) -> str:
    """A field, what is wrong with it, and what it is."""
    place = ".".join(map(str, fault["loc"]))
    value = ascii(fault["input"])[:80] if place and fault["type"] != "missing" else ""
    return f"{place}{': ' if place else ''}{fault['msg']}{f' ({value})' if value else ''}"
