"""Pages and pictures out of templates: their text is escaped, and safe to be shown."""

from pathlib import Path
from typing import Any

import jinja2

from edge_glass.core.atomic_files import Whole
from edge_glass.core.visible import visible


def render(room: str, template: str, **values: Any) -> str:
    """The text of a template of a room, `audit` or `domains/slides`."""
    rooms = dict.fromkeys((room, "core"))  # the style of all pages, and how a row looks
    loader = jinja2.ChoiceLoader([jinja2.PackageLoader("edge_glass", one) for one in rooms])
    environment = jinja2.Environment(
        loader=loader,
        autoescape=True,
        finalize=visible,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,  # a name that nobody gives is an error, not nothing
    )
    return environment.get_template(f"{template}.jinja").render(**values)


def write(path: Path, room: str, template: str, **values: Any) -> None:
    """Write it to a file, whole or not at all."""
    with Whole(path) as file:
        file.write(render(room, template, **values).encode())
