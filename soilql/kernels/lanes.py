"""Many columns at once: loading them, and their order statistics, on which all kernels of slopes rest.

A sorting network pruned to its median was measured beside it: as fast for 15 times, 1.6 times slower for 24, falling
behind from there, and of no use where columns differ in length. So one algorithm serves any length, gaps and ties.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from soilql.kernels.compiling import compiled

Floats = NDArray[np.float64]

LANES = 64
"""Pixels that are worked on side by side."""
GROUP = 8
"""Rows that are counted together; a buffer of columns has a whole number of groups, filled up with NaN."""
_PASSES = 10
"""Passes of counting after which the columns still undecided, mostly for ties, are walked value by value."""


@compiled
def rows_for(values: int) -> int:
    """Return the rows that a buffer for so many values must have.

    Examples
    --------
    >>> rows_for(105)
    112
    """
    return (values + GROUP - 1) // GROUP * GROUP


@compiled
def select(values: Floats, rows: int, size: Floats, rank: Floats, guess: Floats, lower: Floats, upper: Floats) -> None:
    """Find the value of a rank, and the one after it, in each column.

    Each pass counts the values up to a pivot. The pivot is at first a guess, then interpolated between the ends that
    embrace the rank, every fourth time half-way. A column is decided when the two wanted values are among the four
    around its pivot; one more pass finds these. NaN are passed over.

    Parameters
    ----------
    values : ndarray, shape (a multiple of GROUP, at least rows; LANES)
        Columns, one a lane; NaN where there is no value.
    rows : int
        Leading rows that count, a multiple of GROUP.
    size : ndarray, shape (LANES,)
        Values in each column.
    rank : ndarray, shape (LANES,)
        0-based rank of the first of the two; outside 0..size-1 for a column to pass over.
    guess : ndarray, shape (LANES,)
        Where they may be; NaN for no idea.
    lower, upper : ndarray, shape (LANES,)
        Output: the values of this rank and of the next. NaN for columns passed over, and an infinite `upper` when there
        is no next.
    """
    state = np.zeros((8, LANES))
    low, high, at_low, at_high = state[0], state[1], state[2], state[3]
    pivot, count, wanted, decided = state[4], state[5], state[6], state[7]
    _extremes(values, rows, low, high)
    for lane in range(LANES):
        idle = not (rank[lane] >= 0.0 and rank[lane] < size[lane])
        wanted[lane] = np.nan if idle else rank[lane] + 1.0
        decided[lane] = 1.0 if idle else 0.0
    waiting = 0.0
    for lane in range(LANES):
        waiting += 1.0 - decided[lane]
        at_high[lane] = size[lane]
        inside = guess[lane] > low[lane] and guess[lane] < high[lane]
        pivot[lane] = guess[lane] if inside else 0.5 * low[lane] + 0.5 * high[lane]
    turn = 0
    while waiting > 0.0 and turn < _PASSES:
        turn += 1
        _count_up_to(values, rows, pivot, count)
        waiting = _narrow(turn % 4 == 0, count, wanted, decided, low, at_low, high, at_high, pivot)
    _read_off(values, rows, wanted, pivot, count, decided, low, high, lower, upper)


@compiled
def _narrow(
    halve: bool,
    count: Floats,
    wanted: Floats,
    decided: Floats,
    low: Floats,
    at_low: Floats,
    high: Floats,
    at_high: Floats,
    pivot: Floats,
) -> float:
    """Move an end of each undecided column to its pivot, and the pivot between the ends; return how many wait.

    There are several loops, because LLVM makes vectors only of loops with few arrays, whose overlap it has to rule out.
    """
    waiting = 0.0
    for lane in range(LANES):
        decided[lane] = 1.0 if abs(count[lane] - wanted[lane]) <= 1.0 else decided[lane]
    for lane in range(LANES):
        waiting += 1.0 - decided[lane]
        low[lane] = pivot[lane] if count[lane] < wanted[lane] else low[lane]
        at_low[lane] = count[lane] if count[lane] < wanted[lane] else at_low[lane]
    for lane in range(LANES):
        high[lane] = pivot[lane] if count[lane] >= wanted[lane] else high[lane]
        at_high[lane] = count[lane] if count[lane] >= wanted[lane] else at_high[lane]
    for lane in range(LANES):
        part = 0.5 if halve else (wanted[lane] - at_low[lane]) / (at_high[lane] - at_low[lane])
        pivot[lane] = pivot[lane] if decided[lane] > 0.0 else low[lane] + (high[lane] - low[lane]) * part
    return waiting


@compiled
def _extremes(values: Floats, rows: int, low: Floats, high: Floats) -> None:
    """Find the smallest and the largest value of each column; infinite where there is none."""
    for lane in range(LANES):
        low[lane], high[lane] = np.inf, -np.inf
    for pair in range(rows // 4):
        row = 4 * pair
        for lane in range(LANES):
            a, b, c, d = values[row, lane], values[row + 1, lane], values[row + 2, lane], values[row + 3, lane]
            least, most = low[lane], high[lane]
            least, most = a if a < least else least, a if a > most else most
            least, most = b if b < least else least, b if b > most else most
            least, most = c if c < least else least, c if c > most else most
            low[lane], high[lane] = d if d < least else least, d if d > most else most


@compiled
def _count_up_to(values: Floats, rows: int, pivot: Floats, count: Floats) -> None:
    """Count the values of each column that are not above its pivot."""
    for lane in range(LANES):
        count[lane] = 0.0
    for group in range(rows // GROUP):
        row = group * GROUP
        for lane in range(LANES):
            p, c = pivot[lane], count[lane]
            c += 1.0 if values[row, lane] <= p else 0.0
            c += 1.0 if values[row + 1, lane] <= p else 0.0
            c += 1.0 if values[row + 2, lane] <= p else 0.0
            c += 1.0 if values[row + 3, lane] <= p else 0.0
            c += 1.0 if values[row + 4, lane] <= p else 0.0
            c += 1.0 if values[row + 5, lane] <= p else 0.0
            c += 1.0 if values[row + 6, lane] <= p else 0.0
            c += 1.0 if values[row + 7, lane] <= p else 0.0
            count[lane] = c


@compiled
def _neighbours(values: Floats, rows: int, pivot: Floats, around: Floats) -> None:
    """Find the two largest values of each column not above its pivot, and the two smallest above it, in this order."""
    for lane in range(LANES):
        around[0, lane] = around[1, lane] = -np.inf
        around[2, lane] = around[3, lane] = np.inf
    for pair in range(rows // 2):
        row = 2 * pair
        for lane in range(LANES):
            a = values[row, lane] if values[row, lane] <= pivot[lane] else -np.inf
            b = values[row + 1, lane] if values[row + 1, lane] <= pivot[lane] else -np.inf
            most, lesser, last = max(a, b), min(a, b), around[0, lane]
            around[1, lane] = max(around[1, lane], max(lesser, min(last, most)))
            around[0, lane] = max(last, most)
        for lane in range(LANES):
            a = values[row, lane] if values[row, lane] > pivot[lane] else np.inf
            b = values[row + 1, lane] if values[row + 1, lane] > pivot[lane] else np.inf
            least, greater, first = min(a, b), max(a, b), around[2, lane]
            around[3, lane] = min(around[3, lane], min(greater, max(first, least)))
            around[2, lane] = min(first, least)


@compiled
def _read_off(
    values: Floats,
    rows: int,
    wanted: Floats,
    pivot: Floats,
    count: Floats,
    decided: Floats,
    low: Floats,
    high: Floats,
    lower: Floats,
    upper: Floats,
) -> None:
    """Read off the two values; where ties keep every pivot from parting them, walk from value to value.

    The arguments are the state that `select` comes to.
    """
    around = np.empty((4, LANES))
    waiting = 0.0
    for lane in range(LANES):
        lower[lane] = upper[lane] = np.nan
        waiting += 1.0 - decided[lane]
    _neighbours(values, rows, pivot, around)
    _pick(count, wanted, around, lower, upper)
    while waiting > 0.0:
        waiting = 0.0
        for lane in range(LANES):
            if decided[lane] > 0.0:
                continue
            middle = 0.5 * low[lane] + 0.5 * high[lane]
            pivot[lane] = middle if middle < high[lane] else low[lane]
        _neighbours(values, rows, pivot, around)
        _count_up_to(values, rows, pivot, count)
        for lane in range(LANES):
            if decided[lane] > 0.0:
                continue
            beyond = count[lane] - wanted[lane]
            if abs(beyond) <= 1.0:
                decided[lane] = 1.0
            elif beyond > 0.0 and around[0, lane] <= low[lane]:
                # A tie holds both ranks, and no pivot parts them.
                lower[lane] = upper[lane] = around[0, lane]
                decided[lane] = 1.0
            else:
                low[lane] = low[lane] if beyond > 0.0 else around[2, lane]
                high[lane] = around[0, lane] if beyond > 0.0 else high[lane]
                waiting += 1.0
        _pick(count, wanted, around, lower, upper)


@compiled
def _pick(count: Floats, wanted: Floats, around: Floats, lower: Floats, upper: Floats) -> None:
    """Pick the two wanted values where they are among those around the pivot: last, second last, first, next."""
    for lane in range(LANES):
        beyond = count[lane] - wanted[lane]
        low = around[0, lane] if beyond == 0.0 else around[1, lane] if beyond == 1.0 else around[2, lane]
        lower[lane] = low if abs(beyond) <= 1.0 else lower[lane]
    for lane in range(LANES):
        beyond = count[lane] - wanted[lane]
        high = around[2, lane] if beyond == 0.0 else around[0, lane] if beyond == 1.0 else around[3, lane]
        upper[lane] = high if abs(beyond) <= 1.0 else upper[lane]


@compiled
def medians(values: Floats, rows: int, size: Floats, guess: Floats, median: Floats) -> None:
    """Find the median of each column, the mean of the two middle values where their number is even.

    Parameters
    ----------
    values, rows, size, guess
        As for `select`.
    median : ndarray, shape (LANES,)
        Output; NaN for an empty column.
    """
    state = np.empty((3, LANES))
    rank, lower, upper = state[0], state[1], state[2]
    for lane in range(LANES):
        rank[lane] = np.floor(0.5 * (size[lane] - 1.0))
    select(values, rows, size, rank, guess, lower, upper)
    for lane in range(LANES):
        odd = size[lane] == 2.0 * rank[lane] + 1.0
        median[lane] = lower[lane] if odd else 0.5 * lower[lane] + 0.5 * upper[lane]


@compiled
def columns(rows: int) -> Floats:
    """Return a buffer for so many values a column, all NaN."""
    buffer = np.empty((rows_for(rows), LANES))
    buffer[:] = np.nan
    return buffer


@compiled
def load(values: Floats, first: int, width: int, y: Floats, n: Floats) -> None:
    """Copy pixels of a block into lanes.

    Parameters
    ----------
    values : ndarray, shape (time, pixels)
        What is not finite is missing.
    first, width : int
        First pixel, and how many.
    y : ndarray, shape (at least time, LANES)
        Output: the values; NaN for what is missing and for lanes without a pixel.
    n : ndarray, shape (LANES,)
        Output: values that are present.
    """
    for lane in range(LANES):
        n[lane] = 0.0
    for row in range(values.shape[0]):
        for lane in range(width):
            x = values[row, first + lane]
            there = abs(x) < np.inf
            y[row, lane] = x if there else np.nan
            n[lane] += 1.0 if there else 0.0
        for lane in range(width, LANES):
            y[row, lane] = np.nan
