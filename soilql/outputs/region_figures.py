"""Figures of shares and correlations by region: bars side by side, or one on top of the other."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soilql.outputs.figures import INK, MUTED, PALETTE, key_patches, new_figure, plain, save
from soilql.series.trend_rows import names_of
from soilql.values import Table

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

#: Colours of the classes of trends.
_CLASSES = {
    "significant increase": "#b2182b",
    "slight increase": "#f4a582",
    "stable": "#e8e8e8",
    "slight decrease": "#92c5de",
    "significant decrease": "#2166ac",
}
_MOST = 40


def write_correlations(table: Table, path: Path, title: str = "") -> None:
    """Draw the correlation of each region with each driver; hollow bars are not significant.

    Parameters
    ----------
    table : Table
        Columns ``driver``, ``r``, ``significant``, before them those that name each series.
    path : Path
        The PNG file.
    title : str
        Above the bars.

    Raises
    ------
    SoilqlError
        The file cannot be written (SQ901).
    """
    frame = table.frame
    keys = list(frame.columns[: list(frame.columns).index("driver")])
    named = frame.assign(series=names_of(frame, keys))
    _grouped(named, "series", "driver", "r", "partial correlation", path, title, full=named["significant"], mark=None)


def write_colocation(table: Table, path: Path, title: str = "") -> None:
    """Draw the share of the changed area with a changed driver, and a line where chance would put it.

    Parameters
    ----------
    table : Table
        Columns ``region``, ``driver``, ``share`` and ``null_mean``.
    path : Path
        The PNG file.
    title : str
        Above the bars.

    Raises
    ------
    SoilqlError
        The file cannot be written (SQ901).
    """
    label = "share of the changed area with a changed driver (line: by chance)"
    _grouped(table.frame, "region", "driver", "share", label, path, title, full=None, mark="null_mean")


def write_classes(table: Table, path: Path, title: str = "") -> None:
    """Draw the share of area in each class of trends, one bar a region.

    Parameters
    ----------
    table : Table
        Columns ``region``, ``class`` and ``share``.
    path : Path
        The PNG file.
    title : str
        Above the bars.

    Raises
    ------
    SoilqlError
        The file cannot be written (SQ901).
    """
    shares = table.frame.pivot_table(index="region", columns="class", values="share", sort=False, observed=True)
    _stacked(shares[[name for name in _CLASSES if name in shares]], list(_CLASSES.values()), path, title, None)


def write_attribution(table: Table, path: Path, title: str = "") -> None:
    """Draw the shares of land cover and climate, and where shuffled flags would put the border between them.

    Parameters
    ----------
    table : Table
        Columns ``region``, ``component``, ``share`` and ``null_mean``.
    path : Path
        The PNG file.
    title : str
        Above the bars.

    Raises
    ------
    SoilqlError
        The file cannot be written (SQ901).
    """
    frame = table.frame[table.frame["component"].isin(["land cover", "climate"])]
    shares = frame.pivot_table(index="region", columns="component", values="share", sort=False, dropna=False)
    chance = frame[frame["component"] == "land cover"].set_index("region")["null_mean"]
    _stacked(shares[["land cover", "climate"]], ["#009E73", "#E69F00"], path, title, chance.reindex(shares.index))


def _grouped(
    frame: pd.DataFrame,
    group: str,
    member: str,
    value: str,
    label: str,
    path: Path,
    title: str,
    *,
    full: pd.Series[Any] | None,
    mark: str | None,
) -> None:
    import numpy as np

    groups, members = (list(dict.fromkeys(frame[name].astype(str))) for name in (group, member))
    shown = groups[: max(1, _MOST // max(1, len(members) // 2))]
    figure = new_figure(1.6 + max(4.5, 0.34 * len(members) * len(shown) + 0.4 * len(shown)), 3.4)
    axes = figure.add_subplot()
    width = 0.84 / max(1, len(members))
    for k, name in enumerate(members):
        colour = PALETTE[k % len(PALETTE)]
        for g, where in enumerate(shown):
            at = np.flatnonzero((frame[group].astype(str) == where) & (frame[member].astype(str) == name))
            if not at.size:
                continue
            height = float(frame[value].iloc[at[0]])
            x = g - 0.42 + width * (k + 0.5)
            solid = full is None or bool(full.iloc[at[0]])
            axes.bar(x, np.nan_to_num(height), width * 0.88, color=colour if solid else "none", edgecolor=colour)
            if mark is not None:
                axes.hlines(frame[mark].iloc[at[0]], x - width / 2, x + width / 2, color=INK, linewidth=1.3, zorder=3)
    axes.axhline(0, color=MUTED, linewidth=0.6)
    across = max(10, int(2.9 * (1 + 0.85 * len(members))))
    axes.set_xticks(range(len(shown)), [_wrapped(name, across) for name in shown])
    axes.set_ylabel(label if len(label) < 40 else label.replace(" with ", "\nwith ", 1), fontsize=9, color=INK)
    _legend(axes, key_patches(members, "not significant" if full is not None and not full.all() else None))
    _finish(
        figure, axes, path, title if len(shown) == len(groups) else f"{title} (the first {len(shown)} of {len(groups)})"
    )


def _wrapped(name: str, across: int) -> str:
    """Break a name into lines at blanks and underscores."""
    lines = textwrap.fill(name.replace("_", "_ "), across, break_long_words=False)
    return lines.replace("_ ", "_")


def _stacked(shares: pd.DataFrame, colours: Sequence[str], path: Path, title: str, mark: pd.Series[Any] | None) -> None:
    import numpy as np

    part = shares.iloc[:_MOST]
    figure = new_figure(7.2, 1.5 + 0.4 * max(2, len(part)))
    axes = figure.add_subplot()
    left = np.zeros(len(part))
    for name, colour in zip(part.columns, colours, strict=False):
        width = part[name].fillna(0).to_numpy() * 100
        axes.barh(range(len(part)), width, left=left, color=colour, height=0.7, label=str(name), edgecolor="white")
        for i, one in enumerate(width):
            if one >= 6:
                axes.text(left[i] + one / 2, i, f"{one:.0f}", ha="center", va="center", fontsize=8, color=_on(colour))
        left = left + width
    if mark is not None and mark.notna().any():
        for i, one in enumerate(mark.iloc[:_MOST] * 100):
            axes.vlines(one, i - 0.42, i + 0.42, color=INK, linewidth=1.6, label="by chance" if i == 0 else "")
    axes.set_yticks(range(len(part)), [str(name) for name in part.index])
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("share (%)", fontsize=9, color=INK)
    _legend(axes, right=True)
    _finish(figure, axes, path, title)


def _on(colour: str) -> str:
    """Return a colour of text that can be read on another."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "white"


def _legend(axes: Axes, handles: list[Any] | None = None, *, right: bool = False) -> None:
    """Put the legend above the axes; one that ends at their right may begin above long names at their left."""
    found = handles or axes.get_legend_handles_labels()[0]
    x = 1.0 if right else 0.0
    axes.legend(handles=found, loc="lower right" if right else "lower left", bbox_to_anchor=(x, 1.0), fontsize=8,
                frameon=False, ncols=6, handlelength=1.2, columnspacing=1.2)  # fmt: skip


def _finish(figure: Any, axes: Axes, path: Path, title: str) -> None:
    plain(axes)
    figure.suptitle(title, fontsize=13, color=INK, x=0.02, ha="left")
    figure.tight_layout()
    save(figure, path)
