"""Values of grids at sites: the right cell, its distance, and a status for every site without all drivers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from soilql.errors import SoilqlError
from soilql.io.sampling import match_times
from soilql.kinds import Block, Schema, Variable
from soilql.readers import extract as reader
from soilql.stats.sphere import great_circle_distance
from soilql.values import Grid, Table, ValueType
from tests.support import bind_block, data_path, needs_data, run_kind

LAT, LON = np.arange(85.0, -90, -10), np.arange(-175.0, 180, 10)


def grid(holes: tuple[tuple[int, int], ...] = (), **more: Any) -> Grid:
    a = LAT[:, None] + LON[None, :] / 1000
    b = np.ones(a.shape)
    for row, column in holes:
        b[row, column] = np.nan
    variables = {"a": (("lat", "lon"), a, {"units": "K"}), "b": (("lat", "lon"), b)}
    return Grid(xr.Dataset({**variables, **more}, coords={"lat": LAT, "lon": LON}).chunk(lat=3, lon=7))


def table(lat: list[float], lon: list[float], **more: Any) -> Table:
    frame = pd.DataFrame({"y": np.array(lat, dtype=float), "x": np.array(lon, dtype=float), **more})
    return Table(frame, {}, {"lat": "y", "lon": "x"} | ({"time": "year"} if "year" in more else {}))


def extract(sites: Table, *grids: Grid, yaml: str = "") -> Table:
    names = [f"g{i}" for i in range(len(grids))]
    inputs = {"s": sites, **dict(zip(names, grids, strict=True))}
    value = run_kind("datasets", "extract", f"at: s\nfrom: [{', '.join(names)}]\n{yaml}", inputs=inputs)
    assert isinstance(value, Table)
    return value


def test_a_site_takes_the_cell_it_lies_in() -> None:
    rng = np.random.default_rng(0)
    lat, lon = rng.uniform(-90, 90, 200), rng.uniform(-180, 180, 200)
    found = extract(table(list(lat), list(lon)), grid())
    row, column = np.floor((90 - lat) / 10).astype(int), np.floor((lon + 180) / 10).astype(int)
    np.testing.assert_allclose(found.frame["a"], LAT[row] + LON[column] / 1000)
    np.testing.assert_allclose(found.frame["distance_km"], great_circle_distance(lat, lon, LAT[row], LON[column]))
    assert set(found.frame["status"]) == {"ok"}
    assert found.units == {"a": "K", "distance_km": "km"}
    assert found.roles == {"lat": "y", "lon": "x"}


def test_bilinear_values_are_exact_for_a_plane() -> None:
    lat, lon = [12.0, -33.3, 0.0], [17.0, -101.1, 3.0]
    found = extract(table(lat, lon), grid(), yaml="method: bilinear")
    np.testing.assert_allclose(found.frame["a"], np.array(lat) + np.array(lon) / 1000)


def test_categories_are_never_interpolated() -> None:
    classes = np.broadcast_to(np.arange(36.0), (18, 36))
    found = extract(
        table([12.0], [17.0]), grid(c=(("lat", "lon"), classes, {"categorical": 1})), yaml="method: bilinear"
    )
    assert found.frame["c"].tolist() == [19.0]


def test_every_status_and_its_count() -> None:
    part = Grid(grid(holes=((2, 3),)).data.isel(lat=slice(0, 9)))
    sites = table([65.0, -50.0, np.nan, 85.0], [-145.0, 0.0, 0.0, 0.0])
    kept = extract(sites, part, yaml="drop_outside: false")
    assert kept.frame["status"].tolist() == ["missing driver: b", "outside grid", "no coordinates", "ok"]
    assert kept.frame["a"].isna().tolist() == [False, True, True, False]
    dropped = extract(sites, part)
    assert dropped.frame["y"].tolist() == [85.0]
    assert dropped.notes[-1].message == (
        "3 of 4 rows of `s` lack drivers and were left out: 1 missing driver (b 1), 1 no coordinates, 1 outside grid"
    )


def test_the_nearest_cell_with_all_drivers_within_reach() -> None:
    holes = ((4, 18), (4, 19))  # centres 45 N; 5 E and 15 E
    site = table([43.0], [8.0])
    near = extract(site, grid(holes), yaml="max_distance: 1500")
    candidates = [(LAT[r], LON[c]) for r in range(18) for c in range(36) if (r, c) not in holes]
    km = [float(great_circle_distance(43.0, 8.0, y, x)) for y, x in candidates]
    best = candidates[int(np.argmin(km))]
    assert near.frame["a"][0] == pytest.approx(best[0] + best[1] / 1000)
    assert near.frame["distance_km"][0] == pytest.approx(min(km))
    with pytest.raises(SoilqlError, match="no row of `s` has all drivers"):
        extract(site, grid(holes), yaml="max_distance: 100")
    # Across the date line as well.
    wrapped = extract(table([5.0], [179.0]), grid(((8, 35),)), yaml="max_distance: 1000")
    assert wrapped.frame["a"][0] == pytest.approx(5 - 0.175)


def test_several_grids_with_cells_of_their_own() -> None:
    values = (("lat", "lon"), [[1.0, 2], [3, 4]])
    coarse = Grid(xr.Dataset({"c": values}, coords={"lat": [45.0, -45], "lon": [-90.0, 90]}))
    found = extract(table([12.0], [17.0]), grid(), coarse)
    assert found.frame["c"].tolist() == [2.0]
    assert found.frame["distance_km"][0] == pytest.approx(float(great_circle_distance(12, 17, 45, 90)))


def test_variables_can_be_picked() -> None:
    sites = table([12.0], [17.0])
    assert "b" not in extract(sites, grid(), yaml="variables: [a]").frame
    value = run_kind("datasets", "extract", "at: s\nfrom: g.b", inputs={"s": sites, "g": grid()})
    assert "a" not in value.frame


def test_years_pick_the_time_of_a_grid() -> None:
    years = (("time", "lat", "lon"), np.arange(2.0)[:, None, None] + np.zeros((2, 18, 36)))
    timed = Grid(grid().data.assign(y2=years).assign_coords(time=[2001, 2002]).chunk())
    found = extract(
        table([5.0, 5.0, 5.0], [5.0, 5.0, 5.0], year=[2002.5, 2001.0, 1999.0]), timed, yaml="drop_outside: false"
    )
    np.testing.assert_array_equal(found.frame["y2"], [1, 0, np.nan])
    assert found.frame["status"].tolist() == ["ok", "ok", "outside time"]
    with pytest.raises(SoilqlError, match="no column with the role `time`"):
        extract(table([5.0], [5.0]), timed)
    months = Grid(timed.data.assign_coords(time=np.array(["2001-01", "2001-02"], "datetime64[ns]")))
    with pytest.raises(SoilqlError, match="several times a year"):
        extract(table([5.0], [5.0], year=[2001.0]), months)
    assert match_times(np.array(["2001-07", "2002-07"], "datetime64[ns]"), np.array([2002.0])).tolist() == [1]


def with_years(*years: int, **more: Any) -> Grid:
    values = np.array(years, float)[:, None, None] + np.zeros((1, 18, 36))
    return Grid(grid(**more).data.assign(y=(("time", "lat", "lon"), values)).assign_coords(time=list(years)).chunk())


def test_static_variables_hold_in_every_year() -> None:
    sites = table([5.0, 5.0], [5.0, 5.0], year=[2001, 1999])
    found = extract(sites, Grid(with_years(2001, 2002).data.rename(y="z")), yaml="drop_outside: false").frame
    np.testing.assert_array_equal(found["z"], [2001, np.nan])
    assert np.isfinite(found["a"]).all()
    assert found["status"].tolist() == ["ok", "outside time"]


def test_rows_of_other_years_are_dropped_kept_or_given_the_nearest() -> None:
    sites = table([5.0] * 4, [5.0] * 4, year=[2001.5, 1999.0, 2006.0, np.nan])
    maps = Grid(with_years(2001, 2003, 2004).data.rename(y="z"))
    assert extract(sites, maps).frame["z"].tolist() == [2001]
    nearest = extract(sites, maps, yaml="outside_years: nearest")
    assert nearest.frame["z"].tolist() == [2001, 2001, 2004]
    assert nearest.notes[0].message == (
        "2 rows of `s` took the map of another year of `g0`: 1999 from 2001, 2006 from 2004"
    )
    between = extract(table([5.0], [5.0], year=[2002]), maps, yaml="outside_years: nearest")
    assert between.frame["z"].tolist() == [2001]  # of two as near the earlier one
    kept = extract(sites, maps, yaml="outside_years: keep")
    np.testing.assert_array_equal(kept.frame["z"], [2001, np.nan, np.nan, np.nan])
    assert kept.notes[-1].message == "3 rows of `s` are of years without a map and were kept with missing values"


def test_bilinear_values_of_a_year() -> None:
    slope = LAT[:, None] + LON[None, :] / 1000
    values = np.array([1.0, 10.0])[:, None, None] * slope[None]
    maps = Grid(xr.Dataset({"z": (("time", "lat", "lon"), values)}, {"time": [2001, 2002], "lat": LAT, "lon": LON}))
    found = extract(table([12.0, 12.0], [17.0, 17.0], year=[2002, 2001]), maps, yaml="method: bilinear").frame
    np.testing.assert_allclose(found["z"], [120.17, 12.017])


def test_grids_with_years_of_their_own_and_dates_as_times() -> None:
    first, second = (
        Grid(with_years(*y).data[["y"]].rename(y=n)) for y, n in (((2001, 2002), "p"), ((2002, 2003), "q"))
    )
    sites = table([5.0] * 3, [5.0] * 3, year=pd.to_datetime(["2001-07-01", "2002-12-31", "2003-01-01"]))
    found = extract(sites, first, second, grid(), yaml="outside_years: nearest").frame
    assert found["p"].tolist() == [2001, 2002, 2002]
    assert found["q"].tolist() == [2002, 2002, 2003]
    assert found["a"].nunique() == 1


def test_dates_as_files_have_them() -> None:
    maps = Grid(with_years(2001, 2002).data[["y"]].rename(y="z"))
    for dates in (["2001-07-01", "2002-12-31"], ["2001-07", "2002-12"], [200107, 200212], [20010701.0, 20021231.0],
                  ["2001", "2002"]):  # fmt: skip
        found = extract(table([5.0, 5.0], [5.0, 5.0], year=dates), maps)
        assert found.frame["z"].tolist() == [2001, 2002]
    kept = extract(table([5.0, 5.0], [5.0, 5.0], year=["2002-01-01", None]), maps)
    assert kept.frame["z"].tolist() == [2002]
    with pytest.raises(SoilqlError) as caught:
        extract(table([5.0], [5.0], year=["01/07/2001"]), maps)
    assert caught.value.diagnostics[0].help == "dates are written 2000-01-31"
    with pytest.raises(SoilqlError) as caught:
        extract(table([5.0], [5.0], year=[1990.0]), maps)
    assert "`outside_years: nearest`" in caught.value.diagnostics[0].help


def test_several_times_a_year_name_the_way_out() -> None:
    months = Grid(
        with_years(2001, 2002).data.rename(y="z").assign_coords(time=np.array(["2001-01", "2001-02"], "datetime64[ns]"))
    )
    with pytest.raises(SoilqlError) as caught:
        extract(table([5.0], [5.0], year=[2001.0]), months)
    assert caught.value.diagnostics[0].help == (
        "bring it to years first: `kind: resample`, `of: g0`, `time: {every: year}`"
    )


def test_the_result_does_not_depend_on_blocks_or_the_order_of_rows() -> None:
    rng = np.random.default_rng(3)
    lat, lon = rng.uniform(-90, 90, 50), rng.uniform(-180, 180, 50)
    one = extract(table(list(lat), list(lon)), grid()).frame
    data = grid().data
    other = extract(table(list(lat[::-1]), list(lon[::-1])), Grid(data.chunk(lat=5, lon=36))).frame
    pd.testing.assert_frame_equal(one, other[::-1].reset_index(drop=True))


def test_names_that_would_be_there_twice() -> None:
    with pytest.raises(SoilqlError) as caught:
        extract(table([1.0], [1.0], a=[5.0]), grid())
    found = caught.value.diagnostics[0]
    assert (found.code, found.message) == ("SQ710", "both `s` and `g0` have `a`")
    assert "`select`" in found.help
    with pytest.raises(SoilqlError, match="both `g0` and `g1` have `a`"):
        extract(table([1.0], [1.0]), grid(), grid())
    with pytest.raises(SoilqlError, match="name all grids in one `extract`"):
        extract(extract(table([1.0], [1.0]), grid(), yaml="variables: [a]"), grid(), yaml="variables: [b]")


def test_a_table_without_coordinates() -> None:
    with pytest.raises(SoilqlError) as caught:
        extract(Table(pd.DataFrame({"y": [1.0]}), {}, {"lat": "y"}), grid())
    assert caught.value.diagnostics[0].message == "`s` has no column with the role `lon`"
    with pytest.raises(SoilqlError, match="no grid here has a variable `A`"):
        extract(table([1.0], [1.0]), grid(), yaml="variables: [A]")


class Two:
    """A spec with one table and one grid."""

    def __init__(self, sites: Schema, drivers: Schema) -> None:
        self.schemas = {"s": sites, "g": drivers}

    def block(self, name: str) -> Block | None: ...
    def value_type(self, name: str) -> ValueType | None: ...
    def schema(self, ref: str) -> Schema | None:
        return self.schemas.get(ref)

    def names(self) -> tuple[str, ...]:
        return ("s", "g")


def test_lint_finds_collisions_and_missing_roles() -> None:
    block = bind_block("datasets", "extract", "at: s\nfrom: g\nvariables: [MAT, MAPP]")
    number = Variable("number")
    drivers = Schema({"MAT": Variable("number", "degC"), "MAP": number})
    scope = Two(Schema({"Rs": number, "MAT": number}, roles={"lat": "y"}), drivers)
    assert [(d.code, d.message) for d in reader.check(block, scope)] == [
        ("SQ704", "`s` has no column with the role `lon`"),
        ("SQ710", "both `s` and `g` have `MAT`"),
        ("SQ704", "no grid here has a variable `MAPP`"),
    ]
    # Roles are what the spec says, also where the columns of the file are not known.
    bare = bind_block("datasets", "extract", "at: s\nfrom: g")
    assert [d.message for d in reader.check(bare, Two(Schema({}, open=True), drivers))] == [
        "`s` has no column with the role `lat` and `lon`"
    ]
    good = Two(Schema({"Rs": number}, roles={"lat": "y", "lon": "x"}), drivers)
    block = bind_block("datasets", "extract", "at: s\nfrom: g\nvariables: [MAT]")
    assert list(reader.check(block, good)) == []
    found = reader.schema(block, good)
    assert found is not None
    assert list(found.variables) == ["Rs", "MAT", "distance_km", "status"]
    assert found.variables["MAT"].unit == "degC"
    assert found.roles == {"lat": "y", "lon": "x"}


@needs_data
@pytest.mark.data
def test_the_training_table_of_a_real_study() -> None:
    path, map_path = data_path("srdb/srdb-data_2022-10-09.csv.gz"), "rc-stack/global_Rt_contribution_to_Rs2.nc"
    sites = run_kind(
        "datasets",
        "table",
        "source: srdb\nmissing: [NA]\nwhere: >-\n"
        '  Rs_annual > 0 and Manipulation == "None" and Annual_coverage >= 0.9 and Ecosystem_type != "Agriculture"\n'
        '  and Meas_method in ["IRGA", "Gas chromatography"]\n'
        "columns: {Rs: Rs_annual, year: {expr: floor(Study_midyear)}}\nroles: {lat: Latitude, lon: Longitude}\n"
        "average: {of: Rs, by: [lat, lon, year]}",
        sources={"source": [path]},
    )
    drivers = run_kind("datasets", "grid", "source: registry:rc-stack", sources={"source": [data_path(map_path)]})
    found = extract(sites, drivers, yaml="variables: [MAT, SOC, EVI]").frame
    # The same steps written in pandas and xarray.
    raw = pd.read_csv(path, keep_default_na=False, na_values=["", "NA"], low_memory=False)
    raw = raw[
        (raw["Rs_annual"] > 0)
        & (raw["Manipulation"] == "None")
        & (raw["Annual_coverage"] >= 0.9)
        & (raw["Ecosystem_type"].notna() & (raw["Ecosystem_type"] != "Agriculture"))
        & raw["Meas_method"].isin(["IRGA", "Gas chromatography"])
    ]
    means = raw.groupby(["Latitude", "Longitude", np.floor(raw["Study_midyear"])])["Rs_annual"].mean().reset_index()
    with xr.open_dataset(data_path(map_path)) as data:
        # A site exactly between two cells belongs to the northern and the eastern one.
        rows = (np.ceil((90 - means["Latitude"]) / 0.5).astype(int) - 1).clip(0, 359)
        columns = np.floor((means["Longitude"] + 180) / 0.5).astype(int).clip(0, 719)
        for name, factor in (("MAT", 1.0), ("SOC", 1.0), ("EVI", 1e4)):
            means[name] = data[name].values[columns, rows].astype(float) * factor
    means = means.dropna(subset=["MAT", "SOC", "EVI"])
    keys = ["Latitude", "Longitude"]
    joined = found.merge(means, left_on=[*keys, "year"], right_on=[*keys, "Study_midyear"], validate="one_to_one")
    assert len(found) == len(means) == len(joined)
    for ours, theirs in (("Rs", "Rs_annual"), ("MAT_x", "MAT_y"), ("SOC_x", "SOC_y"), ("EVI_x", "EVI_y")):
        np.testing.assert_allclose(joined[ours], joined[theirs], rtol=1e-6)
