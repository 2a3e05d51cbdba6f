"""Units of parameters inferred from a formula: the published forms, what cannot agree, and invariance to scaling."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soilql.expr.evaluate import evaluate
from soilql.expr.parse import parse_expression, parse_formula
from soilql.formula.units import Inference, agrees, infer
from soilql.units import conversion, is_convertible, parse_unit

COLUMNS = {
    "Rs": "g C m-2 yr-1",
    "T": "degC",
    "TK": "K",
    "P": "mm yr-1",
    "P_day": "mm d-1",
    "M": "%",
    "theta": "m3 m-3",
    "EVI": "1",
    "lat": "degrees_north",
    "SOC": "kg C m-2",
    "CN": "g C g-1 N",
    "unknown": None,
}


def inferred(text: str, params: str | Mapping[str, str | None], **more: object) -> Inference:
    names = params.split() if isinstance(params, str) else params
    return infer(parse_formula(text), COLUMNS, names, **more)  # type: ignore[arg-type]


# Units that follow by hand from the dimensions of the published equations.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Rs ~ a*exp(b*T)", {"a": "g C m-2 yr-1", "b": "1/degC"}),
        ("Rs ~ a*exp(b*T + c*T^2)", {"a": "g C m-2 yr-1", "b": "1/degC", "c": "degC-2"}),
        # Raich & Potter 1995, Eq. 2
        ("Rs ~ f*exp(q*T)*P/(k + P)", {"f": "g C m-2 yr-1", "q": "1/degC", "k": "mm yr-1"}),
        ("Rs ~ r*q^((T - 10)/10)", {"r": "g C m-2 yr-1", "q": "1"}),
        ("Rs ~ r*q^((T - t0)/w)", {"r": "g C m-2 yr-1", "q": "1", "t0": "degC", "w": "K"}),
        # Lloyd & Taylor 1994, Eq. 11: 308.56 is in K
        ("Rs ~ r*exp(e*(1/56.02 - 1/(T + 46.02)))", {"r": "g C m-2 yr-1", "e": "K"}),
        ("Rs ~ a*exp(-((T - best)/width)^2)", {"a": "g C m-2 yr-1", "best": "degC", "width": "K"}),
        ("Rs ~ a*(1 + b*T)", {"a": "g C m-2 yr-1", "b": "1/degC"}),
        ("Rs ~ a/(1 + exp(-b*(T - c)))", {"a": "g C m-2 yr-1", "b": "1/degC", "c": "degC"}),
        ("Rs ~ a*sqrt(P)", {"a": "g C m-2 mm^(-1/2) yr^(-1/2)"}),
        ("Rs ~ a + b*SOC", {"a": "g C m-2 yr-1", "b": "g kg-1 yr-1"}),
        ("Rs ~ a*exp(b*M)", {"a": "g C m-2 yr-1", "b": "1/%"}),
        ("Rs ~ min(a*T, b)", {"a": "g C m-2 yr-1 degC-1", "b": "g C m-2 yr-1"}),
        ("log(Rs) ~ a + b*T", {"a": "1", "b": "1/degC"}),
        ("log(Rs) ~ log(a) + b*T", {"a": "g C m-2 yr-1", "b": "1/degC"}),
        ("Rs ~ exp(log(a) + b*T)", {"a": "g C m-2 yr-1", "b": "1/degC"}),
        ("Rs ~ a*(1 + b*sin(lat*pi/180))", {"a": "g C m-2 yr-1", "b": "1"}),
        ("Rs ~ where(T > 0, a*T, b)", {"a": "g C m-2 yr-1 degC-1", "b": "g C m-2 yr-1"}),
    ],
)
def test_units_follow_from_the_formula(text: str, expected: dict[str, str]) -> None:
    found = inferred(text, " ".join(expected))
    assert found.problems == ()
    for name, text_of_unit in expected.items():
        known, unit = found.units[name], parse_unit(text_of_unit)
        assert known is not None, name
        assert known.dimensions == unit.dimensions, (name, str(known))
        assert float(known.scale) == pytest.approx(float(unit.scale)), (name, str(known))


def test_temperatures_are_points_and_their_differences_intervals() -> None:
    found = inferred("Rs ~ a*exp(-((T - best)/width)^2)", "a best width").units
    assert found["best"] == parse_unit("degC")
    assert found["width"] == parse_unit("K")


@pytest.mark.parametrize(
    ("text", "params", "undetermined"),
    [
        ("Rs ~ a*k*exp(b*T)", "a b k", "a k"),  # only their product has a unit
        ("Rs ~ a*exp(b*unknown)", "a b", "b"),
        ("Rs ~ a*P^b", "a b", "a"),  # the unit of a depends on the value of b
        ("unknown ~ a*exp(b*T)", "a b", "a"),
    ],
)
def test_what_nothing_determines_is_unknown_in_silence(text: str, params: str, undetermined: str) -> None:
    found = inferred(text, params)
    assert found.problems == ()
    assert {name for name, unit in found.units.items() if unit is None} == set(undetermined.split())


@pytest.mark.parametrize(
    ("text", "kind", "place"),
    [
        ("Rs ~ a*exp(b*T) + P", "sum", "P"),
        ("Rs ~ a*exp(b*T) + b*P", "sum", "b * P"),
        ("Rs ~ a*P + a*P_day", "sum", "a * P_day"),  # mm yr-1 and mm d-1
        ("Rs ~ a*(M + EVI)", "sum", "EVI"),  # % and a fraction
        ("Rs ~ a*exp(b*T) - T", "sum", "T"),
        ("Rs ~ a*max(T, P)", "sum", "P"),
        ("Rs ~ a*where(EVI > 0, T, P)", "sum", "P"),
        ("Rs ~ T*exp(b*T)", "response", "T * exp(b * T)"),
        ("Rs ~ a*exp(T)", "argument", "T"),
        ("Rs ~ a*tanh(P)", "argument", "P"),
        ("Rs ~ a*exp(M)", "argument", "M"),  # 50 % would be exp(50)
        ("Rs ~ a*sin(lat)", "argument", "lat"),
        ("Rs ~ a*2^T", "exponent", "T"),
        ("Rs ~ a*P^EVI", "exponent", "P"),
    ],
)
def test_contradictions_are_found_where_they_are(text: str, kind: str, place: str) -> None:
    formula = parse_formula(text)
    problems = infer(formula, COLUMNS, "ab").problems
    assert [(p.kind, formula.text[p.node.start : p.node.end].replace("*", " * ")) for p in problems] == [(kind, place)]


@pytest.mark.parametrize(
    "text",
    [
        "Rs ~ a*exp(0.05*T)",  # 0.05 is in 1/degC
        "Rs ~ a*exp(b*(T - 10)/10)",
        "Rs ~ a*(1 - M/100)",
        "Rs ~ a*(T + 273.15)",
        "Rs ~ a + b*log(P)",  # the logarithm of the number
        "Rs ~ a*log(P/1000)",
        "Rs ~ a*exp(EVI)",
        "Rs ~ a*exp(theta)",
        "Rs ~ a*exp(CN)",  # g C g-1 N is a ratio
        "Rs ~ a*sin(2*pi*unknown/365) + b",
        "Rs ~ a*exp(b*TK) + a*T*b",  # intervals in K and degC are the same
        "Rs ~ a*P^0.75 + b",
        "Rs ~ a + SOC*0.1",
        "Rs ~ a*floor(T/10)",
        "Rs ~ a*T^1e300 + b*P^-40",
    ],
)
def test_what_may_be_right_is_not_reported(text: str) -> None:
    assert inferred(text, "a b").problems == ()


def test_constants_are_numbers_of_any_unit() -> None:
    assert inferred("Rs ~ a*q^((T - ref)/width)", "a q", constants=["ref", "width"]).problems == ()
    problem = inferred("Rs ~ a*exp(b*T)*n^T", "a b", constants=["n"]).problems[0]
    assert problem.kind == "exponent"


@pytest.mark.parametrize(
    ("stated", "problems"),
    [
        ({"a": "g C m-2 yr-1", "b": "1/degC"}, []),
        ({"a": "g m-2 yr-1", "b": "K-1"}, []),  # a substance that one of them leaves out; intervals in K
        ({"a": "kg C m-2 yr-1", "b": None}, [("a", 1000)]),
        ({"a": "g C m-2 d-1", "b": None}, [("a", 365.25)]),
        ({"a": None, "b": "mm"}, [("b", None)]),
        ({"a": "umol CO2 m-2 s-1", "b": "degC"}, [("a", None), ("b", None)]),
        ({"a": "no unit at all", "b": None}, []),  # reported where it stands
    ],
)
def test_stated_units_are_held_against_the_formula(
    stated: dict[str, str | None], problems: list[tuple[str, float | None]]
) -> None:
    found = inferred("Rs ~ a*exp(b*T)", stated).problems
    assert {p.kind for p in found} <= {"declared"}
    assert [p.name for p in found] == [name for name, _ in problems]
    for problem, (_, factor) in zip(found, problems, strict=True):
        assert problem.factor.is_dimensionless is (factor is not None)
        assert factor is None or float(problem.factor.scale) == pytest.approx(factor)


def test_carbon_and_carbon_dioxide_are_different_substances() -> None:
    assert agrees(parse_unit("g C m-2") / parse_unit("g m-2"))
    assert not agrees(parse_unit("g C m-2") / parse_unit("g CO2 m-2"))


def test_derived_columns_have_the_unit_that_is_stated() -> None:
    units = {"T": "degC", "P": "mm yr-1", "E": "mm yr-1"}
    assert infer(parse_expression("P/(P + E)"), units, (), result="1").problems == ()
    assert infer(parse_expression("P - E"), units, (), result="mm yr-1").problems == ()
    assert infer(parse_expression("P - E"), units, (), result="degC").problems[0].kind == "response"


def test_long_sums_take_no_recursion_and_little_time() -> None:
    terms = " + ".join(f"a*exp(b*T)*{i}" for i in range(1, 1500))
    assert inferred(f"Rs ~ {terms}", "a b").problems == ()


# Other units of the same columns, by a factor only.
SCALED = {
    "Rs": ["g C m-2 yr-1", "kg C m-2 d-1", "umol CO2 m-2 s-1", "t C ha-1 yr-1"],
    "P": ["mm yr-1", "cm d-1", "m month-1"],
    "E": ["mm yr-1", "mm d-1", "cm month-1"],
    "M": ["%", "1", "ppm"],
}
FORMULAS = {
    "Rs ~ a*P/(P + k)": {"a": 800.0, "k": 400.0},
    "Rs ~ a*exp(-b*P)*(1 - exp(-c*M))": {"a": 900.0, "b": 0.001, "c": 0.03},
    "Rs ~ a*(1 - P/m)*(P/m)^0.5 + b*M^2": {"a": 500.0, "m": 4000.0, "b": 0.02},
    "Rs ~ min(a*P, b)*max(M, c)/c": {"a": 1.5, "b": 700.0, "c": 20.0},
    "log(Rs) ~ log(a) + b*log(P/k)": {"a": 300.0, "b": 0.4, "k": 10.0},
    "Rs ~ a*sqrt(P)*tanh(b*M)": {"a": 20.0, "b": 0.02},
    "Rs ~ a*(P - b)/(P + c) + 3*b*d": {"a": 600.0, "b": 20.0, "c": 100.0, "d": 1.0},
}


@settings(max_examples=60)
@given(
    st.sampled_from(list(FORMULAS)),
    st.fixed_dictionaries({name: st.sampled_from(choices) for name, choices in SCALED.items()}),
    st.floats(50, 3000),
    st.floats(1, 99),
)
def test_a_formula_means_the_same_in_any_units(text: str, units: dict[str, str], rain: float, share: float) -> None:
    """Columns and parameters converted by the inferred units give the response converted."""
    formula, theta = parse_formula(text), FORMULAS[text]
    old = {name: choices[0] for name, choices in SCALED.items()}
    before, after = infer(formula, old, list(theta)), infer(formula, units, list(theta))
    assert before.problems == after.problems == ()
    env = {"P": rain, "M": share}
    columns = {name: conversion(old[name], units[name]).apply(value) for name, value in env.items()}
    parameters = {}
    for name, value in theta.items():
        one, other = before.units[name], after.units[name]
        assert one is not None
        assert other is not None
        assert is_convertible(one, other)
        parameters[name] = conversion(one, other).apply(value)
    right = formula.formula.predictors
    first, second = float(evaluate(right, env | theta)), float(evaluate(right, columns | parameters))
    factor = conversion(old["Rs"], units["Rs"]).scale
    expected = first + math.log(factor) if text.startswith("log") else first * factor
    assert second == pytest.approx(expected, rel=1e-9, abs=1e-12)
