"""The page of a build: class frequencies from head to tail, common rows."""

import json
import re
from pathlib import Path

from edge_glass.audit import report
from edge_glass.core import manifest, plots
from edge_glass.corpora import catalog
from edge_glass.domains.imagenet import balance, classes
from edge_glass.pipeline.build import Options
from edge_glass.release import write_card
from edge_glass.release.write_card import build

WNIDS = [found.wnid for found in classes.imagenet()]


def built_of(raw: Path, out: Path, config: str, **overrides: object) -> balance.Balance:
    variant = catalog.variant(config, overrides, f"{config}_x" if overrides else None)
    build(variant, out, Options(raw=raw, unverified=True))
    found = balance.of(out / variant.name, manifest.read(out / variant.name))
    assert found is not None
    return found


def test_page(tmp_path: Path) -> None:
    items = [
        {"filename": f"{label}_{n}.JPEG", "wnid": WNIDS[label], "title": "x" * (30 * label + n)}
        | {"tags": [], "description": ""}
        for label, count in ((0, 40), (1, 8), (2, 1))
        for n in range(1, count + 1)
    ]
    raw, out = tmp_path / "raw", tmp_path / "out"
    raw.mkdir()
    (raw / "imagenet_captions.json").write_text(json.dumps(items))
    whole = built_of(raw, out, "imagenet_captions_title")
    half = built_of(raw, out, "imagenet_captions_title", subset=20)
    assert whole.counts == {WNIDS[0]: 40, WNIDS[1]: 8, WNIDS[2]: 1} and half.total == 20
    head = [(end.name, end.rows) for end in whole.ends()]
    assert head[:4] == [
        ("tench", 40),
        ("goldfish", 8),
        ("great white shark", 1),
        ("tiger shark", 0),
    ]
    spots = re.findall(rf'x="([\d.]+)" y="([\d.]+)" width="3.0".*?{plots.GOOD}', whole.plot())
    xs, ys = zip(*(map(float, spot) for spot in spots), strict=True)
    assert xs[0] == plots.LEFT - 1 and ys[-1] == plots.BASE - 1  # rank 1; one row
    assert list(xs) == sorted(xs) and list(ys) == sorted(ys) and len(xs) == 3
    [shared] = balance.overlaps([whole, half])
    assert (shared.rows, shared.share) == (20, 1.0)
    write_card.write_report(out)
    page = (out / report.FILE).read_text()
    assert page.count('aria-label="Rows of a class by its rank, both axes logarithmic: ') == 2
    assert "What variants have in common" in page
    assert re.search(r"imagenet_captions_title and imagenet_captions_title_x</td>\D+20<", page)


def test_rows_of_several_classes(built: Path, tmp_path: Path) -> None:
    build(catalog.variant("yfcc15m_cls_urls_sample"), tmp_path)
    folder = tmp_path / "yfcc15m_cls_urls_sample"
    found = balance.of(folder, manifest.read(folder))
    assert found is not None and found.total == 3 and len(found.ids) == 2
    clotho = built / "clotho_sample"
    assert balance.of(clotho, manifest.read(clotho)) is None
