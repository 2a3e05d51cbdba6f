"""Files of any gridded format opened, and their layers checked against each other and assembled lazily in blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import xarray as xr

from soilql.errors import Diagnostic, SoilqlError, Span
from soilql.expr.evaluate import evaluate
from soilql.expr.parse import Expression
from soilql.io.axes import same_axis
from soilql.io.geotiff import Target, open_raster
from soilql.io.layers import Layer, Opened, block_shape, unreadable
from soilql.io.lazy import LazyValues
from soilql.io.netcdf import Names, open_netcdf
from soilql.io.times import label_text

# dask carries no types of its own.
da: Any = dask.array

_AXES = ("lat", "lon", "time", "member")
# No name that a spec can give.
_MASK = "?"

_SUFFIXES = {
    **dict.fromkeys((".tif", ".tiff", ".asc", ".vrt", ".img", ".bil", ".gtiff"), "geotiff"),
    **dict.fromkeys((".nc", ".nc4", ".cdf", ".h5", ".hdf5"), "netcdf"),
    ".zarr": "zarr",
}
_HDF4 = b"\x0e\x03\x13\x01"
_MAGIC = ((b"CDF", "netcdf"), (b"\x89HDF", "netcdf"), (b"II", "geotiff"), (b"MM", "geotiff"), (_HDF4, "geotiff"))


@dataclass(frozen=True)
class Pick:
    """A layer as a variable of the grid.

    Attributes
    ----------
    name : str
        Of the variable.
    layer : Layer
    unit : str or None
        Of the variable.
    scale, offset : float
        From the layer's values to those of the variable, conversion of units included.
    missing : tuple of float
        Stored values that mean no value, besides the file's own.
    categorical : bool
        Whether the numbers stand for classes.
    span : Span or None
        Where the spec asks for it.
    valid : (float, float) or None
        Least and greatest stored value that is one.
    """

    name: str
    layer: Layer
    unit: str | None = None
    scale: float = 1.0
    offset: float = 0.0
    missing: tuple[float, ...] = ()
    categorical: bool = False
    span: Span | None = None
    valid: tuple[float, float] | None = None


@dataclass(frozen=True)
class Opening:
    """How gridded files are opened, where they do not say so themselves.

    Attributes
    ----------
    format : {"geotiff", "netcdf", "zarr", "ascii"} or None
        By default found out.
    names : Names or None
        What the axes of a NetCDF or Zarr are called.
    crs : str or None
        Where the file has none.
    bounds : sequence of float or None
        West, south, east and north edge of a raster that does not say where it lies.
    target : Target or None
        How rasters in a projection are brought to longitude and latitude.
    bands_are_times : bool
        Whether the bands of a raster are the steps of one series.
    """

    format: str | None = None
    names: Names | None = None
    crs: str | None = None
    bounds: Sequence[float] | None = None
    target: Target | None = None
    bands_are_times: bool = False


def guess_format(path: Path, span: Span | None = None) -> str:
    """Return the format of a gridded file, by its name, else by its first bytes.

    Raises
    ------
    SoilqlError
        SQ702 for a file that is none of the formats, or missing.
    """
    if path.is_dir():
        return "zarr"
    found = _SUFFIXES.get(path.suffix.lower())
    if found is not None:
        return found
    head = _head(path, span)
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    message = f"`{path.name}` is no GeoTIFF, NetCDF, Zarr or Esri ASCII grid by its name and first bytes"
    raise SoilqlError(Diagnostic("SQ702", message, span, help="say what it is: `format: netcdf`"))


def open_grid(path: Path, how: Opening | None = None, span: Span | None = None) -> Opened:
    """Return the layers of a gridded file of any supported format, without reading their data.

    Parameters
    ----------
    path : Path
    how : Opening, optional
    span : Span, optional
        Where the spec names the file.

    Raises
    ------
    SoilqlError
        As :func:`open_raster` and :func:`open_netcdf`; SQ701 for a file that is missing, SQ702 for a gzipped one or one
        that this installation cannot read.
    """
    how = how or Opening()
    if not path.exists():
        raise SoilqlError(Diagnostic("SQ701", f"no file `{path.name}`", span, help=f"looked for {path}"))
    if path.suffix == ".gz":
        message = f"`{path.name}` is gzipped, and windows of it cannot be read"
        raise SoilqlError(Diagnostic("SQ702", message, span, help=f"unpack it first: gunzip {path.name}"))
    chosen = how.format or guess_format(path, span)
    if chosen in ("netcdf", "zarr"):
        return open_netcdf(path, chosen, how.names, how.crs, span)
    _refuse_hdf4(path, span)
    return open_raster(path, how.crs, how.bounds, span, how.target, how.bands_are_times)


def _head(path: Path, span: Span | None) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(4)
    except OSError as error:
        raise unreadable(path, error, span) from None


def _refuse_hdf4(path: Path, span: Span | None) -> None:
    """Refuse HDF4, in which NASA's archives hold MODIS, where GDAL comes without it, as in its wheels."""
    import rasterio

    if path.is_dir() or _head(path, span) != _HDF4:
        return
    gdal: Any = rasterio.Env
    with gdal() as env:
        if "HDF4" in env.drivers() or "HDF4Image" in env.drivers():
            return
    message = f"`{path.name}` is HDF4, which the GDAL of this installation cannot read"
    help = (
        "order it as GeoTIFF or NetCDF from AppEEARS (https://appeears.earthdatacloud.nasa.gov), or convert it where "
    )
    help += "GDAL has HDF4: gdalinfo lists its layers, `gdal_translate 'HDF4_EOS:EOS_GRID:...' out.tif` takes one out"
    raise SoilqlError(Diagnostic("SQ702", message, span, help=help))


