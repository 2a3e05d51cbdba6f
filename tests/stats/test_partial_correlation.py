"""Partial correlations, against the residuals of regressions, SciPy's t and tables."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from soilql.errors import SoilqlError
from soilql.stats.partial_correlation import (
    CorrelationStatus,
    check_constant_sums,
    constant_sums,
    critical_correlation,
    log_ratios,
    partial_correlations,
)


def field(n: int, drivers: int, pixels: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a response (n, pixels) of related drivers (drivers, n, pixels), all with trends."""
    rng = np.random.default_rng(seed)
    x = (
        rng.standard_normal((drivers, n, pixels))
        + rng.standard_normal((drivers, 1, pixels)) * np.arange(n)[:, None] / n
    )
    x += 0.5 * x[:1]
    return x.sum(axis=0) * 0.4 + rng.standard_normal((n, pixels)) + 300.0, x


def by_regression(y: np.ndarray, x: np.ndarray, controls: np.ndarray) -> np.ndarray:
    """Return the correlation of what regressions on the other drivers and the controls leave."""
    found = []
    for j in range(len(x)):
        design = np.column_stack([*controls, *np.delete(x, j, axis=0)])
        rest = [v - design @ np.linalg.lstsq(design, v, rcond=None)[0] for v in (y, x[j])]
        found.append(rest[0] @ rest[1] / np.sqrt((rest[0] @ rest[0]) * (rest[1] @ rest[1])))
    return np.array(found)


@pytest.mark.parametrize("drivers", [1, 2, 6])
@pytest.mark.parametrize("detrend", [True, False])
def test_correlations_are_those_of_residuals(drivers, detrend):
    years = 2000.0 + np.cumsum(np.arange(15) % 2 + 1)
    y, x = field(15, drivers, 70, seed=drivers)
    found = partial_correlations(y, x, years, detrend=detrend)
    # To take a line in time out of all is to hold time fixed.
    controls = np.array([np.ones(15), years - years.mean()] if detrend else [np.ones(15)])
    for pixel in range(70):
        expected = by_regression(y[:, pixel], x[:, :, pixel], controls)
        np.testing.assert_allclose(found.r[:, pixel], expected, rtol=1e-9, atol=1e-12)
    df = 15 - 2 - (drivers - 1) - detrend
    assert np.all(found.df == df)
    np.testing.assert_allclose(found.t, found.r * np.sqrt(df / (1 - found.r**2)), rtol=1e-9)
    np.testing.assert_allclose(found.p, 2 * stats.t.sf(np.abs(found.t), df), rtol=1e-9)


def test_times_count_where_all_are_present():
    y, x = field(16, 3, 5, seed=1)
    y[3, 0] = x[1, 5, 0] = x[2, 5, 0] = np.inf
    found = partial_correlations(y, x, np.arange(16.0))
    kept = [k for k in range(16) if k not in (3, 5)]
    alone = partial_correlations(y[kept, 0], x[:, kept, 0], np.array(kept, dtype=float))
    assert found.n.tolist() == [14, 16, 16, 16, 16]
    np.testing.assert_allclose(found.r[:, 0], alone.r, rtol=1e-10)
    np.testing.assert_allclose(found.p[:, 0], alone.p, rtol=1e-10)


