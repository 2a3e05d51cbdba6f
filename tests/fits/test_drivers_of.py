"""Learners that take their drivers from another model, zone by zone, also inside the folds of a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from soilql.errors import SoilqlError
from soilql.models import staged_selection
from soilql.values import Table
from tests.models.diabetes import reloaded
from tests.small_study import Study
from tests.support import run_kind

STAGE = "{{formula: Rs ~ a + b*X, params: [a, b], variable: X, candidates: [{}]}}"
SELECTION = f"data: t\nby: z\nstages:\n  one: {STAGE.format('T, M, P')}\n"
ZONES = "of: lat\nbreaks: [0]\nlabels: [south, north]\n"


def study_table(n: int = 160) -> pd.DataFrame:
    """Return sites whose flux follows temperature in the south and moisture in the north."""
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"lat": rng.uniform(-60, 60, n), "lon": rng.uniform(-170, 170, n)})
    frame = frame.assign(**{name: rng.normal(size=n) for name in "TMP"})
    signal = np.where(frame["lat"] <= 0, 3 * frame["T"], 5 * frame["M"])
    return frame.assign(Rs=100 + signal + 0.1 * rng.normal(size=n))


FRAME = study_table()


def inputs(frame: pd.DataFrame = FRAME, selection: str = SELECTION) -> dict[str, Any]:
    found = {"t": Table(frame, {}, {"lat": "lat", "lon": "lon"}), "z": run_kind("zones", "cut", ZONES)}
    return {**found, "s": run_kind("models", "staged_selection", selection, found)}


def learner(kind: str = "svr", more: str = "by: z\n", **given: Any) -> Any:
    return run_kind("models", kind, f"formula: Rs ~ 1\ndata: t\ndrivers_of: s\n{more}", inputs(**given))


@pytest.mark.parametrize("kind", ["svr", "mlp", "gradient_boosting", "random_forest", "quantile_forest"])
def test_each_zone_has_its_own_drivers(kind: str) -> None:
    model = learner(kind)
    assert model.selected == {"south": ("T",), "north": ("M",)}
    assert model.drivers == ("T", "M")
    assert set(model.variables) == {"T", "M", "lat"}
    alone = FRAME["lat"] <= 0
    head = "formula: Rs ~ T\ndata: t\n"
    expected = run_kind(
        "models", kind, head, {"t": Table(FRAME[alone].reset_index(drop=True), {}, {"lat": "lat", "lon": "lon"})}
    )
    points = {name: FRAME[name].to_numpy() for name in ("T", "M", "lat")}
    # What is no driver of a zone may be missing there.
    points["M"] = np.where(alone, np.nan, points["M"])
    got = reloaded(kind, model).predict(points)["mean"]
    assert np.isfinite(got).all()
    np.testing.assert_allclose(got[alone], expected.predict({"T": points["T"]})["mean"][alone], rtol=1e-10)
    assert model.complete(points).all()


def test_a_zone_loses_only_the_rows_that_lack_its_own_drivers() -> None:
    frame = FRAME.copy()
    frame.loc[frame.index[frame["lat"] <= 0][:20], "M"] = np.nan
    model = learner(frame=frame)
    rows = {status.zone: status.rows for status in model.statuses}
    assert rows == {"south": int((frame["lat"] <= 0).sum()), "north": int((frame["lat"] > 0).sum())}
    frame.loc[frame.index[frame["lat"] <= 0], "T"] = np.nan
    frame.loc[frame.index[frame["lat"] <= 0][:5], "T"] = 1.0
    few = run_kind("models", "svr", "formula: Rs ~ 1\ndata: t\ndrivers_of: s\nby: z\n", {**inputs(), "t": Table(frame)})
    assert "5 of" in few.statuses[0].status and "have `T`, 10 needed: not fitted" in few.statuses[0].status
    assert [note.code for note in few.notes] == ["SQ802"]


def test_a_zone_without_selected_drivers_has_a_status() -> None:
    frame = FRAME.assign(lat=np.where(np.arange(len(FRAME)) < 2, 10.0, -np.abs(FRAME["lat"])))
    model = learner(frame=frame, more="by: z\nmin_rows: 2\n")
    assert model.statuses[1].status == "`s` chose no drivers here: not fitted"
    assert set(model.fits) == {0}


def test_other_zones_are_an_error() -> None:
    given = inputs()
    for by in ("", "by: other\n"):
        other = run_kind("zones", "cut", "of: lat\nbreaks: [10]\nlabels: [a, b]\n")
        with pytest.raises(SoilqlError) as error:
            text = f"formula: Rs ~ 1\ndata: t\ndrivers_of: s\n{by}"
            run_kind("models", "svr", text, {**given, "other": other})
        found = error.value.diagnostics[0]
        assert (found.code, found.span.text if found.span else "") == ("SQ126", "s")


@pytest.mark.parametrize("formula", ["Rs ~ T", "Rs ~ 0", "log(Rs) ~ 1"])
def test_the_formula_names_the_response_alone(formula: str) -> None:
    with pytest.raises(SoilqlError) as error:
        run_kind("models", "svr", f"formula: {formula}\ndata: t\ndrivers_of: s\nby: z\n", inputs())
    assert error.value.diagnostics[0].code == "SQ113"


def test_names_that_need_quotes_in_a_formula_are_drivers_too() -> None:
    frame = FRAME.rename(columns={"T": "soil T"})
    candidates = "data: t\nby: z\nstages:\n  one: " + STAGE.format('"soil T", M')
    assert learner(frame=frame, selection=candidates).selected["south"] == ("soil T",)


SPEC = """\
soilql: 1
datasets:
  obs: {kind: table, source: obs.csv, roles: {lat: lat, lon: lon, site: site}}
models:
  chosen:
    kind: staged_selection
    data: obs
    stages: {one: {formula: "Rs ~ a + b*X", params: [a, b], variable: X, candidates: [x0, x1, x2, x3, x4, x5, x6, x7]}}
  machine: {kind: svr, formula: Rs ~ 1, data: obs, drivers_of: chosen, kernel: linear}
  fixed: {kind: svr, formula: Rs ~ FIXED, data: obs, kernel: linear}
validation:
  folds: {kind: kfold, folds: 6}
analyses:
  skill: {kind: evaluate, models: [machine, fixed], scheme: folds, metrics: [R2]}
"""


def test_a_test_by_folds_selects_anew_in_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Noise: the driver that is best with a look at the rows held out looks better than one selected without.
    rng = np.random.default_rng(7)
    noise = {f"x{k}": rng.normal(size=60) for k in range(8)}
    study = Study(tmp_path, capsys)
    study.edit(lambda frame: frame.assign(**noise, Rs=rng.normal(size=60), site=np.arange(60)))
    sizes = []
    run = staged_selection.run

    def counted(params: Any, ctx: Any) -> Any:
        sizes.append(len(ctx.table(params.data).frame))
        return run(params, ctx)

    monkeypatch.setattr(staged_selection, "run", counted)
    frame = pd.read_csv(study.folder / "obs.csv")
    correlation = frame[list(noise)].corrwith(frame["Rs"]).abs()
    study.write(SPEC.replace("FIXED", str(correlation.idxmax())))
    outcome = study.main()
    assert outcome.status == 0, outcome.err
    assert sizes == [60, *[50] * 6]
    scores = study.results_table("analyses/skill/skill.csv").set_index("model")["R2"]
    assert scores["machine"] < scores["fixed"]
