"""A grid or table brought to other periods (years, seasons, months) or a grid to other cells.

Over time, every step of the source counts by the days of it that lie in the period: a composite of 8 days that
straddles two months or years is shared out, and the last one of a MODIS year has its 5 or 6 days. Labels stand for the
day, month or year in which they lie; the length of the steps is taken from the labels, or from `step`.

`mean` is weighted by days. `sum` makes amounts of rates: `kg m-2 s-1` becomes `kg m-2 yr-1` over a whole year and
`kg m-2` over a season; `mm month-1` of months, and any unit without a time (8-day GPP in `kg C m-2`), are amounts of
the step already. Where some days are missing, a sum is that of the other days scaled to the whole period. `min`,
`max`, `median` and `sd` (n - 1) take the values of the steps of which at least half lies in the period.

A season over New Year belongs to the year in which it ends: winter of 2001 (DJF) begins in December 2000. With
`southern: shift`, rows and places south of the equator have their seasons six months later by the same rule: MAM of
2001 is then September to November 2001 there, JJA is December 2000 to February 2001, and Apr-Sep is October 2000 to
March 2001. The whole year stays the calendar year.

In space, weights are areas on the ellipsoid, the seam at 180 degrees and the poles included. `average` is the mean over
the part of a cell that has values; `conservative` spreads the integral over the whole cell, so that density times area
keeps its total; `sum` adds amounts per cell. Time comes first where both are asked for.

For example::

    climate: {kind: resample, of: monthly, time: {periods: {annual: all, spring: MAM}, per: {P: sum}},
              space: {resolution: 0.5}}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from soilql.context import Context
from soilql.errors import Diagnostic
from soilql.io.grid_params import bounds_problems
from soilql.io.resample_check import check_names, check_space, check_table, check_time
from soilql.io.resample_names import chosen, new_name, results, wanted_of
from soilql.kinds import Block, Schema, Scope, Size, Variable
from soilql.params import ColumnName, DataRef, GridRef, NewName, Problem, UnitText, param
from soilql.params import Params as Base
from soilql.values import Grid, Table, ValueType

VERSION = 2

Statistic = Literal["mean", "sum", "min", "max", "median", "sd"]
Method = Literal["nearest", "bilinear", "average", "conservative", "sum", "mode", "fraction"]


@dataclass(frozen=True)
class Reduced(Base):
    """How one variable is brought to periods."""

    SHORTHAND = "statistic"

    statistic: Statistic | None = param(None, doc="default: as for the others")
    unit: UnitText | None = param(
        None, doc="unit of the result, to which it is converted; default: as it follows from the statistic"
    )


@dataclass(frozen=True)
class Time(Base):
    """The periods wanted, and how the steps of the source are brought to them."""

    SHORTHAND = "every"

    every: Literal["year", "season", "month", "16-day", "8-day"] = param(
        "year",
        doc="length of the periods: years (whole or in parts, see `periods`), or a series of seasons (from December, "
        "March, June and September), months, or composites that begin anew on every 1 January",
    )
    periods: dict[NewName, list[str]] = param(
        {},
        doc="parts of the year, each of which makes a variable `X_NAME` with one value a year: `all`, initials "
        "(`MAM`), `Apr-Sep`, or a list of months by name or number, in order: a month that does not come after the "
        "one before it is of the next year",
    )
    suffix: bool = param(True, doc="whether a single period adds its name to those of the variables")
    statistic: Statistic = param("mean", doc="of the steps in a period")
    per: dict[ColumnName, Reduced] = param({}, doc="variables with another statistic, or another unit")
    years: list[str] | None = param(None, doc="first and last year, such as 2000-2014; default: all")
    climatology: bool = param(
        False,
        doc="average each period over the years, with the same weight for each: maps without a time; seasons, months "
        "and composites then make a variable each (`T_DJF`, `T_Jan`, `T_001`)",
    )
    southern: Literal["same", "shift"] = param(
        "same", doc="whether `periods` are the same months in the south, or six months later"
    )
    year_of: Literal["end", "start"] = param(
        "end", doc="year that a season over New Year belongs to: that of its end (its January), or of its beginning"
    )
    min_share: float = param(
        0.75,
        gt=0,
        le=1,
        doc="share of the days of a period that must have values, and of the years of a climatology; a result of "
        "fewer is missing, and counted in a note. 1 asks for all days; 0.75 is stricter than the WMO's rule for the "
        "mean of a month (WMO-No. 1203: at most 10 days missing), yet a year may lack a season: ask for more where "
        "winters are missing",
    )
    incomplete: Literal["drop", "keep"] = param(
        "drop",
        doc="periods that the series holds in part only, at its beginning and end: left out with a note, or made where "
        "`min_share` of their days is there",
    )
    step: Literal["year", "season", "month", "16-day", "8-day", "day", "hours"] | None = param(
        None, doc="length of the steps of the source; default: as it says, or as its labels show"
    )

    def problems(self) -> Iterator[Problem]:
        if self.periods and self.every != "year":
            yield "`periods` are parts of a year: leave `every` out", "periods"
        if self.southern == "shift" and not self.periods:
            yield "only `periods` can be shifted: name the seasons there", "southern"
        if not self.suffix and len(self.periods) > 1:
            yield "several periods need their names", "suffix"


@dataclass(frozen=True)
class Mapped(Base):
    """How one variable is brought to other cells."""

    SHORTHAND = "method"

    method: Method | None = param(None, doc="default: as for the others")
    classes: dict[NewName, list[float]] = param(
        {}, doc="for `fraction`: numbers of the classes of each group; makes a variable `X_NAME` for each"
    )


@dataclass(frozen=True)
class Space(Base):
    """The cells wanted, and how values are brought to them."""

    SHORTHAND = "resolution"

    to: GridRef | None = param(None, doc="grid whose cells are wanted")
    resolution: list[float] | None = param(
        None, gt=0, unit="degrees", doc="size of regular cells, or [latitude, longitude]"
    )
    bounds: list[float] | None = param(
        None,
        doc="[west, south, east, north] edges in degrees for `resolution`; default: the globe where the source goes "
        "round it, else the source's edges, widened to whole cells",
    )
    method: Method = param(
        "average",
        doc="`nearest`, `bilinear`, `average` by area, `conservative` of the integral of a density, `sum` of amounts "
        "per cell, `mode`: the class with the largest area. Classes always take `mode` unless `per` says otherwise",
    )
    per: dict[ColumnName, Mapped] = param({}, doc="variables with another method; `fraction` of classes")
    min_share: float | None = param(
        None,
        ge=0,
        le=1,
        doc="share of a cell that must have values, else it is missing and counted in a note. Default: all for "
        "`nearest` and `bilinear`, half the area for `average`, `mode` and `fraction`, any for `conservative` and "
        "`sum`",
    )

    def problems(self) -> Iterator[Problem]:
        if (self.to is None) == (self.resolution is None):
            yield "say the cells wanted, either as `to: GRID` or as `resolution`", ""
        if self.bounds is not None and self.resolution is None:
            yield "`bounds` go with `resolution`: `to` has its own", "bounds"
        if self.resolution is not None and len(self.resolution) > 2:
            yield "`resolution` is one number, or [latitude, longitude]", "resolution"
        if self.method == "fraction":
            yield "`fraction` needs the classes of each variable: name it under `per`", "method"
        if self.bounds is not None:
            yield from bounds_problems(self.bounds)


@dataclass(frozen=True)
class Params(Base):
    """Parameters of `resample`."""

    of: DataRef = param(doc="grid, or table with the role `time`; `GRID.VARIABLE` for one variable")
    variables: list[ColumnName] | None = param(
        None, doc="variables or columns wanted; default: all with times, of a table all columns of numbers"
    )
    static: list[ColumnName] = param([], doc="variables without a time that are kept beside those of `time`")
    time: Time | None = param(None, doc="periods")
    space: Space | None = param(None, doc="cells; of grids only")
    by: list[ColumnName] = param(
        ["lat", "lon"], doc="of a table: roles or columns that make a place; each place becomes one row a period"
    )
    rename: dict[ColumnName, NewName] = param({}, doc="new names of results: {T_annual: MAT}")

    def problems(self) -> Iterator[Problem]:
        if self.time is None and self.space is None:
            yield "say what to bring it to: `time`, `space` or both", ""


def produces(params: Params, scope: Scope) -> ValueType | None:
    """A grid of a grid, a table of a table."""
    return scope.value_type(params.of.block)


def describe(params: Params) -> str:
    """Return what will be made."""
    words = []
    if params.time is not None:
        names = ", ".join(params.time.periods) or f"every {params.time.every}"
        over = " averaged over the years" if params.time.climatology else ""
        words.append(f"to {names} by {params.time.statistic}{over}")
    if params.space is not None:
        cells = params.space.to or " x ".join(f"{x:g}" for x in params.space.resolution or ()) + " degrees"
        words.append(f"to the cells of {cells} by {params.space.method}")
    return f"bring {params.of} {', then '.join(words)}"


def schema(block: Block, scope: Scope) -> Schema | None:
    """Return the variables or columns with their units."""
    params: Params = block.params
    known = scope.schema(params.of)
    named = params.variables is not None or params.of.variable is not None
    if known is None and not named:
        return None
    known = known or Schema(open=True)
    places, when = _keys(block, scope)
    made = {new_name(params, name): one for name, one in results(params, known, (*places, *when)).items()}
    is_open = known.open and not named
    if scope.value_type(params.of.block) is not ValueType.TABLE:
        return Schema(made, is_open)
    time = "year" if params.time is None or params.time.every == "year" else "time"
    times = {} if params.time is not None and params.time.climatology else {time: Variable("number")}
    columns = {name: known.variables.get(name, Variable()) for name in places}
    roles = {role: name for role, name in known.roles.items() if name in places} | ({"time": time} if times else {})
    return Schema({**columns, **times, **made}, is_open, roles)


def _keys(block: Block, scope: Scope) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the columns of a table that make a place, and that of the time; none of a grid."""
    params: Params = block.params
    if scope.value_type(params.of.block) is not ValueType.TABLE:
        return (), ()
    whole = scope.schema(params.of.block) or Schema(open=True)
    places = tuple(dict.fromkeys(whole.roles.get(name, str(name)) for name in params.by))
    return places, tuple(name for role, name in whole.roles.items() if role == "time")


