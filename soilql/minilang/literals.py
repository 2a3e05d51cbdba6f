"""Quoted and unquoted values: from their place in the text to scalars of the tree."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from soilql.errors import Diagnostic, Source
from soilql.source import Scalar, resolve

CODE = "SQ150"

# The escapes of YAML's double quotes, so that a text in quotes is written alike on both surfaces.
ESCAPES = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b",
    " ": " ", '"': '"', "/": "/", "\\": "\\", "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029",
}  # fmt: skip
_BREAK = re.compile(r"[ \t]*(?:\r\n|\r|\n)\s*")
_LINE = re.compile(r"\r\n|\r|\n")
_DOUBLE = re.compile(
    r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|(?:\r\n|\r|\n)[ \t]*|[\s\S])|" + _BREAK.pattern
)
_SINGLE = re.compile("''|" + _BREAK.pattern)


#: A text in quotes, by its opening quote.
TEXT_ALONE = {'"': re.compile(r'"(?:[^"\\]|\\[\s\S])*"'), "'": re.compile(r"'(?:[^']|'')*'")}


def is_quoted(text: str, start: int, end: int) -> bool:
    """Return whether all that stands between two offsets is one text in quotes.

    Examples
    --------
    >>> is_quoted("'a' == 'b'", 0, 3), is_quoted("'a' == 'b'", 0, 10)
    (True, False)
    """
    pattern = TEXT_ALONE.get(text[start : start + 1])
    return pattern is not None and pattern.fullmatch(text, start, end) is not None


@dataclass(frozen=True, eq=False)
class PlacedScalar(Scalar):
    """A scalar with a comment between its parts, so that the place of each character has to be kept."""

    offsets: tuple[int, ...] = ()

    @cached_property
    def _offsets(self) -> list[int]:
        return list(self.offsets)


def plain_scalar(source: Source, start: int, end: int, comments: list[tuple[int, int]]) -> Scalar:
    """Return the unquoted value between two offsets; line breaks with the white space around them are one blank.

    Parameters
    ----------
    source : Source
        The text.
    start, end : int
        Character offsets, without white space at either end.
    comments : list of (int, int)
        Comments between them, which are no part of the value.
    """
    span = source.span(start, end)
    raw = source.text[start:end]
    if not comments:
        text = _BREAK.sub(" ", raw) if "\n" in raw or "\r" in raw else raw
        return Scalar(resolve(text), text, span)
    kept: list[int] = []
    at = start
    for first, last in [*comments, (end, end)]:
        kept += range(at, first)
        at = last
    raw = "".join(source.text[i] for i in kept)
    text, offsets, place = "", [], 0
    for match in _BREAK.finditer(raw):
        text += raw[place : match.start()] + " "
        offsets += kept[place : match.start() + 1]
        place = match.end()
    text += raw[place:]
    return PlacedScalar(resolve(text), text, span, offsets=(*offsets, *kept[place:]))


def quoted_scalar(source: Source, start: int, end: int, problems: list[Diagnostic]) -> Scalar:
    """Return the text in quotes between two offsets, noting escapes that do not exist.

    Line breaks with the white space around them are one blank, as in YAML: a long text may go on over several lines.
    """
    quote = source.text[start]
    inner = source.text[start + 1 : end - 1]

    def double(match: re.Match[str]) -> str:
        if match[0][0] != "\\":
            return _folded(match[0])
        found = _escaped(match[0][1:])
        if found is None:
            at = start + 1 + match.start()
            help = "write `\\\\` for a backslash, or the text in single quotes"
            message = f"no escape `{match[0]}` in a text"
            problems.append(Diagnostic(CODE, message, source.span(at, at + len(match[0])), help=help))
        return found or ""

    if quote == '"':
        text = _DOUBLE.sub(double, inner)
    else:
        text = _SINGLE.sub(lambda match: "'" if match[0] == "''" else _folded(match[0]), inner)
    return Scalar(text, text, source.span(start, end), quote)


def _folded(found: str) -> str:
    return "\n" * (len(_LINE.findall(found)) - 1) or " "


def _escaped(char: str) -> str | None:
    """Return what stands for the characters after a backslash; None where that is nothing."""
    if char[0] in "\r\n":
        return ""
    if len(char) > 1:
        code = int(char[1:], 16)
        return chr(code) if code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF else None
    return ESCAPES.get(char)
