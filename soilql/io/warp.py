"""Rasters in a projection, brought to longitude and latitude window by window after their values were decoded.

Decoding comes first, so that codes for missing values and values that flags refuse never enter an average.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from soilql.io.axes import simplest_fraction
from soilql.io.layers import Array, Range

Method = Literal["nearest", "bilinear", "average", "mode"]

# Points along each edge of a raster, or of a window, whose places tell where the whole lies.
_PROBES = 101
_WINDOW_PROBES = 21
# Cells of the file, and share of a window, that are read beyond what the probes span.
_MARGIN = 4
_MARGIN_SHARE = 0.05


@dataclass(frozen=True, eq=False)
class Reprojection:
    """From the grid of a file to one of longitude and latitude.

    Attributes
    ----------
    crs : str
        Projection of the file.
    transform : affine.Affine
        From its columns and rows to metres.
    height, width : int
        Its size.
    centres : (ndarray, ndarray)
        Latitudes from north to south and longitudes of the result (degrees).
    resolution : float
        Of the result (degrees).
    method : {"nearest", "bilinear", "average", "mode"}
        How a cell of the result is made of those of the file.
    """

    crs: str
    transform: Any
    height: int
    width: int
    centres: tuple[Array, Array]
    resolution: float
    method: Method

    @property
    def place(self) -> tuple[Any, ...]:
        """What tells where the file lies: its projection, its place in it and its size."""
        return self.crs, tuple(self.transform), self.height, self.width

    def _target(self, rows: Range, columns: Range) -> Any:
        from affine import Affine

        half = self.resolution / 2
        west, north = self.centres[1][columns[0]] - half, self.centres[0][rows[0]] + half
        return Affine(self.resolution, 0.0, west, 0.0, -self.resolution, north)

    def source_window(self, rows: Range, columns: Range) -> tuple[Range, Range] | None:
        """Return the rows and columns of the file that a window of the result needs; None where it has none."""
        target = self._target(rows, columns)
        high, wide = rows[1] - rows[0], columns[1] - columns[0]
        down, across = np.linspace(0, high, _WINDOW_PROBES), np.linspace(0, wide, _WINDOW_PROBES)
        lon, lat = target.c + across * target.a, target.f + down * target.e
        x, y = _transformed("EPSG:4326", self.crs, *np.meshgrid(np.clip(lon, -180, 180), np.clip(lat, -90, 90)))
        back = ~self.transform
        found = []
        for positions, size in (
            (back.d * x + back.e * y + back.f, self.height),
            (back.a * x + back.b * y + back.c, self.width),
        ):
            known = positions[np.isfinite(positions)]
            if not known.size:
                return None
            margin = _MARGIN + _MARGIN_SHARE * float(np.ptp(known))
            low, end = max(0, int(known.min() - margin)), min(size, int(np.ceil(known.max() + margin)))
            if low >= end:
                return None
            found.append((low, end))
        return found[0], found[1]

    def onto(self, values: Array, source: tuple[Range, Range], rows: Range, columns: Range, categorical: bool) -> Array:
        """Return values of a window of the file, shape ``(..., rows, columns)``, on a window of the result."""
        from affine import Affine
        from rasterio.enums import Resampling
        from rasterio.warp import reproject

        method = "nearest" if categorical and self.method in ("bilinear", "average") else self.method
        t, (row, column) = self.transform, (source[0][0], source[1][0])
        flat = values.reshape(-1, *values.shape[-2:])
        result = np.full((flat.shape[0], rows[1] - rows[0], columns[1] - columns[0]), np.nan)
        reproject(
            np.ascontiguousarray(flat),
            result,
            src_transform=Affine(t.a, t.b, t.c + column * t.a + row * t.b, t.d, t.e, t.f + column * t.d + row * t.e),
            src_crs=self.crs,
            dst_transform=self._target(rows, columns),
            dst_crs="EPSG:4326",
            src_nodata=np.nan,
            dst_nodata=np.nan,
            resampling=Resampling[method],
            # The same whatever the window: exact places, and four pixels for `bilinear` and never a wider kernel.
            tolerance=0,
            XSCALE=1,
            YSCALE=1,
        )
        return result.reshape(*values.shape[:-2], *result.shape[-2:])


def target_axes(crs: str, transform: Any, height: int, width: int, resolution: float) -> tuple[Array, Array]:
    """Return the centres of the cells of longitude and latitude that a projected raster covers.

    Parameters
    ----------
    crs : str
        Projection of the raster.
    transform : affine.Affine
        From its columns and rows to metres.
    height, width : int
        Its size.
    resolution : float
        Of the cells (degrees). They lie on the lattice that starts at 180 W and 90 S.

    Returns
    -------
    lat, lon : ndarray
        Latitudes from north to south, longitudes rising; empty where no part of the raster lies on the globe.
    """
    columns, rows = np.meshgrid(np.linspace(0, width, _PROBES), np.linspace(0, height, _PROBES))
    x = transform.a * columns + transform.b * rows + transform.c
    y = transform.d * columns + transform.e * rows + transform.f
    lon, lat = _transformed(crs, "EPSG:4326", x, y)
    # Beyond the rim of the globe some projections give the place on its other side, which lies elsewhere in them.
    back = _transformed("EPSG:4326", crs, lon, lat)
    away = np.hypot(back[0] - x, back[1] - y)
    on_globe = np.isfinite(away) & (away < abs(transform.a)) & (np.abs(lon) <= 180) & (np.abs(lat) <= 90)
    if not on_globe.any():
        return np.empty(0), np.empty(0)
    return _centres(lat[on_globe], -90, resolution)[::-1], _centres(lon[on_globe], -180, resolution)


def _centres(covered: Array, origin: int, resolution: float) -> Array:
    """Return the centres of a lattice's cells that some coordinates lie in."""
    step = simplest_fraction(resolution * (1 - 1e-9), resolution * (1 + 1e-9))
    low = int(np.floor((covered.min() - origin) / resolution + 1e-6))
    high = int(np.ceil((covered.max() - origin) / resolution - 1e-6))
    high = min(max(high, low + 1), int(np.floor(-2 * origin / resolution + 1e-6)))
    positions = 2 * np.arange(low, high) + 1
    return np.asarray((origin * 2 * step.denominator + positions * step.numerator) / (2 * step.denominator))


def _transformed(source: str, target: str, x: Array, y: Array) -> tuple[Array, Array]:
    """Return coordinates in another system, not finite where it has none."""
    from rasterio.errors import RasterioError
    from rasterio.warp import transform

    try:
        first, second = transform(source, target, x.ravel(), y.ravel())
    except (RasterioError, ValueError):
        return np.full(x.shape, np.nan), np.full(x.shape, np.nan)
    return np.reshape(first, x.shape), np.reshape(second, x.shape)
