"""Intervals of Theil and Sen's slope from 1,000 bootstrap samples: pixels per core-second beside a loop over SciPy.

    python -m benchmarks.bootstrap                15 and 40 times, medians of 5 rounds

The peer calls `scipy.stats.theilslopes` on each sample of pairs, for one pixel a round.
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmarks.timing import Way, machine, pixels_per_second, show
from soilql.stats.theil_sen_bootstrap import slope_intervals

REPLICATES = 1000
OURS = "soilql, pairs, shared samples"
SIZES = {15: 8000, 40: 2000}


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bootstrap", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="take the median of so many")
    rounds = parser.parse_args().rounds
    print(machine())
    for n, pixels in SIZES.items():
        values, times = np.random.default_rng(n).standard_normal((n, pixels)), np.arange(2001.0, 2001.0 + n)
        few = pixels // 20
        ways = [
            Way(OURS, lambda v=values, t=times: slope_intervals(v, t), pixels),
            Way(
                "soilql, pairs, samples of its own",
                lambda v=values, t=times, k=few: slope_intervals(v[:, :k], t, shared=False),
                few,
            ),
            Way(
                "soilql, residuals, shared samples",
                lambda v=values, t=times, k=few: slope_intervals(v[:, :k], t, method="residual"),
                few,
            ),
            Way("scipy, loop over samples of pairs", lambda v=values, t=times: _by_scipy(v[:, 0], t), 1),
        ]
        rates = pixels_per_second(ways, rounds)
        show(f"{n} times, {REPLICATES:,} samples", rates, OURS)


def _by_scipy(values: NDArray[np.float64], times: NDArray[np.float64]) -> NDArray[np.float64]:
    rng = np.random.default_rng(0)
    slopes = []
    for _ in range(REPLICATES):
        drawn = rng.integers(0, times.size, times.size)
        slopes.append(stats.theilslopes(values[drawn], times[drawn]).slope)
    return np.quantile(slopes, [0.025, 0.975])


if __name__ == "__main__":
    main()
