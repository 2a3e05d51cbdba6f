"""Local minimisers of weighted least squares, with conditionally linear parameters profiled out.

A model f = offset(beta) + sum of alpha_k g_k(beta) is fitted by variable projection: for each beta the alphas are the
solution of a linear problem, and the search is over beta alone with Kaufman's Jacobian, whose gradient is exact. A
driver that is shifted or scaled only rescales the g_k, so that the projected problem does not notice.

References
----------
Golub and Pereyra (1973), SIAM Journal on Numerical Analysis 10, 413-432, doi:10.1137/0710036.
Kaufman (1975), BIT 15, 49-57, doi:10.1007/BF01932995.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr, solve_triangular
from scipy.optimize import least_squares, leastsq

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

RANK_TOLERANCE = 1e-10
"""Smallest ratio of singular values (columns scaled to length 1) at which a gradient still counts as full rank."""
_WALL = 1e50


class Model(Protocol):
    """A regression function of its parameters at fixed drivers."""

    def value(self, theta: Floats) -> Floats:
        """Return the fitted values, shape (n,), for parameters of shape (p,)."""

    def jacobian(self, theta: Floats) -> Floats:
        """Return the analytic derivatives, shape (n, p)."""


@dataclass(frozen=True)
class Problem:
    """Weighted residuals of a model, in units of the spread of the observations.

    Attributes
    ----------
    model : Model
        Defined for all rows.
    rows : ndarray of intp, shape (n,)
        Rows with a weight above zero.
    y, root_weights : ndarray, shape (n,)
        Observations and square roots of the weights of these rows.
    lower, upper : ndarray, shape (p,)
        Bounds, infinite where there are none.
    linear : tuple of int
        Positions of the conditionally linear parameters.
    scale : float
        Residuals are divided by it.
    """

    model: Model
    rows: Ints
    y: Floats
    root_weights: Floats
    lower: Floats
    upper: Floats
    linear: tuple[int, ...]
    scale: float

    @cached_property
    def _factor(self) -> Floats:
        return self.root_weights / self.scale

    def _counted(self, values: Floats) -> Floats:
        """Return what is given for all rows at those that count."""
        found = np.asarray(values, dtype=np.float64)
        return found if len(found) == self.rows.size else found[self.rows]

    def residuals(self, theta: Floats) -> Floats:
        """Return (f - y) sqrt(w) / scale, shape (n,), NaN or infinite where the model is undefined."""
        with np.errstate(all="ignore"):
            return np.asarray((self._counted(self.model.value(theta)) - self.y) * self._factor)

    def jacobian(self, theta: Floats) -> Floats:
        """Return the derivatives of `residuals`, shape (n, p)."""
        with np.errstate(all="ignore"):
            return np.asarray(self._counted(self.model.jacobian(theta)) * self._factor[:, None])

    def rss(self, theta: Floats) -> float:
        """Return the weighted residual sum of squares in the unit of y squared; inf where undefined."""
        r = self.residuals(theta)
        with np.errstate(over="ignore"):
            return float(r @ r) * self.scale**2 if np.isfinite(r).all() else float("inf")

    def inside(self, theta: Floats) -> bool:
        """Return whether the parameters respect their bounds."""
        return bool(np.all((theta >= self.lower) & (theta <= self.upper)))

    def with_y(self, y: Floats) -> Problem:
        """Return the same problem for other observations, shape (n,)."""
        return replace(self, y=y)

    def fixed(self, index: int, value: float) -> Problem:
        """Return the problem of the other parameters when one is held at a value."""
        others = np.delete(np.arange(self.lower.size), index)
        return replace(
            self,
            model=_Held(self.model, index, value),
            lower=self.lower[others],
            upper=self.upper[others],
            linear=tuple(k - (k > index) for k in self.linear if k != index),
        )


@dataclass(frozen=True)
class _Held:
    """A model with one parameter held at a value."""

    model: Model
    index: int
    held: float

    def _whole(self, theta: Floats) -> Floats:
        return np.concatenate([theta[: self.index], [self.held], theta[self.index :]])

    def value(self, theta: Floats) -> Floats:
        return self.model.value(self._whole(theta))

    def jacobian(self, theta: Floats) -> Floats:
        return np.delete(self.model.jacobian(self._whole(theta)), self.index, axis=1)


class View(Protocol):
    """A problem as seen by a minimiser: fewer or all of its parameters."""

    lower: Floats
    upper: Floats

    def residuals(self, x: Floats) -> Floats: ...
    def jacobian(self, x: Floats) -> Floats: ...
    def expand(self, x: Floats) -> Floats: ...
    def reduce(self, theta: Floats) -> Floats: ...


class Joint:
    """All parameters at once."""

    def __init__(self, problem: Problem) -> None:
        self.residuals = problem.residuals
        self.jacobian = problem.jacobian
        self.lower, self.upper = problem.lower, problem.upper

    def expand(self, x: Floats) -> Floats:
        return x

    def reduce(self, theta: Floats) -> Floats:
        return theta


class Separable:
    """The parameters that are not conditionally linear; the linear ones follow from them, without bounds."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.linear = np.array(problem.linear, dtype=np.intp)
        self.free = np.delete(np.arange(problem.lower.size), self.linear)
        self.lower, self.upper = problem.lower[self.free], problem.upper[self.free]
        self._key = b""
        self._solved: tuple[Floats, Floats, Floats] | None = None

    def reduce(self, theta: Floats) -> Floats:
        return theta[self.free]

    def expand(self, x: Floats) -> Floats:
        return self._solve(x)[0]

    def residuals(self, x: Floats) -> Floats:
        return self._solve(x)[1]

    def jacobian(self, x: Floats) -> Floats:
        theta, _, basis = self._solve(x)
        columns = self.problem.jacobian(theta)[:, self.free]
        with np.errstate(all="ignore"):
            projected = columns - basis @ (basis.T @ columns)
            # What a linear parameter does as well leaves only round-off, which must not pass for an effect.
            effect = np.linalg.norm(projected, axis=0) > 1e-12 * np.linalg.norm(columns, axis=0)
        return np.asarray(np.where(effect, projected, 0.0))

    def _solve(self, x: Floats) -> tuple[Floats, Floats, Floats]:
        """Return theta, the residuals, and an orthonormal basis of the linear columns."""
        key = np.asarray(x, dtype=np.float64).tobytes()
        if self._solved is None or key != self._key:
            self._key, self._solved = key, self._project(x)
        return self._solved

    def _project(self, x: Floats) -> tuple[Floats, Floats, Floats]:
        theta = np.zeros(self.problem.lower.size)
        theta[self.free] = x
        residual = self.problem.residuals(theta)
        columns = self.problem.jacobian(theta)[:, self.linear]
        with np.errstate(over="ignore"):
            length = np.sqrt(np.einsum("ij,ij->j", columns, columns))
        if not (np.isfinite(residual).all() and np.isfinite(length).all()):
            return np.full(theta.size, np.nan), np.full(residual.size, np.nan), columns[:, :0]
        length[length == 0.0] = 1.0
        basis, alpha, target = _solved(columns / length, residual)
        theta[self.linear] = alpha / length
        return theta, residual - basis @ target, basis


