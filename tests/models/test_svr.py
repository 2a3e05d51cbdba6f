"""Support vector regression kept as plain arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR
from threadpoolctl import threadpool_limits

from soilql.errors import SoilqlError
from soilql.stats.folds import kfold
from soilql.values import Fitted
from tests.models.diabetes import (
    COLUMNS,
    FORMULA,
    FRAME,
    NAMES,
    ORDER,
    SITES,
    X,
    Y,
    fitted,
    in_parts,
    out_of_fold,
    reloaded,
    seen,
    standard,
)  # fmt: skip


def of_sklearn(**options: Any) -> Any:
    """Return what scikit-learn predicts for the same rows in standard units."""
    model = SVR(**options).fit(seen(standard(X))[ORDER], seen((Y - Y.mean()) / Y.std())[ORDER])
    return model.predict(standard(X)) * Y.std() + Y.mean()


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("", {}),
        ("C: 10\nepsilon: 0.3\ngamma: 0.02\n", {"C": 10, "epsilon": 0.3, "gamma": 0.02}),
        ("kernel_scale: 5\n", {"gamma": 1 / 25}),
        ("kernel: linear\nC: 0.1\n", {"kernel": "linear", "C": 0.1}),
        ("kernel: polynomial\ndegree: 2\noffset: 1\n", {"kernel": "poly", "degree": 2, "coef0": 1}),
        ("kernel: sigmoid\ngamma: 0.01\n", {"kernel": "sigmoid", "gamma": 0.01}),
        ("epsilon: 20\nepsilon_in: response\n", {"epsilon": float(seen(20 / Y.std()))}),
    ],
)
def test_predictions_are_those_of_sklearn(text: str, options: dict[str, Any]) -> None:
    model = fitted("svr", text)
    assert isinstance(model, Fitted)
    got = model.predict(COLUMNS)["mean"]
    np.testing.assert_allclose(got, of_sklearn(**options), rtol=1e-10)
    np.testing.assert_array_equal(reloaded("svr", model).predict(COLUMNS)["mean"], got)


def test_scaling_of_the_response_is_what_makes_it_work() -> None:
    # 10-fold R2 on the diabetes data, with and without scaling: 0.47 and 0.17 (shared reference of the project).
    folds = kfold(len(Y), 10, seed=1)

    def scaled(rows: Any) -> Any:
        model = fitted("svr", "", FRAME.iloc[rows].reset_index(drop=True))
        return lambda out: model.predict({name: values[out] for name, values in COLUMNS.items()})["mean"]

    def unscaled(rows: Any) -> Any:
        model = SVR().fit(X[rows], Y[rows])
        return lambda out: model.predict(X[out])

    assert out_of_fold(scaled, folds) == pytest.approx(0.47, abs=0.015)
    assert out_of_fold(unscaled, folds) == pytest.approx(0.17, abs=0.015)


def test_scaling_is_learnt_from_the_training_rows_alone() -> None:
    # A test row far beyond the others would change mean and spread, and so all predictions, if it had a part in them.
    rows = np.arange(400)
    model = fitted("svr", "", FRAME.iloc[rows].reset_index(drop=True))
    pipeline = make_pipeline(StandardScaler(), SVR(tol=1e-3))
    pipeline.fit(X[rows], (Y[rows] - Y[rows].mean()) / Y[rows].std())
    held_out = {name: np.append(values[400:], 1e6) for name, values in COLUMNS.items()}
    got = model.predict(held_out)["mean"]
    expected = pipeline.predict(np.vstack([X[400:], np.full(10, 1e6)])) * Y[rows].std() + Y[rows].mean()
    # Rows in another order end within the tolerance of the optimisation, of one standard deviation.
    np.testing.assert_allclose(got, expected, atol=5e-3 * Y.std())
    alone = model.predict({name: values[400:] for name, values in COLUMNS.items()})["mean"]
    np.testing.assert_array_equal(got[:-1], alone)


def test_order_of_rows_units_blocks_and_threads_change_nothing() -> None:
    model = fitted("svr", "", SITES)
    ask: dict[str, Any] = {"members": 12, "sd": True, "seed": 5}
    expected = model.predict(COLUMNS, **ask)
    shuffled = SITES.sample(frac=1, random_state=3).reset_index(drop=True)
    small = SITES.assign(Rs=SITES["Rs"] * 2.0**-30, bmi=SITES["bmi"] * 2.0**20)
    scaled = {**COLUMNS, "bmi": COLUMNS["bmi"] * 2.0**20}
    for name, values in expected.items():
        np.testing.assert_array_equal(fitted("svr", "", shuffled).predict(COLUMNS, **ask)[name], values)
        np.testing.assert_array_equal(in_parts(model, COLUMNS, 53, **ask)[name], values)
        np.testing.assert_array_equal(fitted("svr", "", small).predict(scaled, **ask)[name] * 2.0**30, values)
    for threads in (1, 2):
        with threadpool_limits(threads):
            again = fitted("svr", "", SITES).predict(COLUMNS, **ask)
        np.testing.assert_array_equal(again["members"], expected["members"])


@pytest.mark.parametrize("text", ["", "epsilon: 8\nepsilon_in: response\n"])
def test_units_of_another_size_change_nothing(text: str) -> None:
    # 1e-8 is no power of two: the standardised numbers differ in their last digit, which the search must not see.
    ask: dict[str, Any] = {"members": 5, "seed": 5}
    expected = fitted("svr", text, SITES).predict(COLUMNS, **ask)
    small = SITES.assign(Rs=SITES["Rs"] * 1e-8, bmi=SITES["bmi"] * 1e-8)
    text = text.replace("epsilon: 8", "epsilon: 8e-8")
    got = fitted("svr", text, small).predict({**COLUMNS, "bmi": COLUMNS["bmi"] * 1e-8}, **ask)
    for name, values in expected.items():
        np.testing.assert_allclose(got[name] * 1e8, values, rtol=1e-12)


def test_members_together_are_members_one_by_one() -> None:
    # Each member is scikit-learn's fit to sites drawn with replacement, in the standard units of all rows.
    model = fitted("svr", "", SITES)
    fit = model.fits[0]
    members = model.predict(COLUMNS, members=5, seed=1)["members"]
    made = next(iter(fit._refits._made.values()))
    for number, (one, drawn) in enumerate(made):
        assert all(np.isin(np.flatnonzero(fit.data.sites == site), drawn).all() for site in fit.data.sites[drawn])
        X_drawn, y = seen(standard(X))[ORDER][drawn], fit.data.y[drawn]
        alone = SVR(gamma=fit.model.kernel.gamma).fit(X_drawn, seen((y - y.mean()) / y.std()))
        expected = alone.predict(standard(X)) * y.std() + y.mean()
        np.testing.assert_allclose(members[number], expected, rtol=1e-9)
        np.testing.assert_allclose(one.predict(X), expected, rtol=1e-9)


def test_sd_is_that_of_a_hundred_members() -> None:
    model = fitted("svr", "", SITES)
    got = model.predict(COLUMNS, members=100, sd=True, seed=2)
    np.testing.assert_allclose(got["sd"], got["members"].std(axis=0, ddof=1), rtol=1e-9)
    np.testing.assert_array_equal(
        reloaded("svr", model).predict(COLUMNS, members=100, seed=2)["members"], got["members"]
    )
    assert model.sd_meaning == "standard deviation of 100 fits to sites drawn anew"


def test_bootstrap_of_a_linear_machine_has_the_standard_error_of_the_mean() -> None:
    # Without a slope to learn the machine is the median; with a wide band and much decay, near the middle of the data.
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=400)})
    frame["Rs"] = 10 + 3 * frame["x"] + rng.normal(size=400)
    model = fitted("svr", "kernel: linear\nepsilon: 0\n", frame, "formula: Rs ~ x\ndata: t\n")
    members = model.predict({"x": np.zeros(1)}, members=300, seed=0)["members"][:, 0]
    # Standard error of a median of normal values: 1.2533 sigma / sqrt(n) (Kendall & Stuart, vol. 1, 10.9).
    assert members.std() == pytest.approx(1.2533 / np.sqrt(400), rel=0.2)


def test_zones_categories_and_constants() -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"T": rng.uniform(0, 30, 120), "veg": rng.choice(["a", "b"], 120), "flat": 4.0})
    frame["Rs"] = 100 + 20 * frame["T"] + 200 * (frame["veg"] == "b")
    model = fitted("svr", "C: 100\nepsilon: 0.001\n", frame, "formula: Rs ~ T + C(veg) + flat\ndata: t\n")
    assert [(n.code, n.message) for n in model.notes] == [
        ("SQ801", "`flat` holds one number in all rows and has no influence")
    ]
    points = {"T": np.array([10.0, 10.0, 10.0, np.nan]), "veg": np.array(["a", "b", "c", "a"], object),
              "flat": np.array([4.0, 99.0, 4.0, 4.0])}  # fmt: skip
    got = reloaded("svr", model).predict(points, members=2)
    assert got["mean"][1] - got["mean"][0] == pytest.approx(200, rel=0.02)
    assert np.isnan(got["mean"][2:]).all()
    assert np.isnan(got["members"][:, 2:]).all()
    assert model.summary().frame["term"].tolist() == ["T", "C(veg)a", "C(veg)b", "flat"]


def test_quantiles_are_refused_and_slow_fits_noted() -> None:
    with pytest.raises(SoilqlError) as error:
        fitted("svr").predict(COLUMNS, quantiles=[0.5])
    assert error.value.diagnostics[0].code == "SQ804"
    model = fitted("svr", "max_iterations: 5\n")
    assert [(n.code, n.message) for n in model.notes] == [("SQ803", "the optimisation stopped after 5 iterations")]


def test_summary_says_how_it_was_fitted() -> None:
    model = fitted("svr")
    assert model.summary().frame["term"].tolist() == list(NAMES)
    np.testing.assert_allclose(model.summary().frame["scale"], X.std(axis=0), rtol=1e-12)
    zones = model.summary().extras["zones"].frame
    expected = 1 - np.mean((Y - of_sklearn()) ** 2) / Y.var()
    assert zones["training R2"][0] == pytest.approx(expected, rel=1e-9)
    assert "rbf kernel, gamma auto, C 1, epsilon 0.1 standard deviations" in model.report()


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("C: 0\n", "0"),
        ("gamma: 1\nkernel_scale: 2\n", "2"),
        ("members_from: tuned\n", "tuned"),
        ("min_rows: 1\n", "1"),
    ],
)
def test_parameters_that_cannot_be(text: str, place: str) -> None:
    with pytest.raises(SoilqlError) as error:
        fitted("svr", text, head=FORMULA)
    span = error.value.diagnostics[0].span
    assert span is not None
    assert span.text == place
