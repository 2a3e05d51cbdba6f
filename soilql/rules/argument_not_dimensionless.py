"""A function or exponent that needs a plain number gets a column with a unit.

`exp(T)` of a temperature means one thing in degC and another in degF or K: a shift of the unit multiplies the result
by a power of e, and no parameter makes up for it. The same holds for `sin` of an angle in degrees, which is taken in
radians, and for a power like `2^MAP`. A logarithm of a column is fine where a parameter takes up a change of
its unit, as the intercept does in `a + b*log(MAP)`; in `a*log(MAP)` none does, and the flux is zero at 1 mm for no
reason but the unit.

Bad::

    formula: Rs ~ a*exp(T)
    formula: Rs ~ a*log(MAP)

Good::

    formula: Rs ~ a*exp(b*T)
    formula: Rs ~ a*log(MAP/k)
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql.errors import Diagnostic, Severity
from soilql.expr import ast
from soilql.formula.drivers import readable
from soilql.formula.model import FormulaModel, inferences, takes_up_unit
from soilql.formula.units import Problem
from soilql.formula.words import quoted, unit_text
from soilql.spec import Spec
from soilql.units import parse_unit

CODE = "SQ307"
TITLE = "argument with a unit"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a finding for each argument or exponent that cannot be a plain number."""
    for found in inferences(spec.blocks, spec):
        for problem in found.inference.problems:
            if problem.kind in ("argument", "exponent"):
                span = found.expression.span(problem.node)
                message, help = _words(problem)
                yield Diagnostic(CODE, message, span, help=help, severity=Severity.WARNING)
        if found.model is not None:
            yield from _logarithms(found.model)


def _words(problem: Problem) -> tuple[str, str]:
    argument, unit = quoted(problem.node, "the argument"), unit_text(problem.factor)
    if problem.name == "^":
        message = f"{argument} is in `{unit}` and takes part in a power whose exponent is no fixed number"
        return message, "divide it by something in the same unit"
    if problem.name in ("sin", "cos", "tan") and problem.factor.dimensions == parse_unit("deg").dimensions:
        return f"`{problem.name}` takes radians, and {argument} is in `{unit}`", "multiply it by `pi / 180`"
    needed = f"multiply it by a parameter in `{problem.factor**-1}`"
    return f"`{problem.name}` takes a plain number, and {argument} is in `{unit}`", needed


def _logarithms(model: FormulaModel) -> Iterator[Diagnostic]:
    """Yield the logarithms of columns whose unit no parameter takes up."""
    for node in ast.walk(model.right):
        match node:
            case ast.Call("log" | "log10" | "log2" | "log1p", (ast.Name(name),)) if name in model.drivers:
                unit = readable(model.drivers[name].unit)
            case _:
                continue
        if unit is None or unit.is_dimensionless:
            continue
        if takes_up_unit(model, name) is False:
            message = f"the result depends on the unit of `{name}`, `{unit}`: no parameter takes up a change of it"
            help = f"divide it by a parameter, or add one: `log({name}/k)` or `a + b*log({name})`"
            yield Diagnostic(CODE, message, model.formula.span(node), help=help, severity=Severity.WARNING)
