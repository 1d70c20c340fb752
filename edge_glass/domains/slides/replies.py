"""What a reply of an OpenAI-compatible endpoint says, whatever its server makes of the protocol."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from edge_glass.core.row import JsonObject

OK, REFUSED, RATE_LIMITED, CUT, UNREACHABLE, SERVER_ERROR, TIMED_OUT, REJECTED, DENIED = (
    "ok", "refused", "rate_limited", "cut", "unreachable", "server_error", "timed_out", "rejected",
    "denied",
)  # fmt: skip
EMPTY, LENGTH, LOADING, UNSUPPORTED = "empty", "length", "loading", "unsupported"
PAID = {OK, REFUSED, CUT, TIMED_OUT, EMPTY, LENGTH}  # which may have cost something
DENIALS = (401, 402, 403, 404)  # the next call would meet with them, too
MOST_TOKENS = 2**40  # that a count is believed to be
NO_TEXT = {"thinking", "reasoning", "redacted_thinking"}  # parts of a message


@dataclass
class Reply:
    """What became of a call; tokens are None where the server does not say.

    `cut` is set where the text ended at the `room` that it had, in tokens.
    """

    outcome: str
    text: str = ""
    tokens_in: int | None = None
    tokens_out: int | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    detail: str = ""
    cut: bool = False
    room: int = 0


def read(body: str, kind: str) -> Reply:
    """The reply in the body of an answer with status 200 and a Content-Type. Raises nothing."""
    is_stream = "event-stream" in kind or body.startswith(("data:", "event:", ": "))
    try:
        said = _streamed(body) if is_stream else json.loads(body.strip("\ufeff \t\r\n"))
        whole = _object(said)
    except (ValueError, RecursionError):
        outcome = CUT if "json" in kind else REJECTED
        return Reply(outcome, status=200, detail=f"{kind or 'something'} in the place of JSON")
    choice = _object(next(iter(_list(whole.get("choices"))), None))
    message = _object(choice.get("message"))
    if error := whole.get("error") or choice.get("error"):
        return _error(error)
    finish, refusal = choice.get("finish_reason"), message.get("refusal")
    usage, cut = _object(whole.get("usage")), finish == "length"
    text = _text(message.get("content"))
    if not text and not cut:  # a parser of reasoning may have taken all for reasoning
        text = _text(message.get("reasoning_content")) or _text(message.get("reasoning"))
    reply = Reply(OK, text, _count(usage, "prompt_tokens"), _count(usage, "completion_tokens"), 200)
    reply.cut = cut
    if refusal or finish == "content_filter":
        reply.outcome, reply.detail = REFUSED, _text(refusal) or "content filter"
    elif not message:
        reply.outcome, reply.detail = EMPTY, f"no {'message' if choice else 'choices'} in it"
    return reply


def outcome(status: int | None, said: str) -> str:
    """What an HTTP status other than 200 stands for, with the words beside it."""
    if status == 503 and "loading" in said.lower():
        return LOADING
    if status == 429:
        return RATE_LIMITED
    if status in DENIALS:
        return DENIED
    return REJECTED if status and status < 500 else SERVER_ERROR


def _error(error: object) -> Reply:
    """An error in the body of a 200, as brokers pass on that of a provider."""
    code = str(_object(error).get("code"))
    status = int(code) if code.isdecimal() and len(code) == 3 else None
    said = _text(_object(error).get("message")) or json.dumps(error)
    return Reply(outcome(status, said), status=status or 200, detail=said)


def _streamed(body: str) -> JsonObject:
    """Events of a stream put together as the answer that was asked for."""
    text, finish, usage, error = "", None, None, None
    for line in body.splitlines():
        data = line.partition("data:")[2].strip() if line.startswith("data:") else ""
        if data and data != "[DONE]":
            event = _object(json.loads(data))
            usage, error = event.get("usage") or usage, event.get("error") or error
            for choice in map(_object, _list(event.get("choices"))[:1]):
                text += _text(_object(choice.get("delta")).get("content"))
                finish = choice.get("finish_reason") or finish
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": finish}
    return {"choices": [choice], "usage": usage, "error": error}


def _text(content: object) -> str:
    """The text of a message: a string, or parts of which some are no text. UTF-8 can hold it."""
    joined = content if isinstance(content, str) else "".join(_parts(content))
    return joined.encode("utf-8", "replace").decode()


def _parts(content: object) -> Iterator[str]:
    for part in _list(content):
        if isinstance(part, str):
            yield part
        elif _object(part).get("type") not in NO_TEXT and isinstance(part.get("text"), str):
            yield part["text"]


def _count(usage: JsonObject, name: str) -> int | None:
    """A number of tokens; None if it is not there or none."""
    said = str(usage.get(name))
    count = int(said) if said.isdecimal() and len(said) < 20 else None
    return count if count is not None and count <= MOST_TOKENS else None


def _object(value: object) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
