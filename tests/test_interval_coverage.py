"""Intervals and p-values hold what they promise, over many made-up studies in which the truth is known.

Each study draws its own observations from a known law, goes through the kinds or the public functions, and is asked
whether its interval has the truth in it. A count of such answers is binomial: a test fails where the exact binomial
probability of the count (`scipy.stats.binomtest`) at the promised level is below one in a thousand.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from numpy.typing import NDArray
from scipy import stats

from soilql.stats.partial_correlation import critical_correlation, partial_correlations
from soilql.stats.theil_sen_bootstrap import slope_intervals
from soilql.values import Grid, Table
from tests.support import run_kind

Floats = NDArray[np.float64]

UNITS = {"T": "degC", "P": "mm yr-1", "Rs": "g C m-2 yr-1"}
YEARS = np.arange(2000, 2003)
STUDIES = 200
#: Probability below which a count is not put down to chance.
RARE = 1e-3


def flux(t: Any, p: Any) -> Any:
    """Return the true flux: exponential in temperature, saturating in precipitation."""
    return 400 * np.exp(0.045 * t) * p / (p + 600)


@cache
def planet() -> Grid:
    """Return three years of drivers and of the true flux on cells of 5 x 10 degrees."""
    rng = np.random.default_rng(0)
    lat, lon = np.arange(47.5, -50, -5.0), np.arange(-175.0, 180, 10.0)
    t = 30 - 0.5 * np.abs(lat)[:, None] + rng.normal(0, 2, (lat.size, lon.size))
    p = rng.uniform(300, 2500, t.shape)
    t = t + rng.normal(0, 0.3, (3, 1, 1))
    p = p * np.exp(rng.normal(0, 0.05, (3, 1, 1)))
    named = {"T": t, "P": p, "Rs": flux(t, p)}
    maps = {name: (("time", "lat", "lon"), values, {"units": UNITS[name]}) for name, values in named.items()}
    return Grid(xr.Dataset(maps, coords={"time": YEARS, "lat": lat, "lon": lon}))


@cache
def true_totals() -> Floats:
    """Return the true total of each year, Pg C."""
    found: Table = run_kind("analyses", "total", "of: planet.Rs", {"planet": planet()})
    return found.frame["total"].to_numpy(dtype=np.float64)


def observations(seed: int, rows: int = 100, sd: float = 100.0) -> Table:
    """Return fluxes at places of their own with independent errors of one size, as least squares supposes."""
    rng = np.random.default_rng([seed, 7])
    t, p = rng.uniform(5, 32, rows), rng.uniform(300, 2500, rows)
    return Table(pd.DataFrame({"T": t, "P": p, "Rs": flux(t, p) + rng.normal(0, sd, rows)}), UNITS)


#: The form of the truth with all of its parameters unknown, or its scale alone.
WHOLE = "formula: Rs ~ a*exp(b*T)*P/(P + k)\nparams: [a, b, k]\n"
SCALE = "formula: Rs ~ a*exp(0.045*T)*P/(P + 600)\nparams: [a]\n"


def totals(seed: int, uncertainty: str, form: str = WHOLE, **observed: Any) -> pd.DataFrame:
    """Return the yearly totals of one study with their 95 % intervals: fit, members, maps added up."""
    text = f"{form}data: seen\nuncertainty: {uncertainty}\n"
    model = run_kind("models", "nonlinear", text, {"seen": observations(seed, **observed)})
    found = run_kind(
        "analyses",
        "total",
        f"models: model\non: planet\nmembers: 200\nseed: {seed}\n",
        {"model": model, "planet": planet()},
    )
    frame = found.frame
    assert frame["time"].tolist() == YEARS.tolist()
    assert isinstance(frame, pd.DataFrame)
    return frame


def coverage(uncertainty: str, studies: int = STUDIES, **observed: Any) -> tuple[NDArray[np.int64], Floats]:
    """Return in how many studies the interval of each year has the true total, and the relative widths."""
    frames = [totals(seed, uncertainty, **observed) for seed in range(studies)]
    lower, upper, mean = (
        np.array([frame[name] for frame in frames]) for name in ("total_lower", "total_upper", "total")
    )
    return ((lower <= true_totals()) & (true_totals() <= upper)).sum(axis=0), (upper - lower) / mean


def assert_binomial(count: int, trials: int, level: float) -> None:
    assert stats.binomtest(int(count), trials, level).pvalue > RARE, f"{count} of {trials} at a nominal {level:.0%}"


@pytest.mark.slow
@pytest.mark.parametrize("uncertainty", ["vcov", "bootstrap", "profile"])
def test_intervals_of_yearly_totals_cover_the_truth_as_often_as_they_say(uncertainty: str) -> None:
    covered, widths = coverage(uncertainty)
    for count in covered:
        assert_binomial(count, STUDIES, 0.95)
    # They follow the data: a quarter of the rows makes them about twice as wide, as standard errors are.
    _, wide = coverage(uncertainty, studies=20, rows=25)
    assert 1.6 < np.median(wide) / np.median(widths) < 2.6


@pytest.mark.long
def test_cv10_covers_too_much_or_too_little_since_it_does_not_look_at_the_data() -> None:
    # Ten per cent of each parameter, each drawn apart (Huang et al. 2020): neither the precision of the fit nor the
    # covariance of its parameters enters. exp(b T) with b 10 % off at 25 degrees is 11 % off on its own.
    covered, widths = coverage("cv10")
    assert all(stats.binomtest(int(count), STUDIES, 0.95).pvalue < RARE and count > 0.95 * STUDIES for count in covered)
    honest = np.median(coverage("vcov", studies=20)[1])
    assert np.median(widths) > 3 * honest
    # Four times as many rows leave the width as it is; few rows with large errors leave the truth outside.
    _, many = coverage("cv10", studies=20, rows=400)
    assert np.median(many) == pytest.approx(np.median(widths), rel=0.1)
    few, _ = coverage("cv10", studies=100, form=SCALE, rows=8, sd=1000.0)
    assert all(stats.binomtest(int(count), 100, 0.95).pvalue < RARE and count < 95 for count in few)
    # There `profile`, which draws from Student's t, still holds its level.
    small, _ = coverage("profile", studies=100, form=SCALE, rows=8, sd=1000.0)
    for count in small:
        assert_binomial(count, 100, 0.95)


def warm(t: Any) -> Any:
    """Return a flux by Eq. 2 of Huang et al. (2020), a*exp(b*T + c*T^2)."""
    return 160 * np.exp(0.1 * t - 0.001 * t**2)


def warm_study(seed: int, uncertainty: str, on: Grid, true: float) -> tuple[bool, float, float]:
    """Return whether the interval of one study has the true total, and its ends relative to the estimate."""
    rng = np.random.default_rng([seed, 3])
    t = rng.uniform(17, 29, 400)
    seen = Table(pd.DataFrame({"T": t, "Rs": warm(t) + rng.normal(0, 120, 400)}), UNITS)
    text = f"formula: Rs ~ a*exp(b*T + c*T^2)\ndata: seen\nparams: [a, b, c]\nuncertainty: {uncertainty}\n"
    model = run_kind("models", "nonlinear", text, {"seen": seen})
    text = f"models: model\non: planet\nmembers: 200\nseed: {seed}\n"
    row = run_kind("analyses", "total", text, {"model": model, "planet": on}).frame.iloc[0]
    lower, upper = row["total_lower"], row["total_upper"]
    return lower <= true <= upper, lower / row["total"] - 1, upper / row["total"] - 1


@pytest.mark.long
def test_parameters_far_from_the_data_need_profile_or_bootstrap() -> None:
    # Where all rows are at 17 to 29 degrees, `a` is the flux at 0 and its standard error a third of it, though the flux
    # itself is known to half a per cent. A normal `a` beside a normal `b` is no longer a curve near the data: the
    # product of the two errors, which `vcov` leaves in, pulls members down. Signed roots along the profiles and refits
    # do not have it.
    rng = np.random.default_rng(0)
    lat, lon = np.arange(27.5, -30, -5.0), np.arange(-175.0, 180, 10.0)
    t = rng.uniform(17, 29, (lat.size, lon.size))
    maps = {name: (("lat", "lon"), values, {"units": UNITS[name]}) for name, values in (("T", t), ("Rs", warm(t)))}
    on = Grid(xr.Dataset(maps, coords={"lat": lat, "lon": lon}))
    true = float(run_kind("analyses", "total", "of: planet.Rs", {"planet": on}).frame["total"].iloc[0])
    ends = {}
    for uncertainty, studies in (("profile", 100), ("bootstrap", 100), ("vcov", 20)):
        found = [warm_study(seed, uncertainty, on, true) for seed in range(studies)]
        ends[uncertainty] = np.median([one[1:] for one in found], axis=0)
        if uncertainty != "vcov":
            assert_binomial(sum(one[0] for one in found), studies, 0.95)
    for name in ("profile", "bootstrap"):
        # The delta method: 1.96 standard errors of 120/sqrt(400) with three parameters, of a mean flux of about 1,000.
        np.testing.assert_allclose(ends[name], [-0.012, 0.012], atol=0.003)
    assert ends["vcov"][0] < 5 * ends["profile"][0]


def series(times: int, count: int, seed: int = 1, slope: float = 0.3) -> tuple[Floats, Floats]:
    """Return times and series of a known slope with independent normal residuals, shape (time, count)."""
    t = np.arange(times, dtype=float)
    return t, slope * t[:, None] + np.random.default_rng(seed).standard_normal((times, count))


def residual_theory(times: int) -> tuple[float, float]:
    """Return limits of the coverage of a percentile interval from raw residuals at a nominal 95 %.

    Above: for least squares the variance of the residuals is (n - 2)/n of that of the errors, and the percentiles are
    those of a normal distribution in the place of Student's (Efron and Tibshirani 1993, chapter 9), so that the
    coverage is P(|t| <= 1.96 sqrt((n - 2)/n)) with n - 2 degrees of freedom. Below: one in n pairs of resampled
    residuals are equal; S then jumps by n - 1 at the slope itself, which takes half of that off the 1.96 standard
    deviations of Kendall's S in the percentile of Theil and Sen's slope.
    """
    z, df = stats.norm.ppf(0.975), times - 2
    s = np.sqrt(times * (times - 1) * (2 * times + 5) / 18)
    reach = z * np.sqrt(df / times)
    tied = reach * (1 - 0.5 * (times - 1) / (z * s))
    return 1 - 2 * stats.t.sf(tied, df), 1 - 2 * stats.t.sf(reach, df)


@pytest.mark.slow
@pytest.mark.parametrize("times", [15, 30])
def test_pairs_bootstrap_of_slopes_is_nearly_nominal(times: int) -> None:
    t, values = series(times, 2000)
    lower, upper = slope_intervals(values, t, method="pairs", seed=3, shared=False)
    share = np.mean((lower <= 0.3) & (upper >= 0.3))
    # Wilcox (1998), Biometrical Journal 40, 261-268, recommends the percentile bootstrap of pairs for Theil and Sen's
    # slope, also for small samples. .02 is allowed for 15 times, .015 are three standard errors of 2,000 series.
    assert abs(share - 0.95) < 0.02 + 0.015


@pytest.mark.slow
@pytest.mark.parametrize("times", [15, 30])
def test_residual_bootstrap_of_slopes_falls_short_for_few_times_as_theory_says(times: int) -> None:
    t, values = series(times, 2000)
    lower, upper = slope_intervals(values, t, method="residual", seed=3, shared=False)
    share = np.mean((lower <= 0.3) & (upper >= 0.3))
    least, most = residual_theory(times)
    assert least - 0.02 < share < most + 0.02
    # For 15 years the shortfall is real, and more years make it smaller.
    assert residual_theory(15)[1] == pytest.approx(0.909, abs=5e-4)
    assert least > residual_theory(times - 5)[0]


@pytest.mark.slow
def test_intervals_of_region_series_by_the_kind_cover_as_the_functions_do() -> None:
    count = 400
    t, values = series(15, count, seed=2)
    names = np.array([f"region {i:03d}" for i in range(count)], dtype=object)
    frame = pd.DataFrame(
        {"region": np.repeat(names, t.size), "year": np.tile(2000 + t, count), "total": values.T.ravel()}
    )
    table = Table(frame, {"total": "Pg C yr-1"}, {"time": "year"})
    found = run_kind("analyses", "trend", "of: rows.total\ngroups: region\n", {"rows": table}).frame
    assert len(found) == count
    inside = int(((found["lower"] <= 0.3) & (found["upper"] >= 0.3)).sum())
    assert_binomial(inside, count, 0.95)
    # Under independent residuals the exact test of Mann and Kendall on the residuals of the true line keeps its level.
    flat = table.frame.assign(total=(values - 0.3 * t[:, None]).T.ravel())
    null = run_kind(
        "analyses", "trend", "of: rows.total\ninterval: none\n", {"rows": Table(flat, table.units, table.roles)}
    ).frame
    assert int((null["p"] < 0.05).sum()) <= stats.binom.ppf(1 - RARE, count, 0.05)


def unrelated(count: int, times: int = 15, drivers: int = 6) -> tuple[Floats, Floats]:
    """Return a response and drivers that have nothing in common but that all of them rise, shapes (time, count), ..."""
    rng = np.random.default_rng(11)
    rise = np.arange(times)[:, None]
    response = rng.standard_normal((times, count)) + 0.5 * rise
    return response, rng.standard_normal((drivers, times, count)) + np.arange(drivers)[:, None, None] * 0.2 * rise


def test_p_values_of_partial_correlations_are_uniform_where_nothing_is_related() -> None:
    response, drivers = unrelated(4000)
    found = partial_correlations(response, drivers)
    assert (found.df == 15 - 2 - 5 - 1).all()
    for p in found.p:
        assert stats.kstest(p, "uniform").pvalue > RARE
        assert_binomial(int((p < 0.05).sum()), p.size, 0.05)


def test_detrending_that_is_not_charged_finds_too_much() -> None:
    # The lines are taken out beforehand, and the correlations are told nothing of it: 8 degrees of freedom for 7.
    response, drivers = unrelated(4000)
    rise = np.vander(np.arange(15.0), 2)
    residuals = np.eye(15) - rise @ np.linalg.pinv(rise)
    found = partial_correlations(residuals @ response, residuals @ drivers, detrend=False)
    assert (found.df == 8).all()
    # The size of r at which p is .05 with 8 degrees of freedom has this p with the 7 that are left: .0679.
    r = float(critical_correlation(0.05, 15, 5))
    true = 2 * stats.t.sf(r * np.sqrt(7 / (1 - r**2)), 7)
    assert true == pytest.approx(0.068, abs=5e-4)
    for p in found.p:
        assert stats.kstest(p, "uniform").pvalue < RARE
        assert_binomial(int((p < 0.05).sum()), p.size, float(true))


def test_lines_that_stay_in_relate_what_has_nothing_in_common() -> None:
    response, drivers = unrelated(1000)
    plain = partial_correlations(response, drivers, detrend=False)
    # The driver that rises most takes the place of time itself.
    assert (plain.p[-1] < 0.05).mean() > 0.1
