"""Partial correlations of the series in a table."""

from __future__ import annotations

from soilql.context import Context
from soilql.series.correlation_rows import correlation_table
from soilql.series.groups import series_of
from soilql.series.parts import resolve
from soilql.values import Table


def of_table(ctx: Context, table: Table) -> Table:
    """Return the partial correlations of each group of rows of a table; one row a group and driver.

    Raises
    ------
    SoilqlError
        As :func:`soilql.series.groups.series_of` says; drivers that sum to a constant (SQ632).
    """
    import numpy as np

    params = ctx.block.params
    places = {"of": (params.of, ("of",))} | {
        f"driver {name}": (ref, params.path(name)) for name, ref in params.refs.items()
    }
    found = series_of(ctx, table, places)
    response = found.values["of"]
    given = np.stack([found.values[f"driver {name}"] for name in params.named])
    drivers = resolve(ctx, params.named, given)
    return correlation_table(params, found.keys, response, given, drivers, found.times)
