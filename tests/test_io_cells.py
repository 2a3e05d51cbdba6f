"""Tables of cells and plain numbers as grids, and columns of months turned into rows."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soilql.errors import SoilqlError
from soilql.values import Table
from tests.grid_files import dates, failure, read
from tests.support import bind_block, run_kind

ROWS = pd.DataFrame(
    {"Lat": [0.25, 0.25, -0.25], "Lon": [0.25, 359.75, 0.25], "T": [1.5, 2, np.nan], "kind": list("abc")}
)
PLACES = "lat: Lat, lon: Lon, resolution: 0.5"


def write(path: Path, frame: pd.DataFrame) -> Path:
    if path.suffix == ".xlsx":
        frame.to_excel(path, index=False)
    elif path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, na_rep="NA", compression="gzip" if path.suffix == ".gz" else None)
    return path


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.xlsx", "a.parquet"])
def test_cells_of_any_format(tmp_path: Path, name: str) -> None:
    grid = read(write(tmp_path / name, ROWS), f"table: {{{PLACES}}}")
    assert grid.shape == (360, 720)
    assert list(grid.data.data_vars) == ["T"]
    assert float(grid.data["T"].sel(lat=0.25, lon=0.25)) == 1.5
    assert float(grid.data["T"].sel(lat=0.25, lon=-0.25)) == 2
    assert int(np.isfinite(grid.data["T"].values).sum()) == 2
    part = read(
        tmp_path / name, f"table: {{{PLACES}}}\nbounds: [-1, -1, 1, 1]\nvariables: {{x: {{from: T, scale: 2}}}}"
    )
    np.testing.assert_array_equal(
        part.data["x"].values, [[np.nan] * 4, [np.nan, 4, 3, np.nan], [np.nan] * 4, [np.nan] * 4]
    )


def test_white_space_without_a_header(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("  0.250  0.250   1.5\n -0.250  0.250 -999.9\n")
    header = "delimiter: ' ', header: [Lon, Lat, T], missing: ['-999.9']"
    grid = read(path, f"table: {{{PLACES}, {header}}}\nbounds: [-1, -1, 1, 1]")
    assert int(np.isfinite(grid.data["T"].values).sum()) == 1


def test_places_in_one_column(tmp_path: Path) -> None:
    frame = pd.DataFrame({"site": ["-0.25 102.25", "89.75 -179.75"], "1960_2": [3, 4], "1960_1": [1, 2]})
    path = write(tmp_path / "a.csv", frame)
    grid = read(path, 'table: {key: site, resolution: 0.5, long: {columns: "%Y_%m", to: T}}')
    assert dates(grid) == ["1960-01-01", "1960-02-01"]
    assert grid.data["T"].sel(lat=-0.25, lon=102.25).values.tolist() == [1, 3]
    assert grid.data["T"].values[:, 0, 0].tolist() == [2, 4]
    path.write_text("site,T\n1 2,3\nhere,4\n")
    found = failure(path, "table: {key: site, resolution: 0.5}")
    assert (found.code, found.label) == ("SQ709", "line 3 of `a.csv`")


def test_a_column_of_times(tmp_path: Path) -> None:
    frame = pd.DataFrame({"Lat": [0.25] * 3, "Lon": [0.25, 0.25, 0.75], "year": [2001, 2000, 2001], "T": [1.0, 2, 3]})
    grid = read(write(tmp_path / "a.csv", frame), f"table: {{{PLACES}, time: year}}\nbounds: [0, 0, 1, 1]")
    assert dates(grid) == [2000, 2001]
    np.testing.assert_array_equal(grid.data["T"].values[:, 1], [[2, np.nan], [1, 3]])
    frame["year"] = ["2001-02-01", "2001-01", "2001-02"]
    grid = read(write(tmp_path / "b.csv", frame), f"table: {{{PLACES}, time: year}}\nbounds: [0, 0, 1, 1]")
    assert dates(grid) == ["2001-01-01", "2001-02-01"]
    frame["year"] = [200102, 200101, 200102]
    grid = read(write(tmp_path / "c.csv", frame), f"table: {{{PLACES}, time: year}}\nbounds: [0, 0, 1, 1]")
    np.testing.assert_array_equal(grid.data["T"].values[:, 1], [[2, np.nan], [1, 3]])
    twice = write(tmp_path / "d.csv", pd.concat([frame, frame[:1]]))
    found = failure(twice, f"table: {{{PLACES}, time: year}}")
    assert (found.code, found.message) == (
        "SQ734", "line 2 of `d.csv` and line 5 of `d.csv` hold the same cell at 2001-02-01",
    )  # fmt: skip
    frame["year"] = ["soon", "2001", "2002"]
    assert failure(write(tmp_path / "e.csv", frame), f"table: {{{PLACES}, time: year}}").code == "SQ731"


def test_rows_off_the_centres_are_counted(tmp_path: Path) -> None:
    frame = pd.concat([ROWS, pd.DataFrame({"Lat": [0.1, 95.25], "Lon": [0.25, 0.25], "T": [9.0, 9.0]})])
    grid = read(write(tmp_path / "a.csv", frame), f"table: {{{PLACES}}}")
    (note,) = grid.notes
    assert (note.code, note.message) == (
        "SQ733",
        "2 of 5 rows of `a.csv` lie on no centre of a cell of 0.5 degrees, such as 0.1 N, 0.25 E; they were left out",
    )
    assert not (grid.data["T"].values == 9).any()
    found = failure(tmp_path / "a.csv", "table: {lat: Lat, lon: Lon, resolution: 0.7}")
    assert found.code == "SQ733"
    assert "is `resolution` another one" in found.help


def test_twelfths_of_a_degree_cut_to_two_decimals(tmp_path: Path) -> None:
    lat, lon = 10 + (np.arange(24) + 0.5) / 12, -20 + (np.arange(24) + 0.5) / 12
    frame = pd.DataFrame({"Lat": lat.round(3), "Lon": lon.round(3), "T": np.arange(24.0)})
    grid = read(
        write(tmp_path / "a.csv", frame),
        f"table: {{lat: Lat, lon: Lon, resolution: {1 / 12}}}\nbounds: [-20, 10, -18, 12]",
    )
    np.testing.assert_array_equal(np.diag(grid.data["T"].values[::-1]), np.arange(24.0))
    np.testing.assert_allclose(grid.data["lon"].values, lon, atol=1e-12)


def test_centres_on_whole_degrees(tmp_path: Path) -> None:
    frame = pd.DataFrame({"Lat": [-90, 0, 90], "Lon": [0, 10, 350], "T": [1.0, 2, 3]})
    grid = read(write(tmp_path / "a.csv", frame), "table: {lat: Lat, lon: Lon, resolution: 10}")
    assert grid.shape == (19, 36)
    assert [float(grid.data["T"].sel(lat=a, lon=b)) for a, b in ((-90, 0), (0, 10), (90, -10))] == [1, 2, 3]


@settings(max_examples=30)
@given(
    cells=st.sets(st.tuples(st.integers(0, 17), st.integers(0, 35)), min_size=1, max_size=40),
    seed=st.integers(0, 999),
)
def test_a_raster_comes_back_from_its_cells(
    cells: set[tuple[int, int]], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rng = np.random.default_rng(seed)
    wanted = np.full((18, 36), np.nan)
    rows = []
    for row, column in sorted(cells, key=lambda cell: rng.random()):
        wanted[row, column] = rng.normal()
        rows.append((85 - 10 * row, -175 + 10 * column, wanted[row, column]))
    path = tmp_path_factory.mktemp("cells") / "a.csv"
    pd.DataFrame(rows, columns=["Lat", "Lon", "T"]).to_csv(path, index=False)
    grid = read(path, "table: {lat: Lat, lon: Lon, resolution: 10}")
    np.testing.assert_allclose(grid.data["T"].values, wanted, rtol=1e-12)
    np.testing.assert_allclose(grid.data["T"][5:9, 20:].values, wanted[5:9, 20:], rtol=1e-12)


def test_columns_that_are_not_there(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", ROWS)
    assert failure(path, "table: {lat: lat, lon: Lon, resolution: 0.5}").message == "`a.csv` has no column `lat`"
    assert failure(path, f"table: {{{PLACES}, time: year}}").code == "SQ704"
    found = failure(path, f'table: {{{PLACES}, long: {{columns: "%Y_%m", to: T}}}}')
    assert (found.code, found.message) == ("SQ704", "no column of `a.csv` fits the pattern `%Y_%m`")
    months = write(tmp_path / "b.csv", ROWS.rename(columns={"T": "Jan"}))
    assert "tells no year" in failure(months, f'table: {{{PLACES}, long: {{columns: "%b", to: T}}}}').message
    empty = write(tmp_path / "c.csv", ROWS[["Lat", "Lon", "kind"]])
    assert "no column of numbers" in failure(empty, f"table: {{{PLACES}}}").message


def test_plain_numbers(tmp_path: Path) -> None:
    path = tmp_path / "cover.dat.gz"
    path.write_bytes(gzip.compress(b"1\n2\n255\n4\n5\n6\n"))
    yaml = "format: numbers\nshape: [2, 3]\nbounds: [0, 0, 3, 2]\nnodata: [255]"
    grid = read(path, yaml)
    assert list(grid.data.data_vars) == ["cover"]
    np.testing.assert_array_equal(grid.data["cover"].values, [[1, 2, np.nan], [4, 5, 6]])
    assert grid.data["lat"].values.tolist() == [1.5, 0.5]
    found = failure(path, yaml.replace("[2, 3]", "[2, 4]"))
    assert (found.code, found.message) == ("SQ702", "`cover` of `cover.dat.gz` has 6 numbers, expected 2 x 4")
    path.write_bytes(b"ncols 3\n1 2 3 4 5 6")
    assert "`ncols` where a number is needed" in failure(path, yaml).message
    with zipfile.ZipFile(tmp_path / "soils.zip", "w") as archive:
        archive.writestr("soils/clay.asc", "1 2 3\n4 5 6\n")
        archive.writestr("soils/sand.asc", "6 5 4\n3 2 1\n")
        archive.writestr("soils/readme.pdf", "no grid")
    both = read(tmp_path / "soils.zip", yaml)
    assert both.data["sand"].values.tolist() == [[6, 5, 4], [3, 2, 1]]
    (tmp_path / "bad.zip").write_bytes(b"PK nothing")
    assert failure(tmp_path / "bad.zip", yaml).code == "SQ702"


# --- columns of months as rows of a table -----------------------------------------------------------------------------


def table(path: Path, yaml: str) -> Table:
    value = run_kind("datasets", "table", f"source: {path.name}\n{yaml}", sources={"source": [path]})
    assert isinstance(value, Table)
    return value


def test_months_become_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("site,2000_12,2000_2,note\nx,12.5,2,first\ny,NA,3,second\n")
    found = table(
        path, 'long: {columns: "%Y_%m", to: T}\ncolumns: {K: {expr: T + 273.15}}\nroles: {time: time, site: site}'
    )
    frame = found.frame
    assert list(frame.columns) == ["site", "note", "time", "year", "month", "T", "K"]
    assert frame["time"].astype(str).tolist() == ["2000-02-01", "2000-12-01"] * 2
    assert frame["site"].tolist() == ["x", "x", "y", "y"]
    assert frame["month"].tolist() == [2, 12, 2, 12]
    np.testing.assert_array_equal(frame["T"], [2, 12.5, 3, np.nan])
    assert found.roles["time"] == "time"
    summer = table(path, 'long: {columns: "%Y_%m", to: T}\nwhere: month == 12')
    np.testing.assert_array_equal(summer.frame["T"], [12.5, np.nan])


def test_years_and_several_variables_become_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("site;T_2000;T_2001;P_2000;P_2001\nx;1,5;2,5;10;20\n")
    found = table(path, 'long: "{name}_%Y"\naverage: {of: [T, P], by: [time]}').frame
    assert found[["time", "T", "P"]].to_numpy().tolist() == [[2000, 1.5, 10], [2001, 2.5, 20]]
    path.write_text("site,T_2000,P_2001\nx,1,2\n")
    with pytest.raises(SoilqlError, match="have different times"):
        table(path, 'long: "{name}_%Y"')
    path.write_text("time,2000,2001\nx,1,2\n")
    with pytest.raises(SoilqlError, match="already has a column `time`"):
        table(path, 'long: {columns: "%Y", to: T}')
    assert table(path, 'long: {columns: "%Y", to: T, time: when}').frame["when"].tolist() == [2000, 2001]
    path.write_text("site,2000,2000x\nx,1,2\n")
    with pytest.raises(SoilqlError, match="both hold `T` of 2000-01-01"):
        table(path, 'long: {columns: "%Y*", to: T}')


def test_a_value_that_is_no_number_is_placed(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("site,2000,2001\nx,1,2\ny,3,none\n")
    with pytest.raises(SoilqlError) as caught:
        table(path, 'long: {columns: "%Y", to: T}\ncolumns: {T: {unit: degC}}')
    assert "line 3 of `a.csv`" in caught.value.diagnostics[0].label


def test_long_is_checked_when_bound() -> None:
    for yaml, message in (
        ('long: {columns: "%Y"}', "`to` names the new column"),
        ('long: {columns: "{name}_%Y", to: T}', "leave `to` out"),
        ('long: {columns: "%X", to: T}', "`%X` means nothing"),
    ):
        with pytest.raises(SoilqlError, match=message):
            bind_block("datasets", "table", f"source: a.csv\n{yaml}")
