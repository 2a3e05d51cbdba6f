"""Random forests kept as plain arrays."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor

from soilql import kinds
from soilql.context import Resources
from soilql.errors import SoilqlError
from soilql.values import Fitted, State, Table
from tests.support import bind_block, run_kind

X, Y = load_diabetes(return_X_y=True)
# Rows are put in this order before they are drawn, so that the peer, which draws by position, has to have them in it.
ORDER = np.lexsort([Y, *X.T[::-1]])
X, Y = X[ORDER], Y[ORDER]
NAMES = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]
FRAME = pd.DataFrame(X, columns=NAMES).assign(Rs=Y)
COLUMNS = {name: X[:, k] for k, name in enumerate(NAMES)}
FORMULA = f"formula: Rs ~ {' + '.join(NAMES)}\ndata: t\n"


ZONED: dict[str, Any] = {"inputs": {"z": run_kind("zones", "cut", "of: bmi\nbreaks: [0]\nlabels: [low, high]\n")}}


def fitted(text: str = "trees: 50\n", frame: pd.DataFrame = FRAME, head: str = FORMULA, **more: Any) -> Any:
    inputs = {"t": Table(frame, {"Rs": "g C m-2 yr-1"}), **more.pop("inputs", {})}
    return run_kind("models", "random_forest", head + text, inputs, **more)


def reloaded(model: Any) -> Any:
    state = model.state()
    assert all(not np.asarray(array).dtype.hasobject for array in state.arrays.values())
    found = kinds.find("models", "random_forest")
    assert found is not None
    return found.load(State(json.loads(json.dumps(state.meta)), dict(state.arrays)), None)


def seen(values: Any) -> Any:
    """Return numbers in standard units, as a forest sees them so that it does not hang on their unit."""
    return np.round((values - values.mean(axis=0)) / values.std(axis=0), 8)


def of_sklearn(rows: Any = slice(None), **options: Any) -> RandomForestRegressor:
    defaults = {"n_estimators": 50, "min_samples_leaf": 5, "max_features": 3, "random_state": 1, "n_jobs": 1}
    return RandomForestRegressor(**{**defaults, **options}).fit(seen(X[rows]).astype(np.float32), seen(Y[rows]))


def trees_of(forest: RandomForestRegressor, rows: Any = slice(None)) -> Any:
    """Return what each tree of the peer says of its training rows in their own unit: means of its leaves."""
    y, points = Y[rows], seen(X[rows]).astype(np.float32)
    found = []
    for tree, own in zip(forest.estimators_, forest.estimators_samples_, strict=True):
        leaf = tree.apply(points)
        found.append(pd.Series(y[own]).groupby(leaf[own]).mean()[leaf].to_numpy())
    return np.stack(found)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("", {}),
        ("max_features: all\nmin_leaf: 1\nseed: 3\n", {"max_features": None, "min_samples_leaf": 1, "random_state": 3}),
        ("max_features: 0.5\nmax_depth: 4\n", {"max_features": 5, "max_depth": 4}),
        ("max_features: sqrt\nbootstrap: false\n", {"max_features": "sqrt", "bootstrap": False}),
    ],
)
def test_predictions_are_those_of_sklearn(text: str, options: dict[str, Any]) -> None:
    expected = trees_of(of_sklearn(**options)).mean(axis=0)
    model = fitted("trees: 50\n" + text)
    assert isinstance(model, Fitted)
    np.testing.assert_allclose(model.predict(COLUMNS)["mean"], expected, rtol=1e-12)
    np.testing.assert_allclose(of_sklearn(**options).predict(seen(X)) * Y.std() + Y.mean(), expected, rtol=1e-7)
    np.testing.assert_array_equal(reloaded(model).predict(COLUMNS)["mean"], model.predict(COLUMNS)["mean"])


def test_result_does_not_depend_on_workers_or_block() -> None:
    one, two = fitted(), fitted(resources=Resources(workers=2))
    ask: dict[str, Any] = {"sd": True, "members": 7, "seed": 4}
    first, second = one.predict(COLUMNS, **ask), two.predict(COLUMNS, **ask)
    parts = [one.predict({name: v[i : i + 100] for name, v in COLUMNS.items()}, **ask) for i in range(0, len(Y), 100)]
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name])
        np.testing.assert_array_equal(values, np.concatenate([part[name] for part in parts], axis=-1))


def test_result_does_not_depend_on_the_order_of_rows() -> None:
    one, other = fitted("by: z\n", **ZONED), fitted("by: z\n", FRAME.sample(frac=1.0, random_state=2), **ZONED)
    ask: dict[str, Any] = {"sd": True, "members": 7, "seed": 4}
    first, second = one.predict(COLUMNS, **ask), other.predict(COLUMNS, **ask)
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name])
    for found, same in zip(one.summary().frame["importance"], other.summary().frame["importance"], strict=True):
        assert found == same


@pytest.mark.parametrize("members_from", ["trees", "resample", "rows"])
def test_result_does_not_depend_on_units(members_from: str) -> None:
    text = f"trees: 30\nmember_trees: 5\nmembers_from: {members_from}\n"
    # Points where trees split: halfway between the numbers of two rows.
    between = {
        name: np.r_[values, (np.sort(values)[1:] + np.sort(values)[:-1]) / 2] for name, values in COLUMNS.items()
    }
    ask: dict[str, Any] = {"sd": True, "members": 7, "seed": 4}
    expected = fitted(text).predict(between, **ask)
    units = {name: 10.0 ** (-8 + k) for k, name in enumerate(NAMES)}
    small = FRAME.assign(Rs=FRAME["Rs"] * 1e-8, **{name: FRAME[name] * unit for name, unit in units.items()})
    got = fitted(text, small).predict({name: between[name] * unit for name, unit in units.items()}, **ask)
    for name, values in expected.items():
        np.testing.assert_allclose(got[name] * 1e8, values, rtol=1e-12)


def test_out_of_bag_scores_are_those_of_sklearn() -> None:
    model = fitted("trees: 200\n")
    forest = of_sklearn(n_estimators=200, oob_score=True)
    scores = model.summary().extras["zones"].frame.iloc[0]
    # The peer's response is rounded to eight decimals of a standard deviation, so that its scores are as well.
    assert scores["OOB R2"] == pytest.approx(forest.oob_score_, abs=1e-8)
    rmse = np.sqrt(np.mean((seen(Y) - forest.oob_prediction_) ** 2)) * Y.std()
    assert scores["OOB RMSE"] == pytest.approx(rmse, rel=1e-8)
    table = model.summary().frame
    assert table["term"].tolist() == NAMES
    np.testing.assert_allclose(table["importance"], forest.feature_importances_, rtol=1e-12)
    assert "200 trees, 3 of 10 features tried at each split" in model.report()


def test_members_are_single_trees() -> None:
    members = fitted().predict(COLUMNS, members=50, seed=2)["members"]
    trees = trees_of(of_sklearn())
    np.testing.assert_allclose(np.sort(members, axis=0), np.sort(trees, axis=0), rtol=1e-12)
    fewer = fitted().predict(COLUMNS, members=5, seed=2)["members"]
    np.testing.assert_array_equal(fewer, members[:5])


def test_resampled_members_are_means_of_trees_drawn_anew() -> None:
    model = fitted("trees: 50\nmembers_from: resample\n")
    members = model.predict(COLUMNS, members=400, seed=2)["members"]
    trees = trees_of(of_sklearn())
    # The bootstrap of a mean: its standard error is that of the trees over the root of their number.
    assert members.mean(axis=0) == pytest.approx(trees.mean(axis=0), rel=0.02)
    ratio = members.std(axis=0) / (trees.std(axis=0) / np.sqrt(50))
    assert np.median(ratio) == pytest.approx(1.0, rel=0.05)
    ask: dict[str, Any] = {"members": 9, "seed": 1}
    np.testing.assert_array_equal(
        model.predict(COLUMNS, **ask)["members"], reloaded(model).predict(COLUMNS, **ask)["members"]
    )


def test_more_members_than_trees() -> None:
    with pytest.raises(SoilqlError) as error:
        fitted().predict(COLUMNS, members=51)
    assert error.value.diagnostics[0].code == "SQ805"


def test_spread_is_that_of_the_weighted_training_values() -> None:
    # One tree without bootstrap: the standard deviation of the training values in the leaf.
    model = fitted("trees: 1\nbootstrap: false\nmin_leaf: 40\n")
    got = model.predict(COLUMNS, sd=True)
    forest = of_sklearn(n_estimators=1, bootstrap=False, min_samples_leaf=40)
    leaves = forest.apply(seen(X).astype(np.float32))[:, 0]
    expected = pd.Series(Y).groupby(leaves).transform(lambda y: y.std(ddof=0))
    np.testing.assert_allclose(got["sd"], expected, rtol=1e-12)


def test_missing_drivers_and_quantiles() -> None:
    model = fitted()
    columns = {**COLUMNS, "bmi": np.where(np.arange(len(Y)) == 3, np.nan, COLUMNS["bmi"])}
    got = model.predict(columns, sd=True, members=2)
    assert np.flatnonzero(np.isnan(got["mean"])).tolist() == [3]
    assert np.flatnonzero(np.isnan(got["members"][1])).tolist() == [3]
    with pytest.raises(SoilqlError) as error:
        model.predict(COLUMNS, quantiles=[0.5])
    assert error.value.diagnostics[0].code == "SQ804"


def test_categories_and_expressions_are_features() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.uniform(0, 10, 300), "biome": rng.choice(["a", "b", "c"], 300)})
    frame["Rs"] = np.log(frame["x"]) + (frame["biome"] == "b") * 10
    frame.loc[0, "x"] = -1.0
    model = fitted("trees: 30\n", frame, "formula: Rs ~ log(x) + C(biome)\ndata: t\n")
    assert [note.message for note in model.notes] == ["1 of 300 rows left out: `log(x)` has no value"]
    assert model.variables == ("x", "biome")
    points = {"x": np.array([5.0, 5.0, 5.0, -1.0]), "biome": np.array(["b", "a", "z", "a"], dtype=object)}
    got = reloaded(model).predict(points)["mean"]
    assert got[0] - got[1] == pytest.approx(10, abs=1)
    assert np.isnan(got[2:]).all()


def test_zones_have_forests_of_their_own() -> None:
    zones = run_kind("zones", "cut", "of: bmi\nbreaks: [-0.08, 0]\nlabels: [low, middle, high]\n")
    model = fitted("trees: 20\nby: z\nmin_rows: 30\n", inputs={"z": zones})
    statuses = model.summary().extras["zones"].frame
    counts = np.bincount(np.searchsorted([-0.08, 0], X[:, 2], side="left"), minlength=3)
    assert statuses["n"].tolist() == counts.tolist()
    assert (statuses["status"] == "fitted").tolist() == (counts >= 30).tolist()
    high = X[:, 2] > 0
    alone = trees_of(of_sklearn(high, n_estimators=20), high).mean(axis=0)
    got = reloaded(model).predict(COLUMNS)["mean"]
    np.testing.assert_allclose(got[high], alone, rtol=1e-12)
    assert np.isnan(got[X[:, 2] <= -0.08]).all() == (counts[0] < 30)


@pytest.mark.parametrize(
    ("formula", "code"),
    [("Rs ~ bmi*bp", "SQ113"), ("log(Rs) ~ bmi", "SQ113"), ("Rs ~ bmi + text", "SQ112"), ("Rs ~ bmj", "SQ704")],
)
def test_mistakes_in_the_formula(formula: str, code: str) -> None:
    frame = FRAME.assign(text="a")
    with pytest.raises(SoilqlError) as error:
        fitted("", frame, f"formula: {formula}\ndata: t\n")
    assert error.value.diagnostics[0].code == code
    assert error.value.diagnostics[0].span is not None


class Scope:
    def schema(self, ref: str) -> kinds.Schema:
        return kinds.Schema(
            {"Rs": kinds.Variable("number"), "bmi": kinds.Variable("number"), "b": kinds.Variable("text")}
        )

    def block(self, name: str) -> None:
        return None


@pytest.mark.parametrize(
    ("formula", "findings"),
    [
        ("Rs ~ bmi + C(b)", []),
        ("Rs ~ bmi + b", [("SQ112", "b")]),
        ("Rs ~ bmi + bm", [("SQ201", "bm")]),
        ("log(Rs) ~ bmi", [("SQ113", "log(Rs)")]),
    ],
)
def test_lint(formula: str, findings: list[tuple[str, str]]) -> None:
    found = kinds.find("models", "random_forest")
    assert found is not None
    scope: Any = Scope()
    block = bind_block("models", "random_forest", f"formula: {formula}\ndata: t\n")
    assert [(d.code, d.span.text if d.span else "") for d in found.check(block, scope)] == findings


def test_max_features_beyond_the_features() -> None:
    with pytest.raises(SoilqlError) as error:
        fitted("max_features: 11\n")
    found = error.value.diagnostics[0]
    assert found.code == "SQ123"
    assert found.span is not None
    assert found.span.text == "11"
