"""A PDF's pages as pictures, in a process of its own.

`python -m edge_glass.domains.slides.render PDF DIR DPI`.

A PDF from outside may crash what reads it or never end: then this process ends, and no other. It
writes `DIR/<n>.jpg` and prints a line of JSON for the document and one for each page.
"""

import ctypes
import json
import re
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from edge_glass.core.row import JsonObject

DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
MEMORY = 4 * 2**30  # bytes of address space
MAX_PAGES = 5000
MAX_PIXELS = 2**25  # of a page; larger ones get fewer dots an inch
MAX_TEXT = 20_000  # characters of a page
QUALITY = 85
POINTS = 72  # an inch


def main(pdf: str, folder: str, dpi: int) -> None:
    """Render all pages of a file."""
    import pypdfium2 as pdfium

    with suppress(ImportError, OSError, ValueError):  # macOS and Windows take no such limit
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    with suppress(AttributeError, OSError, TypeError):  # elsewhere it ends when done
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
    document = pdfium.PdfDocument(pdf)
    with suppress(pdfium.PdfiumError):
        document.init_forms()  # before a page is read, or fields that are filled in are not drawn
    facts = {key: value for key, value in document.get_metadata_dict().items() if value}
    say({"pages": len(document), "facts": facts})
    for number in range(1, min(len(document), MAX_PAGES) + 1):
        try:
            say({"page": number} | _page(document, number, Path(folder) / f"{number}.jpg", dpi))
        except (pdfium.PdfiumError, OSError, ValueError, MemoryError) as error:
            say({"page": number, "fault": type(error).__name__})


def _page(document: Any, number: int, path: Path, dpi: int) -> JsonObject:
    import pypdfium2 as pdfium

    page = document[number - 1]
    width, height = page.get_size()
    scale = dpi / POINTS
    if (pixels := width * height * scale**2) > MAX_PIXELS:
        scale *= (MAX_PIXELS / pixels) ** 0.5
    picture = page.render(scale=scale).to_pil().convert("RGB")
    picture.save(path, "JPEG", quality=QUALITY)
    if document.formenv:  # what is filled in becomes text of the page
        pdfium.raw.FPDFPage_Flatten(page.raw, pdfium.raw.FLAT_NORMALDISPLAY)
        page.close()
        page = document[number - 1]
    text = page.get_textpage().get_text_bounded()[:MAX_TEXT]
    page.close()
    return {"text": plain(text)}


def plain(text: str) -> str:
    """Text from outside with its lines; no control characters, no marks of broken words."""
    text = re.sub(r"[\x02\xad\ufffe\ufeff]", "", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = re.sub(r"[^\S\n]+|[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]", " ", text)
    return text.strip()


def say(line: JsonObject) -> None:
    """Tell the parent in a line of JSON."""
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
