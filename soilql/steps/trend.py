"""Trends of every cell, of regions and of tables: Mann-Kendall tests, Theil-Sen slopes, classes, field significance.

In R: `mk.test` and `sens.slope` of trend.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from soilql import params as p
from soilql.context import Context
from soilql.errors import Diagnostic
from soilql.kinds import Block, Schema, Scope, Size, Variable
from soilql.params import ColumnName, DataRef, GridRef, Problem, ZonesRef, param
from soilql.regional.inputs import BANDS, BY, LAND_FRACTION, ON, bands_problems, check_single, check_zone_variables
from soilql.values import Grid, Table, ValueType

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = 3

Test: TypeAlias = Literal["mk", "pw", "tfpw", "bcpw", "hamed_rao", "yue_wang"]


@dataclass(frozen=True)
class Params(p.Params):
    """What series, how they are tested, and over which regions."""

    of: DataRef = param(
        doc="A grid with times (`rs`, `climate.tas`), or a column of a table with the role `time` (`budget.total`)."
    )
    test: Test = param(
        "mk",
        doc="`mk` Mann-Kendall; for autocorrelated series `pw` (pre-whitened, keeps its level), `tfpw` (trend-free "
        "pre-whitening, does not), `bcpw` (bias-corrected), `hamed_rao` or `yue_wang` (corrected variance).",
    )
    p_value: Literal["auto", "exact", "normal"] = param(
        "auto", doc="Null distribution of S: exact with ties for short series, normal for long ones, or one of them."
    )
    slope: Literal["theil_sen", "siegel", "ols"] = param("theil_sen", doc="Estimator of the slope, on the real times.")
    level: float = param(0.05, gt=0, lt=1, doc="Level of significance of the classes.")
    significance: Literal["p", "field"] = param(
        "p",
        doc="What makes the trend of a cell significant in the map of classes and their areas: its own p below the "
        "level, as in most studies, or the false discovery rate of the field.",
    )
    interval: Literal["none", "sen", "residual", "pairs", "block"] = param(
        "pairs",
        doc="Interval of the slopes of regions and tables: a bootstrap of pairs (Wilcox 1998), of residuals, or of "
        "blocks of residuals; or Sen's limits. Of few years those of residuals are too narrow: of 15 independent "
        "years, 95 % cover 88 %, and 84 % in blocks.",
    )
    confidence: float = param(0.95, gt=0, lt=1, doc="Probability of the interval.")
    replicates: int = param(1000, ge=100, doc="Number of bootstrap replicates.")
    seed: int = param(1, ge=0, doc="Seed of the bootstrap.")
    map_interval: bool = param(False, doc="Whether every cell gets an interval too: `lower` and `upper`.")
    fdr: float | None = param(
        None,
        gt=0,
        lt=1,
        doc="False discovery rate of the field significance of the map. Default: twice the level (Wilks 2016).",
    )
    period: list[float] | None = param(None, doc="First and last year that count: [2000, 2014].")
    least: int = param(4, ge=4, doc="Fewest values of a series that is tested; fewer than 8 hardly find anything.")
    summary: Literal["mean", "total"] = param(
        "mean", doc="Series of a region: the area-weighted mean of its cells, or the total of a flux in Pg C yr-1."
    )
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
        if self.period is not None and (len(self.period) != 2 or self.period[0] > self.period[1]):
            yield "`period` is the first and the last year: [2000, 2014]", "period"
        if self.slope != "theil_sen" and self.interval != "none":
            yield f"intervals are of the Theil-Sen slope: with `slope: {self.slope}`, say `interval: none`", "slope"
        if self.p_value == "exact" and self.test in ("hamed_rao", "yue_wang"):
            yield f"`{self.test}` corrects the variance of S, which has no exact distribution then", "p_value"
        yield from bands_problems(self.bands)


def run(params: Params, ctx: Context) -> Grid | Table:
    """Compute the trends.

    Returns
    -------
    Grid or Table
        Of a grid, maps: ``slope`` (by year), ``change`` (slope x (last - first year)), ``relative_change`` (% of the
        line at the first year), ``p``, ``z``, ``tau``, ``lag1``, ``n``, ``class`` (-2 significant decrease ... 2
        significant increase), ``significant`` (of the field), ``status``; ``extras["regions"]`` with the trend of each
        region's series, ``extras["series"]`` with these series, ``extras["classes"]`` with the area in each class. Of a
        table, one row a series.
    """
    if isinstance(ctx.inputs[params.of.block], Table):
        from soilql.series.trend_table import of_table

        return of_table(ctx, ctx.table(params.of))
    from soilql.series.trend_map import of_grid

    return of_grid(ctx)


def produces(params: Params, scope: Scope) -> ValueType | None:
    """Return a grid of a grid and a table of a table."""
    return scope.value_type(params.of.block)


#: Variables of the maps and columns of the tables.
_SLOPES = ("slope", "lower", "upper")
_CHANGES = ("start", "change_lower", "change_upper")
_NUMBERS = ("p", "z", "tau", "lag1", "n")
_CODES = ("class", "significant", "status")


def schema(block: Block, scope: Scope) -> Schema | None:
    """Variables of the maps, or columns of the table."""
    from soilql.series.units import slope_unit

    params: Params = block.params
    value_type = scope.value_type(params.of.block)
    known = scope.schema(params.of.block)
    unit = None if known is None else _unit(params, known)
    found: dict[str, Variable] = {}
    if value_type is ValueType.TABLE:
        if known is None:
            return None
        groups = (
            params.groups if params.groups is not None else [n for n, v in known.variables.items() if v.type == "text"]
        )
        found = {str(name): known.variables.get(str(name), Variable("text")) for name in groups}
    names = [name for name in _SLOPES if name == "slope" or value_type is ValueType.TABLE or params.map_interval]
    found |= {name: Variable("number", slope_unit(unit)) for name in names}
    found |= {"change": Variable("number", unit), "relative_change": Variable("number", "%")}
    found |= {name: Variable("number") for name in _NUMBERS}
    if value_type is ValueType.TABLE:
        found |= {name: Variable("number", unit) for name in _CHANGES}
        found |= {"s": Variable("number"), "first": Variable(), "last": Variable()}
        found |= {"class": Variable("text"), "significant": Variable("boolean"), "status": Variable("text")}
        return Schema(found, open=known is None or known.open or params.groups is None)
    return Schema(found | {name: Variable("number") for name in _CODES})


def _unit(params: Params, known: Schema) -> str | None:
    names = list(known.variables)
    name = params.of.variable or ("mean" if "mean" in names else names[0] if len(names) == 1 else "")
    return known.variables[name].unit if name in known.variables else None


def check(block: Block, scope: Scope) -> Iterator[Diagnostic]:
    """Say what fits a table or a grid only, and which variables the zones lack."""
    params: Params = block.params
    value_type = scope.value_type(params.of.block)
    if value_type is ValueType.TABLE:
        for key in ("by", "on", "bands", "land_fraction", "map_interval", "summary"):
            if block.node.entry(key) is not None:
                message = f"`{params.of.block}` is a table, whose series have no cells"
                yield Diagnostic("SQ126", message, block.key_span(key), help="leave it out, or give a grid")
        if params.of.variable is None:
            message = f"`{params.of}` is a table, and its trend needs one column"
            help = f"name the column: `{params.of.block}.total`"
            yield Diagnostic("SQ204", message, block.span("of"), help=help)
    elif value_type is ValueType.GRID:
        if params.groups is not None:
            message = f"`{params.of.block}` is a grid, whose series are its cells"
            yield Diagnostic("SQ126", message, block.key_span("groups"), help="leave it out; `by` gives regions")
        yield from check_single(block, scope, params.of, "of")
        yield from check_zone_variables(block, scope, [params.of])


def headline(value: Grid | Table) -> list[str]:
    """Say the trend of each region or series in a line."""
    from soilql.series.trend_rows import lines

    return lines(value if isinstance(value, Table) else value.extras["regions"])


def describe(params: Params) -> str:
    by = f" by {params.by}" if params.by else ""
    return f"trend of {params.of} ({params.test}, {params.slope}){by}"


def size(params: Params, ctx: Context, sizes: Mapping[str, Size]) -> Size | None:
    """Return the cells of the grid and the maps made on it."""
    grid = sizes.get(params.of.block)
    if grid is None or grid.cells is None:
        return None
    return Size(rows=grid.rows, cells=grid.cells, columns=11 + 2 * params.map_interval)
