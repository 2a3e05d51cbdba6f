"""Draws of the parameters of a fit for Monte Carlo error propagation: named methods, none standing in for another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from soilql.stats.checks import choice, fail, whole_number
from soilql.stats.nonlinear import NonlinearFit
from soilql.stats.profile import profile_values
from soilql.stats.separable import Problem, solve_local

Floats = NDArray[np.float64]
DRAW_METHODS = ("cv10", "vcov", "profile", "bootstrap")


def draw_parameters(fit: NonlinearFit, method: str, n: int, seed: int) -> Floats:
    """Return random parameter vectors that stand for the uncertainty of a fit.

    ``cv10``: each parameter normal around its estimate with a coefficient of variation of 10 %, independent of the
    others (Huang et al. 2020). It knows neither the precision of the fit nor the covariance of its parameters.
    ``vcov``: multivariate normal with the covariance s^2 (J'J)^-1. ``profile``: a multivariate t of n - p degrees of
    freedom with the correlation of the estimates gives each parameter a signed root, and its profile likelihood the
    value there: the quantiles of the draws of each parameter are its profile intervals, skewed as these are and within
    bounds, and for a linear model they are the t distribution of the estimates. ``bootstrap``: refits to the fitted
    values plus residuals drawn with replacement, centred and scaled by sqrt(n/(n - p)). ``cv10`` and ``vcov`` may step
    over bounds.

    Parameters
    ----------
    fit : NonlinearFit
        A converged fit.
    method : {"cv10", "vcov", "profile", "bootstrap"}
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
        SQ803 when the fit has no usable minimum, no standard error where ``vcov`` needs one, or a profile that levels
        off where ``profile`` needs it; SQ813 for another method.

    References
    ----------
    Huang et al. (2020), Science Advances 6, eabb8508, doi:10.1126/sciadv.abb8508. Bates and Watts (1988), Nonlinear
    Regression Analysis and Its Applications, chapter 6, doi:10.1002/9780470316757. Efron and Tibshirani (1993), An
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
    if method == "profile":
        return _from_profiles(fit, count, rng)
    return _from_residuals(fit, fit.problem, count, rng)


def _from_covariance(fit: NonlinearFit, count: int, rng: np.random.Generator) -> Floats:
    held = [name for name, se in zip(fit.names, fit.se, strict=True) if not np.isfinite(se)]
    if held:
        fail(
            "SQ803",
            f"`vcov` needs a standard error of every parameter; {', '.join(f'`{name}`' for name in held)} has none",
            help="draw by `profile` or `bootstrap`, or fix the parameter at its bound in the formula",
        )
    return np.asarray(fit.estimates + fit.se * _correlated(fit.correlation, count, rng))


def _correlated(correlation: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Return standard normal numbers, shape (count, p), with a correlation."""
    # Not of the covariance, so that units of the parameters do not decide what is round-off.
    value, basis = np.linalg.eigh(correlation)
    noise = rng.standard_normal((count, len(correlation)))
    return np.asarray(noise @ (basis * np.sqrt(np.maximum(value, 0.0))).T)


def _from_profiles(fit: NonlinearFit, count: int, rng: np.random.Generator) -> Floats:
    if fit.sigma == 0.0:  # without residuals the estimates are exact
        return np.tile(fit.estimates, (count, 1))
    # A parameter at its bound has no standard error; its one-sided profile goes by itself.
    known = np.isfinite(fit.correlation)
    correlation = np.where(known, fit.correlation, np.eye(fit.estimates.size))
    roots = _correlated(correlation, count, rng) * np.sqrt(fit.df / rng.chisquare(fit.df, (count, 1)))
    draws = np.column_stack([profile_values(fit, name, roots[:, k]) for k, name in enumerate(fit.names)])
    for name, lost in zip(fit.names, np.isnan(draws).sum(axis=0), strict=True):
        if lost:
            fail(
                "SQ803",
                f"the profile of `{name}` levels off before {lost} of {count} draws: the data allow any value",
                help="give the parameter bounds, or draw by `vcov` or `bootstrap`",
            )
    return draws


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
