"""Many files as one grid: times from names, bands, files or the spec; tiles; gaps; what is refused."""

from __future__ import annotations

from pathlib import Path

import dask
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soilql.context import Resources
from soilql.errors import SoilqlError
from soilql.kinds import find
from soilql.readers import grid as reader
from tests.grid_files import dates, failure, netcdf, read, tiff
from tests.support import bind_block
from tests.test_table import Alone

PLANE = np.arange(8.0).reshape(2, 4)


def yearly(folder: Path, years: list[int], name: str = "tas_{}.tif") -> list[Path]:
    return [tiff(folder / name.format(year), PLANE + year) for year in years]


def test_one_file_a_year(tmp_path: Path) -> None:
    files = yearly(tmp_path, [2002, 2000, 2001])
    grid = read(files, 'time: {pattern: "%Y"}')
    assert list(grid.data.data_vars) == ["tas"]
    assert grid.data["tas"].dims == ("time", "lat", "lon")
    assert grid.data["time"].dtype == np.int64
    assert grid.data["time"].attrs == {"step": "year"}
    assert dates(grid) == [2000, 2001, 2002]
    np.testing.assert_array_equal(grid.data["tas"].values, PLANE + np.array([2000, 2001, 2002])[:, None, None])
    assert grid.notes == ()


def test_a_regular_expression_and_folders_tell_the_same(tmp_path: Path) -> None:
    files = [tiff(tmp_path / str(year) / "tas.tif", PLANE + year) for year in (2000, 2001)]
    for pattern in ('"%Y/{name}.tif"', r"'(?P<year>\d{4})/(?P<name>.+?)\.tif'".replace("\\.", ".")):
        grid = read(files, f"time: {{pattern: {pattern}}}")
        assert (list(grid.data.data_vars), dates(grid)) == (["tas"], [2000, 2001])


def test_layers_in_files_of_their_own(tmp_path: Path) -> None:
    files = [
        tiff(tmp_path / f"X.061_{name}_doy2000{day:03d}_aid0001.tif", PLANE + shift + day)
        for name, shift in (("LST_Day", 0), ("LST_Night", 1000))
        for day in (49, 57)
    ]
    grid = read(files, 'time: {pattern: "_{name}_doy%Y%j", step: 8-day}')
    assert list(grid.data.data_vars) == ["LST_Day", "LST_Night"]
    assert dates(grid) == ["2000-02-18", "2000-02-26"]
    assert grid.data["time"].attrs == {"step": "8-day"}
    np.testing.assert_array_equal(grid.data["LST_Night"].values[1], PLANE + 1057)
    lacking = failure(files[:-1], 'time: {pattern: "_{name}_doy%Y%j", step: 8-day}')
    assert lacking.code == "SQ708"
    assert "`LST_Night` has none for 2000-02-26" in lacking.message


def test_multi_band_files_keep_their_bands_apart(tmp_path: Path) -> None:
    files = [tiff(tmp_path / f"V_{year}001_9.tif", [PLANE + year, PLANE - year]) for year in (2000, 2001)]
    grid = read(files, 'time: {pattern: "V_%Y%j", step: year}\nvariables: {tree: "1", bare: "2"}')
    assert dates(grid) == [2000, 2001]
    np.testing.assert_array_equal(grid.data["bare"].values[1], PLANE - 2001)
    assert list(read(files, 'time: {pattern: "V_%Y%j", step: year}').data.data_vars) == ["V_1", "V_2"]


def test_values_years_and_starts_count_the_files_in_order(tmp_path: Path) -> None:
    files = [tiff(tmp_path / f"{letter}" / "x.tif", PLANE + i) for i, letter in enumerate("abc")]
    for yaml in ("{values: [2000, 2001, 2003]}", "{years: 2000-2002}", "{start: 2000, step: year}"):
        grid = read(files, f"time: {yaml}")
        assert dates(grid)[:2] == [2000, 2001]
        np.testing.assert_array_equal(grid.data["x"].values[:, 0, 0], [0, 1, 2])
    assert dates(read(files, "time: {values: [2000-02, 2000-03, 2000-05]}")) == [
        "2000-02-01",
        "2000-03-01",
        "2000-05-01",
    ]
    found = failure(files, "time: {years: 2000-2003}")
    assert (found.code, found.message) == ("SQ731", "4 times are given for 3 steps of `x` in 3 files")


