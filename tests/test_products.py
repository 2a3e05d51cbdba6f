"""Products of the registry on small files of the layout that their user's guides state.

Names of files, scale factors, fill values, valid ranges and flags are written here as numbers of the guides, and what
is read is compared with values worked out by hand.
"""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from soilql import registry
from soilql.errors import SoilqlError
from soilql.units import convert_or_raise
from tests.grid_files import dates, failure, netcdf, read, tiff
from tests.support import data_path, needs_data, run_kind
from tests.test_io_warp import SINUSOIDAL, tile

nan = np.nan


@pytest.mark.parametrize("version", ["006", "061"])
def test_mod11a2_of_appeears(tmp_path: Path, version: str) -> None:
    files = []
    for day, lst, qc in (
        # 0 is fill; below 7500 is no temperature; flags: good, other quality, cloud, not produced, error above 3 K.
        (353, [[0, 14000, 7499, 15000]], [[0b0, 0b0, 0b0, 0b01000001]]),
        (361, [[14000, 14000, 14000, 14000]], [[0b10, 0b11, 0b11000001, 0b10000001]]),
    ):
        for layer, data, kind in (("LST_Day_1km", lst, "uint16"), ("QC_Day", qc, "uint8")):
            name = f"MOD11A2.{version}_{layer}_doy2000{day}_aid0001.tif"
            files.append(tiff(tmp_path / name, data, kind, nodata=0))
    later = "MOD11A2.061_{}_doy2001001000000_aid0001.tif"  # as AppEEARS names files since 2023
    files.append(tiff(tmp_path / later.format("LST_Day_1km"), [[13658] * 4], "uint16", nodata=0))
    files.append(tiff(tmp_path / later.format("QC_Day"), [[0] * 4], "uint8"))
    grid = read(files, f"product: registry:mod11a2-v{version}")
    assert list(grid.data.data_vars) == ["LST_day"]
    assert (grid.unit("LST_day"), grid.data["time"].attrs["step"]) == ("K", "8-day")
    # The last composite of 2000 begins on day 361, the next with the year.
    assert dates(grid) == ["2000-12-18", "2000-12-26", "2001-01-01"]
    assert grid.notes == ()
    np.testing.assert_allclose(
        grid.data["LST_day"].values[:, 0], [[nan, 280, nan, 300], [nan, nan, nan, 280], [273.16] * 4], rtol=1e-12
    )
    celsius = read(
        files, f"product: registry:mod11a2-v{version}\nvariables: {{T: {{from: LST_day, unit: degC, qc: []}}}}"
    )
    np.testing.assert_allclose(celsius.data["T"].values[1, 0], [6.85] * 4, atol=1e-9)
    found = failure([path for path in files if "QC" not in path.name], f"product: registry:mod11a2-v{version}")
    assert (found.code, found.message) == ("SQ704", "no layer `QC_Day` in the files, by which `LST_day` is masked")


def test_mod11a2_in_the_netcdf_of_appeears(tmp_path: Path) -> None:
    # Days since 2000-01-01 in a calendar called julian; flags and values side by side; a grid mapping in degrees.
    cube = np.array([[[14000, 0]], [[15000, 14000]]], "uint16")
    data = xr.Dataset(
        {
            "LST_Day_1km": (("time", "lat", "lon"), cube, {"units": "K", "grid_mapping": "crs"}),
            "QC_Day": (("time", "lat", "lon"), np.array([[[0, 0]], [[2, 1]]], "uint8"), {"grid_mapping": "crs"}),
            "crs": ((), 0, {"grid_mapping_name": "latitude_longitude"}),
        },
        coords={
            "time": ("time", [48, 56], {"units": "days since 2000-01-01 00:00:00", "calendar": "julian"}),
            "lat": ("lat", [0.75], {"units": "degrees_north"}),
            "lon": ("lon", [0.25, 0.75], {"units": "degrees_east"}),
        },
    )
    data["LST_Day_1km"].attrs |= {"_FillValue": np.uint16(0)}
    data.to_netcdf(tmp_path / "MOD11A2.061_1km_aid0001.nc")
    grid = read(tmp_path / "MOD11A2.061_1km_aid0001.nc", "product: registry:mod11a2")
    assert dates(grid) == ["2000-02-18", "2000-02-26"]
    np.testing.assert_allclose(grid.data["LST_day"].values[:, 0], [[280, nan], [nan, 280]])