def require_same_grid(layers: Sequence[Layer], span: Span | None = None) -> None:
    """Make sure that layers share one grid, its reference system and its times.

    Raises
    ------
    SoilqlError
        SQ708 that says which two differ, and in what.
    """
    first = layers[0]
    steps: dict[str, Layer] = {}
    for layer in layers:
        difference = _difference(first, layer)
        if layer.leading is not None and layer.steps is not None:
            timed = steps.setdefault(layer.leading, layer)
            assert timed.steps is not None
            if not np.array_equal(timed.steps, layer.steps):
                first, difference = timed, f"different labels of `{layer.leading}`{_lacking(timed, layer)}"
        if difference:
            message = (
                f"`{first.name}` of `{first.path.name}` and `{layer.name}` of `{layer.path.name}` have {difference}"
            )
            help = "read them as two grids, and bring one to the other with `kind: resample`"
            raise SoilqlError(Diagnostic("SQ708", message, span, help=help))


def _lacking(a: Layer, b: Layer) -> str:
    """Return the first step that one of two series has and the other has not, in words."""
    for has, lacks in ((a, b), (b, a)):
        assert has.steps is not None and lacks.steps is not None
        odd = has.steps[~np.isin(has.steps, lacks.steps)] if has.steps.dtype == lacks.steps.dtype else has.steps
        if odd.size:
            more = f" and {odd.size - 1} more" if odd.size > 1 else ""
            return f": `{lacks.name}` has none for {label_text(odd[0], has.calendar)}{more}"
    return ""


def _difference(a: Layer, b: Layer) -> str:
    if a.crs != b.crs:
        return f"different reference systems, {a.crs} and {b.crs}"
    for what, one, other in (("latitudes", a.lat, b.lat), ("longitudes", a.lon, b.lon)):
        if one.centres.size != other.centres.size:
            return f"{one.centres.size} and {other.centres.size} {what}"
        if not same_axis(one.centres, other.centres):
            ranges = [f"{axis.centres[0]:g} to {axis.centres[-1]:g}" for axis in (one, other)]
            return f"different {what}: {' and '.join(ranges)}"
    return ""


def assemble(picks: Sequence[Pick], budget: int, derived: int = 0) -> xr.Dataset:
    """Return a dataset of lazy variables in the project's order.

    Parameters
    ----------
    picks : sequence of Pick
        On one grid.
    budget : int
        Bytes that a block of all variables may take.
    derived : int
        Number of further variables that will be computed from these.

    Returns
    -------
    xarray.Dataset
        float64 variables with dims ``(time or member,) lat, lon``; all of them in the same blocks.

    Raises
    ------
    SoilqlError
        SQ710 for a variable with the name of an axis.
    """
    odd = next((pick for pick in picks if pick.name in _AXES), None)
    if odd is not None:
        message = f"a variable cannot be called `{odd.name}`, which is an axis of grids"
        help = f"give it another name under `variables`: {{{odd.name}_value: {odd.name}}}"
        raise SoilqlError(Diagnostic("SQ710", message, odd.span, help=help))
    first = picks[0].layer
    rows, columns = first.lat.centres.size, first.lon.centres.size
    steps = [1 if pick.layer.steps is None else pick.layer.steps.size for pick in picks]
    per_cell = 8 * (sum(steps) + derived * max(steps))
    stored = max(pick.layer.block[0] for pick in picks), max(pick.layer.block[1] for pick in picks)
    block = block_shape(rows, columns, per_cell, budget, stored)
    variables = {}
    coordinates: dict[str, Any] = {"lat": first.lat.centres, "lon": first.lon.centres}
    for pick in picks:
        layer = pick.layer
        chunks: tuple[Any, ...] = block
        dims: tuple[str, ...] = ("lat", "lon")
        if layer.leading is not None and layer.steps is not None:
            attributes = {"step": layer.calendar} if layer.calendar and layer.leading == "time" else {}
            coordinates[layer.leading] = (layer.leading, layer.steps, attributes)
            dims, chunks = (layer.leading, *dims), (-1, *chunks)
        values = LazyValues(layer, pick.missing, pick.scale, pick.offset, _token(pick), pick.valid, pick.categorical)
        array = da.from_array(values, chunks=chunks, asarray=False, fancy=False, meta=np.empty((0,) * len(dims)))
        variables[pick.name] = (dims, array, _attributes(pick.unit, pick.categorical))
    return xr.Dataset(variables, coords=coordinates)


