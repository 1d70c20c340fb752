"""Captions that a model writes of images, frames or sounds of a build, in a new config.

The calls of a build, and what was answered, lie in `captions/<config>/` beside it.
"""

import hashlib
import io
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

from edge_glass.core import columns, finished, ledger, manifest, parquet
from edge_glass.core.columns import ColumnRole
from edge_glass.core.errors import ConfigError, absent
from edge_glass.core.manifest import AuditedBuild, Captions, Inputs, Manifest
from edge_glass.core.progress import Progress
from edge_glass.core.revisions import Revisions
from edge_glass.domains.slides import llm_session, prompts
from edge_glass.domains.slides.call_log import Calls, Key
from edge_glass.domains.slides.llm_session import Wish
from edge_glass.domains.slides.model_run import FAILED, LEFT, Asked, Item, Run
from edge_glass.domains.slides.vision_model import Options
from edge_glass.media import audio, images
from edge_glass.pipeline import revise
from edge_glass.pipeline.revise import Part, Row

TASK, COLUMN, FOLDER = "caption", columns.MODEL_CAPTION, "captions"
LANGUAGE = "en"
SIDE = 1536  # pixels of an image that is sent, at most
FRAMES = 16  # of a row that are sent, at most
RATE = 16_000  # of a sound that is sent
TOKENS = 50  # a second of sound, at least: models take 7 to 32


def caption(
    folder: Path,
    options: Options,
    column: str | None = None,
    name: str | None = None,
    progress: Progress | None = None,
) -> tuple[Asked, Manifest | None]:
    """Ask for a caption of each row of a build that has none yet; with all, make the new config.

    Returns what came of the run, and the manifest of the config; None if captions are missing.
    Raises EdgeGlassError as `ask` does, or if the build has no such column.
    """
    build, out = manifest.read(folder), folder.parent
    if COLUMN in build.features:
        raise ConfigError(f"{folder}: has {COLUMN} already: caption the build it was made from")
    column = _column(build, column)
    name = name or f"{build.config}_captioned"
    revise.check_target(folder, out, name)
    finished.check(folder, build.files())
    book = out / FOLDER / build.config
    book.mkdir(parents=True, exist_ok=True)
    with closing(Calls(book)) as calls:
        run = Run(calls, options, "Run `edge-glass verify`.")
        rows = _Rows(folder, build, column, run)
        asked = run.ask(rows.items(), build.rows, progress)
        if asked.slides[LEFT] or asked.slides.get(FAILED):
            return asked, None
        return asked, rows.config(name)


def _column(build: Manifest, wanted: str | None) -> str:
    """The column that captions are asked of."""
    kinds = columns.media_kinds(build.features)
    known = [name for name, (kind, _) in kinds.items() if kind in ("image", "audio")]
    if wanted is None and len(known) == 1:
        return known[0]
    if wanted not in known:
        said = absent("column of images or sounds", wanted or "--column", known)
        raise ConfigError(f"{build.config}: {said}")
    return wanted


class _Rows:
    """The rows of a build, and the change that gives each its caption."""

    def __init__(self, folder: Path, build: Manifest, column: str, run: Run) -> None:
        self._folder, self._build, self._column, self._run = folder, build, column, run
        self._kind, _ = columns.media_kinds(build.features)[column]
        self._language = run.options.language or LANGUAGE
        self._prompt = prompts.prompt(TASK, self._language, run.options.prompts)
        self._answers = 0  # digests of all captions, added up: they come in any order

    def items(self) -> Iterator[Item]:
        """Each row."""
        for shard in self._build.shards():
            for row in parquet.rows(self._folder / shard.file, ["id", self._column]):
                yield f"{self._folder}: {row['id']}: {self._column}", partial(self._ask, row)

    async def _ask(self, row: Row) -> None:
        """Ask for the caption of a row, if it has media."""
        if self._media(row):
            key, run = self._key(row), self._run
            run.calls.answer(key) or await run.talker.answer(self._wish(key, row))
        said = f"{row['id']}\0{self._caption(row) or ''}".encode()
        self._answers += int.from_bytes(hashlib.sha256(said).digest())

    def _media(self, row: Row) -> list[bytes]:
        """The files of a row; of many frames some, evenly."""
        value = row[self._column]
        files = [one["bytes"] for one in (value if isinstance(value, list) else [value]) if one]
        step = max(1, -(-len(files) // FRAMES))
        return [data for data in files[::step] if data]

    def _key(self, row: Row) -> Key:
        """What is asked: other bytes, or another model or prompt, are another question."""
        settings = (self._column, self._run.options.model, self._prompt.version, self._language)
        digests = (hashlib.sha256(data).hexdigest() for data in self._media(row))
        item = hashlib.sha256("\0".join([*settings, *digests]).encode()).hexdigest()
        return Key(row["id"], 0, TASK, item)

    def _wish(self, key: Key, row: Row) -> Wish:
        convert, sent, pixels = _jpeg if self._kind == "image" else _wav, [], 0
        for file, size in map(convert, self._media(row)):
            sent.append(file)
            pixels += size
        what = "a sound" if self._kind == "audio" else "an image"
        if len(sent) > 1:
            what = f"{len(sent)} {'sounds' if self._kind == 'audio' else 'frames of one clip'}"
        text = self._prompt.filled(what=what, language=prompts.name(self._language))
        return Wish(key, self._prompt, text, prompts.Caption, sent, pixels, self._language)

    def _caption(self, row: Row) -> str | None:
        answer = self._run.calls.answer(self._key(row)) if self._media(row) else None
        kept = answer and answer.outcome == llm_session.ANSWERED
        return str(answer.content["caption"]) if answer and kept else None

    def config(self, name: str) -> Manifest:
        """Make the config with the captions; its manifest."""
        build, prompt = self._build, self._prompt
        captions = Captions(
            AuditedBuild(build.config, build.seal), self._column, self._run.options.model,
            prompt.version, prompt.text, self._language, f"{self._answers % 2**256:064x}",
        )  # fmt: skip
        texts = dict.fromkeys(build.with_role(ColumnRole.CAPTION), ColumnRole.TEXT)
        described = replace(
            build.inputs,
            config=name,
            captions=captions,
            features=build.features | {COLUMN: columns.TEXT},
            roles=build.roles | texts | {COLUMN: ColumnRole.CAPTION},
        )
        return revise.placed(self._folder.parent, described, partial(self._make, described))

    def on(self, part: Part) -> Callable[[Row], Row]:
        """Gives a row with its caption."""
        return lambda row: row | {COLUMN: self._caption(row)}

    def _make(self, described: Inputs, work: Path) -> None:
        revise.make(
            described,
            Revisions.of(self._build, self._folder),
            revise.parts(self._folder, self._build, work, lambda split, shard: self),
            lambda digests: revise.with_digests(self._folder / ledger.FILE, digests),
            {split: facts.planned for split, facts in self._build.splits.items()},
        )


def _jpeg(data: bytes) -> tuple[bytes, int]:
    """An image as it is sent, upright and no larger than models look at; and its pixels."""
    pixels, out = images.rgb(data, (SIDE, SIDE)), io.BytesIO()
    pixels.thumbnail((SIDE, SIDE))
    pixels.save(out, "JPEG", quality=90)
    return out.getvalue(), pixels.width * pixels.height


def _wav(data: bytes) -> tuple[bytes, int]:
    """A sound as it is sent; and as many pixels as it may have tokens."""
    clip = audio.encode(*audio.decode(data), RATE, 1, "wav")
    return clip.data, len(clip.data) // (2 * RATE) * TOKENS * llm_session.PIXELS
