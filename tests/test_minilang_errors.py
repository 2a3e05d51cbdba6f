"""What is said about mini-language text with syntax errors: all of them in one pass, in words, in their places."""

from __future__ import annotations

import pytest

from soilql.errors import Source
from soilql.minilang.parse import parse_soilql


def errors(text: str) -> list[str]:
    tree = parse_soilql(Source("x", text))
    assert tree.root is None
    assert {d.code for d in tree.diagnostics} <= {"SQ150", "SQ107"}
    return [d.render() for d in tree.diagnostics]


def test_all_errors_are_found_in_one_pass() -> None:
    text = (
        "soilql 1\n"
        "datset a = table(x)\n"
        "dataset b = table(registry:x\n"
        "  | where Rs > (0 and x\n"
        "  | columns Rs = , y = z\n"
        "model m = linear(Rs ~ x, data t)\n"
        "analysis r = predict(m on = g)\n"
        "analysis s = total(of = [a, b, by = c)\n"
        "zones z = cut(MAT, breaks = [2])\n"
        "zones y = cut(MAT, x = {a = 1})\n"
    )
    found = parse_soilql(Source("x", text)).diagnostics
    assert [d.span.line for d in found if d.span] == [2, 3, 4, 5, 7, 8, 10]


CASES = {
    "datset a = table(x)": """\
x:1:1: error SQ150 no statement begins like this
1 | datset a = table(x)
  | ^^^^^^^^^^^^^^^^^^^
  = help: did you mean `dataset`?""",
    "datasets:\n": """\
x:1:1: error SQ150 no statement begins like this
1 | datasets:
  | ^^^^^^^^^
  = help: this is how YAML is written; here it is `datasets = ...`""",
    "model m = linear(y ~ exp(x, data = t)\n": """\
x:1:25: error SQ150 unclosed parenthesis
1 | model m = linear(y ~ exp(x, data = t)
  |                         ^ opened here and never closed
  = help: add the missing `)`""",
    "model m = linear(y ~ x,\nmodel n = linear(y ~ x)": """\
x:1:17: error SQ150 unclosed parenthesis
1 | model m = linear(y ~ x,
  |                 ^ opened here and never closed
  = help: add the missing `)`""",
    "zones z = cut(\n  MAT\n  breaks = [2])": """\
x:3:3: error SQ150 expected `,` before `breaks`
3 |   breaks = [2])
  |   ^^^^^^
  = help: end the value before it with a comma; to compare, write `breaks == ...`""",
    "dataset d = table(a)\n  | where Year = 2000": """\
x:2:16: error SQ150 `=` does not compare
2 |   | where Year = 2000
  |                ^ expected `==`
  = help: write `Year == ...`""",
    "validation f = kfold(5)": """\
x:1:22: error SQ150 a value without a name
1 | validation f = kfold(5)
  |                      ^ `kfold` takes values with names only
  = help: write `NAME = ...`; names: folds, group, seed""",
    "validation f = kfold(folds: 5)": """\
x:1:27: error SQ150 a name and its value are joined by `=` here
1 | validation f = kfold(folds: 5)
  |                           ^ found `:`
  = help: write `folds = ...`; `name: value` stands in braces `{ }`""",
    'x-a = "text': """\
x:1:7: error SQ150 unterminated text
1 | x-a = "text
  |       ^^^^^ opened here and not closed by \"""",
    r'x-a = "\q"': r"""x:1:8: error SQ150 no escape `\q` in a text
1 | x-a = "\q"
  |        ^^
  = help: write `\\` for a backslash, or the text in single quotes""",
    "  | where x": """\
x:1:3: error SQ150 a line with `|` belongs to a block, and none stands above it
1 |   | where x
  |   ^
  = help: begin with `dataset NAME = KIND(...)`""",
    "input a = 5\n  | where x": """\
x:2:3: error SQ150 only a block with a kind takes lines with `|`
2 |   | where x
  |   ^""",
    "dataset d = table(a)\n  | where": """\
x:2:10: error SQ150 expected a value after `where`
2 |   | where
  |          ^ the statement ends here""",
    "meta(title = a, b)": """\
x:1:17: error SQ150 a value without a name
1 | meta(title = a, b)
  |                 ^ expected `name = value`
  = help: name all of them or none""",
}


@pytest.mark.parametrize("text", CASES)
def test_what_is_said(text: str) -> None:
    assert errors(text) == [CASES[text]]


def test_nesting_has_a_limit() -> None:
    tree = parse_soilql(Source("x", "x-a = " + "[" * 5000))
    assert [d.code for d in tree.diagnostics] == ["SQ107"]


def test_there_is_an_end_to_errors() -> None:
    assert len(parse_soilql(Source("x", "foo bar\n" * 5000)).diagnostics) == 100
