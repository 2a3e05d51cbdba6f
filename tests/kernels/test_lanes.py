"""Order statistics of columns, against sorting."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from soilql.kernels.lanes import GROUP, LANES, columns, load, medians, select

KINDS = ("normal", "heavy", "ties", "clusters", "constant")


def drawn(rng: np.random.Generator, kind: str, size: int) -> np.ndarray:
    if kind == "heavy":
        return rng.standard_cauchy(size) ** 3
    if kind == "ties":
        return rng.integers(-2, 3, size).astype(float)
    if kind == "clusters":
        return rng.integers(0, 2, size) * 1e6 + rng.integers(0, 3, size) * 1e-9
    return np.full(size, -0.1) if kind == "constant" else rng.standard_normal(size)


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.integers(1, 120))
def test_values_of_any_rank(seed, most):
    rng = np.random.default_rng(seed)
    buffer = columns(most)
    assert buffer.shape[0] % GROUP == 0
    size, rank, guess = np.zeros(LANES), np.empty(LANES), rng.standard_normal(LANES)
    guess[rng.random(LANES) < 0.3] = np.nan
    kept = []
    for lane in range(LANES):
        number = int(rng.integers(0, most + 1))
        places = rng.permutation(most)[:number]
        values = drawn(rng, KINDS[lane % len(KINDS)], number)
        buffer[places, lane] = values
        size[lane], rank[lane] = number, rng.integers(-1, most + 1)
        kept.append(np.append(np.sort(values), np.inf))
    lower, upper = np.empty(LANES), np.empty(LANES)
    select(buffer, buffer.shape[0], size, rank, guess, lower, upper)
    for lane in range(LANES):
        k = int(rank[lane])
        if 0 <= k < size[lane]:
            assert (lower[lane], upper[lane]) == (kept[lane][k], kept[lane][k + 1])
        else:
            assert np.isnan(lower[lane])
            assert np.isnan(upper[lane])
    middle = np.empty(LANES)
    medians(buffer, buffer.shape[0], size, guess, middle)
    expected = [np.median(values[:-1]) if values.size > 1 else np.nan for values in kept]
    np.testing.assert_allclose(middle, expected, rtol=1e-15)


def test_neighbouring_numbers_are_told_apart():
    ladder = np.nextafter(1.0, 2.0) - 1.0
    buffer, number = columns(33), 33
    buffer[:number] = (1.0 + ladder * np.arange(number))[::-1, None]
    lower, upper, rank = np.empty(LANES), np.empty(LANES), np.arange(LANES, dtype=float)
    select(buffer, buffer.shape[0], np.full(LANES, 33.0), rank, np.full(LANES, np.nan), lower, upper)
    np.testing.assert_array_equal(lower[:33], 1.0 + ladder * np.arange(33))


def test_load_fills_up_with_nan():
    y, n = columns(3), np.empty(LANES)
    load(np.array([[1.0, np.inf], [2.0, 5.0], [np.nan, 6.0]]), 0, 2, y, n)
    assert n[:3].tolist() == [2.0, 2.0, 0.0]
    np.testing.assert_array_equal(y[:3, :2], [[1.0, np.nan], [2.0, 5.0], [np.nan, 6.0]])
    assert np.isnan(y[:, 2:]).all()
