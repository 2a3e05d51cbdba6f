"""Slopes of one series: Theil and Sen's median of slopes, Siegel's repeated medians, least squares.

References
----------
Theil (1950), Proceedings of the KNAW 53, 386-392. Sen (1968), Journal of the American Statistical Association 63,
1379-1389, doi:10.1080/01621459.1968.10480934. Siegel (1982), Biometrika 69, 242-244, doi:10.1093/biomet/69.1.242.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, stdtr, stdtrit

from soilql.stats.checks import fractions
from soilql.stats.mann_kendall import present, s_variance, tie_groups

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Slope:
    """A straight line through a series.

    Attributes
    ----------
    slope : float
        Change per unit of time; NaN below two values.
    intercept : float
        Value of the line at time zero.
    lower, upper : float
        Confidence limits of the slope; infinite where the level cannot be reached with so few values, NaN where the
        method has none.
    level : float
        Confidence level of the limits.
    n : int
        Values that are present.
    """

    slope: float
    intercept: float
    lower: float
    upper: float
    level: float
    n: int


@dataclass(frozen=True)
class LeastSquares(Slope):
    """A line by least squares, as R's ``lm`` describes it.

    Attributes
    ----------
    se, p : float
        Standard error of the slope, and the two-sided p of its t test.
    r2, r2_adjusted : float
        Share of the variance, and the same corrected for two parameters.
    """

    se: float
    p: float
    r2: float
    r2_adjusted: float


def theil_sen(values: ArrayLike, times: ArrayLike | None = None, *, level: float = 0.95) -> Slope:
    """Return the median of the slopes between all pairs of values, with Sen's confidence limits.

    Parameters
    ----------
    values : array_like, shape (n,)
        NaN and infinite values are gaps, and are left out.
    times : array_like, shape (n,), optional
        Strictly increasing, evenly spaced or not; 0, 1, 2, ... unless given.
    level : float
        Of the limits: of N slopes those of rank round((N - z sqrt(var S))/2) from either end (Sen 1968, eq. 2.6), as in
        R's ``trend::sens.slope`` and in ``scipy.stats.theilslopes``.

    Returns
    -------
    Slope
        The intercept is the median of value - slope x time.

    Raises
    ------
    SoilqlError
        SQ811 or SQ813 for arguments that are no series, or a level outside (0, 1).

    Examples
    --------
    >>> nile = [1120, 1160, 963, 1210, 1160, 1160, 813, 1230, 1370, 1140, 995, 935, 1110, 994, 1020]
    >>> line = theil_sen(nile)
    >>> round(line.slope, 6), round(line.lower, 6), round(line.upper, 5)
    (-7.142857, -25.0, 11.66667)
    """
    share = float(fractions(level, "level", open_ends=True)[0])
    y, t = present(values, times)
    if y.size < 2:
        return Slope(*(np.nan,) * 4, share, y.size)
    slopes = np.sort(pairwise_slopes(y, t))
    slope = float(np.median(slopes))
    half = float(ndtri(0.5 + 0.5 * share)) * np.sqrt(s_variance(y.size, tie_groups(y)))
    rank = int(np.rint(0.5 * (slopes.size - half)))
    lower, upper = (slopes[rank - 1], slopes[-rank]) if rank >= 1 else (-np.inf, np.inf)
    return Slope(slope, _intercept(y, t, slope), float(lower), float(upper), share, y.size)


def siegel(values: ArrayLike, times: ArrayLike | None = None) -> Slope:
    """Return the median over times of the median slope to all others, which half of the values can be outliers of.

    Parameters
    ----------
    values, times
        As for `theil_sen`.

    Returns
    -------
    Slope
        Without limits. The intercept is the median of value - slope x time.

    Raises
    ------
    SoilqlError
        SQ811 or SQ813 for arguments that are no series.

    Examples
    --------
    >>> siegel([0.0, 1.0, 2.0, 90.0, 4.0]).slope
    1.0
    """
    y, t = present(values, times)
    if y.size < 2:
        return Slope(*(np.nan,) * 5, y.size)
    rows = np.arange(y.size)
    each = [np.median((y[rows != i] - y[i]) / (t[rows != i] - t[i])) for i in rows]
    slope = float(np.median(each))
    return Slope(slope, _intercept(y, t, slope), np.nan, np.nan, np.nan, y.size)


def least_squares(values: ArrayLike, times: ArrayLike | None = None, *, level: float = 0.95) -> LeastSquares:
    """Return the line of least squares with its t test.

    Parameters
    ----------
    values, times, level
        As for `theil_sen`.

    Returns
    -------
    LeastSquares
        Without limits and p below three values.

    Raises
    ------
    SoilqlError
        SQ811 or SQ813 for arguments that are no series, or a level outside (0, 1).

    Examples
    --------
    >>> line = least_squares([1.0, 3.0, 2.0, 5.0])
    >>> round(line.slope, 6), round(line.intercept, 6), round(line.r2, 4)
    (1.1, 1.1, 0.6914)
    """
    share = float(fractions(level, "level", open_ends=True)[0])
    y, t = present(values, times)
    n = y.size
    if n < 2:
        return LeastSquares(*(np.nan,) * 4, share, n, *(np.nan,) * 4)
    apart, level_of_y = t - t.mean(), y - y.mean()
    spread, total = float(apart @ apart), float(level_of_y @ level_of_y)
    slope = float(apart @ level_of_y) / spread
    rest = level_of_y - slope * apart
    left = float(rest @ rest)
    r2 = 1.0 - left / total if total > 0 else np.nan
    intercept = float(y.mean() - slope * t.mean())
    if n < 3:
        return LeastSquares(slope, intercept, np.nan, np.nan, share, n, np.nan, np.nan, r2, np.nan)
    se = float(np.sqrt(left / (n - 2) / spread))
    reach = float(stdtrit(n - 2, 0.5 + 0.5 * share)) * se
    p = float(2.0 * stdtr(n - 2, -abs(slope) / se)) if se > 0 else float(slope == 0.0)
    adjusted = 1.0 - (1.0 - r2) * (n - 1) / (n - 2)
    return LeastSquares(slope, intercept, slope - reach, slope + reach, share, n, se, p, r2, adjusted)


def pairwise_slopes(values: Floats, times: Floats) -> Floats:
    """Return the slopes between all pairs of values, shape (n (n - 1)/2,).

    Examples
    --------
    >>> pairwise_slopes(np.array([1.0, 3.0, 2.0]), np.array([0.0, 1.0, 2.0]))
    array([ 2. ,  0.5, -1. ])
    """
    early, late = np.triu_indices(values.size, 1)
    return np.asarray((values[late] - values[early]) / (times[late] - times[early]))


def net_change(slope: ArrayLike, first: float, last: float) -> Floats:
    """Return slope x (last - first time): the change over the period, in the unit of the values.

    Examples
    --------
    >>> net_change([0.5, -1.0], 2001, 2015)
    array([  7., -14.])
    """
    return np.asarray(slope, dtype=np.float64) * (last - first)


def relative_change(slope: ArrayLike, intercept: ArrayLike, first: float, last: float) -> Floats:
    """Return the net change in percent of the size of the line's value at the first time.

    The line's value stands for the first year, because a single year may be an odd one.

    Parameters
    ----------
    slope, intercept : array_like, shape (...)
        Of the line.
    first, last : float
        Times.

    Returns
    -------
    ndarray, shape (...)
        Percent; NaN where the line starts at zero.

    Examples
    --------
    >>> relative_change(2.0, 100.0, 0.0, 10.0)
    array(20.)
    """
    start = np.asarray(intercept, dtype=np.float64) + np.asarray(slope, dtype=np.float64) * first
    with np.errstate(divide="ignore", invalid="ignore"):
        percent = 100.0 * net_change(slope, first, last) / np.abs(start)
    return np.asarray(np.where(start == 0.0, np.nan, percent))


def _intercept(y: Floats, t: Floats, slope: float) -> float:
    """Return the median of value - slope x time, counted from the first time so that no digits are lost."""
    return float(np.median(y - slope * (t - t[0]))) - slope * float(t[0])
