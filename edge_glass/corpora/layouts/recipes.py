"""Folders of speech as recipes for it are fed: LJSpeech, VoxForge, Kaldi and ESPnet, Lhotse."""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from edge_glass.core.ledger import Outcome
from edge_glass.core.row import JsonObject
from edge_glass.corpora.layouts.media_folders import kind_of
from edge_glass.corpora.layouts.record import Files, Record
from edge_glass.corpora.layouts.table_records import of_file
from edge_glass.corpora.layouts.tables import split_word
from edge_glass.sources.fields import is_text

LJ_LINE = re.compile(r"[^|\n]+\|[^|\n]*\|[^|\n]*")
LHOTSE = re.compile(r"(^|.*[_-])(cuts|recordings|supervisions)([_.-].*)?\.jsonl(\.gz)?")
SHAR = re.compile(r"(.*/)?recording\.(\w+)\.tar/(.+)\.\w+")
PROMPTS = {"PROMPTS": "normalized_text", "prompts-original": "text", "txt.done.data": "text"}
DONE = re.compile(r'\(\s*(\S+)\s+"(.*)"\s*\)')  # of Festival: ( arctic_a0001 "Author of …" )
OF_SPEAKER = re.compile(r"(\w[\w /]*):[ \t]*(\S.*)")
OF_KEYS = re.compile(r"text$|utt2|spk2(?!utt$)")  # Kaldi's tables of utterances and speakers
OF_JOBS = re.compile(r"(^|/)split\d+(utt)?/\d+$")  # shares of a folder for several processes
OUTSIDE = 4  # folders around the data in which files are looked for
COMMAND = (Outcome.UNSUITABLE_MEDIA, "its path is a command, and commands are not run")


def is_ljspeech(files: Files) -> bool:
    """Whether `metadata.csv` has no header, and lines of id, text and perhaps normalized text."""
    for name in files.names():
        if PurePosixPath(name).name == "metadata.csv":
            line = files.text(name).partition("\n")[0]
            id, bar, _ = line.partition("|")
            if LJ_LINE.match(line) and "file_name" not in line:
                return True
            if bar and files.there(str(PurePosixPath(name).parent / "wavs" / f"{id}.wav")):
                return True
    return False


def ljspeech(files: Files) -> Iterator[Record]:
    """A record a line of `metadata.csv`; the sounds are in `wavs/`."""
    for name in files.names():
        if PurePosixPath(name).name == "metadata.csv":
            base = name.rpartition("/")[0]
            for line in filter(None, files.text(name).split("\n")):
                id, _, text = line.rstrip("\r").partition("|")
                raw, _, normalized = text.partition("|")
                sound = str(PurePosixPath(base, "wavs", f"{id}.wav"))
                said = {"id": id, "audio": sound, "text": raw, "normalized_text": normalized}
                yield Record(id, {key: value or None for key, value in said.items()})


def is_voxforge(files: Files) -> bool:
    """Whether a folder `etc` has prompts of sounds, as VoxForge's and Festival's speakers do."""
    names = [*files.names()]
    return any(map(_is_prompts, names)) and any(kind_of(name) == "audio" for name in names)


def _is_prompts(name: str) -> bool:
    path = PurePosixPath(name)
    return path.parent.name == "etc" and path.name in PROMPTS


def voxforge(files: Files) -> Iterator[Record]:
    """A record a prompt in the `etc` of each speaker, whose sounds are in the folders beside it.

    What `etc/README` says of the speaker are further keys.
    """
    recordings, speakers = dict[tuple[str, str], str](), dict[str, list[str]]()
    for name in files.names():
        path = PurePosixPath(name)
        speaker = str(path.parent.parent)
        if kind_of(name) == "audio":
            recordings[speaker, path.stem] = name
        elif _is_prompts(name):
            speakers.setdefault(speaker, []).append(name)
    for speaker, names in speakers.items():
        texts, said = dict[str, dict[str, str]](), _of_speaker(files, speaker)
        for name in names:
            for id, text in _prompts(files, name):
                texts.setdefault(id, {})[PROMPTS[PurePosixPath(name).name]] = text
        for id, prompts in texts.items():
            where, sound = str(PurePosixPath(speaker, id)), recordings.get((speaker, id))
            values: JsonObject = {"id": where, "audio": sound} | said
            values |= {"text": next(iter(prompts.values()))} | prompts
            lost = None if sound else (Outcome.MISSING_MEDIA, f"no recording of prompt {id}")
            yield Record(where, values, split_word(f"{speaker}/x"), dropped=lost)


