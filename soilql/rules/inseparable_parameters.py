"""Parameters that no data can tell apart.

In `k*exp(a + b*T)` a larger `k` and a smaller `a` give the same curve: only `k*exp(a)` can be estimated. A fit returns
some pair, with standard errors that mean nothing, and another start returns another pair; two studies then report
parameters that differ without their models differing. The same happens where a filter leaves one value of a driver, or
fewer distinct values than the formula has parameters for it. The rank of the Jacobian at random points decides.

Bad::

    formula: Rs ~ k * exp(a + b*T)
    params: [k, a, b]

Good::

    formula: Rs ~ k * exp(b*T)
    params: [k, b]
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql.errors import Diagnostic
from soilql.expr import ast
from soilql.formula.identify import Confounded
from soilql.formula.model import FormulaModel, identified, joint_node, models
from soilql.spec import Spec

CODE = "SQ403"
TITLE = "parameters that cannot be told apart"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield one finding for each group of parameters."""
    for model in models(spec.blocks, spec):
        found = identified(model)
        for group in () if found is None else found.confounded:
            place = model.formula.span(joint_node(model.right, set(group.parameters)))
            message = f"{_listed(group.parameters)} cannot be told apart"
            yield Diagnostic(CODE, message, place, _determined(group), _help(group), notes=tuple(_few(model)))


def _listed(names: tuple[str, ...]) -> str:
    quoted = [ast.quoted_name(name) for name in names]
    return f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def _determined(group: Confounded) -> str:
    if not group.determined:
        return ""
    return f"the data determine only {' and '.join(f'`{combination}`' for combination in group.determined)}"


def _help(group: Confounded) -> str:
    if group.surplus == 1:
        return "leave one of them out, or give its value under `constants`"
    return f"leave {group.surplus} of them out, or give their values under `constants`"


def _few(model: FormulaModel) -> Iterator[str]:
    """Yield which drivers have few values, which may be the reason."""
    for name, known in model.drivers.items():
        if known.choices and len(known.choices) <= len(model.parameters):
            values = ", ".join(f"{value:g}" for value in known.choices)
            yield f"`{name}` is {values} in all rows" if len(known.choices) == 1 else f"`{name}` is one of {values}"
