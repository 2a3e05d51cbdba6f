"""The search for hyperparameters: its scores, its choice, what it says, and that nothing leaks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.svm import SVR

from soilql.errors import SoilqlError
from soilql.fits.learner_data import Training
from soilql.fits.tuning import Axis, Range, Tune, candidates
from soilql.fits.tuning_search import search
from soilql.stats.folds import grouped_kfold, kfold
from tests.models.diabetes import COLUMNS, SITES, X, Y, fitted, reloaded, seen, standard
from tests.small_study import Study
from tests.support import run_kind


def trials(model: Any) -> pd.DataFrame:
    frame: pd.DataFrame = model.summary().extras["tuning"].frame
    return frame


def codes(model: Any) -> list[str]:
    return [note.code for note in model.notes]


def test_scores_of_a_candidate_are_those_of_sklearn_on_the_same_folds() -> None:
    model = fitted("svr", "tune: {over: {C: [0.1, 1, 10]}, folds: 4, seed: 9}\n", SITES)
    places = np.unique(SITES["place"], return_inverse=True)[1]
    order = np.lexsort([places, Y, *X.T[::-1]])
    folds = grouped_kfold(places[order], 4, 9)
    x, y = X[order], Y[order]
    for row in trials(model).to_dict("records"):
        errors, r2 = [], []
        for fold in range(4):
            rest, out = folds != fold, folds == fold
            y_rest = seen((y[rest] - y[rest].mean()) / y[rest].std())
            one = SVR(C=row["C"]).fit(seen(standard(x[rest], x[rest])), y_rest)
            found = one.predict(standard(x[out], x[rest])) * y[rest].std() + y[rest].mean()
            errors.append(np.sqrt(np.mean((y[out] - found) ** 2)))
            r2.append(1 - np.sum((y[out] - found) ** 2) / np.sum((y[out] - y[out].mean()) ** 2))
        assert row["RMSE"] == pytest.approx(np.mean(errors), rel=1e-9)
        assert row["RMSE_sd"] == pytest.approx(np.std(errors, ddof=1), rel=1e-9)
        assert row["R2"] == pytest.approx(np.mean(r2), rel=1e-9)
        assert (row["folds"], row["status"], row["zone"]) == (4, "fitted", "all")
    assert trials(model)["chosen"].tolist() == (trials(model)["RMSE"] == trials(model)["RMSE"].min()).tolist()


def test_the_best_is_fitted_to_all_rows() -> None:
    model = fitted("svr", "tune: {over: {C: [0.01, 1], gamma: [0.02, 5]}}\n")
    best = trials(model).query("chosen").iloc[0]
    alone = fitted("svr", f"C: {best['C']}\ngamma: {best['gamma']}\n")
    np.testing.assert_array_equal(model.predict(COLUMNS)["mean"], alone.predict(COLUMNS)["mean"])
    assert model.summary().extras["zones"].frame["tuned RMSE"][0] == best["RMSE"]
    again = reloaded("svr", model)
    pd.testing.assert_frame_equal(trials(again), trials(model), check_dtype=False)
    np.testing.assert_array_equal(again.predict(COLUMNS)["mean"], model.predict(COLUMNS)["mean"])


@pytest.mark.parametrize("metric", ["RMSE", "R2", "MAE"])
def test_a_known_optimum_is_found(metric: str) -> None:
    # A cubic: of polynomials of degree 1 to 5 with almost no penalty, the third is the first that has it.
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.uniform(-2, 2, 90)})
    frame["Rs"] = frame["x"] ** 3 - frame["x"] + 0.05 * rng.normal(size=90)
    text = "kernel: polynomial\noffset: 1\ngamma: 1\nC: 10\nepsilon: 0.01\n"
    text += f"tune: {{over: {{degree: [1, 2, 3]}}, metric: {metric}}}\n"
    model = fitted("svr", text, frame, "formula: Rs ~ x\ndata: t\n")
    assert trials(model).query("chosen")["degree"].tolist() == [3]
    assert codes(model) == ["SQ654"]
    assert "the best `degree`, 3, is the greatest that was tried" in model.notes[0].message
    inner = fitted("svr", text.replace("[1, 2, 3]", "[1, 3, 12]"), frame, "formula: Rs ~ x\ndata: t\n")
    assert trials(inner).query("chosen")["degree"].tolist() == [3]
    assert codes(inner) == []


@pytest.mark.parametrize(
    ("kind", "text", "best"),
    [
        # A staircase of 16 steps needs leaves of few rows; a forest of leaves of 60 rows has four.
        ("random_forest", "trees: 20\ntune: {over: {min_leaf: [60, 4]}, folds: 3}\n", {"min_leaf": 4}),
        ("gradient_boosting", "tune: {over: {trees: [2, 150]}, folds: 3}\n", {"trees": 150}),
        # One tanh neuron makes one step.
        ("mlp", "decay: 0\ntune: {over: {hidden: [1, [24]]}, folds: 3}\n", {"hidden": "[24]"}),
    ],
)
def test_every_kind_can_be_tuned(kind: str, text: str, best: dict[str, Any]) -> None:
    x = np.linspace(0, 1, 240)
    frame = pd.DataFrame({"x": x, "Rs": np.floor(16 * x) % 4 + 0.0})
    model = fitted(kind, text, frame, "formula: Rs ~ x\ndata: t\n")
    chosen = trials(model).query("chosen").iloc[0]
    assert {name: chosen[name] for name in best} == best
    again = reloaded(kind, model)
    np.testing.assert_array_equal(again.predict({"x": x})["mean"], model.predict({"x": x})["mean"])
    assert "best of 2 candidates" in again.report()


def test_ties_go_to_the_second_metric_and_then_to_the_first_listed() -> None:
    # The degree has no part in a linear kernel.
    model = fitted("svr", "kernel: linear\ntune: {over: {degree: [4, 2, 3]}, folds: 3}\n")
    assert trials(model)["RMSE"].nunique() == 1
    assert trials(model).query("chosen")["degree"].tolist() == [4]
    # Two rows a fold, the same mean absolute error, the second candidate with the smaller squares.
    y = np.random.default_rng(0).normal(size=6)
    rows = Training(np.arange(6.0)[:, None], y, np.array([True]))
    folds = kfold(6, 3, 1)
    uneven = np.array([2.0 * (np.flatnonzero(folds == folds[i])[0] == i) for i in range(6)])
    off = {1.0: uneven, 2.0: np.ones(6)}

    def attempt(candidate: Any, part: Training) -> Any:
        return lambda features: (y + off[candidate["C"]])[features[:, 0].astype(int)], ()

    found = search(Tune({"C": [1.0, 2.0]}, folds=3, metric="MAE"), [Axis("C", (1.0, 2.0))], rows, attempt)
    assert found.trials[0]["MAE"] == pytest.approx(1.0, rel=1e-12)
    assert found.trials[1]["MAE"] == pytest.approx(1.0, rel=1e-12)
    assert found.chosen == {"C": 2.0}


def test_candidates_of_a_grid_and_of_random_draws() -> None:
    axes = [Axis("trees", (10, 20)), Axis("loss", ("a", "b", "c"))]
    grid = candidates(axes, Tune({"trees": [10, 20], "loss": ["a", "b", "c"]}))
    assert [tuple(one.values()) for one in grid] == [(t, k) for t in (10, 20) for k in "abc"]
    wide = [Axis("C", (), Range(0.01, 100, True)), Axis("depth", (), Range(1, 9), whole=True)]
    tune = Tune({"C": Range(0.01, 100, True)}, search="random", trials=400, seed=3)
    drawn = candidates(wide, tune)
    logs = np.log10([one["C"] for one in drawn])
    assert -2 <= logs.min() < -1.9 and 1.9 < logs.max() <= 2
    # Uniform on the log scale: standard deviation of the width over the root of twelve.
    assert np.std(logs) == pytest.approx(4 / np.sqrt(12), rel=0.08)
    assert {one["depth"] for one in drawn} == set(range(1, 10))
    assert candidates(wide, tune) == drawn


def test_the_edge_of_a_range_is_noted() -> None:
    text = "tune: {over: {C: {low: 1.0e-6, high: 0.001, log: true}}, search: random, trials: 25, folds: 3}\n"
    model = fitted("svr", text)
    assert codes(model) == ["SQ654"]
    assert "greatest" in model.notes[0].message


def test_fewer_groups_than_folds_and_a_single_one() -> None:
    few = SITES.assign(place=[f"s{i % 3}" for i in range(len(Y))])
    model = fitted("svr", "tune: {over: {C: [0.1, 1]}, folds: 5}\n", few)
    assert [(n.code, n.message) for n in model.notes] == [
        ("SQ651", "tuned by 3 folds instead of 5: there are 3 groups")
    ]
    assert set(trials(model)["folds"]) == {3}
    one = fitted("svr", "C: 7\ntune: {over: {C: [0.1, 1]}}\n", SITES.assign(place="s"))
    assert codes(one) == ["SQ651"]
    assert "not tuned" in one.notes[0].message
    assert one.fits[0].settings.C == 7
    rows = fitted("svr", "tune: {over: {C: [0.1, 1]}, group: rows}\n", SITES.assign(place="s"))
    assert codes(rows) == []


def test_a_site_is_never_on_both_sides_of_an_inner_fold() -> None:
    # The response of a site is its own random number, which a narrow kernel remembers: by rows memory wins.
    rng = np.random.default_rng(4)
    sites = np.repeat(np.arange(40), 6)
    place = rng.normal(size=40)[sites]
    frame = pd.DataFrame({"x": place + 1e-3 * rng.normal(size=240), "Rs": rng.normal(size=40)[sites], "place": sites})
    text = "C: 100\ntune: {{over: {{gamma: [0.0001, 1000]}}{}}}\n"
    head = "formula: Rs ~ x\ndata: t\n"
    by_site = fitted("svr", text.format(""), frame, head)
    by_row = fitted("svr", text.format(", group: rows"), frame, head)
    assert trials(by_site).query("chosen")["gamma"].tolist() == [0.0001]
    assert trials(by_row).query("chosen")["gamma"].tolist() == [1000]
    assert trials(by_site)["R2"].max() < 0.1
    assert trials(by_row)["R2"].max() > 0.9


def test_zones_are_tuned_apart() -> None:
    zones = run_kind("zones", "cut", "of: x\nbreaks: [0]\nlabels: [low, high]\n")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.uniform(-2, 2, 200)})
    frame["Rs"] = np.where(frame["x"] < 0, frame["x"], np.sin(9 * frame["x"])) + 0.01 * rng.normal(size=200)
    text = "by: z\nC: 100\ntune: {over: {gamma: [0.001, 5]}}\n"
    model = fitted("svr", text, frame, "formula: Rs ~ x\ndata: t\n", inputs={"z": zones})
    chosen = trials(model).query("chosen").set_index("zone")["gamma"].to_dict()
    assert chosen["high"] == 5
    assert set(trials(model)["zone"]) == {"low", "high"}


def test_candidates_that_fail_have_a_status_and_are_not_drawn() -> None:
    # A step of this length leaves every number behind.
    text = "training: sgd\nmax_iterations: 20\nmembers_from: tuned\n"
    text += "tune: {over: {learning_rate: [0.01, 1.0e+30]}, folds: 2}\n"
    with np.errstate(all="ignore"):
        model = fitted("mlp", text)
    frame = trials(model)
    assert frame["chosen"].tolist() == [True, False]
    assert frame["status"][1] not in ("fitted", "")
    assert np.isnan(frame["RMSE"][1])
    members = model.predict(COLUMNS, members=5)["members"]
    np.testing.assert_array_equal(members, np.tile(model.predict(COLUMNS)["mean"], (5, 1)))


def test_members_drawn_among_the_candidates() -> None:
    text = "members_from: tuned\ntune: {over: {C: [0.1, 1, 10]}, folds: 3}\n"
    model = fitted("svr", text)
    each = {C: fitted("svr", f"C: {C}\n").predict(COLUMNS)["mean"] for C in (0.1, 1, 10)}
    members = model.predict(COLUMNS, members=60, seed=3)["members"]
    nearest = [min(each, key=lambda C: float(np.abs(each[C] - one).max())) for one in members]
    for C, one in zip(nearest, members, strict=True):
        np.testing.assert_allclose(one, each[C], rtol=1e-9)
    # Each candidate has the chance of a third: 20 of 60, give or take three standard errors.
    counts = [nearest.count(C) for C in each]
    assert all(abs(count - 20) < 3 * np.sqrt(60 * 2 / 9) for count in counts)
    np.testing.assert_array_equal(reloaded("svr", model).predict(COLUMNS, members=60, seed=3)["members"], members)
    forest = "trees: 20\nmembers_from: tuned\ntune: {over: {min_leaf: [2, 40]}, folds: 3}\n"
    grown = fitted("random_forest", forest).predict(COLUMNS, members=30, seed=0)["members"]
    assert len(np.unique(grown, axis=0)) == 2


def test_refits_search_anew_unless_the_block_says_otherwise() -> None:
    text = "tune: {{over: {{C: [0.001, 1]}}, folds: 3{}}}\n"
    whole = fitted("svr", text.format(", nested: false"))
    assert codes(whole) == []
    noise = SITES.head(60).assign(Rs=np.random.default_rng(0).normal(size=60))
    kept = fitted("svr", text.format(", nested: false"), noise, whole=lambda: whole)
    anew = fitted("svr", text.format(""), noise, whole=lambda: whole)
    assert kept.fits[0].settings.C == whole.fits[0].settings.C == 1
    assert anew.fits[0].settings.C == 0.001
    assert [(n.code, n.message) for n in kept.notes] == [
        ("SQ650", "hyperparameters were tuned on all rows, those held out among them: scores are optimistic")
    ]
    assert codes(anew) == []


def test_a_column_that_is_no_group_and_one_with_gaps() -> None:
    for group, code in (("plaze", "SQ704"), ("gaps", "SQ711")):
        with pytest.raises(SoilqlError) as error:
            frame = SITES.assign(gaps=[None, *["a"] * (len(Y) - 1)])
            fitted("svr", f"tune: {{over: {{C: [1, 2]}}, group: {group}}}\n", frame)
        assert error.value.diagnostics[0].code == code


SPEC = """\
soilql: 1
datasets:
  obs: {kind: table, source: obs.csv, roles: {lat: lat, lon: lon, site: site}}
