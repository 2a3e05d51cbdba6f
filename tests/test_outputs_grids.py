"""GeoTIFF and NetCDF files, read back by other software."""

from __future__ import annotations

import resource
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from rasterio.enums import Resampling

from soilql.errors import SoilqlError
from soilql.outputs import geotiff, netcdf
from soilql.outputs.grids import write_grid
from soilql.values import Grid

FACTS = {"spec_sha256": "ab12", "soilql_version": "0.1.0"}


def example(rows: int = 600, columns: int = 700, chunks: dict[str, int] | None = None) -> Grid:
    rng = np.random.default_rng(3)
    values = rng.gamma(2, 300, (rows, columns)).astype("f4")
    values[:50, :60] = np.nan
    lat = 60 - (np.arange(rows) + 0.5) * 0.1
    lon = 10 + (np.arange(columns) + 0.5) * 0.1
    attrs = {"units": "g C m-2 yr-1", "long_name": "soil respiration"}
    data = xr.Dataset(
        {
            "mean": (("lat", "lon"), values, attrs),
            "zone": (("lat", "lon"), np.floor(values / 500), {"categorical": 1}),
            "members": (("member", "lat", "lon"), np.stack([values, values + 1]), attrs),
            "trend": (("time", "lat", "lon"), np.stack([values, values + 2, values + 3]), attrs),
        },
        {"lat": lat, "lon": lon, "member": [1, 2], "time": np.array(["2000", "2001", "2002"], "datetime64[ns]")},
    )
    return Grid(data.chunk(chunks) if chunks else data)


def test_geotiff_has_values_place_unit_and_provenance(tmp_path: Path) -> None:
    grid = example()
    paths = write_grid(grid, tmp_path, "rs", FACTS)
    assert [path.name for path in paths] == ["rs.nc", "rs_mean.tif", "rs_zone.tif", "rs_trend.tif"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in paths)
    with rasterio.open(tmp_path / "rs_mean.tif") as file:
        assert file.crs.to_epsg() == 4326
        assert (file.dtypes, file.nodata, file.count) == (("float32",), -9999.0, 1)
        np.testing.assert_allclose(file.bounds, (10, 0, 80, 60), atol=1e-9)
        np.testing.assert_array_equal(file.read(1, masked=True).filled(np.nan), grid.data["mean"])
        assert (file.units, file.descriptions) == (("g C m-2 yr-1",), ("soil respiration",))
        tags = file.tags()
        assert FACTS.items() <= tags.items()
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert file.overviews(1)
    with rasterio.open(tmp_path / "rs_trend.tif") as file:
        assert file.descriptions == tuple(f"soil respiration, time {year}-01-01" for year in (2000, 2001, 2002))


def test_overviews_leave_missing_cells_out_of_the_average(tmp_path: Path) -> None:
    grid = example()
    write_grid(grid, tmp_path, "rs", {})
    with rasterio.open(tmp_path / "rs_mean.tif") as file:
        small = file.read(1, out_shape=(300, 350), masked=True, resampling=Resampling.nearest)
    assert small.min() > 0
    assert small.mask[:25, :30].all()
    assert not small.mask[25:, 30:].any()


def test_netcdf_is_read_back_by_xarray_and_follows_cf(tmp_path: Path) -> None:
    grid = example()
    path = write_grid(grid, tmp_path, "rs", FACTS)[0]
    with xr.open_dataset(path) as found:
        assert found.attrs["Conventions"] == "CF-1.10"
        assert FACTS.items() <= found.attrs.items()
        for name in grid.data.data_vars:
            np.testing.assert_array_equal(found[name], grid.data[name])
        np.testing.assert_array_equal(found["time"], grid.data["time"])
        assert found["mean"].attrs["units"] == "g m-2 year-1"
        assert found["mean"].attrs["long_name"] == "soil respiration [g C m-2 yr-1]"
        assert found["mean"].attrs["grid_mapping"] == "crs"
        assert found["crs"].attrs["grid_mapping_name"] == "latitude_longitude"
        assert found["lat"].attrs["standard_name"] == "latitude"
        np.testing.assert_allclose(found["lat_bnds"][0], [60, 59.9])
        assert found["member"].attrs["standard_name"] == "realization"
        assert found["mean"].encoding["zlib"]


def test_bytes_do_not_depend_on_the_run_or_the_chunks(tmp_path: Path) -> None:
    for name, chunks in (("a", None), ("b", None), ("c", {"lat": 71, "lon": 333})):
        write_grid(example(chunks=chunks), tmp_path / name, "rs", FACTS)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name
        assert path.read_bytes() == (tmp_path / "c" / path.name).read_bytes(), path.name


def test_several_windows_give_the_same_map(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("soilql.outputs.windows.MAX_VALUES", 1)
    grid = example()
    write_grid(grid, tmp_path, "rs", {})
    with rasterio.open(tmp_path / "rs_mean.tif") as file:
        np.testing.assert_array_equal(file.read(1, masked=True).filled(np.nan), grid.data["mean"])
    with xr.open_dataset(tmp_path / "rs.nc") as found:
        np.testing.assert_array_equal(found["members"], grid.data["members"])


def test_an_uneven_grid_is_written_as_netcdf_only(tmp_path: Path) -> None:
    data = xr.Dataset({"x": (("lat", "lon"), np.ones((3, 2)))}, {"lat": [60.0, 30.0, 20.0], "lon": [0.0, 1.0]})
    assert geotiff.left_out(Grid(data)) == "its `lat` is not evenly spaced"
    assert [path.name for path in write_grid(Grid(data), tmp_path, "g", {})] == ["g.nc"]


def test_a_full_disk_is_said_and_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "rs.nc").write_text("before")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(SoilqlError, match="SQ901"):
            write_grid(example(), tmp_path, "rs", {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path.name for path in tmp_path.iterdir()] == ["rs.nc"]
    assert (tmp_path / "rs.nc").read_text() == "before"


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SoilqlError, match="SQ901 cannot write"):
        write_grid(example(4, 4), tmp_path / "file" / "out", "rs", {})


@pytest.mark.parametrize(
    ("unit", "cf"),
    [
        # UDUNITS-2 spells; C would be coulomb there.
        ("g C m-2 yr-1", "g m-2 year-1"),
        ("mm d-1", "mm day-1"),
        ("%", "percent"),
        ("degC", "degree_Celsius"),
        ("g C m-2 yr-1 decade-1", "0.1 g m-2 year-2"),
        ("1", "1"),
        ("bananas", "bananas"),
    ],
)
def test_units_as_cf_writes_them(unit: str, cf: str) -> None:
    assert netcdf.cf_unit(unit) == cf
