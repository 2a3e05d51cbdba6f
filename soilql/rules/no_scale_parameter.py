"""No parameter sets the size of the response.

In `Rs ~ exp(b*T)` the flux at 0 degC is 1, in whatever unit Rs is: 1 g C m-2 yr-1, or 1 umol m-2 s-1. Written in
another unit the same formula is another model, and `b` has to make up for a size that it cannot know. A parameter in
the unit of the response, mostly a factor, is missing. For `log(Rs)` an intercept does the same.

Bad::

    formula: Rs ~ exp(b*T + c*T^2)

Good::

    formula: Rs ~ a*exp(b*T + c*T^2)
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql.errors import Diagnostic, Severity
from soilql.expr import ast
from soilql.formula.drivers import readable
from soilql.formula.model import FormulaModel, infer_model, models, takes_up_unit
from soilql.formula.units import ONE as PLAIN
from soilql.spec import Spec

CODE = "SQ308"
TITLE = "response without a scale"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning for each formula whose parameters cannot take up a change of the response's unit."""
    for model in models(spec.blocks, spec):
        unit = readable(model.response_unit)
        if unit is None or unit.is_dimensionless or _has_other_units(model):
            continue
        if takes_up_unit(model) is not False:
            continue
        name = ast.names(model.response)[0]
        message = f"no parameter sets the size of `{name}`: in another unit than `{unit}` this is another model"
        help = (
            "add a parameter to the logarithm"
            if isinstance(model.response, ast.Call)
            else "multiply the right side by a parameter"
        )
        place = model.formula.span(model.response)
        yield Diagnostic(CODE, message, place, help=help, severity=Severity.WARNING)


def _has_other_units(model: FormulaModel) -> bool:
    """Whether a term is in no unit that it could be in, which is reported as such."""
    problems = infer_model(model).problems
    return any(p.kind == "sum" or (p.kind == "response" and not (p.found or PLAIN).is_dimensionless) for p in problems)