def test_mod11a2_tiles_of_the_archive(tmp_path: Path) -> None:
    files = []
    for horizontal in (17, 18):
        for layer, value, kind in (("LST_Day_1km", 14000 + horizontal, "uint16"), ("QC_Day", 0, "uint8")):
            values = np.full((120, 120), value)
            name = tmp_path / f"{layer}.A2000049.h{horizontal:02d}v08.tif"
            files.append(tiff(name, values, kind, nodata=0, **tile(horizontal, 8)))
    found = failure(files, "product: registry:mod11a2")
    assert found.code == "SQ722"
    assert "reproject" in found.help
    grid = read(files, "product: registry:mod11a2\nreproject: {resolution: 0.5, method: average}")
    # At 10 N the outer edges lie 10 / cos(10 degrees) = 10.15 degrees from the meridian: half a cell more on each side.
    assert grid.data["LST_day"].shape == (1, 20, 42)
    assert dates(grid) == ["2000-02-18"]
    # Tile 18 begins at the central meridian.
    values = grid.data["LST_day"].values[0]
    np.testing.assert_allclose(values[5:15, 3:20], 280.34, rtol=1e-12)
    np.testing.assert_allclose(values[5:15, 22:39], 280.36, rtol=1e-12)


def test_an_hdf4_file_of_the_archive_is_named_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "MOD11A2.A2000049.h10v05.006.2015058135051.hdf"
    path.write_bytes(b"\x0e\x03\x13\x01" + bytes(100))
    found = failure(path, "product: registry:mod11a2\nreproject: 0.05")
    assert found.code == "SQ702"
    assert "is HDF4" in found.message
    assert "AppEEARS" in found.help


def test_mod17a2h(tmp_path: Path) -> None:
    files = []
    for year, day in ((2000, 353), (2000, 361), (2001, 1)):
        stem = f"MOD17A2H.006_{{}}_doy{year}{day:03d}_aid0001.tif"
        values = [[0, 30000, 30001, 32761, 32766, 32767, 1234, 1234, 1234]]
        # Bit 0: 0 main algorithm, 1 other; bits 3-4 clouds, 5-7 the method.
        flags = [[0, 0, 0, 0, 0, 0, 0b00000001, 0b00101000, 255]]
        files.append(tiff(tmp_path / stem.format("Gpp_500m"), values, "int16", nodata=32767))
        files.append(tiff(tmp_path / stem.format("Psn_QC_500m"), flags, "uint8", nodata=255))
    grid = read(files, "product: registry:mod17a2h-v006")
    assert (grid.unit("GPP"), dates(grid)) == ("kg C m-2", ["2000-12-18", "2000-12-26", "2001-01-01"])
    np.testing.assert_allclose(grid.data["GPP"].values[1, 0], [0, 3, nan, nan, nan, nan, nan, 0.1234, nan], rtol=1e-12)


