"""Starting values found without help: from logarithms, and from a seeded screen on ranges that the data scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from soilql.stats.separable import Joint, Problem, Separable, View

Floats = NDArray[np.float64]

_POOL = 8
_BASES = 3
_TRIES = 400
_MOST_PATTERNS = 6


@dataclass(frozen=True)
class LogLinearDesign:
    """A model that is linear after taking logarithms: log f = offset + design @ coefficients.

    Attributes
    ----------
    matrix : ndarray, shape (n, p)
        One column a parameter: ones for a leading factor a, T for exp(b T).
    exponentiated : tuple of int
        Positions of parameters that are the exponential of their coefficient (the leading factor).
    offset : ndarray, shape (n,), optional
        What log f has besides.

    Examples
    --------
    The start of Rs ~ a exp(b T) is exact for data without error:

    >>> import numpy as np
    >>> temperature = np.array([0.0, 10.0, 20.0])
    >>> design = LogLinearDesign(np.column_stack([np.ones(3), temperature]), exponentiated=(0,))
    >>> design.start(2.0 * np.exp(0.1 * temperature)).round(12)
    array([2. , 0.1])
    """

    matrix: Floats
    exponentiated: tuple[int, ...] = ()
    offset: Floats | None = None

    def start(self, y: Floats) -> Floats:
        """Return starting values from the rows with y > 0, weighted by y squared.

        The weights undo the logarithm to first order, so that the start lies near the fit on the natural scale.

        Parameters
        ----------
        y : ndarray, shape (n,)
            Observations.

        Returns
        -------
        ndarray, shape (p,)
            NaN when fewer rows are positive than there are parameters.
        """
        use = (y > 0) & np.all(np.isfinite(self.matrix), axis=1)
        if np.count_nonzero(use) < self.matrix.shape[1]:
            return np.full(self.matrix.shape[1], np.nan)
        weight = y[use] / y[use].max()
        log_y = np.log(y[use]) - (0.0 if self.offset is None else self.offset[use])
        columns = self.matrix[use] * weight[:, None]
        length = np.linalg.norm(columns, axis=0)
        length[length == 0.0] = 1.0
        theta = np.linalg.lstsq(columns / length, log_y * weight, rcond=None)[0] / length
        chosen = list(self.exponentiated)
        with np.errstate(over="ignore"):
            theta[chosen] = np.exp(theta[chosen])
        return np.asarray(theta)


def start_points(problem: Problem, given: Sequence[Floats], n_starts: int, seed: int) -> list[Floats]:
    """Return the points to search from: the given ones, and the most promising of a screened pool.

    The pool is a Latin hypercube around the first given start and around a neutral one (zero, or random magnitudes
    where the model is undefined at zero). Its axes are scaled by the response of the model, so that the search is the
    same for drivers or observations in other units.

    Parameters
    ----------
    problem : Problem
        What to minimise.
    given : sequence of ndarray, shape (p,)
        Starts from the user or from logarithms; NaN for what they leave open.
    n_starts : int
        Number of points from the pool.
    seed : int
        Seed of the pool.

    Returns
    -------
    list of ndarray, shape (p,)
        Points where the model is defined, the given ones first; possibly empty.
    """
    rng = np.random.default_rng(seed)
    view: View = Separable(problem) if problem.linear else Joint(problem)
    neutral = _neutral_points(view, rng)
    known = [np.where(np.isnan(x), neutral[0] if neutral else 0.0, x) for x in map(view.reduce, given)]
    known = [np.clip(x, view.lower, view.upper) for x in known]
    known = [x for x in known if _cost(view, x) < np.inf]
    bases = [*known[:1], *neutral[:_BASES]]
    points = [*known, *neutral[:1]]
    if bases and n_starts and bases[0].size:
        observed = problem.root_weights * problem.y / problem.scale
        each = -(-_POOL * n_starts // len(bases))
        pools = [_pool(view, base, _units(view, base, observed), each, rng) for base in bases]
        points += _promising(view, [*np.concatenate(pools), *neutral[1:]], n_starts)
    expanded = [view.expand(x) for x in points]
    return [theta for theta in expanded if np.all(np.isfinite(theta))]


def _cost(view: View, x: Floats) -> float:
    r = view.residuals(x)
    with np.errstate(over="ignore"):
        cost = float(r @ r) if np.all(np.isfinite(r)) else np.inf
    return cost if np.isfinite(cost) else np.inf


def _neutral_points(view: View, rng: np.random.Generator) -> list[Floats]:
    """Return points where the model and its gradient are defined, the best fit first.

    Zero if it can be; else points with some parameters zero and the others of one magnitude (a leading factor, say,
    without which nothing else matters); else points of random magnitudes.
    """
    size = view.lower.size
    zero = _into_bounds(view, np.zeros(size))
    if _usable(view, zero):
        return [zero]
    for tries in (_patterns(size), _magnitudes(size, rng)):
        inside = [x for x in (_into_bounds(view, x) for x in tries) if _usable(view, x)]
        if inside:
            return sorted(inside, key=lambda x: _cost(view, x))
    return [zero] if _cost(view, zero) < np.inf else []


def _patterns(size: int) -> list[Floats]:
    """Return vectors of zeros and one common magnitude; of many parameters one or all are not zero."""
    if size <= _MOST_PATTERNS:
        masks = [[bool(code >> k & 1) for k in range(size)] for code in range(1, 2**size)]
    else:
        masks = [[j == k for j in range(size)] for k in range(size)] + [[True] * size]
    return [np.array(mask) * 10.0**power for mask in masks for power in range(-10, 11, 2)]


def _magnitudes(size: int, rng: np.random.Generator) -> list[Floats]:
    """Return random signs and powers of ten, every other one with powers close together."""
    sign = np.where(rng.random((_TRIES, size)) < 0.5, -1.0, 1.0)
    shared = rng.uniform(-10, 10, (_TRIES, 1)) + rng.uniform(-1, 1, (_TRIES, size))
    independent = rng.uniform(-10, 10, (_TRIES, size))
    power = np.where(np.arange(_TRIES)[:, None] % 2 == 0, shared, independent)
    return list(sign * 10.0**power)


def _usable(view: View, x: Floats) -> bool:
    """Return whether every parameter has an effect at x that is not negligible beside the others'."""
    if _cost(view, x) == np.inf:
        return False
    with np.errstate(all="ignore"):
        effect = np.linalg.norm(view.jacobian(x), axis=0)
        share = effect * np.abs(x)
    if not (np.all(np.isfinite(effect)) and np.all(effect > 0)):
        return False
    return bool(np.all(share[x != 0.0] > 1e-8 * share.max(initial=0.0)))


