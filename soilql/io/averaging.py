"""Means over the rows of a table that share a place, a year or another key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from soilql.values import Note, Table


def average(table: Table, of: Sequence[str], by: Sequence[str], min_count: int = 1) -> Table:
    """Average columns by groups of rows.

    Parameters
    ----------
    table : Table
    of : sequence of str
        Columns of numbers. Each also gets ``<name>_n``, the number of its values, and ``<name>_sd``, their standard
        deviation (ddof 1, NaN for a single value).
    by : sequence of str
        Columns whose values make a group.
    min_count : int
        Values that a mean needs. A mean of fewer is NaN, and a group without any mean is left out.

    Returns
    -------
    Table
        One row a group, sorted by the keys, which keep their roles. Rows without a key or without any value are
        counted in notes.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = Table(pd.DataFrame({"site": ["b", "a", "a"], "Rs": [5.0, 1.0, 3.0]}), {"Rs": "g m-2"})
    >>> print(average(rows, ["Rs"], ["site"]).frame)
      site   Rs  Rs_n     Rs_sd
    0    a  2.0     2  1.414214
    1    b  5.0     1       NaN
    """
    keys, values = list(dict.fromkeys(by)), list(dict.fromkeys(of))
    frame = table.frame
    no_key = frame[keys].isna().any(axis=1)
    no_value = frame[values].isna().all(axis=1) & ~no_key
    used = frame[~(no_key | no_value)]
    grouped = used.groupby(keys, sort=True, dropna=True)
    result = grouped[values].mean()
    counts, spread = grouped[values].count(), grouped[values].std(ddof=1)
    for name in values:
        result[f"{name}_n"] = counts[name]
        result[f"{name}_sd"] = spread[name]
        few = counts[name] < min_count
        result.loc[few, [name, f"{name}_sd"]] = np.nan
    empty = result[values].isna().all(axis=1)
    result = result[~empty].reset_index()
    ordered = [*keys, *(column for name in values for column in (name, f"{name}_n", f"{name}_sd"))]
    units = {name: table.units[name] for name in (*keys, *values) if name in table.units}
    units |= {f"{name}_sd": units[name] for name in values if name in units}
    units |= {f"{name}_n": "1" for name in values}
    notes = _notes(int(no_key.sum()), keys, int(no_value.sum()), values, int(empty.sum()), min_count)
    roles = {role: column for role, column in table.roles.items() if column in keys}
    return replace(table, frame=result[ordered], units=units, roles=roles, notes=(*table.notes, *notes))


def _notes(
    no_key: int, keys: Sequence[str], no_value: int, values: Sequence[str], few: int, min_count: int
) -> list[Note]:
    found = []
    listed = ", ".join(f"`{name}`" for name in values)
    if no_key:
        found.append(f"{no_key:,} rows without {' or '.join(f'`{name}`' for name in keys)} left out of the averages")
    if no_value:
        found.append(f"{no_value:,} rows without {listed} left out of the averages")
    if few:
        found.append(f"{few:,} groups with fewer than {min_count} values of {listed} left out")
    return [Note("SQ729", message) for message in found]
