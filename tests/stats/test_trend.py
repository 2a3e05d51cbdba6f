"""Trends of maps: the same as of each series alone, whatever the blocks, the order of pixels and the unit."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from soilql.errors import SoilqlError
from soilql.stats.mann_kendall import mann_kendall
from soilql.stats.theil_sen import least_squares, siegel, theil_sen
from soilql.stats.trend import NO_CLASS, TESTS, TrendClass, Trends, trend_classes, trends
from tests.stats.nile import FIRST_15
from tests.stats.test_prewhitening import red_noise

CELLS = st.one_of(st.integers(-3, 3).map(float), st.floats(-100, 100, width=32), st.just(float("nan")))
MAPS = arrays(np.float64, st.tuples(st.integers(4, 13), st.integers(1, 5)), elements=CELLS)


def columns(found: Trends) -> dict[str, np.ndarray]:
    return {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}


def assert_same(one: Trends, other: Trends) -> None:
    for name, column in columns(one).items():
        np.testing.assert_array_equal(column, columns(other)[name], err_msg=name)


@given(MAPS)
def test_every_pixel_is_as_the_series_alone(values):
    years = 2000.0 + np.cumsum(np.arange(values.shape[0]) % 3 + 1)
    found = trends(values, years, interval="sen", least=4)
    for pixel in range(values.shape[1]):
        series = values[:, pixel]
        test, line = mann_kendall(series, years), theil_sen(series, years)
        assert found.n[pixel] == test.n
        if test.n < 4:
            assert found.status[pixel] == 1
            assert np.isnan(found.p[pixel])
            continue
        assert (found.s[pixel], found.var_s[pixel]) == (test.s, test.var_s)
        assert (found.z[pixel], found.p[pixel]) == pytest.approx((test.z, test.p), rel=1e-12)
        assert found.tau[pixel] == pytest.approx(test.tau, rel=1e-12, nan_ok=True)
        assert found.slope[pixel] == line.slope
        assert found.intercept[pixel] == pytest.approx(line.intercept, rel=1e-12, abs=1e-9)
        assert (found.lower[pixel], found.upper[pixel]) == (line.lower, line.upper)
        assert found.status[pixel] == (2 if test.var_s == 0 else 0)


@settings(max_examples=40)
@given(MAPS, st.sampled_from(["siegel", "ols"]))
def test_other_slopes_are_those_of_the_series_alone(values, slope):
    years = 1990.0 + np.arange(values.shape[0])
    found = trends(values, years, slope=slope)
    alone = siegel if slope == "siegel" else least_squares
    for pixel in range(values.shape[1]):
        line = alone(values[:, pixel], years)
        if line.n >= 4:
            assert found.slope[pixel] == pytest.approx(line.slope, rel=1e-9, abs=1e-12)
            assert found.intercept[pixel] == pytest.approx(line.intercept, rel=1e-9, abs=1e-8)


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_blocks_and_order_of_pixels_leave_no_trace(test, dtype):
    values = (red_noise(15, 0.4, 150, seed=11) * 3).astype(dtype)
    values[:, ::7] = np.round(values[:, ::7])
    values[np.random.default_rng(1).random(values.shape) < 0.03] = np.nan
    values[:, 20] = 5.0
    values[:, 21] = np.nan
    years = np.arange(2001.0, 2016.0)
    for slope, interval in (("theil_sen", "sen"), ("siegel", "none"), ("ols", "none")):
        whole = columns(trends(values, years, test=test, slope=slope, interval=interval))
        order = np.random.default_rng(2).permutation(150)
        shuffled = columns(trends(values[:, order], years, test=test, slope=slope, interval=interval))
        for name in set(whole) - {"first", "last"}:
            np.testing.assert_array_equal(shuffled[name], whole[name][order], err_msg=name)
        for size in (1, 64, 101):
            parts = [
                columns(trends(values[:, first : first + size], years, test=test, slope=slope, interval=interval))
                for first in range(0, 150, size)
            ]
            for name in set(whole) - {"first", "last"}:
                joined = np.concatenate([part[name] for part in parts])
                np.testing.assert_array_equal(joined, whole[name], err_msg=f"{name}, blocks of {size}")


@pytest.mark.parametrize("test", TESTS)
def test_tiny_units_change_nothing_but_the_unit(test):
    values = red_noise(15, 0.4, 50, seed=4)
    years = np.arange(2001.0, 2016.0)
    one, other = trends(values, years, test=test), trends(values * 1e-8, years, test=test)
    for name in ("n", "s", "status"):
        np.testing.assert_array_equal(columns(one)[name], columns(other)[name])
    for name in ("p", "z", "tau", "lag1", "relative_change"):
        np.testing.assert_allclose(columns(one)[name], columns(other)[name], rtol=1e-8, err_msg=name)
    np.testing.assert_allclose(one.slope * 1e-8, other.slope, rtol=1e-12)
    np.testing.assert_allclose(one.change * 1e-8, other.change, rtol=1e-12)


def test_axes_of_pixels_are_kept():
    values = red_noise(12, 0.0, 12, seed=8)
    flat, square = trends(values, np.arange(12.0)), trends(values.reshape(12, 3, 4), np.arange(12.0))
    assert square.p.shape == (3, 4)
    np.testing.assert_array_equal(square.p.ravel(), flat.p)
    alone = trends(values[:, 5], np.arange(12.0))
    assert alone.p.shape == ()
    assert alone.p == flat.p[5]


def test_change_of_the_nile():
    found = trends(FIRST_15, range(1871, 1886), p_value="normal")
    assert float(found.change) == pytest.approx(-100.0)
    # The line starts at the median of value + 50/7 x years since 1871.
    start = float(np.median(np.array(FIRST_15) + 50 / 7 * np.arange(15)))
    assert float(found.relative_change) == pytest.approx(-100 * 100 / start)


def test_one_sided_tests_of_a_map():
    values = red_noise(15, 0.0, 30, seed=9)
    for p_value in ("exact", "normal"):
        for side in ("increasing", "decreasing"):
            found = trends(values, range(15), alternative=side, p_value=p_value)
            alone = [mann_kendall(values[:, k], alternative=side, p_value=p_value).p for k in range(30)]
            np.testing.assert_allclose(found.p, alone, rtol=1e-12)


def test_constant_pixels_have_no_trend_in_any_test():
    values = np.full((12, 2), 7.1)
    for test in TESTS:
        found = trends(values, range(12), test=test)
        assert found.status.tolist() == [2, 2]
        assert found.p.tolist() == [1.0, 1.0]
        assert found.slope.tolist() == [0.0, 0.0]
        assert np.isnan(found.lag1).all()


def test_correction_that_fails_leaves_the_slope_and_says_so():
    # Values that swing up and down: what is significant of their autocorrelations is negative, and leaves no variance.
    values = red_noise(12, -0.6, 200, seed=1)
    found = trends(values, range(12), test="hamed_rao")
    failed = found.status == 3
    assert 10 < failed.sum() < 100
    assert np.isnan(found.p[failed]).all()
    assert np.isnan(found.var_s[failed]).all()
    assert np.isfinite(found.p[~failed]).all()
    assert np.isfinite(found.slope).all()
    short = trends(np.array([1.0, 4.0, 2.0, 3.0]), range(4), test="bcpw")
    assert int(short.status) == 3
    assert np.isnan(short.p)
    assert float(short.slope) == theil_sen([1.0, 4.0, 2.0, 3.0]).slope


def test_classes():
    found = trend_classes([2.0, 1.0, 0.0, -1.0, -2.0, np.nan, 1.0], [0.0499, 0.05, 0.01, 0.5, 0.01, 0.01, np.nan])
    assert found.tolist() == [
        TrendClass.SIGNIFICANT_INCREASE,
        TrendClass.SLIGHT_INCREASE,
        TrendClass.STABLE,
        TrendClass.SLIGHT_DECREASE,
        TrendClass.SIGNIFICANT_DECREASE,
        NO_CLASS,
        NO_CLASS,
    ]
    assert trend_classes([1.0, 1.0], [0.01, 0.01], significant=[True, False]).tolist() == [2, 1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"test": "kendall"}, "unknown test"),
        ({"slope": "median"}, "unknown slope"),
        ({"interval": "jackknife"}, "unknown interval"),
        ({"p_value": "exact", "test": "hamed_rao"}, "no exact distribution"),
        ({"interval": "sen", "slope": "ols"}, "intervals are of the Theil-Sen slope"),
        ({"least": 2}, "at least 3"),
        ({"level": 0.0}, "strictly between"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, words):
    with pytest.raises(SoilqlError, match=words):
        trends(np.zeros((5, 1)), range(5), **options)


def test_times_must_fit():
    with pytest.raises(SoilqlError, match="`times` has shape"):
        trends(np.zeros((5, 1)), range(4))
    with pytest.raises(SoilqlError, match="time axis"):
        trends(1.0, [1])


#: Rejections at 5 % of series without trend, n = 15, by the autocorrelation of AR(1) noise.
EXPECTED = {
    "mk": (0.047, 0.090, 0.156, 0.260),
    "tfpw": (0.057, 0.100, 0.176, 0.300),
    "pw": (0.039, 0.044, 0.051, 0.069),
}


@pytest.mark.slow
@pytest.mark.parametrize(("rho", "place"), [(0.0, 0), (0.2, 1), (0.4, 2), (0.6, 3)])
def test_false_positives_under_red_noise(rho, place):
    pixels = 60_000
    values = red_noise(15, rho, pixels, seed=100 + place)
    for test, rates in EXPECTED.items():
        rate = float(np.mean(trends(values, range(15), test=test).p < 0.05))
        # Four standard errors of ours, and the half unit of the table with an error of its own as large.
        assert rate == pytest.approx(rates[place], abs=8 * math.sqrt(rates[place] / pixels) + 5e-4), test
    some = values[:, :10_000]
    assert float(np.mean(trends(some, range(15), test="yue_wang").p < 0.05)) >= 0.40
    if rho == 0.0:
        exact = 0.04629  # P(|S| >= 41), the level that the discrete S can keep
        rate = float(np.mean(trends(values, range(15)).p < 0.05))
        assert rate == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / pixels))
