"""The reader of tables: typed, filtered, converted, averaged; and what it says when that cannot be done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from soilql import kinds
from soilql.errors import Diagnostic, SoilqlError
from soilql.kinds import Schema
from soilql.readers import table as reader
from soilql.values import Table
from tests.support import bind_block, data_path, needs_data, run_kind

SITES = """\
site,Lat,Lon,Year,Rs,MAT,Manipulation
a,10,20,2001.5,500,10.0,None
a,10,20,2001.5,700,12.0,None
b,-10,30,2002,900,NA,Fertilized
c,50,-100,2003,,5,None
"""


class Alone:
    """A spec without other blocks."""

    def block(self, name: str) -> None: ...
    def value_type(self, name: str) -> None: ...
    def schema(self, ref: str) -> None: ...
    def names(self) -> tuple[str, ...]:
        return ()


def read(folder: Path, yaml: str, text: str = SITES, name: str = "a.csv", **how: Any) -> Table:
    path = folder / name
    path.write_text(text, newline="", **how)
    value = run_kind("datasets", "table", f"source: {name}\n{yaml}", sources={"source": [path]})
    assert isinstance(value, Table)
    return value


def failure(folder: Path, yaml: str, text: str = SITES) -> Diagnostic:
    with pytest.raises(SoilqlError) as caught:
        read(folder, yaml, text)
    return caught.value.diagnostics[0]


def lint(yaml: str) -> list[Diagnostic]:
    return list(reader.check(bind_block("datasets", "table", yaml), Alone()))


def schema(yaml: str) -> Schema:
    return reader.schema(bind_block("datasets", "table", yaml), Alone())


def test_a_table_without_rows_is_no_fault_of_its_condition(tmp_path: Path) -> None:
    found = failure(tmp_path, "where: Rs > 100", SITES.splitlines()[0] + "\n")
    assert (found.code, found.message) == ("SQ707", "`a.csv` has no rows")


def test_types_are_found_and_none_is_a_text(tmp_path: Path) -> None:
    table = read(tmp_path, "")
    assert list(table.frame.columns) == ["site", "Lat", "Lon", "Year", "Rs", "MAT", "Manipulation"]
    assert table.frame["Manipulation"].tolist() == ["None", "None", "Fertilized", "None"]
    np.testing.assert_array_equal(table.frame["MAT"], [10, 12, np.nan, 5])
    assert table.frame.index.tolist() == [0, 1, 2, 3]


def test_missing_codes_replace_the_default_ones(tmp_path: Path) -> None:
    table = read(tmp_path, 'missing: ["None", 900]')
    assert table.frame["Manipulation"].tolist() == [None, None, "Fertilized", None]
    np.testing.assert_array_equal(table.frame["Rs"], [500, 700, np.nan, np.nan])
    assert table.frame["MAT"].tolist() == ["10.0", "12.0", "NA", "5"]


def test_columns_are_copied_converted_and_derived_in_order(tmp_path: Path) -> None:
    table = read(
        tmp_path,
        "columns:\n"
        "  T: {from: MAT, unit: K, from_unit: degC}\n"
        "  warm: {expr: T > 284}\n"
        "  twice: {expr: 2 * Rs, unit: g m-2}\n"
        "  treatment: Manipulation\n",
    )
    assert list(table.frame.columns) == ["site", "Lat", "Lon", "Year", "Rs", "T", "warm", "twice", "treatment"]
    np.testing.assert_allclose(table.frame["T"], [283.15, 285.15, np.nan, 278.15])
    assert table.frame["warm"].tolist() == [False, True, False, False]
    assert table.units == {"T": "K", "twice": "g m-2"}
    assert table.frame["treatment"][0] == "None"


def test_where_sees_columns_of_the_file_and_new_ones(tmp_path: Path) -> None:
    table = read(tmp_path, "columns: {year: {expr: floor(Year)}, R: {from: Rs}}\nwhere: year == 2001 and Rs > 600")
    assert table.frame["R"].tolist() == [700]
    assert table.notes[-1].message == "1 of 4 rows meet `year == 2001 and Rs > 600`"


def test_averages_keep_roles_and_count_what_they_leave_out(tmp_path: Path) -> None:
    table = read(
        tmp_path,
        "columns: {Rs: {from: Rs, unit: g m-2 yr-1}, latitude: Lat}\n"
        "roles: {lat: Lat, lon: Lon, site: site}\n"
        "average: {of: [Rs, MAT], by: [lat, lon]}\n",
    )
    # mean, n - 1 standard deviation by hand: (500, 700) and (10, 12)
    expected = pd.DataFrame(
        {
            "latitude": [-10.0, 10, 50], "Lon": [30.0, 20, -100],
            "Rs": [900.0, 600, np.nan], "Rs_n": [1, 2, 0], "Rs_sd": [np.nan, 20000**0.5, np.nan],
            "MAT": [np.nan, 11.0, 5], "MAT_n": [0, 2, 1], "MAT_sd": [np.nan, 2**0.5, np.nan],
        }
    )  # fmt: skip
    pd.testing.assert_frame_equal(table.frame, expected, check_dtype=False)
    assert table.roles == {"lat": "latitude", "lon": "Lon"}
    assert table.units == {"Rs": "g m-2 yr-1", "Rs_sd": "g m-2 yr-1", "Rs_n": "1", "MAT_n": "1"}


def test_groups_with_few_values_and_rows_without_value_are_noted(tmp_path: Path) -> None:
    table = read(tmp_path, "average: {of: Rs, by: site, min_count: 2}")
    assert table.frame["site"].tolist() == ["a"]
    assert [note.message for note in table.notes] == [
        "1 rows without `Rs` left out of the averages",
        "1 groups with fewer than 2 values of `Rs` left out",
    ]


def test_averages_do_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    head, *rows = SITES.splitlines()
    yaml = "average: {of: Rs, by: [site, Lat]}"
    one = read(tmp_path, yaml).frame
    other = read(tmp_path, yaml, "\n".join([head, *rows[::-1]])).frame
    pd.testing.assert_frame_equal(one, other)


def test_select_keeps_the_columns_with_a_role(tmp_path: Path) -> None:
    table = read(tmp_path, "roles: {lat: Lat, lon: Lon}\nselect: [Rs, site]")
    assert list(table.frame.columns) == ["Rs", "site", "Lat", "Lon"]


def test_impossible_coordinates_are_left_out_and_missing_ones_stay(tmp_path: Path) -> None:
    text = "Lat,Lon,Rs\n119.23,10,1\n10,571,2\n10,-20,3\n,,4\n10,190,5\n"
    table = read(tmp_path, "roles: {lat: Lat, lon: Lon}", text)
    assert table.frame["Rs"].tolist() == [3, 4]
    assert [note.message for note in table.notes] == [
        "1 row left out: `Lat` beyond 90 degrees, such as 119.23",
        "2 rows left out: `Lon` beyond 180 degrees, such as 571",
    ]


def test_longitudes_to_360_are_turned(tmp_path: Path) -> None:
    table = read(tmp_path, "roles: {lat: Lat, lon: Lon}", "Lat,Lon\n0,10\n0,350\n")
    assert table.frame["Lon"].tolist() == [10, -10]
    assert table.notes[0].code == "SQ720"


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_line_ends_do_not_matter(tmp_path: Path, end: str) -> None:
    pd.testing.assert_frame_equal(read(tmp_path, "", SITES.replace("\n", end)).frame, read(tmp_path, "").frame)


def test_several_files_are_put_one_below_the_other(tmp_path: Path) -> None:
    for name, rows in (("a.csv", "x,1\n"), ("b.csv", "y,2\nz,bad\n")):
        (tmp_path / name).write_text("site,Rs\n" + rows)
    sources = {"source": [tmp_path / "a.csv", tmp_path / "b.csv"]}
    value = run_kind("datasets", "table", "source: [a.csv, b.csv]", sources=sources)
    assert value.frame["site"].tolist() == ["x", "y", "z"]
    with pytest.raises(SoilqlError) as caught:
        run_kind("datasets", "table", "source: [a.csv, b.csv]\ncolumns: {R: {from: Rs, type: number}}", sources=sources)
    assert caught.value.diagnostics[0].label == "line 3 of `b.csv`"


def test_an_empty_filter_says_how_many_rows_each_condition_leaves(tmp_path: Path) -> None:
    found = failure(tmp_path, "where: Rs > 100 and Manipulation == 'none' and MAT > 0")
    assert found.code == "SQ707"
    assert found.span is not None
    assert found.span.text == "Manipulation == 'none'"
    assert found.notes == (
        "`Rs > 100` is met by 3 rows; 3 are left with it",
        '`Manipulation == "none"` is met by 0 rows; 0 are left with it',
        "`MAT > 0` is met by 3 rows; 0 are left with it",
    )


@pytest.mark.parametrize(
    ("yaml", "code", "message", "at"),
    [
        ("columns: {R: {from: Rss, unit: g m-2}}", "SQ704", "the table has no column `Rss`", None),
        ("roles: {lat: Latitude}", "SQ704", "the table has no column `Latitude`", "Latitude"),
        ("average: {of: Rh, by: site}", "SQ704", "the table has no column `Rh`", "Rh"),
        ("average: {of: Rs, by: plot}", "SQ704", "the table has no column `plot`", "plot"),
        ("select: [Rs, Mat]", "SQ704", "the result has no column `Mat`", "Mat"),
        ("where: Rs > Mo", "SQ201", "unknown name `Mo`", "Mo"),
        ("average: {of: site, by: Year}", "SQ709", "column `site` holds `a` where a number is needed", "site"),
        (
            "columns: {T: {from: MAT, unit: K, from_unit: g}}",
            "SQ302", "`g` (mass) does not convert to `K` (temperature)", "K",
        ),
    ],
)  # fmt: skip
def test_mistakes_are_named_at_their_place(tmp_path: Path, yaml: str, code: str, message: str, at: str | None) -> None:
    found = failure(tmp_path, yaml)
    assert (found.code, found.message) == (code, message)
    assert found.span is not None
    assert at is None or found.span.text == at


def test_a_text_among_numbers_is_named_with_its_line(tmp_path: Path) -> None:
    text = SITES.replace("900,NA", "900,NAA")
    for yaml in ("where: MAT + 1 > 0", "columns: {T: {from: MAT, unit: degC}}", "average: {of: MAT, by: site}"):
        found = failure(tmp_path, yaml, text)
        assert found.code == "SQ709"
        assert found.message == "column `MAT` holds `NAA` where a number is needed"
        assert found.label == "line 4 of `a.csv`"


@pytest.mark.parametrize(("text", "code"), [("", "SQ702"), ("a,b\n1\n", "SQ703"), ('a,b\n"1,2\n', "SQ703")])
def test_broken_files(tmp_path: Path, text: str, code: str) -> None:
    assert failure(tmp_path, "", text).code == code


def test_a_column_is_a_copy_or_an_expression() -> None:
    with pytest.raises(SoilqlError, match="either `from` or `expr`, not both"):
        bind_block("datasets", "table", "source: a.csv\ncolumns: {x: {from: a, expr: b}}")


def test_lint_knows_the_columns_of_the_registry() -> None:
    yaml = """