def _prompts(files: Files, name: str) -> Iterator[tuple[str, str]]:
    """Id and text of each prompt; of `speaker/mfc/a0001` the last part is the id."""
    for first, rest in _pairs(files, name):
        done = DONE.fullmatch(f"{first} {rest}")
        yield (done[1], done[2]) if done else (first.rpartition("/")[2], rest)


def _of_speaker(files: Files, speaker: str) -> dict[str, str]:
    """What the README says, under its words; and who it is, which `anonymous` does not tell."""
    folder = PurePosixPath(speaker).name
    name = folder.rsplit("-", 2)[0]
    said = {"speaker": folder if name.lower().startswith("anonymous") else name}
    readme = str(PurePosixPath(speaker, "etc", "README"))
    for line in files.text(readme).splitlines() if files.there(readme) else ():
        if pair := OF_SPEAKER.fullmatch(line.strip()):
            value = pair[2].strip(" ;.[]")  # Gender: [female];
            if value.lower() not in ("n/a", "unknown", "") and is_text(value):
                said[re.sub(r"\W+", "_", pair[1].strip().lower())] = value
    return said


def is_kaldi(files: Files) -> bool:
    """Whether there is a `wav.scp`."""
    return any(PurePosixPath(name).name == "wav.scp" for name in files.names())


def kaldi(files: Files) -> Iterator[Record]:
    """A record an utterance, of each folder with a `wav.scp`; `utt2…`, `spk2…` are further keys."""
    for folder, names in files.folders():
        tables = {PurePosixPath(name).name: name for name in names}
        if "wav.scp" in tables and not OF_JOBS.search(folder):
            yield from _kaldi_folder(files, folder, tables)


def _kaldi_folder(files: Files, folder: str, tables: dict[str, str]) -> Iterator[Record]:
    said = {name: dict(_pairs(files, tables[name])) for name in tables if OF_KEYS.match(name)}
    sounds = dict(_pairs(files, tables["wav.scp"]))
    segments = [*_pairs(files, tables.get("segments"))]
    split = split_word(f"{folder}/x") or folder.rpartition("/")[2]
    named = segments or [(id, id) for id, _ in _pairs(files, tables["wav.scp"])]
    unheard = [(id, "") for id in said.get("text", {}).keys() - dict(named)]
    for id, where in named + sorted(unheard):
        recording, *times = where.split() or [""]
        speaker, place = said.get("utt2spk", {}).get(id, ""), sounds.get(recording, "")
        values: JsonObject = {
            "speaker": speaker or None,
            "id": id,
            "text": said.get("text", {}).get(id),
        }
        for name, all_ in said.items():
            if name not in ("text", "utt2spk"):
                values[name[4:]] = all_.get(id if name.startswith("utt") else speaker)
        values["audio"] = _there(files, folder, place) if place else None
        lost = COMMAND if place.endswith("|") else None
        if times:
            try:
                values |= _segment(*times)
            except (TypeError, ValueError):
                lost = (Outcome.MALFORMED_ROW, f"segments: {where:.60}")
        yield Record(f"{folder}/{id}", values, split, dropped=lost)


def _segment(start: str, end: str, channel: str | None = None) -> JsonObject:
    """An end below 0 is that of the recording."""
    said = {"start": float(start), "end": float(end) if float(end) >= 0 else None}
    return said | ({"channel": int(channel)} if channel else {})


def _pairs(files: Files, name: str | None) -> Iterator[tuple[str, str]]:
    """First word and rest of each line of a file, if there is one."""
    for line in files.text(name).splitlines() if name else ():
        if line.strip():
            first, *rest = line.split(maxsplit=1)
            yield first, rest[0].strip() if rest else ""


def _there(files: Files, folder: str, place: str) -> str:
    """A path as it is found: from the folder of its table, or one around it.

    Of one that began elsewhere, where tools wrote it, what stands behind the root's name. A recipe
    names files from the folder that it runs in, which may be around the data.
    """
    if place.endswith("|") or (place.startswith("/") and Path(place).is_file()):
        return place
    around = [PurePosixPath(folder), *PurePosixPath(folder).parents]
    tried = [str(PurePosixPath(each, place)) for each in around]
    _, _, below = f"/{place}".partition(f"/{files.root.name}/")
    within = (name for name in (*tried, below) if name and not name.startswith("/"))
    outside = [str(PurePosixPath(*[".."] * up, place)) for up in range(1, OUTSIDE)]
    beside = (name for name in outside if files.root.is_dir() and (files.root / name).is_file())
    return next((name for name in within if files.there(name)), None) or next(beside, tried[0])


