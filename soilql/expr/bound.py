"""Expressions at fixed data as a flat list of numpy calls, for searches that compute them thousands of times."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from soilql.errors import Span
from soilql.expr import ast
from soilql.expr.ast import Node
from soilql.expr.evaluate import Program, Value, compute, look_up
from soilql.expr.operations import ARITHMETIC, NUMERIC

_Span: TypeAlias = Callable[[Node], Span | None]
#: Where a result goes, what computes it, the results it takes, and those that are not needed afterwards.
_Step: TypeAlias = tuple[int, Callable[..., Value], tuple[int, ...], tuple[int, ...]]

#: Calls that give numbers, whatever they are given.
_GIVES_NUMBERS = {*NUMERIC, "min", "max", "clip", "round", "I"}
#: What computes a call whose operand is a number.
DIRECT: dict[str, Callable[..., Value]] = {**NUMERIC, "round": np.rint, "I": np.positive}
_EXTREME: dict[str, Callable[..., Value]] = {"min": np.minimum, "max": np.maximum}


class BoundProgram:
    """A program whose data are fixed: what depends on them alone is computed once.

    The remaining steps are calls of numpy without anything between them where all operands are known to be numbers,
    and calls of the interpreter elsewhere; the values are the same bits as those of `Program.run`.

    Parameters
    ----------
    program : Program
        Trees.
    columns : mapping of str to array
        The data, as `from_column` returns them.
    variables : sequence of str
        Names whose values are given at each run; they come before columns and constants.
    span : callable
        Gives the place of a node, for errors.

    Raises
    ------
    SoilqlError
        SQ201 for a name without a value, SQ112 for a value of the wrong type (or at a run), SQ113 for formula algebra.

    Examples
    --------
    >>> from soilql.expr.parse import parse_expression
    >>> program = Program([parse_expression("a * T^2").root])
    >>> bound = BoundProgram(program, {"T": np.array([1.0, 3.0])}, ["a"], lambda node: None)
    >>> bound.run([2.0]), bound.run([0.5])
    ([array([ 2., 18.])], [array([0.5, 4.5])])
    """

    def __init__(self, program: Program, columns: Mapping[str, Value], variables: Sequence[str], span: _Span) -> None:
        size = len(program.nodes)
        position = {name: k for k, name in enumerate(variables)}
        varying, numbers = [False] * size, [False] * size
        values: list[Value] = [None] * size
        self._inputs: list[tuple[int, int]] = []
        self._steps: list[_Step] = []
        self._roots = program.roots
        with np.errstate(all="ignore"):
            for step, (node, below) in enumerate(zip(program.nodes, program.below, strict=True)):
                if isinstance(node, ast.Name) and node.name in position:
                    self._inputs.append((step, position[node.name]))
                    varying[step] = numbers[step] = True
                elif any(varying[i] for i in below):
                    known = [numbers[i] for i in below]
                    varying[step], numbers[step] = True, _gives_numbers(node, known)
                    done = tuple(i for i in set(below) if varying[i] and program.last_use[i] == step)
                    self._steps.append((step, _function(node, known, span), below, done))
                else:
                    lower = [values[i] for i in below]
                    found = look_up(node, columns, span) if isinstance(node, ast.Name) else compute(node, lower, span)
                    values[step], numbers[step] = found, _is_number(found)
        used = {i for step in self._steps for i in step[2]} | set(self._roots)
        self._values = [value if i in used else None for i, value in enumerate(values)]

    def run(self, values: Sequence[float]) -> list[Value]:
        """Compute all trees at values of the variables; an array may be one of the data and must not be changed."""
        slots = self._values.copy()
        for slot, k in self._inputs:
            slots[slot] = values[k]
        with np.errstate(all="ignore"):
            for slot, function, below, done in self._steps:
                slots[slot] = function(*[slots[i] for i in below])
                for i in done:
                    slots[i] = None
        return [slots[root] for root in self._roots]


def _is_number(value: Value) -> bool:
    """Return whether arithmetic can take a value as it is."""
    return isinstance(value, float) or (isinstance(value, np.ndarray) and value.dtype == np.float64)


def _gives_numbers(node: Node, known: Sequence[bool]) -> bool:
    if isinstance(node, ast.Call):
        return node.function in _GIVES_NUMBERS or (node.function == "where" and all(known[1:]))
    return isinstance(node, ast.Binary | ast.Unary)


def _function(node: Node, known: Sequence[bool], span: _Span) -> Callable[..., Value]:
    """Return what computes a node from its operands, of which it is known whether they are numbers."""
    direct: Callable[..., Value] | None = None
    match node:
        case ast.Binary(symbol, _, _):
            direct = ARITHMETIC.get(symbol)
        case ast.Unary(symbol, _):
            direct = np.negative if symbol == "-" else np.positive
        case ast.Call(name, arguments):
            direct = _EXTREME.get(name) if len(arguments) == 2 else DIRECT.get(name)
    if direct is not None and all(known):
        return direct
    return lambda *operands: compute(node, operands, span)
