"""Changes of texts that an editor is to make."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from soilql.errors import Span


@dataclass(frozen=True)
class Edit:
    """A text in the place of another."""

    span: Span
    text: str


def apply(text: str, edits: Iterable[Edit]) -> str:
    """Return a text after edits that do not overlap.

    Examples
    --------
    >>> from soilql.errors import Source
    >>> source = Source("x", "a + b")
    >>> apply(source.text, [Edit(source.span(0, 1), "x"), Edit(source.span(4, 5), "y")])
    'x + y'
    """
    for edit in sorted(edits, key=lambda one: one.span.start, reverse=True):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text
