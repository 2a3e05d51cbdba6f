"""Series in the rows of a table: one for each group of rows, brought to common times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from soilql.context import Context
from soilql.errors import did_you_mean
from soilql.params import Ref
from soilql.values import Table

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_DECIMAL = "decimal year"


@dataclass(frozen=True, eq=False)
class GroupSeries:
    """The series of each group of rows.

    Attributes
    ----------
    keys : list of dict
        The columns that name each group.
    values : dict of str to array, shape (time, groups)
        Each wanted column; NaN where a group has no row of a time.
    times : array of float, shape (time,)
        Decimal years.
    labels : array, shape (time,)
        The times as the table writes them.
    """

    keys: list[dict[str, Any]]
    values: dict[str, np.ndarray[Any, Any]]
    times: np.ndarray[Any, Any]
    labels: np.ndarray[Any, Any]


def series_of(ctx: Context, table: Table, wanted: Mapping[str, tuple[Ref, tuple[str | int, ...]]]) -> GroupSeries:
    """Return the series of some columns of a table.

    Parameters
    ----------
    ctx : Context
        Of a step whose parameters have ``of``, ``groups`` and ``period``.
    table : Table
        With the role ``time``.
    wanted : mapping
        Reference to each column, and where the block names it.

    Raises
    ------
    SoilqlError
        There is no such column, or none with the role `time` (SQ704), a column is no number or the times are no years
        or dates (SQ709), no row lies in the period (SQ707), or a group has two rows of the same time (SQ708).
    """
    import numpy as np

    params = ctx.block.params
    columns = {name: _column(ctx, table, ref, path) for name, (ref, path) in wanted.items()}
    time = table.roles.get("time")
    if time is None:
        help = "a table that is read needs `roles: {time: COLUMN}`; one made of maps has times where they have"
        raise ctx.error("SQ704", f"`{params.of.block}` has no column with the role `time`", "of", help=help)
    groups = _groups(ctx, table, time, min(map(list(table.frame.columns).index, columns.values())))
    dated = table.frame[table.frame[time].notna()]
    if _is_text(dated[time]):
        dated = dated.assign(**{time: _dates(ctx, dated[time])})
    rows = _in_period(ctx, dated, time)
    first = rows.drop_duplicates(_DECIMAL).sort_values(_DECIMAL)
    axis = first[_DECIMAL].to_numpy()
    keys: list[dict[str, Any]] = []
    found: dict[str, list[np.ndarray[Any, Any]]] = {name: [] for name in wanted}
    for key, part in rows.groupby(groups, sort=False, dropna=False) if groups else [((), rows)]:
        named = dict(zip(groups, key, strict=True))
        _check_once(ctx, part, time, named)
        keys.append(named)
        at = np.searchsorted(axis, part[_DECIMAL])
        for name, column in columns.items():
            series = np.full(axis.size, np.nan)
            series[at] = part[column].to_numpy(dtype=float, na_value=float("nan"))
            found[name].append(series)
    stacked = {name: np.stack(series, axis=1) for name, series in found.items()}
    return GroupSeries(keys, stacked, axis, first[time].to_numpy())


def _column(ctx: Context, table: Table, ref: Ref, path: tuple[str | int, ...]) -> str:
    import pandas as pd

    name = ref.variable
    if name is None or name not in table.frame.columns:
        have = ", ".join(f"`{ref.block}.{column}`" for column in table.frame.select_dtypes("number").columns[:8])
        guess = did_you_mean(name or "", map(str, table.frame.columns)) if name else ""
        what = f"has no column `{name}`" if name else "is a table, of which one column is needed"
        raise ctx.error("SQ704", f"`{ref.block}` {what}", *path, help=guess or f"name one: {have}")
    if not pd.api.types.is_numeric_dtype(table.frame[name].dtype):
        raise ctx.error("SQ709", f"column `{name}` of `{ref.block}` holds no numbers", *path)
    return name


def _groups(ctx: Context, table: Table, time: str, values: int) -> list[str]:
    """Return the columns that tell series apart: those named, else all of text.

    Texts that stand behind the values, from position `values` on, may be remarks on them, such as where an interval is
    from: those that tell no more series apart are left out.
    """
    groups = ctx.block.params.groups
    columns = list(map(str, table.frame.columns))
    if groups is None:
        found: list[str] = []
        for i, name in enumerate(columns):
            if name != time and _is_text(table.frame[name]) and (i < values or _refines(table.frame, found, name)):
                found.append(name)
        return found
    for i, name in enumerate(groups):
        if name not in columns:
            message = f"`{ctx.block.params.of.block}` has no column `{name}`"
            raise ctx.error("SQ704", message, "groups", i, help=did_you_mean(name, columns))
    return [str(name) for name in groups]


def _refines(frame: pd.DataFrame, names: list[str], other: str) -> bool:
    """Return whether one more column tells more rows apart than some do."""
    before = len(frame.drop_duplicates(names)) if names else 1
    return len(frame.drop_duplicates([*names, other])) > before


def _is_text(column: pd.Series[Any]) -> bool:
    import pandas as pd

    return bool(column.dtype.kind == "O" or pd.api.types.is_string_dtype(column.dtype))


def _dates(ctx: Context, column: pd.Series[Any]) -> np.ndarray[Any, Any]:
    """Return the first day of each date that a text says: 2000, 2000-02 or 2000-02-18."""
    import numpy as np

    from soilql.io.dates import parse_date

    days = {}
    for text in column.unique():
        try:
            days[text] = np.datetime64(parse_date(str(text))[0], "ns")
        except ValueError as problem:
            message = f"column `{column.name}` of `{ctx.block.params.of.block}` has the role `time`: {problem}"
            raise ctx.error("SQ709", message, "of") from None
    return np.array([days[text] for text in column], "datetime64[ns]")


def _in_period(ctx: Context, rows: pd.DataFrame, time: str) -> pd.DataFrame:
    """Return the rows in the period, with their decimal years."""
    import numpy as np

    from soilql.io.years import decimal_years

    labels, period = rows[time], ctx.block.params.period
    stamps = labels.to_numpy() if labels.dtype.kind == "M" else labels.to_numpy(dtype=np.float64)
    rows = rows.assign(**{_DECIMAL: decimal_years(stamps) if len(stamps) else np.empty(0)})
    if period is not None:
        rows = rows[(rows[_DECIMAL] >= period[0]) & (rows[_DECIMAL] < np.floor(period[1]) + 1)]
    if rows.empty:
        where = "" if period is None else f" from {period[0]:g} to {period[1]:g}"
        message = f"`{ctx.block.params.of.block}` has no rows with a time{where}"
        raise ctx.error("SQ707", message, "of" if period is None else "period")
    return rows


def _check_once(ctx: Context, part: pd.DataFrame, time: str, named: Mapping[str, Any]) -> None:
    twice = part.loc[part[_DECIMAL].duplicated(), time]
    if len(twice):
        where = ", ".join(f"{key} {value}" for key, value in named.items())
        label = twice.iloc[0]
        when = f"{label:.10g}" if isinstance(label, int | float) else str(label)[:10]
        message = f"{len(part)} rows{' of ' + where if where else ''} have {when} more than once"
        help = "name the columns that tell the series apart under `groups`, or average the rows first"
        raise ctx.error("SQ708", message, "of" if ctx.block.params.groups is None else "groups", help=help)
