"""In which of its parameters a model is linear, as it stands or after taking its logarithm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from soilql.expr import ast
from soilql.expr.ast import Node, number
from soilql.expr.simplify import ONE, ZERO, add, call, divide, multiply, negate, where


@dataclass(frozen=True)
class LinearForm:
    """offset + sum over k of parameter_k * coefficients[k].

    Attributes
    ----------
    offset : Node
        The part without the parameters.
    coefficients : dict of str to Node
        What each parameter that occurs is multiplied with.
    """

    offset: Node
    coefficients: dict[str, Node]


def linear_parameters(node: Node, params: Sequence[str]) -> tuple[str, ...]:
    """Return parameters in which an expression is linear together, taken greedily in the order given.

    Parameters
    ----------
    node : Node
        The right side of a model.
    params : sequence of str
        Its parameters. Those that do not occur in the expression are left out.

    Returns
    -------
    tuple of str
        The expression is an offset plus the sum of these parameters times functions of the rest.

    Examples
    --------
    >>> from soilql.expr.parse import parse_expression
    >>> linear_parameters(parse_expression("a*exp(b*T) + c*M + a*d").root, ["a", "b", "c", "d"])
    ('a', 'c')
    """
    chosen: list[str] = []
    present = set(ast.names(node))
    for name in params:
        if name in present and linear_form(node, [*chosen, name]) is not None:
            chosen.append(name)
    return tuple(chosen)


def linear_form(node: Node, params: Sequence[str]) -> LinearForm | None:
    """Return an expression as offset plus parameters times coefficients; None if it is not linear in them.

    Examples
    --------
    >>> from soilql.expr.parse import parse_expression
    >>> linear_form(parse_expression("(a + b*T) / 2 - 1").root, ["a", "b"])
    LinearForm(offset=<Unary -1>, coefficients={'a': <Number 0.5>, 'b': <Binary T / 2>})
    """
    wanted = set(params)
    return ast.fold(node, lambda current, below: _linear(current, below, wanted))


def _linear(node: Node, below: tuple[LinearForm | None, ...], wanted: set[str]) -> LinearForm | None:
    if isinstance(node, ast.Name) and node.name in wanted:
        return LinearForm(ZERO, {node.name: ONE})
    parts = [part for part in below if part is not None]
    if len(parts) < len(below):
        return None
    if not any(part.coefficients for part in parts):
        return LinearForm(node, {})
    match node:
        case ast.Unary(operator):
            return _map(parts[0], negate) if operator == "-" else parts[0]
        case ast.Binary("+" | "-" as operator):
            right = parts[1] if operator == "+" else _map(parts[1], negate)
            return _sum(parts[0], right)
        case ast.Binary("*", left, right_node):
            if not parts[1].coefficients:
                return _map(parts[0], lambda part: multiply(part, right_node))
            return None if parts[0].coefficients else _map(parts[1], lambda part: multiply(left, part))
        case ast.Binary("/", _, divisor) if not parts[1].coefficients:
            return _map(parts[0], lambda part: divide(part, divisor))
        case ast.Call("where", (condition, _, _)) if not parts[0].coefficients:
            return _choice(condition, parts[1], parts[2])
        case ast.Call("I"):
            return parts[0]
    return None


def _map(form: LinearForm, change: Callable[[Node], Node]) -> LinearForm:
    return LinearForm(change(form.offset), {name: change(node) for name, node in form.coefficients.items()})


def _sum(left: LinearForm, right: LinearForm) -> LinearForm:
    coefficients = dict(left.coefficients)
    for name, node in right.coefficients.items():
        coefficients[name] = add(coefficients[name], node) if name in coefficients else node
    return LinearForm(add(left.offset, right.offset), coefficients)


def _choice(condition: Node, then: LinearForm, otherwise: LinearForm) -> LinearForm:
    names = dict.fromkeys([*then.coefficients, *otherwise.coefficients])
    coefficients = {
        name: where(condition, then.coefficients.get(name, ZERO), otherwise.coefficients.get(name, ZERO))
        for name in names
    }
    return LinearForm(where(condition, then.offset, otherwise.offset), coefficients)


@dataclass(frozen=True)
class Regressor:
    """How a parameter enters the logarithm of a model.

    Attributes
    ----------
    expression : Node
        What the parameter, or its logarithm, is multiplied with.
    scale : {"identity", "log"}
        "identity" when the parameter itself is the coefficient, "log" when its logarithm is.
    """

    expression: Node
    scale: Literal["identity", "log"]


@dataclass(frozen=True)
class LogLinear:
    """log f = offset + sum of (parameter or its logarithm) * regressor.

    Attributes
    ----------
    offset : Node
        The part of log f without parameters.
    regressors : dict of str to Regressor
        One for each parameter that occurs, in the order of the parameters.
    """

    offset: Node
    regressors: dict[str, Regressor]


def log_linear(node: Node, params: Sequence[str]) -> LogLinear | None:
    """Return the logarithm of a model as a linear model in its parameters or their logarithms, if it is one.

    Parameters
    ----------
    node : Node
        The right side of the model.
    params : sequence of str
        Its parameters; every other name is data.

    Returns
    -------
    LogLinear or None
        None when log f is not linear in transformed parameters. It holds where f is positive, for positive values of
        the parameters that enter as logarithms.

    Examples
    --------
    >>> from soilql.expr.parse import parse_expression
    >>> form = log_linear(parse_expression("a * Q^((T - 10) / 10)").root, ["a", "Q"])
    >>> {name: (r.scale, r.expression) for name, r in form.regressors.items()}
    {'a': ('log', <Number 1>), 'Q': ('log', <Binary (T - 10) / 10>)}
    """
    wanted = set(params)
    found = ast.fold(node, lambda current, below: _both(current, below, wanted)).log
    if found is None:
        return None
    regressors: dict[str, Regressor] = {}
    for name in params:
        own, log = found.coefficients.get(name), found.coefficients.get(_LOG + name)
        if own is not None and log is not None:
            return None
        if own is not None:
            regressors[name] = Regressor(own, "identity")
        elif log is not None:
            regressors[name] = Regressor(log, "log")
    return LogLinear(found.offset, regressors)


# In the linear form of log f, the coefficient of log(p) is kept under this mark and p; no name begins with it.
_LOG = "\0log "


@dataclass(frozen=True)
class _Both:
    """A node, its linear form and that of its logarithm; `free` when it has no parameter."""

    node: Node
    free: bool
    linear: LinearForm | None
    log: LinearForm | None


def _both(node: Node, below: tuple[_Both, ...], wanted: set[str]) -> _Both:
    if isinstance(node, ast.Name) and node.name in wanted:
        return _Both(node, False, LinearForm(ZERO, {node.name: ONE}), LinearForm(ZERO, {_LOG + node.name: ONE}))
    if all(part.free for part in below):
        return _Both(node, True, LinearForm(node, {}), LinearForm(call("log", node), {}))
    linear = _linear(node, tuple(part.linear for part in below), wanted)
    return _Both(node, False, linear, _log(node, below))


def _log(node: Node, below: tuple[_Both, ...]) -> LinearForm | None:
    """Return the linear form of log(node), for a node with parameters."""
    logs = [part.log for part in below]
    match node:
        case ast.Unary("+") | ast.Call("I"):
            return logs[0]
        case ast.Binary("*" | "/" as operator):
            if logs[0] is None or logs[1] is None:
                return None
            return _sum(logs[0], logs[1] if operator == "*" else _map(logs[1], negate))
        case ast.Binary("^", base, exponent):
            if below[1].free:
                return logs[0] and _map(logs[0], lambda part: multiply(exponent, part))
            if below[0].free and below[1].linear is not None:
                return _map(below[1].linear, lambda part: multiply(part, call("log", base)))
        case ast.Call("exp"):
            return below[0].linear
        case ast.Call("sqrt"):
            return logs[0] and _map(logs[0], lambda part: multiply(number(0.5), part))
    return None
