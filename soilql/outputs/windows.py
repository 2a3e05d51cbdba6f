"""Walk a grid in windows that depend on its shape alone, so that files do not depend on how it is chunked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr

#: Longest side of the tiles of the files written; windows are made of whole tiles.
TILE = 256
#: Largest number of values of all variables together that one window holds.
MAX_VALUES = 1 << 24

Window: TypeAlias = tuple[slice, slice]


def windows(data: xr.Dataset) -> Iterator[Window]:
    """Yield the row and column slices of each window, from the north-west, row by row.

    Parameters
    ----------
    data : xarray.Dataset
        Variables with dims ending in ``(lat, lon)``.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> data = xr.Dataset({"a": (("lat", "lon"), np.zeros((300, 200)))})
    >>> list(windows(data))
    [(slice(0, 300, None), slice(0, 200, None))]
    """
    rows, columns = int(data.sizes["lat"]), int(data.sizes["lon"])
    tall, wide = tile(rows), tile(columns)
    layers = max(1, sum(variable.size // max(1, rows * columns) for variable in data.data_vars.values()))
    cells = max(tall * wide, MAX_VALUES // layers)
    width = min(columns, max(1, cells // tall // wide) * wide)
    height = max(1, cells // width // tall) * tall
    for top in range(0, rows, height):
        for left in range(0, columns, width):
            yield slice(top, min(top + height, rows)), slice(left, min(left + width, columns))


def tile(cells: int) -> int:
    """Return the side of the tiles that an axis of so many cells is cut into, evenly: what lies beyond it is waste.

    Examples
    --------
    >>> tile(360), tile(720), tile(100), tile(43200)
    (180, 240, 100, 256)
    """
    return -(-cells // -(-cells // TILE))


def read(data: xr.Dataset, window: Window) -> dict[str, np.ndarray[Any, Any]]:
    """Return every variable in a window, computed together so that shared steps are done once.

    Returns
    -------
    dict of str to array, shape (..., rows, columns)
    """
    import numpy as np

    rows, columns = window
    loaded = data.isel(lat=rows, lon=columns).compute()
    return {str(name): np.asarray(loaded[name].data) for name in loaded.data_vars}
