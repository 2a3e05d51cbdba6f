"""Degrees Celsius meet kelvin in a difference.

A temperature in degC less 283.15, or less an optimum in K, is off by 273: `exp(b*(T - 283.15))` is then about
1e-10 and the fitted base rate absurdly large, though the curve may still fit. Adding 273.15 to a column that is in K
already does the reverse.

Bad::

    formula: Rs ~ R10 * Q^((T - 283.15)/10)      # T is in degC

Good::

    formula: Rs ~ R10 * Q^((T - 10)/10)
    formula: Rs ~ A * exp(-E/(8.314*(T + 273.15)))
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql.errors import Diagnostic, Severity
from soilql.expr import ast
from soilql.expr.ast import Node
from soilql.formula.drivers import readable
from soilql.formula.model import FormulaModel, models
from soilql.formula.tape import constant
from soilql.spec import Spec
from soilql.units import parse_unit

CODE = "SQ309"
TITLE = "degrees Celsius and kelvin mixed"

# No air or soil temperature in degC comes near these, and every one in K lies between them.
_COLDEST, _HOTTEST = 200.0, 350.0
_CELSIUS_ZERO = 273.15


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a finding for each sum or difference of a temperature with a number of the other scale."""
    for model in models(spec.blocks, spec):
        for node in ast.walk(model.right):
            match node:
                case ast.Binary("-", ast.Name(name), other) if name in model.drivers:
                    words = _subtracted(model, name, other)
                case ast.Binary("-", other, ast.Name(name)) if name in model.drivers:
                    words = _subtracted(model, name, other)
                case ast.Binary("+", ast.Name(name), other) if name in model.drivers:
                    words = _added(model, name, other)
                case ast.Binary("+", other, ast.Name(name)) if name in model.drivers:
                    words = _added(model, name, other)
                case _:
                    continue
            if words:
                message, help = words
                yield Diagnostic(CODE, message, model.formula.span(other), help=help, severity=Severity.WARNING)


def _subtracted(model: FormulaModel, name: str, other: Node) -> tuple[str, str] | None:
    unit = readable(model.drivers[name].unit)
    if unit == parse_unit("degC"):
        value = _value(model, other)
        if value is not None and _COLDEST < value < _HOTTEST:
            message = f"`{name}` is in degC, and {value:g} looks like kelvin"
            help = f"write {value - _CELSIUS_ZERO:g}" if value != _CELSIUS_ZERO else f"`{name} + 273.15` gives kelvin"
            return message, help
    elif unit == parse_unit("K") and isinstance(other, ast.Name):
        stated = model.parameters.get(other.name)
        if stated is not None and readable(stated.unit) == parse_unit("degC"):
            return f"`{name}` is in K, and `{other.name}` in degC", f"state `unit: degC` where `{name}` is read"
    return None


def _added(model: FormulaModel, name: str, other: Node) -> tuple[str, str] | None:
    value = constant(other)
    if readable(model.drivers[name].unit) != parse_unit("K") or value is None or abs(value - _CELSIUS_ZERO) > 0.2:
        return None
    return f"`{name}` is in K already", f"leave {value:g} out, or state `unit: degC` where `{name}` is read"


def _value(model: FormulaModel, node: Node) -> float | None:
    """Return the number that a literal, a constant or a start stands for."""
    if isinstance(node, ast.Name):
        if node.name in model.constants:
            return model.constants[node.name]
        parameter = model.parameters.get(node.name)
        if parameter is None or parameter.start is not None or parameter.bounds is None:
            return None if parameter is None else parameter.start
        return parameter.bounds.low if parameter.bounds.is_finite else None
    return constant(node)
