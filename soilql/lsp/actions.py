"""What can be done about findings: the edits that `--fix` knows, and accepting a finding for a stated reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from soilql.edits import line_end
from soilql.errors import Diagnostic, Fix, Severity, SoilqlError, Source
from soilql.fix import mend
from soilql.lint import lint
from soilql.lsp.diagnostics import Finding, at
from soilql.lsp.documents import Document, OpenFiles, same_file
from soilql.lsp.edits import Edit
from soilql.lsp.recovery import parse
from soilql.missing_keys import with_missing_keys
from soilql.source import Mapping, Node, Sequence
from soilql.spec import build
from soilql.suppress import read_suppression

REASON = "say why"


@dataclass(frozen=True)
class Action:
    """Something that an editor offers to do.

    Attributes
    ----------
    title : str
    edits : tuple of Edit
    finding : Finding or None
        What it mends.
    preferred : bool
        Whether nothing else can have been meant.
    sort : {"quickfix", "fix all", "explain"}
    """

    title: str
    edits: tuple[Edit, ...]
    finding: Finding | None = None
    preferred: bool = False
    sort: Literal["quickfix", "fix all", "explain"] = "quickfix"


def actions(doc: Document, start: int, end: int) -> list[Action]:
    """Return what can be done about the findings between two offsets."""
    found: list[Action] = []
    for finding in at(doc, start, end):
        found += _fixes(doc, finding)
        if (ignore := _ignore(doc, finding)) is not None:
            found.append(ignore)
        found.append(Action(f"Explain {finding.found.code}", (), finding, sort="explain"))
    return found


def fix_all(doc: Document, *, unsafe: bool = False) -> Action | None:
    """Return all that `soilql lint --fix` would do to a text; None where that is nothing."""

    def check(state: Source) -> list[Diagnostic]:
        try:
            spec = build(parse(state), {}, OpenFiles(state, doc.others))
            return with_missing_keys(spec, lint(spec))
        except SoilqlError as error:
            return list(error.diagnostics)

    mended = mend(doc.source, check, parse, unsafe=unsafe)
    if not mended.done:
        return None
    edit = Edit(doc.source.span(0, len(doc.text)), mended.source.text)
    count = len(mended.done)
    return Action(f"Mend {count} finding{'' if count == 1 else 's'} of soilql", (edit,), sort="fix all")


def _fixes(doc: Document, finding: Finding) -> Iterator[Action]:
    for fix in finding.found.fixes:
        if _fits(doc, fix):
            title = fix.title[:1].upper() + fix.title[1:] + ("" if fix.safe else " (may change what was meant)")
            span = doc.source.span(fix.span.start, fix.span.end)
            safe = fix.safe and len(finding.found.fixes) == 1
            yield Action(title, (Edit(span, fix.replacement),), finding, preferred=safe)


def _fits(doc: Document, fix: Fix) -> bool:
    """Return whether an edit is one of this very text."""
    source = fix.span.source
    here = same_file(source, doc.source) and len(source.text) == len(doc.text)
    return here and source.text[fix.span.start : fix.span.end] == doc.text[fix.span.start : fix.span.end]


# --- accepting a finding ----------------------------------------------------------------------------------------------


def _ignore(doc: Document, finding: Finding) -> Action | None:
    """Return the edit that writes a suppression above the key or statement that a finding is in."""
    found = finding.found
    if found.code in ("SQ690", "SQ691", "SQ692") or (found.code[2] in "12" and found.severity is Severity.ERROR):
        return None
    if finding.related or found.span is None:
        return None
    place = _line_of(doc, doc.readable.root, found.span.start)
    if place is None:
        return None
    indent = doc.text[place : place + len(doc.text[place:]) - len(doc.text[place:].lstrip(" \t"))]
    comment = f"{indent}# soilql: ignore[{found.code}] {REASON}"
    source = replace(doc.source, text=f"{doc.text[:place]}{comment}\n{doc.text[place:]}")
    hidden = read_suppression(source.span(place + len(indent), place + len(comment)))
    if hidden is None or isinstance(hidden, Diagnostic) or not hidden.first <= found.span.line + 1 <= hidden.last:
        return None
    edit = Edit(doc.source.span(place, place), f"{comment}{line_end(doc.text)}")
    return Action(f"Accept {found.code} here, for a reason", (edit,), finding)


def _line_of(doc: Document, node: Node | None, offset: int) -> int | None:
    """Return where the line begins of the innermost key that begins a line and holds an offset."""
    best: int | None = None
    if isinstance(node, Sequence):
        for item in node.items:
            if item.span.start <= offset <= item.span.end:
                return _line_of(doc, item, offset)
    for entry in node if isinstance(node, Mapping) else ():
        start = entry.key.span.start
        if not min(start, entry.value.span.start) <= offset <= max(entry.key.span.end, entry.value.span.end):
            continue
        line = max(doc.text.rfind("\n", 0, start), doc.text.rfind("\r", 0, start)) + 1
        before = doc.text[line:start].strip()
        # A statement of the mini-language begins with its word, a step with `|`.
        if not before or (doc.surface == "soilql" and (before == "|" or not doc.text[line : line + 1].isspace())):
            best = line
        inner = _line_of(doc, entry.value, offset)
        return best if inner is None else inner
    return best
