"""Profile-likelihood intervals of the parameters of a nonlinear fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline, PchipInterpolator
from scipy.optimize import brentq
from scipy.stats import f as fisher
from scipy.stats import t as student

from soilql.stats.checks import choice, fail, fractions
from soilql.stats.nonlinear import NonlinearFit
from soilql.stats.separable import Problem, solve_local

Floats = NDArray[np.float64]

PROFILE_METHODS = ("spline", "exact")
_MOST_POINTS = 100
_FARTHEST = 2.0**24
_BEYOND = 1e6
_STEP = 0.5


class IntervalEnd(StrEnum):
    """What an end of a profile interval is."""

    REACHED = "reached"
    AT_BOUND = "at the parameter's bound"
    UNBOUNDED = "unbounded: the data allow any value"
    UNDEFINED = "where the model ceases to be defined"
    NOT_AVAILABLE = "not available for this fit"


@dataclass(frozen=True)
class ProfileIntervals:
    """Profile-likelihood intervals of all parameters.

    Attributes
    ----------
    names : tuple of str
        Parameters.
    level : float
        Confidence level.
    lower, upper : ndarray, shape (p,)
        Ends; infinite where the profile never rises to the limit.
    lower_end, upper_end : tuple of IntervalEnd
        What each end is.
    notes : tuple of str
        A better optimum met on the way.
    """

    names: tuple[str, ...]
    level: float
    lower: Floats
    upper: Floats
    lower_end: tuple[IntervalEnd, ...]
    upper_end: tuple[IntervalEnd, ...]
    notes: tuple[str, ...] = ()


def profile_intervals(fit: NonlinearFit, level: float = 0.95, method: str = "spline") -> ProfileIntervals:
    """Return the values of each parameter that the data do not reject when all others are fitted anew.

    The limits are where |sign(theta - theta^) sqrt(S(theta) - S^)/s| = t((1 + level)/2, n - p). ``spline`` finds them
    as R's ``confint`` of an ``nls`` fit does, by interpolating between about a dozen points of the profile, so that the
    digits agree with R's; ``exact`` solves the equation to rounding. The two differ by some 1e-5 of the interval. Where
    the dozen points do not embrace the limit (a bound, a profile that levels off) both search it exactly.

    Parameters
    ----------
    fit : NonlinearFit
        A converged fit. Any other gives NaN ends that say so.
    level : float
        Confidence level.
    method : {"spline", "exact"}
        How the limits are found.

    Returns
    -------
    ProfileIntervals

    Raises
    ------
    SoilqlError
        SQ813 for a level outside (0, 1) or another method.

    References
    ----------
    Bates and Watts (1988), Nonlinear Regression Analysis and Its Applications, chapter 6,
    doi:10.1002/9780470316757.

    Examples
    --------
    For a linear model they are the usual t intervals:

    >>> import numpy as np
    >>> from soilql.stats.nonlinear import fit_nonlinear
    >>> class Mean:
    ...     def value(self, theta):
    ...         return np.repeat(theta, 4)
    ...     def jacobian(self, theta):
    ...         return np.ones((4, 1))
    >>> interval = profile_intervals(fit_nonlinear(Mean(), [1.0, 2.0, 3.0, 4.0], ["mean"]), method="exact")
    >>> interval.lower.round(4), interval.upper.round(4)
    (array([0.4457]), array([4.5543]))
    """
    p = float(fractions(level, "level", open_ends=True)[0])
    choice(method, PROFILE_METHODS, "method")
    size = len(fit.names)
    lower, upper = np.full(size, np.nan), np.full(size, np.nan)
    ends = [[IntervalEnd.NOT_AVAILABLE] * size, [IntervalEnd.NOT_AVAILABLE] * size]
    notes: list[str] = []
    if fit.status.usable and fit.problem is not None:
        limit = float(student.ppf(0.5 + 0.5 * p, fit.df))
        for k in range(size):
            curve = _Profile(fit, fit.problem, k)
            crossings = _spline_crossings(curve, p, limit) if method == "spline" else (None, None)
            for side, out in ((0, lower), (1, upper)):
                crossing = crossings[side]
                if crossing is not None:
                    out[k], ends[side][k] = crossing, IntervalEnd.REACHED
                else:
                    out[k], ends[side][k] = _end(curve, 2.0 * side - 1.0, limit)
            if curve.lowest < fit.rss * (1 - 1e-6) and fit.rss > 0:
                notes.append(f"profiling `{fit.names[k]}` met a better optimum (RSS {curve.lowest:.6g})")
    return ProfileIntervals(fit.names, p, lower, upper, tuple(ends[0]), tuple(ends[1]), tuple(notes))


def profile_tau(fit: NonlinearFit, name: str, values: NDArray[np.float64]) -> Floats:
    """Return the signed root sign(theta - theta^) sqrt(S(theta) - S^)/s along one parameter, for a plot.

    Parameters
    ----------
    fit : NonlinearFit
        A converged fit.
    name : str
        The parameter.
    values : ndarray, shape (m,)
        Its values; those furthest from the estimate are reached from nearer ones.

    Returns
    -------
    ndarray, shape (m,)
        A straight line where the linear approximation holds.

    Raises
    ------
    SoilqlError
        SQ813 for an unknown parameter or a fit that did not converge.

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
    >>> profile_tau(fit, "mean", fit.estimates + fit.se * np.array([-1.0, 0.0, 2.0])).round(6)
    array([-1.,  0.,  2.])
    """
    if name not in fit.names or not fit.status.usable or fit.problem is None:
        fail("SQ813", f"no profile of `{name}`: the fit is {fit.status} with parameters {', '.join(fit.names)}")
    k = fit.names.index(name)
    curve = _Profile(fit, fit.problem, k)
    tau = np.empty(values.size)
    for index in np.argsort(np.abs(values - fit.estimates[k]), kind="stable"):
        tau[index] = curve.tau(float(values[index]))
    return tau


def profile_values(fit: NonlinearFit, name: str, tau: NDArray[np.float64]) -> Floats:
    """Return the values of one parameter at which its profile has given signed roots; the inverse of `profile_tau`.

    The profile is followed outwards in steps of about half a unit of tau and interpolated between them by monotone
    cubics (Fritsch and Carlson 1980).

    Parameters
    ----------
    fit : NonlinearFit
        A converged fit.
    name : str
        The parameter.
    tau : ndarray, shape (m,)
        Signed roots sign(theta - theta^) sqrt(S(theta) - S^)/s.

    Returns
    -------
    ndarray, shape (m,)
        The bound of the parameter where the profile ends at it before; NaN where it levels off or the model ceases to
        be defined before.

    Raises
    ------
    SoilqlError
        SQ813 for an unknown parameter or a fit that did not converge.

    References
    ----------
    Bates and Watts (1988), chapter 6, doi:10.1002/9780470316757. Fritsch and Carlson (1980), SIAM Journal on Numerical
    Analysis 17, 238-246, doi:10.1137/0717021.

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
    >>> ((profile_values(fit, "mean", np.array([-1.0, 2.0])) - fit.estimates) / fit.se).round(6)
    array([-1.,  2.])
    """
    if name not in fit.names or not fit.status.usable or fit.problem is None:
        fail("SQ813", f"no profile of `{name}`: the fit is {fit.status} with parameters {', '.join(fit.names)}")
    k = fit.names.index(name)
    if fit.sigma == 0.0:  # the parameters are known exactly
        return np.full(tau.size, fit.estimates[k])
    curve = _Profile(fit, fit.problem, k)
    found = np.full(tau.size, curve.centre)
    for side in (-1.0, 1.0):
        wanted = side * tau > 0
        if wanted.any():
            found[wanted] = _inverted(curve, side, np.abs(tau[wanted]))
    return found


def _inverted(curve: _Profile, side: float, tau: Floats) -> Floats:
    """Return the values of the parameter on one side at which the absolute root is tau."""
    bound = float((curve.problem.lower if side < 0 else curve.problem.upper)[curve.index])
    if curve.centre == bound:
        return np.full(tau.size, bound)
    values, roots = _followed(curve, side, float(tau.max()), bound)
    if len(values) == 1:
        return np.full(tau.size, np.nan)
    found = np.asarray(PchipInterpolator(roots, values, extrapolate=False)(tau))
    return np.where(tau > roots[-1], bound, found) if values[-1] == bound else found


def _followed(curve: _Profile, side: float, farthest: float, bound: float) -> tuple[list[float], list[float]]:
    """Return points of a profile from the estimate outwards, with rising absolute roots, as far as they are needed."""
    unit = curve.se if curve.se > 0 else max(abs(curve.centre), 1.0) * 1e-3
    values, roots = [curve.centre], [0.0]
    step = _STEP * unit
    for _ in range(_MOST_POINTS):
        value = curve.centre + side * (abs(values[-1] - curve.centre) + step)
        value = max(value, bound) if side < 0 else min(value, bound)
        root = abs(curve.tau(value))
        if root >= _BEYOND or step > _FARTHEST * unit:
            break
        rise = root - roots[-1]
        if rise > 0:
            values.append(value)
            roots.append(root)
        if root >= farthest or value == bound:
            break
        step *= min(max(_STEP / rise, 0.25), 4.0) if rise > 0 else 4.0
    return values, roots


class _Profile:
    """The profile of one parameter, each point started from the nearest one known."""

    def __init__(self, fit: NonlinearFit, problem: Problem, index: int) -> None:
        self.fit, self.problem, self.index = fit, problem, index
        self.centre = float(fit.estimates[index])
        self.se = float(fit.se[index])
        self.lowest = fit.rss
        self._known: dict[float, Floats] = {self.centre: np.delete(fit.estimates, index)}
        slope = np.delete(fit.covariance[:, index], index) / self.se**2 if self.se > 0 else np.nan
        self._slope = np.nan_to_num(np.broadcast_to(slope, (fit.estimates.size - 1,)))

    def tau(self, value: float) -> float:
        if value == self.centre:
            return 0.0
        rest = self.problem.fixed(self.index, value)
        near = min(self._known, key=lambda v: abs(v - value))
        best = solve_local(rest, self._known[near], 1e-12)
        if not np.isfinite(best.rss) or near == self.centre:
            # The tangent of the profile is the better guess next to the estimate.
            along = solve_local(rest, self._known[near] + self._slope * (value - near), 1e-12)
            best = min(best, along, key=lambda s: s.rss)
        if not np.isfinite(best.rss):
            return float(np.copysign(_BEYOND, value - self.centre))
        self._known[value] = best.theta
        self.lowest = min(self.lowest, best.rss)
        root = np.sqrt(max(0.0, best.rss - self.fit.rss)) / self.fit.sigma
        return float(np.copysign(min(root, _BEYOND), value - self.centre))


def _end(curve: _Profile, side: float, limit: float) -> tuple[float, IntervalEnd]:
    """Return the limit of the interval on one side, searched in units of the standard error."""
    bound = float((curve.problem.lower if side < 0 else curve.problem.upper)[curve.index])
    if curve.centre == bound:
        return bound, IntervalEnd.AT_BOUND
    unit = curve.se if curve.se > 0 else max(abs(curve.centre), 1.0) * 1e-3
    if not np.isfinite(curve.fit.sigma) or curve.fit.sigma == 0.0:
        return float("nan"), IntervalEnd.NOT_AVAILABLE

    def excess(z: float) -> float:
        return abs(curve.tau(curve.centre + side * z * unit)) - limit

    room = side * (bound - curve.centre) / unit
    inner, outer = 0.0, min(limit, room)
    while (value := excess(outer)) < 0.0:
        if outer >= room:
            return bound, IntervalEnd.AT_BOUND
        if outer > _FARTHEST:
            return side * float("inf"), IntervalEnd.UNBOUNDED
        inner, outer = outer, min(2.0 * outer, room)
    root = outer if value == 0.0 else _root(excess, inner, outer)
    # Only a jump, not a crossing, leaves the profile far from the limit at the root.
    defined = abs(excess(root)) < 1e-3 * limit
    return curve.centre + side * root * unit, IntervalEnd.REACHED if defined else IntervalEnd.UNDEFINED


def _spline_crossings(curve: _Profile, level: float, limit: float) -> tuple[float | None, float | None]:
    """Return the limits interpolated as in R's ``profile.nls`` and ``confint``, None where the points end before."""
    if not (curve.se > 0 and curve.fit.sigma > 0):
        return None, None
    # R profiles a little beyond the interval, in steps of a fifth of that range of tau.
    cutoff = float(np.sqrt(fisher.ppf(1.0 - (1.0 - level) / 4.0, 1, curve.fit.df)))
    points = {curve.centre: 0.0}
    for side in (-1.0, 1.0):
        points.update(_walk(curve, side, cutoff))
    values = np.array(sorted(points))
    tau = np.array([points[v] for v in values])
    if values.size < 4 or np.any(np.diff(tau) <= 0):
        return None, None
    fine = np.linspace(values[0], values[-1], 3 * values.size)
    smooth = CubicSpline(values, tau)(fine)
    low, high = (float(np.interp(t, smooth, fine)) for t in (-limit, limit))
    return low if tau[0] <= -limit else None, high if tau[-1] >= limit else None


def _walk(curve: _Profile, side: float, cutoff: float) -> dict[float, float]:
    """Return tau at steps that keep its increments near cutoff/5, until it passes the cutoff or leaves the bounds."""
    increment = cutoff / 5.0
    low, high = curve.problem.lower[curve.index], curve.problem.upper[curve.index]
    points: dict[float, float] = {}
    before, tau_before = curve.centre, 0.0
    value = curve.centre + side * increment * curve.se
    for _ in range(_MOST_POINTS):
        if not low <= value <= high or abs(value - curve.centre) > 10.0 * cutoff * curve.se:
            break
        tau = curve.tau(value)
        if abs(tau) >= _BEYOND or abs(tau - tau_before) < 0.1:
            break
        points[value] = tau
        if abs(tau) > cutoff:
            break
        step = (value - before) * increment / abs(tau - tau_before)
        before, tau_before, value = value, tau, value + step
    return points


def _root(excess: Callable[[float], float], inner: float, outer: float) -> float:
    return float(brentq(excess, inner, outer, xtol=1e-12, rtol=1e-12, maxiter=200))
