"""The rows that a model would be fitted to: complete, and shared out to its zones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from soilql import design
from soilql.kinds import Block
from soilql.values import PLACES, Table

if TYPE_CHECKING:
    import numpy as np

Columns: TypeAlias = "Mapping[str, np.ndarray[Any, Any]]"


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of a training table, as a model sees them.

    Attributes
    ----------
    total : int
        Rows of the table.
    columns : mapping of str to array, each of shape (rows,)
        Response and drivers of the complete rows; numbers as float64, text as objects.
    positions : array of int, shape (rows,)
        Where the complete rows stand in the table.
    missing : mapping of str to int
        Rows of the table that lack each column, where there are any.
    labels : tuple of str
        Zones; empty for a model without.
    codes : array of int, shape (rows,)
        Zone of each complete row, -1 for none; 0 for a model without zones.
    outside : mapping of str to int
        What the complete rows outside every zone are, with their number.
    """

    total: int
    columns: Columns
    positions: np.ndarray[Any, Any]
    missing: Mapping[str, int]
    labels: tuple[str, ...]
    codes: np.ndarray[Any, Any]
    outside: Mapping[str, int]

    @property
    def count(self) -> int:
        """Number of complete rows."""
        return int(self.positions.size)

    def by_zone(self) -> Iterator[tuple[str, Columns, int]]:
        """Yield each zone with its columns and number of rows; one without a name where there are no zones."""
        for code, label in enumerate(self.labels or ("",)):
            inside = self.codes == code
            yield label, {name: values[inside] for name, values in self.columns.items()}, int(inside.sum())


def rows_of(model: Block, table: Table, zones: Any) -> Rows | None:
    """Return the rows of a model; None where the table lacks one of its columns.

    Parameters
    ----------
    model : Block
        With a formula.
    table : Table
        What it is fitted to.
    zones : Zones or None
        By which it is fitted.

    Raises
    ------
    SoilqlError
        The zones look at columns that the table does not have, or of another type (SQ704, SQ709).
    """
    import numpy as np

    from soilql.fits.training import column, missing

    response = design.response(model)
    names = [*([response] if response is not None else []), *design.driver_names(model)]
    places = {axis: table.roles[axis] for axis in PLACES if axis in table.roles}
    wanted = () if zones is None else [name for name in zones.variables if name not in places]
    if any(name not in table.frame.columns for name in (*names, *wanted)):
        return None
    columns = {name: column(table, name) for name in dict.fromkeys(names)}
    gaps = {name: missing(values) for name, values in columns.items()}
    size = len(table.frame)
    lost = np.logical_or.reduce(list(gaps.values())) if gaps else np.zeros(size, bool)
    kept = np.flatnonzero(~lost)
    codes = np.zeros(kept.size, np.int16)
    labels: tuple[str, ...] = ()
    outside: Mapping[str, int] = {}
    if zones is not None:
        seen = {axis: column(table, name)[kept] for axis, name in places.items()}
        seen |= {name: column(table, name)[kept] for name in wanted}
        codes, labels = np.asarray(zones.codes(seen)), tuple(zones.labels)
        outside = zones.outside(seen) if (codes < 0).any() else {}
    return Rows(
        size,
        {name: values[kept] for name, values in columns.items()},
        kept,
        {name: int(gap.sum()) for name, gap in gaps.items() if gap.any()},
        labels,
        codes,
        outside,
    )
