"""Which slide a text or a question belongs to, told from a deck's own files.

Some write decks with slides numbered from 0, lists over all slides of the presentation (those that
were left out, too) and questions in the order of the slides that are left; others number from 1 and
name the slide of each question. What the files do not tell is not guessed.
"""

from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.core.row import JsonObject

OURS = ("images", "lang_detected")  # keys that `collect` writes, which numbers from 1
BY_ORDER = "questions belong to the slides in their order"


def first_slide(record: JsonObject, numbers: set[int], by_others: bool) -> tuple[int, str]:
    """The number of a presentation's first slide (here or not), and how that is told.

    `record` is the deck's JSON, `numbers` are those of slide files and of slides that questions
    name; `by_others`: some of these questions were not written by `qa`. Raises Dropped if it
    matters and nothing tells.
    """
    first, listed = record.get("first"), record.get("mostRead")
    lists = [value for value in (listed, record.get("transcript")) if isinstance(value, list)]
    last, count = max(numbers, default=0), len(next(filter(None, lists), ()))
    if type(first) is int and first in (0, 1):
        return first, ""
    if 0 in numbers:
        return 0, "slides are counted from 0: there is one of that number"
    if any(key in record for key in OURS) or not count or not numbers:
        return 1, ""
    if last == count:
        return 1, f"slides are counted from 1: number {last} is the last of {count}"
    if isinstance(listed, list) and last < count and not by_others:
        return 0, f"slides are counted from 0: mostRead lists {count}, and none has that number"
    if by_others and not isinstance(listed, list):
        return 1, "slides are counted from 1, as where questions name their slide"
    raise Dropped(
        Outcome.MALFORMED_ROW,
        f"cannot be told if slides are counted from 0 or from 1: there are texts of {count}, slide "
        f'{last} is the last one here. Write "first": 0 or "first": 1 into its JSON',
    )


def places(questions: int, numbers: list[int], first: int, count: int) -> tuple[list[int], str]:
    """The slide of each entry of a list of questions that name none, and how that is told.

    `numbers` are those of the slides that are here, `count` slides were there. Raises Dropped if
    there are neither as many questions as slides that are here, nor as there were.
    """
    if questions == len(numbers):
        return numbers, BY_ORDER
    if questions == count:
        return [*range(first, first + count)], f"{BY_ORDER}, those that are not here too"
    raise Dropped(
        Outcome.MALFORMED_ROW,
        f"cannot be told which question belongs to which slide: {questions} that name none, "
        f'{len(numbers)} slides. Give each a "slide"',
    )
