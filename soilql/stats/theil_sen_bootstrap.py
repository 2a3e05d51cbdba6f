"""Bootstrap intervals of Theil and Sen's slope, for one series or every pixel of a map.

References
----------
Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 9 (pairs and residuals). Künsch (1989), The
jackknife and the bootstrap for general stationary observations, Annals of Statistics 17, 1217-1241,
doi:10.1214/aos/1176347265 (moving blocks).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from soilql.stats.checks import choice, fail, fractions, whole_number
from soilql.stats.mann_kendall import increasing

Floats = NDArray[np.float64]
BOOTSTRAPS = ("residual", "pairs", "block")


def slope_intervals(
    values: ArrayLike,
    times: ArrayLike,
    *,
    method: str = "pairs",
    level: float = 0.95,
    replicates: int = 1000,
    seed: int = 0,
    shared: bool = True,
    pixels: ArrayLike | None = None,
    block_length: int | None = None,
) -> tuple[Floats, Floats]:
    """Return percentile intervals of Theil and Sen's slope.

    Parameters
    ----------
    values : array_like, shape (time, ...)
        A series a pixel; NaN and infinite values are gaps.
    times : array_like, shape (time,)
        Strictly increasing.
    method : {"pairs", "residual", "block"}
        What is drawn with replacement: (time, value) pairs; residuals from the line, put back onto it; or runs of
        neighbouring residuals, which keep their autocorrelation.
    level : float
        Probability of the interval: the quantiles (1 - level)/2 and (1 + level)/2 (type 7) of the replicates.
    replicates : int
        Bootstrap samples.
    seed : int
        Of the random numbers, 0 or above.
    shared : bool
        Whether all pixels with equally many values use the same samples. Each interval is as good as with samples of
        its own, and several times faster; but the Monte Carlo errors of pixels are then correlated, so that sums of
        interval ends over an area do not average them out.
    pixels : array_like of int, shape (...), optional
        A number that is a pixel's own on the whole map, needed when not shared, so that blocks leave no trace. Default:
        0, 1, 2, ... in the order of the array.
    block_length : int, optional
        Residuals in a run; the cube root of the number of times, and at least 2, unless given.

    Returns
    -------
    lower, upper : ndarray, shape (...)
        NaN below two values.

    Raises
    ------
    SoilqlError
        SQ811 for shapes that do not match, SQ813 for options out of range.

    Examples
    --------
    >>> rising = [1.0, 3.0, 2.0, 5.0, 4.0, 6.0, 8.0, 7.0]
    >>> lower, upper = slope_intervals(rising, range(8), seed=1)
    >>> bool(lower > 0.4), bool(upper < 1.5)
    (True, True)
    """
    from soilql.kernels.bootstrap import pairs_intervals, residual_intervals
    from soilql.kernels.mann_kendall import mann_kendall_theil_sen

    choice(method, BOOTSTRAPS, "bootstrap")
    share = float(fractions(level, "level", open_ends=True)[0])
    whole_number(replicates, "replicates", 2)
    whole_number(seed, "seed", 0)
    series = np.asarray(values)
    if series.ndim < 1:
        fail("SQ811", "values need a time axis, shape (time, ...)")
    t = increasing(times, series.shape[0])
    flat = series.reshape(series.shape[0], -1)
    own = None if shared else np.arange(flat.shape[1]) if pixels is None else np.asarray(pixels).reshape(-1)
    if own is not None and own.shape != (flat.shape[1],):
        fail("SQ811", f"`pixels` has {own.size} numbers for {flat.shape[1]} pixels")
    ends = np.array([0.5 - 0.5 * share, 0.5 + 0.5 * share])
    if method == "pairs":
        found = pairs_intervals(flat, t, ends, replicates, seed, own)
    else:
        length = 1 if method == "residual" else default_block(series.shape[0]) if block_length is None else block_length
        whole_number(length, "block length", 1)
        slope = mann_kendall_theil_sen(flat, t).slope
        found = residual_intervals(flat, t, slope, ends, replicates, seed, length, own)
    lower, upper = found.reshape(2, *series.shape[1:])
    return lower, upper


def default_block(times: int) -> int:
    """Return the cube root of the number of times, rounded, and at least 2 (Künsch 1989).

    Examples
    --------
    >>> default_block(15), default_block(125)
    (2, 5)
    """
    return max(2, round(float(np.cbrt(times))))
