"""Nonlinear least squares on the natural scale, with starts, convergence and uniqueness looked after.

References
----------
Bates and Watts (1988), Nonlinear Regression Analysis and Its Applications, doi:10.1002/9780470316757.
Huang et al. (2020), Science Advances 6, eabb8508, doi:10.1126/sciadv.abb8508 (the models of soil respiration).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from soilql.stats.checks import fail, vector, weight_vector, whole_number
from soilql.stats.nonlinear_result import FitStatus, NonlinearFit
from soilql.stats.polish import RELATIVE_OFFSET, Gradient, gradient, polished, relative_offset
from soilql.stats.separable import Model, Problem, Solution, column_units, solve_local
from soilql.stats.starts import LogLinearDesign, start_points

__all__ = ["FitStatus", "LogLinearStart", "NonlinearFit", "fit_nonlinear"]

Floats = NDArray[np.float64]
LogLinearStart = LogLinearDesign | Callable[[Floats], Floats]

_SAME_RSS = 1e-6
_NEARLY_EQUAL_RSS = 0.01
_LEAD = 4
# Points are the same when no parameter moves the fitted values by more than this share of their spread.
_SAME_POINT = 1e-3


def fit_nonlinear(
    model: Model,
    y: ArrayLike,
    params: Sequence[str],
    *,
    starts: Mapping[str, float] | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    weights: ArrayLike | None = None,
    linear: Sequence[str] = (),
    log_linear_start: LogLinearStart | None = None,
    n_starts: int = 16,
    seed: int = 0,
) -> NonlinearFit:
    """Fit a nonlinear model by (weighted) least squares.

    Searches from the user's start, from the log-linear start, and from a seeded screen, takes the best optimum and
    polishes it by Gauss-Newton steps until the relative offset is far below that of R's ``nls``. The searches end
    early once those that found the best optimum are four more than those that ended anywhere else: four in a row for a
    well-behaved problem, all of them for one in which few starts lead to the best or the best leans on a bound.

    Parameters
    ----------
    model : Model
        ``value(theta)`` of shape (n,) and ``jacobian(theta)`` of shape (n, p).
    y : array_like, shape (n,)
        Observations.
    params : sequence of str
        Names in the order of theta.
    starts : mapping of str to float, optional
        Starting values of all or some parameters.
    bounds : mapping of str to (float, float), optional
        Lower and upper bound; infinite where there is none.
    weights : array_like, shape (n,), optional
        Weights of the squared residuals; rows of weight 0 are left out.
    linear : sequence of str
        Conditionally linear parameters: f = offset + sum of alpha_k g_k with neither depending on any alpha.
    log_linear_start : LogLinearDesign or callable, optional
        A design, or a function of y that returns theta (NaN for what it cannot tell).
    n_starts : int
        Largest number of screened starts that are searched from, besides the given ones.
    seed : int
        Seed of the screen.

    Returns
    -------
    NonlinearFit
        Always, whatever became of the fit: see its `status`.

    Raises
    ------
    SoilqlError
        SQ811, SQ812 or SQ813 for arguments that do not fit together: names that are no parameters, a start outside its
        bounds, missing observations.

    Examples
    --------
    >>> import numpy as np
    >>> temperature = np.array([0.0, 5.0, 10.0, 15.0, 20.0])
    >>> class Exponential:
    ...     def value(self, theta):
    ...         return theta[0] * np.exp(theta[1] * temperature)
    ...     def jacobian(self, theta):
    ...         e = np.exp(theta[1] * temperature)
    ...         return np.column_stack([e, theta[0] * temperature * e])
    >>> fit = fit_nonlinear(Exponential(), [10.0, 14.0, 22.0, 33.0, 49.0], ["a", "b"], linear=["a"])
    >>> fit.status, fit.estimates.round(3)
    (<FitStatus.CONVERGED: 'converged'>, array([9.723, 0.081]))
    """
    names = tuple(params)
    problem = _problem(model, y, names, bounds, weights, linear)
    whole_number(n_starts, "n_starts", 0)
    n_all = np.asarray(y).size
    if problem.y.size <= len(names):
        text = f"{problem.y.size} rows for {len(names)} parameters; at least {len(names) + 1} are needed"
        return _without_estimates(names, problem, n_all, FitStatus.TOO_FEW_ROWS, text)
    given = _given_starts(problem, names, starts, log_linear_start, np.asarray(y, dtype=np.float64))
    points = start_points(problem, given, n_starts, seed)
    found = _searched(problem, points)
    if not found:
        text = f"the model is undefined at all of {max(len(points), n_starts)} starts"
        return _without_estimates(names, problem, n_all, FitStatus.FAILED, text)
    best = min(found, key=lambda s: s.rss)
    best = min((solve_local(problem, best.theta, 1e-15), best), key=lambda s: s.rss)
    theta, active = polished(problem, best.theta)
    _check_linear(problem, names, theta)
    return _summary(names, problem, model, np.asarray(y, dtype=np.float64), theta, active, found)


def _searched(problem: Problem, points: Sequence[Floats]) -> list[Solution]:
    """Return where the searches from points ended, one after the other until they agree by a lead of `_LEAD`."""
    found: list[Solution] = []
    for point in points:
        solution = solve_local(problem, point)
        if np.isfinite(solution.rss):
            found.append(solution)
        if len(found) >= _LEAD and _lead(problem, found) >= _LEAD:
            break
    return found


def _lead(problem: Problem, found: Sequence[Solution]) -> int:
    """Return how many more of the searches ended at the best point than anywhere else; 0 where it leans on a bound.

    Searches slide along bounds into the same corner from far apart, so that their agreement there says little.
    """
    best = min(found, key=lambda s: s.rss)
    low = best.rss * (1 + _SAME_RSS) + _floor(problem)
    if 2 * sum(s.rss <= low for s in found) - len(found) < _LEAD:
        return 0
    near = _SAME_POINT * column_units(problem.jacobian(best.theta), best.theta)
    if np.any((best.theta - problem.lower <= near) | (problem.upper - best.theta <= near)):
        return 0
    same = sum(s.rss <= low and bool(np.all(np.abs(s.theta - best.theta) <= near)) for s in found)
    return 2 * same - len(found)


def _problem(
    model: Model,
    y: ArrayLike,
    names: tuple[str, ...],
    bounds: Mapping[str, tuple[float, float]] | None,
    weights: ArrayLike | None,
    linear: Sequence[str],
) -> Problem:
    obs = vector(y, "y")
    w = weight_vector(weights, obs.size)
    if not names or len(set(names)) != len(names):
        fail("SQ813", "`params` must be one or more different names")
    for what, given in (("bounds", bounds or {}), ("linear", linear)):
        for name in given:
            if name not in names:
                fail("SQ813", f"`{what}` speaks of `{name}`, which is no parameter of the model")
    limits = [(bounds or {}).get(name, (-np.inf, np.inf)) for name in names]
    for name, (low, high) in zip(names, limits, strict=True):
        if not low < high:
            fail("SQ813", f"bounds of `{name}`: {low:g} is not below {high:g}")
    rows = np.flatnonzero(w > 0)
    kept = obs[rows]
    root = np.sqrt(w[rows])
    spread = float(np.sqrt(np.mean((root * (kept - kept.mean())) ** 2))) if kept.size else 0.0
    level = float(np.sqrt(np.mean((root * kept) ** 2))) if kept.size else 0.0
    return Problem(
        model=model,
        rows=rows,
        y=kept,
        root_weights=root,
        lower=np.array([low for low, _ in limits], dtype=np.float64),
        upper=np.array([high for _, high in limits], dtype=np.float64),
        linear=tuple(names.index(name) for name in names if name in set(linear)),
        scale=(spread if spread > 1e-12 * level else level) or 1.0,
    )


def _given_starts(
    problem: Problem,
    names: tuple[str, ...],
    starts: Mapping[str, float] | None,
    log_linear: LogLinearStart | None,
    y: Floats,
) -> list[Floats]:
    given: list[Floats] = []
    guess = np.full(len(names), np.nan)
    if log_linear is not None:
        guess = log_linear.start(y) if isinstance(log_linear, LogLinearDesign) else log_linear(y)
        guess = np.clip(np.asarray(guess, dtype=np.float64), problem.lower, problem.upper)
    if starts:
        user = guess.copy()
        for name, value in starts.items():
            if name not in names:
                fail("SQ813", f"`starts` speaks of `{name}`, which is no parameter of the model")
            k = names.index(name)
            if not problem.lower[k] <= value <= problem.upper[k]:
                fail("SQ813", f"the start {value:g} of `{name}` lies outside its bounds")
            user[k] = value
        given.append(user)
    if np.any(np.isfinite(guess)):
        given.append(guess)
    return given


def _check_linear(problem: Problem, names: tuple[str, ...], theta: Floats) -> None:
    """Refuse a false claim of linearity, which would make a wrong optimum look converged."""
    if not problem.linear:
        return
    index = list(problem.linear)
    other = theta.copy()
    other[index] *= 0.5
    with np.errstate(all="ignore"):
        change = problem.jacobian(theta)[:, index] - problem.jacobian(other)[:, index]
        size = np.abs(problem.jacobian(theta)[:, index]).max(axis=0)
    wrong = [names[k] for k, c, s in zip(index, np.abs(change).max(axis=0), size, strict=True) if c > 1e-6 * s]
    if wrong:
        fail("SQ813", f"the model is not linear in {_listed(wrong)}", help="leave the name out of `linear`")


def _summary(
    names: tuple[str, ...],
    problem: Problem,
    model: Model,
    y: Floats,
    theta: Floats,
    active: NDArray[np.bool_],
    found: list[Solution],
) -> NonlinearFit:
    n, p = problem.y.size, len(names)
    rss = problem.rss(theta)
    sigma = float(np.sqrt(rss / (n - p)))
    info = gradient(problem, theta, active)
    covariance = info.inverse * (sigma / problem.scale) ** 2
    se = np.sqrt(np.diag(covariance))
    offset = relative_offset(problem, theta, ~active)
    with np.errstate(all="ignore"):
        fitted = np.asarray(model.value(theta), dtype=np.float64)
    w = problem.root_weights**2
    sst = float(np.sum(w * (problem.y - np.average(problem.y, weights=w)) ** 2))
    status, message = _verdict(names, theta, active, info, offset)
    rivals = _rivals(problem, theta, rss, se, found)
    return NonlinearFit(
        names=names,
        estimates=theta,
        se=se,
        covariance=covariance,
        rss=rss,
        sigma=sigma,
        n=n,
        df=n - p,
        rank=info.rank,
        r2=1.0 - rss / sst if np.ptp(problem.y) > 0 else float("nan"),
        log_likelihood=_log_likelihood(rss, w),
        fitted=fitted,
        residuals=y - fitted,
        status=status,
        message=message,
        notes=_notes(names, problem, found, rivals),
        n_starts=len(found),
        n_best=sum(s.rss <= rss * (1 + _SAME_RSS) + _floor(problem) for s in found),
        rivals=rivals,
        relative_offset=offset,
        problem=problem,
    )


def _log_likelihood(rss: float, w: Floats) -> float:
    n = w.size
    if rss == 0.0:
        return float("inf")
    return float(-0.5 * (n * (np.log(2.0 * np.pi) + 1.0 - np.log(n) + np.log(rss)) - np.sum(np.log(w))))


def _verdict(
    names: tuple[str, ...], theta: Floats, active: NDArray[np.bool_], info: Gradient, offset: float
) -> tuple[FitStatus, str]:
    if info.confounded.any():
        confounded = [name for name, c in zip(names, info.confounded, strict=True) if c]
        if len(confounded) == 1:
            return FitStatus.SINGULAR, f"the data say nothing about {_listed(confounded)}: its gradient is zero"
        return FitStatus.SINGULAR, f"{_listed(confounded)} cannot be told apart: their gradients are collinear"
    if not offset < RELATIVE_OFFSET:
        return FitStatus.NOT_CONVERGED, f"relative offset {offset:.2g}, {RELATIVE_OFFSET:g} needed"
    if active.any():
        held = [f"`{name}` = {value:g}" for name, value, a in zip(names, theta, active, strict=True) if a]
        return FitStatus.AT_BOUND, f"converged with {', '.join(held)} at its bound: no standard error"
    return FitStatus.CONVERGED, f"converged, relative offset {offset:.2g}"


def _rivals(
    problem: Problem, theta: Floats, rss: float, se: Floats, found: list[Solution]
) -> tuple[tuple[Floats, float], ...]:
    """Return other local minima that explain the data nearly as well, best first."""
    near = np.maximum(np.where(np.isfinite(se), 0.1 * se, np.inf), 1e-6 * np.abs(theta))
    # An exact fit has no standard errors to go by, and a parameter may be zero: what moves no prediction is no other.
    with np.errstate(divide="ignore"):
        near = np.maximum(near, 1e-6 * np.linalg.norm(problem.y) / np.linalg.norm(problem.jacobian(theta), axis=0))
    kept: list[Solution] = []
    for solution in sorted(found, key=lambda s: s.rss):
        if solution.rss > rss * (1 + _NEARLY_EQUAL_RSS) + _floor(problem):
            break
        known = [theta, *(s.theta for s in kept)]
        new = all(np.any(np.abs(solution.theta - other) > near) for other in known)
        if new and relative_offset(problem, solution.theta, np.ones(theta.size, dtype=bool)) < 1e-3:
            kept.append(solution)
    return tuple((s.theta, s.rss) for s in kept)


def _floor(problem: Problem) -> float:
    """Return a sum of squares that is round-off beside the observations."""
    return float(1e-24 * np.sum((problem.root_weights * problem.y) ** 2))


def _notes(
    names: tuple[str, ...],
    problem: Problem,
    found: list[Solution],
    rivals: tuple[tuple[Floats, float], ...],
) -> tuple[str, ...]:
    notes = []
    if min(found, key=lambda s: s.rss).joint:
        notes.append("bounds on linear parameters are active: all parameters were searched jointly")
    for theta, rss in rivals:
        values = ", ".join(f"{name} = {value:.6g}" for name, value in zip(names, theta, strict=True))
        notes.append(f"another optimum fits nearly as well (RSS {rss:.6g}): {values}")
    return tuple(notes)


def _without_estimates(
    names: tuple[str, ...], problem: Problem, n_all: int, status: FitStatus, message: str
) -> NonlinearFit:
    p, nan = len(names), float("nan")
    empty = np.full(p, nan)
    return NonlinearFit(
        names=names,
        estimates=empty,
        se=empty.copy(),
        covariance=np.full((p, p), nan),
        rss=nan,
        sigma=nan,
        n=problem.y.size,
        df=problem.y.size - p,
        rank=0,
        r2=nan,
        log_likelihood=nan,
        fitted=np.full(n_all, nan),
        residuals=np.full(n_all, nan),
        status=status,
        message=message,
    )


def _listed(names: Sequence[str]) -> str:
    quoted = [f"`{name}`" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