def test_mod13a1_with_the_names_of_its_layers(tmp_path: Path) -> None:
    files = []
    for layer, values, kind in (
        ("NDVI", [[-3000, -2000, 10000, 5000, 5000, 5000]], "int16"),
        ("EVI", [[-3000, -2001, 9999, 2500, 2500, 2500]], "int16"),
        # MODLAND QA: 00 good, 01 check others, 10 cloudy, 11 not produced; higher bits do not count.
        ("VI_Quality", [[0, 0, 0, 0b1111111111111101, 0b10, 0b11]], "uint16"),
        ("pixel_reliability", [[-1, 0, 1, 2, 3, 0]], "int8"),
    ):
        for day in (337, 353):
            name = f"MOD13A1.061__500m_16_days_{layer}_doy2000{day}_aid0001.tif"
            files.append(tiff(tmp_path / name, values, kind))
    grid = read(files, "product: registry:mod13a1")
    assert (list(grid.data.data_vars), dates(grid)) == (["NDVI", "EVI"], ["2000-12-02", "2000-12-18"])
    assert grid.data["time"].attrs["step"] == "16-day"
    np.testing.assert_allclose(grid.data["NDVI"].values[0, 0], [nan, -0.2, 1, 0.5, nan, nan], rtol=1e-12)
    np.testing.assert_allclose(grid.data["EVI"].values[0, 0], [nan, nan, 0.9999, 0.25, nan, nan], rtol=1e-12)
    other = read(
        files,
        "product: registry:mod13a1\n"
        "variables: {v: {from: NDVI, qc: {flag: 500m 16 days pixel reliability, keep: {values: [0, 1]}}}}",
    )
    np.testing.assert_allclose(other.data["v"].values[0, 0], [nan, -0.2, 1, nan, nan, 0.5], rtol=1e-12)


def test_mod16a2(tmp_path: Path) -> None:
    values = {
        "ET_500m": [[0, 32700, 32701, 32761, 123]],
        "PET_500m": [[1, 2, 3, 4, 456]],
        "ET_QC_500m": [[0, 0, 0, 0, 1]],
    }
    files = [
        tiff(tmp_path / f"MOD16A2.006_{layer}_doy2001001_aid0001.tif", data, "uint8" if "QC" in layer else "int16")
        for layer, data in values.items()
    ]
    grid = read(files, "product: registry:mod16a2-v006\nvariables: {ET: {unit: mm}, PET: {}}")
    np.testing.assert_allclose(grid.data["ET"].values[0, 0], [0, 3270, nan, nan, nan], rtol=1e-12)
    np.testing.assert_allclose(grid.data["PET"].values[0, 0], [0.1, 0.2, 0.3, 0.4, nan], rtol=1e-12)


def test_mcd12q1(tmp_path: Path) -> None:
    files = [
        tiff(
            tmp_path / f"MCD12Q1.061_LC_Type1_doy{year}001_aid0001.tif",
            [[1, 17, 255, 0, year % 10]],
            "uint8",
            nodata=255,
        )
        for year in (2001, 2002)
    ]
    grid = read(files, "product: registry:mcd12q1")
    assert dates(grid) == [2001, 2002]
    assert grid.data["IGBP"].attrs == {"categorical": 1}
    np.testing.assert_array_equal(grid.data["IGBP"].values[:, 0], [[1, 17, nan, nan, 1], [1, 17, nan, nan, 2]])
    assert registry.find("mcd12q1").variables["IGBP"].categories is not None
    # Classes of tiles in the sinusoidal projection are never averaged.
    classes = np.where(np.arange(120) % 2, 5, 10) * np.ones((120, 1))
    path = tiff(tmp_path / "LC_Type1.A2001001.h18v08.tif", classes, "uint8", **tile(18, 8))
    found = read(path, "product: registry:mcd12q1\nreproject: {resolution: 1, method: average}").data["IGBP"].values
    assert set(np.unique(found[np.isfinite(found)])) == {5, 10}


def test_trmm_3b43(tmp_path: Path) -> None:
    files = []
    for month in (2, 1):
        values = np.array([[0.5, -9999.9], [1.25, month]], "float32")
        name = tmp_path / f"3B43.2000{month:02d}01.7A.HDF.nc4"
        files.append(netcdf(name, "precipitation", values, dims=("lon", "lat"), attributes={"units": "mm/hr"}))
    grid = read(files, "product: registry:trmm-3b43-v7")
    assert (dates(grid), grid.data["time"].attrs) == (["2000-01-01", "2000-02-01"], {"step": "month"})
    np.testing.assert_array_equal(grid.data["P"].values[:, 1], [[1.25, 1], [1.25, 2]])
    assert np.isnan(grid.data["P"].values[:, 0, 1]).all()
    total = read(files, "product: registry:trmm-3b43-v7\nvariables: {P: {unit: mm month-1}}")
    assert float(total.data["P"][0, 0, 0]) == pytest.approx(0.5 * 24 * 365.25 / 12)


