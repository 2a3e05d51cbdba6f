"""Long values broken into lines: where the author broke them, else at blanks."""

from __future__ import annotations

import re

from soilql.source import Scalar

#: Longest line that the writers make where the text lets them.
WIDTH = 100

_FOLDABLE = re.compile(r"\S+(?: \S+)*")
_QUOTED_OR_BLANK = re.compile(r"""(?<!\w)"(?:[^"\\]|\\.)*"|(?<!\w)'(?:[^'\\]|\\.)*'|`[^`]*`| """)


def is_foldable(text: str) -> bool:
    """Return whether a text can be broken at its blanks: single ones, none at either end."""
    return _FOLDABLE.fullmatch(text) is not None


def authors_lines(scalar: Scalar, width: int) -> list[str] | None:
    """Return the lines that a value stands on in its source, or None where it stands on one or they are too long.

    Parameters
    ----------
    scalar : Scalar
        A folded, quoted or unquoted value.
    width : int
        Longest line allowed.
    """
    if scalar.substituted or scalar.style == "|":
        return None
    raw = scalar.span.text
    if scalar.style in ("'", '"'):
        raw = raw[1:-1]
    lines = [line.strip() for line in raw.splitlines()]
    if scalar.style == ">":
        lines = lines[1:]
    if len(lines) < 2 or " ".join(lines) != scalar.text or not all(0 < len(line) <= width for line in lines):
        return None
    return lines


def wrap(text: str, width: int, *, keep_quoted: bool = False) -> list[str]:
    """Break a text at blanks into lines of at most a width, if its words let it.

    Parameters
    ----------
    text : str
        The text; no blank is lost: one stands for each break.
    width : int
        Longest line.
    keep_quoted : bool
        For expressions: texts in quotes stay in one piece, and where that is enough lines begin with `and` or `or`.

    Examples
    --------
    >>> wrap("a == 'b c' and d", 8, keep_quoted=True)
    ['a ==', "'b c'", 'and d']
    """
    if not keep_quoted:
        return _broken(text, [i for i, char in enumerate(text) if char == " "], width)
    blanks = [match.start() for match in _QUOTED_OR_BLANK.finditer(text) if match[0] == " "]
    lines = _broken(text, [at for at in blanks if text.startswith((" and ", " or "), at)], width)
    return lines if max(map(len, lines)) <= width else _broken(text, blanks, width)


def _broken(text: str, places: list[int], width: int) -> list[str]:
    lines: list[str] = []
    start = 0
    for at, following in zip(places, [*places, len(text)][1:], strict=True):
        if following - start > width and at > start:
            lines.append(text[start:at])
            start = at + 1
    return [*lines, text[start:]]