def _solved(columns: Floats, residual: Floats) -> tuple[Floats, Floats, Floats]:
    """Return an orthonormal basis of columns of length 1 (or 0), their best coefficients, and those of the basis."""
    if columns.shape[1] == 1:
        target = np.asarray(columns.T @ residual, dtype=np.float64)
        return columns, -target, target
    q, r, pivot = qr(columns, mode="economic", pivoting=True, check_finite=False)
    diagonal = np.abs(np.diag(r))
    rank = int(np.count_nonzero(diagonal > RANK_TOLERANCE * max(diagonal.max(initial=0.0), 1e-300)))
    basis: Floats = np.asarray(q[:, :rank])
    target = np.asarray(basis.T @ residual, dtype=np.float64)
    alpha = np.zeros(columns.shape[1])
    alpha[pivot[:rank]] = -solve_triangular(r[:rank, :rank], target, check_finite=False)
    return basis, alpha, target


@dataclass(frozen=True)
class Solution:
    """Where a local search ended.

    Attributes
    ----------
    theta : ndarray, shape (p,)
        Parameters.
    rss : float
        Weighted residual sum of squares; inf when the search never met a defined model.
    joint : bool
        Whether bounds on linear parameters forced the search over all parameters.
    """

    theta: Floats
    rss: float
    joint: bool = False