def test_bands_that_are_times(tmp_path: Path) -> None:
    cube = np.arange(14)[:, None, None] + PLANE
    path = tiff(tmp_path / "tas.tif", cube, nodata=3)
    grid = read(path, "bands: time\ntime: {start: 2000-01, step: month}")
    assert list(grid.data.data_vars) == ["tas"]
    assert dates(grid)[::13] == ["2000-01-01", "2001-02-01"]
    np.testing.assert_array_equal(grid.data["tas"].values, np.where(cube == 3, np.nan, cube))
    told = tiff(tmp_path / "told.tif", cube[:2], descriptions=["X2000.01", "X2000.02"])
    assert dates(read(told, "bands: time")) == ["2000-01-01", "2000-02-01"]
    assert dates(read(tiff(tmp_path / "y.tif", cube[:2], descriptions=["1999", "2001"]), "bands: time")) == [1999, 2001]
    years = [tiff(tmp_path / f"pr_{year}.tif", cube[:12] + year) for year in (2001, 2000)]
    grid = read(years, 'bands: time\ntime: {pattern: "%Y", step: month}')
    assert (dates(grid)[0], dates(grid)[12], len(dates(grid))) == ("2000-01-01", "2001-01-01", 24)
    np.testing.assert_array_equal(grid.data["pr"].values[12], cube[0] + 2001)
    assert "of unknown length" in failure(years, 'bands: time\ntime: {pattern: "%Y"}').message


@pytest.mark.parametrize("calendar", ["standard", "noleap", "360_day"])
def test_netcdf_of_several_files_a_year_follow_each_other(tmp_path: Path, calendar: str) -> None:
    month = 30 if calendar == "360_day" else 30.4
    parts = [(0, 4), (4, 9), (9, 12)]
    files = [
        netcdf(tmp_path / f"{'cab'[i]}.nc", "pr", np.arange(*part)[:, None, None] + PLANE,
               np.arange(*part) * month + 15, "days since 2001-01-01", calendar=calendar)
        for i, part in enumerate(parts)
    ]  # fmt: skip
    grid = read(files)
    assert dates(grid) == [f"2001-{m:02d}-01" for m in range(1, 13)]
    assert grid.data["time"].attrs == {"step": "month"}
    np.testing.assert_array_equal(grid.data["pr"].values, np.arange(12)[:, None, None] + PLANE)
    one = read(files, "variables: {x: 'b:pr'}")
    assert dates(one) == ["2001-10-01", "2001-11-01", "2001-12-01"]
    assert "lacks 5 of 12 months: 2001-05" in read([files[0], files[2]]).notes[0].message


def test_files_packed_differently_are_decoded_each_in_its_way(tmp_path: Path) -> None:
    files = []
    for year, scale in ((2000, 0.5), (2001, 0.25)):
        encoding = {"dtype": "int16", "scale_factor": scale, "add_offset": 10.0, "_FillValue": -9}
        files.append(netcdf(tmp_path / f"t{year}.nc", "t", PLANE[None] + year, [year], encoding=encoding))
    np.testing.assert_array_equal(read(files).data["t"].values, PLANE + np.array([2000, 2001])[:, None, None])


def test_one_step_a_file_takes_the_time_of_the_file(tmp_path: Path) -> None:
    files = [
        netcdf(
            tmp_path / f"{i}.nc", "p", PLANE[None] + i, [31.0 * i], "days since 2000-01-01", dims=("time", "lon", "lat")
        )
        for i in (1, 0)
    ]
    grid = read(files)
    assert dates(grid) == ["2000-01-01", "2000-02-01"]
    np.testing.assert_array_equal(grid.data["p"].values[0], PLANE)
    # A single map of some day is a map.
    assert read(files[0]).data["p"].dims == ("lat", "lon")


