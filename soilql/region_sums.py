"""Fluxes added up over regions, band by band of rows, with what their cells have in common read once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from soilql.context import Context
from soilql.gridding import edges
from soilql.regions import Regions
from soilql.values import Grid

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr

    from soilql.stats.totals import ZoneSums

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
    index : int
        Position under `of`.
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
    index: int
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
    def times(self) -> list[Any]:
        """Labels of the leading dimension, or one None."""
        data = self.grid.data[self.variable]
        return list(data[data.dims[0]].to_numpy()) if data.ndim > 2 else [None]


#: Sums of one flux: of each kind of region and variable.
Sums: TypeAlias = "dict[tuple[str, str], ZoneSums]"


def sum_up(ctx: Context, fluxes: Sequence[Flux], cells: Cells, progress: tuple[int, int]) -> list[Sums]:
    """Add up fluxes on the same cells, streamed over bands of rows."""
    from soilql.stats.totals import weighted_sums

    found: list[Sums] = [{} for _ in fluxes]
    bands = list(_bands(ctx, fluxes))
    done, count = progress
    for i, rows in enumerate(bands):
        codes, weights = cells.read(ctx, rows)
        for flux, sums in zip(fluxes, found, strict=True):
            for name, values in _read(ctx, {name: flux.grid.data[name] for name in flux.parts}, rows).items():
                part = weighted_sums(values, weights, codes, cells.regions.count)
                sums["", name] = sums["", name] + part if i else part
        ctx.progress(done * len(bands) + (i + 1) * len(fluxes), count * len(bands))
    for flux, sums in zip(fluxes, found, strict=True):
        for name in flux.parts:
            fine = sums.pop(("", name))
            for kind, labels in cells.regions.labels.items():
                sums[kind, name] = fine.rolled_up(cells.regions.regions(kind), len(labels))
    return found


def _bands(ctx: Context, fluxes: Sequence[Flux]) -> Iterator[slice]:
    """Yield bands of rows that fit into memory, of whole stored chunks where these do."""
    rows, _ = fluxes[0].grid.shape
    widest = max(sum(flux.grid.data[name].nbytes for name in flux.parts) // rows for flux in fluxes)
    step = max(1, min(_READ, ctx.resources.memory // _COPIES) // max(1, widest))
    chunk = max((flux.grid.data[flux.parts[-1]].chunksizes.get("lat", (1,))[0] for flux in fluxes), default=1)
    step = max(step // chunk * chunk, min(step, chunk))
    for start in range(0, rows, step):
        yield slice(start, min(rows, start + step))


@dataclass(frozen=True, eq=False)
class Cells:
    """What is known of the cells that fluxes are on: where they lie, and how much of each counts."""

    grid: Grid
    regions: Regions
    maps: Mapping[str, xr.DataArray]
    fraction: xr.DataArray | None

    def read(self, ctx: Context, rows: slice) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Return the crossing of regions and the area (km2) of each cell of some rows."""
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
        return self.regions.crossings(lat[rows], lon, maps), weights


def _read(ctx: Context, parts: Mapping[str, xr.DataArray], rows: slice) -> dict[str, np.ndarray[Any, Any]]:
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
