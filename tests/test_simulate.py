"""Synthetic planets: formulas hold to the last digit, and the same spec is the same planet for any block size."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from soilql import kinds
from soilql.context import Resources
from soilql.errors import SoilqlError
from soilql.kinds import Schema, Variable
from soilql.readers import simulate as reader
from soilql.values import Grid, Table, ValueType
from tests.support import bind_block, run_kind
from tests.test_extract import Two
from tests.test_table import Alone

PLANET = """
seed: 7
grid: {resolution: 5}
random: {land: {smooth: 25}, noise: {sd: 0.5}, wet: {distribution: uniform, low: 100, high: 3000, smooth: 15}}
constants: {warm: 27}
variables:
  MAT: {expr: warm - 0.006 * lat^2, unit: degC}
  MAP: {expr: wet, unit: mm yr-1}
  flux: {expr: 400 * exp(0.05 * MAT) + noise, unit: g C m-2 yr-1}
where: land > 0
"""
SITES = """
seed: 3
on: g
sites: 40
random: {error: {sd: 0.1}, habit: {per: site}, weather: {per: year}}
constants: {k: 0.05}
columns:
  signal: {expr: 400 * exp(k * MAT), unit: g C m-2 yr-1}
  Rs: {expr: signal * exp(error + 0 * habit), unit: g C m-2 yr-1}
"""


def planet(yaml: str = PLANET, memory: int = 1 << 28) -> Grid:
    value = run_kind("datasets", "simulate", yaml, resources=Resources(memory=memory, workers=1))
    assert isinstance(value, Grid)
    return value


def sites(yaml: str = SITES, on: Grid | None = None) -> Table:
    value = run_kind("datasets", "simulate", yaml, inputs={"g": on or planet()})
    assert isinstance(value, Table)
    return value


def test_formulas_hold_in_every_cell() -> None:
    data = planet().data
    assert dict(data.sizes) == {"lat": 36, "lon": 72}
    land = data["MAT"].notnull()
    assert 0.2 < float(land.mean()) < 0.8
    expected = (27 - 0.006 * data["lat"] ** 2 + 0 * data["lon"]).where(land)
    np.testing.assert_allclose(data["MAT"], expected.transpose("lat", "lon"))
    assert 100 <= float(data["MAP"].min()) < float(data["MAP"].max()) <= 3000
    residual = (data["flux"] - 400 * np.exp(0.05 * data["MAT"])).values
    assert np.nanstd(residual) == pytest.approx(0.5, rel=0.1)
    assert data["MAP"].attrs["units"] == "mm yr-1"


@pytest.mark.parametrize("memory", [64 * 72 * 7, 64 * 7 * 10])
def test_the_block_size_changes_nothing(memory: int) -> None:
    small = planet(memory=memory)
    assert small.data["flux"].data.numblocks != (1, 1)
    assert small.data.compute().identical(planet().data.compute())


def test_seeds_make_other_planets_and_bounds_cut_the_same_one() -> None:
    other = planet(PLANET.replace("seed: 7", "seed: 8"))
    assert not np.array_equal(other.data["MAP"].values, planet().data["MAP"].values, equal_nan=True)
    part = planet(PLANET.replace("resolution: 5", "resolution: 5, bounds: [-20, 10, 60, 50]")).data.compute()
    whole = planet().data.sel(lat=part["lat"], lon=part["lon"]).compute()
    assert part.identical(whole)


def test_sites_carry_the_values_of_their_cells() -> None:
    found, data = sites(), planet().data.compute()
    assert found.roles == {"lat": "lat", "lon": "lon", "site": "site"}
    assert found.units["Rs"] == found.units["signal"] == "g C m-2 yr-1"
    assert len(found.frame) == found.frame["site"].nunique() == 40
    for row in found.frame.itertuples():
        assert float(data["MAT"].sel(lat=row.lat, lon=row.lon)) == row.MAT
    np.testing.assert_allclose(found.frame["signal"], 400 * np.exp(0.05 * found.frame["MAT"]))
    assert np.log(found.frame["Rs"] / found.frame["signal"]).std() == pytest.approx(0.1, rel=0.4)


def test_years_replicates_and_what_random_numbers_belong_to() -> None:
    yaml = SITES.replace("sites: 40", "sites: 5\nyears: [2001, 2002, 2003]\nreplicates: 2").replace(
        "columns:", "columns:\n  e: error\n  h: habit\n  w: weather"
    )
    on = planet()
    frame = sites(yaml, on).frame
    assert len(frame) == 5 * 3 * 2
    assert frame["year"].unique().tolist() == [2001, 2002, 2003]
    assert frame["replicate"].unique().tolist() == [1, 2]
    assert frame["e"].nunique() == 30
    assert (frame.groupby("site")["h"].nunique() == 1).all()
    assert frame["h"].nunique() == 5
    assert (frame.groupby("year")["w"].nunique() == 1).all()
    assert sites(yaml, on).roles["time"] == "year"
    pd.testing.assert_frame_equal(frame, sites(yaml, on).frame)


def test_more_sites_than_cells() -> None:
    with pytest.raises(SoilqlError, match="fewer than 5,000 sites") as caught:
        sites(SITES.replace("sites: 40", "sites: 5000"))
    assert caught.value.diagnostics[0].code == "SQ707"


@pytest.mark.parametrize(
    ("yaml", "words"),
    [
        ("seed: 1", "needs either `grid`"),
        ("seed: 1\ngrid: {resolution: 5}\non: g", "needs either `grid`"),
        ("seed: 1\ngrid: {resolution: 5}", "a planet needs `variables`"),
        ("seed: 1\ngrid: {resolution: 7}\nvariables: {a: 1}", "do not fill"),
        ("seed: 1\ngrid: {resolution: 5, bounds: [0, 0, 400, 10]}\nvariables: {a: 1}", "`bounds`"),
        ("seed: 1\non: g\nvariables: {a: 1}", "belong to a planet"),
        ("seed: 1\non: g\nrandom: {e: {smooth: 5}}", "`smooth` belongs"),
        ("seed: 1\ngrid: {resolution: 5}\nrandom: {e: {per: site}}\nvariables: {a: 1}", "`per` belongs"),
        ("seed: 1\non: g\nrandom: {e: {low: 5}}", "`low` must be below `high`"),
    ],
)
def test_parameters_that_contradict_each_other(yaml: str, words: str) -> None:
    with pytest.raises(SoilqlError, match=words):
        bind_block("datasets", "simulate", yaml)


def test_lint_checks_names_and_types() -> None:
    block = bind_block(
        "datasets",
        "simulate",
        "seed: 1\ngrid: {resolution: 5}\nrandom: {x: {}}\nconstants: {x: 1}\n"
        "variables: {a: b + x, b: lat + 1}\nwhere: a",
    )
    assert [(d.code, d.span.text if d.span else "") for d in reader.check(block, Alone())] == [
        ("SQ710", "1"),
        ("SQ201", "b"),
        ("SQ112", "a"),
    ]
    block = bind_block("datasets", "simulate", "seed: 1\non: g\nyears: [2000]\ncolumns: {MAT: {expr: year + Q}}")
    scope = Two(Schema(), Schema({"MAT": Variable("number", "degC")}))
    assert [d.code for d in reader.check(block, scope)] == ["SQ710", "SQ201"]


def test_kind_and_columns_are_known_before_it_runs() -> None:
    kind = kinds.find("datasets", "simulate")
    assert kind is not None
    block = bind_block("datasets", "simulate", PLANET)
    assert kind.produces(block.params, Alone()) is ValueType.GRID
    assert {name: v.unit for name, v in reader.schema(block, Alone()).variables.items()} == {
        "MAT": "degC", "MAP": "mm yr-1", "flux": "g C m-2 yr-1",
    }  # fmt: skip
    block = bind_block("datasets", "simulate", SITES)
    assert kind.produces(block.params, Alone()) is ValueType.TABLE
    found = reader.schema(block, Two(Schema(), Schema({"MAT": Variable("number", "degC")})))
    assert list(found.variables) == ["site", "lat", "lon", "MAT", "signal", "Rs"]
    assert not found.open
    assert found.roles == {"lat": "lat", "lon": "lon", "site": "site"}


YEARLY = """
seed: 5
grid: {resolution: 10}
years: [2000, 2001, 2002, 2003]
constants: {slope: 0.5}
random:
  weather: {sd: 2, smooth: 20, per: year, lag1: 0.6}
  place: {sd: 1}
