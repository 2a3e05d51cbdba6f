"""Random numbers of kernels, against the published generator."""

from __future__ import annotations

import numpy as np
from scipy import stats

from soilql.kernels.draws import draw, mixed, stream

STEP = 0x9E3779B97F4A7C15


def test_first_numbers_of_the_published_generator():
    # SplitMix64 seeded with 1234567, as Vigna's splitmix64.c prints it.
    expected = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    states = [(1234567 + k * STEP) % 2**64 for k in range(1, 6)]
    assert [int(mixed(np.uint64(state))) for state in states] == expected


def test_draws_are_even_and_streams_differ():
    counts, first = np.zeros(15), []
    for pixel in range(300):
        out = np.empty(100, np.int64)
        draw(np.uint64(stream(np.uint64(7), np.uint64(pixel))), 15, out)
        counts += np.bincount(out, minlength=15)
        first.append(tuple(out[:8]))
    assert stats.chisquare(counts).pvalue > 1e-4
    assert len(set(first)) == 300
