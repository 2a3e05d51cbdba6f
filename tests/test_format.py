"""One layout for every spec: idempotent, with the same tree and the same comments."""

from __future__ import annotations

import random
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from soilql.convert import SURFACES, Surface, convert
from soilql.errors import SoilqlError, Source
from soilql.format import format_text
from soilql.minilang.parse import parse_soilql
from soilql.minilang.write import write_soilql
from soilql.source import Node, parse_yaml
from soilql.surface.comments import Comments
from soilql.surface.same import plain
from soilql.surface.yamlwrite import write_yaml
from tests.surface_support import specs

ROOT = Path(__file__).parent.parent
SPECS = sorted([*ROOT.glob("specs/*.yaml"), *ROOT.glob("examples/*.yaml")])
PARSERS = {"yaml": parse_yaml, "soilql": parse_soilql}


def tree_of(text: str, surface: Surface) -> object:
    tree = PARSERS[surface](Source("x", text))
    assert not tree.diagnostics
    return plain(tree.root)


def with_comments(text: str, surface: Surface, seed: int) -> tuple[str, list[str]]:
    """Put comments between and behind the lines of a text, where they do not become a part of a value."""
    rng = random.Random(seed)
    lines = text.splitlines()
    expected = tree_of(text, surface)
    made: list[str] = []
    for i in sorted(rng.sample(range(len(lines)), min(len(lines), 6)), reverse=True):
        comment = f"# comment {len(made)}"
        changed = list(lines)
        if rng.random() < 0.5:
            changed[i] = f"{lines[i]}  {comment}"
        else:
            changed.insert(i, " " * rng.choice((0, 2, 4, 6, len(lines[i]) - len(lines[i].lstrip()))) + comment)
        tree = PARSERS[surface](Source("x", "\n".join(changed) + "\n"))
        if not tree.diagnostics and plain(tree.root) == expected:
            lines = changed
            made.append(comment)
    return "\n".join(lines) + "\n", made


