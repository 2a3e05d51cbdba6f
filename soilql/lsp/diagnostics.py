"""The findings of the linter about a text as it is typed, each at a place in the document itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from soilql.errors import Diagnostic, Severity, SoilqlError, Span
from soilql.lint import lint
from soilql.lsp.documents import Document, OpenFiles, same_file
from soilql.lsp.recovery import SYNTAX, parse
from soilql.missing_keys import with_missing_keys
from soilql.source import Mapping, Tree
from soilql.spec import build

#: Findings of things that nothing uses, which editors show faded.
UNNECESSARY = frozenset({"SQ133", "SQ147", "SQ208", "SQ209", "SQ401", "SQ691"})
#: Findings that a line left out may be the reason of.
_UNSURE = frozenset({"SQ101", "SQ108", "SQ121", "SQ122", *UNNECESSARY})


@dataclass(frozen=True)
class Finding:
    """A finding as an editor shows it.

    Attributes
    ----------
    found : Diagnostic
        As the linter has it.
    span : Span
        Where, in the document; for a finding in a file that the spec builds on, where that is named.
    message : str
        What is wrong, what stands there and how to mend it.
    unnecessary : bool
        Whether it is about something that nothing uses.
    related : tuple of (Span, str)
        Further places: in another file, and how that came to be read.
    """

    found: Diagnostic
    span: Span
    message: str
    unnecessary: bool
    related: tuple[tuple[Span, str], ...]


@lru_cache(maxsize=16)
def findings(doc: Document) -> tuple[Finding, ...]:
    """Return everything that `soilql lint` says about a text; nothing about a file that is no spec.

    Where the text has syntax errors, what can be read of it is checked too, and what is certain is said.

    Examples
    --------
    >>> from soilql.lsp.documents import document
    >>> [(one.found.code, one.span.text) for one in findings(document("soilql: 1\\nmodls: {}\\n"))]
    [('SQ120', 'modls')]
    """
    if not doc.is_spec:
        return ()
    return tuple(_shown(one, doc) for one in _checked(doc))


def _checked(doc: Document) -> list[Diagnostic]:
    tree = parse(doc.source)
    found = _lint(tree, doc)
    if not any(one.code in SYNTAX for one in tree.diagnostics) or doc.readable.root is None:
        return found
    rest = _lint(Tree(doc.source, doc.readable.root, ()), doc)
    certain = [one for one in rest if _is_certain(one, doc)]
    return sorted({(one.code, one.message, one.sort_key()): one for one in [*found, *certain]}.values(),
                  key=Diagnostic.sort_key)  # fmt: skip


def _lint(tree: Tree, doc: Document) -> list[Diagnostic]:
    try:
        spec = build(tree, {}, OpenFiles(doc.source, doc.others))
        return with_missing_keys(spec, lint(spec))
    except SoilqlError as error:
        return list(error.diagnostics)


def _is_certain(found: Diagnostic, doc: Document) -> bool:
    """Return whether a finding would be there if the lines that cannot be read were: no name in it is among them."""
    span = found.span
    if span is None or found.code in _UNSURE or found.severity is not Severity.ERROR:
        return False
    if _is_beside_blanked(span, doc):
        return False
    missing = " ".join(doc.text[start:end] for start, end in doc.readable.blanked)
    names = [part for i, part in enumerate(found.message.split("`")) if i % 2]
    return not any(name in missing for name in names)


def _is_beside_blanked(span: Span, doc: Document) -> bool:
    """Return whether a line that was left out may belong to the same block as a place."""
    starts = [0]
    for entry in doc.readable.root or ():
        inner = entry.value if isinstance(entry.value, Mapping) else ()
        starts += [entry.key.span.start, *(one.key.span.start for one in inner)]
    first = max(start for start in starts if start <= span.start)
    last = min((start for start in starts if start > span.start), default=len(doc.text))
    return any(first <= start < last for start, _ in doc.readable.blanked)


def _shown(found: Diagnostic, doc: Document) -> Finding:
    lines = [found.message]
    lines += [found.label] if found.label else []
    lines += [f"note: {note}" for note in found.notes]
    lines += [f"help: {found.help}"] if found.help else []
    span, related = _place(found, doc)
    if related:
        lines[0] = f"{lines[0]} (in {related[0][0]})"
    return Finding(found, span, "\n".join(lines), found.code in UNNECESSARY, tuple(related))


def _place(found: Diagnostic, doc: Document) -> tuple[Span, list[tuple[Span, str]]]:
    """Return the place of a finding in the document, and the chain of places that leads from it elsewhere."""
    start = doc.source.span(0, 0)
    if found.span is None:
        return start, []
    if same_file(found.span.source, doc.source):
        return found.span, []
    related = [(found.span, found.message)]
    for step in found.span.source.chain():
        if same_file(step.span.source, doc.source):
            return step.span, related
        related.append((step.span, step.words))
    return start, related


def at(doc: Document, start: int, end: int) -> Iterator[Finding]:
    """Yield the findings that touch a place."""
    for one in findings(doc):
        if one.span.start <= end and start <= max(one.span.end, one.span.start):
            yield one