def _units(view: View, x: Floats, observed: Floats) -> Floats:
    """Return the change of each parameter that moves the fitted values by their own size; NaN for no effect."""
    fitted = view.residuals(x) + observed
    level = float(np.sqrt(np.mean(fitted**2)))
    with np.errstate(all="ignore"):
        unit = (min(1.0, level) or 1.0) * np.sqrt(fitted.size) / np.linalg.norm(view.jacobian(x), axis=0)
    return np.where(np.isfinite(unit) & (unit > 0), unit, np.nan)


def _into_bounds(view: View, x: Floats) -> Floats:
    """Return a point inside: reflected at one bound, folded to the middle half of two."""
    low, high = view.lower, view.upper
    both = np.isfinite(low) & np.isfinite(high)
    only_low, only_high = np.isfinite(low) & ~both, np.isfinite(high) & ~both
    out = np.where(only_low, np.where(x > low, x, 2 * low - x), x)
    out = np.where(only_high, np.where(x < high, x, 2 * high - x), out)
    with np.errstate(invalid="ignore"):
        middle = np.where(both, 0.5 * (low + high), 0.0)
    return np.where(both & ((x <= low) | (x >= high)), middle, out)


def _pool(view: View, base: Floats, unit: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Return a Latin hypercube, shape (count, size): dense near the base, ten units wide."""
    size = base.size
    strata = np.stack([rng.permutation(count) for _ in range(size)], axis=1)
    u = (strata + rng.random((count, size))) / count
    spread = 10.0 * np.sinh(6.0 * (2.0 * u - 1.0)) / np.sinh(6.0)
    # A parameter without effect at the base has no unit: any order of magnitude may be its own.
    any_size = np.where(u < 0.5, -1.0, 1.0) * 10.0 ** (np.abs(2.0 * u - 1.0) * 12.0 - 6.0)
    points = np.where(np.isnan(unit), any_size, base + np.nan_to_num(unit) * spread)
    both = np.isfinite(view.lower) & np.isfinite(view.upper)
    with np.errstate(invalid="ignore"):
        uniform = np.where(both, view.lower + u * (view.upper - view.lower), 0.0)
    return np.where(both, uniform, np.stack([_into_bounds(view, x) for x in points]))


def _promising(view: View, pool: list[Floats], count: int) -> list[Floats]:
    """Return points by turns from the best by cost and from the rest spread over the ranks, for variety."""
    costs = np.array([_cost(view, x) for x in pool])
    order = np.argsort(costs, kind="stable")[: int(np.count_nonzero(costs < np.inf))]
    best = order[: (count + 1) // 2]
    rest = order[best.size :]
    spaced = rest[np.linspace(0, rest.size - 1, min(count - best.size, rest.size)).astype(np.intp)]
    turns = [k for pair in zip_longest(best, spaced) for k in pair if k is not None]
    return [pool[k] for k in turns]
