"""The performance metric of variable selection, and the choice of the best with its rule for ties."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soilql.errors import SoilqlError
from soilql.stats.selection import choose, phi

# Reference (exact): (RMSE, R2, n) = (250, .40, 100), (270, .35, 140), (240, .45, 60).
RMSE, R2, N = [250, 270, 240], [0.40, 0.35, 0.45], [100, 140, 60]


def test_three_candidates_of_the_reference() -> None:
    assert phi(RMSE, R2, N).round(6).tolist() == [0.819365, 0.916667, 0.714286]
    # By hand in fractions: Eq. 5 with weights 1/4, 1/4, 1/2.
    exact = [
        Fraction(240, rmse) / 4 + Fraction(r2, 45) / 4 + Fraction(n, 140) / 2
        for rmse, r2, n in zip(RMSE, [40, 35, 45], N, strict=True)
    ]
    assert phi(RMSE, R2, N).tolist() == pytest.approx([float(value) for value in exact], rel=1e-15)
    assert choose(phi(RMSE, R2, N)).best == 1


def test_other_weights() -> None:
    assert choose(phi(RMSE, R2, N, (0.5, 0.5, 0.0))).best == 2
    assert phi(RMSE, R2, N, (0, 0, 1)).tolist() == pytest.approx([100 / 140, 1, 60 / 140])


def test_a_single_candidate_has_the_sum_of_the_weights() -> None:
    assert phi([300], [0.01], [7], (1, 2, 3)).tolist() == [6.0]


def test_perfect_fits_are_the_best_and_not_undefined() -> None:
    assert phi([0, 0, 10], [1, 1, 0.5], [10, 10, 10]).tolist() == [1.0, 1.0, 0.625]


@pytest.mark.parametrize("r2", [[0.0, -0.1, 0.0], [-0.5, -0.2, -0.3]])
def test_no_candidate_that_explains_anything_is_an_error_that_says_so(r2: list[float]) -> None:
    with pytest.raises(SoilqlError, match="no candidate explains anything"):
        phi(RMSE, r2, N)
    assert phi(RMSE, r2, N, (0.5, 0.0, 0.5)).shape == (3,)


def test_a_candidate_worse_than_the_mean_among_others() -> None:
    # 1/4 + 1/4 + 1/2 and 1/4 * 1/2 - 1/4 * 1/2 + 1/2, by hand.
    assert phi([100, 200], [0.2, -0.1], [50, 50]).tolist() == pytest.approx([1.0, 0.5])


@pytest.mark.parametrize(
    ("rmse", "r2", "n", "weights"),
    [
        ([1.0], [0.5, 0.4], [1, 2], (1, 1, 1)),
        ([-1.0], [0.5], [1], (1, 1, 1)),
        ([1.0], [0.5], [0], (1, 1, 1)),
        ([1.0], [np.nan], [1], (1, 1, 1)),
        ([1.0], [0.5], [1], (1, 1)),
        ([1.0], [0.5], [1], (-1, 1, 1)),
        ([1.0], [0.5], [1], (0, 0, 0)),
        ([], [], [], (1, 1, 1)),
    ],
)
def test_arguments_without_meaning(
    rmse: list[float], r2: list[float], n: list[int], weights: tuple[float, ...]
) -> None:
    with pytest.raises(SoilqlError, match=r"SQ81[123]"):
        phi(rmse, r2, n, weights)


CANDIDATES = st.lists(
    st.tuples(st.floats(1e-3, 1e3), st.floats(0.01, 0.99), st.integers(2, 500)), min_size=1, max_size=8
)


@given(CANDIDATES, st.floats(1e-8, 1e8))
def test_unit_of_the_response_and_order_do_not_matter(found: list[tuple[float, float, int]], scale: float) -> None:
    rmse, r2, n = (np.array(values) for values in zip(*found, strict=True))
    one = phi(rmse, r2, n)
    assert one.max() <= 1.0 + 1e-12
    assert phi(rmse * scale, r2, n) == pytest.approx(one, rel=1e-9)
    assert phi(rmse[::-1], r2[::-1], n[::-1])[::-1] == pytest.approx(one, rel=1e-12)


def test_ties_go_by_the_further_scores_and_at_last_to_the_first() -> None:
    assert choose([0.5, 0.9, 0.9 + 1e-15], [[1, 60, 100]]) == choose([0.5, 0.9, 0.9], [[1, 60, 100]])
    found = choose([0.5, 0.9, 0.9], [[1, 60, 100]])
    assert (found.best, found.tied) == (2, (1,))
    found = choose([0.9, 0.9, 0.9], [[1, 2, 2], [7, 3, 3]])
    assert (found.best, found.tied) == (1, (0, 2))
    assert choose([3.0, 1.0]).tied == ()


def test_a_hopeless_candidate_makes_no_ties_among_the_others() -> None:
    found = choose([-1e14, -610.4, -557.2])
    assert (found.best, found.tied) == (2, ())
