"""The unit stated for a parameter is not the one that the formula gives it.

The unit of a parameter follows from the formula and the units of the columns. A different one that is stated for it
means that a column is not in the unit you think, or that the value will be misread when it is compared with those of
other studies: a Q10 model's rate in 1/K is the same number as in 1/degC, but a base rate in g C m-2 d-1 is 365 times
smaller than one in g C m-2 yr-1.

Bad::

    # Rs is in g C m-2 yr-1
    formula: Rs ~ a*exp(b*T)
    params: {a: {unit: umol CO2 m-2 s-1}, b: {unit: 1/degC}}

Good::

    params: {a: {unit: g C m-2 yr-1}, b: {unit: 1/degC}}
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from soilql.errors import Diagnostic, Fix, Span
from soilql.formula.model import inferences
from soilql.formula.words import factor_text
from soilql.spec import Spec

CODE = "SQ306"
TITLE = "stated unit of a parameter that the formula contradicts"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a finding for each stated unit that cannot be."""
    for found in inferences(spec.blocks, spec):
        for problem in found.inference.problems:
            if problem.kind != "declared" or found.model is None:
                continue
            span = found.model.unit_span(problem.name)
            if problem.expected is None:
                message = f"`{problem.name}` cannot have this unit beside the other parameters' units"
                yield Diagnostic(CODE, message, span, factor_text(problem.factor))
                continue
            message = f"`{problem.name}` is in `{problem.expected}` by the formula, not in `{problem.found}`"
            help = f"write `unit: {problem.expected}`, or check the units of the columns"
            fixes = _replacement(span, str(problem.expected))
            yield Diagnostic(CODE, message, span, factor_text(problem.factor), help, fixes=fixes)


def _replacement(span: Span, unit: str) -> tuple[Fix, ...]:
    """Return the edit that states the inferred unit, where that can be written without quotes."""
    if not re.fullmatch(r"[A-Za-z][\w -]*", unit):
        return ()
    return (Fix(span, unit, safe=False, title=f"state `{unit}`"),)
