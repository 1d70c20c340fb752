"""Publish built configs as a version on the Hub: `python upload.py clotho --from DIR --repo … `."""

import sys

from edge_glass.cli.main import main

if __name__ == "__main__":
    main(["push", *sys.argv[1:]])
