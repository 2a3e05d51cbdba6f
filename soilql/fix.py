"""Mend a spec's text by the edits that its diagnostics offer, and never break it."""

from __future__ import annotations

import difflib
import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from soilql.errors import Diagnostic, Fix, SoilqlError, Source
from soilql.source import Mapping, Node, Tree
from soilql.source import Sequence as SequenceNode

MAX_ROUNDS = 10
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Mended:
    """A text after the edits.

    Attributes
    ----------
    source : Source
        The new text under the old name.
    done : tuple of str
        What was done, one line each: place, code and title of the edit.
    findings : tuple of Diagnostic
        What is left.
    """

    source: Source
    done: tuple[str, ...]
    findings: tuple[Diagnostic, ...]


def mend(
    source: Source,
    check: Callable[[Source], Iterable[Diagnostic]],
    parse: Callable[[Source], Tree],
    *,
    unsafe: bool = False,
) -> Mended:
    """Apply the edits that diagnostics offer, round by round, until there are no more.

    Parameters
    ----------
    source : Source
        The text.
    check : callable
        Returns the findings of a text that may be mended.
    parse : callable
        Returns the tree of a text, by which an edit that breaks it is told and left out.
    unsafe : bool
        Whether edits that may change what was meant are made too.

    Returns
    -------
    Mended
        After at most ten rounds: an edit may bring to light what could not be checked before.

    Examples
    --------
    >>> from soilql.source import parse_yaml
    >>> def check(source: Source) -> list[Diagnostic]:
    ...     at = source.text.find("&&")
    ...     span = source.span(at, at + 2)
    ...     return [] if at < 0 else [Diagnostic("SQ110", "", span, fixes=(Fix(span, "and", True, "write `and`"),))]
    >>> mended = mend(Source("x.yaml", "where: a && b"), check, parse_yaml)
    >>> mended.source.text, mended.done
    ('where: a and b', ('x.yaml:1:10: SQ110 write `and`',))
    """
    done: list[str] = []
    findings = tuple(check(source))
    for _ in range(MAX_ROUNDS):
        text, applied = _apply(source, parse, offered(findings, source, unsafe=unsafe))
        if not applied:
            break
        done += [f"{fix.span}: {code} {fix.title}" for code, fix in applied]
        source = replace(source, text=text)
        findings = tuple(check(source))
    return Mended(source, tuple(done), findings)


def offered(findings: Iterable[Diagnostic], source: Source, *, unsafe: bool) -> list[tuple[str, Fix]]:
    """Return the edits of a text that findings offer, each with its code, in order of place.

    Parameters
    ----------
    findings : iterable of Diagnostic
        Of those that could be mended in several ways, and of places in other files, there is none.
    source : Source
        The text.
    unsafe : bool
        Whether those that may change what was meant are among them.
    """
    only = [(one.code, one.fixes[0]) for one in findings if len(one.fixes) == 1]
    here = [(code, fix) for code, fix in only if fix.span.source.name == source.name and (fix.safe or unsafe)]
    same = [(code, fix) for code, fix in here if fix.span.source.text == source.text]
    return sorted(same, key=lambda one: (one[1].span.start, one[1].span.end))


def _apply(
    source: Source, parse: Callable[[Source], Tree], edits: Sequence[tuple[str, Fix]]
) -> tuple[str, list[tuple[str, Fix]]]:
    """Return the text after the edits that do not touch one another and break nothing, and these edits."""
    apart: list[tuple[str, Fix]] = []
    for code, fix in edits:
        if not apart or fix.span.start > apart[-1][1].span.end:
            apart.append((code, fix))
    before = parse(source)
    text = _edited(source.text, [fix for _, fix in apart])
    if _sound(before, parse(replace(source, text=text)), [fix for _, fix in apart]):
        return text, apart
    kept: list[tuple[str, Fix]] = []
    for one in apart:
        fixes = [fix for _, fix in [*kept, one]]
        if _sound(before, parse(replace(source, text=_edited(source.text, fixes))), fixes):
            kept.append(one)
    return _edited(source.text, [fix for _, fix in kept]), kept


def _edited(text: str, fixes: Sequence[Fix]) -> str:
    for fix in reversed(fixes):
        text = text[: fix.span.start] + fix.replacement + text[fix.span.end :]
    return text


def _sound(before: Tree, after: Tree, fixes: Sequence[Fix]) -> bool:
    """Return whether a text is read as before: as well formed, and with as many parts where only words changed."""
    if (after.root is None and before.root is not None) or len(after.diagnostics) > len(before.diagnostics):
        return False
    words_only = all(fix.replacement and fix.span.start < fix.span.end for fix in fixes)
    return not words_only or _count(before.root) == _count(after.root)


def _count(node: Node | None) -> int:
    if isinstance(node, SequenceNode):
        return 1 + sum(map(_count, node.items))
    if isinstance(node, Mapping):
        return 1 + sum(1 + _count(entry.value) for entry in node)
    return int(node is not None)


def difference(old: Source, new: Source) -> str:
    """Return the unified difference between two states of a file, empty where there is none.

    Examples
    --------
    >>> print(difference(Source("x.yaml", "trees: 5\\ntress: 6\\n"), Source("x.yaml", "trees: 5\\n")), end="")
    --- x.yaml
    +++ x.yaml
    @@ -1,2 +1 @@
     trees: 5
    -tress: 6
    """
    lines = difflib.unified_diff(_lines(old.text), _lines(new.text), old.name, new.name)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _lines(text: str) -> list[str]:
    """Return lines with their ends; other than `str.splitlines` only at line feeds."""
    return [line for line in text.replace("\n", "\n\0").split("\0") if line]


def write_text(path: Path, text: str) -> None:
    """Write a file, or put a text in the place of its own, all at once; byte order mark and permissions stay.

    Raises
    ------
    SoilqlError
        It cannot be written (SQ901); the file is then as it was.
    """
    target = path.resolve()
    temporary = None
    try:
        old = target.read_bytes() if target.exists() else b""
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
            temporary = Path(file.name)
            file.write((_BOM if old.startswith(_BOM) else b"") + text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(target.stat().st_mode & 0o7777 if target.exists() else 0o666 & ~_umask())
        temporary.replace(target)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        message = f"cannot write {path}: {error.strerror or error}"
        raise SoilqlError(Diagnostic("SQ901", message, help="nothing in the file was changed")) from None


def _umask() -> int:
    """Return the permissions that new files are denied."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
