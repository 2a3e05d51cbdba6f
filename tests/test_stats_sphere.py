"""Areas and distances against WGS84's constants and closed forms; cells around sites by brute force."""

import numpy as np
import pytest

from soilql.errors import SoilqlError
from soilql.stats import sphere


@pytest.mark.parametrize(("south", "area"), [(0.0, 3077.230008), (30.0, 2667.300485), (45.0, 2181.138863)])
def test_half_degree_cells(south, area):
    # Closed form of the area between parallels of WGS84 (Snyder 1987, eq. 3-12).
    assert round(sphere.cell_areas([south, south + 0.5], [10.0, 10.5]).item(), 6) == area
    assert round(sphere.cell_areas([south + 0.5, south], [10.5, 10.0]).item(), 6) == area
    assert round(sphere.cell_areas([-south - 0.5, -south], [0.0, 0.5]).item(), 6) == area


def test_globe():
    # Surface of the ellipsoid WGS84 (km2).
    assert round(sphere.cell_areas([-90, 90], [-180, 180]).item(), 3) == 510065621.724
    fine = sphere.cell_areas(np.linspace(90, -90, 2161), np.linspace(-180, 180, 25))
    assert fine.sum() == pytest.approx(510065621.724, rel=1e-12)


def test_edges():
    half = np.arange(-89.75, 90, 0.5)
    assert np.array_equal(sphere.edges_from_centres(half, limits=(-90, 90)), np.arange(-90, 90.5, 0.5))
    five = np.linspace(-90 + 1 / 24, 90 - 1 / 24, 2160).astype(np.float32)
    edges = sphere.edges_from_centres(five, limits=(-90, 90))
    assert edges[0] == -90.0
    assert edges[-1] == 90.0
    assert np.abs(edges - np.linspace(-90, 90, 2161)).max() < 1e-5
    assert sphere.edges_from_centres([-90, 0, 90], limits=(-90, 90)).tolist() == [-90, -45, 45, 90]
    assert sphere.edges_from_centres([0.0, 1.0, 3.0]).tolist() == [-0.5, 0.5, 2.0, 4.0]
    assert sphere.edges_from_centres([7.0], step=2.0).tolist() == [6.0, 8.0]


def test_great_circle_closed_forms():
    quarter = np.pi / 2 * sphere.MEAN_RADIUS
    assert sphere.great_circle_distance(0, 0, 90, 123) == pytest.approx(quarter, rel=1e-15)
    assert sphere.great_circle_distance(0, -45, 0, 45) == pytest.approx(quarter, rel=1e-15)
    assert sphere.great_circle_distance(10, 20, -10, 200) == pytest.approx(2 * quarter, rel=1e-7)
    # One second of arc, where the law of cosines loses half its digits.
    assert sphere.great_circle_distance(50, 8, 50 + 1 / 3600, 8) == pytest.approx(quarter / 90 / 3600, rel=1e-8)


def grids():
    lat = np.arange(-89.75, 90, 0.5)
    west = np.arange(-179.75, 180, 0.5)
    yield lat, west
    yield lat[::-1], west
    yield lat[::-1], np.arange(0.25, 360, 0.5)
    yield lat, np.arange(0.25, 360, 0.5)[::-1]
    yield lat, np.concatenate([np.arange(100.25, 180, 0.5), np.arange(-179.75, 100, 0.5)])


def test_a_single_row_or_column_is_as_wide_as_the_cells_of_the_other_axis():
    cells = sphere.nearest_cells([4.9, 5.1, -5.1], [12.0, 27.0, 12.0], [0.0], [5.0, 15.0, 25.0])
    assert cells.inside.tolist() == [True, False, False]
    assert (cells.rows[0], cells.columns[0]) == (0, 1)
    weights = sphere.bilinear_weights([-4.0, 40.0], [5.0, 5.0], [10.0, 0.0, -10.0], [7.0])
    assert weights.inside.tolist() == [True, False]
    assert weights.apply([[1.0], [2.0], [7.0]])[0] == pytest.approx(4.0)
    with pytest.raises(SoilqlError, match="two or more rows or columns"):
        sphere.nearest_cells([0.0], [0.0], [0.0], [0.0])


