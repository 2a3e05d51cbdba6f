"""The reader of grids: one order, one lattice, NaN where missing, whatever the format; lazy, with clear errors."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr
from rasterio.transform import from_origin

from soilql.context import Resources
from soilql.errors import Diagnostic, SoilqlError
from soilql.gridding import cell_areas
from soilql.readers import grid as reader
from soilql.values import Grid
from tests.support import bind_block, data_path, needs_data, run_kind
from tests.test_table import Alone

# Two rows and four columns round the globe, as the project keeps them.
LAT, LON = [45.0, -45.0], [-135.0, -45.0, 45.0, 135.0]
VALUES = np.array([[1.0, 2, 3, 4], [5, 6, 7, 8]])


def read(path: Path | list[Path], yaml: str = "", **context: Any) -> Grid:
    paths = path if isinstance(path, list) else [path]
    names = "[" + ", ".join(p.name for p in paths) + "]"
    value = run_kind("datasets", "grid", f"source: {names}\n{yaml}", sources={"source": paths}, **context)
    assert isinstance(value, Grid)
    return value


def failure(path: Path | list[Path], yaml: str = "") -> Diagnostic:
    with pytest.raises(SoilqlError) as caught:
        read(path, yaml).data.compute()
    return caught.value.diagnostics[0]


def tiff(folder: Path, values: np.ndarray, name: str = "a.tif", **profile: Any) -> Path:
    values = values if values.ndim == 3 else values[None]
    descriptions = profile.pop("descriptions", ())
    count, height, width = values.shape
    profile = {
        "crs": "EPSG:4326",
        "transform": from_origin(-180, 90, 360 / width, 180 / height),
        "dtype": values.dtype,
        **profile,
    }
    path = folder / name
    with rasterio.open(path, "w", driver="GTiff", count=count, height=height, width=width, **profile) as raster:
        raster.write(values)
        for i, text in enumerate(descriptions, start=1):
            raster.set_band_description(i, text)
    return path


def netcdf(folder: Path, data: xr.Dataset, name: str = "a.nc", **encoding: Any) -> Path:
    data.to_netcdf(folder / name, encoding=encoding)
    return folder / name


def planet(**attributes: Any) -> xr.Dataset:
    coordinates = {"lat": ("lat", LAT, {"units": "degrees_north"}), "lon": ("lon", LON, {"units": "degrees_east"})}
    return xr.Dataset({"T": (("lat", "lon"), VALUES, attributes)}, coords=coordinates)


def assert_planet(grid: Grid, name: str = "T") -> None:
    assert grid.data[name].dims == ("lat", "lon")
    assert grid.data["lat"].values.tolist() == LAT
    assert grid.data["lon"].values.tolist() == LON
    assert grid.data[name].dtype == np.float64
    np.testing.assert_array_equal(grid.data[name].values, VALUES)


def test_every_orientation_gives_the_same_grid(tmp_path: Path) -> None:
    data = planet()
    east = data.assign_coords(lon=("lon", [225.0, 315, 45, 135], {"units": "degrees_east"})).sortby("lon")
    plain = data.rename_dims(lat="y", lon="x").reset_coords(drop=True).drop_vars(["lat", "lon"])
    plain = plain.assign(latitude=("y", np.float32(LAT)), longitude=("x", np.float32(LON)))
    variants = {
        "south to north": data.isel(lat=slice(None, None, -1)),
        "0 to 360": east,
        "east to west": data.isel(lon=slice(None, None, -1)),
        "columns first": data.transpose("lon", "lat"),
        "coordinates as variables": plain,
        "one time": data.expand_dims(time=[0]),
        "repeated meridian": xr.concat([east, east.isel(lon=[0]).assign_coords(lon=[405.0])], "lon"),
    }
    for what, variant in variants.items():
        path = netcdf(tmp_path, variant, f"{what}.nc")
        assert_planet(read(path))
    assert_planet(read(tiff(tmp_path, VALUES, descriptions=["T"])))
    flipped = tiff(
        tmp_path, VALUES[::-1], "f.tif", transform=rasterio.Affine(90, 0, -180, 0, 90, -90), descriptions=["T"]
    )
    assert_planet(read(flipped))
    data.to_zarr(tmp_path / "a.zarr")
    assert_planet(read(tmp_path / "a.zarr"))


def test_an_esri_grid(tmp_path: Path) -> None:
    path = tmp_path / "T.asc"
    head = "ncols 4\nnrows 2\nxllcorner -180\nyllcorner -90\ncellsize 90\nNODATA_value -9\n"
    path.write_text(head + "1 2 3 4\n5 6 7 -9\n")
    grid = read(path, "crs: EPSG:4326")
    np.testing.assert_array_equal(grid.data["T"].values, [[1, 2, 3, 4], [5, 6, 7, np.nan]])


def test_packed_values_and_every_mark_of_missing(tmp_path: Path) -> None:
    data = xr.Dataset(
        {"p": (("lat", "lon"), np.array([[0, 10000, 32767, -5], [-9, 1, 2, 3]], "int16"))}, coords=planet().coords
    )
    data["p"].attrs = {"scale_factor": np.float32(1e-4), "missing_value": np.int16(32767), "_FillValue": np.int16(-9)}
    grid = read(netcdf(tmp_path, data), "nodata: [-5]")
    # 1e-4 in single precision stands for the decimal number, so that a fraction of 1 stays 1.
    np.testing.assert_array_equal(grid.data["p"].values, [[0, 1, np.nan, np.nan], [np.nan, 1e-4, 2e-4, 3 * 1e-4]])


def test_cells_that_were_never_written_are_missing(tmp_path: Path) -> None:
    data = planet()
    data["T"] = data["T"].astype("float32")
    data["T"][0, 0] = 9.969209968386869e36
    path = netcdf(tmp_path, data, T={"_FillValue": None})
    assert np.isnan(read(path).data["T"].values[0, 0])


def test_bands_scales_and_nodata_of_a_geotiff(tmp_path: Path) -> None:
    values = np.array([[[0, 1], [2, 255]], [[7, 8], [9, 17]]], "uint8")
    path = tiff(tmp_path, values, "cover-2010.tif", nodata=255)
    assert list(read(path).data.data_vars) == ["cover-2010_1", "cover-2010_2"]
    grid = read(
        path,
        "variables:\n  a: {from: 1, scale: 0.1, offset: 1, unit: K, from_unit: degC}\n"
        "  b: {from: cover-2010_2, nodata: [17], categorical: true}\n",
    )
    np.testing.assert_allclose(grid.data["a"].values, [[274.15, 274.25], [274.35, np.nan]])
    np.testing.assert_array_equal(grid.data["b"].values, [[7, 8], [9, np.nan]])
    assert grid.data["b"].attrs == {"categorical": 1}
    assert grid.unit("a") == "K"


def test_units_of_the_file_are_converted(tmp_path: Path) -> None:
    path = netcdf(tmp_path, planet(units="K"))
    assert read(path).unit("T") == "K"
    np.testing.assert_allclose(read(path, "variables: {T: {unit: degC}}").data["T"].values, VALUES - 273.15)
    found = failure(path, "variables: {T: {unit: mm}}")
    assert found.code == "SQ302"
    assert found.label == "the data are in `K`"
    odd = netcdf(tmp_path, planet(units="1-18"), "odd.nc")
    assert read(odd).unit("T") is None
    assert "`1-18` is no unit" in read(odd).notes[0].message
    assert read(odd, "variables: {T: {unit: mm}}").unit("T") == "mm"


def test_times_and_members(tmp_path: Path) -> None:
    time = {"units": "days since 2000-01-01", "calendar": "360_day"}
    data = planet().expand_dims(time=3).assign_coords(time=("time", [0.0, 30.5, 59.0], time))
    grid = read(netcdf(tmp_path, data))
    assert grid.data["T"].dims == ("time", "lat", "lon")
    # 30 February of the 360 day calendar is the last day of February.
    assert grid.data["time"].values.astype("datetime64[h]").astype(str).tolist() == [
        "2000-01-01T00", "2000-02-01T12", "2000-02-29T00",
    ]  # fmt: skip
    years = planet().expand_dims(year=[1951, 1952])
    assert read(netcdf(tmp_path, years, "y.nc")).data["time"].values.tolist() == [1951, 1952]
    members = planet().expand_dims(member=[1, 2])
    assert read(netcdf(tmp_path, members, "m.nc")).data["T"].dims == ("member", "lat", "lon")
    levels = planet().assign(deep=planet()["T"].expand_dims(depth=[1, 2]))
    grid = read(netcdf(tmp_path, levels, "d.nc"))
    assert list(grid.data.data_vars) == ["T"]
    assert "no dimension for depth (2)" in grid.notes[0].message


def test_several_files_are_put_side_by_side(tmp_path: Path) -> None:
    one = netcdf(tmp_path, planet(), "one.nc")
    two = tiff(tmp_path, VALUES * 2, "two.tif")
    grid = read([one, two])
    assert list(grid.data.data_vars) == ["T", "two"]
    np.testing.assert_array_equal(grid.data["two"].values, VALUES * 2)
    twin = netcdf(tmp_path, planet(), "twin.nc")
    found = failure([one, twin])
    assert (found.code, found.message) == ("SQ710", "`T` is in `one.nc` and in `twin.nc`")
    grid = read([one, twin], "variables: {a: 'one:T', b: 'twin:T'}")
    assert list(grid.data.data_vars) == ["a", "b"]
    assert failure([one, twin], "variables: {a: T}").code == "SQ710"


def test_grids_that_differ_cannot_be_put_side_by_side(tmp_path: Path) -> None:
    one, fine = netcdf(tmp_path, planet()), tiff(tmp_path, np.ones((4, 8)), "fine.tif")
    found = failure([one, fine])
    assert (found.code, found.message) == ("SQ708", "`T` of `a.nc` and `fine` of `fine.tif` have 2 and 4 latitudes")
    part = tiff(tmp_path, VALUES, "part.tif", transform=from_origin(-180, 80, 90, 80))
    assert "different latitudes: 45 to -45 and 40 to -40" in failure([one, part]).message


def test_derived_variables(tmp_path: Path) -> None:
    grid = read(
        netcdf(tmp_path, planet()), "derive: {K: {expr: T + 273, unit: K}, S: K * 0 + lat, north: lat > 0, one: 1}"
    )
    np.testing.assert_array_equal(grid.data["K"].values, VALUES + 273)
    np.testing.assert_array_equal(grid.data["S"].values, np.repeat([[45.0], [-45.0]], 4, axis=1))
    np.testing.assert_array_equal(grid.data["north"].values, [[1.0] * 4, [0.0] * 4])
    np.testing.assert_array_equal(grid.data["one"].values, np.ones((2, 4)))
    assert grid.unit("K") == "K"
    time = planet().expand_dims(year=[1951, 1952])
    assert read(netcdf(tmp_path, time, "t.nc"), "derive: {K: T + lat}").data["K"].dims == ("time", "lat", "lon")


@pytest.mark.parametrize("suffix", ["tif", "nc"])
def test_blocks_keep_to_the_memory_and_do_not_change_the_result(tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(3, 60, 80)).astype("float32")
    if suffix == "tif":
        path = tiff(tmp_path, values[:, ::-1], tiled=True, blockxsize=16, blockysize=16)
        expected = values[:, ::-1]
    else:
        lat, lon = np.linspace(-88.5, 88.5, 60), np.linspace(2.25, 357.75, 80)
        data = xr.Dataset({f"v{i}": (("lat", "lon"), v) for i, v in enumerate(values)}, coords={"lat": lat, "lon": lon})
        path = netcdf(tmp_path, data)
        expected = np.roll(values[:, ::-1], 40, axis=2)
    for memory, workers in ((1 << 30, 1), (64 * 4096, 4), (64 * 30 * 8, 1)):
        grid = read(path, resources=Resources(memory=memory, workers=workers))
        stacked = grid.data.to_dataarray().data
        block = np.prod([max(sizes) for sizes in stacked.chunks[-2:]])
        assert 3 * 8 * block <= max(memory // (8 * workers), 3 * 8)
        with dask.config.set(scheduler="threads", num_workers=4):
            np.testing.assert_array_equal(stacked.compute(), expected.astype(float))


def test_nothing_is_read_before_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from soilql.io import lazy

    windows: list[Any] = []
    original = lazy.LazyValues._window
    lock = threading.Lock()

    def spy(self: lazy.LazyValues, ranges: Any) -> Any:
        with lock:
            windows.append([tuple(r) for r in ranges])
        return original(self, ranges)

    path = tiff(tmp_path, np.arange(3200.0).reshape(40, 80))
    monkeypatch.setattr(lazy.LazyValues, "_window", spy)
    grid = read(path, resources=Resources(memory=64 * 80 * 4, workers=1))
    assert windows == []
    assert float(grid.data["a"][13, 7]) == 13 * 80 + 7
    assert sum((high - low) for (low, high), _ in windows) <= 4


def test_a_grid_without_place_or_reference_system(tmp_path: Path) -> None:
    path = tiff(tmp_path, VALUES, crs=None)
    found = failure(path)
    assert (found.code, found.message) == ("SQ705", "`a.tif` does not say its coordinate reference system")
    assert "`crs: EPSG:4326`" in found.help
    bare = tiff(tmp_path, VALUES, "T.tif", crs=None, transform=None)
    assert "`bounds: [west, south, east, north]`" in failure(bare, "crs: EPSG:4326").help
    assert_planet(read(bare, "crs: EPSG:4326\nbounds: [-180, -90, 180, 90]"))
    nameless = netcdf(tmp_path, planet().rename(lat="y", lon="x").drop_vars(["y", "x"]))
    found = failure(nameless)
    assert found.code == "SQ705"
    assert "`dims: {lat: ..., lon: ...}`" in found.help
    odd = planet().assign_coords(lat=LAT, lon=LON).rename(lat="northing", lon="easting")
    path = netcdf(tmp_path, odd, "odd.nc")
    assert failure(path, "dims: {lat: northing, lon: easting}").code == "SQ705"
    assert_planet(read(path, "dims: {lat: northing, lon: easting}\ncrs: EPSG:4326"))
    assert_planet(read(netcdf(tmp_path, planet(), "n.nc"), "dims: {lat: lat, lon: lon}"))
    assert failure(path, "dims: {lat: north, lon: easting}").help == "did you mean `northing`?"


def test_projected_rotated_and_curvilinear_grids_are_refused(tmp_path: Path) -> None:
    utm = tiff(tmp_path, VALUES, crs="EPSG:32633", transform=from_origin(5e5, 5e6, 10, 10))
    found = failure(utm)
    assert found.code == "SQ722"
    assert "gdalwarp -t_srs EPSG:4326" in found.help
    rotated = tiff(tmp_path, VALUES, "r.tif", transform=rasterio.Affine(1, 0.1, 0, 0.1, -1, 0))
    assert "rotated" in failure(rotated).message
    two = np.array([[1.0, 2], [3, 4]])
    units = {"units": "degrees_north"}, {"units": "degrees_east"}
    curved = xr.Dataset(
        {"T": (("y", "x"), two), "lat": (("y", "x"), two, units[0]), "lon": (("y", "x"), two, units[1])}
    )
    assert "curvilinear" in failure(netcdf(tmp_path, curved)).message
    polar = planet(grid_mapping="crs").assign(crs=((), 0, {"grid_mapping_name": "polar_stereographic"}))
    assert failure(netcdf(tmp_path, polar, "p.nc")).code == "SQ722"


@pytest.mark.parametrize("keep", [100, 5000, 20000])
@pytest.mark.parametrize("suffix", ["tif", "nc"])
def test_truncated_files_are_named_wherever_it_shows(tmp_path: Path, suffix: str, keep: int) -> None:
    values = np.random.default_rng(1).normal(size=(60, 80))
    if suffix == "tif":
        path = tiff(tmp_path, values)
    else:
        lat, lon = np.linspace(-88.5, 88.5, 60), np.linspace(2.25, 357.75, 80)
        path = netcdf(tmp_path, xr.Dataset({"T": (("lat", "lon"), values)}, coords={"lat": lat, "lon": lon}), "b.nc")
    path.write_bytes(path.read_bytes()[:keep])
    found = failure(path)
    assert found.code == "SQ702"
    assert f"`{path.name}` is truncated, damaged" in found.message


def test_files_of_no_known_format(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_text("hello")
    assert failure(tmp_path / "a.xyz").code == "SQ702"
    (tmp_path / "a.nc").write_text("hello")
    assert failure(tmp_path / "a.nc").code == "SQ702"
    (tmp_path / "a.nc.gz").write_bytes(b"\x1f\x8b")
    assert "gunzip" in failure(tmp_path / "a.nc.gz").help
    assert failure(tmp_path / "none.nc").code == "SQ701"


def test_a_layer_that_is_not_there(tmp_path: Path) -> None:
    found = failure(netcdf(tmp_path, planet()), "variables: {T: Tt}")
    assert (found.code, found.message) == ("SQ704", "no layer `Tt` in the files")
    assert found.span is not None
    assert found.span.text == "Tt"


def test_bounds_are_checked_when_bound() -> None:
    for bounds in ("[1, 2, 3]", "[-180, 90, 180, -90]", "[0, -90, 400, 90]"):
        with pytest.raises(SoilqlError, match="`bounds`"):
            bind_block("datasets", "grid", f"source: a.tif\nbounds: {bounds}")


def test_lint_knows_the_variables_of_the_registry() -> None:
    yaml = (
        "source: registry:jian2021-drivers\nvariables: {T: {from: MATT}, P: {from: MAP, unit: K}}\nderive: {x: T + Q}"
    )
    found = list(reader.check(bind_block("datasets", "grid", yaml), Alone()))
    assert [(d.code, d.span.text if d.span else "") for d in found] == [
        ("SQ704", "MATT"), ("SQ302", "K"), ("SQ201", "Q"),
    ]  # fmt: skip
    schema = reader.schema(
        bind_block("datasets", "grid", "source: registry:rc-stack\nderive: {x: {expr: MAT + 1}}"), Alone()
    )
    assert schema.variables["SOC"].unit == "t C ha-1"
    assert "x" in schema.variables
    assert not schema.open


@needs_data
@pytest.mark.data
@pytest.mark.parametrize(
    ("source", "file", "variable", "shape", "missing", "low", "high"),
    [  # sizes, gaps and ranges as the notes that come with the data state them
        ("registry:rc-stack", "rc-stack/global_Rt_contribution_to_Rs2.nc", "Climate_type",
         (360, 720), 259200 - 47694, 1, 8),
        ("registry:land-fraction", "udel-igbp-koeppen/fractional_land.0.5-deg.nc", "land_fraction",
         (360, 720), 0, 0, 1),
        ("registry:dem", "dem/topo_180W_180E_90S_90N_30min_netcdf.nc", "elevation", (360, 720), 0, -10470, 6147),
        ("gistemp.nc", "gistemp/gistemp_annual_1951-2018_2deg.nc", "tempanomaly", (68, 90, 180), 11629, None, None),
        ("bio.nc", "bioclim-05deg/bioclim_ewembi_1995.nc", "bio1", (360, 720), 259200 - 67420, None, None),
        ("gpp.nc", "cmip6-access-10deg/gpp_Lmon_ACCESS-ESM1-5_historical_r1i1p1f1_gn_200001-201412.nc", "gpp",
         (180, 19, 36), None, None, None),
    ],
)  # fmt: skip
def test_real_grids(
    source: str, file: str, variable: str, shape: tuple[int, ...], missing: int | None, low: float, high: float
) -> None:
    grid = run_kind("datasets", "grid", f"source: {source}", sources={"source": [data_path(file)]})
    values = grid.data[variable].values
    assert values.shape == shape
    assert np.all(np.diff(grid.data["lat"]) < 0)
    assert np.all(np.diff(grid.data["lon"]) > 0)
    assert missing is None or int(np.isnan(values).sum()) == missing
    if low is not None:
        assert [np.nanmin(values), np.nanmax(values)] == pytest.approx([low, high], abs=1)


@needs_data
@pytest.mark.data
def test_grids_of_different_files_match_bit_for_bit() -> None:
    files = {
        "rc-stack": "rc-stack/global_Rt_contribution_to_Rs2.nc",
        "land-fraction": "udel-igbp-koeppen/fractional_land.0.5-deg.nc",
        "dem": "dem/topo_180W_180E_90S_90N_30min_netcdf.nc",
        "bioclim-ewembi-1995": "bioclim-05deg/bioclim_ewembi_1995.nc",
        "fluxcom-gpp-tiff": "fluxcom/fluxcom_gpp.tiff",
    }
    sources = {"source": [data_path(file) for file in files.values()]}
    names = ", ".join(f"registry:{name}" for name in files)
    grid = run_kind("datasets", "grid", f"source: [{names}]", sources=sources)
    assert grid.data["lat"].values.tolist() == (89.75 - 0.5 * np.arange(360)).tolist()
    assert {"MAT", "land_fraction", "elevation", "bio1", "GPP"} <= set(grid.data.data_vars)
    # Land stands where it is: what lies above the sea by a mile is land.
    high = (grid.data["elevation"] > 1600) & (grid.data["lat"] > -60)
    assert float(grid.data["land_fraction"].where(high).mean()) > 0.95


@needs_data
@pytest.mark.data
def test_a_raster_without_georeference_lies_where_its_table_says() -> None:
    sources = {"source": [data_path("fluxcom/fluxcom_gpp.tiff")]}
    grid = run_kind("datasets", "grid", "source: registry:fluxcom-gpp-tiff", sources=sources)
    assert grid.unit("GPP") == "g C m-2 d-1"
    table = pd.read_csv(data_path("fluxcom/Fluxcom_summarized_GPP.csv.gz")).dropna(subset=["FLUXCOM_GPP"])
    lat, lon = (xr.DataArray(table[name].to_numpy(), dims="row") for name in ("Latitude", "Longitude"))
    found = grid.data["GPP"].sel(lat=lat, lon=lon).values
    stored = ~np.isnan(found)  # negative and zero fluxes are lost in this copy
    assert (table["FLUXCOM_GPP"].to_numpy()[~stored] < 0.0005).all()
    # The raster keeps thousandths.
    np.testing.assert_allclose(found[stored], table["FLUXCOM_GPP"].to_numpy()[stored], atol=0.0005 + 1e-9)
    # 108.1 Pg C yr-1 over the cells of the table, in the notes that come with the data.
    area = pd.Series(cell_areas(grid.data)[:, 0], grid.data["lat"].values).loc[table["Latitude"]].to_numpy()
    assert (table["FLUXCOM_GPP"] * area).sum() * 1e6 * 365.25 / 1e15 == pytest.approx(108.1, abs=0.3)


@needs_data
@pytest.mark.data
def test_classes_of_a_real_geotiff() -> None:
    sources = {"source": [data_path("udel-igbp-koeppen/MODIS_LC_2010.tif")]}
    grid = run_kind("datasets", "grid", "source: registry:modis-lc-2010", sources=sources)
    values = grid.data["IGBP"].values
    assert np.unique(values[~np.isnan(values)]).tolist() == list(range(1, 17))
    assert grid.data["IGBP"].attrs["categorical"] == 1
