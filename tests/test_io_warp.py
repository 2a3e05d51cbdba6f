"""Sinusoidal tiles of MODIS brought to longitude and latitude: places by the closed form of the projection."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rasterio.transform import from_origin

from soilql.context import Resources
from soilql.io.warp import Reprojection, target_axes
from tests.grid_files import failure, read, tiff

# The projection and the tiles of the MODIS land products: 36 by 18 tiles of 10 degrees at the equator on a sphere
# (https://modis-land.gsfc.nasa.gov/MODLAND_grid.html).
RADIUS = 6371007.181
SINUSOIDAL = f"+proj=sinu +lon_0=0 +x_0=0 +y_0=0 +R={RADIUS} +units=m +no_defs"
TILE = np.pi * RADIUS / 18


def tile(horizontal: int, vertical: int, cells: int = 120) -> dict[str, object]:
    west, north = -np.pi * RADIUS + horizontal * TILE, np.pi * RADIUS / 2 - vertical * TILE
    return {"crs": SINUSOIDAL, "transform": from_origin(west, north, TILE / cells, TILE / cells)}


def place(
    row: np.ndarray, column: np.ndarray, horizontal: int, vertical: int, cells: int = 120
) -> tuple[np.ndarray, np.ndarray]:
    """Latitude and longitude of points of a tile: x = R lon cos(lat), y = R lat (Snyder 1987, eq. 30-1 and 30-2)."""
    lat = 90 - 10 * vertical - 10 * row / cells
    lon = (-180 + 10 * horizontal + 10 * column / cells) / np.cos(np.radians(lat))
    return lat, lon


def test_a_tile_covers_what_the_projection_says() -> None:
    profile = tile(10, 5)
    lat, lon = target_axes(str(profile["crs"]), profile["transform"], 120, 120, 0.25)
    corners = [place(np.float64(r), np.float64(c), 10, 5) for r in (0, 120) for c in (0, 120)]
    assert lat[[0, -1]].tolist() == [39.875, 30.125]
    assert lon[0] - 0.125 <= min(corner[1] for corner in corners) < lon[0] + 0.125
    assert lon[-1] - 0.125 < max(corner[1] for corner in corners) <= lon[-1] + 0.125
    assert np.allclose(np.diff(lon), 0.25, rtol=0, atol=1e-12)


def test_each_cell_takes_the_pixel_in_which_its_centre_lies(tmp_path: Path) -> None:
    values = np.arange(120 * 120.0).reshape(120, 120)
    path = tiff(tmp_path / "a.tif", values, **tile(10, 5))
    grid = read(path, "reproject: 0.25")
    lat, lon = np.meshgrid(grid.data["lat"].values, grid.data["lon"].values, indexing="ij")
    y = (60 - 10 - lat) * 12  # rows from the edge of the tile at 40 N
    x = (lon * np.cos(np.radians(lat)) + 80) * 12  # columns from its edge at 80 degrees of the equator
    inside = (x > 0) & (x < 120) & (y > 0) & (y < 120)
    rows = ((40 - lat) * 12).clip(0, 119).astype(int)
    expected = np.where(inside | ((x > 0) & (x < 120)), values[rows, x.clip(0, 119).astype(int)], np.nan)
    found = grid.data["a"].values
    clear = np.abs(x - np.rint(x)) > 0.01  # no centre on the edge of a pixel, where rounding decides
    clear &= np.abs((40 - lat) * 12 - np.rint((40 - lat) * 12)) > 0.01
    assert clear.mean() > 0.9
    np.testing.assert_array_equal(found[clear], expected[clear])


@pytest.mark.parametrize("method", ["nearest", "bilinear", "average", "mode"])
def test_windows_do_not_change_the_result(tmp_path: Path, method: str) -> None:
    values = np.random.default_rng(3).integers(1, 50, (120, 120))
    path = tiff(tmp_path / "a.tif", values, dtype="int16", nodata=7, **tile(17, 8))
    yaml = f"reproject: {{resolution: 0.3, method: {method}}}"
    whole = read(path, yaml).data["a"].values
    cut = read(path, yaml, resources=Resources(memory=8 * 64 * 30, workers=1)).data["a"]
    assert cut.data.numblocks[0] > 3
    np.testing.assert_allclose(cut.values, whole, rtol=1e-6)


def test_averages_leave_out_what_is_missing(tmp_path: Path) -> None:
    # At the equator and the central meridian the projection is almost the plate carree: 12 x 12 pixels a degree.
    values = np.full((120, 120), 4.0)
    values[:, ::2] = 32765
    path = tiff(tmp_path / "a.tif", values, dtype="int16", **tile(18, 8))
    grid = read(path, "reproject: {resolution: 1, method: average}\nvariables: {a: {nodata: [32765]}}")
    inner = grid.data["a"].values[2:-2, 2:-2]
    assert np.unique(inner[np.isfinite(inner)]).tolist() == [4.0]
    assert np.isfinite(inner).all()


def pixels_at(lat: np.ndarray, lon: np.ndarray, horizontal: int, vertical: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of a tile of 120 x 120 pixels in which places lie; beyond 0 to 119 they lie in another tile."""
    row = (90 - 10 * vertical - lat) * 12
    column = (lon * np.cos(np.radians(lat)) + 180 - 10 * horizontal) * 12
    return np.floor(row).astype(int), np.floor(column).astype(int)


