"""Fits on the logarithmic scale and the way back to the natural one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from soilql.stats.checks import fail, vector, weight_vector
from soilql.stats.nonlinear import LogLinearStart, NonlinearFit, fit_nonlinear
from soilql.stats.separable import Model

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LogModel:
    """The logarithm of a model; undefined where the model is not positive.

    Attributes
    ----------
    natural : Model
        The model on the natural scale.
    """

    natural: Model

    def value(self, theta: Floats) -> Floats:
        """Return log f, shape (n,)."""
        return np.asarray(np.log(self.natural.value(theta)))

    def jacobian(self, theta: Floats) -> Floats:
        """Return the derivatives of log f, shape (n, p)."""
        return np.asarray(self.natural.jacobian(theta) / self.natural.value(theta)[:, None])


def fit_log_scale(
    model: Model,
    y: ArrayLike,
    params: Sequence[str],
    *,
    starts: Mapping[str, float] | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    weights: ArrayLike | None = None,
    log_linear_start: LogLinearStart | None = None,
    n_starts: int = 16,
    seed: int = 0,
) -> NonlinearFit:
    """Fit log y = log f + error by least squares.

    Everything in the result (residuals, sigma, R2, AIC) is on the log scale: predictions on the natural scale are
    f times `duan_smearing(fit.residuals)` or `lognormal_factor(fit.sigma)`.

    Parameters
    ----------
    model : Model
        On the natural scale; it must be positive at the estimates.
    y : array_like, shape (n,)
        Observations above zero.
    params, starts, bounds, weights, log_linear_start, n_starts, seed
        As `fit_nonlinear`; starts are on the natural scale too.

    Returns
    -------
    NonlinearFit

    Raises
    ------
    SoilqlError
        SQ813 for observations that are not positive, and as `fit_nonlinear`.

    Examples
    --------
    >>> import numpy as np
    >>> class Constant:
    ...     def value(self, theta):
    ...         return np.repeat(theta, 3)
    ...     def jacobian(self, theta):
    ...         return np.ones((3, 1))
    >>> fit = fit_log_scale(Constant(), [1.0, 10.0, 100.0], ["a"], starts={"a": 1.0})
    >>> fit.estimates.round(6), round(duan_smearing(fit.residuals), 6)
    (array([10.]), 3.7)
    """
    obs = vector(y, "y")
    w = weight_vector(weights, obs.size)
    low = int(np.count_nonzero((obs <= 0) & (w > 0)))
    if low:
        fail("SQ813", f"{low} observations are zero or negative and have no logarithm", help="fit the natural scale")
    log_y = np.log(np.where(w > 0, obs, 1.0))
    start = log_linear_start
    natural = start if start is None or callable(start) else start.start
    return fit_nonlinear(
        LogModel(model),
        log_y,
        params,
        starts=starts,
        bounds=bounds,
        weights=weights,
        log_linear_start=None if natural is None else lambda _: natural(obs),
        n_starts=n_starts,
        seed=seed,
    )


def duan_smearing(log_residuals: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Return Duan's smearing factor, the mean of the exponential of the residuals of a log-scale fit.

    Parameters
    ----------
    log_residuals : array_like, shape (n,)
        Residuals in natural logarithms.
    weights : array_like, shape (n,), optional
        Relative weights.

    Returns
    -------
    float
        Multiplies exp(log prediction) to give the mean on the natural scale.

    Raises
    ------
    SoilqlError
        SQ811, SQ812 or SQ813 for missing values or weights.

    References
    ----------
    Duan (1983), Journal of the American Statistical Association 78, 605-610, doi:10.1080/01621459.1983.10478017.

    Examples
    --------
    >>> round(duan_smearing([0.1, -0.1]), 6)
    1.005004
    """
    residuals = vector(log_residuals, "log_residuals")
    if not residuals.size:
        fail("SQ811", "no residuals to smear")
    return float(np.average(np.exp(residuals), weights=weight_vector(weights, residuals.size)))


def lognormal_factor(sigma: float) -> float:
    """Return exp(s^2/2), the back-transformation factor for normal residuals on the log scale.

    Parameters
    ----------
    sigma : float
        Residual standard deviation in natural logarithms.

    Returns
    -------
    float
        Multiplies exp(log prediction) to give the mean on the natural scale.

    Examples
    --------
    >>> round(lognormal_factor(0.1), 6)
    1.005013
    """
    return float(np.exp(0.5 * sigma**2))
