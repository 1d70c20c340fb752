"""Decks through the filters into a folder of their own, with what each filter took."""

import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from edge_glass.core import ledger, outputs, plots
from edge_glass.core.atomic_files import link, write_json
from edge_glass.core.errors import ConfigError, DataError, absent
from edge_glass.core.ledger import Dropped, Entry, Outcome
from edge_glass.core.progress import Progress
from edge_glass.domains.slides import decks
from edge_glass.domains.slides.deck_store import DECKS, PAIRS, SLIDES, write_ledger
from edge_glass.domains.slides.decks import Pair
from edge_glass.domains.slides.filters import FILTERS, Limits, Taken, Work

FILE, PLOT = "funnel.json", "funnel.svg"
FIRST = "collected"
KINDS = (DECKS, SLIDES, PAIRS)


@dataclass
class Step:
    """What is left after a filter, and how much it took, by reason."""

    name: str
    decks: int = 0
    slides: int = 0
    pairs: int = 0
    reasons: dict[str, int] = field(default_factory=dict)  # decks, slides and pairs it named

    def count(self, work: Work, *, whole: bool) -> None:
        """Add a deck that is left, `whole` or in part."""
        self.decks += whole
        self.slides += len(work.slides)
        self.pairs += len(work.pairs)


@dataclass
class Funnel:
    """All steps, and pairs that are kept but do not tell their slide from others."""

    steps: list[Step]
    flagged: int = 0

    def share(self, step: Step) -> float:
        """Pairs that are left, in percent of those collected."""
        return 100 * step.pairs / max(self.steps[0].pairs, 1)


def run(
    root: Path, out: Path, names: list[str], limits: Limits, progress: Progress | None = None
) -> Funnel:
    """Filter all decks under `root` into `out`, which must be new or made by this command.

    Writes the decks that are kept, `ledger.parquet` (a row for each deck, slide and pair),
    `funnel.json` and `funnel.svg`. Raises EdgeGlassError for a filter that is not there.
    """
    if unknown := [name for name in names if name not in FILTERS]:
        raise ConfigError(absent("filter", ", ".join(unknown), FILTERS))
    folders = decks.folders(root)
    _clear(root, out, [folder.name for folder in folders])
    funnel, done = Funnel([Step(name) for name in (FIRST, *names)]), 0

    def entries() -> Iterator[Entry]:
        nonlocal done
        for folder in folders:
            yield from _one(folder, out, limits, funnel)
            done += 1

    with (progress or Progress()).rows("filter", len(folders), lambda: (done, 0)):
        write_ledger(out, entries())
    steps = [asdict(step) | {"share": round(funnel.share(step), 2)} for step in funnel.steps]
    write_json(out / FILE, {"steps": steps, "flagged": funnel.flagged, "limits": asdict(limits)})
    plot(funnel, out / PLOT)
    return funnel


def _clear(root: Path, out: Path, names: list[str]) -> None:
    """Make room for decks of these names: a folder that something else has filled is left alone."""
    outputs.check_apart(root, out)
    claimed = outputs.claimed(out)
    if out.is_dir() and any(out.iterdir()) and FILE not in claimed:
        raise DataError(f"--out {out}: holds other files: name a new folder")
    ours = [out / name for name in claimed if (out / name).is_dir()]
    for folder in ours:
        outputs.check_replaceable(folder, decks.inventory(folder))
    outputs.claim(out, [FILE, PLOT, ledger.FILE, *names])
    for folder in ours:
        shutil.rmtree(folder)


def _one(folder: Path, out: Path, limits: Limits, funnel: Funnel) -> Iterator[Entry]:
    """Filter one deck; the entries of it, of its slides and pairs."""
    try:
        deck, pairs, notes = decks.read_noted(folder)
    except Dropped as drop:
        yield Entry("filter", folder.name, folder.name, DECKS, drop.outcome, drop.detail)
        return
    work = Work(folder, deck, [p for p in pairs if p.slide in deck.numbers], limits, deck.numbers)
    funnel.steps[0].count(work, whole=True)
    gone: dict[tuple[str, str], Taken] = {}
    for step in funnel.steps[1:]:
        for taken in FILTERS[step.name](work) if (DECKS, deck.id) not in gone else ():
            step.reasons[taken.outcome] = step.reasons.get(taken.outcome, 0) + 1
            gone[_row(deck.id, taken)] = taken
        _leave(work, gone)
        step.count(work, whole=(DECKS, deck.id) not in gone)
    if (DECKS, deck.id) not in gone:
        _write(work, out / deck.id)
        funnel.flagged += sum(pair.identifies is False for pair in work.pairs)
    for entry in _entries(deck.id, deck.numbers, pairs, gone):
        if entry.split == DECKS and entry.outcome == Outcome.KEPT:
            entry.detail = "; ".join(notes)
        yield entry


def _row(deck: str, taken: Taken) -> tuple[str, str]:
    if taken.pair is not None:
        return PAIRS, taken.pair
    return (DECKS, deck) if taken.slide is None else (SLIDES, f"{deck}_{taken.slide}")


def _leave(work: Work, gone: dict[tuple[str, str], Taken]) -> None:
    """Take out of a deck what is gone, and what goes with it."""
    id = work.deck.id
    whole = (DECKS, id) not in gone
    work.slides = [n for n in work.slides if whole and (SLIDES, f"{id}_{n}") not in gone]
    left = set(work.slides)
    work.pairs = [p for p in work.pairs if p.slide in left and (PAIRS, p.id) not in gone]


def _entries(
    id: str, numbers: list[int], pairs: list[Pair], gone: dict[tuple[str, str], Taken]
) -> Iterator[Entry]:
    rows: list[tuple[str, str, str, int | None]] = [(DECKS, id, id, None)]
    rows += [(SLIDES, f"{id}_{n}", f"{id}#{n}", None) for n in numbers]
    rows += [(PAIRS, pair.id, f"{id}#{pair.slide}", pair.slide) for pair in pairs]
    for kind, name, row, slide in rows:
        taken = gone.get((kind, name))
        for place in ((SLIDES, f"{id}_{slide}"), (DECKS, id)):
            if taken is None and place in gone:
                taken = Taken(gone[place].outcome, f"its {place[0][:-1]}")
        if taken is None and slide is not None and slide not in numbers:
            taken = Taken(Outcome.MISSING_MEDIA, "its slide is not here")
        outcome, detail = (taken.outcome, taken.detail) if taken else (Outcome.KEPT, "")
        yield Entry("filter", row, name, kind, outcome, detail)


def _write(work: Work, folder: Path) -> None:
    """Put down what is left of a deck; slides are linked where the disk allows it."""
    folder.mkdir()
    names = decks.numbered(work.deck.images)
    images = [names[number] for number in work.slides]
    for name in images:
        link(work.folder / name, folder / name)
    decks.write_pairs(folder, work.pairs)
    decks.write(folder, replace(work.deck, images=images))


def plot(funnel: Funnel, path: Path) -> None:
    """Draw what is left after each filter."""
    charts = [
        plots.bars(
            f"{kind} after each filter",
            [(f"{funnel.share(s):.1f}% {s.name}", getattr(s, kind), 0) for s in funnel.steps],
            kind,
        )
        for kind in KINDS
    ]
    reasons = [(reason, n) for step in funnel.steps for reason, n in step.reasons.items()]
    plots.write_svg(path, [*charts, plots.bars("What filters took", plots.lines(reasons))])
