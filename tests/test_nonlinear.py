"""Nonlinear regression: the kind around the fit of soilql.stats.nonlinear."""

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

# R nls, soilql's reference/statistics: 18 pairs of temperature and annual soil respiration.
T = np.array([-8, -3, 0, 2, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 26, 27, 28.0])
RS = np.array(
    [279, 320, 451, 461, 615, 512, 783, 714, 751, 1022, 916, 984, 1165, 1448, 1021, 1634, 1627, 1782.0]
)  # fmt: skip
TABLE = Table(pd.DataFrame({"T": T, "Rs": RS}), {"Rs": "g C m-2 yr-1", "T": "degC"})


def fitted(text: str, table: Table = TABLE, **inputs: Any) -> Any:
    return run_kind("models", "nonlinear", text, {"t": table, **inputs})


def reloaded(model: Any) -> Any:
    """Store a model as JSON and arrays, and load it."""
    state = model.state()
    assert all(not np.asarray(array).dtype.hasobject for array in state.arrays.values())
    found = kinds.find("models", "nonlinear")
    assert found is not None
    return found.load(State(json.loads(json.dumps(state.meta)), dict(state.arrays)), None)


EQ1 = "formula: Rs ~ a*exp(b*T)\ndata: t\nparams: [a, b]\n"
EQ2 = "formula: Rs ~ a*exp(b*T + c*T^2)\ndata: t\nparams: [a, b, c]\n"


def test_huang_equation_1_agrees_with_r_nls() -> None:
    model = fitted(EQ1 + "interval: profile\n")
    assert isinstance(model, Fitted)
    assert (model.response, model.unit, model.variables) == ("Rs", "g C m-2 yr-1", ("T",))
    table = model.summary().frame.set_index("term")
    # R nls, which stops at a relative offset of 1e-5, and confint(profile(nls)).
    assert table["estimate"].tolist() == pytest.approx([422.92272, 0.0489708753], rel=1e-7)
    assert table["se"].tolist() == pytest.approx([41.37651, 0.0043216981], rel=1e-6)
    assert table.loc["a", ["lower", "upper"]].tolist() == pytest.approx([337.687, 513.808], abs=5e-4)
    assert table.loc["b", ["lower", "upper"]].tolist() == pytest.approx([0.0401662, 0.0587066], abs=5e-8)
    assert model.summary().extras["zones"].frame.loc[0, "RSS"] == pytest.approx(290033.314, abs=5e-4)


def test_wald_interval_is_estimate_and_t_quantile() -> None:
    row = fitted(EQ1).summary().frame.iloc[0]
    # 2.119905 is R's 97.5 % quantile of t with 16 degrees of freedom.
    assert row["upper"] - row["estimate"] == pytest.approx(2.119905 * row["se"], rel=1e-6)


def test_huang_equation_2_estimates() -> None:
    summary = fitted(EQ2).summary()
    # R nls, which stops at a relative offset of 1e-5; the sum of squares is flat there and agrees to all digits.
    assert summary.frame["estimate"].tolist() == pytest.approx([433.756884, 0.0441922549, 1.50520543e-4], rel=2e-5)
    assert summary.extras["zones"].frame.loc[0, "RSS"] == pytest.approx(288036.766, abs=5e-4)


def test_standard_error_of_the_mean_by_the_delta_method() -> None:
    at = fitted(EQ2).predict({"T": np.array([0.0, 15.0, 28.0])}, sd=True)
    # Reference: the delta method on Eq. 2 gives 55/51/87.
    assert np.round(at["sd"]).tolist() == [55, 51, 87]


def test_members_by_cv10_and_by_covariance_differ_as_published() -> None:
    points = {"T": np.array([0.0, 15.0, 28.0])}
    cv10 = fitted(EQ2 + "uncertainty: cv10\n").predict(points, members=40000, seed=3)["members"]
    vcov = fitted(EQ2).predict(points, members=40000, seed=3)["members"]
    profile = fitted(EQ2 + "uncertainty: profile\n").predict(points, members=40000, seed=3)["members"]
    # Reference: cv10 ignores covariance and gives 43/104/268 where the delta method gives 55/51/87.
    assert cv10.shape == (40000, 3)
    assert cv10.std(axis=0) == pytest.approx([43, 104, 268], rel=0.05)
    assert vcov.std(axis=0) == pytest.approx([55, 51, 87], rel=0.05)
    # Of nearly linear profiles: about the delta method times the spread of t with 15 degrees of freedom, sqrt(15/13).
    assert profile.std(axis=0) == pytest.approx(np.sqrt(15 / 13) * np.array([55, 51, 87]), rel=0.1)


