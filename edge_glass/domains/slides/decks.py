"""The raw layout of decks, the same from collecting to building.

`<id>/<id>.json` says what the deck is, `<id>/slide_<n>.jpg` are its slides, and `<id>/qa_<id>.json`
is the list of its questions. Numbers stay what they were where slides are left out; `numbering`
tells whether they begin at 0 or at 1.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Field, ValidationError

from edge_glass.core import schema
from edge_glass.core.atomic_files import write_json
from edge_glass.core.errors import SourceError
from edge_glass.core.names import file_name
from edge_glass.core.row import JsonObject
from edge_glass.domains.slides import numbering
from edge_glass.sources.folder import Folder, nfc, spelled

SLIDE = re.compile(r"slide_(\d{1,6})\.jpe?g", re.IGNORECASE)
DOCVQA, RETRIEVAL = TASKS = ("docvqa", "retrieval")
MAX_ID = 80  # characters
PART = ".part"  # ends the name of a folder that `collect` has not finished
LARGEST = 2**31 - 1  # of any number
Number = Annotated[int, Field(ge=0, le=LARGEST)]
Text = Annotated[str, BeforeValidator(lambda text: "" if text is None else text)]
LAYOUT = "<id>/<id>.json with slide_<n>.jpg beside it"


def _sides(value: Any) -> Any:
    """Height and width, which stand in an object, in a list or as `<height>x<width>`."""
    if isinstance(value, dict):
        return [value.get("height"), value.get("width")]
    return value.split("x") if isinstance(value, str) else value


Sides = Annotated[list[Number], Field(min_length=2, max_length=2), BeforeValidator(_sides)]


@dataclass
class Deck:
    """What is known of a presentation."""

    id: str
    presentation_url: str | None = None
    title: str | None = None
    author: str | None = None
    date: str | None = None  # YYYY-MM-DD
    len: Number = 0  # slides of the presentation, as its source counts them
    description: str | None = None
    lang: str | None = None  # as its author declares it
    lang_detected: str | None = None
    # height and width: as declared, or in pixels of its first slide
    dim: Sides | None = None
    likes: Annotated[Number | None, Field(validation_alias=AliasChoices("likes", "like"))] = None
    views: Annotated[Number | None, Field(validation_alias=AliasChoices("views", "view"))] = None
    transcript: list[Text] = field(default_factory=list)  # of slide `first` and those after it
    transcript_by: list[Text] = field(default_factory=list)  # what read it off pictures, or ""
    mostRead: list[bool] = field(default_factory=list)  # likewise; empty where nobody says
    images: list[str] = field(default_factory=list)  # file names of the slides that are here
    first: int = 1  # the number of the presentation's first slide, here or not: 0 or 1

    @property
    def language(self) -> str | None:
        """What it is written in: as detected, or else as declared."""
        return self.lang_detected or self.lang

    @property
    def numbers(self) -> list[int]:
        """The numbers of the slides that are here, in order."""
        return [*numbered(self.images)]

    def text(self, number: int) -> str:
        """The transcript of a slide.

        Args:
            number: of the slide.

        Returns:
            Its text, empty if there is none.
        """
        place = number - self.first
        return self.transcript[place] if 0 <= place < len(self.transcript) else ""

    def text_by(self, number: int) -> str | None:
        """What read the transcript of a slide off its picture.

        Args:
            number: of the slide.

        Returns:
            Name and version of a program; None where the text is the deck's own.
        """
        place = number - self.first
        return (self.transcript_by[place] or None) if 0 <= place < len(self.transcript_by) else None

    def read_off(self, number: int, text: str, by: str) -> None:
        """The transcript of a slide that has none, as something read it off its picture."""
        lack = number - self.first + 1
        for texts, one in ((self.transcript, text), (self.transcript_by, by)):
            texts.extend([""] * (lack - len(texts)))
            texts[lack - 1] = one

    def most_read(self, number: int) -> bool | None:
        """Whether a slide is among the most read of its deck.

        Args:
            number: of the slide.

        Returns:
            What upstream says; None if it does not.
        """
        place = number - self.first
        return self.mostRead[place] if 0 <= place < len(self.mostRead) else None


@dataclass
class Pair:
    """A question about a slide with its answer."""

    slide: int
    question: str
    answer: str
    task: str | None = None  # what it was asked for; None is good for any
    id: str = ""  # unique over all decks
    model: str | None = None
    prompt: str | None = None  # its version
    answerable_without: bool | None = None  # by the model that was not shown the slide
    identifies: bool | None = None  # its slide, among others


def slide_number(name: str) -> int | None:
    """The number of a slide by its file name, None if it is no slide."""
    match = SLIDE.fullmatch(PurePosixPath(name).name)
    return int(match[1]) if match else None


def slide_file(number: int) -> str:
    """The name of the file of a slide."""
    return f"slide_{number}.jpg"


def numbered(names: Iterable[str]) -> dict[int, str]:
    """The slides among files.

    Args:
        names: of files.

    Returns:
        Number -> name, in the order of the numbers.
    """
    slides = {number: name for name in names if (number := slide_number(name)) is not None}
    return dict(sorted(slides.items()))


def safe_id(text: str) -> str:
    """Text from outside as a name of a folder: letters, digits, `_`, `-` and `.`, nothing else."""
    name = _cleaned(text)
    fits = name == text == file_name(text) and len(name) <= MAX_ID
    return name if fits else _marked(name, text)


def path_id(path: str) -> str:
    """A path from outside as a name of a folder, with `--` for `/`; no two paths have one name."""
    name = path.replace("/", "--")
    told_apart = safe_id(name) == name and name.replace("--", "/") == path
    return name if told_apart else _marked(_cleaned(name), path)


def _cleaned(text: str) -> str:
    return re.sub(r"[^\w.-]+", "-", nfc(text).strip(), flags=re.ASCII).strip("-.")


def _marked(name: str, text: str) -> str:
    """A name with a mark of what it stands for, which is the same in any spelling of Unicode."""
    mark = hashlib.sha256(nfc(text).encode(errors="surrogatepass")).hexdigest()[:8]
    return file_name(f"{name[:MAX_ID]}-{mark}" if name else mark)


def among(folders: Iterable[tuple[str, list[str]]]) -> Iterator[tuple[str, str, list[str]]]:
    """Path, id and files of those folders (at any depth) that are decks, or have slides at least.

    A folder that `collect` has not finished is none.
    """
    for folder, files in folders:
        id = nfc(PurePosixPath(folder).name)
        unfinished = id.startswith(".") and id.endswith(PART)
        described = nfc(f"{folder}/{id}.json") in map(nfc, files)
        if id and not unfinished and (described or numbered(files)):
            yield folder, id, files


def opened(
    id: str, record: Any, said: Any, names: Iterable[str]
) -> tuple[Deck, list[Pair], list[str]]:
    """A deck and its pairs out of its JSON, of the JSON in its qa file and the names of its files.

    Also notes on how it was told which slide a text or a question belongs to. Raises ValueError
    for what is no deck, and Dropped where that cannot be told.
    """
    slides = [name for name in names if slide_number(name) is not None]
    deck, questions = deck_of(record, id), [*_questions(said)]
    deck.images = [PurePosixPath(name).name for name in numbered(slides).values()]
    if len(deck.images) < len(slides):
        raise ValueError("two files are the same slide")
    named = {number for _, number in questions if number is not None}
    by_others = any(n is not None and "prompt" not in question for question, n in questions)
    deck.first, counted = numbering.first_slide(record, named | {*deck.numbers}, by_others)
    count = max(len(deck.transcript), len(deck.mostRead))
    pairs, placed = pairs_of(said, id, deck.numbers, deck.first, count)
    return deck, pairs, [note for note in (counted, placed) if note]


def deck_of(record: Any, id: str) -> Deck:
    """A deck out of its JSON object, whoever wrote it, but for its images and their numbers.

    Raises ValueError for what is none, and names the field.
    """
    if not isinstance(record, dict):
        raise ValueError(f"a {type(record).__name__}, no object")
    given = {name: value for name, value in record.items() if value is not None} | {"id": id}
    ours = ["images", "first", *(["mostRead"] if isinstance(given.get("mostRead"), bool) else [])]
    deck: Deck = checked(Deck, {name: given[name] for name in given.keys() - ours})
    if "mostRead" in ours:
        deck.mostRead = [given["mostRead"]] * len(deck.transcript)
    return deck


def checked(kind: Any, value: Any, where: str = "") -> Any:
    """A value as a type has it. Raises ValueError that names the field."""
    try:
        return schema.adapter(kind).validate_python(value)
    except ValidationError as error:
        raise ValueError(f"{where}{schema.fault(error.errors()[0])}") from None


def pairs_of(
    value: Any, id: str, numbers: list[int], first: int = 1, count: int = 0
) -> tuple[list[Pair], str]:
    """The pairs of a deck out of the JSON in its qa file, by slide, and how slides were told.

    A pair is an object with `question` and `answer`. It may say which `slide` it belongs to, or
    stand (alone, or in a list) under its number; if not, in the slide's place in a list, as
    `numbering.places` has it. What is no pair is left out, and counted in the note. Raises
    ValueError for a pair with a field that cannot be, Dropped if its slide cannot be told.
    """
    items, note = value if isinstance(value, list) else [value], ""
    places: list[Any] = [None] * len(items)
    if any(number is None for _, number in _questions(items)):
        places, note = numbering.places(len(items), numbers, first, count)
    questions = [[*_questions(item, place)] for item, place in zip(items, places, strict=True)]
    pairs = [_pair(*one) for several in questions for one in several]
    pairs.sort(key=lambda pair: pair.slide)
    counts: dict[int, int] = {}
    for pair in pairs:
        counts[pair.slide] = counts.get(pair.slide, 0) + 1
        pair.id = pair.id or f"{id}_{pair.slide}#{counts[pair.slide]}"
    if none := sum(not several for several in questions):
        note += f"{'; ' * bool(note)}{none} of {len(items)} entries are no question with an answer"
    return pairs, note


def _questions(value: Any, slide: int | None = None) -> Iterator[tuple[JsonObject, int | None]]:
    """The objects that are pairs, with the number of their slide if they name one, or `slide`."""
    if isinstance(value, list):
        for item in value:
            yield from _questions(item, slide)
    elif isinstance(value, dict) and {"question", "answer"} <= value.keys():
        if isinstance(value["question"], str) and isinstance(value["answer"], str):
            own = checked(Number | None, value.get("slide"), "slide: ")
            yield value, slide if own is None else own
    elif isinstance(value, dict):
        for key, item in value.items():
            number = int(key) if re.fullmatch("[0-9]{1,6}", key) else slide_number(key)
            yield from _questions(item, number) if number is not None else ()


def _pair(value: JsonObject, slide: int | None) -> Pair:
    names = [each.name for each in fields(Pair)]
    given = {name: value[name] for name in names if value.get(name) is not None}
    pair: Pair = checked(Pair, given | {"slide": slide}, "a question's ")
    return pair


# A folder of decks on disk


def folders(root: Path) -> list[Path]:
    """The folders of all decks below a folder, at any depth.

    Args:
        root: where to look.

    Returns:
        The folders, sorted.

    Raises:
        SourceError: there is none, or two have one name.
    """
    by_id: dict[str, Path] = {}
    for folder, id, _ in among(Folder(root).folders()):
        if id in by_id:
            raise SourceError(
                f"{root}: two decks are called {id}: {by_id[id].relative_to(root)} and {folder}. "
                "Rename one, or pass the folder of one of them."
            )
        by_id[id] = root / folder
    if not by_id:
        names = sorted(path.name for path in root.iterdir())[:5] if root.is_dir() else []
        raise SourceError(no_deck(root, names))
    return sorted(by_id.values())


def no_deck(root: Path, names: list[str]) -> str:
    """What to say of a folder without a deck."""
    return (
        f"{root}: no deck here: expected {LAYOUT}, found: {', '.join(names) or 'nothing'}. Pass "
        "the folder that the decks lie in, or run `edge-glass collect` first."
    )


def read_noted(folder: Path) -> tuple[Deck, list[Pair], list[str]]:
    """The deck in a folder, its questions, and notes, see `opened`.

    Raises EdgeGlassError if a file is damaged, and Dropped if a slide cannot be told.
    """
    path, id = _file(folder, f"{folder.name}.json"), nfc(folder.name)
    record = _json(path, "no deck", "Collect it again")
    said, questions = [], _file(folder, f"qa_{folder.name}.json")
    if questions.exists():
        said = _json(questions, "no list of questions", "Mend or delete it")
    try:
        deck, pairs, notes = opened(id, record, said, (file.name for file in folder.iterdir()))
        everything = [asdict(deck), *map(asdict, pairs)]
        json.dumps(everything, ensure_ascii=False).encode()  # raises for half characters
    except ValueError as error:
        raise SourceError(f"{path}: no deck: {error}. Collect it again.") from None
    return deck, pairs, notes


def _file(folder: Path, name: str) -> Path:
    return folder / spelled(name, lambda other: (folder / other).exists())


def _json(path: Path, what: str, remedy: str) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError, RecursionError) as error:
        raise SourceError(f"{path}: {what}: {error}. {remedy}.") from None


def inventory(folder: Path) -> set[str]:
    """The names of the files in a folder that belong to a deck."""
    there = (path.name for path in (folder.iterdir() if folder.is_dir() else ()))
    slides = (name for name in there if slide_number(name) is not None)
    own = (f"{folder.name}.json", f"qa_{folder.name}.json")
    return {*slides, *(_file(folder, name).name for name in own)}


def read(folder: Path) -> Deck:
    """The deck in a folder.

    Args:
        folder: of the deck.

    Returns:
        What its JSON says.

    Raises:
        DataError: as `read_noted` does.
    """
    return read_noted(folder)[0]


def write(folder: Path, deck: Deck) -> None:
    """Write the file that says what a deck is."""
    write_json(folder / f"{deck.id}.json", asdict(deck))


def write_pairs(folder: Path, pairs: list[Pair]) -> None:
    """Write the questions of a deck."""
    write_json(_file(folder, f"qa_{folder.name}.json"), [asdict(pair) for pair in pairs])
