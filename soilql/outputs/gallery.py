"""Which figure is drawn of a table: the first whose columns it has, whatever kind made it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from soilql.values import Table

Draw: TypeAlias = Callable[[Table, Path, str], None]


def draw(table: Table, path: Path, title: str) -> list[Path]:
    """Draw the figure that suits a table, if there is one.

    Parameters
    ----------
    table : Table
        Any result.
    path : Path
        The PNG file.
    title : str
        Above the figure.

    Returns
    -------
    list of Path
        The file, or nothing.

    Raises
    ------
    SoilqlError
        The file cannot be written (SQ901).
    """
    columns = set(map(str, table.frame.columns))
    if len(table.frame):
        for needed, figure in _figures():
            if needed <= columns:
                figure(table, path, title)
                return [path]
    return []


def _figures() -> tuple[tuple[set[str], Draw], ...]:
    from soilql.outputs import figures, model_figures, region_figures, series_figures

    return (
        ({"observed", "predicted"}, figures.write_observed_predicted),
        ({"kind", "region", "time", "total", "area_Mkm2"}, series_figures.write_series),
        ({"kind", "region", "time", "value", "area_Mkm2"}, series_figures.write_series),
        ({"of", "kind", "region", "total", "area_Mkm2"}, figures.write_bars),
        ({"n", "slope", "lower", "upper", "p", "significant", "status"}, series_figures.write_slopes),
        ({"driver", "r", "p", "significant"}, region_figures.write_correlations),
        ({"region", "driver", "share", "null_mean"}, region_figures.write_colocation),
        ({"region", "class", "share"}, region_figures.write_classes),
        ({"region", "component", "share", "null_mean"}, region_figures.write_attribution),
        ({"zone", "stage", "candidate", "phi", "chosen"}, model_figures.write_selection),
        ({"zone", "model", "RMSE", "R2", "chosen"}, model_figures.write_candidates),
    )
