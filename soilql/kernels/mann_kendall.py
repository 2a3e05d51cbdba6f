"""Mann-Kendall's test and Theil and Sen's line for every pixel of a block."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from soilql.kernels.blocks import as_floats, pieces
from soilql.kernels.compiling import compiled
from soilql.kernels.lanes import LANES, columns, load, medians
from soilql.kernels.pairs import compare, least_squares

Floats = NDArray[np.float64]
_ROUNDING = 1.8e-15
"""Relative size of what is taken for rounding: eight units of the last place."""


class MannKendallMap(NamedTuple):
    """Test and line of each pixel; every array has shape (pixels,).

    Attributes
    ----------
    n : ndarray of int32
        Values that are present.
    s, var, z, p : ndarray of float64
        Kendall's S, its variance corrected for ties, Z with the continuity correction (0 for a constant series), and
        the two-sided p of the normal approximation (1 for a constant series). NaN below two values.
    tau : ndarray of float64
        tau-b; NaN for a constant series.
    tied : ndarray of int32
        Pairs of equal values.
    slope, intercept : ndarray of float64
        Median of the slopes of all pairs, and median of value - slope x time. NaN below two values.
    lag1 : ndarray of float64
        Lag-1 autocorrelation of value - slope x time, over neighbours that are the smallest step of times apart, as R's
        ``acf(na.action = na.pass)``; NaN without such neighbours or where the line leaves nothing but rounding.
    """

    n: NDArray[np.int32]
    s: Floats
    var: Floats
    z: Floats
    p: Floats
    tau: Floats
    tied: NDArray[np.int32]
    slope: Floats
    intercept: Floats
    lag1: Floats


def mann_kendall_theil_sen(values: NDArray[np.floating], times: NDArray[np.floating]) -> MannKendallMap:
    """Return Mann-Kendall's test and Theil and Sen's line of every pixel.

    Parameters
    ----------
    values : ndarray of float32 or float64, shape (time, pixels)
        NaN and infinite values are gaps.
    times : ndarray, shape (time,)
        Strictly increasing.

    Returns
    -------
    MannKendallMap

    Examples
    --------
    >>> found = mann_kendall_theil_sen(np.array([[1.0], [3.0], [2.0], [5.0]]), np.arange(4.0))
    >>> found.s, found.slope.round(4), found.intercept.round(4)
    (array([4.]), array([1.1667]), array([1.25]))
    """
    t, size = as_floats(times), values.shape[1]
    n, tied = np.empty(size, np.int32), np.empty(size, np.int32)
    out = np.empty((8, size))
    for first, piece in pieces(values):
        _test_and_line(piece, t, first, n, tied, out)
    s, var, z, p, tau, slope, intercept, lag1 = out
    return MannKendallMap(n, s, var, z, p, tau, tied, slope, intercept, lag1)


@compiled
def _test_and_line(
    values: Floats, times: Floats, begin: int, n_out: NDArray[np.int32], tied_out: NDArray[np.int32], out: Floats
) -> None:
    """Fill the outputs from pixel `begin` on, LANES pixels at a time."""
    length, size = values.shape
    y, slopes, rest = columns(length), columns(length * (length - 1) // 2), columns(length)
    n, s, tied, ties = np.empty(LANES), np.empty(LANES), np.empty(LANES), np.empty(LANES)
    guess, pairs, slope, start = np.empty(LANES), np.empty(LANES), np.empty(LANES), np.empty(LANES)
    lag1 = np.empty(LANES)
    usual = _normal_p_table(length)
    for first in range(0, size, LANES):
        width = min(LANES, size - first)
        load(values, first, width, y, n)
        least_squares(y, times, guess)
        compare(y, times, s, tied, slopes)
        _tie_terms(y, length, tied, ties)
        for lane in range(LANES):
            pairs[lane] = 0.5 * n[lane] * (n[lane] - 1.0)
        medians(slopes, slopes.shape[0], pairs, guess, slope)
        _residuals(y, times, slope, rest, guess)
        medians(rest, rest.shape[0], n, guess, start)
        _lag1(y, rest, times, n, lag1)
        for lane in range(width):
            pixel = begin + first + lane
            n_out[pixel], tied_out[pixel] = n[lane], tied[lane]
            _test(n[lane], s[lane], tied[lane], ties[lane], length, usual, pixel, out)
            out[5, pixel], out[6, pixel] = slope[lane], start[lane] - slope[lane] * times[0]
            out[7, pixel] = lag1[lane]


@compiled
def _tie_terms(y: Floats, length: int, tied: Floats, terms: Floats) -> None:
    """Return the sum of u (u - 1) (2 u + 5) over groups of u equal values."""
    some = False
    for lane in range(LANES):
        terms[lane] = 0.0
        some |= tied[lane] > 0.0
    if not some:
        return
    equal = np.empty(LANES)
    for row in range(length):
        v = y[row]
        for lane in range(LANES):
            equal[lane] = 0.0
        for other in range(length):
            w = y[other]
            for lane in range(LANES):
                equal[lane] += 1.0 if v[lane] == w[lane] else 0.0
        for lane in range(LANES):
            # Each of the u members adds its share; a gap equals nothing, itself included.
            terms[lane] += (equal[lane] - 1.0) * (2.0 * equal[lane] + 5.0) if equal[lane] > 0.0 else 0.0


@compiled
def _test(n: float, s: float, tied: float, ties: float, length: int, usual: Floats, pixel: int, out: Floats) -> None:
    """Fill in S, its variance, Z, p and tau-b of one pixel."""
    if n < 2.0:
        for item in range(5):
            out[item, pixel] = np.nan
        return
    pairs, size = 0.5 * n * (n - 1.0), abs(s)
    var = (n * (n - 1.0) * (2.0 * n + 5.0) - ties) / 18.0
    z = (size - 1.0) / math.sqrt(var) if size > 0.0 else 0.0
    out[0, pixel], out[1, pixel] = s, var
    out[2, pixel] = z if s > 0.0 else -z
    out[3, pixel] = usual[int(size)] if n == length and tied == 0.0 else math.erfc(z * math.sqrt(0.5))
    out[4, pixel] = s / math.sqrt(pairs * (pairs - tied)) if tied < pairs else np.nan


@compiled
def _normal_p_table(n: int) -> Floats:
    """Return the two-sided normal p of each \\|S\\| of n values without ties."""
    var = n * (n - 1.0) * (2.0 * n + 5.0) / 18.0
    table = np.ones(n * (n - 1) // 2 + 1)
    for size in range(1, table.size):
        table[size] = math.erfc((size - 1.0) / math.sqrt(var) * math.sqrt(0.5))
    return table


@compiled
def _residuals(y: Floats, times: Floats, slope: Floats, rest: Floats, mean: Floats) -> None:
    """Return value - slope x (time - first time) and its mean, NaN for columns with gaps."""
    for lane in range(LANES):
        mean[lane] = 0.0
    for row in range(times.size):
        span = times[row] - times[0]
        for lane in range(LANES):
            rest[row, lane] = y[row, lane] - slope[lane] * span
            mean[lane] += rest[row, lane] / times.size


@compiled
def _lag1(y: Floats, rest: Floats, times: Floats, n: Floats, lag1: Floats) -> None:
    """Return the lag-1 autocorrelation of what the line leaves."""
    mean, square, size = np.empty(LANES), np.empty(LANES), np.empty(LANES)
    products, pairs = np.empty(LANES), np.empty(LANES)
    for lane in range(LANES):
        mean[lane] = square[lane] = size[lane] = products[lane] = pairs[lane] = 0.0
    for row in range(times.size):
        for lane in range(LANES):
            mean[lane] += rest[row, lane] / n[lane] if rest[row, lane] == rest[row, lane] else 0.0
    step = np.inf
    for row in range(1, times.size):
        step = min(step, times[row] - times[row - 1])
    for row in range(times.size):
        for lane in range(LANES):
            apart = rest[row, lane] - mean[lane]
            square[lane] += apart * apart if apart == apart else 0.0
            size[lane] = max(size[lane], abs(y[row, lane])) if apart == apart else size[lane]
        if row == 0 or times[row] - times[row - 1] > 1.001 * step:
            continue
        for lane in range(LANES):
            product = (rest[row, lane] - mean[lane]) * (rest[row - 1, lane] - mean[lane])
            products[lane] += product if product == product else 0.0
            pairs[lane] += 1.0 if product == product else 0.0
    for lane in range(LANES):
        some = pairs[lane] > 0.0 and square[lane] > n[lane] * (_ROUNDING * size[lane]) ** 2
        lag1[lane] = products[lane] / (pairs[lane] + 1.0) / (square[lane] / n[lane]) if some else np.nan
