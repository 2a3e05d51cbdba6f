"""Findings as JSON, for programs that want all that is known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from soilql import __version__
from soilql.errors import Diagnostic, Fix, Span
from soilql.lint_files import FileFindings

#: Raised when a key changes its meaning or goes away.
FORMAT = 1


def report(results: Sequence[FileFindings]) -> str:
    """Return the findings of files as a JSON document.

    Parameters
    ----------
    results : sequence of FileFindings
        Of all files.

    Returns
    -------
    str
        ``findings`` in the order of the files, each with ``file``, ``code``, ``severity``, ``message``, ``label``,
        ``help``, ``notes``, ``start``, ``end`` (null where there is no place) and ``fixes``. Lines and columns count
        from 1 and offsets from 0, in Unicode characters; an end lies behind the last character.
    """
    document = {
        "format": FORMAT,
        "soilql": __version__,
        "files": [{"file": one.name, "readable": one.readable, "not_selected": one.hidden} for one in results],
        "findings": [_finding(one.name, finding) for one in results for finding in one.findings],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _finding(name: str, finding: Diagnostic) -> dict[str, Any]:
    span = finding.span
    return {
        "file": name if span is None else span.source.name,
        "code": finding.code,
        "severity": finding.severity.value,
        "message": finding.message,
        "label": finding.label,
        "help": finding.help,
        "notes": list(finding.facts),
        "start": None if span is None else _place(span, span.start),
        "end": None if span is None else _place(span, span.end),
        "fixes": [_fix(fix) for fix in finding.fixes],
    }


def _fix(fix: Fix) -> dict[str, Any]:
    return {
        "title": fix.title,
        "safe": fix.safe,
        "file": fix.span.source.name,
        "start": _place(fix.span, fix.span.start),
        "end": _place(fix.span, fix.span.end),
        "replacement": fix.replacement,
    }


def _place(span: Span, offset: int) -> dict[str, int]:
    line, column = span.source.position(offset)
    return {"line": line, "column": column, "offset": offset}
