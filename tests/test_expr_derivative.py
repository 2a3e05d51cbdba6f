"""Derivatives against central differences and closed forms; compiled models; linear and log-linear forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from soilql.errors import SoilqlError
from soilql.expr import ast
from soilql.expr.derivative import compile_model, differentiate
from soilql.expr.evaluate import evaluate
from soilql.expr.linearity import linear_form, linear_parameters, log_linear
from soilql.expr.parse import parse_expression, parse_formula
from soilql.expr.simplify import rebuild


def derivative(text: str, name: str) -> str:
    return ast.to_text(differentiate(parse_expression(text).root, name))


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("a", "a", "1"),
        ("b", "a", "0"),
        ("3*a + b", "a", "3"),
        ("a*T + b*T^2", "b", "T^2"),
        ("T^2", "T", "2 * T"),
        ("a - b", "b", "-1"),
        ("-(a*T)", "a", "-T"),
        ("a/T", "a", "1 / T"),
        ("exp(a)", "a", "exp(a)"),
        ("log(a)", "a", "1 / a"),
        ("2^a", "a", "2^a * log(2)"),
        ("floor(T) * a", "a", "floor(T)"),
        ("where(T > 0, a, 2*a)", "a", "where(T > 0, 1, 2)"),
        ("min(a, T)", "a", "where(T < a, 0, 1)"),
        ("rh_from_rs(Rs, 'subke-2006') * a", "a", 'rh_from_rs(Rs, "subke-2006")'),
    ],
)
def test_simplified_derivatives(text: str, name: str, expected: str) -> None:
    assert derivative(text, name) == expected


@pytest.mark.parametrize(
    "text",
    [
        "exp(a*x)", "log(a + x)", "log10(a*x)", "log2(a + x)", "log1p(a*x)", "expm1(a*x)", "sqrt(a + x)", "abs(a - 9)",
        "sin(a*x)", "cos(a*x)", "tan(a*x/9)", "tanh(a*x)", "x^a", "a^x", "a^a", "(a + x)^3",
        "(a*x)^-0.5", "x/(1 + a*x)", "a - a/x",
        "min(a*x, 2, a^2)", "max(a*x, 2, a^2)", "clip(a*x, 0.5, 2)", "clip(x, a, 2*a)", "where(x > 1, a^2, a)",
        "+a*x - -a",
    ],
)  # fmt: skip
def test_every_function_against_central_differences(text: str) -> None:
    x = np.array([0.31, 0.77, 1.3, 2.9])
    _compare_with_differences(text, x, 0.83)
    _compare_with_differences(text, x, 1.71)


def _compare_with_differences(text: str, x: np.ndarray, a: float) -> None:
    expression = parse_expression(text)
    exact = evaluate(differentiate(expression.root, "a"), {"x": x, "a": a})
    step = 1e-6 * a
    above, below = (evaluate(expression, {"x": x, "a": a + d}) for d in (step, -step))
    np.testing.assert_allclose(np.broadcast_to(exact, x.shape), (above - below) / (2 * step), rtol=2e-7, atol=2e-8)


def _smooth(below: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(below, st.sampled_from(["+", "-", "*"]), below).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(below, below).map(lambda t: f"({t[0]}) / (2 + ({t[1]})^2)"),
        st.tuples(st.sampled_from(["sin", "cos", "tanh"]), below).map(lambda t: f"{t[0]}({t[1]})"),
        below.map(lambda t: f"exp(tanh({t}))"),
        below.map(lambda t: f"log(2 + sin({t}))"),
        st.tuples(below, below).map(lambda t: f"(1.5 + tanh({t[0]}))^(tanh({t[1]}))"),
        below.map(lambda t: f"-({t})^2"),
    )


@settings(max_examples=150)
@given(st.recursive(st.sampled_from(["a", "x", "2", "0.5"]), _smooth, max_leaves=7), st.floats(0.2, 1.5))
def test_random_expressions_against_central_differences(text: str, a: float) -> None:
    expression = parse_expression(text)
    x = np.array([0.4, 1.1])
    steps = (1e-4, 5e-5)

    def difference(step: float) -> np.ndarray:
        above, below = (np.asarray(evaluate(expression, {"x": x, "a": a + d})) for d in (step, -step))
        return (above - below) / (2 * step)

    coarse, fine = map(difference, steps)
    extrapolated = (4 * fine - coarse) / 3
    scale = np.max(np.abs(evaluate(expression, {"x": x, "a": a}))) + np.max(np.abs(extrapolated)) + 1.0
    assume(scale < 1e4 and np.max(np.abs(fine - coarse)) < 1e-3 * scale)
    exact = evaluate(differentiate(expression.root, "a"), {"x": x, "a": a})
    np.testing.assert_allclose(np.broadcast_to(exact, extrapolated.shape), extrapolated, rtol=0, atol=1e-6 * scale)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("1 + floor(a*T)", (4, 14)),
        ("T * round(a)", (4, 12)),
        ("T % a", (0, 5)),
        ("where(T > a, 1, 2)", (6, 11)),
        ("rh_from_rs(a, 'subke-2006')", (0, 27)),
        ("sign(a)", (0, 7)),
    ],
)
def test_what_has_no_derivative_is_explained(text: str, place: tuple[int, int]) -> None:
    expression = parse_expression(text)
    with pytest.raises(SoilqlError) as caught:
        differentiate(expression.root, "a", expression)
    (found,) = caught.value.diagnostics
    assert found.span is not None
    assert (found.code, (found.span.start, found.span.end)) == ("SQ402", place)
    assert "`a`" in found.message


def test_powers_of_zero_do_not_break_a_fit() -> None:
    # d/dc x^c = x^c log(x) tends to 0 as x does, for c > 0.
    found = evaluate(
        differentiate(parse_expression("x^c").root, "c"), {"x": np.array([0.0, 1.0, math.e, math.nan]), "c": 2.0}
    )
    np.testing.assert_allclose(found, [0.0, 0.0, math.e**2, math.nan])


def test_missing_data_stay_missing() -> None:
    model = compile_model(parse_formula("y ~ a * exp(b*T)"), ["a", "b"])
    value, jacobian = model.value_and_jacobian([1.0, 0.1], {"T": np.array([0.0, math.nan])})
    assert np.isnan(value).tolist() == [False, True]
    assert np.isnan(jacobian).tolist() == [[False, False], [True, True]]


def test_compiled_model_of_huang_2020() -> None:
    # Rs = exp(a T + b T^2) exp(c M + d M^2): each derivative is Rs times T, T^2, M, M^2.
    model = compile_model(parse_formula("Rs ~ exp(a*T + b*T^2) * exp(c*M + d*M^2)"), ["a", "b", "c", "d"])
    assert model.names == ("T", "M")
    T, M = np.array([5.0, 10.0, 20.0]), np.array([0.1, 0.2, 0.4])
    theta = [0.05, -0.0005, 2.0, -1.0]
    expected = np.exp(0.05 * T - 0.0005 * T**2 + 2 * M - M**2)
    np.testing.assert_allclose(model.value(theta, {"T": T, "M": M}), expected, rtol=1e-14)
    columns = np.column_stack([T, T**2, M, M**2])
    np.testing.assert_allclose(model.jacobian(theta, {"T": T, "M": M}), expected[:, None] * columns, rtol=1e-14)


def test_compiled_model_shapes_and_names() -> None:
    model = compile_model(parse_expression("a + 0*T + pi"), ["a", "unused"])
    value, jacobian = model.value_and_jacobian([1.0, 5.0], {"T": np.zeros(4)})
    assert (value.shape, jacobian.shape) == ((4,), (4, 2))
    np.testing.assert_array_equal(jacobian, [[1.0, 0.0]] * 4)
    with pytest.raises(ValueError, match="2 parameters"):
        model.value([1.0], {"T": np.zeros(4)})
    with pytest.raises(SoilqlError, match="SQ201"):
        model.value([1.0, 5.0], {})


def test_shared_parts_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from soilql.expr import bound

    calls = []
    monkeypatch.setitem(bound.DIRECT, "exp", lambda x: calls.append(1) or np.exp(x))
    model = compile_model(parse_formula("y ~ a * exp(b*T)"), ["a", "b"])
    model.jacobian([1.0, 0.1], {"T": np.arange(3.0)})
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("text", "params", "expected"),
    [
        ("a*exp(b*T)", "ab", "a"),
        ("a*b + c", "abc", "ac"),
        ("b*a + c", "bac", "bc"),
        ("a*T + b*T^2 + c", "abc", "abc"),
        ("(a + b*T)/M - c", "abc", "abc"),
        ("a/(b + T)", "ab", "a"),
        ("exp(a*T)", "a", ""),
        ("a*a", "a", ""),
        ("a^1", "a", ""),
        ("where(T > 0, a, b*T)", "ab", "ab"),
        ("where(T > a, b, c)", "abc", "bc"),
        ("T", "a", ""),
        ("-(a - b)*2", "ab", "ab"),
        ("a*exp(b*T)*M/(M + k)", "abk", "a"),
    ],
)
def test_linear_parameters(text: str, params: str, expected: str) -> None:
    root = parse_expression(text).root
    found = linear_parameters(root, tuple(params))
    assert found == tuple(expected)
    form = linear_form(root, found)
    assert form is not None
    env = {name: np.array([0.3, 1.7, 2.2]) + i for i, name in enumerate("TM")} | {
        n: 0.7 + i for i, n in enumerate("abck")
    }
    total = evaluate(form.offset, env) + sum(env[n] * evaluate(g, env) for n, g in form.coefficients.items())
    np.testing.assert_allclose(np.broadcast_to(total, 3), np.broadcast_to(evaluate(root, env), 3), rtol=1e-12)
    assert not set(found) & {n for g in (form.offset, *form.coefficients.values()) for n in ast.names(g)}


@pytest.mark.parametrize(
    ("text", "params", "scales"),
    [
        ("exp(a*T + b*T^2) * exp(c*M)", "abc", {"a": "identity", "b": "identity", "c": "identity"}),
        ("a*exp(b*T)", "ab", {"a": "log", "b": "identity"}),
        ("a*Q^((T - 10)/10)", "aQ", {"a": "log", "Q": "log"}),
        ("a*2^(b*T + 1)", "ab", {"a": "log", "b": "identity"}),
        ("sqrt(a)*T^b/M", "ab", {"a": "log", "b": "identity"}),
        ("a/(b*c)^2", "abc", {"a": "log", "b": "log", "c": "log"}),
        ("3*exp(a*T)*exp(a)", "a", {"a": "identity"}),
        ("a*b*a", "ab", {"a": "log", "b": "log"}),
    ],
)
def test_log_linear_models(text: str, params: str, scales: dict[str, str]) -> None:
    root = parse_expression(text).root
    form = log_linear(root, tuple(params))
    assert form is not None
    assert {name: r.scale for name, r in form.regressors.items()} == scales
    assert list(form.regressors) == [name for name in params if name in scales]
    env = {"T": np.array([3.0, 12.0]), "M": np.array([0.2, 0.5])} | {n: 0.2 + 0.3 * i for i, n in enumerate("abcQ")}
    total = evaluate(form.offset, env)
    for name, regressor in form.regressors.items():
        coefficient = math.log(env[name]) if regressor.scale == "log" else env[name]
        total = total + coefficient * evaluate(regressor.expression, env)
        assert not set(params) & set(ast.names(regressor.expression))
    np.testing.assert_allclose(total, np.log(evaluate(root, env)), rtol=1e-12)


@pytest.mark.parametrize(
    "text",
    ["a + b*T", "a*exp(b*T) + c", "a*exp(a*T)", "exp(a*b)", "a^b", "-a*T", "log(a)", "a*exp(b*T^c)", "(a + T)*exp(b)"],
)
def test_models_that_are_not_log_linear(text: str) -> None:
    assert log_linear(parse_expression(text).root, ("a", "b", "c")) is None


@settings(max_examples=100)
@given(
    st.recursive(
        st.sampled_from(["x", "0", "1", "-1", "2", "0.5"]),
        lambda below: st.tuples(below, st.sampled_from("+-*^"), below).map(lambda t: f"({t[0]}) {t[1]} ({t[2]})"),
        max_leaves=6,
    )
)
def test_simplifying_keeps_the_value(text: str) -> None:
    root = parse_expression(text).root
    env = {"x": 1.37}
    before, after = evaluate(root, env), evaluate(rebuild(root), env)
    assume(math.isfinite(before))
    assert after == pytest.approx(before, rel=1e-12, abs=1e-12)


def test_long_models_do_not_recurse() -> None:
    root = parse_expression(" + ".join(f"a * x^{k}" for k in range(3000))).root
    found = evaluate(differentiate(root, "a"), {"x": np.array([1.0])})
    assert np.asarray(found).tolist() == [3000.0]
    assert linear_parameters(root, ("a",)) == ("a",)
