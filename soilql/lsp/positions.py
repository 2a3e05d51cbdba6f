"""Offsets of characters and the positions of the protocol: lines from 0, and code units within a line."""

from __future__ import annotations

import bisect
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

Encoding: TypeAlias = Literal["utf-8", "utf-16", "utf-32"]

#: What the protocol calls a line end; `str.splitlines` knows others.
_LINE_END = re.compile(r"\r\n|\r|\n")
BOM = "\ufeff"


def units(text: str, encoding: Encoding) -> int:
    """Return the number of code units of a text.

    Examples
    --------
    >>> units("é", "utf-16"), units("🌍", "utf-16"), units("é", "utf-8"), units("🌍", "utf-32")
    (1, 2, 2, 1)
    """
    if encoding == "utf-32":
        return len(text)
    if encoding == "utf-8":
        return len(text.encode("utf-8", "surrogatepass"))
    return len(text) + sum(char > "\uffff" for char in text)


@dataclass(frozen=True, eq=False)
class Positions:
    """Positions in one text.

    Attributes
    ----------
    text : str
        Without a byte order mark.
    encoding : {"utf-8", "utf-16", "utf-32"}
        What a column counts.
    shift : int
        Code units before the text on its first line: of a byte order mark that the client counts.
    """

    text: str
    encoding: Encoding = "utf-16"
    shift: int = 0

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(end.end() for end in _LINE_END.finditer(self.text))]

    def _line(self, number: int) -> str:
        start = self._starts[number]
        end = self._starts[number + 1] if number + 1 < len(self._starts) else len(self.text)
        return self.text[start:end].rstrip("\r\n")

    def position(self, offset: int) -> tuple[int, int]:
        """Return the line and column, both from 0, of a character offset.

        Examples
        --------
        >>> Positions("a\\r\\n🌍b").position(4)
        (1, 2)
        """
        offset = max(0, min(offset, len(self.text)))
        line = bisect.bisect_right(self._starts, offset) - 1
        column = units(self._line(line)[: offset - self._starts[line]], self.encoding)
        return line, column + (self.shift if line == 0 else 0)

    def offset(self, line: int, column: int) -> int:
        """Return the character offset of a position; of one beyond the end of its line, or the text, that end.

        Examples
        --------
        >>> Positions("a\\r\\n🌍b").offset(1, 2), Positions("ab").offset(0, 99), Positions("ab").offset(7, 0)
        (4, 2, 2)
        """
        if line >= len(self._starts):
            return len(self.text)
        left = column - (self.shift if line == 0 else 0)
        offset = self._starts[max(0, line)]
        for char in self._line(max(0, line)):
            left -= units(char, self.encoding)
            if left < 0:
                break
            offset += 1
        return offset
