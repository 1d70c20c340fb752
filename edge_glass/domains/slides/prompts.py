"""What a model is told: a text file a language and task, and the form its answer must have.

`prompts/<language>/<task>.txt`, the user's folder before ours; English where a language has none,
with the language to write in as `$language`. A prompt's version is a hash of its text.
"""

import hashlib
import json
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from edge_glass.core.errors import ConfigError
from edge_glass.core.row import JsonObject
from edge_glass.core.schema import fault
from edge_glass.domains.slides import language
from edge_glass.domains.slides.render import plain

HERE = Path(__file__).parent / "prompts"
FALLBACK = "en"
NAMES = {"en": "English", "es": "español", "fr": "français", "de": "Deutsch", "pt": "português",
         "it": "italiano", "nl": "Nederlands", "ca": "català", "gl": "galego", "ja": "日本語",
         "zh": "中文", "ru": "русский"}  # fmt: skip

THOUGHT = re.compile(r".*</(think|thinking|thought|reasoning)>", re.DOTALL | re.IGNORECASE)
OPENING, DECODER = re.compile(r"[{\[]"), json.JSONDecoder(strict=False)
MOST_FAILED = 1000  # braces that open nothing

Text = Annotated[str, BeforeValidator(lambda value: plain(value) if type(value) is str else value)]


class Form(BaseModel):
    """Told to a model as it stands (see `schema`); more keys are no fault."""

    model_config = ConfigDict(extra="ignore", strict=True)

    def written(self) -> str:
        """What of it is in a language."""
        return ""


class Said(Form):
    """One pair, as a model gives it."""

    question: Text = Field(min_length=1, max_length=2000)
    answer: Text = Field(min_length=1, max_length=5000)


class Pairs(Form):  # noqa: D101 - a model would read it
    pairs: list[Said] = Field(max_length=50)

    def written(self) -> str:  # noqa: D102
        return " ".join(f"{pair.question} {pair.answer}" for pair in self.pairs)


class Caption(Form):  # noqa: D101 - a model would read it
    caption: Text = Field(min_length=1, max_length=5000)

    def written(self) -> str:  # noqa: D102
        return self.caption


class Blind(Form):  # noqa: D101 - a model would read it
    answerable: bool


class Pick(Form):  # noqa: D101 - a model would read it
    slides: list[int]


@dataclass(frozen=True)
class Prompt:
    """A text with `$` names to be filled in, and its version."""

    text: str
    version: str

    def filled(self, **values: object) -> str:
        """The text with these values in it."""
        return Template(self.text).safe_substitute({k: str(v) for k, v in values.items()})


def prompt(task: str, written_in: str | None, own: Path | None = None) -> Prompt:
    """The prompt of a task in a language, or in English. Raises EdgeGlassError if there is none."""
    for folder in filter(None, (own, HERE)):
        for code in (written_in or FALLBACK, FALLBACK):
            path = folder / code / f"{task}.txt"
            if path.is_file():
                text = path.read_text(encoding="utf-8")
                mark = hashlib.sha256(text.encode()).hexdigest()[:12]
                return Prompt(text, f"{code}/{task}@{mark}")
    raise ConfigError(f"no prompt {task}.txt in {own or HERE}/{written_in or FALLBACK}")


def name(code: str | None) -> str:
    """How a language is called in a prompt."""
    if code is None:
        return "the language of the slide"
    return NAMES.get(code, f"the language with the code {code}")


def language_fault(text: str, wanted: str | None) -> str | None:
    """What is wrong with a text that was to be in a language; None if nobody can tell."""
    seen = language.detect(text) if wanted else None
    if wanted is None or seen is None or language.same(seen, wanted):
        return None
    return f"it is in another language ({seen}) than {name(wanted)}"


def schema(form: type[Form]) -> JsonObject:
    """A form as the `response_format` of a call: strict JSON schema, without what that forbids."""
    return {
        "type": "json_schema",
        "json_schema": {
            "name": form.__name__.lower(),
            "strict": True,
            "schema": _plain(form.model_json_schema()),
        },
    }


def _plain(node: Any) -> Any:
    """Without lengths and titles, which not every server takes."""
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    unwanted = {"title", "description", "minLength", "maxLength", "maxItems"}
    strict = {"additionalProperties": False} if "properties" in node else {}
    return {key: _plain(value) for key, value in node.items() if key not in unwanted} | strict


def parsed(text: str, form: type[Form]) -> Form:
    """What a model said, in its form. Raises ValueError with what is wrong, in one sentence.

    The last JSON in the text that has the form: models think aloud first, greet, put it into a
    fence, and end with marks of their own.
    """
    problem, thought = "", THOUGHT.match(text)
    answer = text[thought.end() :] if thought else text
    for value in _values(answer) or (_values(text) if thought else ()):
        named = dict.fromkeys(form.model_fields, value) if isinstance(value, list) else value
        try:
            return form.model_validate(named)
        except ValidationError as error:
            problem = problem or fault(error.errors()[0])
    raise ValueError(problem or "it is no JSON")


def _values(text: str) -> list[Any]:
    """The objects and lists in a text, the last one first."""
    said = text.strip("\ufeff \t\r\n")
    if said.startswith('"'):  # JSON in a string of JSON
        with suppress(ValueError):
            said = str(json.loads(said))
    values: list[Any] = []
    at, failed = 0, 0
    while (start := OPENING.search(said, at)) and failed < MOST_FAILED:
        at = start.end()
        try:
            value, at = DECODER.raw_decode(said, start.start())
            values.insert(0, value)
        except (ValueError, RecursionError):
            failed += 1
    return values