def test_udel_of_noaa(tmp_path: Path) -> None:
    hours = [(datetime.date(2000, m, 1) - datetime.date(1900, 1, 1)).days * 24 for m in (1, 2, 3)]
    units = "hours since 1900-1-1 0:0:0"
    cube = np.arange(12.0).reshape(3, 2, 2).astype("float32")
    cube[0, 0, 0] = -9.96921e36
    fill = {"missing_value": np.float32(-9.96921e36)}
    files = [
        netcdf(tmp_path / f"{name}.v501.nc", variable, cube, hours, units, west=359, attributes={"units": unit, **fill})
        for name, variable, unit in (("air.mon.mean", "air", "degC"), ("precip.mon.total", "precip", "cm"))
    ]
    grid = read(files, "product: registry:udel-v501-psl\nvariables: {T: {}, P: {unit: mm}}")
    assert grid.data["lon"].values.tolist() == [-0.75, -0.25]
    assert dates(grid) == ["2000-01-01", "2000-02-01", "2000-03-01"]
    np.testing.assert_allclose(grid.data["P"].values[1], cube[1] * 10)
    assert np.isnan(grid.data["T"].values[0, 0, 0])


def test_udel_as_text(tmp_path: Path) -> None:
    files = []
    for year in (2001, 2000):
        path = tmp_path / f"air_temp.{year}"
        rows = [(-0.25, 102.25, year), (83.25, -179.75, year + 0.5)]
        path.write_text(
            "".join(
                f"{lon:8.3f}{lat:8.3f}" + "".join(f"{v + m:8.1f}" for m in range(12)) + "\n" for lat, lon, v in rows
            )
        )
        files.append(path)
    grid = read(files, "product: registry:udel-temperature-text")
    assert grid.data["T"].shape == (24, 360, 720)
    assert (dates(grid)[0], dates(grid)[-1], grid.unit("T")) == ("2000-01-01", "2001-12-01", "degC")
    place = grid.data["T"].sel(lat=-0.25, lon=102.25)
    np.testing.assert_allclose(place.values, np.concatenate([2000 + np.arange(12), 2001 + np.arange(12)]))
    assert int(np.isfinite(grid.data["T"].values[0]).sum()) == 2


def test_speibase(tmp_path: Path) -> None:
    cube = np.array([[[-1.5, 1e30]], [[2.5, nan]]], "float32")
    path = netcdf(tmp_path / "spei12.nc", "spei", cube, [15, 46], "days since 1901-1-1", calendar="gregorian",
                  attributes={"units": "z-values"})  # fmt: skip
    grid = read(path, "product: registry:speibase")
    assert (dates(grid), grid.unit("SPEI")) == (["1901-01-01", "1901-02-01"], "1")
    np.testing.assert_array_equal(grid.data["SPEI"].values[:, 0], [[-1.5, nan], [2.5, nan]])


def test_vcf5kyr(tmp_path: Path) -> None:
    files = []
    for year in (1993, 1995, 1996):
        bands = np.array([[[60, 0, 0]], [[30, 0, 100]], [[10, 0, 0]]])
        files.append(tiff(tmp_path / f"VCF5KYR_{year}001_001_2018224205008.tif", bands, "uint8"))
    grid = read(files, "product: registry:vcf5kyr\nwhere: TC + SV + BG > 0")
    assert (list(grid.data.data_vars), dates(grid)) == (["TC", "SV", "BG"], [1993, 1995, 1996])
    assert "lacks 1 of 4 years: 1994" in grid.notes[0].message
    # Water is 0 in all three bands; bare ground of 0 beside trees is a value.
    np.testing.assert_array_equal(grid.data["BG"].values[0, 0], [10, nan, 0])
    np.testing.assert_array_equal(grid.data["SV"].values[0, 0], [30, nan, 100])


