"""Expressions computed on arrays: numpy now, dask lazily, with one meaning for both.

What holds everywhere:

- Numbers are computed in float64: integers, float32 grids and booleans (as 0 and 1) are promoted where they enter.
- A missing number is NaN and passes through arithmetic. What has no value (log(-1), 0/0) is NaN, without a warning;
  1/0 and log(0) are infinite.
- Every comparison with a missing value is false, `!=` and `not in` as well; so is a missing condition.
  `not` turns that false into true; `missing(x)` asks for the value itself.
- `x % y` has the sign of `y`, as R's `%%`. `round` goes to the even one on halves, as R's.
- An array is elementwise; arrays broadcast as numpy's do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, reduce
from typing import Any, TypeAlias

import numpy as np

from soilql.errors import Diagnostic, SoilqlError, Span, did_you_mean
from soilql.expr import ast
from soilql.expr.ast import Node
from soilql.expr.functions import CONSTANTS
from soilql.expr.operations import OPERATIONS, WrongTypeError, from_column
from soilql.expr.parse import Expression, parse_expression

# A numpy array of float64, bool or (text) object; a number, a text or a boolean; or a dask array of any of them.
Value: TypeAlias = Any


class Program:
    """Trees flattened to a list of steps, in which an expression that occurs twice is computed once.

    Parameters
    ----------
    roots : sequence of Node
        Trees to compute together.

    Attributes
    ----------
    names : tuple of str
        Names the trees use, constants left out, in order of first appearance.
    nodes : list of Node
        What each step computes.
    below : list of tuple of int
        The steps whose results it takes.
    roots : list of int
        The steps that compute the trees.
    last_use : list of int
        The last step that needs the result of each; the number of steps for a root.
    """

    def __init__(self, roots: Sequence[Node]) -> None:
        self.nodes: list[Node] = []
        self.below: list[tuple[int, ...]] = []
        self._numbered: dict[Any, int] = {}
        self.roots = [ast.fold(root, self._add) for root in roots]
        self.names = tuple(dict.fromkeys(n for root in roots for n in ast.names(root)))
        self.last_use = list(range(len(self.nodes)))
        for step, below in enumerate(self.below):
            for used in below:
                self.last_use[used] = step
        for root in self.roots:
            self.last_use[root] = len(self.nodes)

    def _add(self, node: Node, below: tuple[int, ...]) -> int:
        key = (type(node), node.own, below)
        if key not in self._numbered:
            self._numbered[key] = len(self.nodes)
            self.nodes.append(node)
            self.below.append(below)
        return self._numbered[key]

    def run(self, columns: Mapping[str, Value], span: Callable[[Node], Span | None]) -> list[Value]:
        """Compute all roots.

        Parameters
        ----------
        columns : mapping of str to array
            Values as `from_column` returns them; without a constant's name, the constant is meant.
        span : callable
            Gives the place of a node, for errors.

        Returns
        -------
        list of array
            One value for each root.

        Raises
        ------
        SoilqlError
            SQ201 for a name without a value, SQ112 for a value of the wrong type, SQ113 for formula algebra.
        """
        values: dict[int, Value] = {}
        with np.errstate(all="ignore"):
            for step, node in enumerate(self.nodes):
                below = self.below[step]
                if isinstance(node, ast.Name):
                    values[step] = look_up(node, columns, span)
                else:
                    values[step] = compute(node, [values[i] for i in below], span)
                for used in set(below):
                    if self.last_use[used] == step:
                        del values[used]
        return [values[root] for root in self.roots]


def look_up(node: ast.Name, columns: Mapping[str, Value], span: Callable[[Node], Span | None]) -> Value:
    """Return the value of a name (SQ201 where it has none); the arguments are those of `Program.run`."""
    if node.name in columns:
        return columns[node.name]
    if node.name in CONSTANTS:
        return CONSTANTS[node.name]
    help = did_you_mean(node.name, columns)
    raise SoilqlError(Diagnostic("SQ201", f"unknown name {ast.quoted_name(node.name)}", span(node), help=help))


def compute(node: Node, below: Sequence[Value], span: Callable[[Node], Span | None]) -> Value:
    """Return what one node makes of the values below it (SQ112, SQ113 where it cannot)."""
    if isinstance(node, ast.Number | ast.Text | ast.Boolean):
        return node.value
    key = node.function if isinstance(node, ast.Call) else type(node)
    operation = OPERATIONS.get(key)
    if operation is None:
        code, message = "SQ113", "the algebra of a linear formula has no value"
        if isinstance(node, ast.Call):
            code, message = "SQ202", f"unknown function `{node.function}`"
        raise SoilqlError(Diagnostic(code, message, span(node)))
    try:
        return operation(node, *below)
    except WrongTypeError as error:
        raise SoilqlError(Diagnostic("SQ112", str(error), span(node))) from None


def evaluate(expression: Expression | Node, env: Mapping[str, Any]) -> Value:
    """Compute an expression.

    Parameters
    ----------
    expression : Expression or Node
        What to compute; no formula.
    env : mapping of str to array
        Values by name: numpy arrays, dask arrays, pandas columns (numbers, booleans, texts, categories), or scalars,
        of shapes that broadcast. Texts are object arrays with None or NaN where missing.

    Returns
    -------
    numpy.ndarray, dask.array.Array or scalar
        float64, bool or object (text), of the broadcast shape of the values used; a scalar if all of them are.
        Lazy as soon as one value used is a dask array; the whole expression is then one task a block.

    Raises
    ------
    SoilqlError
        SQ201 for a name without a value, SQ112 for a value of the wrong type. With dask, a wrong type may come
        out at compute time only.

    Examples
    --------
    >>> env = {"T": np.array([10.0, 20.0, np.nan]), "kind": np.array(["a", None, "b"], dtype=object)}
    >>> evaluate(parse_expression("2 * T^2"), env)
    array([200., 800.,  nan])
    >>> evaluate(parse_expression("kind != 'a' or T > 15"), env)
    array([False,  True,  True])
    """
    root = expression.root if isinstance(expression, Expression) else expression
    program = Program([root])
    columns = {name: from_column(env[name], name) for name in program.names if name in env}
    lazy = [name for name in columns if _is_dask(columns[name])]
    if not lazy:
        span = expression.span if isinstance(expression, Expression) else _nowhere
        return program.run(columns, span)[0]
    for name in program.names:
        if name not in columns:
            look_up(ast.Name(name), columns, _nowhere)
    return _evaluate_lazily(root, columns)


def _nowhere(node: Node) -> None:
    return None


def _is_dask(value: object) -> bool:
    return hasattr(value, "__dask_graph__")


def _evaluate_lazily(root: Node, columns: Mapping[str, Value]) -> Value:
    from dask.array.core import elemwise

    kernel = _Kernel(ast.to_text(root), tuple(columns))
    arrays = list(columns.values())
    empty = [np.empty((0,) * v.ndim, v.dtype) if hasattr(v, "dtype") else v for v in arrays]
    lazily: Callable[..., Value] = elemwise
    return lazily(kernel, *arrays, dtype=np.asarray(kernel(*empty)).dtype)


class _Kernel:
    """One block of a lazy expression; it travels to a worker as text, which is small and never too deep."""

    def __init__(self, text: str, names: tuple[str, ...]) -> None:
        self.text = text
        self.names = names
        self.__name__ = "expression"

    def __call__(self, *blocks: Value) -> Value:
        columns = {name: from_column(block, name) for name, block in zip(self.names, blocks, strict=True)}
        expression, program = _compiled(self.text)
        return program.run(columns, expression.span)[0]

    def __dask_tokenize__(self) -> tuple[str, str, tuple[str, ...]]:
        return ("soilql.expr.evaluate", self.text, self.names)


@lru_cache(maxsize=256)
def _compiled(text: str) -> tuple[Expression, Program]:
    expression = parse_expression(text)
    return expression, Program([expression.root])


def broadcast_length(values: Sequence[Value]) -> int:
    """Return the common length of arrays of one dimension and scalars; 1 for scalars alone.

    Examples
    --------
    >>> broadcast_length([1.0, np.zeros(5)])
    5
    """
    shape = reduce(np.broadcast_shapes, (np.shape(value) for value in values), ())
    return shape[0] if shape else 1
