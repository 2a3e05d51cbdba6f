"""Labels of time axes: calendars of models, months counted from a date, steps and the gaps between them."""

from __future__ import annotations

import datetime
from pathlib import Path

import cftime
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from soilql.io.times import at_start, expected, following, gap_text, is_rising, label_text, time_labels, within


def labels(values: object, units: str = "", calendar: str = "standard") -> np.ndarray:
    attributes = {"units": units, "calendar": calendar} if units else {}
    data = xr.Dataset(coords={"time": ("time", np.asarray(values), attributes)})
    return time_labels(data, "time", Path("a.nc"))


def days(found: np.ndarray) -> list[str]:
    return found.astype("datetime64[D]").astype(str).tolist()


@pytest.mark.parametrize("calendar", ["noleap", "365_day", "all_leap", "360_day", "julian", "proleptic_gregorian"])
def test_every_day_of_a_calendar_has_its_civil_date(calendar: str) -> None:
    units = "days since 1999-12-01"
    values = np.arange(0, 800, 7)
    for found, date in zip(
        days(labels(values, units, calendar)), cftime.num2date(values, units, calendar), strict=True
    ):
        year, month, day = (int(part) for part in found.split("-"))
        assert (year, month) == (date.year, date.month)
        # Only the days that the civil month has not are cut to its last one.
        assert day == date.day or (month == 2 and date.day in (29, 30) and day in (28, 29))


def test_months_of_360_day_models_begin_with_the_civil_months() -> None:
    found = labels(np.arange(24) * 30.0 + 15, "days since 2000-01-01", "360_day")
    assert days(at_start(found, "month")) == [f"{2000 + i // 12}-{i % 12 + 1:02d}-01" for i in range(24)]


def test_counted_and_written_dates() -> None:
    assert days(labels([0, 1, 13.5], "months since 1901-12-16")) == ["1901-12-01", "1902-01-01", "1903-01-01"]
    assert days(labels([0, 2], "years since 1950-01-01")) == ["1950-01-01", "1952-01-01"]
    assert days(labels([200001, 200012])) == ["2000-01-01", "2000-12-01"]
    assert days(labels([20000131, 20001231])) == ["2000-01-31", "2000-12-31"]
    assert labels([200013, 200014]).tolist() == [200013, 200014]
    # As `cdo -a` writes dates with times of day.
    assert labels([20000131.25, 20000131.5]).tolist() == [
        np.datetime64("2000-01-31T06", "ns").astype(int), np.datetime64("2000-01-31T12", "ns").astype(int)
    ]  # fmt: skip
    # The middle of months as decimal years, as climate archives write them.
    assert days(labels(2000 + (np.arange(14) + 0.5) / 12))[::13] == ["2000-01-01", "2001-02-01"]
    assert days(labels(2000 + np.arange(14) / 12))[::13] == ["2000-01-01", "2001-02-01"]
    assert labels([1951, 1952]).tolist() == [1951, 1952]
    assert labels([np.nan, 1.0], "days since 2000-01-01").tolist()[1] == 1.0
    assert labels([0], "furlongs since 2000-01-01").tolist() == [0]


def bounded(values: object, bounds: object, **attributes: str) -> np.ndarray:
    named = {"units": "days since 2000-01-01", "calendar": "noleap", "bounds": "time_bounds"}
    data = xr.Dataset({"time_bounds": (("time", "nbnd"), np.asarray(bounds, dtype=float), attributes)})
    return time_labels(data.assign_coords(time=("time", np.asarray(values), named)), "time", Path("a.nc"))


def test_labels_at_the_end_of_their_steps_are_taken_from_the_beginning() -> None:
    # The history files of CESM label the mean of January by 0:00 of 1 February and say so in `time_bounds`.
    months = [[0, 31], [31, 59], [59, 90]]
    assert days(bounded([31.0, 59.0, 90.0], months)) == ["2000-01-01", "2000-02-01", "2000-03-01"]
    assert days(bounded([15.5, 45.0, 74.5], months)) == ["2000-01-16", "2000-02-15", "2000-03-16"]
    assert days(bounded([0.0, 31.0, 59.0], months)) == ["2000-01-01", "2000-02-01", "2000-03-01"]
    # Bounds that are empty, missing or counted otherwise say nothing.
    assert days(bounded([31.0, 59.0], [[31, 31], [31, 59]])) == ["2000-02-01", "2000-03-01"]
    assert days(bounded([31.0, 59.0], [[np.nan, 31], [31, 59]])) == ["2000-02-01", "2000-03-01"]
    assert days(bounded([31.0, 59.0], [[0, 31], [31, 59]], units="hours since 2000-01-01")) == [
        "2000-02-01", "2000-03-01"
    ]  # fmt: skip


