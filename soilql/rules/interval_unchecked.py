"""An interval is mapped, and no test says how often it covers what was observed.

A 90 % interval that holds 70 % of the observations is too narrow, and the map does not show it. Coverage on held-out
rows does; on the training rows it is far too high. Test the same interval that is mapped.

Gneiting & Raftery (2007), doi:10.1198/016214506000001437.

Bad::

    skill: {kind: evaluate, models: qrf, scheme: by_place, metrics: [R2, RMSE]}
    rs: {kind: predict, model: qrf, on: drivers, quantiles: [0.05, 0.95]}

Good::

    skill: {kind: evaluate, models: qrf, scheme: by_place, metrics: [R2, RMSE, coverage]}
    rs: {kind: predict, model: qrf, on: drivers, quantiles: [0.05, 0.95]}
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from soilql import design
from soilql.errors import Diagnostic, Severity
from soilql.kinds import Block
from soilql.spec import Spec

CODE = "SQ623"
TITLE = "interval whose coverage is not tested"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning for each prediction with an interval that no test of its model looks at."""
    for prediction, model in design.mappings(spec):
        tests = [
            trial.analysis for trial in design.trials(spec, model.name) if hasattr(trial.analysis.params, "metrics")
        ]
        tested = {level for test in tests if _checks_coverage(test) for level in _intervals(test.params.quantiles)}
        missing = sorted(_intervals(prediction.params.quantiles) - tested)
        if not missing or not tests or not design.is_whole(spec):
            continue
        listed = " and ".join(f"{level:g} %" for level in missing)
        message = f"the {listed} interval of `{prediction.name}` is mapped, and its coverage is not tested"
        first = next((test for test in tests if _checks_coverage(test)), None)
        help = f"add its quantiles to those of `{first.name}`" if first else f"add `coverage` to `{tests[0].name}`"
        yield Diagnostic(CODE, message, prediction.span("quantiles"), help=help, severity=Severity.WARNING)


def _checks_coverage(analysis: Block) -> bool:
    return analysis.params.metrics is None or "coverage" in analysis.params.metrics


def _intervals(quantiles: Iterable[float]) -> set[float]:
    """Return the central intervals, in %, that quantiles symmetric about the median make."""
    levels = {round(level, 9) for level in quantiles}
    return {round(100 * (1 - 2 * low), 6) for low in levels if low < 0.5 and round(1 - low, 9) in levels}
