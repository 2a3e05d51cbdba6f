"""Totals: units, gaps, and sums that do not depend on blocks."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soilql.errors import SoilqlError
from soilql.stats import sphere, totals
from soilql.stats.totals import PG_PER_G_M2_KM2, ExactSums, add_up, ensemble_interval, weighted_sums


@pytest.fixture
def cells():
    rng = np.random.default_rng(0)
    n = 20_000
    values = rng.lognormal(6, 2, (3, n)) * rng.choice([-1, 1], n)
    values[:, rng.random(n) < 0.1] = np.nan
    return values, rng.uniform(0.01, 85, n), rng.integers(-1, 4, n)


def test_one_gram_over_the_globe():
    # 1 g C m-2 yr-1 over the surface of WGS84 is 0.510066 Pg C yr-1.
    area = sphere.cell_areas(np.linspace(90, -90, 361), np.linspace(-180, 180, 721))
    sums = weighted_sums(np.ones(area.shape), area, np.zeros(area.shape, dtype=int), 1)
    assert round(sums.total().item() * PG_PER_G_M2_KM2, 6) == 0.510066
    assert round(sums.area().item(), 2) == 510065621.72


def test_sums_are_correctly_rounded(cells):
    values, area, zone = cells
    sums = weighted_sums(values, area, zone, 4)
    for member in range(3):
        for z in range(4):
            use = (zone == z) & ~np.isnan(values[member])
            # math.fsum rounds the exact sum once (Shewchuk 1997, doi:10.1007/PL00009321).
            assert sums.total()[member, z] == math.fsum(values[member, use] * area[use])
            assert sums.area()[member, z] == math.fsum(area[use])
            assert sums.missing_area()[member, z] == math.fsum(area[(zone == z) & np.isnan(values[member])])
            assert sums.counts[member, z] == use.sum()
            assert sums.mean()[member, z] == sums.total()[member, z] / sums.area()[member, z]


@pytest.mark.parametrize("size", [1_000, 7, 20_000])
def test_blocks_and_their_order_leave_no_trace(cells, size):
    values, area, zone = cells
    values, area, zone = values[:, :3000], area[:3000], zone[:3000]
    whole = weighted_sums(values, area, zone, 4)
    starts = np.random.default_rng(size).permutation(np.arange(0, 3000, size))
    parts = [weighted_sums(values[:, s : s + size], area[s : s + size], zone[s : s + size], 4) for s in starts]
    parts = [pickle.loads(pickle.dumps(part)) for part in parts]
    joined = add_up(parts)
    assert np.array_equal(joined.total(), whole.total())
    assert np.array_equal(joined.mean(), whole.mean())


def test_exact_sums_cancel_and_span_all_magnitudes():
    x = np.array([1e308, 1.0, 5e-324, -1e308, 2.0**-60])
    slots = np.zeros(5, dtype=np.intp)
    assert ExactSums.of(x[None], slots, 1).values().item() == math.fsum(x)
    big = np.full((1, 1000), 1.7e308)
    ones = np.zeros(1000, dtype=np.intp)
    cancelled = ExactSums.of(big, ones, 1) + -ExactSums.of(big, ones, 1)
    assert cancelled.values().item() == 0.0


@given(
    st.lists(
        st.tuples(
            st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300), st.integers(0, 3)
        ),
        max_size=40,
    )
)
def test_exact_sums_of_any_numbers(pairs):
    x = np.array([value for value, _ in pairs], dtype=float)
    groups = np.array([group for _, group in pairs], dtype=np.intp)
    found = ExactSums.of(np.stack([x, -x]), groups, 4).values()
    # math.fsum rounds the exact sum once (Shewchuk 1997, doi:10.1007/PL00009321).
    expected = [math.fsum(x[groups == group]) for group in range(4)]
    assert found.tolist() == [expected, [-value for value in expected]]


def test_tiles_leave_no_trace(monkeypatch, cells):
    values, area, zone = cells
    whole = weighted_sums(values, area, zone, 4)
    monkeypatch.setattr(totals, "_TILE", 7)
    tiled = weighted_sums(values[:, :2000], area[:2000], zone[:2000], 4) + weighted_sums(
        values[:, 2000:], area[2000:], zone[2000:], 4
    )
    assert np.array_equal(tiled.total(), whole.total())
    assert np.array_equal(tiled.missing_area(), whole.missing_area())


@pytest.mark.parametrize("shared", [True, False])
def test_fine_zones_roll_up_to_coarse_ones(cells, shared):
    values, area, zone = cells
    if shared:
        values = np.where(np.isnan(values[0]), np.nan, np.nan_to_num(values, nan=1.0))
    fine = np.where(zone < 0, -1, 3 * zone + np.arange(zone.size) % 3)
    into = np.repeat([1, -1, 0, 1], 3)
    found = weighted_sums(values, area, fine, 12).rolled_up(into, 2)
    expected = weighted_sums(values, area, np.where(zone < 0, -1, into[3 * zone]), 2)
    for quantity in ("total", "mean", "area", "missing_area"):
        assert np.array_equal(getattr(found, quantity)(), getattr(expected, quantity)())
    assert np.array_equal(found.counts, expected.counts)


def test_members_with_gaps_of_their_own_have_areas_of_their_own():
    sums = weighted_sums([[1.0, np.nan, np.nan], [1.0, 5.0, np.nan]], [2.0, 3.0, 4.0], [0, 0, 0], 1)
    assert sums.total().tolist() == [[2.0], [17.0]]
    assert sums.area().tolist() == [[2.0], [5.0]]
    assert sums.missing_area().tolist() == [[7.0], [4.0]]
    assert sums.counts.tolist() == [[1], [2]]


def test_zone_without_values_is_nan_and_its_area_is_known():
    sums = weighted_sums([[np.nan, 4.0]], [[2.0, 3.0]], [[0, 2]], 3)
    assert np.array_equal(sums.total(), [[np.nan, np.nan, 12.0]], equal_nan=True)
    assert sums.missing_area().tolist() == [[2.0, 0.0, 0.0]]
    assert sums.counts.tolist() == [[0, 0, 1]]


def test_interval_is_percentiles_of_totals():
    drawn = np.random.default_rng(0).normal(80, 5, (101, 2))
    lower, median, upper = ensemble_interval(drawn, 0.9)
    # With 101 members the percentiles of type 7 are the 6th, 51st and 96th in order.
    ordered = np.sort(drawn, axis=0)
    assert np.allclose([lower, median, upper], ordered[[5, 50, 95]], rtol=1e-14)


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: weighted_sums([1.0, 2.0], [1.0], [0, 0], 1), "SQ811"),
        (lambda: weighted_sums([1.0], [np.nan], [0], 1), "SQ812"),
        (lambda: weighted_sums([np.inf], [1.0], [0], 1), "SQ812"),
        (lambda: weighted_sums([1.0], [-1.0], [0], 1), "SQ813"),
        (lambda: weighted_sums([1.0], [1.0], [1], 1), "SQ813"),
        (lambda: ensemble_interval([1.0]), "SQ811"),
        (lambda: ensemble_interval([1.0, 2.0], 1.0), "SQ813"),
        (lambda: weighted_sums([1.0], [1.0], [0], 1) + weighted_sums([1.0], [1.0], [0], 2), "SQ811"),
    ],
)
def test_errors(call, code):
    with pytest.raises(SoilqlError) as caught:
        call()
    assert caught.value.diagnostics[0].code == code


def test_weight_of_a_cell_outside_every_zone_may_be_missing():
    assert weighted_sums([1.0, 5.0], [1.0, np.nan], [0, -1], 1).total().item() == 1.0
