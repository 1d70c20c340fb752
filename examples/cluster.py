"""A team with a cluster and many URLs: a list becomes shards, fetched by all nodes, then batches.

    pip install '.[ray]' && python examples/cluster.py list.parquet /shared/data --ray auto

The list has a column of URLs and one of captions, as img2dataset takes it; the folder is one that
all nodes share. What cannot be fetched is in the ledger with the reason why; run again, only that
is fetched. `--intranet`: the URLs may lie in a network that is not public.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

from datasets import load_dataset

import edge_glass
from edge_glass.train import Picture, loader


def main() -> None:
    parser = argparse.ArgumentParser(description="A list of URLs becomes batches.")
    parser.add_argument("list", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--ray", help="the cluster's address")
    parser.add_argument("--intranet", action="store_true")
    asked = parser.parse_args()
    network = edge_glass.Network(web=edge_glass.Limits(intranet=asked.intranet))
    made = edge_glass.build(asked.list, asked.out, ray=asked.ray, network=network)
    print(made, Counter(made.ledger()["outcome"].to_pylist()))
    rows = load_dataset(str(asked.out), asked.list.stem, split="train", streaming=True)
    print(next(iter(rows.select_columns(["id", "caption"]))))
    decode = {"image": Picture(64, "random")}
    batch = next(iter(loader(made.folder, columns=["image", "caption"], decode=decode)))
    print(f"a batch of pictures of shape {batch['image'].shape}, and {len(batch['caption'])} texts")
    sys.exit(len(batch["image"]) == 0)


if __name__ == "__main__":
    main()
