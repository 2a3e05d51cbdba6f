"""Findings as workflow commands of GitHub Actions, which shows them beside the lines of a pull request."""

from __future__ import annotations

from collections.abc import Iterable

from soilql.errors import Diagnostic, Severity
from soilql.lint_files import FileFindings

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def report(results: Iterable[FileFindings]) -> str:
    """Return one workflow command a line.

    Parameters
    ----------
    results : iterable of FileFindings
        Their names should be relative to the root of the repository, as they are when it is linted from there.

    Examples
    --------
    >>> from soilql.errors import Source
    >>> found = Diagnostic("SQ201", "unknown name `Mo`", Source("a,b.yaml", "x: Mo").span(3, 5), help="write: `M`")
    >>> print(report([FileFindings("a,b.yaml", (found,))]), end="")
    ::error file=a%2Cb.yaml,line=1,endLine=1,col=4,endColumn=6,title=SQ201::unknown name `Mo`%0Ahelp: write: `M`
    """
    return "".join(f"{_command(one.name, finding)}\n" for one in results for finding in one.findings)


def _command(name: str, finding: Diagnostic) -> str:
    span = finding.span
    properties = {"file": name if span is None else span.source.name}
    if span is not None:
        properties |= {"line": str(span.line), "endLine": str(span.end_line)}
        if span.line == span.end_line:  # columns are refused where an annotation has several lines
            properties |= {"col": str(span.column), "endColumn": str(span.end_column)}
    properties["title"] = finding.code
    listed = ",".join(f"{key}={_escaped(value, ':,')}" for key, value in properties.items())
    parts = [finding.message, finding.label, *(f"note: {note}" for note in finding.facts)]
    parts += [f"help: {finding.help}"] if finding.help else []
    return f"::{_COMMANDS[finding.severity]} {listed}::{_escaped(chr(10).join(filter(None, parts)))}"


def _escaped(text: str, also: str = "") -> str:
    """Return a text in which what ends a value is written as its code; the per cent sign first."""
    for char in f"%\r\n{also}":
        text = text.replace(char, f"%{ord(char):02X}")
    return text
