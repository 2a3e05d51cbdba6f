"""A spec whose columns are those that the data have, so that the rules of the linter speak of the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from soilql.kinds import Schema, Variable
from soilql.spec import Spec
from soilql.study.summaries import summarise
from soilql.values import Grid, Table

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class SeenSpec(Spec):
    """A spec that knows the columns of some blocks from their values.

    Attributes
    ----------
    seen : mapping of str to Schema
        Of each block that was looked at.
    """

    seen: Mapping[str, Schema] = field(default_factory=dict)

    def schema(self, ref: str) -> Schema | None:
        """Return the columns that a block has, or will have as far as the spec tells."""
        name, _, variable = ref.partition(".")
        found = self.seen.get(name)
        if found is None:
            return super().schema(ref)
        return Schema({variable: found.variables[variable]}) if variable in found.variables else found


def with_seen(spec: Spec, seen: Mapping[str, Schema]) -> SeenSpec:
    """Return a spec that knows the columns of some blocks."""
    known = {one.name: getattr(spec, one.name) for one in fields(Spec)}
    return SeenSpec(**known, seen=seen)


def schema_of(value: Table | Grid, declared: Schema | None) -> Schema:
    """Return the columns or variables of a value, with their types, units, and ranges.

    Parameters
    ----------
    value : Table or Grid
        What was read or made.
    declared : Schema or None
        What the spec tells of it.
    """
    known = {} if declared is None else declared.variables
    roles = {} if declared is None else declared.roles
    if isinstance(value, Table):
        columns = {str(name): _column(value.frame[name]) for name in value.frame.columns}
        units: Mapping[str, Any] = value.units
        roles = value.roles
    else:
        columns = {str(name): ("number", None) for name in value.data.data_vars}
        units = {name: value.unit(name) for name in columns}
    found = {}
    for name, (kind, range_) in columns.items():
        before = known.get(name, Variable())
        found[name] = Variable(kind, units.get(name) or before.unit, before.description, range_)
    return Schema(found, False, dict(roles))


def _column(series: pd.Series[Any]) -> tuple[str, tuple[float, float] | None]:
    import pandas as pd

    if pd.api.types.is_bool_dtype(series.dtype):
        return "boolean", None
    if pd.api.types.is_numeric_dtype(series.dtype):
        found = summarise(series.to_numpy(dtype=float, na_value=float("nan")))
        return "number", (found.low, found.high) if found.count else None
    present = series.dropna()
    if not len(present):
        return "unknown", None
    return ("boolean", None) if present.map(lambda value: isinstance(value, bool)).all() else ("text", None)
