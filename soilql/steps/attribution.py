"""The share of a response's change that lies where land cover changed, and the rest, put down to climate."""

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
    """Whose change is shared out between land cover and climate, and over which regions."""

    of: GridRef = param(doc="The response: a `trend` of a grid.")
    land_cover: list[GridRef] | dict[NewName, GridRef] = param(
        doc="Trends of the parts of land cover on the same cells; a change of any of them counts. A mapping gives them "
        "names: {TC: tc_trend, SV: sv_trend, BG: bg_trend}."
    )
    pixels: Literal["all", "significant"] = param(
        "all", doc="Cells whose change is shared out: `all`, or those where the response's trend is significant."
    )
    significance: Literal["p", "field"] = param(
        "p",
        doc="What counts as a change: `p`, a significant class of the trend, which goes by p below its level unless it "
        "says `significance: field` itself; or significant in the `field`.",
    )
    shuffles: int = param(1000, ge=0, doc="Times the flags of land cover are shuffled over the cells of the region.")
    confidence: float = param(0.95, gt=0, lt=1, doc="Probability of the interval of the shuffled shares.")
    seed: int = param(1, ge=0, doc="Seed of the shuffles.")
    by: ZonesRef | None = param(None, doc=BY)
    on: GridRef | None = param(None, doc=ON)
    bands: float | list[float] | None = param(None, doc=BANDS)
    land_fraction: Literal["none"] | GridRef = param("none", doc=LAND_FRACTION)

    def problems(self) -> Iterator[Problem]:
        yield from named_twice(self.land_cover, "land_cover")
        yield from bands_problems(self.bands)

    @property
    def refs(self) -> dict[str, GridRef]:
        """The trends of land cover by name."""
        return named_refs(self.land_cover)


def run(params: Params, ctx: Context) -> Table:
    """Share out the change (Huang et al. 2020, doi:10.1126/sciadv.abb8508).

    Per cell N = slope x years x area. The share of land cover is the sum of |N| over cells where any part of it has a
    significant trend, divided by the sum of |N|; climate is the rest. By construction some change falls to land cover
    even where it does nothing: the share under shuffled flags stands beside it.

    Returns
    -------
    Table
        One row a region and component (``land cover``, ``climate``, then each part of land cover, which overlap):
        ``kind``, ``region``, ``component``, ``cells``, ``flagged``, ``change`` (sum of |N|), ``share``, ``null_mean``,
        ``null_lower``, ``null_upper``, ``p``, ``status``.
    """
    from soilql.series.overlay import attribution_table

    return attribution_table(ctx)


def schema(block: Block, scope: Scope) -> Schema:
    """Columns of the result."""
    text = {name: Variable("text") for name in ("kind", "region", "component", "status")}
    numbers = ("cells", "flagged", "change", "share", "null_mean", "null_lower", "null_upper", "p")
    return Schema(text | {name: Variable("number") for name in numbers})


def check(block: Block, scope: Scope) -> Iterator[Diagnostic]:
    """Say what is no trend, and which variables the zones lack."""
    yield from check_trends(block, scope, "of", "land_cover")
    yield from check_zone_variables(block, scope, [block.params.of])


def headline(table: Table) -> list[str]:
    """Say the share of each region: ``boreal  land cover 55 % (by chance 31 %), climate 45 %``."""
    frame = table.frame[table.frame["component"] == "land cover"]
    width = max((len(str(name)) for name in frame["region"]), default=0)
    return [
        f"{row['region']:<{width}} land cover {by_chance(row)}, climate {1 - row['share']:.0%}"
        if row["share"] == row["share"]
        else f"{row['region']:<{width}} {row['status']}"
        for row in frame.to_dict("records")
    ]


def describe(params: Params) -> str:
    return f"changes of {params.of} shared out between land cover ({', '.join(params.refs)}) and climate"
