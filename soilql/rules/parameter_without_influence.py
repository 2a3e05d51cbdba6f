"""A parameter stands in the formula, but cancels out or is multiplied by zero.

The response does not depend on it, so every value fits equally well: the fit has no unique answer, and the standard
error of the parameter is infinite. Often a driver was left out by setting its factor to zero, or a term is subtracted
that was meant to be another.

Bad::

    formula: Rs ~ a*exp(b*T) + c*(M - M)
    constants: {gate: 0}
    formula: Rs ~ a*exp(b*T) + gate*c*M

Good::

    formula: Rs ~ a*exp(b*T)
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql.errors import Diagnostic
from soilql.expr import ast
from soilql.formula.model import identified, joint_node, models
from soilql.spec import Spec

CODE = "SQ404"
TITLE = "parameter without influence"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a finding for each parameter that changes nothing; one that the formula does not name is SQ401."""
    for model in models(spec.blocks, spec):
        used = set(ast.names(model.right))
        found = identified(model) if used else None
        for name in () if found is None else found.idle:
            if name in used:
                place = model.formula.span(joint_node(model.right, {name}))
                message = f"{ast.quoted_name(name)} does not change the result"
                yield Diagnostic(CODE, message, place, help="leave it out, or mend the term it stands in")
