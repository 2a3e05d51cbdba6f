"""A logarithm, root or broken power of a number that can be negative.

`log(T)` has no value at and below 0 degC, and `T^0.5` none below. Such rows are left out of the fit, and such cells
of the map stay empty: the boreal winter goes first, so the missing part is not a random one. What the column holds is
known from its unit, from the registry, and from the filters of its data; the parameters count with their bounds.

Bad::

    formula: Rs ~ a + b*log(MAT)        # degC

Good::

    where: MAT > 0
    formula: Rs ~ a*exp(b*MAT)
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql.errors import Diagnostic, Severity
from soilql.expr import ast
from soilql.formula.domain import Hazard
from soilql.formula.model import hazards_of
from soilql.formula.words import quoted, values_text
from soilql.spec import Spec

CODE = "SQ502"
TITLE = "logarithm or root outside its domain"

_WORDS = {"log": "logarithm", "root": "square root", "power": "power that is no whole number"}


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning for each argument that leaves the domain; an error where it never lies in it."""
    for expression, hazard in hazards_of(spec.blocks, spec):
        if hazard.kind in _WORDS:
            severity = Severity.ERROR if hazard.always else Severity.WARNING
            help = "filter these rows out, or choose a function that is defined for them"
            message = _message(hazard)
            yield Diagnostic(CODE, message, expression.span(hazard.node), help=help, severity=severity)


def _message(hazard: Hazard) -> str:
    argument = quoted(hazard.argument, "the argument")
    least = "below -1" if isinstance(hazard.node, ast.Call) and hazard.node.function == "log1p" else "negative"
    start = f"{argument} is always {least}" if hazard.always else f"{argument} can be {least}"
    where = f", as at {values_text(hazard.witness)}" if hazard.witness and not hazard.always else ""
    return f"{start}{where}, where a {_WORDS[hazard.kind]} has no value"
