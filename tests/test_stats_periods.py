"""Series brought to periods: the days of each step, and statistics that agree with pandas and with sums by hand."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soilql.errors import SoilqlError
from soilql.io.seasons import Months, MonthsError, read_months, read_years
from soilql.stats.periods import (
    Reduction,
    composite_starts,
    finish,
    infer_step,
    month_starts,
    reduce_series,
    shares,
    step_bounds,
    update,
)


def dates(*texts: str) -> Any:
    return np.array(texts, dtype="datetime64[ns]")


def day(text: str) -> float:
    return float(np.datetime64(text, "D").astype(int))


@pytest.mark.parametrize(
    ("statistic", "frequency"),
    [(s, f) for s in ("mean", "sum", "min", "max", "median", "sd") for f in ("MS", "YS", "QS-DEC")],
)
def test_daily_series_agree_with_pandas(statistic: Any, frequency: str) -> None:
    index = pd.date_range("1999-12-01", "2003-11-30")
    series = pd.Series(np.random.default_rng(1).normal(10, 5, index.size), index=index)
    peer = series.resample(frequency)
    expected = getattr(peer, {"sd": "std"}.get(statistic, statistic))()
    edges = [*expected.index, expected.index[-1] + pd.tseries.frequencies.to_offset(frequency)]  # type: ignore[operator]
    days = [day(str(edge.date())) for edge in edges]
    periods = [[(low, high)] for low, high in itertools.pairwise(days)]
    bounds = step_bounds(index.to_numpy(), "day")
    found = [
        float(
            reduce_series(series.to_numpy(), share, Reduction(statistic, min_share=0.01 if frequency == "YS" else 1.0))
        )
        for share in shares(*bounds, periods)
    ]
    if statistic == "sum" and frequency == "YS":
        found, expected = found[1:4], expected[1:4]  # the year of one month is scaled to a whole year
    np.testing.assert_allclose(found, expected.to_numpy()[: len(found)], rtol=1e-12)


def test_a_composite_over_new_year_or_a_month_counts_by_its_days() -> None:
    labels = dates("2001-01-25", "2001-02-02")
    starts, ends = step_bounds(labels, "8-day")
    january = shares(starts, ends, [[(day("2001-01-01"), day("2001-02-01"))]])[0]
    assert january.days.tolist() == [7.0]
    assert january.part.tolist() == [0.875]
    # 7 days of one and 1 day of the other composite make these 8 days.
    mean = reduce_series(
        np.array([1.0, 9.0]), shares(starts, ends, [[(day("2001-01-26"), day("2001-02-03"))]])[0], Reduction()
    )
    assert float(mean) == (7 * 1 + 1 * 9) / 8


@pytest.mark.parametrize(("year", "last"), [(2001, 5.0), (2004, 6.0)])
def test_a_modis_year_has_46_composites_and_a_short_last_one(year: int, last: float) -> None:
    starts = composite_starts(year, "8-day")
    labels = starts.astype("datetime64[D]").astype("datetime64[ns]")
    low, high = step_bounds(labels, "8-day")
    assert labels.size == 46
    assert (high - low)[-1] == last
    assert (high - low)[:-1].tolist() == [8.0] * 45
    whole = shares(low, high, [[(low[0], float(month_starts(year, 13)))]])[0]
    assert float(reduce_series(np.ones(46), whole, Reduction("sum", totals=True))) == 46.0


@pytest.mark.parametrize(
    ("labels", "step"),
    [
        (np.array([1990, 1991, 1995]), "year"),
        (dates("2000-07-01", "2001-07-01"), "year"),
        (dates("2000-01-16T12", "2000-02-15T12", "2000-03-16T12"), "month"),
        (dates("2000-01-01", "2000-03-01", "2000-04-01"), "month"),
        (dates("2000-02-18", "2000-02-26", "2000-03-05"), "8-day"),
        (dates("2000-12-18", "2000-12-26", "2001-01-01"), "8-day"),
        (dates("2000-02-18", "2000-03-05", "2000-03-21"), "16-day"),
        (dates("2000-12-02", "2000-12-18", "2001-01-01"), "16-day"),
        (dates("2002-07-12", "2002-07-28", "2002-08-13"), "16-day"),  # Aqua: from day 193
        (dates("2000-01-01", "2000-01-02", "2000-01-05"), "day"),
        (dates("2000-01-01T00", "2000-01-01T06", "2000-01-01T12"), "hours"),
        (dates("2000-01-01", "2000-01-06", "2000-01-11"), None),
        (dates("2000-01-01"), None),
        (np.array([2000.5, 2001.5]), None),
    ],
)
def test_the_length_of_steps_is_seen_from_their_labels(labels: Any, step: str | None) -> None:
    assert infer_step(labels) == step


def test_sums_of_rates_and_of_amounts() -> None:
    edges = month_starts(2001, np.arange(1, 14))
    year = shares(edges[:-1], edges[1:], [[(edges[0], edges[-1])]])[0]
    # 2 mm a day for 365 days; and 12 monthly amounts of 10 mm.
    assert float(reduce_series(np.full(12, 2.0), year, Reduction("sum"))) == 730.0
    assert float(reduce_series(np.full(12, 10.0), year, Reduction("sum", totals=True))) == 120.0
    # 3 kg m-2 s-1 is 86400 times as much in a day.
    assert float(reduce_series(np.full(12, 3.0), year, Reduction("sum", per_day=86400.0))) == 3 * 86400 * 365


def test_the_mean_of_months_weighs_them_by_their_days() -> None:
    edges = month_starts(2000, np.arange(1, 14))
    spring = shares(edges[:-1], edges[1:], [[(edges[2], edges[5])]])[0]
    found = float(reduce_series(np.arange(12.0), spring, Reduction()))
    assert found == pytest.approx((31 * 2 + 30 * 3 + 31 * 4) / 92, rel=1e-15)


@pytest.mark.parametrize("statistic", ["mean", "sum", "min", "max", "median", "sd"])
def test_a_period_needs_its_share_of_days(statistic: Any) -> None:
    edges = month_starts(2001, np.arange(1, 14))
    year = shares(edges[:-1], edges[1:], [[(edges[0], edges[-1])]])[0]
    values = np.arange(12.0)
    values[[0, 1]] = np.nan  # 59 of 365 days
    assert np.isnan(reduce_series(values, year, Reduction(statistic, min_share=307 / 365)))
    assert np.isfinite(reduce_series(values, year, Reduction(statistic, min_share=306 / 365)))


def test_a_sum_with_gaps_is_scaled_to_the_whole_period() -> None:
    edges = month_starts(2001, np.arange(1, 14))
    year = shares(edges[:-1], edges[1:], [[(edges[0], edges[-1])]])[0]
    values = np.full(12, 2.0)
    values[6] = np.nan
    assert float(reduce_series(values, year, Reduction("sum"))) == pytest.approx(730.0, rel=1e-14)


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.sampled_from(["mean", "sum", "min", "max", "sd"]), st.integers(1, 11))
def test_parts_of_a_series_give_the_same_as_the_whole(seed: int, statistic: Any, cut: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.where(rng.random((12, 3, 4)) < 0.2, np.nan, rng.normal(size=(12, 3, 4)))
    edges = month_starts(2001, np.arange(1, 14))
    share = shares(edges[:-1], edges[1:], [[(edges[1], edges[11])]])[0]
    how = Reduction(statistic, min_share=0.5)
    state = update(update(None, values[:cut], share, 0, how), values[cut:], share, cut, how)
    np.testing.assert_array_equal(finish(state, share, how)[0][0], reduce_series(values, share, how))


def test_an_extreme_takes_steps_that_lie_mostly_in_the_period() -> None:
    starts = np.array([0.0, 8.0, 16.0])
    share = shares(starts, starts + 8, [[(5.0, 20.0)]])[0]  # 3 days of the first, all of the second, 4 of the third
    assert float(reduce_series(np.array([-9.0, 1.0, 5.0]), share, Reduction("min"))) == 1.0
    assert float(reduce_series(np.array([-9.0, 1.0, 5.0]), share, Reduction("median"))) == 3.0


def test_steps_that_overlap_are_an_error() -> None:
    with pytest.raises(SoilqlError, match="without overlap"):
        shares(np.array([0.0, 5.0]), np.array([8.0, 13.0]), [])


@pytest.mark.parametrize(
    ("words", "months"),
    [
        (["all"], tuple(range(1, 13))),
        (["MAM"], (3, 4, 5)),
        (["JJA"], (6, 7, 8)),
        (["SON"], (9, 10, 11)),
        (["DJF"], (12, 1, 2)),
        (["NDJFM"], (11, 12, 1, 2, 3)),
        (["4", "5", "6"], (4, 5, 6)),
        (["Apr-Sep"], (4, 5, 6, 7, 8, 9)),
        (["October-March"], (10, 11, 12, 1, 2, 3)),
        (["May"], (5,)),
        (["MAY"], (5,)),
    ],
)
def test_months_as_people_write_them(words: list[str], months: tuple[int, ...]) -> None:
    assert read_months(words).months == months


@pytest.mark.parametrize(
    ("words", "message", "help"),
    [
        (["MAMM"], "`MAMM` names no months", ""),
        (["Marhc"], "`Marhc` names no months", "did you mean `March`?"),
        (["13"], "months count from 1 to 12", ""),
        (["3", "March"], "March is there twice", ""),
    ],
)
def test_words_that_are_no_months(words: list[str], message: str, help: str) -> None:
    with pytest.raises(MonthsError, match=message) as caught:
        read_months(words)
    assert help in caught.value.help


@settings(max_examples=100)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=11, unique=True), st.sampled_from(["end", "start"]))
def test_months_of_a_season_rise_and_end_or_begin_in_their_year(months: list[int], year_of: str) -> None:
    found = list(Months(tuple(months)).years(2001, year_of))
    assert [month for _, month in found] == months
    assert all(b > a for a, b in itertools.pairwise(found))
    assert found[-1 if year_of == "end" else 0][0] == 2001


@pytest.mark.parametrize(
    "read", [lambda: read_years(["2014-2000"]), lambda: read_years(["20x"]), lambda: read_years(["1", "2", "3"])]
)
def test_words_that_are_no_years(read: Callable[[], Any]) -> None:
    with pytest.raises(MonthsError):
        read()
