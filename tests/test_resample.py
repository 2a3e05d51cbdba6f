"""`resample`: periods with the right days, years and units; cells with the right area; the same for any block size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from soilql.context import Context, Resources
from soilql.errors import Diagnostic, SoilqlError
from soilql.gridding import cell_areas
from soilql.kinds import Block, Schema, Size, Variable
from soilql.readers import resample as reader
from soilql.stats.periods import composite_starts
from soilql.values import Grid, Table, ValueType
from tests.support import bind_block, data_path, needs_data, run_kind

LAT, LON = np.arange(80.0, -81, -20), np.arange(-170.0, 180, 20)
MONTHS = pd.date_range("2000-01-01", "2003-12-01", freq="MS")


def monthly(labels: pd.DatetimeIndex = MONTHS, seed: int = 0, **units: str) -> Grid:
    rng = np.random.default_rng(seed)
    shape = (labels.size, LAT.size, LON.size)
    variables: dict[str, Any] = {
        name: (("time", "lat", "lon"), rng.normal(10, 3, shape), {"units": unit})
        for name, unit in (units or {"T": "degC"}).items()
    }
    return Grid(xr.Dataset(variables, {"time": labels.to_numpy(), "lat": LAT, "lon": LON}).chunk(lat=4))


def resample(source: Grid | Table, yaml: str, others: dict[str, Any] | None = None, **context: Any) -> Any:
    return run_kind("datasets", "resample", f"of: g\n{yaml}", inputs={"g": source, **(others or {})}, **context)


def failure(source: Grid | Table, yaml: str) -> Diagnostic:
    with pytest.raises(SoilqlError) as caught:
        resample(source, yaml)
    return caught.value.diagnostics[0]


def test_years_and_seasons_agree_with_xarray() -> None:
    grid = monthly()
    found = resample(grid, "time: {periods: {annual: all, spring: MAM, summer: [6, 7, 8]}}")
    data = grid.data["T"].compute()
    days = data["time"].dt.days_in_month
    assert list(found.data) == ["T_annual", "T_spring", "T_summer"]
    assert found.data["time"].values.tolist() == [2000, 2001, 2002, 2003]
    for name, months in (("T_annual", range(1, 13)), ("T_spring", (3, 4, 5)), ("T_summer", (6, 7, 8))):
        own = data["time"].dt.month.isin(list(months))
        expected = (data * days)[own].groupby("time.year").sum() / days[own].groupby("time.year").sum()
        np.testing.assert_allclose(found.data[name], expected, rtol=1e-13)
        assert found.data[name].attrs["units"] == "degC"
    assert found.data["T_annual"].dims == ("time", "lat", "lon")
    assert found.notes == ()


def test_winter_belongs_to_the_year_of_its_january() -> None:
    grid = monthly()
    data, days = grid.data["T"].values, grid.data["time"].dt.days_in_month.values
    found = resample(grid, "time: {periods: {winter: DJF}}")
    assert found.data["time"].values.tolist() == [2001, 2002, 2003]
    december = 11  # 2000-12, 2001-01 and 2001-02
    expected = np.average(data[december : december + 3], axis=0, weights=days[december : december + 3])
    np.testing.assert_allclose(found.data["T_winter"][0], expected, rtol=1e-13)
    assert [note.message for note in found.notes] == [
        "`g`: 2000 left out: the series runs from 2000-01-01 to 2003-12-31"
    ]
    start = resample(grid, "time: {periods: {winter: DJF}, year_of: start, suffix: false}")
    assert start.data["time"].values.tolist() == [2000, 2001, 2002]
    np.testing.assert_allclose(start.data["T"], found.data["T_winter"], rtol=0)


def test_the_south_has_its_seasons_six_months_later() -> None:
    grid = monthly()
    data, days = grid.data["T"].values, grid.data["time"].dt.days_in_month.values
    yaml = "time: {periods: {annual: all, spring: MAM, summer: JJA, growing: Apr-Sep}, southern: shift}"
    shifted, same = resample(grid, yaml), resample(grid, yaml.replace("shift", "same"))
    north, south = LAT >= 0, LAT < 0

    def mean(first: int, count: int) -> Any:
        return np.average(data[first : first + count], axis=0, weights=days[first : first + count])

    for name in shifted.data:
        np.testing.assert_array_equal(shifted.data[name][:, north], same.data[name][:, north])
    np.testing.assert_array_equal(shifted.data["T_annual"], same.data["T_annual"])
    # 2001 in the south: spring is September to November 2001, summer December 2000 to February 2001, and the growing
    # season October 2000 to March 2001.
    np.testing.assert_allclose(shifted.data["T_spring"][1, south], mean(20, 3)[south], rtol=1e-13)
    np.testing.assert_allclose(shifted.data["T_summer"][1, south], mean(11, 3)[south], rtol=1e-13)
    np.testing.assert_allclose(shifted.data["T_growing"][1, south], mean(9, 6)[south], rtol=1e-13)
    assert np.isnan(shifted.data["T_summer"][0, south]).all()
    assert "`summer`, `growing` of 2000 missing" in shifted.notes[0].message


def test_sums_and_their_units() -> None:
    grid = monthly(P="mm month-1", pr="kg m-2 s-1", GPP="g C m-2 d-1", R="W m-2", T="degC")
    yaml = "time: {periods: {annual: all, spring: MAM}, statistic: sum, per: {T: sd, GPP: {unit: kg C m-2 yr-1}}}"
    with pytest.raises(SoilqlError, match="does not convert"):
        resample(grid, yaml)  # a season's GPP is an amount, not a rate
    yaml = yaml.replace("GPP: {unit: kg C m-2 yr-1}", "GPP: sum")
    found = resample(grid, yaml)
    units = {name: found.unit(name) for name in map(str, found.data)}
    assert units == {
        "P_annual": "mm yr-1", "P_spring": "mm", "pr_annual": "kg m-2 yr-1", "pr_spring": "kg m-2",
        "GPP_annual": "g C m-2 yr-1", "GPP_spring": "g C m-2", "R_annual": "J m-2 yr-1", "R_spring": "J m-2",
        "T_annual": "K", "T_spring": "K",
    }  # fmt: skip
    months, days = (
        grid.data.isel(time=slice(0, 12)).compute(),
        np.array([31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]),
    )
    first = found.data.isel(time=0)
    # A month's millimetres are its total, whatever its length; rates are integrated over its days.
    np.testing.assert_allclose(first["P_annual"], months["P"].sum("time"), rtol=1e-13)
    np.testing.assert_allclose(first["pr_annual"], np.tensordot(days * 86400.0, months["pr"], 1), rtol=1e-13)
    np.testing.assert_allclose(first["GPP_spring"], np.tensordot(days[2:5], months["GPP"][2:5], 1), rtol=1e-13)
    np.testing.assert_allclose(first["T_annual"], months["T"].std("time", ddof=1), rtol=1e-12)


def test_the_mean_of_monthly_amounts_is_a_twelfth_of_their_sum() -> None:
    grid = monthly(P="mm month-1")
    mean, total = (resample(grid, f"time: {{statistic: {s}}}").data["P"] for s in ("mean", "sum"))
    np.testing.assert_allclose(12 * mean, total, rtol=1e-13)
    assert (mean.attrs["units"], total.attrs["units"]) == ("mm month-1", "mm yr-1")


def test_eight_day_composites_to_years_and_months() -> None:
    starts = np.concatenate([composite_starts(year, "8-day") for year in (2001, 2002)])
    labels = pd.DatetimeIndex(starts.astype("datetime64[D]"))
    values = np.arange(92.0)[:, None, None] + np.zeros((1, LAT.size, LON.size))
    data = xr.Dataset(
        {"GPP": (("time", "lat", "lon"), values, {"units": "kg C m-2"})}, {"time": labels, "lat": LAT, "lon": LON}
    )
    year = resample(Grid(data), "time: {statistic: sum}").data["GPP"]
    assert year[:, 0, 0].values.tolist() == [sum(range(46)), sum(range(46, 92))]
    assert year.attrs["units"] == "kg C m-2 yr-1"
    month = resample(Grid(data), "time: {every: month, statistic: mean}").data["GPP"]
    # January 2001: composites 0 to 2 whole, and 7 of the 8 days from 25 January on.
    assert float(month[0, 0, 0]) == pytest.approx((8 * (0 + 1 + 2) + 7 * 3) / 31, rel=1e-14)
    assert month["time"].values[1] == np.datetime64("2001-02-01")
    assert month["time"].attrs["step"] == "month"
    assert month.sizes["time"] == 24


def test_daily_values_to_composites_that_begin_anew_each_year() -> None:
    labels = pd.date_range("2003-12-01", "2004-12-31")
    grid = monthly(labels, T="degC")
    found = resample(grid, "time: {every: 8-day}").data
    days = grid.data["T"].values
    assert found["time"].values[-1] == np.datetime64("2004-12-26")
    np.testing.assert_allclose(found["T"][-1], days[-6:].mean(axis=0), rtol=1e-13)
    # The composite of 27 November is there in part and left out, the first whole one begins on 3 December.
    assert found["time"].values[0] == np.datetime64("2003-12-03")
    assert found["time"].values[4] == np.datetime64("2004-01-01")


def test_a_climatology_has_no_time() -> None:
    grid = monthly()
    found = resample(grid, "time: {every: month, climatology: true, years: 2001-2003}").data
    assert list(found) == [
        f"T_{month}" for month in ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    ]
    assert found["T_Feb"].dims == ("lat", "lon")
    expected = grid.data["T"].isel(time=slice(12, None)).groupby("time.month").mean()
    np.testing.assert_allclose(found["T_Feb"], expected.sel(month=2), rtol=1e-13)
    one = resample(grid, "time: {climatology: true}\nrename: {T: MAT}").data
    assert list(one) == ["MAT"]
    np.testing.assert_allclose(one["MAT"], resample(grid, "time: year").data["T"].mean("time"), rtol=1e-13)


def test_seasons_as_a_series() -> None:
    found = resample(monthly(), "time: season").data
    assert found["time"].values[:2].tolist() == [np.datetime64(d, "ns").item() for d in ("2000-03-01", "2000-06-01")]
    assert found.sizes["time"] == 15


def test_missing_months_and_years_begun() -> None:
    grid = monthly(pd.date_range("2000-03-01", "2003-12-01", freq="MS"))
    values = grid.data["T"].compute()
    values[12:15, 0, 0] = np.nan  # March to May 2001: 92 days
    values[12:17, 0, 1] = np.nan  # five months
    gapped = Grid(grid.data.assign(T=values))
    found = resample(gapped, "time: {periods: {annual: all}}")
    assert found.data["time"].values.tolist() == [2001, 2002, 2003]
    assert np.isnan(found.data["T_annual"].values).sum() == 2 - int(273 / 365 >= 0.75)
    assert [note.message for note in found.notes] == [
        "`g`: 2000 left out: the series runs from 2000-03-01 to 2003-12-31",
        "`T_annual` is missing in 2 cells and periods that have values on less than 75% of the days"
        if 273 / 365 < 0.75
        else "`T_annual` is missing in 1 cells and periods that have values on less than 75% of the days",
    ]
    kept = resample(gapped, "time: {incomplete: keep, min_share: 0.7}")
    assert kept.data["time"].values.tolist() == [2000, 2001, 2002, 2003]
    strict = resample(gapped, "time: {min_share: 1}").data["T"]
    assert np.isnan(strict.values).sum() == 2
    # A month that is not in the series at all is missing like any other.
    without = Grid(grid.data.isel(time=[i for i in range(46) if i != 20]))
    assert np.isnan(resample(without, "time: {min_share: 1}").data["T"].sel(time=2001)).all()


@pytest.mark.parametrize(
    ("time", "message"),
    [
        ("{years: 2001-2009}", "`g`: 2004 to 2009 asked for, but the series runs from 2000-01-01 to 2003-12-31"),
        ("{years: 1990-2001}", "`g`: 1990 to 1999 asked for, but the series runs from 2000-01-01 to 2003-12-31"),
        ("{every: month, years: [1999, 2004]}",
         "`g`: 1999 and 2004 asked for, but the series runs from 2000-01-01 to 2003-12-31"),
    ],
)  # fmt: skip
def test_years_beyond_the_series_are_told(time: str, message: str) -> None:
    assert [note.message for note in resample(monthly(), f"time: {time}").notes] == [message]
    assert resample(monthly(), "time: {years: 2000-2003}").notes == ()


def test_hours_labelled_by_their_middle_make_whole_days() -> None:
    # As MERRA-2 labels hourly means (0:30, 1:30 ...); others label by the beginning.
    begin = pd.date_range("2000-02-01", "2000-03-31 23:00", freq="h")
    expected = monthly(begin, P="mm h-1").data["P"].groupby("time.month").sum()
    for minutes in (0, 30):
        grid = monthly(begin + pd.Timedelta(minutes=minutes), P="mm h-1")
        found = resample(grid, "time: {every: month, statistic: sum}")
        np.testing.assert_allclose(found.data["P"], expected, rtol=1e-12)
        assert found.notes == ()
    late = resample(monthly(begin + pd.Timedelta(hours=1), P="mm h-1"), "time: {every: month, incomplete: keep}")
    assert late.data["time"].values.astype("datetime64[M]").astype(str).tolist() == ["2000-02", "2000-03"]
    cut = failure(monthly(begin[:700] + pd.Timedelta(hours=1), P="mm h-1"), "time: month")
    assert cut.message == "no period lies wholly within the series, from 2000-02-01 01:00 to 2000-03-01 05:00"


def test_blocks_and_workers_change_nothing() -> None:
    grid = monthly(pd.date_range("1999-11-01", "2001-12-01", freq="MS"), T="degC", P="mm month-1")
    holes = np.random.default_rng(9).random(grid.data["T"].shape) < 0.15
    data = grid.data.assign({name: grid.data[name].where(~holes) for name in grid.data})
    yaml = (
        "time: {periods: {annual: all, winter: DJF}, per: {P: %s}, southern: shift, min_share: 0.5}\n"
        "space: {resolution: 20, method: %s}"
    )
    for statistic, method in (("sum", "average"), ("median", "bilinear"), ("sd", "conservative"), ("max", "nearest")):
        results = []
        for chunks, memory, workers in (
            ({"time": -1, "lat": -1, "lon": -1}, 1 << 30, 1),
            ({"time": 1, "lat": 4, "lon": 9}, 1 << 16, 2),
            ({"time": 7, "lat": 5, "lon": -1}, 1 << 20, 2),
        ):
            found = resample(
                Grid(data.chunk(chunks)),
                yaml % (statistic, method),
                resources=Resources(memory=memory, workers=workers),
            )
            results.append((found.data.compute(), found.notes))
        for other, notes in results[1:]:
            xr.testing.assert_identical(results[0][0], other)
            assert notes == results[0][1]


def test_cells_are_cut_to_a_budget() -> None:
    lat, lon = np.arange(89.75, -90, -0.5), np.arange(-179.75, 180, 0.5)
    values = np.random.default_rng(1).normal(size=(360, 720))
    grid = Grid(xr.Dataset({"x": (("lat", "lon"), values)}, {"lat": lat, "lon": lon}).chunk(lat=30))
    whole = resample(grid, "space: {resolution: 2.5}")
    small = resample(grid, "space: {resolution: 2.5}", resources=Resources(memory=1 << 20, workers=1))
    assert len(whole.data["x"].chunks[0]) == 1
    assert len(small.data["x"].chunks[0]) > 10
    xr.testing.assert_identical(whole.data.compute(), small.data.compute())


def test_averages_by_area_and_to_the_cells_of_another_grid() -> None:
    grid = monthly()
    target = Grid(
        xr.Dataset(
            {"z": (("lat", "lon"), np.zeros((18, 36)))},
            {"lat": np.arange(85.0, -90, -10), "lon": np.arange(-175.0, 180, 10)},
        )
    )
    found = resample(grid, "space: {to: other, method: conservative}", {"other": target})
    assert found.data["lat"].values.tolist() == target.data["lat"].values.tolist()
    old, new = cell_areas(grid.data), cell_areas(target.data)
    np.testing.assert_allclose(
        (found.data["T"] * new).sum(("lat", "lon")), (grid.data["T"] * old).sum(("lat", "lon")), rtol=1e-12
    )
    assert found.data["T"].attrs["units"] == "degC"


def test_classes_take_the_mode_or_shares() -> None:
    classes = np.tile(np.array([[1.0, 1, 2, 5], [1, 3, 2, 2]]), (2, 1))
    grid = Grid(
        xr.Dataset(
            {"lc": (("lat", "lon"), classes, {"categorical": 1})},
            {"lat": [67.5, 22.5, -22.5, -67.5], "lon": [-135.0, -45, 45, 135]},
        )
    )
    mode = resample(grid, "space: {resolution: [90, 180]}").data["lc"]
    assert mode.values.tolist() == [[1, 2], [1, 2]]
    assert mode.attrs["categorical"] == 1
    shares = resample(
        grid, "space: {resolution: [90, 180], per: {lc: {method: fraction, classes: {wood: [1, 2], grass: 3}}}}"
    ).data
    assert list(shares) == ["lc_wood", "lc_grass"]
    assert float(shares["lc_wood"][0, 0] + shares["lc_grass"][0, 0]) == pytest.approx(1.0)
    found = failure(grid, "space: {resolution: 90, per: {lc: average}}")
    assert (found.code, found.span is not None and found.span.text) == ("SQ126", "average")
    assert found.message == "`lc` holds numbers of classes, which have no average"


def test_bounds_and_their_cells() -> None:
    grid = Grid(
        xr.Dataset(
            {"x": (("lat", "lon"), np.ones((4, 4)))}, {"lat": [53.5, 52.5, 51.5, 50.5], "lon": [5.5, 6.5, 7.5, 8.5]}
        )
    )
    around = resample(grid, "space: 2").data
    assert (around["lat"].values.tolist(), around["lon"].values.tolist()) == ([53.0, 51.0], [5.0, 7.0, 9.0])
    cut = resample(grid, "space: {resolution: 0.5, bounds: [6, 51, 7, 52], method: nearest}").data
    assert cut["x"].shape == (2, 2)
    found = failure(grid, "space: {resolution: 0.7, bounds: [6, 51, 7, 52]}")
    assert found.message == "1 degrees of longitudes are no whole number of cells of 0.7 degrees"


def test_what_has_no_time_is_kept_on_request() -> None:
    grid = monthly()
    data = grid.data.assign(soil=(("lat", "lon"), np.ones((LAT.size, LON.size))))
    found = resample(Grid(data), "time: year")
    assert list(found.data) == ["T"]
    assert [note.code for note in found.notes] == ["SQ727"]
    assert list(resample(Grid(data), "time: year\nstatic: soil").data) == ["T", "soil"]
    assert "has no time" in failure(Grid(data), "variables: [T, soil]\ntime: year").message


@pytest.mark.parametrize(
    ("yaml", "message", "help"),
    [
        (
            "time: {every: 8-day}",
            "the steps of one month are longer than the periods, of which one has 8 days",
            "shorter",
        ),
        (
            "time: {years: 1980-1985}",
            "no period lies wholly within the series, from 2000-01-01 to 2003-12-31",
            "incomplete",
        ),
        ("time: {statistic: sum}", "temperatures have no sum, and the unit is degC", "mean"),
        ("time: {periods: {x: MAMM}}", "`MAMM` names no months", "did you mean `MAM`?"),
        ("variables: [TT]\ntime: year", "`g` has no variable `TT`", "did you mean `T`?"),
        ("time: year\nrename: {T_annual: X}", "no result is called `T_annual`", ""),
    ],
)
def test_requests_that_cannot_be_met(yaml: str, message: str, help: str) -> None:
    found = failure(monthly(), yaml)
    assert found.message == message
    assert help in found.help


def test_labels_without_dates() -> None:
    data = monthly().data.assign_coords(time=np.arange(48) / 12 + 2000.04)
    assert "cannot be told from their labels: 2000.04" in failure(Grid(data), "time: year").message


# --- tables -----------------------------------------------------------------------------------------------------------


def rows() -> Table:
    frame = pd.DataFrame({"date": np.tile(MONTHS, 2), "y": np.repeat([50.0, -30.0], 48), "x": 10.0})
    frame["T"] = np.random.default_rng(4).normal(size=96)
    frame["P"] = 30.0
    frame["note"] = "a"
    return Table(frame, {"T": "degC", "P": "mm month-1"}, {"lat": "y", "lon": "x", "time": "date"})


def test_a_table_has_one_row_a_place_and_year() -> None:
    table = rows()
    found = resample(table, "time: {periods: {annual: all, spring: MAM}, per: {P: sum}}")
    assert list(found.frame) == ["y", "x", "year", "T_annual", "T_spring", "P_annual", "P_spring"]
    assert found.units == {"T_annual": "degC", "T_spring": "degC", "P_annual": "mm yr-1", "P_spring": "mm"}
    assert found.roles == {"lat": "y", "lon": "x", "time": "year"}
    assert found.frame["P_annual"].tolist() == [360.0] * 8
    own = table.frame[(table.frame["y"] == 50) & (table.frame["date"].dt.year == 2001)]
    expected = np.average(own["T"], weights=own["date"].dt.days_in_month)
    row = found.frame[(found.frame["y"] == 50) & (found.frame["year"] == 2001)]
    assert row["T_annual"].item() == pytest.approx(expected, rel=1e-13)


def test_a_table_agrees_with_a_grid_and_with_any_order_of_rows() -> None:
    table = rows()
    yaml = "time: {periods: {annual: all, summer: JJA}, southern: shift}"
    found = resample(table, yaml).frame
    shuffled = Table(table.frame.sample(frac=1, random_state=1).reset_index(drop=True), table.units, table.roles)
    pd.testing.assert_frame_equal(found, resample(shuffled, yaml).frame)
    values = table.frame["T"].to_numpy().reshape(2, 48).T[:, :, None]
    grid = Grid(
        xr.Dataset({"T": (("time", "lat", "lon"), values)}, {"time": MONTHS, "lat": [50.0, -30.0], "lon": [10.0]})
    )
    maps = resample(grid, yaml).data
    for name in ("T_annual", "T_summer"):
        expected = maps[name].values[:, :, 0]
        for i, y in enumerate((50.0, -30.0)):
            own = found[found["y"] == y].set_index("year")[name].reindex(range(2000, 2004)).to_numpy()
            np.testing.assert_array_equal(own, expected[:, i])


def test_times_of_a_table_as_texts_or_decimal_years() -> None:
    table = rows()
    expected = resample(table, "time: year").frame
    texts = table.frame.assign(date=table.frame["date"].dt.strftime("%Y-%m-%d"))
    pd.testing.assert_frame_equal(resample(Table(texts, table.units, table.roles), "time: year").frame, expected)
    decimal = MONTHS.year + (MONTHS.day_of_year - 1) / np.where(MONTHS.is_leap_year, 366, 365)
    years = table.frame.assign(date=np.tile(np.round(decimal, 4), 2))
    found = resample(Table(years, table.units, table.roles), "time: {every: year, step: month}").frame
    pd.testing.assert_frame_equal(found, expected)
    written = table.frame["date"].dt.strftime("%Y%m").astype(int)
    for numbers in (written, written * 100 + 1, (written * 100 + 1).astype(float)):
        found = resample(Table(table.frame.assign(date=numbers), table.units, table.roles), "time: year").frame
        pd.testing.assert_frame_equal(found, expected)
    assert failure(Table(table.frame.assign(date=200013), table.units, table.roles), "time: year").code == "SQ709"
    words = Table(table.frame.assign(date="soon"), table.units, table.roles)
    assert (
        failure(words, "time: year").message
        == "column `date` of `g`, which has the role `time`, holds neither years nor dates"
    )


def test_a_table_with_two_rows_of_one_time() -> None:
    table = rows()
    twice = Table(pd.concat([table.frame, table.frame.iloc[:1]], ignore_index=True), table.units, table.roles)
    found = failure(twice, "time: year")
    assert (found.code, found.message.partition(":")[0]) == (
        "SQ710",
        "1 rows of `g` are of the same place and time as another",
    )
    assert failure(table, "space: 1").message == "`g` is a table, and has no cells"


# --- lint -------------------------------------------------------------------------------------------------------------


class One:
    """A spec in which `g` is a grid or table of known variables."""

    def __init__(self, known: Schema, value_type: ValueType = ValueType.GRID, source: Block | None = None) -> None:
        self.known, self.type, self.source = known, value_type, source

    def block(self, name: str) -> Block | None:
        return self.source

    def value_type(self, name: str) -> ValueType | None:
        return self.type

    def schema(self, ref: str) -> Schema | None:
        return self.known

    def names(self) -> tuple[str, ...]:
        return ("g",)


KNOWN = Schema({"T": Variable("number", "degC"), "P": Variable("number", "mm month-1")})


def lint(yaml: str, scope: One) -> list[tuple[str, str, str]]:
    block = bind_block("datasets", "resample", f"of: g\n{yaml}")
    return [(d.code, d.message, d.span.text if d.span else "") for d in reader.check(block, scope)]


def test_names_and_units_are_known_before_any_data_are_read() -> None:
    block = bind_block(
        "datasets",
        "resample",
        "of: g\ntime: {periods: {annual: all, spring: MAM}, per: {P: sum}}\nrename: {T_annual: MAT, P_annual: MAP}",
    )
    found = reader.schema(block, One(KNOWN))
    assert found is not None
    assert {name: one.unit for name, one in found.variables.items()} == {
        "MAT": "degC", "T_spring": "degC", "MAP": "mm yr-1", "P_spring": "mm",
    }  # fmt: skip
    assert not found.open
    table = Schema({**KNOWN.variables, "y": Variable("number"), "x": Variable("number"), "date": Variable("text")},
                   roles={"lat": "y", "lon": "x", "time": "date"})  # fmt: skip
    found = reader.schema(bind_block("datasets", "resample", "of: g\ntime: year"), One(table, ValueType.TABLE))
    assert found is not None
    assert list(found.variables) == ["y", "x", "year", "T", "P"]
    assert found.roles == {"lat": "y", "lon": "x", "time": "year"}


def test_what_lint_finds() -> None:
    scope = One(KNOWN)
    assert lint("time: {periods: {spring: MAM}, per: {P: sum}}\nspace: 0.5", scope) == []
    assert lint("time: {periods: {spring: Marhc}}", scope) == [("SQ126", "`Marhc` names no months", "Marhc")]
    assert lint("time: {years: 2014-2000}", scope) == [
        ("SQ126", "the years end in 2000, before they begin in 2014", "2014-2000")
    ]
    assert lint("time: {statistic: sum}", scope) == [
        ("SQ302", "`T`: temperatures have no sum, and the unit is degC", "sum")
    ]
    found = lint("time: {per: {P: {statistic: sum, unit: degC}}}", scope)
    assert [(code, text) for code, _, text in found] == [("SQ302", "degC")]
    assert lint("variables: [TT]\ntime: year", scope)[0][:2] == ("SQ704", "no column `TT`")
    assert lint("time: year\nrename: {T_anual: MAT}", scope) == [("SQ704", "no result is called `T_anual`", "MAT")]
    assert lint("time: year\nrename: {T: X, P: X}", scope)[0][:2] == ("SQ710", "two results would be called `X`")
    classes = bind_block("datasets", "grid", "source: a.nc\nvariables: {T: {categorical: true}, P: P}")
    assert lint("space: {resolution: 1, per: {T: average}}", One(KNOWN, source=classes)) == [
        ("SQ126", "`T` holds numbers of classes, which have no average", "average")
    ]
    table = One(KNOWN, ValueType.TABLE)
    assert [code for code, _, _ in lint("time: year\nspace: 1", table)] == ["SQ126", "SQ704", "SQ704", "SQ704"]


@pytest.mark.parametrize(
    ("yaml", "message"),
    [
        ("variables: [T]", "say what to bring it to"),
        ("time: {every: month, periods: {a: all}}", "`periods` are parts of a year"),
        ("time: {southern: shift}", "only `periods` can be shifted"),
        ("space: {method: nearest}", "say the cells wanted"),
        ("space: {resolution: 1, bounds: [0, 0, 0, 0]}", "`bounds` must be"),
    ],
)
def test_parameters_that_do_not_fit_together(yaml: str, message: str) -> None:
    with pytest.raises(SoilqlError, match=message):
        bind_block("datasets", "resample", f"of: g\n{yaml}")


def test_the_size_is_known_where_the_years_are() -> None:
    yaml = "time: {periods: {a: all, b: MAM}, years: 2000-2014}\nspace: {resolution: 1, bounds: [-180, -90, 180, 90]}"
    block = bind_block("datasets", "resample", f"of: g\nvariables: [T]\n{yaml}")
    found = reader.size(block.params, Context(block), {"g": Size(cells=684, columns=360)})
    assert str(found) == "64,800 cells x 30"
    open_ended = bind_block("datasets", "resample", "of: g\ntime: year")
    assert (
        str(reader.size(open_ended.params, Context(open_ended), {"g": Size(cells=684, columns=360)}))
        == "at most 684 cells x 360"
    )


# --- real data --------------------------------------------------------------------------------------------------------


def access(name: str) -> xr.DataArray:
    table = "L" if name == "gpp" else "A"
    path = f"cmip6-access-10deg/{name}_{table}mon_ACCESS-ESM1-5_historical_r1i1p1f1_gn_200001-201412.nc"
    with xr.open_dataset(data_path(path)) as opened:
        data = opened[name].load().astype(float).reset_coords(drop=True)
    data = data.assign_coords(lon=(data["lon"] + 180) % 360 - 180).sortby("lon").sortby("lat", ascending=False)
    return data.assign_attrs(units=data.attrs["units"])


@needs_data
@pytest.mark.data
def test_the_years_of_an_earth_system_model() -> None:
    data = xr.merge([access("tas"), access("pr"), access("gpp")], compat="override")
    found = resample(Grid(data.chunk(lat=6)), "time: {periods: {annual: all, winter: DJF}, per: {pr: sum, gpp: sum}}")
    days = data["time"].dt.days_in_month
    expected = (data["tas"] * days).groupby("time.year").sum() / days.groupby("time.year").sum()
    np.testing.assert_allclose(found.data["tas_annual"], expected, rtol=1e-13)
    water = (data["pr"] * days * 86400).groupby("time.year").sum()
    np.testing.assert_allclose(found.data["pr_annual"], water, rtol=1e-12)
    assert found.unit("gpp_annual") == "kg m-2 yr-1"
    # The global means of the model are known: about 288 K, 1.1 m of rain, and 110 Pg C of GPP a year.
    weights = cell_areas(found.data)
    assert float((found.data["tas_annual"] * weights).mean("time").sum() / weights.sum()) == pytest.approx(
        288.5, abs=0.5
    )
    assert float((found.data["pr_annual"] * weights).mean("time").sum() / weights.sum()) == pytest.approx(1140, abs=30)
    assert float((found.data["gpp_annual"].mean("time") * weights).sum() * 1e6 / 1e12) == pytest.approx(110, abs=4)


@needs_data
@pytest.mark.data
def test_observed_anomalies_on_coarser_cells() -> None:
    with xr.open_dataset(data_path("gistemp/gistemp_annual_1951-2018_2deg.nc")) as opened:
        data = opened.rename(year="time").sortby("lat", ascending=False).load()
    source = Grid(data[["tempanomaly"]].chunk(time=10))
    found = resample(source, "space: {resolution: 10, min_share: 0}")
    assert found.data["tempanomaly"].shape == (68, 18, 36)
    # Weighted by the area with values, the mean of the globe is the same on both grids.
    old, new = cell_areas(data), cell_areas(found.data)
    fine = data["tempanomaly"].isel(time=-1)
    valid = xr.where(np.isfinite(fine), 1.0, 0.0)
    share = resample(Grid(valid.to_dataset(name="s")), "space: 10").data["s"]
    coarse = found.data["tempanomaly"].isel(time=-1)
    assert float((coarse * share * new).sum() / (share * new).sum()) == pytest.approx(
        float((fine * old).sum() / (valid * old).sum()), rel=1e-12
    )
