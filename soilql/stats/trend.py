"""Trends of one series or of every pixel of a map: the test, the slope, the change, and a class for the legend.

The definitions live in `mann_kendall`, `theil_sen`, `theil_sen_bootstrap`, `prewhitening` and `field_significance`,
each usable alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from soilql.stats.checks import choice, fail, fractions, whole_number
from soilql.stats.mann_kendall import ALTERNATIVES, EXACT_UP_TO, P_VALUES, increasing, normal_p
from soilql.stats.mann_kendall_exact import exact_p_map
from soilql.stats.prewhitening import (
    CORRECTIONS,
    PREWHITENINGS,
    column_sums,
    detrended,
    evenly_spaced,
    on_even_times,
    prewhiten,
    variance_factor,
)
from soilql.stats.theil_sen import net_change, relative_change
from soilql.stats.theil_sen_bootstrap import BOOTSTRAPS, slope_intervals

if TYPE_CHECKING:
    from soilql.kernels.mann_kendall import MannKendallMap

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TESTS = ("mk", *PREWHITENINGS, *CORRECTIONS)
SLOPES = ("theil_sen", "siegel", "ols")
INTERVALS = ("none", "sen", *BOOTSTRAPS)
NO_CLASS = -128
"""Class of a pixel without slope or p."""


class TrendStatus(IntEnum):
    """What became of a pixel's trend."""

    DONE = 0
    TOO_SHORT = 1
    """Fewer values than asked for: nothing is computed."""
    CONSTANT = 2
    """All values of the tested series are equal: S is 0, p is 1, there is no tau."""
    NO_CORRECTION = 3
    """Serial correlation could not be estimated, left no positive variance, or too few values with a neighbour before
    them: there is a slope, but no test."""


class TrendClass(IntEnum):
    """Classes of a trend map (Huang et al. 2020)."""

    SIGNIFICANT_DECREASE = -2
    SLIGHT_DECREASE = -1
    STABLE = 0
    SLIGHT_INCREASE = 1
    SIGNIFICANT_INCREASE = 2


@dataclass(frozen=True)
class Trends:
    """Trends of many series; every array has the shape of the pixels, ``values.shape[1:]``.

    Attributes
    ----------
    n : ndarray of int64
        Values that are present.
    tested : ndarray of int64
        Values that the test sees: pre-whitening keeps those whose neighbour before them is present too.
    s, var_s, z : ndarray
        Kendall's S of the tested series, its variance with ties (times the factor of ``hamed_rao`` or ``yue_wang``),
        and (S -+ 1)/sqrt(var_s).
    p : ndarray
        p-value; NaN where there is no test.
    tau : ndarray
        tau-b of the tested series.
    slope, intercept : ndarray
        Change of the values per unit of time, and the value of the line at time zero.
    lower, upper : ndarray
        Ends of the slope's interval; NaN where none was asked for.
    lag1 : ndarray
        Lag-1 autocorrelation of the series less its Theil-Sen line; NaN for times that are not evenly spaced.
    change, relative_change : ndarray
        Slope x (last - first time), in units of the values, and in percent of the line's value at the first time.
    status : ndarray of int8
        A `TrendStatus` for each pixel.
    first, last : float
        Times between which the change is counted.
    """

    n: Ints
    tested: Ints
    s: Floats
    var_s: Floats
    z: Floats
    p: Floats
    tau: Floats
    slope: Floats
    intercept: Floats
    lower: Floats
    upper: Floats
    lag1: Floats
    change: Floats
    relative_change: Floats
    status: NDArray[np.int8]
    first: float
    last: float


