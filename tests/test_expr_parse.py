"""Grammar, canonical text, places and diagnostics of the expression language."""

from __future__ import annotations

import ast as python
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soilql.errors import Diagnostic, SoilqlError, Source
from soilql.expr import ast
from soilql.expr.parse import parse_expression, parse_formula

NAMES = st.one_of(
    st.sampled_from(["T", "rs.mean", "Soil temp", "in", "true", "Höhe", "a`b", "10cm", "m²", "°C", "a.b.c", "x\ny"]),
    st.text(min_size=1, max_size=6),
)
NUMBERS = st.one_of(st.integers(0, 10**18).map(float), st.floats(0, allow_infinity=False, allow_nan=False).map(abs))


def _leaves() -> st.SearchStrategy[ast.Node]:
    return st.one_of(
        NUMBERS.map(ast.Number),
        st.text(max_size=6).map(ast.Text),
        st.booleans().map(ast.Boolean),
        NAMES.map(ast.Name),
    )


def _compare(first: ast.Node, links: list[tuple[str, ast.Node]]) -> ast.Compare:
    return ast.Compare(tuple(symbol for symbol, _ in links), (first, *(operand for _, operand in links)))


def _grow(below: st.SearchStrategy[ast.Node]) -> st.SearchStrategy[ast.Node]:
    several = st.lists(below, min_size=2, max_size=3).map(tuple)
    link = st.tuples(st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), below)
    return st.one_of(
        st.builds(ast.Unary, st.sampled_from("+-"), below),
        st.builds(ast.Binary, st.sampled_from("+-*/%^"), below, below),
        st.builds(ast.Not, below),
        st.builds(ast.Logical, st.sampled_from(["and", "or"]), several),
        st.builds(_compare, below, st.lists(link, min_size=1, max_size=2)),
        st.builds(ast.Membership, below, st.lists(below, min_size=1, max_size=3).map(tuple), st.booleans()),
        st.builds(ast.Call, st.sampled_from(["exp", "f.g", "C"]), st.lists(below, max_size=3).map(tuple)),
    )


EXPRESSIONS = st.recursive(_leaves(), _grow, max_leaves=12)
ALGEBRA = st.recursive(
    EXPRESSIONS,
    lambda below: st.one_of(st.builds(ast.Interaction, below, below), st.builds(ast.GroupTerm, below, below)),
    max_leaves=4,
)


def found(text: str, formula: bool = False) -> tuple[Diagnostic, ...]:
    with pytest.raises(SoilqlError) as caught:
        (parse_formula if formula else parse_expression)(text)
    return caught.value.diagnostics


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("1e-3 + .5 + 5. + 1E+2 + 007", "0.001 + 0.5 + 5 + 100 + 7"),
        ("-2^2", "-2^2"),
        ("(-2)**2", "(-2)^2"),
        ("2^3^2", "2^3^2"),
        ("(2^3)^2", "(2^3)^2"),
        ("2 ^ -1", "2^-1"),
        ("a - (b - c) - d", "a - (b - c) - d"),
        ("((a)) * ((b + c))", "a * (b + c)"),
        ("a % b * c / d", "a % b * c / d"),
        ("a / (b * c)", "a / (b * c)"),
        ("0<x<=5", "0 < x <= 5"),
        ("(0 < x) == true", "(0 < x) == true"),
        ("not a and not (b or c)", "not a and not (b or c)"),
        ("a and (b and c) or d", "a and (b and c) or d"),
        ("x in ['IRGA', \"Gas chromatography\"]", 'x in ["IRGA", "Gas chromatography"]'),
        ("x not  in [-1,2]", "x not in [-1, 2]"),
        ("rs.mean*`Soil temp`\n + Höhe_2", "rs.mean * `Soil temp` + Höhe_2"),
        ("'say \"x\"\\n'", '"say \\"x\\"\\n"'),
        ("android + order + inner + nothing", "android + order + inner + nothing"),
        ("clip( x,0 , max(a,b) )", "clip(x, 0, max(a, b))"),
        ("a<-b", "a < -b"),
        ("- - +a", "--+a"),
        ("`and` == `a``b`", "`and` == `a``b`"),
    ],
)
def test_canonical_text(text: str, canonical: str) -> None:
    root = parse_expression(text).root
    assert ast.to_text(root) == canonical
    assert parse_expression(canonical).root == root


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("Rs~exp(a*T+b*T^2)*exp(c*M)", "Rs ~ exp(a * T + b * T^2) * exp(c * M)"),
        ("log(Rs) ~ MAT*MAP + C(biome) + (1|site/plot)", "log(Rs) ~ MAT * MAP + C(biome) + (1 | site / plot)"),
        ("y ~ a*b:c - (a+b):c", "y ~ a * b:c - (a + b):c"),
        ("y ~ -a:b", "y ~ -a:b"),
        ("y ~ a:b^2", "y ~ a:b^2"),
    ],
)
def test_canonical_formula(text: str, canonical: str) -> None:
    root = parse_formula(text).root
    assert isinstance(root, ast.Formula)
    assert ast.to_text(root) == canonical
    assert parse_formula(canonical).root == root