def is_lhotse(files: Files) -> bool:
    """Whether there are manifests of cuts, or of recordings and supervisions."""
    return any(LHOTSE.fullmatch(PurePosixPath(name).name) for name in files.names())


def lhotse(files: Files) -> Iterator[Record]:
    """A record a cut; without cuts one a supervision."""
    files_of: dict[str, list[str]] = {}
    for name in files.names():
        if kind := LHOTSE.fullmatch(PurePosixPath(name).name):
            files_of.setdefault(kind[2], []).append(name)

    def every(kind: str) -> Iterator[Record]:
        return (record for name in files_of.get(kind, ()) for record in of_file(files, name))

    if "cuts" in files_of:
        sounds = _of_shar(files)
        yield from (_cut(files, record, record.values, sounds) for record in every("cuts"))
        return
    recordings = {record.values.get("id"): record.values for record in every("recordings")}
    for record in every("supervisions"):
        said = record.values
        recording = recordings.get(said.get("recording_id"), {})
        cut = said | {"recording": recording, "supervisions": [said]}
        yield _cut(files, record, cut, {})


def _of_shar(files: Files) -> dict[tuple[str, str], str]:
    """The recordings in Shar's tars, by the shard and the cut that they are of."""
    members = ((SHAR.fullmatch(name), name) for name in files.names() if kind_of(name))
    return {((p[1] or "") + p[2], p[3]): name for p, name in members if p}


def _cut(
    files: Files, record: Record, cut: JsonObject, sounds: dict[tuple[str, str], str]
) -> Record:
    id, cut = cut.get("id"), _unpadded(record, cut)
    recording, said = cut.get("recording") or {}, cut.get("supervisions") or []
    (source, *_) = recording.get("sources") or [{}]
    values: JsonObject = {}
    for custom in (each.get("custom") for each in (*said[:1], cut)):
        values |= custom if isinstance(custom, dict) else {}
    values |= {key: said[0].get(key) for key in ("speaker", "language", "gender") if said}
    values["text"] = " ".join(str(each["text"]) for each in said if each.get("text")) or None
    start, length = cut.get("start"), cut.get("duration")
    if isinstance(start, int | float) and isinstance(length, int | float):
        values |= {"start": float(start), "end": round(start + length, 6)}
    values |= {"id": str(id), "recording_id": recording.get("id")}
    there = source.get("channels") or []
    if len(there) > 1 and cut.get("channel") in there:  # of several it has a list
        values["channel"] = there.index(cut["channel"])
    changes = [each.get("name") for each in recording.get("transforms") or ()]
    if changes and record.dropped is None and {*changes} != {"Resample"}:
        record.dropped = (Outcome.UNSUITABLE_MEDIA, f"a recording changed by {changes[0]}")
    if source.get("type") == "file":
        values["audio"] = _there(files, record.base, str(source.get("source")))
    elif source.get("type") == "shar":
        shard = record.where.partition(" row ")[0].removesuffix(".gz").removesuffix(".jsonl")
        folder, _, number = shard.rpartition("cuts.")
        values["audio"] = sounds.get((folder + number, str(id)))
    elif record.dropped is None:
        kind = source.get("type")
        other = (Outcome.UNSUITABLE_MEDIA, f"its source is of type {kind}, not a file")
        record.dropped = COMMAND if kind == "command" else other
    record.values, record.base = values, ""  # the file is named from the root
    record.where = f"{record.where.partition(' row ')[0]}#{values['id']}"
    return record


def _unpadded(record: Record, cut: JsonObject) -> JsonObject:
    """The only cut of a recording in one that was padded; a mix of several loses its record."""
    tracks = [each.get("cut") for each in cut.get("tracks") or () if isinstance(each, dict)]
    real = [each for each in tracks if isinstance(each, dict) and each.get("type") != "PaddingCut"]
    if len(real) == 1:
        return real[0]
    if tracks and record.dropped is None:
        record.dropped = (Outcome.UNSUITABLE_MEDIA, f"a mix of {len(real)} cuts")
    return cut
