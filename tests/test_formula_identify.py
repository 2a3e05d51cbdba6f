"""Rank of the Jacobian: published forms, known confounding, and agreement with singular values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from soilql.expr.derivative import compile_model
from soilql.expr.parse import parse_expression
from soilql.formula.drivers import Driver
from soilql.formula.identify import Confounded, Identifiability, Prior, conditioning, covers, identify
from soilql.formula.interval import Interval, point
from soilql.formula.rank import null_space, rank, spans

DRIVERS = {"T": Driver("degC"), "P": Driver("mm yr-1"), "M": Driver("%"), "x": Driver()}


def identified(text: str, params: str, **priors: Prior) -> Identifiability:
    tree = parse_expression(text).root
    names = {name: priors.get(name, Prior()) for name in params.split()}
    found = identify(tree, names, {name: known for name, known in DRIVERS.items() if name in text})
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "params"),
    [
        ("a*exp(b*T)", "a b"),
        ("a*exp(b*T + c*T^2)", "a b c"),
        ("a*exp(b*T + c*T^2)*exp(d*M + e*M^2)", "a b c d e"),
        ("f*exp(q*T)*P/(k + P)", "f q k"),
        ("r*q^((T - 10)/10)", "r q"),
        ("r*exp(e*(1/(283.15 - t) - 1/(T + 273.15 - t)))", "r e t"),
        ("a*exp(-e/(8.314*(T + 273.15)))", "a e"),
        ("a*exp(-((T - best)/width)^2)", "a best width"),
        ("a/(1 + exp(-b*(T - c)))", "a b c"),
        ("a*P^b*exp(c*T)", "a b c"),
        ("a*P/(P + k)*M/(M + j)", "a k j"),
        ("a + b*T + c*P + d*T*P", "a b c d"),
        ("min(a + b*T, c)", "a b c"),
        ("a*(1 - exp(-k*x))*exp(b*T)", "a k b"),
    ],
)
def test_published_forms_are_identified(text: str, params: str) -> None:
    found = identified(text, params)
    assert found == Identifiability(len(params.split()))


@pytest.mark.parametrize(
    ("text", "params", "groups"),
    [
        ("k*exp(a + b*T)", "k a b", {("k", "a"): ("k * exp(a)",)}),
        ("k*exp(a*T + b*T)", "k a b", {("a", "b"): ("a + b",)}),
        ("k*exp((a - b)*T)", "k a b", {("a", "b"): ("a - b",)}),
        ("k*exp(2*a*T + 6*b*T)", "k a b", {("a", "b"): ("a + 3*b",)}),
        ("a*b*exp(c*T)", "a b c", {("a", "b"): ("a * b",)}),
        ("a/b*exp(c*T)", "a b c", {("a", "b"): ("a / b",)}),
        ("a^2*b*exp(c*T)", "a b c", {("a", "b"): ("a * b^(1/2)",)}),
        ("a*b*c*exp(d*T)", "a b c d", {("a", "b", "c"): ("a * b * c",)}),
        ("a*k*P/(b*P + k)", "a b k", {("b", "k"): ("b / k",)}),  # a*P / (b/k*P + 1)
        ("a*b + c*d*T", "a b c d", {("a", "b"): ("a * b",), ("c", "d"): ("c * d",)}),
        ("(a + b)*T + (b + c)", "a b c", {("a", "b", "c"): ("a - c", "b + c")}),
        ("k*exp(-e/(g*(T + 273.15)))", "k e g", {("e", "g"): ("e / g",)}),
        ("r*q^((T - t)/10)", "r q t", {("r", "t"): ()}),  # r / q^(t/10), which depends on q
        ("a*exp(b)", "a b", {("a", "b"): ("a * exp(b)",)}),  # no driver at all
    ],
)
def test_what_cannot_be_told_apart_is_named_with_what_is_determined(
    text: str, params: str, groups: dict[tuple[str, ...], tuple[str, ...]]
) -> None:
    found = identified(text, params)
    assert {group.parameters: group.determined for group in found.confounded} == groups
    assert found.rank == len(params.split()) - sum(group.surplus for group in found.confounded)
    assert found.idle == ()


def test_parameters_that_change_nothing() -> None:
    found = identified("a*exp(b*T) + c*(P - P) + 0*d", "a b c d")
    assert found == Identifiability(2, (), ("c", "d"))


def test_few_distinct_values_of_a_driver() -> None:
    tree = parse_expression("a*exp(b*x + c*x^2)").root
    params = dict.fromkeys("abc", Prior())
    at_five = {"x": Driver(None, point(5.0), point(5.0), (5.0,))}
    found = identify(tree, params, at_five)
    assert found is not None
    assert found.rank == 1
    two = identify(tree, params, {"x": Driver(choices=(5.0, 10.0), within=Interval(5.0, 10.0))})
    # log a + 5b + 25c and log a + 10b + 100c are determined, so b + 15c and log a - 50c are.
    assert two is not None
    assert two.confounded == (Confounded(("a", "b", "c"), ("a * exp(-50*c)", "b + 15*c"), 1),)
    three = identify(tree, params, {"x": Driver(choices=(5.0, 10.0, 15.0))})
    assert three == Identifiability(3)


def test_starts_and_bounds_are_used() -> None:
    steep = identified("a*exp(b*P)", "a b", b=Prior(bounds=Interval(0.0, 0.003)), a=Prior(start=400.0))
    assert steep.rank == 2
    kept_off = Prior(start=-40.0, bounds=Interval(-80.0, -30.0))
    assert identified("a*(T - t)^b", "a t b", t=kept_off).rank == 3


def test_nothing_is_said_without_values_or_derivatives() -> None:
    params = {"a": Prior()}
    assert identify(parse_expression("floor(a)*x").root, params, {"x": Driver()}) is None
    assert identify(parse_expression("a*log(x)").root, params, {"x": Driver(within=Interval(-5.0, -1.0))}) is None


@pytest.mark.parametrize(
    ("text", "params", "expected"),
    [
        ("exp(b*T + c*T^2)", "b c", False),
        ("a*exp(b*T)", "a b", True),
        ("exp(a + b*T)", "a b", True),
        ("a*P/(P + k)", "a k", True),
        ("a + b*T", "a b", True),
        ("T + b", "b", False),
    ],
)
def test_whether_the_parameters_set_the_size(text: str, params: str, expected: bool) -> None:
    tree = parse_expression(text).root
    drivers = {name: known for name, known in DRIVERS.items() if name in text}
    assert covers(tree, dict.fromkeys(params.split(), Prior()), drivers, tree) is expected


TERMS = ["a", "b*T", "c*T^2", "a*b", "(a + c)*P", "b*c*x", "a*exp(b*T/10)", "c*P/(P + 500)", "d*log(P)", "d*a*x", "c*d"]


@settings(max_examples=60)
@given(st.lists(st.sampled_from(TERMS), min_size=1, max_size=5, unique=True))
def test_rank_agrees_with_singular_values(terms: list[str]) -> None:
    """An independent route: the array Jacobian at other points, and numpy's singular values."""
    text = " + ".join(terms)
    tree = parse_expression(text).root
    params = [name for name in "abcd" if any(name in compile_model(parse_expression(t), []).names for t in terms)]
    rng = np.random.default_rng(0)
    model = compile_model(tree, params)
    columns = {"T": rng.uniform(-10, 30, 200), "P": rng.uniform(100, 3000, 200), "x": rng.uniform(0.1, 10, 200)}
    jacobian = model.jacobian(rng.uniform(0.3, 2.0, len(params)).tolist(), columns)
    singular = np.linalg.svd(jacobian / np.linalg.norm(jacobian, axis=0), compute_uv=False)
    assume(not np.any((singular > 1e-12) & (singular < 1e-7)))
    found = identify(tree, dict.fromkeys(params, Prior()), {n: k for n, k in DRIVERS.items() if n in model.names})
    assert found is not None
    assert found.rank == int((singular > 1e-9).sum())


