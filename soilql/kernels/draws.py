"""Random numbers that depend on a seed and a pixel alone, so that neither blocks nor threads leave a trace.

The generator is SplitMix64, whose state is a counter: a stream may start anywhere.

References
----------
Steele, Lea and Flood (2014), Fast splittable pseudorandom number generators, OOPSLA, doi:10.1145/2660193.2660195.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from soilql.kernels.compiling import compiled

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


@compiled
def mixed(x: np.uint64) -> np.uint64:
    """Return a number that looks unrelated to its neighbours'.

    Examples
    --------
    The first output of the published generator, seeded with 0:

    >>> hex(mixed(_STEP))
    '0xe220a8397b1dcdaf'
    """
    x = (x ^ (x >> np.uint64(30))) * _FIRST
    x = (x ^ (x >> np.uint64(27))) * _SECOND
    return x ^ (x >> np.uint64(31))


@compiled
def stream(seed: np.uint64, pixel: np.uint64) -> np.uint64:
    """Return where the stream of a pixel starts."""
    return mixed(mixed(seed + _STEP) + pixel * _STEP)


@compiled
def draw(state: np.uint64, choices: int, out: NDArray[np.int64]) -> np.uint64:
    """Fill a vector with whole numbers below `choices`, each as likely; return where the stream goes on."""
    for item in range(out.size):
        state = state + _STEP
        high = mixed(state) >> np.uint64(32)
        out[item] = np.int64((high * np.uint64(choices)) >> np.uint64(32))
    return state