def check(block: Block, scope: Scope) -> Iterator[Diagnostic]:
    """Yield names that are not there, months that are none, statistics without meaning, units that do not fit."""
    params: Params = block.params
    is_table = scope.value_type(params.of.block) is ValueType.TABLE
    known, whole = (scope.schema(ref) or Schema(open=True) for ref in (params.of, params.of.block))
    places, when = _keys(block, scope)
    what = f"not a {'column' if is_table else 'variable'} of `{params.of.block}`"
    yield from check_names(block, whole, what, (*places, *when))
    if is_table:
        yield from check_table(block, whole)
    picked = chosen(params, known, (*places, *when))
    if params.time is not None:
        yield from check_time(block, scope, Schema(picked, known.open))
    if params.space is not None and not is_table:
        yield from check_space(block, scope, Schema({**picked, **dict.fromkeys(params.static, Variable())}, known.open))


def run(params: Params, ctx: Context) -> Grid | Table:
    """Bring a grid to periods and cells, lazily, counting what is lost on the way; or a table to periods."""
    from soilql.clipping import counted
    from soilql.io.resample_run import lost_notes, resampled_grid, resampled_table

    source = ctx.inputs[params.of.block]
    if isinstance(source, Table):
        return resampled_table(params, ctx, source)
    grid = ctx.grid(params.of)
    data, notes, lazy = resampled_grid(params, ctx)
    data, lost = counted(data, lazy, ctx.resources.memory)
    return Grid(data, grid.crs, (*grid.notes, *notes, *lost_notes(params, lost, "cells")))


