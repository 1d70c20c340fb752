"""Hugging Face's own way to build: `download_and_prepare`, `as_dataset`, `as_streaming_dataset`."""

from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, ClassVar, cast

import datasets

from edge_glass.core import interrupts
from edge_glass.core.ledger import LEFT_OUT, Dropped, Outcome
from edge_glass.core.row import Example, Row
from edge_glass.corpora.corpus import Corpus
from edge_glass.corpora.params import checked
from edge_glass.corpora.selection import Selection
from edge_glass.media.decoding import decodable, published
from edge_glass.sources import prefetch
from edge_glass.sources.obtain import obtain
from edge_glass.sources.raw import Raw

SPAN = 1000  # rows in one item of the lists that `datasets` spreads over processes


class DatasetsBuilder(datasets.GeneratorBasedBuilder):
    """What a corpus has besides its own, to be a builder of `datasets`."""

    KIND: ClassVar[type[Corpus]]

    def __init__(self, *args: Any, dataset_name: str | None = None, **kwargs: Any) -> None:
        # the hash keeps `datasets` from taking an older builder's cache for ours
        kwargs["hash"] = kwargs.get("hash") or self.code_hash()
        name = dataset_name or self.corpus
        datasets.GeneratorBasedBuilder.__init__(self, *args, dataset_name=name, **kwargs)
        checked(
            type(self.config), self.config.name, self.parameters(), self.said_at(self.config.name)
        )

    def __reduce__(self) -> Any:
        """By the corpus's own class, which other processes can import."""
        return _blank, (self.KIND,), self.__getstate__()

    def _info(self) -> datasets.DatasetInfo:
        spec = self.spec()
        return datasets.DatasetInfo(
            description=spec.title,
            features=published(self.columns()),
            homepage=str(spec.homepage or ""),
            license=spec.licence,
            citation=spec.citation or "",
        )

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        # a cache that was there before brings the library's own Audio, which needs torch
        self.info.features = published(self.columns())
        raw = obtain(
            self.request(),
            Path(self.config.data_dir) if self.config.data_dir else None,
            facts=False,
        )
        selection = Selection.of(self, raw)
        return [
            datasets.SplitGenerator(
                name=split,
                gen_kwargs={
                    "split": (split,),
                    "raw": (raw,),
                    "selection": (selection,),
                    "spans": list(pairwise([*range(0, count, SPAN), count])) or [(0, 0)],
                },
            )
            for split, count in selection.rows.items()
        ]

    def _generate_examples(
        self,
        split: tuple[str],
        raw: tuple[Raw],
        selection: tuple[Selection],
        spans: list[tuple[int, int]],
    ) -> Iterator[tuple[str, Example]]:
        rows_of = partial(selection[0].rows_of, self, split[0], raw[0])
        for row, media in prefetch.media([_inside(rows_of, spans)], raw[0]):
            try:
                if row.dropped:
                    raise Dropped(Outcome(row.dropped[0]), row.dropped[1])
                with interrupts.guarded():
                    examples = self.all_examples(row, media)
                for example in examples:
                    yield example["id"], example
            except Dropped as drop:
                if drop.outcome not in LEFT_OUT:
                    said = f"{self.corpus}: {row.id} dropped: {drop.outcome} {drop.detail}"
                    datasets.logging.get_logger(__name__).warning(said)

    def _as_dataset(self, *args: Any, **kwargs: Any) -> datasets.Dataset:
        return cast(datasets.Dataset, decodable(super()._as_dataset(*args, **kwargs)))


@cache
def builder_class(kind: type[Corpus]) -> type[Corpus]:
    """The builder of `datasets` that a corpus is."""
    if issubclass(kind, DatasetsBuilder):
        return kind
    spec, config = kind.spec(), kind.BUILDER_CONFIG_CLASS
    about = {"__module__": kind.__module__, "__doc__": kind.__doc__}
    builder: Any = type(kind.__name__, (kind, DatasetsBuilder), about | {"KIND": kind})
    builder.BUILDER_CONFIG_CLASS = type(config.__name__, (config, datasets.BuilderConfig), about)
    builder.VERSION = datasets.Version(spec.version)
    builder.DEFAULT_CONFIG_NAME = kind.corpus if kind.corpus in spec.configs else None
    builder.BUILDER_CONFIGS = [builder.configure(name, name) for name in spec.configs]
    return cast(type[Corpus], builder)


def _blank(kind: type[Corpus]) -> Corpus:
    return kind.__new__(kind)


def _inside(rows_of: Callable[[], Iterator[Row]], spans: list[tuple[int, int]]) -> Iterator[Row]:
    """The rows whose positions lie in the spans; they are read again only where spans go back."""
    at, left = 0, rows_of()
    for start, stop in spans:
        if start < at:
            at, left = 0, rows_of()
        yield from islice(left, start - at, stop - at)
        at = stop
