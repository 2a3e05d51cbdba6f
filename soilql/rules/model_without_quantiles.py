"""Quantiles are asked of a model that gives only a mean.

Quantiles of a `quantile_forest` and of a `linear` model can be asked as one likes; `gradient_boosting` has those that
it was fitted for. Of a choice among models that of some zone may fall on one without them, which is known after the
fits only, and the prediction fails then.

Bad::

    best: {kind: best_of, models: [curve, qrf], scheme: by_site}     # curve is `nonlinear`
    rs: {kind: predict, model: best, on: drivers, quantiles: [0.05, 0.95]}

Good::

    best: {kind: best_of, models: [line, qrf], scheme: by_site}
    rs: {kind: predict, model: best, on: drivers, quantiles: [0.05, 0.95]}
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql import design
from soilql.errors import Diagnostic, Severity
from soilql.kinds import Block
from soilql.spec import Spec

CODE = "SQ804"
TITLE = "model without quantiles"

_WITHOUT = ("mlp", "nonlinear", "random_forest", "staged_selection", "svr")


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield an error for each prediction whose model lacks quantiles, a warning where it may choose one that does."""
    for prediction, model in design.mappings(spec):
        levels = sorted(set(prediction.params.quantiles))
        ends = list(_ends(spec, model)) if levels else []
        lacking = {end.name: words for end in ends if (words := _lacking(end, levels))}
        if not lacking:
            continue
        names = " or ".join(f"`{name}`" for name in lacking)
        notes = tuple(f"`{name}` {words}" for name, words in lacking.items())
        span = prediction.span("quantiles")
        if ends[0] is model:
            message = f"`{model.name}` {lacking[model.name]}"
            yield Diagnostic(CODE, message, span, help=_help(model, levels))
        elif len(lacking) == len(ends):
            message = f"none of the models that `{model.name}` chooses from has the quantiles"
            yield Diagnostic(CODE, message, span, help="leave `quantiles` out", notes=notes)
        else:
            message = f"`{model.name}` may choose {names}, without the quantiles that are asked for"
            help = f"leave `quantiles` out, or let `{model.name}` choose among models that have them"
            yield Diagnostic(CODE, message, span, help=help, severity=Severity.WARNING, notes=notes)


def _ends(spec: Spec, model: Block) -> Iterator[Block]:
    """Yield what a model predicts by: itself, or the models from which it chooses."""
    if model.kind != "best_of":
        yield model
        return
    for ref in model.params.models:
        found = spec.block(ref.block)
        if found is not None and found.section == "models" and design.is_sound(spec, found):
            yield from _ends(spec, found)


def _lacking(model: Block, levels: list[float]) -> str:
    """Return in words which quantiles a model lacks; empty where it has all."""
    if model.kind in _WITHOUT:
        return f"is of kind `{model.kind}`, which has no quantiles"
    if model.kind != "gradient_boosting":
        return ""
    own = model.params.quantiles
    absent = ", ".join(f"{level:g}" for level in levels if level not in own)
    if not absent:
        return ""
    fitted = f"for the quantiles {', '.join(f'{level:g}' for level in own)}" if own else "for no quantiles"
    return f"is fitted {fitted}, and not for {absent}"


def _help(model: Block, levels: list[float]) -> str:
    if model.kind in _WITHOUT:
        return "leave `quantiles` out, or predict by a model that has them, such as a `quantile_forest`"
    listed = ", ".join(f"{level:g}" for level in sorted({*model.params.quantiles, *levels}))
    return f"give `{model.name}` the quantiles {listed}; each is a fit of its own"
