"""What `soilql data` shows: the registry's data sets, and where their files are."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

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
    time = entry.reader.get("time", {})
    if pattern := time.get("pattern"):
        step = f"; step {time['step']}" if "step" in time else ""
        text = f"names of files: {' or '.join(pattern)}{step}"
        yield from textwrap.wrap(text, 110, initial_indent="  ", subsequent_indent="    ")
    yield "  variables:"
    width = max((len(name) for name in entry.variables), default=0)
    for name, variable in entry.variables.items():
        unit = f"[{variable.unit}] " if variable.unit else ""
        yield f"    {name:<{width}}  {unit}{variable.description}"
        for text in _storage(entry, name):
            yield from textwrap.wrap(text, 110, initial_indent=" " * (width + 6), subsequent_indent=" " * (width + 8))


def _storage(entry: registry.Entry, name: str) -> Iterator[str]:
    """Yield how a variable stands in the files, and which values of it count."""
    layer = entry.reader.get("variables", {}).get(name)
    if layer is None:
        return
    parts = [f"layer {layer['from']}"] * (str(layer.get("from", name)) != name)
    parts += [f"{key} {layer[key]:g}" for key in ("scale", "offset") if key in layer]
    fill = layer.get("nodata", entry.reader.get("nodata", []))
    stored = [f"fill {_numbers(fill if isinstance(fill, list) else [fill])}"] * (fill != [])
    stored += [f"valid {low:.10g} to {high:.10g}" for low, high in ([layer["valid"]] if "valid" in layer else [])]
    parts += [f"as stored: {', '.join(stored)}"] * bool(stored)
    if parts:
        yield "; ".join(parts)
    for quality in layer.get("qc", ()):
        yield f"kept where {quality['flag']} has {' and '.join(map(_field, quality['keep']))}"


def _numbers(values: Sequence[float]) -> str:
    """Return numbers with commas; of those that follow one another the ends."""
    if len(values) > 2 and list(values) == [values[0] + i for i in range(len(values))]:
        return f"{values[0]:.10g} to {values[-1]:.10g}"
    return ", ".join(f"{value:.10g}" for value in values)


def _field(keep: Mapping[str, Any]) -> str:
    """Return which values of a bit field keep a pixel: ``bits 0-1 = 0 or 1``."""
    bits, values = keep.get("bits"), [f"{value}" for value in keep["values"]]
    where = "the value" if bits is None else f"bit {bits[0]} =" if len(bits) == 1 else f"bits {bits[0]}-{bits[-1]} ="
    return f"{where} {' or '.join([', '.join(values[:-1]), values[-1]] if len(values) > 1 else values)}"


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
