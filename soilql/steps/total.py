"""Totals of a flux over the globe, over zones and over bands of latitude, with intervals from ensemble totals.

In R: `global` and `zonal` of terra.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from soilql import params as p
from soilql.context import Context
from soilql.errors import Diagnostic
from soilql.kinds import Block, Schema, Scope, Variable
from soilql.params import GridRef, ModelRef, Problem, ZonesRef, param
from soilql.prediction import Request, predict
from soilql.regional import tables
from soilql.regional.inputs import (
    BANDS,
    BY,
    LAND_FRACTION,
    RegionMaker,
    bands_problems,
    cells_differ,
    check_zone_variables,
)
from soilql.regional.sums import Flux, Sums, sum_up
from soilql.regional.tables import DENSITY, TOTAL
from soilql.values import Grid, Note, Table, ValueType

if TYPE_CHECKING:
    import pandas as pd

VERSION = 5
PRODUCES = ValueType.TABLE
#: The column `of` names the maps.
SHOWS_NAMES = ("inputs",)


@dataclass(frozen=True)
class Params(p.Params):
    """What to add up, over which regions, and which part of a cell counts."""

    POSITIONAL = ("of",)

    of: list[GridRef] = param(
        [],
        doc="Fluxes in a mass of carbon by area and time. Of a block with `mean`, the mean is added up, each of its "
        "quantile maps beside it, and `members` give the interval; of any other block, each variable.",
    )
    models: list[ModelRef] = param(
        [],
        doc="Fitted models whose predictions on the grid `on` are added up as they are made, the maps "
        "of their members as well, and none is kept.",
    )
    members: int = param(0, ge=0, doc="Number of Monte Carlo members of each of the `models`.")
    seed: int = param(1, ge=0, doc="Seed of these members; with that of a `predict` block they are the same.")
    by: ZonesRef | None = param(None, doc=BY)
    on: GridRef | None = param(
        None,
        doc="Grid with the drivers of the `models`, and with the variables that the zones look at. Default: the grid "
        "added up.",
    )
    bands: float | list[float] | None = param(None, doc=BANDS)
    land_fraction: Literal["none"] | GridRef = param("none", doc=LAND_FRACTION)
    interval: float = param(0.95, gt=0, lt=1, doc="Probability of the interval of ensemble totals.")

    def problems(self) -> Iterator[Problem]:
        if not self.of and not self.models:
            yield "name what to add up: maps under `of`, or `models`", "of"
        if self.models and self.on is None:
            yield "`models` need the grid with their drivers: name it under `on`", "models"
        if self.members == 1:
            yield "one member makes no interval: ask for two or more, better some hundreds", "members"
        if self.members and not self.models:
            yield "`members` are those of `models`; maps under `of` bring their own", "members"
        yield from bands_problems(self.bands)


def run(params: Params, ctx: Context) -> Table:
    """Add up every flux.

    Returns
    -------
    Table
        One row a flux, region and time: ``of``, ``kind`` (global, zone, band), ``region``, ``time``, ``cells``,
        ``area_Mkm2`` (land with a value), ``missing_Mkm2`` (land without one; without a land fraction known for zones
        only),
        ``mean`` (area-weighted, g C m-2 yr-1), ``total`` (Pg C yr-1), ``total_q05`` ... (sums of the quantile maps:
        they assume that the errors of all cells are perfectly correlated and so are the widest limits), ``total_lower``
        and ``total_upper`` (percentiles of the members' totals) with ``interval_source``, and ``land_fraction``, which
        says where it entered. ``extras["members"]`` has the members' totals, ``extras["period"]`` of fluxes with
        several times the mean over the times, whose interval is that of the members' means.
    """
    import pandas as pd

    maker = RegionMaker.of(ctx)
    regions = maker.regions
    fluxes = [flux for i, ref in enumerate(params.of) for flux in _fluxes(ctx, ref, i)]
    fluxes += [_predicted(params, ctx, i) for i in range(len(params.models))]
    applied = [_applied(params, ctx, flux) for flux in fluxes]
    results = _all_sums(ctx, fluxes, maker)
    rows: list[dict[str, Any]] = []
    members: list[dict[str, Any]] = []
    notes: list[Note] = []
    for flux, sums, where in zip(fluxes, results, applied, strict=True):
        notes += [*flux.grid.notes] if flux.place[0] == "models" else []
        notes += tables.notes(flux, regions, sums, where)
        found = tables.rows(flux, regions, sums, level=params.interval, land_known=params.land_fraction != "none")
        rows += [{**row, "land_fraction": where} for row in found]
        members += tables.member_rows(flux, regions, sums)
    frame = pd.DataFrame(rows)
    extras = {}
    if members:
        extras["members"] = Table(pd.DataFrame(members), {"total": TOTAL})
        notes += tables.member_notes(frame, extras["members"].frame)
    if "time" in frame:
        frame["time"] = tables.times(frame["time"])
        extras["period"] = tables.period(frame, extras.get("members"), params.interval)
    totals = {name: TOTAL for name in frame.columns if str(name).startswith("total")}
    units = {"area_Mkm2": "1e6 km2", "missing_Mkm2": "1e6 km2", "mean": DENSITY, **totals}
    roles = {"time": "time"} if "time" in frame else {}
    return Table(frame, units, roles, notes=tuple(dict.fromkeys(notes)), extras=extras)


def _is_quantile(name: str) -> bool:
    return name.startswith("q") and name[1:].replace(".", "", 1).isdigit()


def _fluxes(ctx: Context, ref: GridRef, index: int) -> Iterator[Flux]:
    grid = ctx.grid(ref)
    names = list(map(str, grid.data.data_vars))
    whole = "mean" in names and ref.variable is None
    plain = [name for name in names if name not in ("sd", "members") and not _is_quantile(name)]
    for name in ["mean"] if whole else plain or names:
        shown = str(ref) if whole or len(names) == 1 else f"{ref}.{name}"
        quantiles = tuple(n for n in names if _is_quantile(n)) if whole else ()
        members = "members" if whole and "members" in names else None
        yield Flux(
            shown, ("of", index), grid, name, quantiles, members, _scale(ctx, grid, ref.block, name, ("of", index))
        )


def _predicted(params: Params, ctx: Context, index: int) -> Flux:
    """Return the flux that a model predicts, whose maps are made when they are added up and then let go."""
    model, on = params.models[index], params.on
    assert on is not None
    at = ("models", index)
    found = predict(Request(model, on, at, members=params.members, seed=params.seed, dtype="float64"), ctx)
    grid = Grid(found.data, ctx.grid(on).crs, found.notes)
    members = "members" if params.members else None
    return Flux(str(model), at, grid, "mean", (), members, _scale(ctx, grid, model.block, "mean", at))


def _scale(ctx: Context, grid: Grid, block: str, name: str, at: tuple[str | int, ...]) -> float:
    from soilql.units import convert_or_raise

    unit = grid.unit(name)
    if unit is None:
        help = f"state it where it is made: `unit: {DENSITY}` of the `compute` block or of the grid's variable"
        message = f"`{name}` of `{block}` has no unit, and a total without one means nothing"
        raise ctx.error("SQ303", message, *at, help=help)
    return convert_or_raise(unit, DENSITY, ctx.block.span(*at)).scale


def _applied(params: Params, ctx: Context, flux: Flux) -> str:
    """Return where the land fraction enters, once at most."""
    before = flux.grid.data[flux.variable].attrs.get("land_fraction_applied") or flux.grid.data.attrs.get(
        "land_fraction_applied"
    )
    if params.land_fraction == "none":
        return "in the map" if before else "not applied"
    if before:
        message = f"the land fraction is in `{flux.name}` already and would be applied twice"
        raise ctx.error("SQ610", message, "land_fraction", help="leave `land_fraction` out")
    return f"here, from {params.land_fraction}"


def _all_sums(ctx: Context, fluxes: Sequence[Flux], maker: RegionMaker) -> list[list[Sums]]:
    """Return the sums of each flux at each of its times."""
    sums: dict[int, list[Sums]] = {}
    left = list(range(len(fluxes)))
    while left:
        # Fluxes on the same cells and times go together: what is known of the cells is then read once.
        first = fluxes[left[0]]
        same = [i for i in left if fluxes[i].times == first.times and cells_differ(first.grid, fluxes[i].grid) is None]
        left = [i for i in left if i not in same]
        key, index = first.place
        ref = ctx.block.params.of[index] if key == "of" else None
        cells = maker.cells(first.grid, first.times, first.name, ref)
        sums |= zip(same, sum_up(ctx, [fluxes[i] for i in same], cells, (len(sums), len(fluxes))), strict=True)
    return [sums[i] for i in range(len(fluxes))]


def schema(block: Block, scope: Scope) -> Schema:
    """Columns of the result that are there whatever the grids hold."""
    text = {name: Variable("text") for name in ("of", "kind", "region", "interval_source", "land_fraction")}
    number = {"cells": None, "area_Mkm2": "1e6 km2", "missing_Mkm2": "1e6 km2", "mean": DENSITY, "total": TOTAL}
    return Schema(text | {name: Variable("number", unit) for name, unit in number.items()}, open=True)


def check(block: Block, scope: Scope) -> Iterator[Diagnostic]:
    """Say which variables of the zones the grid lacks, where both are known without data."""
    yield from check_zone_variables(block, scope, block.params.of)


def headline(table: Table) -> list[str]:
    """Say the global totals: ``rs global 89.31 Pg C yr-1 [84.1, 101.2]``, of a series their mean."""
    period = table.extras.get("period")
    whole = table.frame[table.frame["kind"] == "global"]
    single = whole if "time" not in whole else whole[whole["time"].isna()]
    rows = [
        (str(row["of"]), f"{row['region']}", row["total"], row.get("total_lower"), row.get("total_upper"))
        for row in single.to_dict("records")
    ]
    if period is not None:
        rows += [
            (str(row["of"]), f"{row['region']} {_span(row, whole)}", row["mean_total"], row["lower"], row["upper"])
            for row in period.frame[period.frame["kind"] == "global"].to_dict("records")
        ]
    width = max((len(name) for name, *_ in rows), default=0)
    return [f"{name:<{width}} {where} {_total_text(total, *ends)}" for name, where, total, *ends in rows]


def _span(row: Mapping[Any, Any], series: pd.DataFrame) -> str:
    """Return the times of a mean, those that have a total: ``mean of 2000-2014``."""
    import numpy as np

    from soilql.io.time_words import times_in_words

    own = series[(series["of"] == row["of"]) & series["time"].notna()]
    known = own[own["total"].notna()] if row["times"] else own
    dated = known["time"].dtype.kind == "M"
    words = times_in_words(np.array(known["time"].tolist(), "datetime64[ns]" if dated else None))
    return words if row["times"] == 1 else f"mean of {words}"


def _total_text(total: float, lower: Any, upper: Any) -> str:
    return "has no value" if total != total else f"{total:.4g} {TOTAL}{_limits_text(lower, upper)}"


def _limits_text(lower: Any, upper: Any) -> str:
    known = lower is not None and upper is not None and lower == lower and upper == upper
    return f" [{lower:.4g}, {upper:.4g}]" if known else ""


def describe(params: Params) -> str:
    by = f" by {params.by}" if params.by else ""
    streamed = f" with {params.members} members each" if params.members else ""
    return f"add up {', '.join([*params.of, *params.models])}{streamed}{by}"
