"""Boosted trees kept as plain arrays of nodes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import GradientBoostingRegressor

from soilql.errors import SoilqlError
from soilql.values import Fitted
from tests.models.diabetes import COLUMNS, NAMES, ORDER, SITES, X, Y, fitted, in_parts, reloaded, seen, standard


def of_sklearn(**options: Any) -> Any:
    defaults = {"n_estimators": 100, "min_samples_leaf": 5, "random_state": 1}
    points, y = seen(standard(X)).astype(np.float32), seen(standard(Y, Y))
    return GradientBoostingRegressor(**{**defaults, **options}).fit(points[ORDER], y[ORDER])


def said(model: Any) -> Any:
    """Return what the peer says of its training rows, in their own unit."""
    return model.predict(seen(standard(X)).astype(np.float32)) * Y.std() + Y.mean()


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("", {}),
        ("trees: 40\nlearning_rate: 0.05\ndepth: 2\nmin_leaf: 1\nseed: 4\n",
         {"n_estimators": 40, "learning_rate": 0.05, "max_depth": 2, "min_samples_leaf": 1, "random_state": 4}),
        ("subsample: 0.5\nmax_features: third\n", {"subsample": 0.5, "max_features": 3}),
        ("loss: absolute\n", {"loss": "absolute_error"}),
        ("loss: huber\n", {"loss": "huber"}),
    ],
)  # fmt: skip
def test_predictions_are_those_of_sklearn(text: str, options: dict[str, Any]) -> None:
    model = fitted("gradient_boosting", text)
    assert isinstance(model, Fitted)
    got = model.predict(COLUMNS)["mean"]
    reference = of_sklearn(**options)
    np.testing.assert_allclose(got, said(reference), rtol=1e-10)
    np.testing.assert_array_equal(reloaded("gradient_boosting", model).predict(COLUMNS)["mean"], got)
    np.testing.assert_allclose(model.summary().frame["importance"], reference.feature_importances_, rtol=1e-9)


def test_quantiles_are_boosted_apart_and_put_in_order() -> None:
    model = fitted("gradient_boosting", "quantiles: [0.9, 0.1, 0.5]\n")
    levels = (0.1, 0.5, 0.9)
    got = reloaded("gradient_boosting", model).predict(COLUMNS, quantiles=levels)
    each = np.sort([said(of_sklearn(loss="quantile", alpha=level)) for level in levels], axis=0)
    np.testing.assert_allclose([got["q10"], got["q50"], got["q90"]], each, rtol=1e-10)
    alone = model.predict(COLUMNS, quantiles=[0.9])
    np.testing.assert_array_equal(alone["q90"], got["q90"])
    with pytest.raises(SoilqlError) as error:
        model.predict(COLUMNS, quantiles=[0.05, 0.9])
    found = error.value.diagnostics[0]
    assert (found.code, "the quantiles 0.05 are asked" in found.message) == ("SQ804", True)
    assert "quantiles: [0.05, 0.1, 0.5, 0.9]" in found.help


def test_order_of_rows_units_and_blocks_change_nothing() -> None:
    text = "trees: 20\nsubsample: 0.7\n"
    model = fitted("gradient_boosting", text, SITES)
    ask: dict[str, Any] = {"members": 4, "seed": 5}
    expected = model.predict(COLUMNS, **ask)
    shuffled = SITES.sample(frac=1, random_state=3).reset_index(drop=True)
    small = SITES.assign(Rs=SITES["Rs"] * 1e-8, bmi=SITES["bmi"] * 1e-6, s5=SITES["s5"] * 1e3)
    scaled = {**COLUMNS, "bmi": COLUMNS["bmi"] * 1e-6, "s5": COLUMNS["s5"] * 1e3}
    for name, values in expected.items():
        np.testing.assert_array_equal(fitted("gradient_boosting", text, shuffled).predict(COLUMNS, **ask)[name], values)
        np.testing.assert_array_equal(in_parts(model, COLUMNS, 53, **ask)[name], values)
        np.testing.assert_array_equal(reloaded("gradient_boosting", model).predict(COLUMNS, **ask)[name], values)
        got = fitted("gradient_boosting", text, small).predict(scaled, **ask)[name]
        np.testing.assert_allclose(got * 1e8, values, rtol=1e-12)


def test_early_stopping_grows_as_many_trees_as_were_best_on_sites_held_out() -> None:
    # Noise alone: no tree helps. A step that one tree of rate 1 knows: one tree is enough.
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.uniform(size=300), "place": np.arange(300) // 3})
    head = "formula: Rs ~ x\ndata: t\nearly_stopping: 10\ntrees: 300\n"
    noise = fitted("gradient_boosting", "", frame.assign(Rs=rng.normal(size=300)), head)
    assert noise.summary().extras["zones"].frame["trees"][0] < 20
    step = frame.assign(Rs=np.where(frame["x"] > 0.5, 10.0, 0.0))
    one = fitted("gradient_boosting", "learning_rate: 1\n", step, head)
    assert one.summary().extras["zones"].frame["trees"][0] <= 2
    # Trees see the response to eight decimals of its standard deviation.
    np.testing.assert_allclose(one.predict({"x": np.array([0.2, 0.8])})["mean"], [0, 10], atol=5e-8)


def test_report() -> None:
    text = fitted("gradient_boosting", "trees: 20\n").report()
    assert text.startswith("20 trees of depth 3, learning_rate 0.1, at least 5 rows a leaf")
    assert all(name in text for name in NAMES)


@pytest.mark.parametrize(
    ("text", "place"),
    [("max_features: 1.5\n", "1.5"), ("quantiles: [0.5, 0.5]\n", "[0.5, 0.5]"), ("learning_rate: 2\n", "2")],
)
def test_parameters_that_cannot_be(text: str, place: str) -> None:
    with pytest.raises(SoilqlError) as error:
        fitted("gradient_boosting", text)
    span = error.value.diagnostics[0].span
    assert span is not None
    assert span.text == place
