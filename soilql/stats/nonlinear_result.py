"""The result of a nonlinear least-squares fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from soilql.stats.separable import Problem

Floats = NDArray[np.float64]


class FitStatus(StrEnum):
    """How a fit ended."""

    CONVERGED = "converged"
    AT_BOUND = "at bound"
    SINGULAR = "singular gradient"
    NOT_CONVERGED = "not converged"
    TOO_FEW_ROWS = "too few rows"
    FAILED = "all starts failed"

    @property
    def usable(self) -> bool:
        """Whether the estimates are a minimum that predictions may rest on."""
        return self in (FitStatus.CONVERGED, FitStatus.AT_BOUND)


@dataclass(frozen=True)
class NonlinearFit:
    """A least-squares fit and what it says about its parameters.

    Attributes
    ----------
    names : tuple of str
        Parameters, in the order of every array of shape (p,).
    estimates, se : ndarray, shape (p,)
        Least-squares estimates and their standard errors; NaN when there are none.
    covariance : ndarray, shape (p, p)
        s^2 (J'J)^-1 with weights, NaN for parameters at a bound or in a singular direction.
    rss : float
        Weighted residual sum of squares.
    sigma : float
        Residual standard deviation sqrt(rss/df).
    n, df, rank : int
        Rows with a weight above zero, n - p, and the rank of the gradient in the free parameters.
    r2 : float
        Pooled 1 - SSE/SST (weighted), about the mean of the observations.
    log_likelihood, aic, bic : float
        Of the Gaussian model; the variance counts as a parameter, as in R.
    fitted, residuals : ndarray, shape (n_all,)
        On all rows; residuals are observed minus fitted.
    status : FitStatus
        How the fit ended.
    message : str
        The same in words that name parameters and numbers.
    notes : tuple of str
        Warnings: active bounds of linear parameters, rival optima.
    n_starts, n_best : int
        Starts searched from, and how many of them reached the best optimum.
    rivals : tuple of (ndarray, float)
        Distinct optima with a residual sum of squares within 1 % of the best, and that sum.
    relative_offset : float
        Bates and Watts' convergence criterion.
    problem : Problem or None
        What was minimised, for profiles and refits.
    """

    names: tuple[str, ...]
    estimates: Floats
    se: Floats
    covariance: Floats
    rss: float
    sigma: float
    n: int
    df: int
    rank: int
    r2: float
    log_likelihood: float
    fitted: Floats
    residuals: Floats
    status: FitStatus
    message: str
    notes: tuple[str, ...] = ()
    n_starts: int = 0
    n_best: int = 0
    rivals: tuple[tuple[Floats, float], ...] = ()
    relative_offset: float = float("nan")
    problem: Problem | None = field(default=None, repr=False, compare=False)

    @property
    def aic(self) -> float:
        """Akaike's information criterion."""
        return 2.0 * (len(self.names) + 1) - 2.0 * self.log_likelihood

    @property
    def bic(self) -> float:
        """Schwarz's information criterion."""
        return float(np.log(self.n)) * (len(self.names) + 1) - 2.0 * self.log_likelihood if self.n else np.nan

    @property
    def t_values(self) -> Floats:
        """Estimates over their standard errors, shape (p,)."""
        with np.errstate(all="ignore"):
            return self.estimates / self.se

    @property
    def p_values(self) -> Floats:
        """Two-sided p values of `t_values` with df degrees of freedom, shape (p,)."""
        return np.asarray(2.0 * student.sf(np.abs(self.t_values), self.df), dtype=np.float64)

    @property
    def correlation(self) -> Floats:
        """Correlation of the estimates, shape (p, p)."""
        with np.errstate(all="ignore"):
            return self.covariance / np.outer(self.se, self.se)
