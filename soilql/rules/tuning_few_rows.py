"""Hyperparameters are sought in zones of so few rows that chance decides.

A search compares candidates by their errors on inner folds. With two rows a fold these errors differ by chance more
than by the candidates, and the best of many is the luckiest. `min_rows` says how small a zone may be that has a fit of
its own; `fallback` gives the others the fit to all rows or to a coarser zone.

Cawley & Talbot (2010), Journal of Machine Learning Research 11, 2079-2107.

Bad::

    svm: {kind: svr, formula: Rs ~ MAT + MAP, data: training, by: biome, tune: {over: {C: [1, 10, 100]}, folds: 5}}

Good::

    svm:
      kind: svr
      formula: Rs ~ MAT + MAP
      data: training
      by: biome
      min_rows: 30
      fallback: all
      tune: {over: {C: [1, 10, 100]}, folds: 5}
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql import design
from soilql.errors import Diagnostic, Severity
from soilql.spec import Spec

CODE = "SQ651"
TITLE = "tuned on too few rows"

EACH = 5


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning for each model tuned in zones that may have fewer than five rows a fold."""
    for model in design.models(spec):
        tune, by = getattr(model.params, "tune", None), model.params.by
        if tune is None or by is None or model.params.needed >= EACH * tune.folds:
            continue
        rows = model.params.needed
        message = f"a zone of {rows} rows is enough for `{model.name}`: {rows / tune.folds:g} rows a fold of its search"
        asked = design.setting(model, "min_rows", str(EACH * tune.folds))
        help = f"ask for {asked} or more, with `fallback` for smaller zones, or for fewer folds"
        span = model.span("min_rows") if model.params.min_rows is not None else model.span("tune")
        yield Diagnostic(CODE, message, span, help=help, severity=Severity.WARNING)
