"""Printed numbers as intervals, and the closed forms that tie p, thresholds and R2 to degrees of freedom."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from soilql.stats.consistency import (
    MAX_DF,
    Degrees,
    adjust_r2,
    critical_r,
    critical_t,
    mann_kendall_p,
    overlap,
    p_of_f,
    p_of_r2,
    p_of_t,
    p_range_r2,
    p_range_t,
    unadjust_r2,
)
from soilql.stats.printed import Interval, printed

LEVELS = [0.01, 0.05, 0.1, 0.2, 0.5]
TABLE = {  # Partial correlation (exact): n = 15, k = 5, without and with detrending
    8: [0.7646, 0.6319, 0.5494, 0.4428, 0.2423],
    7: [0.7977, 0.6664, 0.5822, 0.4716, 0.2596],
}


@pytest.mark.parametrize("nu", TABLE)
def test_critical_correlations(nu):
    assert critical_r(LEVELS, nu).round(4).tolist() == TABLE[nu]


def test_thresholds_printed_in_huang_2020_are_those_of_13_degrees_of_freedom():
    # Fig. 6 caption of doi:10.1126/sciadv.abb8508, to its two digits.
    assert critical_r(LEVELS, 13).round(2).tolist() == [0.64, 0.51, 0.44, 0.35, 0.19]


def test_nile_trend():
    # R 4.2: lm(Nile ~ year) has R2 .216529, adjusted .208534, p 1.07169e-6 with n = 100.
    assert f"{p_of_r2(0.216529, 1, 98):.4e}" == "1.0717e-06"
    assert adjust_r2(0.216529, 1, 98).round(6) == 0.208534
    assert unadjust_r2(0.208534, 1, 98).round(6) == 0.216529


@given(st.floats(0.001, 40), st.integers(1, 500))
def test_p_of_t_is_that_of_scipy(t, nu):
    assert p_of_t(t, nu) == pytest.approx(2 * stats.t.sf(t, nu), rel=1e-9, abs=1e-300)
    assert p_of_t(-t, np.inf) == pytest.approx(2 * stats.norm.sf(t), rel=1e-9, abs=1e-300)
    r2 = t * t / (nu + t * t)
    assert p_of_r2(r2, 1, nu) == pytest.approx(p_of_t(t, nu), rel=1e-6)


@given(st.floats(0.01, 50), st.integers(1, 20), st.integers(1, 300))
def test_p_of_f_and_of_r2_are_those_of_scipy(f, df1, df2):
    expected = stats.f.sf(f, df1, df2)
    assert p_of_f(f, df1, df2) == pytest.approx(expected, rel=1e-8, abs=1e-280)
    assert p_of_r2(df1 * f / (df1 * f + df2), df1, df2) == pytest.approx(expected, rel=1e-5, abs=1e-250)


def test_extreme_statistics():
    assert p_of_t(np.inf, 5) == 0
    assert p_of_t(1e6, 1) == pytest.approx(2 / math.pi * 1e-6, rel=1e-9)  # Cauchy: 2/pi arctan(1/t)
    assert p_of_t(1e200, 1) < 1e-150
    assert p_of_t(0, 5) == 1
    assert p_of_f(-0.1, 2, 5) == 1


def test_half_widths_of_intervals():
    # Student's t tables: t(.975; 1, 10, 13, inf).
    assert critical_t(0.95, [1, 10, 13, np.inf]).round(3).tolist() == [12.706, 2.228, 2.160, 1.960]


@given(st.floats(0.01, 0.9), st.floats(0, 0.05), st.integers(1, 6), st.integers(1, 60), st.booleans())
def test_ranges_of_p_hold_every_value_inside(low, width, df1, nu, adjusted):
    values = np.linspace(low, low + width, 7)
    bottom, top = p_range_r2(Interval(low, low + width), df1, np.array([float(nu)]), adjusted=adjusted)
    r2 = unadjust_r2(values, df1, nu) if adjusted else values
    p = p_of_r2(r2, df1, nu)
    assert ((p >= bottom * (1 - 1e-12)) & (p <= top * (1 + 1e-12))).all()


def test_one_sided_p_is_half():
    low, high = p_range_t(2.0, 2.0, np.array([13.0]), tails=1)
    assert low == high == p_of_t(2.0, 13) / 2


def test_mann_kendall_exact_and_normal():
    # Trend, n = 15: |S| = 41 gives .04629 exactly and .04776 by the normal, 53 .00827, .01007.
    for s, exact, normal in ((41, 0.04629, 0.04776), (53, 0.00827, 0.01007)):
        all_s, p = mann_kendall_p(15)
        assert p[all_s == s].round(5) == exact
        assert mann_kendall_p(15, "normal")[1][all_s == s].round(5) == normal


@pytest.mark.parametrize("n", [2, 3, 4, 7, 8])
def test_mann_kendall_exact_against_kendalls_tau(n):
    pairs = n * (n - 1) // 2
    all_s, p = mann_kendall_p(n)
    rng = np.random.default_rng(n)
    for _ in range(20):
        tau = stats.kendalltau(np.arange(n), rng.permutation(n), method="exact")
        s = round(abs(tau.statistic) * pairs)
        assert p[all_s == s].item() == pytest.approx(tau.pvalue)


def test_mann_kendall_methods_are_named():
    with pytest.raises(ValueError, match="exact, normal, uncorrected"):
        mann_kendall_p(5, "bootstrap")


def test_degrees_as_runs():
    numbers = np.arange(1, MAX_DF + 1)
    assert str(Degrees.where(numbers, (numbers == 4) | ((numbers > 6) & (numbers < 9)))) == "4 and 7 to 8"
    assert str(Degrees.where(numbers, numbers >= 30)) == "30 or more"
    assert not Degrees.where(numbers, numbers < 0)
    assert 7 in Degrees(((4, 4), (7, 8)))
    assert 5 not in Degrees(((4, 4), (7, 8)))


def test_overlap_at_a_common_end():
    assert overlap((np.array([0.1 + 0.2]), np.array([0.4])), Interval(0.0, 0.3)).all()
    assert not overlap((np.array([0.31]), np.array([0.4])), Interval(0.0, 0.3)).any()


@pytest.mark.parametrize(
    ("text", "lower", "upper"),
    [
        ("0.64", 0.635, 0.645),
        ("0.50", 0.495, 0.505),
        (".5", 0.45, 0.55),
        ("15", 14.5, 15.5),
        ("-0.02", -0.025, -0.015),
        ("−0.02", -0.025, -0.015),
        ("1.2e-3", 0.00115, 0.00125),
        ("85%", 0.845, 0.855),
        ("~85 %", 0.84, 0.86),
        ("14!", 14, 14),
        ("100%!", 1, 1),
        ("0.000", -0.0005, 0.0005),
    ],
)
def test_printed_digits_are_intervals(text, lower, upper):
    assert printed(text).interval == Interval(lower, upper)


@pytest.mark.parametrize("text", ["", "a", "1,5", "0.6.4", "1 2", "nan", "inf", "~3!", "1e999", "--2"])
def test_what_is_no_printed_number(text):
    with pytest.raises(ValueError, match=r"number|large"):
        printed(text)


@given(st.floats(-1e6, 1e6), st.integers(0, 6))
def test_rounding_is_covered(value, digits):
    interval = printed(f"{value:.{digits}f}").interval
    assert interval.meets(Interval(value, value))
    assert interval.upper - interval.lower == pytest.approx(10**-digits, rel=1e-3)


finite = st.floats(-100, 100)


@given(finite, finite, finite, finite, st.floats(0, 1), st.floats(0, 1))
def test_interval_arithmetic_holds_every_result(a, b, c, d, u, v):
    x, y = Interval(min(a, b), max(a, b)), Interval(min(c, d), max(c, d))
    # Rounding may carry what lies between two ends beyond one of them.
    one = min(max(x.lower + u * (x.upper - x.lower), x.lower), x.upper)
    two = min(max(y.lower + v * (y.upper - y.lower), y.lower), y.upper)
    for whole, part in ((x + y, one + two), (x - y, one - two), (x * y, one * two), (x.power(2), one**2)):
        assert whole.meets(Interval(part, part))
    if two:
        assert (x / y).meets(Interval(one / two, one / two))
    if one >= 0:
        assert x.sqrt().meets(Interval(math.sqrt(one), math.sqrt(one)))