def size(params: Params, ctx: Context, sizes: Mapping[str, Size]) -> Size | None:
    """Return the cells, and the maps where the years are stated; else no more than there are steps for each period."""
    source = sizes.get(params.of.block)
    if source is None or source.cells is None:
        return None if source is None else Size(rows=source.rows, columns=source.columns, at_most=True)
    cells, rounded = _cells(params, source.cells, sizes)
    columns, at_most = source.columns, rounded
    if params.time is not None:
        wanted = wanted_of(params.time)
        count = len(params.variables) if params.variables else None
        years = 1 if wanted.climatology else None
        if years is None and wanted.years is not None and wanted.every == "year":
            years = wanted.years[1] - wanted.years[0] + 1
        exact = None if count is None or years is None else count * years * len(wanted.suffixes)
        columns, at_most = exact or columns * len(wanted.suffixes), rounded or exact is None
    return Size(cells=cells, columns=columns, at_most=at_most)


def _cells(params: Params, cells: int, sizes: Mapping[str, Size]) -> tuple[int, bool]:
    """Return the number of cells, and whether it may be smaller."""
    space = params.space
    if space is None:
        return cells, False
    if space.to is not None:
        target = sizes.get(space.to.block)
        return (cells, True) if target is None or target.cells is None else (target.cells, False)
    assert space.resolution is not None
    west, south, east, north = space.bounds or (-180.0, -90.0, 180.0, 90.0)
    rows, columns = (north - south) / space.resolution[0], (east - west) / space.resolution[-1]
    return round(rows) * round(columns), space.bounds is None
