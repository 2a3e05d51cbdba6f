"""What steps share: cell edges and areas, functions mapped lazily over bands of rows, columns as models take them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

from soilql.values import PLACES

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr

    from soilql.values import Table

    #: Takes the inputs at the cells of a block, each of shape (cells,); returns (layers, cells), or (layers,) sums.
    OfCells: TypeAlias = Callable[[Mapping[str, np.ndarray[Any, Any]]], np.ndarray[Any, Any]]


def edges(data: xr.Dataset) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the edges of the cells of a grid.

    Parameters
    ----------
    data : xarray.Dataset
        With coordinates ``lat`` and ``lon``, cell centres in degrees. A single row or column is taken to be as wide
        as the cells of the other axis.

    Returns
    -------
    lat_edges, lon_edges : array, shapes (rows + 1,) and (columns + 1,)
        In the order of the centres; latitudes within [-90, 90].

    Raises
    ------
    SoilqlError
        The grid is a single cell, whose size is unknown, or its centres are not monotonic (SQ813).

    Examples
    --------
    >>> import xarray as xr
    >>> lat, lon = edges(xr.Dataset(coords={"lat": [89.75, 89.25], "lon": [0.25]}))
    >>> lat.tolist(), lon.tolist()
    ([90.0, 89.5, 89.0], [0.0, 0.5])
    """
    from soilql.stats.sphere import edges_from_centres, mean_step

    lat, lon = (data[axis].to_numpy().astype(float) for axis in ("lat", "lon"))
    rows = edges_from_centres(lat, limits=(-90.0, 90.0), step=mean_step(lon))
    # Rows run from north to south, and a single one has no order of its own.
    rows = rows[::-1] if lat.size == 1 else rows
    return rows, edges_from_centres(lon, step=mean_step(lat))


def cell_areas(data: xr.Dataset) -> np.ndarray[Any, Any]:
    """Return the area of each cell of a grid on the WGS84 ellipsoid.

    Parameters
    ----------
    data : xarray.Dataset
        With coordinates ``lat`` and ``lon``.

    Returns
    -------
    array, shape (rows, columns)
        Areas in km2.

    Examples
    --------
    >>> import xarray as xr
    >>> cell_areas(xr.Dataset(coords={"lat": [0.25, -0.25], "lon": [0.25]})).round(3).tolist()
    [[3077.23], [3077.23]]
    """
    from soilql.stats import sphere

    return sphere.cell_areas(*edges(data))


