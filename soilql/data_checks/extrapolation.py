"""Much of the map lies outside the range of the training data.

In these cells a driver is smaller or larger than in any row that the model was fitted to. A forest repeats its
outermost value there, a regression goes on by its formula, and neither is supported by data: the skill of the test
does not hold there. Given is the share of the area; up to a twentieth is counted in the notes of a run. Show these
cells apart, or find observations in them.

Meyer & Pebesma (2021), doi:10.1111/2041-210X.13650.

Bad::

    training: {kind: extract, at: europe, from: drivers}
    rs: {kind: predict, model: qrf, on: drivers}              # the whole globe

Good::

    drivers: {kind: grid, source: drivers.nc, where: MAT > 0 and MAT < 20}    # within the range of the sites
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from soilql import design
from soilql.errors import Diagnostic, Severity
from soilql.kinds import Block
from soilql.study.words import share
from soilql.units import UnitError, conversion
from soilql.values import Grid

if TYPE_CHECKING:
    from soilql.study.rows import Rows
    from soilql.study.study import Study

CODE = "SQ609"
TITLE = "prediction outside the range of the training data"

#: Share of the area that may lie outside without a word.
_LITTLE = 0.05


def check(study: Study) -> Iterator[Diagnostic]:
    """Yield a warning for each prediction of which more than a twentieth lies outside the rows of its model."""
    for prediction, model in design.mappings(study.spec):
        grid = study.grid(prediction.params.on.block)
        rows = study.rows(model) if hasattr(model.params, "formula") and hasattr(model.params, "data") else None
        if grid is None or rows is None or not rows.count:
            continue
        ranges = _ranges(study, prediction, model, rows, grid)
        total, outside, each = _outside(grid, ranges)
        if total and outside > _LITTLE * total:
            worst = sorted(((area, name) for name, area in each.items() if area), reverse=True)[:4]
            message = f"{share(outside, total)} of the area of `{prediction.params.on}` lies outside the rows of "
            message += f"`{model.name}`"
            label = ", ".join(f"{name} {share(area, total)}" for area, name in worst)
            help = "show these cells apart, or find observations in them"
            yield Diagnostic(CODE, message, prediction.span("on"), label, help, Severity.WARNING)


def _ranges(study: Study, prediction: Block, model: Block, rows: Rows, grid: Grid) -> dict[str, tuple[float, float]]:
    """Return the range of each driver among the rows, by the name and in the unit that it has in the grid."""
    rename = {str(k): str(v) for k, v in prediction.params.rename.items()}
    found = {}
    for name in design.driver_names(model):
        there, values = rename.get(name, name), rows.columns[name]
        if there not in grid.data.data_vars or values.dtype.kind != "f" or grid.data[there].attrs.get("categorical"):
            continue
        ours, theirs = study.unit(model.params.data.block, name), grid.unit(there)
        try:
            change = conversion(ours, theirs) if ours and theirs else None
        except UnitError:
            continue
        low, high = float(values.min()), float(values.max())
        found[there] = (low, high) if change is None else (change.apply(low), change.apply(high))
    return found


def _outside(grid: Grid, ranges: dict[str, tuple[float, float]]) -> tuple[float, float, dict[str, float]]:
    """Return the area with all drivers, the part outside the range of any, and that outside the range of each."""
    import numpy as np

    from soilql.study.summaries import bands

    total = outside = 0.0
    each = dict.fromkeys(ranges, 0.0)
    for part in bands(grid, list(ranges)) if ranges else ():
        known = np.logical_and.reduce([np.isfinite(part[name]) for name in ranges])
        area = np.broadcast_to(part["area"], known.shape)
        beyond = {name: known & ((part[name] < low) | (part[name] > high)) for name, (low, high) in ranges.items()}
        total += float(area[known].sum())
        outside += float(area[np.logical_or.reduce(list(beyond.values()))].sum())
        for name, where in beyond.items():
            each[name] += float(area[where].sum())
    return total, outside, each
