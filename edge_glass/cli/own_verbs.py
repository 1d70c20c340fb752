"""Data of one's own: what was understood of them, and the YAML that says so."""

import os
from pathlib import Path
from typing import Annotated

import typer

from edge_glass.cli.options import Caption, LayoutName, Licence, Roles, SplitRule, Url, choices

HEAD = """\
# How {name} is read; docs/own-data.md says what each line means. Then: edge-glass build {name}.yaml
# homepage and citation (BibTeX) go into its card, once they are here.
"""


def init(
    place: Annotated[
        str, typer.Argument(metavar="PATH", help="A folder, an archive, a table, org/name.")
    ],
    url: Url = None,
    caption: Caption = None,
    column: Roles = None,
    layout: LayoutName = None,
    split: SplitRule = None,
    licence: Licence = None,
) -> None:
    """Print the YAML that says how your own data are read, to be edited and built."""
    import yaml

    from edge_glass.corpora.understand import understand

    seen = understand(place, choices(url, caption, column, layout, split, licence))
    plain = seen.spec.model_dump(mode="json", exclude_defaults=True)
    for source in plain["sources"].values():
        if "path" in source:  # as it is from here, where the YAML will lie
            source["path"] = os.path.relpath((seen.home or Path()) / source["path"])
    print(HEAD.format(name=seen.name) + yaml.safe_dump(plain, sort_keys=False, allow_unicode=True))
