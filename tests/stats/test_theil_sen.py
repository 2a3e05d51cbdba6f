"""Slopes of one series, against R and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from soilql.errors import SoilqlError
from soilql.stats.theil_sen import least_squares, net_change, relative_change, siegel, theil_sen
from tests.stats.nile import FIRST_15, NILE

YEARS = st.lists(st.integers(1900, 2020), min_size=3, max_size=20, unique=True).map(sorted)


def test_first_years_of_the_nile_as_r_has_them():
    # R 4.2: trend::sens.slope(Nile[1:15]).
    line = theil_sen(FIRST_15, range(1871, 1886))
    assert line.slope == pytest.approx(-7.142857, abs=5e-7)
    assert (line.lower, line.upper) == pytest.approx((-25, 11.66667), abs=5e-6)


@given(YEARS, st.data())
def test_irregular_years_as_scipy_has_them(years, data):
    values = data.draw(
        st.lists(st.floats(-1e3, 1e3), min_size=len(years), max_size=len(years), unique=True), label="values"
    )
    line, peer = theil_sen(values, years), stats.theilslopes(values, years)
    assert line.slope == pytest.approx(peer.slope, rel=1e-12, abs=1e-12)
    if np.isfinite(line.lower):
        assert (line.lower, line.upper) == pytest.approx((peer.low_slope, peer.high_slope), rel=1e-12, abs=1e-12)
    rest = np.array(values) - line.slope * np.array(years)
    assert line.intercept == pytest.approx(np.median(rest), rel=1e-9, abs=1e-9)
    assert siegel(values, years).slope == pytest.approx(stats.siegelslopes(values, years).slope, rel=1e-12, abs=1e-12)


def test_gaps_are_left_out_and_times_kept():
    years = np.arange(2001.0, 2011.0)
    values = 3.0 * years
    values[[2, 5, 6]] = np.nan
    for line in (theil_sen(values, years), siegel(values, years), least_squares(values, years)):
        assert line.slope == pytest.approx(3)
        assert line.n == 7
        assert line.intercept == pytest.approx(0, abs=1e-9)


def test_few_values_cannot_reach_the_level():
    line = theil_sen([1.0, 2.0, 4.0])
    assert (line.lower, line.upper) == (-np.inf, np.inf)
    assert np.isnan(theil_sen([1.0]).slope)


def test_repeated_medians_bear_outliers_in_half_of_the_values():
    values = np.arange(20.0)
    values[11:] = -500.0
    assert siegel(values[:20]).slope == 1.0
    assert theil_sen(values).slope < 0


def test_whole_nile_as_lm_has_it():
    # R: summary(lm(Nile ~ time(Nile))).
    line = least_squares(NILE, range(1871, 1971))
    assert line.slope == pytest.approx(-2.714305, abs=5e-7)
    assert line.p == pytest.approx(1.07169e-6, abs=5e-12)
    assert (line.r2, line.r2_adjusted) == pytest.approx((0.216529, 0.208534), abs=5e-7)


def test_limits_of_least_squares_are_those_of_t():
    peer = stats.linregress(range(15), FIRST_15)
    line = least_squares(FIRST_15, level=0.9)
    reach = stats.t.ppf(0.95, 13) * peer.stderr
    assert (line.slope, line.se, line.p) == pytest.approx((peer.slope, peer.stderr, peer.pvalue))
    assert (line.lower, line.upper) == pytest.approx((peer.slope - reach, peer.slope + reach))
    assert np.isnan(least_squares([1.0, 2.0]).se)


def test_change_over_a_period():
    assert net_change(-2.0, 2001, 2015) == -28
    assert relative_change([2.0, -2.0, 1.0], [0.0, -20.0, -10.0], 10.0, 20.0) == pytest.approx(
        [100.0, -50.0, np.nan], nan_ok=True
    )


def test_levels_outside_are_refused():
    with pytest.raises(SoilqlError, match="strictly between"):
        theil_sen([1.0, 2.0, 3.0], level=1.0)
