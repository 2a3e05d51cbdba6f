"""Trends of grids and tables through the step, against R and closed forms."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from soilql.context import Resources
from soilql.errors import SoilqlError
from soilql.values import Grid, Table
from tests.support import run_kind

# R: Nile[1:15].
NILE = [1120.0, 1160, 963, 1210, 1160, 1160, 813, 1230, 1370, 1140, 995, 935, 1110, 994, 1020]
YEARS = np.arange(1871, 1886)
UNIT = "g C m-2 yr-1"


def grid(values: Any, years: Any = YEARS, unit: str | None = UNIT, **more: Any) -> Grid:
    values = np.asarray(values, float)
    rows, columns = values.shape[1:]
    lat = 60 - min(10.0, 120 / rows) * np.arange(rows)
    lon = 10.0 * np.arange(columns)
    attrs = {} if unit is None else {"units": unit}
    return Grid(
        xr.Dataset({"Rs": (("time", "lat", "lon"), values, attrs), **more}, {"time": years, "lat": lat, "lon": lon})
    )


def trend(of: Any, text: str = "", tmp: Path | None = None, ref: str = "rs", **more: Any) -> Any:
    context = {"scratch": tmp or Path("/nonexistent")} | {k: more.pop(k) for k in ("resources",) if k in more}
    return run_kind("analyses", "trend", f"of: {ref}\n{text}", {"rs": of, **more}, **context)


def nile_table(**columns: Any) -> Table:
    return Table(pd.DataFrame({"year": YEARS, "flow": NILE, **columns}), {"flow": "m3"}, {"time": "year"})


def test_the_nile_of_r_in_a_table() -> None:
    found = trend(nile_table(), "interval: sen", ref="rs.flow")
    row = found.frame.iloc[0]
    # statistics.md: S -20, Var 404.6667, Z -0.944506, tau-b -0.193257, Sen -7.142857 [-25, 11.66667] (R).
    assert row["s"] == -20
    assert row["z"] == pytest.approx(-0.944506, abs=5e-7)
    assert row["tau"] == pytest.approx(-0.193257, abs=5e-7)
    assert (row["slope"], row["lower"], row["upper"]) == pytest.approx((-7.142857, -25, 11.66667), abs=5e-6)
    assert row["change"] == pytest.approx(-100)
    assert row["change_lower"] == pytest.approx(-25 * 14)
    assert (row["n"], row["first"], row["last"]) == (15, 1871, 1885)
    assert not row["significant"]
    assert row["class"] == "slight decrease"
    assert found.units["slope"] == "m3 yr-1"


def test_the_nile_of_r_with_the_normal_p_and_prewhitened() -> None:
    normal = trend(nile_table(), "interval: none\np_value: normal", ref="rs.flow").frame.iloc[0]
    assert normal["p"] == pytest.approx(0.344911, abs=5e-7)
    white = trend(nile_table(), "interval: none\np_value: normal\ntest: pw", ref="rs.flow").frame.iloc[0]
    assert white["p"] == pytest.approx(0.324424, abs=5e-7)


def test_a_cell_is_what_its_series_in_a_table_is() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(15, 3, 4)) + 0.05 * np.arange(15)[:, None, None]
    values[:, 0, 0] = NILE
    maps = trend(grid(values), "dtype: float64").data
    rows = [
        {"cell": f"{i} {j}", "year": year, "value": values[t, i, j]}
        for i in range(3)
        for j in range(4)
        for t, year in enumerate(YEARS)
    ]
    table = trend(Table(pd.DataFrame(rows), {}, {"time": "year"}), "interval: none", ref="rs.value").frame
    for name in ("slope", "p", "z", "tau", "lag1", "change"):
        np.testing.assert_allclose(maps[name].to_numpy().ravel(), table[name], rtol=1e-12, atol=1e-13, err_msg=name)


def test_maps_do_not_depend_on_bands_threads_or_the_order_of_cells(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    values = rng.gamma(3.0, 100.0, (15, 12, 7))
    values[rng.random(values.shape) < 0.05] = np.nan
    values[:, 2, 3] = np.nan
    whole = trend(grid(values), "bands: 20\ndtype: float64\nseed: 3", tmp_path)
    parts = trend(
        Grid(grid(values).data.chunk({"time": 4, "lat": 5, "lon": 3})),
        "bands: 20\ndtype: float64\nseed: 3",
        tmp_path,
        resources=Resources(memory=1 << 14, workers=2),
    )
    xr.testing.assert_identical(whole.data.compute(), parts.data.compute())
    for name in whole.extras:
        pd.testing.assert_frame_equal(whole.extras[name].frame, parts.extras[name].frame)
    order = rng.permutation(7)
    turned = trend(grid(values[:, :, order]), "dtype: float64", tmp_path).data
    for name in ("slope", "p", "class", "status"):
        np.testing.assert_array_equal(turned[name].to_numpy(), whole.data[name].to_numpy()[:, order])


def test_rescaling_changes_the_slope_and_nothing_else() -> None:
    rng = np.random.default_rng(3)
    values = np.round(rng.gamma(3.0, 100.0, (15, 4, 5)), 1)
    small = trend(grid(values * 1e-8), "dtype: float64").data
    plain = trend(grid(values), "dtype: float64").data
    np.testing.assert_allclose(small["slope"] * 1e8, plain["slope"], rtol=1e-12)
    for name in ("p", "z", "tau", "class"):
        np.testing.assert_array_equal(small[name].to_numpy(), plain[name].to_numpy())


def test_regions_have_the_trend_of_their_mean_series() -> None:
    t = np.arange(15.0)
    values = np.zeros((15, 2, 2))
    values[:, 0, :] = 100 + 2 * t[:, None]  # at 60 degrees north
    values[:, 1, :] = 50 - 1 * t[:, None]  # at 50 degrees north
    values += 1e-3 * np.random.default_rng(1).normal(size=values.shape)

    class Warm:
        labels = ("cold", "warm")
        variables = ("z",)

        def codes(self, columns: Mapping[str, Any]) -> Any:
            return (columns["z"] > 0).astype(np.int16)

    on = Grid(grid(values).data.assign(z=(("lat", "lon"), [[-1.0, -1.0], [1.0, 1.0]]))[["z"]])
    found = trend(grid(values), "by: zones\non: map", zones=Warm(), map=on)
    regions = found.extras["regions"].frame.set_index("region")
    assert regions.loc["cold", "slope"] == pytest.approx(2, abs=1e-3)
    assert regions.loc["warm", "slope"] == pytest.approx(-1, abs=1e-3)
    assert regions.loc["cold", "lower"] <= 2 <= regions.loc["cold", "upper"] + 1e-3
    from soilql.gridding import cell_areas

    area = cell_areas(on.data).sum(axis=1)
    expected = (2 * area[0] - area[1]) / area.sum()
    assert regions.loc["global", "slope"] == pytest.approx(expected, abs=1e-3)
    series = found.extras["series"].frame
    assert series[series["region"] == "cold"]["value"].to_numpy() == pytest.approx(100 + 2 * t, abs=1e-2)
    classes = found.extras["classes"].frame.set_index(["region", "class"])["share"]
    assert classes["cold", "significant increase"] == 1
    assert classes["warm", "significant decrease"] == 1
    assert classes["global", "significant increase"] == pytest.approx(area[0] / area.sum())


def test_totals_of_a_region_are_in_petagrams() -> None:
    t = np.arange(15.0)
    values = np.full((15, 2, 3), 1.0) * (100 + 2 * t)[:, None, None]
    found = trend(grid(values), "summary: total")
    from soilql.gridding import cell_areas

    area = cell_areas(grid(values).data).sum()
    regions = found.extras["regions"]
    assert regions.frame.loc[0, "slope"] == pytest.approx(2 * area * 1e-9)
    assert regions.units["slope"] == "Pg C yr-2"
    with pytest.raises(SoilqlError, match="SQ303"):
        trend(grid(values, unit=None), "summary: total")


def test_gaps_constant_cells_and_the_sea_have_a_status() -> None:
    values = np.random.default_rng(5).normal(size=(15, 1, 4))
    values[:, 0, 1] = 7.0
    values[3:, 0, 2] = np.nan
    values[:, 0, 3] = np.nan
    found = trend(grid(values)).data
    words = dict(zip(found["status"].attrs["flag_values"], found["status"].attrs["flag_meanings"], strict=True))
    status = found["status"].to_numpy()[0]
    assert [words[int(code)] for code in status[:3]] == ["done", "constant", "too short"]
    assert np.isnan(status[3])
    assert np.isnan(found["p"].to_numpy()[0, 3])


def test_what_a_reader_must_know_is_noted() -> None:
    rng = np.random.default_rng(6)
    short = trend(grid(rng.normal(size=(6, 2, 2)), YEARS[:6]))
    assert "SQ670" in {note.code for note in short.notes}
    walk = np.cumsum(rng.normal(size=(15, 4, 4)), axis=0)
    assert "SQ671" in {note.code for note in trend(grid(walk)).notes}
    assert "SQ671" not in {note.code for note in trend(grid(walk), "test: pw").notes}
    assert any(note.code == "SQ672" and "false discovery rate of 0.1" in note.message for note in short.notes)


def test_the_field_test_keeps_fewer_cells_than_single_tests() -> None:
    from soilql.stats.field_significance import field_significance

    rng = np.random.default_rng(7)
    values = rng.normal(size=(15, 20, 20))
    values[:, :3] += 0.4 * np.arange(15)[:, None, None]
    data = trend(grid(values), "fdr: 0.1").data
    p = data["p"].to_numpy()
    np.testing.assert_array_equal(
        data["significant"].to_numpy() == 1, field_significance(p.ravel(), 0.05, 0.1).rejected.reshape(p.shape)
    )
    assert 0 < (data["significant"] == 1).sum() < (p < 0.05).sum()
    single, field = trend(grid(values)), trend(grid(values), "significance: field")
    assert ((np.abs(single.data["class"]) == 2) == (p < 0.05)).all()
    # Wilks (2016): the rate of the field is twice the level.
    assert ((np.abs(field.data["class"]) == 2) == (data["significant"] == 1)).all()
    assert (np.sign(field.data["class"]) == np.sign(single.data["class"])).all()
    areas = field.extras["classes"].frame
    strong = areas["class"].str.startswith("significant")
    np.testing.assert_allclose(areas["area_Mkm2"][strong], areas["significant_Mkm2"][strong])


def test_the_period_cuts_years_and_real_times_count() -> None:
    years = np.array([2000, 2001, 2003, 2004, 2008, 2009, 2012])
    values = np.multiply.outer(years - 2000.0, np.ones((1, 2)))
    values[-1] = -50
    found = trend(grid(values, years), "period: [2000, 2009]").data
    np.testing.assert_allclose(found["slope"], 1.0, rtol=1e-6)
    np.testing.assert_allclose(found["change"], 9.0, rtol=1e-6)
    assert (found["n"] == 6).all()


@pytest.mark.parametrize(
    ("text", "code"), [("period: [2014, 2000]", "SQ126"), ("period: [1900, 1910]", "SQ706"), ("level: 5", "SQ123")]
)
def test_bad_requests_are_named(text: str, code: str) -> None:
    with pytest.raises(SoilqlError, match=code):
        trend(grid(np.ones((15, 1, 1))), text)


def test_a_table_needs_a_column_a_time_and_one_row_a_time() -> None:
    with pytest.raises(SoilqlError, match="SQ704"):
        trend(nile_table(), ref="rs.flwo")
    with pytest.raises(SoilqlError, match="SQ704"):
        trend(Table(nile_table().frame), ref="rs.flow")
    twice = Table(pd.concat([nile_table().frame] * 2, ignore_index=True), {}, {"time": "year"})
    with pytest.raises(SoilqlError, match="more than once"):
        trend(twice, ref="rs.flow")


def test_a_grid_of_several_variables_or_members_is_not_guessed() -> None:
    both = grid(np.ones((15, 1, 1))).data
    both["Rh"] = both["Rs"] / 2
    with pytest.raises(SoilqlError, match="SQ714"):
        trend(Grid(both))
    with pytest.raises(SoilqlError, match="SQ714"):
        trend(Grid(both[["Rs"]].isel(time=0, drop=True)))


def two_lines() -> Table:
    """Two exact lines over other years: 2 a year over 1980-1989, -1 a year over 2000-2004."""
    early, late = np.arange(1980, 1990), np.arange(2000, 2005)
    frame = pd.DataFrame(
        {
            "region": ["early"] * early.size + ["late"] * late.size,
            "year": np.concatenate([early, late]),
            "flow": np.concatenate([100.0 + 2 * (early - 1980), 50.0 - (late - 2000)]),
        }
    )
    return Table(frame, {"flow": "m3"}, {"time": "year"})


def test_each_series_of_a_table_changes_over_its_own_years() -> None:
    found = trend(two_lines(), ref="rs.flow").frame.set_index("region")
    assert found["start"].tolist() == pytest.approx([100, 50])
    assert found["change"].tolist() == pytest.approx([2 * 9, -1 * 4])
    assert found["relative_change"].tolist() == pytest.approx([18, -8])
    assert found["change_lower"].tolist() == pytest.approx([18, -4])


def test_a_series_alone_has_a_line_without_a_name() -> None:
    from soilql.steps.trend import headline

    (line,) = headline(trend(nile_table(), "interval: none", ref="rs.flow"))
    assert line.startswith("-7.14 m3 yr-1, p = 0.3")
    assert line.endswith("-100 m3 over 1871-1885")


def test_times_written_as_dates_are_dates_and_other_text_is_refused() -> None:
    years = nile_table().frame["year"]
    written = Table(nile_table().frame.assign(year=[f"{year}-01-01" for year in years]), {}, {"time": "year"})
    row, same = (trend(one, "groups: []", ref="rs.flow").frame.iloc[0] for one in (written, nile_table()))
    assert row[["slope", "p", "lag1", "change"]].tolist() == same[["slope", "p", "lag1", "change"]].tolist()
    odd = Table(nile_table().frame.assign(year=[f"year {year}" for year in years]), {}, {"time": "year"})
    with pytest.raises(SoilqlError, match=r"SQ709.*`year 1871` is no date"):
        trend(odd, "groups: []", ref="rs.flow")


def test_a_test_of_neighbours_needs_even_times_and_enough_of_them() -> None:
    months = pd.date_range("2000-01-01", periods=36, freq="MS")
    monthly = Table(pd.DataFrame({"date": months, "flow": np.arange(36.0) % 7}), {}, {"time": "date"})
    with pytest.raises(SoilqlError, match=r"SQ813.*`test: pw` compares neighbours") as caught:
        trend(monthly, "test: pw", ref="rs.flow")
    assert "resample" in str(caught.value.diagnostics[0].help)
    assert caught.value.diagnostics[0].span is not None
    assert any("several times a year" in note.message for note in trend(monthly, ref="rs.flow").notes)
    # Of six years two have the year before them: too few to be tested.
    gaps = pd.DataFrame({"year": [1990, 1991, 1995, 1996, 2000, 2004], "flow": [1.0, 3, 2, 5, 4, 6]})
    found = trend(Table(gaps, {}, {"time": "year"}), "test: pw", ref="rs.flow")
    assert found.frame.loc[0, "status"] == "no correction"
    assert np.isnan(found.frame.loc[0, "p"])
    assert found.frame.loc[0, "slope"] > 0
    more = pd.concat([gaps, pd.DataFrame({"year": [1997, 2001], "flow": [7.0, 1.0]})])
    (note,) = (n for n in trend(Table(more, {}, {"time": "year"}), "test: pw", ref="rs.flow").notes)
    assert "4 of 8 of the series" in note.message


@pytest.mark.parametrize(
    ("text", "words"),
    [("slope: siegel", "interval: none"), ("test: hamed_rao\np_value: exact", "no exact distribution")],
)
def test_what_does_not_go_together_is_said_before_running(text: str, words: str) -> None:
    with pytest.raises(SoilqlError, match=f"SQ126.*{words}"):
        trend(nile_table(), text, ref="rs.flow")


def test_a_total_that_follows_its_area_is_a_warning() -> None:
    values = np.full((15, 2, 2), 100.0)
    values[:5, 0] = np.nan
    notes = [
        next(note for note in trend(grid(values), f"summary: {summary}").notes if note.code == "SQ713")
        for summary in ("total", "mean")
    ]
    assert [note.severity.name for note in notes] == ["WARNING", "INFO"]
    assert "and the totals with it" in notes[0].message


def test_series_of_regions_carry_the_line_and_the_p_of_their_trend() -> None:
    rng = np.random.default_rng(8)
    values = rng.normal(size=(15, 2, 3)) + 0.2 * np.arange(15)[:, None, None]
    values[:2] = np.nan
    found = trend(grid(values), "test: pw")
    region, series = found.extras["regions"].frame.iloc[0], found.extras["series"].frame
    assert (series["p"] == region["p"]).all()
    assert (series["significant"] == region["significant"]).all()
    line = series["line"].to_numpy()
    assert np.isnan(line[:2]).all()
    np.testing.assert_allclose(np.diff(line[2:]), region["slope"], rtol=1e-9)
    # Theil and Sen's line has as many values above as below.
    np.testing.assert_allclose(np.median(series["value"].to_numpy()[2:] - line[2:]), 0, atol=1e-12)
    assert region["change"] == pytest.approx(line[-1] - line[2])


def test_cells_without_a_result_are_counted() -> None:
    values = np.random.default_rng(9).normal(size=(15, 2, 3))
    values[3:, 0, 0] = np.nan
    values[:, 0, 1] = 4.0
    values[:, 0, 2] = np.nan
    words = next(note.message for note in trend(grid(values)).notes if "status" in note.message)
    assert words == "`rs`: of 5 cells with values 1 too short, 1 constant; see the map `status`"


def test_series_are_named_by_what_tells_them_apart() -> None:
    from soilql.steps.trend import headline

    both = two_lines()
    said = both.frame.assign(land_fraction="here, from land")
    found = trend(Table(said[["region", "year", "flow", "land_fraction"]], {}, both.roles), ref="rs.flow")
    assert [line.split()[0] for line in headline(found)] == ["early", "late"]
    assert not any("here, from land" in line for line in headline(found))
    single = trend(Table(said[said["region"] == "early"], {}, both.roles), ref="rs.flow")
    assert headline(single)[0].startswith("early 2 ")


def test_remarks_behind_the_values_make_no_series() -> None:
    both = two_lines()
    kinds = np.where(both.frame["region"] == "early", "zone", "band")
    frame = both.frame.assign(kind=kinds, source=np.where(kinds == "zone", "500 draws", "not known"))
    found = trend(Table(frame[["kind", "region", "year", "flow", "source"]], {}, both.roles), ref="rs.flow").frame
    assert found.columns[:3].tolist() == ["kind", "region", "n"]
    # What tells series apart is a name, wherever it stands.
    twice = pd.concat([frame.assign(model="a"), frame.assign(model="b", flow=-frame["flow"])])
    found = trend(Table(twice[["region", "year", "flow", "source", "model"]], {}, both.roles), ref="rs.flow").frame
    assert found.columns[:3].tolist() == ["region", "model", "n"]
    assert sorted(found["slope"].round(9)) == [-2, -1, 1, 2]


def test_names_leave_out_what_another_column_tells() -> None:
    from soilql.series.trend_rows import telling

    frame = pd.DataFrame(
        {"of": ["rs", "rs", "rh", "rh"], "kind": ["global", "zone"] * 2, "region": ["global", "south"] * 2}
    )
    assert telling(frame, ["of", "kind", "region"]) == ["of", "region"]
    assert telling(frame[:2], ["of", "kind", "region"]) == ["region"]
    same = frame.assign(region=["a", "a", "b", "c"])
    assert telling(same, ["of", "kind", "region"]) == ["kind", "region"]
    assert telling(frame[:1], ["of", "kind", "region"]) == ["region"]
