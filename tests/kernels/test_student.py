"""Tails of Student's t, against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from soilql.kernels.lanes import LANES
from soilql.kernels.student import two_sided_p, two_sided_p_lanes

R = np.concatenate([np.linspace(-0.999, 0.999, 301), 1 - np.logspace(-12, -1, 60), [0.0, 1.0, -1.0]])


@pytest.mark.parametrize("df", [1, 2, 3, 7, 8, 13, 30, 101])
def test_p_is_that_of_scipy(df):
    found = np.array([two_sided_p(r, df) for r in R])
    expected = special.betainc(df / 2, 0.5, (1 - np.abs(R)) * (1 + np.abs(R)))
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-300)


@pytest.mark.parametrize("df", [1, 6, 7])
def test_side_by_side_is_to_the_last_bit_one_by_one(df):
    r = np.random.default_rng(df).uniform(-1, 1, LANES)
    r[:4] = [1.0, 0.9999, -0.99999, 0.0]
    p = np.empty(LANES)
    two_sided_p_lanes(r, np.full(LANES, df), p)
    np.testing.assert_array_equal(p, [two_sided_p(x, df) for x in r])
    mixed = np.full(LANES, df)
    mixed[5], mixed[6] = 0, df + 1
    two_sided_p_lanes(r, mixed, p)
    assert np.isnan(p[5])
    np.testing.assert_array_equal(p[6:8], [two_sided_p(r[6], df + 1), two_sided_p(r[7], df)])
