"""Values of grids at sites: the cell a site lies in, the nearest one with data, or four cells weighted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import xarray as xr

from soilql.io.years import is_yearly, years_of
from soilql.stats.sphere import bilinear_weights, great_circle_distance, nearest_cells
from soilql.values import Grid

Array: TypeAlias = "np.ndarray[Any, Any]"

OK, OUTSIDE, OUTSIDE_TIME = "ok", "outside grid", "outside time"
# Candidate cells whose values are held at a time.
_BATCH = 200_000
_KM_PER_DEGREE = 111.0


@dataclass(frozen=True, eq=False)
class Sampled:
    """Values of a grid at sites.

    Attributes
    ----------
    values : dict of str to ndarray, each of shape (n,)
        NaN where a site has none.
    distance : ndarray, shape (n,)
        From the site to the centre of the cell used, or of the cell it lies in (km).
    status : ndarray of object, shape (n,)
        ``ok``, ``outside grid``, ``outside time``, or ``missing driver: MAT, SOC``.
    """

    values: dict[str, Array]
    distance: Array
    status: Array


def sample(
    grid: Grid,
    lat: Array,
    lon: Array,
    steps: Array | None = None,
    method: str = "nearest",
    max_distance: float | None = None,
) -> Sampled:
    """Sample all variables of a grid.

    Parameters
    ----------
    grid : Grid
    lat, lon : ndarray, shape (n,)
        Sites (degrees), finite.
    steps : ndarray of int, shape (n,), optional
        Position in the grid's time dimension for each site, -1 for none; needed where it has one.
    method : {"nearest", "bilinear"}
        Categories are always those of the nearest cell.
    max_distance : float, optional
        Sites whose cell is missing a driver take the nearest cell that has all of them, up to this distance (km).
        By default only the cell that a site lies in counts.

    Returns
    -------
    Sampled
    """
    data = grid.data
    cells = nearest_cells(lat, lon, data["lat"].values, data["lon"].values)
    rows, columns, distance = cells.rows.copy(), cells.columns.copy(), cells.distance.copy()
    usable = cells.inside.copy()
    if max_distance is not None:
        usable = distance <= max_distance
    values = _read(data, rows, columns, steps)
    if max_distance is not None and method == "nearest":
        lacking = (steps is None or steps >= 0) & ~(usable & _complete(values))
        found = _search(data, lat, lon, np.flatnonzero(lacking), steps, max_distance)
        for site, r, c, km in found:
            rows[site], columns[site], distance[site], usable[site] = r, c, km, True
        if found:
            values = _read(data, rows, columns, steps)
    if method == "bilinear":
        values |= _interpolated(data, lat, lon, steps)
    for name, column in values.items():
        column[~usable] = np.nan
        if steps is not None and "time" in data[name].dims:  # what has no time holds at every time
            column[steps < 0] = np.nan
    return Sampled(values, distance, _status(values, usable, steps))


def _complete(values: dict[str, Array]) -> Array:
    return np.asarray(np.all([np.isfinite(column) for column in values.values()], axis=0))


def _status(values: dict[str, Array], usable: Array, steps: Array | None) -> Array:
    status = np.full(usable.shape, OK, dtype=object)
    for i in np.flatnonzero(~_complete(values)):
        if not usable[i]:
            status[i] = OUTSIDE
        elif steps is not None and steps[i] < 0:
            status[i] = OUTSIDE_TIME
        else:
            missing = [name for name, column in values.items() if not np.isfinite(column[i])]
            status[i] = f"missing driver: {', '.join(missing)}"
    return status


def _read(data: xr.Dataset, rows: Array, columns: Array, steps: Array | None) -> dict[str, Array]:
    """Read cells of all variables in one pass over the blocks that hold them."""
    if not rows.size:
        return {str(name): np.empty(0) for name in data.data_vars}
    at: dict[str, Any] = {"lat": xr.DataArray(rows, dims="row"), "lon": xr.DataArray(columns, dims="row")}
    if steps is not None:
        at["time"] = xr.DataArray(np.maximum(steps, 0), dims="row")
    found = data.isel(at, missing_dims="ignore").compute()
    return {str(name): found[name].values.astype(np.float64) for name in data.data_vars}


def _interpolated(data: xr.Dataset, lat: Array, lon: Array, steps: Array | None) -> dict[str, Array]:
    smooth = [name for name, variable in data.data_vars.items() if not variable.attrs.get("categorical")]
    if not smooth or not lat.size:
        return {}
    weights = bilinear_weights(lat, lon, data["lat"].values, data["lon"].values)
    repeated = None if steps is None else np.repeat(steps, 4)
    corners = _read(data[smooth], weights.rows.ravel(), weights.columns.ravel(), repeated)
    share = weights.weights
    return {
        name: np.where(share == 0.0, 0.0, column.reshape(share.shape) * share).sum(axis=-1)
        for name, column in corners.items()
    }


def _search(
    data: xr.Dataset, lat: Array, lon: Array, sites: Array, steps: Array | None, reach: float
) -> list[tuple[int, int, int, float]]:
    """Return for sites without all drivers the nearest cell within reach that has them: site, row, column, km."""
    found = []
    axes = data["lat"].values, data["lon"].values
    pending: list[tuple[Array, Array, Array, Array]] = []
    size = 0
    for i, site in enumerate(sites):
        rows, columns = _around(float(lat[site]), float(lon[site]), axes, reach)
        km = great_circle_distance(lat[site], lon[site], axes[0][rows], axes[1][columns])
        order = np.lexsort((columns, rows, km))
        order = order[km[order] <= reach]
        pending.append((np.full(order.size, site), rows[order], columns[order], km[order]))
        size += order.size
        if size and (size >= _BATCH or i == sites.size - 1):
            found += _first_complete(data, pending, steps)
            pending, size = [], 0
    return found


def _around(lat: float, lon: float, axes: tuple[Array, Array], reach: float) -> tuple[Array, Array]:
    """Return the cells of a box that holds all cells within reach of a site."""
    height = reach / _KM_PER_DEGREE
    rows = np.flatnonzero(np.abs(axes[0] - lat) <= height)
    narrowest = np.cos(np.radians(min(abs(lat) + height, 90.0)))
    width = 180.0 if narrowest < 1e-3 else min(180.0, height / narrowest)
    apart = np.abs(np.mod(axes[1] - lon + 180.0, 360.0) - 180.0)
    columns = np.flatnonzero(apart <= width)
    pairs = np.meshgrid(rows, columns, indexing="ij")
    return pairs[0].ravel(), pairs[1].ravel()


def _first_complete(
    data: xr.Dataset, pending: Sequence[tuple[Array, Array, Array, Array]], steps: Array | None
) -> list[tuple[int, int, int, float]]:
    sites, rows, columns, km = (np.concatenate(parts) for parts in zip(*pending, strict=True))
    complete = _complete(_read(data, rows, columns, None if steps is None else steps[sites]))
    # Candidates stand in order of distance, site by site.
    _, first = np.unique(sites[complete], return_index=True)
    chosen = np.flatnonzero(complete)[first]
    return [(int(sites[i]), int(rows[i]), int(columns[i]), float(km[i])) for i in chosen]


def match_times(labels: Array, times: Array, nearest: bool = False) -> Array | None:
    """Return for each site the position of its time among the labels of a grid.

    Parameters
    ----------
    labels : ndarray, shape (m,)
        Dates, or numbers such as years.
    times : ndarray, shape (n,)
        Years of the sites; a fraction (2005.5, the middle of a season) belongs to its year.
    nearest : bool
        Whether a year that the grid does not hold takes the nearest one, the earlier of two as near.

    Returns
    -------
    ndarray of int, shape (n,), or None
        -1 for a time that the grid does not hold, or that is missing; None where the grid has several steps a year,
        which a year cannot tell apart.

    Examples
    --------
    >>> match_times(np.array([2001, 2002]), np.array([2002.5, 1999.0])).tolist()
    [1, -1]
    >>> match_times(np.array([2001, 2002]), np.array([2002.5, 1999.0]), nearest=True).tolist()
    [1, 0]
    """
    if not is_yearly(labels):
        return None
    years = years_of(labels)
    known = np.isfinite(times)
    wanted, place = np.unique(np.floor(np.where(known, times, 0.0)), return_inverse=True)
    order = np.argsort(years, kind="stable")
    # Of two years as near the first in order is taken, which is the earlier one.
    position = order[np.abs(wanted[:, None] - years[order][None, :]).argmin(axis=1)]
    held = years[position] == wanted
    position = position[place]
    found = known if nearest else known & held[place]
    return np.where(found, position, -1)
