"""A stand-in for a vision model: speaks the protocol of OpenAI's chat completions on 127.0.0.1.

It knows the slides of a folder of decks by their bytes and makes questions out of their
transcripts by a template: enough to see that a pipeline is sound, and no measure of any model. A
test makes it misbehave. By itself: `python tests/support/modelserver.py DECKS --port 8399`.
"""

import argparse
import asyncio
import base64
import hashlib
import io
import json
import re
import threading
import time
import wave
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from wildsite import Served

from edge_glass.domains.slides import decks
from edge_glass.media import images

WORDS = {  # docvqa, retrieval
    "es": (
        "¿Qué se explica en el punto que empieza con «{start}»?",
        "¿Dónde se explica {rare} y para qué sirve?",
    ),
    "en": ("What does the point say that begins with “{start}”?", "Where is {rare} explained?"),
}
FEW = 4  # words that a line must have to be asked about
CREATED = 1_700_000_000


@dataclass
class Asked:
    """A request, as the server saw it."""

    call: str
    form: str  # pairs, blind, pick
    task: str
    slides: list[str]  # sha256
    text: str
    at: float
    billed: tuple[int, int] = (0, 0)
    headers: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)


# what a test makes of a request: None for the usual answer
Script = Callable[[Asked, int], "Trouble | None"]


@dataclass
class Trouble:
    """An answer that a test wants; `content` in the place of the usual one."""

    content: str | None = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    refusal: str | None = None
    finish: str = "stop"
    late: float = 0.0  # seconds
    cut: bool = False  # in the middle of the body
    usage: bool = True
    error: str = "as the test wants it"
    message: dict[str, Any] = field(default_factory=dict)  # beside or in the place of the usual
    whole: object = None  # in the place of all of the body: JSON, or text as it is
    kind: str = "application/json"