def test_members_by_profile_have_the_profile_intervals_of_r() -> None:
    model = fitted(EQ1 + "uncertainty: profile\n")
    members = model.predict({"T": np.array([0.0, 10.0])}, members=40000, seed=1)["members"]
    a, b = members[:, 0], np.log(members[:, 1] / members[:, 0]) / 10
    # R nls, confint: a [337.687, 513.808], b [0.0401662, 0.0587066], 95 %.
    assert np.quantile(a, [0.025, 0.975]) == pytest.approx([337.687, 513.808], rel=5e-3)
    assert np.quantile(b, [0.025, 0.975]) == pytest.approx([0.0401662, 0.0587066], rel=5e-3)


def test_members_by_profile_stay_within_bounds() -> None:
    text = "formula: Rs ~ a*exp(b*T)\ndata: t\nparams: {a: , b: {bounds: [0, 0.05]}}\nuncertainty: profile\n"
    members = fitted(text).predict({"T": np.array([0.0, 10.0])}, members=2000, seed=1)["members"]
    b = np.log(members[:, 1] / members[:, 0]) / 10
    assert b.max() == pytest.approx(0.05, abs=1e-12)
    assert (b >= -1e-12).all()


def test_draws_are_made_once_for_all_blocks_of_a_map(monkeypatch: pytest.MonkeyPatch) -> None:
    from soilql.fits import nonlinear_zone

    asked: list[int] = []
    draw = nonlinear_zone.draw_parameters

    def counted(*args: Any) -> Any:
        asked.append(1)
        return draw(*args)

    monkeypatch.setattr(nonlinear_zone, "draw_parameters", counted)
    model = fitted(EQ1 + "uncertainty: bootstrap\n")
    blocks = [model.predict({"T": np.array([x])}, members=5, seed=1)["members"] for x in (1.0, 2.0, 1.0)]
    assert len(asked) == 1
    np.testing.assert_array_equal(blocks[0], blocks[2])


def test_members_by_bootstrap_have_about_the_spread_of_the_covariance() -> None:
    model = fitted(EQ1 + "uncertainty: bootstrap\n")
    members = model.predict({"T": np.array([15.0])}, members=300, seed=1)["members"]
    error = model.predict({"T": np.array([15.0])}, sd=True)["sd"]
    assert members.std() == pytest.approx(error[0], rel=0.2)


@pytest.mark.parametrize("how", ["vcov", "profile", "cv10", "bootstrap"])
def test_stored_and_loaded_model_predicts_the_same_bits(how: str) -> None:
    model = fitted(EQ1 + f"uncertainty: {how}\n")
    again = reloaded(model)
    ask: dict[str, Any] = {"sd": True, "members": 5, "seed": 2}
    points = {"T": np.array([1.0, np.nan, 20.0])}
    first, second = model.predict(points, **ask), again.predict(points, **ask)
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name])
    pd.testing.assert_frame_equal(model.summary().frame, again.summary().frame)
    assert model.report() == again.report()


def test_log_scale_fit_and_its_back_transformations() -> None:
    text = "formula: log(Rs) ~ a*exp(b*T)\ndata: t\nparams: [a, b]\n"
    points = {"T": np.array([10.0])}
    plain = fitted(text)
    b = plain.summary().frame.set_index("term").loc["b", "estimate"]
    # R lm(log(Rs) ~ T): Q10 1.63073, Duan's factor 1.00723704... of the same residuals.
    assert np.exp(10 * b) == pytest.approx(1.63073, abs=5e-6)
    duan = fitted(text + "back_transform: duan\n").predict(points)["mean"] / plain.predict(points)["mean"]
    assert duan[0] == pytest.approx(1.00723704, abs=5e-9)
    sigma = plain.summary().extras["zones"].frame.loc[0, "sigma (log scale)"]
    normal = fitted(text + "back_transform: normal\n").predict(points)["mean"] / plain.predict(points)["mean"]
    assert normal[0] == pytest.approx(np.exp(sigma**2 / 2), rel=1e-12)
    assert any("median" in note.message for note in plain.notes)