def test_gaps_and_periods(tmp_path: Path) -> None:
    files = yearly(tmp_path, [1992, 1993, 1995, 1999, 2001])
    grid = read(files, 'time: "%Y"')
    assert [(note.code, note.message) for note in grid.notes] == [
        ("SQ732", "`tas` lacks 5 of 10 years: 1994, 1996, 1997, 1998, 2000")
    ]
    grid = read(files, 'time: "%Y"\nperiod: [1993, 1999]')
    assert dates(grid) == [1993, 1995, 1999]
    np.testing.assert_array_equal(grid.data["tas"].values[:, 0, 0], [1993, 1995, 1999])
    found = failure(files, 'time: "%Y"\nperiod: [2005, 2010]')
    assert (found.code, found.message) == (
        "SQ731", "no step of `tas` lies in the period; it runs from 1992 to 2001",
    )  # fmt: skip
    monthly = netcdf(tmp_path / "m.nc", "p", np.arange(24)[:, None, None] + PLANE, range(24), "months since 2000-01-01")
    cut = read(monthly, "period: [2000-11, 2001-02]")
    assert dates(cut) == ["2000-11-01", "2000-12-01", "2001-01-01", "2001-02-01"]
    np.testing.assert_array_equal(cut.data["p"].values[:, 0, 0], [10, 11, 12, 13])
    assert cut.notes == ()
    wide = read(files, 'time: "%Y"\nperiod: [1990, 2002]')
    assert wide.notes[-1].message == "`tas` has nothing of 1990 to 1991 and 2002, which the period asks for"
    assert read(monthly, "period: [2001, 2009]").notes[-1].message == (
        "`p` has nothing of 2002 to 2009, which the period asks for"
    )


def test_infinite_values_are_missing(tmp_path: Path) -> None:
    path = netcdf(tmp_path / "spei.nc", "spei", np.array([[1.0, np.inf], [-np.inf, np.nan]], "float32"))
    np.testing.assert_array_equal(read(path).data["spei"].values, [[1, np.nan], [np.nan, np.nan]])


def test_what_is_refused(tmp_path: Path) -> None:
    files = yearly(tmp_path, [2000, 2001])
    found = failure([*files, tiff(tmp_path / "tas_2000_b.tif", PLANE)], 'time: "%Y"')
    assert (found.code, found.message) == ("SQ734", "`tas_2000.tif` and `tas_2000_b.tif` both hold `tas` of 2000")
    again = tiff(tmp_path / "again" / "tas_2000.tif", PLANE)
    assert "and `again/tas_2000.tif` both hold" in failure([*files, again], 'time: "%Y"').message
    odd = [*files, tiff(tmp_path / "tas_mean.tif", PLANE)]
    found = failure(odd, 'time: {pattern: "_%Y"}')
    assert (found.code, found.message) == ("SQ731", "the name of `tas_mean.tif` does not fit the pattern `_%Y`")
    assert found.span is not None
    assert found.span.text == '{pattern: "_%Y"}'
    fine = [*files, tiff(tmp_path / "tas_2002.tif", np.ones((4, 8)), size=0.25)]
    assert failure(fine, 'time: "%Y"').code == "SQ708"
    units = [
        netcdf(tmp_path / f"u{y}.nc", "t", PLANE[None], [y], attributes={"units": u})
        for y, u in ((2000, "K"), (2001, "degC"))
    ]
    assert "is in `K` in `u2000.nc`, but in `degC` in `u2001.nc`" in failure(units).message


def test_a_meaningless_time_axis(tmp_path: Path) -> None:
    cube = np.arange(3)[:, None, None] + PLANE
    path = netcdf(tmp_path / "a.nc", "rh", cube, [0, 0, 0])
    found = failure(path)
    assert found.code == "SQ731"
    assert found.message == "the times of `rh` in `a.nc` do not rise (0, 0, 0 ...): they mean nothing"
    assert dates(read(path, "time: {years: 2000-2002}")) == [2000, 2001, 2002]
    assert dates(read(path, "time: {start: 2000-01, step: month}"))[2] == "2000-03-01"
    counted = read(netcdf(tmp_path / "b.nc", "rh", cube, [1, 2, 3]))
    assert "names no years" in counted.notes[0].message
    assert counted.data["time"].attrs == {}


