"""Where a thing is made, and where it is mentioned."""

from __future__ import annotations

from collections.abc import Iterator

from soilql.errors import SoilqlError, Span
from soilql.lsp.documents import Document, Study
from soilql.lsp.hover import named_at
from soilql.lsp.names import View
from soilql.lsp.symbols import Mention, mention_at, mentions_of
from soilql.lsp.typed import leaves
from soilql.lsp.workspace import everywhere
from soilql.params import DataSource
from soilql.references import SEPARATOR
from soilql.source import Mapping


def definition(doc: Document, offset: int) -> list[Span]:
    """Return where the thing at an offset is made; several places where a spec changes what its parent has.

    Examples
    --------
    >>> from soilql.lsp.documents import document
    >>> text = "soilql 1\\ndataset t = table(x.csv)\\nmodel m = linear(y ~ x, data = t)\\n"
    >>> [(span.line, span.column) for span in definition(document(text, "x.soilql"), text.rindex("t"))]
    [(2, 9)]
    """
    mention = mention_at(doc, offset)
    if mention is None:
        return []
    found = list(dict.fromkeys(_definitions(doc, mention)))
    # From a place that makes the thing itself, the other places are of interest.
    return [span for span in found if not (doc.study.own(span) and span.start <= offset <= span.end)] or found


def _definitions(doc: Document, mention: Mention) -> Iterator[Span]:
    study, symbol = doc.study, mention.symbol
    match symbol.sort:
        case "block" if SEPARATOR in symbol.name:
            block = study.spec.available.get(symbol.name)
            if block is not None:
                yield block.name_span
        case "block":
            section = study.section_of(symbol.name)
            yield from () if section is None else _keys(study, section, symbol.name)
        case "input" if symbol.owner:
            recipe = study.recipe(symbol.owner)
            yield from () if recipe is None else _keys(recipe, "inputs", symbol.name)
        case "input":
            yield from _keys(study, "inputs", symbol.name)
        case "alias":
            yield from _keys(study, "use", symbol.name)
        case "file":
            yield from _file(study, mention)
        case "name" | "column" | "variable":
            yield from _column(study, mention)
        case _:
            return


def _keys(study: Study, section: str, name: str) -> Iterator[Span]:
    """Yield the keys of a name in a section, in the file itself first."""
    for tree in reversed(study.merged.trees):
        node = tree.root.get(section) if isinstance(tree.root, Mapping) else None
        entry = node.entry(name) if isinstance(node, Mapping) else None
        if entry is not None:
            yield entry.key.span


def _file(study: Study, mention: Mention) -> Iterator[Span]:
    try:
        source = study.library.open(mention.symbol.name, mention.span, "named by")
    except SoilqlError:
        return
    yield source.span(0, 0)


def _column(study: Study, mention: Mention) -> Iterator[Span]:
    """Yield where a column is made; for one of a data set, where that is named."""
    named = named_at(study, mention)
    if named is None:
        return
    if named.made is not None:
        yield named.made.scalar.span
        return
    view = View.of(study, named.owner)
    for leaf in () if view is None or named.entry is None else leaves(view.cls, view.node):
        if leaf.of(DataSource) is not None:
            yield leaf.scalar.span
            return
    if (block := study.spec.block(named.owner)) is not None:
        yield block.name_span


def references(doc: Document, offset: int, *, definitions: bool = True) -> list[Span]:
    """Return every place that mentions the thing at an offset, in the spec itself first.

    Parameters
    ----------
    doc : Document
    offset : int
    definitions : bool
        Whether the places that make it are among them.
    """
    mention = mention_at(doc, offset)
    if mention is None:
        return []
    found = everywhere(doc, mention.symbol)
    return [one.span for one in found if definitions or not one.defines]


def highlights(doc: Document, offset: int) -> list[Mention]:
    """Return the mentions of the thing at an offset in the document itself."""
    mention = mention_at(doc, offset)
    return [] if mention is None else [one for one in mentions_of(doc) if one.symbol == mention.symbol]
