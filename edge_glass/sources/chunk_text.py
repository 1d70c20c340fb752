"""The text of a chunk, compressed or not, as far as it can be had."""

import gzip
import io
import zlib
from pathlib import Path

LONGEST = 2**24  # bytes that are searched for the end of a line


class Text(io.RawIOBase):
    """Whole lines. What cannot be decompressed ends the text after a whole line, with a `fault`."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        file = path.open("rb")
        packed = path.suffix == ".gz"
        self._file: gzip.GzipFile | io.BufferedReader = (
            gzip.GzipFile(fileobj=file) if packed else file
        )
        self._under = file
        self._lines = bytearray()
        self._start = b""  # what is read of the line after these
        self._ended = False
        self.fault = ""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """At most so many bytes, or all; none at the end."""
        while not self._ended and (size < 0 or len(self._lines) < size):
            self._more(size if size > 0 else LONGEST)
        end = size if size >= 0 else len(self._lines)
        found = bytes(self._lines[:end])
        del self._lines[:end]
        return found

    def _more(self, size: int) -> None:
        try:
            data = self._file.read1(size)  # not `read`: it forgets what it had at a fault
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            self.fault, data, self._start = " ".join(str(error).split()), b"", b""
        self._ended = not data
        block = self._start + data
        if self._ended and block:
            block += b"\n"  # a last line without its end is a line all the same
        cut = len(block) if len(block) > LONGEST else block.rfind(b"\n") + 1
        self._lines += block[:cut]
        self._start = block[cut:]

    def close(self) -> None:
        self._file.close()
        self._under.close()  # which a GzipFile leaves open
        super().close()
