"""The parameters that configs set: one dataclass a kind of media, mixed into a corpus's config."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import cache
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from edge_glass.core import extras
from edge_glass.core.errors import ConfigError, absent, raise_all
from edge_glass.core.key_digests import rank
from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.core.libraries import np
from edge_glass.core.licences import Use
from edge_glass.core.row import Example, Features, Parameters
from edge_glass.media.features import Audio, Sequence, Value

NORMALISER = "whisper_normalizer"
_OF_DATASETS = ("name", "version", "data_dir", "data_files", "description")


@dataclass
class CorpusConfig:
    """What every corpus's config can set, behind what `datasets` gives every config."""

    name: str = "default"
    version: str | None = None
    data_dir: str | None = None
    data_files: Any = None
    description: str | None = None

    subset: Annotated[
        Annotated[int, Field(ge=1)] | Annotated[float, Field(gt=0, le=1)] | None,
        Field(description="rows (or a fraction of them) over all splits; 1000 lie inside 5000"),
    ] = None
    splits: Annotated[
        list[str] | None, Field(min_length=1, description="the splits to build; all if not set")
    ] = None
    seed: Annotated[int, Field(description="for the draw of subset and random captions")] = 0
    bundled: Annotated[bool, Field(description="read the few raw files in the package")] = False
    licences: Annotated[
        list[Use] | None,
        Field(min_length=1, description="uses that a row's licence must allow; not stated: no"),
    ] = None

    def problems(self) -> Iterator[str]:
        """Parameters that contradict each other."""
        yield from ()

    @property
    def hashed_subset(self) -> float | int | None:
        """The subset that is taken by hashes of ids."""
        return self.subset

    def made_with(self) -> dict[str, str]:
        """Library -> version of what else the bytes depend on, for the manifest."""
        return {}


@dataclass
class AudioParams(CorpusConfig):
    """How audio is written."""

    sample_rate: Annotated[
        int | None, Field(ge=1000, le=384000, description="Hz; as in the source if not set")
    ] = None
    channels: Annotated[
        Literal[1, 2] | None, Field(description="1 or 2; as in the source if not set")
    ] = None
    audio_format: Annotated[
        Literal["source", "flac", "wav", "waveform"] | None,
        Field(description="source bytes unless rate or channels change (then flac)"),
    ] = None

    @property
    def format(self) -> str:
        """`audio_format`, or what follows from the other parameters."""
        changed = self.sample_rate is not None or self.channels is not None
        return self.audio_format or ("flac" if changed else "source")

    def problems(self) -> Iterator[str]:
        """Parameters that contradict each other."""
        yield from super().problems()
        if self.format == "source" and (self.sample_rate or self.channels):
            yield "audio_format source keeps the bytes: unset sample_rate and channels, or use flac"
        if self.format == "flac" and (rate := self.sample_rate or 0) > 65535 and rate % 10:
            yield f"audio_format flac holds {rate} Hz only if it is a multiple of 10: use wav"
        if self.format == "waveform" and self.channels == 2:
            yield "audio_format waveform is mono: set channels to 1, or audio_format to flac or wav"

    def audio_features(self) -> Features:
        """The columns that `audio_columns` fills."""
        if self.format == "waveform":
            return {"audio": Sequence(Value("float32")), "sampling_rate": Value("int32")}
        return {"audio": Audio(sampling_rate=self.sample_rate)}

    def audio_columns(self, data: bytes, name: str, notes: list[str]) -> Example:
        """The columns of a sound.

        Args:
            data: bytes of a media file.
            name: that the sound gets.
            notes: get what the ledger should say of a row that is kept.

        Returns:
            `audio` (and `sampling_rate`, in Hz), and `duration` in seconds.

        Raises:
            Dropped: it does not decode to its end, or is not what the config takes.
        """
        from edge_glass.media import audio
        from edge_glass.media.sound_file import Sound

        sound = Sound.of(data)  # looked into once, for all that follows
        info = audio.check(sound) if self.format == "source" else sound.info
        duration = {"duration": round(info.seconds, 6)}
        stem, dot, suffix = name.rpartition(".")
        if dot and not info.has_name(f".{suffix}"):
            notes.append(f"{info.format} bytes under the suffix .{suffix}")
        if self.format == "source":
            notes += ["its header does not say how long it is"] if info.counted else []
            return {"audio": {"bytes": data, "path": name}} | duration
        if self.format == "waveform":
            return self.sample_columns(sound.samples("float32"), info.rate, name, notes) | duration
        clip = audio.transcode(sound, self.sample_rate, self.channels, self.format)
        notes.extend(clip.notes)
        path = f"{stem if dot else name}{clip.suffix}"
        return {"audio": {"bytes": clip.data, "path": path}} | duration

    def sample_columns(
        self, samples: "np.ndarray", rate: int, name: str, notes: list[str]
    ) -> Example:
        """Columns `audio` (and `sampling_rate`) out of samples that are decoded already.

        Samples are float32 of shape (frames, channels) at `rate` Hz; `name` is their file's.
        """
        from edge_glass.media import audio

        if self.format == "waveform":
            wave, rate = audio.mono(samples, rate, self.sample_rate)
            return {"audio": wave, "sampling_rate": rate}
        clip = audio.encode(samples, rate, self.sample_rate, self.channels, self.format)
        notes.extend(clip.notes)
        path = f"{name.rpartition('.')[0] or name}{clip.suffix}"
        return {"audio": {"bytes": clip.data, "path": path}}

    def audio_size(self, source_bytes: int) -> int:
        """About how many bytes a source file will take, to cut shards by."""
        of_cd_rate = (self.sample_rate or 44100) / 44100
        factor = {"source": 1.0, "flac": 0.55, "wav": 1.0, "waveform": 2.0}[self.format]
        return int(source_bytes * factor * (1 if self.format == "source" else of_cd_rate))