def trends(
    values: ArrayLike,
    times: ArrayLike,
    *,
    test: str = "mk",
    slope: str = "theil_sen",
    p_value: str = "auto",
    alternative: str = "two-sided",
    interval: str = "none",
    level: float = 0.95,
    replicates: int = 1000,
    seed: int = 0,
    shared: bool = True,
    pixels: ArrayLike | None = None,
    block_length: int | None = None,
    least: int = 4,
) -> Trends:
    """Return the trend of every pixel.

    Parameters
    ----------
    values : array_like of float32 or float64, shape (time, ...)
        A series a pixel; NaN and infinite values are gaps.
    times : array_like, shape (time,)
        Strictly increasing, in years or any other unit; the slope is per this unit. All tests but ``mk`` need them
        evenly spaced, save for gaps.
    test : {"mk", "pw", "tfpw", "bcpw", "hamed_rao", "yue_wang"}
        Mann-Kendall as it is, after pre-whitening (`prewhitening.prewhiten`), or with its variance corrected for
        autocorrelation (`prewhitening.variance_factor`). For 15 independent values the level of 5 % holds for ``mk``,
        ``pw`` and ``tfpw``; with an autocorrelation of 0.4 the tests reject 16, 5 and 18 % of series without trend.
    slope : {"theil_sen", "siegel", "ols"}
        Estimator of the line, always of the series as it is.
    p_value : {"auto", "exact", "normal"}
        Null distribution of S, see `mann_kendall.mann_kendall`; always normal where the variance is corrected.
    alternative : {"two-sided", "increasing", "decreasing"}
        What the test looks for.
    interval : {"none", "sen", "pairs", "residual", "block"}
        Sen's limits, or one of the bootstraps (`theil_sen_bootstrap`), of the Theil-Sen slope.
    level : float
        Probability of the interval.
    replicates, seed, shared, pixels, block_length
        Of the bootstrap, see `theil_sen_bootstrap.slope_intervals`.
    least : int
        Series with fewer values have the status `TrendStatus.TOO_SHORT`; at least 3.

    Returns
    -------
    Trends

    Raises
    ------
    SoilqlError
        SQ811 for shapes that do not match, SQ813 for options unknown or out of range, or that do not go together.

    Examples
    --------
    >>> nile = [1120, 1160, 963, 1210, 1160, 1160, 813, 1230, 1370, 1140, 995, 935, 1110, 994, 1020]
    >>> found = trends(nile, range(1871, 1886), interval="sen", p_value="normal")
    >>> float(found.p.round(6)), float(found.slope.round(6)), float(found.change.round(6))
    (0.344911, -7.142857, -100.0)
    """
    series = np.asarray(values)
    if series.ndim < 1:
        fail("SQ811", "values need a time axis, shape (time, ...)")
    t = increasing(times, series.shape[0])
    share = _checked(test, slope, p_value, alternative, interval, level, least)
    from soilql.kernels.mann_kendall import mann_kendall_theil_sen

    flat = series.reshape(series.shape[0], -1)
    plain = mann_kendall_theil_sen(flat, t)
    tested, s, var_s, z, p, tau, status = _tested(flat, t, plain, test, p_value, alternative, least)
    estimate, intercept = _line(flat, t, plain, slope)
    ids = None if pixels is None else np.asarray(pixels).reshape(-1)
    bootstrap = {"replicates": replicates, "seed": seed, "shared": shared, "pixels": ids, "block_length": block_length}
    lower, upper = _interval(flat, t, plain, interval, share, bootstrap)
    lag1 = plain.lag1 if evenly_spaced(t) else np.full(flat.shape[1], np.nan)
    short = plain.n < least
    status[short] = TrendStatus.TOO_SHORT
    for array in (s, var_s, z, p, tau, estimate, intercept, lower, upper, lag1):
        array[short] = np.nan
    first, last, shape = float(t[0]), float(t[-1]), series.shape[1:]
    return Trends(
        n=plain.n.astype(np.int64).reshape(shape),
        tested=tested.astype(np.int64).reshape(shape),
        s=s.reshape(shape),
        var_s=var_s.reshape(shape),
        z=z.reshape(shape),
        p=p.reshape(shape),
        tau=tau.reshape(shape),
        slope=estimate.reshape(shape),
        intercept=intercept.reshape(shape),
        lower=lower.reshape(shape),
        upper=upper.reshape(shape),
        lag1=lag1.reshape(shape),
        change=net_change(estimate, first, last).reshape(shape),
        relative_change=relative_change(estimate, intercept, first, last).reshape(shape),
        status=status.reshape(shape),
        first=first,
        last=last,
    )


def trend_classes(
    slope: ArrayLike, p: ArrayLike, level: float = 0.05, significant: ArrayLike | None = None
) -> NDArray[np.int8]:
    """Return the class of each trend: significant where p < level, stable where the slope is zero.

    Parameters
    ----------
    slope, p : array_like, shape (...)
        Slopes, and p-values of their two-sided test.
    level : float
        Level of significance.
    significant : array_like of bool, shape (...), optional
        Which trends are significant, such as under a false discovery rate, in place of p < level.

    Returns
    -------
    ndarray of int8, shape (...)
        A `TrendClass`, or `NO_CLASS` where slope or p is missing.

    References
    ----------
    Huang, N., Wang, L., Song, X.-P., Black, T. A., Jassal, R. S., Myneni, R. B., et al. (2020), Science Advances 6,
    eabb8508, doi:10.1126/sciadv.abb8508.

    Examples
    --------
    >>> trend_classes([2.0, 1.0, 0.0, -1.0, -2.0, float("nan")], [0.01, 0.2, 1.0, 0.05, 0.049, 0.01])
    array([   2,    1,    0,   -1,   -2, -128], dtype=int8)
    """
    b, q = np.broadcast_arrays(np.asarray(slope, dtype=np.float64), np.asarray(p, dtype=np.float64))
    counts = q < level if significant is None else np.asarray(significant, dtype=bool)
    classes = np.sign(np.nan_to_num(b)) * np.where(counts, 2, 1)
    return np.asarray(np.where(np.isnan(b) | np.isnan(q), NO_CLASS, classes), dtype=np.int8)


