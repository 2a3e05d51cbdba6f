"""The grids do not cover the sites.

Not one site lies on the grid that its drivers are to come from: the grid is of another region, its bounds are wrong,
or its axes are metres instead of degrees.

Bad::

    datasets:
      drivers: {kind: grid, source: siberia.tif}
      training: {kind: extract, at: sites_of_brazil, from: drivers}

Good::

    datasets:
      drivers: {kind: grid, source: brazil.tif}
      training: {kind: extract, at: sites_of_brazil, from: drivers}
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from soilql.errors import Diagnostic
from soilql.values import Grid, Table

if TYPE_CHECKING:
    import numpy as np

    from soilql.study.study import Study

CODE = "SQ746"
TITLE = "grid that covers no site"
#: That no row is left then has this reason.
EXPLAINS = ("SQ707",)


def check(study: Study) -> Iterator[Diagnostic]:
    """Yield an error for each grid that no site lies on."""
    for block in study.joins():
        table = study.table(block.params.at.block)
        for i, ref in enumerate(block.params.from_):
            grid = study.grid(ref.block)
            if table is None or grid is None or not {"lat", "lon"} <= set(table.roles):
                continue
            words = _apart(table, grid)
            if words:
                message = f"no row of `{block.params.at}` lies on `{ref}`"
                help = "is it of another region, or are its `bounds` wrong?"
                yield Diagnostic(CODE, message, block.span("from", i), help=help, notes=words)


def _apart(table: Table, grid: Grid) -> tuple[str, ...]:
    """Return where the sites and the grid lie, if no site is on it."""
    import numpy as np

    from soilql.stats.sphere import nearest_cells

    lat, lon = (table.frame[table.roles[axis]].to_numpy(dtype=float) for axis in ("lat", "lon"))
    known = np.isfinite(lat) & np.isfinite(lon)
    axes = grid.data["lat"].to_numpy(), grid.data["lon"].to_numpy()
    if not known.any() or nearest_cells(lat[known], lon[known], *axes).inside.any():
        return ()
    return (f"the sites lie at {_box(lat[known], lon[known])}", f"the grid has its cells at {_box(*axes)}")


def _box(lat: np.ndarray[tuple[int], np.dtype[np.float64]], lon: np.ndarray[tuple[int], np.dtype[np.float64]]) -> str:
    ends = (f"{values.min():.2f} to {values.max():.2f} {way}" for values, way in ((lat, "N"), (lon, "E")))
    return ", ".join(ends)
