"""Labels of time axes: dates where a file counts from a date, whole years where it has one step a year.

Files label a month by its first, its middle or its last day, and model calendars have days that no other has. Here a
step of known length is labelled by the day on which it begins.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from soilql.errors import Span
from soilql.io.layers import unreadable

if TYPE_CHECKING:
    import xarray as xr

Array: TypeAlias = "np.ndarray[Any, Any]"

#: Lengths that a step may have, as a spec says them.
STEPS = ("year", "month", "16-day", "8-day", "day")
_SINCE = re.compile(r"(common_)?(month|year)s? since (-?\d+)-(\d+)(?:-(\d+))?", re.IGNORECASE)
# Years whose dates count in nanoseconds.
_NANOSECONDS = (1678, 2261)
_DAYS = {"16-day": 16, "8-day": 8, "day": 1}
# Missing steps that a note lists.
_SHOWN = 8


def time_labels(data: xr.Dataset, dim: str, path: Path, span: Span | None = None) -> Array:
    """Return the labels of a dimension.

    Parameters
    ----------
    data : xarray.Dataset
        Opened without decoding its times.
    dim : str
        The dimension.
    path : Path
        Of the file.
    span : Span, optional
        Where the spec names the file.

    Returns
    -------
    ndarray, shape (n,)
        datetime64[ns] where the units are ``... since ...``, in the civil calendar (a 30 February of a model
        calendar becomes the last day of February), or where numbers are written as 200001 or 20000131; the numbers as
        they are otherwise; 0, 1, ... without labels. Labels that stand at the end of their bounds, as those of CESM do,
        are taken from the beginning, so that the mean of January is not one of February.
    """
    if dim not in data.variables:
        return np.arange(data.sizes[dim])
    variable = data.variables[dim]
    try:
        values = np.asarray(variable.values)
    except (RuntimeError, OSError) as error:
        raise unreadable(path, error, span) from None
    units = str(variable.attrs.get("units", ""))
    if " since " not in units:
        return written_dates(values)
    values = _begun(values, _bounds(data, variable, path, span))
    if months := _SINCE.match(units):
        return _counted(values, months)
    calendar = str(variable.attrs.get("calendar", "standard"))
    return _civil_dates(values, units, calendar)


def _bounds(data: xr.Dataset, variable: xr.Variable, path: Path, span: Span | None) -> Array | None:
    """Return the beginning and end of each step, counted as its labels are; None where the file does not say them."""
    bounds = data.variables.get(str(variable.attrs.get("bounds", "")))
    if bounds is None or bounds.shape != (variable.size, 2) or bounds.dtype.kind not in "iuf":
        return None
    if bounds.attrs.get("units", variable.attrs["units"]) != variable.attrs["units"]:
        return None
    try:
        return np.asarray(bounds.values, dtype=np.float64)
    except (RuntimeError, OSError) as error:
        raise unreadable(path, error, span) from None


def _begun(values: Array, bounds: Array | None) -> Array:
    """Return the beginnings of steps whose labels all stand at their ends; else the labels as they are."""
    if bounds is None or values.dtype.kind not in "iuf" or not np.isfinite(bounds).all():
        return values
    length = bounds[:, 1] - bounds[:, 0]
    at_end = np.abs(values - bounds[:, 1]) <= 1e-6 * length
    return bounds[:, 0] if values.size and np.all(length > 0) and at_end.all() else values


def _civil_dates(values: Array, units: str, calendar: str) -> Array:
    """Return dates of any calendar in the civil one; decimal years beyond what nanoseconds can hold."""
    import cftime  # type: ignore[import-untyped]

    exact: Any = cftime.num2date
    try:
        dates = np.atleast_1d(exact(np.ma.masked_invalid(values), units, calendar, only_use_cftime_datetimes=True))
    except (ValueError, OverflowError):
        return values
    if np.ma.getmaskarray(dates).any():
        return values
    years = np.array([date.year for date in dates])
    if years.size and not (_NANOSECONDS[0] <= years.min() and years.max() <= _NANOSECONDS[1]):
        return np.array([date.year + (date.dayofyr - 1) / 366 for date in dates])
    return np.array([_civil(date) for date in dates], dtype="datetime64[ns]")


def _civil(date: Any) -> np.datetime64:
    """Return a date of a model calendar in the civil one, cut to the length of its month."""
    month = np.datetime64(f"{date.year:04d}-{date.month:02d}", "M")
    length = int(((month + 1).astype("datetime64[D]") - month.astype("datetime64[D]")).astype(int))
    day = month.astype("datetime64[D]") + np.timedelta64(min(date.day, length) - 1, "D")
    seconds = date.hour * 3600 + date.minute * 60 + date.second
    return np.datetime64(day.astype("datetime64[s]") + np.timedelta64(seconds, "s"), "ns")


def _counted(values: Array, units: re.Match[str]) -> Array:
    """Return dates counted in months or years, which the calendars of CF leave out as their length differs."""
    first = (int(units[3]) - 1970) * 12 + int(units[4]) - 1
    months = np.floor(np.asarray(values, dtype=np.float64) * (12 if units[2].lower() == "year" else 1) + 1e-6)
    if not np.isfinite(months).all():
        return values
    return (first + months.astype(np.int64)).astype("datetime64[M]").astype("datetime64[ns]")


def written_dates(values: Array) -> Array:
    """Return dates for 200001, 20000131 or 20000131.5, and for years in twelfths; other numbers as they are."""
    if values.dtype.kind == "M":
        return values.astype("datetime64[ns]")
    if values.dtype.kind not in "iuf" or not values.size or not np.isfinite(values).all():
        return values
    if np.abs(values).max() >= 1e15:
        return values
    whole = np.floor(values).astype(np.int64)
    if not np.array_equal(whole, values) and whole.min() < 10_000_000:
        twelfths = (np.asarray(values, dtype=np.float64) - whole) * 12
        spacing = np.diff(np.asarray(values, dtype=np.float64))
        is_monthly = values.size > 1 and whole.min() > 999 and np.abs(spacing - 1 / 12).max() < 0.005
        months = (whole - 1970) * 12 + np.floor(twelfths + 0.05).astype(np.int64)
        return months.astype("datetime64[M]").astype("datetime64[ns]") if is_monthly else values
    if whole.min() >= 100_000 and whole.max() < 1_000_000:
        whole = whole * 100 + 1
    if whole.min() < 10_000_000 or whole.max() >= 100_000_000:
        return values
    try:
        days = np.array([datetime.datetime.strptime(str(n), "%Y%m%d") for n in whole], dtype="datetime64[ns]")
    except ValueError:
        return values
    # As CDO writes times of day: 20000131.5 is noon.
    seconds = np.rint((values - np.floor(values)) * 86400) if values.dtype.kind == "f" else np.zeros(values.shape)
    return np.asarray(days + seconds.astype(np.int64).astype("timedelta64[s]"))


def at_start(labels: Array, step: str | None) -> Array:
    """Return labels at the start of their steps: whole years for ``year``, the first of the month for ``month``.

    Parameters
    ----------
    labels : ndarray of datetime64 or of years, shape (n,)
    step : str or None
        One of :data:`STEPS`; None leaves the labels as they are.

    Returns
    -------
    ndarray of int64 or datetime64[ns], shape (n,)

    Examples
    --------
    >>> at_start(np.array(["2000-01-16T12"], "datetime64[ns]"), "month").astype(str).tolist()
    ['2000-01-01T00:00:00.000000000']
    """
    if labels.dtype.kind != "M":
        # Beyond that lie codes of missing values.
        if labels.dtype.kind == "f" and not np.all(np.abs(labels) < 1e15):
            return labels
        whole = np.floor(labels) if labels.dtype.kind == "f" else labels
        return labels.astype(np.int64) if np.array_equal(whole, labels) else labels
    if step == "year":
        return labels.astype("datetime64[Y]").astype(np.int64) + 1970
    if step is None:
        return labels
    return labels.astype("datetime64[M]" if step == "month" else "datetime64[D]").astype("datetime64[ns]")


def following(start: datetime.date, step: str, count: int) -> Array:
    """Return the labels of steps one after the other.

    Parameters
    ----------
    start : date
        On which the first step begins.
    step : str
        One of :data:`STEPS`.
    count : int
        How many.

    Returns
    -------
    ndarray of datetime64[ns], shape (count,)

    Examples
    --------
    >>> following(datetime.date(2000, 12, 26), "8-day", 2).astype("datetime64[D]").astype(str).tolist()
    ['2000-12-26', '2001-01-01']
    """
    first = np.datetime64(start, "D")
    if step in ("year", "month"):
        months = first.astype("datetime64[M]") + np.arange(count) * (12 if step == "year" else 1)
        return np.asarray(months.astype("datetime64[ns]"))
    days = _DAYS[step]
    if days == 1:
        return np.asarray((first + np.arange(count)).astype("datetime64[ns]"))
    a_year = -(-365 // days)
    position = (start.timetuple().tm_yday - 1) // days
    year, within = np.divmod(position + np.arange(count), a_year)
    january = (start.year - 1970 + year).astype("datetime64[Y]").astype("datetime64[D]")
    return np.asarray((january + within * days).astype("datetime64[ns]"))


def expected(labels: Array, step: str | None) -> Array:
    """Return the labels that a gapless series from the first to the last label has.

    Parameters
    ----------
    labels : ndarray of int (years) or datetime64, shape (n,)
        At the start of their steps, rising.
    step : str or None
        Their length; ``year`` for years.
    """
    if labels.dtype.kind != "M":
        is_years = labels.dtype.kind in "iu" and labels.size and labels[0] > 999 and labels[-1] < 3000
        return np.arange(labels[0], labels[-1] + 1) if is_years else labels
    if step is None or labels.size < 2:
        return labels
    shortest = 365 if step == "year" else 28 if step == "month" else 5 if step == "8-day" else _DAYS.get(step, 1) - 4
    span = int((labels[-1] - labels[0]).astype("timedelta64[D]").astype(int))
    first = labels[0].astype("datetime64[D]").astype(datetime.date)
    series = following(first, step, span // max(1, shortest) + 2)
    return np.asarray(series[series <= labels[-1]])


def label_text(label: Any, step: str | None = None) -> str:
    """Return a label as people write it.

    Examples
    --------
    >>> label_text(np.datetime64("2000-02-01", "ns"), "month"), label_text(np.int64(2000))
    ('2000-02', '2000')
    """
    if np.asarray(label).dtype.kind != "M":
        return f"{label:g}" if np.asarray(label).dtype.kind == "f" else str(label)
    units: dict[str | None, Any] = {"year": "Y", "month": "M"}
    return str(np.datetime64(label, units.get(step, "D")))


def gap_text(labels: Array, step: str | None) -> str:
    """Return which steps a series lacks, in words; empty where it lacks none.

    Examples
    --------
    >>> gap_text(np.array([1993, 1995, 1996]), "year")
    'lacks 1 of 4 years: 1994'
    """
    whole = expected(labels, step)
    absent = whole[~np.isin(whole, labels)]
    # Composites that begin anew on another day than 1 January are not expected anywhere.
    if not absent.size or not np.isin(labels, whole).all():
        return ""
    word = {None: "steps", "year": "years", "month": "months", "day": "days"}.get(step, f"{step} composites")
    word = "years" if labels.dtype.kind != "M" else word
    shown = [label_text(label, step) for label in absent[:_SHOWN]]
    more = f" and {absent.size - _SHOWN} more" if absent.size > _SHOWN else ""
    return f"lacks {absent.size} of {whole.size} {word}: {', '.join(shown)}{more}"


def within(labels: Array, first: datetime.date, last: datetime.date) -> Array:
    """Return which labels lie in a period, both days included; a year lies in it if its first of January does.

    Parameters
    ----------
    labels : ndarray of years or datetime64, shape (n,)
    first, last : date
    """
    if labels.dtype.kind == "M":
        days = labels.astype("datetime64[D]")
        return np.asarray((days >= np.datetime64(first)) & (days <= np.datetime64(last)))
    years = np.floor(np.asarray(labels, dtype=np.float64))
    starts_late = (first.month, first.day) != (1, 1)
    return np.asarray((years >= first.year + starts_late) & (years <= last.year))


def is_rising(labels: Array) -> bool:
    """Return whether labels are times of which each follows the one before."""
    if labels.dtype.kind == "M":
        return bool(not np.isnat(labels).any() and np.all(np.diff(labels) > np.timedelta64(0)))
    return bool(labels.dtype.kind in "iuf" and np.isfinite(labels).all() and np.all(np.diff(labels) > 0))


def joined_labels(parts: Sequence[Array]) -> Array:
    """Return the labels of several files one after the other; dates and years mixed become dates."""
    if len({part.dtype.kind == "M" for part in parts}) == 1:
        return np.concatenate(parts)
    dates = [
        part
        if part.dtype.kind == "M"
        else (np.floor(part).astype(np.int64) - 1970).astype("datetime64[Y]").astype("datetime64[ns]")
        for part in parts
    ]
    return np.concatenate(dates)
