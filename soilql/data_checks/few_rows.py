"""With the data the rows of each zone are counted, and fewer than ten a coefficient are reported.

Bad::

    q10: {kind: nonlinear, formula: Rs ~ a*exp(b*MAT)*MAP/(MAP + k), data: training, params: [a, b, k], by: biome}

Good::

    q10: {kind: nonlinear, formula: Rs ~ a*exp(b*MAT), data: training, params: [a, b], by: biome}
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from soilql import design
from soilql.errors import Diagnostic, Severity

if TYPE_CHECKING:
    from soilql.study.study import Study

CODE = "SQ646"
TITLE = "too few rows for the coefficients"

EACH = 10


def check(study: Study) -> Iterator[Diagnostic]:
    """Yield a warning for each regression with zones of fewer than ten rows a coefficient."""
    for model, rows in study.models(*design.REGRESSIONS):
        few = []
        for zone, columns, count in rows.by_zone():
            parameters = study.coefficients(model, columns)
            if parameters <= count < EACH * parameters:
                few.append(f"{zone or 'all rows'}: {count} for {parameters}")
        if few:
            message = f"`{model.name}` has fewer than {EACH} rows a coefficient"
            message += f" in {len(few)} of {len(rows.labels)} zones" if rows.labels else ""
            span = model.span("by" if rows.labels else "formula")
            help = "merge zones, or take a model with fewer coefficients"
            yield Diagnostic(CODE, message, span, "; ".join(few), help, Severity.WARNING)
