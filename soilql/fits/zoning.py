"""What models and partitions ask of partitions: the zone of each row, stored ones, and what lint can know of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from soilql import kinds
from soilql.context import Context
from soilql.errors import Diagnostic, did_you_mean
from soilql.fits.training import Rows, at_span, column
from soilql.kinds import Block, Scope
from soilql.params import ZonesRef
from soilql.values import PLACES, Note, State, Zones

if TYPE_CHECKING:
    import numpy as np


def row_codes(ctx: Context, rows: Rows, ref: ZonesRef, key: str) -> tuple[np.ndarray[Any, Any], tuple[Note, ...]]:
    """Return the zone of each row of a model's training table, and a note on the rows in none.

    Parameters
    ----------
    ctx : Context
        Of the model; its parameters have ``data``.
    rows : Rows
        The rows.
    ref : ZonesRef
        The partition.
    key : str
        Parameter that names it, for diagnostics.

    Raises
    ------
    SoilqlError
        The table lacks a column that the partition looks at (SQ704), or it holds no numbers (SQ709).
    """
    import numpy as np

    data, zones = ctx.block.params.data, ctx.zones(ref)
    table = ctx.table(data)
    columns = {axis: column(table, table.roles[axis]) for axis in PLACES if axis in table.roles}
    for name in zones.variables:
        if name in columns:
            continue
        if name not in table.frame.columns:
            message = f"the zones `{ref}` look at `{name}`, which `{data}` does not have"
            raise ctx.error("SQ704", message, key, help=did_you_mean(name, map(str, table.frame.columns)))
        columns[name] = column(table, name)
    columns = {name: values[rows.positions] for name, values in columns.items()}
    with at_span(ctx.block.span(key)):
        codes = np.asarray(zones.codes(columns))
    lost = int((codes < 0).sum())
    if not lost:
        return codes, ()
    kinds_lost = ", ".join(f"{name} ({count})" for name, count in zones.outside(columns).items())
    words = f"{lost} of {codes.size} rows of `{data}` lie in no zone of `{ref}`: {kinds_lost}"
    return codes, (Note("SQ809", words),)


def load_zones(state: State) -> Zones:
    """Return the partition whose ``state()`` was stored; its kind is named there."""
    kind = kinds.find("zones", state.meta["kind"])
    assert kind is not None
    found: Any = kind.load(state, None)
    zones: Zones = found
    return zones


def packed(prefix: str, state: State) -> dict[str, np.ndarray[Any, Any]]:
    """Return the arrays of a state under names that begin with a prefix, to be stored among others."""
    return {f"{prefix}.{name}": array for name, array in state.arrays.items()}


def unpacked(prefix: str, meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray[Any, Any]]) -> State:
    """Return the state whose arrays were :func:`packed`."""
    head = f"{prefix}."
    return State(meta, {name.removeprefix(head): a for name, a in arrays.items() if name.startswith(head)})


def needs_of(ref: ZonesRef, scope: Scope) -> tuple[str, ...]:
    """Return the columns or grid variables that a partition looks at, as far as they are known without data."""
    found: tuple[str, ...] | None = _asked("needs", ref, scope)
    return found or ()


def labels_of(ref: ZonesRef, scope: Scope) -> tuple[str, ...] | None:
    """Return the zones of a partition, or None where they are not known without data."""
    found: tuple[str, ...] | None = _asked("labels", ref, scope)
    return found


def _asked(hook: str, ref: ZonesRef, scope: Scope) -> Any:
    block = scope.block(ref.block)
    kind = None if block is None else kinds.find(block.section, block.kind)
    function = None if kind is None else getattr(kind.module, hook, None)
    return None if block is None or function is None else function(block.params, scope)


def check_zones(block: Block, scope: Scope) -> Iterator[Diagnostic]:
    """Say which variables of its partitions the training table of a model lacks, without reading data."""
    by: ZonesRef | None = block.params.by
    fallback = getattr(block.params, "fallback", "none")
    if by is not None:
        yield from _lacking(block, by, "by", scope)
    if isinstance(fallback, ZonesRef):
        yield from _lacking(block, fallback, "fallback", scope)
    if fallback != "none" and by is None:
        help = "name the partition under `by`, or leave `fallback` out"
        yield Diagnostic(
            "SQ660", "`fallback` without zones: one fit to all rows is made anyway", block.span("fallback"), help=help
        )
    elif fallback == by:
        help = "name a coarser partition, or `all`"
        yield Diagnostic(
            "SQ660", f"the zones to fall back on are those of `by`, `{by}`", block.span("fallback"), help=help
        )


def _lacking(block: Block, ref: ZonesRef, key: str, scope: Scope) -> Iterator[Diagnostic]:
    table = scope.schema(block.params.data)
    if table is None or table.open:
        return
    for name in needs_of(ref, scope):
        if name not in table.variables and not (name in PLACES and name in table.roles):
            message = f"the zones `{ref}` look at `{name}`, which `{block.params.data}` does not have"
            yield Diagnostic("SQ704", message, block.span(key), help=did_you_mean(name, table.variables))


def no_such_zone(ref: str, label: str, known: tuple[str, ...]) -> str:
    """Return the help of a diagnostic that names a zone which a partition does not have."""
    return did_you_mean(label, known) or f"`{ref}` has {', '.join(f'`{name}`' for name in known[:20])}"
