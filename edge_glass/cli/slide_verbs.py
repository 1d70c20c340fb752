"""The command line's verbs for slides: collect, qa, filter, eval."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge_glass.cli.options import AllowEmpty, Intranet, one_build, terminal_progress
from edge_glass.cli.session import ignored, verb
from edge_glass.core import ledger
from edge_glass.core.errors import ConfigError
from edge_glass.core.processors import cores

if TYPE_CHECKING:
    from edge_glass.domains.slides.deck_store import Desk
    from edge_glass.domains.slides.funnel import Funnel
    from edge_glass.domains.slides.model_run import Asked

SITE, LIST, PDFS, DECKS = "a site", "a list of URLs", "PDFs", "decks"
COLLECT = {  # options of `collect`, and what they are about
    ("--dpi",): (LIST, PDFS),
    ("--jobs",): (PDFS,),
    ("--site", "--delay", "--keyword", "--limit"): (SITE,),
    ("--intranet",): (SITE, LIST),
}
FILTER = {  # filters, and the options that are about them
    "short": ("--min-chars", "--whole-deck"),
    "few": ("--min-slides",),
    "language": ("--language", "--qa-language"),
}
Decks = Annotated[Path, typer.Argument(metavar="DIR", help="A folder of decks, see `collect`.")]


@verb("collect talks --out decks --language es")
def collect(
    source: Annotated[
        str,
        typer.Argument(help="A folder of PDFs or of decks, a list of URLs (a file), or a site."),
    ],
    out: Annotated[Path, "DIR", "Folder for DIR/<id>/."],
    dpi: Annotated[int, typer.Option(min=20, max=600, help="PDFs: dots an inch.")] = 150,
    jobs: Annotated[int | None, typer.Option(min=1, help="PDFs: processes.")] = None,
    language: Annotated[str | None, "Only decks in this language, e.g. es."] = None,
    keyword: Annotated[list[str] | None, "Site: decks with this word; may be repeated."] = None,
    site: Annotated[str, "Site: the format of its pages."] = "nextdata",
    delay: Annotated[
        float, typer.Option(min=0, help="Site: seconds between two requests to a host.")
    ] = 5.0,
    limit: Annotated[int | None, typer.Option(min=1, help="Site: at most so many decks.")] = None,
    intranet: Intranet = False,
    ocr: Annotated[bool, "Slides without text: read it from the picture (OCR)."] = False,
) -> None:
    """Decks of slides out of PDFs, folders, URLs or a site; run it again to go on after a stop."""
    from edge_glass.cli import terminal
    from edge_glass.domains.slides.crawl import Wanted
    from edge_glass.domains.slides.deck_store import Desk
    from edge_glass.domains.slides.ocr import Ocr
    from edge_glass.sources.row_fetch import Limits

    collected = _kind(source)
    for options, kinds in COLLECT.items():
        if collected not in kinds:
            ignored(f"it is about {' and '.join(kinds)}, and {source} is {collected}", *options)
    wanted = Wanted(delay, language, tuple(keyword or ()), limit)
    desk, done = Desk(out, source, language, Ocr() if ocr else None), 0
    limits = Limits(intranet=intranet)
    decks = _source(desk, source, collected, dpi, jobs or cores(), site, wanted, limits)
    try:
        with terminal_progress().rows("collect", 0, lambda: (done, 0)):
            for _ in decks:
                done += 1
    finally:
        counts = desk.close()
    if terminal.printed_as_json(counts):
        return
    rows = [(kind, outcome, n) for kind, all_of in counts.items() for outcome, n in all_of.items()]
    terminal.table("Decks and slides", ["kind", "outcome", "rows#"], rows)
    terminal.say(f"Decks: {out}/<id>/\nLedger: {out / ledger.FILE}")


def _kind(source: str) -> str:
    """What decks are collected from. Raises ConfigError if there is nothing."""
    path = Path(source)
    if source.startswith(("http://", "https://")):
        return SITE
    if not path.exists():
        raise ConfigError(f"{source}: no such folder or file, and no URL")
    if path.is_file():
        return PDFS if path.suffix.lower() == ".pdf" else LIST
    return PDFS if any(p.suffix.lower() == ".pdf" for p in path.rglob("*")) else DECKS


def _source(
    desk: "Desk", source: str, kind: str, dpi: int, jobs: int, site: str, wanted: Any, limits: Any
) -> Iterator[str]:
    """What collects from a source of a kind."""
    from edge_glass.domains.slides import crawl, deck_folder, deck_urls, pdf
    from edge_glass.domains.slides.sites import SITES

    if kind == SITE:
        if site not in SITES:
            raise ConfigError(f"--site {site}: there are {', '.join(SITES)}")
        return _now(crawl.collect(desk, source, SITES[site], wanted, limits))
    path = Path(source)
    if kind == LIST:
        return _now(deck_urls.collect(desk, path, dpi, limits))
    return pdf.collect(desk, path, dpi, jobs) if kind == PDFS else deck_folder.collect(desk, path)


def _now(urls: AsyncIterator[str]) -> Iterator[str]:
    """The items of an asynchronous iterator, each as it comes."""
    import asyncio

    with asyncio.Runner() as runner:
        while (item := runner.run(_next(urls))) is not None:
            yield item


async def _next(urls: AsyncIterator[str]) -> str | None:
    return await anext(urls, None)


@verb("qa decks --model NAME --base-url http://localhost:8000/v1")
def qa(
    directory: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="A folder of decks, see `collect`; caption: a build."),
    ],
    model: Annotated[str, "The model's name at the endpoint."],
    base_url: Annotated[str, "An OpenAI-compatible endpoint; its key: $OPENAI_API_KEY."],
    task: Annotated[list[str] | None, "docvqa, retrieval (default: both), or caption."] = None,
    language: Annotated[
        str | None,
        typer.Option(
            "--language",
            "--qa-language",
            help="Language to write in; default: the deck's; caption: en.",
        ),
    ] = None,
    pairs: Annotated[int, typer.Option(min=1, max=20, help="For a slide and task.")] = 2,
    connections: Annotated[int, typer.Option(min=1, max=500, help="Calls at once.")] = 16,
    price_in: Annotated[
        float, typer.Option(min=0, help="Dollars for a million tokens sent.")
    ] = 0.0,
    price_out: Annotated[
        float, typer.Option(min=0, help="Dollars for a million tokens answered.")
    ] = 0.0,
    budget: Annotated[
        float | None, typer.Option(min=0, help="Dollars for all runs on the folder.")
    ] = None,
    token_budget: Annotated[
        int | None, typer.Option(min=1, help="Tokens for all runs on the folder.")
    ] = None,
    max_tokens: Annotated[int, typer.Option(min=50, help="Tokens of one answer.")] = 1000,
    seconds: Annotated[float, typer.Option(min=1, help="Seconds for one call.")] = 120.0,
    blind: Annotated[bool, "Ask if a pair can be answered without its slide."] = False,
    others: Annotated[
        int, typer.Option(min=0, max=20, help="Ask which of N more slides answers a pair.")
    ] = 0,
    prompts: Annotated[Path | None, "DIR", "Prompts of yours: DIR/<language>/<task>.txt"] = None,
    column: Annotated[str | None, "caption: column of media; default: the only one."] = None,
    name: Annotated[str | None, "caption: the new config; default: <config>_captioned."] = None,
) -> None:
    """Ask a model about slides, or for captions of a build; run it again to go on where it was."""
    from edge_glass.cli import terminal
    from edge_glass.domains.slides import ask, captions, decks, vision_model
    from edge_glass.domains.slides.call_log import Prices
    from edge_glass.release import write_card

    _check_tasks(task or [])
    if budget is not None and not price_in + price_out:
        raise ConfigError("--budget counts dollars: give --price-in and --price-out as well")
    options = vision_model.Options(
        model, base_url, tuple(task or decks.TASKS), language, pairs, connections,
        Prices(price_in, price_out), budget, token_budget, max_tokens, seconds, blind, others,
        prompts,
    )  # fmt: skip
    log, what, build = directory, "slides", None
    if captions.TASK in options.tasks:
        ignored("it is about decks", "--pairs", "--blind", "--others")
        folder = one_build(directory)
        what, log = "rows", folder.parent / captions.FOLDER / folder.name
        summary, build = captions.caption(folder, options, column, name, terminal_progress())
    else:
        ignored("it is about --task caption", "--column", "--name")
        summary = ask.ask(directory, options, terminal_progress())
    if build:
        write_card.write_report(folder.parent)
    if not terminal.printed_as_json(summary):
        _show_calls(summary, directory, what, log)
        if build:
            terminal.builds([build])
    summary.check(directory, what)


def _check_tasks(tasks: list[str]) -> None:
    from edge_glass.domains.slides import captions, decks

    known = (*decks.TASKS, captions.TASK)
    if unknown := set(tasks) - set(known):
        raise ConfigError(f"--task {', '.join(unknown)}: there are {', '.join(known)}")
    if captions.TASK in tasks and len(tasks) > 1:
        raise ConfigError("--task caption takes a build, other tasks take decks: run two commands")


def _show_calls(asked: "Asked", directory: Path, what: str, log: Path) -> None:
    """The calls of all runs, and what came of this one."""
    from edge_glass.cli import terminal

    columns = ["task, outcome", "calls#", "tokens in#", "tokens out#", "dollars#", "s a call#"]
    rows = [
        (name, row["calls"], row["tokens_in"], row["tokens_out"], f"{row['cost']:.4f}",
         f"{row['seconds'] or 0:.2f}")
        for name, row in asked.calls.items()
    ]  # fmt: skip
    terminal.table("Calls of all runs", columns, rows)
    terminal.say(", ".join(f"{n:,} {what} {state}" for state, n in asked.slides.items()))
    for note in asked.notes:
        terminal.say(f"{directory}: {note}")
    for deck, reason in asked.skipped.items():
        terminal.say(f"Not asked about: {deck}: {reason}")
    terminal.say(f"{asked.tokens:,} tokens, {asked.cost:.4f} dollars; {log / 'calls.parquet'}")


@verb("filter decks --out good")
def filter_(
    directory: Decks,
    out: Annotated[Path, "DIR", "Folder of kept decks."],
    filters: Annotated[str | None, "Filters in order, with commas; default: all."] = None,
    language: Annotated[str | None, "Language that all must be in; default: the deck's."] = None,
    qa_language: Annotated[str | None, "Language of questions, if not the deck's: e.g. fr."] = None,
    min_chars: Annotated[int, typer.Option(min=1, help="Of question or answer.")] = 10,
    min_slides: Annotated[int, typer.Option(min=1, help="Fewest slides of a deck.")] = 3,
    whole_deck: Annotated[bool, "A pair that is too short drops its deck."] = False,
    allow_empty: AllowEmpty = False,
) -> None:
    """Leave out slides and pairs that are no good, each with a reason; a funnel shows how many."""
    from edge_glass.cli import terminal
    from edge_glass.domains.slides import funnel
    from edge_glass.domains.slides.filters import FILTERS, Limits

    names = [name.strip() for name in filters.split(",")] if filters else [*FILTERS]
    for name in FILTER.keys() - {*names}:
        ignored(f"the filter {name} is not among --filters", *FILTER[name])
    limits = Limits(language, qa_language, min_chars, min_slides, whole_deck)
    result = funnel.run(directory, out, names, limits, terminal_progress())
    if not terminal.printed_as_json(result):
        _show_funnel(out, result)
    if not allow_empty:
        outcomes = Counter({str(ledger.Outcome.KEPT): result.steps[-1].decks})
        outcomes = sum((Counter(step.reasons) for step in result.steps), outcomes)
        ledger.check_kept("filter", outcomes, out / ledger.FILE)


def _show_funnel(out: Path, result: "Funnel") -> None:
    from edge_glass.cli import terminal
    from edge_glass.domains.slides import funnel

    rows = [
        (step.name, step.decks, step.slides, step.pairs, f"{result.share(step):.1f}",
         ", ".join(f"{n:,} {reason}" for reason, n in step.reasons.items()))
        for step in result.steps
    ]  # fmt: skip
    columns = ["left after", "decks#", "slides#", "pairs#", "%#", "taken"]
    terminal.table("Funnel", columns, rows)
    if result.flagged:
        terminal.say(f"{result.flagged:,} pairs are kept though other slides answer them too")
    terminal.say(f"Decks: {out}/<id>/\nPlot: {out / funnel.PLOT}")


@verb("eval data --run run.trec")
def evaluate(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that `build` made.")],
    predictions: Annotated[
        Path | None, "FILE", 'Answers: [{"questionId": …, "answer": …}, …]'
    ] = None,
    run: Annotated[Path | None, "FILE", "A retrieval run: TREC's six columns, or JSON."] = None,
    column: Annotated[
        str | None, "COLUMN[:ENCODER]", "Search this embedded column of the pages."
    ] = None,
    indexed: Annotated[bool, "Use the column's index, do not compare every page."] = False,
    split: Annotated[str, "The split to judge."] = "test",
    save: Annotated[Path | None, "FILE", "Write the search's run here, as TREC's."] = None,
) -> None:
    """ANLS of answers, nDCG of a retrieval run, of embedded pages, or of BM25 over their texts."""
    from edge_glass.cli import terminal
    from edge_glass.domains.slides import score

    if predictions and run:
        raise ConfigError("--predictions and --run: give one of them")
    why = "nothing is searched"
    if run:
        ignored(why, "--save", "--column", "--indexed")
    if not column:
        ignored("it is about the index of a --column", "--indexed")
    if predictions:
        ignored(why, "--save", "--column", "--indexed")
        measures = score.answers(directory, predictions, split)
    else:
        measures = score.retrieval(directory, run, split, save, column, indexed)
    if terminal.printed_as_json(measures):
        return
    rows = [(name, f"{value:.4f}" if isinstance(value, float) else value)
            for name, value in measures.items()]  # fmt: skip
    terminal.table(f"{directory}, {split}", ["measure", "value#"], rows)
