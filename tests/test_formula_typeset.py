"""Formulas set in text, and what `explain model` says of a model."""

from __future__ import annotations

import textwrap

import pytest

from soilql.errors import SoilqlError, Source
from soilql.expr.parse import parse_expression, parse_formula
from soilql.formula.typeset import explain_model, typeset
from soilql.source import parse_yaml
from soilql.spec import build

SPEC = """\
soilql: 1
datasets:
  srdb:
    kind: table
    source: registry:srdb-v5
    columns: {Rs: {from: Rs_annual, unit: g C m-2 yr-1}, y: {expr: YearsOfData * 2}}
    roles: {lat: Latitude, lon: Longitude}
zones:
  climate: {kind: cut, of: MAT, breaks: [2, 17], labels: [boreal, temperate, tropical]}
models:
  q10:
    kind: nonlinear
    formula: Rs ~ r10 * q10^((MAT - T_ref) / 10) * MAP / (MAP + k) + beta * y
    data: srdb
    params: {r10: {start: 500, bounds: [0, 2000]}, q10: {start: 2, unit: 1}, k: , beta: }
    constants: {T_ref: 10}
  forest: {kind: quantile_forest, formula: Rs ~ MAT + log(MAP), data: srdb}
"""


def text(formula: str) -> str:
    tree = parse_formula(formula) if "~" in formula else parse_expression(formula)
    return "\n".join(typeset(tree.root))


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("Rs ~ a*exp(b*T + c*T^2)", "Rs = a·exp(b·T + c·T²)"),
        ("a - (b - c)", "a − (b − c)"),
        ("a - (b + c)*d", "a − (b + c)·d"),
        ("a*(b*c)", "a·b·c"),
        ("a + -b", "a + (−b)"),
        ("-a*b - c", "−a·b − c"),
        ("T - (-c)*M^-1", "T − (−c·M⁻¹)"),
        ("(a*b)^2 + (-a)^10", "(a·b)² + (−a)¹⁰"),
        ("alpha*beta_1 + pi + T_opt", "α·β_1 + π + T_opt"),
        ("sqrt(T) + sqrt(T + 1) + abs(T)", "√T + √(T + 1) + |T|"),
        ("max(a, b, 0.5)", "max(a, b, 0.5)"),
        ("where(T > 0, a, b)", "where(T > 0, a, b)"),
        ("a % b", "a mod b"),
        (
            "Rs ~ a*P/(P + k)",
            """
              a·P
        Rs = ─────
             P + k""",
        ),
        (
            "q^((T - 10)/10)",
            """
         T − 10
         ──────
           10
        q""",
        ),
        (
            "a^b^2*c",
            """
         b²
        a  ·c""",
        ),
        (
            "exp(E*(1/b - 1/(T + c)))",
            """
           ⎛  ⎛1     1  ⎞⎞
        exp⎜E·⎜─ − ─────⎟⎟
           ⎝  ⎝b   T + c⎠⎠""",
        ),
        (
            "(a/b)^2 + c",
            """
        ⎛a⎞²
        ⎜─⎟  + c
        ⎝b⎠""",
        ),
    ],
)
def test_typeset(formula: str, expected: str) -> None:
    assert text(formula) == textwrap.dedent(expected).removeprefix("\n")


def test_what_is_too_wide_or_deep_stays_in_one_line() -> None:
    wide = " + ".join(f"column_number_{i}" for i in range(20))
    assert text(wide) == wide
    deep = "+".join(["a"] * 3000)
    assert "\n" not in text(deep)


def test_a_model_is_explained_with_its_units() -> None:
    spec = build(parse_yaml(Source("x.yaml", SPEC)), {})
    assert spec.ok, [d.render() for d in spec.diagnostics]
    expected = """\
    q10, nonlinear

                  MAT − T_ref
                  ───────────
                       10
           r10·q10           ·MAP
      Rs = ────────────────────── + β·y
                  MAP + k

    response   Rs     g C m-2 yr-1
    driver     MAT    degC
               MAP    mm yr-1
               y      ?
    parameter  r10    g C m-2 yr-1  inferred, start 500, from 0 to 2000
               q10    1             stated, start 2
               k      mm yr-1       inferred
               β      ?
    constant   T_ref                10"""
    assert explain_model(spec.blocks["q10"], spec) == textwrap.dedent(expected)
    assert explain_model(spec.blocks["forest"], spec).splitlines()[2] == "  Rs ~ MAT + log(MAP)"


def test_a_block_without_a_formula_is_refused() -> None:
    spec = build(parse_yaml(Source("x.yaml", SPEC)), {})
    with pytest.raises(SoilqlError, match="no formula"):
        explain_model(spec.blocks["climate"], spec)
