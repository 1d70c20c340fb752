"""One thing asked of a model until there is an answer: retries, the repair try, the books."""

import time
from dataclasses import dataclass, field

from edge_glass.domains.slides import prompts, replies, vision_model
from edge_glass.domains.slides.call_log import Answer, Calls, Key, Use
from edge_glass.domains.slides.prompts import Form, Prompt
from edge_glass.domains.slides.rate_limits import BACK_OFF, Gate, sleep
from edge_glass.domains.slides.replies import Reply
from edge_glass.domains.slides.vision_model import Endpoint, Messages, Options

TRIES = {  # of what may heal
    replies.RATE_LIMITED: 10,
    replies.SERVER_ERROR: 4,
    replies.CUT: 3,
    replies.TIMED_OUT: 2,
    replies.UNREACHABLE: 3,
}
# which leave open how the endpoint wants to be asked
UNSETTLED = {
    replies.RATE_LIMITED, replies.SERVER_ERROR, replies.UNREACHABLE, replies.LOADING,
    replies.UNSUPPORTED, replies.LENGTH, replies.DENIED,
}  # fmt: skip
NOT_COUNTED = {replies.UNSUPPORTED, replies.LENGTH, replies.LOADING}  # among the tries
LOADS, LOAD_REST = 450, 2.0  # times in a row that a model may still be loading, and seconds between
ANSWERED, REFUSED, INVALID, WRONG_LANGUAGE = "answered", "refused", "invalid", "wrong_language"
CHARACTERS = 3  # a token, at least
PIXELS = 500  # a token, at least: models take one for 512 to 784
OVERHEAD = 500  # tokens a picture and a schema may take beside that


@dataclass
class Wish:
    """What is wanted: a form filled in by a model that is told a text, with JPEGs or WAVs."""

    key: Key
    prompt: Prompt
    text: str
    form: type[Form]
    media: list[bytes] = field(default_factory=list)
    pixels: int = 0  # of all pictures among them
    language: str | None = None  # to be written in; any if not set
    note: dict[str, int] = field(default_factory=dict)  # kept with the answer


