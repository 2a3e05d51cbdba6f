"""The kernels of tests and lines themselves: any length, threads, and what they do not take."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy import stats

from soilql.kernels.blocks import PIECE, pieces
from soilql.kernels.mann_kendall import mann_kendall_theil_sen
from soilql.kernels.theil_sen import sen_limits, siegel_slopes


@pytest.mark.parametrize("n", [2, 3, 9, 24, 41, 70])
def test_any_length_is_as_scipy_has_it(n):
    rng = np.random.default_rng(n)
    values, times = rng.standard_normal((n, 5)), np.cumsum(rng.uniform(0.5, 2, n))
    found = mann_kendall_theil_sen(values, times)
    slopes = siegel_slopes(values, times)
    for pixel in range(5):
        line = stats.theilslopes(values[:, pixel], times, method="joint")
        assert (found.slope[pixel], found.intercept[pixel]) == pytest.approx((line.slope, line.intercept), rel=1e-12)
        assert slopes[pixel] == pytest.approx(stats.siegelslopes(values[:, pixel], times).slope, rel=1e-12)
        if n > 2:
            tau = stats.kendalltau(times, values[:, pixel])
            assert found.tau[pixel] == pytest.approx(tau.statistic, rel=1e-12, abs=1e-15)
    lower, upper = sen_limits(values, times, found.var, 1.959963984540054)
    if n > 8:
        peers = [stats.theilslopes(values[:, pixel], times) for pixel in range(5)]
        np.testing.assert_allclose(lower, [peer.low_slope for peer in peers], rtol=1e-12)
        np.testing.assert_allclose(upper, [peer.high_slope for peer in peers], rtol=1e-12)


def test_threads_find_the_same():
    values = np.random.default_rng(0).standard_normal((15, 4000)).astype(np.float32)
    whole = mann_kendall_theil_sen(values, np.arange(15.0))
    with ThreadPoolExecutor(2) as pool:
        parts = list(
            pool.map(lambda k: mann_kendall_theil_sen(values[:, k : k + 500], np.arange(15.0)), range(0, 4000, 500))
        )
    for column, name in zip(whole, whole._fields, strict=True):
        np.testing.assert_array_equal(np.concatenate([getattr(part, name) for part in parts]), column)


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64])
def test_any_numbers_in_any_layout(dtype):
    values = np.random.default_rng(1).integers(-50, 50, (12, 700)).astype(dtype)
    plain = mann_kendall_theil_sen(values.astype(np.float64), np.arange(12.0))
    for other in (values, np.asfortranarray(values), values[::-1, ::-1][::-1, ::-1]):
        for column, expected in zip(mann_kendall_theil_sen(other, np.arange(12)), plain, strict=True):
            np.testing.assert_array_equal(column, expected)


def test_a_block_without_pixels():
    found = mann_kendall_theil_sen(np.empty((15, 0)), np.arange(15.0))
    assert all(column.shape == (0,) for column in found)


def test_pieces_cover_the_block_once():
    parts = [(first, part.copy()) for first, part in pieces(np.arange(3.0 * (2 * PIECE + 7)).reshape(3, -1))]
    assert [first for first, _ in parts] == [0, PIECE, 2 * PIECE]
    np.testing.assert_array_equal(np.concatenate([part for _, part in parts], axis=1)[0], np.arange(2 * PIECE + 7))
