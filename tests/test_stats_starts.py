"""Starting values."""

import numpy as np
import pytest

from soilql.stats.nonlinear import FitStatus, fit_nonlinear
from soilql.stats.starts import LogLinearDesign
from tests.test_stats_nonlinear import Function


def test_log_linear_start_is_exact_without_error():
    t = np.linspace(-10, 30, 9)
    design = LogLinearDesign(np.column_stack([np.ones(9), t, t**2]), (0,), offset=np.log(1 + np.abs(t)))
    y = 300 * np.exp(0.07 * t - 4e-4 * t**2) * (1 + np.abs(t))
    assert design.start(y) == pytest.approx([300, 0.07, -4e-4], rel=1e-10)


def test_log_linear_start_needs_positive_rows():
    design = LogLinearDesign(np.column_stack([np.ones(3), [0.0, 1.0, 2.0]]), (0,))
    assert np.isnan(design.start(np.array([-1.0, 0.0, 5.0]))).all()
    assert np.isfinite(design.start(np.array([-1.0, 1.0, 5.0]))).all()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize(
    ("function", "truth"),
    [
        # Undefined at zero: a Gaussian optimum of moisture, a Lloyd-Taylor response.
        (lambda b, x: b[0] * np.exp(-(((x - b[1]) / b[2]) ** 2)), [900.0, 0.35, 0.2]),
        (lambda b, x: b[0] * x / (b[1] + x), [1200.0, 0.3]),
        (lambda b, x: b[0] + b[1] * np.exp(b[2] * x), [200.0, 50.0, 3.0]),
    ],
    ids=["gaussian", "saturating", "offset exponential"],
)
def test_truth_is_found_from_nothing_in_any_unit(function, truth, scale, seed):
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.02, 0.8, 80)
    y = function(truth, x)
    noisy = y + rng.normal(0, 0.01 * y.std(), y.size)
    names = [f"b{k}" for k in range(len(truth))]
    linear = ["b0", "b1"] if len(truth) == 3 and truth[1] == 50.0 else ["b0"]
    fit = fit_nonlinear(Function(lambda b: function(b, x * scale)), noisy / scale, names, linear=linear, seed=seed)
    assert fit.status is FitStatus.CONVERGED
    # The true curve has the variance of the noise; a wrong optimum has hundreds of times that.
    assert fit.sigma * scale == pytest.approx(0.01 * y.std(), rel=0.3)