class FailedError(Exception):
    """No answer came; the next run may have one."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"{reply.outcome}: {reply.detail}")
        self.reply = reply


class Talker:
    """Asks one endpoint, and keeps the book."""

    def __init__(self, calls: Calls, options: Options) -> None:
        self.endpoint, self._calls, self._prices = Endpoint(options), calls, options.prices
        self._gate = Gate(calls, options.at_once, options.money, options.tokens)
        self._loads = 0  # replies in a row that the model is still loading

    async def answer(self, wish: Wish) -> Answer:
        """What is stored, or else what the model says now, stored. Raises FailedError, SpentError.

        An answer out of form, or in the wrong language, is sent back once to be mended. One that is
        in its form but in the wrong language still is kept: a filter will find it.
        """
        if (known := self._calls.answer(wish.key)) is not None:
            return known
        more: Messages = []
        for last in (False, True):
            reply, call, use, seconds = await self._tried(wish, more)
            content, problem, outcome = _read(reply, wish)
            fit = problem is None or (last and outcome == WRONG_LANGUAGE)
            if outcome == REFUSED or fit:
                kept = REFUSED if outcome == REFUSED else ANSWERED
                self._calls.store(wish.key, call, kept, use, seconds, content)
                return Answer(kept, content, wish.prompt.version, self.endpoint.model)
            self._calls.end(call, outcome, use, seconds, reply.status, problem or "")
            mend = prompts.prompt("repair", None).filled(problem=problem)
            more = [
                {"role": "assistant", "content": reply.text or "{}"},
                {"role": "user", "content": mend},
            ]
        raise FailedError(Reply(INVALID, detail=problem or ""))

    async def _tried(self, wish: Wish, more: Messages) -> tuple[Reply, int, Use, float]:
        """A reply that says something; its call is begun and not yet ended."""
        attempt = 1
        while True:
            room = self.endpoint.max_tokens
            most = self._most(wish, more, room)
            async with self._gate.turn(most):
                if room != self.endpoint.max_tokens:  # it changed: so does what is reserved
                    continue
                reply, call, use, seconds = await self._called(wish, more, attempt, most)
                self._pace(reply, most)
                if reply.outcome in (replies.OK, replies.REFUSED):
                    return reply, call, use, seconds
                self._calls.end(call, reply.outcome, use, seconds, reply.status, reply.detail)
            if not self._may_try(reply, attempt):
                raise FailedError(reply)
            if reply.outcome not in NOT_COUNTED:
                if reply.outcome != replies.RATE_LIMITED:  # for that the gate keeps us waiting
                    await sleep(BACK_OFF * attempt)
                attempt += 1

    def _may_try(self, reply: Reply, attempt: int) -> bool:
        if reply.outcome == replies.LENGTH:
            return reply.room < self.endpoint.max_tokens
        if reply.outcome == replies.LOADING:
            return self._loads <= LOADS
        return reply.outcome == replies.UNSUPPORTED or attempt < TRIES.get(reply.outcome, 1)

    async def _called(
        self, wish: Wish, more: Messages, attempt: int, most: Use
    ) -> tuple[Reply, int, Use, float]:
        version, model = wish.prompt.version, self.endpoint.model
        call = self._calls.begin(wish.key, attempt, version, model, most)
        messages = [vision_model.message(wish.text, *wish.media), *more]
        start = time.monotonic()
        reply = await self.endpoint.ask(messages, prompts.schema(wish.form), call)
        seconds = time.monotonic() - start
        if reply.cut and reply.outcome == replies.OK and _read(reply, wish)[2] == INVALID:
            reply.outcome = replies.LENGTH
            self.endpoint.give_room(reply)
        use = self._use(reply, most)
        if not use.estimated:
            largest, task = self._calls.largest, wish.key.task
            largest[task] = max(largest.get(task, 0), use.tokens_in)
        return reply, call, use, seconds

    def _pace(self, reply: Reply, most: Use) -> None:
        """What a reply says of the calls to come."""
        self._loads = self._loads + 1 if reply.outcome == replies.LOADING else 0
        if reply.outcome not in UNSETTLED:
            self._gate.open()
        if reply.outcome in (replies.OK, replies.REFUSED):
            self._gate.answered(reply.headers, most.tokens)
        elif reply.outcome == replies.RATE_LIMITED:
            self._gate.refused(reply.headers)
        elif reply.outcome == replies.LOADING:
            self._gate.rest(LOAD_REST)

    def _most(self, wish: Wish, more: Messages, room: int) -> Use:
        """The most that a call can cost, by the size of what is sent."""
        characters = len(wish.text) + sum(len(message["content"]) for message in more)
        tokens = characters // CHARACTERS + wish.pixels // PIXELS + OVERHEAD
        known = self._calls.largest.get(wish.key.task, 0)
        return self._prices.use(max(tokens, known + known // 10), room, estimated=True)

    def _use(self, reply: Reply, most: Use) -> Use:
        if reply.tokens_in is not None and reply.tokens_out is not None:
            return self._prices.use(reply.tokens_in, reply.tokens_out)
        return most if reply.outcome in replies.PAID else Use(0, 0, 0.0)


def _read(reply: Reply, wish: Wish) -> tuple[object, str | None, str]:
    """What is kept of a reply, what is wrong with it, and what to call that."""
    if reply.outcome == replies.REFUSED:
        return reply.detail, None, REFUSED
    try:
        answer = prompts.parsed(reply.text, wish.form)
    except ValueError as error:
        return None, str(error), INVALID
    problem = prompts.language_fault(answer.written(), wish.language)
    return answer.model_dump() | wish.note, problem, WRONG_LANGUAGE if problem else ANSWERED
