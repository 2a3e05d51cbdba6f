"""Latitude and longitude are exchanged, or have lost their sign.

A longitude read as latitude lies beyond 90 degrees for a third of the land, and those rows are left out; the others
stay, and get the drivers of some other continent. The same happens where `W` and `S` were dropped from the
coordinates. With the grids that the sites are joined to it can be told: exchanged, many more of the sites would lie
where all drivers have a value.

Bad::

    roles: {lat: x, lon: y}

Good::

    roles: {lat: y, lon: x}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from soilql.errors import Diagnostic, Severity
from soilql.kinds import Block
from soilql.study.words import counted
from soilql.values import Grid, Table

if TYPE_CHECKING:
    from soilql.study.study import Study

CODE = "SQ745"
TITLE = "latitude and longitude exchanged"
#: What follows from sites in the wrong places, in all that is made from them.
EXPLAINS = ("SQ609", "SQ646", "SQ707", "SQ721", "SQ730", "SQ746", "SQ748", "SQ802", "SQ809")

#: Sites that lie on a grid another way, for each that does as it stands, from which on that is no chance.
_TIMES_MORE = 1.5
#: Share of latitudes that cannot be one, from which on they are not single slips.
_MANY = 0.1
#: Share of the sites that must lie on the grid then.
_LEAST = 0.6


def check(study: Study) -> Iterator[Diagnostic]:
    """Yield a warning for each table whose sites meet the grids better with their coordinates exchanged."""
    told = set()
    for block in study.readers():
        roles = getattr(block.params, "roles", {})
        if {"lat", "lon"} <= set(roles) and _has_lost_rows(study, block):
            beyond, rows = _beyond(study.before_filter(block), str(roles["lat"]), str(roles["lon"]))
            if beyond > _MANY * rows:
                told.add(block.name)
                message = (
                    f"`{roles['lat']}` of `{block.name}` lies beyond 90 degrees in {beyond:,} of {rows:,} rows, and "
                )
                message += f"`{roles['lon']}` in none"
                span = block.span("roles", "lat")
                yield Diagnostic(CODE, message, span, help="exchange the roles", severity=Severity.WARNING)
    for block in study.joins():
        if block.params.at.block in told:
            continue
        table, grid = study.table(block.params.at.block), study.grid(block.params.from_[0].block)
        if table is None or grid is None or not {"lat", "lon"} <= set(table.roles):
            continue
        found = _better(table, grid)
        sites = study.spec.block(block.params.at.block)
        if found is None or sites is None:
            continue
        words, here, there, known = found
        message = f"{here:,} of {counted(known, 'row')} of `{sites.name}` lie on `{block.params.from_[0].block}`"
        message += f", and {there:,} would with {words}"
        help = "exchange the roles" if words.startswith("latitude") else "mend the signs in the file"
        yield Diagnostic(CODE, message, _place(sites), help=help, severity=Severity.WARNING)


def _has_lost_rows(study: Study, block: Block) -> bool:
    """Return whether rows were left out for their coordinates, or none is left."""
    table = study.table(block.name)
    return table is None or any(note.code == "SQ721" for note in table.notes)


def _beyond(columns: Mapping[str, Any], lat: str, lon: str) -> tuple[int, int]:
    """Return in how many rows a latitude cannot be one, if every longitude could be; and the rows with both."""
    import numpy as np

    if not {lat, lon} <= set(columns) or any(columns[name].dtype.kind not in "iuf" for name in (lat, lon)):
        return 0, 0
    known = np.isfinite(columns[lat]) & np.isfinite(columns[lon])
    fits = bool((np.abs(columns[lon][known]) <= 90).all())
    return int((np.abs(columns[lat][known]) > 90).sum()) if fits else 0, int(known.sum())


def _place(sites: Block) -> Any:
    return sites.span("roles", "lat") if hasattr(sites.params, "roles") else sites.name_span


def _better(table: Table, grid: Grid) -> tuple[str, int, int, int] | None:
    """Return the way of reading the coordinates by which many more sites lie on the grid, with both numbers."""
    import numpy as np

    lat, lon = (table.frame[table.roles[axis]].to_numpy(dtype=float) for axis in ("lat", "lon"))
    known = np.isfinite(lat) & np.isfinite(lon)
    lat, lon = lat[known], lon[known]
    if lat.size < 5:
        return None
    here = _on(grid, lat, lon)
    ways = (
        ("latitude and longitude exchanged", lon, lat),
        ("the signs of the longitudes turned", lat, -lon),
        ("the signs of the latitudes turned", -lat, lon),
    )
    counts = [(_on(grid, north, east), words) for words, north, east in ways]
    there, words = max(counts, key=lambda one: one[0])
    if there < _LEAST * lat.size or there < _TIMES_MORE * here:
        return None
    return words, here, there, int(lat.size)


def _on(grid: Grid, lat: Any, lon: Any) -> int:
    """Return how many places lie in a cell of the grid that has values."""
    import numpy as np

    from soilql.stats.sphere import nearest_cells

    inside = np.abs(lat) <= 90
    data = grid.data[next(iter(grid.data.data_vars))]
    for dim in data.dims:
        data = data if dim in ("lat", "lon") else data.isel({dim: 0})
    cells = nearest_cells(lat[inside], lon[inside], data["lat"].to_numpy(), data["lon"].to_numpy())
    values = data.to_numpy()[cells.rows, cells.columns]
    return int((np.isfinite(values) & cells.inside).sum())