@settings(max_examples=30)
@given(st.integers(0, 1000), st.floats(1e-8, 1e8), st.floats(-1e3, 1e3))
def test_units_leave_no_trace(seed, scale, shift):
    y, x = field(12, 3, 3, seed)
    one = partial_correlations(y, x)
    other = partial_correlations(y * scale, (x + shift) * np.array([scale, 1.0, -2.0])[:, None, None])
    np.testing.assert_allclose(other.r, one.r * np.array([1.0, 1.0, -1.0])[:, None], rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_blocks_and_order_of_pixels_leave_no_trace(dtype):
    y, x = (part.astype(dtype) for part in field(15, 4, 140, seed=5))
    x[1, 4, ::9] = np.nan
    x[2, :, 17] = 3.0
    x[3, :, 18] = x[0, :, 18] + x[1, :, 18]
    whole = partial_correlations(y, x)
    order = np.random.default_rng(0).permutation(140)
    shuffled = partial_correlations(y[:, order], x[:, :, order])
    for size in (1, 50, 140):
        parts = [partial_correlations(y[:, k : k + size], x[:, :, k : k + size]) for k in range(0, 140, size)]
        for name in ("r", "t", "p", "n", "df", "status"):
            joined = np.concatenate([getattr(part, name) for part in parts], axis=-1)
            np.testing.assert_array_equal(joined, getattr(whole, name), err_msg=name)
    for name in ("r", "p", "status"):
        np.testing.assert_array_equal(getattr(shuffled, name), getattr(whole, name)[..., order])


def test_pixels_that_have_no_correlation_say_why():
    y, x = field(10, 3, 7, seed=2)
    y[:, 1] = 5.3
    x[1, :, 2] = 0.1
    x[2, :, 3] = 100.0 - x[0, :, 3] - x[1, :, 3]
    y[:, 4] = 2 * x[0, :, 4] - x[1, :, 4] + 7
    y[4:, 5] = np.nan
    x[0, :, 6] = 0.7 * np.arange(10) + 3
    S = CorrelationStatus
    found = partial_correlations(y, x)
    assert found.status.tolist() == [
        S.DONE, S.CONSTANT_RESPONSE, S.CONSTANT_DRIVER, S.SINGULAR, S.EXACT_FIT, S.TOO_SHORT, S.CONSTANT_DRIVER,
    ]  # fmt: skip
    assert np.isnan(found.r[:, 1:]).all()
    assert np.isfinite(found.r[:, 0]).all()
    # Not detrended, a straight line is a driver like any other.
    assert partial_correlations(y, x, detrend=False).status[6] == S.DONE


def test_parts_in_single_precision_are_singular_too():
    rng = np.random.default_rng(3)
    tree, short = rng.uniform(10, 40, (2, 15, 20)).astype(np.float32)
    bare = (np.float32(100) - tree - short).astype(np.float32)
    y = rng.standard_normal((15, 20)).astype(np.float32)
    assert np.all(partial_correlations(y, [tree, short, bare]).status == CorrelationStatus.SINGULAR)
    assert constant_sums([tree, short, bare], ["tree", "short", "bare"]) == (("tree", "short", "bare"),)


def test_critical_correlations():
    # t table: n = 15 and 5 variables held fixed, without and with a line taken out.
    p = [0.01, 0.05, 0.1, 0.2, 0.5]
    assert critical_correlation(p, 15, 5) == pytest.approx([0.7646, 0.6319, 0.5494, 0.4428, 0.2423], abs=5e-5)
    detrended = critical_correlation(p, 15, 5, detrend=True)
    assert detrended == pytest.approx([0.7977, 0.6664, 0.5822, 0.4716, 0.2596], abs=5e-5)


def test_thresholds_printed_for_thirteen_degrees_of_freedom():
    # Huang et al. (2020), Fig. 6, prints .64, .51, .44, .35, .19: those of a correlation with nothing held fixed.
    printed = [0.64, 0.51, 0.44, 0.35, 0.19]
    assert critical_correlation([0.01, 0.05, 0.1, 0.2, 0.5], 15, 0) == pytest.approx(printed, abs=5e-3)


def test_drivers_that_sum_to_a_constant_are_named():
    rng = np.random.default_rng(0)
    a, b, c, d = rng.uniform(0, 30, (4, 12, 3))
    names = ["tree", "rain", "short", "bare", "inverse rain"]
    drivers = [a, c, b, [[60.0, 100.0, 80.0]] - a - b, 5 - c]
    assert constant_sums(drivers, names) == (("rain", "inverse rain"), ("tree", "short", "bare"))
    with pytest.raises(SoilqlError, match="`rain`, `inverse rain` sum to a constant"):
        check_constant_sums(drivers, names)
    check_constant_sums([a, b, c, d], names[:4])


def test_log_ratios_do_not_depend_on_the_whole():
    parts = np.random.default_rng(1).uniform(1, 50, (3, 8))
    closed = parts / parts.sum(axis=0)
    np.testing.assert_allclose(log_ratios(closed, 1e-9), log_ratios(parts, 1e-9), rtol=1e-12)
    assert constant_sums(log_ratios(closed, 1e-9), ["a", "b"]) == ()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: partial_correlations(np.zeros(5), np.zeros((2, 4))), "drivers have shape"),
        (lambda: partial_correlations(np.zeros(3), np.zeros((1, 3)), [1, 1, 2]), "increase"),
        (lambda: critical_correlation(0.05, 6, 5), "no degree of freedom"),
        (lambda: critical_correlation(0.0, 15, 5), "above 0"),
        (lambda: constant_sums(np.zeros((2, 5)), ["a"]), "1 names"),
        (lambda: log_ratios([[1.0]], 0.1), "two or more"),
        (lambda: log_ratios([[1.0], [-1.0]], 0.1), "1 parts are negative"),
        (lambda: log_ratios([[1.0], [1.0]], 0.0), "floor"),
    ],
)
def test_what_makes_no_sense_is_refused(call, words):
    with pytest.raises(SoilqlError, match=words):
        call()
