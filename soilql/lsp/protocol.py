"""What the capabilities return, in the types of the protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from lsprotocol import types as lsp

from soilql.errors import Severity, Source, Span
from soilql.lsp.actions import Action
from soilql.lsp.diagnostics import Finding
from soilql.lsp.documents import Document, same_file
from soilql.lsp.edits import Edit
from soilql.lsp.hover import Hover
from soilql.lsp.items import Item
from soilql.lsp.outline import Outlined
from soilql.lsp.positions import Positions
from soilql.lsp.symbols import Mention

SEVERITIES: Mapping[Severity, lsp.DiagnosticSeverity] = {
    Severity.ERROR: lsp.DiagnosticSeverity.Error,
    Severity.WARNING: lsp.DiagnosticSeverity.Warning,
    Severity.INFO: lsp.DiagnosticSeverity.Information,
}
_KINDS: Mapping[str, lsp.CompletionItemKind] = {
    "section": lsp.CompletionItemKind.Module,
    "kind": lsp.CompletionItemKind.Class,
    "property": lsp.CompletionItemKind.Property,
    "block": lsp.CompletionItemKind.Reference,
    "column": lsp.CompletionItemKind.Field,
    "parameter": lsp.CompletionItemKind.TypeParameter,
    "function": lsp.CompletionItemKind.Function,
    "constant": lsp.CompletionItemKind.Constant,
    "value": lsp.CompletionItemKind.EnumMember,
    "unit": lsp.CompletionItemKind.Unit,
    "data set": lsp.CompletionItemKind.Struct,
    "file": lsp.CompletionItemKind.File,
    "input": lsp.CompletionItemKind.Variable,
    "code": lsp.CompletionItemKind.Value,
    "word": lsp.CompletionItemKind.Keyword,
}
_SYMBOLS: Mapping[str, lsp.SymbolKind] = {
    "section": lsp.SymbolKind.Namespace,
    "block": lsp.SymbolKind.Class,
    "input": lsp.SymbolKind.Variable,
    "name": lsp.SymbolKind.Field,
    "key": lsp.SymbolKind.Property,
}


def range_of(span: Span, positions: Positions) -> lsp.Range:
    """Return a place in the units of the client."""
    start, end = positions.position(span.start), positions.position(span.end)
    return lsp.Range(lsp.Position(*start), lsp.Position(*end))


def offset_of(position: lsp.Position, doc: Document) -> int:
    """Return the character offset of a position of the client."""
    return doc.positions.offset(position.line, position.character)


class Places:
    """Places in any file, as seen from a document.

    Parameters
    ----------
    doc : Document
    find : callable
        Returns the open document of a path, or None: its positions are those of its text.
    """

    def __init__(self, doc: Document, find: Callable[[Path], Document | None]) -> None:
        self._doc = doc
        self._find = find

    def location(self, span: Span) -> lsp.Location:
        """Return a place with the address of its file."""
        uri, positions = self._file(span.source)
        return lsp.Location(uri, range_of(span, positions))

    def _file(self, source: Source) -> tuple[str, Positions]:
        if same_file(source, self._doc.source):
            return self._doc.uri, self._doc.positions
        path = (source.path or Path(source.name)).resolve()
        other = self._find(path)
        if other is not None:
            return other.uri, other.positions
        return path.as_uri(), Positions(source.text, self._doc.encoding)

    def edit(self, edits: Iterable[Edit]) -> lsp.WorkspaceEdit:
        """Return edits of one or several files."""
        changes: dict[str, list[lsp.TextEdit]] = {}
        for one in edits:
            uri, positions = self._file(one.span.source)
            changes.setdefault(uri, []).append(lsp.TextEdit(range_of(one.span, positions), one.text))
        return lsp.WorkspaceEdit(changes=changes)


def diagnostic(finding: Finding, doc: Document, places: Places, href: str | None) -> lsp.Diagnostic:
    """Return a finding."""
    related = [lsp.DiagnosticRelatedInformation(places.location(span), text) for span, text in finding.related]
    return lsp.Diagnostic(
        range=range_of(finding.span, doc.positions),
        message=finding.message,
        severity=SEVERITIES[finding.found.severity],
        code=finding.found.code,
        code_description=None if href is None else lsp.CodeDescription(href),
        source="soilql",
        tags=[lsp.DiagnosticTag.Unnecessary] if finding.unnecessary else None,
        related_information=related or None,
    )


def completion_item(one: Item, doc: Document, order: int) -> lsp.CompletionItem:
    """Return a proposal; `order` keeps the list as it is."""
    span = doc.source.span(one.start, one.end)
    return lsp.CompletionItem(
        label=one.label,
        kind=_KINDS[one.sort],
        detail=one.detail or None,
        documentation=lsp.MarkupContent(lsp.MarkupKind.Markdown, one.doc) if one.doc else None,
        sort_text=f"{one.rank}{order:05d}",
        filter_text=one.insert if one.insert.startswith("$") else one.label,
        text_edit=lsp.TextEdit(range_of(span, doc.positions), one.insert),
    )


def hover_of(found: Hover, doc: Document) -> lsp.Hover:
    """Return what is shown under the pointer."""
    content = lsp.MarkupContent(lsp.MarkupKind.Markdown, found.text)
    return lsp.Hover(content, range_of(found.span, doc.positions))


def symbol_of(one: Outlined, doc: Document) -> lsp.DocumentSymbol:
    """Return one line of the outline with those below it."""
    return lsp.DocumentSymbol(
        name=one.name or " ",
        kind=_SYMBOLS[one.sort],
        range=range_of(one.span, doc.positions),
        selection_range=range_of(one.key, doc.positions),
        detail=one.detail or None,
        children=[symbol_of(inner, doc) for inner in one.inner],
    )


def highlight_of(one: Mention, doc: Document) -> lsp.DocumentHighlight:
    """Return a mention in the document itself."""
    kind = lsp.DocumentHighlightKind.Write if one.defines else lsp.DocumentHighlightKind.Read
    return lsp.DocumentHighlight(range_of(one.span, doc.positions), kind)


def action_of(one: Action, doc: Document, places: Places, shown: Mapping[int, lsp.Diagnostic]) -> lsp.CodeAction:
    """Return something that can be done; `shown` has the diagnostics by the ids of their findings."""
    belongs = None if one.finding is None else shown.get(id(one.finding))
    if one.sort == "explain":
        assert one.finding is not None
        command = lsp.Command(one.title, "soilql.explain", arguments=[one.finding.found.code])
        return lsp.CodeAction(one.title, kind="quickfix.soilql.explain", command=command)
    kind = lsp.CodeActionKind.QuickFix if one.sort == "quickfix" else lsp.CodeActionKind.SourceFixAll
    return lsp.CodeAction(
        one.title,
        kind=kind,
        diagnostics=[belongs] if belongs is not None else None,
        is_preferred=one.preferred or None,
        edit=places.edit(one.edits),
    )
