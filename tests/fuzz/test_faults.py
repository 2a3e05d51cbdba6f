"""Texts that fuzzing found a fault with, each with the check that it failed."""

from __future__ import annotations

import pytest

from soilql.errors import Diagnostic, Source, close_names, visible
from soilql.expr.parse import parse_expression
from soilql.formula.identify import Prior, identify
from soilql.source import parse_yaml
from tests.fuzz.targets import TARGETS

FAULTS = [
    # A place behind the last character of a file.
    ("yaml", "s"),
    ("soilql", "soilql 1\nx-a = b"),
    ("yaml", "of: {rs, by: climate\0"),
    # A superscript is a digit to `str.isdigit`, and no number to `int`.
    ("yaml", "- >\u00b2\n  a"),
    ("yaml", "n,>\r\u00b2-a"),
    # Byte order marks that libyaml passes over without counting them.
    ("yaml", "\ufeffa: b  # c\n"),
    # Line breaks in what a message or the title of an edit shows.
    ("expression", "floor(x\u201d,\r"),
    ("expression", "a\u201d,\n 1)"),
    ("lint-yaml", 'soilql: 1\n"sel\\nect": 1\nmodels: {"a\\rb": {kind: "li\\near"}}\n'),
    # Functions without arguments.
    ("expression", "f() ~ x"),
    ("expression", "sqrt() ~ abs()"),
    ("expression", "I() ~ x"),
    # Empty keys, keys with anchors, and keys that an alias repeats.
    ("layout-yaml", "&skill: {a: 1}\n"),
    ("layout-yaml", "~: 1\nnull: 2\n? \n: 3\n"),
    ("layout-yaml", "&a x: 1\ny: *a\n"),
    ("layout-yaml", "x: &a b\n*a : 1\n"),
    ("convert-yaml", "&a x: &b 1\ny: *b\n"),
    # Keys that are too long for YAML once they are escaped.
    ("layout-yaml", '"' * 2 + "x" * 10 + "': 1\n"),
    ("layout-yaml", "l" + '"' * 900 + ": 1\n"),
    ("convert-soilql", 'soilql 1\nx-a("' + "\\t" * 400 + '" = 1)\n'),
    ("convert-soilql", 'soilql 1\nx-a = {"' + "a" * 1100 + '": 1}\n'),
    # A version that is a long text, and one that is none.
    ("layout-soilql", "soilql 1\n\n " + " and x < 100" * 20 + "\nmodel m = linear(y ~ x, data = t)\n"),
    ("layout-soilql", "soilql true\n"),
]


@pytest.mark.parametrize(("target", "text"), FAULTS, ids=range(len(FAULTS)))
def test_a_fault_stays_mended(target: str, text: str) -> None:
    TARGETS[target][0](text)


def test_characters_that_a_terminal_obeys_are_shown_instead() -> None:
    assert visible("a\tb\x00\x1b[2J\x7f\u202e\ufeffé𝄞") == "a\tb␀␛[2J\ufffd\ufffd\ufffdé𝄞"
    source = Source("x.yaml", "a: \x1b]0;owned\x07 b\n")
    shown = Diagnostic("SQ101", "`\x1b`\n", source.span(3, 4), "\r", "\x9b", notes=("\u2028",)).render()
    assert shown.replace("\n", "").isprintable()
    assert shown.splitlines()[2].index("^") == shown.splitlines()[1].index("␛")


def test_a_long_line_is_shown_in_part() -> None:
    source = Source("x.yaml", f"{'a' * 5000} wrong {'b' * 5000}")
    start = source.text.index("wrong")
    head, line, carets = Diagnostic("SQ110", "no", source.span(start, start + 5)).render().splitlines()
    assert head == f"x.yaml:1:{start + 1}: error SQ110 no"
    assert line.startswith("1 | ...")
    assert line.endswith("...")
    assert len(line) < 220
    assert line[carets.index("^") : carets.rindex("^") + 1] == "wrong"


def test_a_close_name_is_found_among_thousands() -> None:
    known = [f"column_{i}" for i in range(5000)] + ["Latitude", "soil_temperature"]
    assert close_names("Lattitude", known) == ["Latitude"]
    assert close_names("oil_temperature", known) == ["soil_temperature"]
    assert close_names("soil_temperatura", known) == ["soil_temperature"]
    assert close_names("qqq", known) == []


def test_too_many_parameters_are_not_told_apart() -> None:
    tree = parse_expression(" + ".join(f"p{i} * x" for i in range(100))).root
    assert identify(tree, {f"p{i}": Prior() for i in range(100)}, {}) is None


def test_aliases_without_end_are_a_finding_beside_others() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]", "a0: 1"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    tree = parse_yaml(Source("x.yaml", "\n".join(lines)))
    assert tree.root is None
    assert [one.code for one in tree.diagnostics] == ["SQ103", "SQ107"]
