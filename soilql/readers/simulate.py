"""A planet made up from formulas and seeded random fields, or sites observed on one, for tests of whole studies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from soilql.context import Context
from soilql.errors import Diagnostic, Severity
from soilql.io.grid_params import bounds_problems
from soilql.io.scope import check_expression, result_type
from soilql.kinds import Block, Schema, Scope, Size, Variable
from soilql.params import Expr, Filter, GridRef, NewName, Problem, UnitText, param
from soilql.params import Params as Base
from soilql.values import Grid, Note, Table, ValueType

if TYPE_CHECKING:
    import numpy as np

    from soilql.io.planet import Distribution

VERSION = 2
STORED = False

_NUMBER = Variable("number")
_DIMS = ("time", "lat", "lon")


@dataclass(frozen=True)
class Raster(Base):
    """The grid of a planet."""

    resolution: float = param(doc="width and height of a cell; divides those of `bounds`", gt=0, le=90, unit="degree")
    bounds: list[float] = param([-180.0, -90.0, 180.0, 90.0], doc="[west, south, east, north] edges in degrees")

    def problems(self) -> Iterator[Problem]:
        if wrong := list(bounds_problems(self.bounds)):
            yield from wrong
            return
        west, south, east, north = self.bounds
        for extent in (east - west, north - south):
            if abs(extent / self.resolution - round(extent / self.resolution)) > 1e-6 or extent < self.resolution:
                yield f"cells of {self.resolution:g} degrees do not fill {extent:g} degrees", "resolution"


@dataclass(frozen=True)
class Random(Base):
    """A random field, or random numbers of rows."""

    distribution: Literal["normal", "uniform"] = param("normal", doc="distribution of the values")
    mean: float = param(0.0, doc="mean of the normal distribution")
    sd: float = param(1.0, ge=0, doc="standard deviation of the normal distribution")
    low: float = param(0.0, doc="lower end of the uniform distribution")
    high: float = param(1.0, doc="upper end of the uniform distribution")
    smooth: float = param(
        0.0, ge=0, unit="degree", doc="length scale over which a field varies; 0: each cell by itself"
    )
    per: Literal["row", "site", "year"] = param(
        "row",
        doc="of a table: one number for each row, site or year; of a planet: `year`, another field each of its years",
    )
    lag1: float = param(0.0, gt=-1, lt=1, doc="of a field for each year: correlation with the field of the year before")

    def problems(self) -> Iterator[Problem]:
        if self.lag1 and self.per != "year":
            yield "`lag1` ties years together: say `per: year`", "lag1"
        if self.low >= self.high:
            yield "`low` must be below `high`", "low"


@dataclass(frozen=True)
class Made(Base):
    """A variable or column made by a formula."""

    SHORTHAND = "expr"

    expr: Expr = param(doc="formula over lat, lon, random fields, constants, and what stands above")
    unit: UnitText | None = param(None, doc="unit of the result")


@dataclass(frozen=True)
class Cluster(Base):
    """How sites gather."""

    centres: int = param(20, ge=1, doc="number of regions in which sites gather")
    spread: float = param(500.0, gt=0, unit="km", doc="distance from a centre at which the density falls by exp(-1/2)")


@dataclass(frozen=True)
class Params(Base):
    """Parameters of `simulate`."""

    seed: int = param(doc="seed of all random numbers", ge=0)
    grid: Raster | None = param(None, doc="make a planet on this grid")
    on: GridRef | None = param(None, doc="make sites on this grid")
    random: dict[NewName, Random] = param({}, doc="random fields of a planet, random numbers of sites")
    constants: dict[NewName, float] = param({}, doc="numbers by name, such as the true parameters of a model")
    variables: dict[NewName, Made] = param({}, doc="variables of the planet, in order")
    where: Filter | None = param(None, doc="cells of the planet where this does not hold are missing")
    sites: int = param(100, ge=1, doc="number of sites, each in a cell of its own, drawn by area")
    cluster: Cluster | None = param(None, doc="make sites gather as observations do; default: all over the land")
    years: list[int] | None = param(
        None,
        doc="years of the planet, whose formulas then see `year`, or in which every site is observed; default: none",
    )
    observed: float = param(1.0, gt=0, le=1, doc="share of the sites' years that are observed, drawn at random")
    replicates: int = param(1, ge=1, doc="observations of a site in a year")
    columns: dict[NewName, Made] = param({}, doc="columns of the table, in order; they see the variables of the grid")

    def problems(self) -> Iterator[Problem]:
        if (self.grid is None) == (self.on is None):
            yield "`simulate` needs either `grid` (a planet) or `on` (sites on one)", "on"
            return
        if self.grid is not None and (self.columns or self.cluster):
            yield "`columns` and `cluster` belong to sites, with `on`", "columns"
        if self.years is not None and sorted(set(self.years)) != self.years:
            yield "`years` must rise, each of them once", "years"
        if self.observed < 1 and (self.on is None or not self.years):
            yield "`observed` is a share of the years of sites: name `years`", "observed"
        if self.on is not None and (self.variables or self.where is not None):
            yield "`variables` and `where` belong to a planet, with `grid`", "variables"
        if self.grid is not None and not self.variables:
            yield "a planet needs `variables`", "grid"
        if self.on is not None and any(random.smooth for random in self.random.values()):
            yield "`smooth` belongs to the fields of a planet; sites have `per: row | site | year`", "random"
        allowed = ("row", "year") if self.years else ("row",)
        if self.grid is not None and any(random.per not in allowed for random in self.random.values()):
            help = "`year` needs `years`" if not self.years else "fields of a planet are for all years, or `per: year`"
            yield f"`per` belongs to sites; {help}", "random"
        if self.on is not None and any(random.lag1 for random in self.random.values()):
            yield "`lag1` belongs to the fields of a planet with `years`", "random"


def produces(params: Params, scope: Scope) -> ValueType:
    """Return a grid for a planet, a table for sites."""
    return ValueType.GRID if params.grid is not None else ValueType.TABLE


def describe(params: Params) -> str:
    """Return what will be made."""
    if params.grid is not None:
        return f"make a planet of {params.grid.resolution:g} degrees with {', '.join(params.variables)}"
    return f"observe {params.sites} sites on {params.on}"


def _site_columns(params: Params, scope: Scope) -> Schema:
    """Return the columns of sites before those made by formulas."""
    grid = scope.schema(params.on) if params.on is not None else None
    columns = {
        "site": Variable("text"),
        "lat": Variable("number", "degrees_north"),
        "lon": Variable("number", "degrees_east"),
    }
    columns |= {"year": _NUMBER} if params.years else {}
    columns |= {"replicate": _NUMBER} if params.replicates > 1 else {}
    columns |= {} if grid is None else dict(grid.variables)
    return Schema(columns, grid is None or grid.open)


def _made(made: dict[NewName, Made], known: dict[str, Variable], is_open: bool) -> dict[str, Variable]:
    found: dict[str, Variable] = {}
    for name, one in made.items():
        found[str(name)] = Variable(result_type(one.expr, Schema({**known, **found}, is_open)), one.unit)
    return found


def schema(block: Block, scope: Scope) -> Schema:
    """Return the variables of the planet, or the columns of the sites."""
    params: Params = block.params
    if params.grid is not None:
        return Schema({str(name): Variable("number", one.unit) for name, one in params.variables.items()})
    sites = _site_columns(params, scope)
    roles = {"lat": "lat", "lon": "lon", "site": "site"} | ({"time": "year"} if params.years else {})
    columns = dict(sites.variables)
    return Schema({**columns, **_made(params.columns, columns, sites.open)}, sites.open, roles)


def check(block: Block, scope: Scope) -> Iterable[Diagnostic]:
    """Yield names that are unknown or there twice."""
    params: Params = block.params
    on_grid = params.grid is not None
    place = {"lat": _NUMBER, "lon": _NUMBER} | ({"year": _NUMBER} if params.years else {})
    base = Schema(place) if on_grid else _site_columns(params, scope)
    names = dict(base.variables)
    section = "variables" if on_grid else "columns"
    for key in ("random", "constants", section):
        for name in getattr(params, key):
            if name in names:
                message = f"`{name}` is there twice"
                yield Diagnostic("SQ710", message, block.span(key, name), help="give it another name")
            names[str(name)] = _NUMBER
    names = {**base.variables, **dict.fromkeys(map(str, [*params.random, *params.constants]), _NUMBER)}
    absent = "neither lat, lon, a random field, a constant nor a variable above"
    for name, one in getattr(params, section).items():
        known = Schema(names, base.open)
        yield from check_expression(one.expr, known, absent)
        names = {**names, str(name): Variable(result_type(one.expr, known), one.unit)}
    if params.where is not None:
        yield from check_expression(params.where, Schema(names, base.open), absent, "boolean")


def run(params: Params, ctx: Context) -> Grid | Table:
    """Make the planet, or observe sites on one."""
    return _planet(params, ctx) if params.grid is not None else _sites(params, ctx)


def _distribution(random: Random) -> Distribution:
    from soilql.io.planet import Distribution

    return Distribution(random.distribution, random.mean, random.sd, random.low, random.high)


def _planet(params: Params, ctx: Context) -> Grid:
    import dask.array
    import numpy as np
    import xarray as xr

    from soilql.expr.evaluate import evaluate
    from soilql.io.layers import block_shape
    from soilql.io.planet import Field, YearlyField, centres

    da: Any = dask.array
    assert params.grid is not None
    lat, lon = centres(params.grid.resolution, params.grid.bounds)
    years = np.array(params.years or [], dtype=np.int64)
    fields = (len(params.random) + len(params.variables) + 2) * max(1, years.size)
    budget = ctx.resources.memory // (8 * ctx.resources.workers)
    rows, columns = block_shape(lat.size, lon.size, 8 * fields, budget, (1, 1))
    whole = da.zeros((lat.size, lon.size), chunks=(rows, columns))
    env: dict[str, Any] = {
        "lat": da.from_array(lat[:, None], chunks=(rows, 1)),
        "lon": da.from_array(lon[None, :], chunks=(1, columns)),
    }
    env.update({str(name): value for name, value in params.constants.items()})
    if years.size:
        env["year"] = da.from_array(years.astype(float)[:, None, None], chunks=-1)
    for name, random in params.random.items():
        field = Field(params.seed, str(name), _distribution(random), random.smooth)
        yearly = YearlyField(field, tuple(years.tolist()), random.lag1)
        env[str(name)] = (yearly if random.per == "year" else field).lazy(lat, lon, whole.chunks)
    made: dict[str, Any] = {}
    for name, one in params.variables.items():
        values = evaluate(one.expr, {**env, **made})
        if str(getattr(values, "dtype", type(values).__name__)) in ("object", "str"):
            raise ctx.error("SQ112", f"`{name}` is a text; grids hold numbers", "variables", name)
        made[str(name)] = values + whole
    if params.where is not None:
        kept = da.asarray(evaluate(params.where, {**env, **made})) & (whole == 0)
        made = {name: da.where(kept, values, np.nan) for name, values in made.items()}
    units = {str(name): one.unit for name, one in params.variables.items()}
    variables = {
        name: (_DIMS[-values.ndim :], values, {} if units[name] is None else {"units": units[name]})
        for name, values in made.items()
    }
    coords = {"lat": lat, "lon": lon} | ({"time": years} if years.size else {})
    planet = xr.Dataset(variables, coords=coords)
    # Random fields are dear and blocks share them: a planet that fits is made once, not by each block that looks at it.
    return Grid(planet.persist() if planet.nbytes <= ctx.resources.memory // 3 else planet)


def _sites(params: Params, ctx: Context) -> Table:
    import numpy as np
    import pandas as pd

    from soilql.io.planet import Distribution, draw_rows

    assert params.on is not None
    grid = ctx.grid(params.on)
    series = _years_of(params, ctx, grid)
    frame, yearly = _observed(params, ctx, grid, series)
    years = np.asarray(params.years or [0], dtype=float)
    site, year, replicate = (index.ravel() for index in np.indices((params.sites, years.size, params.replicates)))
    if params.observed < 1:
        each = site * years.size + year
        seen = draw_rows(Distribution("uniform"), params.seed, "observed", each, params.sites * years.size)
        kept = seen < params.observed
        site, year, replicate = site[kept], year[kept], replicate[kept]
    rows = frame.iloc[site].reset_index(drop=True)
    for name, values in yearly.items():
        rows[name] = values[year, site]
    if params.years:
        rows.insert(3, "year", years[year])
    if params.replicates > 1:
        rows.insert(3 + bool(params.years), "replicate", replicate + 1.0)
    labels = {"row": np.arange(site.size), "site": site, "year": year}
    made, units = _formulas(params, ctx, rows, labels)
    rows = pd.concat([rows, pd.DataFrame(made, index=rows.index)], axis=1)
    units |= {str(name): unit for name in grid.data.data_vars if (unit := grid.unit(str(name))) is not None}
    roles = {"lat": "lat", "lon": "lon", "site": "site"} | ({"time": "year"} if params.years else {})
    units |= {"lat": "degrees_north", "lon": "degrees_east"}
    return Table(rows, units, roles, _notes(rows, made, grid))


def _years_of(params: Params, ctx: Context, grid: Grid) -> Grid:
    """Return the grid cut to the years in which sites are observed."""
    from soilql.io.years import years_of

    if "member" in grid.data.dims:
        raise ctx.error("SQ714", f"`{params.on}` has members", "on", help="take a mean of it")
    if "time" not in grid.data.dims:
        return grid
    if not params.years:
        help = "name the years in which the sites are observed"
        raise ctx.error("SQ714", f"`{params.on}` has a value for each year", "on", help=help)
    have = years_of(grid.data["time"].to_numpy()).tolist()
    if lacking := [year for year in params.years if year not in have]:
        shown = ", ".join(map(str, lacking[:5]))
        raise ctx.error("SQ708", f"`{params.on}` does not have {shown}", "years", help=f"it has {have[0]}-{have[-1]}")
    return replace(grid, data=grid.data.isel(time=[have.index(year) for year in params.years]))


def _observed(params: Params, ctx: Context, grid: Grid, series: Grid) -> tuple[Any, dict[str, Any]]:
    """Return one row a site: its name, place and the grid's variables; and those of each year, shape (years, sites)."""
    import numpy as np
    import pandas as pd
    import xarray as xr

    from soilql.gridding import cell_areas
    from soilql.io.planet import draw_sites

    data = series.data
    valid = np.ones(grid.shape, dtype=bool)
    for name in data.data_vars:
        finite = np.isfinite(data[name].values)
        valid &= finite.all(axis=0) if finite.ndim > 2 else finite
    if int(valid.sum()) < params.sites:
        message = f"`{params.on}` has {int(valid.sum()):,} cells with all variables, fewer than {params.sites:,} sites"
        raise ctx.error("SQ707", message, "sites", help="ask for fewer sites, or make the grid finer")
    lat, lon = data["lat"].values, data["lon"].values
    gathered = (params.cluster.centres, params.cluster.spread) if params.cluster is not None else (0, 1.0)
    rows, columns = draw_sites(valid, cell_areas(data), lat, lon, params.sites, params.seed, *gathered)
    found = data.isel(lat=xr.DataArray(rows, dims="row"), lon=xr.DataArray(columns, dims="row")).compute()
    width = len(str(params.sites))
    labels = np.array([f"S{i:0{width}d}" for i in range(1, params.sites + 1)], dtype=object)
    place = {"site": labels, "lat": lat[rows], "lon": lon[columns]}
    named = {str(name): found[name] for name in data.data_vars}
    static = {name: one.values for name, one in named.items() if "time" not in one.dims}
    yearly = {name: one.transpose("time", "row").values for name, one in named.items() if "time" in one.dims}
    return pd.DataFrame({**place, **static}), yearly


