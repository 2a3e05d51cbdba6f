"""Analytic derivatives, for the Jacobians of nonlinear models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, reduce
from typing import TYPE_CHECKING, Any

from soilql.errors import Diagnostic, SoilqlError
from soilql.expr import ast
from soilql.expr.ast import Node, number, to_text
from soilql.expr.parse import Expression
from soilql.expr.simplify import (
    ONE,
    ZERO,
    add,
    call,
    compare,
    divide,
    multiply,
    negate,
    power,
    subtract,
    value_of,
    where,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from soilql.expr.bound import BoundProgram

# Derivative of f(u) with respect to u, from the node of f(u) and u.
_SINGLE: dict[str, Callable[[Node, Node], Node]] = {
    "exp": lambda f, u: f,
    "log": lambda f, u: divide(ONE, u),
    "log10": lambda f, u: divide(ONE, multiply(u, call("log", number(10.0)))),
    "log2": lambda f, u: divide(ONE, multiply(u, call("log", number(2.0)))),
    "log1p": lambda f, u: divide(ONE, add(ONE, u)),
    "expm1": lambda f, u: call("exp", u),
    "sqrt": lambda f, u: divide(number(0.5), f),
    "abs": lambda f, u: call("sign", u),
    "sin": lambda f, u: call("cos", u),
    "cos": lambda f, u: negate(call("sin", u)),
    "tan": lambda f, u: add(ONE, power(f, number(2.0))),
    "tanh": lambda f, u: subtract(ONE, power(f, number(2.0))),
    "I": lambda f, u: ONE,
}


def differentiate(node: Node, name: str, expression: Expression | None = None) -> Node:
    """Return the derivative of an expression with respect to one of its names.

    Parameters
    ----------
    node : Node
        What to differentiate.
    name : str
        The parameter or column.
    expression : Expression, optional
        Where the node comes from, so that an error can show its place.

    Returns
    -------
    Node
        The derivative, simplified. At the kinks of `abs`, `min`, `max` and `clip` it is that of one side (0 for `abs`).

    Raises
    ------
    SoilqlError
        SQ402 where the name stands inside something without a derivative, such as `floor` or a condition.

    Examples
    --------
    >>> from soilql.expr.parse import parse_expression
    >>> differentiate(parse_expression("a * exp(b*T)").root, "b")
    <Binary a * (exp(b * T) * T)>
    """

    def combine(current: Node, below: tuple[Node | None, ...]) -> Node | None:
        if isinstance(current, ast.Name):
            return ONE if current.name == name else None
        if all(part is None for part in below):
            return None
        derived = _chain_rule(current, below)
        if derived is None:
            span = expression.span(current) if expression is not None else None
            message = f"no derivative with respect to {ast.quoted_name(name)}"
            label = f"`{current.function}` has none" if isinstance(current, ast.Call) else "a step has none"
            help = "choose between smooth pieces with `min`, `max` or `clip`, or keep parameters out of it"
            raise SoilqlError(Diagnostic("SQ402", message, span, label, help))
        return derived

    return ast.fold(node, combine) or ZERO


def _chain_rule(node: Node, below: tuple[Node | None, ...]) -> Node | None:
    """Return the derivative of a node from those of its children (None: does not depend); None if there is none."""
    parts = [ZERO if part is None else part for part in below]
    match node:
        case ast.Unary(operator):
            return negate(parts[0]) if operator == "-" else parts[0]
        case ast.Binary("+"):
            return add(*parts)
        case ast.Binary("-"):
            return subtract(*parts)
        case ast.Binary("*", left, right):
            return add(multiply(left, parts[1]), multiply(right, parts[0]))
        case ast.Binary("/", left, right):
            outer = divide(parts[0], right)
            return outer if below[1] is None else subtract(outer, divide(multiply(node, parts[1]), right))
        case ast.Binary("^", base, exponent):
            return _power_rule(node, base, exponent, below)
        case ast.Call(function, arguments):
            return _call_rule(node, function, arguments, below)
    return None


def _power_rule(node: Node, base: Node, exponent: Node, below: tuple[Node | None, ...]) -> Node:
    total = ZERO
    if below[0] is not None:
        outer = multiply(exponent, power(base, subtract(exponent, ONE)))
        total = multiply(outer, below[0])
    if below[1] is not None:
        rate = multiply(node, call("log", base))
        known = value_of(base)
        # 0^c stays 0 around any c > 0, where 0^c * log(0) would be missing: a dry month must not break a fit.
        if known is None or known <= 0:
            rate = where(compare("==", base, ZERO), ZERO, rate)
        total = add(total, multiply(rate, below[1]))
    return total


def _call_rule(node: Node, function: str, arguments: Sequence[Node], below: tuple[Node | None, ...]) -> Node | None:
    parts = [ZERO if part is None else part for part in below]
    if function in _SINGLE:
        return multiply(_SINGLE[function](node, arguments[0]), parts[0])
    if function in ("min", "max"):
        return _extreme_rule(function, arguments, parts)
    if function == "clip":
        x, low, high = arguments
        # As computed: min(max(x, low), high).
        inner = where(compare("<", x, low), parts[1], parts[0])
        return where(compare(">", call("max", x, low), high), parts[2], inner)
    if function == "where" and below[0] is None:
        return where(arguments[0], parts[1], parts[2])
    return None


def _extreme_rule(function: str, arguments: Sequence[Node], parts: Sequence[Node]) -> Node:
    better = "<" if function == "min" else ">"

    def join(so_far: tuple[Node, Node], following: tuple[Node, Node]) -> tuple[Node, Node]:
        (value, slope), (argument, part) = so_far, following
        return call(function, value, argument), where(compare(better, argument, value), part, slope)

    return reduce(join, zip(arguments, parts, strict=True))[1]


class CompiledModel:
    """A model's right side with its derivatives, each shared part computed once.

    Parameters
    ----------
    rhs : Node or Expression
        The right side.
    params : sequence of str
        Its parameters in order; every other name is data.

    Attributes
    ----------
    params : tuple of str
        Parameters in order.
    names : tuple of str
        Names of the data needed.
    gradient : tuple of Node
        Derivatives in the order of the parameters.
    """

    def __init__(self, rhs: Node | Expression, params: Sequence[str]) -> None:
        from soilql.expr.evaluate import Program
        from soilql.expr.functions import CONSTANTS

        self._expression = rhs if isinstance(rhs, Expression) else None
        self.root = rhs.root if isinstance(rhs, Expression) else rhs
        if isinstance(self.root, ast.Formula):
            self.root = self.root.predictors
        self.params = tuple(params)
        self.gradient = tuple(differentiate(self.root, name, self._expression) for name in self.params)
        known = {*self.params, *CONSTANTS}
        self.names = tuple(name for name in ast.names(self.root) if name not in known)
        self._value = Program([self.root])
        self._both = Program([self.root, *self.gradient])

    def __repr__(self) -> str:
        return f"<CompiledModel {to_text(self.root)} of {', '.join(self.params)}>"

    def value(self, theta: Sequence[float], env: Mapping[str, Any]) -> npt.NDArray[np.float64]:
        """Return the model's values.

        Parameters
        ----------
        theta : sequence of float, shape (p,)
            Values of the parameters.
        env : mapping of str to array, shape (n,)
            The data by name.

        Returns
        -------
        numpy.ndarray, shape (n,)
            float64; NaN where it has no value.
        """
        return self.bind(env).value(theta)

    def jacobian(self, theta: Sequence[float], env: Mapping[str, Any]) -> npt.NDArray[np.float64]:
        """Return the derivatives of the values, shape (n, p); the arguments are those of `value`."""
        return self.bind(env).value_and_jacobian(theta)[1]

    def value_and_jacobian(
        self, theta: Sequence[float], env: Mapping[str, Any]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return values, shape (n,), and derivatives, shape (n, p), in one pass; arguments as of `value`."""
        return self.bind(env).value_and_jacobian(theta)

    def bind(self, env: Mapping[str, Any], length: int | None = None) -> BoundModel:
        """Return the model at fixed data, for many values of its parameters.

        Parameters
        ----------
        env : mapping of str to array, shape (n,)
            The data by name; they must not change while the result is in use.
        length : int, optional
            Number of rows n; default that of the data.
        """
        from soilql.expr.evaluate import broadcast_length
        from soilql.expr.operations import from_column

        columns = {name: from_column(env[name], name) for name in self.names if name in env}
        return BoundModel(self, columns, broadcast_length(list(columns.values())) if length is None else length)

    def at(self, columns: Mapping[str, Any], *, gradient: bool) -> BoundProgram:
        """Return the flat list of calls that computes values, and derivatives where asked, at columns."""
        from soilql.expr.bound import BoundProgram

        span = self._expression.span if self._expression is not None else lambda node: None
        return BoundProgram(self._both if gradient else self._value, columns, self.params, span)


