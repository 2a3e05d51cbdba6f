"""What `soilql lint` does: check or mend files, and lay out what was found for a reader."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Literal

from soilql import fix, lint_files
from soilql.errors import Diagnostic, SoilqlError, Source
from soilql.lint_files import Choice, FileFindings
from soilql.parse import parse_source
from soilql.reporting import Outcome, github, json, sarif, text
from soilql.source import decode_source, read_source

if TYPE_CHECKING:
    from soilql.study.values import Places

Format = Literal["text", "json", "sarif", "github"]
STDIN = "-"
CLEAN, FINDINGS, UNREADABLE = 0, 1, 2

_MACHINE: Mapping[str, ModuleType] = {"json": json, "sarif": sarif, "github": github}


@dataclass(frozen=True)
class Request:
    """What is asked of the linter.

    Attributes
    ----------
    paths : tuple of str
        Files and folders, or `-` alone for the standard input.
    settings : mapping of str to str
        Inputs set from outside.
    choice : Choice
        Which findings count.
    format : {"text", "json", "sarif", "github"}
    mend : {"no", "safe", "unsafe"}
        Which edits are made.
    diff : bool
        Show the edits instead of making them.
    stdin_name : str
        What the standard input is called.
    colour : bool
    data : Places, optional
        Where values are kept, where the data are looked at too.
    """

    paths: tuple[str, ...]
    settings: Mapping[str, str]
    choice: Choice
    format: Format = "text"
    mend: Literal["no", "safe", "unsafe"] = "no"
    diff: bool = False
    stdin_name: str = "<stdin>"
    colour: bool = False
    data: Places | None = None


def lint_command(request: Request, stdin: Callable[[], bytes]) -> Outcome:
    """Check, and perhaps mend, what is asked.

    Parameters
    ----------
    request : Request
    stdin : callable
        Reads the standard input, where that is asked for.

    Returns
    -------
    Outcome
        Status 0 with nothing left to say, 1 with findings, 2 where a file could not be read.

    Raises
    ------
    SoilqlError
        The request contradicts itself (SQ142), a code is unknown (SQ140), or a file cannot be written (SQ901).
    """
    _check(request)
    if request.paths == (STDIN,):
        return _stdin(request, stdin())
    paths, others = lint_files.find_specs(request.paths)
    left_out = f"; not taken for specs: {', '.join(others)}" if others else ""
    if request.mend != "no":
        return _mend_files(request, paths, left_out)
    results = lint_files.lint_files(paths, request.settings, request.choice, data=request.data)
    return _report(request, results, text.summary(results) + left_out)


def _check(request: Request) -> None:
    if STDIN in request.paths and len(request.paths) > 1:
        raise SoilqlError(Diagnostic("SQ142", "the standard input (`-`) is linted by itself"))
    to_stdout = request.diff or (request.mend != "no" and request.paths == (STDIN,))
    if to_stdout and request.format != "text":
        what = "--diff" if request.diff else "the mended text"
        raise SoilqlError(Diagnostic("SQ142", f"{what} and --format {request.format} both go to the standard output"))
    prefixes = (*request.choice.select, *request.choice.ignore)
    if not prefixes:
        return
    from soilql.explain import codes

    for prefix in prefixes:
        if not any(code.startswith(prefix) for code in codes()):
            help = "write a code such as SQ201 or its beginning, such as SQ2; `soilql explain codes` lists them all"
            raise SoilqlError(Diagnostic("SQ140", f"no code begins with `{prefix}`", help=help))


def _report(request: Request, results: list[FileFindings], summary: str, done: str = "", out: str = "") -> Outcome:
    unreadable = any(not one.readable for one in results)
    status = UNREADABLE if unreadable else FINDINGS if any(one.findings for one in results) else CLEAN
    if request.format != "text":
        return Outcome(_MACHINE[request.format].report(results), done, status)
    looked_at = "".join(_looked_at(results))
    return Outcome(out, f"{text.report(results, colour=request.colour)}{done}{looked_at}{summary}\n", status)


def _looked_at(results: list[FileFindings]) -> Iterator[str]:
    """Yield the lines on the data that were looked at, by file where there are several."""
    for one in results:
        if one.looked_at:
            yield "looked at\n" if len(results) == 1 else f"looked at in {one.name}\n"
            yield from (f"  {line}\n" for line in one.looked_at)


def _stdin(request: Request, raw: bytes) -> Outcome:
    source = decode_source(raw, request.stdin_name)
    if request.mend == "no":
        found = FileFindings(source.name, tuple(lint_files.lint_source(source, request.settings, request.data)))
        results = [lint_files.chosen(found, request.choice)]
        return _report(request, results, text.summary(results))
    mended, result = _mended(request, source)
    out = fix.difference(source, mended.source) if request.diff else mended.source.text
    return _after_mending(request, [result], [mended], out)


def _mend_files(request: Request, paths: list[str], left_out: str) -> Outcome:
    results: list[FileFindings] = []
    all_mended: list[fix.Mended] = []
    differences = ""
    for path in paths:
        try:
            source = replace(read_source(Path(path)), path=Path(path))
        except SoilqlError as error:
            results.append(FileFindings(path, error.diagnostics, readable=False))
            continue
        mended, result = _mended(request, source)
        results.append(result)
        all_mended.append(mended)
        if request.diff:
            differences += fix.difference(source, mended.source)
        elif mended.done:
            fix.write_text(Path(path), mended.source.text)
    return _after_mending(request, results, all_mended, differences, left_out)


def _mended(request: Request, source: Source) -> tuple[fix.Mended, FileFindings]:
    """Return the mended text and what is left in it; only chosen findings are mended.

    Data are looked at where the text is mended: what they show is mended in a round of its own.
    """

    def check(state: Source, data: Places | None = None) -> list[Diagnostic]:
        return [one for one in lint_files.lint_source(state, request.settings, data) if request.choice.takes(one)]

    unsafe = request.mend == "unsafe"
    mended = fix.mend(source, check, parse_source, unsafe=unsafe)
    if request.data is not None:
        further = fix.mend(mended.source, partial(check, data=request.data), parse_source, unsafe=unsafe)
        mended = replace(further, done=(*mended.done, *further.done))
    everything = lint_files.lint_source(mended.source, request.settings, request.data)
    return mended, lint_files.chosen(FileFindings(source.name, tuple(everything)), request.choice)


def _after_mending(
    request: Request, results: list[FileFindings], mended: list[fix.Mended], out: str, left_out: str = ""
) -> Outcome:
    done = list(_done(mended))
    words = "".join(f"{'would mend' if request.diff else 'mended'} {line}\n" for line in done)
    summary = text.summary(results, mended=0 if request.diff else len(done), unsafe=request.mend == "unsafe")
    if not request.diff:
        return _report(request, results, summary + left_out, words, out)
    changes = f"{len(done)} edit{'' if len(done) == 1 else 's'} not made, as --diff was given"
    unread = [one for one in results if not one.readable]
    after = f"after them, {summary}" if done else summary
    outcome = _report(request, unread, f"{changes}; {after}{left_out}", words, out)
    left = any(one.findings for one in results) or bool(done)
    return replace(outcome, status=outcome.status or (FINDINGS if left else CLEAN))


def _done(mended: list[fix.Mended]) -> Iterator[str]:
    for one in mended:
        yield from one.done
