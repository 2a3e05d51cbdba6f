"""Names, functions, arity and types of expressions, with their exact places."""

from __future__ import annotations

import math

import pytest

from soilql.errors import Diagnostic
from soilql.expr.check import Scope, check
from soilql.expr.functions import CONSTANTS, FUNCTIONS, RH_EQUATIONS
from soilql.expr.parse import parse_expression, parse_formula

SCOPE = Scope(
    {
        "T": "number",
        "M": "number",
        "a": "number",
        "biome": "text",
        "flag": "boolean",
        "later": "unknown",
        "Soil temp": "number",
    },
    absent="neither a column of `training` nor a parameter of `rs`",
)


def places(diagnostics: list[Diagnostic]) -> list[tuple[str, int, int]]:
    return [(d.code, d.span.start, d.span.end) for d in diagnostics if d.span is not None]


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("T > 3 and biome == 'forest'", "boolean"),
        ("not flag or biome in ['a', 'b'] and later", "boolean"),
        ("flag", "boolean"),
        ("0 < T < M", "boolean"),
        ("(T > 5) * T + flag", "number"),
        ("where(T > 5, biome, 'none')", "text"),
        ("where(flag, T, later)", "number"),
        ("where(flag, T > 1, M > 1)", "boolean"),
        ("min(T, M, 2) + max(a, 1) + clip(T, 0, 1) * pi", "number"),
        ("missing(biome) or missing(T) or missing(flag)", "boolean"),
        ("startswith(lower(biome), 'f')", "boolean"),
        ("rh_from_rs(T, 'bond-lamberty-2004')", "number"),
        ("biome < 'm'", "boolean"),
        ("flag == true", "boolean"),
        ("later + 1 > 2 and later == 'x'", "boolean"),
        ("`Soil temp` / 10", "number"),
    ],
)
def test_sound_expressions(text: str, result: str) -> None:
    assert check(parse_expression(text), SCOPE, result) == []  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "result", "expected", "words"),
    [
        ("exp(a*T + c*Mo)", "number", [("SQ201", 10, 11), ("SQ201", 12, 14)], "unknown name `c`"),
        ("expp(T)", "number", [("SQ202", 0, 4)], "did you mean `exp`"),
        ("T(3)", "number", [("SQ202", 0, 1)], "write `T * (...)`"),
        ("log + 1", "number", [("SQ201", 0, 3)], "write `log(...)`"),
        ("TRUE", "boolean", [("SQ201", 0, 4)], "did you mean `true`"),
        ("soil_temp", "number", [("SQ201", 0, 9)], "did you mean `Soil temp`"),
        ("1 + clip(T)", "number", [("SQ111", 4, 11)], "3 arguments, not 1"),
        ("min(T)", "number", [("SQ111", 0, 6)], "at least 2 arguments"),
        ("exp()", "number", [("SQ111", 0, 5)], "1 argument, not 0"),
        ("T + biome", "number", [("SQ112", 4, 9)], "`+` needs a number"),
        ("(biome * 2) + -biome", "number", [("SQ112", 1, 6), ("SQ112", 15, 20)], "`*` needs a number"),
        ("exp(biome)", "number", [("SQ112", 4, 9)], "`exp` needs a number"),
        ("T == '5'", "boolean", [("SQ112", 5, 8)], "write `5` without quotes"),
        ("biome == 5", "boolean", [("SQ112", 9, 10)], 'write `"5"` in quotes'),
        ("0 < T < 'x'", "boolean", [("SQ112", 8, 11)], "never compare"),
        ("T in [1, 'a']", "boolean", [("SQ112", 9, 12)], "never compare"),
        ("T and flag", "boolean", [("SQ112", 0, 1)], "`and` needs a condition"),
        ("not (T + 1)", "boolean", [("SQ112", 4, 11)], "`not` needs a condition"),
        ("T", "boolean", [("SQ112", 0, 1)], "a filter needs a condition"),
        ("biome", "number", [("SQ112", 0, 5)], "the result needs a number"),
        ("T", "text", [("SQ112", 0, 1)], "the result needs a text"),
        ("flag < (T > 3)", "boolean", [("SQ112", 0, 4)], "no order"),
        ("where(T, 1, 2)", "number", [("SQ112", 6, 7)], "needs a condition"),
        ("where(flag, 1, 'a')", "number", [("SQ112", 15, 18)], "chooses between"),
        ("lower(T)", "text", [("SQ112", 6, 7)], "needs a text"),
        ("rh_from_rs(T, 'subke')", "number", [("SQ112", 14, 21)], "did you mean `subke-2006`"),
        ("rh_from_rs(T, biome)", "number", [("SQ112", 14, 19)], "written out"),
        ("C(biome)", "unknown", [("SQ113", 0, 8)], "name the column alone"),
        (
            "expp(Tm) + biome",
            "boolean",
            [("SQ202", 0, 4), ("SQ201", 5, 7), ("SQ112", 0, 16), ("SQ112", 11, 16)],
            "unknown function `expp`",
        ),
    ],
)  # fmt: skip
def test_findings(text: str, result: str, expected: list[tuple[str, int, int]], words: str) -> None:
    found = check(parse_expression(text), SCOPE, result)  # type: ignore[arg-type]
    assert sorted(places(found)) == sorted(expected)
    assert words in " ".join(f"{d.message} {d.label} {d.help}" for d in found)
    assert found == sorted(found, key=Diagnostic.sort_key)


