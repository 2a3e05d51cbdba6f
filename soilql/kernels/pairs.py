"""What follows from comparing all pairs of times, for LANES pixels at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from soilql.kernels.compiling import compiled
from soilql.kernels.lanes import LANES

Floats = NDArray[np.float64]


@compiled
def compare(y: Floats, times: Floats, s: Floats, tied: Floats, slopes: Floats) -> None:
    """Compare the values of all pairs of times.

    Parameters
    ----------
    y : ndarray, shape (at least time, LANES)
        Columns, NaN for gaps.
    times : ndarray, shape (time,)
        Strictly increasing.
    s, tied : ndarray, shape (LANES,)
        Output: Kendall's S, and the number of pairs of equal values.
    slopes : ndarray, shape (at least time (time - 1)/2, LANES)
        Output: slope of each pair; NaN where one of the two is missing.
    """
    for lane in range(LANES):
        s[lane], tied[lane] = 0.0, 0.0
    pair = 0
    for early in range(times.size):
        for late in range(early + 1, times.size):
            span = times[late] - times[early]
            for lane in range(LANES):
                step = y[late, lane] - y[early, lane]
                s[lane] += (1.0 if step > 0.0 else 0.0) - (1.0 if step < 0.0 else 0.0)
                tied[lane] += 1.0 if step == 0.0 else 0.0
                slopes[pair, lane] = step / span
            pair += 1


@compiled
def least_squares(y: Floats, times: Floats, slope: Floats) -> None:
    """Return least-squares slopes, a good first guess of the median of slopes; NaN for columns with gaps.

    Parameters
    ----------
    y : ndarray, shape (at least time, LANES)
    times : ndarray, shape (time,)
    slope : ndarray, shape (LANES,)
        Output.
    """
    mean, spread = 0.0, 0.0
    for t in times:
        mean += t / times.size
    for t in times:
        spread += (t - mean) * (t - mean)
    for lane in range(LANES):
        slope[lane] = 0.0
    for row in range(times.size):
        weight = (times[row] - mean) / spread
        for lane in range(LANES):
            slope[lane] += weight * y[row, lane]
