"""Figures of series: totals or means year by year with their interval and trend, and slopes of regions as bars."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from soilql.outputs.figures import ACCENT, INK, MUTED, new_figure, plain, pretty_unit, save
from soilql.series.trend_rows import names_of
from soilql.series.units import slope_unit
from soilql.values import Table

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.axes import Axes

#: Colours of what rises and of what falls.
RISE, FALL = "#b2453c", "#2a6f97"
#: Panels side by side, and at most.
_ACROSS, _MOST = 3, 24


def write_series(table: Table, path: Path, title: str = "") -> None:
    """Draw series year by year, one panel a flux and region, with the line of the trend through each.

    The line is full where the trend is significant and dashed otherwise. It is the one that the table has, else that of
    Theil and Sen, with the Mann-Kendall test at 0.05.

    Parameters
    ----------
    table : Table
        Columns ``kind``, ``region``, ``time`` and ``total`` (with ``of``, and ``total_lower`` and ``total_upper`` where
        there are intervals) or ``value``; ``line``, ``p`` and ``significant`` of a trend that is known.
    path : Path
        The PNG file.
    title : str
        Above the panels.

    Raises
    ------
    SoilqlError
        The file cannot be written (SQ901).
    """
    frame = table.frame[table.frame["time"].notna()]
    value = "total" if "total" in frame else "value"
    keys = [name for name in ("of", "kind", "region") if name in frame]
    groups = list(frame.groupby(keys, sort=False))
    shown = groups[:_MOST]
    if len(groups) > len(shown):
        title = f"{title} (the first {len(shown)} of {len(groups):,} series)"
    columns = min(_ACROSS, len(shown))
    rows = -(-len(shown) // columns)
    figure = new_figure(0.5 + 3.9 * columns, 0.6 + 2.5 * rows)
    unit = table.units.get(value)
    several = "of" in frame and frame["of"].nunique() > 1
    for i, (key, part) in enumerate(shown):
        axes = figure.add_subplot(rows, columns, i + 1)
        named = dict(zip(keys, key, strict=True))
        _series(axes, part, value, None if unit is None else slope_unit(unit))
        axes.set_title(f"{named['of']}, {named['region']}" if several else str(named["region"]), fontsize=10, color=INK,
                       loc="left")  # fmt: skip
        if i % columns == 0:
            axes.set_ylabel(pretty_unit(unit or "") or value, fontsize=9, color=INK)
    if title:
        figure.suptitle(title, fontsize=13, color=INK, x=0.02, ha="left")
    figure.tight_layout()
    save(figure, path)


def _series(axes: Axes, part: pd.DataFrame, value: str, unit: str | None) -> None:
    import numpy as np

    from soilql.io.years import decimal_years

    labels = part["time"]
    times = decimal_years(labels.to_numpy() if labels.dtype.kind == "M" else labels.to_numpy(dtype=float))
    order = np.argsort(times)
    times, values = times[order], part[value].to_numpy(dtype=float)[order]
    if not np.isfinite(values).any():
        axes.set_axis_off()
        axes.text(0.02, 0.9, "no values", transform=axes.transAxes, va="top", fontsize=8, color=MUTED)
        return
    if {f"{value}_lower", f"{value}_upper"} <= set(part.columns):
        lower, upper = (part[f"{value}_{end}"].to_numpy(dtype=float)[order] for end in ("lower", "upper"))
        axes.fill_between(times, lower, upper, color=ACCENT, alpha=0.18, linewidth=0)
        known = np.isfinite(lower)
        alone = known & ~np.r_[False, known[:-1]] & ~np.r_[known[1:], False]  # a band needs two times side by side
        axes.vlines(times[alone], lower[alone], upper[alone], color=ACCENT, alpha=0.4, linewidth=1.3)
    axes.plot(times, values, color=ACCENT, linewidth=1.3, marker="o", markersize=3)
    found = part.iloc[order]
    trend = _known_trend(found, times) if "line" in found else _theil_sen(times, values)
    if trend is not None:
        _trend_line(axes, trend, unit)
    axes.locator_params(axis="x", integer=True, nbins=6)
    axes.margins(x=0.03)
    plain(axes)


class _Trend(NamedTuple):
    times: np.ndarray[Any, Any]
    line: np.ndarray[Any, Any]
    p: float
    significant: bool


def _known_trend(part: pd.DataFrame, times: np.ndarray[Any, Any]) -> _Trend | None:
    import numpy as np

    line = part["line"].to_numpy(dtype=float)
    known = np.flatnonzero(np.isfinite(line))
    if known.size < 2:
        return None
    at = known[[0, -1]]
    return _Trend(times[at], line[at], float(part["p"].iloc[0]), bool(part["significant"].iloc[0]))


def _theil_sen(times: np.ndarray[Any, Any], values: np.ndarray[Any, Any]) -> _Trend | None:
    import numpy as np

    from soilql.stats.trend import trends

    known = np.isfinite(values)
    if known.sum() < 4:
        return None
    found = trends(values[:, None], times)
    slope, intercept, p = (float(a[0]) for a in (found.slope, found.intercept, found.p))
    if not np.isfinite(slope):
        return None
    ends = times[known][[0, -1]]
    return _Trend(ends, intercept + slope * ends, p, p < 0.05)


def _trend_line(axes: Axes, trend: _Trend, unit: str | None) -> None:
    """Draw the line, and write its slope into room above the series."""
    style = "-" if trend.significant else (0, (4, 3))
    axes.plot(trend.times, trend.line, color="#d1495b", linewidth=1.1, linestyle=style)
    slope = (trend.line[1] - trend.line[0]) / (trend.times[1] - trend.times[0])
    words = f"{slope:+.2g} {pretty_unit(unit or '') or 'a year'}"
    if trend.p == trend.p:
        words += f", p = {trend.p:.2g}"
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.14 * (high - low))
    axes.text(0.02, 0.98, words, transform=axes.transAxes, va="top", fontsize=8, color=INK)


def write_slopes(table: Table, path: Path, title: str = "") -> None:
    """Draw the slope of each region as a bar with its interval; those that are not significant are hollow.

    Parameters
    ----------
    table : Table
        Columns ``slope``, ``lower``, ``upper``, ``p`` and ``significant``, before them those that name each series.
    path : Path
        The PNG file.
    title : str
        Above the bars.

    Raises
    ------
    SoilqlError
        The file cannot be written (SQ901).
    """
    import numpy as np

    every = table.frame
    frame = every.iloc[:60]
    keys = list(frame.columns[: list(frame.columns).index("n")])
    names = names_of(frame, keys)
    figure = new_figure(6.4, 1.3 + 0.36 * max(2, len(frame)))
    axes = figure.add_subplot()
    at = np.arange(len(frame))
    slope = frame["slope"].to_numpy(dtype=float)
    colours = np.where(slope >= 0, RISE, FALL).tolist()
    full = frame["significant"].to_numpy(dtype=bool)
    faces = [colour if one else "none" for colour, one in zip(colours, full, strict=True)]
    axes.barh(at, np.nan_to_num(slope), color=faces, edgecolor=colours, height=0.66, linewidth=1.2)
    lower, upper = (frame[name].to_numpy(dtype=float) for name in ("lower", "upper"))
    known = np.isfinite(lower) & np.isfinite(upper)
    axes.hlines(at[known], lower[known], upper[known], color=INK, linewidth=1.2, zorder=3)
    for i, row in enumerate(frame.to_dict("records")):
        text = f"p = {row['p']:.2g}" if row["status"] == "done" else row["status"]
        right = max(upper[i] if known[i] else 0.0, np.nan_to_num(slope[i]), 0.0)
        axes.annotate(text, (right, i), (5, 0), textcoords="offset points", va="center", fontsize=8, color=MUTED)
    axes.set_yticks(at, names)
    axes.invert_yaxis()
    axes.axvline(0, color=MUTED, linewidth=0.6)
    axes.margins(x=0.18)
    unit = pretty_unit(table.units.get("slope", ""))
    label = f"trend ({unit})" if unit else "trend a year"
    if not full.all():
        label += "; hollow: not significant"
    axes.set_xlabel(label, fontsize=9, color=INK)
    plain(axes)
    more = f" (the first {len(frame)} of {len(every):,})" if len(frame) < len(every) else ""
    figure.suptitle(f"{title}{more}", fontsize=13, color=INK, x=0.02, ha="left")
    figure.tight_layout()
    save(figure, path)
