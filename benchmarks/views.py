"""What do 70 views of a poster cost, beside a plain torchvision loop, and are they always the same?

    python benchmarks/views.py [--images 100] [--same 300] [--rounds 1] [--peer VENV/bin/python]

Posters of 256x384 pixels are cut out of the photographs in `samples/` and written as JPEG. Views 1
to 69 are SimCLR's: crop to 224x224, flip, colour jitter, gray, blur; view 0 is the poster.
- Edge Glass: `image_view`, a poster decoded once for all its views
- torchvision: the same transforms of `torchvision.transforms` on Pillow images, a poster decoded
  for every view, as a dataset that is asked for (image, view) does it
- torchvision, Pillow's blur: a poster decoded once, and the blur is the one that ours uses: three
  box filters in place of a convolution with 23x23 weights
All give NumPy arrays of uint8 in one process. `--peer` is a Python that has torchvision, Pillow,
NumPy and rich. First it is checked on other posters that the views are the same with 1, 2 and 3
processes, in pieces of 1 and 8 posters, and asked for backwards. CPU seconds count, not the clock.
"""

import hashlib
import io
import random
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from measure import arguments, compare, run_here, scratch, side_by_side, torchvision_operators
from PIL import Image, ImageFilter

SAMPLES = Path(__file__).parents[1] / "samples"
VIEWS = 70


def posters(folder: Path, count: int) -> None:
    """Posters cut out of photographs, another box of another one each."""
    found = sorted(p for p in SAMPLES.rglob("*") if p.suffix in (".jpg", ".jpeg", ".png"))
    photographs = []
    for path in found:
        try:
            photographs.append(Image.open(path).convert("RGB"))
        except OSError:  # one is broken on purpose
            continue
    draw = np.random.default_rng(0)
    for number in range(count):
        image = photographs[number % len(photographs)]
        height = int(min(image.height, image.width * 1.5) * draw.uniform(0.5, 1))
        width = int(height / 1.5)
        left, top = draw.integers(image.width - width + 1), draw.integers(image.height - height + 1)
        box = (int(left), int(top), int(left) + width, int(top) + height)
        poster = image.resize((256, 384), Image.Resampling.BICUBIC, box=box)
        poster.save(folder / f"{number:05d}.jpeg", quality=90)


def opened(path: Path) -> Image.Image:
    return Image.open(io.BytesIO(path.read_bytes())).convert("RGB")


def ours(paths: list[Path]) -> int:
    from edge_glass.domains.mm_imdb.views import image_view

    for place, path in enumerate(paths):
        image = opened(path)
        for view in range(VIEWS):
            np.asarray(image_view(image, place, view))
    return len(paths) * VIEWS


def transforms(pillow_blur: bool) -> Any:
    torchvision_operators()
    import torch
    from torchvision import transforms as t

    torch.manual_seed(0)
    torch.set_num_threads(1)
    blur = t.GaussianBlur(23, sigma=(0.1, 2.0))
    if pillow_blur:
        blur = t.Lambda(lambda i: i.filter(ImageFilter.GaussianBlur(random.uniform(0.1, 2.0))))
    bicubic = t.InterpolationMode.BICUBIC
    return t.Compose([
        t.RandomResizedCrop(224, scale=(0.08, 1.0), interpolation=bicubic),
        t.RandomHorizontalFlip(0.5),
        t.RandomApply([t.ColorJitter(0.4, 0.4, 0.4, 0.1)], p=0.8),
        t.RandomGrayscale(0.2),
        t.RandomApply([blur], p=0.5),
    ])  # fmt: skip


def torchvision(paths: list[Path], once: bool = False) -> int:
    change = transforms(pillow_blur=once)
    for path in paths:
        image = opened(path)
        for view in range(VIEWS):
            image = image if once else opened(path)
            np.asarray(change(image) if view else image)
    return len(paths) * VIEWS


CONTENDERS = {
    "Edge Glass": ours,
    "torchvision": torchvision,
    "torchvision, Pillow's blur": partial(torchvision, once=True),
}


def digests(item: tuple[int, Path], backwards: bool = False) -> str:
    from edge_glass.domains.mm_imdb.views import image_view

    place, path = item
    image, numbers = opened(path), range(VIEWS)
    found = {
        n: image_view(image, place, n).tobytes()
        for n in (reversed(numbers) if backwards else numbers)
    }
    return hashlib.sha256(b"".join(found[n] for n in numbers)).hexdigest()


def check(paths: list[Path]) -> None:
    """The same views whoever makes them, and in whatever order."""
    from edge_glass.vectors.encode_ahead import Workers

    items = list(enumerate(paths))
    expected = [digests(item, backwards=True) for item in items]
    for jobs, piece in ((1, 8), (2, 8), (3, 1)):
        with Workers(jobs) as workers:
            assert list(workers.map(digests, items, piece)) == expected, (jobs, piece)
    print(f"{len(items) * VIEWS:,} views are the same with 1, 2, 3 processes and backwards")


def main() -> None:
    options = arguments("70 views of posters", images=20, same=24, rounds=1, peer=sys.executable)
    if options.contender:
        paths = sorted(options.raw.iterdir())
        make = CONTENDERS[options.contender]
        make(paths[:1])
        run_here(lambda: make(paths))
        return
    with scratch((options.images + options.same) * 50_000) as folder:
        for name, count in (("same", options.same), ("made", options.images)):
            (folder / name).mkdir()
            posters(folder / name, count)
        check(sorted((folder / "same").iterdir()))
        contenders = [[name, f"--raw={folder / 'made'}"] for name in CONTENDERS]
        pythons = {name: options.peer for name in CONTENDERS if name.startswith("torchvision")}
        runs = side_by_side(contenders, options.rounds, 0, pythons)
    compare(f"{VIEWS} views of {options.images} posters of 256x384", runs, ["Edge Glass"])
    for name, taken in runs.items():
        best = max(run.made / run.seconds for run in taken)
        print(f"{name}: {best:.0f} views a second of one core, {best / VIEWS:.1f} posters")


if __name__ == "__main__":
    main()
