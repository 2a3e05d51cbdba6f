"""Quantile regression forests with exact weights."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import numpy as np
import pandas as pd
import pytest
from quantile_forest import RandomForestQuantileRegressor
from sklearn.datasets import load_diabetes

from soilql import kinds
from soilql.errors import SoilqlError
from soilql.values import State, Table
from tests.support import run_kind

X, Y = load_diabetes(return_X_y=True)
# Rows are put in this order before they are drawn, so that the peer, which draws by position, has to have them in it.
ORDER = np.lexsort([Y, *X.T[::-1]])
X, Y = X[ORDER], Y[ORDER]
NAMES = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]
FRAME = pd.DataFrame(X, columns=NAMES).assign(Rs=Y)
COLUMNS = {name: X[:, k] for k, name in enumerate(NAMES)}
FORMULA = f"formula: Rs ~ {' + '.join(NAMES)}\ndata: t\n"
# R's mtcars, miles per gallon.
MPG = [
    21.0, 21.0, 22.8, 21.4, 18.7, 18.1, 14.3, 24.4, 22.8, 19.2, 17.8, 16.4, 17.3, 15.2, 10.4, 10.4,
    14.7, 32.4, 30.4, 33.9, 21.5, 15.5, 15.2, 13.3, 19.2, 27.3, 26.0, 30.4, 15.8, 19.7, 15.0, 21.4,
]  # fmt: skip


def fitted(text: str = "trees: 40\n", frame: pd.DataFrame = FRAME, head: str = FORMULA) -> Any:
    return run_kind("models", "quantile_forest", head + text, {"t": Table(frame)})


def reloaded(model: Any) -> Any:
    state = model.state()
    found = kinds.find("models", "quantile_forest")
    assert found is not None
    return found.load(State(json.loads(json.dumps(state.meta)), dict(state.arrays)), None)


@pytest.mark.parametrize(("how", "expected"), [("inverse_cdf", [15.2, 19.2, 22.8]), ("linear", [15.425, 19.2, 22.8])])
def test_forest_of_roots_gives_the_sample_quantiles(how: str, expected: list[float]) -> None:
    # R quantile(mtcars$mpg, c(.25, .5, .75), type = 1 and 7).
    frame = pd.DataFrame({"mpg": MPG, "x": np.arange(32.0)})
    text = f"trees: 3\nbootstrap: false\nmin_leaf: 17\nmin_rows: 32\ninterpolation: {how}\n"
    model = fitted(text, frame, "formula: mpg ~ x\ndata: t\n")
    got = model.predict({"x": np.array([0.0, 40.0])}, quantiles=[0.25, 0.5, 0.75], sd=True)
    for name, value in zip(("q25", "q50", "q75"), expected, strict=True):
        assert got[name].tolist() == pytest.approx([value, value], abs=1e-12)
    assert got["mean"][0] == pytest.approx(np.mean(MPG), rel=1e-12)
    assert got["sd"][0] == pytest.approx(np.std(MPG), rel=1e-12)


def test_weights_and_quantiles_are_those_of_the_quantile_forest_package() -> None:
    forest = RandomForestQuantileRegressor(
        40, min_samples_leaf=5, max_features=3, random_state=1, max_samples_leaf=None
    )
    # A forest sees numbers in standard units to eight decimals; the values of Y are whole numbers.
    points, y = (np.round((values - values.mean(axis=0)) / values.std(axis=0), 8) for values in (X, Y))
    points = points.astype(np.float32)
    forest.fit(points, y)
    levels = [0.05, 0.25, 0.5, 0.75, 0.95]
    got = fitted().predict(COLUMNS, quantiles=levels)
    exact = {"weighted_leaves": True, "weighted_quantile": True}
    # The package places a level between the two training values around rank q(W - 1) + 1 of total weight W, the number
    # of rows in the point's leaves; the inverse CDF, at rank qW, is one of the two or up to 1 - q rows below the lower.
    low = np.round(forest.predict(points, quantiles=levels, interpolation="lower", **exact) * Y.std() + Y.mean())
    high = np.round(forest.predict(points, quantiles=levels, interpolation="higher", **exact) * Y.std() + Y.mean())
    ours = np.stack([got[name] for name in ("q05", "q25", "q50", "q75", "q95")], axis=1)
    weights, in_leaves = dense_weights(fitted().fits[0]), rows_in_leaves(fitted().fits[0])
    reached = np.stack([np.sum(weights * (value[:, None] >= Y), axis=1) for value in ours.T], axis=1)
    below = reached <= levels + (1 - np.array(levels)) / in_leaves[:, None] + 1e-12
    assert np.all((low <= ours) | below)
    assert np.all(ours <= high)
    assert np.mean(high - low) < 0.02 * np.ptp(Y)
    mean = forest.predict(points, quantiles="mean", **exact) * Y.std() + Y.mean()
    np.testing.assert_allclose(got["mean"], mean, rtol=1e-8)


def test_mean_and_spread_are_moments_of_the_exact_weights() -> None:
    model = fitted()
    fit = model.fits[0]
    got = model.predict(COLUMNS, sd=True)
    weights = dense_weights(fit)
    np.testing.assert_allclose(got["mean"], weights @ Y, rtol=1e-12)
    variance = weights @ Y**2 - (weights @ Y) ** 2
    np.testing.assert_allclose(got["sd"], np.sqrt(variance), rtol=1e-9)


def together(fit: Any) -> Any:
    """How often each training row was drawn into the leaf of each, shape (trees, n, n)."""
    leaves, drawn = fit.conditional.leaves.T, fit.conditional.drawn.T.astype(float)
    return (leaves[:, :, None] == leaves[:, None, :]) * drawn[:, None, :]


def rows_in_leaves(fit: Any) -> Any:
    """The number of rows in the leaves of each training row, of all trees together."""
    return together(fit).sum(axis=(0, 2))


def dense_weights(fit: Any) -> Any:
    """The definition of Meinshausen (2006, eq. 4-5), with rows counted as often as they were drawn."""
    drawn = together(fit)
    return (drawn / drawn.sum(axis=2, keepdims=True)).mean(axis=0)


def test_inverse_cdf_quantiles_follow_their_definition() -> None:
    model = fitted()
    weights = dense_weights(model.fits[0])
    order = np.argsort(Y, kind="stable")
    cumulative = np.cumsum(weights[:, order], axis=1)
    for level in (0.1, 0.5, 0.93):
        expected = Y[order][np.argmax(cumulative >= level - 1e-12, axis=1)]
        name = f"q{level * 100:.0f}"
        np.testing.assert_array_equal(model.predict(COLUMNS, quantiles=[level])[name], expected)


@pytest.mark.parametrize("how", ["inverse_cdf", "linear"])
def test_stored_and_loaded_forest_predicts_the_same_bits(how: str) -> None:
    model = fitted(f"trees: 40\ninterpolation: {how}\n")
    ask: dict[str, Any] = {"quantiles": [0.05, 0.5], "sd": True, "members": 4, "seed": 8}
    first, second = model.predict(COLUMNS, **ask), reloaded(model).predict(COLUMNS, **ask)
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name])
    assert model.report() == reloaded(model).report()


def test_quantiles_do_not_depend_on_the_block() -> None:
    model = fitted()
    ask: dict[str, Any] = {"quantiles": [0.05, 0.5], "sd": True}
    whole = model.predict(COLUMNS, **ask)
    parts = [model.predict({name: v[i : i + 61] for name, v in COLUMNS.items()}, **ask) for i in range(0, len(Y), 61)]
    for name, values in whole.items():
        np.testing.assert_array_equal(values, np.concatenate([part[name] for part in parts]))


def test_coverage_is_out_of_bag() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(size=1000)
    frame = pd.DataFrame({"x": x, "Rs": rng.normal(size=1000)})
    scores = fitted("trees: 200\nmin_leaf: 50\n", frame, "formula: Rs ~ x\ndata: t\n").summary().extras["zones"].frame
    # Noise alone: intervals from large leaves hold about their nominal share of unseen rows.
    assert scores.loc[0, "OOB coverage of 90 %"] == pytest.approx(0.9, abs=0.03)
    assert scores.loc[0, "OOB coverage of 50 %"] == pytest.approx(0.5, abs=0.05)


def test_units_do_not_matter() -> None:
    # scikit-learn alone takes features closer than 1e-7 for equal and splits no node whose variance is below 2.2e-16.
    frame = FRAME.assign(Rs=Y * 2.0**-30, **{name: X[:, k] * 2.0**-25 for k, name in enumerate(NAMES)})
    columns = {name: values * 2.0**-25 for name, values in COLUMNS.items()}
    scaled = fitted(frame=frame).predict(columns, quantiles=[0.1], sd=True)
    for name, values in fitted().predict(COLUMNS, quantiles=[0.1], sd=True).items():
        np.testing.assert_allclose(scaled[name], values * 2.0**-30, rtol=1e-9)


def test_too_few_rows() -> None:
    with pytest.raises(SoilqlError, match="9 complete rows, 10 needed"):
        fitted(frame=FRAME.iloc[:9])


@pytest.mark.slow
def test_a_map_takes_little_memory() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(2000, 6)), columns=list("abcdef"))
    frame["Rs"] = 500 + 100 * frame["a"] + 30 * rng.normal(size=2000)
    model = fitted("trees: 500\n", frame, "formula: Rs ~ a + b + c + d + e + f\ndata: t\n")
    points = {name: rng.normal(size=8000) for name in "abcdef"}
    tracemalloc.start()
    model.predict(points, quantiles=[0.05, 0.5], sd=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 256 << 20