def test_interaction_binds_as_in_r() -> None:
    # R's ?Syntax: `^`, then unary minus, then `:`, then `* /`, then `+ -`.
    formula = parse_formula("y ~ -a:b * c^2:d").formula
    a, b, c, d = (ast.Name(name) for name in "abcd")
    left = ast.Interaction(ast.Unary("-", a), b)
    assert formula.predictors == ast.Binary("*", left, ast.Interaction(ast.Binary("^", c, ast.Number(2.0)), d))


@given(EXPRESSIONS)
def test_round_trip(node: ast.Node) -> None:
    text = ast.to_text(node)
    again = parse_expression(text)
    assert again.root == node
    assert hash(again.root) == hash(node)
    assert ast.to_text(again.root) == text


@given(EXPRESSIONS, ALGEBRA)
def test_round_trip_of_formulas(response: ast.Node, predictors: ast.Node) -> None:
    node = ast.Formula(response, predictors)
    assert parse_formula(ast.to_text(node)).root == node


@given(EXPRESSIONS)
def test_places_hold_the_text_of_their_node(node: ast.Node) -> None:
    expression = parse_expression(ast.to_text(node))
    for part in ast.walk(expression.root):
        assert parse_expression(expression.text[part.start : part.end]).root == part


_PYTHON_TEXT = st.recursive(
    st.sampled_from(["a", "b", "2", "3.5"]),
    lambda below: st.one_of(
        st.tuples(
            below,
            st.sampled_from(["+", "-", "*", "/", "%", "**", "<", "==", ">=", "and", "or"]),
            below,
        ).map(" ".join),
        below.map(lambda text: f"({text})"),
        below.map(lambda text: f"-{text}"),
        below.map(lambda text: f"(not {text})"),
        st.tuples(below, below).map(lambda pair: f"{pair[0]} not in [{pair[1]}]"),
    ),
    max_leaves=8,
)
_PYTHON_OPERATORS: dict[type[python.AST], str] = {
    python.Add: "+", python.Sub: "-", python.Mult: "*", python.Div: "/", python.Mod: "%", python.Pow: "^",
    python.Lt: "<", python.Eq: "==", python.GtE: ">=", python.And: "and", python.Or: "or",
}  # fmt: skip


def _from_python(node: python.AST) -> ast.Node | None:
    """Return Python's own reading of a text as our tree; None where Python chains `in`, which we do not have."""
    match node:
        case python.Expression(body):
            return _from_python(body)
        case python.Name(name):
            return ast.Name(name)
        case python.Constant(value):
            return ast.Number(float(value))
        case python.UnaryOp(python.USub(), operand):
            below = _from_python(operand)
            return below and ast.Unary("-", below)
        case python.UnaryOp(python.Not(), operand):
            below = _from_python(operand)
            return below and ast.Not(below)
        case python.BinOp(left, operator, right):
            sides = [_from_python(left), _from_python(right)]
            return ast.Binary(_PYTHON_OPERATORS[type(operator)], *sides) if all(sides) else None
        case python.BoolOp(operator, values):
            operands = tuple(_from_python(value) for value in values)
            return ast.Logical(_PYTHON_OPERATORS[type(operator)], operands) if all(operands) else None
        case python.Compare(left, [python.NotIn()], [python.List(items)]):
            parts = [_from_python(part) for part in (left, *items)]
            return ast.Membership(parts[0], tuple(parts[1:]), True) if all(parts) else None
        case python.Compare(left, operators, right) if not any(isinstance(o, python.NotIn) for o in operators):
            operands = tuple(_from_python(part) for part in (left, *right))
            symbols = tuple(_PYTHON_OPERATORS[type(operator)] for operator in operators)
            return ast.Compare(symbols, operands) if all(operands) else None
    return None


