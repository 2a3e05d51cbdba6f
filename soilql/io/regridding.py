"""Variables of a grid brought to the cells of another, lazily in blocks under a budget of memory."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import dask.array
import numpy as np
import xarray as xr

from soilql.errors import Diagnostic, SoilqlError, Span
from soilql.stats import regrid
from soilql.stats.regrid import Axis, AxisWeights, Method

# dask carries no types of its own.
da: Any = dask.array

#: Copies of a block of the source that the weighting holds at a time: values, mask, filled values, products.
_COPIES = 6


@dataclass(frozen=True, eq=False)
class Target:
    """The cells wanted.

    Attributes
    ----------
    lat, lon : Axis
        From north to south, and from west to east within -180..180.
    """

    lat: Axis
    lon: Axis

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return self.lat.centres.size, self.lon.centres.size


def axes(data: xr.Dataset) -> Target:
    """Return the axes of a grid."""
    lat, lon = (data[axis].to_numpy().astype(np.float64) for axis in ("lat", "lon"))
    return Target(Axis.latitudes(lat, _step(lon)), Axis.longitudes(lon, _step(lat)))


def _step(centres: Any) -> float | None:
    return abs(float(centres[-1] - centres[0])) / (centres.size - 1) if centres.size > 1 else None


def regular(resolution: Sequence[float], bounds: Sequence[float] | None, source: Target, span: Span) -> Target:
    """Return a regular grid.

    Parameters
    ----------
    resolution : sequence of float
        Degrees of both axes, or of latitude and of longitude.
    bounds : sequence of float, optional
        West, south, east and north edge. By default the globe where the source goes round it, else the source's own
        edges, widened to whole multiples of the resolution.
    source : Target
        The grid that it is made from.
    span : Span
        Where the spec gives the resolution.

    Raises
    ------
    SoilqlError
        SQ126 where the bounds are no whole number of cells apart.
    """
    steps = (float(resolution[-1]), float(resolution[0]))
    west, south, east, north = bounds or _around(source, steps)
    lon, lat = (
        _cells(low, high, step, what, span)
        for low, high, step, what in ((west, east, steps[0], "longitudes"), (south, north, steps[1], "latitudes"))
    )
    return Target(_regular(lat[::-1]), _regular(lon))


def _regular(edges: Any) -> Axis:
    return Axis(0.5 * (edges[:-1] + edges[1:]), edges)


def _cells(low: float, high: float, step: float, what: str, span: Span) -> Any:
    """Return the edges of cells of one width, rising."""
    count = round((high - low) / step)
    if count < 1 or abs(count * step - (high - low)) > 1e-6 * step:
        message = f"{high - low:g} degrees of {what} are no whole number of cells of {step:g} degrees"
        help = f"such as {(high - low) / max(1, count):.6g}, or give other `bounds`"
        raise SoilqlError(Diagnostic("SQ126", message, span, help=help))
    return low + (high - low) * np.arange(count + 1) / count


def _around(source: Target, steps: tuple[float, float]) -> tuple[float, float, float, float]:
    lon, lat = np.sort(source.lon.edges), np.sort(source.lat.edges)
    (west, east), (south, north) = (
        (step * np.floor(edges[0] / step + 1e-6), step * np.ceil(edges[-1] / step - 1e-6))
        for edges, step in ((lon, steps[0]), (lat, steps[1]))
    )
    if lon[-1] - lon[0] > 360.0 - 1e-6 or west < -180.0 or east > 180.0:
        west, east = -180.0, 180.0
    if lat[-1] - lat[0] > 180.0 - 1e-6 or south < -90.0 or north > 90.0:
        south, north = -90.0, 90.0
    return float(west), float(south), float(east), float(north)


@dataclass(frozen=True, eq=False)
class Regridded:
    """A lazy variable on the cells wanted.

    Attributes
    ----------
    values : dask.array.Array, shape (..., lat, lon)
        NaN where missing.
    lacking : dask.array.Array of bool, of the same shape
        Where it is missing although a part of the cell has a value.
    """

    values: Any
    lacking: Any


class Regridder:
    """Brings variables from one grid to another.

    Parameters
    ----------
    source, target : Target
    method : Method
    min_share : float
        Share of a target cell that must have values.
    budget : int
        Bytes that one block may take while it is computed.
    """

    def __init__(self, source: Target, target: Target, method: Method, min_share: float, budget: int) -> None:
        self._lat = regrid.axis_weights(source.lat, target.lat, "lat", method)
        self._lon = regrid.axis_weights(source.lon, target.lon, "lon", method)
        self._method, self._min_share, self._budget = method, min_share, budget
        self._shape = target.shape

    def __call__(self, variable: Any) -> Regridded:
        """Return a variable of shape (..., lat, lon) on the target."""

        def both(values: Any, lat: AxisWeights, lon: AxisWeights) -> Any:
            result, lacking = regrid.apply(values, lat, lon, self._method, self._min_share)
            return np.stack([result, lacking.astype(np.float64)])

        stacked = self._blocks(variable, both, 2)
        return Regridded(stacked[0], stacked[1].astype(bool))

    def class_share(self, variable: Any, classes: Sequence[float]) -> Any:
        """Return the share of the valid area of each cell that some classes take."""

        def share(values: Any, lat: AxisWeights, lon: AxisWeights) -> Any:
            return regrid.class_share(values, lat, lon, list(classes), self._min_share)[None]

        return self._blocks(variable, share, 1)[0]

    def _blocks(self, variable: Any, function: Callable[..., Any], layers: int) -> Any:
        """Return what a function makes of each block of the target, shape (layers, ..., lat, lon)."""
        rows, columns, variable = self._cut(variable)
        grid = []
        for r0, r1 in rows:
            line = []
            for c0, c1 in columns:
                lat, lon = self._lat.rows(r0, r1), self._lon.rows(c0, c1)
                line.append(_block(variable, lat, lon, function, layers, (r1 - r0, c1 - c0)))
            grid.append(da.concatenate(line, axis=-1))
        return da.concatenate(grid, axis=-2)

    def _cut(self, variable: Any) -> tuple[list[tuple[int, int]], list[tuple[int, int]], Any]:
        """Return blocks of rows and of columns that fit into the budget, and the variable with fewer maps at a time."""
        width = max(1, self._lon.sources.size)
        tallest = max((_sources(self._lat, r, r + 1) for r in range(self._shape[0])), default=1)
        maps = int(np.prod([max(sizes) for sizes in variable.chunks[:-2]], dtype=int)) if variable.ndim > 2 else 1
        if maps > 1 and maps * tallest * width * 8 * _COPIES > self._budget:
            variable = variable.rechunk(dict.fromkeys(range(variable.ndim - 2), 1))
            maps = 1
        cells = max(1, self._budget // (8 * _COPIES * maps))
        if tallest * width <= cells:
            return _runs(self._lat, cells // width), [(0, self._shape[1])], variable
        return _runs(self._lat, 1), _runs(self._lon, cells // max(1, tallest)), variable


def _sources(weights: AxisWeights, first: int, last: int) -> int:
    """Return how many source cells lie between the first and the last that count for some target cells."""
    used = weights.rows(first, last).sources
    return int(used[-1] - used[0]) + 1 if used.size else 0


def _runs(weights: AxisWeights, limit: int) -> list[tuple[int, int]]:
    """Return runs of target cells that need no more than some source cells, or single cells where one needs more."""
    size = weights.shares.shape[0]
    cuts, first = [0], 0
    for cell in range(1, size):
        if _sources(weights, first, cell + 1) > limit:
            cuts.append(cell)
            first = cell
    return list(pairwise([*cuts, size]))


def _block(
    variable: Any, lat: AxisWeights, lon: AxisWeights, function: Callable[..., Any], layers: int, shape: tuple[int, int]
) -> Any:
    lead = variable.chunks[:-2]
    chunks = ((layers,), *lead, (shape[0],), (shape[1],))
    used = [weights.sources for weights in (lat, lon)]
    if not all(part.size for part in used):
        empty = da.full((layers, *variable.shape[:-2], *shape), np.nan, chunks=chunks)
        return empty if layers == 1 else da.concatenate([empty[:1], da.zeros_like(empty[1:])])
    low, high = int(used[0][0]), int(used[0][-1]) + 1
    spans = _stretches(used[1])
    part = da.concatenate([variable[..., low:high, a:b] for a, b in spans], axis=-1)
    part = part.rechunk({variable.ndim - 2: -1, variable.ndim - 1: -1})
    columns = np.concatenate([np.arange(a, b) for a, b in spans])
    weights = lat.columns(np.arange(low, high)), lon.columns(columns)
    # The name only keeps tasks apart.
    return da.map_blocks(
        _Weighted(function, *weights), part, new_axis=0, chunks=chunks, dtype=np.float64,
        name=f"regrid-{uuid.uuid4().hex}", meta=np.empty((0,) * len(chunks)),
    )  # fmt: skip


def _stretches(used: Any) -> list[tuple[int, int]]:
    """Return ranges that hold some cells: one, or two where they lie on both sides of the seam."""
    gaps = np.diff(used)
    if gaps.size and gaps.max() > 1:
        at = int(np.argmax(gaps))
        return [(int(used[0]), int(used[at]) + 1), (int(used[at + 1]), int(used[-1]) + 1)]
    return [(int(used[0]), int(used[-1]) + 1)]


@dataclass(frozen=True, eq=False)
class _Weighted:
    function: Callable[..., Any]
    lat: AxisWeights
    lon: AxisWeights

    def __call__(self, values: Any) -> Any:
        return self.function(values, self.lat, self.lon)
