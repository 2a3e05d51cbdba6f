"""Where a response changed, how often a driver changed too: the share of area, beside what chance alone would give."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from soilql import params as p
from soilql.context import Context
from soilql.errors import Diagnostic
from soilql.kinds import Block, Schema, Scope, Variable
from soilql.params import GridRef, NewName, Problem, ZonesRef, param
from soilql.regional.inputs import BANDS, BY, LAND_FRACTION, ON, bands_problems, check_zone_variables
from soilql.series.trend_refs import by_chance, check_trends, named_refs, named_twice
from soilql.values import Table, ValueType

VERSION = 2
PRODUCES = ValueType.TABLE


@dataclass(frozen=True)
class Params(p.Params):
    """Which trends are laid over one another, and over which regions."""

    of: GridRef = param(doc="The response: a `trend` of a grid.")
    drivers: list[GridRef] | dict[NewName, GridRef] = param(
        doc="Trends of the drivers on the same cells; a mapping gives them names: {TEM: tem_trend, SV: sv_trend}."
    )
    significance: Literal["p", "field"] = param(
        "p",
        doc="What counts as a change: `p`, a significant class of the trend, which goes by p below its level unless it "
        "says `significance: field` itself; or significant in the `field`.",
    )
    shuffles: int = param(1000, ge=0, doc="Times the driver's changes are shuffled over the cells of the region.")
    confidence: float = param(0.95, gt=0, lt=1, doc="Probability of the interval of the shuffled shares.")
    seed: int = param(1, ge=0, doc="Seed of the shuffles.")
    by: ZonesRef | None = param(None, doc=BY)
    on: GridRef | None = param(None, doc=ON)
    bands: float | list[float] | None = param(None, doc=BANDS)
    land_fraction: Literal["none"] | GridRef = param("none", doc=LAND_FRACTION)

    def problems(self) -> Iterator[Problem]:
        yield from named_twice(self.drivers, "drivers")
        yield from bands_problems(self.bands)

    @property
    def refs(self) -> dict[str, GridRef]:
        """The drivers by name."""
        return named_refs(self.drivers)


def run(params: Params, ctx: Context) -> Table:
    """Lay the trends over one another.

    Returns
    -------
    Table
        One row a region and driver: ``kind``, ``region``, ``driver``, ``cells``, ``changed_Mkm2`` (area of a
        significant response), ``share`` (of it with a significant driver), ``driver_share`` (of the whole region with
        one), ``null_mean``, ``null_lower``, ``null_upper`` and ``p`` under shuffled changes, ``status``.
    """
    from soilql.series.overlay import colocation_table

    return colocation_table(ctx)


def schema(block: Block, scope: Scope) -> Schema:
    """Columns of the result."""
    text = {name: Variable("text") for name in ("kind", "region", "driver", "status")}
    numbers = ("cells", "share", "driver_share", "null_mean", "null_lower", "null_upper", "p")
    found = text | {name: Variable("number") for name in numbers} | {"changed_Mkm2": Variable("number", "1e6 km2")}
    return Schema(found)


def check(block: Block, scope: Scope) -> Iterator[Diagnostic]:
    """Say what is no trend, and which variables the zones lack."""
    yield from check_trends(block, scope, "of", "drivers")
    yield from check_zone_variables(block, scope, [block.params.of])


def headline(table: Table) -> list[str]:
    """Say the shares of the whole: ``global  SV 41 % (by chance 22 %)``."""
    whole = table.frame[table.frame["kind"] == "global"]
    if (whole["status"] != "done").all():
        return [f"global  {status}" for status in whole["status"].unique()]
    parts = [f"{row['driver']} {by_chance(row)}" for row in whole.to_dict("records")]
    return [f"global  {'  '.join(parts)}"] if parts else []


def describe(params: Params) -> str:
    return f"changes of {params.of} where {', '.join(params.refs)} changed"
