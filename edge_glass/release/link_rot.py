"""A picture of how the outcomes of two builds differ: links that rot, and what came back."""

from pathlib import Path

import jinja2

from edge_glass.core.atomic_files import Whole
from edge_glass.core.visible import visible
from edge_glass.release.diff import Difference

WIDTH = 400  # pixels of the longest bar


def write(found: list[Difference], path: Path) -> None:
    """Write an SVG with a pair of bars, old and new, for each outcome of each config."""
    loader = jinja2.PackageLoader("edge_glass", "release")
    template = jinja2.Environment(loader=loader, autoescape=True, finalize=visible).get_template(
        "link_rot.svg.jinja"
    )
    most = max((max(pair) for one in found for pair in one.outcomes.values()), default=1)
    with Whole(path) as file:
        file.write(template.render(found=found, scale=WIDTH / max(most, 1)).encode())
