"""Serial correlation in tests for trend: removed from the series, or counted in the variance of S.

All functions take many series at once, shape (time, pixels), at evenly spaced times; NaN are gaps. A gap stays a gap:
no value is taken for the neighbour of another across it. Without gaps they agree with R's ``modifiedmk`` and with
``pymannkendall``.

References
----------
von Storch (1995) in Analysis of Climate Variability, doi:10.1007/978-3-662-03167-4_2 (``pw``). Yue, Pilon, Phinney and
Cavadias (2002), Hydrological Processes 16, 1807-1829, doi:10.1002/hyp.1095 (``tfpw``). Hamed (2009), Journal of
Hydrology 368, 143-155, doi:10.1016/j.jhydrol.2009.01.040 (``bcpw``). Hamed and Rao (1998), Journal of Hydrology 204,
182-196, doi:10.1016/S0022-1694(97)00125-X. Yue and Wang (2004), Water Resources Management 18, 201-218,
doi:10.1023/B:WARM.0000043140.61082.60.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri
from scipy.stats import rankdata

from soilql.stats.checks import choice, fail

Floats = NDArray[np.float64]

PREWHITENINGS = ("pw", "tfpw", "bcpw")
CORRECTIONS = ("hamed_rao", "yue_wang")


def on_even_times(values: ArrayLike, times: ArrayLike) -> tuple[Floats, Floats]:
    """Return series at evenly spaced times, with gaps where a time was left out.

    Parameters
    ----------
    values : array_like, shape (time, pixels)
    times : array_like, shape (time,)
        Strictly increasing, at whole multiples of their smallest distance.

    Returns
    -------
    values : ndarray, shape (steps, pixels)
        Missing and infinite values, and times that were left out, are NaN.
    times : ndarray, shape (steps,)

    Raises
    ------
    SoilqlError
        SQ813 for times that fit no even spacing.

    Examples
    --------
    >>> on_even_times([[1.0], [2.0], [3.0]], [2001, 2002, 2004])[0][:, 0]
    array([ 1.,  2., nan,  3.])
    """
    y, t = np.asarray(values, dtype=np.float64), np.asarray(times, dtype=np.float64)
    y = np.where(np.isfinite(y), y, np.nan)
    if not evenly_spaced(t):
        fail(
            "SQ813",
            "serial correlation needs evenly spaced times",
            help="use the plain Mann-Kendall test (`mk`), or bring the series to even steps",
        )
    if t.size < 3:
        return y, t
    unit = float(np.diff(t).min())
    places = np.rint((t - t[0]) / unit).astype(np.intp)
    even = np.full((int(places[-1]) + 1, y.shape[1]), np.nan)
    even[places] = y
    return even, t[0] + unit * np.arange(even.shape[0])


def evenly_spaced(times: ArrayLike) -> bool:
    """Return whether times are whole multiples of their smallest distance apart, to a thousandth of it.

    Examples
    --------
    >>> evenly_spaced([2001, 2002, 2004]), evenly_spaced([0.0, 1.0, 2.5])
    (True, False)
    """
    steps = np.diff(np.asarray(times, dtype=np.float64))
    if steps.size < 2:
        return True
    multiples = steps / steps.min()
    return bool(np.all(np.abs(multiples - np.rint(multiples)) < 1e-3))


def autocorrelation(values: Floats, lag: int = 1) -> Floats:
    """Return the autocorrelation of every series.

    Parameters
    ----------
    values : ndarray, shape (time, pixels)
        At evenly spaced times, NaN for gaps.
    lag : int
        Steps.

    Returns
    -------
    ndarray, shape (pixels,)
        As R's ``acf(na.action = na.pass)``: products of pairs that are both there, divided by their number plus the
        lag; NaN for a constant series or without such pairs.

    Examples
    --------
    >>> autocorrelation(np.array([[1.0], [2.0], [3.0], [4.0]])).round(4)
    array([0.25])
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        n = np.sum(~np.isnan(values), axis=0)
        apart = values - column_sums(np.nan_to_num(values)) / n
        products = apart[lag:] * apart[: values.shape[0] - lag]
        pairs = np.sum(~np.isnan(products), axis=0)
        variance = column_sums(np.nan_to_num(apart**2)) / n
        r = column_sums(np.nan_to_num(products)) / (pairs + lag) / variance
    # What rounding leaves of a constant is no variance.
    size = np.max(np.abs(np.nan_to_num(values)), axis=0, initial=0.0)
    return np.asarray(np.where((pairs > 0) & (variance > (8 * np.finfo(np.float64).eps * size) ** 2), r, np.nan))


def column_sums(values: NDArray[np.floating]) -> Floats:
    """Return sums over the first axis, added up in its order whatever the number of columns.

    ``numpy.sum`` groups the rows of a single column in another way than those of many, so that the last digit of a
    pixel would depend on the size of its block.

    Examples
    --------
    >>> column_sums(np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([4., 6.])
    """
    if not values.shape[0]:
        return np.zeros(values.shape[1:])
    return np.asarray(np.cumsum(values, axis=0, dtype=np.float64)[-1])


def detrended(values: Floats, times: Floats, slope: Floats) -> Floats:
    """Return series less their lines: value - slope x (time - first time), shape (time, pixels).

    Examples
    --------
    >>> detrended(np.array([[1.0], [3.0]]), np.array([0.0, 1.0]), np.array([2.0]))
    array([[1.],
           [1.]])
    """
    return np.asarray(values - slope * (times - times[0])[:, None])


