"""Medians are added up to a total.

A model of the logarithm, turned back by exp() alone, predicts the median of a place, which lies below its mean: by
exp(s^2/2) for residuals of standard deviation s, and that is 13 % at s = 0.5. A total is a sum of means, so that it is
too low by as much. `back_transform: duan` multiplies with Duan's smearing factor, `normal` with exp(s^2/2).

Duan (1983), doi:10.1080/01621459.1983.10478017.

Bad::

    lm: {kind: linear, formula: log(Rs) ~ MAT, data: training}
    ...
    budget: {kind: total, of: rs}

Good::

    lm: {kind: linear, formula: log(Rs) ~ MAT, data: training, back_transform: duan}
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql import design
from soilql.errors import Diagnostic, Severity
from soilql.expr import ast
from soilql.kinds import Block
from soilql.spec import Spec

CODE = "SQ641"
TITLE = "total of medians"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning for each total of what a model of a logarithm predicts without a correction."""
    seen = set()
    for total in design.blocks(spec, "total"):
        for i, ref in enumerate(total.params.of):
            for use in design.uses(spec, ref):
                for model in _mapped(spec, use.prediction.params.model.block):
                    if model.name in seen or not _predicts_medians(model):
                        continue
                    seen.add(model.name)
                    message = f"`{model.name}` predicts medians, whose sum is below the total"
                    help = f"add {design.setting(model, 'back_transform', 'duan')} to `{model.name}`"
                    yield Diagnostic(CODE, message, total.span("of", i), help=help, severity=Severity.WARNING)


def _mapped(spec: Spec, name: str) -> Iterator[Block]:
    """Yield a model, or the models among which it chooses."""
    model = spec.block(name)
    if model is not None and name not in spec.cyclic:
        yield model
        for ref in getattr(model.params, "models", ()):
            yield from _mapped(spec, ref.block)


def _predicts_medians(model: Block) -> bool:
    if getattr(model.params, "back_transform", "") != "none":
        return False
    formula = design.formula(model)
    response = None if formula is None else formula.formula.response
    return isinstance(response, ast.Call) and response.function == "log"
