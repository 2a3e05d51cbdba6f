"""A percentage is used as a fraction, or a fraction as a percentage.

Clay, cover and soil moisture come in % from one source and as a fraction from the next. `1 - clay` with clay in % is
negative nearly everywhere, and `cover / 100` of a fraction makes a land-cover effect a hundred times too small;
neither stops a fit.

Bad::

    formula: Rs ~ a * (1 - Clay)            # Clay is in %
    formula: Rs ~ a * exp(b*EVI/100)        # EVI lies between -1 and 1

Good::

    formula: Rs ~ a * (1 - Clay/100)
    formula: Rs ~ a * exp(b*EVI)
"""

from __future__ import annotations

from collections.abc import Container, Iterator

from soilql.errors import Diagnostic, Severity
from soilql.expr import ast
from soilql.expr.ast import Node
from soilql.formula.drivers import Driver, readable
from soilql.formula.interval import Interval
from soilql.formula.model import models
from soilql.formula.tape import constant
from soilql.spec import Spec
from soilql.units import parse_unit

CODE = "SQ310"
TITLE = "percentage and fraction mixed"

_FRACTION = Interval(-1.0, 1.0)


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning for each complement or quotient that has the other kind of share in mind."""
    for model in models(spec.blocks, spec):
        for node in ast.walk(model.right):
            found = _share(node, model.drivers)
            if found is None:
                continue
            name, wanted = found
            known = model.drivers[name]
            if wanted == "fraction" and _is_percentage(known):
                message, help = f"`{name}` is in %, and 1 is its hundredth", f"write `1 - {name}/100`"
            elif wanted == "percentage" and _is_fraction(known):
                low, high = known.within.low, known.within.high
                message, help = f"`{name}` is a fraction, between {low:g} and {high:g}", "leave the 100 out"
            else:
                continue
            yield Diagnostic(CODE, message, model.formula.span(node), help=help, severity=Severity.WARNING)


def _share(node: Node, columns: Container[str]) -> tuple[str, str] | None:
    """Return the name in `1 - x`, `100 - x` or `x/100`, and what it has to be for that to make sense."""
    match node:
        case ast.Binary("-", left, ast.Name(name)) if name in columns and constant(left) in (1.0, 100.0):
            return name, "fraction" if constant(left) == 1.0 else "percentage"
        case ast.Binary("/", left, right) if constant(right) == 100.0:
            names = [
                factor.name for factor in _factors(left) if isinstance(factor, ast.Name) and factor.name in columns
            ]
            return (names[0], "percentage") if len(names) == 1 else None
    return None


def _factors(node: Node) -> Iterator[Node]:
    """Yield what a product multiplies."""
    stack = [node]
    while stack:
        one = stack.pop()
        if isinstance(one, ast.Binary) and one.operator == "*":
            stack += one.children
        else:
            yield one


def _is_percentage(known: Driver) -> bool:
    return bool(readable(known.unit) == parse_unit("%"))


def _is_fraction(known: Driver) -> bool:
    unit = readable(known.unit)
    plain = unit is not None and unit == parse_unit("1")
    return plain and known.within.low >= _FRACTION.low and known.within.high <= _FRACTION.high
