"""Shards of samples that other tools wrote: MDS."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from edge_glass.corpora.layouts.record import Files, Record
from edge_glass.corpora.layouts.tables import split_word
from edge_glass.sources import mds


def mds_records(files: Files) -> Iterator[Record]:
    """The samples of all indexes, in the order of their folders."""
    for index in sorted(files.root.rglob(mds.INDEX)):
        for shard in mds.shards(index):
            name = shard.path.relative_to(files.root).as_posix()
            split = split_word(f"{PurePosixPath(name).parent}/x")
            for number in range(shard.samples):
                where = f"{name}/{number}"
                values = {
                    column: f"{where}/{column}"
                    if shard.columns[column] in mds.FILES
                    else shard.decoded(column, data)
                    for column, data in shard.sample(number).items()
                }
                yield Record(where, values, split)
