"""Totals, against cell areas of the WGS84 ellipsoid in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import xarray as xr

from soilql.context import Resources
from soilql.errors import SoilqlError
from soilql.values import Grid, Table
from tests.support import run_kind

FLUX = "g C m-2 yr-1"
# Area of the globe and of 0.5 degree cells that begin at 0, 30 and 45 degrees (closed form on WGS84), in km2.
GLOBE = 510065621.724
CELLS = {0.25: 3077.230008, 30.25: 2667.300485, 45.25: 2181.138863}


def half_degree(values: Any = 1.0, unit: str | None = FLUX, **attrs: Any) -> Grid:
    lat, lon = np.arange(89.75, -90, -0.5), np.arange(-179.75, 180, 0.5)
    data = np.broadcast_to(np.asarray(values, float), (360, 720)).copy()
    units = {} if unit is None else {"units": unit}
    return Grid(xr.Dataset({"Rs": (("lat", "lon"), data, units | attrs)}, {"lat": lat, "lon": lon}))


def total(text: str = "", of: str = "rs", **inputs: Any) -> Table:
    context = {"resources": inputs.pop("resources")} if "resources" in inputs else {}
    found = run_kind("analyses", "total", f"of: {of}\n{text}", inputs, **context)
    assert isinstance(found, Table)
    return found


class North:
    """Two zones by a map variable, cells where it is missing in none."""

    labels = ("south", "north")
    variables = ("z",)

    def codes(self, columns: Mapping[str, Any]) -> Any:
        z = columns["z"]
        return np.where(np.isnan(z), -1, z > 0).astype(np.int16)


def test_one_gram_over_the_globe() -> None:
    found = total(rs=half_degree())
    row = found.frame.iloc[0]
    assert row["total"] == pytest.approx(0.510065621724, rel=1e-12)
    assert row["area_Mkm2"] == pytest.approx(GLOBE / 1e6, rel=1e-12)
    assert row["mean"] == pytest.approx(1.0, rel=1e-14)
    assert found.units["total"] == "Pg C yr-1"
    assert row["land_fraction"] == "not applied"
    assert np.isnan(row["missing_Mkm2"])


@pytest.mark.parametrize(("lat", "area"), CELLS.items())
def test_single_cells_have_their_area(lat: float, area: float) -> None:
    grid = half_degree(np.nan)
    grid.data["Rs"].loc[{"lat": lat, "lon": 10.25}] = 1000.0
    assert total(rs=grid).frame.loc[0, "total"] == pytest.approx(area * 1e-6, rel=1e-9)


def test_a_flux_by_day_counts_a_year() -> None:
    assert total(rs=half_degree(1.0, "g C m-2 d-1")).frame.loc[0, "total"] == pytest.approx(GLOBE * 1e-9 * 365.25)
    # 1 umol CO2 m-2 s-1 = 12.011e-6 g C m-2 s-1.
    expected = GLOBE * 1e-9 * 12.011e-6 * 86400 * 365.25
    assert total(rs=half_degree(1.0, "umol CO2 m-2 s-1")).frame.loc[0, "total"] == pytest.approx(expected)


def test_a_flux_without_unit_or_of_another_kind_is_an_error() -> None:
    with pytest.raises(SoilqlError, match="SQ303 `Rs` of `rs` has no unit"):
        total(rs=half_degree(unit=None))
    with pytest.raises(SoilqlError, match="SQ302"):
        total(rs=half_degree(unit="degC"))


def test_bands_share_out_the_globe() -> None:
    frame = total("bands: [-90, -23.5, 23.5, 66.5, 90]", rs=half_degree()).frame
    bands = frame[frame["kind"] == "band"]
    assert bands["region"].tolist() == ["90°S to 23.5°S", "23.5°S to 23.5°N", "23.5°N to 66.5°N", "66.5°N to 90°N"]
    assert bands["area_Mkm2"].sum() == pytest.approx(GLOBE / 1e6, rel=1e-12)
    widths = total("bands: 30", rs=half_degree()).frame
    halves = widths[widths["kind"] == "band"]["total"].to_numpy()
    assert halves.size == 6
    np.testing.assert_allclose(halves, halves[::-1], rtol=1e-12)


@pytest.mark.parametrize("bands", ["[10]", "[10, 0]", "[-100, 90]", "7", "-5"])
def test_bands_that_make_no_sense(bands: str) -> None:
    with pytest.raises(SoilqlError, match="SQ126"):
        total(f"bands: {bands}", rs=half_degree())


def test_the_land_fraction_enters_once_and_the_result_says_where() -> None:
    grid, land = half_degree(), half_degree(0.25, "1")
    grid.data["Rs"][:90] = np.nan
    row = total("land_fraction: lf", rs=grid, lf=land).frame.iloc[0]
    assert row["area_Mkm2"] + row["missing_Mkm2"] == pytest.approx(GLOBE / 4e6, rel=1e-12)
    assert row["mean"] == pytest.approx(1.0)
    assert row["land_fraction"] == "here, from lf"
    percent = total("land_fraction: lf", rs=grid, lf=half_degree(25.0, "%")).frame.iloc[0]
    assert percent["total"] == pytest.approx(row["total"], rel=1e-14)
    applied = half_degree(land_fraction_applied=1)
    assert total(rs=applied).frame.loc[0, "land_fraction"] == "in the map"
    with pytest.raises(SoilqlError, match="SQ610"):
        total("land_fraction: lf", rs=applied, lf=land)
    with pytest.raises(SoilqlError, match="SQ712"):
        total("land_fraction: lf", rs=grid, lf=half_degree(25.0, "1"))


def test_zones_from_another_grid_with_cells_in_none() -> None:
    lat = np.arange(89.75, -90, -0.5)[:, None]
    z = np.where(np.abs(lat) > 60, np.nan, np.sign(lat))
    masks = Grid(half_degree(z, "1").data.rename(Rs="z"))
    found = total("by: zones\non: masks", rs=half_degree(2.0), zones=North(), masks=masks)
    frame = found.frame.set_index("region")
    assert frame.loc["north", "total"] == pytest.approx(frame.loc["south", "total"], rel=1e-12)
    assert frame.loc["north", "missing_Mkm2"] == 0.0
    assert any("lie in no zone" in note.message for note in found.notes)
    with pytest.raises(SoilqlError, match=r"SQ704 .*`z`"):
        total("by: zones", rs=half_degree(), zones=North())
    with pytest.raises(SoilqlError, match="SQ708"):
        total("by: zones\non: masks", rs=half_degree(), zones=North(), masks=Grid(masks.data.isel(lat=slice(0, 9))))


@pytest.mark.parametrize("text", ["by: zones", "by: zones\non: rs.Rs"])
def test_a_reference_to_a_variable_does_not_hide_the_others_from_the_zones(text: str) -> None:
    lat = np.arange(89.75, -90, -0.5)[:, None]
    both = half_degree(2.0).data.assign(z=half_degree(np.sign(lat), "1").data["Rs"])
    frame = total(text, of="rs.Rs", rs=Grid(both), zones=North()).frame
    assert frame["region"].tolist() == ["global", "south", "north"]
    assert set(frame["of"]) == {"rs.Rs"}
    assert frame.loc[1, "total"] == pytest.approx(GLOBE * 1e-9, rel=1e-9)


def ensemble(members: int = 5, chunks: Any = None) -> Grid:
    base = half_degree(100.0)
    draws = xr.DataArray(
        (100.0 + 10 * np.arange(members))[:, None, None] * np.ones((1, 360, 720), "f4"),
        dims=("member", "lat", "lon"),
        attrs={"units": FLUX, "source": "single trees"},
    )
    data = base.data.rename(Rs="mean").assign(members=draws.assign_coords(member=np.arange(1, members + 1)))
    data["q05"] = (data["mean"] * 0.5).assign_attrs(units=FLUX)
    data["sd"] = data["mean"]
    return Grid(data.chunk(chunks) if chunks else data)


def test_the_interval_is_that_of_the_ensemble_totals() -> None:
    found = total("interval: 0.5", rs=ensemble())
    row = found.frame.iloc[0]
    # Totals of the members are 100, 110 ... 140 g over the globe; their quartiles (type 7) are 110 and 130.
    assert row["total_lower"] == pytest.approx(110 * GLOBE * 1e-9)
    assert row["total_upper"] == pytest.approx(130 * GLOBE * 1e-9)
    assert row["total_q05"] == pytest.approx(50 * GLOBE * 1e-9)
    assert row["interval_source"] == "50 % of the totals of 5 single trees"
    members = found.extras["members"].frame
    np.testing.assert_allclose(members["total"], np.arange(100, 150, 10) * GLOBE * 1e-9)


def test_the_result_does_not_depend_on_the_blocks() -> None:
    rng = np.random.default_rng(1)
    grid = half_degree(rng.gamma(2.0, 300.0, (360, 720)))
    whole = total("bands: 30", rs=grid).frame
    for chunks, memory in (({"lat": 7, "lon": 100}, 1), ({"lat": 100}, 1 << 22)):
        parts = total("bands: 30", rs=Grid(grid.data.chunk(chunks)), resources=Resources(memory=memory, workers=2))
        assert parts.frame.equals(whole)


def test_several_fluxes_and_every_variable_of_one() -> None:
    two = half_degree().data.assign(Rh=half_degree(0.5).data["Rs"])
    frame = total(of="[rs, two, two.Rh]", rs=half_degree(), two=Grid(two)).frame
    assert frame["of"].tolist() == ["rs", "two.Rs", "two.Rh", "two.Rh"]


def test_a_time_series_has_a_row_each() -> None:
    grid = half_degree()
    moving = xr.concat([grid.data, 2 * grid.data.assign_attrs()], dim="time").assign_coords(time=[2000, 2001])
    moving["Rs"].attrs["units"] = FLUX
    frame: Any = total(rs=Grid(moving.transpose("time", "lat", "lon"))).frame
    assert frame["time"].tolist() == [2000, 2001]
    assert frame.loc[1, "total"] == pytest.approx(2 * frame.loc[0, "total"])


def test_a_grid_without_values_is_said_so() -> None:
    found = total(rs=half_degree(np.nan))
    assert np.isnan(found.frame["total"].to_numpy()).all()
    assert "SQ706" in [note.code for note in found.notes]


def test_zones_and_bands_are_each_what_their_own_cells_add_up_to() -> None:
    rng = np.random.default_rng(2)
    values = np.where(rng.random((360, 720)) < 0.3, np.nan, rng.gamma(2.0, 300.0, (360, 720)))
    z = np.where(rng.random((360, 720)) < 0.2, np.nan, rng.normal(size=(360, 720)))
    data = half_degree(values).data.assign(z=(("lat", "lon"), z))
    frame = total("by: zones\nbands: [-60, 0, 60]\non: both", of="both.Rs", zones=North(), both=Grid(data)).frame
    found = frame.set_index("region")["total"]
    lat = data["lat"].to_numpy()[:, None] + np.zeros(720)
    cells = {
        "global": np.ones_like(z, bool), "south": z <= 0, "north": z > 0,
        "60°S to 0°": (lat > -60) & (lat < 0), "0° to 60°N": (lat > 0) & (lat < 60),
    }  # fmt: skip
    assert list(found.index) == list(cells)
    for region, inside in cells.items():
        alone = total(rs=half_degree(np.where(inside, values, np.nan))).frame
        assert found[region] == alone.loc[0, "total"]


def test_fluxes_on_different_grids_stand_in_the_order_they_were_named() -> None:
    lat, lon = np.arange(85.0, -90, -10), np.arange(-175.0, 180, 10)
    coarse = Grid(
        xr.Dataset({"Rh": (("lat", "lon"), np.full((18, 36), 3.0), {"units": FLUX})}, {"lat": lat, "lon": lon})
    )
    frame = total(of="[rs, coarse, twice]", rs=half_degree(), coarse=coarse, twice=half_degree(2.0)).frame
    assert frame["of"].tolist() == ["rs", "coarse", "twice"]
    np.testing.assert_allclose(frame["total"], np.array([1, 3, 2]) * GLOBE * 1e-9, rtol=1e-9)


def test_members_in_blocks_have_the_same_totals() -> None:
    whole = total(rs=ensemble())
    parts = total(rs=ensemble(chunks={"member": 2, "lat": 50}), resources=Resources(memory=1 << 20, workers=2))
    assert parts.frame.equals(whole.frame)
    assert parts.extras["members"].frame.equals(whole.extras["members"].frame)


def test_the_headline_is_the_global_total() -> None:
    from soilql.steps.total import headline

    found = headline(total("bands: 90\ninterval: 0.5", rs=ensemble()))
    # 100 g C m-2 over 510.0656 million km2; quartiles of the members as above.
    assert found == ["rs global 51.01 Pg C yr-1 [56.11, 66.31]"]
    assert headline(total(of="[rs, twice]", rs=half_degree(), twice=half_degree(2.0))) == [
        "rs    global 0.5101 Pg C yr-1",
        "twice global 1.02 Pg C yr-1",
    ]


def yearly(values: list[float], members: int = 0) -> Grid:
    """One value a year all over the globe, and members around it that keep their distance."""
    grid = half_degree().data
    years = np.arange(2000, 2000 + len(values))
    data = {"mean": (("time", "lat", "lon"), np.ones((len(values), 360, 720)) * np.reshape(values, (-1, 1, 1)))}
    made = xr.Dataset(data, {"time": years, "lat": grid["lat"], "lon": grid["lon"]})
    made["mean"].attrs["units"] = FLUX
    if members:
        spread = xr.DataArray(np.arange(members) - (members - 1) / 2, dims="member", coords={"member": range(members)})
        made["members"] = (made["mean"].isel(lat=slice(None)) + spread).transpose("member", "time", "lat", "lon")
        made["members"].attrs["units"] = FLUX
    return Grid(made)


def test_totals_off_the_middle_of_their_members_are_told() -> None:
    grid = yearly([100.0, 104.0], members=41)
    assert "SQ677" not in {note.code for note in total(rs=grid).notes}
    moved = Grid(grid.data.assign(mean=grid.data["mean"] + 18.0), grid.crs)
    moved.data["mean"].attrs["units"] = FLUX
    (note,) = (note for note in total(rs=moved).notes if note.code == "SQ677")
    # Members are 20 below to 20 above: 38 of 41 lie less than 18 above.
    assert note.message.endswith("share of members below it: global 93%")
    few = yearly([100.0], members=3)
    assert "SQ677" not in {note.code for note in total(rs=few).notes}


def test_members_by_year_and_the_mean_of_the_years() -> None:
    grid = yearly([100.0, 104.0], members=3)
    found = total("interval: 0.5", rs=grid)
    frame: Any = found.frame
    assert frame["time"].tolist() == [2000, 2001]
    # Members lie at -1, 0 and 1 around the mean: quartiles (type 7) at -0.5 and 0.5.
    np.testing.assert_allclose(frame["total_lower"], np.array([99.5, 103.5]) * GLOBE * 1e-9)
    np.testing.assert_allclose(frame["total_upper"], np.array([100.5, 104.5]) * GLOBE * 1e-9)
    members: Any = found.extras["members"].frame
    assert len(members) == 6
    period: Any = found.extras["period"].frame.iloc[0]
    assert (period["first"], period["last"], period["times"]) == (2000, 2001, 2)
    np.testing.assert_allclose(
        [period["mean_total"], period["lower"], period["upper"]], np.array([102, 101.5, 102.5]) * GLOBE * 1e-9
    )
    parts = Grid(grid.data.chunk({"member": 2, "time": 1, "lat": 50}))
    again = total("interval: 0.5", rs=parts, resources=Resources(memory=1 << 20, workers=2))
    assert again.frame.equals(found.frame)
    assert again.extras["members"].frame.equals(members)


def test_zones_that_change_by_year() -> None:
    grid = yearly([1.0, 1.0]).data
    z = np.where(grid["lat"].to_numpy()[:, None] > 0, 1.0, -1.0) * np.ones(720)
    moving = grid.assign(z=(("time", "lat", "lon"), np.stack([z, np.where(z > 0, 1.0, np.nan)])))
    found = total("by: zones\non: rs", of="rs.mean", zones=North(), rs=Grid(moving))
    rows: Any = found.frame.set_index(["region", "time"])["total"]
    assert rows["north", 2000] == pytest.approx(GLOBE / 2 * 1e-9)
    assert rows["south", 2000] == pytest.approx(GLOBE / 2 * 1e-9)
    assert rows["north", 2001] == rows["north", 2000]
    assert np.isnan(rows["south", 2001])
    # A map of zones without one of the years is no reason to guess.
    short = Grid(moving[["z"]].isel(time=[0]))
    with pytest.raises(SoilqlError, match="2001"):
        total("by: zones\non: map", zones=North(), rs=yearly([1.0, 1.0]), map=short)


def test_a_year_without_data_is_said_so_and_the_others_are_there() -> None:
    found = total(rs=yearly([1.0, np.nan, 3.0]))
    totals = found.frame["total"].to_numpy()
    assert np.isnan(totals).tolist() == [False, True, False]
    assert any(note.code == "SQ706" and "2001" in note.message for note in found.notes)
    assert any("2001: these totals are missing, and the mean is of the others" in note.message for note in found.notes)
    assert found.extras["period"].frame.loc[0, "times"] == 2


@pytest.mark.parametrize(
    ("values", "first", "words"),
    [
        # 1 g C m-2 over the globe is 0.5101 Pg C: the mean of 2, 4 and 6 of them, and so on.
        ([2.0, 4.0, 6.0], 2000, "mean of 2000-2002 2.04 Pg C yr-1"),
        ([np.nan, 2.0, 4.0], 2001, "mean of 2001-2002 1.53 Pg C yr-1"),
        ([2.0, np.nan, 4.0], 2000, "mean of 2000 and 2002 1.53 Pg C yr-1"),
        ([2.0, np.nan, 4.0, 6.0, 8.0], 2000, "mean of 4 years within 2000-2004 2.55 Pg C yr-1"),
        ([np.nan, 2.0], 2001, "2001 1.02 Pg C yr-1"),
        ([np.nan, np.nan], 2000, "mean of 2000-2001 has no value"),
    ],
)
def test_the_headline_names_the_times_that_have_a_value(values: list[float], first: int, words: str) -> None:
    from soilql.steps.total import headline

    found = total(rs=yearly(values))
    assert headline(found) == [f"rs global {words}"]
    assert found.extras["period"].frame.loc[0, "first"] == first


def test_the_headline_of_dated_totals_beside_one_without_times() -> None:
    from soilql.steps.total import headline

    dated = yearly([2.0, np.nan, 4.0])
    months = np.array(["2000-01", "2000-02", "2000-03"], "datetime64[ns]")
    dated = Grid(dated.data.assign_coords(time=months))
    assert headline(total(of="[rs, one]", rs=dated, one=half_degree(2.0))) == [
        "one global 1.02 Pg C yr-1",
        "rs  global mean of 2 times from 2000-01 to 2000-03 1.53 Pg C yr-1",
    ]


def test_a_model_is_added_up_as_it_is_predicted() -> None:
    from tests.test_predict import TRAINING, Line, grid, predict

    moving = xr.DataArray(np.arange(24.0).reshape(2, 3, 4), dims=("time", "lat", "lon"), attrs={"units": "degC"})
    on = Grid(grid().data.drop_vars("T").assign(T=moving).assign_coords(time=[2000, 2001]))
    maps = predict("members: 4\ndtype: float64\nseed: 3", on)
    text = "models: m\non: g\nmembers: 4\nseed: 3"
    context: dict[str, Any] = {"trainings": {"m": lambda: TRAINING}}
    streamed = run_kind("analyses", "total", text, {"m": Line(), "g": on}, **context)
    kept = run_kind("analyses", "total", "of: m", {"m": maps})
    assert streamed.frame.drop(columns="interval_source").equals(kept.frame.drop(columns="interval_source"))
    assert streamed.extras["members"].frame.equals(kept.extras["members"].frame)


@pytest.mark.parametrize("text", ["by: z", "models: m", "of: rs\nmembers: 10", "models: m\non: g\nmembers: 1"])
def test_what_cannot_be_added_up_is_said_before_it_runs(text: str) -> None:
    with pytest.raises(SoilqlError, match="SQ126"):
        run_kind("analyses", "total", text)
