"""What `soilql convert` and `soilql fmt` do: write specs on the other surface, or in the one layout of theirs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from soilql.convert import Surface, convert, surface_of
from soilql.errors import Diagnostic, SoilqlError, Source
from soilql.fix import difference, write_text
from soilql.format import format_text
from soilql.lint_files import find_specs
from soilql.reporting import Outcome, text
from soilql.source import decode_source, read_source

STDIN = "-"


def convert_command(source: str, target: str | None, *, force: bool = False) -> Outcome:
    """Write a spec on the surface that the name of the target tells.

    Parameters
    ----------
    source : str
        The spec.
    target : str or None
        Where to write it; None for the other surface on the standard output.
    force : bool
        Whether a file may be written over.

    Raises
    ------
    SoilqlError
        The spec has syntax errors, cannot be read or written, or the target is there already (SQ142).
    """
    read = read_source(Path(source))
    old = surface_of(source)
    other: Surface = "yaml" if old == "soilql" else "soilql"
    if target is None:
        return Outcome(convert(read.text, old, other, source), "", 0)
    written = convert(read.text, old, surface_of(target), source)
    path = Path(target)
    if path.exists() and not force:
        raise SoilqlError(Diagnostic("SQ142", f"{target} is there already", help="add --force to write over it"))
    write_text(path, written)
    return Outcome("", f"{source} -> {target}\n", 0)


def format_command(
    paths: Sequence[str], stdin: Callable[[], bytes], *, check: bool = False, diff: bool = False
) -> Outcome:
    """Give specs the one layout of their surface.

    Parameters
    ----------
    paths : sequence of str
        Files and folders, or `-` alone for YAML on the standard input.
    stdin : callable
        Reads the standard input.
    check : bool
        Say which files would change, and change none; status 1 where there is one.
    diff : bool
        As `check`, and show how.

    Raises
    ------
    SoilqlError
        A file cannot be read or written.
    """
    if STDIN in paths:
        if len(paths) > 1:
            raise SoilqlError(Diagnostic("SQ142", "the standard input (`-`) is laid out by itself"))
        source = decode_source(stdin(), "<stdin>")
        laid_out = _laid_out(source)
        shown = difference(source, laid_out) if diff else "" if check else laid_out.text
        return Outcome(shown, "", int((check or diff) and laid_out.text != source.text))
    out = err = ""
    changed = failed = 0
    files, _ = find_specs(paths)
    for path in files:
        try:
            source = read_source(Path(path))
            laid_out = _laid_out(source)
        except SoilqlError as error:
            err += "".join(f"{text.render(one)}\n" for one in error.diagnostics)
            failed += 1
            continue
        if laid_out.text == source.text:
            continue
        changed += 1
        out += difference(source, laid_out) if diff else ""
        err += f"{'would lay out' if check or diff else 'laid out'} {path}\n"
        if not (check or diff):
            write_text(Path(path), laid_out.text)
    same = len(files) - changed - failed
    counts = {"to change" if check or diff else "changed": changed, "as they should be": same, "not readable": failed}
    err += f"files: {', '.join(f'{count} {what}' for what, count in counts.items() if count)}\n"
    return Outcome(out, err, 2 if failed else int(bool(changed) and (check or diff)))


def _laid_out(source: Source) -> Source:
    return Source(source.name, format_text(source.text, surface_of(source.name), source.name))
