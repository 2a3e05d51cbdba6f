"""Bootstrap intervals of Theil and Sen's slope for every pixel of a block.

Drawing pairs: the replicate's slope is a weighted median of the slopes of the sample, where the pair of times i and j
weighs c_i c_j if they were drawn c_i and c_j times. So the slopes of a pixel are sorted once, and the weights of all
replicates are added up side by side, four pairs at a time, before each looks for its median in the four that have it.
Drawing residuals: replicates are lanes.
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
_AT_ONCE = 512
"""Pixels whose slopes are held at a time."""
_RUN = 4
"""Pairs whose weights are added up before it is asked whether the median has been passed."""


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
        weights = _shared_weights(n, replicates, seed, pixels is None)
        halves = np.empty((2, replicates), _sum_type(n))
        for first in range(0, here.size, _AT_ONCE):
            some = slice(first, first + _AT_ONCE)
            slopes, keys = _keyed_slopes(*_taken(block, t, here[some]))
            keys.sort(axis=1)
            _pairs_intervals(slopes, keys, n, weights, halves, np.uint64(seed), own[some], levels, here[some], out)
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


def _shared_weights(n: int, replicates: int, seed: int, shared: bool) -> Weights:
    """Return the weight of each pair of times in each replicate, and a row of zeros; room for them if not shared."""
    weights = np.zeros((n * (n - 1) // 2 + 1, replicates), _sum_type(n))
    if not shared:
        return weights
    _draw_weights(np.uint64(seed), np.uint64(n), n, weights)
    # Of many times, hardly a pair is drawn so often that its weight needs more than a byte.
    return weights.astype(np.uint8) if weights.max() < 2**8 else weights


def _sum_type(n: int) -> type[np.unsignedinteger]:
    """Return the smallest type that holds n (n - 1)/2, which all weights of a sample cannot exceed in sum."""
    most = n * (n - 1) // 2
    return np.uint8 if most < 2**8 else np.uint16 if most < 2**16 else np.uint32


@compiled
def _bits(pairs: int) -> int:
    """Return how many binary digits hold the number of a pair."""
    bits = 0
    while (1 << bits) < pairs:
        bits += 1
    return bits


@compiled
def _keyed_slopes(y: Floats, t: Floats) -> tuple[Floats, Ints]:
    """Return the slopes of all pairs and integers in the same order, the pair's number as their last digits.

    Both are of shape (pixels, pairs). Sorting such keys is several times as fast as sorting places by their slopes. The
    number takes the place of the last binary digits, 10 of 52 for 40 times: slopes that agree to 2e-13 stand in the
    order of their pairs.
    """
    n, pixels = y.shape
    pairs = n * (n - 1) // 2
    slopes, keys = np.empty((pixels, pairs)), np.empty((pixels, pairs), np.int64)
    clear, whole = ~((np.int64(1) << _bits(pairs)) - 1), slopes.view(np.int64)
    for pixel in range(pixels):
        pair = 0
        for early in range(n):
            for late in range(early + 1, n):
                slopes[pixel, pair] = (y[late, pixel] - y[early, pixel]) / (t[late, pixel] - t[early, pixel])
                pair += 1
        for pair in range(pairs):
            # Numbers below zero have their sign and their size, and go backwards as integers.
            digits = whole[pixel, pair]
            keys[pixel, pair] = ((digits ^ ((digits >> 63) & np.int64(0x7FFFFFFFFFFFFFFF))) & clear) | pair
    return slopes, keys


@compiled
def _pairs_intervals(
    slopes: Floats,
    keys: Ints,
    n: int,
    weights: Weights,
    halves: Weights,
    seed: np.uint64,
    own: NDArray[np.uint64],
    levels: Floats,
    here: NDArray[np.intp],
    out: Floats,
) -> None:
    """Fill the quantiles of pixels that have n values, from their slopes and the keys of these in order.

    The last row of the weights, of no pair, is 0: pairs are added up in runs of `_RUN`, the last filled up with it.
    """
    pairs, replicates = slopes.shape[1], weights.shape[1]
    state = np.empty((4, replicates), halves.dtype)
    found, starts = np.empty(replicates), np.empty(2 * pairs + 1, np.int64)
    ordered, order = np.empty(pairs), np.full(-(-pairs // _RUN) * _RUN, pairs)
    number = (np.int64(1) << _bits(pairs)) - 1
    if own.size == 0:
        _halves(weights, halves)
    for index in range(here.size):
        if own.size > 0:
            _draw_weights(seed + np.uint64(1), own[index], n, weights)
            _halves(weights, halves)
        for place in range(pairs):
            order[place] = keys[index, place] & number
            ordered[place] = slopes[index, order[place]]
        _find_runs(weights, order, halves, state)
        _find_places(weights, order, halves, state)
        _in_order(ordered, state, starts, found)
        _quantiles(found, levels, here[index], out)


@compiled
def _draw_weights(seed: np.uint64, number: np.uint64, n: int, weights: Weights) -> None:
    """Draw the samples of a numbered stream: the weight of each pair of times in each replicate."""
    start = stream(seed, number)
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
        for pair in range(weights.shape[0] - 1):
            total += weights[pair, r]
        halves[0, r], halves[1, r] = (total - 1) // 2, total // 2


@compiled
def _find_runs(weights: Weights, order: Ints, halves: Weights, state: Weights) -> None:
    """Add up the weights in the order of the slopes, a run at a time, up to where all replicates have their medians.

    Row 1 of the state becomes the number of runs before the lower of the two middle weights, row 2 their sum.
    """
    kind = halves.dtype.type
    replicates = weights.shape[1]
    more = state[3]
    for r in range(replicates):
        state[0, r] = state[1, r] = state[2, r] = 0
    under_way = 0
    for first in range(0, order.size, _RUN):
        # Rows of their own, and few of them, are what the compiler can tell apart, and so put into vectors.
        a, b = weights[order[first]], weights[order[first + 1]]
        c, d = weights[order[first + 2]], weights[order[first + 3]]
        for r in range(replicates):
            more[r] = kind(a[r] + b[r] + c[r] + d[r])
        for r in range(replicates):
            total = kind(state[0, r] + state[3, r])
            before = kind(total <= halves[0, r])
            state[0, r] = total
            state[1, r] = kind(state[1, r] + before)
            state[2, r] = kind(state[2, r] + kind(before * state[3, r]))
        # Sums only grow: a replicate that has passed its median has passed it for good.
        while under_way < replicates and state[0, under_way] > halves[0, under_way]:
            under_way += 1
        if under_way == replicates:
            break


@compiled
def _find_places(weights: Weights, order: Ints, halves: Weights, state: Weights) -> None:
    """Replace rows 1 and 2 of the state by the places in the order at which the two middle weights lie."""
    for r in range(weights.shape[1]):
        first, total = np.int64(state[1, r]) * _RUN, np.int64(state[2, r])
        low, high = first, first
        # Going through the whole run is faster than stopping at a place that no processor can foresee.
        for step in range(_RUN):
            total += weights[order[first + step], r]
            low += np.int64(total <= halves[0, r])
            high += np.int64(total <= halves[1, r])
        while total <= halves[1, r]:
            total += weights[order[high], r]
            high += np.int64(total <= halves[1, r])
        state[1, r], state[2, r] = low, high


@compiled
def _in_order(slopes: Floats, state: Weights, starts: Ints, found: Floats) -> None:
    """Fill `found` with the replicates' slopes in order: some are one of the slopes, others lie between two.

    Counted into boxes, one for each slope and one for what lies above it, they are nearly in order.
    """
    replicates = found.size
    starts[:] = 0
    for r in range(replicates):
        low, high = np.int64(state[1, r]), np.int64(state[2, r])
        starts[2 * low + np.int64(low != high) + 1] += 1
    for box in range(1, starts.size):
        starts[box] += starts[box - 1]
    for r in range(replicates):
        low, high = np.int64(state[1, r]), np.int64(state[2, r])
        here = 2 * low + np.int64(low != high)
        found[starts[here]] = 0.5 * slopes[low] + 0.5 * slopes[high]
        starts[here] += 1
    for r in range(1, replicates):
        slope, place = found[r], r
        while place > 0 and found[place - 1] > slope:
            found[place] = found[place - 1]
            place -= 1
        found[place] = slope


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
