"""Folds: sizes, groups kept whole, independence of the order of rows."""

import numpy as np
import pytest

from soilql.errors import SoilqlError
from soilql.stats.folds import grouped_kfold, kfold, leave_one_group_out

SITES = np.repeat(["A", "B", "C", "D", "E", "F", "G"], [9, 7, 5, 5, 3, 2, 1])


def test_kfold_sizes_differ_by_at_most_one_and_the_seed_decides():
    codes = kfold(103, 10, seed=4)
    assert sorted(np.bincount(codes)) == [10] * 7 + [11] * 3
    assert np.array_equal(codes, kfold(103, 10, seed=4))
    assert not np.array_equal(codes, kfold(103, 10, seed=5))


@pytest.mark.parametrize("seed", range(5))
def test_groups_are_whole_and_balanced(seed):
    codes = grouped_kfold(SITES, 3, seed)
    for site in np.unique(SITES):
        assert len(set(codes[site == SITES])) == 1
    # Longest processing time first is within 4/3 - 1/(3k) of the best possible largest fold
    # (Graham 1969, doi:10.1137/0117039); 32 rows in 3 folds have at best a largest fold of 11.
    assert np.bincount(codes).max() <= (4 / 3 - 1 / 9) * 11


def test_grouping_does_not_depend_on_the_order_of_rows():
    order = np.random.default_rng(0).permutation(SITES.size)
    assert np.array_equal(grouped_kfold(SITES[order], 3, seed=2), grouped_kfold(SITES, 3, seed=2)[order])


def test_equal_groups_are_shuffled_by_the_seed():
    groups = np.repeat(np.arange(30), 2)
    assert not np.array_equal(grouped_kfold(groups, 5, seed=0), grouped_kfold(groups, 5, seed=1))
    assert np.bincount(grouped_kfold(groups, 5, seed=0)).tolist() == [12] * 5


def test_leave_one_group_out_follows_sorted_labels():
    assert leave_one_group_out([2012, 2010, 2012, 2011]).tolist() == [2, 0, 2, 1]


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: kfold(5, 6, 0), "SQ606"),
        (lambda: kfold(5, 1, 0), "SQ813"),
        (lambda: grouped_kfold(["a", "b", "a"], 3, 0), "SQ606"),
        (lambda: leave_one_group_out(["a", "a"]), "SQ606"),
        (lambda: grouped_kfold(["a", None, "b"], 2, 0), "SQ812"),
        (lambda: grouped_kfold([1.0, np.nan, 2.0], 2, 0), "SQ812"),
        (lambda: leave_one_group_out(np.array(["2001", "NaT"], dtype="datetime64[Y]")), "SQ812"),
        (lambda: grouped_kfold(np.array(["a", 1], dtype=object), 2, 0), "SQ811"),
    ],
)
def test_errors(call, code):
    with pytest.raises(SoilqlError) as caught:
        call()
    assert caught.value.diagnostics[0].code == code