def solve_local(problem: Problem, start: Floats, tolerance: float = 1e-10) -> Solution:
    """Return the local minimum that a start leads to.

    Parameters
    ----------
    problem : Problem
        What to minimise.
    start : ndarray, shape (p,)
        Starting values; those of linear parameters matter only when their bounds become active.
    tolerance : float
        Relative change of the sum of squares or of the parameters at which the search stops.

    Returns
    -------
    Solution
        With variable projection unless no parameter is linear or bounds on linear parameters are active.
    """
    theta = np.clip(start, problem.lower, problem.upper)
    if problem.linear:
        view = Separable(problem)
        reduced = _minimise(view, view.reduce(theta), tolerance)
        projected = view.expand(reduced)
        if np.all(np.isfinite(projected)):
            if problem.inside(projected):
                return Solution(projected, problem.rss(projected))
            theta = np.clip(projected, problem.lower, problem.upper)
            joint = _minimise(Joint(problem), theta, tolerance)
            return Solution(joint, problem.rss(joint), joint=True)
    end = _minimise(Joint(problem), theta, tolerance)
    return Solution(end, problem.rss(end))


def column_units(jacobian: Floats, fallback: Floats) -> Floats:
    """Return for each parameter the change that moves the scaled residuals by about 1.

    Parameters
    ----------
    jacobian : ndarray, shape (n, p)
        Derivatives of the scaled residuals.
    fallback : ndarray, shape (p,)
        Used where a column is zero or not finite.

    Returns
    -------
    ndarray, shape (p,)
        Above zero.
    """
    with np.errstate(all="ignore"):
        unit = np.sqrt(jacobian.shape[0]) / np.linalg.norm(jacobian, axis=0)
    good = np.isfinite(unit) & (unit > 0)
    return np.where(good, unit, np.where(np.abs(fallback) > 0, np.abs(fallback), 1.0))


def _minimise(view: View, start: Floats, tolerance: float) -> Floats:
    """Return the end of a Levenberg-Marquardt (no bounds) or trust-region reflective (bounds) search."""
    if not start.size or not np.all(np.isfinite(view.residuals(start))):
        return start
    unit = column_units(view.jacobian(start), start)

    def residuals(u: Floats) -> Floats:
        r = view.residuals(u * unit)
        # A step into the undefined is refused because it is so much worse.
        return r if np.isfinite(r).all() else np.full(r.shape, _WALL)

    def jacobian(u: Floats) -> Floats:
        return np.nan_to_num(view.jacobian(u * unit) * unit, nan=0.0, posinf=_WALL, neginf=-_WALL)

    bounded = bool(np.isfinite(view.lower).any() or np.isfinite(view.upper).any())
    options: dict[str, Any] = {"ftol": tolerance, "xtol": tolerance, "gtol": tolerance}
    limit = 200 * (start.size + 1)
    with np.errstate(all="ignore"):
        if not bounded:
            # MINPACK's lmder as `least_squares` calls it, without the wrapping, which takes longer than a small model.
            found = leastsq(residuals, start / unit, Dfun=jacobian, full_output=True, maxfev=limit, **options)[0]
            return np.asarray(found * unit)
        bounds = (view.lower / unit, view.upper / unit)
        found = least_squares(
            residuals, start / unit, jacobian, bounds, "trf", x_scale="jac", max_nfev=limit, **options
        ).x
    # Scaling back may overstep a bound by one rounding.
    return np.clip(found * unit, view.lower, view.upper)
