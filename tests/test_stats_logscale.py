"""Fits of logarithms against R and closed forms."""

import numpy as np
import pytest

from soilql.errors import SoilqlError
from soilql.stats.logscale import duan_smearing, fit_log_scale, lognormal_factor
from soilql.stats.starts import LogLinearDesign
from tests.test_stats_nonlinear import RS, ExpPolynomial, T

DESIGN = LogLinearDesign(np.column_stack([np.ones(18), T]), exponentiated=(0,))


@pytest.mark.parametrize("start", [None, DESIGN], ids=["no start", "logarithms"])
def test_q10_and_smearing_as_in_r(start):
    # R 4.2: exp(10*coef(lm(log(Rs) ~ T))[2]) and mean(exp(residuals)).
    fit = fit_log_scale(ExpPolynomial(T, 1), RS, ["a", "b"], log_linear_start=start)
    assert round(float(np.exp(10 * fit.estimates[1])), 5) == 1.63073
    assert round(duan_smearing(fit.residuals), 8) == 1.00723704


def test_same_as_the_linear_model_of_logarithms():
    fit = fit_log_scale(ExpPolynomial(T, 1), RS, ["a", "b"], log_linear_start=DESIGN)
    x = DESIGN.matrix
    coefficients, rss, *_ = np.linalg.lstsq(x, np.log(RS), rcond=None)
    assert np.log(fit.estimates[0]) == pytest.approx(coefficients[0], rel=1e-10)
    assert fit.estimates[1] == pytest.approx(coefficients[1], rel=1e-9)
    assert fit.rss == pytest.approx(rss[0], rel=1e-9)
    covariance = rss[0] / 16 * np.linalg.inv(x.T @ x)
    assert fit.se[1] == pytest.approx(np.sqrt(covariance[1, 1]), rel=1e-8)
    # The delta method for a = exp(log a).
    assert fit.se[0] == pytest.approx(fit.estimates[0] * np.sqrt(covariance[0, 0]), rel=1e-8)


def test_factors():
    assert duan_smearing([np.log(2), 0.0], weights=[1, 3]) == pytest.approx(1.25)
    assert lognormal_factor(0.5) == pytest.approx(np.exp(0.125))


def test_errors():
    with pytest.raises(SoilqlError, match="SQ813"):
        fit_log_scale(ExpPolynomial(T, 1), RS - 279, ["a", "b"])
    with pytest.raises(SoilqlError, match="SQ811"):
        duan_smearing([])
