"""Recordings with what is said in them when: VTT, SRT, RTTM, CTM, TextGrid; a record a stretch."""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from itertools import pairwise
from pathlib import PurePosixPath

from edge_glass.core.ledger import Outcome
from edge_glass.corpora.layouts.media_folders import kind_of
from edge_glass.corpora.layouts.record import Files, Record
from edge_glass.corpora.layouts.tables import split_word

CUE = re.compile(
    r"(?:(\d+):)?(\d+):(\d+)[.,](\d{1,3})\s*-->\s*(?:(\d+):)?(\d+):(\d+)[.,](\d{1,3})[^\n]*\n"
    r"((?:(?!(?:\d+\n)?[^\n]*-->)[^\n]+\n?)*)"  # to a blank line, or to the next cue
)
TAG = re.compile(r"<[^>\n]*>|\{\\[^}\n]*\}")
VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]+)>")
TIER = re.compile(r'"(IntervalTier|TextTier)"')
TOKEN = re.compile(r'"((?:[^"]|"")*)"|(?<![\w.\[])(-?\d+(?:\.\d+)?(?:[eE]-?\d+)?)(?![\w\]])')
NUMERIC = re.compile(r"-?\d+(\.\d+)?([eE]-?\d+)?")
CHANNELS = {name: number for number in range(16) for name in (str(number + 1), chr(65 + number))}
ENDINGS = ("vtt", "srt", "rttm", "ctm", "textgrid")


@dataclass(frozen=True)
class Stretch:
    """A stretch of a recording, seconds; of one that it is not beside the stem."""

    start: float
    end: float
    text: str | None = None
    speaker: str | None = None
    tier: str | None = None
    stem: str | None = None
    channel: str | None = None
    fault: str | None = None


def fits(files: Files) -> bool:
    """Whether there are such files and media."""
    suffixes = {name.rpartition(".")[2].lower() for name in files.names()}
    return bool(suffixes & {*ENDINGS}) and any(kind_of(f"x.{each}") for each in suffixes)


def records(files: Files) -> Iterator[Record]:
    """The stretches of all recordings, in the order of the files that tell of them."""
    media = {PurePosixPath(n).with_suffix("").as_posix(): n for n in files.names() if kind_of(n)}
    by_name = {stem.rpartition("/")[2]: name for stem, name in media.items()}
    for name in files.names():
        stem, _, ending = name.rpartition(".")
        if ending.lower() not in ENDINGS:
            continue
        stem = stem if stem in media else stem.rpartition(".")[0]  # talk.en.vtt is of talk
        stretches = [*READERS[ending.lower()](files.text(name))]
        channels = _channels(stretches)
        for number, each in enumerate(stretches, 1):
            recording = by_name.get(each.stem) if each.stem else media.get(stem)
            said = {"start": each.start, "end": each.end, "text": each.text}
            said |= {"speaker": each.speaker, "tier": each.tier, "recording": recording}
            said["channel"] = channels.get((each.stem, each.channel))
            record = Record(f"{name}#{number}", dict(said), split_word(name))
            if each.fault:
                record.dropped = (Outcome.MALFORMED_ROW, each.fault)
            elif recording is None:
                record.dropped = (Outcome.MISSING_MEDIA, f"no recording {each.stem or stem}")
            else:
                record.values["audio"] = recording  # of a video its sound is cut
            yield record


def _channels(stretches: list[Stretch]) -> dict[tuple[str | None, str | None], int]:
    """The numbers of channels, from 0; of a recording with one name for all there is none to tell.

    Tools that know of no channels write 1 everywhere.
    """
    names = defaultdict[str | None, set[str | None]](set)
    for each in stretches:
        names[each.stem].add(each.channel)
    several = ((stem, name) for stem, all_ in names.items() if len(all_) > 1 for name in all_)
    return {(stem, name): CHANNELS[name] for stem, name in several if name in CHANNELS}


def _cues(text: str) -> Iterator[Stretch]:
    """Of WebVTT and SubRip."""
    for cue in CUE.finditer(text.replace("\r\n", "\n")):
        start, end = (_seconds(cue.groups()[at : at + 4]) for at in (0, 4))
        voice = VOICE.search(cue[9])
        said = " ".join(unescape(TAG.sub("", cue[9])).split())
        yield Stretch(start, end, said or None, voice[1].strip() if voice else None)


def _seconds(parts: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, thousandths = (part or "0" for part in parts)
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{thousandths}")


def _rttm(text: str) -> Iterator[Stretch]:
    for line in text.splitlines():
        match line.split():
            case ["SPEAKER", file, channel, start, length, *rest]:
                names = [*(each for each in rest if each != "<NA>"), None]
                yield _stretch(line, start, length, file, speaker=names[0], channel=channel)


def _ctm(text: str) -> Iterator[Stretch]:
    for line in text.splitlines():
        match line.split():
            case [file, channel, start, length, word, *_] if not file.startswith(";;"):
                yield _stretch(line, start, length, file, text=word, channel=channel)


def _stretch(line: str, start: str, length: str, file: str, **said: str | None) -> Stretch:
    """What a line says, or its fault."""
    try:
        return Stretch(float(start), round(float(start) + float(length), 6), stem=file, **said)
    except ValueError:
        return Stretch(0, 0, stem=file, fault=f"no times: {line:.60}")


def _textgrid(text: str) -> Iterator[Stretch]:
    """The intervals with a label of all tiers, out of the long text format or the short one."""
    edges = [*(match.start() for match in TIER.finditer(text)), len(text)]
    if len(edges) == 1:
        yield Stretch(0, 0, fault="no tiers: it must be one of Praat's text files")
    for begin, stop in pairwise(edges):
        said = [token[2] or token[1] or "" for token in TOKEN.finditer(text[begin:stop])]
        kind, name, rest = said[0], "".join(said[1:2]), said[2:]
        if kind == "IntervalTier":
            for at in range(3, len(rest) - 2, 3):  # after the tier's own ends and its size
                start, end, label = rest[at : at + 3]
                label = label.replace('""', '"')
                if not (NUMERIC.fullmatch(start) and NUMERIC.fullmatch(end)):
                    yield Stretch(0, 0, label, tier=name, fault=f"no times: {label:.60}")
                elif label.strip():
                    yield Stretch(float(start), float(end), label, tier=name)


READERS = {"vtt": _cues, "srt": _cues, "rttm": _rttm, "ctm": _ctm, "textgrid": _textgrid}
