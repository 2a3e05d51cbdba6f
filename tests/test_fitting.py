"""What the fitted kinds share: rows, zones, statuses, storage."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

from soilql import kinds
from soilql.context import Context
from soilql.errors import Diagnostic, Severity, SoilqlError
from soilql.fits import fitted, fitting, training
from soilql.fits.fitted import FittedModel
from soilql.fits.training import Rows
from soilql.values import Fitted, Note, State, Table
from tests.support import bind_block, run_kind

FRAME = pd.DataFrame(
    {
        "MAT": [1.0, 3.0, 20.0, np.nan, 5.0, 4.0],
        "Rs": [10, 20, 30, 40, 50, None],
        "biome": ["a", None, "b", "a", "b", "a"],
        "count": pd.array([1, 2, None, 4, 5, 6], dtype="Int64"),
    }
)
CLIMATE = "of: MAT\nbreaks: [2, 17]\nlabels: [boreal, temperate, tropical]\n"


@dataclass(frozen=True)
class Mean:
    """The simplest of fits: the mean of a zone."""

    value: float
    notes: tuple[str, ...] = ()

    def predict(
        self, columns: Any, *, quantiles: Sequence[float], sd: bool, members: int, seed: np.random.SeedSequence
    ) -> dict[str, Any]:
        n = len(next(iter(columns.values())))
        out = {"mean": np.full(n, self.value)}
        if sd:
            out["sd"] = np.zeros(n)
        if members:
            out["members"] = np.random.default_rng(seed).normal(self.value, size=(members, 1)) + np.zeros(n)
        return out

    def terms(self) -> list[dict[str, Any]]:
        return [{"term": "mean", "estimate": self.value}]

    def scores(self) -> dict[str, float]:
        return {"R2": 0.0}

    def report(self) -> str:
        return f"mean {self.value:g}"

    def state(self) -> State:
        return State({"notes": list(self.notes)}, {"value": np.array(self.value)})


def load_mean(state: State) -> Mean:
    return Mean(float(state.arrays["value"]), tuple(state.meta["notes"]))


def context(more: str = "", frame: pd.DataFrame = FRAME, inputs: Mapping[str, Any] | None = None) -> Context:
    block = bind_block("models", "linear", f"formula: Rs ~ MAT\ndata: t\n{more}", name="model")
    return Context(block, {"t": Table(frame, {"Rs": "g"}, {"lat": "MAT"}), **(inputs or {})})


def rows_of(ctx: Context, *names: str) -> Rows:
    return training.complete_rows(ctx, ctx.block.params.data, names, ctx.block.params.formula)


def fit_means(ctx: Context, needed: int = 1) -> FittedModel:
    rows = rows_of(ctx, "Rs", "MAT")

    def fit(columns: Any) -> Mean:
        if columns["Rs"].mean() == 30:
            raise SoilqlError(Diagnostic("SQ803", "thirty is too much", help="take less"))
        return Mean(float(columns["Rs"].mean()), ("noted",))

    return fitting.fit_model(ctx, rows, fit, response="Rs", drivers=("MAT",), needed=needed)


def zoned(needed: int = 1) -> FittedModel:
    zones = run_kind("zones", "cut", CLIMATE)
    return fit_means(context("by: climate\n", inputs={"climate": zones}), needed)


def test_incomplete_rows_are_left_out_and_counted_by_reason() -> None:
    rows = rows_of(context(), "Rs", "MAT", "biome", "count")
    assert rows.positions.tolist() == [0, 4]
    assert rows.columns["Rs"].tolist() == [10.0, 50.0]
    assert rows.columns["count"].dtype == np.float64
    assert [(note.code, note.severity, note.message) for note in rows.notes] == [
        (
            "SQ713",
            Severity.INFO,
            "4 of 6 rows of `t` left out: missing `Rs` in 1, `MAT` in 1, `biome` in 1, `count` in 1",
        )
    ]


def test_missing_column_has_its_place_in_the_formula() -> None:
    ctx = context(frame=FRAME.rename(columns={"MAT": "mat"}))
    with pytest.raises(SoilqlError) as error:
        rows_of(ctx, "Rs", "MAT")
    found = error.value.diagnostics[0]
    assert (found.code, found.help, found.span.text if found.span else "") == ("SQ704", "did you mean `mat`?", "MAT")


def test_points_go_to_the_fit_of_their_zone() -> None:
    model = zoned()
    assert isinstance(model, Fitted)
    assert (model.response, model.unit, model.variables) == ("Rs", "g", ("MAT",))
    got = model.predict({"MAT": np.array([5.0, np.nan, 0.0, 20.0, np.inf])}, sd=True, members=2)
    # Zone means by hand: boreal 10, temperate (20 + 50)/2, tropical refused.
    np.testing.assert_array_equal(got["mean"], [35, np.nan, 10, np.nan, np.nan])
    assert got["members"].shape == (2, 5)
    assert np.isnan(got["members"][:, [1, 3, 4]]).all()


def test_statuses_reach_notes_summary_and_report() -> None:
    model = zoned(needed=2)
    assert [(note.code, note.message) for note in model.notes[1:]] == [
        ("SQ802", "zone `boreal`: 1 complete row, 2 needed: not fitted"),
        ("SQ803", "zone `temperate`: noted"),
        ("SQ802", "zone `tropical`: 1 complete row, 2 needed: not fitted"),
    ]
    table = model.summary()
    assert table.frame["zone"].tolist() == ["boreal", "temperate", "tropical"]
    assert table.frame["estimate"].tolist()[1] == 35
    assert table.extras["zones"].frame["n"].tolist() == [1, 2, 1]
    assert table.extras["zones"].frame["status"].tolist()[0] == "1 complete row, 2 needed: not fitted"
    assert "Zone temperate\n\nmean 35" in model.report()
    assert "Not fitted: 1 complete row, 2 needed" in model.report()


def test_failed_fit_of_a_zone_keeps_its_code_and_help() -> None:
    notes = [(note.code, note.message) for note in zoned().notes]
    assert ("SQ803", "zone `tropical`: thirty is too much (take less)") in notes


def test_no_fit_at_all_is_an_error() -> None:
    with pytest.raises(SoilqlError) as error:
        zoned(needed=5)
    found = error.value.diagnostics[0]
    assert found.code == "SQ801"
    assert found.message == "`model` could not be fitted in any zone of `climate`"
    assert len(found.notes) == 4


def test_rows_outside_every_zone_are_counted_by_class() -> None:
    zones = run_kind("zones", "classes", "of: biome\ngroups: {first: [a]}\n")
    model = fit_means(context("by: z\n", inputs={"z": zones}))
    words = [note.message for note in model.notes if note.code == "SQ809"]
    assert words == ["3 of 4 rows of `t` lie in no zone of `z`: b (2), missing (1)"]
    assert model.variables == ("MAT", "biome")
    got = model.predict({"MAT": np.ones(2), "biome": np.array(["a", "c"], dtype=object)})
    np.testing.assert_array_equal(got["mean"], [10, np.nan])


def test_stored_model_is_the_same_model() -> None:
    model = zoned()
    again = fitted.load_model(model.state(), load_mean)
    points = {"MAT": np.array([5.0, 0.0, 20.0])}
    ask: dict[str, Any] = {"sd": True, "members": 3, "seed": 4}
    for name, values in model.predict(points, **ask).items():
        np.testing.assert_array_equal(values, again.predict(points, **ask)[name])
    assert (again.notes, again.statuses, again.variables) == (model.notes, model.statuses, model.variables)
    assert all(isinstance(note, Note) for note in again.notes)


def test_members_differ_between_zones_and_seeds_but_not_between_calls() -> None:
    model, points = zoned(), {"MAT": np.array([5.0, 0.0])}
    one, same, other = (model.predict(points, members=4, seed=seed)["members"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).all()
    assert not np.allclose(one[:, 0] - 35, one[:, 1] - 10)


def test_prediction_names_a_variable_it_lacks() -> None:
    with pytest.raises(SoilqlError) as error:
        zoned().predict({"mat": np.ones(2)})
    assert (error.value.diagnostics[0].code, error.value.diagnostics[0].help) == ("SQ704", "did you mean `mat`?")


class Scope:
    """A scope with a table and a partition."""

    def __init__(self, zones: kinds.Block, *columns: str) -> None:
        self.zones, self.columns = zones, columns

    def schema(self, ref: str) -> kinds.Schema:
        return kinds.Schema({name: kinds.Variable("number") for name in self.columns})

    def block(self, name: str) -> kinds.Block:
        return self.zones


def test_lint_says_that_the_zones_look_at_a_column_the_table_lacks() -> None:
    zones, model = bind_block("zones", "cut", CLIMATE), context("by: climate\n").block
    scope: Any = Scope(zones, "Rs", "Mat")
    found = list(fitting.check_zones(model, scope))
    assert [(d.code, d.span.text if d.span else "", d.help) for d in found] == [
        ("SQ704", "climate", "did you mean `Mat`?")
    ]
    scope = Scope(zones, "Rs", "MAT")
    assert not list(fitting.check_zones(model, scope))


def test_kinds_are_looked_at_without_numpy() -> None:
    modules = [
        *(f"soilql.models.{name}" for name in ("linear", "nonlinear", "random_forest", "quantile_forest")),
        *("soilql.zones.cut", "soilql.zones.classes", "soilql.validation.kfold", "soilql.fits.fitting"),
    ]
    program = f"import sys, {', '.join(modules)}; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
