"""Bootstrap intervals of Theil and Sen's slope for every pixel of a block.

Drawing pairs: the replicate's slope is a weighted median of the slopes of the sample, where the pair of times i and j
weighs c_i c_j if they were drawn c_i and c_j times. So the slopes of a pixel are sorted once, and the weights of all
replicates are added up side by side. Drawing residuals: replicates are lanes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from soilql.kernels.blocks import as_floats
from soilql.kernels.compiling import compiled
from soilql.kernels.draws import draw, stream
from soilql.kernels.lanes import LANES, columns, medians
from soilql.kernels.pairs import compare, least_squares

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Weights = NDArray[np.unsignedinteger]
_AT_ONCE = 4096
"""Pixels whose slopes are held at a time."""


def pairs_intervals(
    values: NDArray[np.floating],
    times: NDArray[np.floating],
    probabilities: NDArray[np.floating],
    replicates: int,
    seed: int,
    pixels: NDArray[np.integer] | None = None,
) -> Floats:
    """Return quantiles of the slope over bootstrap samples of (time, value) pairs.

    Samples in which all draws fall on one time have no slope and are drawn again.

    Parameters
    ----------
    values : ndarray of float32 or float64, shape (time, pixels)
        NaN and infinite values are gaps: a pixel's sample are the values it has.
    times : ndarray, shape (time,)
        Strictly increasing.
    probabilities : ndarray, shape (q,)
        For example (0.025, 0.975).
    replicates : int
        Bootstrap samples.
    seed : int
        Of the random numbers, 0 or above.
    pixels : ndarray of int, shape (pixels,), optional
        A number for each pixel, for samples of its own. Without it pixels with equally many values share their samples,
        which is several times as fast; their Monte Carlo errors are then correlated.

    Returns
    -------
    ndarray of float64, shape (q, pixels)
        Quantiles by linear interpolation (type 7). NaN below two values.

    Examples
    --------
    >>> y = np.array([1.0, 3.0, 2.0, 5.0, 4.0, 6.0, 8.0, 7.0])[:, None]
    >>> low, high = pairs_intervals(y, np.arange(8.0), np.array([0.025, 0.975]), 1000, 1)[:, 0]
    >>> bool(0.3 < low < 0.9 < high < 1.6)
    True
    """
    block, t = np.asarray(values), as_floats(times)
    levels = as_floats(probabilities)
    out = np.full((levels.size, block.shape[1]), np.nan)
    ids = None if pixels is None else np.ascontiguousarray(pixels, dtype=np.uint64)
    for n, here in _by_number(block):
        own = np.zeros(0, np.uint64) if ids is None else ids[here]
        weights = np.empty((n * (n - 1) // 2, replicates), _weight_type(n))
        for first in range(0, here.size, _AT_ONCE):
            some = slice(first, first + _AT_ONCE)
            order, slopes = _sorted_slopes(*_taken(block, t, here[some]))
            _pairs_intervals(order, slopes, n, weights, np.uint64(seed), own[some], levels, here[some], first == 0, out)
    return out


def _by_number(block: NDArray[np.floating]) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Yield how many values pixels have, from two on, and which pixels these are."""
    there = np.isfinite(block).sum(axis=0)
    for n in np.unique(there[there > 1]):
        yield int(n), np.flatnonzero(there == n)


