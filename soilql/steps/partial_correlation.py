"""Partial correlations of a series with each of several drivers, the others held fixed: cells, regions, tables.

In R: `pcor` of ppcor.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from soilql import params as p
from soilql.context import Context
from soilql.errors import Diagnostic, did_you_mean
from soilql.kinds import Block, Schema, Scope, Size, Variable
from soilql.params import ColumnName, DataRef, GridRef, NewName, Problem, ZonesRef, param
from soilql.regional.inputs import BANDS, BY, LAND_FRACTION, ON, bands_problems, check_single, check_zone_variables
from soilql.series.trend_refs import named_twice
from soilql.values import Grid, Table, ValueType

VERSION = 3


@dataclass(frozen=True)
class Params(p.Params):
    """What is correlated with what, and over which regions."""

    of: DataRef = param(doc="The response: a grid with times (`rs`), or a column of a table (`yearly.Rs`).")
    drivers: list[DataRef] | dict[NewName, DataRef] = param(
        doc="Two or more drivers: grids with times, on the cells of the response, or columns of its table. A mapping "
        "gives them names: {TEM: climate.tas, PRE: climate.pr}."
    )
    detrend: Literal["linear", "none"] = param(
        "linear",
        doc="Whether the line of least squares is removed from every series first; it costs one degree of freedom, "
        "which is charged.",
    )
    parts: Literal["error", "drop", "log_ratio"] = param(
        "error",
        doc="Drivers that sum to a constant, such as covers of 100 %, cannot be told apart: an `error` that names "
        "them, or `drop` the last of them, or replace them by `log_ratio`s to the last.",
    )
    floor: float = param(0.5, gt=0, doc="Of log-ratios: smaller parts are raised to this, in their unit.")
    level: float = param(0.05, gt=0, lt=1, doc="Level of significance.")
    fdr: float | None = param(
        None, gt=0, lt=1, doc="False discovery rate of each driver's map. Default: twice the level (Wilks 2016)."
    )
    least: dict[NewName, float] = param(
        {},
        doc="Least mean of a driver over the period, in its unit, for its correlation with a cell to count: {SV: 25, "
        "TC: 25}. The other drivers of the cell are not concerned.",
    )
    mask: GridRef | None = param(
        None, doc="Map of the cells that count at all: those where it is neither 0 nor missing."
    )
    period: list[float] | None = param(None, doc="First and last year that count: [2000, 2014].")
    by: ZonesRef | None = param(None, doc=BY)
    on: GridRef | None = param(None, doc=ON)
    bands: float | list[float] | None = param(None, doc=BANDS)
    land_fraction: Literal["none"] | GridRef = param("none", doc=LAND_FRACTION)
    groups: list[ColumnName] | None = param(
        None,
        doc="Of a table: the columns whose values make a series. Default: all columns of text, without remarks behind "
        "the values.",
    )
    dtype: Literal["float32", "float64"] = param("float32", doc="Precision in which the maps are kept.")

    def problems(self) -> Iterator[Problem]:
        if len(self.drivers) < 2:
            yield "a partial correlation holds other drivers fixed: name two or more", "drivers"
        yield from named_twice(self.drivers, "drivers")
        if len(set(self.named)) < len(self.drivers):
            yield "two drivers have the same name: give them names, {TEM: climate.tas, ...}", "drivers"
        unknown = [name for name in self.least if name not in self.named]
        if unknown:
            yield f"`{unknown[0]}` is not one of the drivers: {', '.join(self.named)}", "least"
        if self.period is not None and (len(self.period) != 2 or self.period[0] > self.period[1]):
            yield "`period` is the first and the last year: [2000, 2014]", "period"
        yield from bands_problems(self.bands)

    @property
    def named(self) -> list[str]:
        """The name of each driver."""
        if isinstance(self.drivers, dict):
            return list(map(str, self.drivers))
        return [ref.variable or ref.block for ref in self.drivers]

    @property
    def refs(self) -> dict[str, DataRef]:
        """The drivers by name."""
        refs = self.drivers.values() if isinstance(self.drivers, dict) else self.drivers
        return dict(zip(self.named, refs, strict=True))

    def path(self, name: str) -> tuple[str | int, ...]:
        """Return where the block names a driver."""
        return ("drivers", name if isinstance(self.drivers, dict) else self.named.index(name))


def run(params: Params, ctx: Context) -> Grid | Table:
    """Compute the correlations.

    Returns
    -------
    Grid or Table
        Of a grid, maps: ``r_<driver>``, ``p_<driver>``, ``significant_<driver>`` (of the field: -1 negative, 1
        positive, 0 not), ``dominant`` (the driver with the largest significant |r|), ``n``, ``df``, ``status``;
        ``extras["regions"]`` with the correlations of the regions' mean series and ``extras["dominant"]`` with the area
        of each dominant driver. Of a table, one row a series and driver.
    """
    if isinstance(ctx.inputs[params.of.block], Table):
        from soilql.series.correlation_table import of_table

        return of_table(ctx, ctx.table(params.of))
    from soilql.series.correlation_map import of_grid

    return of_grid(ctx)


def produces(params: Params, scope: Scope) -> ValueType | None:
    """Return a grid of a grid and a table of a table."""
    return scope.value_type(params.of.block)


def schema(block: Block, scope: Scope) -> Schema | None:
    """Variables of the maps, or columns of the table."""
    params: Params = block.params
    names = ["r", "p", "t", "n", "df"]
    if scope.value_type(params.of.block) is ValueType.TABLE:
        found = {name: Variable("number") for name in names} | {"driver": Variable("text"), "status": Variable("text")}
        return Schema(found | {"significant": Variable("boolean")}, open=True)
    if scope.value_type(params.of.block) is None:
        return None
    maps = [f"{head}_{name}" for name in params.named for head in ("r", "p", "significant")]
    # Dropped parts and log-ratios change the names, which only the data decide.
    return Schema(
        {name: Variable("number") for name in (*maps, "dominant", "n", "df", "status")}, params.parts != "error"
    )


def check(block: Block, scope: Scope) -> Iterator[Diagnostic]:
    """Say where tables and grids are mixed, what fits only one of them, and which variables the zones lack."""
    params: Params = block.params
    value_type = scope.value_type(params.of.block)
    for name, ref in params.refs.items():
        other = scope.value_type(ref.block)
        if value_type is None or other is None:
            continue
        if other is not value_type or (value_type is ValueType.TABLE and ref.block != params.of.block):
            what = f"a column of `{params.of.block}`" if value_type is ValueType.TABLE else "a grid"
            yield Diagnostic("SQ204", f"`{ref}` is not {what}, as the response is", block.span(*params.path(name)))
    if value_type is ValueType.TABLE:
        yield from _of_table(block, scope)
    elif value_type is ValueType.GRID:
        if params.groups is not None:
            message = f"`{params.of.block}` is a grid, whose series are its cells"
            yield Diagnostic("SQ126", message, block.key_span("groups"), help="leave it out; `by` gives regions")
        yield from check_single(block, scope, params.of, "of")
        for name, ref in params.refs.items():
            if scope.value_type(ref.block) is ValueType.GRID:
                yield from check_single(block, scope, ref, *params.path(name))
        yield from check_zone_variables(block, scope, [params.of])


def _of_table(block: Block, scope: Scope) -> Iterator[Diagnostic]:
    params: Params = block.params
    for key in ("by", "on", "bands", "land_fraction", "least", "mask"):
        if block.node.entry(key) is not None:
            message = f"`{params.of.block}` is a table, whose series have no cells"
            yield Diagnostic("SQ126", message, block.key_span(key), help="leave it out, or give a grid")
    known = scope.schema(params.of.block)
    for ref, path in [(params.of, ("of",)), *((ref, params.path(name)) for name, ref in params.refs.items())]:
        if ref.variable is None:
            columns = [] if known is None else list(known.variables)
            help = did_you_mean(ref, columns) or f"name the column: `{ref.block}.COLUMN`"
            yield Diagnostic(
                "SQ204", f"`{ref}` is a table, of which one column is needed", block.span(*path), help=help
            )


def headline(value: Grid | Table) -> list[str]:
    """Say the correlations of each region or series in a line."""
    from soilql.series.correlation_rows import lines

    return lines(value if isinstance(value, Table) else value.extras["regions"])


def describe(params: Params) -> str:
    detrended = "" if params.detrend == "none" else ", detrended"
    return f"partial correlation of {params.of} with {', '.join(params.named)}{detrended}"


def size(params: Params, ctx: Context, sizes: Mapping[str, Size]) -> Size | None:
    """Return the cells of the grid and the maps made on it."""
    grid = sizes.get(params.of.block)
    if grid is None or grid.cells is None:
        return None
    return Size(rows=grid.rows, cells=grid.cells, columns=3 * len(params.drivers) + 4)
