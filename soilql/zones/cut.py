"""Zones by cutting one variable at stated values, for sites and pixels alike."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from soilql import params as p
from soilql.context import Context
from soilql.errors import Diagnostic, SoilqlError
from soilql.kinds import Scope
from soilql.params import ColumnName, Problem, param
from soilql.values import State, ValueType

VERSION = 1
PRODUCES = ValueType.ZONES
STORED = False


@dataclass(frozen=True)
class Params(p.Params):
    """A variable and the values at which it is cut."""

    of: ColumnName = param(
        doc="Column or grid variable that is cut, such as mean annual temperature; or `lat` or `lon`, of sites by role."
    )
    breaks: list[float] = param(doc="Boundaries between the zones, rising, in the unit of the variable.")
    labels: list[str] = param(doc="Name of each zone from the lowest values to the highest: one more than breaks.")
    closed: list[Literal["right", "left"]] = param(
        ["right"],
        doc="Where a value equal to a break belongs: `right` to the zone below it, `left` to the zone above it. One "
        "word for all breaks or one for each: [left, right] at breaks [2, 17] makes the middle zone 2 <= x <= 17.",
    )

    def problems(self) -> Iterator[Problem]:
        if not self.breaks:
            yield "`breaks` is empty: one zone needs no partition", "breaks"
            return
        if not all(map(math.isfinite, self.breaks)):
            yield "`breaks` must be finite: the outer zones are open", "breaks"
        if any(low >= high for low, high in itertools.pairwise(self.breaks)):
            yield "`breaks` must rise", "breaks"
        if len(self.labels) != len(self.breaks) + 1:
            counts = f"{len(self.breaks)} breaks make {len(self.breaks) + 1} zones"
            yield f"{counts}, but `labels` has {len(self.labels)}", "labels"
        if len(set(self.labels)) != len(self.labels):
            yield "`labels` must differ from one another", "labels"
        if len(self.closed) not in (1, len(self.breaks)):
            yield "`closed` takes one word, or one for each break", "closed"


@dataclass(frozen=True)
class Cut:
    """The partition of a variable's values into intervals.

    Attributes
    ----------
    variables : tuple of str
        The one variable that is cut.
    breaks : tuple of float
        Boundaries, rising.
    closed : tuple of str
        ``right`` or ``left`` for each break.
    labels : tuple of str
        One more than breaks.

    Examples
    --------
    >>> import numpy as np
    >>> climate = Cut(("MAT",), (2.0, 17.0), ("left", "right"), ("boreal", "temperate", "tropical"))
    >>> climate.codes({"MAT": np.array([1.9, 2.0, 17.0, 17.1, np.nan])})
    array([ 0,  1,  1,  2, -1], dtype=int16)
    """

    variables: tuple[str]
    breaks: tuple[float, ...]
    closed: tuple[str, ...]
    labels: tuple[str, ...]

    def codes(self, columns: Mapping[str, Any]) -> Any:
        """Return the position in `labels` of each value, -1 where it is missing; numpy or dask as given.

        Raises
        ------
        SoilqlError
            The variable holds no numbers (SQ709).
        """
        import numpy as np

        from soilql.stats.zones import cut_codes

        values = columns[self.variables[0]]
        if values.dtype.kind not in "fiu":
            message = f"`{self.variables[0]}` holds no numbers and cannot be cut into zones"
            raise SoilqlError(Diagnostic("SQ709", message, help="use zones of kind `classes` for categories"))
        return cut_codes(values, self.breaks, self.closed).astype(np.int16)

    def outside(self, columns: Mapping[str, Any]) -> dict[str, int]:
        """Return what the points outside every zone are, with their number."""
        missing = int((self.codes(columns) < 0).sum())
        return {f"{self.variables[0]} missing": missing} if missing else {}

    def state(self) -> State:
        """Return what a model fitted by these zones stores of them."""
        meta = {"breaks": list(self.breaks), "closed": list(self.closed), "labels": list(self.labels)}
        return State({"kind": "cut", "of": self.variables[0], **meta}, {})


def run(params: Params, ctx: Context) -> Cut:
    closed = params.closed * len(params.breaks) if len(params.closed) == 1 else params.closed
    return Cut((str(params.of),), tuple(params.breaks), tuple(closed), tuple(params.labels))


def load(state: State, params: Params | None = None) -> Cut:
    """Return the partition whose `state` was stored."""
    meta = state.meta
    return Cut((meta["of"],), tuple(meta["breaks"]), tuple(meta["closed"]), tuple(meta["labels"]))


def needs(params: Params, scope: Scope) -> tuple[str, ...]:
    """Return the columns or grid variables that the partition looks at."""
    return (str(params.of),)


def labels(params: Params, scope: Scope) -> tuple[str, ...]:
    """Return the zones."""
    return tuple(params.labels)


def describe(params: Params) -> str:
    breaks = ", ".join(f"{b:g}" for b in params.breaks)
    return f"{len(params.labels)} zones of {params.of} cut at {breaks}"
