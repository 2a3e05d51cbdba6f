"""A driver has one value in all rows of a zone.

What does not vary explains nothing there: its coefficient cannot be told from the intercept, or from the scale, and
the fit fails or returns a number that no row determines.

Bad::

    by: country                 # and `Elevation` was written down once for each country

Good::

    by: continent
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from soilql import design
from soilql.errors import Diagnostic, Severity
from soilql.study.words import counted, listed

if TYPE_CHECKING:
    from soilql.study.study import Study

CODE = "SQ406"
TITLE = "driver that does not vary"

#: Rows from which on equal values are no chance.
_LEAST = 3


def check(study: Study) -> Iterator[Diagnostic]:
    """Yield a warning for each driver that is the same in all rows of some zone."""
    for model, rows in study.models():
        formula = model.params.formula
        for name in design.driver_names(model):
            found = [(zone, columns[name], count) for zone, columns, count in rows.by_zone() if count >= _LEAST]
            same = [(zone, values[0]) for zone, values, _ in found if (values == values[0]).all()]
            if not same:
                continue
            value = same[0][1]
            shown = f"{value:g}" if isinstance(value, float) else f'"{value}"'
            where = f" of {listed([zone for zone, _ in same])}" if rows.labels else ""
            message = f"`{name}` is {shown} in all {counted(found[0][2], 'row')}" if not where else ""
            message = message or f"`{name}` has one value in all rows{where}"
            span = formula.span(design.find_name(formula, name))
            help = "leave it out, or merge zones" if where else "leave it out"
            yield Diagnostic(CODE, message, span, f"such as {shown}" if where else "", help, Severity.WARNING)