source: registry:srdb-v5
columns:
  Rs: {from: Rs_anual, unit: g m-2 yr-1}
  T: {from: MAT, unit: g}
  y: {expr: floor(Study_midyr)}
  z: {expr: y + 1}
where: Biome > 3 and Nope == 1
roles: {lat: Latitud}
average: {of: [Rs, Rs_annualy], by: [lat, sites]}
select: [Rs_n, Biome]
"""
    found = [(d.code, d.span.text if d.span else "") for d in lint(yaml)]
    assert found == [
        ("SQ704", "Rs_anual"),
        ("SQ302", "g"),
        ("SQ201", "Study_midyr"),
        ("SQ112", "3"),
        ("SQ201", "Nope"),
        ("SQ704", "Latitud"),
        ("SQ704", "Rs_annualy"),
        ("SQ704", "sites"),
        ("SQ704", "Biome"),
    ]


def test_lint_says_nothing_of_files_it_does_not_know() -> None:
    assert lint("source: a.csv\nwhere: Nope > 1\nroles: {lat: x}") == []
    assert [d.code for d in lint("source: registry:srdb-v55")] == ["SQ207"]
    assert [d.code for d in lint("source: registry:dem")] == ["SQ211"]


def test_the_schema_is_that_of_the_result() -> None:
    found = schema(
        "source: registry:srdb-v5\n"
        "columns: {Rs: {from: Rs_annual, unit: g m-2 yr-1}, year: {expr: floor(Study_midyear)}}\n"
        "roles: {lat: Latitude, lon: Longitude, time: year}\naverage: {of: Rs, by: [lat, lon, year]}"
    )
    assert list(found.variables) == ["Latitude", "Longitude", "year", "Rs", "Rs_n", "Rs_sd"]
    assert found.variables["Rs"].unit == "g m-2 yr-1"
    assert found.roles == {"lat": "Latitude", "lon": "Longitude", "time": "year"}
    assert not found.open
    assert schema("source: a.csv").open


def test_the_key_holds_what_the_registry_says() -> None:
    kind = kinds.find("datasets", "table")
    assert kind is not None
    extra = kind.key_extra(bind_block("datasets", "table", "source: registry:srdb-v5").params)
    assert extra["srdb-v5"]["reader"]["missing"]
    assert extra["srdb-v5"]["variables"]["Rs_annual"] == ["g C m-2 yr-1", "number"]
    assert kind.key_extra(bind_block("datasets", "table", "source: a.csv").params) is None


# Numbers of rows and ranges as the notes that come with the data state them.
@needs_data
@pytest.mark.data
@pytest.mark.parametrize(
    ("source", "file", "rows", "columns"),
    [
        ("registry:srdb-v3", "srdb/srdb-data-v3.csv.gz", 5173, 104),
        ("registry:srdb-v4", "srdb/srdb-data-v4.csv.gz", 6633, 109),
        ("registry:srdb-v5", "srdb/srdb-data-v5.csv.gz", 10366, 85),
        ("srdb", "srdb/srdb-data_2022-10-09.csv.gz", 12272, 85),
        ("registry:fluxcom-gpp", "fluxcom/Fluxcom_summarized_GPP.csv.gz", 85794, 7),
        ("registry:udel-climate", "udel-igbp-koeppen/summarized_climate.csv.gz", 85794, 4),
        ("registry:igbp", "udel-igbp-koeppen/IGBP.txt.gz", 92739, 6),
        ("hgrsd", "global-rs-subannual/HGRsD.csv.gz", 9748, 19),
        ("mgrsd", "global-rs-subannual/MGRsD_2020-04-09.csv.gz", 32767, 35),
        ("dgrsd", "global-rs-subannual/DGRsD_2019-12-05.csv.gz", 28166, 26),
        ("months", "global-rs-subannual/MGRsDAllData_monthly_with_covariates.csv.gz", 13478, 52),
        ("moquedace", "moquedace/finaldataset_rs_withsoil.csv.gz", 3329, 29),
        ("globalc", "globalc-tables/GlobalRs.csv", 23, 11),
        ("npp", "globalc-tables/ITONPP.CSV", 251, 1),
    ],
)
def test_real_tables_have_their_rows_and_columns(source: str, file: str, rows: int, columns: int) -> None:
    table = run_kind("datasets", "table", f"source: {source}", sources={"source": [data_path(file)]})
    assert table.frame.shape == (rows, columns)
    if source.startswith("registry:"):
        known = schema(f"source: {source}").variables
        assert set(table.frame.columns) <= set(known)
        for name, values in table.frame.items():
            kind = known[str(name)].type
            assert (values.dtype.kind == "f") == (kind == "number"), f"{name}: {kind} but {values.dtype}"


@needs_data
@pytest.mark.data
def test_values_of_real_tables() -> None:
    srdb = run_kind(
        "datasets",
        "table",
        'source: x\nmissing: ["NA"]',
        sources={"source": [data_path("srdb/srdb-data_2022-10-09.csv.gz")]},
    ).frame
    assert int(srdb["Rs_annual"].notna().sum()) == 6763
    assert int(srdb["Rh_annual"].notna().sum()) == 1330
    assert int((srdb["Manipulation"] == "None").sum()) == 7407
    assert int(srdb["Latitude"].isna().sum()) == 389
    climate = run_kind(
        "datasets",
        "table",
        "source: registry:udel-climate",
        sources={"source": [data_path("udel-igbp-koeppen/summarized_climate.csv.gz")]},
    ).frame
    assert [climate["MAT_Del"].min(), climate["MAT_Del"].max()] == pytest.approx([-57.5, 34.8], abs=0.05)
    brazil = run_kind(
        "datasets", "table", "source: x", sources={"source": [data_path("moquedace/finaldataset_rs_withsoil.csv.gz")]}
    ).frame
    assert brazil["rs"].min() == pytest.approx(2.69, abs=0.005)
    assert brazil["rs"].max() == pytest.approx(3936, abs=0.5)
    assert brazil["local"].nunique() == 1062


@needs_data
@pytest.mark.data
@pytest.mark.slow
def test_a_real_workbook() -> None:
    path = data_path("udel-igbp-koeppen/KoeppenGeigerASCII.xlsx")
    table = run_kind("datasets", "table", "source: registry:koeppen", sources={"source": [path]})
    assert len(table.frame) == 92739
    assert table.frame["ClimateTypes"].nunique() == 30
