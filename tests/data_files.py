"""Small data files with known faults, written by formulas without chance, for the checks of `soilql lint --data`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import rasterio
import xarray as xr
from rasterio.transform import from_origin

Array = np.ndarray[Any, Any]

#: Sites, each observed in two years.
SITES = 60


def spread(step: float) -> Array:
    """Return numbers from 0 to 1 that lie evenly without a pattern."""
    return np.asarray((np.arange(SITES) * step) % 1)


def observations() -> pd.DataFrame:
    """Return two years of fluxes at sites of all latitudes, with nothing wrong in them."""
    i = np.arange(SITES)
    lat = np.round(-44 + 99 * spread(0.6180339887), 2)
    lon = np.round(-119 + 260 * spread(0.7548776662), 2)
    temperature = np.round(27 - 0.45 * np.abs(lat) + 3 * np.sin(i), 2)
    sand, clay = np.round(20 + 50 * spread(0.5698402910)), np.round(5 + 25 * spread(0.3819660113))
    one = {
        "site": [f"s{k}" for k in i],
        "lat": lat,
        "lon": lon,
        "T": temperature,
        "P": np.round(400 + 1600 * spread(0.2451223338)),
        "kind": np.where(i % 5 == 0, "Agriculture", np.where(i % 2 == 0, "Forest", "Grassland")),
        "sand": sand,
        "clay": clay,
        "silt": 100 - sand - clay,
        "cover": np.round(90 * spread(0.3247179572)),
    }
    years = [
        pd.DataFrame(
            {**one, "year": year, "Rs": np.round(400 * np.exp(0.04 * temperature) * (1 + 0.1 * np.sin(7 * i + year)))}
        )
        for year in (2001, 2002)
    ]
    return pd.concat(years, ignore_index=True)


def write_tables(folder: Path) -> None:
    """Write tables, one with nothing wrong and others with one fault each."""
    good = observations()
    asia = good.assign(lat=25 + 0.3 * (good["lat"] + 44), lon=100 + 0.15 * (good["lon"] + 119)).round(2)
    late = good.assign(LAI=np.where(np.arange(len(good)) % 4 == 0, 1 + good["cover"] / 20, np.nan))
    codes = good.assign(T=good["T"].where(good.index % 31 != 0, -9999.0))
    tables = {
        "sites": good,
        "kelvin": good.assign(T=good["T"] + 273.15),
        "named": good.assign(T=good["T"] + 273.15).rename(columns={"T": "T (K)"}),
        "share": good.assign(cover=good["cover"] / 100),
        "doubled": pd.concat([good, good.head(10)]),
        "island": good.assign(lat=good["lat"].where(good.index > 2, 0), lon=good["lon"].where(good.index > 2, 0)),
        "asia": asia,
        "exchanged": asia.rename(columns={"lat": "lon", "lon": "lat"}),
        "turned": asia.assign(lon=-asia["lon"]),
        "codes": codes,
        "blank": good.assign(LAI=np.nan),
        "sparse": late,
        "one_depth": good.assign(depth=10),
        "gaps": good.assign(site=good["site"].where(good.index != 7)),
        "words": good.assign(T=good["T"].astype(str).where(good.index != 7, "warm")),
    }
    for name, frame in tables.items():
        frame.to_csv(folder / f"{name}.csv", index=False)


def climate(step: float = 5.0) -> xr.Dataset:
    """Return a globe of temperature, precipitation and greenness; the sea lies south of 45 and north of 55 degrees."""
    lat, lon = np.arange(90 - step / 2, -90, -step), np.arange(-180 + step / 2, 180, step)
    rows, columns = np.meshgrid(lat, lon, indexing="ij")
    land = (rows > -45) & (rows < 55)
    layers = {
        "T": (27 - 0.45 * np.abs(rows) + np.cos(np.radians(columns)), "degC"),
        "P": (1200 + 700 * np.sin(np.radians(2 * columns)), "mm yr-1"),
        "EVI": (0.3 + 0.2 * np.cos(np.radians(3 * columns)), "1"),
    }
    data = {
        name: (("lat", "lon"), np.where(land, values, np.nan), {"units": unit})
        for name, (values, unit) in layers.items()
    }
    return xr.Dataset(data, coords={"lat": lat, "lon": lon})


def write_grids(folder: Path) -> None:
    """Write grids, one with nothing wrong and others with one fault each."""
    good = climate()
    good.to_netcdf(folder / "climate.nc")
    good.assign(EVI=good["EVI"] * 1e-4).to_netcdf(folder / "scaled.nc")
    good.assign(P=good["P"] * np.nan).to_netcdf(folder / "dry.nc")
    north = good.where(good["lat"] > 0)
    north.assign({name: north[name].assign_attrs(good[name].attrs) for name in good}).to_netcdf(folder / "north.nc")
    good.sel(lat=slice(60, 10), lon=slice(95, 145)).to_netcdf(folder / "asia.nc")
    years = xr.concat([good["T"] + 0.02 * k for k in range(16)], pd.Index(range(1995, 2011), name="time"))
    years.assign_attrs(units="degC").to_dataset(name="T").to_netcdf(folder / "years.nc")
    kelvin = good["T"].to_numpy() + 273.15
    write_tif(folder / "kelvin.tif", kelvin, "K")
    write_tif(folder / "celsius.tif", kelvin - 273.15, "degC")
    clay = np.where(np.isnan(kelvin), 255, 20 + 10 * np.cos(np.arange(72) / 3))
    write_tif(folder / "clay.tif", clay, "%")
    write_tif(folder / "nowhere.tif", clay, "%", crs=None)


def write_tif(path: Path, values: Array, unit: str, crs: str | None = "EPSG:4326") -> None:
    """Write a GeoTIFF of the whole globe with one layer."""
    rows, columns = values.shape
    size = {"height": rows, "width": columns, "count": 1, "dtype": "float64"}
    place = {"crs": crs, "transform": from_origin(-180.0, 90.0, 360 / columns, 180 / rows)}
    with rasterio.open(path, "w", driver="GTiff", **size, **place) as file:
        file.write(values, 1)
        file.set_band_unit(1, unit)
        file.set_band_description(1, path.stem)


def write_all(folder: Path) -> None:
    """Write every file."""
    write_tables(folder)
    write_grids(folder)
