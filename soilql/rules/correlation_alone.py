"""The squared correlation is the only measure of skill.

`r2` asks whether predictions and observations lie on some line, not on the line of equality: predictions half as large
as what was observed, or 500 too high everywhere, have r2 = 1. `R2` (1 - SSE/SST), `RMSE` and `bias` see both. The two
are often printed under one name, which is why results of different studies cannot be compared.

Legates & McCabe (1999), doi:10.1029/1998WR900018.

Bad::

    skill: {kind: evaluate, models: qrf, scheme: by_place, metrics: [r2]}

Good::

    skill: {kind: evaluate, models: qrf, scheme: by_place, metrics: [R2, r2, RMSE, bias]}
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql import design
from soilql.errors import Diagnostic, Severity
from soilql.spec import Spec

CODE = "SQ644"
TITLE = "squared correlation alone"

_SEE_BIAS = {"R2", "R2_folds", "RMSE", "MAE", "bias"}


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning for each test whose measures do not see a bias."""
    for block in design.blocks(spec, "evaluate"):
        metrics = block.params.metrics or ()
        if "r2" in metrics and not _SEE_BIAS & set(metrics):
            message = "`r2` does not see predictions that are too high or too low throughout"
            help = "add `R2` or `RMSE`"
            yield Diagnostic(CODE, message, block.span("metrics"), help=help, severity=Severity.WARNING)
