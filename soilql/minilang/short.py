"""The short forms of `|` lines: a unit in brackets behind a value, and words between the parts of a phrase."""

from __future__ import annotations

import re

from soilql.minilang.shapes import ShortForm
from soilql.minilang.words import QUOTED

_COLUMN = re.compile(rf"[^\W\d]\w*(?:\.\w+)*|{QUOTED}")
_UNIT = re.compile(r"(?P<value>[\s\S]*\S)\s*\[\s*(?P<unit>[^\[\]]*[^\[\]\s])\s*\]")
_LIST_OPERATOR = re.compile(r"(?:.*\W)?in", re.DOTALL)
_PIECES = re.compile(rf"{QUOTED}|`(?:[^`\r\n]|``)*`|[()\[\]{{}}]|\w+|[^\w\s]|\s+")


def split_unit(text: str, start: int, end: int) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Return the places of a value and of the unit in brackets behind it, or None where there is no unit.

    The list of `x in [a, b]` is no unit.

    Examples
    --------
    >>> split_unit("Rs_annual [g C m-2 yr-1]", 0, 24)
    ((0, 9), (11, 23))
    """
    if text[end - 1] != "]":
        return None
    match = _UNIT.fullmatch(text, start, end)
    if match is None or _LIST_OPERATOR.fullmatch(match["value"]):
        return None
    return match.span("value"), match.span("unit")


def read_short(
    text: str, start: int, end: int, form: ShortForm
) -> tuple[tuple[str | None, int, int], tuple[int, int] | None]:
    """Return what a short value means.

    Returns
    -------
    main : (key, start, end)
        The value and the key that it stands for; no key where it stands for itself.
    unit : (start, end) or None
        The unit.
    """
    found = split_unit(text, start, end) if form.unit is not None else None
    (first, last), unit = ((start, end), None) if found is None else found
    named = form.name is not None and (form.expression is None or _COLUMN.fullmatch(text, first, last))
    if named:
        return (form.name if unit is not None else None, first, last), unit
    return (form.expression, first, last), unit


Segment = tuple[tuple[int, int] | None, list[tuple[int, int]]]


def read_phrase(text: str, places: list[tuple[int, int]], words: tuple[str, ...]) -> list[Segment]:
    """Split the values of a phrase at the words between them.

    Parameters
    ----------
    text : str
        The source text.
    places : list of (int, int)
        Start and end of the values as commas separate them.
    words : tuple of str
        The words.

    Returns
    -------
    list of (word, places)
        Place of each word, None for what stands before the first, and the places of the values behind it.

    Examples
    --------
    >>> read_phrase("Rs by lat, lon", [(0, 9), (11, 14)], ("by",))
    [(None, [(0, 2)]), ((3, 5), [(6, 9), (11, 14)])]
    """
    segments: list[Segment] = [(None, [])]
    for start, end in places:
        depth, begin, stop = 0, start, start
        for match in _PIECES.finditer(text, start, end):
            depth += (match[0] in "([{") - (match[0] in ")]}")
            if depth == 0 and match[0] in words:
                if stop > begin:
                    segments[-1][1].append((begin, stop))
                segments.append((match.span(), []))
                begin = stop = match.end()
            elif match[0].isspace():
                begin = match.end() if stop == begin else begin
                stop = begin if stop < begin else stop
            else:
                stop = match.end()
        if stop > begin:
            segments[-1][1].append((begin, stop))
    return segments
