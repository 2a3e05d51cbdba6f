"""Each group, such as a site or a year, left out once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from soilql import params as p
from soilql.context import Context
from soilql.kinds import Block
from soilql.params import ColumnName, param
from soilql.values import Table, ValueType

if TYPE_CHECKING:
    import numpy as np

VERSION = 1
PRODUCES = ValueType.SCHEME
STORED = False


@dataclass(frozen=True)
class Params(p.Params):
    """What is left out together."""

    group: ColumnName = param(doc="Role or column whose equal values are left out together: `site`, or a year.")


@dataclass(frozen=True, eq=False)
class LeaveOneGroupOut:
    """The scheme of one block; its folds follow from the table it is given."""

    params: Params
    block: Block

    def folds(self, table: Table) -> np.ndarray[Any, Any]:
        """Return the fold of each row: the position of its group in the order of the groups' labels.

        Parameters
        ----------
        table : Table
            The rows.

        Returns
        -------
        numpy.ndarray of int, shape (rows,)

        Raises
        ------
        SoilqlError
            There is one group only (SQ606), no such column (SQ704), or rows without a group (SQ711).
        """
        from soilql.fits.fitting import at_span, group_labels
        from soilql.stats.folds import leave_one_group_out

        span = self.block.span("group")
        labels = group_labels(table, self.params.group, span)
        with at_span(span):
            return leave_one_group_out(labels)

    def describe(self) -> str:
        """Return the scheme in words."""
        return describe(self.params)


def run(params: Params, ctx: Context) -> LeaveOneGroupOut:
    return LeaveOneGroupOut(params, ctx.block)


def describe(params: Params) -> str:
    return f"each {params.group} left out once"
