"""The parameters of corpora whose rows belong to classes of ImageNet: which ones, how many rows."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.key_digests import rank
from edge_glass.core.ledger import Outcome
from edge_glass.core.row import Row
from edge_glass.corpora.params import CorpusConfig
from edge_glass.domains.imagenet import class_sample
from edge_glass.domains.imagenet.caption_match import Rule, matcher
from edge_glass.domains.imagenet.class_sample import Positions, Ranks, Sample
from edge_glass.domains.imagenet.classes import imagenet, labels, listed, templates
from edge_glass.media.features import Features, Sequence, Value

Rows = Callable[[], Iterator[Row]]
Counts = dict[str, int]
PATH = ("wnid", "filename")


def kept_wnids(classes: list[str] | None, k: int | None, seed: int, draw: str) -> list[str]:
    """The wnids that a config with these parameters keeps, sorted."""
    wnids = listed(classes) if classes else tuple(labels())
    if draw == "original" and k:
        return sorted(wnids[place] for place in class_sample.choice(len(wnids), k))
    return sorted(sorted(wnids, key=lambda wnid: rank(seed, wnid))[:k])


def relabelled(parameters: Mapping[str, Any]) -> list[str] | None:
    """The wnids that the labels of a build count; None where labels are those of all classes."""
    names = ("classes", "k", "seed", "draw")
    return kept_wnids(*map(parameters.get, names)) if parameters.get("relabel") else None  # type: ignore[arg-type]


@dataclass
class ClassChoice(CorpusConfig):
    """Which classes are kept."""

    classes: Annotated[
        list[str] | None,
        Field(min_length=1, description="wnids of the classes to keep; in100: ImageNet-100"),
    ] = None
    k: Annotated[
        int | None, Field(ge=1, le=1000, description="so many of the classes; 10 lie inside 100")
    ] = None
    relabel: Annotated[
        bool, Field(description="labels from 0 up of the classes kept; label_ori: of all 1,000")
    ] = False
    draw: Annotated[
        Literal["nested", "original"],
        Field(description="original: as the papers drew what they published, by NumPy's seed 42"),
    ] = "nested"

    def problems(self) -> Iterator[str]:
        """Parameters that contradict each other."""
        yield from super().problems()
        if self.draw == "original" and self.seed:
            yield f"seed: draw original draws with seed {class_sample.SEED}: unset seed"
        if self.draw == "original" and self.k and self.classes:
            yield "draw original draws k of all classes: unset classes"
        try:
            number = len(self.kept_classes)
        except EdgeGlassError as error:
            yield from (f"classes: {problem}" for problem in error.problems)
        else:
            if self.k and number < self.k:
                yield f"k: {self.k} classes of {number} that there are"

    @cached_property
    def kept_classes(self) -> frozenset[str]:
        """The wnids that the config keeps."""
        return frozenset(kept_wnids(self.classes, self.k, self.seed, self.draw))

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Wnid -> its place among those that the config keeps."""
        return {wnid: number for number, wnid in enumerate(sorted(self.kept_classes))}

    def class_features(self) -> Features:
        """The columns that `class_columns` fills."""
        label = {"label": Value("int32")} | ({"label_ori": Value("int32")} if self.relabel else {})
        return {"wnid": Value("string")} | label | {"class_name": Value("string")}

    def class_columns(self, wnid: str) -> dict[str, Any]:
        """Wnid, label (its place among all 1,000 sorted wnids, or those kept) and name."""
        label = labels()[wnid]
        columns = {"wnid": wnid, "label": label, "class_name": imagenet()[label].name}
        return columns | ({"label": self.numbers[wnid], "label_ori": label} if self.relabel else {})


