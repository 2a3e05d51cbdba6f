"""Figures of results: observed against predicted, and bars of totals; the same bytes for the same numbers."""

from __future__ import annotations

import gc
import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soilql.outputs.files import refusals, replacing
from soilql.values import Table

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#1f2933"
MUTED = "#66727f"
ACCENT = "#2a6f97"
#: Colours of categories, in their order (Okabe and Ito 2008, made for readers who see colours differently).
PALETTE = ("#D55E00", "#0072B2", "#009E73", "#E69F00", "#56B4E9", "#CC79A7", "#999999", "#F0E442")
DPI = 200
#: Panels of totals side by side, and the greatest height of a figure of them in inches: 8000 pixels.
ACROSS = 4
TALLEST = 40.0
#: More points than this are shown as hexagons coloured by their number.
MAX_POINTS = 3000
#: So many figures are kept until their memory is given back, which takes as long as to draw a part of one.
_COLLECTED = 8
_saved = itertools.count(1)

_SUPERSCRIPTS = str.maketrans("-0123456789/.", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹ᐟ·")


def pretty_unit(text: str) -> str:
    """Return a unit with raised exponents; nothing for numbers without a unit.

    Examples
    --------
    >>> pretty_unit("g C m-2 yr-1"), pretty_unit("degC"), pretty_unit("1")
    ('g C m⁻² yr⁻¹', '°C', '')
    """
    if text == "1":
        return ""
    raised = re.sub(r"(?<=[A-Za-z])(-?\d+)(?![A-Za-z])", lambda match: match[1].translate(_SUPERSCRIPTS), text)
    return raised.replace("degC", "°C").replace("CO²", "CO₂").replace("H²O", "H₂O").replace("um", "µm")


def key_patches(members: Sequence[str], hollow: str | None = None) -> list[Any]:
    """Return a full patch for each member in the colours of the palette, and what a hollow one means."""
    from matplotlib.patches import Patch

    found = [Patch(color=PALETTE[k % len(PALETTE)], label=name) for k, name in enumerate(members)]
    return found if hollow is None else [*found, Patch(facecolor="none", edgecolor=INK, label=hollow)]


def new_figure(width: float, height: float) -> Figure:
    """Return a figure that is drawn without a display; sizes in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, without the time or the version of the library in it.

    Raises
    ------
    SoilqlError
        The file cannot be written (SQ901).
    """
    with replacing(path) as partial, refusals(path):
        figure.savefig(partial, format="png", metadata={"Software": None})
    # The parts of a figure hold on to one another, and to some ten megabytes, until they are collected.
    if next(_saved) % _COLLECTED == 0:
        gc.collect()


def plain(axes: Axes) -> None:
    """Leave of the frame only the two axes."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(MUTED)
    axes.tick_params(colors=INK, labelsize=9, width=0.6)


def write_observed_predicted(table: Table, path: Path, title: str = "") -> None:
    """Draw observed against cross-validated values, one panel a model, with R2 and RMSE of each.

    Parameters
    ----------
    table : Table
        The predictions of an evaluation: columns ``observed``, ``predicted`` and, for several models, ``model``;
        rows without a prediction are left out and counted in the panel.
    path : Path
        The PNG file.
    title : str
        Above the panels.

    Raises
    ------
    SoilqlError
        The file cannot be written (SQ901).
    """
    frame = table.frame
    names = list(dict.fromkeys(frame["model"])) if "model" in frame else [""]
    columns = min(3, max(1, len(names)))
    rows = -(-max(1, len(names)) // columns)
    figure = new_figure(0.4 + 4.2 * columns, 0.5 + 4.2 * rows)
    limits = _common_limits(frame)
    unit = pretty_unit(table.units.get("observed", ""))
    for i, name in enumerate(names):
        axes = figure.add_subplot(rows, columns, i + 1)
        part = frame if not name else frame[frame["model"] == name]
        _panel(axes, part, limits)
        axes.set_title(str(name), fontsize=10, color=INK, loc="left")
        suffix = f" ({unit})" if unit else ""
        axes.set_xlabel(f"predicted{suffix}", fontsize=9, color=INK)
        axes.set_ylabel(f"observed{suffix}", fontsize=9, color=INK)
    if title:
        figure.suptitle(title, fontsize=13, color=INK, x=0.02, ha="left")
    figure.tight_layout()
    save(figure, path)


def _common_limits(frame: pd.DataFrame) -> tuple[float, float]:
    import numpy as np

    values = frame[["observed", "predicted"]].to_numpy(dtype=float)
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    margin = 0.04 * (high - low) or 0.5
    return (0.0 if 0 <= low < 0.2 * high else low - margin), high + margin


def _panel(axes: Axes, frame: pd.DataFrame, limits: tuple[float, float]) -> None:
    import numpy as np

    from soilql.stats import metrics

    observed, predicted = (frame[name].to_numpy(dtype=float) for name in ("observed", "predicted"))
    both = np.isfinite(observed) & np.isfinite(predicted)
    x, y = predicted[both], observed[both]
    axes.plot(limits, limits, color=MUTED, linewidth=0.9, linestyle=(0, (5, 3)), zorder=1)
    if x.size > MAX_POINTS:
        axes.hexbin(x, y, gridsize=55, extent=(*limits, *limits), mincnt=1, bins="log", cmap="viridis", linewidths=0)
    else:
        axes.scatter(x, y, s=14, color=ACCENT, alpha=_alpha(x), linewidths=0, zorder=2)
    axes.set_xlim(limits)
    axes.set_ylim(limits)
    axes.set_aspect("equal")
    plain(axes)
    lines = [f"n = {x.size:,}"]
    if x.size:
        lines = [f"R² = {metrics.r2(y, x):.2f}", f"RMSE = {metrics.rmse(y, x):.4g}", *lines]
    if (missing := int((~both).sum())) > 0:
        lines.append(f"{missing:,} without a prediction")
    axes.text(0.04, 0.96, "\n".join(lines), transform=axes.transAxes, va="top", fontsize=9, color=INK, zorder=1.5)


def _alpha(values: np.ndarray[Any, Any]) -> float:
    return 0.75 if values.size < 300 else 0.4


def write_bars(table: Table, path: Path, title: str = "") -> None:
    """Draw totals as bars with their intervals, the whole first, one panel a quantity.

    Of a table too long for a picture the first rows of each quantity are drawn, and the panel says so.

    Parameters
    ----------
    table : Table
        Result of a total: columns ``of``, ``kind``, ``region``, ``total`` and, where there are intervals,
        ``total_lower`` and ``total_upper``; ``time`` where there is one.
    path : Path
        The PNG file.
    title : str
        Above the panels.

    Raises
    ------
    SoilqlError
        The file cannot be written (SQ901).
    """
    frame = table.frame
    names = list(dict.fromkeys(frame["of"]))
    panels = ACROSS * int(TALLEST / _height(2))
    if len(names) > panels:
        title = f"{title} (the first {panels} of {len(names):,})"
    names = names[:panels]
    columns = min(ACROSS, max(1, len(names)))
    rows = -(-max(1, len(names)) // columns)
    longest = max((int((frame["of"] == name).sum()) for name in names), default=1)
    most = next(n for n in range(max(2, longest), 1, -1) if n == 2 or rows * _height(n) <= TALLEST)
    figure = new_figure(0.6 + 4.6 * columns, rows * _height(most))
    unit = pretty_unit(table.units.get("total", ""))
    for i, name in enumerate(names):
        axes = figure.add_subplot(rows, columns, i + 1)
        part = frame[frame["of"] == name]
        _bars(axes, part.iloc[:most])
        shown = str(name) if len(part) <= most else f"{name}: the first {most} of {len(part):,} rows"
        axes.set_title(shown, fontsize=10, color=INK, loc="left")
        axes.set_xlabel(f"total ({unit})" if unit else "total", fontsize=9, color=INK)
    if title:
        figure.suptitle(title, fontsize=13, color=INK, x=0.02, ha="left")
    figure.tight_layout()
    save(figure, path)


def _height(bars: int) -> float:
    return 1.3 + 0.34 * bars


def _bars(axes: Axes, frame: pd.DataFrame) -> None:
    import numpy as np

    total = frame["total"].to_numpy(dtype=float)
    at = np.arange(total.size)
    whole = (frame["kind"] == "global").to_numpy() if "kind" in frame else np.zeros(total.size, bool)
    axes.barh(at, np.nan_to_num(total), color=np.where(whole, INK, ACCENT).tolist(), height=0.68)
    ends = np.nan_to_num(total)
    if {"total_lower", "total_upper"} <= set(frame.columns):
        lower, upper = (frame[name].to_numpy(dtype=float) for name in ("total_lower", "total_upper"))
        known = np.isfinite(lower) & np.isfinite(upper)
        axes.hlines(at[known], lower[known], upper[known], color="#d1495b", linewidth=1.6, zorder=3)
        ends = np.where(known, np.maximum(ends, upper), ends)
    reach = float(ends.max(initial=0.0))
    for i, value in enumerate(total):
        text = f"{value:.3g}" if np.isfinite(value) else "no value"
        axes.text(max(ends[i], 0.0) + 0.015 * reach, i, text, va="center", fontsize=8, color=INK)
    labels = frame["region"].astype(str) + (", " + frame["time"].astype(str) if "time" in frame else "")
    axes.set_yticks(at, labels.tolist())
    axes.invert_yaxis()
    axes.axvline(0, color=MUTED, linewidth=0.6)
    axes.set_xlim(min(0.0, float(np.nanmin(total, initial=0.0))) * 1.05, reach * 1.15 or 1.0)
    plain(axes)