@settings(max_examples=100)
@given(
    st.integers(1, 4).flatmap(
        lambda r: st.tuples(
            arrays(np.float64, (8, r), elements=st.integers(-5, 5)),
            arrays(np.float64, (r, 5), elements=st.integers(-5, 5)),
        )
    )
)
def test_rank_and_null_space_of_matrices(factors: tuple[np.ndarray, np.ndarray]) -> None:
    matrix = factors[0] @ factors[1]
    rows = matrix.tolist()
    expected = int(np.linalg.matrix_rank(matrix))
    assert rank(rows) == expected
    vectors = null_space(rows)
    assert len(vectors) == matrix.shape[1] - expected
    for vector in vectors:
        assert np.abs(matrix @ vector).max() < 1e-6
    assert len(vectors) == (int(np.linalg.matrix_rank(np.array(vectors))) if vectors else 0)
    assert spans(rows, (matrix @ np.arange(5.0)).tolist())


def test_condition_number_in_closed_form() -> None:
    """Two columns of unit length at an angle with cosine c: singular values sqrt(1 + c) and sqrt(1 - c)."""
    x = np.linspace(100.0, 120.0, 21)
    cosine = x.sum() / math.sqrt(21 * (x**2).sum())
    found = conditioning(parse_expression("a + b*x").root, {"a": 1.0, "b": 2.0}, {"x": x})
    assert found.number == pytest.approx(math.sqrt((1 + cosine) / (1 - cosine)))
    assert found.tied == ("a", "b")
    assert found.shares[-1]["a"] == pytest.approx((1 + cosine) / 2)
    centred = conditioning(parse_expression("a + b*x").root, {"a": 1.0, "b": 2.0}, {"x": x - x.mean()})
    assert centred.number == pytest.approx(1.0)
    assert centred.tied == ()


def test_conditioning_ignores_the_units_of_parameters() -> None:
    T = np.array([-8.0, -3, 0, 2, 5, 7, 9, 11, 13, 15])
    tree = parse_expression("a*exp(b*T)").root
    first = conditioning(tree, {"a": 400.0, "b": 0.05}, {"T": T})
    second = conditioning(tree, {"a": 0.4, "b": 0.05}, {"T": T})
    assert first.number == pytest.approx(second.number)
    with pytest.raises(ValueError, match="finite"):
        conditioning(tree, {"a": 1.0, "b": 1.0}, {"T": np.array([1.0, np.nan])})
