"""Figures of choices: the path of a staged selection, and candidates beside one another zone by zone."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soilql.outputs.figures import ACCENT, INK, MUTED, PALETTE, key_patches, new_figure, plain, pretty_unit, save
from soilql.values import Table

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.text import Text

_ZONES, _CANDIDATES = 12, 20


def write_selection(table: Table, path: Path, title: str = "") -> None:
    """Draw the score of every candidate, a row of panels a zone and a panel a stage; the chosen one is filled.

    A candidate without a score has the reason beside its name, of a long one the beginning.

    Parameters
    ----------
    table : Table
        Columns ``zone``, ``stage``, ``candidate``, ``phi`` and ``chosen``.
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
    zones, stages = (list(dict.fromkeys(frame[name].astype(str))) for name in ("zone", "stage"))
    shown = zones[:_ZONES]
    most = max((len(part) for _, part in frame.groupby(["zone", "stage"])), default=1)
    height = 0.7 + 0.22 * min(most, _CANDIDATES)
    figure = new_figure(0.6 + 3.7 * len(stages), 0.7 + height * len(shown))
    reasons = []
    for i, zone in enumerate(shown):
        for j, stage in enumerate(stages):
            axes = figure.add_subplot(len(shown), len(stages), i * len(stages) + j + 1)
            part = frame[(frame["zone"].astype(str) == zone) & (frame["stage"].astype(str) == stage)]
            reasons += _path(axes, part)
            head = f"{zone}: {stage}" if len(zones) > 1 else stage
            axes.set_title(head, fontsize=9, color=INK, loc="left")
            if i == len(shown) - 1:
                axes.set_xlabel("φ", fontsize=9, color=INK)
    more = f" (the first {len(shown)} of {len(zones)} zones)" if len(shown) < len(zones) else ""
    figure.suptitle(f"{title}{more}", fontsize=13, color=INK, x=0.02, ha="left")
    figure.tight_layout()
    for reason in reasons:
        _wrap(reason)
    save(figure, path)


def _path(axes: Axes, part: pd.DataFrame) -> list[Text]:
    """Draw the candidates of a stage, and return the texts that say why some have no score."""
    import numpy as np

    part = part.sort_values("phi", ascending=False, na_position="last", kind="stable").iloc[:_CANDIDATES]
    phi = part["phi"].to_numpy(dtype=float)
    chosen = part["chosen"].to_numpy(dtype=bool)
    faces = [ACCENT if one else "none" for one in chosen]
    axes.barh(range(len(part)), np.nan_to_num(phi), color=faces, edgecolor=ACCENT, height=0.7, linewidth=0.9)
    reasons = []
    for i, row in enumerate(part.to_dict("records")):
        text = f"n = {row['n']:,}" if np.isfinite(phi[i]) else str(row.get("status", "no score"))
        at = max(float(np.nan_to_num(phi[i])), 0) + 0.02
        said = axes.text(at, i, text, va="center", fontsize=7, color=MUTED, linespacing=0.95)
        if not np.isfinite(phi[i]):
            said.set_in_layout(False)  # it is broken to fit the panel, not the panel made to fit it
            reasons.append(said)
    axes.set_yticks(range(len(part)), part["candidate"].astype(str).tolist())
    axes.invert_yaxis()
    axes.set_xlim(0, 1.25)
    plain(axes)
    axes.tick_params(labelsize=7)
    return reasons


def _wrap(text: Text) -> None:
    """Break a text that reaches beyond its axes into two lines, and shorten what they cannot hold."""
    words, axes = text.get_text(), text.axes
    assert axes is not None
    room = axes.get_window_extent().x1 - text.get_window_extent().x0
    letters = len(words)
    while text.get_window_extent().width > room and letters > 1:
        text.set_fontsize(6)
        # In steps of the letters that are too many, by the mean width of a letter.
        letters = min(letters - 1, int(letters * room / text.get_window_extent().width))
        text.set_text(textwrap.fill(words, max(letters, 2), max_lines=2, placeholder=" …"))


def write_candidates(table: Table, path: Path, title: str = "") -> None:
    """Draw RMSE and R2 of every candidate zone by zone; the chosen one is filled.

    Parameters
    ----------
    table : Table
        Columns ``zone``, ``model``, ``RMSE``, ``R2`` and ``chosen``; the roles of these names, where there are any, are
        the columns by which the choice was made.
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
    zones = list(dict.fromkeys(frame["zone"].astype(str)))[:40]
    models = list(dict.fromkeys(frame["model"].astype(str)))
    figure = new_figure(9.0, 1.6 + 0.2 * len(zones) * (len(models) + 0.8))
    unit = pretty_unit(table.units.get("RMSE", ""))
    for k, (measure, label) in enumerate((("RMSE", f"RMSE ({unit})" if unit else "RMSE"), ("R2", "R²"))):
        name = table.roles.get(measure, measure)
        axes = figure.add_subplot(1, 2, k + 1)
        _candidates(axes, frame, zones, models, name)
        what = "mean of the folds" if name.endswith("_fold_mean") else "all rows held out"
        axes.set_xlabel(f"{label}, {what}", fontsize=9, color=INK)
        if k:
            axes.set_yticklabels([])
        else:
            keys = key_patches(models, "not chosen")
            axes.legend(handles=keys, fontsize=8, frameon=False, ncols=6, loc="lower left", bbox_to_anchor=(0, 1.0),
                        handlelength=1.2)  # fmt: skip
    figure.suptitle(title, fontsize=13, color=INK, x=0.02, ha="left")
    figure.tight_layout()
    save(figure, path)


def _candidates(axes: Axes, frame: pd.DataFrame, zones: list[str], models: list[str], name: str) -> None:
    import numpy as np

    width = 0.84 / max(1, len(models))
    low, high = _limits(frame[name].to_numpy(dtype=float), name.startswith("R2"))
    for k, model in enumerate(models):
        colour = PALETTE[k % len(PALETTE)]
        for z, zone in enumerate(zones):
            part = frame[(frame["zone"].astype(str) == zone) & (frame["model"].astype(str) == model)]
            if part.empty:
                continue
            value, at = float(part[name].iloc[0]), z - 0.42 + width * (k + 0.5)
            if not np.isfinite(value):
                axes.text(0, at, " no score", va="center", fontsize=6, color=MUTED)
                continue
            face = colour if bool(part["chosen"].iloc[0]) else "none"
            shown = min(max(value, low), high)
            axes.barh(at, shown, width * 0.86, color=face, edgecolor=colour)
            if shown != value:
                side = "right" if value > high else "left"
                axes.text(shown, at, f" {value:.2g} ", va="center", ha=side, fontsize=6, color=INK)
    axes.set_xlim(low, high)
    axes.set_yticks(range(len(zones)), zones)
    axes.set_ylim(len(zones) - 0.5, -0.5)  # also where a zone has no bar
    axes.axvline(0, color=MUTED, linewidth=0.6)
    plain(axes)


def _limits(values: np.ndarray[Any, Any], bounded: bool) -> tuple[float, float]:
    """Return the ends of an axis on which a model gone wild leaves the others readable; its bar is cut and labelled.

    Parameters
    ----------
    values : array
        Scores.
    bounded : bool
        Whether 1 is the best there can be, as of R2, and not 0.
    """
    import numpy as np

    known = values[np.isfinite(values)]
    if not known.size:
        return 0.0, 1.0
    if bounded:
        return max(-1.0, min(0.0, float(known.min()))) * 1.04, max(float(known.max()), 0.05) * 1.04
    return 0.0, min(float(known.max()), 2.5 * float(np.median(known))) * 1.04
