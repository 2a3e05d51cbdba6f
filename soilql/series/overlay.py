"""Trends of a response laid over trends of drivers: shares of area and of change, with their null."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from soilql.context import Context
from soilql.params import Ref
from soilql.regional.inputs import RegionMaker, same_cells
from soilql.series.pixels import row_bands
from soilql.values import Grid, Note, Table

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, eq=False)
class Overlay:
    """Trends at the cells that have one of the response.

    Attributes
    ----------
    crossing : array of int, shape (cells,)
        The crossing of regions of each cell.
    area : array, shape (cells,)
        km2 that count.
    change : array, shape (cells,)
        Net change of the response.
    changed : array of bool, shape (cells,)
        Where the response changed significantly.
    drivers : dict of str to array of bool, shape (cells,)
        Where each driver changed significantly.
    notes : tuple of Note
        Drivers without a trend at some of the cells.
    """

    maker: RegionMaker
    crossing: np.ndarray[Any, Any]
    area: np.ndarray[Any, Any]
    change: np.ndarray[Any, Any]
    changed: np.ndarray[Any, Any]
    drivers: dict[str, np.ndarray[Any, Any]]
    notes: tuple[Note, ...] = ()

    def regions(self) -> Iterator[tuple[str, str, np.ndarray[Any, Any]]]:
        """Yield kind and name of each region, and which cells belong to it."""
        regions = self.maker.regions
        for kind, labels in regions.labels.items():
            region = regions.regions(kind)[self.crossing]
            for i, label in enumerate(labels):
                yield kind, label, region == i


def _overlay(ctx: Context, key: str) -> Overlay:
    """Read the trends that a block lays over one another.

    Raises
    ------
    SoilqlError
        A grid has no trends in it (SQ714), or grids do not match (SQ708).
    """
    import numpy as np

    params = ctx.block.params
    response = _trend(ctx, params.of, "of")
    given = getattr(params, key)
    drivers = {}
    for i, (name, ref) in enumerate(params.refs.items()):
        path = (key, name if isinstance(given, Mapping) else i)
        drivers[name] = _trend(ctx, ref, *path)
        same_cells(ctx, response, drivers[name], *path)
    maker = RegionMaker.of(ctx)
    cells = maker.cells(response, (None,), str(params.of), params.of)
    flag = "class" if params.significance == "p" else "significant"
    columns: list[list[Any]] = [[] for _ in range(4 + len(drivers))]
    lacking = dict.fromkeys(drivers, 0)
    for rows in row_bands(response.data):
        crossing, area = cells.read_last(ctx, rows)
        change = response.data["change"].isel(lat=rows).to_numpy().astype(float)
        known = np.isfinite(change) & (area > 0)
        flags = [_flags(grid, flag, rows)[known] for grid in (response, *drivers.values())]
        for column, values in zip(columns, (crossing[known], area[known], change[known], *flags), strict=True):
            column.append(values)
        for name, grid in drivers.items():
            lacking[name] += int(np.isnan(grid.data["change"].isel(lat=rows).to_numpy()[known]).sum())
    crossing, area, change, changed, *others = (np.concatenate(column) for column in columns)
    notes = [
        Note(
            "SQ802",
            f"`{name}` has no trend in {count:,} of {area.size:,} cells with one of `{params.of}`: no change there",
        )
        for name, count in lacking.items()
        if count
    ]
    return Overlay(maker, crossing, area, change, changed, dict(zip(drivers, others, strict=True)), tuple(notes))


def _trend(ctx: Context, ref: Ref, *path: str | int) -> Grid:
    grid = ctx.grid(Ref(ref.block))
    if not {"class", "change", "significant"} <= set(map(str, grid.data.data_vars)):
        raise ctx.error("SQ714", f"`{ref}` has no trends in it", *path, help="name a block of kind `trend`")
    return grid


def _flags(grid: Grid, name: str, rows: slice) -> np.ndarray[Any, Any]:
    """Return where a trend is significant: a class of 2 or -2, or significant in the field; a missing one is not."""
    import numpy as np

    values = np.abs(grid.data[name].isel(lat=rows).to_numpy())
    found: np.ndarray[Any, Any] = values == (2 if name == "class" else 1)
    return found


def colocation_table(ctx: Context) -> Table:
    """Return the share of the response's significant area that has a significant driver, by region and driver."""
    import pandas as pd

    overlay = _overlay(ctx, "drivers")
    rows: list[dict[str, Any]] = []
    for kind, region, inside in overlay.regions():
        area, changed = overlay.area[inside], overlay.changed[inside]
        for name, flags in overlay.drivers.items():
            head = {"kind": kind, "region": region, "driver": name, "cells": int(inside.sum())}
            head["changed_Mkm2"] = float(area[changed].sum()) / 1e6
            flagged = float(area[flags[inside]].sum() / area.sum()) if area.size else float("nan")
            # The share of area is that of a change of one per km2 where the response is significant.
            found = _null(ctx, changed.astype(float), flags[inside], area, None)
            rows.append({**head, "driver_share": flagged, **found, "status": _status(area, changed.any())})
    frame = pd.DataFrame(rows)
    last = ["share", "driver_share", "null_mean", "null_lower", "null_upper", "p", "status"]
    frame = frame[[*(name for name in frame.columns if name not in last and name != "flagged"), *last]]
    return Table(frame, {"changed_Mkm2": "1e6 km2"}, notes=(*overlay.notes, *_notes(rows)))


