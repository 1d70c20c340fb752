"""The columns of data that nobody has described: what each key of their records is."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from edge_glass.core.errors import ChoiceError
from edge_glass.core.spec import Column, Role
from edge_glass.corpora.key_profile import FEW, IDS, KeyProfile
from edge_glass.corpora.layouts.media_columns import Media, column_name
from edge_glass.corpora.layouts.record import Record

CAPTIONS = (
    "caption", "captions", "text", "txt", "sentence", "transcript", "transcription", "description",
    "alt_text", "alt", "normalized", "lab",
)  # fmt: skip
IN_A_LANGUAGE = re.compile(r"(?i)captions?_[a-z]{2}")
LABELS = ("label", "labels", "class", "class_name", "category", "genre", "cls")
DIGESTS: dict[str, Role] = {"md5": "md5", "sha256": "sha256"}
HEX = {"md5": 32, "sha256": 64}
SPANS = (
    ("start", "end", "end"),
    ("start_time", "end_time", "end"),
    ("begin", "end", "end"),
    ("offset", "duration", "length"),
)
CHANNELLED = ("kaldi", "lhotse", "timed")  # layouts
NUMBERS = ("int64", "float64", "bool")


def stop(name: str, what: str, *ways: str) -> ChoiceError:
    """Two readings are possible: what they are, and the options that decide."""
    error = ChoiceError("\n".join([f"{name}: {what}. Say which:", *(f"  {way}" for way in ways)]))
    error.question, error.choices = what, ways
    return error


def with_channel(layout: str, sample: list[Record], roles: dict[str, str]) -> dict[str, str]:
    """The roles of keys; where a layout numbers channels from 0 that key is known, too."""
    numbered = layout in CHANNELLED and any("channel" in record.values for record in sample)
    return ({"channel": "channel"} if numbered else {}) | roles


@dataclass
class Keys:
    """The keys of all records, and what the user says they are."""

    name: str  # of the data
    profiles: dict[str, KeyProfile]
    rows: int  # that are whole
    media: list[Media]
    roles: dict[str, str]  # key -> role, as the user says
    sample: list[Record]
    classes: dict[str, list[str]] = field(default_factory=dict)  # key -> names, as its file says
    left_out: dict[str, str] = field(default_factory=dict)  # key -> why

    def columns(self, taken: Sequence[str | None], classes: Column | None) -> dict[str, Column]:
        """All columns, in the order in which they are published. `taken`: keys that are none."""
        columns = {
            column_name(media, self.media): Column(
                role=media.kind,
                key=media.key,
                stored_as=media.stored_as,
                type="[string]" if media.several else "string",
            )
            for media in self.media
        }
        used = {media.read_from for media in self.media if media.stored_as != "url"}
        id, captions = self._id(), self._captions()
        if id:
            columns["id"] = Column(role="id", key=id)
        if captions:
            one = len(captions) == 1 and not self.profiles[captions[0]].type.startswith("[")
            key = captions[0] if len(captions) == 1 else captions
            columns["caption"] = Column(
                role="caption", key=key, type="string" if one else "[string]"
            )
        if classes:
            columns["label"] = classes
        for key, profile in self.profiles.items():
            if key in {*used, *captions, *taken, id} or key in self.left_out:
                continue
            if self.roles.get(key) == "none":
                self.left_out[key] = "as you said"
            elif not profile.rows:
                self.left_out[key] = "empty in every record"
            else:
                columns[self._free(key, columns)] = self._column(key, profile)
        return columns

    @cached_property
    def _spans(self) -> dict[str, Role]:
        """The keys that say which seconds of a recording a record is."""
        roles: dict[str, Role] = {"start": "start", "end": "end", "length": "length"}
        said = {key: roles[role] for key, role in self.roles.items() if role in roles}
        sounds = any(media.kind == "audio" for media in self.media)
        for start, other, role in SPANS if sounds else ():
            as_said = self.roles.get(start, "start"), self.roles.get(other, role)
            if as_said != ("start", role) or not said.keys() <= {start, other}:
                continue
            numbers = [self.profiles[k].type for k in (start, other) if k in self.profiles]
            if len(numbers) == 2 and all(each in ("int64", "float64") for each in numbers):
                return {start: "start", other: roles[role]}
            if numbers == ["string", "string"] and not said:
                raise stop(
                    self.name, f"{start} and {other} are not in seconds (write 1.5 for 0:01.5)",
                    f"--column {start}=text  (recordings are not cut)",
                )  # fmt: skip
        return said

    def _free(self, key: str, columns: dict[str, Column]) -> str:
        """The column's name: the key, where no other column has it."""
        ours = {"id", "width", "height", "duration", "fps", "captions", "caption", "sampling_rate"}
        ours |= {"image_jpegs", *map(str.lower, columns)}
        if self.profiles[key].type != "string":  # as the report counts texts of these names
            ours |= {"license", "language"}
        taken = key.lower() in ours or key.startswith("row.")
        return f"listed_{key}" if taken else key or "unnamed"

    def _column(self, key: str, profile: KeyProfile) -> Column:
        name, said = key.lower(), self.roles.get(key)
        ways = [media.stored_as for media in self.media]
        # of several media a digest may be any one's; img2dataset's is of what it resized
        alone = ways == ["url"] or (ways == ["file"] and "original_width" not in self.profiles)
        hexes = [e for e in profile.examples if re.fullmatch("[0-9a-fA-F]+", str(e))]
        if said in DIGESTS or (
            said is None and alone and len(str((hexes or [""])[0])) == HEX.get(name)
        ):
            return Column(role=DIGESTS[said or name], key=key)
        if said is None and key in self.classes and profile.type in ("int64", ""):
            return Column(role="label", key=key, names=self.classes[key])
        label = said == "label" or (said is None and name in LABELS)
        if label and profile.type in ("string", "int64", "bool") and len(profile.few) <= FEW:
            names = sorted(profile.few) if profile.type == "string" else None
            return Column(role="label", key=key, type=profile.type, names=names)
        number = profile.type in NUMBERS and said != "text"
        if said == "channel":
            return Column(role="channel", key=key, type="int64")
        role: Role = self._spans.get(key, "number" if number else "text")
        return Column(
            role=role, key=key, type="string" if said == "text" else profile.type or "json"
        )

    def _captions(self) -> list[str]:
        """The keys that are captions of a record."""
        said = [key for key, role in self.roles.items() if role == "caption"]
        texts = ("string", "[string]")
        free = [k for k, p in self.profiles.items() if p.type in texts and k not in self.roles]
        named = [
            k
            for k in free
            if k.lower().removesuffix("_txt") in CAPTIONS or IN_A_LANGUAGE.fullmatch(k)
        ]
        numbered = [key for key in free if re.fullmatch(r"(?i)captions?_?\d+", key)]
        if said or (numbered and not named):
            return said or numbered
        for key in named[1:]:
            if all(_bare(r, key) == _bare(r, named[0]) for r in self.sample):
                self.left_out[key] = f"the same as {named[0]}"
        named = [key for key in named if key not in self.left_out]
        if len(named) > 1:
            ways = [f"--caption {key}  (others stay as text)" for key in named]
            raise stop(
                self.name, f"{', '.join(named)} may each be the caption", *ways,
                f"--caption {','.join(named)}  (several captions a row)",
            )  # fmt: skip
        return named

    def _id(self) -> str | None:
        """A key that tells all records apart."""
        said = [key for key, role in self.roles.items() if role == "id"]
        apart = [k for k, p in self.profiles.items() if p.unique and p.rows >= self.rows]
        free = [key for key in apart if key not in self.roles]
        named = [key for key in free if key.lower() in IDS]
        files = [m.read_from for m in self.media if m.stored_as == "file" and m.read_from in free]
        return next(iter([*said, *named, *files]), None)


def _bare(record: Record, key: str) -> str:
    """A value as a file of it alone has it: nothing is an empty text, and blanks are gone."""
    return str(record.values.get(key) or "").strip()
