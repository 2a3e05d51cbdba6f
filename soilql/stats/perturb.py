"""Draws of the parameters of a fit for Monte Carlo error propagation: named methods, none standing in for another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from soilql.stats.checks import choice, fail, whole_number
from soilql.stats.nonlinear import NonlinearFit
from soilql.stats.separable import Problem, solve_local

Floats = NDArray[np.float64]
DRAW_METHODS = ("cv10", "vcov", "bootstrap")


def draw_parameters(fit: NonlinearFit, method: str, n: int, seed: int) -> Floats:
    """Return random parameter vectors that stand for the uncertainty of a fit.

    ``cv10``: each parameter normal around its estimate with a coefficient of variation of 10 %, independent of the
    others (Huang et al. 2020). It knows neither the precision of the fit nor the covariance of its parameters.
    ``vcov``: multivariate normal with the covariance s^2 (J'J)^-1. ``bootstrap``: refits to the fitted values
    plus residuals drawn with replacement, centred and scaled by sqrt(n/(n - p)). The first two may step over bounds.

    Parameters
    ----------
    fit : NonlinearFit
        A converged fit.
    method : {"cv10", "vcov", "bootstrap"}
        How to draw.
    n : int
        Number of draws.
    seed : int
        Seed; draws of a smaller n are not in general the first of a larger one.

    Returns
    -------
    ndarray, shape (n, p)
        Rows are draws. With ``bootstrap`` a refit that found no minimum is a row of NaN.

    Raises
    ------
    SoilqlError
        SQ803 when the fit has no usable minimum, or no standard error where ``vcov`` needs one; SQ813 for
        another method.

    References
    ----------
    Huang et al. (2020), Science Advances 6, eabb8508, doi:10.1126/sciadv.abb8508. Efron and Tibshirani (1993), An
    Introduction to the Bootstrap, chapter 9, doi:10.1201/9780429246593.

    Examples
    --------
    >>> import numpy as np
    >>> from soilql.stats.nonlinear import fit_nonlinear
    >>> class Mean:
    ...     def value(self, theta):
    ...         return np.repeat(theta, 4)
    ...     def jacobian(self, theta):
    ...         return np.ones((4, 1))
    >>> fit = fit_nonlinear(Mean(), [1.0, 2.0, 3.0, 4.0], ["mean"])
    >>> draw_parameters(fit, "cv10", 3, seed=1).shape
    (3, 1)
    """
    choice(method, DRAW_METHODS, "method")
    count = whole_number(n, "n", 1)
    if not fit.status.usable or fit.problem is None:
        fail("SQ803", f"no parameters to draw: {fit.message}")
    rng = np.random.default_rng(seed)
    if method == "cv10":
        noise = rng.standard_normal((count, fit.estimates.size))
        return np.asarray(fit.estimates * (1.0 + 0.1 * noise))
    if method == "vcov":
        return _from_covariance(fit, count, rng)
    return _from_residuals(fit, fit.problem, count, rng)


def _from_covariance(fit: NonlinearFit, count: int, rng: np.random.Generator) -> Floats:
    held = [name for name, se in zip(fit.names, fit.se, strict=True) if not np.isfinite(se)]
    if held:
        fail(
            "SQ803",
            f"`vcov` needs a standard error of every parameter; {', '.join(f'`{name}`' for name in held)} has none",
            help="draw by `bootstrap`, or fix the parameter at its bound in the formula",
        )
    # On the correlation matrix, so that units of the parameters do not decide what is round-off.
    value, basis = np.linalg.eigh(fit.correlation)
    noise = rng.standard_normal((count, fit.estimates.size))
    scaled = noise @ (basis * np.sqrt(np.maximum(value, 0.0))).T
    return np.asarray(fit.estimates + fit.se * scaled)


def _from_residuals(fit: NonlinearFit, problem: Problem, count: int, rng: np.random.Generator) -> Floats:
    fitted = fit.fitted[problem.rows]
    standard = (problem.y - fitted) * problem.root_weights
    pool = (standard - standard.mean()) * np.sqrt(fit.n / fit.df)
    draws = np.full((count, fit.estimates.size), np.nan)
    for k in range(count):
        drawn = rng.choice(pool, size=pool.size, replace=True)
        again = solve_local(problem.with_y(fitted + drawn / problem.root_weights), fit.estimates)
        if np.isfinite(again.rss):
            draws[k] = again.theta
    return draws
