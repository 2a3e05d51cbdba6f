"""Partial correlations of every cell of a grid and of its regions, and the driver that dominates each cell."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from soilql.context import Context
from soilql.regional.inputs import RegionMaker, one_map, same_cells
from soilql.regional.sums import Cells
from soilql.series.align import Aligned, aligned, single
from soilql.series.correlation_rows import correlation_table, statuses
from soilql.series.fields import coded, field_note, rejected, status_note
from soilql.series.parts import Drivers, resolve
from soilql.series.pixels import Layer, PixelMaps, map_series, row_bands
from soilql.series.regions import ClassAreas, RegionSeries, add_bands, band_sums
from soilql.values import Grid, Note, Table

if TYPE_CHECKING:
    import numpy as np

_RESPONSE, _MASK = "the response", "mask"
#: Rows of the map on which parts of a whole are looked for.
_SAMPLED = 64


def of_grid(ctx: Context) -> Grid:
    """Return the maps of correlations, with those of the regions beside them."""
    params = ctx.block.params
    grid = ctx.grid(params.of)
    series = _series(ctx, grid)
    drivers = resolve(ctx, params.named, _sample(ctx, series))
    maker = RegionMaker.of(ctx)
    cells = maker.cells(grid, list(series.labels), str(params.of), params.of)
    layers = _layers(params, drivers)
    variables = dict(series.variables)
    if params.mask is not None:
        source, mask = one_map(ctx, params.mask, "mask")
        same_cells(ctx, grid, source, "mask")
        variables[_MASK] = mask
    made = map_series(ctx, grid.data, variables, layers, partial(_band, ctx, cells, series, drivers))
    notes = _fields(params, made, drivers)
    regions, table = _regions(params, made, maker, series, drivers)
    extras = {"regions": table, "dominant": _dominant_areas(ctx, cells, grid, made.arrays, drivers)}
    notes = [
        *drivers.notes,
        *notes,
        *(n for n in table.notes if n not in drivers.notes),
        *regions.notes(str(params.of)),
    ]
    return Grid(made.dataset(grid.data, layers), grid.crs, (*grid.notes, *series.notes, *notes), extras)


def _series(ctx: Context, grid: Grid) -> Aligned:
    """Return the response and the drivers, on the same cells and at the times that they share."""
    params = ctx.block.params
    variables = {_RESPONSE: single(ctx, str(params.of), grid, None, "of")}
    paths: dict[str, tuple[str | int, ...]] = {_RESPONSE: ("of",)}
    for name, ref in params.refs.items():
        other, paths[name] = ctx.grid(ref), params.path(name)
        same_cells(ctx, grid, other, *paths[name])
        variables[name] = single(ctx, str(ref), other, None, *paths[name])
    # Coordinates of different files differ in their last digits, and are the same cells.
    axes = {axis: grid.data[axis].to_numpy() for axis in ("lat", "lon")}
    variables = {name: one.assign_coords(axes) for name, one in variables.items()}
    called = {_RESPONSE: str(params.of)} | {name: str(ref) for name, ref in params.refs.items()}
    return aligned(ctx, variables, params.period, paths, called)


def _sample(ctx: Context, series: Aligned) -> np.ndarray[Any, Any]:
    """Return the drivers' series of some rows of the map, shape (drivers, time, rows, columns)."""
    import numpy as np

    named = [series.variables[name] for name in ctx.block.params.named]
    rows = named[0].sizes["lat"]
    chosen = np.unique(np.linspace(0, rows - 1, min(rows, _SAMPLED)).astype(int))
    return np.stack([one.isel(lat=chosen).to_numpy().astype(float) for one in named])


def _layers(params: Any, drivers: Drivers) -> list[Layer]:
    detrended = "" if params.detrend == "none" else ", both detrended"
    layers = []
    for name in drivers.names:
        others = ", ".join(other for other in drivers.names if other != name)
        what = f"of {params.of} with {name}{detrended}, {others} held fixed"
        layers += [
            Layer(
                f"r_{name}",
                params.dtype,
                {
                    "long_name": f"partial correlation {what}",
                    "valid_range": [-1, 1],
                    "ancillary_variables": f"significant_{name}",
                },
            ),
            Layer(f"p_{name}", "float64", {"long_name": f"p of the partial correlation {what}"}),
            Layer(
                f"significant_{name}",
                params.dtype,
                {"long_name": f"partial correlation {what}, significant in the field"}
                | coded({-1: "negative", 0: "not significant", 1: "positive"}),
            ),
        ]
    dominant = {0: "none significant"} | {i + 1: name for i, name in enumerate(drivers.names)}
    return [
        *layers,
        Layer(
            "dominant",
            params.dtype,
            {"long_name": f"driver with the largest significant |r| of {params.of}"} | coded(dominant),
        ),
        Layer("n", params.dtype, {"long_name": "number of times with all series"}),
        Layer("df", params.dtype, {"long_name": "degrees of freedom"}),
        Layer(
            "status", params.dtype, {"long_name": f"what became of the correlations of {params.of}"} | coded(statuses())
        ),
    ]


