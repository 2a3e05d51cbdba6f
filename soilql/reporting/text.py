"""Findings for a terminal: the excerpt of each, and one line that sums up."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from typing import Literal, TextIO

from soilql.errors import Diagnostic, Severity
from soilql.lint_files import FileFindings

When = Literal["auto", "always", "never"]

_TONES = {Severity.ERROR: "31", Severity.WARNING: "33", Severity.INFO: "36"}


def wants_colour(stream: TextIO, when: When = "auto") -> bool:
    """Return whether to write in colour: as asked, else on a terminal unless `NO_COLOR` is set or it is a dumb one."""
    if when != "auto":
        return when == "always"
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def render(diagnostic: Diagnostic, *, colour: bool = False) -> str:
    """Return a finding with its excerpt; in colour the head and the carets stand out.

    Examples
    --------
    >>> render(Diagnostic("SQ901", "cannot write"), colour=True)
    '\\x1b[1;31merror SQ901\\x1b[0m cannot write'
    """
    text = diagnostic.render()
    if not colour:
        return text
    tone = _TONES[diagnostic.severity]
    head = f"{diagnostic.severity} {diagnostic.code}"
    painted = text.replace(head, f"\033[1;{tone}m{head}\033[0m", 1)
    return re.sub(r"^(\s*\| \s*)(\^+)", rf"\1\033[1;{tone}m\2\033[0m", painted, count=1, flags=re.MULTILINE)


def report(results: Iterable[FileFindings], *, colour: bool = False) -> str:
    """Return the findings of files, one below the other; each ends in a line end."""
    return "".join(f"{render(finding, colour=colour)}\n" for one in results for finding in one.findings)


def summary(results: Sequence[FileFindings], *, mended: int = 0, unsafe: bool = False) -> str:
    """Return one line that sums up.

    Parameters
    ----------
    results : sequence of FileFindings
        Of all files.
    mended : int
        Findings that were mended.
    unsafe : bool
        Whether unsafe edits were made already.

    Examples
    --------
    >>> summary([FileFindings("x.yaml", ()), FileFindings("y.yaml", (Diagnostic("SQ101", ""),), hidden=2)])
    '1 finding in 2 files (1 error; 2 more not selected)'
    """
    found = [finding for one in results if one.readable for finding in one.findings]
    unreadable = sum(not one.readable for one in results)
    hidden = sum(one.hidden for one in results)
    files = _count(len(results), "file")
    done = [f"{mended} mended"] if mended else []
    unread = [f"{_count(unreadable, 'file')} not readable"] if unreadable else []
    if not found:
        more = [f"{hidden} not selected"] if hidden else []
        return f"{files}: {', '.join([*done, 'no findings', *more, *unread])}"
    levels = [_count(n, level.value) for level in Severity if (n := sum(one.severity is level for one in found))]
    inside = "; ".join([", ".join(levels), *([f"{hidden} more not selected"] if hidden else [])])
    offers = [one.fixes[0].safe for one in found if len(one.fixes) == 1]
    safe, doubtful = sum(offers), 0 if unsafe else len(offers) - sum(offers)
    hints = [f"--fix mends {safe}"] if safe else []
    hints += [f"--unsafe-fixes {f'{doubtful} more' if safe else f'mends {doubtful}'}"] if doubtful else []
    head = f"{_count(len(found), 'finding')} in {files} ({inside})"
    return ", ".join([*done, head, *unread]) + (f"; {', '.join(hints)}" if hints else "")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
