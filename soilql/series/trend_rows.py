"""Trends of named series as rows of a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from soilql.context import Context
from soilql.series.units import slope_unit
from soilql.values import Note, Table

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

#: Fewer values than this hardly ever make a trend significant.
FEW = 8
#: Names of the classes of trends by their code (Huang et al. 2020).
CLASSES = {
    -2: "significant decrease",
    -1: "slight decrease",
    0: "stable",
    1: "slight increase",
    2: "significant increase",
}


def statuses() -> dict[int, str]:
    """Return what the codes of the status mean: ``{0: "done", 1: "too short", ...}``."""
    from soilql.stats.trend import TrendStatus

    return {int(one): one.name.lower().replace("_", " ") for one in TrendStatus}


def asked(params: Any, interval: str) -> dict[str, Any]:
    """Return the parameters of a `trend` block as :func:`soilql.stats.trend.trends` takes them."""
    return {
        "test": params.test,
        "slope": params.slope,
        "p_value": params.p_value,
        "interval": interval,
        "level": params.confidence,
        "replicates": params.replicates,
        "seed": params.seed,
        "least": params.least,
    }


def trend_table(
    params: Any,
    keys: Sequence[Mapping[str, Any]],
    values: np.ndarray[Any, Any],
    times: np.ndarray[Any, Any],
    labels: np.ndarray[Any, Any],
    unit: str | None,
) -> Table:
    """Return the trend of each series.

    Parameters
    ----------
    params : Params
        Of the `trend` block.
    keys : sequence of mapping
        The columns that name each series.
    values : array, shape (time, series)
        NaN for gaps.
    times : array, shape (time,)
        Decimal years.
    labels : array, shape (time,)
        The times as they are written out.
    unit : str or None
        Of the values.

    Returns
    -------
    Table
        ``n``, ``first``, ``last``, ``slope``, ``lower``, ``upper``, ``p``, ``s``, ``z``, ``tau``, ``lag1``, ``start``
        (the line at the first time), ``change`` with its interval, ``relative_change``, ``significant``, ``class``,
        ``status``. Each series changes between its own first and last value, which other series may not share.
    """
    import numpy as np
    import pandas as pd

    from soilql.io.years import is_yearly
    from soilql.stats.theil_sen import net_change, relative_change
    from soilql.stats.trend import trend_classes, trends

    found = trends(values, times, **asked(params, params.interval))
    classes = trend_classes(found.slope, found.p, params.level)
    meaning = statuses()
    changed = {"change": found.slope, "change_lower": found.lower, "change_upper": found.upper}
    rows = []
    for i, key in enumerate(keys):
        present = np.flatnonzero(np.isfinite(values[:, i]))
        first, last = (labels[present[0]], labels[present[-1]]) if present.size else (None, None)
        begin, end = (float(t) for t in times[present[[0, -1]]]) if present.size else (np.nan, np.nan)
        rows.append(
            {
                **key, "n": int(found.n[i]), "first": first, "last": last,
                "slope": found.slope[i], "lower": found.lower[i], "upper": found.upper[i],
                "p": found.p[i], "s": found.s[i], "z": found.z[i], "tau": found.tau[i], "lag1": found.lag1[i],
                "start": found.intercept[i] + found.slope[i] * begin,
                **{name: float(net_change(one[i], begin, end)) for name, one in changed.items()},
                "relative_change": float(relative_change(found.slope[i], found.intercept[i], begin, end)),
                "significant": bool(found.p[i] < params.level),
                "class": CLASSES.get(int(classes[i]), ""), "status": meaning[int(found.status[i])],
            }
        )  # fmt: skip
    slopes = dict.fromkeys(("slope", "lower", "upper"), slope_unit(unit))
    changes = dict.fromkeys(("start", *changed), unit)
    units = {name: one for name, one in {**slopes, **changes, "relative_change": "%"}.items() if one is not None}
    notes = _notes(params, rows, [*keys[0]] if keys else [], found.tested.tolist(), is_yearly(labels))
    return Table(pd.DataFrame(rows), units, notes=tuple(notes))


def check_times(ctx: Context, times: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> None:
    """Make sure that a test that looks at neighbouring values has evenly spaced times (SQ813)."""
    from soilql.io.years import is_yearly
    from soilql.stats.prewhitening import evenly_spaced

    test = ctx.block.params.test
    if test == "mk" or evenly_spaced(times):
        return
    how = "even steps" if is_yearly(labels) else "years by a block of kind `resample`"
    help = f"use `test: mk`, or bring the series to {how}"
    message = f"`test: {test}` compares neighbours, and the times are not evenly spaced"
    raise ctx.error("SQ813", message, "test", help=help)


def _notes(
    params: Any, rows: Sequence[Mapping[str, Any]], keys: Sequence[str], seen: Sequence[int], yearly: bool
) -> Iterator[Note]:
    gappy = [(row, k) for row, k in zip(rows, seen, strict=True) if row["status"] == "done" and k < row["n"] - 1]
    if gappy:
        shown = ", ".join(f"{k} of {row['n']} of {_name(row, keys)}" for row, k in gappy[:5])
        more = f" and of {len(gappy) - 5} more series" if len(gappy) > 5 else ""
        words = f"`{params.test}` tests only values whose neighbour before them is there: {shown}{more}"
        yield Note("SQ671", words)
    if not yearly and any(row["status"] == "done" for row in rows):
        words = (
            "several times a year: unless their seasons were taken out, values resemble one another and p says little"
        )
        yield Note("SQ671", f"{words}; a block of kind `resample` brings them to years")
    tested = [row for row in rows if row["status"] == "done"]
    if tested and max(row["n"] for row in tested) < FEW:
        longest = max(row["n"] for row in tested)
        words = f"series of {longest} times at most: a trend is hardly ever significant with fewer than {FEW}"
        yield Note("SQ670", words)
    for status in dict.fromkeys(row["status"] for row in rows if row["status"] != "done"):
        named = [_name(row, keys) for row in rows if row["status"] == status]
        shown = ", ".join(named[:5]) + (f" and {len(named) - 5} more" if len(named) > 5 else "")
        yield Note("SQ802", f"no trend of {shown}: {status}")
    alike = [row for row in tested if params.test == "mk" and _is_autocorrelated(row)]
    if alike:
        shown = ", ".join(f"{_name(row, keys)} ({row['lag1']:.2f})" for row in alike[:5])
        more = f" and {len(alike) - 5} more" if len(alike) > 5 else ""
        words = f"autocorrelated series, whose p is too small: {shown}{more}; `test: pw` keeps its level"
        yield Note("SQ671", words)


def _is_autocorrelated(row: Mapping[str, Any]) -> bool:
    return bool(row["lag1"] == row["lag1"] and row["lag1"] > white_noise_limit(row["n"]))


def white_noise_limit(n: float) -> float:
    """Return the lag-1 autocorrelation that 95 % of series of white noise stay below (Anderson 1942; Salas 1980).

    Examples
    --------
    >>> round(white_noise_limit(15), 3)
    0.352
    """
    return float((-1 + 1.645 * (n - 2) ** 0.5) / (n - 1))


def _name(row: Mapping[str, Any], keys: Sequence[str]) -> str:
    return " ".join(str(row[key]) for key in keys) or "the series"


def telling(frame: pd.DataFrame, keys: Sequence[str]) -> list[str]:
    """Return the fewest of some columns, the last first, that tell the series apart; of one series, its region."""
    varied = [key for key in keys if frame[key].nunique(dropna=False) > 1]
    if not varied:
        return ["region"] if "region" in keys else list(keys[:1])
    count = len(frame.drop_duplicates(varied))
    for key in tuple(varied):
        others = [one for one in varied if one != key]
        if others and len(frame.drop_duplicates(others)) == count:
            varied = others
    return varied


def names_of(frame: pd.DataFrame, keys: Sequence[str]) -> list[str]:
    """Return what each row's series is called, by the columns that tell them apart."""
    varied = telling(frame, keys)
    return [" ".join(str(row[key]) for key in varied) for row in frame.to_dict("records")]