def _checked(test: str, slope: str, p_value: str, alternative: str, interval: str, level: float, least: int) -> float:
    """Refuse options that are unknown or do not go together; return the level."""
    choice(test, TESTS, "test")
    choice(slope, SLOPES, "slope")
    choice(p_value, P_VALUES, "p-value")
    choice(alternative, ALTERNATIVES, "alternative")
    choice(interval, INTERVALS, "interval")
    whole_number(least, "least", 3)
    if p_value == "exact" and test in CORRECTIONS:
        fail("SQ813", f"`{test}` corrects the variance of S, which has no exact distribution then", help="use `normal`")
    if interval != "none" and slope != "theil_sen":
        fail("SQ813", f"intervals are of the Theil-Sen slope, not of `{slope}`", help="use `slope: theil_sen`")
    return float(fractions(level, "level", open_ends=True)[0])


def _tested(
    flat: NDArray[np.floating],
    t: Floats,
    plain: MannKendallMap,
    test: str,
    p_value: str,
    alternative: str,
    least: int,
) -> tuple[NDArray[np.integer], Floats, Floats, Floats, Floats, Floats, NDArray[np.int8]]:
    """Return the number of tested values, S, its variance, Z, p, tau and the status of every pixel."""
    tested, found, factor = flat, plain, np.ones(flat.shape[1])
    if test != "mk":
        from soilql.kernels.mann_kendall import mann_kendall_theil_sen

        even, even_times = on_even_times(flat, t)
        if test in PREWHITENINGS:
            tested, r = prewhiten(even, even_times, plain.slope, test)
            found = mann_kendall_theil_sen(tested, even_times[1:])
            # A series without gaps loses its first value; one that loses more than `least` allows is not tested.
            factor = np.where(np.isnan(r) | (found.n < least - 1), np.nan, 1.0)
        else:
            factor = variance_factor(even, even_times, plain.slope, test)
    status = np.zeros(flat.shape[1], dtype=np.int8)
    # A constant has no autocorrelation to be corrected for, and needs none.
    constant = (plain.var == 0.0) | (found.var == 0.0)
    status[~(factor > 0.0)] = TrendStatus.NO_CORRECTION
    status[constant] = TrendStatus.CONSTANT
    s = np.where(plain.var == 0.0, 0.0, found.s)
    var_s = np.where(constant, 0.0, found.var * np.where(factor > 0.0, factor, np.nan))
    if alternative == "two-sided" and test not in CORRECTIONS:
        p = np.where(status == TrendStatus.NO_CORRECTION, np.nan, found.p)
    else:
        p = normal_p(np.where(np.isnan(var_s), np.nan, s), var_s, alternative)
    p = np.where(constant, 1.0, p)
    exact = (status == TrendStatus.DONE) & (p_value != "normal") & (test not in CORRECTIONS)
    here = np.flatnonzero(exact & ((found.n <= EXACT_UP_TO) | (p_value == "exact")))
    p[here] = exact_p_map(tested[:, here], s[here], found.n[here], found.tied[here], alternative)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(s == 0.0, 0.0, (s - np.sign(s)) / np.sqrt(var_s))
    return found.n, s, var_s, z, p, found.tau.copy(), status


def _line(flat: NDArray[np.floating], t: Floats, plain: MannKendallMap, slope: str) -> tuple[Floats, Floats]:
    """Return slope and intercept of every pixel."""
    if slope == "theil_sen":
        return plain.slope, plain.intercept
    if slope == "siegel":
        from soilql.kernels.theil_sen import siegel_slopes

        found = siegel_slopes(flat, t)
        with np.errstate(invalid="ignore"):
            rest = detrended(np.where(np.isfinite(flat), flat, np.nan).astype(np.float64), t, found)
        return found, _median(rest, plain.n) - found * t[0]
    there = np.isfinite(flat)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_t = column_sums(np.where(there, t[:, None], 0.0)) / plain.n
        mean_y = column_sums(np.where(there, flat, 0.0)) / plain.n
        apart = np.where(there, t[:, None] - mean_t, 0.0)
        found = column_sums(apart * np.where(there, flat - mean_y, 0.0)) / column_sums(apart**2)
    return found, mean_y - found * mean_t


def _median(values: Floats, n: NDArray[np.integer]) -> Floats:
    """Return medians of columns, NaN below two values, without a warning."""
    out = np.full(values.shape[1], np.nan)
    some = n > 1
    out[some] = np.nanmedian(values[:, some], axis=0)
    return out


def _interval(
    flat: NDArray[np.floating],
    t: Floats,
    plain: MannKendallMap,
    interval: str,
    level: float,
    bootstrap: dict[str, Any],
) -> tuple[Floats, Floats]:
    """Return the ends of the slope's interval."""
    if interval == "none":
        return np.full(flat.shape[1], np.nan), np.full(flat.shape[1], np.nan)
    if interval == "sen":
        from soilql.kernels.theil_sen import sen_limits

        return sen_limits(flat, t, plain.var, float(ndtri(0.5 + 0.5 * level)))
    return slope_intervals(flat, t, method=interval, level=level, **bootstrap)
