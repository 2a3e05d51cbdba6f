"""Terms of different units are added, or the two sides of a formula differ in theirs.

Units of columns are known from the registry or from `unit`; those of parameters follow from the formula: in
`Rs ~ a*exp(b*T)`, `a` has the unit of Rs and `b` is in 1/degC. A literal number takes the unit that its place needs.
What then does not fit is added by mistake: a temperature to a percentage, a flux a day to one a year, carbon to
carbon dioxide (a factor of 3.66), g to kg. The fit would go through, and the map would be wrong.

Bad::

    formula: Rs ~ a*exp(b*T) + Litter_flux_daily     # one is in g C m-2 yr-1, the other in g C m-2 d-1

Good::

    columns: {Litter_flux: {from: Litter_flux_daily, unit: g C m-2 yr-1}}
    formula: Rs ~ a*exp(b*T) + Litter_flux
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql.errors import Diagnostic
from soilql.formula.model import inferences
from soilql.formula.units import Problem
from soilql.formula.words import factor_text, quoted, unit_text
from soilql.spec import Spec

CODE = "SQ305"
TITLE = "terms of different units"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a finding for each term whose unit is not that of what it is added to or equated with."""
    for found in inferences(spec.blocks, spec):
        sums = [problem for problem in found.inference.problems if problem.kind == "sum"]
        sides = [
            problem for problem in found.inference.problems if problem.kind == "response" and not _is_plain(problem)
        ]
        for problem in sums or sides:
            message = _sum(problem) if problem.kind == "sum" else _sides(problem, found.result)
            span = found.expression.span(problem.node)
            yield Diagnostic(CODE, message, span, factor_text(problem.factor), _help(problem))


def _is_plain(problem: Problem) -> bool:
    """Whether a formula gives a plain number, which may be one in the unit of the result, as exp(6 + 0.05*T) is."""
    return problem.found is not None and problem.found.is_dimensionless and not problem.factor.is_dimensionless


def _sum(problem: Problem) -> str:
    verb = {"+": "is added to", "-": "is subtracted from", "%": "divides"}.get(problem.name, "is chosen beside")
    term, other = quoted(problem.node, "this term"), quoted(problem.other, "the rest")
    if problem.found is None or problem.expected is None:
        return f"{term} {verb} {other} but differs from it in its unit"
    return f"{term} in `{unit_text(problem.found)}` {verb} {other} in `{unit_text(problem.expected)}`"


def _sides(problem: Problem, result: str) -> str:
    if problem.found is None or problem.expected is None:
        return f"the unit of the right side cannot be that of {result}"
    return f"{result} is in `{unit_text(problem.expected)}` and its formula gives `{unit_text(problem.found)}`"


def _help(problem: Problem) -> str:
    if problem.factor.is_dimensionless:
        return "convert one of them, by `unit` where its column is read"
    return "if the units are right, a factor is missing: multiply by a parameter or a number that has the unit"