models:
  nested: {kind: svr, formula: Rs ~ T, data: obs, tune: {over: {C: [0.01, 1, 100], gamma: [0.1, 10, 1000]}}}
  kept:
    kind: svr
    formula: Rs ~ T
    data: obs
    tune: {over: {C: [0.01, 1, 100], gamma: [0.1, 10, 1000]}, nested: false}
validation:
  folds: {kind: kfold, folds: 5, group: site}
analyses:
  skill: {kind: evaluate, models: [nested, kept], scheme: folds, metrics: [R2, RMSE]}
"""


def test_a_test_by_folds_says_which_search_it_rests_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = Study(tmp_path, capsys)
    study.write(SPEC)
    rng = np.random.default_rng(3)
    study.edit(lambda frame: frame.assign(Rs=rng.normal(10, 1, len(frame))))
    outcome = study.main()
    assert outcome.status == 0, outcome.err
    assert "`kept`, 5 of 5 folds: hyperparameters were tuned on all rows" in outcome.err
    assert "`nested`, 5 of 5 folds: hyperparameters" not in outcome.err
    scores = study.results_table("analyses/skill/skill.csv").set_index("model")["R2"]
    # On pure noise what was chosen with a look at the rows held out can only look better.
    assert scores["nested"] < scores["kept"]
