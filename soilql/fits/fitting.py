"""Fit a model to all rows or apart in each zone, and check its formula against its table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from soilql import kinds
from soilql.context import Context
from soilql.errors import Diagnostic, SoilqlError, Span, did_you_mean
from soilql.fits.fitted import WHOLE, FittedModel, Partition, Status, ZoneFit
from soilql.fits.training import Rows, column
from soilql.kinds import Block, Scope
from soilql.params import ZonesRef
from soilql.values import Note, Table

if TYPE_CHECKING:
    import numpy as np

    Columns = Mapping[str, np.ndarray[Any, Any]]


def fit_model(
    ctx: Context,
    rows: Rows,
    fit: Callable[[Columns], ZoneFit],
    *,
    response: str,
    drivers: Sequence[str],
    needed: int,
) -> FittedModel:
    """Fit a model to all rows, or apart in each zone where the block says ``by``.

    Parameters
    ----------
    ctx : Context
        Of the model; its parameters have ``data``, ``by`` and ``formula``.
    rows : Rows
        Complete rows.
    fit : callable
        Fits the rows of one zone; raises SoilqlError where that cannot be done.
    response : str
        Column that is modelled.
    drivers : sequence of str
        Columns that a prediction needs.
    needed : int
        Fewest rows of a zone that is fitted.

    Returns
    -------
    FittedModel
        A zone with too few rows (SQ802), or whose fit failed (SQ801, SQ803), has a status and a note and no fit.

    Raises
    ------
    SoilqlError
        No zone could be fitted (SQ801, with the reason for each).
    """
    import numpy as np

    params = ctx.block.params
    zones: Any = None if params.by is None else ctx.zones(params.by)
    codes, notes = np.zeros(rows.count, np.int16), rows.notes
    if zones is not None:
        codes, outside = _zone_codes(ctx, rows, zones)
        notes += outside
    labels = (WHOLE,) if zones is None else zones.labels
    statuses, fits = [], {}
    for code, label in enumerate(labels):
        status, found, said = _fit_zone(rows, codes == code, fit, label, needed)
        statuses.append(status)
        notes += tuple(replace(n, message=_in_zone(label, n.message, zones is not None)) for n in said)
        if found is not None:
            fits[code] = found
        ctx.progress(code + 1, len(labels))
    if not fits:
        raise _nothing_fitted(ctx, statuses, notes)
    variables = tuple(dict.fromkeys([*drivers, *(() if zones is None else zones.variables)]))
    unit = ctx.table(params.data).units.get(response)
    return FittedModel(response, unit, variables, notes, tuple(drivers), tuple(statuses), fits, zones)


def _zone_codes(ctx: Context, rows: Rows, zones: Partition) -> tuple[np.ndarray[Any, Any], tuple[Note, ...]]:
    """Return the zone of each row, and a note on the rows in none."""
    import numpy as np

    params = ctx.block.params
    table = ctx.table(params.data)
    columns = {axis: column(table, table.roles[axis]) for axis in ("lat", "lon") if axis in table.roles}
    for name in zones.variables:
        if name not in table.frame.columns:
            message = f"the zones `{params.by}` look at `{name}`, which `{params.data}` does not have"
            raise ctx.error("SQ704", message, "by", help=did_you_mean(name, map(str, table.frame.columns)))
        columns[name] = column(table, name)
    columns = {name: values[rows.positions] for name, values in columns.items()}
    with at_span(ctx.block.span("by")):
        codes = np.asarray(zones.codes(columns))
    lost = int((codes < 0).sum())
    if not lost:
        return codes, ()
    kinds_lost = ", ".join(f"{name} ({count})" for name, count in zones.outside(columns).items())
    words = f"{lost} of {codes.size} rows of `{params.data}` lie in no zone of `{params.by}`: {kinds_lost}"
    return codes, (Note("SQ809", words),)


def _fit_zone(
    rows: Rows, inside: np.ndarray[Any, Any], fit: Callable[[Columns], ZoneFit], label: str, needed: int
) -> tuple[Status, ZoneFit | None, list[Note]]:
    count = int(inside.sum())
    if count < needed:
        words = f"{count} complete row{'' if count == 1 else 's'}, {needed} needed: not fitted"
        return Status(label, count, needed, words), None, [Note("SQ802", words)]
    try:
        found = fit({name: values[inside] for name, values in rows.columns.items()})
    except SoilqlError as error:
        first = error.diagnostics[0]
        words = " ".join(part for part in (first.message, f"({first.help})" if first.help else "") if part)
        words += _constant(rows, inside) if first.code == "SQ801" else ""
        return Status(label, count, needed, words), None, [Note(first.code, words)]
    return Status(label, count, needed), found, [Note("SQ803", words) for words in found.notes]


def _constant(rows: Rows, inside: np.ndarray[Any, Any]) -> str:
    """Return which columns hold one number only, which is often why a fit fails."""
    kept = {name: values[inside] for name, values in rows.columns.items() if values.dtype.kind == "f"}
    found = [f"`{name}` is {values[0]:g} in all rows" for name, values in kept.items() if (values == values[0]).all()]
    return f"; {', '.join(found)}" if found else ""


def _in_zone(label: str, message: str, by_zone: bool) -> str:
    return f"zone `{label}`: {message}" if by_zone else message


def _nothing_fitted(ctx: Context, statuses: Sequence[Status], notes: tuple[Note, ...]) -> SoilqlError:
    span = ctx.block.span("formula")
    if ctx.block.params.by is None:
        message = f"`{ctx.block.name}` could not be fitted: {statuses[0].status.removesuffix(': not fitted')}"
        return SoilqlError(Diagnostic("SQ801", message, span, notes=tuple(n.message for n in notes[:-1])))
    message = f"`{ctx.block.name}` could not be fitted in any zone of `{ctx.block.params.by}`"
    said = tuple(n.message for n in notes)
    return SoilqlError(Diagnostic("SQ801", message, span, notes=said))


@contextmanager
def at_span(span: Span) -> Iterator[None]:
    """Give a place to the diagnostics of an error that has none, such as one of the pure statistics."""
    try:
        yield
    except SoilqlError as error:
        placed = (d if d.span is not None else replace(d, span=span) for d in error.diagnostics)
        raise SoilqlError(placed) from error


def group_labels(table: Table, group: str, span: Span) -> np.ndarray[Any, Any]:
    """Return the group of each row, by role or column.

    Parameters
    ----------
    table : Table
        The rows.
    group : str
        A role such as ``site``, or a column.
    span : Span
        Where the group is named, for diagnostics.

    Raises
    ------
    SoilqlError
        There is no such role or column (SQ704), or rows have no label (SQ711).
    """
    labels = table.labels(group)
    if labels is None:
        known = [*map(str, table.frame.columns), *table.roles, "site"]
        help = did_you_mean(group, known) or "name a column, or a role that the table has"
        raise SoilqlError(Diagnostic("SQ704", f"there is no column or role `{group}` to group by", span, help=help))
    column = table.roles.get(group, group)
    sources = [column] if column in table.frame.columns else [table.roles["lat"], table.roles["lon"]]
    gaps = int(table.frame[sources].isna().any(axis=1).sum())
    if gaps:
        message = f"{gaps} of {len(labels)} rows have no `{group}` and belong to no group"
        help = "filter these rows out, or group by something that all rows have"
        raise SoilqlError(Diagnostic("SQ711", message, span, help=help))
    return labels


def check_zones(block: Block, scope: Scope) -> Iterator[Diagnostic]:
    """Say which variables of the zones the training table of a model lacks, without reading data."""
    by: ZonesRef | None = block.params.by
    zones = None if by is None else scope.block(by.block)
    table = scope.schema(block.params.data)
    if zones is None or table is None or table.open:
        return
    kind = kinds.find(zones.section, zones.kind)
    needs = None if kind is None else getattr(kind.module, "needs", None)
    for name in () if needs is None else needs(zones.params):
        if name not in table.variables:
            message = f"the zones `{by}` look at `{name}`, which `{block.params.data}` does not have"
            yield Diagnostic("SQ704", message, block.span("by"), help=did_you_mean(name, table.variables))


def check_formula(block: Block, scope: Scope, *, linear: bool, parameters: Iterable[str] = ()) -> Iterator[Diagnostic]:
    """Check the names and types in a model's formula against its training table, and its zones.

    Parameters
    ----------
    block : Block
        Of the model; its parameters have ``data``, ``by`` and ``formula``.
    scope : Scope
        The other blocks.
    linear : bool
        Whether the formula is one of R's algebra of terms.
    parameters : iterable of str
        Names that are parameters or constants and not columns.
    """
    from soilql.expr import check

    data, declared = block.params.data, tuple(parameters)
    schema = scope.schema(data)
    names: dict[str, Any] = {}
    absent = f"neither a column of `{data}` nor a parameter of `{block.name}`"
    if schema is not None:
        names = {name: variable.type for name, variable in schema.variables.items()}
    names |= dict.fromkeys(declared, "number")
    open_ = schema is None or schema.open
    absent, hint = (absent, "a parameter is declared under `params`") if declared else (f"not a column of `{data}`", "")
    known = check.Scope(names, open_, absent, hint)
    yield from check.check(block.params.formula, known, "number", linear=linear)
    yield from check_zones(block, scope)
