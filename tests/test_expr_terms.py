"""R's formula algebra: tables as R's `terms` gives them, and patsy as an outside oracle."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from soilql.errors import SoilqlError
from soilql.expr import ast
from soilql.expr.parse import parse_formula
from soilql.expr.terms import features, terms


# Expected labels: attr(terms(formula), "term.labels") and "intercept" of R's stats::terms.formula, whose rules are
# those of Chambers & Hastie (1992), Statistical Models in S, section 2.4.1.
@pytest.mark.parametrize(
    ("text", "labels", "intercept"),
    [
        ("y ~ a", "a", True),
        ("y ~ 1", "", True),
        ("y ~ a + b + a", "a b", True),
        ("y ~ a*b", "a b a:b", True),
        ("y ~ a*b*c", "a b c a:b a:c b:c a:b:c", True),
        ("y ~ (a + b + c)^2", "a b c a:b a:c b:c", True),
        ("y ~ (a + b)**3", "a b a:b", True),
        ("y ~ a*b*c - a:b:c", "a b c a:b a:c b:c", True),
        ("y ~ a*b - a", "b a:b", True),
        ("y ~ a/b", "a a:b", True),
        ("y ~ a/(b + c)", "a a:b a:c", True),
        ("y ~ (a + b)/c", "a b a:b:c", True),
        ("y ~ a:b + c + a", "c a a:b", True),
        ("y ~ a:b:a", "a:b", True),
        ("y ~ a - 1", "a", False),
        ("y ~ -1 + a", "a", False),
        ("y ~ 0 + a", "a", False),
        ("y ~ a + 0 + 1", "a", True),
        ("y ~ a - 0", "a", True),
        ("y ~ (a + b) - a", "b", True),
        ("log(y) ~ log(MAP) + I(T^2) + C(biome)*T", "log(MAP) I(T^2) C(biome) T C(biome):T", True),
        ("y ~ `Soil-temp`*a", "`Soil-temp` a `Soil-temp`:a", True),
    ],
)
def test_terms_as_r_expands_them(text: str, labels: str, intercept: bool) -> None:
    found = terms(parse_formula(text))
    assert " ".join(term.label for term in found.terms) == labels
    assert found.intercept is intercept
    assert found.groups == ()


@pytest.mark.parametrize(
    ("text", "fixed", "groups"),
    [
        ("y ~ a + (1 | site)", ["a"], [([], True, "site")]),
        ("y ~ a + (1 + T | site)", ["a"], [(["T"], True, "site")]),
        ("y ~ a + (0 + T | site)", ["a"], [(["T"], False, "site")]),
        # lme4: (1 | a/b) is (1 | a) + (1 | a:b) (Bates et al. 2015, J. Stat. Softw. 67(1), Table 2).
        ("y ~ (1 | site/plot) + a", ["a"], [([], True, "site"), ([], True, "site:plot")]),
        ("y ~ (1 | site) + (1 | year)", [], [([], True, "site"), ([], True, "year")]),
    ],
)
def test_groups(text: str, fixed: list[str], groups: list[tuple[list[str], bool, str]]) -> None:
    found = terms(parse_formula(text))
    assert [term.label for term in found.terms] == fixed
    assert [([t.label for t in g.terms], g.intercept, g.group.label) for g in found.groups] == groups


_SUMS = st.recursive(
    st.sampled_from("abcd"),
    lambda below: st.one_of(
        st.tuples(below, st.sampled_from(["+", ":", "*", "/"]), below).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(below, below, st.integers(1, 3)).map(lambda t: f"({t[0]} + {t[1]})**{t[2]}"),
    ),
    max_leaves=5,
)


@given(_SUMS, st.sampled_from(["", " + 0", " - 1", " + 1"]))
def test_terms_as_patsy_expands_them(text: str, intercept: str) -> None:
    patsy = pytest.importorskip("patsy")
    expected = patsy.ModelDesc.from_formula(f"y ~ {text}{intercept}").rhs_termlist
    try:
        found = terms(parse_formula(f"y ~ {text}{intercept}"))
    except SoilqlError:
        assume(False)
    assert {frozenset(term.label.split(":")) for term in found.terms} == {
        frozenset(factor.name() for factor in term.factors) for term in expected if term.factors
    }
    assert found.intercept is any(not term.factors for term in expected)
    degrees = [len(term.factors) for term in found.terms]
    assert degrees == sorted(degrees)


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("y ~ a + T^2", (8, 11), "write `I(T^2)`"),
        ("y ~ T^0.5", (4, 9), "write `I(T^0.5)`"),
        ("y ~ T*10", (4, 8), "write `I(T * 10)`"),
        ("y ~ a / 2", (4, 9), "write `I(a / 2)`"),
        ("y ~ a + 2", (8, 9), "a number is no term"),
        ("y ~ a - b", (8, 9), "`b` is removed but was not there"),
        ("y ~ a + y", (8, 9), "among its own predictors"),
        ("log(y) ~ a*log(y)", (11, 17), "among its own predictors"),
        ("y ~ (a + b)^x", (12, 13), "whole number"),
        ("y ~ (a + b)^2.5", (12, 15), "whole number"),
        ("y ~ a > 2", (4, 9), "write `I(a > 2)`"),
        ("y ~ a % b", (4, 9), "no term"),
        ("y ~ 'a'", (4, 7), "no term"),
        ("y ~ a*(1 | site)", (6, 16), "summand of its own"),
        ("y ~ a - (1 | site)", (8, 18), "summand of its own"),
        ("y ~ a + (1 | 1)", (13, 14), "without a grouping"),
        ("y ~ (a + 1):b", (4, 11), "no part in a crossing"),
        ("y ~ 0", (4, 5), "without terms and intercept"),
        ("y ~ (" + " + ".join(f"v{i}" for i in range(40)) + ")^9", None, "more than 10000 terms"),
    ],
)
def test_what_r_would_take_silently_or_refuse(text: str, place: tuple[int, int] | None, words: str) -> None:
    with pytest.raises(SoilqlError) as caught:
        terms(parse_formula(text))
    found = caught.value.diagnostics[0]
    assert found.code == "SQ113"
    assert found.span is not None
    assert place in (None, (found.span.start, found.span.end))
    assert words in f"{found.message} {found.help}"


def test_all_problems_of_a_formula_at_once() -> None:
    with pytest.raises(SoilqlError) as caught:
        terms(parse_formula("y ~ T^2 + 3 + y - z"))
    places = [(d.span.start, d.span.end) for d in caught.value.diagnostics if d.span]
    assert places == [(4, 7), (10, 11), (14, 15), (18, 19)]


def test_features_of_a_learner() -> None:
    found = features(parse_formula("Rs ~ MAT + (log(MAP) + I(MAT^2)) + `Soil temp`"))
    assert [ast.to_text(node) for node in found] == ["MAT", "log(MAP)", "I(MAT^2)", "`Soil temp`"]


def test_what_is_no_feature() -> None:
    with pytest.raises(SoilqlError) as caught:
        features(parse_formula("y ~ a*b + c:d + e - 1 + f^2 + (1 | s) + a + a + y - g"))
    assert all(d.code == "SQ113" for d in caught.value.diagnostics)
    assert [d.span.text for d in caught.value.diagnostics if d.span] == [
        "a*b", "c:d", "1", "f^2", "(1 | s)", "a", "y", "g"
    ]  # fmt: skip
    assert "I(a * b)" in caught.value.diagnostics[0].help
    assert "I(c * d)" in caught.value.diagnostics[1].help
