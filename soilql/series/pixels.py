"""Statistics of each cell's series: bands of rows in threads, maps kept in files of the node until they are stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from soilql.context import Context

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr

    #: Series of a band by name, each of shape (time, rows, columns), or (rows, columns) of a static map.
    Series: TypeAlias = Mapping[str, np.ndarray[Any, Any]]

Part = TypeVar("Part")

#: What a kernel holds of each value of its series while it works on a band.
_COPIES = 5
#: Bands no larger than this leave something to do for every thread.
_MOST_VALUES = 1 << 22


@dataclass(frozen=True)
class Layer:
    """One map of a result.

    Attributes
    ----------
    name : str
        Of the variable.
    dtype : str
        ``float32`` or ``float64``.
    attrs : mapping
        Long name, unit, and what its codes mean.
    """

    name: str
    dtype: str = "float64"
    attrs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class PixelMaps(Generic[Part]):
    """Maps made band by band.

    Attributes
    ----------
    arrays : dict of str to ndarray, shape (rows, columns)
        In memory, or in files in the node's scratch folder.
    parts : list
        What else the function returned of each band, from north to south.
    """

    arrays: dict[str, np.ndarray[Any, Any]]
    parts: list[Part]

    def dataset(self, grid: xr.Dataset, layers: Sequence[Layer]) -> xr.Dataset:
        """Return maps as lazy variables on the cells of a grid."""
        import dask.array
        import xarray as xr

        da: Any = dask.array
        rows, columns = int(grid.sizes["lat"]), int(grid.sizes["lon"])
        chunks = (max(1, min(rows, _MOST_VALUES // columns)), columns)
        variables = {
            layer.name: xr.Variable(
                ("lat", "lon"), da.from_array(self.arrays[layer.name], chunks, name=False), dict(layer.attrs)
            )
            for layer in layers
        }
        return xr.Dataset(variables, {axis: grid[axis] for axis in ("lat", "lon")})


def map_series(
    ctx: Context,
    grid: xr.Dataset,
    variables: Mapping[str, xr.DataArray],
    layers: Sequence[Layer],
    function: Callable[[Series, slice], tuple[Series, Part]],
) -> PixelMaps[Part]:
    """Apply a function to the series of all cells.

    Parameters
    ----------
    ctx : Context
        Memory, threads, scratch folder and progress.
    grid : xarray.Dataset
        With ``lat`` and ``lon``.
    variables : mapping of str to xarray.DataArray
        Dims ``(time, lat, lon)`` or ``(lat, lon)``, on the cells of the grid.
    layers : sequence of Layer
        What comes out.
    function : callable
        Takes the series of a band of rows, and the rows; returns each layer, of shape (rows, columns), and one thing
        more, such as sums over the band.

    Returns
    -------
    PixelMaps
        The same for any size of the bands and number of threads, where the function looks at each cell alone.
    """
    shape = int(grid.sizes["lat"]), int(grid.sizes["lon"])
    # Maps that would take up much of the budget are kept in files.
    small = 8 * len(layers) * shape[0] * shape[1] <= ctx.resources.memory // 8
    arrays = {layer.name: _array(ctx, layer, shape, small) for layer in layers}
    bands = list(_bands(ctx, shape, variables))

    def work(rows: slice) -> Part:
        import dask
        import numpy as np

        lazy = [one.isel(lat=rows).data for one in variables.values()]
        compute: Any = dask.base.compute
        values = (np.asarray(value) for value in compute(*lazy, scheduler="synchronous"))
        made, part = function(dict(zip(variables, values, strict=True)), rows)
        for name, array in arrays.items():
            array[rows] = made[name]
        return part

    parts = []
    with ThreadPoolExecutor(max(1, ctx.resources.workers)) as pool:
        for done, part in enumerate(pool.map(work, bands)):
            parts.append(part)
            ctx.progress(done + 1, len(bands))
    return PixelMaps(arrays, parts)


def _array(ctx: Context, layer: Layer, shape: tuple[int, int], small: bool) -> np.ndarray[Any, Any]:
    import numpy as np

    dtype = np.dtype(layer.dtype)
    if small:
        return np.empty(shape, dtype)
    return np.memmap(ctx.scratch / f"{layer.name}.map", dtype, "w+", shape=shape)


def _bands(ctx: Context, shape: tuple[int, int], variables: Mapping[str, xr.DataArray]) -> Iterator[slice]:
    """Yield bands of rows whose series fit into the memory of one thread, of whole stored chunks where these do."""
    rows = shape[0]
    row = 8 * sum(one.size // rows for one in variables.values())
    workers = max(1, ctx.resources.workers)
    budget = min(8 * _MOST_VALUES, ctx.resources.memory // (workers * _COPIES))
    step = max(1, min(budget // max(1, row), -(-rows // workers)))
    chunk = max((one.chunksizes.get("lat", (1,))[0] for one in variables.values()), default=1)
    step = max(step // chunk * chunk, min(step, chunk))
    for start in range(0, rows, step):
        yield slice(start, min(rows, start + step))


def row_bands(data: xr.Dataset) -> Iterator[slice]:
    """Yield bands of rows of finished maps, of a few million cells each."""
    rows, columns = int(data.sizes["lat"]), int(data.sizes["lon"])
    step = max(1, _MOST_VALUES // columns)
    for start in range(0, rows, step):
        yield slice(start, min(rows, start + step))
