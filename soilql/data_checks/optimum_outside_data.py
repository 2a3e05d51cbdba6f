"""With the data the optimum that the starts give is compared with the values of the rows, zone by zone.

Bad::

    q10: {kind: nonlinear, formula: Rs ~ a*exp(b*T + c*T^2), data: boreal, params: {a: 300, b: 0.2, c: -0.003}}

Good::

    q10: {kind: nonlinear, formula: Rs ~ a*exp(b*T), data: boreal, params: {a: 300, b: 0.1}}
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from soilql.errors import Diagnostic, Severity
from soilql.formula.domain import optima
from soilql.formula.interval import Interval
from soilql.formula.model import of_block
from soilql.study.words import extent, listed

if TYPE_CHECKING:
    from soilql.study.study import Study

CODE = "SQ505"
TITLE = "optimum outside the data"


def check(study: Study) -> Iterator[Diagnostic]:
    """Yield a warning for each optimum, at the starts, beyond the rows of some zone by half their range."""
    for block, rows in study.models():
        model = of_block(block, study.spec)
        if model is None or not model.parameters:
            continue
        starts = {name: one.start for name, one in model.parameters.items() if one.start is not None}
        numbers = {name: rows.columns[name] for name in model.drivers if rows.columns[name].dtype.kind == "f"}
        for found in optima(model.right, {**model.constants, **starts}, dict.fromkeys(numbers, Interval())):
            ranges = {
                zone: (float(columns[found.driver].min()), float(columns[found.driver].max()))
                for zone, columns, count in rows.by_zone()
                if count
            }
            far = {zone: ends for zone, ends in ranges.items() if not _near(found.at, *ends)}
            if not far:
                continue
            unit = model.drivers[found.driver].unit
            low, high = next(iter(far.values()))
            where = f" of {listed(list(far))}" if rows.labels else ""
            message = f"the starts put the optimum along `{found.driver}` at {found.at:.3g}" + (
                f" {unit}" if unit else ""
            )
            label = f"the rows{where} run from {extent(low, high, unit)}"
            help = "check the starts, or take a formula without an optimum"
            yield Diagnostic(CODE, message, model.formula.span(found.node), label, help, Severity.WARNING)


def _near(at: float, low: float, high: float) -> bool:
    margin = (high - low) / 2
    return low - margin <= at <= high + margin
