"""Findings as SARIF 2.1.0 (OASIS), which code hosts and editors show: with rules, places and fixes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from soilql import __version__
from soilql.errors import Diagnostic, Fix, Severity, Span
from soilql.lint_files import FileFindings

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_ROOT = "SRCROOT"


def report(results: Sequence[FileFindings], folder: Path | None = None) -> str:
    """Return the findings of files as a SARIF log.

    Parameters
    ----------
    results : sequence of FileFindings
        Of all files.
    folder : Path, optional
        Root of the sources, to which the URIs of files in it are relative; default the working directory.

    Returns
    -------
    str
        JSON with one run. Columns count UTF-16 code units from 1, the default of the format, and it says so.
    """
    from soilql.explain import FAMILIES, codes

    root = (folder or Path.cwd()).resolve()
    found = [(one, finding) for one in results if one.readable for finding in one.findings]
    used = sorted({finding.code for _, finding in found})
    known = codes()
    rules = [_rule(code, known.get(code, code), FAMILIES.get(code[2:3], "")) for code in used]
    unread = [finding for one in results if not one.readable for finding in one.findings]
    run = {
        "tool": {"driver": {"name": "soilql", "semanticVersion": __version__, "rules": rules}},
        "invocations": [
            {"executionSuccessful": not unread, "toolExecutionNotifications": [_notification(one) for one in unread]}
        ],
        "columnKind": "utf16CodeUnits",
        "results": [_result(one.name, finding, used, root) for one, finding in found],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False) + "\n"


def _rule(code: str, text: str, family: str) -> dict[str, Any]:
    head, _, why = text.partition("\n\n")
    return {
        "id": code,
        "shortDescription": {"text": head.partition(" ")[2] or code},
        "help": {"text": why or head},
        "properties": {"tags": [family] if family else []},
    }


def _notification(finding: Diagnostic) -> dict[str, Any]:
    return {"descriptor": {"id": finding.code}, "level": "error", "message": {"text": _message(finding)}}


def _result(name: str, finding: Diagnostic, rules: Sequence[str], root: Path) -> dict[str, Any]:
    span = finding.span
    place: dict[str, Any] = {"artifactLocation": _artifact(name if span is None else span.source.name, root)}
    if span is not None:
        place["region"] = _region(span)
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": rules.index(finding.code),
        "level": _LEVELS[finding.severity],
        "message": {"text": _message(finding)},
        "locations": [{"physicalLocation": place}],
    }
    if finding.fixes:
        result["fixes"] = [_fix(fix, root) for fix in finding.fixes]
    return result


def _message(finding: Diagnostic) -> str:
    parts = [finding.message, finding.label, *finding.facts, f"help: {finding.help}" if finding.help else ""]
    return "\n".join(filter(None, parts))


def _fix(fix: Fix, root: Path) -> dict[str, Any]:
    replacement = {"deletedRegion": _region(fix.span), "insertedContent": {"text": fix.replacement}}
    change = {"artifactLocation": _artifact(fix.span.source.name, root), "replacements": [replacement]}
    return {
        "description": {"text": fix.title},
        "artifactChanges": [change],
        "properties": {"safe": fix.safe},
    }


def _region(span: Span) -> dict[str, int]:
    return {
        "startLine": span.line,
        "startColumn": _utf16_column(span, span.start),
        "endLine": span.end_line,
        "endColumn": _utf16_column(span, span.end),
    }


def _utf16_column(span: Span, offset: int) -> int:
    before = span.source.text[offset - span.source.position(offset)[1] + 1 : offset]
    return len(before.encode("utf-16-le", "surrogatepass")) // 2 + 1


def _artifact(name: str, root: Path) -> dict[str, str]:
    """Return where a file is: relative to the root if it lies in it, else in full."""
    path = Path(name).absolute()
    if path.is_relative_to(root):
        return {"uri": quote(path.relative_to(root).as_posix()), "uriBaseId": _ROOT}
    return {"uri": path.as_uri()}