def test_static_layers_stand_beside_yearly_ones(tmp_path: Path) -> None:
    series = netcdf(tmp_path / "tas.nc", "tas", PLANE[None] + np.arange(2)[:, None, None], [2000, 2001])
    land = netcdf(tmp_path / "land.nc", "sftlf", PLANE)
    grid = read([series, land], "derive: {both: tas * sftlf}\nwhere: tas > 2 and sftlf < 7")
    assert grid.data["sftlf"].dims == ("lat", "lon")
    assert grid.data["both"].dims == ("time", "lat", "lon")
    kept = (grid.data["tas"].values > 2) & (PLANE < 7)
    np.testing.assert_array_equal(np.isfinite(grid.data["tas"].values), kept)
    tas = PLANE + np.arange(2)[:, None, None]
    wanted = (tas > 2) & (PLANE < 7)
    np.testing.assert_array_equal(grid.data["both"].values, np.where(wanted, tas * PLANE, np.nan))
    # A map without time keeps the cells that are kept at some time.
    np.testing.assert_array_equal(grid.data["sftlf"].values, np.where(wanted.any(axis=0), PLANE, np.nan))


def test_tiles_of_each_date_are_put_together(tmp_path: Path) -> None:
    whole = np.arange(2 * 4 * 6.0).reshape(2, 4, 6)
    files = []
    for step in (0, 1):
        for row, column in ((0, 0), (0, 3), (2, 0), (2, 3)):
            name = tmp_path / f"X.A200000{step + 1}.h{column}v{row}.tif"
            files.append(
                tiff(name, whole[step, row : row + 2, column : column + 3], west=column / 2, north=2 - row / 2)
            )
    grid = read(files, 'time: {pattern: "A%Y%j", step: day}')
    assert dates(grid) == ["2000-01-01", "2000-01-02"]
    assert grid.data["lat"].values.tolist() == [1.75, 1.25, 0.75, 0.25]
    assert grid.data["lon"].values.tolist() == [0.25, 0.75, 1.25, 1.75, 2.25, 2.75]
    np.testing.assert_array_equal(grid.data["X"].values, whole)
    partly = read(files[:-1], 'time: {pattern: "A%Y%j", step: day}')
    assert np.isnan(partly.data["X"].values[1, 2:, 3:]).all()
    assert np.isfinite(partly.data["X"].values).sum() == 42
    assert partly.notes[-1].message == "4 tiles of `X` cover 87.5 % of the rectangle round them; the rest is missing"
    overlap = [*files[:4], tiff(tmp_path / "X.A2000001.h9.tif", whole[0, :2, :3], west=0.5, north=2)]
    assert "overlap in `X` of 2000-01-01" in failure(overlap, 'time: {pattern: "A%Y%j", step: day}').message
    off = [*files[:1], tiff(tmp_path / "X.A2000001.h8.tif", whole[0, :2, :3], west=1.7, north=2)]
    assert "no parts of one grid" in failure(off, 'time: {pattern: "A%Y%j", step: day}').message


def test_tiles_without_time(tmp_path: Path) -> None:
    files = [netcdf(tmp_path / f"{i}.nc", "soc", PLANE + 10 * i, west=2 * i) for i in (1, 0)]
    np.testing.assert_array_equal(read(files).data["soc"].values, np.hstack([PLANE, PLANE + 10]))


@pytest.mark.parametrize("memory", [1 << 30, 4096])
@pytest.mark.parametrize("workers", [1, 4])
def test_blocks_and_workers_do_not_change_a_series(tmp_path: Path, memory: int, workers: int) -> None:
    rng = np.random.default_rng(1)
    cube = rng.normal(size=(6, 10, 12))
    files = [tiff(tmp_path / f"x_{2000 + i}.tif", plane, dtype="float64", north=5) for i, plane in enumerate(cube)]
    grid = read(files[::-1], 'time: "%Y"\nperiod: [2001, 2004]', resources=Resources(memory=memory, workers=workers))
    with dask.config.set(scheduler="threads", num_workers=workers):
        np.testing.assert_array_equal(grid.data["x"].values, cube[1:5])
        np.testing.assert_array_equal(grid.data["x"][::2, 3, [7, 0]].values, cube[1:5][::2, 3][:, [7, 0]])