def _attributes(unit: str | None, categorical: bool) -> dict[str, Any]:
    attributes: dict[str, Any] = {} if unit is None else {"units": unit}
    return attributes | ({"categorical": 1} if categorical else {})


def _token(pick: Pick) -> tuple[Any, ...]:
    """Return what a lazy variable depends on, the state of its files included."""
    layer = pick.layer
    axes = tuple(float(x) for axis in (layer.lat, layer.lon) for x in (axis.centres[0], axis.centres[-1]))
    parts = tuple((p.step, p.row, p.column, p.first, p.count) for p in layer.parts)
    leaves = tuple(_leaf_token(leaf) for leaf in layer.leaves)
    return ("soilql.io", leaves, axes, parts, pick.missing, pick.scale, pick.offset, pick.valid, pick.categorical)


def _leaf_token(layer: Layer) -> tuple[Any, ...]:
    stat = layer.path.stat()
    file = (str(layer.path.resolve()), stat.st_mtime_ns, stat.st_size, layer.band, layer.name, layer.missing)
    flags = tuple((flag.first, flag.last, flag.values) for flag in layer.flags)
    warp = () if layer.warp is None else (repr(layer.warp.place), layer.lat.centres.size, repr(layer.warp))
    return (*file, layer.scale, layer.offset, flags, warp)


def with_derived(data: xr.Dataset, derived: Mapping[str, tuple[Expression, str | None]]) -> xr.Dataset:
    """Return a dataset with variables computed from others, lazily and in order.

    Parameters
    ----------
    data : xarray.Dataset
    derived : mapping of str to (Expression, str or None)
        Expression and unit of each new variable; ``lat`` and ``lon`` are the coordinates of the cells (degrees).

    Returns
    -------
    xarray.Dataset
        Conditions become 1 and 0.
    """
    result = data.copy()
    for name, (expression, unit) in derived.items():
        env: dict[str, Any] = {str(key): variable.data for key, variable in result.data_vars.items()}
        some = next(iter(result.data_vars.values()))
        rows, columns = some.data.chunks[-2:]
        env.setdefault("lat", da.from_array(result["lat"].values[:, None], chunks=(rows, 1)))
        env.setdefault("lon", da.from_array(result["lon"].values[None, :], chunks=(1, columns)))
        values = evaluate(expression, env)
        shape = (result.sizes["lat"], result.sizes["lon"])
        dims: tuple[Any, ...] = ("lat", "lon")
        if getattr(values, "ndim", 0) == 3:
            dims = next(v.dims for v in result.data_vars.values() if v.ndim == 3)
        else:
            values = da.broadcast_to(da.asarray(values), shape, chunks=(rows, columns))
        if values.dtype == object:
            message = f"`{name}` is a text; grids hold numbers"
            raise SoilqlError(Diagnostic("SQ112", message, expression.span(expression.root)))
        attributes = {} if unit is None else {"units": unit}
        result = result.assign({name: (dims, values.astype(np.float64), attributes)})
    return result


def where(data: xr.Dataset, condition: Expression) -> xr.Dataset:
    """Return a dataset whose variables are missing in the cells that do not meet a condition.

    Parameters
    ----------
    data : xarray.Dataset
    condition : Expression
        Over its variables, ``lat`` and ``lon``; cells where a variable in it is missing do not meet it.
    """
    kept = with_derived(data, {_MASK: (condition, None)})[_MASK]
    steps = [name for name in kept.dims if name not in ("lat", "lon")]
    result = {}
    for name, variable in data.data_vars.items():
        # A condition that changes with time leaves a map without time alone, unless it fails at all times.
        mask = kept if set(steps) <= set(variable.dims) else kept.max(steps)
        result[name] = variable.where(mask == 1).transpose(*variable.dims).assign_attrs(variable.attrs)
    return data.assign(result)
