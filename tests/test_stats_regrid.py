"""From grid to grid: integrals are kept, linear fields reproduced, gaps and seams handled; scipy as a peer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import RegularGridInterpolator

from soilql.stats.regrid import METHODS, Axis, Method, apply, axis_weights, class_share, default_share
from soilql.stats.sphere import cell_areas

Cells = tuple[Axis, Axis]


def globe(step: float, south_first: bool = False) -> Cells:
    rows = 90 - step / 2 - step * np.arange(round(180 / step))
    return Axis.latitudes(rows[::-1] if south_first else rows), Axis.longitudes(
        -180 + step / 2 + step * np.arange(round(360 / step))
    )


def with_poles(step: float) -> Cells:
    """Cells centred on the poles and on the date line, as many models have them."""
    return Axis.latitudes(np.arange(90, -90 - step / 2, -step)), Axis.longitudes(np.arange(-180, 180, step))


def regrid(values: Any, source: Cells, target: Cells, method: Method, share: float | None = None) -> Any:
    lat, lon = (axis_weights(a, b, axis, method) for a, b, axis in zip(source, target, ("lat", "lon"), strict=True))  # type: ignore[arg-type]
    return apply(values, lat, lon, method, default_share(method) if share is None else share)[0]


def areas(cells: Cells) -> Any:
    return cell_areas(cells[0].edges, cells[1].edges)


PAIRS = [
    (globe(2), globe(10)),
    (globe(2), globe(3.6)),
    (globe(10), globe(2.5)),
    (with_poles(10), globe(2)),
    (globe(2.5), with_poles(10)),
    (globe(5, south_first=True), globe(4)),
    (globe(4), globe(5, south_first=True)),
]


@pytest.mark.parametrize(("source", "target"), PAIRS)
@pytest.mark.parametrize("gaps", [0.0, 0.4])
def test_the_integral_of_a_density_is_kept(source: Cells, target: Cells, gaps: float) -> None:
    rng = np.random.default_rng(2)
    values = rng.gamma(2.0, size=(source[0].centres.size, source[1].centres.size))
    values[rng.random(values.shape) < gaps] = np.nan
    found = regrid(values, source, target, "conservative")
    assert np.nansum(found * areas(target)) == pytest.approx(np.nansum(values * areas(source)), rel=1e-12)
    assert np.nansum(regrid(values, source, target, "sum")) == pytest.approx(np.nansum(values), rel=1e-12)


@pytest.mark.parametrize(("source", "target"), PAIRS)
@pytest.mark.parametrize("method", METHODS)
def test_a_constant_stays_what_it_is(source: Cells, target: Cells, method: Method) -> None:
    if method == "sum":
        return
    values = np.full((source[0].centres.size, source[1].centres.size), 7.0)
    np.testing.assert_allclose(regrid(values, source, target, method), 7.0, rtol=1e-13)


def test_an_average_is_the_mean_weighted_by_area() -> None:
    source, target = globe(2), globe(10)
    values = np.random.default_rng(3).normal(size=(90, 180))
    weights = areas(source)
    blocks = [one.reshape(18, 5, 36, 5) for one in (values * weights, weights)]
    expected = blocks[0].sum(axis=(1, 3)) / blocks[1].sum(axis=(1, 3))
    np.testing.assert_allclose(regrid(values, source, target, "average"), expected, rtol=1e-12)


def test_an_average_of_gaps_is_of_the_area_with_values() -> None:
    source, target = globe(2), globe(10)
    values = np.random.default_rng(4).normal(size=(90, 180))
    values[np.random.default_rng(5).random(values.shape) < 0.5] = np.nan
    weights = np.where(np.isnan(values), 0.0, areas(source))
    total = (np.nan_to_num(values) * weights).reshape(18, 5, 36, 5).sum(axis=(1, 3))
    valid = weights.reshape(18, 5, 36, 5).sum(axis=(1, 3))
    expected = np.where(valid / areas(target) >= 0.5, total / valid, np.nan)
    np.testing.assert_allclose(regrid(values, source, target, "average"), expected, rtol=1e-12)


def test_bilinear_agrees_with_scipy_and_reproduces_a_plane() -> None:
    source, target = globe(10), globe(4)
    field = np.random.default_rng(6).normal(size=(18, 36))
    inside = (np.abs(target[0].centres) < 85)[:, None] & (np.abs(target[1].centres) < 175)[None, :]
    peer = RegularGridInterpolator((source[0].centres[::-1], source[1].centres), field[::-1], bounds_error=False)
    places = np.stack(np.meshgrid(target[0].centres, target[1].centres, indexing="ij"), axis=-1)
    found = regrid(field, source, target, "bilinear")
    np.testing.assert_allclose(found[inside], peer(places)[inside], rtol=1e-12, atol=1e-12)
    plane = 3 + 0.5 * source[0].centres[:, None] - 0.25 * source[1].centres[None, :]
    expected = 3 + 0.5 * target[0].centres[:, None] - 0.25 * target[1].centres[None, :]
    np.testing.assert_allclose(regrid(plane, source, target, "bilinear")[inside], expected[inside], rtol=1e-12)


def test_bilinear_goes_on_across_the_seam() -> None:
    source, target = globe(10), (globe(10)[0], Axis.longitudes(np.arange(-180.0, 180, 10)))
    field = np.zeros((18, 36))
    field[:, 0], field[:, -1] = 1.0, 3.0  # 175 W and 175 E
    assert regrid(field, source, target, "bilinear")[:, 0].tolist() == [2.0] * 18


def test_nearest_takes_the_cell_that_a_centre_lies_in() -> None:
    source, target = globe(10), globe(4)
    field = np.arange(18 * 36.0).reshape(18, 36)
    rows = np.floor((90 - target[0].centres) / 10).astype(int)
    # A centre on the edge of two cells belongs to the northern and the eastern one.
    rows = np.where((90 - target[0].centres) % 10 == 0, rows - 1, rows)
    columns = np.floor((target[1].centres + 180) / 10).astype(int)
    np.testing.assert_array_equal(regrid(field, source, target, "nearest"), field[np.ix_(rows, columns)])


def test_the_mode_is_the_class_with_the_largest_area() -> None:
    source = (Axis.latitudes([67.5, 22.5, -22.5, -67.5]), Axis.longitudes([-135.0, -45, 45, 135]))
    target = (Axis.latitudes([45.0, -45.0]), Axis.longitudes([-90.0, 90.0]))
    classes = np.array([[1, 1, 4, 3], [2, 2, 3, 4], [5, 5, 7, np.nan], [5, 6, np.nan, np.nan]])
    found = regrid(classes, source, target, "mode")
    # In the north-west the two southern cells are the larger ones. In the north-east 3 and 4 have the same area, and
    # the smaller number wins. In the south-east less than half of the area has a class.
    np.testing.assert_array_equal(found, [[2, 3], [5, np.nan]])
    lat, lon = (axis_weights(a, b, axis, "mode") for a, b, axis in zip(source, target, ("lat", "lon"), strict=True))  # type: ignore[arg-type]
    share = class_share(classes, lat, lon, [2, 3], 0.5)
    belt = np.sin(np.pi / 4)  # share of the southern cells on a sphere; the ellipsoid changes it a little
    assert share[0, 0] == pytest.approx(belt, abs=3e-3)
    assert share[0, 1] == pytest.approx(0.5, abs=1e-12)
    assert np.isnan(share[1, 1])


def test_a_region_has_no_values_beyond_its_edges() -> None:
    source = (Axis.latitudes([55.0, 45.0]), Axis.longitudes([5.0, 15.0]))
    for method in METHODS:
        found = regrid(np.ones((2, 2)), source, globe(10), method)
        assert np.isfinite(found).sum() == 4, method


def test_edges_that_differ_by_rounding_are_one_edge() -> None:
    source, target = globe(10), globe(10)
    nudged = (Axis(target[0].centres, target[0].edges + 1e-9), Axis(target[1].centres, target[1].edges - 1e-9))
    values = np.random.default_rng(8).normal(size=(18, 36))
    np.testing.assert_array_equal(regrid(values, source, nudged, "average"), regrid(values, source, target, "average"))
    lat = axis_weights(source[0], nudged[0], "lat", "average")
    assert lat.shares.nnz == 18


@settings(max_examples=40)
@given(st.sampled_from([1, 2, 2.5, 3, 4, 5, 9, 10, 18]), st.sampled_from([1, 2, 3, 4.5, 5, 10, 30]))
def test_weights_of_every_cell_sum_to_one(one: float, other: float) -> None:
    for a, b, axis in zip(globe(one), globe(other), ("lat", "lon"), strict=True):
        for method in METHODS:
            weights = axis_weights(a, b, axis, method)  # type: ignore[arg-type]
            np.testing.assert_allclose(weights.shares.sum(axis=1), 1.0, rtol=1e-12)
