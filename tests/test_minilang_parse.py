"""The mini-language gives the tree of its YAML twin, with places in its own text."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from soilql import kinds
from soilql.convert import convert
from soilql.errors import Source
from soilql.inputs import Input
from soilql.lint import lint
from soilql.minilang.parse import parse_soilql
from soilql.minilang.words import FIRST_KEYS, SECTION_WORDS
from soilql.source import Mapping, Node, Scalar, Sequence, Tree, parse_yaml
from soilql.spec import build
from soilql.surface.same import plain
from soilql.using import Use


def parse(text: str) -> Tree:
    tree = parse_soilql(Source("x.soilql", text))
    assert not tree.diagnostics, tree.diagnostics[0].render()
    return tree


def at(tree: Tree, *path: str | int) -> Node:
    node: Node | None = tree.root
    for step in path:
        if isinstance(node, Sequence):
            assert isinstance(step, int)
            node = node.items[step]
        else:
            assert isinstance(node, Mapping)
            node = node.get(str(step))
    assert node is not None
    return node


def scalar(tree: Tree, *path: str | int) -> Scalar:
    found = at(tree, *path)
    assert isinstance(found, Scalar)
    return found


TWINS = {
    "version": ("soilql 1", "soilql: 1"),
    "meta": ('meta(title = "A, b", authors = [x, y])', 'meta: {title: "A, b", authors: [x, y]}'),
    "empty group": ("meta()", "meta: {}"),
    "any key": ("x-a = {b: [1, {c: null}]}\nextends = base.yaml", "x-a: {b: [1, {c: }]}\nextends: base.yaml"),
    "quoted key": ('"two words" = 1', "two words: 1"),
    "input": ("input a = 5", "inputs: {a: 5}"),
    "input with more": (
        'input a = "registry:x", choices = ["registry:x"], doc = "d"',
        'inputs: {a: {default: "registry:x", choices: [registry:x], doc: d}}',
    ),
    "use": (
        "use w = ../specs/w.yaml, blocks = [rs]\nanalysis a = compute(w::rs.mean - 1)",
        "use: {w: {from: ../specs/w.yaml, blocks: [rs]}}\nanalyses: {a: {kind: compute, expr: w::rs.mean - 1}}",
    ),
    "named": ("validation f = kfold(folds = 5, group = site)", "validation: {f: {kind: kfold, folds: 5, group: site}}"),
    "unnamed": ("zones z = cut(MAT, [2], labels = [a])", "zones: {z: {kind: cut, of: MAT, breaks: [2], labels: [a]}}"),
    "no argument": ("validation f = kfold()", "validation: {f: {kind: kfold}}"),
    "braces": ("validation f = {kind: kfold}", "validation: {f: {kind: kfold}}"),
    "trailing comma": ("zones z = cut(\nMAT,\n  breaks = [2,],\n)", "zones: {z: {kind: cut, of: MAT, breaks: [2]}}"),
    "expression": (
        'analysis r = compute(rh_from_rs(rs.mean, "bond-lamberty-2004"))',
        "analyses: {r: {kind: compute, expr: 'rh_from_rs(rs.mean, \"bond-lamberty-2004\")'}}",
    ),
    "formula": (
        "model m = nonlinear(Rs ~ a*exp(b*T), data = t, params = {a: {unit: g C m-2 yr-1}, b: {}})",
        "models: {m: {kind: nonlinear, formula: Rs ~ a*exp(b*T), data: t, params: {a: {unit: g C m-2 yr-1}, b: {}}}}",
    ),
    "reference": (
        "model m = kriging(x, trees = ${inputs.n})",
        'models: {m: {kind: kriging, "": x, trees: "${inputs.n}"}}',
    ),
    "scalars": (
        "x-a = [1, -2.5, 1e-3, 0x1F, .inf, true, no, None, none, 12:30, null, '1', \"true\", it's]",
        "x-a: [1, -2.5, 1e-3, 0x1F, .inf, true, no, None, none, 12:30, null, '1', \"true\", it's]",
    ),
    "escapes": (r'''x-a = ["\t\x41\u00e9\"\\", 'it''s \n']''', r'''x-a: ["\t\x41\u00e9\"\\", 'it''s \n']'''),
    "folded": ('x-a = "one\n  two\n\n  three\\\n  four"', 'x-a: "one\n  two\n\n  three\\\n  four"'),
    "unicode": ("model Größe = linear(`Höhe` ~ 名前)", "models: {Größe: {kind: linear, formula: '`Höhe` ~ 名前'}}"),
    "windows": ("soilql 1\r\ninput a = 5,\r\n  min = 1\r\n", "soilql: 1\ninputs: {a: {default: 5, min: 1}}"),
    "all indented": ("  soilql 1\n  input a = 5,\n    min = 1\n", "soilql: 1\ninputs: {a: {default: 5, min: 1}}"),
}  # fmt: skip


@pytest.mark.parametrize("name", TWINS)
def test_it_is_the_tree_of_its_twin(name: str) -> None:
    text, twin = TWINS[name]
    tree = parse_yaml(Source("x.yaml", twin))
    assert not tree.diagnostics
    assert plain(parse(text).root) == plain(tree.root)


PIPES = {
    "where Rs > 0 and Biome in [\"a\", 'b']": "where: Rs > 0 and Biome in [\"a\", 'b']",
    "where Rs > 0\n      and x < 1": "where: Rs > 0 and x < 1",
    "where Rs > 0  # good\n      # and y\n      and x < 1": "where: Rs > 0 and x < 1",
    "columns Rs = Rs_annual [g C m-2 yr-1]": "columns: {Rs: {from: Rs_annual, unit: g C m-2 yr-1}}",
    'columns Rs = "Soil resp" [g]': "columns: {Rs: {from: Soil resp, unit: g}}",
    "columns Rs = Rs_annual, y = floor(x)": "columns: {Rs: Rs_annual, y: {expr: floor(x)}}",
    "columns y = 2*x [mm]": "columns: {y: {expr: 2*x, unit: mm}}",
    "columns y = x in [1, 2]": "columns: {y: {expr: 'x in [1, 2]'}}",
    "columns y = {expr: x, type: text}": "columns: {y: {expr: x, type: text}}",
    "columns {y: x}": "columns: {y: x}",
    "columns\n      # first\n      y = x,\n      z = w": "columns: {y: x, z: w}",
    "roles lat = Latitude, lon = Longitude": "roles: {lat: Latitude, lon: Longitude}",
    "average Rs by lat, lon, time": "average: {of: Rs, by: [lat, lon, time]}",
    "average Rs, Rh by site min_count 2": "average: {of: [Rs, Rh], by: site, min_count: 2}",
    "average of = Rs, by = [site]": "average: {of: Rs, by: [site]}",
    "select Rs, year": "select: [Rs, year]",
    "select Rs": "select: Rs",
    "select [Rs]": "select: [Rs]",
    "missing NA, -9999": "missing: [NA, -9999]",
    "unheard_of 3": "unheard_of: 3",
}


@pytest.mark.parametrize("pipe", PIPES)
def test_lines_with_a_bar_are_keys_of_the_block(pipe: str) -> None:
    tree = parse(f"dataset d = table(a.csv)\n  | {pipe}\n")
    twin = parse_yaml(Source("x.yaml", f"datasets:\n  d:\n    kind: table\n    source: a.csv\n    {PIPES[pipe]}\n"))
    assert plain(tree.root) == plain(twin.root)


def test_a_bar_may_follow_the_parenthesis() -> None:
    assert plain(parse("dataset d = table(a) | select x\n").root) == plain(
        parse("dataset d = table(a)\n| select x").root
    )


def test_expressions_point_at_their_characters() -> None:
    text = 'dataset d = table(a)\n  | where Rs > 0  # good\n      and Mo == "a, b"\n  | columns y = floor(Mi) [mm]\n'
    tree = parse(text)
    where = scalar(tree, "datasets", "d", "where")
    assert where.text == 'Rs > 0 and Mo == "a, b"'
    start = where.text.index("Mo")
    assert where.locate(start, start + 2).start == text.index("Mo")
    expr = scalar(tree, "datasets", "d", "columns", "y", "expr")
    assert expr.locate(6, 8).start == text.index("Mi")
    assert scalar(tree, "datasets", "d", "columns", "y", "unit").span.text == "mm"


def test_a_misspelt_column_is_shown_where_it_stands() -> None:
    text = (
        "soilql 1\n"
        "dataset sites = simulate(1, on = world)\n"
        "  | columns Rs = MAT + 1 [g m-2]\n"
        "dataset world = simulate(1)\n"
        "  | grid resolution = 10\n"
        "  | variables MAT = 10 + lat\n"
        "model m = linear(\n"
        "  Rs ~ MAT\n"
        "    + Mo,\n"
        "  data = sites)\n"
    )
    found = [d for d in lint(build(parse(text), {})) if d.code == "SQ201"]
    assert [d.render().splitlines()[:3] for d in found] == [
        ["x.soilql:9:7: error SQ201 unknown name `Mo`", "9 |     + Mo,", "  |       ^^ not a column of `sites`"]
    ]


def test_keys_have_places_too() -> None:
    tree = parse("validation f = kfold(foldz = 5)")
    found = build(tree, {}).diagnostics
    assert [(d.code, d.span.text) for d in found if d.span and d.code == "SQ120"] == [("SQ120", "foldz")]


def test_every_section_has_its_word() -> None:
    assert set(SECTION_WORDS.values()) == {*FIRST_KEYS, *kinds.SECTIONS}
    assert FIRST_KEYS == {"inputs": Input.SHORTHAND, "use": Use.SHORTHAND}


def test_a_section_as_a_whole_and_a_block_of_it_are_one_too_many() -> None:
    tree = parse_soilql(Source("x.soilql", "zones = {a: 1}\nzones b = cut(x)\n"))
    assert [(d.code, d.message) for d in tree.diagnostics] == [("SQ103", "duplicate key `zones`")]


def test_values_with_and_without_a_name_are_the_same_key() -> None:
    tree = parse_soilql(Source("x.soilql", "zones z = cut(MAT, of = MAP)\n"))
    assert [(d.code, d.span.text) for d in tree.diagnostics if d.span] == [("SQ103", "of")]


def test_a_long_file_is_read_whole() -> None:
    block = convert(
        "datasets: {NAME: {kind: table, source: a.csv, where: x > 0 and y < 1, columns: {a: {from: b, unit: mm}}}}\n"
        "models: {MODEL: {kind: linear, formula: a ~ b + log(c), data: NAME}}\n",
        "yaml",
        "soilql",
    )
    count = 10_000 // block.count("\n") + 1
    text = "soilql 1\n" + "".join(block.replace("NAME", f"t{i}").replace("MODEL", f"m{i}") for i in range(count))
    assert text.count("\n") >= 10_000
    models = at(parse(text), "models")
    assert isinstance(models, Mapping)
    assert len(models.entries) == count


def test_it_needs_no_numpy() -> None:
    code = "import sys, soilql.minilang.parse, soilql.convert, soilql.minilang.write; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


_PIECES = st.sampled_from(
    ["(", ")", "[", "]", "{", "}", '"', "'", "`", "#", " # c\n", "|", "\n", "\n  | where ", "\n  ", ",", "=", "==", ":",
     "model m = linear(", "dataset a = table(", "soilql 1\n", "meta(", "${", "\\", "\t", "\r", "\r\n", "\0", "é",
     "input q = ",     "zones z", "a", " by ", "null", "[mm]", "x-a = "]
)  # fmt: skip


@settings(max_examples=300)
@given(st.one_of(st.text(max_size=80), st.lists(_PIECES, max_size=30).map("".join)))
@example("model m = linear(y ~ x" + "(" * 5000)
@example("x = " + "[" * 500)
@example("x = 'a\n" * 500)
def test_any_text_is_a_tree_or_has_diagnostics(text: str) -> None:
    tree = parse_soilql(Source("x.soilql", text))
    assert all(0 <= d.span.start <= d.span.end <= len(text) for d in tree.diagnostics if d.span)
    for diagnostic in build(tree, {}).diagnostics:
        assert diagnostic.render()
