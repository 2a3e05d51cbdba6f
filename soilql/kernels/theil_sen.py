"""Confidence limits of the median of slopes, and Siegel's repeated medians, for every pixel of a block."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from soilql.kernels.blocks import as_floats, pieces
from soilql.kernels.compiling import compiled
from soilql.kernels.lanes import LANES, columns, load, medians, select
from soilql.kernels.pairs import compare, least_squares

Floats = NDArray[np.float64]


def sen_limits(
    values: NDArray[np.floating], times: NDArray[np.floating], var: Floats, z: float
) -> tuple[Floats, Floats]:
    """Return Sen's confidence limits of the slope of every pixel.

    Parameters
    ----------
    values : ndarray of float32 or float64, shape (time, pixels)
        NaN and infinite values are gaps.
    times : ndarray, shape (time,)
        Strictly increasing.
    var : ndarray, shape (pixels,)
        Variance of S.
    z : float
        Standard normal quantile of the level, for example 1.96.

    Returns
    -------
    lower, upper : ndarray of float64, shape (pixels,)
        Of N slopes the one of rank round((N - z sqrt(var))/2), counted from either end. Infinite where there is no such
        rank, because too few pairs cannot reach the level; NaN below two values.

    Examples
    --------
    >>> y = np.array([1.0, 2.0, 4.0, 3.0, 6.0, 5.0, 7.0, 9.0, 8.0, 10.0])[:, None]
    >>> lower, upper = sen_limits(y, np.arange(10.0), np.array([125.0]), 1.959964)
    >>> float(lower[0]), float(upper[0].round(4))
    (0.75, 1.25)
    """
    t, spread = as_floats(times), as_floats(var)
    lower, upper = np.empty(values.shape[1]), np.empty(values.shape[1])
    for first, piece in pieces(values):
        _limits(piece, t, first, spread, float(z), lower, upper)
    return lower, upper


@compiled
def _limits(values: Floats, times: Floats, begin: int, var: Floats, z: float, lower: Floats, upper: Floats) -> None:
    """Fill the limits from pixel `begin` on, LANES pixels at a time."""
    length, size = values.shape
    y, slopes = columns(length), columns(length * (length - 1) // 2)
    n, s, tied, guess = np.empty(LANES), np.empty(LANES), np.empty(LANES), np.empty(LANES)
    pairs, rank, limit, unused = np.empty(LANES), np.empty(LANES), np.empty(LANES), np.empty(LANES)
    for first in range(0, size, LANES):
        width = min(LANES, size - first)
        load(values, first, width, y, n)
        compare(y, times, s, tied, slopes)
        least_squares(y, times, guess)
        for side in range(2):
            out = lower if side == 0 else upper
            for lane in range(LANES):
                pairs[lane], rank[lane] = 0.5 * n[lane] * (n[lane] - 1.0), -1.0
            for lane in range(width):
                from_end = np.rint(0.5 * (pairs[lane] - z * math.sqrt(var[begin + first + lane])))
                rank[lane] = from_end - 1.0 if side == 0 else pairs[lane] - from_end
            select(slopes, slopes.shape[0], pairs, rank, guess, limit, unused)
            for lane in range(width):
                beyond = rank[lane] < 0.0 if side == 0 else rank[lane] >= pairs[lane]
                nowhere = -np.inf if side == 0 else np.inf
                out[begin + first + lane] = nowhere if beyond and pairs[lane] > 0.0 else limit[lane]


def siegel_slopes(values: NDArray[np.floating], times: NDArray[np.floating]) -> Floats:
    """Return Siegel's slope of every pixel: the median over times of the median slope to all other times.

    Parameters
    ----------
    values : ndarray of float32 or float64, shape (time, pixels)
        NaN and infinite values are gaps.
    times : ndarray, shape (time,)
        Strictly increasing.

    Returns
    -------
    ndarray of float64, shape (pixels,)
        NaN below two values.

    Examples
    --------
    >>> siegel_slopes(np.array([[0.0], [1.0], [2.0], [90.0], [4.0]]), np.arange(5.0))
    array([1.])
    """
    t, slope = as_floats(times), np.empty(values.shape[1])
    for first, piece in pieces(values):
        _repeated_medians(piece, t, first, slope)
    return slope


@compiled
def _repeated_medians(values: Floats, times: Floats, begin: int, slope: Floats) -> None:
    """Fill the slopes from pixel `begin` on, LANES pixels at a time."""
    length, size = values.shape
    y, here, each = columns(length), columns(length), columns(length)
    n, guess, others, median = np.empty(LANES), np.empty(LANES), np.empty(LANES), np.empty(LANES)
    for first in range(0, size, LANES):
        width = min(LANES, size - first)
        load(values, first, width, y, n)
        least_squares(y, times, guess)
        for row in range(length):
            for other in range(length):
                span = times[other] - times[row]
                for lane in range(LANES):
                    here[other, lane] = (y[other, lane] - y[row, lane]) / span if other != row else np.nan
            for lane in range(LANES):
                others[lane] = n[lane] - 1.0 if y[row, lane] == y[row, lane] else 0.0
            medians(here, here.shape[0], others, guess, median)
            for lane in range(LANES):
                each[row, lane] = median[lane]
        for lane in range(LANES):
            others[lane] = n[lane] if n[lane] > 1.0 else 0.0
        medians(each, each.shape[0], others, guess, median)
        for lane in range(width):
            slope[begin + first + lane] = median[lane]
