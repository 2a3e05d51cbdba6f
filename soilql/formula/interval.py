"""Interval arithmetic: between which values an expression lies when each of its names lies between two values.

The result is never too narrow: ends are rounded outward. It may be too wide where a name occurs twice, because the
occurrences are taken as independent. Values that do not exist (log of a negative number) are left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from soilql.expr import ast
from soilql.expr.ast import Node
from soilql.expr.functions import CONSTANTS


@dataclass(frozen=True)
class Interval:
    """All numbers from `low` to `high`; none where `low` is above `high`.

    Examples
    --------
    >>> Interval(-10.0, 30.0).meet(Interval(0.0, math.inf))
    Interval(low=0.0, high=30.0)
    """

    low: float = -math.inf
    high: float = math.inf

    @property
    def is_empty(self) -> bool:
        return not self.low <= self.high

    @property
    def is_finite(self) -> bool:
        return not self.is_empty and math.isfinite(self.low) and math.isfinite(self.high)

    def meet(self, other: Interval) -> Interval:
        """Return what the two have in common."""
        return Interval(max(self.low, other.low), min(self.high, other.high))

    def join(self, other: Interval) -> Interval:
        """Return the smallest interval that holds both."""
        if self.is_empty or other.is_empty:
            return other if self.is_empty else self
        return Interval(min(self.low, other.low), max(self.high, other.high))

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


WHOLE = Interval()
EMPTY = Interval(math.inf, -math.inf)
ZERO = Interval(0.0, 0.0)
_TRUTH = Interval(0.0, 1.0)
_HUGE = 1e15  # beyond it floats lie too far apart to tell which whole number an exponent is


def point(value: float) -> Interval:
    """Return the interval of one number."""
    return Interval(value, value)


def bounds(root: Node, env: Mapping[str, Interval]) -> dict[int, Interval]:
    """Return between which values each node of a tree lies, by the id of the node.

    Parameters
    ----------
    root : Node
        No formula.
    env : mapping of str to Interval
        Names that are not in it may have any value.

    Examples
    --------
    >>> from soilql.expr.parse import parse_expression
    >>> tree = parse_expression("T + 46.02").root
    >>> found = bounds(tree, {"T": Interval(-10.0, 30.0)})[id(tree)]
    >>> round(found.low, 6), round(found.high, 6)
    (36.02, 76.02)
    """
    found: dict[int, Interval] = {}

    def combine(node: Node, below: tuple[Interval, ...]) -> Interval:
        result = EMPTY if any(part.is_empty for part in below) and not _chooses(node) else _node(node, below, env)
        found[id(node)] = result
        return result

    ast.fold(root, combine)
    return found


def _chooses(node: Node) -> bool:
    return isinstance(node, ast.Call) and node.function in ("where", "missing")


def _node(node: Node, below: tuple[Interval, ...], env: Mapping[str, Interval]) -> Interval:
    match node:
        case ast.Number(value):
            return point(value)
        case ast.Name(name):
            return env.get(name, point(CONSTANTS[name]) if name in CONSTANTS else WHOLE)
        case ast.Unary(operator, _):
            return Interval(-below[0].high, -below[0].low) if operator == "-" else below[0]
        case ast.Binary(operator, _, _):
            return _BINARY[operator](*below)
        case ast.Call(function, _):
            return _call(function, below)
        case ast.Compare() | ast.Logical() | ast.Not() | ast.Membership() | ast.Boolean():
            return _TRUTH
        case _:
            return WHOLE


def _outward(values: Iterable[float]) -> Interval:
    known = [value for value in values if not math.isnan(value)]
    if not known:
        return WHOLE
    return Interval(math.nextafter(min(known), -math.inf), math.nextafter(max(known), math.inf))


def _add(a: Interval, b: Interval) -> Interval:
    return Interval(math.nextafter(a.low + b.low, -math.inf), math.nextafter(a.high + b.high, math.inf))


def _subtract(a: Interval, b: Interval) -> Interval:
    return _add(a, Interval(-b.high, -b.low))


def _times(x: float, y: float) -> float:
    return 0.0 if x == 0 or y == 0 else x * y  # the end of an interval at infinity is no value: 0 times it is 0


def _multiply(a: Interval, b: Interval) -> Interval:
    return _outward(_times(x, y) for x in (a.low, a.high) for y in (b.low, b.high))


def _divide(a: Interval, b: Interval) -> Interval:
    if b.low < 0 < b.high or b == ZERO:
        return WHOLE
    low, high = (math.copysign(0.0, 1.0) if b.low == 0 else b.low), (-0.0 if b.high == 0 else b.high)
    return _multiply(a, _outward([_reciprocal(low), _reciprocal(high)]))


def _reciprocal(x: float) -> float:
    return math.copysign(math.inf, x) if x == 0 else 1 / x


def _modulo(a: Interval, b: Interval) -> Interval:
    return Interval(min(b.low, 0.0), max(b.high, 0.0))


def _power(a: Interval, b: Interval) -> Interval:
    exponent = b.low if b.low == b.high else math.nan
    if exponent.is_integer() and abs(exponent) < _HUGE:
        return _whole_power(a, exponent)
    if a.low < 0 and math.isnan(exponent):
        return WHOLE
    a = a.meet(Interval(0.0))
    # Monotone in the base and in the exponent, so the extremes are at the corners.
    return EMPTY if a.is_empty else _outward(_pow(x, y) for x in (a.low, a.high) for y in (b.low, b.high))


def _whole_power(a: Interval, exponent: float) -> Interval:
    if exponent < 0:
        return _divide(point(1.0), _whole_power(a, -exponent))
    if exponent == 0:
        return point(1.0)
    ends = _outward([_pow(a.low, exponent), _pow(a.high, exponent)])
    if exponent % 2:
        return ends
    return Interval(0.0, ends.high) if 0.0 in a else Interval(max(0.0, ends.low), ends.high)


def _pow(x: float, y: float) -> float:
    try:
        return math.pow(x, y)
    except OverflowError:
        return math.copysign(math.inf, x) if y % 2 == 1 else math.inf
    except ValueError:
        return math.inf if x == 0 else math.nan


_BINARY: dict[str, Callable[[Interval, Interval], Interval]] = {
    "+": _add,
    "-": _subtract,
    "*": _multiply,
    "/": _divide,
    "%": _modulo,
    "^": _power,
}


def _exp(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def _expm1(x: float) -> float:
    try:
        return math.expm1(x)
    except OverflowError:
        return math.inf


def _from(least: float, function: Callable[[float], float]) -> Callable[[float], float]:
    """Return a rising function with its limit at the end of its domain."""
    return lambda x: -math.inf if x <= least else math.inf if x == math.inf else function(x)


def _ends(function: Callable[[float], float]) -> Callable[[float], float]:
    return lambda x: x if math.isinf(x) else float(function(x))


# Functions that rise throughout, with the least argument they have a value for, and the range of the values.
_RISING: dict[str, tuple[Callable[[float], float], Interval, Interval]] = {
    "exp": (_exp, WHOLE, Interval(0.0)),
    "expm1": (_expm1, WHOLE, Interval(-1.0)),
    "log": (_from(0.0, math.log), Interval(0.0), WHOLE),
    "log10": (_from(0.0, math.log10), Interval(0.0), WHOLE),
    "log2": (_from(0.0, math.log2), Interval(0.0), WHOLE),
    "log1p": (_from(-1.0, math.log1p), Interval(-1.0), WHOLE),
    "sqrt": (math.sqrt, Interval(0.0), Interval(0.0)),
    "tanh": (math.tanh, WHOLE, Interval(-1.0, 1.0)),
    "floor": (_ends(math.floor), WHOLE, WHOLE),
    "ceil": (_ends(math.ceil), WHOLE, WHOLE),
    "round": (_ends(round), WHOLE, WHOLE),
}


def _call(function: str, below: tuple[Interval, ...]) -> Interval:
    if function in _RISING:
        rising, domain, values = _RISING[function]
        inside = below[0].meet(domain)
        return EMPTY if inside.is_empty else _outward([rising(inside.low), rising(inside.high)]).meet(values)
    match function:
        case "I":
            return below[0]
        case "abs":
            ends = (abs(below[0].low), abs(below[0].high))
            return Interval(0.0 if 0.0 in below[0] else min(ends), max(ends))
        case "sin" | "cos":
            return Interval(-1.0, 1.0)
        case "sign":
            return Interval(_sign(below[0].low), _sign(below[0].high))
        case "min":
            return Interval(min(part.low for part in below), min(part.high for part in below))
        case "max":
            return Interval(max(part.low for part in below), max(part.high for part in below))
        case "clip":
            x, low, high = below
            return _call("min", (_call("max", (x, low)), high))
        case "where":
            return below[1].join(below[2])
        case "missing" | "startswith" | "endswith" | "contains":
            return _TRUTH
        case _:
            return WHOLE


def _sign(x: float) -> float:
    return float((x > 0) - (x < 0))
