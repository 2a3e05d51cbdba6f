"""Variable projection: closed forms and exact gradients."""

import numpy as np
import pytest

from soilql.stats.nonlinear import fit_nonlinear
from soilql.stats.polish import gradient, relative_offset
from soilql.stats.separable import Separable, solve_local
from tests.test_stats_nonlinear import RS, ExpPolynomial, Function, T


@pytest.fixture(scope="module")
def problem():
    weights = np.random.default_rng(0).uniform(0.5, 2, T.size)
    return fit_nonlinear(ExpPolynomial(T, 2), RS, ["a", "b", "c"], linear=["a"], weights=weights).problem


def test_linear_parameter_is_its_least_squares_coefficient(problem):
    view = Separable(problem)
    beta = np.array([0.05, 1e-4])
    e, w = np.exp(0.05 * T + 1e-4 * T**2), problem.root_weights**2
    assert view.expand(beta) == pytest.approx([np.sum(w * RS * e) / np.sum(w * e * e), *beta], rel=1e-13)


def test_kaufman_gradient_is_the_gradient_of_the_projected_sum_of_squares(problem):
    view = Separable(problem)
    beta = np.array([0.05, 1e-4])
    gradient = view.jacobian(beta).T @ view.residuals(beta)
    for k, step in enumerate((1e-6, 1e-8)):
        ends = [view.residuals(beta + side * step * np.eye(2)[k]) for side in (-1, 1)]
        central = (ends[1] @ ends[1] - ends[0] @ ends[0]) / (4 * step)
        assert gradient[k] == pytest.approx(central, rel=1e-6)


def test_all_parameters_linear_is_one_linear_solve():
    x = np.column_stack([np.ones(18), T])
    problem = fit_nonlinear(Function(lambda b: x @ b), RS, ["b0", "b1"], linear=["b0", "b1"]).problem
    found = solve_local(problem, np.zeros(2))
    assert found.theta == pytest.approx(np.linalg.lstsq(x, RS, rcond=None)[0], rel=1e-12)
    assert not found.joint


def test_holding_a_parameter(problem):
    held = problem.fixed(0, 400.0)
    assert held.linear == ()
    assert held.residuals(np.array([0.05, 0.0])) == pytest.approx(problem.residuals(np.array([400.0, 0.05, 0.0])))
    assert held.jacobian(np.array([0.05, 0.0])).shape == (18, 2)
    assert problem.fixed(1, 0.05).linear == (0,)


def test_undefined_model_has_an_infinite_sum_of_squares(problem):
    assert problem.rss(np.array([1.0, 1e6, 0.0])) == np.inf


def test_relative_offset_is_that_of_bates_and_watts(problem):
    theta = np.array([400.0, 0.05, 1e-4])
    jacobian, r = problem.jacobian(theta), problem.residuals(theta)
    q, _ = np.linalg.qr(jacobian, mode="complete")
    z = q.T @ r
    expected = np.sqrt(np.sum(z[:3] ** 2) / 3) / np.sqrt(np.sum(z[3:] ** 2) / 15)
    assert relative_offset(problem, theta, np.ones(3, dtype=bool)) == pytest.approx(expected, rel=1e-10)


def test_inverse_and_rank_of_the_gradient(problem):
    theta = np.array([400.0, 0.05, 1e-4])
    jacobian = problem.jacobian(theta)
    free = np.zeros(3, dtype=bool)
    found = gradient(problem, theta, free)
    assert found.rank == 3
    assert found.inverse == pytest.approx(np.linalg.inv(jacobian.T @ jacobian), rel=1e-8)
    held = gradient(problem, theta, np.array([False, False, True]))
    assert held.rank == 2
    assert np.isnan(held.inverse[2]).all()
    assert held.inverse[:2, :2] == pytest.approx(np.linalg.inv(jacobian[:, :2].T @ jacobian[:, :2]), rel=1e-8)
