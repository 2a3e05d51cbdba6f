"""GeoTIFF, Esri ASCII grids and whatever else GDAL reads as rasters, band by band and window by window."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from soilql.errors import Diagnostic, SoilqlError, Span
from soilql.io.axes import Axis, latitude_axis, longitude_axis
from soilql.io.layers import Array, Layer, Opened, Range, unreadable
from soilql.io.warp import Method, Reprojection, points_of, target_axes

# `catch_warnings` changes the filters of the whole process, so that one thread at a time may open a file.
_OPENING = threading.Lock()


@contextmanager
def _opened(path: Path, span: Span | None) -> Iterator[Any]:
    """Open a raster for this thread alone; GDAL's errors come out as ours."""
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    try:
        with _OPENING, warnings.catch_warnings():
            # What that means here is said by `open_raster`.
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            raster = rasterio.open(path, sharing=False)
        with raster:
            yield raster
    except (RasterioError, OSError, ValueError, MemoryError) as error:
        raise unreadable(path, error.__cause__ or error, span) from None


@dataclass(frozen=True)
class ReadBand:
    """Reads windows of a band, with a handle of its own at each call, so that threads do not meet."""

    path: Path
    band: int
    span: Span | None = None

    def __call__(self, times: Range | None, rows: Range, columns: Range) -> Array:
        with _opened(self.path, self.span) as raster:
            return np.asarray(raster.read(self.band, window=(rows, columns)))


@dataclass(frozen=True)
class ReadBands:
    """Reads windows of all bands, which are the steps of a series."""

    path: Path
    span: Span | None = None

    def __call__(self, times: Range | None, rows: Range, columns: Range) -> Array:
        assert times is not None
        with _opened(self.path, self.span) as raster:
            return np.asarray(raster.read(list(range(times[0] + 1, times[1] + 1)), window=(rows, columns)))


@dataclass(frozen=True)
class Target:
    """How rasters in a projection are brought to longitude and latitude.

    Attributes
    ----------
    resolution : float
        Of the cells (degrees).
    method : {"nearest", "bilinear", "average", "mode"}
    """

    resolution: float
    method: Method = "nearest"


def open_raster(
    path: Path,
    crs: str | None = None,
    bounds: Sequence[float] | None = None,
    span: Span | None = None,
    target: Target | None = None,
    bands_are_times: bool = False,
) -> Opened:
    """Return the bands of a raster without reading them.

    Parameters
    ----------
    path : Path
    crs : str, optional
        Coordinate reference system, where the file has none.
    bounds : sequence of float, optional
        West, south, east and north edge in degrees, where the file does not say.
    span : Span, optional
        Where the spec names the file.
    target : Target, optional
        How a raster in a projection is read; without it such a raster is refused.
    bands_are_times : bool
        Whether the bands are the steps of one series: one layer, whose labels are the descriptions of the bands.

    Returns
    -------
    Opened

    Raises
    ------
    SoilqlError
        SQ702 for a file that cannot be read, SQ705 where it is not said where it lies, SQ722 for projected or rotated
        grids, SQ723 for impossible axes.
    """
    with _opened(path, span) as raster:
        _refuse_packed(raster, path, span)
        if target is not None and raster.crs is not None and raster.crs.is_projected:
            lat_lon, warp = _reprojected(raster, target, path, span)
            axes = latitude_axis(lat_lon[0], path.name, span), longitude_axis(lat_lon[1], path.name, span)
            found = "EPSG:4326"
        else:
            found, warp = _geographic_crs(raster, crs, path, span), None
            lat, lon = _centres(raster, bounds, path, span)
            axes = latitude_axis(lat, path.name, span), longitude_axis(lon, path.name, span)
        if bands_are_times:
            return Opened((_series(raster, path, axes, found, warp, span),))
        return Opened(tuple(_band(raster, i, path, axes, found, warp, span) for i in range(raster.count)))


def _band(
    raster: Any, i: int, path: Path, axes: tuple[Axis, Axis], crs: str, warp: Reprojection | None, span: Span | None
) -> Layer:
    tag = raster.nodatavals[i]
    default = path.stem if raster.count == 1 else f"{path.stem}_{i + 1}"
    return Layer(
        raster.descriptions[i] or default,
        path,
        *axes,
        ReadBand(path, i + 1, span),
        np.dtype(raster.dtypes[i]),
        unit=raster.units[i] or None,
        band=i + 1,
        missing=() if tag is None or np.isnan(tag) else (float(tag),),
        scale=float(raster.scales[i]),
        offset=float(raster.offsets[i]),
        block=(1, 1) if warp else (int(raster.block_shapes[i][0]), int(raster.block_shapes[i][1])),
        crs=crs,
        warp=warp,
    )


