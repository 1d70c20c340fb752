"""Pages and pictures out of templates: their text is escaped, and safe to be shown."""

import json
from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from edge_glass.core.atomic_files import AtomicFile
from edge_glass.core.visible import visible

ROWS = [Path(__file__).with_name(f"rows.{kind}") for kind in ("js", "css")]  # of every page


@dataclass(frozen=True)
class Script:
    """The one script that a page of ours may hold, and the name by which a policy allows it."""

    text: Markup
    source: str


def _script(path: Path) -> Script:
    text = path.read_text(encoding="utf-8")
    return Script(Markup(text), f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'")


SCRIPT = _script(ROWS[0])


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
    return environment.get_template(f"{template}.jinja").render(script=SCRIPT, **values)


def write(path: Path, room: str, template: str, **values: Any) -> None:
    """Write it to a file, whole or not at all."""
    with AtomicFile(path) as file:
        file.write(render(room, template, **values).encode())


def browser_json(value: Any) -> str:
    """JSON as browsers read it, in which NaN and infinity are null."""
    try:
        return json.dumps(value, ensure_ascii=False, default=str, allow_nan=False)
    except ValueError:
        text = json.dumps(value, default=str)
        return json.dumps(json.loads(text, parse_constant=lambda _: None), ensure_ascii=False)
