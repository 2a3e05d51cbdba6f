"""Values lie beyond what the quantity can be.

A temperature of -9999 degC is a code for missing values that nobody declared, a clay content of 255 % is the fill of
a byte, a cover of 50 where it is a fraction is a percentage. One such value moves a regression and becomes a split of
a forest; on a map it is a region.

Bad::

    drivers: {kind: grid, source: clay.tif, variables: {clay: {from: 1, unit: "%"}}}

Good::

    drivers: {kind: grid, source: clay.tif, nodata: [255], variables: {clay: {from: 1, unit: "%"}}}
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from soilql.errors import Diagnostic, Severity
from soilql.lineage import Origin, copies, variable
from soilql.study.expected import Limits, possible, suspicion
from soilql.study.words import extent

if TYPE_CHECKING:
    from soilql.study.study import Study

CODE = "SQ712"
TITLE = "values that cannot be"


def check(study: Study) -> Iterator[Diagnostic]:
    """Yield a warning for each column or variable in use with values beyond what it can be."""
    for (block, name), span in study.used.items():
        values, unit = study.summary(block, name), study.unit(block, name)
        if values is None or not values.count or suspicion(name, unit, values) is not None:
            continue
        limits = possible(name, unit) or _listed(study, block, name, unit)
        if limits is None or limits.holds(values):
            continue
        message = f"`{name}` of `{block}` has values that cannot be: {extent(values.low, values.high, unit)}"
        help = "declare the code for missing values, state the right unit, or filter them out"
        yield Diagnostic(CODE, message, span, limits.why, help, Severity.WARNING)


def _listed(study: Study, block: str, name: str, unit: str | None) -> Limits | None:
    """Return the limits that the registry gives to a column that is an unchanged copy, in the same unit."""
    origin = copies(study.spec, block, name)
    known = None if origin is None else variable(study.spec, Origin(block, origin.column))
    if known is None or known.range is None or (unit or "") != known.unit:
        return None
    low, high = known.range
    return Limits(low, high, f"the registry says {low:g} to {high:g}")
