"""Serial correlation in tests for trend, against pymannkendall and the equations."""

from __future__ import annotations

import numpy as np
import pymannkendall
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soilql.errors import SoilqlError
from soilql.stats.prewhitening import autocorrelation, evenly_spaced, on_even_times, prewhiten, variance_factor
from soilql.stats.theil_sen import theil_sen
from soilql.stats.trend import trends
from tests.stats.nile import FIRST_15

PEERS = {
    "pw": pymannkendall.pre_whitening_modification_test,
    "tfpw": pymannkendall.trend_free_pre_whitening_modification_test,
    "hamed_rao": pymannkendall.hamed_rao_modification_test,
    "yue_wang": pymannkendall.yue_wang_modification_test,
}


def red_noise(n: int, rho: float, pixels: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    series = rng.standard_normal((n, pixels))
    for row in range(1, n):
        series[row] = rho * series[row - 1] + np.sqrt(1 - rho**2) * series[row]
    return series


def test_nile_prewhitened_as_r_has_it():
    # R 4.2: modifiedmk::pwmk(Nile[1:15]).
    found = trends(FIRST_15, range(15), test="pw", p_value="normal")
    assert found.p == pytest.approx(0.324424, abs=5e-7)


@pytest.mark.parametrize("test", list(PEERS))
def test_tests_of_a_map_are_those_of_pymannkendall(test):
    # 17 values make 136 pairs: with an odd number the line goes through two values, whose ranks the peer takes from
    # the last digit.
    series = red_noise(17, 0.4, 40, seed=7) + np.linspace(0, 2, 17)[:, None]
    found = trends(series, np.arange(17.0), test=test, p_value="normal")
    peers = [PEERS[test](series[:, pixel]) for pixel in range(40)]
    np.testing.assert_allclose(found.s, [peer.s for peer in peers])
    np.testing.assert_allclose(found.slope, [peer.slope for peer in peers], rtol=1e-12)
    sound = found.status == 0
    np.testing.assert_allclose(found.var_s[sound], np.array([peer.var_s for peer in peers])[sound], rtol=1e-10)
    # The peer takes p as 1 - cdf, which keeps 16 digits after the point.
    np.testing.assert_allclose(found.p[sound], np.array([peer.p for peer in peers])[sound], rtol=1e-10, atol=1e-15)
    assert sound.sum() > 30


def test_bias_corrected_coefficient_follows_hamed():
    # Hamed (2009), eq. 22-24: least squares of y(t) on y(t - 1), 1 and t; then (n r + 2)/(n - 4).
    series, n = red_noise(20, 0.5, 5, seed=3), 20
    whitened, r = prewhiten(series, np.arange(20.0), np.zeros(5), "bcpw")
    for pixel in range(5):
        y = series[:, pixel]
        design = np.column_stack([y[:-1], np.ones(n - 1), np.arange(1, n)])
        plain = np.linalg.lstsq(design, y[1:], rcond=None)[0][0]
        assert r[pixel] == pytest.approx((n * plain + 2) / (n - 4))
        np.testing.assert_allclose(whitened[:, pixel], y[1:] - r[pixel] * y[:-1])


def test_no_value_is_taken_for_the_neighbour_of_another_across_a_gap():
    series = red_noise(12, 0.5, 1, seed=1)
    series[5] = np.nan
    whitened, r = prewhiten(series, np.arange(12.0), np.zeros(1), "pw")
    assert np.flatnonzero(np.isnan(whitened[:, 0])).tolist() == [4, 5]
    kept = np.delete(series, 5, axis=0)
    assert autocorrelation(series) != pytest.approx(autocorrelation(kept))
    # R's acf(na.action = na.pass): 9 pairs of neighbours, divided by 10; 11 squares.
    apart = series[:, 0] - np.nanmean(series)
    expected = np.nansum(apart[1:] * apart[:-1]) / 10 / (np.nansum(apart**2) / 11)
    assert r == pytest.approx([expected])


def test_years_left_out_are_gaps():
    series = red_noise(12, 0.5, 3, seed=2)
    gappy = series.copy()
    gappy[[4, 8]] = np.nan
    kept = np.delete(np.arange(12), [4, 8])
    for test in ("pw", "tfpw", "bcpw", "hamed_rao", "yue_wang"):
        with_nan = trends(gappy, np.arange(2000.0, 2012.0), test=test)
        without = trends(series[kept], kept + 2000.0, test=test)
        np.testing.assert_allclose(without.p, with_nan.p, rtol=1e-12)
        np.testing.assert_allclose(without.lag1, with_nan.lag1, rtol=1e-12)


def test_uneven_times_are_refused_and_their_lag1_is_missing():
    times = np.array([0.0, 1.0, 2.5, 3.0, 4.7, 6.0])
    assert not evenly_spaced(times)
    values = np.arange(6.0) ** 2
    assert np.isnan(trends(values, times).lag1)
    with pytest.raises(SoilqlError, match="evenly spaced"):
        trends(values, times, test="pw")


def test_reported_lag1_is_that_of_what_the_line_leaves():
    series = red_noise(25, 0.6, 6, seed=5) + np.arange(25.0)[:, None]
    found = trends(series, np.arange(25.0))
    for pixel in range(6):
        rest = series[:, pixel] - theil_sen(series[:, pixel]).slope * np.arange(25.0)
        rest -= rest.mean()
        assert found.lag1[pixel] == pytest.approx(rest[1:] @ rest[:-1] / (rest @ rest))


@given(st.integers(1, 6), st.floats(1e-8, 1e8))
def test_factors_do_not_depend_on_the_unit(seed, scale):
    series = red_noise(15, 0.3, 4, seed)
    slope = np.array([theil_sen(series[:, k]).slope for k in range(4)])
    for method in ("hamed_rao", "yue_wang"):
        one = variance_factor(series, np.arange(15.0), slope, method)
        other = variance_factor(series * scale, np.arange(15.0), slope * scale, method)
        np.testing.assert_allclose(one, other, rtol=1e-9)


def test_series_with_one_or_two_times_are_even():
    values, times = on_even_times([[1.0], [2.0]], [2000, 2007])
    assert (values.shape, times.tolist()) == ((2, 1), [2000, 2007])


@pytest.mark.parametrize("method", ["pre", ""])
def test_unknown_methods_are_refused(method):
    series, times, slope = np.zeros((3, 1)), np.arange(3.0), np.zeros(1)
    with pytest.raises(SoilqlError, match="unknown pre-whitening"):
        prewhiten(series, times, slope, method)
    with pytest.raises(SoilqlError, match="unknown variance correction"):
        variance_factor(series, times, slope, method)
