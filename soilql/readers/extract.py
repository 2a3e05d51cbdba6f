"""Values of grids at the places of a table: from the cell a site lies in, or interpolated between four.

A grid with one map a year gives each row the value of its year (the role `time`: years, decimal years or dates); what
has no time holds for every year, in the same grid or in another. Grids with several times a year are brought to years
by `resample` first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from soilql.context import Context
from soilql.errors import Diagnostic, Severity, SoilqlError, did_you_mean
from soilql.kinds import Block, Schema, Scope, Size, Variable
from soilql.params import ColumnName, GridRef, TableRef, param
from soilql.params import Params as Base
from soilql.values import Grid, Note, Table, ValueType

if TYPE_CHECKING:
    import numpy as np

    from soilql.io.sampling import Sampled

VERSION = 2
PRODUCES = ValueType.TABLE

NO_COORDINATES = "no coordinates"
OWN = ("distance_km", "status")


@dataclass(frozen=True)
class Params(Base):
    """Parameters of `extract`."""

    at: TableRef = param(doc="table of sites, with the roles `lat` and `lon`")
    from_: list[GridRef] = param(doc="grids, each of which may have cells of its own; `GRID.VARIABLE` for one variable")
    method: Literal["nearest", "bilinear"] = param(
        "nearest", doc="the cell a site lies in, or linear between four centres (categories: always the cell)"
    )
    variables: list[ColumnName] | None = param(None, doc="variables wanted; default: all")
    max_distance: float | None = param(
        None,
        gt=0,
        unit="km",
        doc="a site whose cell lacks a driver takes the nearest cell with all of them, up to this distance; "
        "default: only the cell it lies in, so at most half a cell diagonal",
    )
    drop_outside: bool = param(
        True, doc="leave out rows without all drivers, with a note; else keep them, with their status"
    )
    outside_years: Literal["drop", "nearest", "keep"] = param(
        "drop",
        doc="rows of years that a grid does not have: left out like those without drivers, given the map of the "
        "nearest year (of two as near the earlier one) with a note, or kept with missing values",
    )


def describe(params: Params) -> str:
    """Return what will be extracted."""
    return f"{params.method} values of {', '.join(params.from_)} at the rows of {params.at}"


def schema(block: Block, scope: Scope) -> Schema | None:
    """Return the columns of the sites and the variables of the grids."""
    params: Params = block.params
    sites, grids = scope.schema(params.at), [scope.schema(ref) for ref in params.from_]
    found = dict(sites.variables) if sites is not None else {}
    is_open = sites is None or sites.open
    for grid in grids:
        is_open = is_open or grid is None or (grid.open and params.variables is None)
        found |= {} if grid is None else {k: v for k, v in grid.variables.items() if _is_wanted(params, k)}
    found |= {name: found.get(name, Variable("number")) for name in map(str, params.variables or ())}
    found |= {"distance_km": Variable("number", "km"), "status": Variable("text")}
    return Schema(found, is_open, {} if sites is None else sites.roles)


def _is_wanted(params: Params, name: str) -> bool:
    return params.variables is None or name in params.variables


def check(block: Block, scope: Scope) -> Iterable[Diagnostic]:
    """Yield columns that would be there twice, variables that no grid has, and sites without coordinates."""
    params: Params = block.params
    sites, grids = scope.schema(params.at), [scope.schema(ref) for ref in params.from_]
    if sites is not None:
        missing = [axis for axis in ("lat", "lon") if axis not in sites.roles]
        if missing:
            yield _no_role(params, block, missing)
    owners: dict[str, str] = {} if sites is None else dict.fromkeys(sites.variables, str(params.at.block))
    for i, (ref, grid) in enumerate(zip(params.from_, grids, strict=True)):
        twice: dict[str, list[str]] = {}
        for name in (*(OWN if i == 0 else ()), *(() if grid is None else grid.variables)):
            if name in OWN or _is_wanted(params, name):
                if name in owners:
                    twice.setdefault(owners[name], []).append(name)
                owners[name] = str(ref)
        yield from (_collision(block, names, owner, str(ref), i) for owner, names in twice.items())
    if all(grid is not None and not grid.open for grid in grids):
        known = [name for grid in grids if grid is not None for name in grid.variables]
        for i, name in enumerate(params.variables or ()):
            if name not in known:
                yield _no_variable(block, name, i, known)


def _no_role(params: Params, block: Block, missing: list[str]) -> Diagnostic:
    message = f"`{params.at}` has no column with the role {' and '.join(f'`{axis}`' for axis in missing)}"
    help = f"add `roles: {{lat: ..., lon: ...}}` to `{params.at.block}`"
    return Diagnostic("SQ704", message, block.span("at"), help=help)


def _collision(block: Block, names: list[str], owner: str, other: str, i: int) -> Diagnostic:
    listed = ", ".join(f"`{name}`" for name in names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    message = f"both `{owner}` and `{other}` have {listed}"
    help = (
        "name all grids in one `extract`"
        if set(names) <= set(OWN)
        else f"leave one out with `select` in `{owner}` or `variables` here, or rename it under `columns` of the table "
        "or `variables` of the grid"
    )
    return Diagnostic("SQ710", message, block.span("from", i), help=help)


def _no_variable(block: Block, name: str, i: int, known: Iterable[str]) -> Diagnostic:
    help = did_you_mean(name, known)
    return Diagnostic("SQ704", f"no grid here has a variable `{name}`", block.span("variables", i), help=help)


def run(params: Params, ctx: Context) -> Table:
    """Sample every grid at the sites and join the values to the table."""
    import numpy as np

    table = ctx.table(params.at)
    if missing := [axis for axis in ("lat", "lon") if axis not in table.roles]:
        raise SoilqlError(_no_role(params, ctx.block, missing))
    grids = _grids(params, ctx, table)
    lat, lon = (_numbers(params, ctx, table, axis) for axis in ("lat", "lon"))
    known = np.isfinite(lat) & np.isfinite(lon)
    sampled = []
    notes: list[Note] = []
    for i, grid in enumerate(grids):
        ctx.progress(i, len(grids))
        sampled.append(_sample(params, ctx, i, grid, table, known, notes))
    values = {name: _spread(column, known) for one in sampled for name, column in one.values.items()}
    status = _status(sampled, known)
    distance = _spread(np.max([one.distance for one in sampled], axis=0), known)
    frame = table.frame.assign(**values, distance_km=distance, status=status)
    units = {**table.units, "distance_km": "km"}
    for grid in grids:
        units |= {str(k): unit for k in grid.data.data_vars if (unit := grid.unit(str(k))) is not None}
    result = Table(frame, units, table.roles, (*table.notes, *notes), table.extras)
    return _kept(params, ctx, result, list(values))


def _grids(params: Params, ctx: Context, table: Table) -> list[Grid]:
    """Return the grids cut to the variables wanted, without any name that is there twice."""
    owners = dict.fromkeys(map(str, table.frame.columns), str(params.at))
    grids = []
    for i, ref in enumerate(params.from_):
        grid = ctx.grid(ref)
        names = [str(name) for name in grid.data.data_vars if _is_wanted(params, str(name))]
        for name in (*names, *(OWN if i == 0 else ())):
            if name in owners:
                raise SoilqlError(_collision(ctx.block, [name], owners[name], str(ref), i))
            owners[name] = str(ref)
        if names:
            grids.append(grid.select(names))
    for i, name in enumerate(params.variables or ()):
        if not any(name in grid.data for grid in grids):
            known = [str(k) for ref in params.from_ for k in ctx.grid(ref).data.data_vars]
            raise SoilqlError(_no_variable(ctx.block, name, i, known))
    return grids


def _sample(
    params: Params, ctx: Context, i: int, grid: Grid, table: Table, known: np.ndarray[Any, Any], notes: list[Note]
) -> Sampled:
    from soilql.io.sampling import sample

    if "member" in grid.data.dims:
        message = f"`{params.from_[i]}` has members, of which a site needs one"
        raise ctx.error("SQ714", message, "from", i, help="extract from its mean instead")
    steps = None
    if "time" in grid.data.dims:
        steps = _steps(params, ctx, i, grid, table, known, notes)
    lat, lon = (_numbers(params, ctx, table, axis)[known] for axis in ("lat", "lon"))
    return sample(grid, lat, lon, steps, params.method, params.max_distance)


def _steps(
    params: Params, ctx: Context, i: int, grid: Grid, table: Table, known: np.ndarray[Any, Any], notes: list[Note]
) -> np.ndarray[Any, Any]:
    """Return the position of each row's year among those of a grid, -1 for none."""
    from soilql.io.sampling import match_times

    column = table.roles.get("time")
    if column is None:
        message = f"`{params.from_[i]}` has a value for each time, and `{params.at}` has no column with the role `time`"
        raise ctx.error("SQ704", message, "from", i, help="add the role, or average the grid over time by `resample`")
    labels, times = grid.data["time"].to_numpy(), _times(params, ctx, table)[known]
    steps = match_times(labels, times, nearest=params.outside_years == "nearest")
    if steps is None:
        message = f"`{params.from_[i]}` has several times a year, which the years of `{params.at}` cannot tell apart"
        help = f"bring it to years first: `kind: resample`, `of: {params.from_[i].block}`, `time: {{every: year}}`"
        raise ctx.error("SQ708", message, "from", i, help=help)
    if params.outside_years == "nearest":
        notes += _moved(params, i, labels[steps], times)
    return steps


