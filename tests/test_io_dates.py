"""Patterns of names with dates in them: the layouts of archives, and patterns that are refused."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soilql.io.dates import compile_pattern, match_name, parse_date, parse_years

DAYS = st.dates(datetime.date(1000, 1, 1), datetime.date(2999, 12, 31))


@pytest.mark.parametrize(
    ("pattern", "name", "start", "layer", "precision"),
    [
        ("A%Y%j", "MOD11A2.A2000049.h10v05.006.2015058135051.hdf", "2000-02-18", "MOD11A2", "day"),
        ("_{name}_doy%Y%j_aid", "MOD11A2.061_LST_Day_1km_doy2000049_aid0001.tif", "2000-02-18", "LST_Day_1km", "day"),
        ("_{name}_doy%Y%j000000_aid", "MOD13A1.061__500m_16_days_EVI_doy2000353000000_aid0001.tif", "2000-12-18",
         "500m_16_days_EVI", "day"),
        ("VCF5KYR_%Y%j", "VCF5KYR_1991001_001_2018224205008.tif", "1991-01-01", "VCF5KYR", "day"),
        ("3B43.%Y%m%d", "3B43.20000101.7A.HDF.nc4", "2000-01-01", "3B43", "day"),
        ("%Y_%m", "1960_1", "1960-01-01", "", "month"),
        ("%Y_%m", "1960_12", "1960-12-01", "", "month"),
        ("%Y%m", "pr_200001.nc", "2000-01-01", "pr", "month"),
        (r"(?P<year>\d{4})", "udel_2001.nc", "2001-01-01", "udel", "year"),
        ("%Y", "2000.tif", "2000-01-01", "", "year"),
        ("%Y", "2000_tas.tif", "2000-01-01", "tas", "year"),
        ("%b%Y", "tasJul1999.tif", "1999-07-01", "tas", "month"),
        ("%d*%Y", "31 of 2001", None, None, None),  # a day without a month is the first of January's
    ],
)  # fmt: skip
def test_names_of_archives(pattern: str, name: str, start: str | None, layer: str, precision: str) -> None:
    found = compile_pattern(pattern).match(name)
    assert found is not None
    if start is None:
        assert found.start == datetime.date(2001, 1, 31)
        return
    assert (str(found.start), found.name, found.precision) == (start, layer, precision)


def test_folders_count_where_the_pattern_has_them() -> None:
    path = Path("/data/x/2001/lst_049.tif")
    found = match_name(path, [compile_pattern("nothing%Y"), compile_pattern("%Y/{name}_%j")])
    assert found is not None
    assert (str(found.start), found.name) == ("2001-02-18", "lst")
    assert match_name(path, [compile_pattern("%Y_%j")]) is None


@pytest.mark.parametrize("name", ["A2001366.tif", "A2000000.tif", "A20000491.tif", "A200049.tif", "none.tif"])
def test_names_that_do_not_fit(name: str) -> None:
    assert compile_pattern("A%Y%j").match(name) is None


@given(DAYS)
def test_what_strftime_writes_is_read(day: datetime.date) -> None:
    for form in ("%Y%j", "%Y-%m-%d", "%Y%m%d", "x%d.%b.%Y"):
        # The C library leaves zeros of early years out.
        text = day.strftime(form.replace("%Y", f"{day.year:04d}"))
        found = compile_pattern(form).match(f"a_{text}.tif")
        assert found is not None
        assert found.start == day


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("%Y_%q", "`%q` means nothing"),
        ("%Y_%Y", "has the year twice"),
        ("tas", "no part of a date"),
        (r"(?P<year>\d+)+(?P<when>.*)", "is no part of a date"),
        ("{name}*%Y*", "at most 2"),
        ("%Y" + "a" * 300, "at most 200"),
    ],
)
def test_patterns_that_are_refused(pattern: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compile_pattern(pattern)


def test_periods_and_years() -> None:
    assert [str(day) for day in parse_date("2001")] == ["2001-01-01", "2001-12-31"]
    assert [str(day) for day in parse_date("2001-02")] == ["2001-02-01", "2001-02-28"]
    assert parse_years("1999-2001") == [1999, 2000, 2001]
    for text in ("20", "2001-13", "2001-02-30", "yesterday", "2001-1-1-1"):
        with pytest.raises(ValueError, match="no da"):
            parse_date(text)
    with pytest.raises(ValueError, match="no range of years"):
        parse_years("2014-2000")
