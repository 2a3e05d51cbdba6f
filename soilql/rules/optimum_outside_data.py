"""The starts put the optimum of a response far outside the data.

`exp(b*T + c*T^2)` with a negative `c` is largest at -b/(2c). An optimum at 80 degC, or at -40, cannot be seen in data
from soils: within the data the curve only rises or only falls, `b` and `c` are nearly one parameter, and beyond the
data the curve turns for no reason that was measured. With starts like these, one of them has mostly lost or gained a
zero.

Bad::

    formula: Rs ~ a*exp(b*T + c*T^2)
    params: {a: 400, b: 0.16, c: -0.001}     # optimum at 80 degC

Good::

    params: {a: 400, b: 0.16, c: -0.003}     # optimum at 26.7 degC
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql.errors import Diagnostic, Severity
from soilql.formula.domain import optima
from soilql.formula.interval import Interval
from soilql.formula.model import models
from soilql.spec import Spec

CODE = "SQ505"
TITLE = "optimum outside the data"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning for each optimum, at the starts, that no data can show."""
    for model in models(spec.blocks, spec):
        starts = {name: one.start for name, one in model.parameters.items() if one.start is not None}
        reach = {n: _reach(known.within, known.occurring) for n, known in model.drivers.items() if known.occurring}
        for found in optima(model.right, {**model.constants, **starts}, reach):
            if found.at in reach[found.driver]:
                continue
            unit = f" {model.drivers[found.driver].unit}" if model.drivers[found.driver].unit else ""
            message = f"the starts put the optimum along `{found.driver}` at {found.at:.3g}{unit}"
            place = model.formula.span(found.node)
            help = "check the starts: of `b*x + c*x^2` the optimum is at -b/(2*c)"
            yield Diagnostic(CODE, message, place, "far outside the data", help, Severity.WARNING)


def _reach(within: Interval, occurring: Interval | None) -> Interval:
    """Return where data may lie: within the filters, and half as far again beyond what surely occurs."""
    if within.is_finite or occurring is None:
        return within
    margin = (occurring.high - occurring.low) / 2
    return Interval(occurring.low - margin, occurring.high + margin).meet(within)
