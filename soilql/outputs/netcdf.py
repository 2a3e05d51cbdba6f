"""Maps as one compressed CF-1.10 NetCDF file: UDUNITS, cell bounds, grid mapping, the same bytes each time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from soilql.gridding import edges
from soilql.outputs.files import refusals, replacing
from soilql.outputs.windows import Window, tile
from soilql.units import UnitError, parse_unit
from soilql.values import Grid

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr

#: Level of zlib, which every reader of NetCDF has; higher levels save a tenth of the size at twice the time.
COMPRESSION = 2

Put: TypeAlias = "Callable[[Window, Mapping[str, np.ndarray[Any, Any]]], None]"

# UDUNITS reads `d` and `h` as we do, but the longer names are those of the CF standard-name table.
_NAMES = {
    "degC": "degree_Celsius", "d": "day", "yr": "year", "h": "hour", "ha": "hectare", "deg": "degree", "t": "tonne",
    "%": "percent", "rad": "radian", "L": "litre",
}  # fmt: skip
_AXES = (("lat", "latitude", "degrees_north", "Y"), ("lon", "longitude", "degrees_east", "X"))
_MULTIPLES = {"decade": (10, "yr"), "century": (100, "yr"), "‰": (1e-3, ""), "ppm": (1e-6, ""), "ppb": (1e-9, "")}


def cf_unit(text: str) -> str:
    """Return a unit as UDUNITS and the CF conventions write it: no substances, `year` for `yr`.

    Parameters
    ----------
    text : str
        A unit in the notation of :mod:`soilql.units`; a text that is none is returned as it is.

    Examples
    --------
    >>> cf_unit("g C m-2 yr-1"), cf_unit("umol CO2 m-2 s-1"), cf_unit("degC"), cf_unit("g C m-2 decade-1"), cf_unit("1")
    ('g m-2 year-1', 'umol m-2 s-1', 'degree_Celsius', '0.1 g m-2 year-1', '1')
    """
    try:
        unit = parse_unit(text)
    except UnitError:
        return text
    number, powers = float(unit.number), dict[str, int]()
    for factor in unit.factors:
        multiple, symbol = _MULTIPLES.get(factor.symbol, (1, factor.symbol))
        number *= multiple ** float(factor.exponent)
        if factor.exponent.denominator != 1:
            return text
        if symbol:
            name = _NAMES.get(symbol, symbol)
            powers[name] = powers.get(name, 0) + factor.exponent.numerator
    words = [name + ("" if power == 1 else str(power)) for name, power in powers.items() if power]
    head = [] if number == 1 else [f"{number:.15g}"]
    return " ".join([*head, *words]) or "1"


@contextmanager
def writer(grid: Grid, path: Path, provenance: Mapping[str, str]) -> Iterator[Put]:
    """Open a NetCDF file with every variable of a grid, members included, to be filled window by window.

    Parameters
    ----------
    grid : Grid
        What to write; numbers keep their precision.
    path : Path
        The file.
    provenance : mapping of str to str
        Global attributes, beside ``Conventions``.

    Yields
    ------
    callable
        ``put(window, blocks)``.

    Raises
    ------
    SoilqlError
        The file cannot be written (SQ901).
    """
    import netCDF4

    # The library says `HDF error`, a RuntimeError, for every refusal of the disk.
    with replacing(path) as partial:
        with refusals(path, RuntimeError):
            file = netCDF4.Dataset(partial, "w", format="NETCDF4")
        try:
            _describe(file, grid, provenance)

            def put(window: Window, blocks: Mapping[str, np.ndarray[Any, Any]]) -> None:
                with refusals(path, RuntimeError):
                    for name, block in blocks.items():
                        _put(file[name], window, block)

            yield put
        finally:
            with refusals(path, RuntimeError):
                file.close()


def _put(variable: Any, window: Window, block: np.ndarray[Any, Any]) -> None:
    import numpy as np

    filled = np.where(np.isnan(block), variable._FillValue, block) if block.dtype.kind == "f" else block
    variable[(..., *window)] = filled


def _describe(file: Any, grid: Grid, provenance: Mapping[str, str]) -> None:
    file.set_auto_mask(False)
    file.Conventions = "CF-1.10"
    for key in sorted(provenance):
        file.setncattr(key, provenance[key])
    _axes(file, grid)
    _leading_axes(file, grid.data)
    for name, data in grid.data.items():
        _variable(file, str(name), data)


def _axes(file: Any, grid: Grid) -> None:
    import numpy as np

    limits = edges(grid.data) if grid.shape != (1, 1) else None
    file.createDimension("bnds", 2)
    for i, (axis, standard, unit, letter) in enumerate(_AXES):
        centres = grid.data[axis].to_numpy().astype(np.float64)
        file.createDimension(axis, centres.size)
        variable = file.createVariable(axis, "f8", (axis,))
        variable.setncatts({"standard_name": standard, "long_name": standard, "units": unit, "axis": letter})
        variable[:] = centres
        if limits is not None:
            variable.bounds = f"{axis}_bnds"
            bounds = np.stack([limits[i][:-1], limits[i][1:]], axis=1)
            file.createVariable(f"{axis}_bnds", "f8", (axis, "bnds"))[:] = bounds
    crs = file.createVariable("crs", "i4", ())
    crs.setncatts(grid_mapping(grid.crs))


def grid_mapping(crs: str) -> dict[str, Any]:
    """Return the attributes of the CF grid mapping of a geographic coordinate system.

    Examples
    --------
    >>> mapping = grid_mapping("EPSG:4326")
    >>> mapping["grid_mapping_name"], mapping["semi_major_axis"], round(mapping["inverse_flattening"], 6)
    ('latitude_longitude', 6378137.0, 298.257224)
    """
    import re

    from rasterio.crs import CRS

    wkt = CRS.from_string(crs).to_wkt()
    found: dict[str, Any] = {"grid_mapping_name": "latitude_longitude", "longitude_of_prime_meridian": 0.0}
    if (ellipsoid := re.search(r'SPHEROID\["[^"]*",([-+.\deE]+),([-+.\deE]+)', wkt)) is not None:
        axis, flattening = float(ellipsoid[1]), float(ellipsoid[2])
        found |= {"semi_major_axis": axis, "inverse_flattening": flattening} if flattening else {"earth_radius": axis}
    if (meridian := re.search(r'PRIMEM\["[^"]*",([-+.\deE]+)', wkt)) is not None:
        found["longitude_of_prime_meridian"] = float(meridian[1])
    return found | {"crs_wkt": wkt}


def _leading_axes(file: Any, data: xr.Dataset) -> None:
    import numpy as np
    from xarray.coding.times import encode_cf_datetime

    for name in sorted(str(dim) for dim in data.dims if dim not in ("lat", "lon")):
        labels = data[name].to_numpy()
        file.createDimension(name, labels.size)
        attributes = {key: value for key, value in sorted(data[name].attrs.items()) if key != "units"}
        if name == "time" and labels.dtype.kind == "M":
            labels, units, calendar = encode_cf_datetime(labels, "days since 1850-01-01", "proleptic_gregorian")
            attributes |= {"standard_name": "time", "axis": "T", "units": units, "calendar": calendar}
        elif name == "member":
            attributes |= {"standard_name": "realization", "units": "1"}
        kind = str if labels.dtype.kind in "OUST" else labels.dtype.str[1:]
        variable = file.createVariable(name, kind, (name,))
        variable.setncatts(attributes)
        variable[:] = np.asarray(labels, dtype=object) if kind is str else labels


def _variable(file: Any, name: str, data: xr.DataArray) -> None:
    import netCDF4
    import numpy as np

    kind = data.dtype.str[1:] if data.dtype.kind in "fiu" else "f4"
    chunks = [1] * (data.ndim - 2) + [tile(data.sizes["lat"]), tile(data.sizes["lon"])]
    fill = netCDF4.default_fillvals[kind] if np.dtype(kind).kind == "f" else False
    variable = file.createVariable(
        name, kind, tuple(map(str, data.dims)),
        compression="zlib", complevel=COMPRESSION, shuffle=True, chunksizes=chunks, fill_value=fill,
    )  # fmt: skip
    attributes = {
        key: data.attrs[key] for key in sorted(data.attrs) if key not in ("units", "_FillValue", "grid_mapping")
    }
    attributes.setdefault("long_name", name)
    if (unit := data.attrs.get("units")) is not None:
        attributes["units"] = cf_unit(str(unit))
        if attributes["units"] != str(unit):
            attributes["long_name"] += f" [{unit}]"
    attributes["grid_mapping"] = "crs"
    variable.setncatts({key: int(value) if isinstance(value, bool) else value for key, value in attributes.items()})