@settings(max_examples=300)
@given(_PYTHON_TEXT)
def test_precedence_is_that_of_python(text: str) -> None:
    # Python's own parser is the oracle: the grammars share these operators.
    expected = _from_python(python.parse(text, mode="eval"))
    if expected is not None:
        assert parse_expression(text).root == expected


@pytest.mark.parametrize(
    ("text", "problems"),  # (start, end, part of the message or help)
    [
        ("a + * b", [(4, 5, "expected a value after `+`")]),
        ("a +", [(3, 3, "expected a value after `+`")]),
        ("a +  \n ", [(3, 3, "the expression ends here")]),
        ("* b", [(0, 1, "expected a value before `*`")]),
        ("exp(a + (b", [(3, 4, "unclosed parenthesis"), (8, 9, "unclosed parenthesis")]),
        ("x in ['a'", [(5, 6, "unclosed bracket")]),
        ("a) + b", [(1, 2, "`)` closes nothing")]),
        ("(a] + b", [(2, 3, "`(` is closed by `]`")]),
        ("x = 5", [(2, 3, "write `==`")]),
        ("x == 1 & y == 2", [(7, 8, "write `and`")]),
        ("x && y || z", [(2, 4, "write `and`"), (7, 9, "write `or`")]),
        ("z | !w", [(2, 3, "write `or`"), (4, 5, "write `not`")]),
        ("x <> 1 and y ≤ 2", [(2, 4, "write `!=`"), (13, 14, "write `<=`")]),
        ("x === 1", [(2, 5, "write `==`")]),
        ("a × b − c", [(2, 3, "write `*`"), (6, 7, "write `-`")]),
        ("T² + 1", [(1, 2, "write `^2`")]),
        ("a %in% b", [(2, 6, "write `in [...]`")]),
        ("x == 'abc", [(5, 9, "unterminated text")]),
        ('x == "a\nb"', [(5, 7, "unterminated text"), (9, 10, "unterminated text")]),
        ("`Soil temp + 1", [(0, 14, "unterminated name")]),
        ("x == “abc”", [(5, 10, "straight quotes")]),
        (r"x == 'a\q'", [(7, 9, "unknown escape `\\q`")]),
        ("Soil temp > 3", [(5, 9, "`Soil temp`")]),
        ("10cm + 2", [(2, 4, "`10cm`")]),
        ("a AND b", [(2, 5, "lower case")]),
        ("2(a)", [(1, 2, "write `*` for a product")]),
        ("x in 'a'", [(5, 8, "brackets")]),
        ("x in []", [(5, 7, "expected a value between `[` and `]`")]),
        ("f(a,)", [(4, 5, "expected a value after `,`")]),
        ("a, b", [(1, 2, "unexpected `,`")]),
        ("x[1]", [(1, 2, "no indexing")]),
        ("a not b", [(6, 7, "expected `in`")]),
        ("x == not y", [(5, 8, "put `not` in parentheses")]),
        ("1e999", [(0, 5, "too large")]),
        ("a + + ", [(5, 5, "expected a value after `+`")]),
        ("", [(0, 0, "empty expression")]),
        (" \n", [(0, 2, "empty expression")]),
        ("exp(a*T + ) + (b * ", [(10, 11, "after `+`"), (14, 15, "unclosed"), (18, 18, "after `*`")]),
        ("df$x > 1", [(2, 3, "name the column alone")]),
    ],
)  # fmt: skip
def test_syntax_errors(text: str, problems: list[tuple[int, int, str]]) -> None:
    diagnostics = found(text)
    assert [(d.span.start, d.span.end) for d in diagnostics if d.span] == [(start, end) for start, end, _ in problems]
    for diagnostic, (_, _, words) in zip(diagnostics, problems, strict=True):
        assert diagnostic.code == "SQ110"
        assert words in f"{diagnostic.message} {diagnostic.label} {diagnostic.help}"


