"""The figure of candidates shows the measures by which the choice was made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from soilql.outputs.model_figures import write_candidates
from soilql.values import Table

FOLDS = {"RMSE": "RMSE_fold_mean", "R2": "R2_fold_mean"}


def table(roles: dict[str, str]) -> Table:
    rows = [
        {"zone": zone, "model": model, "RMSE": 4.0, "R2": 0.5, "RMSE_fold_mean": 3.0, "R2_fold_mean": 0.25}
        for zone in ("cold", "warm", "wet")
        for model in ("curve", "forest")
    ]
    frame = pd.DataFrame(rows).assign(chosen=lambda known: known["model"] == "curve")
    numbers = [*FOLDS, *FOLDS.values()]
    frame.loc[frame["zone"] == "wet", numbers] = np.nan
    return Table(frame, {"RMSE": "g C m-2 yr-1"}, roles)


@pytest.mark.parametrize(
    ("roles", "words", "values"),
    [({}, "all rows held out", (4.0, 0.5)), (FOLDS, "mean of the folds", (3.0, 0.25))],
    ids=["pooled", "folds"],
)
def test_bars_are_the_measures_of_the_choice(
    roles: dict[str, str], words: str, values: tuple[float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr("soilql.outputs.model_figures.save", lambda figure, path: drawn.extend(figure.axes))
    write_candidates(table(roles), Path("unused.png"))
    for axes, label, value in zip(drawn, ("RMSE (g C m⁻² yr⁻¹)", "R²"), values, strict=True):
        assert axes.get_xlabel() == f"{label}, {words}"
        assert [bar.get_width() for bar in axes.patches] == [value] * 4
        # The zone without a score has room for both its candidates.
        assert axes.get_ylim() == (2.5, -0.5)
        assert [text.get_text() for text in axes.texts] == [" no score"] * 2