def _moved(params: Params, i: int, labels: np.ndarray[Any, Any], times: np.ndarray[Any, Any]) -> Iterable[Note]:
    """Say how many rows took the map of another year, and of which."""
    import numpy as np

    from soilql.io.years import years_of

    known = np.isfinite(times)
    wanted, taken = np.floor(times[known]).astype(int), years_of(labels[known])
    moved = wanted != taken
    if moved.any():
        pairs = sorted({(int(a), int(b)) for a, b in zip(wanted[moved], taken[moved], strict=True)})
        listed = ", ".join(f"{a} from {b}" for a, b in pairs[:6]) + (" and others" if len(pairs) > 6 else "")
        message = (
            f"{int(moved.sum()):,} rows of `{params.at}` took the map of another year of `{params.from_[i]}`: {listed}"
        )
        yield Note("SQ736", message)


def _times(params: Params, ctx: Context, table: Table) -> np.ndarray[Any, Any]:
    """Return the years of the rows, NaN where there is none."""
    import numpy as np

    from soilql.io.resampling import PAST_YEARS, times_of

    column = table.frame[table.roles["time"]]
    if column.dtype.kind in "iuf" and not (column.abs() >= PAST_YEARS).any():
        return _numbers(params, ctx, table, "time")
    try:
        labels = times_of(column, None)
    except ValueError as error:
        message = f"column `{column.name}` of `{params.at}`, which has the role `time`, holds neither years nor dates"
        label = str(error).partition("\n")[0][:80]
        help = "dates are written 2000-01-31"
        raise ctx.error("SQ709", message, "at", label=label, help=help) from None
    if labels.dtype.kind != "M":
        return np.where(labels < 0, np.nan, labels.astype(np.float64))
    years = labels.astype("datetime64[Y]").astype(np.int64) + 1970.0
    return np.where(np.isnat(labels), np.nan, years)


