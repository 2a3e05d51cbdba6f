"""Random fields and sites: reproducible, free of seams, and distributed as they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from soilql.io.planet import Distribution, Field, centres, draw_rows, draw_sites
from soilql.stats.sphere import great_circle_distance


def test_smooth_fields_have_no_seam_and_are_the_same_at_every_resolution() -> None:
    field = Field(3, "x", Distribution(), 20.0)
    lat = np.array([60.0, 0.0])
    np.testing.assert_allclose(field.values(lat, np.array([-180.0])), field.values(lat, np.array([180.0])), atol=1e-10)
    pole = field.values(np.array([90.0]), np.arange(-180, 180, 30.0))
    np.testing.assert_allclose(pole, pole[0, 0], atol=1e-10)
    fine, coarse = (field.values(np.array([5.0]), np.arange(-175, 180, step)) for step in (5.0, 10.0))
    np.testing.assert_array_equal(fine[:, ::2], coarse)


def test_smooth_fields_have_the_correlation_they_name() -> None:
    # Over many fields: variance 1 and correlation exp(-d^2 / (2 l^2)), with d the chord.
    lon = np.array([0.0, 10.0, 20.0, 40.0])
    draws = np.array([Field(seed, "x", Distribution(), 20.0).values(np.array([0.0]), lon)[0] for seed in range(1500)])
    chord = 2 * np.sin(np.radians(lon) / 2)
    expected = np.exp(-(chord**2) / (2 * np.radians(20.0) ** 2))
    np.testing.assert_allclose(np.cov(draws.T)[0], expected, atol=0.1)
    assert stats.kstest(draws[:, 0], "norm").pvalue > 0.01


def test_rough_fields_are_independent_normal_numbers() -> None:
    lat, lon = centres(2, [-180, -90, 180, 90])
    values = Field(7, "x", Distribution()).values(lat, lon)
    assert stats.kstest(values.ravel(), "norm").pvalue > 0.01
    for a, b in ((values[1:], values[:-1]), (values[:, 1:], values[:, :-1])):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 4 / np.sqrt(values.size)


@pytest.mark.parametrize("smooth", [0.0, 25.0])
def test_fields_do_not_depend_on_the_block_and_differ_by_seed_and_name(smooth: float) -> None:
    lat, lon = centres(5, [-180, -90, 180, 90])
    field = Field(1, "x", Distribution(), smooth)
    whole = field.values(lat, lon)
    parts = field.lazy(lat, lon, ((7, 29), (10, 50, 12))).compute()
    np.testing.assert_array_equal(whole, parts)
    for other in (Field(2, "x", Distribution(), smooth), Field(1, "y", Distribution(), smooth)):
        assert not np.array_equal(other.values(lat, lon), whole)


def test_distributions() -> None:
    lat, lon = centres(2, [-180, -90, 180, 90])
    uniform = Field(1, "x", Distribution("uniform", low=2, high=5)).values(lat, lon)
    assert stats.kstest(uniform.ravel(), "uniform", (2, 3)).pvalue > 0.01
    normal = Field(1, "x", Distribution("normal", 10, 2)).values(lat, lon)
    assert stats.kstest(normal.ravel(), "norm", (10, 2)).pvalue > 0.01


def test_centres_are_exact() -> None:
    lat, lon = centres(0.1, [-180, -90, 180, 90])
    assert (lat.size, lon.size) == (1800, 3600)
    assert (lat[0], lon[0], lon[1]) == (89.95, -179.95, -179.85)


def test_sites_are_drawn_by_area_and_only_once() -> None:
    lat, lon = centres(5, [-180, -90, 180, 90])
    areas = np.broadcast_to(np.cos(np.radians(lat))[:, None], (lat.size, lon.size))
    valid = np.ones(areas.shape, dtype=bool)
    hits = np.zeros(lat.size)
    for seed in range(300):
        rows, columns = draw_sites(valid, areas, lat, lon, 20, seed)
        assert len(set(zip(rows.tolist(), columns.tolist(), strict=True))) == 20
        hits += np.bincount(rows, minlength=lat.size)
    expected = np.cos(np.radians(lat)) / np.cos(np.radians(lat)).sum() * hits.sum()
    assert stats.chisquare(hits, expected).pvalue > 0.01


def test_invalid_cells_are_never_drawn_and_all_valid_ones_can_be() -> None:
    lat, lon = centres(30, [-180, -90, 180, 90])
    valid = np.zeros((6, 12), dtype=bool)
    valid[1, 3:8] = True
    rows, columns = draw_sites(valid, np.ones(valid.shape), lat, lon, 5, 1, clusters=1, spread=10.0)
    assert sorted(zip(rows.tolist(), columns.tolist(), strict=True)) == [(1, c) for c in range(3, 8)]


def test_clustered_sites_stand_closer_together() -> None:
    lat, lon = centres(5, [-180, -90, 180, 90])
    areas = np.broadcast_to(np.cos(np.radians(lat))[:, None], (lat.size, lon.size))

    def nearest(clusters: int) -> float:
        rows, columns = draw_sites(np.ones(areas.shape, dtype=bool), areas, lat, lon, 60, 4, clusters)
        km = great_circle_distance(lat[rows][:, None], lon[columns][:, None], lat[rows], lon[columns])
        np.fill_diagonal(km, np.inf)
        return float(np.median(km.min(axis=1)))

    assert nearest(4) < 0.7 * nearest(0)


def test_numbers_of_rows_are_shared_within_groups() -> None:
    labels = np.array([0, 0, 1, 2, 1])
    drawn = draw_rows(Distribution(), 5, "e", labels, 3)
    assert drawn[0] == drawn[1]
    assert drawn[2] == drawn[4]
    assert len(set(drawn)) == 3
