"""Mann-Kendall's test for a trend: one series, its null distributions, and the tests of a map.

References
----------
Mann (1945), Econometrica 13, 245-259, doi:10.2307/1907187.
Kendall (1975), Rank Correlation Methods, 4th edition, Griffin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from soilql.stats.checks import choice, fail
from soilql.stats.mann_kendall_exact import exact_p

Floats = NDArray[np.float64]

P_VALUES = ("auto", "exact", "normal")
ALTERNATIVES = ("two-sided", "increasing", "decreasing")
EXACT_UP_TO = 40
"""Longest series for which ``auto`` takes the exact distribution; there the normal p of .05 is off by .001."""


@dataclass(frozen=True)
class MannKendall:
    """Mann-Kendall's test of one series.

    Attributes
    ----------
    n : int
        Values that are present.
    s : int
        Pairs that rise less pairs that fall.
    var_s : float
        Variance of S without trend, corrected for ties.
    z : float
        (S -+ 1)/sqrt(var_s); 0 for S = 0.
    p : float
        p-value; 1 for a constant series, NaN below two values.
    tau : float
        tau-b; NaN for a constant series.
    distribution : str
        ``exact`` or ``normal``: what p was taken from.
    """

    n: int
    s: int
    var_s: float
    z: float
    p: float
    tau: float
    distribution: str


def mann_kendall(
    values: ArrayLike,
    times: ArrayLike | None = None,
    *,
    p_value: str = "auto",
    alternative: str = "two-sided",
) -> MannKendall:
    """Return Mann-Kendall's test of one series.

    Parameters
    ----------
    values : array_like, shape (n,)
        NaN and infinite values are gaps, and are left out.
    times : array_like, shape (n,), optional
        Strictly increasing; only their order counts.
    p_value : {"auto", "exact", "normal"}
        ``exact`` is the permutation distribution of S given the ties (`mann_kendall_exact`); ``normal`` the
        approximation with continuity correction, as R's ``mk.test`` and ``pymannkendall`` have it; ``auto`` is exact up
        to `EXACT_UP_TO` values.
    alternative : {"two-sided", "increasing", "decreasing"}
        What speaks against the absence of a trend.

    Returns
    -------
    MannKendall

    Raises
    ------
    SoilqlError
        SQ811 or SQ813 for values that are no series, or options unknown.

    Examples
    --------
    The first 15 years of the Nile at Aswan, as R's ``trend::mk.test`` and ``Kendall::MannKendall`` have them:

    >>> nile = [1120, 1160, 963, 1210, 1160, 1160, 813, 1230, 1370, 1140, 995, 935, 1110, 994, 1020]
    >>> test = mann_kendall(nile, p_value="normal")
    >>> test.s, round(test.var_s, 4), round(test.z, 6), round(test.p, 6), round(test.tau, 6)
    (-20, 404.6667, -0.944506, 0.344911, -0.193257)
    """
    choice(p_value, P_VALUES, "p-value")
    choice(alternative, ALTERNATIVES, "alternative")
    y = present(values, times)[0]
    n = y.size
    if n < 2:
        return MannKendall(n, 0, np.nan, np.nan, np.nan, np.nan, "none")
    early, late = np.triu_indices(n, 1)
    s = int(np.sum(np.sign(y[late] - y[early])))
    ties = tie_groups(y)
    var = s_variance(n, ties)
    z = float((s - np.sign(s)) / np.sqrt(var)) if s else 0.0
    exact = p_value == "exact" or (p_value == "auto" and n <= EXACT_UP_TO)
    p = exact_p(s, n, ties, alternative) if exact else float(normal_p(s, var, alternative))
    pairs = n * (n - 1) // 2
    untied = pairs - sum(u * (u - 1) // 2 for u in ties)
    tau = s / float(np.sqrt(pairs * untied)) if untied else float("nan")
    return MannKendall(n, s, var, z, p, tau, "exact" if exact else "normal")


def present(values: ArrayLike, times: ArrayLike | None = None) -> tuple[Floats, Floats]:
    """Return the values that are there, and their times (0, 1, 2, ... unless given).

    Raises
    ------
    SoilqlError
        SQ811 for shapes that are no series, SQ813 for times that do not increase.

    Examples
    --------
    >>> present([1.0, float("nan"), 3.0])
    (array([1., 3.]), array([0., 2.]))
    """
    y = np.asarray(values, dtype=np.float64)
    if y.ndim != 1:
        fail("SQ811", f"a series has shape (n,), not {y.shape}")
    t = increasing(np.arange(y.size) if times is None else times, y.size)
    there = np.isfinite(y)
    return y[there], t[there]


def increasing(times: ArrayLike, length: int) -> Floats:
    """Return times as a vector after making sure that they increase.

    Raises
    ------
    SoilqlError
        SQ811 for another number of times, SQ813 for times that are missing or do not strictly increase.

    Examples
    --------
    >>> increasing([2001, 2003], 2)
    array([2001., 2003.])
    """
    t = np.asarray(times, dtype=np.float64)
    if t.shape != (length,):
        fail("SQ811", f"`times` has shape {t.shape}, expected ({length},)")
    if not np.all(np.diff(t) > 0) or not np.all(np.isfinite(t)):
        fail(
            "SQ813", "`times` must be finite and increase from each to the next", help="sort by time, one value a time"
        )
    return t


def tie_groups(values: ArrayLike) -> tuple[int, ...]:
    """Return the sizes of the groups of equal values, largest first, leaving out groups of one.

    Examples
    --------
    >>> tie_groups([3.0, 1.0, 3.0, 1.0, 1.0, 2.0])
    (3, 2)
    """
    counts = np.unique(np.asarray(values), return_counts=True)[1]
    return tuple(sorted((int(u) for u in counts if u > 1), reverse=True))


def s_variance(n: int, ties: tuple[int, ...] = ()) -> float:
    """Return the variance of S for n values with groups of ties, without trend (Kendall 1975).

    Examples
    --------
    >>> round(s_variance(15, (3,)), 4)
    404.6667
    """
    return float((n * (n - 1) * (2 * n + 5) - sum(u * (u - 1) * (2 * u + 5) for u in ties)) / 18)


def normal_p(s: ArrayLike, var_s: ArrayLike, alternative: str = "two-sided") -> Floats:
    """Return p by the normal approximation with continuity correction.

    Parameters
    ----------
    s, var_s : array_like, shape (...)
        S and its variance.
    alternative : {"two-sided", "increasing", "decreasing"}

    Returns
    -------
    ndarray, shape (...)
        2 P(N >= (|s| - 1)/sd), or P(N >= (s - 1)/sd) for an increase; 1 where S and its variance are zero.

    Examples
    --------
    >>> normal_p([41, -53, 0], 408.3333).round(5)
    array([0.04776, 0.01007, 1.     ])
    """
    score = np.asarray(s, dtype=np.float64)
    towards = np.abs(score) if alternative == "two-sided" else score if alternative == "increasing" else -score
    with np.errstate(divide="ignore", invalid="ignore"):
        tail = ndtr((1.0 - towards) / np.sqrt(var_s))
    if alternative == "two-sided":
        tail = np.where(towards > 0, 2.0 * tail, np.where(np.isnan(score), np.nan, 1.0))
    return np.asarray(tail)
