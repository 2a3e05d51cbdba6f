"""What the editor shows of the thing under the pointer."""

from __future__ import annotations

from dataclasses import dataclass

from soilql import kinds
from soilql.errors import Span
from soilql.inputs import Input
from soilql.lsp import describe
from soilql.lsp.documents import Document, Study, word_at
from soilql.lsp.names import Named, View, columns, origin, visible
from soilql.lsp.symbols import Mention, mention_at
from soilql.lsp.typed import Slot, Step, short_forms, slots_at, step_into
from soilql.minilang.words import SECTION_WORDS
from soilql.params import Params, Ref
from soilql.references import SEPARATOR
from soilql.source import Node, Scalar, Sequence
from soilql.spec import Meta
from soilql.using import Use


@dataclass(frozen=True)
class Hover:
    """What is shown, as Markdown, and what it is about."""

    text: str
    span: Span


def hover(doc: Document, offset: int) -> Hover | None:
    """Return what is known of the thing at an offset; None where nothing is.

    Parameters
    ----------
    doc : Document
    offset : int
        Characters from the beginning of the text.

    Examples
    --------
    >>> from soilql.lsp.documents import document
    >>> found = hover(document("soilql: 1\\nvalidation: {f: {kind: kfold, folds: 5}}\\n"), 41)
    >>> print(found.text.partition("\\n")[0])
    **folds**: a whole number, at least 2, default `10`
    """
    mention = mention_at(doc, offset)
    if mention is not None and (text := mention_text(doc.study, mention)):
        return Hover(text, mention.span)
    place = place_at(doc.readable.root, offset)
    if place is not None and (text := _place_text(doc.study, place)):
        return Hover(text, place.span)
    return _statement_word(doc, offset)


def mention_text(study: Study, mention: Mention) -> str:
    """Return what is known of what a mention means."""
    symbol = mention.symbol
    match symbol.sort:
        case "block":
            return describe.block_text(study, symbol.name)
        case "input":
            entry = study.inputs().get(symbol.name)
            return "" if entry is None or symbol.owner else describe.input_text(symbol.name, entry.value)
        case "kind":
            kind = kinds.find(symbol.owner, symbol.name)
            return "" if kind is None else describe.kind_text(kind)
        case "function" | "constant":
            return describe.function_text(symbol.name)
        case "dataset":
            return describe.data_set_text(symbol.name)
        case "code":
            return describe.code_text(symbol.name)
        case "alias":
            return _alias_text(study, symbol.name)
        case "name" | "column" | "variable":
            named = named_at(study, mention)
            return "" if named is None else describe.named_text(named, study)
        case _:
            return ""


def _alias_text(study: Study, alias: str) -> str:
    names = [name for name in study.spec.available if name.startswith(f"{alias}{SEPARATOR}")]
    return f"**{alias}**: a recipe with {', '.join(f'`{name}`' for name in names)}" if names else ""


def named_at(study: Study, mention: Mention) -> Named | None:
    """Return the column, variable, parameter or constant that a mention means."""
    symbol = mention.symbol
    if symbol.owner and symbol.sort != "column":
        found = columns(study, Ref(symbol.owner)).get(symbol.name) or origin(study, symbol.owner, symbol.name)
        if found is not None:
            return found
    view = View.of(study, mention.block or symbol.owner)
    return None if view is None else visible(view).get(symbol.name)


# --- keys and values --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """A key or a single value in the tree.

    Attributes
    ----------
    path : tuple
        Keys and positions from the root; of a key, its own name last.
    span : Span
    is_key : bool
    text : str
    """

    path: tuple[Step, ...]
    span: Span
    is_key: bool
    text: str


def place_at(node: Node | None, offset: int, path: tuple[Step, ...] = ()) -> Place | None:
    """Return the key or single value at an offset, or None."""
    if node is None:
        return None
    if isinstance(node, Scalar):
        inside = node.span.start <= offset <= node.span.end
        return Place(path, node.span, False, node.text) if inside else None
    if isinstance(node, Sequence):
        found = (place_at(item, offset, (*path, i)) for i, item in enumerate(node.items))
        return next((place for place in found if place is not None), None)
    for entry in node:
        inner = (*path, entry.name)
        if not entry.key.substituted and entry.key.span.start <= offset <= entry.key.span.end:
            return Place(inner, entry.key.span, True, entry.name)
        if (place := place_at(entry.value, offset, inner)) is not None:
            return place
    return None


def slots_of(study: Study, path: tuple[Step, ...]) -> list[Slot]:
    """Return what may stand at a path from the root; empty where nothing is declared."""
    if not path or not isinstance(path[0], str):
        return []
    free: dict[str, tuple[type[Params], int]] = {"meta": (Meta, 1), "inputs": (Input, 2), "use": (Use, 2)}
    if path[0] in free:
        cls, skipped = free[path[0]]
        return slots_at(cls, path[skipped:]) if len(path) >= skipped else []
    if path[0] not in kinds.SECTIONS or len(path) < 2:
        return []
    kind = study.kind(path[0], str(path[1]))
    return [] if kind is None else slots_at(kind.params_type, path[2:])


def _place_text(study: Study, place: Place) -> str:
    if len(place.path) == 1 and place.is_key:
        return describe.section_text(str(place.path[0]))
    above = slots_of(study, place.path[:-1])
    found = list(step_into(above, place.path[-1]))
    if place.is_key and any(slot.mapping for slot in above) and not any(slot.params for slot in above):
        return ""
    for slot in (*found, *short_forms(found)):
        if slot.field is not None:
            return describe.field_text(slot.field)
    return ""


def _statement_word(doc: Document, offset: int) -> Hover | None:
    """Return what the word means that begins a statement of the mini-language."""
    start, end = word_at(doc.text, offset)
    word = doc.text[start:end]
    at_margin = start == 0 or doc.text[start - 1] in "\r\n"
    if doc.surface != "soilql" or not at_margin:
        return None
    section = SECTION_WORDS.get(word, word)
    text = describe.section_text(section)
    return Hover(text, doc.source.span(start, end)) if text else None