def _numbers(params: Params, ctx: Context, table: Table, role: str) -> np.ndarray[Any, Any]:
    """Return the column of a role as numbers."""
    import numpy as np

    column = table.frame[table.roles[role]]
    if column.dtype.kind not in "iuf":
        message = f"column `{column.name}` of `{params.at}`, which has the role `{role}`, holds no numbers"
        raise ctx.error("SQ709", message, "at")
    return column.to_numpy(dtype=np.float64)


def _spread(values: np.ndarray[Any, Any], known: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return values of the sites with coordinates at their rows, NaN at the others."""
    import numpy as np

    spread = np.full(known.shape, np.nan)
    spread[known] = values
    return spread


def _status(sampled: list[Sampled], known: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return one status a row: that of the grid where something is wrong, missing drivers of all grids together."""
    import numpy as np

    from soilql.io.sampling import OK

    prefix = "missing driver: "
    status = np.full(known.shape, NO_COORDINATES, dtype=object)
    for row, site in enumerate(np.flatnonzero(known)):
        found = [str(one.status[row]) for one in sampled if one.status[row] != OK]
        missing = [text.removeprefix(prefix) for text in found if text.startswith(prefix)]
        other = [text for text in found if not text.startswith(prefix)]
        status[site] = other[0] if other else (prefix + ", ".join(missing) if missing else OK)
    return status


def _kept(params: Params, ctx: Context, table: Table, drivers: list[str]) -> Table:
    """Return the table with a note on the rows without all drivers, which are left out or kept."""
    from dataclasses import replace

    from soilql.io.sampling import OK, OUTSIDE_TIME

    status = table.frame["status"]
    good = (status == OK).to_numpy()
    if params.outside_years == "keep":
        late = int((status == OUTSIDE_TIME).sum())
        good = good | (status == OUTSIDE_TIME).to_numpy()
        message = f"{late:,} rows of `{params.at}` are of years without a map and were kept with missing values"
        table = replace(table, notes=(*table.notes, Note("SQ736", message))) if late else table
    if good.all():
        return table
    counts = _counts(status[~good])
    what = "left out" if params.drop_outside else "kept with missing values"
    message = f"{int((~good).sum()):,} of {good.size:,} rows of `{params.at}` lack drivers and were {what}: {counts}"
    if not good.any() and params.drop_outside:
        help = "do the grids cover the sites, and are their coordinates in degrees?"
        if (status == OUTSIDE_TIME).all():
            help = "the grids have no maps of these years; `outside_years: nearest` takes those of the nearest"
        raise ctx.error("SQ707", f"no row of `{params.at}` has all drivers", "at", label=counts, help=help)
    noted = replace(table, notes=(*table.notes, Note("SQ730", message, Severity.WARNING)))
    return noted.rows(good) if params.drop_outside else noted


def _counts(status: Any) -> str:
    """Return how often each status occurs, and how often each driver is missing."""
    kinds: dict[str, int] = {}
    drivers: dict[str, int] = {}
    for text in status:
        kind, _, names = str(text).partition(": ")
        kinds[kind] = kinds.get(kind, 0) + 1
        for name in names.split(", ") if names else ():
            drivers[name] = drivers.get(name, 0) + 1
    words = []
    for kind, count in sorted(kinds.items()):
        listed = _most(drivers) if kind == "missing driver" else ""
        words.append(f"{count:,} {kind}{listed}")
    return ", ".join(words)


def _most(drivers: Mapping[str, int]) -> str:
    ranked = sorted(drivers.items(), key=lambda item: (-item[1], item[0]))
    shown = ", ".join(f"{name} {count:,}" for name, count in ranked[:5])
    return f" ({shown}{', ...' if len(ranked) > 5 else ''})"


def size(params: Params, ctx: Context, sizes: Mapping[str, Size]) -> Size | None:
    """Return the rows of the sites; those without drivers will be missing from them."""
    sites = sizes.get(params.at.block)
    if sites is None:
        return None
    drivers = sum(sizes[ref.block].columns for ref in params.from_ if ref.block in sizes)
    columns = sites.columns + (len(params.variables) if params.variables else drivers) + 2
    return Size(rows=sites.rows, columns=columns, at_most=True)
