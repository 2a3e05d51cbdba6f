"""The recipe after Warner et al. (2019) on the real data: what it finds, and that its files are what they should be.

Expected skill and total: a plain scikit-learn forest on the same rows and drivers (SRDB version 5, 1,099 rows) has a
ten-fold R2 of 0.47 with random folds and of 0.32 with folds by place, and a global total of 89.3 Pg C yr-1.
Warner et al. (2019) have 87.9 +- 18.6 Pg C yr-1 of which 49.7 are heterotrophic, and all 23 published totals run from
68 to 108.6 (`GlobalRs.csv` of Jian et al. 2022, Nature Communications).
"""

from __future__ import annotations

import contextlib
import gzip
import io
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr

from soilql.cli import main

from .support import data_path, needs_data

pytestmark = [pytest.mark.slow, pytest.mark.data, needs_data]

RECIPE = Path(__file__).parents[1] / "specs" / "warner2019.yaml"
QUANTILES = ("q05", "q25", "q50", "q75", "q95")
FLUXES = ("rs", "rh_bond_lamberty", "rh_subke")
VERSIONS = ("registry:srdb-v3", "registry:srdb-v4", "registry:srdb-v5", "registry:srdb-2022-10-09")


def command(*arguments: str) -> tuple[int, str, str]:
    """Run the command line and return its status and what it printed."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(list(arguments))
    return status, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("warner2019") / "store"


@pytest.fixture(scope="module")
def folder(store: Path) -> Path:
    """The run folder of the recipe as it stands."""
    out = store.parent / "out"
    status, _, err = command("run", str(RECIPE), "--store", str(store), "--out", str(out))
    assert status == 0, err
    return out


def table(folder: Path, block: str) -> pd.DataFrame:
    """Return the table of an analysis."""
    return pd.read_csv(folder / "analyses" / block / f"{block}.csv")


def maps(folder: Path, block: str) -> xr.Dataset:
    """Return the maps of an analysis, read whole."""
    with xr.open_dataset(folder / "analyses" / block / f"{block}.nc") as file:
        return file.drop_vars("members", errors="ignore").load()


@pytest.mark.parametrize(("block", "expected", "by"), [("skill_random", 0.47, 0.04), ("skill_by_place", 0.32, 0.05)])
def test_the_skill_is_that_of_a_plain_forest(folder: Path, block: str, expected: float, by: float) -> None:
    skill = table(folder, block).set_index("zone")
    assert abs(skill.loc["all", "R2"] - expected) < by
    assert list(skill.index) == ["all", "boreal", "temperate", "tropical"]
    # 1,099 rows in the trial, which rounded coordinates and years.
    assert abs(skill.loc["all", "n"] - 1099) < 30
    assert skill.loc[["boreal", "temperate", "tropical"], "n"].sum() == skill.loc["all", "n"]
    assert skill.loc["all", "n_missing"] == 0


def test_the_totals_are_those_of_the_literature_and_add_up(folder: Path) -> None:
    budget = table(folder, "budget").set_index(["of", "kind", "region"]).sort_index()
    total = budget["total"]
    assert 80 < total["rs", "global", "global"] < 98
    # Warner et al. (2019): 49.7 of 87.9 Pg C yr-1.
    for flux in FLUXES[1:]:
        assert abs(total[flux, "global", "global"] / total["rs", "global", "global"] - 49.7 / 87.9) < 0.06
    for flux in FLUXES:
        whole = total[flux, "global", "global"]
        zones = total.loc[flux, "zone"]
        assert list(zones.index) == ["boreal", "temperate", "tropical"]
        np.testing.assert_allclose(zones.sum(), whole, rtol=1e-8)
        np.testing.assert_allclose(total.loc[flux, "band"].sum(), whole, rtol=1e-8)
        limits = budget.loc[(flux, "global", "global")]
        assert limits["total_lower"] < whole < limits["total_upper"]
        assert (np.diff([limits[f"total_{name}"] for name in QUANTILES]) > 0).all()
    # The land of the grid with all drivers: 106.1 million km2 in the trial, which took cells as all land or none.
    np.testing.assert_allclose(budget.loc[("rs", "global", "global"), "area_Mkm2"], 106.1, rtol=0.02)


def test_quantiles_rise_and_heterotrophic_respiration_is_a_part(folder: Path) -> None:
    rs = maps(folder, "rs")
    for name in FLUXES:
        flux = maps(folder, name)
        for low, high in itertools.pairwise(QUANTILES):
            assert bool((flux[low] <= flux[high]).where(flux[low].notnull(), True).all())
        for variable in ("mean", *QUANTILES):
            values = flux[variable].to_numpy()
            np.testing.assert_array_equal(np.isnan(values), np.isnan(rs[variable].to_numpy()))
            found = values[~np.isnan(values)]
            assert found.size == 47_694, "cells of the stack of drivers"
            assert (found >= 0).all()
            assert (found <= rs[variable].to_numpy()[~np.isnan(values)]).all()


@pytest.mark.parametrize("flux", FLUXES)
def test_maps_are_cloud_optimised_geotiffs(folder: Path, flux: str) -> None:
    variables = ["mean", *QUANTILES, *(["sd"] if flux == "rs" else [])]
    paths = {path.stem.removeprefix(f"{flux}_"): path for path in (folder / "analyses" / flux).glob("*.tif")}
    assert set(paths) == set(variables)
    numbers = maps(folder, flux)
    for variable, path in paths.items():
        with rasterio.open(path) as file:
            assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
            assert file.profile["tiled"]
            assert file.overviews(1) or max(file.shape) <= file.block_shapes[0][0]
            assert file.nodata == -9999
            assert file.crs.to_epsg() == 4326
            assert tuple(file.bounds) == (-180, -90, 180, 90)
            assert file.units == ("g C m-2 yr-1",)
            assert file.tags()["key"]
            values = file.read(1, masked=True).filled(np.nan)
        np.testing.assert_array_equal(values, numbers[variable].to_numpy())


@pytest.mark.parametrize("flux", FLUXES)
def test_netcdf_follows_the_cf_conventions(folder: Path, flux: str) -> None:
    with xr.open_dataset(folder / "analyses" / flux / f"{flux}.nc", decode_cf=False) as file:
        assert file.attrs["Conventions"].startswith("CF-1.")
        for axis, standard, unit in (("lat", "latitude", "degrees_north"), ("lon", "longitude", "degrees_east")):
            attributes = file[axis].attrs
            assert (attributes["standard_name"], attributes["units"]) == (standard, unit)
            bounds = file[attributes["bounds"]].to_numpy()
            np.testing.assert_allclose(bounds.mean(axis=1), file[axis].to_numpy())
        grids = [name for name, variable in file.data_vars.items() if {"lat", "lon"} <= set(variable.dims)]
        assert {"mean", "members", *QUANTILES} <= set(grids)
        for name in grids:
            attributes = file[name].attrs
            # UDUNITS knows no carbon: the long name says what the mass is of.
            assert attributes["units"] == "g m-2 year-1"
            assert "g C m-2 yr-1" in attributes["long_name"]
            assert file[attributes["grid_mapping"]].attrs["grid_mapping_name"] == "latitude_longitude"
            assert not 0 <= attributes["_FillValue"] < 1e30, "a flux could have the value that means none"


def test_the_record_cites_the_data(folder: Path) -> None:
    record = json.loads((folder / "manifest.json").read_text())
    assert record["complete"]
    assert record["spec"]["doi"] == "10.1029/2019GB006264"
    sources = {item["block"]: (item["sources"][0], item["sha256"][0]) for item in record["inputs"]}
    assert sources["srdb"][0]["registry"] == "srdb-v5"
    assert sources["srdb"][0]["doi"] == "10.5194/essd-13-255-2021", "Jian et al. (2021), SRDB-V5"
    assert sources["drivers"][0]["doi"]
    for source, sha256 in sources.values():
        assert source["citation"]
        assert source["licence"]
        assert len(sha256) == 64
    listed = {item["path"] for item in record["outputs"]}
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert listed == {name for name in found if not name.startswith("log/")} - {"manifest.json"}


def test_a_second_run_computes_nothing(folder: Path, store: Path) -> None:
    status, out, _ = command("run", str(RECIPE), "--store", str(store), "--out", str(folder))
    assert status == 0
    assert "already stored" in out
    assert "computed" not in out


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_of_the_database_lints_and_plans(version: str, tmp_path: Path) -> None:
    assert command("lint", str(RECIPE), "--set", f"srdb={version}")[0] == 0
    places = ("--store", str(tmp_path / "store"), "--out", str(tmp_path / "out"))
    status, out, err = command("plan", str(RECIPE), "--set", f"srdb={version}", *places)
    assert status == 0, err
    assert " to run" in out.splitlines()[-2]
    assert "blocked" not in out


def test_version_3_has_bare_carriage_returns() -> None:
    raw = gzip.decompress(data_path("srdb/srdb-data-v3.csv.gz").read_bytes())
    assert raw.count(b"\r") > 5000
    assert b"\n" not in raw


@pytest.mark.parametrize(
    "version",
    # The oldest differs most from the one of the recipe.
    [VERSIONS[0], *(pytest.param(one, marks=pytest.mark.long) for one in (VERSIONS[1], VERSIONS[3]))],
)
def test_every_version_of_the_database_runs(version: str, store: Path, tmp_path: Path) -> None:
    settings = itertools.chain.from_iterable(("--set", item) for item in (f"srdb={version}", "trees=50", "members=0"))
    out = tmp_path / "out"
    status, _, err = command("run", str(RECIPE), *settings, "--store", str(store), "--out", str(out))
    assert status == 0, err
    budget = table(out, "budget").set_index(["of", "region"])
    assert 75 < budget.loc[("rs", "global"), "total"] < 105
    skill: Any = table(out, "skill_by_place").set_index("zone").loc["all"]
    assert skill["n"] > 500
    assert 0.15 < skill["R2"] < 0.6
