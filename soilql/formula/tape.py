"""Expressions computed at single points in plain Python, for checks that must not wait for numpy to load."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from soilql.expr import ast
from soilql.expr.ast import Node
from soilql.expr.functions import CONSTANTS

NAN = math.nan

_Step: TypeAlias = tuple[str | None, Callable[..., Any] | None, tuple[int, ...], float]


class Tape:
    """Trees flattened to steps, in which what occurs twice is computed once.

    Parameters
    ----------
    roots : sequence of Node
        Trees to compute together. Texts, and functions of texts, are missing numbers here.

    Examples
    --------
    >>> from soilql.expr.parse import parse_expression
    >>> Tape([parse_expression("2 * T^2").root]).run({"T": 3.0})
    [18.0]
    """

    def __init__(self, roots: Sequence[Node]) -> None:
        self._steps: list[_Step] = []
        self._numbered: dict[Any, int] = {}
        self._roots = [ast.fold(root, self._add) for root in roots]

    def _add(self, node: Node, below: tuple[int, ...]) -> int:
        key = (type(node), node.own, below)
        if key not in self._numbered:
            self._numbered[key] = len(self._steps)
            self._steps.append(_step(node, below))
        return self._numbered[key]

    def run(self, env: Mapping[str, float]) -> list[float]:
        """Return the value of each tree; NaN where it has none, as for a name that `env` lacks."""
        values: list[float] = []
        for name, function, below, value in self._steps:
            if function is None:
                values.append(value if name is None else env.get(name, value))
                continue
            try:
                values.append(float(function(*[values[i] for i in below])))
            except (ValueError, TypeError):  # no real value: log(-1), (-1)^0.5 (which is complex in Python), 0 % 0
                values.append(NAN)
            except OverflowError:
                values.append(math.inf)
        return [values[root] for root in self._roots]


def value_at(node: Node, env: Mapping[str, float]) -> float:
    """Return the value of one tree at one point."""
    return Tape([node]).run(env)[0]


def constant(node: Node) -> float | None:
    """Return the value of a tree without names; None for any other, or where it has no finite value.

    Examples
    --------
    >>> from soilql.expr.parse import parse_expression
    >>> constant(parse_expression("-1/4").root)
    -0.25
    """
    left = [node]
    while left:  # from the right, where a long sum has its short branches
        one = left.pop()
        if isinstance(one, ast.Name):
            return None
        left += one.children
    value = value_at(node, {})
    return value if math.isfinite(value) else None


def _step(node: Node, below: tuple[int, ...]) -> _Step:
    """Return the name, function, arguments and value of a step; the value is that without a function and a name."""
    if isinstance(node, ast.Number | ast.Boolean):
        return None, None, (), float(node.value)
    if isinstance(node, ast.Name):
        return node.name, None, (), CONSTANTS.get(node.name, NAN)
    return None, _operation(node), below, NAN


def _operation(node: Node) -> Callable[..., Any] | None:
    match node:
        case ast.Call(function, _):
            return FUNCTIONS.get(function)
        case ast.Binary(symbol, _, _):
            return _BINARY.get(symbol)
        case ast.Unary(symbol, _):
            return operator.neg if symbol == "-" else operator.pos
        case ast.Compare(symbols, _):
            return lambda *values: all(
                _COMPARE[symbol](a, b) for symbol, a, b in zip(symbols, values[:-1], values[1:], strict=True)
            )
        case ast.Logical(symbol, _):
            return lambda *values: (all if symbol == "and" else any)(value == 1 for value in values)
        case ast.Not():
            return lambda value: value != 1
        case ast.Membership(_, _, negated):
            return lambda value, *choices: (value in choices) is not negated and not math.isnan(value)
        case _:
            return None


def _divide(a: float, b: float) -> float:
    if b:
        return a / b
    return NAN if a == 0 or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1.0, b)


def _power(a: float, b: float) -> float:
    beyond = math.copysign(math.inf, a) if b % 2 == 1 else math.inf
    if a == 0 and b < 0:
        return beyond
    try:
        return math.pow(a, b)
    except OverflowError:
        return beyond


def _log(of: Callable[[float], float], zero: float = 0.0) -> Callable[[float], float]:
    return lambda x: -math.inf if x == zero else of(x)


def _propagating(choose: Callable[..., float]) -> Callable[..., float]:
    return lambda *values: NAN if any(map(math.isnan, values)) else choose(values)


_BINARY: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide,
    "%": lambda a, b: a - b * math.floor(a / b) if b else NAN,
    "^": _power,
}
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": lambda a, b: a != b and not (math.isnan(a) or math.isnan(b)),
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
FUNCTIONS: dict[str, Callable[..., float]] = {
    "exp": math.exp,
    "log": _log(math.log),
    "log10": _log(math.log10),
    "log2": _log(math.log2),
    "log1p": _log(math.log1p, -1.0),
    "expm1": math.expm1,
    "sqrt": math.sqrt,
    "abs": abs,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "tanh": math.tanh,
    "floor": math.floor,
    "ceil": math.ceil,
    "round": round,
    "sign": lambda x: NAN if math.isnan(x) else math.copysign(float(x != 0), x),
    "min": _propagating(min),
    "max": _propagating(max),
    "clip": lambda x, low, high: _propagating(min)(_propagating(max)(x, low), high),
    "where": lambda condition, then, otherwise: then if condition == 1 else otherwise,
    "missing": math.isnan,
    "I": float,
}
