"""Lint many files: find them, check each, in several processes where there are many, and choose what is shown."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from soilql.errors import Diagnostic, Severity, SoilqlError, Source
from soilql.parse import SUFFIXES, parse_source
from soilql.source import read_source

if TYPE_CHECKING:
    from soilql.study.values import Places

#: Files from which on a second process pays for its start.
MANY = 32
#: Codes of texts that could not be read as a spec: nothing else could be checked, so they are always shown.
UNREAD = ("SQ101", "SQ107", "SQ150")

_SPEC_LINE = re.compile(rb"^\W{0,4}(?:soilql|datasets|zones|models|validation|analyses)\W{0,2}\s*:", re.MULTILINE)
_RANKS = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


@dataclass(frozen=True)
class FileFindings:
    """What was found in one file.

    Attributes
    ----------
    name : str
        The file as it was named.
    findings : tuple of Diagnostic
        In order of place.
    readable : bool
        False where the file could not be read, which the findings then say.
    hidden : int
        Findings that were found and not chosen.
    looked_at : tuple of str
        The data that were looked at, one line each.
    """

    name: str
    findings: tuple[Diagnostic, ...]
    readable: bool = True
    hidden: int = 0
    looked_at: tuple[str, ...] = ()


@dataclass(frozen=True)
class Choice:
    """Which findings are shown.

    Attributes
    ----------
    select : tuple of str
        Beginnings of codes; empty for all.
    ignore : tuple of str
        Beginnings of codes. Where both fit a code, the longer one counts.
    severity : Severity
        The least that matters.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    severity: Severity = Severity.INFO

    def takes(self, finding: Diagnostic) -> bool:
        """Return whether a finding is shown.

        Examples
        --------
        >>> Choice(select=("SQ3",), ignore=("SQ301",)).takes(Diagnostic("SQ302", ""))
        True
        """
        if finding.code in UNREAD:
            return True
        wanted = max((len(code) for code in self.select if finding.code.startswith(code)), default=-1)
        refused = max((len(code) for code in self.ignore if finding.code.startswith(code)), default=-1)
        chosen = wanted > refused if self.select else refused < 0
        return chosen and _RANKS[finding.severity] <= _RANKS[self.severity]


def find_specs(paths: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the specs that paths name, and the YAML files in folders that are none.

    Parameters
    ----------
    paths : iterable of str
        A file is taken as it is, so that one that is not there is reported. A folder stands for the specs in it and
        in the folders inside it, by name; hidden ones are left out.

    Raises
    ------
    SoilqlError
        A folder without specs (SQ106).
    """
    found: list[str] = []
    others: list[str] = []
    for path in paths:
        if not Path(path).is_dir():
            found.append(path)
            continue
        inside = [file for file in sorted(Path(path).rglob("*")) if _may_be_spec(file.relative_to(path), file)]
        specs = [str(file) for file in inside if _is_spec(file)]
        others += [str(file) for file in inside if str(file) not in specs]
        if not specs:
            help = f"specs end in {', '.join(f'`{suffix}`' for suffix in SUFFIXES)} and have a line `soilql: 1`"
            raise SoilqlError(Diagnostic("SQ106", f"no spec in the folder {path}", help=help))
        found += specs
    return list(dict.fromkeys(found)), list(dict.fromkeys(others))


def _may_be_spec(inside: Path, file: Path) -> bool:
    hidden = any(part.startswith(".") for part in inside.parts)
    return file.suffix in SUFFIXES and not hidden and file.is_file()


def _is_spec(file: Path) -> bool:
    """Return whether a file has the key of a spec on some line; one that cannot be read is for the linter to report."""
    try:
        return file.suffix == ".soilql" or _SPEC_LINE.search(file.read_bytes()) is not None
    except OSError:
        return True


def lint_source(source: Source, settings: Mapping[str, str], data: Places | None = None) -> list[Diagnostic]:
    """Return every finding about the text of a spec, with the edits that would mend it.

    Parameters
    ----------
    source : Source
        The text.
    settings : mapping of str to str
        Inputs set from outside.
    data : Places, optional
        Where values are kept, for findings about the data as well; without it they are not looked at.
    """
    return list(_linted(source, settings, data)[0])


def _linted(
    source: Source, settings: Mapping[str, str], data: Places | None
) -> tuple[tuple[Diagnostic, ...], tuple[str, ...]]:
    """Return the findings, and what of the data was looked at."""
    from soilql.missing_keys import with_missing_keys
    from soilql.spec import build

    spec = build(parse_source(source), settings)
    if data is None:
        from soilql.lint import lint

        return tuple(with_missing_keys(spec, lint(spec))), ()
    from soilql.lint_data import lint_data

    looked = lint_data(spec, data)
    return tuple(with_missing_keys(spec, looked.findings)), looked.lines


def lint_file(path: str, settings: Mapping[str, str], data: Places | None = None) -> FileFindings:
    """Return every finding about a file; that it cannot be read is one."""
    try:
        source = replace(read_source(Path(path)), path=Path(path))
        findings, looked_at = _linted(source, settings, data)
        return FileFindings(path, findings, looked_at=looked_at)
    except SoilqlError as error:
        return FileFindings(path, error.diagnostics, readable=False)


def lint_files(
    paths: Sequence[str],
    settings: Mapping[str, str],
    choice: Choice | None = None,
    *,
    many: int = MANY,
    data: Places | None = None,
) -> list[FileFindings]:
    """Return the findings of files in their order, each finding once.

    Parameters
    ----------
    paths : sequence of str
        Files, as :func:`find_specs` gives them.
    settings : mapping of str to str
        Inputs set from outside, for all of them.
    choice : Choice, optional
        Which findings are kept; default all.
    many : int
        Number of files from which on several processes share them.
    data : Places, optional
        Where values are kept, for findings about the data as well.
    """
    results = _each(partial(lint_file, settings=settings, data=data), paths, many)
    return [chosen(one, choice or Choice()) for one in _each_once(results)]


def _each(work: Callable[[str], FileFindings], paths: Sequence[str], many: int) -> list[FileFindings]:
    workers = min(os.cpu_count() or 1, len(paths) // max(1, many // 2))
    if len(paths) < many or workers < 2:
        return [work(path) for path in paths]
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(workers) as pool:
        return list(pool.map(work, paths, chunksize=max(1, len(paths) // (4 * workers))))


def _each_once(results: Iterable[FileFindings]) -> Iterable[FileFindings]:
    """Yield the results without what an earlier file said already: files may share a part."""
    seen: set[tuple[object, ...]] = set()
    for one in results:
        new = []
        for finding in one.findings:
            key = (finding.code, finding.message, finding.sort_key())
            if finding.span is None or key not in seen:
                new.append(finding)
            seen.add(key)
        yield replace(one, findings=tuple(new))


def chosen(one: FileFindings, choice: Choice) -> FileFindings:
    """Return the findings of a file that are shown; that it cannot be read always is."""
    if not one.readable:
        return one
    kept = tuple(filter(choice.takes, one.findings))
    return replace(one, findings=kept, hidden=one.hidden + len(one.findings) - len(kept))
