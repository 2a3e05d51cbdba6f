"""Mann-Kendall with Theil and Sen's slope: pixels per core-second beside skyborn, batched numpy and pymannkendall.

    python -m benchmarks.trend                    15 and 40 times, medians of 7 rounds
    python -m benchmarks.trend --rounds 5

`skyborn` comes with `pip install '.[bench]'`; without it the table goes without that row. The numpy peer sorts the
slopes of all pairs of a block of pixels; scipy and pymannkendall are timed on a few pixels.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pymannkendall
from numpy.typing import NDArray
from scipy import stats
from scipy.special import ndtr

from benchmarks.timing import Way, machine, pixels_per_second, show, speedup_of_two_threads
from soilql.kernels.mann_kendall import mann_kendall_theil_sen
from soilql.stats.trend import trends

try:
    from skyborn.calc import mann_kendall_multidim
except ImportError:
    mann_kendall_multidim = None

OURS = "soilql, kernel (test, line, lag-1)"
SIZES = {15: 100_000, 40: 20_000}


def batched(values: NDArray[np.float64], times: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return p and slope of complete series without ties, 2,000 pixels at a time."""
    early, late = np.triu_indices(times.size, 1)
    span = (times[late] - times[early])[:, None]
    n = times.size
    deviation = np.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    p, slope = np.empty(values.shape[1]), np.empty(values.shape[1])
    for first in range(0, values.shape[1], 2000):
        some = slice(first, first + 2000)
        step = values[late, some] - values[early, some]
        s = np.sign(step).sum(axis=0)
        p[some] = 2 * ndtr(-np.maximum(np.abs(s) - 1, 0) / deviation)
        slope[some] = np.median(step / span, axis=0)
    return p, slope


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trend", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7, help="take the median of so many")
    rounds = parser.parse_args().rounds
    print(machine())
    for n, pixels in SIZES.items():
        for dtype in (np.float64, np.float32):
            _one(n, pixels, dtype, rounds)


def _one(n: int, pixels: int, dtype: type[np.floating], rounds: int) -> None:
    values = np.random.default_rng(n).standard_normal((n, pixels)).astype(dtype)
    times, few = np.arange(2001.0, 2001.0 + n), 100
    ways = [
        Way(OURS, lambda: mann_kendall_theil_sen(values, times), pixels),
        Way("soilql, trends() with exact p", lambda: trends(values, times), pixels),
        Way("numpy, batches of all pairs", lambda: batched(values[:, :4000].astype(np.float64), times), 4000),
        Way("scipy, loop", lambda: [_by_scipy(values[:, k], times) for k in range(few)], few),
        Way("pymannkendall, loop", lambda: [pymannkendall.original_test(values[:, k]) for k in range(few)], few),
    ]
    if mann_kendall_multidim is not None:
        ways.insert(2, Way("skyborn", lambda: mann_kendall_multidim(values), pixels))
        peer = mann_kendall_multidim(values[:, :500])
        found = mann_kendall_theil_sen(values[:, :500], times)
        # skyborn may keep single precision.
        np.testing.assert_allclose(found.slope, peer["trend"], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(found.p, peer["p"], rtol=1e-4)
    show(f"{n} times, {dtype.__name__}", pixels_per_second(ways, rounds), OURS)
    half = pixels // 2
    gain = speedup_of_two_threads(
        lambda part: mann_kendall_theil_sen(values[:, part * half : (part + 1) * half], times), rounds
    )
    print(f"  two threads finish {gain:.2f} times as soon as one")


def _by_scipy(values: NDArray[np.floating], times: NDArray[np.float64]) -> tuple[object, object]:
    return stats.kendalltau(times, values), stats.theilslopes(values, times)


if __name__ == "__main__":
    main()
