"""The exact distribution of Kendall's S without trend, with or without ties.

Without trend every order of the values is as likely as any other. The pairs that fall, D, are the inversions of an
arrangement of a multiset, whose generating function is the Gaussian multinomial coefficient; S = M - 2 D, where M are
the pairs of unequal values.

References
----------
Kendall (1975), Rank Correlation Methods, 4th edition, chapter 5. Valz, McLeod and Thompson (1995), Cumulant generating
function and tail probability approximations for Kendall's score with tied rankings, Annals of Statistics 23, 144-160,
doi:10.1214/aos/1176324460. Andrews (1976), The Theory of Partitions, theorem 3.6, doi:10.1017/CBO9780511608650.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from soilql.stats.checks import fail

Floats = NDArray[np.float64]


def exact_distribution(n: int, ties: tuple[int, ...] = ()) -> tuple[NDArray[np.int64], Floats]:
    """Return the values that S can take, in order, and their probabilities.

    Parameters
    ----------
    n : int
        Number of values.
    ties : tuple of int
        Sizes of the groups of equal values; groups of one may be left out.

    Returns
    -------
    s : ndarray of int64, shape (M + 1,)
        -M, -M + 2, ..., M.
    probability : ndarray, shape (M + 1,)

    Raises
    ------
    SoilqlError
        SQ813 for groups that do not fit into n values.

    Examples
    --------
    >>> s, probability = exact_distribution(3)
    >>> s, probability.round(4)
    (array([-3, -1,  1,  3]), array([0.1667, 0.3333, 0.3333, 0.1667]))
    """
    half = _lower_half(n, tuple(u for u in ties if u > 1))
    pairs = n * (n - 1) // 2 - sum(u * (u - 1) // 2 for u in ties)
    mirrored = half[::-1] if pairs % 2 else half[-2::-1]
    return np.arange(-pairs, pairs + 1, 2), np.concatenate([half, mirrored])


def exact_p(s: int, n: int, ties: tuple[int, ...] = (), alternative: str = "two-sided") -> float:
    """Return the probability of an S at least as far as the one found, without trend.

    Parameters
    ----------
    s : int
        Kendall's S.
    n : int
        Number of values.
    ties : tuple of int
        Sizes of the groups of equal values.
    alternative : {"two-sided", "increasing", "decreasing"}
        P(|S| >= |s|), P(S >= s) or P(S <= s).

    Returns
    -------
    float

    Examples
    --------
    >>> round(exact_p(41, 15), 5), round(exact_p(53, 15), 5)
    (0.04629, 0.00827)
    """
    table = exact_table(n, ties, alternative)
    return float(table[abs(s) if alternative == "two-sided" else s + table.size // 2])


@lru_cache(maxsize=4096)
def exact_table(n: int, ties: tuple[int, ...] = (), alternative: str = "two-sided") -> Floats:
    """Return p for every S at once.

    Parameters
    ----------
    n : int
        Number of values.
    ties : tuple of int
        Sizes of the groups of equal values.
    alternative : {"two-sided", "increasing", "decreasing"}

    Returns
    -------
    ndarray, read only
        Two-sided: p of |S| = 0, 1, ..., n (n - 1)/2. Else p of S = -n (n - 1)/2, ..., n (n - 1)/2.

    Examples
    --------
    >>> exact_table(3).round(4)
    array([1.    , 1.    , 0.3333, 0.3333])
    """
    s, probability = exact_distribution(n, ties)
    most = n * (n - 1) // 2
    mass = np.zeros(2 * most + 1)
    mass[s + most] = probability
    # Added up from the end, so that small tails keep their digits.
    rising = np.cumsum(mass[::-1])[::-1]
    if alternative == "two-sided":
        table = np.minimum(2.0 * rising[most:], 1.0)
        table[0] = 1.0
    else:
        table = np.minimum(rising if alternative == "increasing" else rising[::-1], 1.0)
    table.flags.writeable = False
    return table


def exact_p_map(
    values: NDArray[np.floating], s: Floats, n: NDArray[np.integer], tied: NDArray[np.integer], alternative: str
) -> Floats:
    """Return the exact p of every pixel.

    Parameters
    ----------
    values : ndarray, shape (time, pixels)
        The tested series; what is not finite is missing.
    s, n, tied : ndarray, shape (pixels,)
        Kendall's S, values that are present, and pairs of equal ones.
    alternative : {"two-sided", "increasing", "decreasing"}

    Returns
    -------
    ndarray, shape (pixels,)
        NaN below two values.

    Examples
    --------
    >>> y = np.array([[1.0, 2.0], [2.0, 2.0], [3.0, 5.0]])
    >>> exact_p_map(y, np.array([3.0, 2.0]), np.array([3, 3]), np.array([0, 1]), "two-sided").round(4)
    array([0.3333, 0.6667])
    """
    p = np.full(s.shape, np.nan)
    for length in np.unique(n[n > 1]):
        here = np.flatnonzero((n == length) & (tied == 0))
        p[here] = _looked_up(exact_table(int(length), (), alternative), s[here], alternative)
    ties = np.flatnonzero((n > 1) & (tied > 0))
    if ties.size:
        kinds, groups = _tie_patterns(values[:, ties])
        for kind, pattern in enumerate(groups):
            for length in np.unique(n[ties[kinds == kind]]):
                here = ties[(kinds == kind) & (n[ties] == length)]
                p[here] = _looked_up(exact_table(int(length), pattern, alternative), s[here], alternative)
    return p


def _looked_up(table: Floats, s: Floats, alternative: str) -> Floats:
    return table[(np.abs(s) if alternative == "two-sided" else s + table.size // 2).astype(np.intp)]


def _tie_patterns(values: NDArray[np.floating]) -> tuple[NDArray[np.intp], list[tuple[int, ...]]]:
    """Return which pattern of ties each column has, and the patterns: sizes of groups, largest first."""
    ordered = np.sort(np.where(np.isfinite(values), values, np.nan), axis=0)
    length = ordered.shape[0]
    # Going down a column, the size that the group of equal values has reached; a size counts where the group ends.
    reached = np.ones(ordered.shape, dtype=np.int64)
    for row in range(1, length):
        reached[row] += np.where(ordered[row] == ordered[row - 1], reached[row - 1], 0)
    ends = np.ones(ordered.shape, dtype=bool)
    ends[:-1] = reached[1:] == 1
    sizes = np.sort(np.where(ends & (reached > 1), reached, 0), axis=0)[::-1]
    patterns, kinds = np.unique(sizes[: length // 2], axis=1, return_inverse=True)
    return kinds.ravel(), [tuple(int(u) for u in pattern if u) for pattern in patterns.T]


@lru_cache(maxsize=4096)
def _lower_half(n: int, ties: tuple[int, ...]) -> Floats:
    """Return the probabilities of D = 0, 1, ..., M // 2; those of M - D are the same.

    The groups are laid in one after the other: a group of u among m values multiplies the generating function by
    (1 - q^(m + j))/(1 - q^j) for j = 1..u. Divided by (m + j)/j each factor keeps the sum of probabilities at one.
    """
    if min(ties, default=1) < 1 or sum(ties) > n or n < 1:
        fail("SQ813", f"groups of {ties} equal values do not fit into {n} values")
    pairs = n * (n - 1) // 2 - sum(u * (u - 1) // 2 for u in ties)
    half = np.zeros(pairs // 2 + 1)
    half[0] = 1.0
    laid = 0
    for group in (*ties, *(1,) * (n - sum(ties))):
        for j in range(1, group + 1):
            half[laid + j :] -= half[: max(half.size - laid - j, 0)].copy()
            padded = np.zeros(-(-half.size // j) * j)
            padded[: half.size] = half
            half = np.cumsum(padded.reshape(-1, j), axis=0).ravel()[: half.size] * (j / (laid + j))
        laid += group
    half.flags.writeable = False
    return half
