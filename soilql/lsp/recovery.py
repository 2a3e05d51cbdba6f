"""What can be read of a text with syntax errors: lines that break it are blanked, and everything keeps its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from soilql.errors import Diagnostic, SoilqlError, Source
from soilql.parse import parse_source
from soilql.source import Mapping, Tree

#: Findings after which a text has no tree, or none that means what was written.
SYNTAX = frozenset({"SQ101", "SQ107", "SQ150"})

_MOST_ROUNDS = 40
_VISIBLE = re.compile(r"[^\r\n]")


@dataclass(frozen=True, eq=False)
class Readable:
    """A tree of all that can be read of a text.

    Attributes
    ----------
    root : Mapping or None
        Its places are those of the text itself.
    blanked : tuple of (int, int)
        Places of the lines that were left out, in order.
    """

    root: Mapping | None
    blanked: tuple[tuple[int, int], ...] = ()


def readable(source: Source) -> Readable:
    """Return what can be read of a text; all of it where it has no syntax errors.

    Parameters
    ----------
    source : Source
        On either surface.

    Examples
    --------
    >>> found = readable(Source("x.yaml", "soilql: 1\\nmodels: {a: [}\\nzones: {}\\n"))
    >>> [entry.name for entry in found.root], found.blanked
    (['soilql', 'zones'], ((10, 24),))
    """
    text = source.text
    for _ in range(_MOST_ROUNDS):
        tree = parse(replace(source, text=text))
        wrong = [one for one in tree.diagnostics if one.code in SYNTAX]
        if isinstance(tree.root, Mapping) and not wrong:
            return Readable(tree.root, _changed(source.text, text))
        before, text = text, _without(source, text, wrong)
        if text == before:
            break
    return Readable(None, _changed(source.text, text))


def parse(source: Source) -> Tree:
    """Parse a text; a finding where the parser gives up altogether."""
    try:
        return parse_source(source)
    except SoilqlError as error:
        return Tree(source, None, error.diagnostics)


def _changed(old: str, new: str) -> tuple[tuple[int, int], ...]:
    """Return the places of the lines that differ."""
    if old == new:
        return ()
    return tuple((start, end) for start, end in line_places(old) if old[start:end] != new[start:end])


def line_places(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of each line, without line ends."""
    start = 0
    for match in re.finditer(r"\r\n|\r|\n|\Z", text):
        yield start, match.start()
        start = match.end()


def _without(source: Source, text: str, wrong: list[Diagnostic]) -> str:
    """Return a text with fewer lines: without the lines of its errors, or what they belong to where that is done."""
    mini = source.name.endswith(".soilql")
    places = list(line_places(text))
    for one in wrong if mini else wrong[:1]:
        at = 0 if one.span is None else min(one.span.start, len(text))
        number = next((n for n, (start, end) in enumerate(places) if start <= at <= end), len(places) - 1)
        for first, last in _widening(text, places, number):
            blanked = blank(text, places[first][0], places[last][1])
            if blanked != text:
                text = blanked
                break
    return text


def blank(text: str, start: int, end: int) -> str:
    """Return a text with blanks in a place; its line ends stay."""
    return text[:start] + _VISIBLE.sub(" ", text[start:end]) + text[end:]


def _widening(text: str, places: list[tuple[int, int]], number: int) -> Iterator[tuple[int, int]]:
    """Yield the first and last line of what a line belongs to, from the line itself to the whole text."""
    yield number, number
    indents = [_indent(text[start:end]) for start, end in places]
    # A line that is blank by now belongs to what the next visible line above it belongs to.
    least = next((indent for indent in indents[number::-1] if indent is not None), 0) + 1
    for first in range(number, -1, -1):
        indent = indents[first]
        if indent is not None and indent < least:
            least = indent
            ends = (
                n - 1 for n in range(first + 1, len(places)) if (below := indents[n]) is not None and below <= least
            )
            yield first, next(ends, len(places) - 1)
    yield number, len(places) - 1
    yield 0, len(places) - 1


def _indent(line: str) -> int | None:
    """Return how far a line is indented; None for a blank one."""
    stripped = line.lstrip(" \t")
    return len(line) - len(stripped) if stripped else None
