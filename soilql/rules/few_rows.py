"""A regression may be fitted to fewer than ten rows a coefficient.

With as many coefficients as rows any formula fits. Below some ten rows a coefficient the fit follows the noise, and
intervals that rest on a linear approximation are too narrow. `min_rows` says how small a zone may be that is still
fitted; a zone below it is reported as not fitted instead of being mapped.

Harrell (2015), doi:10.1007/978-3-319-19425-7, section 4.4.

Bad::

    q10: {kind: nonlinear, formula: Rs ~ a*exp(b*MAT), data: training, params: [a, b], by: climate, min_rows: 4}

Good::

    q10: {kind: nonlinear, formula: Rs ~ a*exp(b*MAT), data: training, params: [a, b], by: climate, min_rows: 20}
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql import design
from soilql.errors import Diagnostic, Severity, SoilqlError
from soilql.expr.terms import terms
from soilql.kinds import Block
from soilql.spec import Spec

CODE = "SQ646"
TITLE = "too few rows for the coefficients"

EACH = 10


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning for each stated `min_rows` below ten a coefficient."""
    for model in (*design.models(spec, *design.REGRESSIONS), *design.blocks(spec, "staged_selection")):
        stated, count = model.params.min_rows, _coefficients(model)
        if stated is not None and stated < EACH * count:
            message = f"`{model.name}` has {count} coefficients, and {stated} rows are enough to fit it"
            help = f"ask for at least {EACH * count}"
            yield Diagnostic(CODE, message, model.span("min_rows"), help=help, severity=Severity.WARNING)


def _coefficients(model: Block) -> int:
    """Return the number of coefficients, a category counted as one."""
    if model.kind == "staged_selection":
        return max(len(stage.params) for stage in model.params.stages.values())
    if model.kind == "nonlinear":
        return len(design.parameters(model))
    try:
        found = terms(model.params.formula)
    except SoilqlError:
        return 0
    return len(found.terms) + found.intercept