@pytest.mark.parametrize("grid", list(grids()), ids=["south", "north", "0-360", "east-west", "date-line"])
def test_nearest_cell_contains_the_site_whatever_the_convention(grid):
    lat, lon = grid
    rng = np.random.default_rng(0)
    site_lat, site_lon = rng.uniform(-90, 90, 200), rng.uniform(-180, 360, 200)
    cells = sphere.nearest_cells(site_lat, site_lon, lat, lon)
    assert cells.inside.all()
    assert np.abs(lat[cells.rows] - site_lat).max() <= 0.25
    gap = np.mod(lon[cells.columns] - site_lon + 180, 360) - 180
    assert np.abs(gap).max() <= 0.25 + 1e-9
    expected = sphere.great_circle_distance(site_lat, site_lon, lat[cells.rows], lon[cells.columns])
    assert np.allclose(cells.distance, expected, rtol=0, atol=1e-9)


def test_sites_outside_a_regional_grid_are_marked():
    lat, lon = np.arange(30.5, 50), np.arange(70.5, 135)
    cells = sphere.nearest_cells([40, 29.9, 30.1, 40, 40], [100.2, 100, 100, 69, 136], lat, lon)
    assert cells.inside.tolist() == [True, False, True, False, False]
    assert cells.rows.tolist() == [10, 0, 0, 10, 10]
    assert cells.columns.tolist() == [30, 30, 30, 0, 64]
    weights = sphere.bilinear_weights([40, 29.9], [100.2, 100], lat, lon)
    field = np.ones((lat.size, lon.size))
    assert weights.apply(field)[0] == pytest.approx(1.0, abs=1e-15)
    assert np.isnan(weights.apply(field)[1])


@pytest.mark.parametrize("grid", list(grids()), ids=["south", "north", "0-360", "east-west", "date-line"])
def test_bilinear_is_exact_for_what_is_linear_in_latitude_and_piecewise_in_longitude(grid):
    lat, lon = grid
    rng = np.random.default_rng(1)
    site_lat, site_lon = rng.uniform(-89, 89, 100), rng.uniform(-180, 180, 100)

    def field(y, x):
        # Linear in between the half-degree centres and periodic over the globe.
        x = np.mod(x, 360)
        return 3 * y + np.abs(x - 180.25) * (1 + 0.1 * y)

    keep = np.abs(np.mod(site_lon - 0.25 + 180, 360) - 180) > 0.5
    weights = sphere.bilinear_weights(site_lat, site_lon, lat, lon)
    found = weights.apply(field(lat[:, None], lon[None, :]))
    assert weights.inside.all()
    assert np.allclose(found[keep], field(site_lat, site_lon)[keep], rtol=1e-10, atol=1e-8)


def test_bilinear_wraps_and_stops_at_the_pole():
    lat, lon = np.array([45.0, -45.0]), np.array([45.0, 135.0, 225.0, 315.0])
    field = np.array([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]])
    assert sphere.bilinear_weights([45], [0], lat, lon).apply(field).tolist() == [2.5]
    assert sphere.bilinear_weights([90], [45], lat, lon).apply(field).tolist() == [1.0]
    assert sphere.bilinear_weights([0], [-90], lat, lon).apply(field).tolist() == [5.5]


def test_bilinear_with_missing_corners():
    lat, lon = np.array([0.0, 1.0]), np.array([0.0, 1.0])
    field = np.array([[1.0, np.nan], [3.0, 4.0]])
    weights = sphere.bilinear_weights([0.5, 0.5, 1.0], [0.5, 0.0, 0.5], lat, lon)
    found = weights.apply(field)
    assert np.isnan(found[0])
    # No weight falls on the missing corner.
    assert found[1:].tolist() == [2.0, 3.5]


def test_bilinear_takes_a_stack_of_fields():
    weights = sphere.bilinear_weights([0.5], [0.5], [0.0, 1.0], [0.0, 1.0])
    assert weights.apply(np.arange(8.0).reshape(2, 2, 2)).tolist() == [[1.5], [5.5]]


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: sphere.cell_areas([0, 91], [0, 1]), "SQ813"),
        (lambda: sphere.cell_areas([0, 1, 0], [0, 1]), "SQ813"),
        (lambda: sphere.cell_areas([0, 1], [0, 361]), "SQ813"),
        (lambda: sphere.edges_from_centres([1.0]), "SQ813"),
        (lambda: sphere.nearest_cells([95.0], [0.0], [0, 1], [0, 1]), "SQ813"),
        (lambda: sphere.nearest_cells([np.nan], [0.0], [0, 1], [0, 1]), "SQ812"),
        (lambda: sphere.nearest_cells([0.0], [0.0], [0, 1], np.arange(0, 361.0)), "SQ813"),
        (lambda: sphere.bilinear_weights([0.0], [0.0, 1.0], [0, 1], [0, 1]), "SQ811"),
    ],
)
def test_errors(call, code):
    with pytest.raises(SoilqlError) as caught:
        call()
    assert caught.value.diagnostics[0].code == code
