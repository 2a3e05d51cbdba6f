"""Coordinates of a table's rows: within their range, and longitudes in one convention."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from soilql.errors import Severity
from soilql.values import Note, Table


def checked(table: Table) -> Table:
    """Return the table without rows whose coordinates are impossible, and with longitudes in -180..180.

    Rows without coordinates stay. Longitudes from 180 to 360 are taken to count eastward where no longitude of the
    table is negative; beside negative ones they are mistakes.

    Parameters
    ----------
    table : Table
        With or without the roles ``lat`` and ``lon``.
    """
    keep = np.ones(len(table.frame), dtype=bool)
    notes: list[Note] = []
    frame = table.frame
    for axis, limit in (("lat", 90.0), ("lon", 180.0)):
        column = table.roles.get(axis)
        if column is None:
            continue
        values = frame[column].to_numpy(dtype=np.float64)
        if axis == "lon" and not (values < 0).any() and (values > 180).any():
            turned = np.where((values > 180) & (values <= 360), values - 360.0, values)
            frame = frame.assign(**{column: turned})
            message = f"longitudes in `{column}` run from 0 to 360 and were turned to -180..180"
            notes.append(Note("SQ720", message, Severity.INFO))
            values = turned
        outside = np.abs(values) > limit
        if outside.any():
            worst = values[np.flatnonzero(outside)[0]]
            count = int(outside.sum())
            rows = "1 row" if count == 1 else f"{count:,} rows"
            message = f"{rows} left out: `{column}` beyond {limit:g} degrees, such as {worst:g}"
            notes.append(Note("SQ721", message))
            keep &= ~outside
    if not notes:
        return table
    changed = replace(table, frame=frame, notes=(*table.notes, *notes))
    return changed if keep.all() else changed.rows(keep)
