"""Rasters in a projection, brought to longitude and latitude window by window after their values were decoded.

Decoding comes first, so that codes for missing values and values that flags refuse never enter an average.
"""

from __future__ import annotations

import math
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
# Points along each side of a cell of the file, as long as a cell of the result has no more than the second number.
_POINTS_EACH = 4
_ENOUGH_POINTS = 32
_FEWEST_POINTS = 8
_METRES_PER_DEGREE = 111_195.0


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
    points : int
        Along each side of a cell of the result that stand for its area, see :func:`points_of`.
    """

    crs: str
    transform: Any
    height: int
    width: int
    centres: tuple[Array, Array]
    resolution: float
    method: Method
    points: int = 1

    @property
    def place(self) -> tuple[Any, ...]:
        """What tells where the file lies: its projection, its place in it and its size."""
        return self.crs, tuple(self.transform), self.height, self.width

    def fineness(self, categorical: bool) -> int:
        """Return how many points along each side of a cell are taken, 1 where a cell is no more than its centre."""
        by_area = self.method == "mode" or (self.method == "average" and not categorical)
        return self.points if by_area else 1

    def _target(self, rows: Range, columns: Range, fineness: int) -> Any:
        from affine import Affine

        half, step = self.resolution / 2, self.resolution / fineness
        west, north = self.centres[1][columns[0] // fineness] - half, self.centres[0][rows[0] // fineness] + half
        return Affine(step, 0.0, west, 0.0, -step, north)

    def source_window(self, rows: Range, columns: Range, fineness: int = 1) -> tuple[Range, Range] | None:
        """Return the rows and columns of the file that a window of the result needs; None where it has none."""
        target = self._target(rows, columns, fineness)
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

    def onto(
        self, values: Array, source: tuple[Range, Range], rows: Range, columns: Range, smooth: bool, fineness: int = 1
    ) -> Array:
        """Return values of a window of the file, shape ``(..., rows, columns)``, on a window of the result.

        Parameters
        ----------
        rows, columns : (int, int)
            Window of the result, counted in points: from cell to cell `fineness` of them.
        smooth : bool
            Whether there is anything between two values, which there is not between classes.
        """
        from affine import Affine
        from rasterio.enums import Resampling
        from rasterio.warp import reproject

        method = "bilinear" if smooth and self.method == "bilinear" else "nearest"
        t, (row, column) = self.transform, (source[0][0], source[1][0])
        flat = values.reshape(-1, *values.shape[-2:])
        result = np.full((flat.shape[0], rows[1] - rows[0], columns[1] - columns[0]), np.nan)
        reproject(
            np.ascontiguousarray(flat),
            result,
            src_transform=Affine(t.a, t.b, t.c + column * t.a + row * t.b, t.d, t.e, t.f + column * t.d + row * t.e),
            src_crs=self.crs,
            dst_transform=self._target(rows, columns, fineness),
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

    def over_cells(self, points: Array, lat: Array, fineness: int) -> Array:
        """Return what the points of each cell make together, shape ``(rows, columns)``; see :func:`over_cells`."""
        return over_cells(points, fineness, lat, self.resolution, self.method)


def points_of(crs: str, transform: Any, resolution: float) -> int:
    """Return how many points along each side of a cell stand for its area: one or more for each cell of the file.

    GDAL's own averages take the rectangle of the file that holds a cell, which in a slanted projection reaches over its
    neighbours: in the sinusoidal one, far from its central meridian, by several cells on either side.

    Parameters
    ----------
    crs : str
        Projection of the raster.
    transform : affine.Affine
        From its columns and rows to its unit of length.
    resolution : float
        Of the cells (degrees).
    """
    from rasterio.crs import CRS

    _, metres = CRS.from_user_input(crs).linear_units_factor
    finest = float(min(abs(transform.a), abs(transform.e)) * metres / _METRES_PER_DEGREE)
    count = math.ceil(resolution / finest - 1e-6)
    return max(_FEWEST_POINTS, count, min(_POINTS_EACH * count, _ENOUGH_POINTS))


def over_cells(points: Array, fineness: int, lat: Array, resolution: float, method: Method) -> Array:
    """Return the mean or the commonest class of the points in each cell, NaN where none has a value.

    Parameters
    ----------
    points : ndarray, shape (rows * fineness, columns * fineness)
        Values at points at equal steps, NaN where missing.
    fineness : int
        Points along each side of a cell.
    lat : ndarray, shape (rows,)
        Latitudes of the centres (degrees); points weigh by their cosine, as areas do.
    resolution : float
        Of the cells (degrees).
    method : {"average", "mode"}

    Returns
    -------
    ndarray, shape (rows, columns)

    Examples
    --------
    >>> points = np.array([[1.0, 1.0, np.nan, 4.0], [2.0, 2.0, np.nan, np.nan]])
    >>> over_cells(points, 2, np.array([0.0]), 1.0, "average"), over_cells(points, 2, np.array([0.0]), 1.0, "mode")
    (array([[1.5, 4. ]]), array([[1., 4.]]))
    """
    within = resolution * (0.5 - (np.arange(fineness) + 0.5) / fineness)
    weights = np.cos(np.radians(lat[:, None] + within))
    boxes = points.reshape(lat.size, fineness, -1, fineness)
    if method == "average":
        valid = np.isfinite(boxes)
        areas = np.einsum("ij,ijkl->ik", weights, valid.astype(np.float64))
        sums = np.einsum("ij,ijkl->ik", weights, np.where(valid, boxes, 0.0))
        return np.asarray(np.divide(sums, areas, out=np.full(areas.shape, np.nan), where=areas > 0))
    best, largest = np.full((2, lat.size, boxes.shape[2]), np.nan)
    for code in np.unique(points[np.isfinite(points)]):
        own = np.einsum("ij,ijkl->ik", weights, (boxes == code).astype(np.float64))
        # Areas that are equal but for rounding are a tie, which the smaller number wins.
        wins = (own > 0) & ~(own <= largest * (1 + 1e-9))
        best, largest = np.where(wins, code, best), np.where(wins, own, largest)
    return best


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
