"""A column, variable or map has no value at all.

Mostly a code for missing values or a scale that was stated wrongly, a layer that is empty, or a column that this
version of a database no longer fills. Every row or cell that needs it is lost.

Bad::

    drivers: {kind: grid, source: soil.tif, nodata: [0], variables: {water: 3}}      # band 3 is 0 throughout

Good::

    drivers: {kind: grid, source: soil.tif, variables: {water: 3}}
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from soilql.errors import Diagnostic

if TYPE_CHECKING:
    from soilql.study.study import Study

CODE = "SQ706"
TITLE = "all values missing"
#: What follows from values that are not what they are taken for, in all that is made from them.
EXPLAINS = ("SQ405", "SQ505", "SQ609", "SQ646", "SQ707", "SQ713", "SQ730", "SQ748", "SQ802", "SQ809")


def check(study: Study) -> Iterator[Diagnostic]:
    """Yield an error for each column or variable in use that holds nothing."""
    for (block, name), span in study.used.items():
        values, table = study.summary(block, name), study.table(block)
        empty = values is not None and not values.count
        if table is not None and name in table.frame.columns and values is None:
            empty = bool(table.frame[name].isna().all())
        if empty:
            what = "row" if table is not None else "cell"
            message = f"`{name}` of `{block}` has no value in any {what}"
            help = "is a code for missing values or a scale stated wrongly, or is it another column?"
            yield Diagnostic(CODE, message, span, help=help)
