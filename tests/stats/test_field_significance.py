"""False discovery rate, against Wilks (2016) and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from soilql.errors import SoilqlError
from soilql.stats.field_significance import field_significance

P = [0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205, 0.212, 0.216]


def test_known_field():
    # Of the ten p-values, p(2) = .008 <= .05 2/10, and p(6) = .06 <= .10 6/10.
    strict = field_significance(P, alpha_fdr=0.05)
    assert (strict.count, strict.threshold, strict.tests) == (2, 0.008, 10)
    assert field_significance(P, level=0.05).alpha_fdr == 0.1
    assert field_significance(P).count == 6


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50), st.floats(0.01, 0.5))
def test_rejections_are_those_of_scipy(p, rate):
    found = field_significance(p, alpha_fdr=rate)
    adjusted = stats.false_discovery_control(p)
    clear = np.abs(adjusted - rate) > 1e-9
    np.testing.assert_array_equal(found.rejected[clear], (adjusted <= rate)[clear])
    assert found.count == found.rejected.sum()


def test_pixels_without_a_test_do_not_count():
    gappy = np.array([*P, np.nan, np.nan]).reshape(3, 4)
    found = field_significance(gappy)
    assert (found.tests, found.count, found.rejected.shape) == (10, 6, (3, 4))
    assert not found.rejected[2, 2:].any()
    assert field_significance([np.nan]).count == 0


def test_fields_of_chance_seldom_count():
    rng = np.random.default_rng(0)
    fields = [field_significance(rng.random(500), alpha_fdr=0.1).count > 0 for _ in range(400)]
    # Without any effect the false discovery rate is the chance of a single rejection.
    assert np.mean(fields) == pytest.approx(0.1, abs=0.05)


@pytest.mark.parametrize("options", [{"level": 0.0}, {"alpha_fdr": 2.0}])
def test_rates_outside_are_refused(options):
    with pytest.raises(SoilqlError, match="between"):
        field_significance(P, **options)


def test_what_is_no_p_is_refused():
    with pytest.raises(SoilqlError, match="p-values"):
        field_significance([0.5, 1.5])