def test_a_file_of_another_product(tmp_path: Path) -> None:
    path = tiff(tmp_path / "MOD17A2H.006_Gpp_500m_doy2001001_aid0001.tif", [[1]], "int16")
    found = failure(path, "product: registry:mod11a2")
    assert (found.code, found.message) == ("SQ704", "the files have no layer of `registry:mod11a2`")
    assert "they have `Gpp_500m`" in found.help


def test_products_say_what_lint_needs() -> None:
    products = [entry for entry in registry.list_entries() if not entry.files]
    assert {"mod11a2-v006", "mod17a2h-v006", "mod13a1-v006", "mod16a2-v006", "mcd12q1-v006", "trmm-3b43-v7", "speibase",
            "vcf5kyr-v001", "udel-v501-psl"} <= {entry.name for entry in products}  # fmt: skip
    for entry in products:
        assert registry.resolve(entry.name) == []
        assert entry.doi or entry.homepage.startswith("http"), entry.name
        for layer in entry.reader["variables"].values():
            for quality in layer.get("qc", ()):
                assert all(keep["values"] and 0 <= keep["bits"][0] <= keep["bits"][-1] < 16 for keep in quality["keep"])
    with pytest.raises(SoilqlError):
        convert_or_raise(registry.find("mod17a2h").variables["GPP"].unit, "g C m-2 yr-1")
    assert SINUSOIDAL.startswith("+proj=sinu")


@needs_data
@pytest.mark.data
def test_udel_at_the_cells_of_sites() -> None:
    files = [data_path(f"lei2021/udel_monthly_{name}_696cells_1960-2017.csv.gz") for name in ("temp", "precip")]
    grid = run_kind(
        "datasets", "grid", "source: registry:lei2021-udel\nperiod: [1960, 1960]", sources={"source": files}
    )
    assert dates(grid) == [f"1960-{month:02d}-01" for month in range(1, 13)]
    here = grid.data.sel(lat=-0.25, lon=102.25)
    # The first row of each file.
    assert here["T"].values[:3].tolist() == [26.5, 26.7, 27.2]
    assert here["P"].values[:3].tolist() == [223.4, 251.5, 213.4]
    assert (int(np.isfinite(grid.data["T"].values[0]).sum()), grid.notes) == (696, ())


@needs_data
@pytest.mark.data
def test_access_has_maps_beside_its_series() -> None:
    entry = registry.find("access-esm1-5-10deg")
    files = [data_path(f"cmip6-access-10deg/{file.name}") for file in entry.files]
    grid = run_kind("datasets", "grid", "source: registry:access-esm1-5-10deg", sources={"source": files})
    assert grid.data["tas"].shape == (180, 19, 36)
    assert grid.data["sftlf"].dims == ("lat", "lon")
    assert (dates(grid)[0], dates(grid)[-1], grid.unit("gpp")) == ("2000-01-01", "2014-12-01", "kg C m-2 s-1")


@needs_data
@pytest.mark.data
def test_islscp_totals() -> None:
    path = data_path("islscp2-soils-1deg/islscp2_soils_1deg.zip")
    grid = run_kind("datasets", "grid", "source: registry:islscp2-soils", sources={"source": [path]})
    from soilql.gridding import cell_areas

    area = cell_areas(grid.data)  # km2
    # Global soil carbon to 30 and 150 cm in the notes that come with the data: 681 and 2,179 Pg C.
    for name, total in (("SOC_30", 681), ("SOC_150", 2179)):
        assert np.nansum(grid.data[name].values * area) * 1e6 * 1e3 / 1e15 == pytest.approx(total, rel=0.01)