@pytest.mark.parametrize("method", ["average", "mode"])
def test_a_cell_is_made_of_its_own_area_where_meridians_are_slanted(tmp_path: Path, method: str) -> None:
    # At 60 to 70 N and 100 E, a rectangle of the sinusoidal projection round a cell reaches over four neighbours.
    cover = np.random.default_rng(8).integers(1, 5, (2, 120, 120))
    cover[cover == 3] = 0
    paths = [tiff(tmp_path / f"cover.A2001001.h{22 + i}.tif", cover[i], "uint8", nodata=0, **tile(22 + i, 2))
             for i in (0, 1)]  # fmt: skip
    grid = read(
        paths, f'reproject: {{resolution: 1, method: {method}}}\ntime: {{pattern: "{{name}}.A%Y%j", step: day}}'
    )
    found = grid.data["cover"].isel(time=0)
    steps = (np.arange(200) + 0.5) / 200 - 0.5
    # The cell from 97 to 98 E is cut by the edge between the tiles, at 40 degrees of the equator.
    for lat, lon in ((64.5, 95.5), (64.5, 97.5), (65.5, 97.5), (67.5, 104.5)):
        places = np.meshgrid(lat + steps, lon + steps, indexing="ij")
        values = np.zeros(places[0].shape)
        for i in (0, 1):
            row, column = pixels_at(*places, 22 + i, 2)
            inside = (row >= 0) & (row < 120) & (column >= 0) & (column < 120)
            values[inside] = cover[i][row[inside], column[inside]]
        areas = np.array([(np.cos(np.radians(places[0])) * (values == code)).sum() for code in (1, 2, 4)])
        value = float(found.sel(lat=lat, lon=lon))
        if method == "mode":
            assert value == (1, 2, 4)[areas.argmax()]
        else:
            assert value == pytest.approx(areas @ [1, 2, 4] / areas.sum(), abs=0.03)


def test_tiles_are_joined_across_their_slanted_edges(tmp_path: Path) -> None:
    paths = []
    for horizontal in (19, 20):
        rows, columns = np.meshgrid(np.arange(120) + 0.5, np.arange(120) + 0.5, indexing="ij")
        paths.append(
            tiff(
                tmp_path / f"east.A2000001.h{horizontal}.tif",
                place(rows, columns, horizontal, 4)[1],
                **tile(horizontal, 4),
            )
        )
    grid = read(paths, 'reproject: {resolution: 0.2}\ntime: {pattern: "{name}.A%Y%j", step: day}')
    found = grid.data["east"].values[0]
    lat, lon = np.meshgrid(grid.data["lat"].values, grid.data["lon"].values, indexing="ij")
    x = lon * np.cos(np.radians(lat))
    inside = (x > 10.05) & (x < 29.95) & (lat > 40.05) & (lat < 49.95)
    assert np.isfinite(found[inside]).all()
    # Half a pixel, a 24th of a degree at the equator, is wider in longitude by 1 / cos(latitude); half a pixel in
    # latitude shifts a longitude by itself times the tangent of the latitude.
    off = 1 / 24 / np.cos(np.radians(50)) + 47 * np.tan(np.radians(50)) * np.radians(1 / 24)
    np.testing.assert_allclose(found[inside], lon[inside], atol=off)
    twice = [*paths, tiff(tmp_path / "east.A2000001.again.tif", np.ones((120, 120)), **tile(20, 4))]
    assert failure(twice, 'reproject: 0.2\ntime: {pattern: "{name}.A%Y%j", step: day}').code == "SQ734"


def test_tiles_at_the_rim_of_the_globe() -> None:
    profile = tile(0, 8)
    lat, lon = target_axes(str(profile["crs"]), profile["transform"], 120, 120, 0.5)
    assert lon.min() == -179.75
    assert lat[[0, -1]].tolist() == [9.75, 0.25]
    outside = tile(0, 1)
    assert target_axes(str(outside["crs"]), outside["transform"], 120, 120, 0.5)[0].size == 0


def test_a_layer_cannot_be_called_as_an_axis(tmp_path: Path) -> None:
    path = tiff(tmp_path / "lon.tif", np.ones((2, 2)))
    assert (failure(path).code, read(path, "variables: {east: lon}").data["east"].size) == ("SQ710", 4)


def test_other_projections_are_read_too(tmp_path: Path) -> None:
    polar = {"crs": "EPSG:3413", "transform": from_origin(-2e6, 2e6, 4e4, 4e4)}
    grid = read(tiff(tmp_path / "a.tif", np.full((100, 100), 5.0), **polar), "reproject: 1")
    assert float(grid.data["a"].sel(lat=80.5, lon=0.5)) == 5
    assert float(grid.data["a"].sel(lat=89.5, lon=-120.5)) == 5
    assert np.isnan(grid.data["a"].values[-1]).any()


def test_without_a_resolution_the_way_out_is_said(tmp_path: Path) -> None:
    found = failure(tiff(tmp_path / "a.tif", np.ones((120, 120)), **tile(10, 5)))
    assert found.code == "SQ722"
    assert "`reproject: {resolution: 0.05, method: average}`" in found.help
    nowhere = failure(tiff(tmp_path / "b.tif", np.ones((120, 120)), **tile(0, 1)), "reproject: 0.5")
    assert (nowhere.code, nowhere.message) == ("SQ705", "no cell of `b.tif` lies on the globe")


def test_a_window_beside_the_tile_needs_nothing_of_it() -> None:
    profile = tile(10, 5)
    axes = target_axes(str(profile["crs"]), profile["transform"], 120, 120, 0.25)
    warp = Reprojection(str(profile["crs"]), profile["transform"], 120, 120, axes, 0.25, "nearest")
    # Its north-western corner lies far from the slanted western edge in the south.
    assert warp.source_window((axes[0].size - 4, axes[0].size), (0, 4)) is None
