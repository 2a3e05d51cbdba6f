"""Where a formula has no value, or an infinite one, for values of its drivers that all but certainly occur."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from soilql.expr import ast
from soilql.expr.ast import Node
from soilql.expr.functions import CONSTANTS
from soilql.formula.interval import Interval, bounds
from soilql.formula.tape import Tape, constant

#: Largest x for which exp(x) is a double-precision number.
LARGEST_EXPONENT = 709.78
_LOGARITHMS = {"log": 0.0, "log10": 0.0, "log2": 0.0, "log1p": -1.0}
_POINTS = 400
_MOST_CORNERS = 6
_SEED = 5


@dataclass(frozen=True)
class Hazard:
    """A place where a formula has no finite value.

    Attributes
    ----------
    kind : {"log", "root", "power", "divide", "overflow"}
        Logarithm or root of a negative number, power of one that is not whole, division by zero, exponential that is
        too large for a number.
    node : Node
        The operation.
    argument : Node
        What it is applied to.
    witness : mapping of str to float
        Values of the names in the argument with which it happens; for a division those with a divisor of one sign.
    value : float
        The argument there.
    always : bool
        Whether it happens for every value of the names.
    """

    kind: Literal["log", "root", "power", "divide", "overflow"]
    node: Node
    argument: Node
    witness: Mapping[str, float]
    value: float
    always: bool


def hazards(root: Node, within: Mapping[str, Interval], occurring: Mapping[str, Interval]) -> Iterator[Hazard]:
    """Yield the places where an expression has no finite value, in order.

    Interval arithmetic clears what is safe; of the rest, only that is reported for which values were found that show
    it, all of them among those that occur. What is chosen by `where` is left out: its condition guards it.

    Parameters
    ----------
    root : Node
        No formula.
    within : mapping of str to Interval
        Names and what their values never exceed. Others may have any value.
    occurring : mapping of str to Interval
        Names and the values that all but certainly occur. A hazard that needs any other name is not reported.

    Examples
    --------
    >>> from soilql.expr.parse import parse_expression
    >>> T = {"T": Interval(-10.0, 30.0)}
    >>> [(h.kind, h.witness) for h in hazards(parse_expression("a * log(T) / (T + 46.02)").root, T, T)]
    [('log', {'T': -10.0})]
    """
    limits = bounds(root, within)
    guarded = _guarded(root)
    for node in ast.walk(root):
        if id(node) in guarded:
            continue
        for kind, argument, is_bad, margin in _risks(node):
            inside = limits[id(argument)]
            if inside.is_empty or not margin(inside):
                continue
            always = is_bad(inside.low) and is_bad(inside.high) and (kind != "divide" or inside.low == inside.high)
            found = _witness(kind, argument, is_bad, occurring)
            if found is not None:
                yield Hazard(kind, node, argument, *found, always)
            elif always:
                yield Hazard(kind, node, argument, {}, inside.high, always)


_Risk = tuple[
    Literal["log", "root", "power", "divide", "overflow"], Node, Callable[[float], bool], Callable[[Interval], bool]
]


def _risks(node: Node) -> Iterator[_Risk]:
    """Yield what may go wrong at a node: kind, argument, which values are bad, and which intervals are suspect."""
    match node:
        case ast.Call(function, (argument,)) if function in _LOGARITHMS:
            least = _LOGARITHMS[function]
            yield "log", argument, lambda x: x < least, lambda inside: inside.low < least
        case ast.Call("sqrt", (argument,)):
            yield "root", argument, _is_negative, lambda inside: inside.low < 0
        case ast.Call("exp", (argument,)):
            yield "overflow", argument, _is_too_large, lambda inside: inside.high > LARGEST_EXPONENT
        case ast.Binary("/", _, divisor):
            yield "divide", divisor, _is_zero, _crosses_zero
        case ast.Binary("^", base, exponent):
            number = constant(exponent)
            if number is None or not number.is_integer():
                yield "power", base, _is_negative, lambda inside: inside.low < 0
            elif number < 0:
                yield "divide", base, _is_zero, _crosses_zero


def risky(root: Node) -> Iterator[tuple[str, Node, Node, Callable[[float], bool]]]:
    """Yield the operations that may have no finite value: kind, operation, argument, and which arguments are bad.

    What is chosen by `where` is left out, as in `hazards`.

    Examples
    --------
    >>> from soilql.expr.parse import parse_expression
    >>> [(kind, ast.to_text(node)) for kind, _, node, _ in risky(parse_expression("log(T) + exp(a) / P").root)]
    [('log', 'T'), ('divide', 'P'), ('overflow', 'a')]
    """
    guarded = _guarded(root)
    for node in ast.walk(root):
        if id(node) not in guarded:
            yield from ((kind, node, argument, is_bad) for kind, argument, is_bad, _ in _risks(node))


def _is_negative(x: float) -> bool:
    return x < 0


def _is_zero(x: float) -> bool:
    return x == 0


def _is_too_large(x: float) -> bool:
    return x > LARGEST_EXPONENT


def _crosses_zero(inside: Interval) -> bool:
    return inside.low < 0 < inside.high or inside.low == inside.high == 0


def _guarded(root: Node) -> set[int]:
    """Return the ids of the nodes below the two choices of a `where`."""
    found: set[int] = set()
    for node in ast.walk(root):
        if isinstance(node, ast.Call) and node.function == "where":
            found |= {id(inner) for choice in node.arguments[1:] for inner in ast.walk(choice)}
    return found


def _witness(
    kind: str, argument: Node, is_bad: Callable[[float], bool], occurring: Mapping[str, Interval]
) -> tuple[dict[str, float], float] | None:
    """Return values that occur and the argument there, if it is bad; for a divisor, that it has both signs."""
    names = [name for name in ast.names(argument) if name in occurring or name not in CONSTANTS]
    if any(name not in occurring for name in names):
        return None
    tape = Tape([argument])
    below: tuple[dict[str, float], float] | None = None
    above = False
    for env in _points({name: occurring[name] for name in names}):
        value = tape.run(env)[0]
        if kind != "divide" and is_bad(value):
            return env, value
        below = below or ((env, value) if value < 0 else None)
        above = above or value > 0
        if kind == "divide" and below is not None and above:
            return below
    return None


def _points(box: Mapping[str, Interval]) -> Iterator[dict[str, float]]:
    """Yield points of a box: corners first, then random ones."""
    if len(box) <= _MOST_CORNERS:
        for ends in itertools.product(*((inside.low, inside.high) for inside in box.values())):
            yield dict(zip(box, ends, strict=True))
    chance = random.Random(_SEED)
    for _ in range(_POINTS if box else 0):
        yield {name: chance.uniform(inside.low, inside.high) for name, inside in box.items()}


@dataclass(frozen=True)
class Optimum:
    """The largest value of exp(quadratic) along a driver.

    Attributes
    ----------
    node : Node
        The quadratic.
    driver : str
        Along which.
    at : float
        Where it is largest.
    """

    node: Node
    driver: str
    at: float


def optima(root: Node, values: Mapping[str, float], drivers: Mapping[str, Interval]) -> Iterator[Optimum]:
    """Yield where each ``exp(b*T + c*T^2)`` with a negative c is largest, at given values of the parameters.

    Parameters
    ----------
    root : Node
        No formula.
    values : mapping of str to float
        Parameters and constants.
    drivers : mapping of str to Interval
        Drivers along which optima are wanted.

    Examples
    --------
    >>> from soilql.expr.parse import parse_expression
    >>> tree = parse_expression("a * exp(b*T + c*T^2)").root
    >>> [o.at for o in optima(tree, {"b": 0.2, "c": -0.005}, {"T": Interval(-10.0, 30.0)})]
    [20.0]
    """
    from soilql.errors import SoilqlError
    from soilql.expr.derivative import differentiate
    from soilql.expr.simplify import rebuild

    for node in ast.walk(root):
        if not (isinstance(node, ast.Call) and node.function == "exp"):
            continue
        exponent = node.arguments[0]
        for name in drivers:
            try:
                slope = rebuild(differentiate(exponent, name))
                bend = rebuild(differentiate(slope, name))
            except SoilqlError:
                continue
            if name in ast.names(bend) or not set(ast.names(slope)) <= {name, *values, *CONSTANTS}:
                continue
            # At the origin the slope of a quadratic is its linear coefficient.
            linear, curvature = Tape([slope, bend]).run({**values, name: 0.0})
            if curvature < 0 and math.isfinite(linear):
                yield Optimum(exponent, name, -linear / curvature)
