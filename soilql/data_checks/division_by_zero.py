"""With the data the rows are counted in which a divisor is zero.

Bad::

    formula: Rs ~ a*exp(b/SOC)          # SOC is 0 in 40 of 1,122 rows

Good::

    formula: Rs ~ a*SOC/(SOC + k)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from soilql.errors import Diagnostic, Severity
from soilql.study.words import share

if TYPE_CHECKING:
    from soilql.study.study import Study

CODE = "SQ503"
TITLE = "division by zero"


def check(study: Study) -> Iterator[Diagnostic]:
    """Yield a warning for each division by zero in some rows."""
    from soilql.study.undefined import undefined

    for model, rows in study.models():
        for one in undefined(model, rows, study.spec):
            if one.kind == "divide":
                message = f"{one.text} divides by zero in {one.rows:,} of {rows.count:,} rows"
                label = f"{share(one.rows, rows.count)} of the training data"
                help = "these rows are left out: filter them out, or add a constant to the divisor"
                span = model.params.formula.span(one.node)
                yield Diagnostic(CODE, message, span, label, help, Severity.WARNING)
