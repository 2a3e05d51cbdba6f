"""Partial correlations of a response with each of several drivers, the others held fixed.

References
----------
Anderson (2003), An Introduction to Multivariate Statistical Analysis, 3rd edition, section 4.3. Fisher (1924), The
distribution of the partial correlation coefficient, Metron 3, 329-332 (one degree of freedom goes with each variable
held fixed). Aitchison (1982), The statistical analysis of compositional data, Journal of the Royal Statistical Society
B 44, 139-177, doi:10.1111/j.2517-6161.1982.tb01195.x (parts of a whole, log-ratios).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from soilql.stats.checks import fail, fractions, whole_number
from soilql.stats.mann_kendall import increasing

Floats = NDArray[np.float64]


class CorrelationStatus(IntEnum):
    """What became of a pixel's partial correlations."""

    DONE = 0
    TOO_SHORT = 1
    """No degree of freedom is left."""
    CONSTANT_RESPONSE = 2
    """The response does not vary, or only along the line that was taken out."""
    CONSTANT_DRIVER = 3
    """A driver does not vary, or only along the line that was taken out."""
    SINGULAR = 4
    """A driver follows from the others, as one of the parts of a whole does."""
    EXACT_FIT = 5
    """The response is an exact linear function of the drivers: nothing is left to correlate."""


@dataclass(frozen=True)
class PartialCorrelations:
    """Partial correlations with K drivers; pixels in the shape of the response after time.

    Attributes
    ----------
    r, t, p : ndarray, shape (K, ...)
        Correlation with each driver given all others, Student's t, and its two-sided p; NaN where the status is not
        `CorrelationStatus.DONE`.
    n : ndarray of int64, shape (...)
        Times at which response and drivers are all present.
    df : ndarray of int64, shape (...)
        n - 2 - (K - 1), less 1 if detrended.
    status : ndarray of int8, shape (...)
        A `CorrelationStatus` for each pixel.
    """

    r: Floats
    t: Floats
    p: Floats
    n: NDArray[np.int64]
    df: NDArray[np.int64]
    status: NDArray[np.int8]


def partial_correlations(
    response: ArrayLike, drivers: ArrayLike, times: ArrayLike | None = None, *, detrend: bool = True
) -> PartialCorrelations:
    """Return the partial correlation of a response with each driver, for one series or every pixel.

    Parameters
    ----------
    response : array_like, shape (time, ...)
        NaN and infinite values are gaps.
    drivers : array_like, shape (K, time, ...)
        A time counts where the response and all drivers are present.
    times : array_like, shape (time,), optional
        Strictly increasing; 0, 1, 2, ... unless given.
    detrend : bool
        Whether a straight line in time is taken out of each series first, so that two series are not related only
        because both rise. It costs one degree of freedom.

    Returns
    -------
    PartialCorrelations
        r from the inverse of the covariances, -P(0, j)/sqrt(P(0, 0) P(j, j)); t = r sqrt(df/(1 - r^2)).

    Raises
    ------
    SoilqlError
        SQ811 for shapes that do not match, SQ813 for times that do not increase.

    See Also
    --------
    check_constant_sums : names the drivers that make a pixel singular.

    Examples
    --------
    >>> x = np.array([1.0, 3.0, 2.0, 5.0, 4.0, 6.0])
    >>> y = np.array([2.0, 3.0, 1.0, 5.0, 6.0, 4.0])
    >>> found = partial_correlations(y, [x], detrend=False)
    >>> float(found.r[0].round(6)), float(np.corrcoef(x, y)[0, 1].round(6)), int(found.df)
    (0.714286, 0.714286, 4)
    """
    y, x = np.asarray(response), np.asarray(drivers)
    if y.ndim < 1 or x.ndim != y.ndim + 1 or x.shape[1:] != y.shape or not x.shape[0]:
        fail("SQ811", f"drivers have shape {x.shape}, expected (drivers, *{y.shape})")
    when = increasing(np.arange(y.shape[0]) if times is None else times, y.shape[0])
    from soilql.kernels.partial_correlation import partial_correlations as map_correlations

    count, pixels = x.shape[0], y.shape[1:]
    found = map_correlations(y.reshape(y.shape[0], -1), x.reshape(count, y.shape[0], -1), when, detrend)
    n = found.n.astype(np.int64)
    df = n - 1 - count - int(detrend)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = found.r * np.sqrt(df / ((1.0 - found.r) * (1.0 + found.r)))
    return PartialCorrelations(
        found.r.reshape(count, *pixels),
        t.reshape(count, *pixels),
        found.p.reshape(count, *pixels),
        n.reshape(pixels),
        df.reshape(pixels),
        found.status.reshape(pixels),
    )


