"""Small gridded files for tests: rasters, NetCDF, and blocks of the reader run on them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import xarray as xr
from rasterio.transform import from_origin

from soilql.errors import Diagnostic, SoilqlError
from soilql.values import Grid
from tests.support import run_kind


def read(paths: Path | Sequence[Path], yaml: str = "", **context: Any) -> Grid:
    """Read files by a block of the kind `grid`."""
    files = [paths] if isinstance(paths, Path) else list(paths)
    names = "[" + ", ".join(f'"{path.name}"' for path in files) + "]"
    value = run_kind("datasets", "grid", f"source: {names}\n{yaml}", sources={"source": files}, **context)
    assert isinstance(value, Grid)
    return value


def failure(paths: Path | Sequence[Path], yaml: str = "") -> Diagnostic:
    """Return the first diagnostic of a block that cannot be read."""
    with pytest.raises(SoilqlError) as caught:
        read(paths, yaml).data.compute()
    return caught.value.diagnostics[0]


def tiff(path: Path, values: Any, dtype: str = "float32", size: float = 0.5, west: float = 0, north: float = 1,
         descriptions: Sequence[str] = (), **profile: Any) -> Path:  # fmt: skip
    """Write a GeoTIFF of longitude and latitude; by default the cells begin at 0 E, 1 N and are half degrees."""
    bands = np.asarray(values, dtype=dtype)
    bands = bands if bands.ndim == 3 else bands[None]
    settings = {"crs": "EPSG:4326", "transform": from_origin(west, north, size, size), **profile}
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=bands.shape[0],
        height=bands.shape[1],
        width=bands.shape[2],
        dtype=dtype,
        **settings,
    ) as raster:
        raster.write(bands)
        for i, text in enumerate(descriptions, start=1):
            raster.set_band_description(i, text)
    return path


def netcdf(path: Path, name: str, values: Any, times: Any = None, units: str = "", size: float = 0.5, west: float = 0,
           north: float = 1, dims: Sequence[str] = ("time", "lat", "lon"), calendar: str = "standard",
           attributes: dict[str, Any] | None = None, encoding: dict[str, Any] | None = None) -> Path:  # fmt: skip
    """Write one variable of a NetCDF, with or without a time axis; values in the order time, latitude, longitude."""
    cube = np.asarray(values)
    rows, columns = cube.shape[-2:]
    coordinates: dict[str, Any] = {
        "lat": ("lat", north - size * (np.arange(rows) + 0.5), {"units": "degrees_north"}),
        "lon": ("lon", west + size * (np.arange(columns) + 0.5), {"units": "degrees_east"}),
    }
    if times is not None:
        coordinates["time"] = ("time", np.asarray(times), {"units": units, "calendar": calendar} if units else {})
    own = ("time", "lat", "lon") if times is not None else ("lat", "lon")
    array = xr.DataArray(cube, dims=own, coords=coordinates, attrs=attributes or {})
    data = xr.Dataset({name: array.transpose(*(dim for dim in dims if dim in own))})
    data.to_netcdf(path, encoding={name: encoding or {}})
    return path


def dates(grid: Grid) -> list[str]:
    """Return the times of a grid as days, or as years."""
    labels = grid.data["time"].values
    return labels.astype("datetime64[D]").astype(str).tolist() if labels.dtype.kind == "M" else labels.tolist()
