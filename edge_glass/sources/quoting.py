"""How the quotes of a text table are meant: by its writer, or as letters of what it holds.

A field that begins with a quote is quoted where it ends with one before a delimiter or the end of
the line, quotes inside being doubled or (as Spark writes them) after a backslash. It may hold line
ends only where the lines, each by itself, are no rows; in a table of one column, where any line is
one, wherever it is closed so. Any other quote is a letter, and swallows no row: `"5 inch screen`.
Where most quotes at the beginning of a file are letters, all are.
"""

import re
from contextlib import suppress
from dataclasses import dataclass, field

LONGEST = 2**20  # bytes of a record over several lines
QUOTE, DOUBLED = b'"', b'""'
QUOTED = re.compile(rb'"(?:[^"]|"")*+"')
RECORD = re.compile(rb'(?:"(?:[^"]|"")*+"|[^"\n])*+\n')  # of strict CSV


@dataclass
class Quoting:
    """Text between delimiters as CSV that any strict reader reads alike."""

    delimiter: bytes
    width: int  # fields of a record
    meant: bool = True  # as quotes, by the writer of the file
    writers: int = field(default=0, init=False)  # records whose quotes are so meant
    letters: int = field(default=0, init=False)  # those with one that is not
    _opening: re.Pattern[bytes] = field(init=False)

    def __post_init__(self) -> None:
        end = re.escape(self.delimiter)
        # a quote first, so that text without one is passed over at once
        self._opening = re.compile(rb'"(?<![^%s\n]")' % end)
        bare = rb'[^"%s\r\n][^%s\r\n]*+|' % (end, end)
        self._doubled = re.compile(rb'(?:"(?:[^"]|"")*+"|%s)(?=%s|\r?\n|\r?\Z)' % (bare, end))
        self._escaped = re.compile(
            rb'(?:"(?:[^"\\\n]|\\.)*+"|%s)(?=%s|\r?\n|\r?\Z)' % (bare, end), re.DOTALL
        )

    def weighed(self, head: bytes) -> "Quoting":
        """The same, knowing whether the quotes at the beginning of a file are its writer's."""
        tried = Quoting(self.delimiter, self.width)
        tried.mend(head[: head.rfind(b"\n") + 1], last=True)
        return Quoting(self.delimiter, self.width, tried.writers >= tried.letters)

    def mend(self, block: bytes, last: bool) -> tuple[bytes, bytes]:
        """Whole lines as strict CSV, and those at their end that wait for more of their record."""
        mended, at = [], 0
        while opening := self._opening.search(block, at):
            start = max(at, block.rfind(b"\n", 0, opening.start()) + 1)
            mended.append(block[at:start])
            end = block.find(b"\n", start) + 1 or len(block)
            record, end = self._record(block, start, end, last)
            if record is None:
                return b"".join(mended), block[start:]
            mended.append(record)
            at = end
        return b"".join([*mended, block[at:]]), b""

    def readable(self, lines: bytes) -> bytes:
        """Strict CSV in which records of another width, of which Arrow tells, are UTF-8.

        Other bytes in fields are read as they are.
        """
        with suppress(UnicodeDecodeError):
            lines.decode()
            return lines
        return RECORD.sub(self._readable, lines)

    def _readable(self, record: re.Match[bytes]) -> bytes:
        is_whole = QUOTED.sub(b"", record[0]).count(self.delimiter) == self.width - 1
        return record[0] if is_whole else record[0].decode(errors="replace").encode()

    def _record(self, block: bytes, start: int, end: int, last: bool) -> tuple[bytes | None, int]:
        """The record that begins there, mended, and where it ends; None if that is not here yet."""
        line = block[start:end].rstrip(b"\r\n")
        if self.meant:
            self.writers += 1
            if len(self._fields(line, self._doubled)) == self.width:
                return block[start:end], end
            if len(fields := self._fields(line, self._escaped)) == self.width:
                return self.delimiter.join(map(_unescaped, fields)) + b"\n", end
            stop = self._end_of_lines(block, start) if self._is_open(line) else 0
            if stop is None and not last and len(block) - start < LONGEST:
                return None, end
            if stop and not self._are_rows(block[start:stop]):
                return block[start:stop], stop
            self.writers -= 1
        self.letters += 1
        return self.as_letters(line) + b"\n", end

    def _fields(self, text: bytes, pattern: re.Pattern[bytes]) -> list[bytes]:
        """The fields of a record if it is whole and nothing but fields, else none."""
        fields, at = [], 0
        while field := pattern.match(text, at):
            fields.append(field[0])
            at = field.end()
            if at == len(text):
                return fields
            if text[at : at + 1] != self.delimiter:
                return []
            at += 1
        return []

    def _is_open(self, line: bytes) -> bool:
        """Whether the last field of a line begins with a quote and does not end on it."""
        at = 0
        while field := self._doubled.match(line, at):
            at = field.end() + 1
            if at > len(line):
                return False
        return line[at : at + 1] == QUOTE and not re.search(rb'[^"](?:"")*"[^"]', line[at + 1 :])

    def _end_of_lines(self, block: bytes, start: int) -> int | None:
        """Where a record over several lines ends, 0 if it is none, None if its end is not here."""
        fields, at = 0, start
        while field := self._doubled.match(block, at):
            fields, at = fields + 1, field.end()
            if block[at : at + 1] != self.delimiter:
                end = block.find(b"\n", at) + 1 or len(block)
                return end if fields == self.width and end - start <= LONGEST else 0
            at += 1
        return None if block.find(QUOTE, at + 1) < 0 else 0

    def _are_rows(self, lines: bytes) -> bool:
        """Whether each of several lines has as many fields as a record, and that says something."""
        delimiters = self.width - 1
        return delimiters > 0 and all(
            line.count(self.delimiter) == delimiters for line in lines.split(b"\n") if line
        )

    def as_letters(self, line: bytes) -> bytes:
        """A line, without its end, with every quote that opens nothing a letter of its field."""
        fields, at = [], 0
        while at <= len(line):
            field = self._doubled.match(line, at) if self.meant else None
            end = field.end() if field else line.find(self.delimiter, at)
            end = len(line) if end < 0 else end
            text = line[at:end]
            written = field or QUOTE not in text
            fields.append(text if written else b'"%s"' % text.replace(QUOTE, DOUBLED))
            at = end + 1
        return self.delimiter.join(fields)


def _unescaped(field: bytes) -> bytes:
    if not field.startswith(QUOTE):
        return field
    return b'"%s"' % re.sub(rb"\\(.)", rb"\1", field[1:-1]).replace(QUOTE, DOUBLED)
