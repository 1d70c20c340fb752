"""What changed between two builds as a page to review: rows as they were and as they are."""

import json
from pathlib import Path

from edge_glass.audit import row_preview
from edge_glass.core import manifest, outputs, pages
from edge_glass.core.manifest import Manifest
from edge_glass.core.row import Example
from edge_glass.release.diff import Difference, compare, folders

MOST = 1_700_000  # bytes of rows that are shown; the page is of at most 2 MB with what is around
EACH = 20  # rows of a kind of difference


def review(place: Path, builds: dict[Path, Manifest], repo: str, tag: str) -> bytes | None:
    """The page of what builds change in a dataset at `place`; None if that is nothing."""
    there = manifest.built(place)
    both = {build.config: folder for folder, build in builds.items() if build.config in there}
    diffs = [compare(name, there[name], folder) for name, folder in both.items()]
    if all(each.identical for each in diffs):
        return None
    called = {"old": f"{repo} as it is", "new": f"{repo} {tag}"}
    configs = _configs(diffs, place, next(iter(builds)).parent)
    return pages.render("release", "diff.html", configs=configs, **called).encode()


def write(differences: list[Difference], old: Path, new: Path, path: Path) -> None:
    """Write the page of differences, at most 2 MB. Raises DataError over a file of somebody's."""
    outputs.check_marked(path, b"<title>Edge Glass: what changed<")
    configs = _configs(differences, old, new)
    pages.write(path, "release", "diff.html", configs=configs, old=str(old), new=str(new))


def _configs(differences: list[Difference], old: Path, new: Path) -> list[Example]:
    """What the page shows of each config: rows until it is full."""
    before, after = folders(old, new)
    left, configs = MOST, []
    for one in differences:
        kinds = []
        for kind, ids in one.ids.items():
            pairs = []
            for pair in _pairs(before[one.config], after[one.config], ids[:EACH]):
                size = len(json.dumps([pair["old"], pair["new"]]))
                if size > left:
                    break
                left -= size
                pairs.append(pair)
            kinds.append({"name": kind, "rows": one.rows[kind], "pairs": pairs})
        configs.append({"found": one, "kinds": kinds})
    return configs


def _pairs(before: Path, after: Path, ids: list[str]) -> list[Example]:
    """The rows of these ids, `old` and `new`; those that neither side shows are left out."""
    old, new = _named(before, ids), _named(after, ids)
    there = [id for id in ids if id in old or id in new]
    return [{"id": id, "old": old.get(id), "new": new.get(id)} for id in there]


def _named(folder: Path, ids: list[str]) -> dict[str, Example]:
    build = manifest.read(folder)
    wanted = [(split, id) for split in build.splits for id in ids]
    return {id: row for (_, id), row in row_preview.named(folder, build, wanted).items()}
