"""The figure of a selection says why a candidate has no score, inside its panel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from soilql.outputs.model_figures import write_selection
from soilql.values import Table

SHORT = "1 complete row, 3 needed"
LONG = "the coefficients cannot be told apart: `a`, `b` and `c` go together in all rows of the training table"
ENDLESS = f"{LONG}; {LONG}; {LONG}"


def drawn(monkeypatch: pytest.MonkeyPatch, *reasons: str) -> list[Any]:
    """Return the panels of a figure of two stages; in the second all candidates but one lack a score."""
    names = ["soil_temperature_of_the_topmost_layer", *(f"c{i}" for i in range(len(reasons)))]
    rows = [
        {"zone": "all", "stage": "first", "candidate": "T", "phi": 1.0, "n": 1200, "chosen": True, "status": "fitted"}
    ]
    for name, status in zip(names, ["fitted", *reasons], strict=True):
        phi = 1.0 if status == "fitted" else np.nan
        row = {"zone": "all", "stage": "second", "candidate": name, "phi": phi, "n": 9, "chosen": phi == 1}
        rows.append(row | {"status": status})
    found: list[Any] = []
    monkeypatch.setattr("soilql.outputs.model_figures.save", lambda figure, path: found.extend(figure.axes))
    write_selection(Table(pd.DataFrame(rows)), Path("unused.png"))
    return found


def test_reasons_are_whole_and_inside_their_panel(monkeypatch: pytest.MonkeyPatch) -> None:
    axes = drawn(monkeypatch, SHORT, LONG, ENDLESS)[1]
    _, short, long, endless = axes.texts
    assert short.get_text() == SHORT
    assert long.get_text().replace("\n", " ") == LONG and long.get_text().count("\n") == 1
    assert endless.get_text().endswith(" …") and endless.get_text().count("\n") == 1
    assert ENDLESS.startswith(endless.get_text().removesuffix(" …").replace("\n", " "))
    right = axes.get_window_extent().x1
    assert all(text.get_window_extent().x1 <= right for text in axes.texts)
    # Two lines lie within the height of one candidate.
    height = abs(np.diff(axes.transData.transform([(0, 0), (0, 1)])[:, 1])[0])
    assert all(text.get_window_extent().height <= height for text in axes.texts)


def test_scores_keep_their_number_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = drawn(monkeypatch, SHORT)
    assert [text.get_text() for text in first.texts] == ["n = 1,200"]
    assert second.texts[0].get_text() == "n = 9"
