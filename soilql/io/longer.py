"""Tables with one column a month or year, turned into one row a month or year."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow

from soilql.errors import Diagnostic, SoilqlError, Span
from soilql.io.dates import Pattern, precision_of, start_of
from soilql.io.tables import Cells, RawTable

# pyarrow carries no types of its own.
pa: Any = pyarrow


@dataclass(frozen=True)
class Timed:
    """A column that holds the values of one variable at one time.

    Attributes
    ----------
    column : str
        Its name in the file.
    start : date
        First day of the year, month or day that it is of.
    precision : {"year", "month", "day"}
    """

    column: str
    start: datetime.date
    precision: str


def timed_columns(
    columns: Iterable[str],
    pattern: Pattern,
    to: str | None,
    known: Mapping[str, str] | None = None,
    file: str = "",
    span: Span | None = None,
) -> dict[str, list[Timed]]:
    """Return the columns whose names tell a time, by variable and in the order of time.

    Parameters
    ----------
    columns : iterable of str
        Names of the columns of a file.
    pattern : Pattern
        Of those names.
    to : str or None
        What the variable is called; by default as the pattern tells.
    known : mapping of str to str, optional
        Parts of the date that the name of the file tells, such as the year.
    file : str
        Its name, for messages.
    span : Span, optional
        Where the spec gives the pattern.

    Raises
    ------
    SoilqlError
        SQ704 where no column fits, SQ731 where the year is unknown, SQ710 for two columns of one time.

    Examples
    --------
    >>> from soilql.io.dates import compile_pattern
    >>> found = timed_columns(["site", "1960_2", "1960_1"], compile_pattern("%Y_%m"), "T")
    >>> [(item.column, str(item.start)) for item in found["T"]]
    [('1960_1', '1960-01-01'), ('1960_2', '1960-02-01')]
    """
    found: dict[str, list[Timed]] = {}
    for column in columns:
        match = pattern.match(column)
        if match is None or match.parts.keys() == {"name"}:
            continue
        parts = {**(known or {}), **match.parts}
        start = start_of(parts)
        if start is None:
            message = f"column `{column}` of `{file}` tells no year"
            help = "let the names of the files tell it: `time: {pattern: ...%Y...}`, or write %Y in `columns`"
            raise SoilqlError(Diagnostic("SQ731", message, span, help=help))
        name = to or match.parts.get("name", "").strip("._- ") or "value"
        found.setdefault(name, []).append(Timed(column, start, precision_of(parts) or "year"))
    if not found:
        shown = ", ".join(f"`{name}`" for name in list(columns)[:8])
        message = f"no column of `{file}` fits the pattern `{pattern.text}`"
        raise SoilqlError(Diagnostic("SQ704", message, span, help=f"its columns: {shown}"))
    for name, items in found.items():
        items.sort(key=lambda item: item.start)
        for one, other in pairwise(items):
            if one.start == other.start:
                message = f"`{one.column}` and `{other.column}` of `{file}` both hold `{name}` of {one.start}"
                raise SoilqlError(Diagnostic("SQ710", message, span, help="make the pattern tell them apart"))
    return found


def lengthen(raw: RawTable, pattern: Pattern, to: str | None, time: str, span: Span | None = None) -> RawTable:
    """Return a table with one row for each row and time.

    Parameters
    ----------
    raw : RawTable
        As read.
    pattern : Pattern
        Of the names of the columns that hold one time each.
    to : str or None
        Column of their values; by default as the pattern tells.
    time : str
        Column of times: whole years, or dates at the start of months or days. Beside dates, `year` and `month` are
        columns of their own where the table has none of that name.
    span : Span, optional
        Where the spec asks for it.

    Raises
    ------
    SoilqlError
        As :func:`timed_columns`; SQ710 where a new column has the name of one that stays, SQ708 where the variables
        have different times.
    """
    file = raw.origin[0][0]
    found = timed_columns(raw.cells, pattern, to, None, file, span)
    taken = {item.column for items in found.values() for item in items}
    kept = {name: cells for name, cells in raw.cells.items() if name not in taken}
    series = next(iter(found.values()))
    for name, items in found.items():
        if [item.start for item in items] != [item.start for item in series]:
            message = f"`{name}` and `{next(iter(found))}` of `{file}` have different times"
            raise SoilqlError(Diagnostic("SQ708", message, span, help="turn them into rows in two tables"))
    new = _times(series, time, kept)
    for name in (*found, *new):
        if name in kept:
            message = f"`{file}` already has a column `{name}`"
            raise SoilqlError(Diagnostic("SQ710", message, span, help="give the new one another name: `to`, `time`"))
    rows, count = len(raw), len(series)
    again = pa.array(np.repeat(np.arange(rows), count))
    cells = {name: Cells(column.stored.take(again), column.decimal) for name, column in kept.items()}
    cells |= {name: Cells(pa.chunked_array([np.tile(values, rows)])) for name, values in new.items()}
    woven = pa.array((np.arange(count) * rows + np.arange(rows)[:, None]).ravel())
    for name, items in found.items():
        columns = [raw.cells[item.column] for item in items]
        stored = pa.chunked_array([chunk for column in columns for chunk in column.stored.chunks])
        cells[name] = Cells(stored.take(woven), columns[0].decimal)
    origin = tuple((name, np.repeat(np.asarray(lines), count).tolist(), word) for name, lines, word in raw.origin)
    return RawTable(cells, origin, raw.notes)


def _times(series: list[Timed], time: str, kept: Mapping[str, Cells]) -> dict[str, Any]:
    starts = np.array([item.start for item in series], dtype="datetime64[ns]")
    years = np.array([float(item.start.year) for item in series])
    if all(item.precision == "year" for item in series):
        return {time: years}
    months = np.array([float(item.start.month) for item in series])
    beside = {"year": years, "month": months}
    return {time: starts} | {name: values for name, values in beside.items() if name not in kept and name != time}
