"""Trends of every cell of a grid, of its regions, and what area falls into each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from soilql.context import Context
from soilql.regional.inputs import RegionMaker
from soilql.regional.sums import Cells
from soilql.series.align import Aligned, aligned, single
from soilql.series.fields import coded, field_note, rejected, status_note
from soilql.series.pixels import Layer, map_series, row_bands
from soilql.series.regions import ClassAreas, RegionSeries, add_bands, band_sums
from soilql.series.trend_rows import CLASSES, asked, check_times, statuses, trend_table
from soilql.series.units import slope_unit
from soilql.values import Grid, Note, Table

if TYPE_CHECKING:
    import numpy as np

#: Total of a flux of 1 g C m-2 yr-1 over 1 km2, in this unit.
_FLUX, _TOTAL = "g C m-2 yr-1", "Pg C yr-1"


def of_grid(ctx: Context) -> Grid:
    """Return the maps of trends, with those of the regions beside them."""
    params = ctx.block.params
    grid = ctx.grid(params.of)
    data = single(ctx, str(params.of), grid, None, "of")
    series = aligned(ctx, {str(params.of): data}, params.period, {str(params.of): ("of",)})
    check_times(ctx, series.times, series.labels)
    unit = None if data.attrs.get("units") is None else str(data.attrs["units"])
    maker = RegionMaker.of(ctx)
    cells = maker.cells(grid, list(series.labels), str(params.of), params.of)
    layers = _layers(params, str(data.attrs.get("long_name", params.of)), unit, series)
    values = {"values": series.variables[str(params.of)]}
    made = map_series(ctx, grid.data, values, layers, partial(_band, ctx, cells, series))
    p = made.arrays["p"]
    made.arrays["significant"][...] = rejected(p, params.level, params.fdr)
    if params.significance == "field":
        _classify_by_field(grid, made.arrays)
    regions = RegionSeries.of(add_bands(made.parts), maker.regions)
    table, shown = _region_tables(params, ctx, regions, series, unit)
    areas = _class_areas(ctx, cells, grid, made.arrays)
    notes = [field_note(str(params.of), p, params.level, params.fdr)]
    notes += [*status_note(str(params.of), made.arrays["status"], statuses()), *table.notes]
    notes += [*regions.notes(str(params.of), params.summary), *_lag_note(params, made.arrays)]
    extras = {"regions": table, "series": shown, "classes": areas}
    return Grid(made.dataset(grid.data, layers), grid.crs, (*grid.notes, *series.notes, *notes), extras)


def _classify_by_field(grid: Grid, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """Replace the classes by those of cells whose trend is significant in the field, which takes the whole map."""
    for rows in row_bands(grid.data):
        slope, p, flags = (arrays[name][rows] for name in ("slope", "p", "significant"))
        arrays["class"][rows] = _classes(slope, p, significant=flags == 1)


def _classes(slope: np.ndarray[Any, Any], p: np.ndarray[Any, Any], **how: Any) -> np.ndarray[Any, Any]:
    """Return classes as a map has them: NaN where nothing was tested."""
    import numpy as np

    from soilql.stats.trend import trend_classes

    return np.where(np.isfinite(p), trend_classes(slope, p, **how), np.nan)


def _layers(params: Any, name: str, unit: str | None, series: Aligned) -> list[Layer]:
    marked = {"ancillary_variables": "significant"}
    slopes = {} if slope_unit(unit) is None else {"units": slope_unit(unit)}
    values = {} if unit is None else {"units": unit}
    span = f"{_label(series.labels[0])} to {_label(series.labels[-1])}"
    wanted: list[tuple[str, str, Mapping[str, Any]]] = [
        ("slope", f"trend of {name}", {**slopes, **marked}),
        ("change", f"net change of {name}, {span}", {**values, **marked}),
        ("relative_change", f"net change of {name}, {span}, of its line at the beginning", {"units": "%", **marked}),
        ("p", f"p of the trend of {name} ({params.test})", {}),
        ("z", f"Z of the trend of {name} ({params.test})", {}),
        ("tau", f"Kendall's tau-b of {name} with time", {}),
        ("lag1", f"lag-1 autocorrelation of {name}, trend removed", {}),
        ("n", f"number of values of {name}", {}),
    ]
    if params.map_interval:
        limits = f"of the {params.confidence * 100:.6g} % interval of the trend of {name} ({params.interval})"
        wanted += [("lower", f"lower limit {limits}", slopes), ("upper", f"upper limit {limits}", slopes)]
    wanted += [
        ("class", f"trend of {name}, {span}", coded(CLASSES)),
        ("significant", f"trend of {name} significant in the field", coded({0: "no", 1: "yes"})),
        ("status", f"what became of the trend of {name}", coded(statuses())),
    ]
    exact = ("p",)
    return [
        Layer(n, "float64" if n in exact else params.dtype, {"long_name": text, **more}) for n, text, more in wanted
    ]


def _label(label: Any) -> str:
    return str(label)[:10]


def _band(
    ctx: Context, cells: Cells, series: Aligned, columns: Mapping[str, np.ndarray[Any, Any]], rows: slice
) -> tuple[dict[str, np.ndarray[Any, Any]], Any]:
    """Return the maps of a band, and the sums of its regions."""
    import numpy as np

    from soilql.stats.trend import trends

    params = ctx.block.params
    values = columns["values"]
    crossings, area = cells.read(ctx, rows)
    found = trends(values, series.times, **asked(params, params.interval if params.map_interval else "none"))
    names = ("slope", "change", "relative_change", "p", "z", "tau", "lag1", "lower", "upper")
    made = {name: getattr(found, name) for name in names}
    known = found.n > 0
    made["n"] = np.where(known, found.n, np.nan)
    made["class"] = _classes(found.slope, found.p, level=params.level)
    # Cells that never have a value, such as the sea, are no failures.
    made["status"] = np.where(known, found.status, np.nan)
    made["significant"] = np.full(values.shape[1:], np.nan)
    return made, band_sums(values, area, crossings, cells.regions.count)


def _region_tables(
    params: Any, ctx: Context, regions: RegionSeries, series: Aligned, unit: str | None
) -> tuple[Table, Table]:
    """Return the trends of the regions, and their series."""
    import numpy as np
    import pandas as pd

    values, shown_unit = regions.means, unit
    if params.summary == "total":
        values, shown_unit = _totals(ctx, regions, unit), _TOTAL
    keys = [{"kind": kind, "region": name} for kind, name in zip(regions.kinds, regions.names, strict=True)]
    table = trend_table(params, keys, values, series.times, series.labels, shown_unit)
    steps, count = values.shape
    frame = pd.DataFrame(
        {
            "kind": np.repeat(regions.kinds, steps),
            "region": np.repeat(regions.names, steps),
            "time": np.tile(series.labels, count),
            "value": values.T.ravel(),
            "line": _lines(table, values, series.times).T.ravel(),
            "p": np.repeat(table.frame["p"].to_numpy(dtype=float), steps),
            "significant": np.repeat(table.frame["significant"].to_numpy(dtype=bool), steps),
            "area_Mkm2": regions.area.T.ravel() / 1e6,
        }
    )
    units = {"area_Mkm2": "1e6 km2"} | ({} if shown_unit is None else {"value": shown_unit, "line": shown_unit})
    return table, Table(frame, units, {"time": "time"})


def _lines(table: Table, values: np.ndarray[Any, Any], times: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the line through each series, shape (time, series), NaN outside its first and last value."""
    import numpy as np

    start, slope = (table.frame[name].to_numpy(dtype=float) for name in ("start", "slope"))
    known = np.isfinite(values)
    inside = np.logical_or.accumulate(known) & np.logical_or.accumulate(known[::-1])[::-1]
    first = times[known.argmax(axis=0)]
    return np.where(inside, start + slope * (times[:, None] - first), np.nan)