def test_rows_without_logarithm_are_left_out_and_counted() -> None:
    frame = pd.DataFrame({"T": [*T, 5.0, 6.0], "Rs": [*RS, 0.0, np.nan]})
    model = fitted("formula: log(Rs) ~ a*exp(b*T)\ndata: t\nparams: [a, b]\n", Table(frame))
    messages = [note.message for note in model.notes if note.code in ("SQ713", "SQ501")]
    assert "1 of 20 rows of `t` left out: missing `Rs` in 1" in messages
    assert "1 of 19 rows left out: `log(Rs)` has no value" in messages
    assert model.summary().frame["n"].tolist() == [18, 18]


def test_order_of_rows_does_not_matter() -> None:
    order = np.random.default_rng(0).permutation(len(T))
    shuffled = Table(TABLE.frame.iloc[order].reset_index(drop=True))
    first, second = fitted(EQ2).summary().frame, fitted(EQ2, shuffled).summary().frame
    np.testing.assert_allclose(first["estimate"], second["estimate"], rtol=1e-8)


def test_constants_and_bounds() -> None:
    text = (
        "formula: Rs ~ R10 * Q10^((T - Tref)/10)\ndata: t\nconstants: {Tref: 10}\n"
        "params: {R10: {bounds: [0, .inf], unit: g C m-2 yr-1}, Q10: 2}\n"
    )
    model = fitted(text)
    table = model.summary().frame.set_index("term")
    # Q10 = exp(10 b) and R10 = a exp(10 b) of Eq. 1 (R nls): 1.63184.
    assert table.loc["Q10", "estimate"] == pytest.approx(1.63184, abs=5e-6)
    assert table.loc["R10", "estimate"] == pytest.approx(422.92272 * 1.63184, rel=1e-5)
    assert table.loc["R10", "unit"] == "g C m-2 yr-1"
    assert model.variables == ("T",)


def test_parameter_at_its_bound_is_noted() -> None:
    text = "formula: Rs ~ a*exp(b*T)\ndata: t\nparams: {a: , b: {bounds: [0, 0.03]}}\n"
    model = fitted(text)
    assert [note.code for note in model.notes] == ["SQ803"]
    assert "`b` = 0.03" in model.notes[0].message


def test_a_response_that_does_not_vary_is_told_and_has_one_optimum() -> None:
    table = Table(TABLE.frame.assign(Rs=500.0), TABLE.units)
    model = fitted("formula: Rs ~ a*exp(b*T)\nparams: [a, b]\ndata: t\n", table)
    np.testing.assert_allclose(model.summary().frame["estimate"], [500, 0], atol=1e-9)
    assert [note.message for note in model.notes] == ["`Rs` is 500 in all rows: there is nothing to explain"]


def test_parameters_that_cannot_be_told_apart() -> None:
    with pytest.raises(SoilqlError) as error:
        fitted("formula: Rs ~ a*k*exp(b*T)\ndata: t\nparams: [a, k, b]\n")
    found = error.value.diagnostics[0]
    assert found.code == "SQ801"
    assert "`a` and `k` cannot be told apart" in found.message
    assert found.span is not None
    assert found.span.text == "Rs ~ a*k*exp(b*T)"


def test_too_few_rows() -> None:
    with pytest.raises(SoilqlError, match="2 complete rows, 3 needed"):
        fitted(EQ1, Table(TABLE.frame.iloc[:2]))


def by_zone(breaks: str, text: str, table: Table = TABLE) -> Any:
    zones = run_kind("zones", "cut", f"of: T\nbreaks: {breaks}\nlabels: [cold, mild, warm]\n")
    return fitted(text + "by: climate\n", table, climate=zones)


def test_each_zone_has_its_own_fit_and_the_others_a_status() -> None:
    model = by_zone("[-5, 12]", EQ1)
    assert model.variables == ("T",)
    table = model.summary().frame
    assert table["zone"].tolist() == ["cold", "mild", "mild", "warm", "warm"]
    assert table["status"].tolist() == ["1 complete row, 3 needed: not fitted", *["fitted"] * 4]
    assert [(n.code, n.message) for n in model.notes] == [
        ("SQ802", "zone `cold`: 1 complete row, 3 needed: not fitted")
    ]
    alone = fitted(EQ1, Table(TABLE.frame[T > 12].reset_index(drop=True)))
    points = {"T": np.array([-6.0, 20.0, np.nan, 5.0])}
    got = model.predict(points, sd=True, members=3)
    assert np.isnan(got["mean"]).tolist() == [True, False, True, False]
    assert got["mean"][1] == pytest.approx(alone.predict({"T": np.array([20.0])})["mean"][0], rel=1e-9)
    again = reloaded(model).predict(points, sd=True, members=3)
    for name, values in got.items():
        np.testing.assert_array_equal(values, again[name])
    assert "Zone cold" in model.report()


