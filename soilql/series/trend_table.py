"""Trends of the series in a table."""

from __future__ import annotations

from soilql.context import Context
from soilql.series.groups import series_of
from soilql.series.trend_rows import check_times, trend_table
from soilql.values import Table


def of_table(ctx: Context, table: Table) -> Table:
    """Return the trend of each group of rows of a table; one row a group.

    Raises
    ------
    SoilqlError
        As :func:`soilql.series.groups.series_of` says; the test needs evenly spaced times (SQ813).
    """
    params = ctx.block.params
    found = series_of(ctx, table, {"of": (params.of, ("of",))})
    check_times(ctx, found.times, found.labels)
    unit = table.units.get(str(params.of.variable))
    return trend_table(params, found.keys, found.values["of"], found.times, found.labels, unit)
