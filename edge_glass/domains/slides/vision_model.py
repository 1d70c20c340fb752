"""A vision model behind an OpenAI-compatible endpoint: one call, and what became of it."""

import asyncio
import base64
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from edge_glass.core.errors import ConfigError
from edge_glass.core.extras import needs
from edge_glass.core.row import JsonObject
from edge_glass.domains.slides import decks, replies
from edge_glass.domains.slides.call_log import Prices
from edge_glass.domains.slides.replies import Reply

if TYPE_CHECKING:
    import openai

KEY = "OPENAI_API_KEY"
CALL_ID = "X-Client-Request-Id"
REFUSALS = (400, 404, 422, 501)  # which a parameter that is not known may meet with
UNKNOWN = re.compile(
    "unsupported|not supported|unknown|unrecognized|unexpected|extra|not permitted|deprecated"
)
ABOUT_ROOM = re.compile("too large|context|maximum|at most")
ABOUT_FORM = re.compile(
    "response.?format|json.?(schema|object)|structured.?output|guided|requested parameters"
)
FORMS = ("json_schema", "json_object", "text")  # from the strictest on; text: the prompt alone
GROWTH = 4  # times the room, once, where answers are cut
Messages = list[JsonObject]


@dataclass(frozen=True)
class Options:
    """How a model is asked; `language` is what is written in, that of each deck if not set."""

    model: str
    base_url: str
    tasks: tuple[str, ...] = decks.TASKS
    language: str | None = None
    pairs: int = 2
    at_once: int = 16
    prices: Prices = field(default_factory=Prices)
    money: float | None = None
    tokens: int | None = None
    max_tokens: int = 1000  # of one answer
    seconds: float = 120.0  # that one call may take
    blind: bool = False
    others: int = 0  # slides that each one is to be told from
    prompts: Path | None = None


class Endpoint:
    """A model at a URL. Its key comes from the environment and is never shown.

    What the endpoint refuses, and the room that answers need, is found out by one call and
    remembered; `notes` say what it was.
    """

    def __init__(self, options: Options) -> None:
        needs("Asking a model", "qa", "openai")
        import openai

        url, self._seconds = options.base_url, options.seconds
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"--base-url {url}: not a URL, e.g. http://localhost:8000/v1")
        if parts.username or parts.password:
            raise ConfigError(f"--base-url: no key in the URL; put it into ${KEY}")
        self.model, self.max_tokens = options.model, options.max_tokens
        self._room, self._form, self._first_room = "max_tokens", FORMS[0], self.max_tokens
        self._may_grow, self.notes = True, list[str]()
        self._openai, self._key = openai, os.environ.get(KEY)
        self._client = openai.AsyncOpenAI(
            api_key=self._key or "none", base_url=url, max_retries=0, timeout=self._seconds
        )

    async def ask(self, messages: Messages, form: JsonObject, call: int) -> Reply:
        """One call; nothing is raised for the far end."""
        create: Any = self._client.chat.completions.with_raw_response.create
        used = self._room, self._form
        settings: JsonObject = {self._room: (room := self.max_tokens)}
        if self._form != "text":
            settings["response_format"] = form if self._form == FORMS[0] else {"type": self._form}
        try:
            async with asyncio.timeout(self._seconds):  # the client's own is for each part
                raw = await create(
                    model=self.model,
                    messages=messages,
                    extra_headers={CALL_ID: str(call)},
                    **settings,
                )
            reply = replies.read(raw.text, raw.headers.get("content-type", ""))
            reply.headers, reply.detail = raw.headers, self._clean(reply.detail)
        except self._openai.APIStatusError as error:
            reply = self._failed(error, *used)
        except (self._openai.APITimeoutError, TimeoutError):
            reply = Reply(replies.TIMED_OUT, detail="no whole answer in time")
        except (self._openai.OpenAIError, ValueError, TypeError) as error:
            cause = type(error.__cause__ or error).__name__
            gone = cause in ("ConnectError", "ConnectTimeout", "gaierror")
            reply = Reply(replies.UNREACHABLE if gone else replies.CUT, detail=cause)
        reply.room = room
        return reply

    def give_room(self, reply: Reply) -> bool:
        """Whether there is more room for an answer that was cut; the reply says so."""
        if reply.room >= self.max_tokens and self._may_grow:
            self._may_grow, self.max_tokens = False, self.max_tokens * GROWTH
            self._note(f"answers are cut at {reply.room} tokens", f"{self.max_tokens} of room")
        more = reply.room < self.max_tokens
        then = f"asked again with {self.max_tokens}" if more else "give more with --max-tokens"
        reply.detail = f"cut at {reply.room} tokens: {then}"
        return more

    def _failed(self, error: "openai.APIStatusError", room: str, form: str) -> Reply:
        status, said = error.status_code, error.response.text[:10_000].lower()
        outcome = replies.outcome(status, said)
        if status in REFUSALS and self._adapt(said, room, form):
            outcome = replies.UNSUPPORTED
        detail = self._clean(f"HTTP {status}: {error.message}")
        return Reply(outcome, status=status, headers=error.response.headers, detail=detail)

    def _adapt(self, said: str, room: str, form: str) -> bool:
        """Whether a refusal is of a parameter that can be said in another way from here on."""
        too_much = ABOUT_ROOM.search(said)
        if room == "max_tokens" and room in said and UNKNOWN.search(said) and not too_much:
            if self._room == room:
                self._room = "max_completion_tokens"
                self._note("max_tokens is refused", self._room)
            return True
        if form != FORMS[-1] and ABOUT_FORM.search(said):
            if self._form == form:
                self._form = FORMS[FORMS.index(form) + 1]
                then = self._form if self._form != FORMS[-1] else "the prompt alone"
                self._note(f"response_format {form} is refused", then)
            return True
        if too_much and self.max_tokens > self._first_room:  # a small context: what fits, fits
            self.max_tokens = self._first_room
        return False

    def _note(self, what: str, then: str) -> None:
        self.notes.append(f"{what}: {then} from here on")

    def _clean(self, text: str) -> str:
        """Text from outside without the key, which some servers repeat."""
        text = text.replace(self._key, "***") if self._key else text
        return " ".join(text.split())[:300]

    async def close(self) -> None:
        """Let the connections go."""
        await self._client.close()


def message(text: str, *media: bytes) -> JsonObject:
    """A message of a text and media, each a JPEG or a WAV."""
    return {"role": "user", "content": [{"type": "text", "text": text}, *map(_part, media)]}


def _part(medium: bytes) -> JsonObject:
    data = base64.b64encode(medium).decode()
    if medium[:4] == b"RIFF":
        return {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}
    return {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{data}"}}