class BoundModel:
    """A model at fixed data; made by :meth:`CompiledModel.bind`.

    Parameters
    ----------
    model : CompiledModel
        The right side.
    columns : mapping of str to array
        The data.
    length : int
        Number of rows n.
    """

    def __init__(self, model: CompiledModel, columns: Mapping[str, Any], length: int) -> None:
        self._model = model
        self._columns = columns
        self._length = length

    @cached_property
    def _value(self) -> BoundProgram:
        return self._model.at(self._columns, gradient=False)

    @cached_property
    def _both(self) -> BoundProgram:
        return self._model.at(self._columns, gradient=True)

    def value(self, theta: Sequence[float]) -> npt.NDArray[np.float64]:
        """Return the values, shape (n,), for parameters of shape (p,)."""
        found: npt.NDArray[np.float64] = self._run(self._value, theta)[0]
        return found

    def value_and_jacobian(self, theta: Sequence[float]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return values, shape (n,), and derivatives, shape (n, p), in one pass."""
        found = self._run(self._both, theta)
        return found[0], found[1:].T

    def _run(self, program: BoundProgram, theta: Sequence[float]) -> npt.NDArray[np.float64]:
        import numpy as np

        from soilql.expr.operations import as_number

        if len(theta) != len(self._model.params):
            names = ", ".join(self._model.params)
            raise ValueError(f"{len(self._model.params)} parameters ({names}), {len(theta)} values")
        results = program.run([float(value) for value in theta])
        out = np.empty((len(results), self._length))
        for row, result in zip(out, results, strict=True):
            row[...] = as_number(result)
        return out


def compile_model(rhs: Node | Expression, params: Sequence[str]) -> CompiledModel:
    """Return a model ready for fitting: values and analytic derivatives.

    Parameters
    ----------
    rhs : Node or Expression
        The right side; of an expression that is a formula, its right side is taken.
    params : sequence of str
        Its parameters in the order of `theta`; every other name is data.

    Returns
    -------
    CompiledModel
        With `value(theta, env)` and `jacobian(theta, env)`.

    Raises
    ------
    SoilqlError
        SQ402 where a parameter stands inside something without a derivative.

    Examples
    --------
    >>> import numpy as np
    >>> from soilql.expr.parse import parse_formula
    >>> model = compile_model(parse_formula("Rs ~ a * exp(b*T)"), ["a", "b"])
    >>> model.jacobian([2.0, 0.0], {"T": np.array([0.0, 10.0])})
    array([[ 1.,  0.],
           [ 1., 20.]])
    """
    return CompiledModel(rhs, params)
