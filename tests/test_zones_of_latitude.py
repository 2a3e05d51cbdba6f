"""Latitude and longitude are known of every cell and of sites by their roles: zones may cut them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from soilql.cli import main

SPEC = """\
soilql: 1
datasets:
  planet:
    kind: simulate
    seed: 1
    grid: {resolution: 10}
    random: {e: {smooth: 2000}}
    variables:
      T: {expr: 28 - 0.5*abs(lat) + 2*e, unit: degC}
      Rs: {expr: 500*exp(0.03*T), unit: g C m-2 yr-1}
  sites: {kind: table, source: sites.csv, roles: {lat: Latitude, lon: Longitude}, columns: {F: {unit: g C m-2 yr-1}}}
  training: {kind: extract, at: sites, from: planet, variables: [T]}
zones:
  belts: {kind: cut, of: lat, breaks: [-23.5, 23.5], labels: [south, tropics, north]}
models:
  curve: {kind: nonlinear, formula: F ~ a*exp(b*T), params: [a, b], data: training, by: belts}
validation:
  folds: {kind: kfold, folds: 4}
analyses:
  skill: {kind: evaluate, models: curve, scheme: folds, by: belts}
  rs: {kind: predict, model: curve, on: planet}
  budget: {kind: total, of: planet.Rs, by: belts, land_fraction: none}
  bands: {kind: total, of: planet.Rs, bands: [-90, -23.5, 23.5, 90], land_fraction: none}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, with fluxes that are another function of temperature in each belt."""
    place = tmp_path_factory.mktemp("belts")
    rng = np.random.default_rng(3)
    lat, lon = rng.uniform(-80, 80, 240), rng.uniform(-180, 180, 240)
    flux = np.select([lat < -23.5, lat < 23.5], [300.0, 900.0], 600.0) + rng.normal(size=240)
    pd.DataFrame({"Latitude": lat, "Longitude": lon, "F": flux}).to_csv(place / "sites.csv", index=False)
    (place / "spec.yaml").write_text(SPEC)
    assert main(["run", str(place / "spec.yaml"), "--out", str(place / "out"), "--store", str(place / "store")]) == 0
    return place


def test_each_belt_is_predicted_by_its_own_fit(folder: Path) -> None:
    with xr.open_dataset(folder / "out/analyses/rs/rs.nc") as data:
        found = data["mean"].mean("lon").load()
    for low, high, flux in ((-90, -23.5, 300), (-23.5, 23.5, 900), (23.5, 90, 600)):
        belt = found.where((found["lat"] > low) & (found["lat"] < high), drop=True)
        np.testing.assert_allclose(belt, flux, rtol=0.02)


def test_tests_and_totals_count_by_belt(folder: Path) -> None:
    skill = pd.read_csv(folder / "out/analyses/skill/skill.csv")
    sites = pd.read_csv(folder / "sites.csv")
    belts = pd.cut(sites["Latitude"], [-90, -23.5, 23.5, 90], labels=["south", "tropics", "north"]).value_counts()
    assert skill.set_index("zone")["n"][list(belts.index)].tolist() == belts.tolist()
    budget, bands = (pd.read_csv(folder / f"out/analyses/{name}/{name}.csv") for name in ("budget", "bands"))
    assert budget["region"].tolist() == ["global", "south", "tropics", "north"]
    np.testing.assert_allclose(budget["total"], bands["total"], rtol=1e-9)


def test_the_data_can_be_looked_at(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", "--data", str(folder / "spec.yaml"), "--store", str(folder / "store")]) in (0, 1)
    said = capsys.readouterr()
    assert "SQ899" not in said.err
    assert "curve" in said.out + said.err
