"""Indices of reflectances: values worked by hand from the published equations, and no value where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from soilql.expr.evaluate import evaluate
from soilql.expr.parse import parse_expression
from soilql.stats.vegetation import evi, lswi, ndvi


def test_values_by_hand() -> None:
    # Tucker (1979), Huete et al. (2002) and Xiao et al. (2004).
    assert float(ndvi(0.45, 0.05)) == pytest.approx(0.40 / 0.50)
    assert float(evi(0.45, 0.05, 0.03)) == pytest.approx(2.5 * 0.40 / (0.45 + 0.30 - 0.225 + 1))
    assert float(lswi(0.30, 0.20)) == pytest.approx(0.10 / 0.50)


def test_ratios_do_not_change_with_the_scale_of_reflectances() -> None:
    nir, red = np.random.default_rng(0).random((2, 50))
    np.testing.assert_allclose(ndvi(nir * 1e4, red * 1e4), ndvi(nir, red), rtol=1e-14)
    assert not np.allclose(evi(nir * 1e4, red * 1e4, red * 1e4), evi(nir, red, red))


def test_no_value_without_light() -> None:
    assert np.isnan(ndvi(0.0, 0.0))
    assert np.isnan(evi(0.0, 0.0, 2 / 15))  # 7.5 * 2 / 15 is 1
    assert np.isnan(lswi(np.nan, 0.1))


def test_they_are_functions_of_expressions() -> None:
    env = {"n": np.array([0.5, 0.0]), "r": np.array([0.1, 0.0]), "b": np.array([0.05, 0.0])}
    np.testing.assert_allclose(evaluate(parse_expression("ndvi(n, r)"), env), [2 / 3, np.nan])
    np.testing.assert_allclose(evaluate(parse_expression("evi(n, r, b)"), env), [1 / 1.725, 0.0])
    np.testing.assert_allclose(evaluate(parse_expression("lswi(n, r)"), env), [2 / 3, np.nan])
