"""Grids of the same cells side by side, or one after the other in time, with variables computed from several of them.

Side by side, grids may have yearly maps or none with a time: what has no time holds for every year, in `derive` and in
everything that is made of the stack. Yearly grids are cut to the years that all of them have, with a note, or brought
to the years of `fill`, where a grid that lacks some repeats the map of its nearest year (land cover of 2001 for 2000).
Grids of other cells, or of other steps in time, are brought together by `resample` first.

For example::

    drivers: {kind: stack, of: [climate, soil, land_cover], fill: {years: 2000-2014, of: land_cover},
              derive: {LST_diff: LST_day - LST_night, NDVI: "ndvi(nir, red)"}}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from soilql.context import Context
from soilql.errors import Diagnostic, Severity, SoilqlError, did_you_mean
from soilql.gridding import difference
from soilql.io.scope import check_expression, check_name
from soilql.io.seasons import MonthsError, read_years
from soilql.kinds import Block, Schema, Scope, Size, Variable
from soilql.params import ColumnName, Expr, GridRef, NewName, Problem, UnitText, param
from soilql.params import Params as Base
from soilql.values import Grid, Note, ValueType

if TYPE_CHECKING:
    import xarray as xr

    from soilql.io.stacking import Filling

VERSION = 1
PRODUCES = ValueType.GRID
STORED = False


@dataclass(frozen=True)
class Derived(Base):
    """A variable computed from others, cell by cell."""

    SHORTHAND = "expr"

    expr: Expr = param(doc="expression over variables, `lat` and `lon`; a division by zero is missing")
    unit: UnitText | None = param(None, doc="unit of the result")


@dataclass(frozen=True)
class Fill(Base):
    """Years wanted of grids that lack some of them."""

    SHORTHAND = "years"

    years: list[str] = param(doc="first and last year, such as 2000-2014")
    method: Literal["nearest", "none"] = param(
        "nearest",
        doc="`nearest` repeats the map of the nearest year, of two as near the earlier one; `none` leaves it missing",
    )
    of: list[GridRef] | None = param(
        None, doc="grids to be filled; the others are missing in the years that they lack. Default: all"
    )
    reach: int | None = param(None, ge=1, doc="years that the map may be away; default: any number")


@dataclass(frozen=True)
class Params(Base):
    """Parameters of `stack`."""

    of: list[GridRef] = param(doc="grids of the same cells; `GRID.VARIABLE` for one variable")
    along: Literal["variables", "time"] = param(
        "variables", doc="side by side as variables, or one after the other in time (the same variables in each)"
    )
    prefix: dict[ColumnName, NewName] = param(
        {}, doc="what to put before the names of all variables of a grid, by its name in `of`: {lc: lc_}"
    )
    fill: Fill | None = param(None, doc="years wanted; default: those that all grids with years have")
    derive: dict[NewName, Derived] = param({}, doc="further variables computed from these, in order")
    select: list[ColumnName] | None = param(None, doc="variables to keep in the end; default: all")

    def problems(self) -> Iterator[Problem]:
        if self.along == "time" and self.prefix:
            yield "grids that follow each other in time have the same variables, without a `prefix`", "prefix"


def describe(params: Params) -> str:
    """Return what will be put together."""
    how = "one after the other in time" if params.along == "time" else "side by side"
    made = f", with {', '.join(params.derive)}" if params.derive else ""
    return f"put {', '.join(params.of)} {how}{made}"


def _prefixed(params: Params, ref: GridRef, name: str) -> str:
    return f"{params.prefix.get(ColumnName(str(ref)), '')}{name}"


def _together(params: Params, scope: Scope) -> Schema:
    """Return the variables of all grids, before others are derived."""
    found: dict[str, Variable] = {}
    is_open = False
    for ref in params.of:
        known = scope.schema(ref)
        is_open = is_open or known is None or known.open
        if known is not None:
            found = {_prefixed(params, ref, name): one for name, one in known.variables.items()} | found
    return Schema(found, is_open)


def schema(block: Block, scope: Scope) -> Schema:
    """Return the variables of the grids and those derived."""
    params: Params = block.params
    together = _together(params, scope)
    derived = {str(name): Variable("number", one.unit) for name, one in params.derive.items()}
    everything = {**together.variables, **derived}
    if params.select is None:
        return Schema(everything, together.open)
    return Schema({str(name): everything.get(name, Variable("number")) for name in params.select})


def check(block: Block, scope: Scope) -> Iterator[Diagnostic]:
    """Yield variables of one name, unknown names in expressions, and years that are none."""
    params: Params = block.params
    if params.along == "variables":
        yield from _collisions(block, [(ref, scope.schema(ref)) for ref in params.of])
    for name in params.prefix:
        if str(name) not in map(str, params.of):
            help = did_you_mean(name, params.of) or f"`of` lists {', '.join(f'`{ref}`' for ref in params.of)}"
            yield Diagnostic("SQ704", f"`{name}` is not among `of`", block.span("prefix", name), help=help)
    yield from _check_fill(block)
    together = _together(params, scope)
    variables = {"lat": Variable("number"), "lon": Variable("number"), **together.variables}
    for new, derived in params.derive.items():
        yield from check_expression(
            derived.expr, Schema(variables, together.open), "neither a variable of the grids nor a derived one above"
        )
        variables[str(new)] = Variable("number", derived.unit)
    for i, wanted in enumerate(params.select or ()):
        span = block.span("select", i) if len(params.select or ()) > 1 else block.span("select")
        yield from check_name(wanted, span, Schema(variables, together.open), "neither of the grids nor derived")


def _check_fill(block: Block) -> Iterator[Diagnostic]:
    fill: Fill | None = block.params.fill
    if fill is None:
        return
    try:
        read_years(fill.years)
    except MonthsError as error:
        yield Diagnostic("SQ126", str(error), block.span("fill", "years"), help=error.help)
    for i, ref in enumerate(fill.of or ()):
        if ref not in block.params.of:
            help = did_you_mean(ref, block.params.of)
            span = block.span("fill", "of", i) if len(fill.of or ()) > 1 else block.span("fill", "of")
            yield Diagnostic("SQ704", f"`{ref}` is not among the grids of `{block.name}`", span, help=help)


def _collisions(block: Block, known: Sequence[tuple[GridRef, Schema | None]]) -> Iterator[Diagnostic]:
    owners: dict[str, GridRef] = {}
    for i, (ref, found) in enumerate(known):
        twice = []
        for variable in () if found is None else found.variables:
            name = _prefixed(block.params, ref, variable)
            if name in owners:
                twice.append(name)
            owners.setdefault(name, ref)
        if twice:
            yield _collision(block, owners[twice[0]], ref, twice, i)


def _collision(block: Block, one: str, other: str, names: Sequence[str], i: int) -> Diagnostic:
    listed = ", ".join(f"`{name}`" for name in names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    span = block.span("of", i) if len(block.params.of) > 1 else block.span("of")
    help = f"tell them apart by `prefix: {{{other}: {other}_}}`, or pick one as `GRID.VARIABLE`"
    return Diagnostic("SQ710", f"both `{one}` and `{other}` have {listed}", span, help=help)


def run(params: Params, ctx: Context) -> Grid:
    """Put the grids together, lazily."""
    from soilql.io.stacking import StackError, aligned, joined, with_derived

    grids = [ctx.grid(ref) for ref in params.of]
    _require_cells(params, ctx, grids)
    parts = [_named(params, ref, grid, grids[0]) for ref, grid in zip(params.of, grids, strict=True)]
    names = list(map(str, params.of))
    notes: list[str] = []
    try:
        if params.along == "time":
            data, notes = joined(parts, names)
            parts, names = [data], [ctx.block.name]
        parts, said = aligned(parts, names, _filling(params, ctx))
    except StackError as error:
        path = ("of",) if error.position is None else ("of", error.position)
        raise ctx.error("SQ708", str(error), *path, help=error.help) from None
    data = parts[0] if params.along == "time" else _merged(params, ctx, parts)
    data = with_derived(data, {str(name): (one.expr, one.unit) for name, one in params.derive.items()})
    own = tuple(Note("SQ736", text, Severity.WARNING) for text in (*notes, *said))
    return Grid(_selected(params, ctx, data), grids[0].crs, own)


def _require_cells(params: Params, ctx: Context, grids: Sequence[Grid]) -> None:
    for i, (ref, grid) in enumerate(zip(params.of, grids, strict=True)):
        first, other = (one.data[["lat", "lon"]] for one in (grids[0], grid))
        found = difference(first, other)
        if found is None and grid.crs != grids[0].crs:
            found = f"the coordinate system is {grids[0].crs} in one and {grid.crs} in the other"
        if found is not None:
            help = f"bring it to the same cells first: `kind: resample`, `of: {ref}`, `space: {{to: {params.of[0]}}}`"
            message = f"`{params.of[0]}` and `{ref}` do not have the same cells: {found}"
            raise ctx.error("SQ708", message, "of", i, help=help)


def _named(params: Params, ref: GridRef, grid: Grid, first: Grid) -> xr.Dataset:
    """Return the variables of a grid under their new names, on the coordinates of the first grid."""
    data = grid.data.rename({name: _prefixed(params, ref, str(name)) for name in grid.data.data_vars})
    return data.assign_coords(lat=first.data["lat"], lon=first.data["lon"])


def _filling(params: Params, ctx: Context) -> Filling | None:
    from soilql.io.stacking import Filling

    fill = params.fill
    if fill is None:
        return None
    try:
        years = read_years(fill.years)
    except MonthsError as error:
        raise ctx.error("SQ126", str(error), "fill", "years", help=error.help) from None
    of = range(len(params.of)) if fill.of is None or params.along == "time" else map(params.of.index, fill.of)
    return Filling(years, fill.method == "nearest", fill.reach, tuple(of))


def _merged(params: Params, ctx: Context, parts: Sequence[xr.Dataset]) -> xr.Dataset:
    import xarray as xr

    owners: dict[str, str] = {}
    variables: dict[Any, Any] = {}
    coords: dict[Any, Any] = {}
    for i, (ref, data) in enumerate(zip(params.of, parts, strict=True)):
        twice = [str(name) for name in data.data_vars if name in owners]
        if twice:
            raise SoilqlError(_collision(ctx.block, owners[twice[0]], str(ref), twice, i))
        owners |= dict.fromkeys(map(str, data.data_vars), str(ref))
        variables |= {name: data[name].variable for name in data.data_vars}
        coords = {**{dim: data[dim] for dim in data.dims if dim in data.coords}, **coords}
    return xr.Dataset(variables, coords)


def _selected(params: Params, ctx: Context, data: xr.Dataset) -> xr.Dataset:
    for i, name in enumerate(params.select or ()):
        if name not in data:
            help = did_you_mean(name, map(str, data.data_vars))
            raise ctx.error("SQ704", f"the stack has no variable `{name}`", "select", i, help=help)
    found: xr.Dataset = data if params.select is None else data[list(map(str, params.select))]
    return found


def size(params: Params, ctx: Context, sizes: Mapping[str, Size]) -> Size | None:
    """Return the cells of the grids, and no more maps than all have together and are derived."""
    found = [sizes[ref.block] for ref in params.of if ref.block in sizes]
    if not found or found[0].cells is None:
        return None
    most = max(one.columns for one in found)
    return Size(
        cells=found[0].cells, columns=sum(one.columns for one in found) + len(params.derive) * most, at_most=True
    )