variables:
  MAT: {expr: 20 + place, unit: degC}
  T: {expr: MAT + slope * (year - 2000) + weather, unit: degC}
"""


def test_a_planet_of_several_years_keeps_what_does_not_change_as_one_map() -> None:
    data = run_kind("datasets", "simulate", YEARLY).data
    assert data["MAT"].dims == ("lat", "lon")
    assert data["T"].dims == ("time", "lat", "lon")
    assert data["time"].to_numpy().tolist() == [2000, 2001, 2002, 2003]
    still = run_kind("datasets", "simulate", YEARLY.replace("sd: 2,", "sd: 0,")).data
    np.testing.assert_allclose(still["T"].isel(time=3) - still["T"].isel(time=0), 1.5)
    # A year has the same weather whatever years come after it.
    short = run_kind("datasets", "simulate", YEARLY.replace(", 2002, 2003]", "]")).data
    np.testing.assert_array_equal(short["T"], data["T"].isel(time=slice(2)))
    parts = run_kind("datasets", "simulate", YEARLY, resources=Resources(memory=1 << 12, workers=2)).data
    xr.testing.assert_identical(parts.compute(), data.compute())


def test_weather_remembers_the_year_before_as_much_as_it_should() -> None:
    years = ", ".join(map(str, range(1900, 1960)))
    text = YEARLY.replace("2000, 2001, 2002, 2003", years).replace("slope: 0.5", "slope: 0").replace("smooth: 20, ", "")
    weather = run_kind("datasets", "simulate", text).data
    w = (weather["T"] - weather["MAT"]).to_numpy().reshape(60, -1)
    assert np.corrcoef(w[1:].ravel(), w[:-1].ravel())[0, 1] == pytest.approx(0.6, abs=0.01)
    assert w.std() == pytest.approx(2, abs=0.03)


def test_sites_see_the_planet_of_their_year_and_some_years_only() -> None:
    planet = run_kind("datasets", "simulate", YEARLY)
    text = "seed: 1\non: p\nsites: 50\nyears: [2001, 2003]\nobserved: 0.5\ncolumns: {Rs: {expr: 10 * T}}"
    table = run_kind("datasets", "simulate", text, {"p": planet})
    frame = table.frame
    assert 30 < len(frame) < 70
    assert set(frame["year"]) == {2001, 2003}
    for row in frame.head(10).itertuples():
        here = planet.data.sel(lat=row.lat, lon=row.lon)
        assert float(here["T"].sel(time=int(row.year))) == row.T
        assert pytest.approx(10 * row.T) == row.Rs
        assert float(here["MAT"]) == row.MAT
    with pytest.raises(SoilqlError, match="SQ708"):
        run_kind("datasets", "simulate", text.replace("2003", "2013"), {"p": planet})
    with pytest.raises(SoilqlError, match="SQ714"):
        run_kind("datasets", "simulate", "seed: 1\non: p\ncolumns: {Rs: {expr: T}}", {"p": planet})
