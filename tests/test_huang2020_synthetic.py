"""The protocol of Huang et al. (2020) on a planet with known truth: what the recipe finds is what the recipe put there.

Expected values are the statements of the recipe itself (drivers, laws and drifts of each biome) and the same statistics
of the true flux, which its blocks `truth` and `*_truth` compute; none is taken from an earlier run.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from soilql.cli import main
from soilql.errors import Source
from soilql.source import parse_yaml, plain
from soilql.values import Grid, Table
from tests.support import run_kind

RECIPE = Path(__file__).parents[1] / "specs" / "huang2020-synthetic.yaml"

#: Drivers of each biome, and the models that have the form of its law: the formula where the law is the formula,
#: trees where it is thresholds, smooth learners where it is a plateau that no formula at hand has.
BIOMES = {
    "boreal": (("T_summer", "P_annual", "EVI"), {"mnlr"}),
    "temperate forest": (("T_annual", "P_summer", "EVI"), {"mnlr"}),
    "temperate grassland": (("T_spring", "P_spring", "GPP"), {"rfr", "gbr"}),
    "tropical forest": (("T_annual", "P_annual", "GPP"), {"svr", "ann"}),
    "savanna": (("T_annual", "P_annual", "GPP"), {"mnlr"}),
}
#: Sign of the trend of each region: warming and greening, browning, warming.
SIGNS = {"boreal": 1, "temperate": -1, "tropical": 1}
STAGES = ("temperature", "moisture", "productivity")


def command(*arguments: object) -> tuple[int, str, str]:
    """Run the command line and return its status and what it printed."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main([str(argument) for argument in arguments])
    return status, out.getvalue(), err.getvalue()


def run(spec: Path, folder: Path, *options: object) -> str:
    """Run a spec into ``folder/out`` with the store ``folder/store`` and return what was printed."""
    status, out, err = command("run", spec, "--store", folder / "store", "--out", folder / "out", *options)
    assert status == 0, err
    return out


def table(folder: Path, block: str, part: str = "", section: str = "analyses") -> Any:
    """Return a table of a block; not typed as one, whose labels no checker knows."""
    return pd.read_csv(folder / "out" / section / block / f"{block}{part}.csv")


def maps(folder: Path, block: str) -> xr.Dataset:
    """Return the maps of an analysis."""
    with xr.open_dataset(folder / "out" / "analyses" / block / f"{block}.nc") as file:
        return file.load()


def blocks() -> dict[str, Any]:
    """Return the recipe as plain data, its inputs put in."""
    text = RECIPE.read_text()
    found: Any = plain(parse_yaml(Source(RECIPE.name, text)).root)
    for name, value in found["inputs"].items():
        text = re.sub(rf'"?\$\{{inputs\.{name}\}}"?', str(value["default"]), text)
    found = plain(parse_yaml(Source(RECIPE.name, text)).root)
    return {**found, "inputs": {}}


def made(section: str, name: str, inputs: dict[str, Any] | None = None) -> Any:
    """Make one block of the recipe."""
    block = dict(blocks()[section][name])
    # JSON is YAML.
    return run_kind(section, block.pop("kind"), json.dumps(block), inputs)


def test_it_lints_clean_and_plans(tmp_path: Path) -> None:
    status, out, err = command("lint", RECIPE)
    assert (status, out, err) == (0, "", "1 file: no findings\n")
    status, out, err = command("plan", RECIPE, "--store", tmp_path / "store", "--out", tmp_path / "out")
    assert status == 0, err
    assert "blocked" not in out
    for words in ("select temperature of 3", "choose among mnlr, rfr, gbr, svr, ann", "best with 500 members"):
        assert words in out


@pytest.fixture(scope="module")
def planet() -> xr.Dataset:
    found: Grid = made("datasets", "planet")
    return found.data.compute()


def test_covers_are_parts_of_a_whole_and_change_where_the_recipe_says(planet: xr.Dataset) -> None:
    parts = planet[["TC", "SV", "BG"]].to_array()
    land = planet["MAT"].notnull()
    np.testing.assert_allclose(parts.sum("variable").where(land, 100), 100)
    assert float(parts.min()) > 0
    drift = planet["SV_drift"].isel(time=-1) - planet["SV_drift"].isel(time=0)
    assert set(np.unique(drift.where(land, 0)).round(6)) == {-12.6, 0.0, 11.2, 12.6}
    boreal, temperate = planet["MAT"] < 2, (planet["MAT"] >= 2) & (planet["MAT"] <= 17)
    assert bool((drift.where(boreal, 0) >= 0).all())
    assert bool((drift.where(temperate, 0) <= 0).all())


