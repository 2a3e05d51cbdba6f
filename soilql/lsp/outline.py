"""The outline of a spec: its sections, their blocks, and what the blocks make."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from soilql.errors import Span
from soilql.kinds import SECTIONS
from soilql.lsp.documents import Document, kind_of
from soilql.lsp.typed import leaves
from soilql.params import NewName
from soilql.source import Entry, Mapping, Scalar


@dataclass(frozen=True)
class Outlined:
    """One line of the outline.

    Attributes
    ----------
    name : str
    detail : str
        Beside the name: the kind of a block.
    sort : str
        ``section``, a section's name for a block in it, or ``name`` for what a block makes.
    span : Span
        All that belongs to it.
    key : Span
        Its name.
    inner : tuple of Outlined
    """

    name: str
    detail: str
    sort: Literal["section", "block", "input", "name", "key"]
    span: Span
    key: Span
    inner: tuple[Outlined, ...] = ()


def outline(doc: Document) -> list[Outlined]:
    """Return the outline of a spec; what cannot be read is left out.

    Examples
    --------
    >>> from soilql.lsp.documents import document
    >>> [(one.name, [inner.name for inner in one.inner]) for one in outline(document("soilql: 1\\nmodels: {a: {}}\\n"))]
    [('soilql', []), ('models', ['a'])]
    """
    found: list[Outlined] = []
    for entry in doc.readable.root or ():
        inner = tuple(_blocks(entry)) if isinstance(entry.value, Mapping) else ()
        if entry.key.substituted:  # a section of the mini-language is not written
            found += inner
        else:
            found.append(Outlined(entry.name, "", "section" if inner else "key", _whole(entry), entry.key.span, inner))
    return sorted(found, key=lambda one: one.span.start)


def _whole(entry: Entry) -> Span:
    """Return the place of a key with its value; an alias has its value elsewhere."""
    start, end = entry.key.span.start, entry.key.span.end
    if entry.value.span.start >= start:
        end = max(end, entry.value.span.end)
    return Span(entry.key.span.source, start, end)


def _blocks(section: Entry) -> Iterator[Outlined]:
    for entry in section.value if isinstance(section.value, Mapping) else ():
        block = section.name in SECTIONS
        kind = entry.value.get("kind") if isinstance(entry.value, Mapping) else None
        detail = kind.text if block and isinstance(kind, Scalar) else ""
        if block and section.key.substituted:
            detail = f"{section.name}: {detail}"
        sort: Literal["block", "input", "key"] = "block" if block else "input" if section.name == "inputs" else "key"
        inner = tuple(_names(section.name, entry)) if block else ()
        yield Outlined(entry.name, detail, sort, _whole(entry), entry.key.span, inner)


def _names(section: str, entry: Entry) -> Iterator[Outlined]:
    """Yield the columns, parameters and the like that a block makes."""
    kind = kind_of(section, entry.value)
    if kind is None or not isinstance(entry.value, Mapping):
        return
    whole = _whole(entry)
    for leaf in leaves(kind.params_type, entry.value):
        if leaf.of(NewName) is not None and leaf.is_key and leaf.value is not None:
            one = _whole(Entry(leaf.scalar, leaf.value))
            if whole.start <= one.start and one.end <= whole.end:
                yield Outlined(leaf.scalar.text, str(leaf.path[0]), "name", one, leaf.scalar.span)
