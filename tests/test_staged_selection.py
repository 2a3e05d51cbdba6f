"""Drivers selected in stages: the path, the model that it leads to, and its test by folds."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from soilql import kinds
from soilql.context import Context
from soilql.errors import SoilqlError
from soilql.fits.fitted import FittedModel
from soilql.stats import metrics
from soilql.stats.folds import grouped_kfold
from soilql.values import Fitted, State, Table
from tests.support import bind_block, run_kind

ROWS = 240


def observations(seed: int = 1, rows: int = ROWS) -> pd.DataFrame:
    """Return a flux that follows T and P; candidates see them through noise of known size, some with gaps."""
    rng = np.random.default_rng(seed)
    t, p = rng.uniform(-5, 28, rows), rng.uniform(0.1, 2.5, rows)
    flux = 400 * np.exp(0.04 * t) * np.exp(0.5 * p - 0.2 * p**2) * np.exp(rng.normal(0, 0.1, rows))
    return pd.DataFrame(
        {
            "Rs": flux,
            "T_near": t + rng.normal(0, 1, rows),
            "T_far": t + rng.normal(0, 8, rows),
            "T_rare": np.where(rng.random(rows) < 0.6, np.nan, t),
            "P_near": p + rng.normal(0, 0.1, rows),
            "P_far": p + rng.normal(0, 1, rows),
            "MAT": t,
            "lat": np.repeat(np.arange(rows // 4), 4) * 0.5,
            "lon": 0.0,
        }
    )


FRAME = observations()
TABLE = Table(FRAME, {"Rs": "g C m-2 yr-1"}, {"lat": "lat", "lon": "lon"})
TEMPERATURE = (
    '  temperature: {formula: "Rs ~ a*exp(b*T)", params: [a, b], variable: T, candidates: [T_far, T_near, T_rare]}\n'
)
MOISTURE = (
    '  moisture: {formula: "Rs ~ a*exp(b*T)*exp(d*M + e*M^2)", params: [a, b, d, e], variable: M, '
    "candidates: [P_far, P_near]}\n"
)
STAGES = "data: t\nstages:\n" + TEMPERATURE + MOISTURE
CLIMATE = "of: MAT\nbreaks: [0, 12]\nlabels: [cold, mild, warm]\n"


def staged(text: str = STAGES, table: Table = TABLE, **inputs: Any) -> Any:
    return run_kind("models", "staged_selection", text, {"t": table, **inputs})


def zones() -> Any:
    return run_kind("zones", "cut", CLIMATE)


def reloaded(model: Any) -> Any:
    found = kinds.find("models", "staged_selection")
    assert found is not None
    state = model.state()
    return found.load(State(json.loads(json.dumps(dict(state.meta))), dict(state.arrays)), None)


def path(model: Any) -> pd.DataFrame:
    found: pd.DataFrame = model.summary().extras["path"].frame
    return found


def nonlinear(formula: str, params: str, frame: pd.DataFrame) -> Any:
    return run_kind("models", "nonlinear", f'formula: "{formula}"\ndata: t\nparams: {params}\n', {"t": Table(frame)})


def test_the_path_has_every_candidate_with_the_scores_of_its_own_fit() -> None:
    model = staged()
    table = path(model)
    assert table["candidate"].tolist() == ["T_far", "T_near", "T_rare", "P_far", "P_near"]
    assert table["stage"].tolist() == ["temperature"] * 3 + ["moisture"] * 2
    for row in table[table["stage"] == "temperature"].to_dict("records"):
        alone = nonlinear(f"Rs ~ a*exp(b*{row['candidate']})", "[a, b]", FRAME)
        scores = alone.summary().extras["zones"].frame.iloc[0]
        assert row["n"] == scores["n"] == FRAME[row["candidate"]].notna().sum()
        assert row["R2"] == pytest.approx(scores["R2"], rel=1e-9)
        assert row["RMSE"] == pytest.approx(np.sqrt(scores["RSS"] / scores["n"]), rel=1e-9)
    # Eq. 5 by hand over the candidates of each stage.
    for _, rows in table.groupby("stage"):
        by_hand = 0.25 * rows.RMSE.min() / rows.RMSE + 0.25 * rows.R2 / rows.R2.max() + 0.5 * rows.n / rows.n.max()
        assert rows["phi"].tolist() == pytest.approx(by_hand.tolist(), rel=1e-12)
        assert rows.loc[rows["chosen"], "phi"].tolist() == [rows["phi"].max()]


def test_the_model_is_the_nonlinear_fit_of_what_was_selected() -> None:
    model = staged()
    assert isinstance(model, Fitted)
    assert model.selected == {"all": ("T_near", "P_near")}
    alone = nonlinear("Rs ~ a*exp(b*T_near)*exp(d*P_near + e*P_near^2)", "[a, b, d, e]", FRAME)
    columns = ["term", "estimate", "se", "lower", "upper"]
    pd.testing.assert_frame_equal(model.summary().frame[columns], alone.summary().frame[columns], rtol=1e-6)
    points = {name: FRAME[name].to_numpy() for name in model.variables}
    got, other = (m.predict(points, sd=True) for m in (model, alone))
    np.testing.assert_allclose(got["mean"], other["mean"], rtol=1e-9)
    np.testing.assert_allclose(got["sd"], other["sd"], rtol=1e-5)
    assert model.unit == "g C m-2 yr-1"
    assert "temperature: T = T_near (n 240" in model.report()


def test_accuracy_alone_prefers_the_candidate_with_few_rows() -> None:
    # T_rare is the true temperature at 40 % of the rows: the number of rows decides.
    assert staged(STAGES + "weights: [0.5, 0.5, 0]\n").selected["all"][0] == "T_rare"
    assert staged(STAGES + "metric: RMSE\n").selected["all"][0] == "T_rare"
    assert staged().selected["all"][0] == "T_near"


def test_common_rows_make_n_equal_and_the_model_takes_all_its_own() -> None:
    model = staged(STAGES + "sample: common\n")
    table = path(model)
    rare = int(FRAME["T_rare"].notna().sum())
    assert table.loc[table["stage"] == "temperature", "n"].tolist() == [rare] * 3
    assert model.selected["all"][0] == "T_rare"
    assert model.summary().frame["n"].tolist() == [rare] * 4
    aicc = path(staged(STAGES + "sample: common\nmetric: AICc\n"))
    alone = nonlinear("Rs ~ a*exp(b*T_near)", "[a, b]", FRAME[FRAME["T_rare"].notna()])
    scores = alone.summary().extras["zones"].frame.iloc[0]
    # Hurvich & Tsai (1989): AIC + 2k(k+1)/(n-k-1), k = 3 with the variance.
    assert aicc.loc[1, "AICc"] == pytest.approx(scores["AIC"] + 24 / (rare - 4), rel=1e-9)


def test_frozen_parameters_keep_the_estimates_of_the_stage_before() -> None:
    frozen = STAGES.replace("variable: M,", "variable: M, freeze_parameters: true,")
    model = staged(frozen)
    first = nonlinear("Rs ~ a*exp(b*T_near)", "[a, b]", FRAME).summary().frame.set_index("term")["estimate"]
    assert model.summary().frame["term"].tolist() == ["d", "e"]
    assert f"a = {first['a']:.6g}, b = {first['b']:.6g}" in model.report()
    again = reloaded(model)
    points = {name: FRAME[name].to_numpy() for name in model.variables}
    np.testing.assert_array_equal(model.predict(points)["mean"], again.predict(points)["mean"])
    # The frozen model is one of the free one's choices, so that it cannot fit better.
    assert path(model).iloc[-1]["RMSE"] >= path(staged()).iloc[-1]["RMSE"]


def test_scores_of_rows_held_out_are_those_of_grouped_folds() -> None:
    table = path(staged(STAGES + "score: cross_validated\nfolds: 5\nseed: 3\n"))
    row = table[table["candidate"] == "T_near"].iloc[0]
    labels = TABLE.labels("site")
    assert labels is not None
    folds = grouped_kfold(labels.astype(str), 5, 3)
    guess = np.full(ROWS, np.nan)
    for fold in range(5):
        train, test = FRAME[folds != fold], FRAME[folds == fold]
        points = {"T_near": test["T_near"].to_numpy()}
        guess[folds == fold] = nonlinear("Rs ~ a*exp(b*T_near)", "[a, b]", train).predict(points)["mean"]
    assert row["folds"] == 5
    assert row["RMSE"] == pytest.approx(metrics.rmse(FRAME["Rs"], guess), rel=1e-6)
    assert row["R2"] == pytest.approx(metrics.r2(FRAME["Rs"], guess), rel=1e-6)
    assert row["RMSE"] > path(staged()).loc[1, "RMSE"]


def test_few_sites_make_fewer_folds_and_one_site_none() -> None:
    three = Table(FRAME.assign(site=np.arange(ROWS) % 3), {}, {"site": "site"})
    text = STAGES + "score: cross_validated\n"
    assert set(path(staged(text, three))["folds"]) == {3}
    one = Table(FRAME.assign(site=1), {}, {"site": "site"})
    with pytest.raises(SoilqlError, match="all rows belong to one group"):
        staged(text, one)
    assert set(path(staged(text + "group: rows\n", one))["folds"]) == {10}


def test_order_of_rows_and_of_candidates_does_not_matter() -> None:
    order = np.random.default_rng(0).permutation(ROWS)
    shuffled = Table(FRAME.iloc[order].reset_index(drop=True), TABLE.units, TABLE.roles)
    text = STAGES + "score: cross_validated\ngroup: rows\nfolds: 3\n"
    one, other = path(staged(text)), path(staged(text, shuffled))
    np.testing.assert_allclose(one["RMSE"], other["RMSE"], rtol=1e-7)
    turned = STAGES.replace("[T_far, T_near, T_rare]", "[T_rare, T_near, T_far]")
    assert staged(turned).selected == staged().selected


def test_equal_candidates_are_a_tie_that_goes_to_the_first_and_is_said() -> None:
    twin = Table(FRAME.assign(T_twin=FRAME["T_near"]))
    model = staged(STAGES.replace("[T_far, T_near, T_rare]", "[T_far, T_twin, T_near]"), twin)
    assert model.selected["all"][0] == "T_twin"
    assert [n.message for n in model.notes if n.code == "SQ666"] == [
        "stage `temperature`: `T_twin` ties with `T_near`; taken by more rows, then smaller RMSE, then larger R2, then "
        "the order of the candidates"
    ]
    assert path(model).loc[2, "status"] == "fitted, ties with `T_twin`"


def test_each_zone_selects_for_itself_and_failures_have_a_status() -> None:
    frame = FRAME.copy()
    frame.loc[frame["MAT"] > 12, "P_near"] = np.nan  # the warm zone can only take P_far
    frame.loc[frame["MAT"] < 0, ["P_near", "P_far"]] = np.nan  # the cold zone has no moisture at all
    table = Table(frame, TABLE.units, TABLE.roles)
    model = staged(STAGES + "by: climate\nmin_rows: 20\n", table, climate=zones())
    assert {zone: drivers[1:] for zone, drivers in model.selected.items()} == {
        "cold": (),
        "mild": ("P_near",),
        "warm": ("P_far",),
    }
    codes = [note.code for note in model.notes]
    assert codes.count("SQ665") == 1
    words = next(n.message for n in model.notes if n.code == "SQ665")
    assert words.startswith("zone `cold`: stage `moisture` selects nothing: `P_far`: 0 complete rows, 20 needed")
    rows = path(model).set_index(["zone", "candidate"])
    assert rows.loc[("warm", "P_near"), "status"] == "0 complete rows, 20 needed"
    assert rows.loc[("cold", "P_far"), "n"] == 0
    by_zone = model.summary().extras["zones"].frame.set_index("zone")
    assert by_zone["stage"].tolist() == ["temperature", "moisture", "moisture"]
    assert by_zone.loc["mild", "moisture"] == "P_near"
    again = reloaded(model)
    pd.testing.assert_frame_equal(path(model), path(again))
    pd.testing.assert_frame_equal(model.summary().frame, again.summary().frame)
    assert (again.selected, again.report(), again.notes) == (model.selected, model.report(), model.notes)


def test_a_pixel_is_not_lost_for_a_driver_that_its_zone_does_not_need() -> None:
    frame = FRAME.copy()
    frame.loc[frame["MAT"] < 0, ["P_near", "P_far"]] = np.nan
    model = staged(STAGES + "by: climate\n", Table(frame, TABLE.units, TABLE.roles), climate=zones())
    nan, one = np.full(2, np.nan), np.ones(2)
    points = dict.fromkeys(model.variables, one) | {"MAT": np.array([-3.0, 5.0]), "P_near": nan, "P_far": nan}
    assert model.complete(points).tolist() == [True, False]
    assert np.isfinite(model.predict(points)["mean"]).tolist() == [True, False]


def test_a_zone_in_which_nothing_can_be_fitted_keeps_its_path() -> None:
    frame = FRAME.copy()
    frame.loc[frame["MAT"] < 0, "Rs"] = 100.0
    model = staged(STAGES + "by: climate\n", Table(frame, TABLE.units, TABLE.roles), climate=zones())
    assert "cold" not in model.selected
    status = model.summary().extras["zones"].frame.loc[0, "status"]
    assert status.startswith("no stage could be fitted (T_far: `Rs` is 100 in all rows")
    cold = path(model).query("zone == 'cold'")
    assert not cold["chosen"].any()
    assert cold["status"].tolist()[-1] == "not tried"


def test_no_candidate_that_explains_anything_is_a_stage_without_a_choice() -> None:
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"Rs": rng.uniform(1, 2, 60), "x": rng.uniform(1, 2, 60), "site": np.arange(60)})
    text = (
        "data: t\nscore: cross_validated\nstages:\n"
        '  one: {formula: "Rs ~ a + b*X", params: [a, b], variable: X, candidates: [x]}\n'
    )
    with pytest.raises(SoilqlError, match=r"not scored: no candidate explains anything \(the largest R2 is -"):
        staged(text, Table(frame, {}, {"site": "site"}))


@pytest.mark.parametrize("how", ["vcov", "profile", "bootstrap", "cv10"])
def test_members_of_every_kind_are_the_same_after_storing(how: str) -> None:
    model = staged(STAGES + f"uncertainty: {how}\n")
    assert model.member_source == f"parameter draws ({how})"
    points = {name: FRAME[name].to_numpy()[:7] for name in model.variables}
    one = model.predict(points, members=4, seed=5)["members"]
    np.testing.assert_array_equal(one, reloaded(model).predict(points, members=4, seed=5)["members"])
    halves = [model.predict({k: v[part] for k, v in points.items()}, members=4, seed=5)["members"]
              for part in (slice(0, 3), slice(3, 7))]  # fmt: skip
    np.testing.assert_array_equal(one, np.concatenate(halves, axis=1))


def refitted(text: str, rows: np.ndarray[Any, Any], whole: FittedModel | None = None) -> Any:
    """Fit the model to some rows as a test by folds does."""
    found = kinds.find("models", "staged_selection")
    assert found is not None
    block = bind_block("models", "staged_selection", text)
    ctx = Context(block, {"t": TABLE.rows(rows)}, whole=None if whole is None else lambda: whole)
    return found.run(block.params, ctx)


def test_a_refit_selects_anew_unless_the_selection_is_to_be_kept() -> None:
    # Among the rows that have it, T_rare is the best: a refit to these alone selects it.
    rows = np.flatnonzero(FRAME["T_rare"].notna())
    whole = staged()
    assert refitted(STAGES, rows, whole).selected["all"] == ("T_rare", "P_near")
    kept = refitted(STAGES + "nested: false\n", rows, whole)
    assert kept.selected["all"] == ("T_near", "P_near")
    assert [n.code for n in kept.notes] == ["SQ667"]
    assert kept.summary().frame["n"].tolist() == [rows.size] * 4
    assert path(kept)["candidate"].tolist() == ["T_near", "P_near"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("variable: T,", "variable: a,", "the variable and a parameter"),
        ("[T_far, T_near, T_rare]", "[]", "`candidates` is empty"),
        ("[T_far, T_near, T_rare]", "[T_far, T_far]", "names a column twice"),
        ("data: t\n", "data: t\nweights: [1, 1]\n", "three numbers"),
        ("data: t\n", "data: t\nmetric: AICc\n", "same rows"),
        ("variable: T,", "variable: X,", "does not use `X`"),
        ("variable: M,", "variable: T,", "already"),
        ("Rs ~ a*exp(b*T)*exp(", "log(Rs) ~ a*exp(b*T)*exp(", "that of the first stage"),
        ("T_rare]", "T_rere]", "no column `T_rere`"),
        ("T_rare]", "words]", "is text"),
    ],
)
def test_mistakes_have_a_place_and_no_traceback(old: str, new: str, words: str) -> None:
    assert STAGES.count(old) == 1
    with pytest.raises(SoilqlError, match=words) as error:
        staged(STAGES.replace(old, new), Table(FRAME.assign(words="a")))
    assert error.value.diagnostics[0].span is not None


def noise(seed: int, rows: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    names = [f"{kind}{i}" for kind, count in (("t", 6), ("m", 12), ("p", 9)) for i in range(count)]
    return pd.DataFrame(rng.normal(size=(rows, 28)), columns=["Rs", *names]).assign(site=np.arange(rows))


NOISE = """\
data: t
starts: 0
stages:
  t: {formula: "Rs ~ a + b*T", params: [a, b], variable: T, candidates: [t0, t1, t2, t3, t4, t5]}
  m:
    formula: Rs ~ a + b*T + c*M
    params: [a, b, c]
    variable: M
    candidates: [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11]
  p:
    formula: Rs ~ a + b*T + c*M + d*P
    params: [a, b, c, d]
    variable: P
    candidates: [p0, p1, p2, p3, p4, p5, p6, p7, p8]