def test_unknown_name_says_what_it_is_not() -> None:
    (found,) = check(parse_expression("Mo > 1"), SCOPE, "boolean")
    assert (found.message, found.label) == ("unknown name `Mo`", SCOPE.absent)
    assert found.help == "did you mean `M`?"


def test_open_scope_accepts_unknown_names_but_not_functions() -> None:
    scope = Scope({"T": "number"}, open=True)
    assert check(parse_expression("T + other > 1"), scope, "boolean") == []
    assert places(check(parse_expression("other(T)"), scope)) == [("SQ202", 0, 5)]


def test_a_column_named_like_a_constant_is_ambiguous() -> None:
    assert places(check(parse_expression("2 * pi"), Scope({"pi": "number"}))) == [("SQ201", 4, 6)]
    assert check(parse_expression("2 * pi"), Scope()) == []


def test_linear_formulas_join_columns_of_any_type() -> None:
    text = "log(T) ~ biome*M + C(biome) + (1 | biome) + log(biome) + I(biome + 1) + M:biome - 1"
    found = check(parse_formula(text), SCOPE, "number", linear=True)
    assert places(found) == [("SQ112", 48, 53), ("SQ112", 59, 64)]


def test_linear_algebra_elsewhere_is_found() -> None:
    found = check(parse_formula("T ~ a:M + (1 | biome) + C(biome) + I(a)"), SCOPE, "number")
    assert places(found) == [("SQ113", 4, 7), ("SQ113", 10, 21), ("SQ113", 24, 32), ("SQ113", 35, 39)]
    inside = check(parse_formula("T ~ log(a:M)"), SCOPE, "number", linear=True)
    assert places(inside) == [("SQ113", 8, 11)]


def test_response_of_a_formula_has_to_be_a_number() -> None:
    (found,) = check(parse_formula("biome ~ T"), SCOPE, "number", linear=True)
    assert found.message == "the response needs a number, not a text"
    assert places(check(parse_formula("T ~ biome"), SCOPE, "number")) == [("SQ112", 4, 9)]


def test_long_expressions_do_not_recurse() -> None:
    assert check(parse_expression("T" + " + T" * 20_000), SCOPE, "number") == []


def test_the_table_of_functions_is_whole() -> None:
    heterotrophic = pytest.importorskip("soilql.stats.heterotrophic")
    assert set(RH_EQUATIONS) == set(heterotrophic.EQUATIONS)
    assert {"pi": math.pi} == CONSTANTS
    for name, function in FUNCTIONS.items():
        assert function.name == name
        assert function.doc
        assert len(function.arguments) <= (function.maximum or function.minimum)
        assert function.accepts(function.minimum)
        assert not function.accepts(function.minimum - 1)
