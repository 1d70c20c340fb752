"""The parameters of corpora whose rows belong to classes of ImageNet: which ones, how many rows."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Annotated, Any, Literal

from pydantic import Field

from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.key_digests import rank
from edge_glass.core.ledger import Outcome
from edge_glass.core.libraries import np, pa, pc
from edge_glass.core.row import DETAIL, OUTCOME, Batches, Features
from edge_glass.core.row_marks import marked
from edge_glass.corpora.params import CorpusConfig
from edge_glass.domains.imagenet import class_sample
from edge_glass.domains.imagenet.caption_match import Labels, Rule, matcher
from edge_glass.domains.imagenet.class_sample import Ranks, Rows
from edge_glass.domains.imagenet.classes import imagenet, labels, listed, templates
from edge_glass.media.features import Sequence, Value, arrow_type

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

    def class_features(self) -> Features:
        """The columns that `class_columns` fills."""
        label = {"label": Value("int32")} | ({"label_ori": Value("int32")} if self.relabel else {})
        return {"wnid": Value("string")} | label | {"class_name": Value("string")}

    def class_columns(self, wnids: Iterable[str | None]) -> "dict[str, pa.Array]":
        """Label (its place among all 1,000 sorted wnids, or those kept) and name of each wnid."""
        at = pa.array([labels().get(wnid or "") for wnid in wnids], pa.int32())
        return {name: each.take(at) for name, each in self.by_label.items() if name != "wnid"}

    @cached_property
    def by_label(self) -> "dict[str, pa.Array]":
        """What each of the 1,000 classes has in the columns of `class_features`."""
        values: dict[str, list[Any]] = {
            "wnid": [*labels()],
            "label": [*labels().values()],
            "class_name": [synset.name for synset in imagenet()],
        }
        if self.relabel:
            places = {wnid: place for place, wnid in enumerate(sorted(self.kept_classes))}
            values |= {"label": [*map(places.get, labels())], "label_ori": values["label"]}
        features = self.class_features()
        return {name: pa.array(values[name], arrow_type(features[name])) for name in features}


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

    def sampled(self, batches: Batches, wanted: Counts | None = None) -> Batches:
        """The rows as the config takes them.

        Args:
            batches: with the column `wnid`; asked for twice where rows are counted first.
            wanted: wnid -> rows, where the config takes after the frequencies of others.

        Returns:
            The rows in the config's order, those marked that it leaves out.
        """
        mask: Rows | None = None
        if self.draw == "original":
            mask = self.paper_sample(batches)
        elif self.needs_sample:
            mask = self.sample(self.ranks(batches), wanted)

        def taken() -> "Iterator[pa.RecordBatch]":
            end = 0
            for rows in batches():
                start, end = end, end + rows.num_rows
                yield self._marked(rows, None if mask is None else mask[start:end])

        return (lambda: class_sample.shuffled(taken, self.seed)) if self.shuffle else taken

    @property
    def needs_sample(self) -> bool:
        """Whether which row is kept depends on the others."""
        return bool(self.lastk)

    def ranks(self, batches: Batches) -> Ranks:
        """What a sample is drawn of."""
        ranks_of = class_sample.ranks_of
        parts = ((self.group(b), ranks_of(b, self.seed), self.standing(b)) for b in batches())
        return Ranks.of(parts)

    def group(self, rows: "pa.RecordBatch") -> Rows:
        """The number of what each row is drawn from: its label, 0 if it has none."""
        at = pc.index_in(rows["wnid"], self.by_label["wnid"]).fill_null(0)
        return np.asarray(at).astype(np.int16)

    def sample(self, ranks: Ranks, wanted: Counts | None = None) -> Rows:
        """What is kept of each class: here the tail is trimmed."""
        counts = ranks.counts(len(labels()))
        kept = [labels()[wnid] for wnid in sorted(self.kept_classes)]
        trimmed = {
            kept[at] for at in class_sample.tail([counts[label] for label in kept], self.lastk)
        }
        quotas = [self.ceil if label in trimmed else None for label in range(len(counts))]
        return class_sample.quotas(ranks, quotas)

    def paper_sample(self, batches: Batches) -> Rows:
        """What is kept where the papers' code draws: `subset` rows in the order of paths."""
        parts = ([rows[name].fill_null("None") for name in PATH] for rows in batches())
        texts = (pc.binary_join_element_wise(*part, "/").to_pylist() for part in parts)
        paths, ranks = np.array([*chain.from_iterable(texts)]), self.ranks(batches)
        positions = class_sample.original(ranks, self.subset, paths)
        return class_sample.mask_of(positions, len(paths))

    def outside(self, rows: "pa.RecordBatch") -> "pa.Array":
        """Why the config leaves each row out, whatever others there are; null if it does not."""
        kept = pc.is_in(rows["wnid"], pa.array(sorted(self.kept_classes)))
        why = pc.binary_join_element_wise("class ", rows["wnid"].fill_null("None"), "")
        return pc.if_else(kept, None, why)

    def standing(self, rows: "pa.RecordBatch") -> Rows:
        """Whether a sample may take each row."""
        out = pc.or_(pc.invert(self.undecided(rows)), self.outside(rows).is_valid())
        return np.where(np.asarray(out), class_sample.OUT, class_sample.IN).astype(np.int8)

    def undecided(self, rows: "pa.RecordBatch") -> "pa.Array":
        """The rows that a sample decides about: a text that cannot be written is told after it."""
        return pc.equal(rows[OUTCOME], Outcome.BAD_ENCODING).fill_null(True)

    @property
    def hashed_subset(self) -> float | int | None:
        """The subset that is taken by hashes of ids: none where the papers' code draws it."""
        return None if self.draw == "original" else self.subset

    def _marked(self, rows: "pa.RecordBatch", taken: "Rows | None") -> "pa.RecordBatch":
        why, left = self.outside(rows), self.undecided(rows)
        if taken is not None:
            if self.draw == "original" and self.subset:
                others = pc.and_(pc.and_not(left, pa.array(taken)), why.is_null())
                rows = marked(rows, others, Outcome.NOT_IN_SUBSET, "")
                left = pc.and_not(left, others)
            why = pc.if_else(pa.array(taken), None, why.fill_null("its class has enough rows"))
        return marked(rows, pc.and_(left, why.is_valid()), Outcome.NOT_IN_CONFIG, why)


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
        """The class of a row in its template.

        Args:
            id: of the row, which chooses among templates and names.
            wnid: of the class.

        Returns:
            A caption.
        """
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
        """The columns of the classes that a caption names."""
        return self.each_class() or {
            f"{name}s": Sequence(column) for name, column in self.class_features().items()
        }

    def each_class(self) -> Features:
        """Those of which each class makes an example by itself."""
        return self.class_features() if self.class_mode == "each" else {}

    def matched(self, columns: dict[str, Any]) -> dict[str, Any]:
        """The classes that captions name.

        Args:
            columns: of rows, with `caption`.

        Returns:
            The columns of the rows with those of their classes; rows that name none are dropped.
        """
        texts, match = columns["caption"], matcher(self.match)
        named = [match(text) if text and text.strip() else () for text in texts]
        kept, wanted = named, {labels()[wnid] for wnid in self.kept_classes}
        if len(wanted) < len(labels()):
            kept = [tuple(label for label in each if label in wanted) for each in named]
        outcomes, details = (columns.get(mark, [None] * len(texts)) for mark in (OUTCOME, DETAIL))
        for row, classes in enumerate(kept):
            if not classes and outcomes[row] is None:
                outcomes[row], details[row] = _no_class(texts[row], named[row])
        ends = pa.array(np.cumsum([0, *map(len, kept)]), pa.int32())
        flat = pa.array([*chain.from_iterable(kept)], pa.int32())
        lists = {
            name: pa.ListArray.from_arrays(ends, each.take(flat))
            for name, each in zip(self.match_features(), self.by_label.values(), strict=True)
        }
        return columns | lists | {OUTCOME: outcomes, DETAIL: details}


def _no_class(text: str | None, named: Labels) -> tuple[Outcome, str]:
    """Why a caption has no class that is kept."""
    if named:
        return Outcome.NOT_IN_CONFIG, f"class {', '.join(imagenet()[each].wnid for each in named)}"
    return Outcome.NO_CLASS if text and text.strip() else Outcome.BLANK_CAPTION, ""
