"""Mann-Kendall's test of one series, against R, SciPy, pymannkendall and counting."""

from __future__ import annotations

from collections import Counter
from itertools import permutations

import numpy as np
import pymannkendall
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from soilql.errors import SoilqlError
from soilql.stats.mann_kendall import EXACT_UP_TO, mann_kendall, normal_p, s_variance, tie_groups
from soilql.stats.mann_kendall_exact import exact_distribution, exact_p, exact_table
from tests.stats.nile import FIRST_15, NILE

TIED = st.lists(st.integers(-3, 3).map(float), min_size=3, max_size=30)
DISTINCT = st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=30, unique=True)


def test_first_years_of_the_nile_as_r_has_them():
    # R 4.2: trend::mk.test and Kendall::MannKendall of Nile[1:15].
    test = mann_kendall(FIRST_15, p_value="normal")
    assert (test.n, test.s, test.distribution) == (15, -20, "normal")
    assert test.var_s == pytest.approx(404.6667, abs=5e-5)
    assert test.z == pytest.approx(-0.944506, abs=5e-7)
    assert test.p == pytest.approx(0.344911, abs=5e-7)
    assert test.tau == pytest.approx(-0.193257, abs=5e-7)


def test_exact_tails_of_fifteen_values():
    # Tables of Kendall (1975) are of the exact distribution; the normal one gives .04776 and .01007.
    assert exact_p(41, 15) == pytest.approx(0.04629, abs=5e-6)
    assert exact_p(-53, 15) == pytest.approx(0.00827, abs=5e-6)
    assert normal_p([41, 53], s_variance(15)) == pytest.approx([0.04776, 0.01007], abs=5e-6)


@pytest.mark.parametrize("values", [(1, 2, 3, 4), (1, 1, 2, 3, 3, 3), (1, 1, 1, 2), (1, 1, 2, 2, 3, 4), (2, 2, 2)])
def test_exact_distribution_is_that_of_all_orders(values):
    found: Counter[int] = Counter()
    for order in permutations(values):
        found[sum(int(np.sign(b - a)) for i, a in enumerate(order) for b in order[i + 1 :])] += 1
    s, probability = exact_distribution(len(values), tie_groups(values))
    assert {k: v / sum(found.values()) for k, v in found.items()} == pytest.approx(
        {int(k): p for k, p in zip(s, probability, strict=True) if p}, abs=1e-15
    )


@pytest.mark.parametrize(("n", "ties"), [(9, ()), (20, (4, 3, 2)), (40, ()), (60, (30, 30)), (100, (2, 2))])
def test_exact_distribution_has_the_moments_of_kendall(n, ties):
    s, probability = exact_distribution(n, ties)
    assert probability.sum() == pytest.approx(1, abs=1e-12)
    assert float(probability @ s**2) == pytest.approx(s_variance(n, ties), rel=1e-10)
    np.testing.assert_array_equal(probability, probability[::-1])


@given(DISTINCT)
def test_exact_p_without_ties_is_that_of_scipy(values):
    test = mann_kendall(values, p_value="exact")
    ours = stats.kendalltau(np.arange(len(values)), values, method="exact")
    assert test.p == pytest.approx(ours.pvalue, rel=1e-10)


@given(TIED)
def test_tau_and_normal_p_with_ties_are_those_of_the_peers(values):
    test = mann_kendall(values, p_value="normal")
    if len(set(values)) == 1:
        assert (test.s, test.var_s, test.p, np.isnan(test.tau)) == (0, 0.0, 1.0, True)
        return
    assert test.tau == pytest.approx(stats.kendalltau(np.arange(len(values)), values).statistic, abs=1e-12)
    peer = pymannkendall.original_test(values)
    assert (test.s, test.var_s, test.p) == pytest.approx((peer.s, peer.var_s, peer.p), rel=1e-12)


@given(TIED)
def test_both_sides_meet_at_what_was_found(values):
    up, down = (mann_kendall(values, alternative=side, p_value="exact").p for side in ("increasing", "decreasing"))
    mirrored = mann_kendall([-v for v in values], alternative="increasing", p_value="exact").p
    assert down == pytest.approx(mirrored, rel=1e-12)
    s, probability = exact_distribution(len(values), tie_groups(values))
    here = float(probability[s == mann_kendall(values).s].sum())
    assert up + down == pytest.approx(1 + here, abs=1e-12)


def test_one_side_of_the_normal_distribution():
    assert normal_p([10.0], [100.0], "increasing") == pytest.approx(stats.norm.sf([0.9]))
    assert normal_p([10.0], [100.0], "decreasing") == pytest.approx(stats.norm.sf([-1.1]))


@given(DISTINCT, st.floats(0.1, 10))
def test_only_the_order_of_values_counts(values, power):
    grown = np.cbrt(np.array(values)) * 1e-8
    if len(set(grown.tolist())) == len(values):
        assert mann_kendall(grown) == mann_kendall(values)


@given(TIED, st.data())
def test_gaps_are_left_out(values, data):
    places = data.draw(st.lists(st.integers(0, len(values)), max_size=5))
    wide = list(values)
    for place in sorted(places, reverse=True):
        wide.insert(place, data.draw(st.sampled_from([float("nan"), float("inf")])))
    # As text, in which NaN equals itself.
    assert repr(mann_kendall(wide)) == repr(mann_kendall(values))


def test_auto_is_exact_up_to_its_limit():
    assert mann_kendall(NILE[:EXACT_UP_TO]).distribution == "exact"
    assert mann_kendall(NILE[: EXACT_UP_TO + 1]).distribution == "normal"
    assert mann_kendall(NILE[: EXACT_UP_TO + 1], p_value="exact").distribution == "exact"


def test_normal_p_near_five_percent_is_off_by_no_more_than_said_at_the_limit():
    table, var = exact_table(EXACT_UP_TO), s_variance(EXACT_UP_TO)
    # S has the parity of the number of pairs, here even.
    s = np.arange(0, table.size, 2)
    near = (table[s] > 0.03) & (table[s] < 0.07)
    assert near.sum() > 10
    assert np.abs(normal_p(s, var) - table[s])[near].max() < 1.1e-3


def test_a_single_value_has_no_test():
    assert np.isnan(mann_kendall([1.0, np.nan]).p)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"values": [[1.0, 2.0]]}, "a series has shape"),
        ({"values": [1.0, 2.0], "times": [1.0]}, "`times` has shape"),
        ({"values": [1.0, 2.0], "times": [2.0, 1.0]}, "increase"),
        ({"values": [1.0, 2.0], "p_value": "permutation"}, "unknown p-value"),
        ({"values": [1.0, 2.0], "alternative": "up"}, "unknown alternative"),
    ],
)
def test_what_is_no_series_is_refused(arguments, words):
    with pytest.raises(SoilqlError, match=words):
        mann_kendall(**arguments)


def test_groups_that_do_not_fit_are_refused():
    with pytest.raises(SoilqlError, match="do not fit"):
        exact_distribution(3, (2, 2))


@settings(max_examples=20)
@given(st.integers(3, 40))
def test_tail_table_falls(n):
    table = exact_table(n)
    assert table[0] == 1
    assert np.all(np.diff(table) <= 0)
    assert table[-1] > 0
