"""A grid to files: GeoTIFFs for the GIS and one NetCDF for the rest, in one pass over the data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from soilql.outputs import geotiff, netcdf
from soilql.outputs.windows import read, windows
from soilql.values import Grid


def write_grid(grid: Grid, folder: Path, stem: str, provenance: Mapping[str, str]) -> list[Path]:
    """Write a grid as cloud-optimised GeoTIFFs and one CF NetCDF file.

    The data are computed once, window by window; the files do not depend on how the grid is chunked.

    Parameters
    ----------
    grid : Grid
        What to write. Variables with members go to the NetCDF file only, and so does every variable of a grid that is
        not evenly spaced (:func:`soilql.outputs.geotiff.left_out` says why).
    folder : Path
        Where to write; made where it is missing.
    stem : str
        ``<stem>.nc`` and ``<stem>_<variable>.tif``.
    provenance : mapping of str to str
        Facts kept in each file, such as the key of the node and the version of soilql. A clock time would make two
        runs differ.

    Returns
    -------
    list of Path
        The files written, the NetCDF first.

    Raises
    ------
    SoilqlError
        A file cannot be written (SQ901). Each file appears whole or not at all; others may be there already.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np, xarray as xr
    >>> data = xr.Dataset({"Rs": (("lat", "lon"), np.ones((2, 3), "f4"))}, {"lat": [0.5, -0.5], "lon": [0.5, 1.5, 2.5]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [path.name for path in write_grid(Grid(data), Path(folder), "rs", {"key": "ab"})]
    ['rs.nc', 'rs_Rs.tif']
    """
    path = folder / f"{stem}.nc"
    with (
        netcdf.writer(grid, path, provenance) as to_netcdf,
        geotiff.writer(grid, folder, stem, provenance) as (to_geotiff, maps),
    ):
        for window in windows(grid.data):
            blocks = read(grid.data, window)
            to_netcdf(window, blocks)
            to_geotiff(window, blocks)
    return [path, *maps]