def critical_correlation(p: ArrayLike, n: int, controls: int, *, detrend: bool = False) -> Floats:
    """Return the size of a partial correlation at which a two-sided p is reached.

    Parameters
    ----------
    p : array_like, shape (...)
        p-values, above 0 and up to 1.
    n : int
        Times.
    controls : int
        Variables held fixed.
    detrend : bool
        Whether a line in time was taken out.

    Returns
    -------
    ndarray, shape (...)
        |r| = t/sqrt(df + t^2) with df = n - 2 - controls, less 1 if detrended.

    Raises
    ------
    SoilqlError
        SQ813 for p out of range, or when no degree of freedom is left.

    Examples
    --------
    >>> critical_correlation([0.01, 0.05, 0.1], 15, 5).round(4)
    array([0.7646, 0.6319, 0.5494])
    >>> critical_correlation([0.01, 0.05, 0.1], 15, 5, detrend=True).round(4)
    array([0.7977, 0.6664, 0.5822])
    """
    shape = np.shape(p)
    levels = fractions(np.ravel(np.asarray(p, dtype=np.float64)), "p")
    df = whole_number(n, "n", 1) - 2 - whole_number(controls, "controls", 0) - int(detrend)
    if df < 1:
        fail("SQ813", f"{n} times with {controls} variables held fixed leave no degree of freedom")
    if levels.size and levels.min() == 0:
        fail("SQ813", "`p` must be above 0")
    t = stdtrit(df, 1.0 - 0.5 * levels)
    return np.asarray(t / np.sqrt(df + t**2)).reshape(shape)


def constant_sums(drivers: ArrayLike, names: Sequence[str], tolerance: float = 1e-4) -> tuple[tuple[str, ...], ...]:
    """Return the groups of drivers that sum to a constant in every pixel, as the parts of a whole do.

    Parameters
    ----------
    drivers : array_like, shape (K, time, ...)
        NaN for gaps. Parts may sum to another constant in each pixel.
    names : sequence of str
        A name for each driver.
    tolerance : float
        What the sum may vary by, relative to what its parts vary by; its square is the share of variance below which
        `partial_correlations` takes a driver to follow from others.

    Returns
    -------
    tuple of tuple of str
        Smallest groups first; a larger group that contains a smaller one is left out.

    Raises
    ------
    SoilqlError
        SQ811 for another number of names than drivers.

    Examples
    --------
    >>> tree, short, rain = [10.0, 12.0, 15.0], [60.0, 61.0, 50.0], [3.0, 9.0, 4.0]
    >>> bare = [100 - a - b for a, b in zip(tree, short)]
    >>> constant_sums([tree, rain, short, bare], ["tree", "rain", "short", "bare"])
    (('tree', 'short', 'bare'),)
    """
    x = np.asarray(drivers, dtype=np.float64)
    if x.ndim < 2 or len(names) != x.shape[0]:
        fail("SQ811", f"{len(names)} names for drivers of shape {x.shape}")
    products = _products(x.reshape(x.shape[0], x.shape[1], -1))
    varies = [k for k in range(x.shape[0]) if products[k, k] > 0]
    found: list[tuple[int, ...]] = []
    for size in range(2, len(varies) + 1):
        for group in combinations(varies, size):
            if any(set(smaller) <= set(group) for smaller in found):
                continue
            inside = products[np.ix_(group, group)]
            if inside.sum() <= tolerance**2 * np.trace(inside):
                found.append(group)
    return tuple(tuple(names[k] for k in group) for group in found)


def _products(x: Floats) -> Floats:
    """Return sums of products of deviations from each pixel's mean over complete times, shape (K, K)."""
    there = np.isfinite(x).all(axis=0)
    n = there.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = np.where(there, x - np.where(there, x, 0.0).sum(axis=1, keepdims=True) / n, 0.0)
    return np.asarray(np.einsum("ktp,ltp->kl", apart, apart))


def check_constant_sums(drivers: ArrayLike, names: Sequence[str]) -> None:
    """Make sure that no drivers sum to a constant.

    Parameters
    ----------
    drivers, names
        As for `constant_sums`.

    Raises
    ------
    SoilqlError
        SQ815, which names them.
    """
    for group in constant_sums(drivers, names):
        fail(
            "SQ815",
            f"{', '.join(f'`{name}`' for name in group)} sum to a constant: each follows from the others",
            help=f"leave one out, for example `{group[-1]}`, or take log-ratios to one of them",
        )


def log_ratios(parts: ArrayLike, floor: float) -> Floats:
    """Return the logarithms of the ratios of parts to the last of them, which no constant sum binds.

    Parameters
    ----------
    parts : array_like, shape (K, ...)
        Parts of a whole, zero or positive, in any unit.
    floor : float
        What smaller parts are raised to, as a logarithm has no zero; for example half of what can be told from zero.

    Returns
    -------
    ndarray, shape (K - 1, ...)
        Additive log-ratios (Aitchison 1982).

    Raises
    ------
    SoilqlError
        SQ811 for fewer than two parts, SQ813 for a floor that is not positive or negative parts.

    Examples
    --------
    >>> log_ratios([[20.0], [0.0], [40.0]], floor=0.5).round(4)[:, 0]
    array([-0.6931, -4.382 ])
    """
    x = np.asarray(parts, dtype=np.float64)
    if x.ndim < 1 or x.shape[0] < 2:
        fail("SQ811", "log-ratios need two or more parts, shape (parts, ...)")
    if not floor > 0:
        fail("SQ813", "`floor` must be above zero")
    if np.any(x < 0):
        fail("SQ813", f"{int(np.count_nonzero(x < 0))} parts are negative")
    raised = np.maximum(x, floor)
    return np.asarray(np.log(raised[:-1] / raised[-1]))
