"""Interval arithmetic contains what is sampled; single points agree with the arrays of the evaluator."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from soilql.expr import ast
from soilql.expr.ast import Node, number
from soilql.expr.evaluate import evaluate
from soilql.expr.parse import parse_expression
from soilql.formula.interval import EMPTY, WHOLE, Interval, bounds, point
from soilql.formula.tape import Tape, constant, value_at

ONE_ARGUMENT = [
    "exp", "log", "log10", "log2", "log1p", "expm1", "sqrt", "abs", "sin", "cos", "tan", "tanh", "floor", "ceil",
    "round", "sign", "I",
]  # fmt: skip
NAMES = ("x", "y")


def joined(children: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    pair = st.tuples(children, children)
    return st.one_of(
        st.builds(lambda o, p: ast.Binary(o, *p), st.sampled_from("+-*/^%"), pair),
        st.builds(lambda c: ast.Unary("-", c), children),
        st.builds(lambda f, c: ast.Call(f, (c,)), st.sampled_from(ONE_ARGUMENT), children),
        st.builds(lambda f, p: ast.Call(f, p), st.sampled_from(["min", "max"]), pair),
        st.builds(lambda a, b, c: ast.Call("clip", (a, b, c)), children, children, children),
        st.builds(lambda p, q: ast.Call("where", (ast.Compare((">",), p), *q)), pair, pair),
    )


LEAVES = st.one_of(
    st.sampled_from([ast.Name(name) for name in NAMES]),
    st.builds(number, st.sampled_from([-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0, 10.0])),
)
TREES = st.recursive(LEAVES, joined, max_leaves=8)
ENDS = st.floats(-20, 20).map(lambda x: round(x, 2))
INTERVALS = st.tuples(ENDS, ENDS).map(lambda ends: Interval(min(ends), max(ends)))


@settings(max_examples=400)
@given(TREES, INTERVALS, INTERVALS, st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=4, max_size=8))
def test_values_at_points_lie_inside(tree: Node, x: Interval, y: Interval, shares: list[tuple[float, float]]) -> None:
    box = {"x": x, "y": y}
    found = bounds(tree, box)[id(tree)]
    corners = [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)]
    for share in [*corners, *shares]:
        at = [i.low + s * (i.high - i.low) for s, i in zip(share, (x, y), strict=True)]
        env = {name: min(max(a, i.low), i.high) for name, a, i in zip(NAMES, at, (x, y), strict=True)}
        value = value_at(tree, env)
        # At a pole inside the expression (x / 0, log(0)) there is no value for the interval to hold.
        if all(math.isfinite(value_at(node, env)) for node in ast.walk(tree)):
            slack = 1e-9 * max(1.0, abs(value))  # functions of the C library are good to a few last digits
            assert found.low - slack <= value <= found.high + slack, (ast.to_text(tree), env, found)


@settings(max_examples=400)
@given(TREES, st.floats(-20, 20), st.floats(-20, 20))
def test_a_point_agrees_with_the_evaluator(tree: Node, x: float, y: float) -> None:
    env = {"x": x, "y": y}
    expected = float(np.asarray(evaluate(tree, {name: np.array([value]) for name, value in env.items()})).ravel()[0])
    found = value_at(tree, env)
    # Beyond a pole inside the expression both have conventions of their own: numpy says 0 % inf is 0.
    assume(not any(abs(value_at(node, env)) >= 1e100 for node in ast.walk(tree)))
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("T + 46.02", 36.02, 76.02),
        ("T^2", 0, 900),
        ("T^3", -1000, 27000),
        ("(T + 11)^-1", 1 / 41, 1),
        ("1/T", -math.inf, math.inf),
        ("1/(T + 11)", 1 / 41, 1),
        ("1/max(T, 0)", 1 / 30, math.inf),
        ("exp(T/10)", math.exp(-1), math.exp(3)),
        ("log(T)", -math.inf, math.log(30)),
        ("sqrt(T)", 0, math.sqrt(30)),
        ("abs(T)", 0, 30),
        ("max(T, 0)", 0, 30),
        ("clip(T, 0, 20)", 0, 20),
        ("2^T", 2**-10, 2**30),
        ("-T", -30, 10),
        ("where(T > 0, T, 99)", -10, 99),
        ("T > 0", 0, 1),
        ("unknown + T", -math.inf, math.inf),
        ("exp(unknown)", 0, math.inf),
    ],
)
def test_known_ranges(text: str, low: float, high: float) -> None:
    tree = parse_expression(text).root
    found = bounds(tree, {"T": Interval(-10.0, 30.0)})[id(tree)]
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-12, abs=1e-12)


def test_what_has_no_value_at_all_is_empty() -> None:
    tree = parse_expression("1 + log(T)").root
    assert bounds(tree, {"T": Interval(-10.0, -1.0)})[id(tree)].is_empty
    assert EMPTY.is_empty
    assert not WHOLE.is_empty
    assert EMPTY.join(point(2.0)) == point(2.0)


def test_constants_are_computed_without_names() -> None:
    assert constant(parse_expression("2^-1/4").root) == 0.125
    assert constant(parse_expression("pi").root) is None
    assert constant(parse_expression("1/0").root) is None


def test_a_tape_computes_what_occurs_twice_once() -> None:
    tape = Tape([parse_expression("exp(x)*y").root, parse_expression("exp(x)").root])
    assert tape.run({"x": 0.0, "y": 3.0}) == [3.0, 1.0]
    assert math.isnan(tape.run({"x": 0.0})[0])
    assert math.isnan(value_at(parse_expression("(-8)^0.5").root, {}))
    assert math.isnan(value_at(parse_expression("exp()").root, {}))
