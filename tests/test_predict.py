"""Predictions on grids, against a model whose answer is known in closed form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from soilql.context import Resources
from soilql.errors import SoilqlError, Source
from soilql.source import parse_yaml
from soilql.spec import build
from soilql.values import Grid, Note, State, Table, quantile_name
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
class Line(Unstored):
    """y = 100 + 10 T + P/10 + lat; quantiles by 10 times the level; members add their number."""

    response: str = "Rs"
    unit: str | None = "g C m-2 yr-1"
    variables: tuple[str, ...] = ("T", "P")
    notes: tuple[Note, ...] = ()

    def predict(
        self,
        columns: Mapping[str, Any],
        *,
        quantiles: Sequence[float] = (),
        sd: bool = False,
        members: int = 0,
        seed: int = 0,
    ) -> dict[str, Any]:
        assert all(np.isfinite(columns[name]).all() for name in self.variables), "only complete cells are asked for"
        mean = 100 + 10 * columns["T"] + columns["P"] / 10 + columns.get("lat", 0.0)
        found = {"mean": mean} | {quantile_name(q): mean + 10 * q for q in quantiles}
        found |= {"sd": np.full_like(mean, 7.0)} if sd else {}
        return found | ({"members": mean + np.arange(members)[:, None] + seed} if members else {})


LAT, LON = np.array([15.0, 5.0, -5.0]), np.array([-10.0, 0.0, 10.0, 20.0])
T = np.arange(12.0).reshape(3, 4)
P = np.full((3, 4), 500.0)
TRAINING = Table(pd.DataFrame({"T": [0.0, 9.0], "P": [100.0, 900.0], "Rs": [1.0, 2.0]}), {"T": "degC", "P": "mm yr-1"})


def grid(t: Any = T, p: Any = P, chunks: Any = None, **more: Any) -> Grid:
    data = xr.Dataset(
        {"T": (("lat", "lon"), t, {"units": "degC"}), "P": (("lat", "lon"), p, {"units": "mm yr-1"}), **more},
        {"lat": LAT, "lon": LON},
    )
    return Grid(data.chunk(chunks) if chunks else data)


def predict(text: str = "", on: Grid | None = None, model: Line | None = None, **context: Any) -> Grid:
    inputs: dict[str, Any] = {"m": model or Line(), "g": on or grid()}
    found = run_kind(
        "analyses", "predict", f"model: m\non: g\n{text}", inputs, trainings={"m": lambda: TRAINING}, **context
    )
    assert isinstance(found, Grid)
    return found


EXPECTED = 100 + 10 * T + P / 10 + LAT[:, None]


def test_the_mean_is_the_models_and_lazy() -> None:
    found = predict()
    assert found.data["mean"].chunks is not None
    assert found.data["mean"].dims == ("lat", "lon")
    assert found.unit("mean") == "g C m-2 yr-1"
    assert found.data["mean"].dtype == np.float32
    np.testing.assert_allclose(found.data["mean"], EXPECTED)


def test_quantiles_sd_and_members() -> None:
    data = predict("quantiles: [0.95, 0.05]\nsd: true\nmembers: 3\nseed: 4\ndtype: float64").data
    assert list(data.data_vars) == ["mean", "q05", "q95", "sd", "members"]
    np.testing.assert_array_equal(data["q95"], EXPECTED + 9.5)
    np.testing.assert_array_equal(data["sd"], 7.0)
    assert data["members"].dims == ("member", "lat", "lon")
    assert data["member"].to_numpy().tolist() == [1, 2, 3]
    np.testing.assert_array_equal(data["members"], EXPECTED + np.arange(3)[:, None, None] + 4)


def test_the_result_does_not_depend_on_the_blocks() -> None:
    text = "quantiles: [0.5]\nmembers: 2"
    whole = predict(text).data
    for chunks, memory in (({"lat": 1, "lon": 2}, 1), ({"lat": 2}, 4000), (None, 1)):
        found = predict(text, grid(chunks=chunks), resources=Resources(memory=memory, workers=2)).data
        assert found["mean"].data.numblocks[0] > 1
        xr.testing.assert_identical(found.compute(), whole.compute())


def test_missing_drivers_give_missing_cells_and_are_counted_by_driver() -> None:
    t, p = T.copy(), P.copy()
    t[0, 0] = np.nan
    t[1, 1] = p[1, 1] = np.nan
    found = predict(on=grid(t, p))
    assert np.isnan(found.data["mean"].to_numpy()).sum() == 2
    table = found.extras["coverage"].frame.set_index("driver")
    assert table["missing"].to_dict() == {"T": 2, "P": 1}
    assert table["missing_alone"].to_dict() == {"T": 1, "P": 0}
    assert any("2 of 12 cells have no prediction" in note.message for note in found.notes)


def test_cells_beyond_the_training_data_are_reported_by_driver() -> None:
    found = predict()
    table = found.extras["coverage"].frame.set_index("driver")
    assert table.loc["T", "above"] == 2  # 10 and 11, where the training data end at 9
    assert table.loc["T", "share_outside"] == pytest.approx(2 / 12)
    assert table.loc["P", "share_outside"] == 0
    assert [note.code for note in found.notes] == ["SQ609"]


def test_a_unit_that_converts_is_converted_with_a_note() -> None:
    source = grid()
    source.data["T"] = (source.data["T"] + 273.15).assign_attrs(units="K")
    found = predict(on=source)
    np.testing.assert_allclose(found.data["mean"], EXPECTED, rtol=1e-6)
    assert any(note.code == "SQ304" and "from K to degC" in note.message for note in found.notes)


def test_a_unit_that_does_not_convert_is_an_error() -> None:
    source = grid()
    source.data["T"].attrs["units"] = "mm"
    with pytest.raises(SoilqlError, match="SQ302"):
        predict(on=source)


def test_a_driver_without_any_value_is_named() -> None:
    with pytest.raises(SoilqlError, match="SQ706 all values of `P` in `g` are missing"):
        predict(on=grid(p=np.full((3, 4), np.nan)))


def test_a_missing_variable_has_a_suggestion_and_rename_helps() -> None:
    source = Grid(grid().data.rename(P="Pre"))
    with pytest.raises(SoilqlError, match="SQ704 `g` has no variable `P`"):
        predict(on=source)
    np.testing.assert_allclose(predict("rename: {P: Pre}", source).data["mean"], EXPECTED)
    with pytest.raises(SoilqlError, match="SQ704 `m` has no variable `Q`"):
        predict("rename: {Q: Pre}", source)


def test_a_driver_that_varies_in_time_beside_one_that_does_not() -> None:
    times = np.array(["2000-01-01", "2001-01-01"], dtype="datetime64[ns]")
    moving = xr.DataArray(np.stack([T, T + 1]), dims=("time", "lat", "lon"), attrs={"units": "degC"})
    data = grid().data.drop_vars("T").assign(T=moving).assign_coords(time=times)
    found = predict(on=Grid(data.chunk({"time": 2})))
    assert found.data["mean"].dims == ("time", "lat", "lon")
    np.testing.assert_allclose(found.data["mean"], np.stack([EXPECTED, EXPECTED + 10]))
    np.testing.assert_array_equal(found.data["time"], times)


def test_members_of_every_year_and_their_interval() -> None:
    moving = xr.DataArray(np.stack([T, T + 1]), dims=("time", "lat", "lon"), attrs={"units": "degC"})
    on = Grid(grid().data.drop_vars("T").assign(T=moving).assign_coords(time=[2000, 2001]))
    whole = predict("members: 5\ninterval: 0.5", on).data
    assert whole["members"].dims == ("member", "time", "lat", "lon")
    years = np.stack([EXPECTED, EXPECTED + 10])
    np.testing.assert_allclose(whole["members"][3], years + 3 + 1, rtol=1e-6)
    # Members are mean + seed + 0, 1, 2, 3, 4, whose quartiles (type 7) are 1 and 3.
    np.testing.assert_allclose(whole["lower"], years + 1 + 1, rtol=1e-6)
    np.testing.assert_allclose(whole["upper"], years + 3 + 1, rtol=1e-6)
    left = predict("members: 5\ninterval: 0.5\nkeep_members: false", on).data
    assert list(left.data_vars) == ["mean", "lower", "upper"]
    xr.testing.assert_identical(left.compute(), whole.drop_vars(["members", "member"]).compute())


@pytest.mark.parametrize("text", ["interval: 0.9", "members: 5\nkeep_members: false", "members: 1"])
def test_an_interval_needs_members_and_members_leave_something(text: str) -> None:
    with pytest.raises(SoilqlError, match="SQ126"):
        predict(text)


def test_a_model_without_drivers_predicts_every_cell() -> None:
    class Mean(Line):
        def predict(self, columns: Mapping[str, Any], **asked: Any) -> dict[str, Any]:
            return {"mean": np.full(next(iter(columns.values())).size, 7.0)}

    found = predict(on=grid(T * np.nan), model=Mean(variables=()))
    np.testing.assert_array_equal(found.data["mean"], np.full((3, 4), 7.0))
    assert found.notes == ()


def test_a_model_that_needs_other_drivers_elsewhere_says_where_it_is_complete() -> None:
    @dataclass(frozen=True)
    class Warm(Line):
        """Needs P only where it is warm."""

        def complete(self, columns: Mapping[str, Any]) -> Any:
            return np.isfinite(columns["T"]) & (np.isfinite(columns["P"]) | (columns["T"] < 4))

        def predict(self, columns: Mapping[str, Any], **asked: Any) -> dict[str, Any]:
            return {"mean": np.where(columns["T"] < 4, columns["T"], columns["P"])}

    p = P.copy()
    p[:, 1] = np.nan
    found = predict(on=grid(p=p), model=Warm()).data["mean"]
    # T is 0 to 3 in the first row.
    assert np.isnan(found.to_numpy()).tolist() == [[False] * 4] + [[False, True, False, False]] * 2


def test_text_drivers_of_the_training_table_cannot_meet_numbers() -> None:
    training = Table(pd.DataFrame({"T": ["a", "b"], "P": [1.0, 2.0], "Rs": [1.0, 2.0]}))
    inputs: dict[str, Any] = {"m": Line(), "g": grid()}
    with pytest.raises(SoilqlError, match="SQ709"):
        run_kind("analyses", "predict", "model: m\non: g", inputs, trainings={"m": lambda: training})


@dataclass(frozen=True)
class Honest(Line):
    """A line that says what its uncertainty is."""

    member_source: str = "parameter draws (vcov)"
    sd_meaning: str = "standard error of the mean"


def test_the_model_says_what_members_and_sd_are() -> None:
    data = predict("sd: true\nmembers: 2", model=Honest()).data
    assert data["members"].attrs["source"] == "parameter draws (vcov)"
    assert data["members"].attrs["long_name"] == "predicted Rs, parameter draws (vcov)"
    assert data["sd"].attrs["long_name"] == "predicted Rs, standard error of the mean"
    plain = predict("sd: true\nmembers: 2\nquantiles: [0.05]").data
    assert plain["members"].attrs["source"] == "Monte Carlo members"
    assert [plain[name].attrs["long_name"] for name in ("mean", "q05", "sd")] == [
        "predicted Rs, mean", "predicted Rs, 5 % quantile", "predicted Rs, standard deviation",
    ]  # fmt: skip


def test_a_fitted_model_speaks_for_its_fits() -> None:
    from types import SimpleNamespace

    from soilql.fits.fitted import FittedModel

    fit: Any = SimpleNamespace(member_source="single trees")
    model = FittedModel("Rs", None, (), (), (), (), {2: fit})
    assert (model.member_source, model.sd_meaning) == ("single trees", "standard deviation")
    assert FittedModel("Rs", None, (), (), (), (), {}).member_source == "Monte Carlo members"


PLANNED = """\
soilql: 1
datasets:
  t: {kind: table, source: t.csv, columns: {Rs: {from: Rs, unit: g C m-2 d-1}, T: T, P: P}}
  g: {kind: grid, source: g.nc}
models:
  curve: {kind: nonlinear, formula: Rs ~ a*exp(b*T), params: [a, b], data: t}
  staged: {kind: staged_selection, data: t, stages: {warmth: {formula: Rs ~ a*exp(b*X), params: [a, b], variable: X,
           candidates: [T, P]}}}
  best: {kind: best_of, models: [staged, curve], scheme: folds}
  round: {kind: best_of, models: [round], scheme: folds}
validation: {folds: {kind: kfold, folds: 4}}
"""


@pytest.mark.parametrize(
    ("model", "unit"), [("curve", "g C m-2 d-1"), ("staged", "g C m-2 d-1"), ("best", "g C m-2 d-1"), ("round", None)]
)
def test_the_unit_is_known_before_anything_is_run(model: str, unit: str | None) -> None:
    text = f"{PLANNED}analyses: {{rs: {{kind: predict, model: {model}, on: g}}}}\n"
    found = build(parse_yaml(Source("x.yaml", text)), {}).schema("rs")
    assert found is not None
    assert found.variables["mean"].unit == unit
