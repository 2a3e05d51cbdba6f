"""Skill of predictions and coverage of intervals, each measure under its own name.

Nothing here drops a row: missing values raise. Weights are relative (their scale does not matter).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from soilql.stats.checks import fail, fractions, vector, weight_vector

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FoldR2:
    """R2 by fold.

    Attributes
    ----------
    mean, sd : float
        Mean and standard deviation (ddof 1) over the folds where R2 is defined; NaN with too few of them.
    values : ndarray, shape (n_folds,)
        R2 of each fold in order of its label; NaN where the observations of the fold are constant.
    folds : ndarray, shape (n_folds,)
        The labels.
    n_undefined : int
        Number of folds whose R2 is NaN.
    """

    mean: float
    sd: float
    values: Floats
    folds: NDArray[np.generic]
    n_undefined: int


def r2(obs: ArrayLike, pred: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Return the pooled coefficient of determination, 1 - SSE/SST.

    Parameters
    ----------
    obs, pred : array_like, shape (n,)
        Observed and predicted values in one unit.
    weights : array_like, shape (n,), optional
        Relative weights; the mean in SST is then weighted too.

    Returns
    -------
    float
        At most 1, negative when the mean of the observations predicts better; NaN when the observations are
        constant.

    Raises
    ------
    SoilqlError
        SQ811 for unequal lengths or no rows, SQ812 for missing values, SQ813 for negative weights.

    Examples
    --------
    >>> round(r2([1, 2, 10, 11], [1.5, 1.5, 10.5, 10.5]), 6)
    0.987805
    """
    o, p, w = _pair(obs, pred, weights)
    o, p, w = o[w > 0], p[w > 0], w[w > 0]
    # Compared exactly: the round-off of a mean would make a constant series look variable.
    if np.all(o == o[0]):
        return float("nan")
    centred = o - np.average(o, weights=w)
    return float(1.0 - np.sum(w * (o - p) ** 2) / np.sum(w * centred**2))


def fold_r2(obs: ArrayLike, pred: ArrayLike, folds: ArrayLike, weights: ArrayLike | None = None) -> FoldR2:
    """Return the mean and standard deviation over folds of the R2 of each fold.

    Parameters
    ----------
    obs, pred : array_like, shape (n,)
        Observed and out-of-fold predicted values.
    folds : array_like, shape (n,)
        Label of the fold of each row.
    weights : array_like, shape (n,), optional
        Relative weights.

    Returns
    -------
    FoldR2

    Raises
    ------
    SoilqlError
        As `r2`.

    Examples
    --------
    >>> scores = fold_r2([1, 2, 10, 11], [1.5, 1.5, 10.5, 10.5], [0, 0, 1, 1])
    >>> scores.mean, scores.sd, scores.n_undefined
    (0.0, 0.0, 0)
    """
    o, p, w = _pair(obs, pred, weights)
    labels = np.asarray(folds)
    if labels.shape != o.shape:
        fail("SQ811", f"`folds` has shape {labels.shape}, expected {o.shape}")
    names, codes = np.unique(labels, return_inverse=True)
    values = np.array([_r2_or_nan(o[codes == k], p[codes == k], w[codes == k]) for k in range(names.size)])
    defined = values[~np.isnan(values)]
    return FoldR2(
        mean=float(defined.mean()) if defined.size else float("nan"),
        sd=float(defined.std(ddof=1)) if defined.size > 1 else float("nan"),
        values=values,
        folds=names,
        n_undefined=int(values.size - defined.size),
    )


