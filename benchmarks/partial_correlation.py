"""Partial correlations with six drivers, detrended: pixels per core-second beside numpy in batches and loops.

    python -m benchmarks.partial_correlation      15 times, medians of 7 rounds

The numpy peer inverts the covariance matrices of 5,000 pixels at a time. It is timed for the correlations alone, and
with the p-values that ours always gives.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtr

from benchmarks.timing import Way, machine, pixels_per_second, show, speedup_of_two_threads
from soilql.kernels.partial_correlation import partial_correlations

OURS = "soilql, kernel (r and p)"
TIMES, DRIVERS, PIXELS = 15, 6, 100_000


def batched(series: NDArray[np.floating], with_p: bool) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Return correlations of the first of the series (variables, time, pixels) with each other one, and p."""
    variables, n, pixels = series.shape
    t = np.arange(n) - (n - 1) / 2
    r = np.empty((variables - 1, pixels))
    for first in range(0, pixels, 5000):
        x = series[:, :, first : first + 5000].astype(np.float64)
        x -= x.mean(axis=1, keepdims=True)
        x -= t[None, :, None] * (np.einsum("vtp,t->vp", x, t) / (t @ t))[:, None, :]
        by_pixel = x.transpose(2, 0, 1)
        precision = np.linalg.inv(by_pixel @ by_pixel.transpose(0, 2, 1))
        root = np.sqrt(np.einsum("pii->pi", precision))
        r[:, first : first + 5000] = (-precision[:, 0, 1:] / (root[:, :1] * root[:, 1:])).T
    df = n - 2 - (variables - 2) - 1
    return r, 2 * stdtr(df, -np.abs(r) * np.sqrt(df / (1 - r * r))) if with_p else None


def _loop(series: NDArray[np.floating], pixels: int) -> list[NDArray[np.float64]]:
    t = np.arange(series.shape[1]) - (series.shape[1] - 1) / 2
    found = []
    for pixel in range(pixels):
        x = series[:, :, pixel].astype(np.float64)
        x = x - x.mean(axis=1, keepdims=True)
        x = x - np.outer(x @ t / (t @ t), t)
        precision = np.linalg.inv(pd.DataFrame(x.T).cov().to_numpy())
        root = np.sqrt(np.diag(precision))
        found.append(-precision[0, 1:] / (root[0] * root[1:]))
    return found


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.partial_correlation", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=7, help="take the median of so many")
    rounds = parser.parse_args().rounds
    print(machine())
    series = np.random.default_rng(0).standard_normal((DRIVERS + 1, TIMES, PIXELS))
    series[0] += 0.5 * series[1] - 0.4 * series[2]
    series[3] += 0.6 * series[1]
    years = np.arange(2001.0, 2001.0 + TIMES)
    expected = batched(series[:, :, :5000], with_p=True)
    found = partial_correlations(series[0, :, :5000], series[1:, :, :5000], years, True)
    np.testing.assert_allclose(found.r, expected[0], atol=1e-11)
    np.testing.assert_allclose(found.p, expected[1], rtol=1e-7)
    for dtype in (np.float64, np.float32):
        x = series.astype(dtype)
        ways = [
            Way(OURS, lambda x=x: partial_correlations(x[0], x[1:], years, True), PIXELS),
            Way("numpy, inverse in batches (r only)", lambda x=x: batched(x, with_p=False), PIXELS),
            Way("numpy, inverse in batches (r and p)", lambda x=x: batched(x, with_p=True), PIXELS),
            Way("pandas covariance and inverse, loop (r only)", lambda x=x: _loop(x, 300), 300),
        ]
        show(f"{TIMES} times, {DRIVERS} drivers, detrended, {dtype.__name__}", pixels_per_second(ways, rounds), OURS)
    half = PIXELS // 2

    def part(which: int) -> object:
        some = slice(which * half, (which + 1) * half)
        return partial_correlations(series[0, :, some], series[1:, :, some], years, True)

    print(f"  two threads finish {speedup_of_two_threads(part, rounds):.2f} times as soon as one")


if __name__ == "__main__":
    main()