def _band(
    ctx: Context,
    cells: Cells,
    series: Aligned,
    drivers: Drivers,
    columns: Mapping[str, np.ndarray[Any, Any]],
    rows: slice,
) -> tuple[dict[str, np.ndarray[Any, Any]], Any]:
    """Return the maps of a band, and the sums of the response and of each driver over the regions."""
    import numpy as np

    from soilql.stats.partial_correlation import partial_correlations

    params = ctx.block.params
    crossings, area = cells.read(ctx, rows)
    stack = np.stack([columns[name].astype(float) for name in (_RESPONSE, *params.named)])
    # A cell counts at a time when all series are there, in the regions as in the cells.
    stack = np.where(np.isfinite(stack).all(axis=0), stack, np.nan)
    if _MASK in columns:
        stack = np.where(np.nan_to_num(columns[_MASK]) != 0, stack, np.nan)
    found = partial_correlations(stack[0], drivers.of(stack[1:]), series.times, detrend=params.detrend == "linear")
    known = found.n > 0
    made = {
        "n": np.where(known, found.n, np.nan),
        "df": np.where(known, found.df, np.nan),
        "status": np.where(known, found.status, np.nan),
        "dominant": np.full(area.shape, np.nan),
    }
    for k, name in enumerate(drivers.names):
        hidden = _hidden(params, name, drivers, stack[1:])
        made[f"r_{name}"] = np.where(hidden, np.nan, found.r[k])
        made[f"p_{name}"] = np.where(hidden, np.nan, found.p[k])
        made[f"significant_{name}"] = np.full(area.shape, np.nan)
    sums = [band_sums(one, area, crossings, cells.regions.count) for one in stack]
    return made, sums


def _hidden(params: Any, name: str, drivers: Drivers, stack: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the cells whose mean of a driver is below the least that counts."""
    import numpy as np

    if name not in params.least:
        return np.zeros(stack.shape[2:], bool)
    values = stack[drivers.given.index(name)]
    count = np.isfinite(values).sum(axis=0)
    with np.errstate(invalid="ignore"):
        mean = np.where(count > 0, np.nansum(values, axis=0) / np.maximum(count, 1), np.nan)
    hidden: np.ndarray[Any, Any] = ~(mean > params.least[name])
    return hidden


def _fields(params: Any, made: PixelMaps[Any], drivers: Drivers) -> list[Note]:
    """Fill in which correlations are significant in the field, and which driver dominates each cell."""
    import numpy as np

    arrays, notes = made.arrays, []
    best = np.zeros(arrays["dominant"].shape)
    dominant = np.where(arrays["status"] == 0, 0.0, np.nan)
    for k, name in enumerate(drivers.names):
        r, p = arrays[f"r_{name}"], arrays[f"p_{name}"]
        counted = rejected(p, params.level, params.fdr)
        arrays[f"significant_{name}"][...] = np.where(np.isfinite(p), counted * np.sign(r), np.nan)
        notes.append(field_note(name, p, params.level, params.fdr))
        strong = (p < params.level) & (np.abs(r) > best)
        best[strong] = np.abs(r[strong])
        dominant[strong] = k + 1
    arrays["dominant"][...] = dominant
    return [*notes, *status_note(str(params.of), arrays["status"], statuses())]


def _regions(
    params: Any, made: PixelMaps[Any], maker: RegionMaker, series: Aligned, drivers: Drivers
) -> tuple[RegionSeries, Table]:
    """Return the mean series of the response, and the correlations of the regions' mean series."""
    import numpy as np

    each = [RegionSeries.of(add_bands(parts), maker.regions) for parts in zip(*made.parts, strict=True)]
    response = each[0]
    keys = [{"kind": kind, "region": name} for kind, name in zip(response.kinds, response.names, strict=True)]
    given = np.stack([one.means for one in each[1:]])
    return response, correlation_table(params, keys, response.means, given, drivers, series.times)


def _dominant_areas(
    ctx: Context, cells: Cells, grid: Grid, arrays: Mapping[str, np.ndarray[Any, Any]], drivers: Drivers
) -> Table:
    import pandas as pd

    names = {0: "none significant"} | {i + 1: name for i, name in enumerate(drivers.names)}
    areas = ClassAreas(cells.regions, tuple(names))
    parts = []
    for rows in row_bands(grid.data):
        crossings, area = cells.read_last(ctx, rows)
        parts.append(areas.band(arrays["dominant"][rows], area, crossings))
    frame = pd.DataFrame(areas.rows(parts))
    frame.insert(2, "driver", frame.pop("code").map(names))
    return Table(frame, {"area_Mkm2": "1e6 km2"})
