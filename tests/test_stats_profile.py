"""Profile-likelihood intervals against R and closed forms."""

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import t as student

from soilql.errors import SoilqlError
from soilql.stats.nonlinear import fit_nonlinear
from soilql.stats.profile import IntervalEnd, profile_intervals, profile_tau, profile_values
from tests.test_stats_nonlinear import RS, ExpPolynomial, Function, T


@pytest.fixture(scope="module")
def fit():
    return fit_nonlinear(ExpPolynomial(T, 1), RS, ["a", "b"], linear=["a"])


def test_as_in_r(fit):
    # R 4.2, confint(nls(Rs ~ a*exp(b*T))), which interpolates a spline through its profile.
    found = profile_intervals(fit, 0.95)
    assert [f"{v:.6g}" for v in (found.lower[0], found.upper[0])] == ["337.687", "513.808"]
    assert [f"{v:.6g}" for v in (found.lower[1], found.upper[1])] == ["0.0401662", "0.0587066"]
    assert set(found.lower_end + found.upper_end) == {IntervalEnd.REACHED}
    assert found.notes == ()


def test_exact_limits_solve_the_equation(fit):
    found = profile_intervals(fit, 0.95, method="exact")
    limit = student.ppf(0.975, 16)

    def rss_given_b(b):
        e = np.exp(b * T)
        return np.sum((RS - (RS @ e) / (e @ e) * e) ** 2)

    def rss_given_a(a):
        options = {"xatol": 1e-13}
        return minimize_scalar(
            lambda b: np.sum((RS - a * np.exp(b * T)) ** 2), bounds=(0.01, 0.1), method="bounded", options=options
        ).fun

    for k, rss, width in ((0, rss_given_a, 150.0), (1, rss_given_b, 0.02)):
        centre = fit.estimates[k]

        def excess(value, rss=rss):
            return np.sqrt(max(0.0, rss(value) - fit.rss)) / fit.sigma - limit

        assert found.lower[k] == pytest.approx(brentq(excess, centre - width, centre, xtol=1e-13), rel=1e-7)
        assert found.upper[k] == pytest.approx(brentq(excess, centre, centre + width, xtol=1e-13), rel=1e-7)


@pytest.mark.parametrize("method", ["spline", "exact"])
def test_linear_models_have_t_intervals(method):
    x = np.column_stack([np.ones(18), T])
    fit = fit_nonlinear(Function(lambda b: x @ b), RS, ["b0", "b1"], linear=["b0", "b1"])
    found = profile_intervals(fit, 0.9, method=method)
    half = student.ppf(0.95, 16) * fit.se
    assert found.lower == pytest.approx(fit.estimates - half, rel=1e-8)
    assert found.upper == pytest.approx(fit.estimates + half, rel=1e-8)


@pytest.mark.parametrize("method", ["spline", "exact"])
def test_units_do_not_matter(fit, method):
    scaled = fit_nonlinear(ExpPolynomial(T * 1e8, 1), RS * 1e-8, ["a", "b"])
    one, other = profile_intervals(fit, method=method), profile_intervals(scaled, method=method)
    assert other.lower == pytest.approx(one.lower * [1e-8, 1e-8], rel=1e-6)
    assert other.upper == pytest.approx(one.upper * [1e-8, 1e-8], rel=1e-6)


def test_end_that_the_data_do_not_give_is_infinite_and_says_so():
    # Saturation V x/(K + x) seen only where it is nearly straight. As K grows the model becomes slope x, whose
    # residual sum of squares is a closed form: below the limit, so no K is too large.
    x = np.linspace(0.1, 1.0, 12)
    y = 10 * x / (5 + x) + 0.15 * np.cos(9 * np.arange(12))
    fit = fit_nonlinear(
        Function(lambda b: b[0] * x / (b[1] + x)), y, ["V", "K"], linear=["V"], bounds={"K": (0, np.inf)}
    )
    straight = np.sum((y - (x @ y) / (x @ x) * x) ** 2)
    assert np.sqrt(straight - fit.rss) / fit.sigma < student.ppf(0.975, 10)
    found = profile_intervals(fit)
    assert found.upper[1] == np.inf
    assert found.upper_end[1] is IntervalEnd.UNBOUNDED
    assert np.isfinite(found.lower[1])


def test_ends_at_bounds():
    held = fit_nonlinear(ExpPolynomial(T, 1), RS, ["a", "b"], linear=["a"], bounds={"b": (0.0, 0.04)})
    found = profile_intervals(held)
    assert found.upper[1] == 0.04
    assert found.upper_end[1] is IntervalEnd.AT_BOUND
    near = fit_nonlinear(ExpPolynomial(T, 1), RS, ["a", "b"], linear=["a"], bounds={"b": (0.045, 1.0)})
    found = profile_intervals(near)
    assert found.lower[1] == 0.045
    assert found.lower_end[1] is IntervalEnd.AT_BOUND
    assert found.upper[1] == pytest.approx(0.0587066, rel=1e-4)


def test_fit_without_estimates_has_no_interval():
    short = fit_nonlinear(ExpPolynomial(T[:2], 1), RS[:2], ["a", "b"])
    found = profile_intervals(short)
    assert np.isnan(found.lower).all()
    assert set(found.upper_end) == {IntervalEnd.NOT_AVAILABLE}


def test_tau_is_a_line_for_linear_models_and_increases(fit):
    tau = profile_tau(fit, "b", fit.estimates[1] + fit.se[1] * np.linspace(-3, 3, 13))
    assert np.all(np.diff(tau) > 0)
    assert tau[6] == 0.0
    with pytest.raises(SoilqlError, match="SQ813"):
        profile_tau(fit, "q", np.array([1.0]))


def test_errors(fit):
    with pytest.raises(SoilqlError, match="SQ813"):
        profile_intervals(fit, 1.0)
    with pytest.raises(SoilqlError, match="SQ813"):
        profile_intervals(fit, 0.95, method="wald")


def test_values_at_given_roots_are_the_inverse_of_the_roots():
    fit = fit_nonlinear(ExpPolynomial(T, 2), RS, ["a", "b", "c"], linear=["a"])
    tau = np.array([-3.0, -1.3, 0.0, 0.7, 2.2])
    for name in fit.names:
        values = profile_values(fit, name, tau)
        assert profile_tau(fit, name, values) == pytest.approx(tau, abs=2e-3)
        ends = profile_intervals(fit, 0.95, "exact")
        k = fit.names.index(name)
        # R: qt(0.975, 15) = 2.13145.
        assert profile_values(fit, name, np.array([-2.13145, 2.13145])) == pytest.approx(
            [ends.lower[k], ends.upper[k]], abs=2e-3 * fit.se[k]
        )
