"""Findings that the author of a spec has looked at and accepts, each with the reason.

``# soilql: ignore[SQ620] shown beside folds by place`` at the end of a line hides the findings of that code that begin
on the line. On a line of its own it hides those in the key or statement below, with all that belongs to it. Several
codes stand in one pair of brackets. A reason is required, and a suppression that hides nothing is itself a finding.
Errors of structure (SQ1) and of names (SQ2) cannot be hidden: nothing can be computed from them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from soilql.edits import removed
from soilql.errors import Diagnostic, Fix, Severity, Source, Span
from soilql.yaml_comments import find_comments

_MARK = re.compile(r"#[ \t]*soilql[ \t]*:[ \t]*ignore\b")
_WHOLE = re.compile(_MARK.pattern + r"[ \t]*\[(?P<codes>[^\]]*)\](?P<reason>.*)", re.DOTALL)
_CODE = re.compile(r"SQ\d{3}")
#: What goes on with the line above although it is indented no deeper: closing brackets, a step of the mini-language.
_GOES_ON = ("}", "]", ")", "|")
_FORM = "write `# soilql: ignore[SQ620] reason`"


@dataclass(frozen=True)
class Suppression:
    """One comment that hides findings.

    Attributes
    ----------
    codes : tuple of (str, Span)
        Codes, each with its place.
    reason : str
        Why; empty where none is given.
    span : Span
        The comment from its mark on.
    first, last : int
        Lines on which the findings that it hides begin; `last` below `first` where nothing follows the comment.
    """

    codes: tuple[tuple[str, Span], ...]
    reason: str
    span: Span
    first: int
    last: int

    def covers(self, finding: Diagnostic) -> bool:
        """Return whether a finding begins where this comment holds, whatever its code."""
        span = finding.span
        return span is not None and span.source.name == self.span.source.name and self.first <= span.line <= self.last


@dataclass(frozen=True)
class Applied:
    """What is left of the findings, and what was hidden.

    Attributes
    ----------
    kept : tuple of Diagnostic
        In order of place, with what is wrong with the suppressions themselves.
    hidden : tuple of (Diagnostic, Suppression)
        Each hidden finding with the comment that hides it.
    """

    kept: tuple[Diagnostic, ...]
    hidden: tuple[tuple[Diagnostic, Suppression], ...]


def apply(
    findings: Sequence[Diagnostic], source: Source, *, unlooked: Callable[[str], bool] = lambda code: False
) -> Applied:
    """Hide the findings that comments accept, and report what is wrong with the comments of the spec.

    Parameters
    ----------
    findings : sequence of Diagnostic
        All findings; those in files that the spec includes are hidden by comments there.
    source : Source
        The spec. What is needless for it in an included file may be needed for that file itself, and is not reported.
    unlooked : callable
        Says of a code whether it was not, or not fully, looked for, so that a comment which hides nothing may be right.

    Examples
    --------
    >>> source = Source("x.yaml", "folds: 10  # soilql: ignore[SQ620] one row a site\\n")
    >>> found = Diagnostic("SQ620", "folds that split a place", source.span(7, 9), severity=Severity.WARNING)
    >>> applied = apply([found], source)
    >>> len(applied.kept), len(applied.hidden)
    (0, 1)
    """
    included = {one.span.source.name: one.span.source for one in findings if one.span is not None}
    included.pop(source.name, None)
    elsewhere = [comment for one in included.values() for comment in suppressing_comments(one)]
    hidden = apply_comments(findings, elsewhere).hidden
    left = [one for one in findings if all(one is not other for other, _ in hidden)]
    applied = apply_comments(left, suppressing_comments(source), unlooked=unlooked)
    return Applied(applied.kept, (*hidden, *applied.hidden))


def apply_comments(
    findings: Sequence[Diagnostic], comments: Iterable[Span], *, unlooked: Callable[[str], bool] = lambda code: False
) -> Applied:
    """Hide findings as `apply` does, given the comments of a source; other comments do no harm."""
    hidden: dict[int, Suppression] = {}
    problems: list[Diagnostic] = []
    complete = all(one.severity is not Severity.ERROR for one in findings)
    for comment in comments:
        found = read_suppression(comment)
        if found is None or isinstance(found, Diagnostic):
            problems += [found] if found is not None else []
            continue
        if not found.reason:
            problems.append(_without_reason(found))
        for code, place in found.codes:
            matching = [i for i, one in enumerate(findings) if one.code == code and found.covers(one)]
            accepted = [i for i in matching if _may_be_hidden(findings[i])]
            hidden |= {i: found for i in accepted if i not in hidden}
            # A rule may have had no chance to find anything where errors are left.
            # Where the same is found elsewhere, or nothing follows, the comment is misplaced whatever was looked for.
            misplaced = found.last < found.first or any(one.code == code for one in findings)
            if not accepted and (matching or (complete and (misplaced or not unlooked(code)))):
                problems.append(_useless(code, place, found, bool(matching)))
    kept = [one for i, one in enumerate(findings) if i not in hidden]
    return Applied(
        tuple(sorted([*kept, *problems], key=Diagnostic.sort_key)),
        tuple((findings[i], by) for i, by in sorted(hidden.items())),
    )


def suppressing_comments(source: Source) -> list[Span]:
    """Return the comments of a source that may hide findings, whatever surface it is written on."""
    if _MARK.search(source.text) is None:
        return []
    if source.name.endswith(".soilql"):
        from soilql.minilang.parse import parse_with_comments

        return parse_with_comments(source)[1]
    return list(find_comments(source))


def read_suppression(comment: Span) -> Suppression | Diagnostic | None:
    """Return what a comment hides; a diagnostic where that cannot be read, None for any other comment."""
    mark = _MARK.search(comment.text)
    if mark is None:
        return None
    span = replace(comment, start=comment.start + mark.start())
    span = replace(span, end=span.start + len(span.text.rstrip()))
    whole = _WHOLE.match(span.text)
    codes = [] if whole is None else [*re.finditer(r"[^\s,]+", whole["codes"])]
    if whole is None or not codes:
        return Diagnostic("SQ692", "a suppression names no code", span, help=_FORM, severity=Severity.WARNING)
    start = span.start + whole.start("codes")
    places = tuple((one[0], Span(span.source, start + one.start(), start + one.end())) for one in codes)
    if wrong := next((pair for pair in places if not _CODE.fullmatch(pair[0])), None):
        message = f"`{wrong[0]}` is no code of a finding"
        return Diagnostic("SQ692", message, wrong[1], help=_FORM, severity=Severity.WARNING)
    return Suppression(places, whole["reason"].strip(" \t-:;,.–—"), span, *_lines(comment))


def _lines(comment: Span) -> tuple[int, int]:
    """Return the first and last line that a comment holds for."""
    source, number = comment.source, comment.line
    if source.line(number)[: comment.column - 1].strip():
        return number, number
    count = source.position(len(source.text))[0]
    first = next((n for n in range(number + 1, count + 1) if _is_content(source.line(n))), None)
    if first is None or _indent(source.line(first)) < comment.column - 1:
        return number, number - 1
    last, opening = first, source.line(first)
    for n in range(first + 1, count + 1):
        line = source.line(n)
        if not line.strip():
            continue
        if not _belongs(line, opening):
            break
        last = n
    return first, last


def _is_content(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _belongs(line: str, opening: str) -> bool:
    """Return whether a line is a part of what begins on another: indented deeper, a closing bracket, a list item."""
    here, there = _indent(line), _indent(opening)
    text = line.strip()
    item = text.startswith(("- ", "-\t")) or text == "-"
    own_item = item and not opening.lstrip().startswith("-")
    return here > there or (here == there and (text.startswith(_GOES_ON) or own_item))


def _may_be_hidden(finding: Diagnostic) -> bool:
    return finding.code[2] not in "12" or finding.severity is not Severity.ERROR


def _without_reason(found: Suppression) -> Diagnostic:
    listed = " and ".join(f"`{code}`" for code, _ in found.codes)
    message = f"{listed} {'is' if len(found.codes) == 1 else 'are'} suppressed without a reason"
    help = "say after the bracket why the finding is accepted"
    return Diagnostic("SQ690", message, found.span, help=help, severity=Severity.WARNING)


def _useless(code: str, place: Span, found: Suppression, refused: bool) -> Diagnostic:
    if refused:
        message = f"`{code}` cannot be suppressed: nothing can be computed from it"
        return Diagnostic("SQ692", message, place, help="mend what it says", severity=Severity.WARNING)
    where = "nothing follows it in its block" if found.last < found.first else ""
    help = "delete it, or move it to the line of the finding"
    message, fixes = f"no `{code}` to suppress here", _deletion(found)
    return Diagnostic("SQ691", message, place, where, help, Severity.WARNING, fixes=fixes)


def _deletion(found: Suppression) -> tuple[Fix, ...]:
    """Return the edit that deletes a suppression of one code, with its line where it has one of its own."""
    source, title = found.span.source, f"delete the suppression of `{found.codes[0][0]}`"
    before = source.text[: found.span.start].rstrip(" \t")
    if len(found.codes) > 1:
        return ()
    if not before or before[-1] in "\r\n":
        return removed(found.span, safe=False, title=title)
    return (Fix(Span(source, len(before), found.span.end), "", False, title),)
