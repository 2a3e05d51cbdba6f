"""Partial correlations of a response with all its drivers at once, for every pixel of a block.

Let L be the Cholesky factor of the sums of products, response last. The regression on the drivers has the coefficients
b = (last row of L) times (inverse of the drivers' part of L), and the precision q_j of driver j given the other drivers
is the squared length of column j of that inverse. The partial correlation is b_j/sqrt(b_j^2 + d q_j), where d, the last
pivot, is what the drivers leave of the response: one factorisation serves all drivers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from soilql.kernels.blocks import PIECE, as_floats
from soilql.kernels.compiling import compiled
from soilql.kernels.lanes import GROUP, LANES, rows_for
from soilql.kernels.student import two_sided_p_lanes

Floats = NDArray[np.float64]
Bytes = NDArray[np.int8]

_NOTHING = 1e-13
"""Share of the variance that rounding leaves of a response that follows from its drivers."""
DONE, TOO_SHORT, CONSTANT_RESPONSE, CONSTANT_DRIVER, SINGULAR, EXACT_FIT = range(6)
"""What became of a pixel."""


class PartialCorrelationMap(NamedTuple):
    """Partial correlations of each pixel.

    Attributes
    ----------
    r, p : ndarray of float64, shape (drivers, pixels)
        Correlation given the other drivers, and its two-sided p; NaN unless the status is `DONE`.
    n : ndarray of int32, shape (pixels,)
        Times at which response and drivers are all present.
    status : ndarray of int8, shape (pixels,)
        `DONE`, `TOO_SHORT` (no degree of freedom left), `CONSTANT_RESPONSE`, `CONSTANT_DRIVER` (nothing left of one
        after detrending), `SINGULAR` (a driver follows from the others) or `EXACT_FIT` (the response does).
    """

    r: Floats
    p: Floats
    n: NDArray[np.int32]
    status: Bytes


def partial_correlations(
    response: NDArray[np.floating],
    drivers: NDArray[np.floating],
    times: NDArray[np.floating],
    detrend: bool,
    tolerance: float = 1e-8,
) -> PartialCorrelationMap:
    """Return the partial correlation of the response with each driver, the other drivers held fixed, for every pixel.

    Parameters
    ----------
    response : ndarray of float32 or float64, shape (time, pixels)
        NaN and infinite values are gaps.
    drivers : ndarray of float32 or float64, shape (drivers, time, pixels)
        A time counts where the response and all drivers are present.
    times : ndarray, shape (time,)
        Used when detrending.
    detrend : bool
        Whether a straight line in time is taken out of each series first; it costs one degree of freedom.
    tolerance : float
        A driver is taken to follow from others when no more than this share of its variance is left.

    Returns
    -------
    PartialCorrelationMap

    Examples
    --------
    With a single driver it is the correlation:

    >>> y, x = np.array([[1.0], [2.0], [4.0], [3.0]]), np.array([[[1.0], [3.0], [4.0], [2.0]]])
    >>> found = partial_correlations(y, x, np.arange(4.0), False)
    >>> float(found.r[0, 0].round(4)), float(np.corrcoef(y[:, 0], x[0, :, 0])[0, 1].round(4))
    (0.8, 0.8)
    """
    y, x = np.asarray(response), np.asarray(drivers)
    number, size = x.shape[0], y.shape[1]
    n, status = np.empty(size, np.int32), np.empty(size, np.int8)
    r, p = np.empty((number, size)), np.empty((number, size))
    # Of a constant rounding leaves a little, in the last digits of the data as they came.
    digits = np.finfo(np.float32 if np.float32 in (y.dtype, x.dtype) else np.float64).eps
    t, rounding = as_floats(times), float((8.0 * digits) ** 2)
    for first, tiles in _tiles(x, y):
        _correlate(tiles, t, first, min(size - first, PIECE), detrend, float(tolerance), rounding, r, p, n, status)
    return PartialCorrelationMap(r, p, n, status)


def _tiles(drivers: NDArray[np.floating], response: NDArray[np.floating]) -> Iterator[tuple[int, Floats]]:
    """Yield pieces of the block, each with its first pixel, as tiles (tiles, variables, rows, LANES), response last.

    All share one buffer. Rows beyond the times, and lanes beyond the pixels, are 0.
    """
    number, length, size = drivers.shape
    for first in range(0, size, PIECE):
        width = min(PIECE, size - first)
        if first == 0 or width < PIECE:
            tiles = np.zeros((-(-width // LANES), number + 1, rows_for(length), LANES))
        whole = width // LANES
        for variables, values in ((slice(0, number), drivers), (slice(number, None), response[None])):
            piece = values[:, :, first : first + width]
            even = piece[:, :, : whole * LANES].reshape(*piece.shape[:2], whole, LANES)
            tiles[:whole, variables, :length] = even.transpose(2, 0, 1, 3)
            if width > whole * LANES:
                tiles[whole, variables, :length, : width - whole * LANES] = piece[:, :, whole * LANES :]
        yield first, tiles


@compiled
def _correlate(
    tiles: Floats,
    times: Floats,
    begin: int,
    pixels: int,
    detrend: bool,
    tolerance: float,
    rounding: float,
    r: Floats,
    p: Floats,
    n: NDArray[np.int32],
    status: Bytes,
) -> None:
    """Fill the outputs from pixel `begin` on, a tile at a time, whose series are worked on in place."""
    number, length = tiles.shape[1] - 1, times.size
    there, apart = np.empty((length, LANES)), np.empty((length, LANES))
    before, left, root = np.empty((number + 1, LANES)), np.empty((number + 1, LANES)), np.empty((number + 1, LANES))
    mean = np.empty((number + 1, LANES))
    factor, inverse = np.empty((number + 1, number + 1, LANES)), np.empty((number, number, LANES))
    count, df, spare = np.empty(LANES), np.empty(LANES, np.int64), np.empty((2, LANES))
    found, tails = np.empty((number, LANES)), np.empty(LANES)
    for tile in range(tiles.shape[0]):
        series, first = tiles[tile], tile * LANES
        width = min(LANES, pixels - first)
        _average(series, mean, there, count)
        _centre(series, mean, there, times, detrend, count, apart, before)
        _multiply(series, factor, left)
        _factorise(factor, root)
        _invert(factor, root, inverse)
        _relate(factor, inverse, spare, found)
        for lane in range(LANES):
            df[lane] = int(count[lane]) - 1 - number - (1 if detrend else 0)
        for lane in range(width):
            pixel = begin + first + lane
            n[pixel] = int(count[lane])
            status[pixel] = _judge(factor, left, before, df[lane], lane, tolerance, rounding)
        for driver in range(number):
            two_sided_p_lanes(found[driver], df, tails)
            for lane in range(width):
                pixel = begin + first + lane
                r[driver, pixel] = found[driver, lane] if status[pixel] == DONE else np.nan
                p[driver, pixel] = tails[lane] if status[pixel] == DONE else np.nan


@compiled
def _average(series: Floats, mean: Floats, there: Floats, count: Floats) -> None:
    """Fill in means over complete times, at which `there` is 1; at others it is 0, and so the series become."""
    length = there.shape[0]
    for lane in range(LANES):
        count[lane] = length
    for row in range(length):
        for lane in range(LANES):
            there[row, lane] = 1.0
    if not _means(series, length, count, mean):
        _mask(series, there, count)
        _means(series, length, count, mean)


@compiled
def _means(series: Floats, length: int, count: Floats, mean: Floats) -> bool:
    """Fill in the means of all series; return whether all are finite, as they are where nothing is missing."""
    for variable in range(series.shape[0]):
        for lane in range(LANES):
            mean[variable, lane] = 0.0
        for row in range(length):
            for lane in range(LANES):
                mean[variable, lane] += series[variable, row, lane]
        for lane in range(LANES):
            mean[variable, lane] /= count[lane]
    sound = 0.0
    for variable in range(series.shape[0]):
        for lane in range(LANES):
            sound += mean[variable, lane] * 0.0
    return sound == 0.0


@compiled
def _mask(series: Floats, there: Floats, count: Floats) -> None:
    """Set to 0 all series at times at which one is missing, and count the others."""
    for lane in range(LANES):
        count[lane] = 0.0
        for row in range(there.shape[0]):
            for variable in range(series.shape[0]):
                if not abs(series[variable, row, lane]) < np.inf:
                    there[row, lane] = 0.0
            count[lane] += there[row, lane]
            if there[row, lane] == 0.0:
                for variable in range(series.shape[0]):
                    series[variable, row, lane] = 0.0


@compiled
def _centre(
    series: Floats,
    mean: Floats,
    there: Floats,
    times: Floats,
    detrend: bool,
    count: Floats,
    apart: Floats,
    before: Floats,
) -> None:
    """Take out of each series its mean, or its line in time; `before` is what that took away of its sum of squares."""
    slope, spread = np.empty(LANES), np.empty(LANES)
    _centre_times(there, times, count, slope, spread, apart)
    for variable in range(series.shape[0]):
        for lane in range(LANES):
            slope[lane] = 0.0
        for row in range(times.size):
            for lane in range(LANES):
                slope[lane] += (series[variable, row, lane] - mean[variable, lane]) * apart[row, lane]
        for lane in range(LANES):
            slope[lane] = slope[lane] / spread[lane] if detrend else 0.0
            before[variable, lane] = count[lane] * mean[variable, lane] ** 2 + spread[lane] * slope[lane] ** 2
        for row in range(times.size):
            for lane in range(LANES):
                x = series[variable, row, lane] - mean[variable, lane] - slope[lane] * apart[row, lane]
                series[variable, row, lane] = x * there[row, lane]


@compiled
def _centre_times(there: Floats, times: Floats, count: Floats, mean: Floats, spread: Floats, apart: Floats) -> None:
    """Fill in time less its mean over complete times, 0 at others, and the sum of its squares."""
    for lane in range(LANES):
        mean[lane], spread[lane] = 0.0, 0.0
    for row in range(times.size):
        for lane in range(LANES):
            mean[lane] += there[row, lane] * (times[row] - times[0]) / count[lane]
    for row in range(times.size):
        for lane in range(LANES):
            apart[row, lane] = (times[row] - times[0] - mean[lane]) * there[row, lane]
            spread[lane] += apart[row, lane] * apart[row, lane]


@compiled
def _multiply(series: Floats, factor: Floats, left: Floats) -> None:
    """Fill the lower triangle with sums of products; `left` keeps its diagonal."""
    for i in range(series.shape[0]):
        for j in range(i + 1):
            for lane in range(LANES):
                factor[i, j, lane] = 0.0
            for group in range(series.shape[1] // GROUP):
                k = group * GROUP
                for lane in range(LANES):
                    ab = series[i, k, lane] * series[j, k, lane] + series[i, k + 1, lane] * series[j, k + 1, lane]
                    cd = (
                        series[i, k + 2, lane] * series[j, k + 2, lane]
                        + series[i, k + 3, lane] * series[j, k + 3, lane]
                    )
                    ef = (
                        series[i, k + 4, lane] * series[j, k + 4, lane]
                        + series[i, k + 5, lane] * series[j, k + 5, lane]
                    )
                    gh = (
                        series[i, k + 6, lane] * series[j, k + 6, lane]
                        + series[i, k + 7, lane] * series[j, k + 7, lane]
                    )
                    factor[i, j, lane] += (ab + cd) + (ef + gh)
        for lane in range(LANES):
            left[i, lane] = factor[i, i, lane]


@compiled
def _factorise(factor: Floats, root: Floats) -> None:
    """Replace the lower triangle by its Cholesky factor, but the diagonal by its squares, which may be 0 or less.

    `root` gets the reciprocals of the diagonal's square roots.
    """
    size = factor.shape[0]
    for j in range(size):
        for k in range(j):
            for lane in range(LANES):
                factor[j, j, lane] -= factor[j, k, lane] * factor[j, k, lane]
        for lane in range(LANES):
            root[j, lane] = 1.0 / np.sqrt(factor[j, j, lane])
        for i in range(j + 1, size):
            for k in range(j):
                for lane in range(LANES):
                    factor[i, j, lane] -= factor[i, k, lane] * factor[j, k, lane]
            for lane in range(LANES):
                factor[i, j, lane] *= root[j, lane]


@compiled
def _invert(factor: Floats, root: Floats, inverse: Floats) -> None:
    """Invert the drivers' part of the factor."""
    size = inverse.shape[0]
    for j in range(size):
        for lane in range(LANES):
            inverse[j, j, lane] = root[j, lane]
        for i in range(j + 1, size):
            for lane in range(LANES):
                inverse[i, j, lane] = 0.0
            for k in range(j, i):
                for lane in range(LANES):
                    inverse[i, j, lane] -= factor[i, k, lane] * inverse[k, j, lane]
            for lane in range(LANES):
                inverse[i, j, lane] *= root[i, lane]


