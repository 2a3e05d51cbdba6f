"""Bootstrap intervals of slopes, against SciPy's slopes of the same samples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from soilql.errors import SoilqlError
from soilql.kernels.draws import draw, stream
from soilql.stats.theil_sen import theil_sen
from soilql.stats.theil_sen_bootstrap import slope_intervals

YEARS = np.array([2001.0, 2002.0, 2004.0, 2005.0, 2006.0, 2009.0, 2010.0, 2013.0])
VALUES = np.array([3.0, 1.5, 4.0, 4.5, 9.0, 2.5, 6.0, 5.0])


def pairs_by_hand(values: np.ndarray, years: np.ndarray, replicates: int, seed: int) -> np.ndarray:
    """Return the slopes that SciPy gives for the samples that are drawn."""
    n = values.size
    state, drawn, slopes = np.uint64(stream(np.uint64(seed), np.uint64(n))), np.empty(n, np.int64), []
    while len(slopes) < replicates:
        state = np.uint64(draw(state, n, drawn))
        if drawn.min() < drawn.max():
            slopes.append(stats.theilslopes(values[drawn], years[drawn]).slope)
    return np.array(slopes)


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_pairs_are_the_slopes_of_the_samples_drawn(level):
    lower, upper = slope_intervals(VALUES, YEARS, level=level, replicates=200, seed=5)
    slopes = pairs_by_hand(VALUES, YEARS, 200, 5)
    assert (float(lower), float(upper)) == pytest.approx(
        np.quantile(slopes, [0.5 - level / 2, 0.5 + level / 2]), rel=1e-12
    )


def test_pairs_of_a_pixel_with_gaps_are_those_of_its_values():
    years, values = np.insert(YEARS, 3, 2004.5), np.insert(VALUES, 3, np.nan)
    both = slope_intervals(np.column_stack([values, np.insert(VALUES, 3, 1e3)]), years, replicates=200, seed=5)
    alone = slope_intervals(VALUES, YEARS, replicates=200, seed=5)
    assert (both[0][0], both[1][0]) == (float(alone[0]), float(alone[1]))


def test_residuals_are_put_back_onto_the_line():
    line = theil_sen(VALUES, YEARS).slope
    rest = VALUES - line * (YEARS - YEARS[0])
    for length, method in ((1, "residual"), (3, "block")):
        state, slopes = np.uint64(stream(np.uint64(9), np.uint64(8))), []
        firsts = np.empty(-(-8 // length), np.int64)
        for _ in range(150):
            state = np.uint64(draw(state, 8 - length + 1, firsts))
            drawn = (firsts[:, None] + np.arange(length)).ravel()[:8]
            slopes.append(line + stats.theilslopes(rest[drawn], YEARS).slope)
        found = slope_intervals(VALUES, YEARS, method=method, replicates=150, seed=9, block_length=length)
        assert np.array(found) == pytest.approx(np.quantile(slopes, [0.025, 0.975]), rel=1e-9)


@pytest.mark.parametrize("method", ["pairs", "residual", "block"])
@pytest.mark.parametrize("shared", [True, False])
def test_blocks_leave_no_trace(method, shared):
    values = np.random.default_rng(0).standard_normal((9, 12))
    values[2, 4] = values[5, 4] = values[0, 7] = np.nan
    ids, options = np.arange(100, 112), {"method": method, "shared": shared, "replicates": 60, "seed": 3}
    whole = slope_intervals(values, range(9), pixels=ids, **options)
    for size in (1, 5):
        parts = [
            slope_intervals(values[:, k : k + size], range(9), pixels=ids[k : k + size], **options)
            for k in range(0, 12, size)
        ]
        np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)


def test_own_samples_differ_between_pixels_and_shared_ones_do_not():
    values = np.repeat(VALUES[:, None], 2, axis=1)
    shared, own = (slope_intervals(values, YEARS, shared=shared, replicates=50)[0] for shared in (True, False))
    assert shared[0] == shared[1]
    assert own[0] != own[1]


def test_intervals_are_in_the_unit_of_the_values():
    one, other = (np.array(slope_intervals(VALUES * unit, YEARS, seed=2)) for unit in (1.0, 1e-8))
    np.testing.assert_allclose(other, one * 1e-8, rtol=1e-12)


@pytest.mark.parametrize("n", [24, 40])
def test_longer_series_are_counted_in_wider_types(n):
    rng = np.random.default_rng(n)
    values, years = rng.standard_normal(n), np.arange(float(n))
    found = slope_intervals(values, years, replicates=50, seed=1)
    assert np.array(found) == pytest.approx(np.quantile(pairs_by_hand(values, years, 50, 1), [0.025, 0.975]), rel=1e-12)


@pytest.mark.parametrize("n", [2, 3, 5, 12, 30])
@pytest.mark.parametrize("unit", [1.0, -1e-9, 1e12])
def test_ties_and_few_values_are_no_matter(n, unit):
    values, years = np.round(np.random.default_rng(n).standard_normal(n)) * unit, 1990.0 + 2 * np.arange(float(n))
    found = slope_intervals(values, years, replicates=60, seed=n)
    expected = np.quantile(pairs_by_hand(values, years, 60, n), [0.025, 0.975])
    assert np.array(found) == pytest.approx(expected, rel=1e-12, abs=1e-14 * abs(unit))


def test_interval_of_independent_noise_covers_as_often_as_it_says():
    values = np.random.default_rng(1).standard_normal((15, 600))
    lower, upper = slope_intervals(values, range(15), method="pairs", level=0.9, replicates=400)
    # Percentile intervals of 15 values are a little short.
    assert 0.82 < np.mean((lower < 0) & (upper > 0)) < 0.93


def test_too_few_values_have_no_interval():
    lower, upper = slope_intervals(np.array([[np.nan, np.nan], [1.0, np.nan], [np.nan, np.nan]]), range(3))
    assert np.isnan([lower, upper]).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "bayesian"}, "unknown bootstrap"),
        ({"replicates": 1}, "replicates"),
        ({"seed": -1}, "seed"),
        ({"level": 1.5}, "strictly between"),
        ({"method": "block", "block_length": 0}, "block length"),
        ({"shared": False, "pixels": [1, 2]}, "2 numbers for 1 pixels"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, words):
    with pytest.raises(SoilqlError, match=words):
        slope_intervals(VALUES, YEARS, **options)
