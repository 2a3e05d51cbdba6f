"""A model is mapped that no analysis tests.

A map of a model whose skill on held-out rows is not known cannot be judged by anyone, its author included. How well the
model fits its own training rows says nothing: a forest fits noise.

Meyer & Pebesma (2022), doi:10.1038/s41467-022-29838-9.

Bad::

    analyses:
      rs: {kind: predict, model: qrf, on: drivers}

Good::

    analyses:
      skill: {kind: evaluate, models: qrf, scheme: by_place}
      rs: {kind: predict, model: qrf, on: drivers}
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql import design
from soilql.errors import Diagnostic, Severity
from soilql.spec import Spec

CODE = "SQ622"
TITLE = "map of a model that is never tested"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning at the first map of each model without a test."""
    seen = set()
    for prediction, model in design.mappings(spec):
        if model.name in seen or not design.is_whole(spec) or any(design.trials(spec, model.name)):
            continue
        seen.add(model.name)
        message = f"`{model.name}` is mapped, and no analysis tests it"
        help = f"add `{{kind: evaluate, models: {model.name}, scheme: ...}}` with folds that hold out places"
        yield Diagnostic(CODE, message, prediction.span("model"), help=help, severity=Severity.WARNING)
