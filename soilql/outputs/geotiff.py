"""Maps as cloud-optimised GeoTIFFs: one file a variable, float32, with overviews, unit and provenance in its tags."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from soilql.gridding import edges
from soilql.outputs.files import refusals, replacing
from soilql.outputs.windows import TILE, Window
from soilql.values import Grid

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr
    from affine import Affine

#: Stands for a missing value; NaN itself is not read as such by every GIS.
NODATA = -9999.0

Put: TypeAlias = "Callable[[Window, Mapping[str, np.ndarray[Any, Any]]], None]"


def left_out(grid: Grid) -> str | None:
    """Return why a grid cannot be written as GeoTIFF, or None where it can.

    A GeoTIFF has one cell size; a Gaussian or otherwise uneven grid is written as NetCDF only.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> data = xr.Dataset(coords={"lat": [60.0, 30.0, 20.0], "lon": [0.0, 1.0]})
    >>> left_out(Grid(data))
    'its `lat` is not evenly spaced'
    """
    import numpy as np

    if grid.shape == (1, 1):
        return "it is a single cell of unknown size"
    for axis in ("lat", "lon"):
        steps = np.diff(grid.data[axis].to_numpy().astype(float))
        if steps.size and not np.allclose(steps, steps.mean(), rtol=1e-3, atol=0):
            return f"its `{axis}` is not evenly spaced"
    return None


def transform(grid: Grid) -> Affine:
    """Return the affine transform from columns and rows to the longitude and latitude of cell corners."""
    from affine import Affine

    lat, lon = edges(grid.data)
    width, height = (lon[-1] - lon[0]) / (lon.size - 1), (lat[-1] - lat[0]) / (lat.size - 1)
    return Affine(float(width), 0.0, float(lon[0]), 0.0, float(height), float(lat[0]))


@contextmanager
def writer(grid: Grid, folder: Path, stem: str, provenance: Mapping[str, str]) -> Iterator[tuple[Put, list[Path]]]:
    """Open one GeoTIFF for each variable of a grid that has no members, to be filled window by window.

    Parameters
    ----------
    grid : Grid
        Variables of dims ``(lat, lon)``, or with one further dimension before them, which becomes the bands.
    folder, stem : Path and str
        The files are ``<folder>/<stem>_<variable>.tif``.
    provenance : mapping of str to str
        Tags of each file.

    Yields
    ------
    tuple of callable and list of Path
        ``put(window, blocks)``, and the files that will be there once the block of the ``with`` ends without error.

    Raises
    ------
    SoilqlError
        A file cannot be written (SQ901).
    """
    from rasterio.errors import RasterioError

    variables = [str(name) for name, data in grid.data.items() if "member" not in data.dims]
    if left_out(grid) is not None:
        variables = []
    paths = [folder / f"{stem}_{variable}.tif" for variable in variables]
    with ExitStack() as stack:
        files = {
            variable: stack.enter_context(_file(grid, variable, path, provenance))
            for variable, path in zip(variables, paths, strict=True)
        }

        def put(window: Window, blocks: Mapping[str, np.ndarray[Any, Any]]) -> None:
            for (variable, file), path in zip(files.items(), paths, strict=True):
                with refusals(path, RasterioError):
                    _put(file, window, blocks[variable])

        yield put, paths


@contextmanager
def _file(grid: Grid, variable: str, path: Path, provenance: Mapping[str, str]) -> Iterator[Any]:
    """Fill a plain tiled file first: the overviews of the final one need the whole map."""
    import rasterio
    from rasterio.errors import RasterioError

    data = grid.data[variable]
    with replacing(path) as partial:
        plain = partial.with_suffix(".plain")
        try:
            with refusals(path, RasterioError):
                file = rasterio.open(plain, "w", **_profile(grid, data))
            try:
                _tag(file, variable, data, provenance)
                yield file
            finally:
                with refusals(path, RasterioError):
                    file.close()
            with refusals(path, RasterioError):
                _optimise(plain, partial, categorical=bool(data.attrs.get("categorical")))
        finally:
            plain.unlink(missing_ok=True)


def _profile(grid: Grid, data: xr.DataArray) -> dict[str, Any]:
    bands = data.size // (data.sizes["lat"] * data.sizes["lon"]) if data.ndim > 2 else 1
    return {
        "driver": "GTiff", "dtype": "float32", "nodata": NODATA, "crs": grid.crs, "transform": transform(grid),
        "height": data.sizes["lat"], "width": data.sizes["lon"], "count": bands,
        "tiled": True, "blockxsize": TILE, "blockysize": TILE, "interleave": "band", "bigtiff": "if_safer",
    }  # fmt: skip


def _tag(file: Any, variable: str, data: xr.DataArray, provenance: Mapping[str, str]) -> None:
    described = str(data.attrs.get("long_name", variable))
    names = [described]
    if data.ndim > 2:
        names = [f"{described}, {data.dims[0]} {_label(label)}" for label in data[data.dims[0]].to_numpy()]
    file.descriptions = tuple(names)
    file.units = tuple([str(data.attrs.get("units", ""))] * file.count)
    file.update_tags(variable=variable, **dict(sorted(provenance.items())))


def _label(value: Any) -> str:
    text = str(value)
    return text.partition("T")[0] if text.endswith("T00:00:00.000000000") else text


def _put(file: Any, window: Window, block: np.ndarray[Any, Any]) -> None:
    import numpy as np

    area = tuple((part.start, part.stop) for part in window)
    values = block.astype(np.float32).reshape(-1, *block.shape[-2:])
    file.write(np.where(np.isnan(values), np.float32(NODATA), values), window=area)


def _optimise(plain: Path, final: Path, categorical: bool) -> None:
    import rasterio.shutil

    rasterio.shutil.copy(
        plain, final, driver="COG", compress="DEFLATE", predictor="YES", blocksize=512,
        overview_resampling="MODE" if categorical else "AVERAGE", bigtiff="IF_SAFER",
    )  # fmt: skip
