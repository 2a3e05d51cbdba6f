"""Cross-validated skill, against values worked out by hand and the references named beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

from soilql.errors import Diagnostic, Severity, SoilqlError
from soilql.values import Note, State, Table, quantile_name
from tests.support import run_kind


class Unstored:
    """What a fitted model also has, and these tests do not use."""

    def summary(self) -> Table:
        raise NotImplementedError

    def report(self) -> str:
        raise NotImplementedError

    def state(self) -> State:
        raise NotImplementedError


@dataclass(frozen=True)
class Constant(Unstored):
    """Predicts what it is told, and quantiles around it; NaN where the driver is missing."""

    value: float
    spread: float | None = None
    notes: tuple[Note, ...] = ()
    response: str = "y"
    unit: str | None = "g C m-2 yr-1"
    variables: tuple[str, ...] = ("x",)

    def predict(self, columns: Mapping[str, Any], *, quantiles: Sequence[float] = (), **_: Any) -> dict[str, Any]:
        if quantiles and self.spread is None:
            raise SoilqlError(Diagnostic("SQ804", "a model of kind `constant` has no quantiles"))
        base = np.where(np.isfinite(columns["x"]), self.value, np.nan)
        spread = self.spread or 0.0
        return {"mean": base} | {quantile_name(q): base + spread * (q - 0.5) for q in quantiles}


@dataclass(frozen=True)
class Halves:
    """A scheme with the folds it is given."""

    codes: tuple[int, ...]

    def folds(self, table: Table) -> np.ndarray[Any, Any]:
        return np.array(self.codes)

    def describe(self) -> str:
        return "given folds"


class Split:
    """Zones by the sign of z."""

    labels = ("low", "high", "empty")
    variables = ("z",)

    def codes(self, columns: Mapping[str, Any]) -> Any:
        z = columns["z"]
        return np.where(np.isnan(z), -1, (z > 0).astype(int)).astype(np.int16)


# Exact: obs (1,2 | 10,11) and pred (1.5,1.5 | 10.5,10.5) have SSE 1 and SST 82: R2 is 0.987805 pooled, 0 in each fold.
TABLE = Table(
    pd.DataFrame(
        {
            "y": [1.0, 2.0, 10.0, 11.0],
            "x": [0.0, 1.0, 2.0, 3.0],
            "z": [-1.0, 1.0, 1.0, np.nan],
            "Latitude": [1.0, 2.0, 3.0, 4.0],
            "Longitude": [5.0, 6.0, 7.0, 8.0],
        }
    ),
    {"y": "g C m-2 yr-1"},
    {"lat": "Latitude", "lon": "Longitude"},
)


def half_mean(table: Table, spread: float | None = None) -> Callable[[np.ndarray[Any, Any]], Constant]:
    """Fit a constant that is right for the half that is held out: 12 less the mean of the other half."""
    y = table.frame["y"].to_numpy()
    return lambda rows: Constant(float(12.0 - y[rows].mean()), spread)


def evaluate(
    text: str = "", table: Table = TABLE, spread: float | None = None, refit: Any = None, **inputs: Any
) -> Table:
    refits = {"m": refit or half_mean(table, spread)}
    values = {"m": Constant(0.0, spread), "halves": Halves((0, 0, 1, 1)), **inputs}
    found = run_kind(
        "analyses",
        "evaluate",
        f"models: m\nscheme: halves\n{text}",
        values,
        refits=refits,
        trainings={"m": lambda: table},
    )
    assert isinstance(found, Table)
    return found


def test_pooled_and_fold_r2_are_the_reference_values() -> None:
    row = evaluate().frame.iloc[0]
    assert round(row["R2"], 6) == 0.987805
    assert row["R2_fold_mean"] == 0.0
    assert row["RMSE"] == row["MAE"] == 0.5
    assert row["bias"] == 0.0
    assert (row["n"], row["n_missing"], row["folds"], row["folds_failed"]) == (4, 0, 2, 0)


def test_a_model_without_quantiles_has_no_such_columns_and_units_follow() -> None:
    found = evaluate()
    assert not [name for name in found.frame.columns if name.startswith(("pinball", "coverage"))]
    assert {found.units[name] for name in ("RMSE", "MAE", "bias")} == {"g C m-2 yr-1"}
    assert "R2" not in found.units


def test_pinball_and_coverage_of_known_intervals() -> None:
    # Every error is 0.5; the 90 % interval is +-0.45 spread and the 50 % one +-0.25 spread.
    row = evaluate(spread=1.2).frame.iloc[0]
    assert (row["coverage_50"], row["coverage_90"]) == (0.0, 1.0)
    assert row["pinball_q50"] == pytest.approx(0.25)  # half of the mean absolute error
    assert row["pinball_q95"] == pytest.approx(np.mean([0.05 * 1.04, 0.95 * 0.0 + 0.05 * 0.04]))


def test_only_the_measures_asked_for() -> None:
    frame = evaluate("metrics: [RMSE, R2_folds]", spread=1.0).frame
    scores = list(frame.columns[6:])
    assert scores == ["RMSE", "R2_fold_mean", "R2_fold_sd", "R2_folds_defined"]


def test_every_prediction_is_kept_with_its_fold_and_place() -> None:
    table = evaluate(spread=1.0).extras["predictions"]
    assert table.frame["fold"].tolist() == [0, 0, 1, 1]
    assert table.frame["predicted"].tolist() == [1.5, 1.5, 10.5, 10.5]
    assert table.frame["lat"].tolist() == [1.0, 2.0, 3.0, 4.0]
    assert {"q05", "q25", "q50", "q75", "q95"} <= set(table.frame.columns)
    assert table.units["q05"] == "g C m-2 yr-1"


def test_rows_that_the_model_cannot_use_are_counted() -> None:
    frame = TABLE.frame.assign(x=[0.0, np.nan, 2.0, 3.0])
    row = evaluate(table=Table(frame, TABLE.units, TABLE.roles)).frame.iloc[0]
    assert (row["n"], row["n_missing"]) == (3, 1)


def test_a_failing_fold_is_counted_and_the_others_go_on() -> None:
    def refit(rows: np.ndarray[Any, Any]) -> Constant:
        if rows[0] == 0:
            raise SoilqlError(Diagnostic("SQ801", "singular"))
        return Constant(1.5)

    found = evaluate(refit=refit)
    row = found.frame.iloc[0]
    assert (row["n"], row["n_missing"], row["folds_failed"]) == (2, 2, 1)
    assert [note.code for note in found.notes] == ["SQ801"]
    assert "1 of 2 folds, first in fold 1: singular" in found.notes[0].message


def test_all_folds_failing_gives_missing_scores_and_no_crash() -> None:
    def refit(rows: np.ndarray[Any, Any]) -> Constant:
        raise SoilqlError(Diagnostic("SQ801", "singular"))

    row = evaluate(refit=refit, spread=1.0).frame.iloc[0]
    assert row["n"] == 0
    assert np.isnan(row["R2"]) and np.isnan(row["coverage_90"])


def test_rows_by_zone_with_one_that_is_empty_and_a_row_in_none() -> None:
    found = evaluate("by: zones", zones=Split())
    frame = found.frame.set_index("zone")
    assert frame["n"].to_dict() == {"all": 4, "low": 1, "high": 2, "empty": 0}
    assert frame.loc["high", "MAE"] == 0.5
    assert any("1 of 4 rows lie in no zone" in note.message for note in found.notes)


def test_notes_of_the_folds_are_said_once_with_their_number() -> None:
    said = (Note("SQ803", "did not converge"),)
    found = evaluate(refit=lambda rows: Constant(5.0, notes=said))
    assert [note.message for note in found.notes] == ["`m`, 2 of 2 folds: did not converge"]


def test_notes_that_differ_in_their_numbers_alone_are_one() -> None:
    def refit(rows: np.ndarray[Any, Any]) -> Constant:
        said = [f"zone `T{rows[0]}`: no fit", f"zone `a`: {rows[0]} rows of {20 + rows[0]}, 3.5e-{rows[0]} needed"]
        return Constant(5.0, notes=tuple(Note("SQ802", words) for words in said))

    assert [note.message for note in evaluate(refit=refit).notes] == [
        "`m`, 1 of 2 folds: zone `T2`: no fit",
        "`m`, 2 of 2 folds: zone `a`: 0 to 2 rows of 20 to 22, 3.5e-2 to 3.5e-0 needed",
        "`m`, 1 of 2 folds: zone `T0`: no fit",
    ]


def test_rows_never_tested_train_every_fold() -> None:
    seen: list[list[int]] = []

    def refit(rows: np.ndarray[Any, Any]) -> Constant:
        seen.append(rows.tolist())
        return Constant(5.0)

    found = evaluate(refit=refit, halves=Halves((0, -1, 1, -1)))
    assert seen == [[1, 2, 3], [0, 1, 3]]
    assert found.frame.loc[0, "n"] == 2


def test_a_scheme_that_tests_nothing_is_an_error() -> None:
    with pytest.raises(SoilqlError, match="SQ608"):
        evaluate(halves=Halves((-1, -1, -1, -1)))


def test_scores_do_not_depend_on_the_scale_or_the_order_of_the_rows() -> None:
    order = [3, 0, 2, 1]
    shuffled = Table(TABLE.frame.iloc[order].reset_index(drop=True).assign(y=lambda f: f["y"] * 1e-8))
    y = shuffled.frame["y"].to_numpy()
    found = evaluate(
        table=shuffled, refit=lambda rows: Constant(float(12e-8 - y[rows].mean())), halves=Halves((1, 0, 1, 0))
    )
    assert found.frame.loc[0, "R2"] == pytest.approx(0.9878048780487805, rel=1e-9)


def test_the_headline_is_the_skill_over_all_rows() -> None:
    from soilql.steps.evaluate import headline

    frame = pd.DataFrame(
        {
            "model": ["qrf", "qrf", "a"], "zone": ["all", "north", "all"],
            "R2": [0.3214, 0.1, 0.2], "RMSE": [437.2, 1.0, 512.0],
            "coverage_50": 0.5, "coverage_90": [0.88, 0.1, np.nan],
        }
    )  # fmt: skip
    assert headline(Table(frame, {"RMSE": "g C m-2 yr-1"})) == [
        "qrf R2 0.321, RMSE 437 g C m-2 yr-1, coverage 90 % 0.88",
        "a   R2 0.2, RMSE 512 g C m-2 yr-1",
    ]
    assert headline(Table(frame[["model", "zone"]].assign(MAE=2.0, unit="g").iloc[:1])) == ["qrf MAE 2 g"]
    assert headline(Table(frame[["model", "zone"]].iloc[:1])) == ["qrf"]
    none = frame.iloc[:1].assign(n=0, R2=np.nan, RMSE=np.nan)
    assert headline(Table(none)) == ["qrf no row held out has a prediction"]


def test_that_no_row_could_be_predicted_is_a_warning() -> None:
    table = Table(TABLE.frame.assign(x=np.nan), TABLE.units, TABLE.roles)
    found = run_kind(
        "analyses", "evaluate", "models: m\nscheme: halves\n",
        {"m": Constant(0.0), "halves": Halves((0, 0, 1, 1))},
        refits={"m": lambda rows: Constant(0.0)},
        trainings={"m": lambda: table},
    )  # fmt: skip
    assert found.frame["n"].tolist() == [0]
    (note,) = (note for note in found.notes if note.code == "SQ713")
    assert note.severity is Severity.WARNING
    assert note.message.startswith("`m`: 4 of 4 rows held out have no prediction")


@dataclass(frozen=True)
class Levels(Constant):
    """Has some quantiles and no others, as boosted trees have."""

    levels: tuple[float, ...] = (0.05, 0.95)

    def predict(self, columns: Mapping[str, Any], *, quantiles: Sequence[float] = (), **_: Any) -> dict[str, Any]:
        if any(level not in self.levels for level in quantiles):
            raise SoilqlError(Diagnostic("SQ804", "was fitted for 0.05, 0.95"))
        return super().predict(columns, quantiles=quantiles)


def test_a_model_is_scored_by_the_quantiles_that_it_has() -> None:
    # Every error is 0.5, the 90 % interval reaches 0.45 x 1.2 to either side, and there is no other.
    half = half_mean(TABLE)
    found = evaluate(refit=lambda rows: Levels(half(rows).value, 1.2), m=Levels(0.0, 1.2))
    row = found.frame.iloc[0]
    assert row["coverage_90"] == 1.0
    assert row["pinball_q95"] == pytest.approx(np.mean([0.05 * 1.04, 0.05 * 0.04]))
    assert not {"coverage_50", "pinball_q50"} & set(found.frame.columns)
    assert [(note.code, note.message) for note in found.notes] == [
        ("SQ804", "`m` has no quantiles 0.25, 0.5, 0.75: scored by 0.05, 0.95")
    ]


def test_measures_of_quantiles_that_are_asked_for_in_vain_are_told() -> None:
    found = evaluate("metrics: [RMSE, coverage]")
    assert list(found.frame.columns[6:]) == ["RMSE"]
    assert [note.message for note in found.notes] == ["`m` has no quantiles: coverage left out"]


def test_a_choice_among_models_may_have_quantiles_in_some_folds_only() -> None:
    half = half_mean(TABLE)
    found = evaluate(refit=lambda rows: Constant(half(rows).value, 1.2 if rows[0] == 0 else None), spread=1.2)
    row = found.frame.iloc[0]
    assert row["R2"] == pytest.approx(81 / 82)
    assert not [name for name in found.frame.columns if name.startswith(("pinball", "coverage"))]
    assert "q50" not in found.extras["predictions"].frame
    assert [(note.code, note.message) for note in found.notes] == [
        ("SQ804", "`m` has no quantiles in 1 of 2 folds: no interval is scored")
    ]


def test_models_scored_on_different_rows_are_told() -> None:
    frame = TABLE.frame.assign(w=[0.0, np.nan, 2.0, 3.0])
    table = Table(frame, TABLE.units, TABLE.roles)

    @dataclass(frozen=True)
    class OfW(Constant):
        variables: tuple[str, ...] = ("w",)

        def predict(self, columns: Mapping[str, Any], **ask: Any) -> dict[str, Any]:
            return super().predict({"x": columns["w"]}, **ask)

    found = run_kind(
        "analyses", "evaluate", "models: [m, other]\nscheme: halves\n",
        {"m": Constant(0.0), "other": OfW(0.0), "halves": Halves((0, 0, 1, 1))},
        refits={"m": lambda rows: Constant(0.0), "other": lambda rows: OfW(0.0)},
        trainings={"m": lambda: table, "other": lambda: table},
    )  # fmt: skip
    assert found.frame["n"].tolist() == [4, 3]
    said = [(note.code, note.message) for note in found.notes]
    assert said[0][0] == "SQ713" and said[0][1].startswith("`other`: 1 of 4 rows held out have no prediction")
    assert said[1:] == [
        ("SQ645", "the models are scored on different rows, those that each predicts: `m` 4, `other` 3")
    ]