@dataclass
class CaptionParams(CorpusConfig):
    """How the captions of a row are written."""

    caption_mode: Annotated[
        Literal["all", "each", "first", "random"],
        Field(description="all: a list; each: one row a caption; first; random (by seed)"),
    ] = "all"

    def caption_features(self) -> Features:
        """The column that `with_captions` fills."""
        if self.caption_mode == "all":
            return {"captions": Sequence(Value("string"))}
        return {"caption": Value("string")}

    def with_captions(
        self, example: Example, captions: list[str], skip_blank: bool = False
    ) -> Iterator[Any]:
        """The example with its captions, as `caption_mode` asks.

        Args:
            example: all its other columns.
            captions: in upstream's order.
            skip_blank: leave out a blank one, and let the others keep their numbers.

        Returns:
            The example once, or once a caption with `#n` after its id.

        Raises:
            Dropped: a caption is blank.
        """
        blank = [number for number, text in enumerate(captions, 1) if not text.strip()]
        if blank and not (skip_blank and len(blank) < len(captions)):
            raise Dropped(Outcome.BLANK_CAPTION, f"caption {blank[0]} of {len(captions)}")
        numbered = [pair for pair in enumerate(captions, 1) if pair[0] not in blank]
        captions = [text for _, text in numbered]
        if self.caption_mode == "all":
            yield example | {"captions": captions}
        elif self.caption_mode == "each":
            for number, caption in numbered:
                yield example | {"id": f"{example['id']}#{number}", "caption": caption}
        else:
            random = self.caption_mode == "random"
            chosen = rank(self.seed, example["id"]) % len(captions) if random else 0
            yield example | {"caption": captions[chosen]}


@dataclass
class TranscriptParams(CorpusConfig):
    """How the transcript of an utterance is written."""

    caption_mode: Annotated[
        Literal["original", "lower", "normalized"],
        Field(description="normalized: as Whisper's English normaliser writes it, to score by WER"),
    ] = "original"

    def problems(self) -> Iterator[str]:
        """Parameters that contradict each other, or want a library that is not there."""
        yield from super().problems()
        if self.caption_mode == "normalized" and find_spec(NORMALISER) is None:
            yield f"caption_mode normalized needs {NORMALISER}: {extras.command('speech')}"

    def made_with(self) -> dict[str, str]:
        """The normaliser, where it writes the text."""
        libraries = super().made_with()
        return libraries | (
            {NORMALISER: version(NORMALISER)} if self.caption_mode == "normalized" else {}
        )

    def transcript(self, text: str) -> str:
        """A text in the config's `caption_mode`.

        Args:
            text: as upstream has it.

        Returns:
            It as it is published.

        Raises:
            Dropped: nothing is left of it.
        """
        if self.caption_mode == "lower":
            written = text.lower()
        else:
            written = normaliser()(text) if self.caption_mode == "normalized" else text
        if not written.strip():
            raise Dropped(Outcome.BLANK_CAPTION, f"{text!r} in mode {self.caption_mode}")
        return written


@cache
def normaliser() -> Callable[[str], str]:
    """Whisper's English normaliser."""
    normalise: Callable[[str], str] = import_module(f"{NORMALISER}.english").EnglishTextNormalizer()
    return normalise


def own_fields(config: type[CorpusConfig]) -> list[str]:
    """Names of the parameters, without those that `datasets` gives every config."""
    return [field.name for field in fields(config) if field.name not in _OF_DATASETS]


def model(config: type[CorpusConfig]) -> type[BaseModel]:
    """The pydantic model of a config's parameters: it refuses unknown names and wrong values."""
    return _model(config)  # type: ignore[arg-type] # a class has a hash, whatever its objects have


@cache
def _model(config: type[CorpusConfig]) -> type[BaseModel]:
    hints = get_type_hints(config, include_extras=True)
    defaults = {field.name: field.default for field in fields(config)}
    parameters: Any = {name: (hints[name], defaults[name]) for name in own_fields(config)}
    return create_model(config.__name__, __config__=ConfigDict(extra="forbid"), **parameters)


def checked(kind: type[CorpusConfig], name: str, values: Parameters, where: str) -> Parameters:
    """All parameters of a config. Raises ConfigError for those that cannot be, `where` they are."""
    clean: Parameters = {}
    try:
        clean = model(kind)(**values).model_dump()
        problems = [*kind(name=name, **clean).problems()]
    except ValidationError as error:
        problems = [*_explain(error, kind)]
    raise_all((f"{where}: {problem}" for problem in problems), ConfigError)
    return clean


def _explain(error: ValidationError, kind: type[CorpusConfig]) -> Iterator[str]:
    """One sentence a parameter, though each type that it could have had says why it has not."""
    reasons: dict[str, list[Any]] = {}
    for reason in error.errors():
        reasons.setdefault(str(reason["loc"][0]), []).append(reason)
    for name, its_reasons in reasons.items():
        if its_reasons[0]["type"] == "extra_forbidden":
            yield absent("parameter", name, own_fields(kind))
        else:
            why = " or ".join(dict.fromkeys(reason["msg"] for reason in its_reasons))
            yield f"{name}: {why}, found {its_reasons[0]['input']!r}"