class Model(Served):
    """`with Model(folder_of_decks) as model: … model.url, model.log`"""

    def __init__(
        self, root: Path | None = None, latency: float = 0.0, script: Script | None = None,
        port: int = 0,
    ) -> None:  # fmt: skip
        self.log: list[Asked] = []
        self.latency, self.script, self._port = latency, script, port
        self._slides = seen(root) if root else {}
        self.most = self._now = 0  # requests under way at once

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def asked(self, task: str) -> list[Asked]:
        return [asked for asked in self.log if asked.task == task]

    async def _serve(self, started: threading.Event) -> None:
        self._end = asyncio.Event()
        app = web.Application(client_max_size=2**28)
        app.router.add_post("/v1/chat/completions", self._answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self._port)
        await site.start()
        self.port = runner.addresses[0][1]
        started.set()
        await self._end.wait()
        await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        asked = _read(await request.json(), request)
        self.log.append(asked)
        number = len(self.log)
        self._now += 1
        self.most = max(self.most, self._now)
        try:
            await asyncio.sleep(self.latency)
            trouble = (self.script(asked, number) if self.script else None) or Trouble()
            return await self._said(request, asked, trouble)
        finally:
            self._now -= 1

    async def _said(
        self, request: web.Request, asked: Asked, trouble: Trouble
    ) -> web.StreamResponse:
        await asyncio.sleep(trouble.late)
        if trouble.status != 200:
            error = {"error": {"message": trouble.error, "type": "error", "code": None}}
            return web.json_response(error, status=trouble.status, headers=trouble.headers)
        if trouble.whole is not None:
            said = trouble.whole
            text = said if isinstance(said, str) else json.dumps(said)
            return web.Response(body=text.encode(), headers={"Content-Type": trouble.kind})
        content = self._content(asked) if trouble.content is None else trouble.content
        asked.billed = (_tokens_in(asked), len(content) // 4 + 1)
        message = {"role": "assistant", "content": content, "refusal": trouble.refusal}
        message |= trouble.message
        body: dict[str, Any] = {
            "id": f"chatcmpl-{asked.call}", "object": "chat.completion", "created": CREATED,
            "model": asked.body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": trouble.finish}],
        }  # fmt: skip
        if trouble.usage:
            tokens = dict(zip(("prompt_tokens", "completion_tokens"), asked.billed, strict=True))
            body["usage"] = tokens | {"total_tokens": sum(asked.billed)}
        if not trouble.cut:
            return web.json_response(body, headers=trouble.headers)
        text = json.dumps(body).encode()
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.content_length = len(text)
        await response.prepare(request)
        await response.write(text[: len(text) // 2])
        assert request.transport
        request.transport.close()
        return response

    def _content(self, asked: Asked) -> str:
        if asked.form == "blind":
            return json.dumps({"answerable": "capital" in asked.text})
        if asked.form == "caption":
            return json.dumps({"caption": ", ".join(["A caption of", *asked.body["media"]])})
        texts = [self._slides.get(slide, "") for slide in asked.slides]
        if asked.form == "pick":
            question = asked.text.partition("Question: ")[2].partition("\n")[0]
            wanted = re.findall(r"\w{4,}", question.lower())
            found = [sum(w in text.lower() for w in wanted) for text in texts]
            return json.dumps({"slides": [found.index(max(found)) + 1]})
        return json.dumps({"pairs": pairs(texts[0], asked)}, ensure_ascii=False)


def said(content: object, **more: Any) -> dict[str, Any]:
    """A whole body as the protocol has it, with a content of any kind."""
    message = {"role": "assistant", "content": content}
    choice = {"index": 0, "message": message, "finish_reason": more.pop("finish", "stop")}
    head = {"id": "x", "object": "chat.completion", "created": CREATED, "model": "m"}
    return head | {"choices": [choice], "usage": more.pop("usage", None)} | more


def streamed(text: str) -> str:
    """Events of a stream, in pieces."""
    events = [{"choices": [{"index": 0, "delta": {"role": "assistant"}}]}]
    for part in (text[:20], text[20:]):
        events.append({"choices": [{"index": 0, "delta": {"content": part}}]})
    events.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    tokens = {"prompt_tokens": 10, "completion_tokens": 20}
    events.append({"choices": [], "usage": tokens})
    lines = [f"data: {json.dumps(event)}\n\n" for event in events]
    return ": a comment\n\n" + "".join(lines) + "data: [DONE]\n\n"


def replies(answer: str) -> dict[str, Trouble]:
    """Ways in which real endpoints give the same answer, which is JSON."""
    fenced = f"```json\n{answer}\n```"
    pair = json.loads(answer)["pairs"][0]
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    return {
        "plain": Trouble(answer),
        "thinks": Trouble(f'<think>\nJSON, e.g. {{"pairs": []}} or [1]\n</think>\n\n{answer}'),
        "half a thought": Trouble(f"They want JSON {{so}}.\n</think>\n\n{answer}"),
        "all in a thought": Trouble(f"<think>{answer}</think>"),
        "channels": Trouble(f"<|channel|>analysis<|message|>{{}}<|channel|>final{answer}"),
        "parts": Trouble(whole=said([thought, {"type": "text", "text": answer}])),
        "a part": Trouble(whole=said([{"type": "text", "text": answer}])),
        "parts of text": Trouble(whole=said([answer[:20], answer[20:]])),
        "reasons": Trouble(answer, message={"reasoning_content": "hm"}),
        "reasons only": Trouble(whole=said(None) | {
            "choices": [{"message": {"content": None, "reasoning_content": answer}}]
        }),
        "fence": Trouble(fenced),
        "fence and more": Trouble(f"{fenced}\nLet me know if you want {{more}}!"),
        "prose": Trouble(f"Here is the JSON [1]:\n{fenced}"),
        "bare list": Trouble(json.dumps([pair])),
        "twice encoded": Trouble(json.dumps(answer)),
        "end mark": Trouble(f"{answer}<|im_end|>"),
        "more keys": Trouble(json.dumps({"pairs": [pair | {"page": 1}], "count": 1})),
        "BOM": Trouble(f"\ufeff{answer}"),
        "BOM before all": Trouble(whole="\ufeff" + json.dumps(said(answer))),
        "raw newline": Trouble(answer.replace("Unos ", "Unos\n")),
        "stream": Trouble(whole=streamed(answer), kind="text/event-stream"),
        "stream as JSON": Trouble(whole=streamed(answer)),
        "no usage": Trouble(answer, usage=False),
        "null usage": Trouble(whole=said(answer, usage={"prompt_tokens": None})),
        "usage as text": Trouble(
            whole=said(answer, usage={"prompt_tokens": "10", "completion_tokens": "20"})
        ),
        "odd usage": Trouble(
            whole=said(answer, usage={"prompt_tokens": -1, "completion_tokens": "9" * 40})
        ),
        "usage as list": Trouble(whole=said(answer, usage=[1])),
        "length, but whole": Trouble(answer + " " * 20, finish="length"),
        "text as kind": Trouble(whole=json.dumps(said(answer)), kind="text/plain"),
    }  # fmt: skip


FILTERED = {"message": None, "finish_reason": "content_filter"}
NOT_ANSWERS = {  # body, the outcome in the book, how often it is asked for
    "no choices": (said("") | {"choices": []}, "empty", 1),
    "null choices": (said("") | {"choices": None}, "empty", 1),
    "null choice": (said("") | {"choices": [None]}, "empty", 1),
    "null message": (said("") | {"choices": [{"message": None}]}, "empty", 1),
    "filtered": (said("") | {"choices": [FILTERED]}, "refused", 1),
    "a list": ([1], "empty", 1),
    "null": ("null", "empty", 1),
    "a page": ("<html>welcome</html>", "rejected", 1),
    "an error": ({"error": {"message": "Provider returned error", "code": 502}}, "server_error", 4),
    "an error as text": ({"error": "no"}, "server_error", 4),
    "an error in a choice": (
        said("") | {"choices": [{"error": {"code": 400, "message": "no"}}]}, "rejected", 1,
    ),
    "half a body": ('{"choices": [', "cut", 3),
}  # fmt: skip


def pairs(text: str, asked: Asked) -> list[dict[str, str]]:
    """Questions by a template, about the longest lines of a slide."""
    lines = [re.sub(r"^\W+", "", line) for line in text.splitlines()]
    lines = [line for line in lines if len(re.findall(r"\w+", line)) >= FEW]
    wanted = re.search(r"\d+", asked.text)
    templates = WORDS["es" if "español" in asked.text else "en"]
    made = []
    for line in sorted(lines, key=len, reverse=True)[: int(wanted[0]) if wanted else 1]:
        rare = ", ".join(sorted(re.findall(r"\w{5,}", line), key=len, reverse=True)[:3])
        question = templates[asked.task == "retrieval"].format(
            start=" ".join(line.split()[:3]), rare=rare or line
        )
        made.append({"question": question, "answer": line})
    return made


def seen(root: Path) -> dict[str, str]:
    """The transcript of each slide of a folder of decks, by the sha256 of its picture."""
    found = {}
    for folder in decks.folders(root):
        deck = decks.read(folder)
        for number, name in decks.numbered(deck.images).items():
            mark = hashlib.sha256((folder / name).read_bytes()).hexdigest()
            found[mark] = deck.text(number)
    return found


def _read(body: dict[str, Any], request: web.Request) -> Asked:
    text, slides = "", []
    for message in body["messages"]:
        parts = message["content"]
        for part in parts if isinstance(parts, list) else [{"type": "text", "text": parts}]:
            if part["type"] == "text":
                text += part["text"]
            elif part["type"] == "input_audio":
                with wave.open(io.BytesIO(base64.b64decode(part["input_audio"]["data"]))) as sound:
                    size = f"{sound.getnframes()} samples at {sound.getframerate()} Hz"
                body.setdefault("media", []).append(size)
            else:
                data = base64.b64decode(part["image_url"]["url"].partition(",")[2])
                shown = images.probe(data)
                size = f"{shown.kind} of {shown.width} by {shown.height} pixels"
                body.setdefault("media", []).append(size)
                slides.append(hashlib.sha256(data).hexdigest())
                body.setdefault("pixels", []).append(shown.width * shown.height)
    form = (body.get("response_format") or {}).get("json_schema", {}).get("name", "pairs")
    search = re.search("search box|buscador|moteur de recherche|Suchfeld", text)
    task = form if form != "pairs" else ("retrieval" if search else "docvqa")
    headers = {name.lower(): value for name, value in request.headers.items()}
    call = headers.get("x-client-request-id", "")
    return Asked(call, form, task, slides, text, time.monotonic(), headers=headers, body=body)


def _tokens_in(asked: Asked) -> int:
    """As Anthropic counts pictures: a token for 750 pixels."""
    return len(asked.text) // 4 + sum(asked.body.get("pixels", [])) // 750


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("decks", type=Path)
    parser.add_argument("--port", type=int, default=8399)
    parser.add_argument("--latency", type=float, default=0.0)
    options = parser.parse_args()
    with Model(options.decks, options.latency, port=options.port) as model:
        print(f"a stand-in, no model: {model.url}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
