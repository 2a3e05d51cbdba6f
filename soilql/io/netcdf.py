"""NetCDF and Zarr: finds the axes under whatever names they have, and reads variables window by window."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from soilql.errors import Diagnostic, Severity, SoilqlError, Span, did_you_mean
from soilql.io.axes import Axis, latitude_axis, longitude_axis
from soilql.io.geotiff import geographic, projected
from soilql.io.layers import Array, Layer, Opened, Range, unreadable
from soilql.io.times import time_labels
from soilql.values import Note

if TYPE_CHECKING:
    import xarray as xr

_NORTH = re.compile(r"degrees?_?(north|n)", re.IGNORECASE)
_EAST = re.compile(r"degrees?_?(east|e)", re.IGNORECASE)
_NAMES = {"lat": ("lat", "latitude", "nav_lat"), "lon": ("lon", "longitude", "long", "nav_lon")}
_TIMES = ("time", "year", "years", "month", "date")
_MEMBERS = ("member", "ensemble", "realization", "realisation", "member_id")
# What libraries leave in floating point cells that were never written.
_NEVER_WRITTEN = {4: float(np.float32(9.969209968386869e36)), 8: 9.969209968386869e36}


@dataclass(frozen=True)
class Names:
    """What the axes of a file are called; None is found out.

    Attributes
    ----------
    lat, lon, time : str or None
        Dimension or variable with the labels.
    """

    lat: str | None = None
    lon: str | None = None
    time: str | None = None


@dataclass(frozen=True)
class _Frame:
    """The axes that the variables of a file share."""

    lat: Axis
    lon: Axis
    lat_dim: str
    lon_dim: str
    crs: str


@dataclass(frozen=True, eq=False)
class ReadVariable:
    """Reads windows of a variable, as stored, in the order ``(leading,) lat, lon``.

    Attributes
    ----------
    variable : xarray.Variable
        Lazily indexed; its backend keeps the locks that the HDF5 library needs.
    order : tuple of str
        Dimensions wanted; those of size one that are left out are dropped.
    """

    variable: Any
    order: tuple[str, ...]
    path: Path
    span: Span | None = None

    def __call__(self, times: Range | None, rows: Range, columns: Range) -> Array:
        ranges = ([] if times is None else [times]) + [rows, columns]
        index: dict[str, Any] = {dim: slice(*r) for dim, r in zip(self.order, ranges, strict=True)}
        index |= {dim: 0 for dim in self.variable.dims if dim not in self.order}
        try:
            return np.asarray(self.variable.isel(index).transpose(*self.order).values)
        except (RuntimeError, OSError, ValueError, IndexError, KeyError, MemoryError) as error:
            raise unreadable(self.path, error, self.span) from None


def open_netcdf(
    path: Path, format: str, names: Names | None = None, crs: str | None = None, span: Span | None = None
) -> Opened:
    """Return the gridded variables of a NetCDF file or Zarr store without reading them.

    Parameters
    ----------
    path : Path
    format : {"netcdf", "zarr"}
    names : Names, optional
        What the axes are called.
    crs : str, optional
        Coordinate reference system, where the file has none.
    span : Span, optional
        Where the spec names the file.

    Raises
    ------
    SoilqlError
        SQ702 for a file that cannot be read, SQ704 for axes that are not there, SQ705 for a file that does not say that
        its axes are degrees, SQ722 for projected and SQ723 for curvilinear grids.
    """
    names = names or Names()
    data = _open(path, format, span)
    frame = _frame(data, names, crs, path, span)
    layers: list[Layer] = []
    notes: list[Note] = []
    for position, (name, variable) in enumerate(data.variables.items(), start=1):
        if not {frame.lat_dim, frame.lon_dim} <= set(variable.dims) or variable.dtype.kind not in "biuf":
            continue
        extra = [d for d in variable.dims if d not in (frame.lat_dim, frame.lon_dim) and variable.sizes[d] > 1]
        kinds = [_leading(str(dim), data, names) for dim in extra]
        if len(extra) > 1 or None in kinds:
            shown = ", ".join(f"{dim} ({variable.sizes[dim]})" for dim in extra)
            message = f"`{name}` of `{path.name}` left out: soilql has no dimension for {shown}"
            notes.append(Note("SQ727", message, Severity.INFO))
            continue
        dim = (extra[0], kinds[0]) if extra else None
        layers.append(_layer(data, str(name), position, frame, dim, names, path, span))
    if not layers:
        message = f"`{path.name}` has no variable over {frame.lat_dim} and {frame.lon_dim}"
        raise SoilqlError(Diagnostic("SQ704", message, span, help="; ".join(note.message for note in notes)))
    return Opened(tuple(layers), tuple(notes))


def _open(path: Path, format: str, span: Span | None) -> xr.Dataset:
    import xarray as xr

    engine: Any = "zarr" if format == "zarr" else "netcdf4"
    settings: dict[str, Any] = {"consolidated": None} if engine == "zarr" else {}
    try:
        return xr.open_dataset(
            path, engine=engine, mask_and_scale=False, decode_times=False, decode_coords=False, cache=False, **settings
        )
    except Exception as error:  # the backends raise whatever their libraries do
        raise unreadable(path, error, span) from None


def _layer(
    data: xr.Dataset,
    name: str,
    position: int,
    frame: _Frame,
    leading: tuple[Any, str | None] | None,
    names: Names,
    path: Path,
    span: Span | None,
) -> Layer:
    variable = data.variables[name]
    attributes = variable.attrs
    order = (frame.lat_dim, frame.lon_dim) if leading is None else (str(leading[0]), frame.lat_dim, frame.lon_dim)
    steps = None if leading is None else time_labels(data, str(leading[0]), path, span)
    single = [str(d) for d in variable.dims if d not in order and _leading(str(d), data, names) == "time"]
    label = time_labels(data, single[0], path, span)[0] if leading is None and single else None
    chunks = variable.encoding.get("preferred_chunks") or {}
    return Layer(
        name,
        path,
        frame.lat,
        frame.lon,
        ReadVariable(variable, order, path, span),
        variable.dtype,
        unit=str(attributes["units"]).strip() or None if "units" in attributes else None,
        band=position,
        missing=_missing(attributes, variable.dtype),
        scale=_decimal(attributes.get("scale_factor", 1.0)),
        offset=_decimal(attributes.get("add_offset", 0.0)),
        leading=None if leading is None else leading[1],
        steps=steps,
        block=(int(chunks.get(frame.lat_dim, 1)), int(chunks.get(frame.lon_dim, 1))),
        crs=frame.crs,
        label=label,
    )


def _missing(attributes: Mapping[str, Any], dtype: np.dtype[Any]) -> tuple[float, ...]:
    """Return the stored values that mean no value; NaN needs no code."""
    codes: list[float] = []
    for key in ("_FillValue", "missing_value"):
        for code in np.atleast_1d(attributes.get(key, [])):
            try:
                codes.append(float(code))
            except (TypeError, ValueError):
                continue  # some files have a text there, which no number equals
    if dtype.kind == "f" and "_FillValue" not in attributes and dtype.itemsize in _NEVER_WRITTEN:
        codes.append(_NEVER_WRITTEN[dtype.itemsize])
    return tuple(code for code in dict.fromkeys(codes) if not np.isnan(code))


def _decimal(value: Any) -> float:
    """Return the number that a packing factor in single precision was rounded from: 1e-4 and not 9.99999975e-05."""
    factor = np.asarray(value).ravel()[0]
    return float(str(factor)) if factor.dtype == np.float32 else float(factor)


def _leading(dim: str, data: xr.Dataset, names: Names) -> str | None:
    """Return what a further dimension is: time, member or None for neither."""
    if dim.lower() in _MEMBERS:
        return "member"
    attributes = data.variables[dim].attrs if dim in data.variables else {}
    is_time = (
        dim == names.time
        or dim.lower() in _TIMES
        or attributes.get("standard_name") == "time"
        or attributes.get("axis") == "T"
        or " since " in str(attributes.get("units", ""))
    )
    return "time" if is_time else None


def _frame(data: xr.Dataset, names: Names, crs: str | None, path: Path, span: Span | None) -> _Frame:
    described = _find_axes(data, "lat", _NORTH), _find_axes(data, "lon", _EAST)
    lat_name = names.lat or next(iter(described[0]), None)
    lon_name = names.lon or next(iter(described[1]), None)
    _refuse_projection(data, path, span)
    if lat_name is None or lon_name is None:
        what = "latitude" if lat_name is None else "longitude"
        message = f"`{path.name}` has no axis that is named or described as {what}"
        dims = ", ".join(str(dim) for dim in data.sizes)
        help = f"say which it is: `dims: {{lat: ..., lon: ...}}`; its dimensions are {dims}"
        raise SoilqlError(Diagnostic("SQ705", message, span, help=help))
    lat_label, lat_values, lat_dim = _labels(data, lat_name, "lat", path, span)
    lon_label, lon_values, lon_dim = _labels(data, lon_name, "lon", path, span)
    in_degrees = lat_label in described[0] and lon_label in described[1]
    found = "EPSG:4326" if in_degrees and crs is None else geographic(crs, path, span)
    lat = latitude_axis(lat_values, path.name, span)
    lon = longitude_axis(lon_values, path.name, span)
    return _Frame(lat, lon, lat_dim, lon_dim, found)


def _find_axes(data: xr.Dataset, which: str, unit: re.Pattern[str]) -> list[str]:
    """Return the variables that are described or named as labels of an axis, the likeliest first."""
    standard = "latitude" if which == "lat" else "longitude"
    flat = {str(name): variable for name, variable in data.variables.items() if variable.ndim <= 2}

    def described(attributes: Mapping[Any, Any]) -> bool:
        return attributes.get("standard_name") == standard or bool(unit.fullmatch(str(attributes.get("units", ""))))

    found = [name for name, variable in flat.items() if described(variable.attrs) and variable.ndim]
    found.sort(key=lambda name: flat[name].ndim)
    named = [name for name in flat if name.lower() in _NAMES[which] and flat[name].ndim]
    return list(dict.fromkeys([*found, *named]))


def _labels(data: xr.Dataset, name: str, which: str, path: Path, span: Span | None) -> tuple[str, Array, str]:
    """Return the variable that labels an axis, given by itself or by its dimension, its values and its dimension."""
    variable = data.variables.get(name)
    if variable is None and name in data.sizes:
        # A dimension without labels of its own: another variable may hold them.
        holders = [str(k) for k, v in data.variables.items() if v.dims == (name,) and str(k).lower() in _NAMES[which]]
        name = holders[0] if holders else name
        variable = data.variables.get(name)
    if variable is None:
        help = did_you_mean(name, map(str, data.variables)) or f"it has {', '.join(map(str, data.variables))}"
        message = f"`{path.name}` has no labels for `{name}`"
        raise SoilqlError(Diagnostic("SQ704", message, span, help=help))
    if variable.ndim != 1:
        message = f"`{name}` of `{path.name}` has {variable.ndim} dimensions: the grid is curvilinear"
        help = "regrid it to rows of one latitude first, such as with `cdo remapbil`"
        raise SoilqlError(Diagnostic("SQ723", message, span, help=help))
    try:
        values = np.asarray(variable.values, dtype=np.float64)
    except (RuntimeError, OSError) as error:
        raise unreadable(path, error, span) from None
    return name, values, str(variable.dims[0])


def _refuse_projection(data: xr.Dataset, path: Path, span: Span | None) -> None:
    for variable in data.variables.values():
        mapping = data.variables.get(variable.attrs.get("grid_mapping", ""))
        name = "" if mapping is None else str(mapping.attrs.get("grid_mapping_name", "latitude_longitude"))
        if name and name != "latitude_longitude":
            raise projected(path, name, span)