@settings(max_examples=20)
@given(order=st.permutations(range(6)), keep=st.sets(st.integers(0, 5), min_size=1))
def test_the_order_of_files_changes_nothing(
    order: list[int], keep: set[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("order")
    files = {i: tiff(folder / f"x_{2000 + i}.tif", PLANE + i) for i in range(6)}
    grid = read([files[i] for i in order if i in keep], 'time: "%Y"')
    assert dates(grid) == [2000 + i for i in sorted(keep)]
    np.testing.assert_array_equal(grid.data["x"].values[:, 0, 0], sorted(keep))


@pytest.mark.parametrize(
    ("yaml", "message", "at"),
    [
        ('time: {pattern: "%Q"}', "`%Q` means nothing", '"%Q"'),
        ("time: {years: 2014-2000}", "no range of years", "2014-2000"),
        ("time: {start: 2000}", "`start` needs `step`", "2000"),
        ("time: {values: [2000, soon]}", "`soon` is no date", None),
        ('time: {years: 2000-2001, pattern: "%Y"}', "both say the times", None),
        ("time: {from: name}", "needs a `pattern`", "name"),
        ("period: [2014, 2000]", "ends (2000) before it begins (2014)", None),
        ("period: [2000]", "a first and a last year", None),
        ("product: mod11a2", "`product` is a name of the registry", "mod11a2"),
        ("format: table", "`format: table` needs `table`", "table"),
        ("format: numbers", "`format: numbers` needs", "numbers"),
        ("table: {resolution: 0.5, lat: Lat}", "`lat` and `lon` go together", None),
        ("table: {resolution: 0.5}", "say where the cells are", None),
        ('table: {resolution: 0.5, key: site, time: year, long: {columns: "%Y"}}', "not in both", None),
        ("variables: {x: {qc: {flag: Q, keep: {bits: [2, 1], values: [0]}}}}", "first and the last bit", None),
        ("variables: {x: {qc: {flag: Q, keep: {bits: [0, 1], values: [4]}}}}", "2 bits cannot hold 4", None),
        ("variables: {x: {valid: [5]}}", "the least and the greatest value", None),
        ("shape: [1]", "number of rows and of columns", None),
    ],
)
def test_slips_are_found_when_bound(yaml: str, message: str, at: str | None) -> None:
    with pytest.raises(SoilqlError) as caught:
        bind_block("datasets", "grid", f"source: a.tif\n{yaml}")
    found = caught.value.diagnostics[0]
    assert message in found.message
    assert found.span is not None
    assert at is None or found.span.text == at


def test_names_of_files_are_part_of_the_key() -> None:
    kind = find("datasets", "grid")
    assert kind is not None
    params = bind_block("datasets", "grid", 'source: "*.tif"\ntime: {pattern: "%Y"}').params
    named = [kind.key_names(params, {"source": (Path(f"/a/{name}.tif"),)}) for name in ("x_2000", "x_2001", "y_2000")]
    assert named == [[["x", "2000-01-01"]], [["x", "2001-01-01"]], [["y", "2000-01-01"]]]
    plain = bind_block("datasets", "grid", "source: a.tif").params
    assert kind.key_names(plain, {"source": (Path("/a/x_2000.tif"),)}) is None


def test_lint_checks_the_condition_and_the_product() -> None:
    block = bind_block("datasets", "grid", "source: a.tif\nproduct: registry:mod11a3\nwhere: x + 1\nvariables: {x: a}")
    found = [(d.code, d.span.text if d.span else "") for d in reader.check(block, Alone())]
    assert found == [("SQ207", "registry:mod11a3"), ("SQ112", "x + 1")]
    block = bind_block("datasets", "grid", "source: registry:mod11a2")
    (only,) = reader.check(block, Alone())
    assert only.code == "SQ211"
    assert "`product: registry:mod11a2`" in only.help


def test_lint_finds_a_misspelt_variable_of_a_product() -> None:
    text = (
        "source: a.tif\nproduct: registry:mod11a2\nvariables: {a: LST_dya, b: LST_Day_1km, c: Clear_sky_days, d: '3'}"
    )
    (only,) = reader.check(bind_block("datasets", "grid", text), Alone())
    assert (only.code, only.help) == ("SQ704", "did you mean `LST_day`?")
    schema = reader.schema(bind_block("datasets", "grid", "source: a.tif\nproduct: registry:mod11a2"), Alone())
    assert schema is not None
    assert (schema.variables["LST_day"].unit, schema.open) == ("K", False)
