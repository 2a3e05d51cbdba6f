"""Fluxes added up over regions, band by band of rows, with what their cells have in common read once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from soilql.context import Context
from soilql.gridding import edges
from soilql.regional.regions import Regions
from soilql.values import Grid

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr

    from soilql.stats.totals import ZoneSums

_Key = TypeVar("_Key")

#: Bytes of a flux that are read at a time, and the most that reading them holds of each byte.
_READ = 1 << 26
_COPIES = 3


@dataclass(frozen=True, eq=False)
class Flux:
    """One variable to add up, with what belongs to it.

    Attributes
    ----------
    name : str
        As the table shows it.
    place : tuple of str and int
        Where the block names it.
    grid : Grid
        Where it is from.
    variable : str
        The variable.
    quantiles : tuple of str
        Its quantile maps.
    members : str or None
        Its members.
    scale : float
        From its unit to g C m-2 yr-1.
    """

    name: str
    place: tuple[str | int, ...]
    grid: Grid
    variable: str
    quantiles: tuple[str, ...]
    members: str | None
    scale: float

    @property
    def parts(self) -> tuple[str, ...]:
        """The variables to add up together."""
        return (self.variable, *self.quantiles, *((self.members,) if self.members else ()))

    @property
    def times(self) -> tuple[Any, ...]:
        """Labels of its times, or one None."""
        data = self.grid.data[self.variable]
        return tuple(data["time"].to_numpy()) if "time" in data.dims else (None,)

    def at(self, part: str, step: int) -> xr.DataArray:
        """Return the map, or the maps of the members, of one part at one time."""
        data = self.grid.data[part]
        return data.isel(time=step) if "time" in data.dims else data


#: Sums of one flux at one time: of each kind of region and variable.
Sums: TypeAlias = "dict[tuple[str, str], ZoneSums]"


def sum_up(ctx: Context, fluxes: Sequence[Flux], cells: Cells, progress: tuple[int, int]) -> list[list[Sums]]:
    """Add up fluxes on the same cells and times, streamed over bands of rows.

    Returns
    -------
    list of list of dict
        For each flux and time the sums of each kind of region and variable.
    """
    from soilql.stats.totals import weighted_sums

    steps = range(len(fluxes[0].times))
    found: list[list[Sums]] = [[{} for _ in steps] for _ in fluxes]
    bands = list(_bands(ctx, fluxes))
    done, count = progress
    for i, (rows, together) in enumerate(bands):
        regions, weights = cells.read(ctx, rows)
        parts = {
            (f, step, name): flux.at(name, step)
            for step in together
            for f, flux in enumerate(fluxes)
            for name in flux.parts
        }
        for (f, step, name), values in _read(ctx, parts, rows).items():
            part = weighted_sums(values, weights, regions.at(step), cells.regions.count)
            sums = found[f][step]
            sums["", name] = sums["", name] + part if ("", name) in sums else part
        ctx.progress(done * len(bands) + (i + 1) * len(fluxes), count * len(bands))
    for flux, times in zip(fluxes, found, strict=True):
        for sums in times:
            for name in flux.parts:
                fine = sums.pop(("", name))
                for kind, labels in cells.regions.labels.items():
                    sums[kind, name] = fine.rolled_up(cells.regions.regions(kind), len(labels))
    return found


def _bands(ctx: Context, fluxes: Sequence[Flux]) -> Iterator[tuple[slice, range]]:
    """Yield bands of rows and runs of times that fit into memory, of whole stored chunks where these do."""
    rows, _ = fluxes[0].grid.shape
    times = len(fluxes[0].times)
    row = max(1, *(sum(flux.at(name, 0).nbytes for name in flux.parts) // rows for flux in fluxes))
    budget = min(_READ, ctx.resources.memory // _COPIES)
    # A series stored in one piece is read in one piece; to read it year by year would unpack it as often.
    whole = max(flux.grid.data[flux.variable].chunksizes.get("time", (1,))[0] for flux in fluxes)
    run = max(1, min(whole, times, budget // row))
    step = max(1, budget // (row * run))
    chunk = max(flux.grid.data[flux.parts[-1]].chunksizes.get("lat", (1,))[0] for flux in fluxes)
    step = max(step // chunk * chunk, min(step, chunk))
    for start in range(0, rows, step):
        for first in range(0, times, run):
            yield slice(start, min(rows, start + step)), range(first, min(times, first + run))


@dataclass(frozen=True, eq=False)
class Crossings:
    """The crossing of regions that each cell of some rows lies in: one map for all times, or one for each."""

    maps: Sequence[np.ndarray[Any, Any]]

    def at(self, step: int) -> np.ndarray[Any, Any]:
        """Return the map at one time."""
        return self.maps[step if len(self.maps) > 1 else 0]


@dataclass(frozen=True, eq=False)
class Cells:
    """What is known of the cells that fluxes are on: where they lie, and how much of each counts.

    Attributes
    ----------
    grid : Grid
        Whose cells they are.
    regions : Regions
        What is added up over.
    maps : mapping of str to xarray.DataArray
        What the partition looks at: of dims ``(lat, lon)``, or ``(time, lat, lon)`` with the times of the fluxes.
    fraction : xarray.DataArray or None
        Share of each cell that counts, 0 to 1.
    """

    grid: Grid
    regions: Regions
    maps: Mapping[str, xr.DataArray]
    fraction: xr.DataArray | None

    def read(self, ctx: Context, rows: slice) -> tuple[Crossings, np.ndarray[Any, Any]]:
        """Return the crossings of regions and the area (km2) of each cell of some rows."""
        from soilql.stats import sphere

        parts = {f"zone {name}": data for name, data in self.maps.items()}
        if self.fraction is not None:
            parts["land fraction"] = self.fraction
        found = _read(ctx, parts, rows)
        lat, lon = (self.grid.data[axis].to_numpy().astype(float) for axis in ("lat", "lon"))
        lat_edges, lon_edges = edges(self.grid.data)
        weights = sphere.cell_areas(lat_edges[rows.start : rows.stop + 1], lon_edges)
        if self.fraction is not None:
            weights = weights * _checked_fraction(ctx, found["land fraction"])
        maps = {name: found[f"zone {name}"] for name in self.maps}
        steps = max((len(values) for values in maps.values() if values.ndim == 3), default=1)
        crossings = [
            self.regions.crossings(lat[rows], lon, {n: v[step] if v.ndim == 3 else v for n, v in maps.items()})
            for step in range(steps)
        ]
        return Crossings(crossings), weights

    def read_last(self, ctx: Context, rows: slice) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Return the crossings of the last time, where zones change, and the area (km2) of each cell of some rows."""
        crossings, weights = self.read(ctx, rows)
        return crossings.maps[-1], weights


def _read(ctx: Context, parts: Mapping[_Key, xr.DataArray], rows: slice) -> dict[_Key, np.ndarray[Any, Any]]:
    import dask
    import numpy as np

    lazy = [data.isel(lat=rows).data for data in parts.values()]
    compute: Any = dask.base.compute
    values = compute(*lazy, scheduler="threads", num_workers=max(1, ctx.resources.workers))
    return {name: np.asarray(value) for name, value in zip(parts, values, strict=True)}


def _checked_fraction(ctx: Context, fraction: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the land fraction with 0 where the map has none: what is no land there has no area."""
    import numpy as np

    values = np.nan_to_num(fraction.astype(np.float64), nan=0.0)
    if values.size and (values.min() < 0 or values.max() > 1 + 1e-6):
        message = f"land fractions from {values.min():g} to {values.max():g}, and not from 0 to 1"
        raise ctx.error("SQ712", message, "land_fraction", help="give the map its unit `%` if it is in percent")
    limited: np.ndarray[Any, Any] = np.minimum(values, 1.0)
    return limited