# Specs are large, and a failing one is shrunk for minutes.
@settings(suppress_health_check=[HealthCheck.too_slow], phases=[Phase.explicit, Phase.generate])
@given(specs(), st.integers(0, 10**6), st.sampled_from(SURFACES))
def test_comments_are_kept_and_the_layout_is_stable(root: Node, seed: int, surface: Surface) -> None:
    text = write_yaml(root, Comments()) if surface == "yaml" else write_soilql(root, Comments())
    commented, made = with_comments(text, surface, seed)
    formatted = format_text(commented, surface)
    assert tree_of(formatted, surface) == plain(root)
    assert format_text(formatted, surface) == formatted
    other = next(name for name in SURFACES if name != surface)
    converted = convert(commented, surface, other)
    for result in (formatted, converted):
        assert Counter(re.findall(r"# comment \d+", result)) == Counter(made)


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_the_specs_keep_what_they_say(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    formatted = format_text(text, "yaml")
    assert tree_of(formatted, "yaml") == tree_of(text, "yaml")
    assert format_text(formatted, "yaml") == formatted
    assert max(map(len, formatted.splitlines())) <= max(100, max(map(len, re.findall(r".*#.*", text)), default=0))


def test_the_layout_of_yaml() -> None:
    text = """\
soilql:   1
meta: { title:  "A study",
   doi: '10.1/x' }
datasets:


    a:   {kind:   table, source: "a.csv"}
    b:
        kind: table
        source: ['b.csv',   "c: d.csv"]
        where: >-
            x > 0
            and y == "z"
        columns: {Rs: {from: Rs_annual_of_the_original_table, unit: g C m-2 yr-1}, y: {expr: floor(Study_mid)}, z: x}


models:
    m: {kind: linear, formula: "log(y) ~ C(z)", data: a}   # a fit
"""
    assert (
        format_text(text, "yaml")
        == """\
soilql: 1
meta: {title: A study, doi: 10.1/x}
datasets:
  a: {kind: table, source: a.csv}
  b:
    kind: table
    source: [b.csv, "c: d.csv"]
    where: x > 0 and y == "z"
    columns:
      Rs: {from: Rs_annual_of_the_original_table, unit: g C m-2 yr-1}
      y: {expr: floor(Study_mid)}
      z: x

models:
  m: {kind: linear, formula: log(y) ~ C(z), data: a}  # a fit
"""
    )


def test_long_lists_of_values_fill_their_lines_and_others_have_a_line_for_each() -> None:
    years = ", ".join(map(str, range(1961, 1991)))
    text = f"""\
datasets:
  a:
    kind: simulate
    years: [{years}]
    noted: [{years}]  # since records began
    mixed: [{{from: a_rather_long_name_of_a_column}}, {{from: another_long_name_of_a_column}}, [1, 2, 3]]
"""
    formatted = format_text(text, "yaml")
    assert tree_of(formatted, "yaml") == tree_of(text, "yaml")
    assert format_text(formatted, "yaml") == formatted
    first, second = formatted.splitlines()[3:5]
    assert first == "    years: [1961, 1962, 1963, 1964, 1965, 1966, 1967, 1968, 1969, 1970, 1971, 1972, 1973, 1974,"
    assert second == "            1975, 1976, 1977, 1978, 1979, 1980, 1981, 1982, 1983, 1984, 1985, 1986, 1987, 1988,"
    assert "            1989, 1990]\n    noted:  # since records began\n      - 1961\n" in formatted
    assert "    mixed:\n      - {from: a_rather_long_name_of_a_column}\n" in formatted


def test_the_layout_of_the_mini_language() -> None:
    text = """\
soilql 1
dataset   a=table( "a.csv"   )|where x>0
  | columns y = z,w = q   # new
model m = linear(log(y) ~ C(z) + a_variable_with_a_long_name + another_variable_with_a_long_name, data=a)
model n = linear( y ~
   z, data = a, )



validation f = kfold()
"""
    assert (
        format_text(text, "soilql")
        == """\
soilql 1

dataset a = table(a.csv)
  | where x>0
  | columns y = z, w = q  # new

model m = linear(
  log(y) ~ C(z) + a_variable_with_a_long_name + another_variable_with_a_long_name,
  data = a,
)

model n = linear(y ~ z, data = a)

validation f = kfold()
"""
    )


def test_anchors_and_aliases_are_kept() -> None:
    text = """\
x-base: &base   {folds: 5, group: &g  'site'}
validation:
  f: &f
     <<: *base
     kind:  kfold
  g: *f
x-list: [*g, &h "a: b", *h]
"""
    formatted = format_text(text, "yaml")
    assert (
        formatted
        == """\
x-base: &base {folds: 5, group: &g site}
validation:
  f: &f
    <<: *base
    kind: kfold
  g: *f

x-list: [*g, &h "a: b", *h]
"""
    )
    assert tree_of(formatted, "yaml") == tree_of(text, "yaml")


def test_statements_keep_their_order() -> None:
    text = "model m = linear(y ~ x, data = a)\n\ndataset a = table(a.csv)\n\nmodel n = linear(y ~ z, data = a)\n"
    assert format_text(text, "soilql") == text


@pytest.mark.parametrize(("text", "surface"), [("a: [", "yaml"), ("a: 1\na: 2", "yaml"), ("model m = f(", "soilql")])
def test_text_with_syntax_errors_is_refused(text: str, surface: Surface) -> None:
    with pytest.raises(SoilqlError) as error:
        format_text(text, surface)
    assert error.value.diagnostics


@pytest.mark.parametrize("surface", SURFACES)
def test_an_empty_text_stays_empty(surface: Surface) -> None:
    assert format_text("", surface) == ""
    assert format_text("\n\n# only this\n", surface) == "# only this\n"
