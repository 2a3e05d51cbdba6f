"""Which p values, thresholds and intervals go with which degrees of freedom, in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from soilql.stats.printed import Interval

Floats: TypeAlias = NDArray[np.float64]
Bounds: TypeAlias = tuple[Floats, Floats]

_SLACK = 1e-9
MAX_DF = 20_000
"""The search for degrees of freedom tries every whole number from 1 to this."""


@dataclass(frozen=True)
class Degrees:
    """Whole numbers of degrees of freedom (or of values) that fit, as runs of neighbours.

    Attributes
    ----------
    runs : tuple of (int, int)
        First and last of each run; a run that reaches `MAX_DF` has no known end.
    """

    runs: tuple[tuple[int, int], ...]

    @classmethod
    def where(cls, numbers: NDArray[np.int64], fits: NDArray[np.bool_]) -> Degrees:
        """Return the runs of those ascending whole numbers that fit.

        Examples
        --------
        >>> Degrees.where(np.array([1, 2, 3, 5]), np.array([False, True, True, True])).runs
        ((2, 3), (5, 5))
        """
        kept = numbers[fits]
        if kept.size == 0:
            return cls(())
        ends = np.flatnonzero(np.diff(kept) > 1)
        firsts = kept[np.concatenate(([0], ends + 1))]
        lasts = kept[np.concatenate((ends, [kept.size - 1]))]
        return cls(tuple((int(a), int(b)) for a, b in zip(firsts, lasts, strict=True)))

    def __bool__(self) -> bool:
        return bool(self.runs)

    def __contains__(self, number: float) -> bool:
        return any(a <= number <= b for a, b in self.runs)

    def __str__(self) -> str:
        return " and ".join(_run(a, b) for a, b in self.runs) or "none"


def _run(first: int, last: int) -> str:
    if last >= MAX_DF:
        return f"{first} or more"
    return str(first) if first == last else f"{first} to {last}"


def p_of_r2(r2: ArrayLike, df1: ArrayLike, nu: ArrayLike) -> Floats:
    """Return the p value of the F test that goes with a coefficient of determination.

    p = I_{1-R2}(nu/2, df1/2), the regularised incomplete beta function. With ``df1`` 1 and R2 the square of a simple
    or partial correlation this is its two-sided t test.

    Parameters
    ----------
    r2 : array_like
        Coefficient of determination, within [0, 1].
    df1 : array_like
        Number of predictors tested.
    nu : array_like
        Residual degrees of freedom.

    Returns
    -------
    ndarray of float64

    Examples
    --------
    >>> round(float(p_of_r2(0.216529, 1, 98)), 10)
    1.0717e-06
    """
    return np.asarray(special.betainc(np.divide(nu, 2), np.divide(df1, 2), 1 - np.asarray(r2)), dtype=np.float64)


def p_of_t(t: ArrayLike, nu: ArrayLike) -> Floats:
    """Return the two-sided p value of Student's t; of the normal where `nu` is infinite.

    Examples
    --------
    >>> round(float(p_of_t(2.228, 10)), 4), round(float(p_of_t(1.96, np.inf)), 4)
    (0.05, 0.05)
    """
    size, nu = np.broadcast_arrays(np.abs(np.asarray(t, dtype=np.float64)), np.asarray(nu, dtype=np.float64))
    finite = np.where(np.isinf(nu), 1.0, nu)
    # nu/(nu + t^2) written so that an infinite t gives 0; the square of a huge one may become infinite too.
    with np.errstate(over="ignore"):
        student = special.betainc(finite / 2, 0.5, 1 / (1 + (size / np.sqrt(finite)) ** 2))
    return np.asarray(np.where(np.isinf(nu), special.erfc(size / np.sqrt(2)), student), dtype=np.float64)


def p_of_f(f: ArrayLike, df1: ArrayLike, df2: ArrayLike) -> Floats:
    """Return the p value of an F statistic, the upper tail.

    Examples
    --------
    >>> round(float(p_of_f(4.9646, 1, 10)), 4)
    0.05
    """
    numbers = (np.asarray(x, dtype=np.float64) for x in (df1, df2, np.maximum(np.asarray(f), 0.0)))
    return np.asarray(special.fdtrc(*numbers), dtype=np.float64)


def critical_r(p: ArrayLike, nu: ArrayLike) -> Floats:
    """Return the correlation that has a given two-sided p value.

    Parameters
    ----------
    p : array_like
        Two-sided significance level.
    nu : array_like
        Degrees of freedom: n - 2 for a simple correlation, n - 2 - k for a partial one with k controls.

    Returns
    -------
    ndarray of float64

    Examples
    --------
    >>> critical_r([0.01, 0.05], 7).round(4)
    array([0.7977, 0.6664])
    """
    return np.asarray(
        np.sqrt(1 - special.betaincinv(np.divide(nu, 2), 0.5, np.asarray(p, dtype=np.float64))), dtype=np.float64
    )


def critical_t(level: ArrayLike, nu: ArrayLike) -> Floats:
    """Return the half-width of a two-sided interval in standard errors; that of the normal where `nu` is infinite.

    Examples
    --------
    >>> critical_t(0.95, [13, np.inf]).round(4)
    array([2.1604, 1.96  ])
    """
    nu = np.asarray(nu, dtype=np.float64)
    upper = (1 + np.asarray(level, dtype=np.float64)) / 2
    student = special.stdtrit(np.where(np.isinf(nu), 1.0, nu), upper)
    return np.asarray(np.where(np.isinf(nu), special.ndtri(upper), student), dtype=np.float64)


def adjust_r2(r2: ArrayLike, df1: ArrayLike, nu: ArrayLike) -> Floats:
    """Return the adjusted coefficient of determination, 1 - (1 - R2) (nu + df1)/nu.

    Examples
    --------
    >>> round(float(adjust_r2(0.216529, 1, 98)), 6)
    0.208534
    """
    nu = np.asarray(nu, dtype=np.float64)
    return np.asarray(1 - (1 - np.asarray(r2)) * (nu + np.asarray(df1)) / nu, dtype=np.float64)


def unadjust_r2(adjusted: ArrayLike, df1: ArrayLike, nu: ArrayLike) -> Floats:
    """Return the coefficient of determination behind an adjusted one.

    Examples
    --------
    >>> round(float(unadjust_r2(0.208534, 1, 98)), 6)
    0.216529
    """
    nu = np.asarray(nu, dtype=np.float64)
    return np.asarray(1 - (1 - np.asarray(adjusted)) * nu / (nu + np.asarray(df1)), dtype=np.float64)


def p_range_r2(r2: Interval, df1: float, nu: Floats, *, adjusted: bool = False) -> Bounds:
    """Return the p values that go with a range of R2, lowest and highest for each `nu`.

    Parameters
    ----------
    r2 : Interval
        Range of R2, or of its adjusted form.
    df1 : float
        Number of predictors.
    nu : ndarray
        Residual degrees of freedom.
    adjusted : bool
        Whether the range is of the adjusted R2.

    Returns
    -------
    tuple of two ndarrays of float64, each of the shape of `nu`

    Examples
    --------
    >>> low, high = p_range_r2(Interval(0.605, 0.615), 1, np.array([10.0]))
    >>> low.round(4).item(), high.round(4).item()
    (0.0025, 0.0029)
    """
    ends = [np.full(nu.shape, end) for end in (r2.lower, r2.upper)]
    if adjusted:
        ends = [unadjust_r2(end, df1, nu) for end in ends]
    high, low = (p_of_r2(np.clip(end, 0.0, 1.0), df1, nu) for end in ends)
    return low, high


def p_range_t(low: ArrayLike, high: ArrayLike, nu: Floats, tails: int = 2) -> Bounds:
    """Return the p values that go with a range of abs(t), lowest and highest for each `nu`.

    A one-sided p is that in the direction of the estimate.

    Examples
    --------
    >>> [end.round(3).item() for end in p_range_t(2.0, 2.1, np.array([13.0]), tails=1)]
    [0.028, 0.033]
    """
    return p_of_t(high, nu) * (tails / 2), p_of_t(low, nu) * (tails / 2)


def overlap(bounds: Bounds, target: Interval) -> NDArray[np.bool_]:
    """Return where a range meets a target, up to floating point.

    Examples
    --------
    >>> overlap((np.array([0.1, 0.3]), np.array([0.2, 0.4])), Interval(0.15, 0.25))
    array([ True, False])
    """
    low, high = bounds
    upper = target.upper + _SLACK * abs(target.upper)
    lower = target.lower - _SLACK * abs(target.lower)
    return np.asarray((low <= upper) & (high >= lower), dtype=np.bool_)


def mann_kendall_p(n: int, method: str = "exact") -> tuple[NDArray[np.int64], Floats]:
    """Return every two-sided p value that a Mann-Kendall test of n values without ties can give.

    Parameters
    ----------
    n : int
        Number of values, 2 or more.
    method : {"exact", "normal", "uncorrected"}
        The exact distribution of S; the normal with the correction for continuity, Z = (abs(S) - 1)/sd; or the normal
        without it (Kendall 1975).

    Returns
    -------
    s : ndarray of int64
        Absolute values of S that can occur, ascending.
    p : ndarray of float64
        Their p values.

    Raises
    ------
    ValueError
        For another method.

    Examples
    --------
    >>> s, p = mann_kendall_p(15)
    >>> round(float(p[s == 41][0]), 5)
    0.04629
    """
    pairs = n * (n - 1) // 2
    s = np.arange(pairs % 2, pairs + 1, 2)
    if method == "exact":
        share = np.ones(1)
        for k in range(2, n + 1):
            share = np.convolve(share, np.full(k, 1 / k))
        tail = np.cumsum(share)[(pairs - s) // 2]
        return s, np.minimum(1.0, 2 * tail)
    if method not in ("normal", "uncorrected"):
        raise ValueError(f"{method!r} is not one of exact, normal, uncorrected")
    sd = np.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    shift = 1 if method == "normal" else 0
    return s, p_of_t(np.maximum(s - shift, 0) / sd, np.inf)