def _series(
    raster: Any, path: Path, axes: tuple[Axis, Axis], crs: str, warp: Reprojection | None, span: Span | None
) -> Layer:
    """Return the bands as one layer over time; bands that are packed differently cannot be one."""
    first = _band(raster, 0, path, axes, crs, warp, span)
    for i in range(1, raster.count):
        other = _band(raster, i, path, axes, crs, warp, span)
        if (other.dtype, other.missing, other.scale, other.offset) != (
            first.dtype, first.missing, first.scale, first.offset,
        ):  # fmt: skip
            message = f"bands 1 and {i + 1} of `{path.name}` differ in type, scale or code for missing values"
            raise SoilqlError(Diagnostic("SQ708", message, span, help="they cannot be steps of one series"))
    named = [str(text or "") for text in raster.descriptions]
    labels = np.array(named, dtype=object) if all(named) else np.arange(raster.count)
    return replace(first, name=path.stem, read=ReadBands(path, span), leading="time", steps=labels)


def _refuse_packed(raster: Any, path: Path, span: Span | None) -> None:
    """Refuse a file that only holds others, such as the grids of an HDF-EOS file."""
    if raster.count:
        return
    inside = [str(name).rpartition(":")[2] for name in raster.subdatasets]
    message = f"`{path.name}` has no band of its own" + (f", but holds {', '.join(inside[:8])}" if inside else "")
    help = f"take one out: gdal_translate '{raster.subdatasets[0]}' out.tif" if inside else "is it a raster?"
    raise SoilqlError(Diagnostic("SQ702", message, span, help=help))


def _reprojected(
    raster: Any, target: Target, path: Path, span: Span | None
) -> tuple[tuple[Array, Array], Reprojection]:
    place = (raster.crs.to_wkt(), raster.transform, raster.height, raster.width)
    centres = target_axes(*place, target.resolution)
    if not centres[0].size:
        message = f"no cell of `{path.name}` lies on the globe"
        raise SoilqlError(Diagnostic("SQ705", message, span, help="leave the file out, or mend its georeference"))
    points = points_of(raster.crs.to_wkt(), raster.transform, target.resolution)
    return centres, Reprojection(*place, centres, target.resolution, target.method, points)


def _geographic_crs(raster: Any, given: str | None, path: Path, span: Span | None) -> str:
    if raster.crs is None:
        return geographic(given, path, span)
    if raster.crs.is_projected or not raster.crs.is_geographic:
        raise projected(path, str(raster.crs.to_string())[:60], span)
    code = raster.crs.to_epsg()
    return f"EPSG:{code}" if code else str(raster.crs.to_wkt())


def geographic(given: str | None, path: Path, span: Span | None) -> str:
    """Return the coordinate reference system that the spec gives for a file without one.

    Raises
    ------
    SoilqlError
        SQ705 for none, SQ722 for a projected or unknown one.
    """
    if given is None:
        message = f"`{path.name}` does not say its coordinate reference system"
        help = "if its axes are degrees of longitude and latitude, add `crs: EPSG:4326`"
        raise SoilqlError(Diagnostic("SQ705", message, span, help=help))
    if given.upper() in ("EPSG:4326", "WGS84", "OGC:CRS84"):
        return "EPSG:4326"
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    try:
        parsed = CRS.from_user_input(given)
    except CRSError:
        message = f"`{given}` is no coordinate reference system"
        raise SoilqlError(Diagnostic("SQ722", message, span, help="such as `EPSG:4326`")) from None
    if not parsed.is_geographic:
        raise projected(path, given, span)
    return given


def projected(path: Path, crs: str, span: Span | None) -> SoilqlError:
    """Return the error for a grid whose axes are not degrees."""
    message = f"`{path.name}` is in the projection {crs}; grids have axes of longitude and latitude"
    help = "say how a raster is brought there: `reproject: {resolution: 0.05, method: average}`, or do it first: "
    help += f"gdalwarp -t_srs EPSG:4326 {path.name} out.tif"
    return SoilqlError(Diagnostic("SQ722", message, span, help=help))


def _centres(raster: Any, bounds: Sequence[float] | None, path: Path, span: Span | None) -> tuple[Array, Array]:
    """Return the latitudes of the rows and the longitudes of the columns."""
    rows, columns = np.arange(raster.height) + 0.5, np.arange(raster.width) + 0.5
    place = raster.transform
    if place.is_identity:
        if bounds is None:
            message = f"`{path.name}` does not say where on the globe it lies"
            help = "add its edges in degrees: `bounds: [west, south, east, north]`, such as [-180, -90, 180, 90]"
            raise SoilqlError(Diagnostic("SQ705", message, span, help=help))
        west, south, east, north = bounds
        return north + rows * (south - north) / raster.height, west + columns * (east - west) / raster.width
    if place.b or place.d:
        message = f"the rows of `{path.name}` are rotated against the parallels"
        help = "warp it first, such as with `gdalwarp -t_srs EPSG:4326`"
        raise SoilqlError(Diagnostic("SQ722", message, span, help=help))
    return place.f + rows * place.e, place.c + columns * place.a