def _formulas(
    params: Params, ctx: Context, rows: Any, labels: dict[str, np.ndarray[Any, Any]]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the columns made by formulas and their units."""
    import numpy as np

    from soilql.expr.evaluate import evaluate
    from soilql.io.planet import draw_rows

    env: dict[str, Any] = {str(name): rows[name].to_numpy() for name in rows.columns}
    for name in (*params.random, *params.constants, *params.columns):
        if name in env:
            raise ctx.error(
                "SQ710", f"`{name}` is there twice", "on", help=f"`{params.on}` has a variable of that name"
            )
    for name, random in params.random.items():
        groups = labels[random.per]
        count = int(groups.max()) + 1
        env[str(name)] = draw_rows(_distribution(random), params.seed, str(name), groups, count)
    env.update({str(name): value for name, value in params.constants.items()})
    made: dict[str, Any] = {}
    for name, one in params.columns.items():
        values = np.broadcast_to(np.asarray(evaluate(one.expr, {**env, **made})), (len(rows),)).copy()
        made[str(name)] = values.astype(object) if values.dtype.kind == "U" else values
    return made, {str(name): one.unit for name, one in params.columns.items() if one.unit is not None}


def _notes(rows: Any, made: dict[str, Any], grid: Grid) -> tuple[Note, ...]:
    """Say which columns have missing values, and pass on what was said of the grid."""
    found = []
    for name in made:
        count = int(rows[name].isna().sum())
        if count:
            message = f"`{name}` has no value in {count:,} of {len(rows):,} rows"
            found.append(Note("SQ713", message, Severity.WARNING))
    return (*grid.notes, *found)


def size(params: Params, ctx: Context, sizes: Mapping[str, Size]) -> Size:
    """Return the cells of the planet or the rows of the sites."""
    if params.grid is None:
        rows = params.sites * params.replicates * len(params.years or [0])
        return Size(rows=rows, columns=len(params.columns))
    west, south, east, north = params.grid.bounds
    cells = round((east - west) / params.grid.resolution) * round((north - south) / params.grid.resolution)
    return Size(cells=cells, columns=len(params.variables))
