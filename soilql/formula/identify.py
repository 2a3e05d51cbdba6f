"""Which parameters of a formula can be told apart, whatever the data.

The derivatives of a model by its parameters, taken at points spread over the drivers, are the columns of the Jacobian.
Where a column is a combination of others at every such set of points and for parameters drawn at random, no data can
tell the parameters apart: another choice of them gives the same curve (Catchpole & Morgan 1997, Biometrika 84,
187-196, doi:10.1093/biomet/84.1.187; the rank at random points is the generic one). The vector that the Jacobian
takes to zero says how they can change together, and so what of them is determined.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from soilql.errors import SoilqlError
from soilql.expr import ast
from soilql.expr.ast import Node
from soilql.formula.drivers import Driver
from soilql.formula.interval import Interval
from soilql.formula.rank import null_space, spans
from soilql.formula.tape import Tape

if TYPE_CHECKING:
    import numpy.typing as npt

_DRAWS = 40
_KEPT = 4
_STEADY = 1e-6
_MOST_INVOLVED = 6
#: Parameters that are told apart at the most; the work grows with the cube of their number.
_MOST_PARAMETERS = 60
_SEED = 20


@dataclass(frozen=True)
class Prior:
    """What is known of a parameter beforehand, so that draws of it are plausible."""

    start: float | None = None
    bounds: Interval | None = None


@dataclass(frozen=True)
class Confounded:
    """Parameters that cannot be told apart.

    Attributes
    ----------
    parameters : tuple of str
        All of them, in the order of the model.
    determined : tuple of str
        Combinations that the data do determine, such as ``a + b`` or ``k * exp(a)``; empty where there are none, or
        none of a simple form.
    surplus : int
        How many of the parameters are too many.
    """

    parameters: tuple[str, ...]
    determined: tuple[str, ...]
    surplus: int = 1


@dataclass(frozen=True)
class Identifiability:
    """What a formula's parameters can tell.

    Attributes
    ----------
    rank : int
        Number of parameters, or combinations of them, that data can determine.
    confounded : tuple of Confounded
        Groups that cannot be told apart.
    idle : tuple of str
        Parameters that change nothing.
    """

    rank: int
    confounded: tuple[Confounded, ...] = ()
    idle: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Draw:
    """One set of parameters, and the Jacobian at the points where the model has a value."""

    theta: tuple[float, ...]
    jacobian: list[list[float]]
    values: list[float]
    null: list[list[float]] = field(default_factory=list)


def identify(model: Node, params: Mapping[str, Prior], drivers: Mapping[str, Driver]) -> Identifiability | None:
    """Say which parameters of a model can be told apart by data on its drivers.

    Parameters
    ----------
    model : Node
        Right side of the formula, with the values of constants put in.
    params : mapping of str to Prior
        Parameters in order.
    drivers : mapping of str to Driver
        Every other name.

    Returns
    -------
    Identifiability or None
        None where a derivative does not exist, the model has no value at any of the points drawn, or has more than 60
        parameters.

    Examples
    --------
    >>> from soilql.expr.parse import parse_expression
    >>> tree = parse_expression("k * exp(a + b*T)").root
    >>> found = identify(tree, dict.fromkeys("kab", Prior()), {"T": Driver("degC")})
    >>> found.rank, found.confounded
    (2, (Confounded(parameters=('k', 'a'), determined=('k * exp(a)',), surplus=1),))
    """
    draws = _draws(model, params, drivers)
    if not draws:
        return None
    names = tuple(params)
    best = max(len(names) - len(draw.null) for draw in draws)
    kept = [draw for draw in draws if len(names) - len(draw.null) == best][:_KEPT]
    idle = tuple(name for j, name in enumerate(names) if all(not any(r[j] for r in d.jacobian) for d in kept))
    groups = _groups(names, kept, idle)
    return Identifiability(best, tuple(_confounded(names, group, kept) for group in groups), idle)


def covers(model: Node, params: Mapping[str, Prior], drivers: Mapping[str, Driver], target: Node) -> bool | None:
    """Return whether a small change of the model along `target` is one that its parameters can make.

    Parameters
    ----------
    model, params, drivers
        As of `identify`.
    target : Node
        Direction, a function of drivers and parameters: the model itself for a change of the response's unit, a number
        for a change of the unit under a logarithm.

    Returns
    -------
    bool or None
        None where it cannot be told.

    Examples
    --------
    >>> from soilql.expr.parse import parse_expression
    >>> curve = parse_expression("exp(b*T)").root
    >>> covers(curve, {"b": Prior()}, {"T": Driver("degC")}, curve)
    False
    """
    draws = _draws(model, params, drivers, target)
    return any(spans(draw.jacobian, draw.values) for draw in draws) if draws else None


def _draws(
    model: Node, params: Mapping[str, Prior], drivers: Mapping[str, Driver], target: Node | None = None
) -> list[_Draw]:
    """Return Jacobians for random parameters; for a target all that could be made, else up to one of full rank."""
    from soilql.expr.derivative import differentiate

    if len(params) > _MOST_PARAMETERS:
        return []
    try:
        tape = Tape([target or model, *(differentiate(model, name) for name in params)])
    except SoilqlError:
        return []
    chance = random.Random(_SEED)
    ranges = {name: known.realistic() for name, known in drivers.items()}
    found: list[_Draw] = []
    for k in range(_DRAWS):
        theta = {name: _value(prior, chance, k) for name, prior in params.items()}
        rows = []
        for _ in range(3 * len(params) + 12):
            row = tape.run(theta | {n: _sample(known, ranges[n], chance) for n, known in drivers.items()})
            if all(math.isfinite(value) and abs(value) < 1e150 for value in row):
                rows.append(row)
        if len(rows) <= len(params):
            continue
        jacobian = [row[1:] for row in rows]
        draw = _Draw(tuple(theta.values()), jacobian, [row[0] for row in rows], null_space(jacobian))
        found.append(draw)
        if (not draw.null and target is None) or (target is not None and len(found) == _KEPT):
            break
    return found


def _value(prior: Prior, chance: random.Random, k: int) -> float:
    """Return a plausible value of a parameter; without prior knowledge of any magnitude that drivers may call for."""
    bounds = prior.bounds
    if bounds is not None and bounds.is_finite:
        return chance.uniform(bounds.low, bounds.high)
    if prior.start:
        value = prior.start * chance.uniform(0.7, 1.3)
        return value if bounds is None or value in bounds else prior.start
    size: float = 10.0 ** chance.uniform(*((-3.0, 0.0), (-1.0, 1.0), (-4.0, -2.0), (-2.0, 2.0))[k % 4])
    if bounds is None:
        return size
    return bounds.low + size if math.isfinite(bounds.low) else bounds.high - size


def _sample(known: Driver, ends: tuple[float, float], chance: random.Random) -> float:
    return chance.choice(known.choices) if known.choices else chance.uniform(*ends)


def _groups(names: Sequence[str], kept: Sequence[_Draw], idle: Sequence[str]) -> list[tuple[int, ...]]:
    """Return the parameters that null vectors tie to one another, idle ones left out."""
    groups: list[set[int]] = []
    for draw in kept:
        for vector in draw.null:
            tied = {j for j, weight in enumerate(vector) if weight and names[j] not in idle}
            touching = [group for group in groups if group & tied]
            merged = tied.union(*touching)
            groups = [group for group in groups if group not in touching] + ([merged] if merged else [])
    return sorted(tuple(sorted(group)) for group in groups)


def _confounded(names: Sequence[str], group: Sequence[int], kept: Sequence[_Draw]) -> Confounded:
    involved = tuple(names[j] for j in group)
    surplus = sum(any(vector[j] for j in group) for vector in kept[0].null)
    for logs in itertools.product((False, True), repeat=len(group)) if len(group) <= _MOST_INVOLVED else ():
        weights = _invariants(group, logs, kept)
        if weights is not None:
            return Confounded(involved, tuple(_combination(involved, logs, row) for row in weights), surplus)
    return Confounded(involved, (), surplus)


def _invariants(group: Sequence[int], logs: Sequence[bool], kept: Sequence[_Draw]) -> list[list[float]] | None:
    """Return the combinations of the parameters, or of their logarithms, that stay the same; None if they bend."""
    found: list[list[float]] = []
    for draw in kept:
        if any(log and draw.theta[j] == 0 for j, log in zip(group, logs, strict=True)):
            return None
        scale = [draw.theta[j] if log else 1.0 for j, log in zip(group, logs, strict=True)]
        ways = [[vector[j] / s for j, s in zip(group, scale, strict=True)] for vector in draw.null]
        found += [way for way in ways if any(way)]
    free = null_space(found, _STEADY)
    surplus = sum(any(vector[j] for j in group) for vector in kept[0].null)
    return _echelon(free) if free and len(free) == len(group) - surplus else None


def _echelon(rows: list[list[float]]) -> list[list[float]]:
    """Return the same combinations with the first parameter of each standing in it alone and with weight 1."""
    rows = [list(row) for row in rows]
    done = 0
    for column in range(len(rows[0])):
        pivot = max(range(done, len(rows)), key=lambda i: abs(rows[i][column]), default=None)
        if pivot is None or abs(rows[pivot][column]) < _STEADY * max(map(abs, rows[pivot])):
            continue
        rows[done], rows[pivot] = rows[pivot], rows[done]
        rows[done] = [value / rows[done][column] for value in rows[done]]
        for i in range(len(rows)):
            if i != done:
                rows[i] = [v - rows[i][column] * w for v, w in zip(rows[i], rows[done], strict=True)]
        done += 1
    return [[0.0 if abs(value) < _STEADY * max(map(abs, row)) else value for value in row] for row in rows[:done]]


def _combination(names: Sequence[str], logs: Sequence[bool], weights: Sequence[float]) -> str:
    """Return a combination as an expression: weights are coefficients, or exponents of parameters taken as logarithms.

    Examples
    --------
    >>> _combination(["k", "a", "b"], [True, False, False], [1.0, 1.0, -2.0])
    'k * exp(a - 2*b)'
    """
    linear = [(name, w) for name, log, w in zip(names, logs, weights, strict=True) if w and not log]
    powers = [(name, w) for name, log, w in zip(names, logs, weights, strict=True) if w and log]
    total = ""
    for name, weight in linear:
        size = "" if _nice(abs(weight)) == "1" else f"{_nice(abs(weight))}*"
        sign = (" - " if weight < 0 else " + ") if total else ("-" if weight < 0 else "")
        total += f"{sign}{size}{ast.name_text(name)}"
    if not powers:
        return total
    above = [_to_power(name, weight) for name, weight in powers if weight > 0]
    below = [_to_power(name, -weight) for name, weight in powers if weight < 0]
    above += [f"exp({total})"] if total else []
    return " / ".join([" * ".join(above) or "1", *below])


def _to_power(name: str, weight: float) -> str:
    exponent = _nice(weight)
    text = ast.name_text(name)
    return text if exponent == "1" else f"{text}^{exponent}" if exponent.isdigit() else f"{text}^({exponent})"


def _nice(value: float) -> str:
    exact = Fraction(value).limit_denominator(12)
    return str(exact) if abs(float(exact) - value) < _STEADY * max(1.0, abs(value)) else f"{value:.4g}"


@dataclass(frozen=True)
class Conditioning:
    """How well data tell parameters apart.

    Attributes
    ----------
    number : float
        Largest condition index: 1 is best, above 30 the estimates depend strongly on one another.
    indices : tuple of float, length p
        Condition indices, rising.
    shares : tuple of dict of str to float
        For each index, the share of each parameter's variance that belongs to it.
    tied : tuple of str
        Parameters with more than half of their variance at the largest index, where that is above 30 and there are two
        or more.
    """

    number: float
    indices: tuple[float, ...]
    shares: tuple[dict[str, float], ...]
    tied: tuple[str, ...]


_STRONG_INDEX, _LARGE_SHARE = 30.0, 0.5


def conditioning(
    model: Node, theta: Mapping[str, float], columns: Mapping[str, npt.NDArray[Any] | float]
) -> Conditioning:
    """Say how well data on the drivers tell the parameters of a model apart.

    Condition indices and variance-decomposition proportions of the Jacobian with columns of unit length (Belsley, Kuh
    & Welsch 1980, Regression Diagnostics, ch. 3, doi:10.1002/0471725153).

    Parameters
    ----------
    model : Node
        Right side of the formula.
    theta : mapping of str to float
        Parameters, where the model is linearised.
    columns : mapping of str to array, shape (n,)
        Complete rows of the drivers, and constants.

    Returns
    -------
    Conditioning

    Raises
    ------
    SoilqlError
        A derivative does not exist (SQ402).
    ValueError
        The derivatives are missing or infinite in some row, or there are fewer rows than parameters.

    Examples
    --------
    >>> import numpy as np
    >>> from soilql.expr.parse import parse_expression
    >>> found = conditioning(parse_expression("a + b*x").root, {"a": 1.0, "b": 1.0}, {"x": np.array([99.0, 101.0])})
    >>> round(found.number), found.tied
    (200, ('a', 'b'))
    """
    import numpy as np

    from soilql.expr.derivative import compile_model

    names = list(theta)
    jacobian = compile_model(model, names).jacobian(list(theta.values()), columns)
    if not np.isfinite(jacobian).all() or len(jacobian) < len(names):
        raise ValueError("the derivatives must be finite, in at least as many rows as there are parameters")
    lengths = np.sqrt((jacobian**2).sum(axis=0))
    _, singular, right = np.linalg.svd(jacobian / np.where(lengths > 0, lengths, 1.0), full_matrices=False)
    with np.errstate(divide="ignore", invalid="ignore"):
        indices = singular[0] / singular
        parts = (right / singular[:, None]) ** 2
        shares = np.nan_to_num(parts / parts.sum(axis=0), nan=1.0)
    worst = [name for name, share in zip(names, shares[-1], strict=True) if share > _LARGE_SHARE]
    tied = tuple(worst) if indices[-1] > _STRONG_INDEX and len(worst) > 1 else ()
    by_index = tuple({name: float(share) for name, share in zip(names, row, strict=True)} for row in shares)
    return Conditioning(float(indices[-1]), tuple(map(float, indices)), by_index, tied)