def band_codes(lat: np.ndarray[Any, Any], limits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the band of latitude that each row of a grid belongs to.

    Parameters
    ----------
    lat : array, shape (rows,)
        Cell centres in degrees.
    limits : array, shape (bands + 1,)
        Limits of the bands from south to north; a centre on a limit belongs to the band north of it, one on the last
        limit to the last band.

    Returns
    -------
    array of int, shape (rows,)
        0 for the southernmost band, -1 outside all of them.

    Examples
    --------
    >>> import numpy as np
    >>> band_codes(np.array([90.0, 23.5, 0.0, -80.0]), np.array([-60, 23.5, 90]))
    array([ 1,  1,  0, -1])
    """
    import numpy as np

    band = np.where(lat == limits[-1], limits.size - 2, np.searchsorted(limits, lat, side="right") - 1)
    return np.where(band > limits.size - 2, -1, band)


def band_labels(limits: np.ndarray[Any, Any]) -> tuple[str, ...]:
    """Return the names of bands of latitude.

    Examples
    --------
    >>> import numpy as np
    >>> band_labels(np.array([-90, -23.5, 0, 90]))
    ('90°S to 23.5°S', '23.5°S to 0°', '0° to 90°N')
    """
    ends = [f"{abs(x):g}°{'S' if x < 0 else 'N' if x > 0 else ''}" for x in limits]
    return tuple(f"{south} to {north}" for south, north in pairwise(ends))


@dataclass(frozen=True, eq=False)
class Bands:
    """Variables of a grid as lazy arrays, all cut into the same bands of whole rows.

    Attributes
    ----------
    arrays : dict of str to dask.array.Array, shape (lat, lon) or (time, lat, lon)
        The variables; before them ``lat`` of shape (lat, 1) and ``lon`` of shape (1, lon), in degrees.
    dims : tuple of str
        Dims of what is computed from them.
    chunks : tuple of tuple of int
        Its blocks.
    coords : mapping of str to xarray.DataArray
        Its coordinates.
    """

    arrays: Mapping[str, Any]
    dims: tuple[str, ...]
    chunks: tuple[tuple[int, ...], ...]
    coords: Mapping[str, Any]

    @classmethod
    def of(cls, data: xr.Dataset, variables: Mapping[str, xr.DataArray], cells: int) -> Bands:
        """Cut variables into bands of about `cells` cells, one time or member at a time.

        Parameters
        ----------
        data : xarray.Dataset
            The grid.
        variables : mapping of str to xarray.DataArray
            Variables on this grid, dims ending in ``(lat, lon)``; those with and without a time go together.
        cells : int
            Cells of a band, rounded to whole rows, at least one.
        """
        import dask.array

        da: Any = dask.array
        rows, columns = int(data.sizes["lat"]), int(data.sizes["lon"])
        step = max(1, min(rows, cells // columns))
        bands = tuple(min(step, rows - start) for start in range(0, rows, step))
        leading = tuple(dict.fromkeys(str(dim) for one in variables.values() for dim in one.dims[:-2]))
        lat, lon = (data[axis].to_numpy().astype(float) for axis in ("lat", "lon"))
        arrays: dict[str, Any] = {
            "lat": da.from_array(lat[:, None], chunks=(bands, 1)),
            "lon": da.from_array(lon[None, :], chunks=(1, columns)),
        }
        for name, one in variables.items():
            singles = tuple((1,) * size for size in one.shape[:-2])
            arrays[name] = da.asarray(one.data).rechunk((*singles, bands, (columns,)))
        chunks = (*((1,) * int(data.sizes[dim]) for dim in leading), bands, (columns,))
        coords = {dim: data[dim] for dim in (*leading, "lat", "lon") if dim in data.coords}
        return cls(arrays, (*leading, "lat", "lon"), chunks, coords)

    def map(self, function: OfCells, layers: int, dtype: np.dtype[Any]) -> Any:
        """Return what a function gives at each cell, lazily.

        Returns
        -------
        dask.array.Array, shape (layers, ..., lat, lon)
        """
        return self._mapped(
            _Mapped(tuple(self.arrays), function, len(self.dims), reduces=False), ((layers,), *self.chunks), dtype
        )

    def summarise(self, function: OfCells, layers: int, dtype: np.dtype[Any]) -> Any:
        """Return what a function gives for each block, lazily.

        Returns
        -------
        dask.array.Array, shape (layers, ..., bands, 1)
        """
        single = tuple((1,) * len(sizes) for sizes in self.chunks)
        return self._mapped(
            _Mapped(tuple(self.arrays), function, len(self.dims), reduces=True), ((layers,), *single), dtype
        )

    def _mapped(self, function: Any, chunks: tuple[tuple[int, ...], ...], dtype: np.dtype[Any]) -> Any:
        import uuid

        import dask.array
        import numpy as np

        da: Any = dask.array
        # The name only keeps tasks apart: hashing a whole forest for one would take longer than a block.
        return da.map_blocks(
            function, *self.arrays.values(), new_axis=0, chunks=chunks, dtype=dtype,
            name=f"bands-{uuid.uuid4().hex}", meta=np.empty((0,) * len(chunks), dtype),
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Mapped:
    """A function of the cells of a block as one of its arrays."""

    names: tuple[str, ...]
    function: OfCells
    dims: int
    reduces: bool

    def __call__(self, *blocks: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        import numpy as np

        shape = np.broadcast_shapes(*(block.shape for block in blocks))
        shape = (1,) * (self.dims - len(shape)) + shape
        cells = {name: np.broadcast_to(b, shape).ravel() for name, b in zip(self.names, blocks, strict=True)}
        found = self.function(cells)
        return found.reshape(-1, *((1,) * self.dims if self.reduces else shape))


def difference(first: xr.Dataset, second: xr.Dataset) -> str | None:
    """Return in words how the cells of two grids differ, or None where they are the same.

    Parameters
    ----------
    first, second : xarray.Dataset
        Grids; centres that differ by less than a millionth of a degree, the rounding of files, are the same.

    Examples
    --------
    >>> import xarray as xr
    >>> a, b = (xr.Dataset(coords={"lat": [1.5, 0.5], "lon": [x, x + 1]}) for x in (0.5, 10.5))
    >>> difference(a, b)
    '`lon` is 2 centres from 0.5 to 1.5 in one and 2 from 10.5 to 11.5 in the other'
    """
    import numpy as np

    for axis in ("lat", "lon"):
        a, b = (data[axis].to_numpy().astype(float) for data in (first, second))
        if a.size != b.size or np.abs(a - b).max() > 1e-6:
            one, other = (f"from {c[0]:.10g} to {c[-1]:.10g}" for c in (a, b))
            return f"`{axis}` is {a.size} centres {one} in one and {b.size} {other} in the other"
    for axis in sorted({str(d) for d in first.dims} & {str(d) for d in second.dims} - {"lat", "lon"}):
        if first.sizes[axis] != second.sizes[axis]:
            return f"`{axis}` has {first.sizes[axis]} steps in one and {second.sizes[axis]} in the other"
        if axis == "time" and not np.array_equal(first[axis].to_numpy(), second[axis].to_numpy()):
            return "`time` has other steps in one than in the other"
    return None


def table_columns(table: Table) -> dict[str, np.ndarray[Any, Any]]:
    """Return the columns of a table as models and partitions take them.

    Returns
    -------
    dict of str to array, shape (rows,)
        Numbers as float64 with NaN where missing, all else as objects; ``lat`` and ``lon`` by role.
    """
    import pandas as pd

    found: dict[str, np.ndarray[Any, Any]] = {}
    for name, series in table.frame.items():
        numeric = pd.api.types.is_numeric_dtype(series.dtype)
        found[str(name)] = series.to_numpy(float, na_value=float("nan")) if numeric else series.to_numpy(object)
    return found | {axis: found[table.roles[axis]] for axis in PLACES if axis in table.roles}


def sample(
    columns: dict[str, np.ndarray[Any, Any]], needed: Sequence[str], rows: int = 200
) -> dict[str, np.ndarray[Any, Any]]:
    """Return some evenly spaced rows without a missing value, to ask a model what it can do."""
    import numpy as np
    import pandas as pd

    gaps = [np.asarray(pd.isna(columns[name])) for name in needed if name in columns]
    complete = np.flatnonzero(~np.logical_or.reduce(gaps)) if gaps else np.arange(len(next(iter(columns.values()))))
    chosen = complete[:: max(1, complete.size // rows)]
    return {name: values[chosen] for name, values in columns.items()}