"""


@pytest.mark.slow
def test_selection_outside_the_folds_finds_skill_in_noise_and_inside_them_does_not() -> None:
    # Reference: n = 60, one of 6/12/9 candidates a stage; pooled R2 +0.05 selected outside the folds, -0.22 nested.
    kind = kinds.find("models", "staged_selection")
    assert kind is not None
    scores: dict[str, list[float]] = {"true": [], "false": []}
    for seed in range(8):
        table = Table(noise(seed), {}, {"site": "site"})
        for nested, found in scores.items():
            block = bind_block("models", "staged_selection", f"{NOISE}nested: {nested}\n")
            whole = kind.run(block.params, Context(block, {"t": table}))
            folds = np.arange(60) % 10
            guess = np.full(60, np.nan)
            for fold in range(10):
                inputs = {"t": table.rows(folds != fold)}
                model: Any = kind.run(block.params, Context(block, inputs, whole=lambda whole=whole: whole))
                points = {name: table.frame[name].to_numpy()[folds == fold] for name in model.variables}
                guess[folds == fold] = model.predict(points)["mean"]
            found.append(metrics.r2(table.frame["Rs"], guess))
    assert np.mean(scores["false"]) == pytest.approx(0.05, abs=0.08)
    assert np.mean(scores["true"]) == pytest.approx(-0.22, abs=0.10)
    assert all(outside > inside for outside, inside in zip(scores["false"], scores["true"], strict=True))