def test_codes_of_missing_values_are_no_years() -> None:
    found = labels([0.0, 9.96921e36], "days since 2000-01-01")
    assert at_start(found, "month").tolist() == [0.0, 9.96921e36]
    assert gap_text(np.array([730486, 730517]), "day") == ""


def test_dates_before_nanoseconds_become_years() -> None:
    assert np.floor(labels([0, 366], "days since 0850-01-01", "noleap")).tolist() == [850, 851]


@given(st.dates(datetime.date(1990, 1, 1), datetime.date(2020, 12, 31)), st.integers(1, 120))
def test_days_and_months_follow_as_the_calendar_has_them(start: datetime.date, count: int) -> None:
    assert days(following(start, "day", count)) == [str(start + datetime.timedelta(days=i)) for i in range(count)]
    month = start.year * 12 + start.month - 1
    wanted = [f"{(month + i) // 12}-{(month + i) % 12 + 1:02d}-01" for i in range(count)]
    assert days(following(start, "month", count)) == wanted


@pytest.mark.parametrize(("step", "a_year", "length"), [("8-day", 46, 8), ("16-day", 23, 16)])
def test_composites_begin_anew_each_year(step: str, a_year: int, length: int) -> None:
    # 46 composites of 8 and 23 of 16 days a year, as the user's guides of MODIS count them.
    found = following(datetime.date(2000, 1, 1), step, 3 * a_year)
    assert days(found[::a_year]) == ["2000-01-01", "2001-01-01", "2002-01-01"]
    assert days(found[a_year - 1 : a_year])[0] == str(
        datetime.date(2000, 1, 1) + datetime.timedelta((a_year - 1) * length)
    )
    assert gap_text(found, step) == ""
    # The first of MODIS: day 49 of 2000.
    assert days(following(datetime.date(2000, 2, 18), step, 2)) == [
        "2000-02-18", str(datetime.date(2000, 2, 18) + datetime.timedelta(length)),
    ]  # fmt: skip


@pytest.mark.parametrize("step", ["year", "month", "16-day", "8-day", "day"])
@given(missing=st.sets(st.integers(1, 98), max_size=20))
def test_gaps_are_named(step: str, missing: set[int]) -> None:
    whole = at_start(following(datetime.date(1999, 1, 1), step, 100), step)
    kept = np.delete(whole, sorted(missing))
    np.testing.assert_array_equal(expected(kept, step), whole)
    text = gap_text(kept, step)
    assert bool(text) == bool(missing)
    if missing:
        assert text.startswith(f"lacks {len(missing)} of 100 ")
        assert label_text(whole[min(missing)], step) in text


def test_periods_cut_both_ends() -> None:
    months = following(datetime.date(2000, 1, 1), "month", 36)
    kept = months[within(months, datetime.date(2000, 6, 1), datetime.date(2001, 12, 31))]
    assert [days(kept)[i] for i in (0, -1)] == ["2000-06-01", "2001-12-01"]
    years = np.arange(1999, 2003)
    assert years[within(years, datetime.date(2000, 1, 1), datetime.date(2001, 12, 31))].tolist() == [2000, 2001]
    assert years[within(years, datetime.date(2000, 2, 1), datetime.date(2001, 12, 31))].tolist() == [2001]


def test_axes_that_mean_nothing() -> None:
    assert not is_rising(np.array([0, 0, 0]))
    assert not is_rising(np.array([1.0, np.nan]))
    assert not is_rising(np.array(["2000-01-01", "NaT"], "datetime64[ns]"))
    assert not is_rising(np.array(["a", "b"], dtype=object))
    assert is_rising(np.array([1, 2]))
