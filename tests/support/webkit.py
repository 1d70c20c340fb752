"""What the tests of the fetch engine share: short limits, and all URLs at once as in a build."""

import asyncio
import io
from collections.abc import Collection
from typing import Any

from PIL import Image

from edge_glass.sources.responses import Answer
from edge_glass.sources.row_fetch import Limits
from edge_glass.sources.web import Web

MB = 1_000_000
LIMITS = Limits(at_once=32, connect=1, silence=0.6, total=1.0, grace=0.2, intranet=True)


def jpeg() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 48), (200, 30, 30)).save(out, "JPEG")
    return out.getvalue()


JPEG = jpeg()


def fetch(
    *urls: str,
    limits: Limits = LIMITS,
    ignored: Collection[str] = (),
    want: str = "image",
    resolver: Any = None,
) -> list[Answer]:
    """All at once, as in a build."""

    async def all_of() -> list[Answer]:
        async with Web(limits, ignored, resolver, MB) as web:
            return await asyncio.gather(*(web.get(url, want) for url in urls))

    return asyncio.run(all_of())


def outcome(answer: Answer) -> str:
    return answer.dropped[0].value if answer.dropped else "kept"
