"""Series of steps (days, composites, months, years) brought to periods: which step counts how much, and statistics.

Times are days since 1970-01-01, as floats; a step or a stretch of days runs from its start up to, not including, its
end. Nothing here depends on how an array is cut: every element is summed step by step in the order of time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from soilql.stats.checks import fail

Floats: TypeAlias = NDArray[np.float64]
Statistic = Literal["mean", "sum", "min", "max", "median", "sd"]
Span: TypeAlias = tuple[float, float]

#: Lengths in days of the composites that begin anew on every 1 January.
COMPOSITES = {"8-day": 8, "16-day": 16}
#: A step counts as one of a period for an extreme, median or SD where this share of its days lies in it.
_MOSTLY = 0.5 - 1e-9
_ROUNDING = 1e-9


def month_starts(year: Any, month: Any) -> Floats:
    """Return the first day of months (1..12; 13 is the next January) in days since 1970-01-01.

    Examples
    --------
    >>> month_starts(1970, [1, 2, 13]).tolist()
    [0.0, 31.0, 365.0]
    """
    months = (np.asarray(year) - 1970) * 12 + np.asarray(month) - 1
    return np.asarray(months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64), dtype=np.float64)


def infer_step(labels: NDArray[Any]) -> str | None:
    """Return the length of the steps of a series from their labels.

    Parameters
    ----------
    labels : ndarray, shape (n,)
        Whole years, or datetime64 in order of time.

    Returns
    -------
    str or None
        ``year``, ``month``, ``16-day``, ``8-day``, ``day`` or, for shorter equal steps, ``hours``; None where the
        labels fit none of them (a single date, steps of 5 or 10 days).

    Examples
    --------
    >>> infer_step(np.array(["2000-01-16", "2000-02-15", "2000-04-16"], "datetime64[ns]"))
    'month'
    >>> infer_step(np.array(["2000-12-18", "2000-12-26", "2001-01-01"], "datetime64[ns]"))
    '8-day'
    """
    if labels.dtype.kind != "M":
        return "year" if np.all(np.floor(labels.astype(float)) == labels) else None
    if labels.size < 2:
        return None
    days = labels.astype("datetime64[s]").astype(np.int64) / 86400.0
    gaps = np.diff(days)
    least = float(gaps.min())
    months = labels.astype("datetime64[M]").astype(np.int64)
    year = labels.astype("datetime64[Y]")
    day_of_year = np.floor(days) - year.astype("datetime64[D]").astype(np.int64)
    for name in ("16-day", "8-day"):
        length = COMPOSITES[name]
        if length - 3 <= least <= length and np.unique(day_of_year % length).size == 1:
            return name
    if least >= 360 and np.unique(year).size == year.size:
        return "year"
    if least >= 28 and np.unique(months).size == months.size:
        return "month"
    if 0 < least < 1 and np.allclose(gaps / least, np.rint(gaps / least), atol=1e-6):
        return "hours"
    return "day" if least == 1 and np.all(gaps == np.floor(gaps)) else None


def step_bounds(labels: NDArray[Any], step: str) -> tuple[Floats, Floats]:
    """Return where each step of a series begins and ends.

    A label stands for the day, month or year that it lies in, so that months labelled by their middle are whole
    months; hours labelled by their middle (0:30, 1:30 ...) likewise. A composite begins on its label and ends with the
    next one, or with the year where composites begin anew on 1 January: the last one of a year has 5 or 6 days of 8,
    and 13 or 14 of 16.

    Parameters
    ----------
    labels : ndarray, shape (n,)
        Years, or datetime64 in order of time.
    step : {"year", "season", "month", "16-day", "8-day", "day", "hours"}
        Length of a step.

    Returns
    -------
    starts, ends : ndarray, shape (n,)
        Days since 1970-01-01.

    Raises
    ------
    SoilqlError
        SQ813 for an unknown step, or labels that are not dates.

    Examples
    --------
    >>> starts, ends = step_bounds(np.array(["2001-12-27"], "datetime64[ns]"), "8-day")
    >>> (ends - starts).tolist()
    [5.0]
    """
    if labels.dtype.kind != "M":
        if step != "year":
            fail("SQ813", f"labels without dates cannot be steps of one {step}")
        years = np.floor(labels.astype(np.float64)).astype(np.int64)
        return month_starts(years, 1), month_starts(years, 13)
    year = labels.astype("datetime64[Y]").astype(np.int64) + 1970
    month = labels.astype("datetime64[M]").astype(np.int64) % 12 + 1
    day = labels.astype("datetime64[D]").astype(np.int64).astype(np.float64)
    if step == "year":
        return month_starts(year, 1), month_starts(year, 13)
    if step in ("month", "season"):
        return month_starts(year, month), month_starts(year, month + (1 if step == "month" else 3))
    if step in COMPOSITES:
        return day, _composite_ends(day, year, COMPOSITES[step])
    if step == "hours":
        # Whole seconds, so that each step ends on the very number on which the next one begins.
        seconds = labels.astype("datetime64[s]").astype(np.int64)
        length = int(np.diff(seconds).min())
        # Labels such as 0:30, 1:30 ... or 1:30, 4:30 ... are the middles of steps that divide the day.
        begin = seconds - length // 2 if np.all(2 * (seconds % length) == length) else seconds
        return begin / 86400.0, (begin + length) / 86400.0
    if step != "day":
        fail("SQ813", f"unknown step `{step}`")
    return day, day + 1.0


def _composite_ends(starts: Floats, year: NDArray[np.int64], length: int) -> Floats:
    ends = starts + length
    ends[:-1] = np.minimum(ends[:-1], starts[1:])
    anew = (starts - month_starts(year, 1)) % length == 0
    return np.where(anew, np.minimum(ends, month_starts(year, 13)), ends)


def composite_starts(year: int, step: str) -> Floats:
    """Return the first day of each composite of a year: 46 of 8 days, or 23 of 16 days.

    Examples
    --------
    >>> composite_starts(1970, "8-day")[:3].tolist(), composite_starts(1970, "8-day").size
    ([0.0, 8.0, 16.0], 46)
    """
    first, last = month_starts(year, [1, 13])
    return np.arange(first, last, COMPOSITES[step])


@dataclass(frozen=True, eq=False)
class Share:
    """What a series holds of one period.

    Attributes
    ----------
    steps : ndarray of int, shape (k,)
        Positions of the steps that lie in it, wholly or in part, in order of time.
    days : ndarray, shape (k,)
        Days of each that lie in it.
    part : ndarray, shape (k,)
        The same as a share of the step.
    length : float
        Days of the period.
    complete : bool
        Whether the whole period lies between the beginning and the end of the series.
    """

    steps: NDArray[np.intp]
    days: Floats
    part: Floats
    length: float
    complete: bool


def shares(starts: Floats, ends: Floats, periods: Sequence[Sequence[Span]]) -> list[Share]:
    """Return for each period the steps that lie in it, and how many of their days do.

    Parameters
    ----------
    starts, ends : ndarray, shape (n,)
        Steps in order of time, without overlap.
    periods : sequence of sequence of (float, float)
        Each period as one or more stretches of days.

    Returns
    -------
    list of Share

    Raises
    ------
    SoilqlError
        SQ813 for steps out of order, or that overlap.

    Examples
    --------
    >>> found = shares(np.array([0.0, 8.0]), np.array([8.0, 16.0]), [[(0.0, 10.0)]])
    >>> found[0].days.tolist(), found[0].part.tolist()
    ([8.0, 2.0], [1.0, 0.25])
    """
    if starts.size and (np.any(starts[1:] < ends[:-1]) or np.any(ends <= starts)):
        fail("SQ813", "steps of a series must follow one another in time, without overlap")
    found = []
    for spans in periods:
        days = np.zeros(starts.size)
        for low, high in spans:
            days += np.maximum(0.0, np.minimum(ends, high) - np.maximum(starts, low))
        steps = np.flatnonzero(days > 0)
        length = float(sum(high - low for low, high in spans))
        complete = bool(starts.size) and all(low >= starts[0] and high <= ends[-1] for low, high in spans)
        found.append(Share(steps, days[steps], days[steps] / (ends - starts)[steps], length, complete))
    return found


@dataclass(frozen=True)
class Reduction:
    """How a series is brought to periods.

    Attributes
    ----------
    statistic : {"mean", "sum", "min", "max", "median", "sd"}
        Means weigh steps by their days in the period. `min`, `max`, `median` and `sd` (n - 1) take the values of the
        steps of which at least half lies in the period, each once.
    totals : bool
        Whether a value is the amount of its step (mm of the month) and not a rate or state: it is shared out by days,
        and a mean is that of the amounts.
    per_day : float
        For the sum of a rate: what a rate of 1 amounts to in a day.
    min_share : float
        Share of the days of a period that must have a value.
    """

    statistic: Statistic = "mean"
    totals: bool = False
    per_day: float = 1.0
    min_share: float = 0.75


#: What is carried from step to step: days with a value, sum of weights or number of values, and two more.
PLANES = 4


def update(state: Floats | None, values: Floats, share: Share, first: int, reduction: Reduction) -> Floats:
    """Add the steps of a part of a series to what is known of a period.

    Parameters
    ----------
    state : ndarray, shape (..., 4, ny, nx), or None
        From the parts before; None for the first.
    values : ndarray, shape (..., k, ny, nx)
        Steps `first` to ``first + k - 1`` of the series, NaN where missing.
    share : Share
        Which steps count.
    first : int
        Position of the first step of `values`.
    reduction : Reduction
        Not of a median, which needs all steps at once.

    Returns
    -------
    ndarray, shape (..., 4, ny, nx)
    """
    planes = (*values.shape[:-3], PLANES, *values.shape[-2:])
    state = np.zeros(planes) if state is None else state.copy()
    known, count, value, spread = (state[..., i, :, :] for i in range(PLANES))
    kind = reduction.statistic
    for step, days, part in zip(share.steps, share.days, share.part, strict=True):
        if not first <= step < first + values.shape[-3]:
            continue
        x = values[..., step - first, :, :]
        valid = np.isfinite(x)
        known += np.where(valid, days, 0.0)
        if kind in ("mean", "sum"):
            weight = part if reduction.totals else days
            count += np.where(valid, weight, 0.0)
            value += np.where(valid, weight * x, 0.0)
        elif part >= _MOSTLY:
            _add_value(kind, x, valid, count, value, spread)
    return state


def _add_value(kind: str, x: Floats, valid: NDArray[np.bool_], count: Floats, value: Floats, spread: Floats) -> None:
    """Add one step to the extreme, or to the mean and the sum of squares around it (Welford's update)."""
    first = valid & (count == 0)
    count += valid
    if kind == "sd":
        change = np.where(valid, x - value, 0.0)
        value += change / np.maximum(count, 1.0)
        spread += np.where(valid, change * (x - value), 0.0)
        return
    better = np.fmin(value, x) if kind == "min" else np.fmax(value, x)
    value[...] = np.where(first, x, np.where(valid, better, value))


def finish(state: Floats, share: Share, reduction: Reduction) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the statistic of a period, and where it is missing although some days have a value.

    Parameters
    ----------
    state : ndarray, shape (..., 4, ny, nx)
        As :func:`update` gives it after the last part.

    Returns
    -------
    values : ndarray, shape (..., 1, ny, nx)
        NaN where fewer days than ``min_share`` of the period have a value. The sum over a period with gaps is scaled
        to the whole period, as if the missing days were like the others.
    lacking : ndarray of bool, shape (..., 1, ny, nx)
    """
    known, count, value, spread = (state[..., i : i + 1, :, :] for i in range(PLANES))
    kind, enough = reduction.statistic, 2 if reduction.statistic == "sd" else 0
    with np.errstate(invalid="ignore", divide="ignore"):
        if kind == "mean":
            result = value / count
        elif kind == "sum" and reduction.totals:
            result = value * (share.length / known)
        elif kind == "sum":
            result = value / count * (share.length * reduction.per_day)
        elif kind == "sd":
            result = np.sqrt(spread / (count - 1.0))
        else:
            result = value.copy()
    return _checked(result, known, count, enough, share, reduction)


def median(values: Floats, share: Share, reduction: Reduction) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the median of a period from the steps in it, as :func:`finish` does for the other statistics.

    Parameters
    ----------
    values : ndarray, shape (..., k, ny, nx)
        The steps of `share`, in its order.
    """
    days = share.days[:, None, None]
    known = np.where(np.isfinite(values), days, 0.0).sum(axis=-3, keepdims=True)
    own = np.where((share.part >= _MOSTLY)[:, None, None], values, np.nan)
    count = np.isfinite(own).sum(axis=-3, keepdims=True).astype(np.float64)
    # Missing values sort last, so the middle of the others is found by their number.
    ordered = np.sort(own, axis=-3)
    low, high = (np.maximum(count - i, 0).astype(np.intp) // 2 for i in (1, 0))
    pair = [np.take_along_axis(ordered, np.minimum(i, own.shape[-3] - 1), axis=-3) for i in (low, high)]
    return _checked(0.5 * (pair[0] + pair[1]), known, count, 1, share, reduction)


def _checked(
    result: Floats, known: Floats, count: Floats, enough: int, share: Share, reduction: Reduction
) -> tuple[Floats, NDArray[np.bool_]]:
    usable = (known >= reduction.min_share * share.length * (1.0 - _ROUNDING)) & (count > 0) & (count >= enough)
    return np.where(usable, result, np.nan), ~usable & (known > 0)


def reduce_series(values: Floats, share: Share, reduction: Reduction) -> Floats:
    """Return the statistic of one period of a whole series.

    Parameters
    ----------
    values : ndarray, shape (n,) or (n, ny, nx)
        All steps of the series, NaN where missing.
    share : Share
    reduction : Reduction

    Returns
    -------
    ndarray, shape () or (ny, nx)

    Examples
    --------
    >>> months = month_starts(2001, np.arange(1, 14))
    >>> year = shares(months[:-1], months[1:], [[(months[0], months[-1])]])[0]
    >>> float(reduce_series(np.arange(12.0), year, Reduction("sum", totals=True)))
    66.0
    """
    series = np.asarray(values, dtype=np.float64)
    planes = series.reshape(series.shape[0], *(series.shape[1:] or (1, 1)))
    if reduction.statistic == "median":
        result = median(planes[share.steps], share, reduction)[0]
    else:
        result = finish(update(None, planes, share, 0, reduction), share, reduction)[0]
    return np.asarray(result.reshape(series.shape[1:]))
