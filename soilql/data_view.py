"""What `soilql data` shows: the registry's data sets, and where their files are."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from soilql import registry
from soilql.errors import Diagnostic, SoilqlError


def data_lines(action: str, names: Sequence[str]) -> Iterator[str]:
    """Yield the lines of `soilql data ACTION NAMES`.

    Parameters
    ----------
    action : {"list", "fetch", "verify", "where"}
        What to do with the data sets.
    names : sequence of str
        Which; none means all, except for `fetch`, where all must be asked for by `all`.

    Raises
    ------
    SoilqlError
        An unknown name, or a file that cannot be had or is not what it should be.
    """
    if action == "fetch" and not names:
        help = "soilql data fetch NAME ..., or `all`"
        raise SoilqlError(Diagnostic("SQ141", "which data sets should be fetched?", help=help))
    entries = (
        registry.list_entries() if not names or list(names) == ["all"] else [registry.find(name) for name in names]
    )
    yield from {"list": _list, "fetch": _fetch, "verify": _verify, "where": _where}[action](entries)


def _list(entries: Sequence[registry.Entry]) -> Iterator[str]:
    width = max(len(entry.name) for entry in entries)
    if len(entries) == 1:
        yield from _details(entries[0])
        return
    for entry in entries:
        states = {found.place for found in registry.locate(entry.name)}
        state = "product" if not states else "to fetch" if "absent" in states else "at hand"
        yield f"{entry.name:<{width}}  {state:<8}  {entry.kind:<5}  {entry.title}"


def _details(entry: registry.Entry) -> Iterator[str]:
    yield f"{entry.name}: {entry.title}"
    for label, text in (("licence", entry.licence), ("cite", entry.citation_text()), ("home", entry.homepage)):
        yield from textwrap.wrap(f"{label}: {text}", 110, initial_indent="  ", subsequent_indent="    ")
    for note in entry.notes:
        yield from textwrap.wrap(f"note: {note}", 110, initial_indent="  ", subsequent_indent="    ")
    yield "  variables:"
    width = max((len(name) for name in entry.variables), default=0)
    for name, variable in entry.variables.items():
        unit = f"[{variable.unit}] " if variable.unit else ""
        yield f"    {name:<{width}}  {unit}{variable.description}"


def _where(entries: Sequence[registry.Entry]) -> Iterator[str]:
    for entry in entries:
        for found in registry.locate(entry.name):
            yield f"{entry.name}  {found.path or 'not here: soilql data fetch ' + entry.name}"


def _fetch(entries: Sequence[registry.Entry]) -> Iterator[str]:
    for entry in entries:
        for path in registry.fetch(entry.name):
            yield f"{entry.name}  {path}"


def _verify(entries: Sequence[registry.Entry]) -> Iterator[str]:
    problems: list[Diagnostic] = []
    for entry in entries:
        for found in registry.verify(entry.name):
            problems += found.problems
            state = "absent" if found.path is None else "wrong sha256" if found.problems else "sha256 holds"
            yield f"{entry.name}  {found.file.name}  {state}"
    if problems:
        raise SoilqlError(problems)