def squared_correlation(obs: ArrayLike, pred: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Return the square of Pearson's correlation of observed and predicted values.

    Blind to bias and scale: it is not the R2 of `r2`.

    Parameters
    ----------
    obs, pred : array_like, shape (n,)
        Observed and predicted values.
    weights : array_like, shape (n,), optional
        Relative weights.

    Returns
    -------
    float
        Between 0 and 1; NaN when either is constant.

    Raises
    ------
    SoilqlError
        As `r2`.

    Examples
    --------
    >>> squared_correlation([1, 2, 3], [12, 14, 16])
    1.0
    """
    o, p, w = _pair(obs, pred, weights)
    o, p, w = o[w > 0], p[w > 0], w[w > 0]
    if np.all(o == o[0]) or np.all(p == p[0]):
        return float("nan")
    do, dp = o - np.average(o, weights=w), p - np.average(p, weights=w)
    # Each is scaled first, so that the product of sums neither overflows nor underflows.
    do, dp = do / np.abs(do).max(), dp / np.abs(dp).max()
    return float(min(1.0, np.sum(w * do * dp) ** 2 / (np.sum(w * do**2) * np.sum(w * dp**2))))


def rmse(obs: ArrayLike, pred: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Return the root mean squared error.

    Parameters
    ----------
    obs, pred : array_like, shape (n,)
        Observed and predicted values.
    weights : array_like, shape (n,), optional
        Relative weights.

    Returns
    -------
    float
        In the unit of the observations.

    Raises
    ------
    SoilqlError
        As `r2`.

    Examples
    --------
    >>> rmse([0, 0], [3, -3])
    3.0
    """
    o, p, w = _pair(obs, pred, weights)
    return float(np.sqrt(np.average((p - o) ** 2, weights=w)))


def mae(obs: ArrayLike, pred: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Return the mean absolute error.

    Parameters
    ----------
    obs, pred : array_like, shape (n,)
        Observed and predicted values.
    weights : array_like, shape (n,), optional
        Relative weights.

    Returns
    -------
    float
        In the unit of the observations.

    Raises
    ------
    SoilqlError
        As `r2`.

    Examples
    --------
    >>> mae([0, 0], [3, -1])
    2.0
    """
    o, p, w = _pair(obs, pred, weights)
    return float(np.average(np.abs(p - o), weights=w))


def bias(obs: ArrayLike, pred: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Return the mean error, predicted minus observed.

    Parameters
    ----------
    obs, pred : array_like, shape (n,)
        Observed and predicted values.
    weights : array_like, shape (n,), optional
        Relative weights.

    Returns
    -------
    float
        In the unit of the observations; positive when predictions are too high.

    Raises
    ------
    SoilqlError
        As `r2`.

    Examples
    --------
    >>> bias([0, 0], [3, -1])
    1.0
    """
    o, p, w = _pair(obs, pred, weights)
    return float(np.average(p - o, weights=w))


def pinball_loss(obs: ArrayLike, pred: ArrayLike, quantiles: ArrayLike, weights: ArrayLike | None = None) -> Floats:
    """Return the mean pinball loss of each predicted quantile.

    Parameters
    ----------
    obs : array_like, shape (n,)
        Observed values.
    pred : array_like, shape (n, q)
        Predicted quantiles.
    quantiles : array_like, shape (q,)
        Their probabilities.
    weights : array_like, shape (n,), optional
        Relative weights.

    Returns
    -------
    ndarray, shape (q,)
        Mean of max(tau (y - f), (tau - 1)(y - f)), in the unit of the observations.

    Raises
    ------
    SoilqlError
        SQ811, SQ812, or SQ813 for a probability outside [0, 1].

    References
    ----------
    Koenker and Bassett (1978), Econometrica 46, 33-50, doi:10.2307/1913643.

    Examples
    --------
    >>> pinball_loss([1.0, 3.0], [[2.0, 2.0], [2.0, 2.0]], [0.5, 0.9])
    array([0.5, 0.5])
    """
    tau = fractions(quantiles, "quantiles")
    o = vector(obs, "obs")
    p = np.asarray(pred, dtype=np.float64)
    if p.shape != (o.size, tau.size) or not o.size:
        fail("SQ811", f"`pred` has shape {p.shape}, expected ({o.size}, {tau.size})")
    vector(p.ravel(), "pred")
    error = o[:, None] - p
    loss = np.maximum(tau * error, (tau - 1.0) * error)
    return np.asarray(np.average(loss, axis=0, weights=weight_vector(weights, o.size)))


def coverage(obs: ArrayLike, lower: ArrayLike, upper: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Return the share of observations inside their interval, ends included.

    Parameters
    ----------
    obs : array_like, shape (n,)
        Observed values, none of them used to make the interval.
    lower, upper : array_like, shape (n,)
        Ends of the intervals; infinite ends are allowed.
    weights : array_like, shape (n,), optional
        Relative weights.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    SoilqlError
        SQ811, SQ812 for NaN, or SQ813 where a lower end lies above its upper end.

    Examples
    --------
    >>> coverage([1, 2, 3, 9], [0, 2, 4, 0], [5, 5, 5, float("inf")])
    0.75
    """
    o = vector(obs, "obs")
    lo, hi = (np.asarray(end, dtype=np.float64) for end in (lower, upper))
    for name, end in (("lower", lo), ("upper", hi)):
        if end.shape != o.shape or not o.size:
            fail("SQ811", f"`{name}` has shape {end.shape}, expected {o.shape} with at least one row")
        if np.isnan(end).any():
            fail("SQ812", f"`{name}` has {int(np.isnan(end).sum())} missing values")
    crossed = int(np.count_nonzero(lo > hi))
    if crossed:
        fail("SQ813", f"{crossed} intervals have their lower end above their upper end")
    inside = (o >= lo) & (o <= hi)
    return float(np.average(inside, weights=weight_vector(weights, o.size)))


def _pair(obs: ArrayLike, pred: ArrayLike, weights: ArrayLike | None) -> tuple[Floats, Floats, Floats]:
    o = vector(obs, "obs")
    if not o.size:
        fail("SQ811", "no rows to evaluate")
    return o, vector(pred, "pred", o.size), weight_vector(weights, o.size)


def _r2_or_nan(obs: Floats, pred: Floats, weights: Floats) -> float:
    return r2(obs, pred, weights) if weights.max() > 0 else float("nan")
