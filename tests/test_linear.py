"""Linear regression in R's formula algebra."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from soilql import kinds
from soilql.errors import SoilqlError
from soilql.values import Fitted, State, Table
from tests.support import bind_block, run_kind

# R's Nile, 1871 to 1970.
NILE = [
    1120, 1160, 963, 1210, 1160, 1160, 813, 1230, 1370, 1140, 995, 935, 1110, 994, 1020, 960, 1180, 799, 958, 1140,
    1100, 1210, 1150, 1250, 1260, 1220, 1030, 1100, 774, 840, 874, 694, 940, 833, 701, 916, 692, 1020, 1050, 969,
    831, 726, 456, 824, 702, 1120, 1100, 832, 764, 821, 768, 845, 864, 862, 698, 845, 744, 796, 1040, 759, 781, 865,
    845, 944, 984, 897, 822, 1010, 771, 676, 649, 846, 812, 742, 801, 1040, 860, 874, 848, 890, 744, 749, 838, 1050,
    918, 986, 797, 923, 975, 815, 1020, 906, 901, 1170, 912, 746, 919, 718, 714, 740,
]  # fmt: skip
# R's cars.
SPEED = [
    4, 4, 7, 7, 8, 9, 10, 10, 10, 11, 11, 12, 12, 12, 12, 13, 13, 13, 13, 14, 14, 14, 14, 15, 15,
    15, 16, 16, 17, 17, 17, 18, 18, 18, 18, 19, 19, 19, 20, 20, 20, 20, 20, 22, 23, 24, 24, 24, 24, 25,
]  # fmt: skip
DIST = [
    2, 10, 4, 22, 16, 10, 18, 26, 34, 17, 28, 14, 20, 24, 28, 26, 34, 34, 46, 26, 36, 60, 80, 20, 26,
    54, 32, 40, 32, 40, 50, 42, 56, 76, 84, 36, 46, 68, 32, 48, 52, 56, 64, 66, 54, 70, 92, 93, 120, 85,
]  # fmt: skip
# Dobson's plant weights, the example of R's ?lm.
CTL = [4.17, 5.58, 5.18, 6.11, 4.50, 4.61, 5.17, 4.53, 5.33, 5.14]
TRT = [4.81, 4.17, 4.41, 3.59, 5.87, 3.83, 6.03, 4.89, 4.32, 4.69]
PLANTS = {"weight": CTL + TRT, "group": ["Ctl"] * 10 + ["Trt"] * 10}
CARS = {"speed": SPEED, "dist": DIST}


def fitted(formula: str, columns: dict[str, Any], more: str = "", **inputs: Any) -> Any:
    text = f"formula: '{formula}'\ndata: t\n{more}"
    return run_kind("models", "linear", text, {"t": Table(pd.DataFrame(columns)), **inputs})


def scores(model: Any) -> Any:
    return model.summary().extras["zones"].frame.iloc[0]


def test_nile_trend_agrees_with_r_lm() -> None:
    model = fitted("flow ~ year", {"flow": NILE, "year": np.arange(1871, 1971)})
    assert isinstance(model, Fitted)
    slope = model.summary().frame.set_index("term").loc["year"]
    # R lm.
    assert slope["estimate"] == pytest.approx(-2.714305, abs=5e-7)
    assert slope["p"] == pytest.approx(1.07169e-6, rel=5e-6)
    assert scores(model)["R2"] == pytest.approx(0.216529, abs=5e-7)
    assert scores(model)["adjusted R2"] == pytest.approx(0.208534, abs=5e-7)


def test_category_agrees_with_the_example_of_r_lm() -> None:
    # example(lm): text is a category, with the first level as the reference.
    model = fitted("weight ~ group", PLANTS)
    table = model.summary().frame
    assert table["term"].tolist() == ["(Intercept)", "groupTrt"]
    assert table["estimate"].tolist() == pytest.approx([5.0320, -0.3710], abs=5e-5)
    assert table["se"].tolist() == pytest.approx([0.2202, 0.3114], abs=5e-5)
    assert table["t"].tolist() == pytest.approx([22.850, -1.191], abs=5e-4)
    assert table["p"].tolist() == pytest.approx([9.55e-15, 0.249], rel=2e-3)
    found = scores(model)
    assert found[["sigma", "R2", "adjusted R2", "F"]].tolist() == pytest.approx(
        [0.6964, 0.07308, 0.02158, 1.419], rel=4e-4
    )
    report = model.report()
    assert "Residual standard error: 0.6964 on 18 degrees of freedom" in report
    assert "(Intercept)" in report


def test_without_intercept_r2_is_about_zero_as_in_r() -> None:
    # example(lm), lm.D90: weight ~ group - 1.
    model = fitted("weight ~ C(group) - 1", PLANTS)
    assert model.summary().frame["term"].tolist() == ["C(group)Ctl", "C(group)Trt"]
    found = scores(model)
    assert found[["R2", "adjusted R2", "F"]].tolist() == pytest.approx([0.9818, 0.9798, 485.1], rel=2e-4)


def test_quantiles_are_the_prediction_interval_of_r() -> None:
    model = fitted("dist ~ speed", CARS)
    got = model.predict({"speed": np.array([10.0])}, quantiles=[0.025, 0.5, 0.975])
    # R predict(lm(dist ~ speed, cars), data.frame(speed = 10), interval = "prediction")
    assert [got[name][0] for name in ("mean", "q02.5", "q97.5")] == pytest.approx(
        [21.74499, -9.809601, 53.29959], abs=5e-6
    )
    assert got["q50"][0] == pytest.approx(got["mean"][0], rel=1e-12)


def test_members_have_the_standard_error_of_the_mean() -> None:
    model = fitted("dist ~ speed", CARS)
    members = model.predict({"speed": np.array([10.0])}, members=40000, seed=1)["members"]
    # R predict(..., interval = "confidence"): 15.46189 to 28.02809 with t(0.975, 48) = 2.010635.
    assert members.std() == pytest.approx((28.02809 - 15.46189) / 2 / 2.010635, rel=0.02)


@pytest.mark.parametrize(
    ("formula", "terms"),
    [
        # colnames(model.matrix(...)) in R, with C() for factor().
        ("y ~ x:C(A)", ["(Intercept)", "x:C(A)a", "x:C(A)b", "x:C(A)c"]),
        ("y ~ x*C(A)", ["(Intercept)", "x", "C(A)b", "C(A)c", "x:C(A)b", "x:C(A)c"]),
        ("y ~ 0 + C(A) + C(B)", ["C(A)a", "C(A)b", "C(A)c", "C(B)2"]),
        ("y ~ C(A):C(B) - 1", [f"C(A){a}:C(B){b}" for b in (1, 2) for a in "abc"]),
        ("y ~ C(A) + C(A):C(B)", ["(Intercept)", "C(A)b", "C(A)c", "C(A)a:C(B)2", "C(A)b:C(B)2", "C(A)c:C(B)2"]),
        ("y ~ x + I(x^2) + log(x)", ["(Intercept)", "x", "I(x^2)", "log(x)"]),
        ("y ~ 1", ["(Intercept)"]),
    ],
)
def test_columns_of_the_design_are_those_of_r(formula: str, terms: list[str]) -> None:
    rng = np.random.default_rng(0)
    columns = {
        "x": rng.uniform(1, 2, 60),
        "A": list("abc") * 20,
        "B": [1, 1, 1, 2, 2, 2] * 10,
        "y": rng.normal(size=60),
    }
    model = fitted(formula, columns)
    assert model.summary().frame["term"].tolist() == terms
    got = model.predict({name: Table(pd.DataFrame(columns)).arrays()[name] for name in (model.variables or ("x",))})
    residual = columns["y"] - got["mean"]
    # Least squares: residuals are orthogonal to the fit.
    assert residual @ got["mean"] == pytest.approx(0, abs=1e-9)


def test_log_response() -> None:
    rng = np.random.default_rng(1)
    x = rng.uniform(size=200)
    y = np.exp(1 + x + 0.5 * rng.normal(size=200))
    columns, at = {"x": x, "y": y}, {"x": np.array([0.5])}
    plain = fitted("log(y) ~ x", columns)
    bare = fitted("ly ~ x", {"x": x, "ly": np.log(y)})
    assert plain.response == "y"
    got, logs = plain.predict(at, quantiles=[0.1], members=3), bare.predict(at, quantiles=[0.1], members=3)
    for name, values in got.items():
        np.testing.assert_allclose(np.log(values), logs[name], rtol=1e-12)
    s2 = scores(bare)["sigma"] ** 2
    normal = fitted("log(y) ~ x", columns, "back_transform: normal").predict(at)["mean"]
    assert normal / got["mean"] == pytest.approx([np.exp(s2 / 2)], rel=1e-12)
    residuals = np.log(y) - bare.predict({"x": x})["mean"]
    duan = fitted("log(y) ~ x", columns, "back_transform: duan").predict(at)["mean"]
    assert duan / got["mean"] == pytest.approx([np.mean(np.exp(residuals))], rel=1e-12)
    assert [note.code for note in plain.notes] == ["SQ806"]


def test_units_of_a_driver_change_nothing_but_its_coefficient() -> None:
    small = {"speed": np.array(SPEED) * 1e-8, "dist": DIST}
    first, second = fitted("dist ~ speed", CARS), fitted("dist ~ speed", small)
    a, b = first.summary().frame, second.summary().frame
    np.testing.assert_allclose(a["p"], b["p"], rtol=1e-9)
    np.testing.assert_allclose(a["estimate"], b["estimate"] * [1, 1e-8], rtol=1e-9)


@pytest.mark.filterwarnings("error")
def test_a_response_that_does_not_vary_has_no_r2_and_says_so() -> None:
    # R2 = 1 - 0/0; R's summary.lm gives NaN and warns of an essentially perfect fit.
    model = fitted("y ~ x", {"y": [500.0] * 5, "x": [1.0, 2, 4, 5, 9]})
    assert np.isnan([scores(model)[name] for name in ("R2", "adjusted R2", "F", "F p")]).all()
    assert [note.message for note in model.notes] == ["`y` is 500 in all rows: there is nothing to explain"]
    np.testing.assert_allclose(model.predict({"x": np.array([100.0])})["mean"], 500, rtol=1e-12)


def test_collinear_columns_are_named() -> None:
    rng = np.random.default_rng(0)
    tree, grass, rain = rng.uniform(0, 40, (3, 50))
    columns = {"tree": tree, "grass": grass, "bare": 100 - tree - grass, "rain": rain, "y": rng.normal(size=50)}
    with pytest.raises(SoilqlError) as error:
        fitted("y ~ rain + tree + grass + bare", columns)
    found = error.value.diagnostics[0]
    assert found.code == "SQ801"
    assert "`(Intercept)`, `tree`, `grass`, `bare` cannot be told apart" in found.message
    assert found.span is not None


def test_missing_driver_and_unseen_level_give_nan() -> None:
    model = fitted("weight ~ C(group)", PLANTS)
    groups = np.array(["Trt", None, "Other"], dtype=object)
    got = model.predict({"group": groups}, quantiles=[0.5], sd=True, members=2)
    for values in got.values():
        assert np.isnan(values[..., 1:]).all()
        assert np.isfinite(values[..., 0]).all()


def test_rows_whose_term_has_no_value_are_counted() -> None:
    model = fitted("dist ~ log(speed)", {"speed": [*SPEED, 0, -1], "dist": [*DIST, 1, 1]})
    assert [note.message for note in model.notes] == ["2 of 52 rows left out: `log(speed)` has no value"]
    assert model.summary().frame["n"].tolist() == [50, 50]


def test_stored_and_loaded_model_predicts_the_same_bits() -> None:
    zones = run_kind("zones", "classes", "of: group\ngroups: {control: [Ctl], treated: [Trt]}\n")
    rng = np.random.default_rng(0)
    columns = {**PLANTS, "x": rng.normal(size=20), "k": [1, 2] * 10}
    model = fitted("weight ~ x + C(k)", columns, "by: plots\n", plots=zones)
    assert model.variables == ("x", "k", "group")
    state = model.state()
    found = kinds.find("models", "linear")
    assert found is not None
    again: Any = found.load(State(json.loads(json.dumps(state.meta)), dict(state.arrays)), None)
    points = Table(pd.DataFrame(columns)).arrays()
    ask: dict[str, Any] = {"quantiles": [0.1, 0.9], "sd": True, "members": 3, "seed": 5}
    first, second = model.predict(points, **ask), again.predict(points, **ask)
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name])
    assert model.report() == again.report()
    pd.testing.assert_frame_equal(model.summary().frame, again.summary().frame)


def test_results_do_not_depend_on_the_block() -> None:
    model = fitted("dist ~ speed + I(speed^2)", CARS)
    points = np.linspace(0, 30, 41)
    ask: dict[str, Any] = {"quantiles": [0.1], "sd": True, "members": 3}
    whole = model.predict({"speed": points}, **ask)
    parts = [model.predict({"speed": part}, **ask) for part in np.split(points, [1, 7, 30])]
    for name, values in whole.items():
        np.testing.assert_array_equal(values, np.concatenate([part[name] for part in parts], axis=-1))


class Unknown:
    def schema(self, ref: str) -> kinds.Schema:
        return kinds.Schema({"Rs": kinds.Variable("number"), "MAT": kinds.Variable("number")})

    def block(self, name: str) -> None:
        return None


@pytest.mark.parametrize(
    ("formula", "findings"),
    [
        ("Rs ~ MAT", []),
        ("Rs ~ Mat", [("SQ201", "Mat")]),
        ("Rs ~ MAT + (1 | MAT)", [("SQ113", "(1 | MAT)")]),
        ("sqrt(Rs) ~ MAT", [("SQ113", "sqrt(Rs)")]),
        ("Rs ~ MAT^2", [("SQ113", "MAT^2")]),
    ],
)
def test_lint(formula: str, findings: list[tuple[str, str]]) -> None:
    found = kinds.find("models", "linear")
    assert found is not None
    scope: Any = Unknown()
    block = bind_block("models", "linear", f"formula: '{formula}'\ndata: t\n")
    assert [(d.code, d.span.text if d.span else "") for d in found.check(block, scope)] == findings
