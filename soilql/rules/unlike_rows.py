"""Models are compared on different rows.

A model that is tested on other rows than its rival may win because its rows are easier: R2 depends on how much the rows
vary, RMSE on how large the fluxes are. Compare models that have the same training table.

Hastie, Tibshirani & Friedman (2009), doi:10.1007/978-0-387-84858-7, chapter 7.

Bad::

    skill: {kind: evaluate, models: [forest_of_v3, forest_of_v5], scheme: by_place}

Good::

    skill_v3: {kind: evaluate, models: forest_of_v3, scheme: by_place}
    skill_v5: {kind: evaluate, models: forest_of_v5, scheme: by_place}
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql import design
from soilql.errors import Diagnostic, Severity
from soilql.spec import Spec

CODE = "SQ645"
TITLE = "models compared on different rows"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning at the first model of a test whose table or response is not that of the first one."""
    for block in design.blocks(spec, "evaluate"):
        found = [spec.block(ref.block) for ref in block.params.models]
        first, *others = [model if model is not None and hasattr(model.params, "formula") else None for model in found]
        for i, model in enumerate(others, start=1):
            if first is None or model is None:
                continue
            ours, theirs = ((str(one.params.data), design.response(one)) for one in (first, model))
            if ours == theirs:
                continue
            key = 0 if ours[0] != theirs[0] else 1
            message = f"`{first.name}` is tested on `{ours[key]}` and `{model.name}` on `{theirs[key]}`"
            help = "test them in analyses of their own, or fit both to the same table"
            yield Diagnostic(CODE, message, block.span("models", i), help=help, severity=Severity.WARNING)
            break
