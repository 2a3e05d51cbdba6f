"""The map is of years without any observation.

A model that learned from the observations of some years is used for others: methods, the places studied and the
climate were different then. What it says of a trend beyond its data is the trend of its drivers.

Bad::

    rs: {kind: predict, model: qrf, on: climate_1901_2020}         # observed from 1987 to 2016

Good::

    rs: {kind: predict, model: qrf, on: climate_1987_2016}
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from soilql import design
from soilql.errors import Diagnostic, Severity
from soilql.study.words import counted
from soilql.values import Grid

if TYPE_CHECKING:
    from soilql.study.study import Study

CODE = "SQ648"
TITLE = "prediction for years without observations"

#: Years from which on a column of times is read as years of the calendar.
_FIRST, _LAST = 1700, 2300


def check(study: Study) -> Iterator[Diagnostic]:
    """Yield a warning for each prediction over time that goes beyond the times of the training rows."""
    for prediction, model in design.mappings(study.spec):
        grid = study.grid(prediction.params.on.block)
        data = getattr(model.params, "data", None)
        table, rows = (None, None) if data is None else (study.table(data.block), study.rows(model))
        if grid is None or table is None or rows is None or "time" not in table.roles or "time" not in grid.data.dims:
            continue
        observed, mapped = _years(table.frame[table.roles["time"]].to_numpy()[rows.positions]), _grid_years(grid)
        if observed is None or mapped is None:
            continue
        beyond = sorted({year for year in mapped if year < min(observed) or year > max(observed)})
        if beyond:
            message = f"`{prediction.params.on}` has {counted(len(beyond), 'year')} without observations"
            label = f"observed {min(observed)} to {max(observed)}, mapped {min(mapped)} to {max(mapped)}"
            help = "map the years that were observed, or say that the others rest on the drivers alone"
            yield Diagnostic(CODE, message, prediction.span("on"), label, help, Severity.WARNING)


def _grid_years(grid: Grid) -> set[int] | None:
    return _years(grid.data["time"].to_numpy())


def _years(values: Any) -> set[int] | None:
    """Return the years of dates, or of numbers that are years; None for others."""
    import numpy as np

    if values.dtype.kind == "M":
        return {int(year) + 1970 for year in values.astype("datetime64[Y]").astype(int)}
    if values.dtype.kind not in "iuf":
        return None
    years = {int(np.floor(value)) for value in values if np.isfinite(value)}
    return years if years and min(years) >= _FIRST and max(years) <= _LAST else None
