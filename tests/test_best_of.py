"""The best of several models in each zone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from soilql import kinds
from soilql.errors import SoilqlError
from soilql.fits.best_of_scores import HeldOut, Rules, compare
from soilql.values import Fitted, State, Table
from tests.small_study import Study
from tests.support import bind_block, run_kind

CLIMATE = "of: T\nbreaks: [10]\nlabels: [cold, warm]\n"
CURVE = '{formula: "Rs ~ a*exp(b*T)", params: [a, b], data: t}'
LINE = '{formula: "Rs ~ T + P", data: t}'
FLAT = '{formula: "Rs ~ P", data: t}'


def observations(rows: int = 80) -> pd.DataFrame:
    """Return a flux that is a curve of T where it is cold and a line of P where it is warm."""
    rng = np.random.default_rng(2)
    t, p = rng.uniform(-5, 25, rows).round(3), rng.uniform(0, 10, rows).round(3)
    flux = np.where(t <= 10, 300 * np.exp(0.08 * t), 900 - 60 * p) + rng.normal(0, 15, rows)
    place = {"site": [f"s{i // 2}" for i in range(rows)], "lat": 1.0 * np.arange(rows) / 2, "lon": 0.0}
    return pd.DataFrame({**place, "T": t, "P": p, "Rs": flux.round(3)})


TABLE = Table(observations(), {"Rs": "g C m-2 yr-1"}, {"site": "site", "lat": "lat", "lon": "lon"})


class World:
    """Models of one table, and what a run hands to the block that chooses among them."""

    def __init__(self, table: Table = TABLE, **models: tuple[str, str]) -> None:
        self.table = table
        self.models = models or {"curve": ("nonlinear", CURVE), "flat": ("linear", FLAT)}
        self.zones = run_kind("zones", "cut", CLIMATE)

    def fit(self, name: str, table: Table) -> Any:
        kind, text = self.models[name]
        return run_kind("models", kind, text, {"t": table, "climate": self.zones})

    def best(self, text: str = "", folds: int = 4, **tables: Table) -> Any:
        scheme = run_kind("validation", "kfold", f"folds: {folds}\ngroup: site\n")
        inputs = {name: self.fit(name, tables.get(name, self.table)) for name in self.models}
        names = ", ".join(self.models)
        return run_kind(
            "models",
            "best_of",
            f"models: [{names}]\nscheme: folds\n{text}",
            {**inputs, "folds": scheme, "climate": self.zones},
            refits={name: lambda rows, name=name: self.fit(name, self.table.rows(rows)) for name in self.models},
            trainings={name: lambda name=name: tables.get(name, self.table) for name in self.models},
        )


BY = "by: climate\n"


def test_each_zone_takes_its_own_best() -> None:
    world = World()
    model = world.best(BY)
    assert isinstance(model, Fitted)
    assert model.choice == ("curve", "flat")
    assert model.variables == ("T", "P")
    points = {"T": np.array([0.0, 20.0]), "P": np.array([5.0, 5.0])}
    curve, flat = (world.fit(name, TABLE).predict(points)["mean"] for name in ("curve", "flat"))
    np.testing.assert_array_equal(model.predict(points)["mean"], [curve[0], flat[1]])
    assert model.selected == {"cold": ("T",), "warm": ("P",)}
    table = model.summary().frame
    assert table[["zone", "model", "status"]].to_numpy().tolist() == [
        ["cold", "curve", "chosen"],
        ["warm", "flat", "chosen"],
    ]


def test_scores_are_those_of_rows_held_out() -> None:
    world = World()
    model = world.best(BY)
    scheme = run_kind("validation", "kfold", "folds: 4\ngroup: site\n")
    folds, frame = scheme.folds(TABLE), TABLE.frame
    guess = np.full(len(frame), np.nan)
    for fold in range(4):
        test = frame[folds == fold]
        fitted = world.fit("curve", TABLE.rows(folds != fold))
        guess[folds == fold] = fitted.predict({name: test[name].to_numpy() for name in ("T", "P")})["mean"]
    cold = frame["T"] <= 10
    error = (frame["Rs"] - guess)[cold]
    row = model.summary().extras["candidates"].frame.iloc[0]
    assert (row["zone"], row["model"], row["n"]) == ("cold", "curve", cold.sum())
    # RMSE, 1 - SSE/SST and their means over folds, by hand.
    assert row["RMSE"] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-9)
    spread = frame["Rs"][cold] - frame["Rs"][cold].mean()
    assert row["R2"] == pytest.approx(1 - np.sum(error**2) / np.sum(spread**2), rel=1e-9)
    by_fold = [np.sqrt(np.mean(error[folds[cold] == fold] ** 2)) for fold in range(4)]
    assert row["RMSE_fold_mean"] == pytest.approx(np.mean(by_fold), rel=1e-9)
    predictions = model.summary().extras["predictions"].frame
    np.testing.assert_allclose(predictions["curve"], guess)
    assert predictions["zone"].tolist() == np.where(cold, "cold", "warm").tolist()


def held(predicted: dict[str, list[float]], folds: list[int] | None = None) -> HeldOut:
    size = len(next(iter(predicted.values())))
    arrays = {name: np.array(values) for name, values in predicted.items()}
    fold = np.array(folds or [0] * size)
    return HeldOut(fold, np.zeros(size, np.int64), np.array([1.0, 2.0, 10.0, 11.0][:size]), arrays,
                   {name: {} for name in predicted})  # fmt: skip


def rules(
    metric: str = "RMSE", average: str = "pooled", *, common: bool = True, then: tuple[str, ...] = ("R2",)
) -> Rules:
    return Rules(metric, then, average, common, 0.9)


def test_pooled_and_mean_over_folds_are_different_scores() -> None:
    # Reference: obs (1,2 | 10,11), pred (1.5,1.5 | 10.5,10.5): pooled R2 0.987805, fold mean 0.
    table = compare(held({"a": [1.5, 1.5, 10.5, 10.5], "b": [1, 2, 9, 10]}, [0, 0, 1, 1]), ["all"], {}, rules("R2"))
    assert table.loc[0, "R2"] == pytest.approx(0.987805, abs=5e-7)
    assert table.loc[0, "R2_fold_mean"] == 0.0
    assert table["chosen"].tolist() == [True, False]
    by_fold = compare(held({"a": [1.5, 1.5, 10.5, 10.5], "b": [1, 2, 9.5, 11.5]}, [0, 0, 1, 1]), ["all"], {},
                      rules("R2", "folds"))  # fmt: skip
    # R2 of `b` is 1 and 0 in the folds.
    assert by_fold["R2_fold_mean"].tolist() == [0.0, 0.5]
    assert by_fold["chosen"].tolist() == [False, True]


def test_equal_scores_go_by_the_next_measure_and_then_by_order() -> None:
    equal = held({"a": [1, 2, 10, 13], "b": [1, 2, 10, 9], "c": [1, 2, 10, 13]})
    table = compare(equal, ["all"], {}, rules())
    assert table["chosen"].tolist() == [True, False, False]
    assert table["status"].tolist() == ["chosen", "scored, ties in RMSE", "scored, ties in RMSE"]
    assert compare(equal, ["all"], {}, rules(then=("r2",)))["chosen"].tolist() == [True, False, False]
    # Equal errors in other places: r2 of `b` is lower, since its error lies within the range.
    far = held({"b": [1, 2, 7, 11], "a": [1, 2, 10, 14]})
    assert compare(far, ["all"], {}, rules(then=()))["chosen"].tolist() == [True, False]
    assert compare(far, ["all"], {}, rules(then=("r2",)))["chosen"].tolist() == [False, True]


def test_a_candidate_that_predicts_too_little_is_not_chosen_and_says_why() -> None:
    nan = float("nan")
    gaps = held({"a": [1, 2, nan, nan], "b": [2, 3, 11, 12]})
    table = compare(gaps, ["all"], {}, rules())
    assert table["chosen"].tolist() == [False, True]
    assert table.loc[0, "status"] == "predicts 2 of 4 rows held out, 4 needed"
    assert table["n"].tolist() == [2, 4]
    assert table["n_missing"].tolist() == [2, 0]
    few = Rules("RMSE", (), "pooled", common=True, min_share=0.5)
    table = compare(gaps, ["all"], {}, few)
    assert table["chosen"].tolist() == [True, False]
    assert table["n"].tolist() == [2, 2]
    own = compare(gaps, ["all"], {}, Rules("RMSE", (), "pooled", common=False, min_share=0.5))
    assert own["n"].tolist() == [2, 4]


def test_a_model_without_a_fit_in_a_zone_is_not_chosen_there() -> None:
    world = World(
        curve=("nonlinear", CURVE.replace("}", ", by: climate, min_rows: 40}")),
        flat=("linear", FLAT.replace("}", ", by: climate}")),
    )
    model = world.best()
    assert model.zones is world.zones
    assert model.choice == ("flat", "flat")
    rows = model.summary().extras["candidates"].frame.set_index(["zone", "model"])
    assert rows.loc[("cold", "curve"), "status"].endswith("complete rows, 40 needed: not fitted")
    assert any(n.message.startswith("`curve`: fit failed in 4 of 4 folds") for n in model.notes if n.code == "SQ801")


def test_a_zone_without_a_choice_has_none_or_the_best_of_all_rows() -> None:
    frame = observations()
    frame.loc[frame["T"] > 10, "Rs"] = np.nan
    world = World(Table(frame, TABLE.units, TABLE.roles))
    model = world.best(BY)
    assert model.choice == ("curve", None)
    points = {"T": np.array([0.0, 20.0]), "P": np.array([5.0, 5.0])}
    assert np.isnan(model.predict(points)["mean"]).tolist() == [False, True]
    assert any("zone `warm`: no candidate could be chosen" in note.message for note in model.notes)
    model = world.best(BY + "fallback: all\n")
    assert model.choice == ("curve", "curve")
    assert np.isfinite(model.predict(points)["mean"]).all()
    assert model.summary().frame["status"].tolist() == ["chosen", "best of all rows used"]
    assert model.summary().extras["candidates"].frame["zone"].tolist()[-1] == "fallback: all"
    reload(model)


def test_the_best_of_all_rows_is_not_said_to_predict_where_it_has_no_fit() -> None:
    frame = observations()
    frame.loc[frame["T"] > 10, "Rs"] = np.nan
    world = World(
        Table(frame, TABLE.units, TABLE.roles),
        curve=("nonlinear", CURVE.replace("}", ", by: climate}")),
        flat=("linear", FLAT.replace("}", ", by: climate}")),
    )
    model = world.best("fallback: all\n")
    assert model.choice == ("curve", None)
    said = next(note.message for note in model.notes if "zone `warm`" in note.message)
    assert said.endswith("; `curve`, the best of all rows, has no fit there either")
    assert model.summary().frame["status"].tolist() == ["chosen", "no candidate could be chosen"]


def reload(model: Any) -> Any:
    kind = kinds.find("models", "best_of")
    assert kind is not None
    state = model.state()
    assert all(not np.asarray(array).dtype.hasobject for array in state.arrays.values())
    again: Any = kind.load(State(json.loads(json.dumps(dict(state.meta))), dict(state.arrays)), None)
    points = {name: TABLE.frame[name].to_numpy() for name in model.variables}
    one, other = (m.predict(points, members=3, seed=4) for m in (model, again))
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name])
    assert again.report() == model.report()
    for name, extra in model.summary().extras.items():
        pd.testing.assert_frame_equal(extra.frame, again.summary().extras[name].frame)
    return again


def test_stored_model_is_the_same_model() -> None:
    again = reload(World().best(BY))
    assert "* curve" in again.report()


def test_members_of_a_model_do_not_depend_on_the_block_and_differ_between_models() -> None:
    model = World(curve=("nonlinear", CURVE), other=("nonlinear", CURVE)).best(BY)
    points = {"T": np.linspace(-5, 25, 9), "P": np.ones(9)}
    whole = model.predict(points, members=4, seed=1)["members"]
    parts = [model.predict({k: v[s] for k, v in points.items()}, members=4, seed=1)["members"]
             for s in (slice(0, 4), slice(4, 9))]  # fmt: skip
    np.testing.assert_array_equal(whole, np.concatenate(parts, axis=1))


def test_points_need_only_the_drivers_of_their_zones_model() -> None:
    model = World().best(BY)
    nan = float("nan")
    points = {"T": np.array([0.0, 20.0, 20.0]), "P": np.array([nan, nan, 1.0])}
    assert model.complete(points).tolist() == [True, False, True]
    assert np.isfinite(model.predict(points)["mean"]).tolist() == [True, False, True]


def test_models_that_cannot_be_compared_are_refused() -> None:
    world = World(curve=("nonlinear", CURVE), cold=("linear", '{formula: "T ~ P", data: t}'))
    with pytest.raises(SoilqlError, match="`curve` models `Rs` in g C m-2 yr-1, and `cold` `T`"):
        world.best(BY)
    other = Table(TABLE.frame.iloc[:50], TABLE.units, TABLE.roles)
    with pytest.raises(SoilqlError, match="fitted to different tables"):
        World().best(BY, flat=other)
    apart = World(curve=("nonlinear", CURVE), flat=("linear", FLAT.replace("}", ", by: climate}")))
    with pytest.raises(SoilqlError, match="fitted by different zones"):
        apart.best()
    with pytest.raises(SoilqlError, match="two or more"):
        bind_block("models", "best_of", "models: [a]\nscheme: folds\n")


SPEC = """\
soilql: 1
datasets:
  t: {kind: table, source: obs.csv, columns: {Rs: {from: Rs, unit: g C m-2 yr-1}},
      roles: {lat: lat, lon: lon, site: site}}
