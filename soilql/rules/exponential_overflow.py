"""An exponential that is too large for a number.

`exp(x)` is infinite from x = 710 on. It happens where a rate is given for another unit of its driver (a start of
0.05 per degC used per mm of rain: exp(0.05 * 2000) is 1e43, and at 15,000 mm it is infinite), or where a square has a
positive coefficient. The search then starts from a point without a finite sum of squares. Parameters count with their
starts.

Bad::

    formula: Rs ~ a*exp(b*T^2)
    params: {a: 400, b: 1}

Good::

    params: {a: 400, b: 0.001}
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql.errors import Diagnostic, Severity
from soilql.formula.model import hazards_of
from soilql.formula.words import quoted, values_text
from soilql.spec import Spec

CODE = "SQ504"
TITLE = "exponential too large"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning for each exponential that overflows at the starts of the parameters."""
    for expression, hazard in hazards_of(spec.blocks, spec, at_start=True):
        if hazard.kind == "overflow":
            where = f" at {values_text(hazard.witness)}" if hazard.witness else ""
            message = f"exp is infinite: {quoted(hazard.argument, 'its argument')} is {hazard.value:.3g}{where}"
            help = "check the starts against the units of the drivers"
            place = expression.span(hazard.node)
            yield Diagnostic(CODE, message, place, help=help, severity=Severity.WARNING)
