"""Totals of a flux over the globe, over zones and over bands of latitude, with intervals from ensemble totals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

from soilql import params as p
from soilql.context import Context
from soilql.errors import Diagnostic, Severity, did_you_mean
from soilql.gridding import difference
from soilql.kinds import Block, Schema, Scope, Variable
from soilql.params import GridRef, ZonesRef, param
from soilql.region_sums import Cells, Flux, Sums, sum_up
from soilql.regions import Regions
from soilql.values import Grid, Note, Table, ValueType

if TYPE_CHECKING:
    import xarray as xr

    from soilql.stats.totals import ZoneSums

VERSION = 2
PRODUCES = ValueType.TABLE

#: Densities are brought to this unit; a total is then in Pg C yr-1.
DENSITY = "g C m-2 yr-1"
TOTAL = "Pg C yr-1"


@dataclass(frozen=True)
class Params(p.Params):
    """What to add up, over which regions, and which part of a cell counts."""

    of: list[GridRef] = param(
        doc="Fluxes in a mass of carbon by area and time. Of a block with `mean`, the mean is added up, each of its "
        "quantile maps beside it, and `members` give the interval; of any other block, each variable."
    )
    by: ZonesRef | None = param(None, doc="Partition whose zones get a row each.")
    on: GridRef | None = param(None, doc="Grid with the variables that the zones look at. Default: the grid added up.")
    bands: float | list[float] | None = param(
        None,
        doc="Bands of latitude: their limits from south to north (degrees), or their width. A cell belongs to the band "
        "of its centre.",
    )
    land_fraction: Literal["none"] | GridRef = param(
        "none", doc="Share of each cell that is land, 0 to 1 or in %. `none` counts cells with a value in full."
    )
    interval: float = param(0.95, gt=0, lt=1, doc="Probability of the interval of ensemble totals.")


def run(params: Params, ctx: Context) -> Table:
    """Add up every flux.

    Returns
    -------
    Table
        One row a flux, region and time: ``of``, ``kind`` (global, zone, band), ``region``, ``cells``, ``area_Mkm2``
        (land with a value), ``missing_Mkm2`` (land without one; without a land fraction known for
        zones only),
        ``mean`` (area-weighted, g C m-2 yr-1), ``total`` (Pg C yr-1), ``total_q05`` ... (sums of the quantile maps:
        they assume that the errors of all cells are perfectly correlated and so are the widest limits), ``total_lower``
        and ``total_upper`` (percentiles of the members' totals) with ``interval_source``, and ``land_fraction``, which
        says where it entered. ``extras["members"]`` has the members' totals.
    """
    import pandas as pd

    fraction = None if params.land_fraction == "none" else _one_map(ctx, GridRef(params.land_fraction), "land_fraction")
    regions = Regions.of(None if params.by is None else ctx.zones(params.by), _limits(params, ctx))
    fluxes = [flux for i, ref in enumerate(params.of) for flux in _fluxes(ctx, ref, i)]
    applied = [_applied(params, ctx, flux) for flux in fluxes]
    rows: list[dict[str, Any]] = []
    members: list[dict[str, Any]] = []
    notes: list[Note] = []
    for flux, sums, where in zip(fluxes, _all_sums(params, ctx, fluxes, regions, fraction), applied, strict=True):
        notes += _notes(flux, regions, sums, where)
        rows += [{**row, "land_fraction": where} for row in _rows(params, flux, regions, sums)]
        members += _member_rows(flux, regions, sums)
    frame = pd.DataFrame(rows)
    totals = {name: TOTAL for name in frame.columns if str(name).startswith("total")}
    units = {"area_Mkm2": "1e6 km2", "missing_Mkm2": "1e6 km2", "mean": DENSITY, **totals}
    extras = {"members": Table(pd.DataFrame(members), {"total": TOTAL})} if members else {}
    return Table(frame, units, notes=tuple(dict.fromkeys(notes)), extras=extras)


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
        yield Flux(shown, index, grid, name, quantiles, members, _scale(ctx, grid, ref, name, index))


def _scale(ctx: Context, grid: Grid, ref: GridRef, name: str, index: int) -> float:
    from soilql.units import convert_or_raise

    unit = grid.unit(name)
    if unit is None:
        help = f"state it where it is made: `unit: {DENSITY}` of the `compute` block or of the grid's variable"
        message = f"`{name}` of `{ref.block}` has no unit, and a total without one means nothing"
        raise ctx.error("SQ303", message, "of", index, help=help)
    return convert_or_raise(unit, DENSITY, ctx.block.span("of", index)).scale


def _one_map(ctx: Context, ref: GridRef, key: str) -> tuple[Grid, xr.DataArray]:
    grid = ctx.grid(ref)
    names = list(map(str, grid.data.data_vars))
    if len(names) != 1 or grid.data[names[0]].ndim != 2:
        help = f"pick one of {', '.join(f'`{ref.block}.{name}`' for name in names)}"
        raise ctx.error("SQ714", f"`{ref}` is not one map", key, help=help)
    data = grid.data[names[0]]
    return grid, data / 100 if data.attrs.get("units") == "%" else data


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


def _cells(
    params: Params, ctx: Context, grid: Grid, regions: Regions, fraction: tuple[Grid, xr.DataArray] | None
) -> Cells:
    zones = regions.zones
    maps = {} if zones is None else _zone_maps(params, ctx, grid, zones.variables)
    if fraction is not None:
        _same_cells(ctx, grid, fraction[0], "land_fraction")
    return Cells(grid, regions, maps, None if fraction is None else fraction[1])


def _zone_maps(params: Params, ctx: Context, grid: Grid, names: Sequence[str]) -> dict[str, xr.DataArray]:
    source = grid if params.on is None else ctx.grid(params.on)
    for name in names:
        if name not in source.data:
            help = did_you_mean(name, map(str, source.data.data_vars)) or "name the grid that has it under `on`"
            what = "the grid added up" if params.on is None else f"`{params.on}`"
            raise ctx.error("SQ704", f"the zones `{params.by}` look at `{name}`, which {what} lacks", "by", help=help)
        if source.data[name].ndim != 2:
            raise ctx.error("SQ714", f"the zones `{params.by}` look at `{name}`, which is not one map", "by")
    _same_cells(ctx, grid, source, "on")
    return {name: source.data[name] for name in names}


def _cells_differ(grid: Grid, other: Grid) -> str | None:
    return difference(grid.data[["lat", "lon"]], other.data[["lat", "lon"]])


def _same_cells(ctx: Context, grid: Grid, other: Grid, key: str) -> None:
    if (found := _cells_differ(grid, other)) is not None:
        help = "bring one to the grid of the other by a block of kind `resample`"
        raise ctx.error("SQ708", f"the grids of `of` and `{key}` do not match: {found}", key, help=help)


def _limits(params: Params, ctx: Context) -> list[float]:
    bands = params.bands
    if bands is None:
        return []
    if isinstance(bands, list):
        if len(bands) < 2 or any(b <= a for a, b in pairwise(bands)) or not _on_globe(bands):
            help = "for instance [-90, -23.5, 23.5, 66.5, 90]"
            raise ctx.error("SQ126", "`bands` must be two or more latitudes from south to north", "bands", help=help)
        return bands
    count = 180 / bands if bands > 0 else 0
    if count < 1 or abs(count - round(count)) > 1e-9:
        raise ctx.error("SQ126", f"bands {bands:g} degrees wide do not fill 180 degrees", "bands")
    return [-90 + bands * i for i in range(round(count))] + [90.0]


def _on_globe(latitudes: Sequence[float]) -> bool:
    return latitudes[0] >= -90 and latitudes[-1] <= 90


def _all_sums(
    params: Params, ctx: Context, fluxes: Sequence[Flux], regions: Regions, fraction: tuple[Grid, xr.DataArray] | None
) -> list[Sums]:
    """Return the sums of each flux."""
    sums: dict[int, Sums] = {}
    left = list(range(len(fluxes)))
    while left:
        # Fluxes on the same cells go together: what is known of the cells is then read once.
        first = fluxes[left[0]].grid
        same = [i for i in left if _cells_differ(first, fluxes[i].grid) is None]
        left = [i for i in left if i not in same]
        cells = _cells(params, ctx, first, regions, fraction)
        sums |= zip(same, sum_up(ctx, [fluxes[i] for i in same], cells, (len(sums), len(fluxes))), strict=True)
    return [sums[i] for i in range(len(fluxes))]


def _rows(
    params: Params, flux: Flux, regions: Regions, sums: Mapping[tuple[str, str], ZoneSums]
) -> Iterator[dict[str, Any]]:
    from soilql.stats.totals import PG_PER_G_M2_KM2, ensemble_interval

    to_total = flux.scale * PG_PER_G_M2_KM2
    times = flux.times
    for kind, labels in regions.labels.items():
        main = sums[kind, flux.variable]
        total, mean, area, missing = main.total(), main.mean(), main.area(), main.missing_area()
        quantiles = {name: sums[kind, name].total() for name in flux.quantiles}
        interval = None
        if flux.members is not None:
            interval = ensemble_interval(sums[kind, flux.members].total() * to_total, params.interval)
        # The sea has no value either: only a zone or a land fraction says what is land.
        known = kind == "zone" or params.land_fraction != "none"
        for t, time in enumerate(times):
            for z, region in enumerate(labels):
                row = {"of": flux.name, "kind": kind, "region": region} | ({} if time is None else {"time": time})
                row |= {"cells": int(main.counts[t, z]), "area_Mkm2": area[t, z] / 1e6}
                row["missing_Mkm2"] = missing[t, z] / 1e6 if known else float("nan")
                row |= {"mean": mean[t, z] * flux.scale, "total": total[t, z] * to_total}
                row |= {f"total_{name}": values[t, z] * to_total for name, values in quantiles.items()}
                if interval is not None:
                    row |= {"total_lower": interval[0][z], "total_upper": interval[2][z]}
                row["interval_source"] = "" if interval is None else _source(params, flux)
                yield row


def _source(params: Params, flux: Flux) -> str:
    members = flux.grid.data[flux.members]
    what = str(members.attrs.get("source", "Monte Carlo members"))
    return f"{params.interval * 100:.6g} % of the totals of {members.sizes['member']} {what}"


def _member_rows(flux: Flux, regions: Regions, sums: Mapping[tuple[str, str], ZoneSums]) -> Iterator[dict[str, Any]]:
    from soilql.stats.totals import PG_PER_G_M2_KM2

    if flux.members is None:
        return
    labels = flux.grid.data["member"].to_numpy()
    for kind, names in regions.labels.items():
        totals = sums[kind, flux.members].total() * flux.scale * PG_PER_G_M2_KM2
        for z, region in enumerate(names):
            for m, member in enumerate(labels):
                yield {"of": flux.name, "kind": kind, "region": region, "member": int(member), "total": totals[m, z]}


def _notes(flux: Flux, regions: Regions, sums: Mapping[tuple[str, str], ZoneSums], applied: str) -> Iterator[Note]:
    whole = sums["global", flux.variable]
    if not whole.counts.any():
        yield Note("SQ706", f"`{flux.name}` has no value in any cell: its totals are missing")
    if applied == "not applied":
        words = f"`{flux.name}`: no land fraction, every cell with a value counts in full, coasts included"
        yield Note("SQ611", words, Severity.INFO)
    if "zone" not in regions.labels:
        return
    zoned = sums["zone", flux.variable]
    for label, count in zip(regions.labels["zone"], zoned.counts.sum(axis=0), strict=True):
        if not count:
            yield Note("SQ802", f"`{flux.name}`: zone `{label}` has no cell with a value")
    outside = float(whole.area()[0, 0] - zoned.area()[0].sum())
    if (whole.counts.sum() - zoned.counts.sum()) > 0:
        share = outside / float(whole.area()[0, 0]) if whole.area()[0, 0] else 0.0
        yield Note("SQ809", f"`{flux.name}`: {outside / 1e6:.4g} million km2 with a value ({share:.1%}) lie in no zone")


def schema(block: Block, scope: Scope) -> Schema:
    """Columns of the result that are there whatever the grids hold."""
    text = {name: Variable("text") for name in ("of", "kind", "region", "interval_source", "land_fraction")}
    number = {"cells": None, "area_Mkm2": "1e6 km2", "missing_Mkm2": "1e6 km2", "mean": DENSITY, "total": TOTAL}
    return Schema(text | {name: Variable("number", unit) for name, unit in number.items()}, open=True)


def check(block: Block, scope: Scope) -> Iterator[Diagnostic]:
    """Say which variables of the zones the grid lacks, where both are known without data."""
    from soilql import kinds

    params: Params = block.params
    zones = None if params.by is None else scope.block(params.by.block)
    kind = None if zones is None else kinds.find(zones.section, zones.kind)
    needs = getattr(kind.module, "needs", None) if kind is not None else None
    for ref in [params.on] if params.on is not None else params.of:
        known = scope.schema(ref.block)
        if zones is None or needs is None or known is None or known.open:
            continue
        for name in needs(zones.params):
            if name not in known.variables:
                message = f"the zones `{params.by}` look at `{name}`, which `{ref}` does not have"
                help = did_you_mean(name, known.variables) or "name the grid that has it under `on`"
                yield Diagnostic("SQ704", message, block.span("on" if params.on is not None else "by"), help=help)


def headline(table: Table) -> list[str]:
    """Say the global totals: ``rs global 89.31 Pg C yr-1 [84.1, 101.2]``."""
    frame = table.frame[table.frame["kind"] == "global"]
    width = max((len(str(name)) for name in frame["of"]), default=0)
    lines = []
    for row in frame.to_dict("records"):
        when = f" {row['time']}" if "time" in row else ""
        line = f"{row['of']:<{width}} {row['region']}{when} {row['total']:.4g} {TOTAL}"
        lower, upper = (float(row.get(name, "nan")) for name in ("total_lower", "total_upper"))
        lines.append(line + (f" [{lower:.4g}, {upper:.4g}]" if lower == lower and upper == upper else ""))
    return lines


def describe(params: Params) -> str:
    by = f" by {params.by}" if params.by else ""
    return f"add up {', '.join(params.of)}{by}"
