"""The data can hardly tell the parameters apart.

The formula could, but the rows of a zone lie too close together, or its drivers go together: the columns of
derivatives are nearly multiples of one another. The estimates then depend on single rows, their standard errors are
huge, and parameters drawn apart give impossible curves. Given are the largest condition index of the derivatives
(above 30 is strong dependence, above 1000 the fit may fail) and the parameters with more than half of their variance
there, at the starts, or at the least squares of the logarithms.

Belsley, Kuh & Welsch (1980), doi:10.1002/0471725153, chapter 3.

Bad::

    formula: Rs ~ a*exp(b*T + c*T^2)         # fitted to a zone between 24 and 28 degC

Good::

    formula: Rs ~ a*exp(b*T)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from soilql.errors import Diagnostic, Severity
from soilql.formula.model import FormulaModel, joint_node, of_block, with_constants
from soilql.study.words import listed

if TYPE_CHECKING:
    from soilql.formula.identify import Conditioning
    from soilql.study.rows import Columns
    from soilql.study.study import Study

CODE = "SQ405"
TITLE = "parameters that the data can hardly tell apart"

#: Condition index from which on a zone is reported; at 30 nearly every response to temperature would be.
_WORST = 100.0
#: From which on rounding decides.
_SINGULAR = 1e9


def check(study: Study) -> Iterator[Diagnostic]:
    """Yield a warning for each model whose derivatives go together in some zone."""
    for block, rows in study.models():
        model = of_block(block, study.spec)
        if model is None or not model.parameters:
            continue
        found: list[tuple[str, Conditioning]] = []
        for zone, columns, count in rows.by_zone():
            one = _conditioning(model, columns, count)
            if one is not None and one.number > _WORST and one.tied:
                found.append((zone, one))
        if found:
            zone, worst = max(found, key=lambda item: item[1].number)
            where = f" in {listed([zone for zone, _ in found])}" if rows.labels else ""
            message = f"the rows can hardly tell {listed(worst.tied)} apart{where}"
            size = f"condition index {worst.number:,.0f}" if worst.number < _SINGULAR else "not at all"
            label = size + (f" in `{zone}`" if len(found) > 1 else "")
            span = model.formula.span(joint_node(model.right, set(worst.tied)))
            help = "leave one out or fix it under `constants`, or merge zones so that the drivers vary more"
            yield Diagnostic(CODE, message, span, label, help, Severity.WARNING)


def _conditioning(model: FormulaModel, columns: Columns, count: int) -> Conditioning | None:
    """Return how well the rows of a zone tell the parameters apart; None where there is no place to look at."""
    from soilql.errors import SoilqlError
    from soilql.formula.identify import conditioning
    from soilql.study.starts import starting_values

    if count <= len(model.parameters):
        return None
    drivers = {name: columns[name] for name in model.drivers}
    if any((values == values[0]).all() for values in drivers.values()):
        return None  # a driver that does not vary is a finding of its own
    theta = starting_values(model, columns)
    if theta is None:
        return None
    try:
        return conditioning(with_constants(model), theta, drivers)
    except (SoilqlError, ValueError):  # no derivative, or none in some row
        return None