def lines(table: Table) -> list[str]:
    """Say each trend in a line: ``global  0.13 [0.09, 0.17] Pg C yr-2, p = 0.002, +1.82 Pg C yr-1``."""
    frame = table.frame
    keys = list(frame.columns[: list(frame.columns).index("n")])
    names = names_of(frame, keys)
    width = max(map(len, names), default=0)
    unit, change_unit = (f" {table.units[name]}" if name in table.units else "" for name in ("slope", "change"))
    found = []
    for name, row in zip(names, frame.to_dict("records"), strict=True):
        if row["status"] != "done":
            found.append(f"{name:<{width}} {row['status']}".lstrip())
            continue
        interval = f" [{row['lower']:.3g}, {row['upper']:.3g}]" if row["lower"] == row["lower"] else ""
        change = f"{row['change']:+.3g}{change_unit} over {_span(row['first'], row['last'])}"
        found.append(f"{name:<{width}} {row['slope']:.3g}{interval}{unit}, p = {row['p']:.2g}, {change}".lstrip())
    return found


def _span(first: Any, last: Any) -> str:
    """Write two times as years or as days; years stay whole where their column has gaps.

    Examples
    --------
    >>> _span(2000.0, 2014.0), _span("2000-01-15T12:00", "2014-12-16T12:00")
    ('2000-2014', '2000-01-15 to 2014-12-16')
    """
    if isinstance(first, int | float):
        return f"{first:.10g}-{last:.10g}"
    return f"{str(first)[:10]} to {str(last)[:10]}"