def prewhiten(values: Floats, times: Floats, slope: Floats, method: str) -> tuple[Floats, Floats]:
    """Return series without their lag-1 autocorrelation.

    Parameters
    ----------
    values : ndarray, shape (time, pixels)
        At evenly spaced times, NaN for gaps.
    times : ndarray, shape (time,)
    slope : ndarray, shape (pixels,)
        Theil and Sen's slopes.
    method : {"pw", "tfpw", "bcpw"}
        ``pw`` takes y(t) - r y(t - 1) with the r of the series as it is; ``tfpw`` does so after taking out the line,
        with the r of what is left, and adds the line again; ``bcpw`` as ``pw`` with an r that is estimated together
        with a line by least squares and corrected for its bias, (n r + 2)/(n - 4) (Hamed 2009, eq. 24).

    Returns
    -------
    series : ndarray, shape (time - 1, pixels)
        NaN where a value or the one before it is missing, and everywhere without an r.
    r : ndarray, shape (pixels,)
        What was used.

    Raises
    ------
    SoilqlError
        SQ813 for another method.

    Examples
    --------
    >>> y = np.array([1.0, 2.0, 3.0, 5.0, 4.0])[:, None]
    >>> series, r = prewhiten(y, np.arange(5.0), np.array([1.0]), "pw")
    >>> r.round(3), series[:, 0].round(3)
    (array([0.4]), array([1.6, 2.2, 3.8, 2. ]))
    """
    choice(method, PREWHITENINGS, "pre-whitening")
    if method == "tfpw":
        rest = detrended(values, times, slope)
        r = autocorrelation(rest)
        return rest[1:] - r * rest[:-1] + slope * (times[1:] - times[0])[:, None], r
    r = autocorrelation(values) if method == "pw" else _corrected_r(values, times)
    return values[1:] - r * values[:-1], r


def _corrected_r(values: Floats, times: Floats) -> Floats:
    """Return the coefficient of y(t - 1) in the regression of y(t) on it, a constant and time, corrected for bias."""
    now, before = values[1:], values[:-1]
    there = ~np.isnan(now) & ~np.isnan(before)
    pairs = there.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        # Constant and time are taken out of both; what is left is regressed on each other.
        t = np.where(there, (times[1:] - times[0])[:, None], 0.0)
        t = np.where(there, t - column_sums(t) / pairs, 0.0)
        y, x = (_without_line(np.where(there, series, 0.0), t, there, pairs) for series in (now, before))
        r = column_sums(x * y) / column_sums(x * x)
        n = np.sum(~np.isnan(values), axis=0)
        return np.asarray(np.where((n > 4) & (pairs > 3), (n * r + 2.0) / (n - 4.0), np.nan))


def _without_line(series: Floats, t: Floats, there: NDArray[np.bool_], pairs: NDArray[np.intp]) -> Floats:
    centred = np.where(there, series - column_sums(series) / pairs, 0.0)
    slope = column_sums(centred * t) / column_sums(t * t)
    return np.asarray(centred - slope * t)


def variance_factor(values: Floats, times: Floats, slope: Floats, method: str, level: float = 0.05) -> Floats:
    """Return what autocorrelation multiplies the variance of S by.

    Parameters
    ----------
    values : ndarray, shape (time, pixels)
        At evenly spaced times, NaN for gaps.
    times : ndarray, shape (time,)
    slope : ndarray, shape (pixels,)
        Theil and Sen's slopes, whose lines are taken out first.
    method : {"hamed_rao", "yue_wang"}
        ``hamed_rao`` takes the autocorrelations of ranks that are significant; ``yue_wang`` those of values at all
        lags, and then rejects far too often (two times in five at a level of 5 % for independent values).
    level : float
        Of the significance of an autocorrelation.

    Returns
    -------
    ndarray, shape (pixels,)
        Zero or below where the correction fails; NaN without an autocorrelation.

    Raises
    ------
    SoilqlError
        SQ813 for another method.

    Examples
    --------
    >>> y = np.array([1.0, 2.0, 1.5, 3.0, 2.5, 3.5, 5.0, 4.0])[:, None]
    >>> variance_factor(y, np.arange(8.0), np.array([0.5]), "hamed_rao")
    array([1.])
    """
    choice(method, CORRECTIONS, "variance correction")
    rest = detrended(values, times, slope)
    n = np.sum(~np.isnan(values), axis=0).astype(np.float64)
    n[n < 3] = np.nan
    total = np.zeros(values.shape[1])
    if method == "yue_wang":
        for lag in range(1, values.shape[0]):
            total += (1.0 - lag / n) * np.nan_to_num(autocorrelation(rest, lag))
        return 1.0 + 2.0 * total
    ranks = _ranks(rest, np.max(np.abs(np.nan_to_num(values)), axis=0))
    limit = float(ndtri(1.0 - 0.5 * level)) / np.sqrt(n)
    for lag in range(1, values.shape[0]):
        r = np.nan_to_num(autocorrelation(ranks, lag))
        total += np.where(np.abs(r) > limit, (n - lag) * (n - lag - 1) * (n - lag - 2) * r, 0.0)
    return np.asarray(1.0 + 2.0 * total / (n * (n - 1) * (n - 2)))


def _ranks(rest: Floats, size: Floats) -> Floats:
    """Return mean ranks down columns, in which values that only rounding tells apart are ties.

    The line goes through two of the values where the number of pairs is odd, so that what it leaves of these is equal;
    a rank that hung on the last digit would change with the unit.
    """
    order = np.argsort(rest, axis=0)
    steps = np.diff(np.take_along_axis(rest, order, axis=0), axis=0)
    groups = np.zeros(rest.shape)
    groups[1:] = np.cumsum(steps > 64 * np.finfo(np.float64).eps * size, axis=0)
    found = np.empty(rest.shape)
    np.put_along_axis(found, order, groups, axis=0)
    return np.asarray(rankdata(np.where(np.isnan(rest), np.nan, found), axis=0, nan_policy="omit"))
