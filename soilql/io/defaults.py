"""What the registry says of a block's data: settings of the reader, and the columns known before any are read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from soilql import registry
from soilql.errors import Diagnostic, SoilqlError, Span
from soilql.io.grid_params import Cells, Long
from soilql.kinds import Block, Schema, Variable
from soilql.params import DataSource
from soilql.registry import Entry
from soilql.units import UnitError, parse_unit


def entries(sources: Sequence[DataSource]) -> dict[str, Entry]:
    """Return the registry's entries behind sources, by the name the sources use; unknown names are left out."""
    found = {}
    for source in sources:
        if source.registry is not None:
            try:
                found[source.registry] = registry.find(source.registry)
            except SoilqlError:
                continue
    return found


def entry_of(path: Path, sources: Sequence[DataSource]) -> Entry | None:
    """Return the registry's entry that a file belongs to, or None for a file of the user's own."""
    known = entries(sources)
    if len(sources) == 1:
        return next(iter(known.values()), None)
    names = (path.name, path.name.removesuffix(".gz"))
    return next((entry for entry in known.values() if any(file.name in names for file in entry.files)), None)


def settings(entry: Entry | None) -> Mapping[str, Any]:
    """Return the reader's settings of an entry; none for a file of the user's own."""
    return {} if entry is None else entry.reader


def units(sources: Sequence[DataSource]) -> dict[str, str]:
    """Return the unit of each column that has one in the registry."""
    found: dict[str, str] = {}
    for entry in entries(sources).values():
        found |= {name: variable.unit for name, variable in entry.variables.items() if variable.unit}
    return found


def unit_in_name(column: str) -> str | None:
    """Return the unit that a column's name ends with in brackets; None where it ends otherwise.

    Examples
    --------
    >>> unit_in_name("T (degC)"), unit_in_name("Rs [g C m-2 yr-1]"), unit_in_name("T (mean)")
    ('degC', 'g C m-2 yr-1', None)
    """
    match = re.search(r"[(\[]([^()\[\]]*[a-zA-Z%][^()\[\]]*)[)\]]\s*$", column)
    try:
        parse_unit(match[1] if match else "")
    except UnitError:
        return None
    return match[1].strip() if match else None


def known_columns(sources: Sequence[DataSource], kind: str) -> Schema:
    """Return the columns that the registry lists; open where a source is the user's own or of another kind."""
    listed = {name: entry for name, entry in entries(sources).items() if entry.kind == kind}
    columns: dict[str, Variable] = {}
    for entry in listed.values():
        for name, variable in entry.variables.items():
            kind = "text" if variable.type == "text" else "number"
            columns[name] = Variable(kind, variable.unit or None, variable.description)
    return Schema(columns, open=any(source.registry not in listed for source in sources))


def check_sources(block: Block, sources: Sequence[DataSource], kind: str) -> Iterable[Diagnostic]:
    """Yield what is wrong with a block's sources: names the registry does not know, or data of another kind."""
    for i, source in enumerate(sources):
        if source.registry is None:
            continue
        span = block.span("source", i) if len(sources) > 1 else block.span("source")
        try:
            entry = registry.find(source.registry)
        except SoilqlError as error:
            yield from (Diagnostic(d.code, d.message, span, d.label, d.help) for d in error.diagnostics)
            continue
        if entry.kind != kind:
            message = f"`{source.registry}` holds a {entry.kind}, not a {kind}"
            is_recipe = entry.kind == "recipe"
            help = "name it under `use`, with an alias" if is_recipe else f"write `kind: {entry.kind}`"
            yield Diagnostic("SQ211", message, span, help=help)
        elif not entry.files:
            message = f"`{source.registry}` is a product whose files you have to get yourself, at {entry.homepage}"
            help = f"name your files as `source`, and `product: registry:{source.registry}` beside them"
            yield Diagnostic("SQ211", message, span, help=help)


def check_product(block: Block, product: DataSource, kind: str) -> Iterable[Diagnostic]:
    """Yield what is wrong with the product that the user's own files are of."""
    span = block.span("product")
    try:
        entry = registry.find(str(product.registry))
    except SoilqlError as error:
        yield from (Diagnostic(d.code, d.message, span, d.label, d.help) for d in error.diagnostics)
        return
    if entry.kind != kind:
        message = f"`{product.registry}` holds a {entry.kind}, not a {kind}"
        yield Diagnostic("SQ211", message, span, help=f"write `kind: {entry.kind}`")


def layer_names(product: DataSource) -> list[str]:
    """Return the variables of a product, and the layers and flags behind them."""
    found: dict[str, None] = {}
    for entry in entries([product]).values():
        for name, item in entry.reader.get("variables", {}).items():
            flags = [str(quality["flag"]) for quality in item.get("qc", ())]
            found |= dict.fromkeys([str(name), str(item.get("from", name)), *flags])
    return list(found)


def cells(listed: Mapping[str, Any]) -> Cells:
    """Return how a table of cells is read, as the registry has it."""
    found = dict(listed["table"])
    if "long" in found:
        found["long"] = Long(**found["long"])
    return Cells(**found)


def key_extra(sources: Sequence[DataSource]) -> Any:
    """Return what of the registry decides a result, as plain JSON; None where nothing does."""
    found = {
        name: {
            "reader": _plain(entry.reader),
            "variables": {key: [v.unit, v.type] for key, v in entry.variables.items()},
        }
        for name, entry in entries(sources).items()
    }
    return found or None


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def place(block: Block, path: Path, sources: Sequence[DataSource]) -> Span:
    """Return where the spec names a file, as far as that can be told."""
    for i, source in enumerate(sources):
        if len(sources) > 1 and path.name in (source, Path(source).name):
            return block.span("source", i)
    return block.span("source")