def test_decoys_go_along_with_the_drivers(planet: xr.Dataset) -> None:
    land = planet["MAT"].notnull().to_numpy()
    for one, other in (("T_annual", "T_spring"), ("T_annual", "T_summer"), ("P_annual", "P_summer"), ("EVI", "GPP")):
        both = [planet[name].to_numpy()[:, land].ravel() for name in (one, other)]
        assert 0.25 < np.corrcoef(both)[0, 1] < 0.99


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recipe as it stands, run from nothing."""
    folder = tmp_path_factory.mktemp("huang2020")
    run(RECIPE, folder, "--workers", 2)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("biome", BIOMES)
def test_the_drivers_and_the_model_of_each_biome_are_the_true_ones(folder: Path, biome: str) -> None:
    drivers, right = BIOMES[biome]
    zone = table(folder, "mnlr", ".zones", "models").set_index("zone").loc[biome]
    assert tuple(zone[list(STAGES)]) == drivers
    path = table(folder, "mnlr", ".path", "models").set_index(["zone", "stage"]).loc[biome]
    chosen = path[path["chosen"]]
    assert list(chosen["candidate"]) == list(drivers)
    # Rows are the same for all candidates: phi is the accuracy relative to the best, Eq. 5.
    for _, stage in path.groupby("stage"):
        phi = 0.25 * stage["RMSE"].min() / stage["RMSE"] + 0.25 * stage["R2"] / stage["R2"].max() + 0.5
        np.testing.assert_allclose(stage["phi"], phi, rtol=1e-6)
    scores = table(folder, "best", ".candidates", "models").set_index(["zone", "model"]).loc[biome]
    assert set(scores.index[scores["chosen"]]) <= right
    assert scores["RMSE_fold_mean"].idxmin() in right


@pytest.mark.slow
@pytest.mark.parametrize("region", SIGNS)
def test_trends_of_regions_have_the_true_sign_and_size(folder: Path, region: str) -> None:
    found, true = (
        table(folder, block, ".regions").set_index("region").loc[region] for block in ("rs_trend", "truth_trend")
    )
    assert np.sign(found["slope"]) == np.sign(true["slope"]) == SIGNS[region]
    assert found["p"] < 0.05
    assert true["p"] < 0.05
    assert found["lower"] < true["slope"] < found["upper"]
    assert found["slope"] == pytest.approx(true["slope"], rel=0.2)
    # The trend of the totals of the members' model is that of the maps added up.
    budget = table(folder, "budget_trend").set_index(["of", "region"])["slope"]
    assert budget["best", region] == pytest.approx(found["slope"], rel=1e-5)
    assert budget["truth", region] == pytest.approx(true["slope"], rel=1e-5)


@pytest.mark.slow
def test_maps_of_trends_agree_where_the_truth_changes(folder: Path) -> None:
    found, true = maps(folder, "rs_trend"), maps(folder, "truth_trend")
    both = (np.abs(true["class"]) == 2) & (np.abs(found["class"]) == 2)
    assert int(both.sum()) > 200
    agree = (np.sign(found["slope"]) == np.sign(true["slope"])).where(both)
    assert float(agree.mean()) > 0.97
    # Most of what truly changed is found, in cells whose law the models have.
    known = maps(folder, "error")
    assert bool(known.to_array().notnull().any())
    hit = both.sum() / (np.abs(true["class"]) == 2).sum()
    assert float(hit) > 0.75


@pytest.mark.slow
def test_yearly_totals_are_near_the_truth_with_intervals_that_follow_the_models(folder: Path) -> None:
    budget = table(folder, "budget").set_index(["of", "region", "time"]).sort_index()
    assert budget.loc["best"].notna().all()[["total_lower", "total_upper"]].all()
    for region in ("global", *SIGNS):
        found, true = (budget.loc[(of, region)] for of in ("best", "truth"))
        assert list(found.index) == list(range(2000, 2015))
        np.testing.assert_allclose(found["total"], true["total"], rtol=0.03)
        assert ((found["total_lower"] < found["total"]) & (found["total"] < found["total_upper"])).all()
        # Parameters and rows drawn anew: some per cent of the total, not the tens of a tenth of every parameter.
        width = (found["total_upper"] - found["total_lower"]) / found["total"]
        assert 0.002 < float(width.median()) < 0.08
    members = table(folder, "budget", ".members")
    assert members.groupby(["of", "region", "time"]).size().eq(500).all()


@pytest.mark.slow
def test_partial_correlations_are_those_of_the_truth(folder: Path) -> None:
    found, true, ratios = (
        table(folder, block, ".regions").set_index(["region", "driver"])
        for block in ("drivers_of_rs", "drivers_of_truth", "ratios_of_rs")
    )
    assert set(found.index.get_level_values("driver")) == {"TEM", "PRE", "SPEI", "SV", "TC"}, "bare ground is dropped"
    assert set(ratios.index.get_level_values("driver")) == {"TEM", "PRE", "SPEI", "log_SV_BG", "log_TC_BG"}
    # 15 years, 4 drivers held fixed, a line taken out.
    assert (found["df"] == 15 - 2 - 4 - 1).all()
    sure = true["p"] < 0.05
    assert int(sure.sum()) >= 4
    assert (np.sign(found["r"]) == np.sign(true["r"]))[sure].all()
    assert (found["r"] - true["r"]).abs().max() < 0.3
    # The boreal flux follows greenness, and greenness follows both covers.
    assert (true.loc["boreal", "r"][["SV", "TC"]] > 0.5).all()
    assert (found.loc["boreal", "r"][["SV", "TC"]] > 0.3).all()


@pytest.mark.slow
@pytest.mark.parametrize("region", ["global", *SIGNS])
def test_shares_of_land_cover_are_those_of_the_truth(folder: Path, region: str) -> None:
    def share(block: str) -> Any:
        return table(folder, block).set_index(["region", "component"]).loc[(region, "land cover")]

    true, field, paper = share("shares_truth"), share("shares_in_field"), share("shares")
    # Flags that hold in the field are nearly those of the drift itself.
    assert field["share"] == pytest.approx(true["share"], abs=0.08)
    # Flags at p < .05 of each cell by itself add chance: two independent covers and their rest flag one cell in ten or
    # more where nothing drifts, and with it so much of the change there.
    chance = 1 - 0.95**2
    assert paper["share"] == pytest.approx(true["share"] + (1 - true["share"]) * chance, abs=0.12)
    assert paper["share"] >= field["share"]
    climate = table(folder, "shares").set_index(["region", "component"]).loc[(region, "climate")]
    assert climate["share"] + paper["share"] == pytest.approx(1)


@pytest.mark.slow
def test_the_null_tells_the_regions_where_cover_matters_from_those_where_it_does_not(folder: Path) -> None:
    shares = table(folder, "shares_in_field").query("component == 'land cover'").set_index("region")
    # Greening and browning move the boreal and temperate flux; in the tropics cleared trees give way to as green grass.
    assert (shares.loc[["boreal", "temperate"], "p"] < 0.01).all()
    assert shares.loc["tropical", "p"] > 0.05
    together = table(folder, "together").set_index(["region", "driver"])
    true = table(folder, "together_truth").set_index(["region", "driver"])
    assert (together["share"] - true["share"]).abs().max() < 0.15
    for region in ("boreal", "temperate"):
        assert together.loc[(region, "SV"), "share"] > together.loc[(region, "SV"), "null_upper"]
        assert true.loc[(region, "SV"), "share"] > true.loc[(region, "SV"), "null_upper"]


@pytest.mark.slow
def test_a_second_run_computes_nothing(folder: Path) -> None:
    out = run(RECIPE, folder)
    assert "already stored" in out
    assert "computed" not in out


@pytest.mark.long
def test_one_worker_and_little_memory_give_the_same_numbers(folder: Path, tmp_path: Path) -> None:
    run(RECIPE, tmp_path, "--workers", 1, "--memory", "32MB")
    compared = 0
    for path in sorted((folder / "out").rglob("*.csv")):
        other = tmp_path / "out" / path.relative_to(folder / "out")
        assert other.read_bytes() == path.read_bytes(), path.name
        compared += 1
    for path in sorted((folder / "out").rglob("*.nc")):
        again = tmp_path / "out" / path.relative_to(folder / "out")
        with xr.open_dataset(path) as one, xr.open_dataset(again) as two:
            xr.testing.assert_equal(one, two)
            compared += 1
    assert compared > 50


PLAIN = ("mnlr", "rfr", "gbr", "svr", "ann")
DRIVERS = ("T_annual", "T_spring", "T_summer", "P_annual", "P_spring", "P_summer", "EVI", "GPP")


@pytest.fixture(scope="module")
def sites() -> pd.DataFrame:
    """What was measured, without the drivers."""
    planet = made("datasets", "planet")
    truth = Grid(planet.data[["Rs_true"]])
    found = made("datasets", "observed", {"truth": truth})
    assert isinstance(found, Table)
    return found.frame[["site", "lat", "lon", "year", "Rs"]]


def variant(folder: Path, rows: pd.DataFrame, scale: float = 1.0) -> Path:
    """Run models, trends and correlations on rows of a file, all drivers in units of their own; returns the folder."""
    folder.mkdir()
    rows.to_csv(folder / "sites.csv", index=False)
    spec = blocks()
    datasets, models = spec["datasets"], spec["models"]
    # The drivers under names of their own, so that a scale of 1 and another differ in nothing else.
    text = json.dumps({name: models[name] for name in PLAIN})
    for name in DRIVERS:
        text = text.replace(name, f"{name}_scaled")
    spec["datasets"] = {
        "planet": datasets["planet"],
        "drivers": {
            "kind": "stack",
            "of": ["planet"],
            "derive": {f"{name}_scaled": f"{name} * {scale!r}" for name in DRIVERS},
            "select": ["MAT", "cover", *(f"{name}_scaled" for name in DRIVERS)],
        },
        "observed": {
            "kind": "table",
            "source": "sites.csv",
            "columns": {"Rs": {"from": "Rs", "unit": "g C m-2 yr-1"}},
            "roles": {"lat": "lat", "lon": "lon", "site": "site", "time": "year"},
        },
        "training": datasets["training"],
    }
    spec["models"] = json.loads(text)
    del spec["validation"]
    spec["analyses"] = {
        **{f"rs_{name}": {"kind": "predict", "model": name, "on": "drivers"} for name in PLAIN},
        "T_trend": {"kind": "trend", "of": "drivers.T_annual_scaled", "by": "climate", "on": "drivers"},
        "related": {
            "kind": "partial_correlation",
            "of": "rs_mnlr.mean",
            "drivers": {name: f"drivers.{name}_scaled" for name in ("T_annual", "P_annual", "EVI")},
            "by": "climate",
            "on": "drivers",
        },
    }
    path = folder / "variant.yaml"
    path.write_text(json.dumps(spec))
    run(path, folder)
    return folder


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory, sites: pd.DataFrame) -> Path:
    return variant(tmp_path_factory.mktemp("plain") / "run", sites)


def assert_alike(one: Path, other: Path) -> None:
    """Compare selections, maps and statistics of two variants; tables are written with nine digits."""
    pair = (one, other)
    selected = [table(folder, "mnlr", ".zones", "models")[["zone", *STAGES]] for folder in pair]
    pd.testing.assert_frame_equal(*selected)
    for name in PLAIN:
        first, second = (maps(folder, f"rs_{name}")["mean"].to_numpy() for folder in pair)
        np.testing.assert_allclose(second, first, rtol=1e-12, err_msg=name)
    found, same = (table(folder, "related", ".regions")["r"] for folder in pair)
    np.testing.assert_allclose(found, same, rtol=1e-8)
    found, same = (table(folder, "T_trend", ".regions")[["p", "tau", "z"]] for folder in pair)
    np.testing.assert_allclose(found, same, rtol=1e-9)


@pytest.mark.long
def test_rows_in_another_order_change_nothing(unchanged: Path, sites: pd.DataFrame, tmp_path: Path) -> None:
    mixed = sites.sample(frac=1.0, random_state=3)
    assert mixed.index.tolist() != sites.index.tolist()
    other = variant(tmp_path / "run", mixed)
    assert_alike(unchanged, other)


@pytest.mark.long
def test_drivers_in_units_of_another_size_change_nothing(unchanged: Path, sites: pd.DataFrame, tmp_path: Path) -> None:
    other = variant(tmp_path / "run", sites, 1e-8)
    assert_alike(unchanged, other)
    slope, tiny = (table(folder, "T_trend", ".regions")["slope"] for folder in (unchanged, other))
    np.testing.assert_allclose(tiny, 1e-8 * slope, rtol=1e-6)