zones:
  climate: {kind: cut, of: T, breaks: [10], labels: [cold, warm]}
models:
  curve: {kind: nonlinear, formula: "Rs ~ a*exp(b*T)", params: [a, b], data: t}
  flat: {kind: linear, formula: Rs ~ P, data: t}
  best: {kind: best_of, models: [curve, flat], scheme: folds, by: climate}
validation:
  folds: {kind: kfold, folds: 4, group: site}
  outer: {kind: kfold, folds: 2, group: site, seed: 7}
analyses:
  skill: {kind: evaluate, models: best, scheme: outer}
"""


def test_a_test_by_folds_makes_the_choice_anew_without_the_rows_held_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = Study(tmp_path, capsys)
    study.write(SPEC)
    observations().to_csv(tmp_path / "obs.csv", index=False)
    outcome = study.main()
    assert outcome.status == 0, outcome.err
    found = study.results_table("analyses/skill/skill.predictions.csv").set_index("row")["predicted"]
    folds = run_kind("validation", "kfold", "folds: 2\ngroup: site\nseed: 7\n").folds(TABLE)
    for fold in range(2):
        inner = World(TABLE.rows(folds != fold)).best(BY)
        test = TABLE.frame[folds == fold]
        guess = inner.predict({name: test[name].to_numpy() for name in ("T", "P")})["mean"]
        np.testing.assert_allclose(found[test.index], guess, rtol=1e-6)
