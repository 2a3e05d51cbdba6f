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
from soilql.fits import fitted, fitting, training, zoning
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


COARSE = "of: MAT\nbreaks: [10]\nlabels: [cool, hot]\n"


def falling_back(how: str, needed: int = 2) -> FittedModel:
    zones = {"climate": run_kind("zones", "cut", CLIMATE), "coarse": run_kind("zones", "cut", COARSE)}
    return fit_means(context(f"by: climate\nfallback: {how}\n", inputs=zones), needed)


POINTS = {"MAT": np.array([5.0, 0.0, 20.0, np.nan])}


def test_zones_without_a_fit_fall_back_on_one_fit_to_all_rows() -> None:
    model = falling_back("all")
    # By hand: temperate (20 + 50)/2; boreal and tropical the mean of all four complete rows, 10, 20, 30 and 50.
    np.testing.assert_array_equal(model.predict(POINTS)["mean"], [35, 27.5, 27.5, np.nan])
    assert [status.status for status in model.statuses] == [
        "1 complete row, 2 needed: fit to all 4 rows used",
        "fitted",
        "1 complete row, 2 needed: fit to all 4 rows used",
    ]
    messages = [note.message for note in model.notes if note.code == "SQ802"]
    assert messages == [
        f"zone `{zone}`: 1 complete row, 2 needed: fit to all 4 rows used" for zone in ("boreal", "tropical")
    ]
    table = model.summary()
    assert table.frame["zone"].tolist() == ["boreal", "temperate", "tropical", "fallback: all"]
    assert table.frame["estimate"].tolist()[-1] == 27.5
    assert table.extras["zones"].frame["n"].tolist() == [1, 2, 1, 4]
    assert "No fit of its own: 1 complete row, 2 needed: fit to all 4 rows used" in model.report()
    assert "Fallback of zones without a fit: all\n\nmean 27.5" in model.report()


def test_zones_without_a_fit_fall_back_on_the_coarser_zone_of_each_place() -> None:
    model = falling_back("coarse")
    # By hand: cool 10, 20, 50; hot has one row and no fit either.
    np.testing.assert_allclose(model.predict(POINTS)["mean"], [35, 80 / 3, np.nan, np.nan])
    assert model.statuses[0].status == "1 complete row, 2 needed: fit to `cool` of `coarse` used"
    assert model.statuses[2].status == "1 complete row, 2 needed: not fitted, `hot` of `coarse` has no fit either"
    assert "fallback `hot`: 1 complete row, 2 needed: not fitted" in [note.message for note in model.notes]


def test_a_fit_that_fails_falls_back_too() -> None:
    model = falling_back("all", needed=1)
    assert model.statuses[2].status == "thirty is too much (take less): fit to all 4 rows used"
    assert model.predict(POINTS)["mean"][2] == 27.5


def test_the_fallback_is_made_once_and_shared() -> None:
    calls: list[int] = []
    zones = {"climate": run_kind("zones", "cut", CLIMATE)}
    ctx = context("by: climate\nfallback: all\n", inputs=zones)

    def fit(columns: Any) -> Mean:
        calls.append(len(columns["Rs"]))
        return Mean(float(columns["Rs"].mean()))

    model = fitting.fit_model(ctx, rows_of(ctx, "Rs", "MAT"), fit, response="Rs", drivers=("MAT",), needed=2)
    assert calls == [2, 4]
    members = model.predict(POINTS, members=5, seed=3)["members"]
    np.testing.assert_array_equal(members[:, 1], members[:, 2])
    assert not np.allclose(members[:, 0] - 35, members[:, 1] - 27.5)


def test_without_a_zone_that_needs_it_there_is_no_fallback() -> None:
    halves = run_kind("zones", "cut", "of: MAT\nbreaks: [4]\nlabels: [a, b]\n")
    model = fit_means(context("by: halves\nfallback: all\n", inputs={"halves": halves}))
    assert model.fallback is None
    assert [status.status for status in model.statuses] == ["fitted", "fitted"]


def test_nothing_to_fall_back_on_is_an_error_with_all_reasons() -> None:
    with pytest.raises(SoilqlError, match="could not be fitted in any zone") as error:
        falling_back("all", needed=50)
    assert "fallback `all`: 4 complete rows, 50 needed: not fitted" in error.value.diagnostics[0].notes


@pytest.mark.parametrize("how", ["all", "coarse"])
def test_stored_fallback_is_the_same_model(how: str) -> None:
    model = falling_back(how)
    again = fitted.load_model(model.state(), load_mean)
    for name, values in model.predict(POINTS, sd=True, members=3, seed=4).items():
        np.testing.assert_array_equal(values, again.predict(POINTS, sd=True, members=3, seed=4)[name])
    pd.testing.assert_frame_equal(model.summary().frame, again.summary().frame)
    assert (again.report(), again.selected) == (model.report(), model.selected)


def test_points_are_complete_with_the_drivers_of_their_own_zone() -> None:
    class Needing(Mean):
        drivers = ("MAT",)

    model = zoned()
    needing = Needing(1.0)
    mixed = FittedModel(
        "Rs", None, ("MAT", "EVI"), (), ("MAT", "EVI"), model.statuses, {0: needing, 1: Mean(2.0)}, model.zones
    )
    points = {"MAT": np.array([0.0, 5.0, 5.0, 20.0, 20.0, np.nan]), "EVI": np.array([np.nan, np.nan, 1, np.nan, 1, 1])}
    # Boreal needs MAT alone; temperate both; tropical has no fit and a place in no zone no zone: they need all.
    assert mixed.complete(points).tolist() == [True, False, True, False, True, False]
    assert np.isfinite(mixed.predict(points)["mean"]).tolist() == [True, False, True, False, False, False]
    assert mixed.selected == {"boreal": ("MAT",), "temperate": ("MAT", "EVI")}


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
    found = list(zoning.check_zones(model, scope))
    assert [(d.code, d.span.text if d.span else "", d.help) for d in found] == [
        ("SQ704", "climate", "did you mean `Mat`?")
    ]
    scope = Scope(zones, "Rs", "MAT")
    assert not list(zoning.check_zones(model, scope))


def test_kinds_are_looked_at_without_numpy() -> None:
    modules = [
        *(f"soilql.models.{name}" for name in ("linear", "nonlinear", "random_forest", "quantile_forest")),
        *("soilql.zones.cut", "soilql.zones.classes", "soilql.validation.kfold", "soilql.fits.fitting"),
    ]
    program = f"import sys, {', '.join(modules)}; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