def _totals(ctx: Context, regions: RegionSeries, unit: str | None) -> np.ndarray[Any, Any]:
    from soilql.stats.totals import PG_PER_G_M2_KM2
    from soilql.units import convert_or_raise

    if unit is None:
        message = f"`{ctx.block.params.of}` has no unit, and a total without one means nothing"
        raise ctx.error("SQ303", message, "summary", help="state the unit where it is made, or take `summary: mean`")
    scale = convert_or_raise(unit, _FLUX, ctx.block.span("of")).scale
    totals: np.ndarray[Any, Any] = regions.sums * scale * PG_PER_G_M2_KM2
    return totals


def _class_areas(ctx: Context, cells: Cells, grid: Grid, arrays: Mapping[str, np.ndarray[Any, Any]]) -> Table:
    """Return the area in each class by region, and of it that which is significant in the field."""
    import pandas as pd

    areas = ClassAreas(cells.regions, tuple(CLASSES))
    every, counted = [], []
    for rows in row_bands(grid.data):
        crossing, area = cells.read_last(ctx, rows)
        classes = arrays["class"][rows]
        every.append(areas.band(classes, area, crossing))
        counted.append(areas.band(_only(classes, arrays["significant"][rows]), area, crossing))
    frame = pd.DataFrame(areas.rows(every))
    frame.insert(2, "class", frame.pop("code").map(CLASSES))
    frame["significant_Mkm2"] = [row["area_Mkm2"] for row in areas.rows(counted)]
    return Table(frame, {"area_Mkm2": "1e6 km2", "significant_Mkm2": "1e6 km2"})


def _only(classes: np.ndarray[Any, Any], flags: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    import numpy as np

    return np.where(flags == 1, classes, np.nan)


def _lag_note(params: Any, arrays: Mapping[str, np.ndarray[Any, Any]]) -> Sequence[Note]:
    import numpy as np

    lag1 = arrays["lag1"]
    known = np.isfinite(lag1)
    if params.test != "mk" or not known.any():
        return ()
    middle = float(np.median(lag1[known]))
    n = float(np.median(arrays["n"][known]))
    if middle <= (-1 + 1.645 * (n - 2) ** 0.5) / (n - 1):
        return ()
    words = (
        f"half of the cells have a lag-1 autocorrelation above {middle:.2f}: their p is too small; `test: pw` keeps it"
    )
    return (Note("SQ671", words),)
