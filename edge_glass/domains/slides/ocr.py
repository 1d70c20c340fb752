"""The text of slides that have none of their own, as RapidOCR reads it off their pictures."""

import threading
from functools import cached_property
from importlib.metadata import version
from typing import Any

from edge_glass.core.extras import needs
from edge_glass.domains.slides.render import MAX_TEXT, plain


class Ocr:
    """RapidOCR on ONNX Runtime, with the models that its package brings; for many threads."""

    def __init__(self) -> None:
        needs("--ocr", "ocr", "rapidocr", "onnxruntime")
        self.name = f"rapidocr {version('rapidocr')}"
        self._lock = threading.Lock()

    @cached_property
    def _engine(self) -> Any:
        from rapidocr import RapidOCR

        return RapidOCR(params={"Global.log_level": "error"})

    def text(self, jpeg: bytes) -> str:
        """The lines of a picture, from top to bottom; empty if there are none."""
        with self._lock:  # one picture takes all processors
            return plain("\n".join(self._engine(jpeg).txts or ()))[:MAX_TEXT]