@compiled
def _judge(factor: Floats, left: Floats, before: Floats, df: int, lane: int, tolerance: float, rounding: float) -> int:
    """Return the status of one pixel."""
    last = factor.shape[0] - 1
    if df < 1:
        return TOO_SHORT
    if not left[last, lane] > rounding * before[last, lane]:
        return CONSTANT_RESPONSE
    for driver in range(last):
        if not left[driver, lane] > rounding * before[driver, lane]:
            return CONSTANT_DRIVER
    for driver in range(last):
        if not factor[driver, driver, lane] > tolerance * left[driver, lane]:
            return SINGULAR
    if not factor[last, last, lane] > rounding * before[last, lane] + _NOTHING * left[last, lane]:
        return EXACT_FIT
    return DONE


@compiled
def _relate(factor: Floats, inverse: Floats, spare: Floats, found: Floats) -> None:
    """Fill in the partial correlations of the response with each driver."""
    last = factor.shape[0] - 1
    for driver in range(last):
        for lane in range(LANES):
            spare[0, lane], spare[1, lane] = 0.0, 0.0
        for k in range(driver, last):
            for lane in range(LANES):
                spare[0, lane] += factor[last, k, lane] * inverse[k, driver, lane]
                spare[1, lane] += inverse[k, driver, lane] * inverse[k, driver, lane]
        for lane in range(LANES):
            b = spare[0, lane]
            found[driver, lane] = b / np.sqrt(b * b + factor[last, last, lane] * spare[1, lane])
