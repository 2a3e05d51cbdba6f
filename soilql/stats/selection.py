"""Choose among candidate models by one figure that weighs accuracy against the number of observations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from soilql.stats.checks import fail, vector

Floats = NDArray[np.float64]

#: Weights of the ratio of RMSE, that of R2 and that of the number of observations (Huang et al. 2020, Eq. 5).
WEIGHTS = (0.25, 0.25, 0.5)

#: Scores that differ by less than this share are equal.
_EQUAL = 1e-12


def phi(rmse: ArrayLike, r2: ArrayLike, n: ArrayLike, weights: Sequence[float] = WEIGHTS) -> Floats:
    """Return the performance of candidate models relative to the best among them (Huang et al. 2020, Eq. 5).

    phi = w1 RMSEmin/RMSE + w2 R2/R2max + w3 n/nmax, with the extremes over the candidates given: those of one zone,
    one type of variable and one equation. It says nothing about candidates of another zone or equation.

    Parameters
    ----------
    rmse : array_like, shape (m,)
        Root mean square error of each candidate, in one unit; 0 for a perfect fit.
    r2 : array_like, shape (m,)
        Coefficient of determination of each candidate; may be negative for some.
    n : array_like, shape (m,)
        Number of observations behind each candidate.
    weights : sequence of three floats
        Weights of the three ratios, none negative.

    Returns
    -------
    ndarray, shape (m,)
        At most the sum of the weights.

    Raises
    ------
    SoilqlError
        SQ811, SQ812 for arrays that do not fit together; SQ813 for negative RMSE or weights, no observations, or when
        the largest R2 is not above zero: a ratio to it has no meaning.

    References
    ----------
    Huang et al. (2020), Science Advances 6, eabb8508, doi:10.1126/sciadv.abb8508, Eq. 5.

    Examples
    --------
    >>> phi([250, 270, 240], [0.40, 0.35, 0.45], [100, 140, 60]).round(6)
    array([0.819365, 0.916667, 0.714286])
    """
    error, explained, count = vector(rmse, "rmse"), vector(r2, "r2"), vector(n, "n")
    if not error.size == explained.size == count.size:
        fail("SQ811", f"{error.size} values of RMSE, {explained.size} of R2 and {count.size} of n")
    if not error.size:
        fail("SQ811", "there are no candidates")
    share = vector(weights, "weights")
    if share.size != 3 or np.any(share < 0) or share.sum() == 0:
        fail("SQ813", "`weights` are three numbers, none negative and not all zero")
    if np.any(error < 0) or np.any(count <= 0):
        fail("SQ813", "an RMSE is negative or a number of observations not above zero")
    most = float(explained.max())
    if most <= 0 and share[1] > 0:
        fail(
            "SQ813",
            f"no candidate explains anything (the largest R2 is {most:.3g}), and phi, a ratio to it, has no meaning",
            help="give R2 the weight 0, or choose by another metric",
        )
    precision = np.where(error == error.min(), 1.0, error.min() / np.where(error > 0, error, 1.0))
    accuracy = share[0] * precision + (share[1] * explained / most if share[1] > 0 else 0.0)
    return np.asarray(accuracy + share[2] * count / count.max())


@dataclass(frozen=True)
class Choice:
    """The best of some candidates.

    Attributes
    ----------
    best : int
        Its position.
    tied : tuple of int
        Positions of the others that score as well, among which the rule for ties decided.
    """

    best: int
    tied: tuple[int, ...] = ()


def choose(score: ArrayLike, then: Sequence[ArrayLike] = ()) -> Choice:
    """Return the candidate with the largest score; ties go by further scores, at last to the first candidate.

    Scores are equal when they differ by less than 1e-12 of the largest, so that the order in which sums were rounded
    decides nothing.

    Parameters
    ----------
    score : array_like, shape (m,)
        Larger is better.
    then : sequence of array_like, each of shape (m,)
        What decides between equals, in this order; larger is better.

    Returns
    -------
    Choice

    Raises
    ------
    SoilqlError
        SQ811, SQ812 for no candidates, missing scores, or arrays of different lengths.

    Examples
    --------
    >>> choose([0.8, 0.9, 0.9], [[100, 60, 60]])
    Choice(best=1, tied=(2,))
    """
    left = np.arange(vector(score, "score").size)
    tied = left
    for k, values in enumerate((score, *then)):
        scores = vector(values, "score")
        if scores.size != np.size(score):
            fail("SQ811", f"{scores.size} values to decide between {np.size(score)} candidates")
        largest = float(scores[left].max())
        left = left[scores[left] >= largest - _EQUAL * abs(largest)]
        tied = left if k == 0 else tied
    best = int(left[0])
    return Choice(best, tuple(int(k) for k in tied if k != best))
