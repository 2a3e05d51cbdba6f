"""A divisor that passes through zero.

`1/T` goes to infinity from both sides of 0 degC: an Arrhenius term with T in degC, or a saturation term
`MAP/(MAP + k)` whose `k` may become negative, has a pole in the middle of the data. The fit is drawn to the few rows
beside the pole, and the map has cells of any size. Temperatures there go in kelvin, and bounds keep parameters on
their side.

Bad::

    formula: Rs ~ A * exp(-E/(8.314*T))              # T in degC
    params: {a: , k: {bounds: [-500, 500]}}

Good::

    formula: Rs ~ A * exp(-E/(8.314*(T + 273.15)))
    params: {a: , k: {bounds: [0, 500]}}
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql.errors import Diagnostic, Severity
from soilql.formula.domain import Hazard
from soilql.formula.model import hazards_of
from soilql.formula.words import quoted, values_text
from soilql.spec import Spec

CODE = "SQ503"
TITLE = "division by zero"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning for each divisor that takes both signs; an error where it is always zero."""
    for expression, hazard in hazards_of(spec.blocks, spec):
        if hazard.kind == "divide":
            severity = Severity.ERROR if hazard.always else Severity.WARNING
            place = expression.span(hazard.argument)
            yield Diagnostic(CODE, _message(hazard), place, help=_help(hazard), severity=severity)


def _help(hazard: Hazard) -> str:
    if len(hazard.witness) > 1:
        return "keep it on one side of 0, by `bounds` of a parameter or a filter of the rows"
    return "a temperature belongs in kelvin here: add 273.15" if hazard.witness else ""


def _message(hazard: Hazard) -> str:
    divisor = quoted(hazard.argument, "the divisor")
    if hazard.always:
        return f"{divisor} is always 0, and something is divided by it"
    at = f" (negative at {values_text(hazard.witness)})" if len(hazard.witness) > 1 else ""
    return f"{divisor} passes through 0{at}, and something is divided by it"
