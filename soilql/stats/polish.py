"""The last digits of a least-squares fit: active bounds, Gauss-Newton steps, and the rank of the gradient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from soilql.stats.separable import RANK_TOLERANCE, Problem, column_units

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

RELATIVE_OFFSET = 1e-5
"""Bates and Watts' criterion below which a fit counts as converged, the default of R's ``nls``."""
_TIGHT = 1e-11
_STEPS = 50


@dataclass(frozen=True)
class Gradient:
    """What the gradient at the estimates tells about the parameters.

    Attributes
    ----------
    inverse : ndarray, shape (p, p)
        (J'J)^-1 in units of the scaled residuals; NaN in rows and columns of parameters that are held or confounded.
    rank : int
        Of the gradient in the free parameters.
    confounded : ndarray of bool, shape (p,)
        Parameters that take part in a direction along which the fit does not change.
    """

    inverse: Floats
    rank: int
    confounded: Flags


def gradient(problem: Problem, theta: Floats, active: Flags) -> Gradient:
    """Return rank and inverse of J'J by a singular value decomposition of J with columns scaled to length 1.

    Parameters
    ----------
    problem : Problem
        What was minimised.
    theta : ndarray, shape (p,)
        Estimates.
    active : ndarray of bool, shape (p,)
        Parameters held at a bound.

    Returns
    -------
    Gradient
    """
    free = np.flatnonzero(~active)
    jacobian = problem.jacobian(theta)[:, free]
    if not np.all(np.isfinite(jacobian)):  # the search ended where the model overflows
        return Gradient(np.full((theta.size, theta.size), np.nan), 0, np.zeros(theta.size, dtype=bool))
    length = _lengths(jacobian)
    _, s, vt = np.linalg.svd(jacobian / length, full_matrices=False)
    alive = s > RANK_TOLERANCE * s.max(initial=0.0)
    lost = np.abs(vt[~alive]).max(axis=0, initial=0.0) > 1e-3
    with np.errstate(over="ignore"):
        inner = (vt[alive].T / s[alive] ** 2) @ vt[alive] / length / length[:, None]
    inner[lost, :] = np.nan
    inner[:, lost] = np.nan
    inverse = np.full((theta.size, theta.size), np.nan)
    inverse[np.ix_(free, free)] = inner
    confounded = np.zeros(theta.size, dtype=bool)
    confounded[free] = lost
    return Gradient(inverse, int(np.count_nonzero(alive)), confounded)


def relative_offset(problem: Problem, theta: Floats, free: Flags) -> float:
    """Return Bates and Watts' relative offset: the part of the residuals that a linear step would still remove.

    Parameters
    ----------
    problem : Problem
        What was minimised.
    theta : ndarray, shape (p,)
        Parameters.
    free : ndarray of bool, shape (p,)
        Parameters that may move.

    Returns
    -------
    float
        sqrt(|Q'r|^2/p / (|r - QQ'r|^2/(n - p))), zero for residuals that are round-off; inf where undefined.

    References
    ----------
    Bates and Watts (1981), Technometrics 23, 179-183, doi:10.1080/00401706.1981.10486257.
    """
    r = problem.residuals(theta)
    jacobian = problem.jacobian(theta)[:, free]
    if not (np.all(np.isfinite(r)) and np.all(np.isfinite(jacobian))):
        return float("inf")
    if not jacobian.shape[1]:
        return 0.0
    basis = _range(jacobian)
    tangent = basis.T @ r
    normal = r - basis @ tangent
    df = max(1, r.size - jacobian.shape[1])
    observed = np.sqrt(np.mean((problem.root_weights * problem.y) ** 2)) / problem.scale
    noise = max(float(np.sqrt(normal @ normal / df)), 1e-10 * float(observed), 1e-300)
    return float(np.sqrt(tangent @ tangent / jacobian.shape[1]) / noise)


def polished(problem: Problem, theta: Floats) -> tuple[Floats, Flags]:
    """Return the parameters after Gauss-Newton steps, and which of them sit at a bound.

    Parameters
    ----------
    problem : Problem
        What to minimise.
    theta : ndarray, shape (p,)
        End of a search.

    Returns
    -------
    theta : ndarray, shape (p,)
        With bounds that the minimum leans on met exactly.
    active : ndarray of bool, shape (p,)
        Parameters held at a bound.
    """
    held, active = _snapped(problem, theta)
    for _ in range(theta.size + 1):
        moved = _gauss_newton(problem, held, ~active)
        leaving = active & ~_leaning(problem, moved)
        if not leaving.any():
            break
        active = active & ~leaving
    if active.any() and not problem.rss(moved) <= problem.rss(theta) * (1 + 1e-9):
        none = np.zeros(theta.size, dtype=bool)
        return _gauss_newton(problem, theta, ~none), none
    return moved, active


def _range(jacobian: Floats) -> Floats:
    length = _lengths(jacobian)
    u, s, _ = np.linalg.svd(jacobian / length, full_matrices=False)
    return np.asarray(u[:, s > RANK_TOLERANCE * s.max(initial=0.0)])


def _lengths(jacobian: Floats) -> Floats:
    """Return the lengths of the columns, none zero; large numbers do not overflow."""
    largest = np.abs(jacobian).max(axis=0, initial=0.0)
    largest[largest == 0.0] = 1.0
    return np.asarray(largest * np.maximum(np.linalg.norm(jacobian / largest, axis=0), 1.0))


def _snapped(problem: Problem, theta: Floats) -> tuple[Floats, Flags]:
    """Return theta with parameters close to a bound put on it."""
    close = 1e-3 * column_units(problem.jacobian(theta), theta)
    at_low, at_high = theta - problem.lower <= close, problem.upper - theta <= close
    held = np.where(at_low, problem.lower, np.where(at_high, problem.upper, theta))
    active = at_low | at_high
    if not np.isfinite(problem.rss(held)):
        return theta, np.zeros(theta.size, dtype=bool)
    return held, active


def _leaning(problem: Problem, theta: Floats) -> Flags:
    """Return where the descent points out of the bounds."""
    with np.errstate(over="ignore", invalid="ignore"):
        slope = problem.jacobian(theta).T @ problem.residuals(theta)
    return np.asarray(((theta <= problem.lower) & (slope >= 0)) | ((theta >= problem.upper) & (slope <= 0)))


def _gauss_newton(problem: Problem, theta: Floats, free: Flags) -> Floats:
    """Return theta after damped steps in the free parameters, none of which makes the fit worse."""
    offset = relative_offset(problem, theta, free)
    for _ in range(_STEPS):
        if not _TIGHT < offset < np.inf:
            break
        better = _step(problem, theta, free, offset)
        if better is None:
            break
        theta, offset = better
    return theta


def _step(problem: Problem, theta: Floats, free: Flags, offset: float) -> tuple[Floats, float] | None:
    jacobian = problem.jacobian(theta)[:, free]
    length = _lengths(jacobian)
    step = np.linalg.lstsq(jacobian / length, -problem.residuals(theta), rcond=RANK_TOLERANCE)[0] / length
    rss = problem.rss(theta)
    for halving in range(12):
        trial = theta.copy()
        trial[free] += 0.5**halving * step
        # Near the minimum the sum of squares is flat to rounding; the offset still tells better from worse.
        if problem.inside(trial) and problem.rss(trial) <= rss * (1 + 1e-9):
            trial_offset = relative_offset(problem, trial, free)
            if trial_offset < offset:
                return trial, trial_offset
    return None