def test_no_zone_with_enough_rows_is_an_error_that_lists_them() -> None:
    with pytest.raises(SoilqlError) as error:
        by_zone("[-5, 12]", EQ1 + "min_rows: 50\n")
    notes = error.value.diagnostics[0].notes
    assert notes[0] == "zone `cold`: 1 complete row, 50 needed: not fitted"
    assert len(notes) == 3


def test_points_without_a_value_are_missing() -> None:
    model = fitted("formula: Rs ~ a + b*sqrt(T + 9)\ndata: t\nparams: [a, b]\n")
    got = model.predict({"T": np.array([-20.0, 0.0])}, sd=True, members=2)
    assert np.isnan(got["mean"]).tolist() == [True, False]
    assert np.isnan(got["members"]).tolist() == [[True, False]] * 2


def test_members_do_not_depend_on_the_block() -> None:
    model = fitted(EQ2)
    points = np.linspace(-5, 25, 37)
    whole = model.predict({"T": points}, sd=True, members=4, seed=9)
    parts = [model.predict({"T": part}, sd=True, members=4, seed=9) for part in np.split(points, [5, 6, 30])]
    for name, values in whole.items():
        np.testing.assert_array_equal(values, np.concatenate([part[name] for part in parts], axis=-1))


def test_quantiles_are_refused() -> None:
    with pytest.raises(SoilqlError) as error:
        fitted(EQ1).predict({"T": T}, quantiles=[0.5])
    assert error.value.diagnostics[0].code == "SQ804"


class Columns:
    """A scope that knows one table."""

    def __init__(self, **types: str) -> None:
        self.found = kinds.Schema({name: kinds.Variable(kind) for name, kind in types.items()})

    def schema(self, ref: str) -> kinds.Schema | None:
        return self.found

    def block(self, name: str) -> None:
        return None


def lint(text: str, **types: str) -> list[tuple[str, str]]:
    found = kinds.find("models", "nonlinear")
    assert found is not None
    scope: Any = Columns(**(types or {"T": "number", "Rs": "number"}))
    return [
        (d.code, d.span.text if d.span else "") for d in found.check(bind_block("models", "nonlinear", text), scope)
    ]


def test_lint_finds_unknown_names_and_unused_parameters() -> None:
    assert lint(EQ1) == []
    assert lint("formula: Rs ~ a*exp(b*Tm)\ndata: t\nparams: [a, b]\n") == [("SQ201", "Tm")]
    assert lint("formula: Rs ~ a*exp(b*T)\ndata: t\nparams: [a, b, c]\n") == [("SQ401", "c")]
    assert lint("formula: Rs ~ a*floor(b*T)\ndata: t\nparams: [a, b]\n") == [("SQ402", "floor(b*T)")]
    assert lint("formula: sqrt(Rs) ~ a*T\ndata: t\nparams: [a]\n") == [("SQ113", "sqrt(Rs)")]


def test_missing_column_is_named_with_its_place() -> None:
    with pytest.raises(SoilqlError) as error:
        fitted("formula: Rs ~ a*exp(b*Tm)\ndata: t\nparams: [a, b]\n")
    found = error.value.diagnostics[0]
    assert (found.code, found.span.text if found.span else "") == ("SQ704", "Tm")


def test_true_values_of_simulated_data_stand_beside_their_estimates() -> None:
    # The profile interval of R for a is [337.687, 513.808], for b [0.0401662, 0.0587066].
    text = "formula: Rs ~ a*exp(b*T)\ndata: t\ninterval: profile\nparams: {a: {truth: 500}, b: {truth: 0.06}}\n"
    model = reloaded(fitted(text))
    table = model.summary().frame.set_index("term")
    assert table["truth"].tolist() == [500, 0.06]
    assert table["covered"].tolist() == [True, False]
    report = model.report()
    assert "True values inside their interval: a 500\n" in report
    assert "True values outside their interval: b 0.06" in report
    assert "truth" not in fitted(EQ1).summary().frame
