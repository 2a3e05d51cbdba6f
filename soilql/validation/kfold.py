"""Rows shared out into k folds at random, whole groups at a time where a group is named.

In R: `createFolds` and `groupKFold` of caret.
"""

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
    """Number of folds and what must stay together."""

    folds: int = param(10, ge=2, doc="Number of folds; at most the number of groups, or of rows.")
    group: ColumnName | None = param(
        None,
        doc="Role or column whose equal values stay in one fold, such as `site`. Without it single rows are shuffled.",
    )
    seed: int = param(1, ge=0, doc="Seed of the shuffle.")


@dataclass(frozen=True, eq=False)
class KFold:
    """The scheme of one block; its folds follow from the table it is given."""

    params: Params
    block: Block

    def folds(self, table: Table) -> np.ndarray[Any, Any]:
        """Return the fold of each row, 0..k-1.

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
            There are more folds than groups or rows (SQ606), no such column (SQ704), or rows without a group (SQ711).
        """
        from soilql.fits.fitting import at_span, group_labels
        from soilql.stats import folds

        k, group, seed = self.params.folds, self.params.group, self.params.seed
        if group is None:
            with at_span(self.block.span("folds")):
                return folds.kfold(len(table.frame), k, seed)
        labels = group_labels(table, group, self.block.span("group"))
        with at_span(self.block.span("folds")):
            return folds.grouped_kfold(labels, k, seed)

    def describe(self) -> str:
        """Return the scheme in words."""
        return describe(self.params)


def run(params: Params, ctx: Context) -> KFold:
    return KFold(params, ctx.block)


def describe(params: Params) -> str:
    by = f" by {params.group}" if params.group else " of single rows"
    return f"{params.folds} folds{by}"
