"""Captions matched to the classes of ImageNet: one automaton beside regexes and a loop in pandas.

python benchmarks/match.py [--rows 10000000] [--few 20000]

Captions are generated: common words, and a lemma in about half of them. Our three rules go through
all of them; a tenth of them shows whether memory is flat. The regexes (one a lemma) and the pandas
loop (`str.contains` with one pattern a class, as the source of YFCC15M-Cls does) get `--few`: they
would take hours. So look at the rows a second. All with the rule `cls` must find the same pairs.
"""

import random
import re
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import measure

CONTENDERS = ("cls", "cls, a tenth", "word", "laionet", "regexes", "pandas")
WORDS = """a an the of in on with and for from by at is new old big small red blue green photo
picture image stock vintage handmade free best home garden street city beach mountain river wooden
white black modern design style set kit woman man girl boy people family water light night day
summer winter beautiful illustration vector background isolated close up view file important said
wanted thousand planet pigment"""
BATCH = 50_000


def generate(path: Path, rows: int) -> None:
    """Write captions of 4 to 14 words as Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from edge_glass.domains.imagenet.classes import imagenet

    lemmas = [lemma for found in imagenet() for lemma in found.lemmas]
    draw, common = random.Random(0), WORDS.split()
    with pq.ParquetWriter(path, pa.schema([("caption", pa.string())])) as writer:
        for start in range(0, rows, BATCH):
            texts = []
            for _ in range(min(BATCH, rows - start)):
                words = draw.choices(common, k=draw.randrange(4, 14))
                if draw.random() < 0.5:
                    words[draw.randrange(len(words))] = draw.choice(lemmas)
                text = " ".join(words)
                texts.append(text.title() if draw.random() < 0.3 else text)
            writer.write_table(pa.table({"caption": texts}))


def batches(path: Path, rows: int) -> Iterator[list[str]]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, pre_buffer=False) as file:
        for batch in file.iter_batches(BATCH):
            yield batch["caption"].slice(0, rows).to_pylist()
            rows -= batch.num_rows
            if rows <= 0:
                return


def ours(path: Path, rows: int, few: int, rule: str) -> int:
    """Match all rows; the pairs of caption and class in the first few."""
    import pyarrow as pa

    from edge_glass.domains.imagenet import caption_match

    pairs = start = 0
    for texts in batches(path, rows):
        found = caption_match.column(rule, pa.array(texts))  # type: ignore[arg-type]
        if start < few:
            pairs += len(found.slice(0, few - start).flatten())
        start += len(texts)
    return pairs


def regexes(path: Path, few: int) -> int:
    """One regex a lemma over each caption."""
    from edge_glass.domains.imagenet.caption_match import lemmas

    owners = lemmas("cls")
    patterns = [
        (re.compile(rf"(?<!\w){re.escape(x)}(?!\w)", re.I), labels) for x, labels in owners.items()
    ]
    return sum(
        len({label for pattern, labels in patterns if pattern.search(text) for label in labels})
        for texts in batches(path, few)
        for text in texts
    )


def pandas(path: Path, few: int) -> int:
    """One pattern a class over the column."""
    import pandas as pd

    from edge_glass.domains.imagenet.classes import imagenet

    captions = pd.Series([text for texts in batches(path, few) for text in texts])
    each = ("|".join(map(re.escape, found.lemmas)) for found in imagenet())
    return int(sum(captions.str.contains(rf"(?<!\w)(?:{x})(?!\w)", case=False).sum() for x in each))


def job(asked: "measure.argparse.Namespace") -> int:
    path, name = asked.raw, asked.contender
    if name == "regexes":
        return regexes(path, asked.few)
    if name == "pandas":
        return pandas(path, asked.few)
    rows = asked.rows // 10 if name.endswith("tenth") else asked.rows
    return ours(path, rows, asked.few, name.partition(",")[0])


def main() -> None:
    asked = measure.arguments(str(__doc__), rows=10_000_000, few=20_000, rounds=1)
    if asked.contender:
        import edge_glass.domains.imagenet.caption_match  # noqa: F401 - not what is measured

        measure.run_here(lambda: job(asked))
        return
    with measure.scratch(60 * asked.rows) as folder:
        generate(folder / "captions.parquet", asked.rows)
        common = ["--raw", str(folder / "captions.parquet")]
        common += ["--rows", str(asked.rows), "--few", str(asked.few)]
        runs = measure.side_by_side([[n, *common] for n in CONTENDERS], asked.rounds, 0)
    tell(runs, asked.rows, asked.few)


def tell(runs: measure.Runs, rows: int, few: int) -> None:
    counts = dict.fromkeys(CONTENDERS, rows) | {"cls, a tenth": rows // 10}
    counts |= {"regexes": few, "pandas": few}
    speeds = {n: counts[n] / statistics.median(run.seconds for run in runs[n]) for n in CONTENDERS}
    found = {name: runs[name][0].made for name in ("cls", "cls, a tenth", "regexes", "pandas")}
    if len(set(found.values())) > 1:
        sys.exit(f"they do not find the same: {found}")
    table = []
    for name, speed in speeds.items():
        seconds = statistics.median(run.seconds for run in runs[name])
        times = [f"{speed / speeds[peer]:.1f}" for peer in ("regexes", "pandas")]
        peak = max(run.peak_mb for run in runs[name])
        table.append(
            [name, f"{counts[name]:,}", f"{seconds:.1f}", f"{speed:,.0f}", *times, f"{peak:.0f}"]
        )
    columns = [
        "contender",
        "rows",
        "CPU s",
        "rows a CPU second",
        "x regexes",
        "x pandas",
        "peak MB",
    ]
    measure.show(f"Captions to classes: {rows:,} rows", columns, table)


if __name__ == "__main__":
    main()
