"""One thing that can be written at the cursor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Sort: TypeAlias = Literal[
    "section", "kind", "property", "block", "column", "parameter", "function", "constant", "value", "unit", "data set",
    "file", "input", "code", "word",
]  # fmt: skip


@dataclass(frozen=True)
class Where:
    """What is replaced: offsets in the document, on one line."""

    start: int
    end: int


@dataclass(frozen=True)
class Item:
    """A proposal.

    Attributes
    ----------
    label : str
        What the list shows.
    sort : str
    insert : str
        What is put in.
    start, end : int
        What it replaces.
    detail : str
        One line beside it.
    doc : str
        More of it, as Markdown.
    rank : int
        Those with lower ranks come first.
    """

    label: str
    sort: Sort
    insert: str
    start: int
    end: int
    detail: str = ""
    doc: str = ""
    rank: int = 2


def item(
    where: Where, label: str, sort: Sort, *, insert: str = "", detail: str = "", doc: str = "", rank: int = 2
) -> Item:
    """Return a proposal that replaces a place."""
    return Item(label, sort, insert or label, where.start, where.end, detail, doc, rank)