@pytest.mark.parametrize(
    ("text", "formula", "code", "place", "words"),
    [
        ("a ~ b", False, "SQ113", (2, 3), "an expression is expected"),
        ("a:b", False, "SQ113", (1, 2), "interaction"),
        ("(1 | site)", False, "SQ110", (3, 4), "write `or`"),
        ("y", True, "SQ113", (0, 1), "a formula without `~`"),
        ("y ~ a ~ b", True, "SQ113", (6, 7), "a second `~`"),
        ("y ~ (a ~ b)", True, "SQ113", (7, 8), "inside parentheses"),
        ("~ a", True, "SQ113", (0, 1), "without a response"),
        ("y = a + b", True, "SQ113", (2, 3), "written with `~`"),
        ("y ~", True, "SQ110", (3, 3), "expected a value after `~`"),
        ("y ~ a | b", True, "SQ110", (6, 7), "`(1 | site)`"),
        ("y ~ (a || b)", True, "SQ110", (7, 9), "write `or`"),
        ("y ~ .", True, "SQ110", (4, 5), "name the columns"),
    ],
)
def test_formula_signs(text: str, formula: bool, code: str, place: tuple[int, int], words: str) -> None:
    (diagnostic,) = found(text, formula)
    assert diagnostic.span is not None
    assert (diagnostic.code, (diagnostic.span.start, diagnostic.span.end)) == (code, place)
    assert words in f"{diagnostic.message} {diagnostic.help}"


@settings(max_examples=400)
@given(
    st.one_of(
        st.text(max_size=30),
        st.text(alphabet="ab1.'\"`()[]+-*/%^<>=!&|~:, \n\\²", max_size=25),
        st.lists(
            st.sampled_from(
                ["and", "or", "not", "in", "(", ")", "[", "]", "x", "1", "+", "^", "~", "|", ",", "'a'", "<"]
            ),
            max_size=12,
        ).map(" ".join),
    ),
    st.booleans(),
)
def test_any_text_parses_or_is_explained(text: str, formula: bool) -> None:
    try:
        expression = (parse_formula if formula else parse_expression)(text)
    except SoilqlError as error:
        assert error.diagnostics
        for diagnostic in error.diagnostics:
            assert diagnostic.code in ("SQ110", "SQ113")
            assert diagnostic.span is not None
            assert 0 <= diagnostic.span.start <= diagnostic.span.end <= len(text)
            assert diagnostic.render()
    else:
        assert parse_formula(ast.to_text(expression.root)) if formula else expression.root


@pytest.mark.parametrize("text", ["(" * 100_000, "(" * 5000 + "x" + ")" * 5000, "f(" * 300 + "1" + ")" * 300])
def test_deep_nesting_is_an_error(text: str) -> None:
    (diagnostic,) = found(text)
    assert "nested more than 200 deep" in diagnostic.message


@pytest.mark.parametrize("text", ["-" * 20_000 + "x", "not " * 20_000 + "x", "x^" * 20_000 + "x", "x-" * 20_000 + "x"])
def test_long_chains_do_not_recurse(text: str) -> None:
    root = parse_expression(text).root
    assert parse_expression(ast.to_text(root)).root == root
    assert hash(root) == hash(ast.substitute(root, {"x": ast.Name("x")}))
    assert ast.names(root) == ("x",)


def test_lint_side_needs_no_numpy() -> None:
    code = (
        "import sys; from soilql.expr import ast, check, derivative, functions, linearity, parse, terms;"
        "parse.parse_expression('1'); sys.exit('numpy' in sys.modules or 'pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_spans_go_through_locate() -> None:
    source = Source("x.yaml", "where: 'Rs = 5'")
    with pytest.raises(SoilqlError) as caught:
        parse_expression("Rs = 5", lambda start, end: source.span(start + 8, end + 8))
    assert str(caught.value.diagnostics[0].span) == "x.yaml:1:12"
    expression = parse_expression("a + (b)", lambda start, end: source.span(start + 1, end + 1))
    assert isinstance(expression.root, ast.Binary)
    assert (expression.span(expression.root.right).start, expression.span(expression.root.right).end) == (5, 8)
    assert expression.span(ast.Name("built")).end == 8


def test_tree_helpers() -> None:
    root = parse_expression("b * exp(a + b) in [c]").root
    assert ast.names(root) == ("b", "a", "c")
    swapped = ast.substitute(root, {"a": ast.Name("b"), "b": ast.number(-1.0)})
    assert ast.to_text(swapped) == "-1 * exp(b + -1) in [c]"
    assert ast.fold(root, lambda node, below: 1 + max(below, default=0)) == 5
    assert root == parse_expression("b*exp( a+b ) in [c]").root
    assert root != parse_expression("b*exp( a+b ) not in [c]").root
    assert root != "text"
    with pytest.raises(ValueError, match="without sign"):
        ast.Number(-1.0)
    with pytest.raises(TypeError, match="not a formula"):
        _ = parse_expression("a").formula
