"""Years of time labels, against the calendar of the standard library."""

from __future__ import annotations

import calendar
import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soilql.io.years import decimal_years, is_yearly, years_of

DATES = st.lists(st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1)), min_size=1, max_size=5)


@given(DATES)
def test_dates_lie_in_the_years_of_the_calendar(dates: list[datetime.datetime]) -> None:
    labels = np.array(dates, "datetime64[ns]")
    assert years_of(labels).tolist() == [date.year for date in dates]
    for found, date in zip(decimal_years(labels), dates, strict=True):
        seconds = (date - datetime.datetime(date.year, 1, 1)).total_seconds() // 1
        length = 86400 * (366 if calendar.isleap(date.year) else 365)
        assert found == pytest.approx(date.year + seconds / length, abs=1e-9)
        assert np.floor(found) == date.year


def test_numbers_are_years_already() -> None:
    assert years_of(np.array([1999.99, 2000.0, -0.5])).tolist() == [1999, 2000, -1]
    assert years_of([2000, 2001]).dtype == np.int64
    assert decimal_years(np.array([2000, 2014])).tolist() == [2000.0, 2014.0]
    assert decimal_years([2005.5]).tolist() == [2005.5]


def test_a_year_may_stand_once() -> None:
    months = np.arange("2000-01", "2001-01", dtype="datetime64[M]").astype("datetime64[ns]")
    assert not is_yearly(months)
    assert is_yearly(months[::12])
    assert is_yearly([2001, 2000])
    assert not is_yearly([2000, 2000.5])
    assert is_yearly([])


@pytest.mark.parametrize("labels", [[np.nan], np.array(["NaT"], "datetime64[ns]"), ["2000"], [True]])
def test_what_is_no_time_is_refused(labels: object) -> None:
    for function in (years_of, decimal_years, is_yearly):
        with pytest.raises(ValueError, match=r"no time|neither years nor dates"):
            function(labels)  # type: ignore[operator]