def attribution_table(ctx: Context) -> Table:
    """Return the shares of land cover and climate in the response's change, by region."""
    import numpy as np
    import pandas as pd

    params = ctx.block.params
    overlay = _overlay(ctx, "land_cover")
    every = np.logical_or.reduce(list(overlay.drivers.values()))
    counted = overlay.changed if params.pixels == "significant" else np.ones(overlay.area.size, bool)
    rows: list[dict[str, Any]] = []
    for kind, region, inside in overlay.regions():
        area, change = overlay.area[inside], overlay.change[inside]
        for name, flags in {"land cover": every, **overlay.drivers}.items():
            found = _null(ctx, change, flags[inside], area, counted[inside])
            head = {"kind": kind, "region": region, "component": name, "cells": int(counted[inside].sum())}
            head["change"] = float((np.abs(change) * area)[counted[inside]].sum())
            status = _status(area, counted[inside].any())
            rows.append({**head, **found, "status": status})
            if name == "land cover":
                rows.append({**head, "component": "climate", **_rest(found), "status": status})
    unit = _change_unit(ctx)
    frame = pd.DataFrame(rows)
    return Table(frame, {} if unit is None else {"change": unit}, notes=(*overlay.notes, *_notes(rows)))


def _null(
    ctx: Context,
    change: np.ndarray[Any, Any],
    flags: np.ndarray[Any, Any],
    area: np.ndarray[Any, Any],
    counted: np.ndarray[Any, Any] | None,
) -> dict[str, Any]:
    from soilql.stats.attribution import attribution

    params = ctx.block.params
    if not change.size:
        nothing = dict.fromkeys(("share", "null_mean", "null_lower", "null_upper", "p"), float("nan"))
        return {"flagged": 0, **nothing}
    found = attribution(
        change, flags, area, counted=counted, shuffles=params.shuffles, level=params.confidence, seed=params.seed
    )
    limits = {"null_mean": found.null_mean, "null_lower": found.null_lower, "null_upper": found.null_upper}
    return {"flagged": found.flagged, "share": found.share, **limits, "p": found.p}


def _rest(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is left for climate; its limits change places, and its p is that of land cover."""
    names = {"share": "share", "null_mean": "null_mean", "null_lower": "null_upper", "null_upper": "null_lower"}
    return {**found, **{name: 1 - found[other] for name, other in names.items()}}


def _status(area: np.ndarray[Any, Any], changed: bool) -> str:
    if not area.size:
        return "no cells"
    return "done" if changed else "no significant change"


def _notes(rows: Sequence[Mapping[str, Any]]) -> tuple[Note, ...]:
    bad = {(row["region"], row["status"]): None for row in rows if row["status"] != "done"}
    return tuple(Note("SQ802", f"no share for `{region}`: {status}") for region, status in bad)


def _change_unit(ctx: Context) -> str | None:
    from soilql.units import UnitError, parse_unit

    unit = ctx.grid(Ref(ctx.block.params.of.block)).unit("change")
    try:
        return None if unit is None else str(parse_unit(unit) * parse_unit("km2"))
    except UnitError:
        return None
