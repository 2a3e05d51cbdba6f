"""Partial correlations of named series as rows of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from soilql.series.parts import Drivers
from soilql.series.trend_rows import names_of
from soilql.values import Note, Table

if TYPE_CHECKING:
    import numpy as np


def statuses() -> dict[int, str]:
    """Return what the codes of the status mean: ``{0: "done", 1: "too short", ...}``."""
    from soilql.stats.partial_correlation import CorrelationStatus

    return {int(one): one.name.lower().replace("_", " ") for one in CorrelationStatus}


def correlation_table(
    params: Any,
    keys: Sequence[Mapping[str, Any]],
    response: np.ndarray[Any, Any],
    given: np.ndarray[Any, Any],
    drivers: Drivers,
    times: np.ndarray[Any, Any],
) -> Table:
    """Return the correlations of each series with each driver, one row each.

    Parameters
    ----------
    params : Params
        Of the `partial_correlation` block.
    keys : sequence of mapping
        The columns that name each series.
    response : array, shape (time, series)
        NaN for gaps.
    given : array, shape (drivers of the spec, time, series)
        NaN for gaps.
    drivers : Drivers
        What is made of them.
    times : array, shape (time,)
        Decimal years.
    """
    import pandas as pd

    from soilql.stats.partial_correlation import partial_correlations

    found = partial_correlations(response, drivers.of(given), times, detrend=params.detrend == "linear")
    meaning = statuses()
    rows = []
    for i, key in enumerate(keys):
        for k, driver in enumerate(drivers.names):
            rows.append(
                {
                    **key, "driver": driver, "n": int(found.n[i]), "df": int(found.df[i]), "r": found.r[k, i],
                    "t": found.t[k, i], "p": found.p[k, i], "significant": bool(found.p[k, i] < params.level),
                    "status": meaning[int(found.status[i])],
                }
            )  # fmt: skip
    bad = [(key, meaning[int(code)]) for key, code in zip(keys, found.status, strict=True) if code != 0]
    notes = []
    for status in dict.fromkeys(word for _, word in bad):
        named = [" ".join(dict.fromkeys(map(str, key.values()))) or "the series" for key, word in bad if word == status]
        shown = ", ".join(named[:5]) + (f" and {len(named) - 5} more" if len(named) > 5 else "")
        first = next(i for i, code in enumerate(found.status) if meaning[int(code)] == status)
        why = _why(params, found.status[first], drivers.of(given)[:, :, first], drivers.names, times)
        notes.append(Note("SQ802", f"no partial correlations of {shown}: {status}{why}"))
    return Table(pd.DataFrame(rows), notes=(*drivers.notes, *notes))


def _why(
    params: Any, status: int, given: np.ndarray[Any, Any], names: Sequence[str], times: np.ndarray[Any, Any]
) -> str:
    """Name the drivers that a series has no correlations for."""
    from soilql.stats.partial_correlation import CorrelationStatus

    detrended = params.detrend == "linear"
    if status == CorrelationStatus.SINGULAR and (bound := _dependent(given, names)):
        return f", as {' and '.join(f'`{name}`' for name in bound)} follow from one another"
    if status == CorrelationStatus.CONSTANT_DRIVER and (still := _constant(given, names, times if detrended else None)):
        line = " but for its line in time" if detrended else ""
        return f", as {' and '.join(f'`{name}`' for name in still)} does not vary{line}"
    return ""


def _dependent(given: np.ndarray[Any, Any], names: Sequence[str]) -> list[str]:
    """Return the drivers, of shape (drivers, time), that are linear functions of others."""
    import numpy as np

    x = given[:, np.isfinite(given).all(axis=0)]
    x = x - x.mean(axis=1, keepdims=True)
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    _, sizes, directions = np.linalg.svd(x.T, full_matrices=True)
    null = directions[np.flatnonzero(np.pad(sizes, (0, len(x) - sizes.size)) < 1e-4)]
    return [name for name, weights in zip(names, np.abs(null).T, strict=True) if weights.size and weights.max() > 1e-3]


def _constant(given: np.ndarray[Any, Any], names: Sequence[str], times: np.ndarray[Any, Any] | None) -> list[str]:
    """Return the drivers, of shape (drivers, time), that do not vary, or along a line in time alone."""
    import numpy as np

    there = np.isfinite(given).all(axis=0)
    basis = np.ones((int(there.sum()), 1))
    if times is not None:
        basis = np.column_stack([basis, times[there] - times[there].mean()])
    left = given[:, there].T - basis @ np.linalg.lstsq(basis, given[:, there].T, rcond=None)[0]
    size = np.abs(given[:, there]).max(axis=1)
    return [name for name, rest, one in zip(names, np.abs(left).max(axis=0), size, strict=True) if rest <= 1e-9 * one]


def lines(table: Table) -> list[str]:
    """Say the correlations of each series in a line: ``global  TEM 0.67*  PRE -0.12``."""
    frame = table.frame
    keys = list(frame.columns[: list(frame.columns).index("driver")])
    groups: dict[str, list[dict[Any, Any]]] = {}
    for name, row in zip(names_of(frame, keys), frame.to_dict("records"), strict=True):
        groups.setdefault(name, []).append(row)
    width = max(map(len, groups), default=0)
    found = []
    for name, rows in groups.items():
        if rows[0]["status"] != "done":
            found.append(f"{name:<{width}} {rows[0]['status']}".lstrip())
            continue
        parts = [f"{row['driver']} {row['r']:+.2f}{'*' if row['significant'] else ''}" for row in rows]
        found.append(f"{name:<{width}} {'  '.join(parts)}  ({rows[0]['df']} degrees of freedom)".lstrip())
    return found
