"""Attribution shares and their null, against counting."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from soilql.errors import SoilqlError
from soilql.stats.attribution import attribution, attribution_share, colocated_proportion

CHANGE, FLAGS, AREA = [10.0, -4.0, 3.0, 1.0], [True, False, True, False], [1.0, 1.0, 2.0, 1.0]


def test_known_share():
    # (10 x 1 + 3 x 2)/(10 x 1 + 4 x 1 + 3 x 2 + 1 x 1) = 16/21.
    assert attribution_share(CHANGE, FLAGS, AREA) == pytest.approx(0.761905, abs=5e-7)
    assert attribution_share(CHANGE, FLAGS, AREA, counted=[1, 1, 0, 1]) == pytest.approx(10 / 15)
    assert attribution_share([np.nan, *CHANGE], [True, *FLAGS], [np.nan, *AREA]) == pytest.approx(16 / 21)
    assert np.isnan(attribution_share([0.0], [True], [1.0]))


def test_null_is_that_of_all_orders_of_the_flags():
    sizes = np.abs(CHANGE) * AREA
    shares = [sizes[np.array(order)].sum() / sizes.sum() for order in set(permutations(FLAGS))]
    found = attribution(CHANGE, FLAGS, AREA, shuffles=20_000, seed=1)
    assert found.share + found.rest == 1
    assert found.null_mean == pytest.approx(np.mean(shares), abs=0.01)
    assert found.null_mean == pytest.approx(0.5, abs=0.01)  # half of the pixels have the flag
    assert (found.null_lower, found.null_upper) == pytest.approx((min(shares), max(shares)))
    # The share found is the largest of six.
    assert found.p == pytest.approx(1 / 6 + sum(s > found.share for s in shares) / 6, abs=0.02)
    assert (found.pixels, found.flagged, found.area_share) == (4, 2, 0.6)


def test_a_driver_that_has_nothing_to_do_with_it_is_near_its_null():
    rng = np.random.default_rng(0)
    change, flags = rng.standard_normal(5000), rng.random(5000) < 0.4
    found = attribution(change, flags, np.ones(5000), shuffles=300)
    assert found.share == pytest.approx(found.null_mean, abs=0.03)
    assert found.p > 0.01
    related = attribution(change * np.where(flags, 3, 1), flags, np.ones(5000), shuffles=300)
    assert related.p == pytest.approx(1 / 301)


def test_shuffles_within_zones_keep_how_common_the_flag_is():
    # All change and all flags lie in zone 1: shuffled over both zones half of it stays, within them all.
    change, zones = np.array([0.0] * 10 + [1.0] * 10), np.repeat([0, 1], 10)
    flags = zones == 1
    free = attribution(change, flags, np.ones(20), shuffles=500, seed=2)
    bound = attribution(change, flags, np.ones(20), zones=zones, shuffles=500, seed=2)
    assert free.null_mean == pytest.approx(0.5, abs=0.03)
    assert (bound.null_mean, bound.null_lower, bound.p) == (1.0, 1.0, 1.0)


def test_same_seed_same_null():
    one, other = (attribution(CHANGE, FLAGS, AREA, shuffles=50, seed=4) for _ in range(2))
    assert one == other
    assert attribution(CHANGE, FLAGS, AREA, shuffles=50, seed=5).null_mean != one.null_mean


def test_no_change_at_all():
    found = attribution([0.0, np.nan], [True, False], [1.0, 1.0], shuffles=3)
    assert np.isnan(found.share)
    assert found.pixels == 1


def test_colocated_proportion():
    assert colocated_proportion([1, 1, 0, 1], [1, 0, 1, 1], [1.0, 2.0, 5.0, 1.0]) == 0.5
    assert np.isnan(colocated_proportion([0, 0], [1, 1], [1.0, 1.0]))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: attribution_share(CHANGE, FLAGS[:3], AREA), "`flags` has shape"),
        (lambda: attribution_share(CHANGE, FLAGS, [1.0, -1.0, 1.0, 1.0]), "areas must be"),
        (lambda: attribution(CHANGE, FLAGS, AREA, shuffles=-1), "shuffles"),
        (lambda: attribution(CHANGE, FLAGS, AREA, zones=[1]), "`zones` has shape"),
        (lambda: attribution(CHANGE, FLAGS, AREA, level=1.0), "strictly between"),
        (lambda: colocated_proportion([1], [1, 0], [1.0]), "`driver` has shape"),
        (lambda: colocated_proportion([1], [1], [np.nan]), "areas must be"),
    ],
)
def test_what_makes_no_sense_is_refused(call, words):
    with pytest.raises(SoilqlError, match=words):
        call()


def test_order_of_pixels_leaves_no_trace():
    rng = np.random.default_rng(5)
    change, flags, area = rng.normal(size=200), rng.random(200) < 0.3, rng.random(200)
    order, zones = rng.permutation(200), np.arange(200) % 3
    for codes in (None, zones):
        there = attribution(change, flags, area, zones=codes, seed=3)
        turned = attribution(
            change[order], flags[order], area[order], zones=codes if codes is None else codes[order], seed=3
        )
        for name in ("share", "null_mean", "null_lower", "null_upper", "p"):
            np.testing.assert_allclose(getattr(turned, name), getattr(there, name), rtol=1e-12, err_msg=name)


def test_no_shuffles_no_null():
    found = attribution([10, -4, 3, 1], [1, 0, 1, 0], [1, 1, 2, 1], shuffles=0)
    assert round(found.share, 6) == 0.761905  # reference of the study's definition
    assert np.isnan([found.null_mean, found.null_lower, found.null_upper, found.p]).all()