@dataclass
class ClassParams(ClassChoice):
    """How many rows of a class are kept. Rows have `wnid` among their fields."""

    lastk: Annotated[
        int, Field(ge=0, le=1000, description="so many of the rarest classes are trimmed")
    ] = 0
    ceil: Annotated[int, Field(ge=0, description="rows that a trimmed class keeps at most")] = 0
    shuffle: Annotated[bool, Field(description="rows in an order that follows from seed")] = False

    def problems(self) -> Iterator[str]:
        """Parameters that contradict each other."""
        yield from super().problems()
        if self.ceil and not self.lastk:
            yield "ceil says what the rarest classes keep: set lastk, too"
        if self.lastk and self.draw == "original":
            yield "lastk: the paper's code trims without a seed, nobody can draw that: unset draw"

    def sampled(self, rows: Rows, wanted: Counts | None = None) -> Iterator[Row]:
        """The rows in the config's order, those marked that it leaves out.

        `wanted`: wnid -> rows, where the config takes after the frequencies of others.
        """
        sample: Sample | Positions | None = None
        if self.draw == "original":
            sample = self.paper_sample(rows)
        elif self.needs_sample:
            sample = self.sample(self.ranks(rows), wanted)

        def marked() -> Iterator[Row]:
            for position, row in enumerate(rows()):
                row.dropped = row.dropped or self._left_out(row, position, sample)
                yield row

        if self.shuffle:
            return class_sample.shuffled(lambda: ((row.id, row) for row in marked()), self.seed)
        return marked()

    @property
    def needs_sample(self) -> bool:
        """Whether which row is kept depends on the others."""
        return bool(self.lastk)

    def ranks(self, rows: Rows) -> Ranks:
        """What a sample is drawn of."""
        return Ranks.of(
            (
                (self.group(row) if "wnid" in row.fields else 0, row.id, self.standing(row))
                for row in rows()
            ),
            self.seed,
        )

    def group(self, row: Row) -> int:
        """The number of what a row is drawn from: its label, 0 if it has none."""
        return labels().get(row.fields["wnid"], 0)

    def sample(self, ranks: Ranks, wanted: Counts | None = None) -> Sample:
        """What is kept of each class: here the tail is trimmed."""
        counts = ranks.counts(len(labels()))
        kept = [labels()[wnid] for wnid in sorted(self.kept_classes)]
        trimmed = {
            kept[at] for at in class_sample.tail([counts[label] for label in kept], self.lastk)
        }
        quotas = [self.ceil if label in trimmed else None for label in range(len(counts))]
        return class_sample.quotas(ranks, quotas)

    def paper_sample(self, rows: Rows) -> Positions:
        """What is kept where the papers' code draws: `subset` rows in the order of paths."""
        paths = np.array(["/".join(map(str, map(row.fields.get, PATH))) for row in rows()])
        ranks = self.ranks(rows)
        return Positions.of(class_sample.original(ranks, self.subset, paths), len(ranks.labels))

    def outside(self, row: Row) -> str | None:
        """Why the config leaves a row out, whatever other rows there are."""
        kept = row.fields["wnid"] in self.kept_classes
        return None if kept else f"class {row.fields['wnid']}"

    def standing(self, row: Row) -> int:
        """Whether a sample may take a row."""
        return class_sample.OUT if row.dropped or self.outside(row) else class_sample.IN

    @property
    def hashed_subset(self) -> float | int | None:
        """The subset that is taken by hashes of ids: none where the papers' code draws it."""
        return None if self.draw == "original" else self.subset

    def _left_out(
        self, row: Row, position: int, sample: Sample | Positions | None
    ) -> tuple[str, str] | None:
        why = self.outside(row)
        if sample is not None:
            ranked = rank(self.seed, row.id)
            if sample.takes(position, self.group(row), ranked, self.standing(row)):
                return None
            if not why and isinstance(sample, Positions) and self.subset:
                return Outcome.NOT_IN_SUBSET, ""
            why = why or "its class has enough rows"
        return (Outcome.NOT_IN_CONFIG, why) if why else None


@dataclass
class ClassNameParams(CorpusConfig):
    """How captions name their class, if they do (Wen et al., 2024)."""

    append_cname: Annotated[bool, Field(description="begin with the class, in a template")] = False
    mode: Annotated[
        Literal["cname", "a+cname", "photo", "openai80"],
        Field(description="`{}`, `a {}`, `a photo of a {}`, or one of OpenAI's 80, by seed"),
    ] = "cname"
    use_synset: Annotated[
        bool, Field(description="one of the synset's lemmas, by seed, as the class's name")
    ] = False

    def problems(self) -> Iterator[str]:
        """Parameters that contradict each other."""
        yield from super().problems()
        if not self.append_cname and (self.mode != "cname" or self.use_synset):
            yield "mode and use_synset say how the class is named: set append_cname, too"

    def named(self, id: str, wnid: str) -> str:
        """The class of a row in its template."""
        synset, prompts = imagenet()[labels()[wnid]], templates(self.mode)
        names = synset.lemmas if self.use_synset else (synset.name,)
        name = names[rank(self.seed, f"lemma {id}") % len(names)]
        return prompts[rank(self.seed, f"template {id}") % len(prompts)].format(name)


@dataclass
class MatchParams(ClassChoice):
    """How captions are matched to classes, and how rows that match several are written."""

    match: Annotated[
        Rule, Field(description="cls: the paper's rule; word: the longest lemma wins; laionet")
    ] = "cls"
    class_mode: Annotated[
        Literal["each", "all"], Field(description="each: one row a class; all: lists of classes")
    ] = "each"

    def match_features(self) -> Features:
        """The columns that `with_classes` fills."""
        features = self.class_features()
        if self.class_mode == "each":
            return features
        return {f"{name}s": Sequence(column) for name, column in features.items()}

    def matched(self, row: Row, caption: str | None) -> Row:
        """The row with its classes among its fields, or dropped if it has none that is kept."""
        if row.dropped or not caption or not caption.strip():
            row.dropped = row.dropped or (Outcome.BLANK_CAPTION, "")
            return row
        matches = [imagenet()[label].wnid for label in matcher(self.match)(caption)]
        row.fields |= {"caption": caption, "wnids": [w for w in matches if w in self.kept_classes]}
        if not matches:
            row.dropped = (Outcome.NO_CLASS, "")
        elif not row.fields["wnids"]:
            row.dropped = (Outcome.NOT_IN_CONFIG, f"class {', '.join(matches)}")
        return row

    def with_classes(self, example: dict[str, Any], wnids: list[str]) -> Iterator[dict[str, Any]]:
        """The example once a class with `#wnid` after its id, or once with all its classes."""
        columns = [self.class_columns(wnid) for wnid in wnids]
        if self.class_mode == "each":
            for values in columns:
                yield example | {"id": f"{example['id']}#{values['wnid']}"} | values
        else:
            names = zip(self.match_features(), self.class_features(), strict=True)
            yield example | {many: [values[one] for values in columns] for many, one in names}
