"""Parameter draws against closed forms."""

import numpy as np
import pytest

from soilql.errors import SoilqlError
from soilql.stats.nonlinear import fit_nonlinear
from soilql.stats.perturb import DRAW_METHODS, draw_parameters
from tests.test_stats_nonlinear import RS, ExpPolynomial, Function, T


@pytest.fixture(scope="module")
def fit():
    return fit_nonlinear(ExpPolynomial(T, 2), RS, ["a", "b", "c"], linear=["a"])


def _sd_of_prediction(draws, t):
    return float(np.std(draws[:, 0] * np.exp(draws[:, 1] * t + draws[:, 2] * t**2)))


@pytest.mark.parametrize(("t", "cv10", "delta"), [(0, 43, 55), (15, 104, 51), (28, 268, 87)])
def test_ten_percent_is_not_the_precision_of_the_fit(fit, t, cv10, delta):
    # Errors of Eq. 2 of Huang et al. (2020) to first order: 43/104/268 for independent CVs of 10 %, 55/51/87 with the
    # covariance of the fit. Monte Carlo adds the curvature, up to 2 % at 28 degrees.
    assert _sd_of_prediction(draw_parameters(fit, "cv10", 200_000, 1), t) == pytest.approx(cv10, rel=0.02)
    row = ExpPolynomial(np.array([float(t)]), 2).jacobian(fit.estimates)[0]
    assert np.sqrt(row @ fit.covariance @ row) == pytest.approx(delta, abs=0.5)
    assert _sd_of_prediction(draw_parameters(fit, "vcov", 200_000, 1), t) == pytest.approx(delta, rel=0.03)


def test_moments(fit):
    cv10 = draw_parameters(fit, "cv10", 100_000, 2)
    assert np.std(cv10, axis=0) / fit.estimates == pytest.approx([0.1] * 3, rel=0.01)
    assert np.abs(np.corrcoef(cv10.T) - np.eye(3)).max() < 0.015
    vcov = draw_parameters(fit, "vcov", 100_000, 2)
    assert np.cov(vcov.T) / np.outer(fit.se, fit.se) == pytest.approx(fit.correlation, abs=0.02)
    assert vcov.mean(axis=0) == pytest.approx(fit.estimates, rel=0.02)


def test_bootstrap_of_a_linear_model_has_the_covariance_of_least_squares():
    x = np.column_stack([np.ones(18), T])
    fit = fit_nonlinear(Function(lambda b: x @ b), RS, ["b0", "b1"], linear=["b0", "b1"])
    draws = draw_parameters(fit, "bootstrap", 2000, 1)
    # Centred residuals scaled by sqrt(n/(n - p)) have variance s^2 (Efron and Tibshirani 1993, eq. 9.30), so that the
    # spread differs from the standard error only by the error of 2000 draws (1.6 %).
    assert draws.std(axis=0) == pytest.approx(fit.se, rel=0.05)
    assert draws.mean(axis=0) == pytest.approx(fit.estimates, abs=4 * fit.se.max() / np.sqrt(2000))


def test_bootstrap_respects_weights_and_units(fit):
    one = draw_parameters(fit, "bootstrap", 40, 5)
    scaled = fit_nonlinear(ExpPolynomial(T * 1e8, 2), RS * 1e-8, ["a", "b", "c"], linear=["a"])
    other = draw_parameters(scaled, "bootstrap", 40, 5)
    assert other == pytest.approx(one * [1e-8, 1e-8, 1e-16], rel=1e-3)
    assert np.isfinite(one).all()


@pytest.mark.parametrize("method", DRAW_METHODS)
def test_seeded(fit, method):
    one, same = draw_parameters(fit, method, 20, 7), draw_parameters(fit, method, 20, 7)
    assert one.shape == (20, 3)
    assert np.array_equal(one, same)
    assert not np.array_equal(one, draw_parameters(fit, method, 20, 8))


def test_vcov_does_not_depend_on_units(fit):
    scaled = fit_nonlinear(ExpPolynomial(T * 1e8, 2), RS * 1e-8, ["a", "b", "c"], linear=["a"])
    assert draw_parameters(scaled, "vcov", 50, 3) == pytest.approx(
        draw_parameters(fit, "vcov", 50, 3) * [1e-8, 1e-8, 1e-16], rel=1e-4
    )


def test_errors(fit):
    with pytest.raises(SoilqlError, match="SQ813"):
        draw_parameters(fit, "delta", 10, 0)
    short = fit_nonlinear(ExpPolynomial(T[:2], 1), RS[:2], ["a", "b"])
    with pytest.raises(SoilqlError, match="SQ803"):
        draw_parameters(short, "cv10", 10, 0)
    held = fit_nonlinear(ExpPolynomial(T, 1), RS, ["a", "b"], linear=["a"], bounds={"b": (0.0, 0.04)})
    with pytest.raises(SoilqlError, match="`b` has none"):
        draw_parameters(held, "vcov", 10, 0)


class Straight:
    """A line in x."""

    def __init__(self, x):
        self.x = np.column_stack([np.ones(x.size), x])

    def value(self, theta):
        return self.x @ theta

    def jacobian(self, theta):
        return self.x


def test_profile_draws_of_a_linear_model_are_multivariate_t():
    line = fit_nonlinear(Straight(T), RS, ["a", "b"])
    draws = draw_parameters(line, "profile", 40000, 5)
    scaled = (draws - line.estimates) / line.se
    # Student's t with 16 degrees of freedom: quantiles of R's qt(c(.025, .5, .975), 16) and variance 16/14.
    for k in range(2):
        assert np.quantile(scaled[:, k], [0.025, 0.5, 0.975]) == pytest.approx([-2.119905, 0, 2.119905], abs=0.04)
        assert scaled[:, k].var() == pytest.approx(16 / 14, rel=0.04)
    assert np.corrcoef(scaled.T)[0, 1] == pytest.approx(line.correlation[0, 1], abs=0.01)


def test_profile_draws_do_not_depend_on_units(fit):
    scaled = fit_nonlinear(ExpPolynomial(T * 1e8, 2), RS * 1e-8, ["a", "b", "c"], linear=["a"])
    assert draw_parameters(scaled, "profile", 50, 3) == pytest.approx(
        draw_parameters(fit, "profile", 50, 3) * [1e-8, 1e-8, 1e-16], rel=1e-3
    )


def test_profile_draws_at_a_bound_are_one_sided():
    held = fit_nonlinear(ExpPolynomial(T, 1), RS, ["a", "b"], linear=["a"], bounds={"b": (0.0, 0.04)})
    draws = draw_parameters(held, "profile", 400, 0)
    assert (draws[:, 1] <= 0.04).all()
    assert 0.4 < np.mean(draws[:, 1] == 0.04) < 0.6


def test_a_profile_that_levels_off_is_an_error_that_names_the_parameter():
    class Saturating:
        """a (1 - exp(-k x)) at x so large that any large k fits as well."""

        x = np.array([5.0, 10.0, 20.0, 40.0])

        def value(self, theta):
            return theta[0] * (1 - np.exp(-theta[1] * self.x))

        def jacobian(self, theta):
            e = np.exp(-theta[1] * self.x)
            return np.column_stack([1 - e, theta[0] * self.x * e])

    loose = fit_nonlinear(Saturating(), [9.0, 10.5, 9.5, 10.2], ["a", "k"], starts={"a": 10, "k": 0.5}, n_starts=0)
    assert loose.status.usable
    with pytest.raises(SoilqlError, match="profile of `k` levels off"):
        draw_parameters(loose, "profile", 200, 0)
