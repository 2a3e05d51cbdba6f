"""With the data the rows are counted in which a logarithm, root or power has no value.

Bad::

    formula: Rs ~ a + b*log(MAT)        # 312 of 1,122 rows lie below 0 degC

Good::

    formula: Rs ~ a*exp(b*MAT)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from soilql.errors import Diagnostic, Severity
from soilql.study.words import share

if TYPE_CHECKING:
    from soilql.study.study import Study

CODE = "SQ502"
TITLE = "logarithm or root outside its domain"


def check(study: Study) -> Iterator[Diagnostic]:
    """Yield a warning for each operation without a value in some rows, an error where it has one in none."""
    from soilql.study.undefined import undefined

    for model, rows in study.models():
        for one in undefined(model, rows, study.spec):
            if one.kind != "divide":
                message = f"{one.text} has no value in {one.rows:,} of {rows.count:,} rows"
                severity = Severity.ERROR if one.rows == rows.count else Severity.WARNING
                help = "these rows are left out: filter them out, or choose a function that is defined for them"
                label = f"{share(one.rows, rows.count)} of the training data"
                yield Diagnostic(CODE, message, model.params.formula.span(one.node), label, help, severity)