def _taken(block: NDArray[np.floating], times: Floats, here: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Return the values that pixels have, all equally many, and their times, each of shape (n, pixels)."""
    some = block[:, here].astype(np.float64)
    there = np.isfinite(some)
    n = int(there[:, 0].sum())
    rows = np.argsort(~there, axis=0, kind="stable")[:n]
    return np.take_along_axis(some, rows, axis=0), times[rows]


def _sorted_slopes(y: Floats, t: Floats) -> tuple[NDArray[np.intp], Floats]:
    """Return the order of the slopes of all pairs, and the slopes in it, each of shape (pixels, pairs)."""
    early, late = np.triu_indices(y.shape[0], 1)
    slopes = ((y[late] - y[early]) / (t[late] - t[early])).T
    order = np.argsort(slopes, axis=1)
    return order, np.take_along_axis(slopes, order, axis=1)


def _weight_type(n: int) -> type[np.unsignedinteger]:
    """Return the smallest type that holds n (n - 1)/2, which all weights of a sample cannot exceed in sum."""
    most = n * (n - 1) // 2
    return np.uint8 if most < 2**8 else np.uint16 if most < 2**16 else np.uint32


@compiled
def _pairs_intervals(
    order: NDArray[np.intp],
    slopes: Floats,
    n: int,
    weights: Weights,
    seed: np.uint64,
    own: NDArray[np.uint64],
    levels: Floats,
    here: NDArray[np.intp],
    fresh: bool,
    out: Floats,
) -> None:
    """Fill the quantiles of pixels that have n values; shared weights are drawn when `fresh`, and used again after."""
    pairs, replicates = weights.shape
    halves, state = np.empty((2, replicates), weights.dtype), np.empty((3, replicates), weights.dtype)
    found, between, tally = np.empty(replicates), np.empty(replicates), np.empty(pairs, np.int64)
    if own.size == 0 and fresh:
        _draw_weights(stream(seed, np.uint64(n)), n, weights)
    _halves(weights, halves)
    for index in range(here.size):
        if own.size > 0:
            _draw_weights(stream(seed + np.uint64(1), own[index]), n, weights)
            _halves(weights, halves)
        _add_up(weights, order[index], halves, state)
        _in_order(slopes[index], state, tally, between, found)
        _quantiles(found, levels, here[index], out)


@compiled
def _draw_weights(start: np.uint64, n: int, weights: Weights) -> None:
    """Draw the samples: the weight of each pair of times in each replicate."""
    counts, drawn = np.zeros((n, weights.shape[1]), weights.dtype), np.empty(n, np.int64)
    for r in range(weights.shape[1]):
        alike = True
        while alike:
            start = draw(start, n, drawn)
            for item in range(1, n):
                alike &= drawn[item] == drawn[0]
        for item in range(n):
            counts[drawn[item], r] += 1
    pair = 0
    for early in range(n):
        for late in range(early + 1, n):
            for r in range(weights.shape[1]):
                weights[pair, r] = counts[early, r] * counts[late, r]
            pair += 1


@compiled
def _halves(weights: Weights, halves: Weights) -> None:
    """Fill in the weights that lie before the lower and the upper of the two middle ones."""
    for r in range(weights.shape[1]):
        total = np.int64(0)
        for pair in range(weights.shape[0]):
            total += weights[pair, r]
        halves[0, r], halves[1, r] = (total - 1) // 2, total // 2


@compiled
def _add_up(weights: Weights, order: NDArray[np.intp], halves: Weights, state: Weights) -> None:
    """Add up the weights in the order of the slopes; state[1] and state[2] are where the two middle ones lie."""
    kind = weights.dtype.type
    for r in range(weights.shape[1]):
        state[0, r] = state[1, r] = state[2, r] = 0
    for place in range(order.size):
        pair = order[place]
        for r in range(weights.shape[1]):
            total = kind(state[0, r] + weights[pair, r])
            state[0, r] = total
            state[1, r] = kind(state[1, r] + kind(total <= halves[0, r]))
            state[2, r] = kind(state[2, r] + kind(total <= halves[1, r]))


@compiled
def _in_order(slopes: Floats, state: Weights, tally: Ints, between: Floats, found: Floats) -> None:
    """Fill `found` with the replicates' slopes in order: some lie between two slopes, the others are one of them."""
    tally[:] = 0
    some = 0
    for r in range(found.size):
        low, high = np.int64(state[1, r]), np.int64(state[2, r])
        if low == high:
            tally[low] += 1
        else:
            between[some] = 0.5 * slopes[low] + 0.5 * slopes[high]
            some += 1
    between[:some].sort()
    place, item = 0, 0
    for pair in range(slopes.size):
        while item < some and tally[pair] > 0 and between[item] < slopes[pair]:
            found[place] = between[item]
            place, item = place + 1, item + 1
        for _ in range(tally[pair]):
            found[place] = slopes[pair]
            place += 1
    while item < some:
        found[place] = between[item]
        place, item = place + 1, item + 1


@compiled
def _quantiles(found: Floats, levels: Floats, pixel: int, out: Floats) -> None:
    """Fill the quantiles of values in order, interpolated between neighbours."""
    for item in range(levels.size):
        place = levels[item] * (found.size - 1)
        low = int(place)
        high = min(low + 1, found.size - 1)
        out[item, pixel] = found[low] + (place - low) * (found[high] - found[low])


def residual_intervals(
    values: NDArray[np.floating],
    times: NDArray[np.floating],
    slope: NDArray[np.floating],
    probabilities: NDArray[np.floating],
    replicates: int,
    seed: int,
    block_length: int = 1,
    pixels: NDArray[np.integer] | None = None,
) -> Floats:
    """Return quantiles of the slope over bootstrap samples of residuals, drawn one by one or in moving blocks.

    Parameters
    ----------
    values : ndarray of float32 or float64, shape (time, pixels)
        NaN and infinite values are gaps.
    times : ndarray, shape (time,)
        Strictly increasing.
    slope : ndarray, shape (pixels,)
        Slope of the line that the residuals are taken from, and that they are added to again.
    probabilities : ndarray, shape (q,)
        For example (0.025, 0.975).
    replicates, seed, pixels
        As for `pairs_intervals`.
    block_length : int
        Neighbouring residuals that are drawn together.

    Returns
    -------
    ndarray of float64, shape (q, pixels)
        Quantiles by linear interpolation (type 7). NaN below two values.

    Examples
    --------
    >>> y = np.array([1.0, 3.0, 2.0, 5.0, 4.0, 6.0, 8.0, 7.0])[:, None]
    >>> low, high = residual_intervals(y, np.arange(8.0), np.array([0.9]), np.array([0.025, 0.975]), 1000, 1)[:, 0]
    >>> bool(0.5 < low < 0.9 < high < 1.3)
    True
    """
    block, t = np.asarray(values), as_floats(times)
    levels = as_floats(probabilities)
    out = np.full((levels.size, block.shape[1]), np.nan)
    slopes = as_floats(slope)
    ids = None if pixels is None else np.ascontiguousarray(pixels, dtype=np.uint64)
    for n, here in _by_number(block):
        own = np.zeros(0, np.uint64) if ids is None else ids[here]
        drawn = np.empty((replicates, n), np.int64)
        length = min(max(int(block_length), 1), n)
        for first in range(0, here.size, _AT_ONCE):
            some = slice(first, first + _AT_ONCE)
            y, own_times = _taken(block, t, here[some])
            rest = y - slopes[here[some]] * (own_times - own_times[0])
            found = _residual_slopes(rest, own_times, drawn, length, np.uint64(seed), own[some], first == 0)
            out[:, here[some]] = np.quantile(found, levels, axis=1) + slopes[here[some]]
    return out


@compiled
def _residual_slopes(
    rest: Floats, times: Floats, drawn: Ints, length: int, seed: np.uint64, own: NDArray[np.uint64], fresh: bool
) -> Floats:
    """Return the slope of each replicate of the residuals, shape (pixels, replicates), LANES replicates at a time."""
    replicates, n = drawn.shape
    y, slopes = columns(n), columns(n * (n - 1) // 2)
    s, tied, guess, median = np.empty(LANES), np.empty(LANES), np.empty(LANES), np.empty(LANES)
    pairs, found, t = np.empty(LANES), np.empty((rest.shape[1], replicates)), np.empty(n)
    pairs[:] = 0.5 * n * (n - 1.0)
    if own.size == 0 and fresh:
        _draw_blocks(stream(seed, np.uint64(n)), length, drawn)
    for pixel in range(rest.shape[1]):
        if own.size > 0:
            _draw_blocks(stream(seed + np.uint64(1), own[pixel]), length, drawn)
        for row in range(n):
            t[row] = times[row, pixel]
        for first in range(0, replicates, LANES):
            for row in range(n):
                for lane in range(LANES):
                    y[row, lane] = rest[drawn[min(first + lane, replicates - 1), row], pixel]
            compare(y, t, s, tied, slopes)
            least_squares(y, t, guess)
            medians(slopes, slopes.shape[0], pairs, guess, median)
            for lane in range(min(LANES, replicates - first)):
                found[pixel, first + lane] = median[lane]
    return found


@compiled
def _draw_blocks(start: np.uint64, length: int, drawn: Ints) -> None:
    """Draw which residual goes to which time: runs of `length` neighbours, cut off at the end."""
    replicates, n = drawn.shape
    firsts = np.empty((n + length - 1) // length, np.int64)
    for r in range(replicates):
        start = draw(start, n - length + 1, firsts)
        for row in range(n):
            drawn[r, row] = firsts[row // length] + row % length
