"""Trees put together with the arithmetic that can be done at once, so that derivatives stay readable.

Only what holds for every value, missing ones and infinities included, is rewritten, with one exception: a factor
that is exactly the number 0 makes the product 0. A derivative has such a factor only where the expression
does not depend on the name at all, and there it is 0 whatever the data are.
"""

from __future__ import annotations

import math

from soilql.expr import ast
from soilql.expr.ast import Node, number

ZERO = number(0.0)
ONE = number(1.0)


def value_of(node: Node) -> float | None:
    """Return the value of a number with or without sign; None for anything else.

    Examples
    --------
    >>> value_of(number(-2.0))
    -2.0
    """
    if isinstance(node, ast.Number):
        return node.value
    if isinstance(node, ast.Unary) and isinstance(node.operand, ast.Number):
        return -node.operand.value if node.operator == "-" else node.operand.value
    return None


def _folded(value: float, otherwise: Node) -> Node:
    return number(value) if math.isfinite(value) else otherwise


def add(left: Node, right: Node) -> Node:
    """Return left + right."""
    a, b = value_of(left), value_of(right)
    plain = ast.Binary("+", left, right)
    if a is not None and b is not None:
        return _folded(a + b, plain)
    if a == 0:
        return right
    if b == 0:
        return left
    if isinstance(right, ast.Unary) and right.operator == "-":
        return ast.Binary("-", left, right.operand)
    return plain


def subtract(left: Node, right: Node) -> Node:
    """Return left - right."""
    return add(left, negate(right))


def negate(node: Node) -> Node:
    """Return -node."""
    if isinstance(node, ast.Unary) and node.operator == "-":
        return node.operand
    value = value_of(node)
    return ast.Unary("-", node) if value is None else number(-value if value else 0.0)


def multiply(left: Node, right: Node) -> Node:
    """Return left * right.

    Examples
    --------
    >>> multiply(number(2.0), multiply(ONE, ast.Name("T")))
    <Binary 2 * T>
    """
    a, b = value_of(left), value_of(right)
    if a is not None and b is not None:
        return _folded(a * b, ast.Binary("*", left, right))
    if a == 0 or b == 0:
        return ZERO
    if a == 1:
        return right
    if b == 1:
        return left
    if a == -1:
        return negate(right)
    if b == -1:
        return negate(left)
    if isinstance(left, ast.Unary) and left.operator == "-" and a is None:
        return negate(multiply(left.operand, right))
    if isinstance(right, ast.Unary) and right.operator == "-" and b is None:
        return negate(multiply(left, right.operand))
    return ast.Binary("*", left, right)


def divide(left: Node, right: Node) -> Node:
    """Return left / right."""
    a, b = value_of(left), value_of(right)
    plain = ast.Binary("/", left, right)
    if a is not None and b:
        return _folded(a / b, plain)
    if a == 0 and b is None:
        return ZERO
    if b == 1:
        return left
    return plain


def power(base: Node, exponent: Node) -> Node:
    """Return base ^ exponent."""
    b = value_of(exponent)
    if b == 1:
        return base
    return ONE if b == 0 else ast.Binary("^", base, exponent)


def call(function: str, *arguments: Node) -> Node:
    """Return a call; log(1), exp(0) and log(exp(x)) are done at once."""
    first = arguments[0]
    if function == "log" and value_of(first) == 1:
        return ZERO
    if function == "exp" and value_of(first) == 0:
        return ONE
    if function == "log" and isinstance(first, ast.Call) and first.function == "exp":
        return first.arguments[0]
    return ast.Call(function, arguments)


def compare(operator: str, left: Node, right: Node) -> Node:
    """Return the comparison of two trees."""
    return ast.Compare((operator,), (left, right))


def where(condition: Node, then: Node, otherwise: Node) -> Node:
    """Return the choice between two trees; no choice where they are equal."""
    return then if then == otherwise else ast.Call("where", (condition, then, otherwise))


def rebuild(node: Node) -> Node:
    """Return a tree with its arithmetic simplified throughout.

    Examples
    --------
    >>> from soilql.expr.parse import parse_expression
    >>> rebuild(parse_expression("0*a + exp(0)*T^1 - 2*3").root)
    <Binary T - 6>
    """
    operations = {"+": add, "-": subtract, "*": multiply, "/": divide, "^": power}

    def combine(current: Node, below: tuple[Node, ...]) -> Node:
        if isinstance(current, ast.Binary) and current.operator in operations:
            return operations[current.operator](*below)
        if isinstance(current, ast.Unary):
            return negate(below[0]) if current.operator == "-" else below[0]
        if isinstance(current, ast.Call):
            return call(current.function, *below) if below else current
        return current.with_children(below)

    return ast.fold(node, combine)
