"""Typed inputs: what a value may be, where it goes, and what is said of one that may not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soilql.errors import Diagnostic, Severity, Source
from soilql.inputs import Input, origin, range_ends
from soilql.lint import lint
from soilql.source import Mapping, parse_yaml, plain
from soilql.spec import Spec, build

HEAD = "soilql: 1\n"


def spec(text: str, **settings: str) -> Spec:
    return build(parse_yaml(Source("x.yaml", HEAD + text)), settings)


def shown(text: str, **settings: str) -> Any:
    """Value of the key `x-shown` after the inputs were put in."""
    found = spec(text, **settings)
    assert [d.render() for d in found.diagnostics] == []
    assert found.resolved is not None
    return plain(found.resolved.get("x-shown"))


def said(text: str, **settings: str) -> list[str]:
    return [f"{d.span}: {d.severity} {d.code} {d.message}" for d in spec(text, **settings).diagnostics]


# --- types ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("declared", "setting", "value"),
    [
        ("5", None, 5),
        ("5", "7", 7),
        ("0.5", "1e-3", 0.001),
        ("0.5", "2", 2),
        ("false", "true", True),
        ("text", "2000", "2000"),
        ("text", "[a]", "[a]"),
        ("text", "no", "no"),
        ("'5'", "6", "6"),
        ("{default: [a, b]}", "c, d", ["c", "d"]),
        ("[1, 2]", "3", [3]),
        ("[1, 2]", "[3, 4]", [3, 4]),
        ("{default: {MAT: T}}", "{MAP: P}", {"MAP": "P"}),
        ("{default: {MAT: T}}", None, {"MAT": "T"}),
        ("{type: range, default: 1990-2010}", None, [1990, 2010]),
        ("{type: range, default: 1990-2010}", "2000-2014", [2000, 2014]),
        ("{type: range, default: 1990-2010}", "[2000, 2014]", [2000, 2014]),
        ("{type: range, default: [-60, 60]}", "-30..30", [-30, 30]),
        ("{type: reference, default: srdb}", "other", "other"),
        ("{type: reference, default: [a, b.mean]}", None, ["a", "b.mean"]),
        ("{type: number, default: 5}", "0.5", 0.5),
    ],
)
def test_a_value_has_the_type_of_its_declaration(declared: str, setting: str | None, value: Any) -> None:
    settings = {} if setting is None else {"n": setting}
    found = shown(f"inputs: {{n: {declared}}}\nx-shown: ${{inputs.n}}\n", **settings)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("declared", "setting", "problem"),
    [
        ("5", "many", "must be integer"),
        ("5", "5.5", "must be integer"),
        ("5", "", "must be integer"),
        ("false", "1", "must be boolean"),
        ("{default: 5, min: 1, max: 9}", "0", "must be at least 1"),
        ("{default: 5, min: 1, max: 9}", "10", "must be at most 9"),
        ("{default: [5], min: 1}", "[3, 0]", "must be at least 1"),
        ("{default: [5], min: 1}", "[3, x]", "must be a list of numbers"),
        ("{default: [a], choices: [a, b]}", "a, c", "must be one of a, b"),
        ("{type: range, default: 1990-2010}", "2010", "must be a range of whole numbers such as 2000-2014"),
        ("{type: range, default: 1990-2010}", "2010-1990", "must not end before it begins"),
        ("{type: range, default: 1990-2010, max: 2020}", "2000-2021", "must be at most 2020"),
        ("{type: range, default: 1990-2010}", "0-999999", "must not have more than 10000 numbers"),
        ("{type: reference, default: srdb}", "a b", "must be the name of a block"),
        ("{default: {a: b}}", "5", "must be a mapping"),
        ("0.5", ".nan", ""),
    ],
)
def test_a_value_that_is_not_allowed_is_an_error(declared: str, setting: str, problem: str) -> None:
    found = said(f"inputs: {{n: {declared}}}\nx-shown: ${{inputs.n}}\n", n=setting)
    assert found == ([f"None: error SQ131 --set n={setting}: `n` {problem}"] if problem else [])


def test_a_number_that_is_none_is_within_no_bounds() -> None:
    assert Input(default=1.0, min=0).problem(float("nan")) == "must be at least 0"


def test_a_default_is_checked_like_any_value() -> None:
    found = said("inputs: {n: {default: 0, min: 1}}\nx-shown: ${inputs.n}\n")
    assert found == ["x.yaml:2:23: error SQ131 default of input `n` must be at least 1"]


def test_bounds_that_mean_nothing_are_refused() -> None:
    text = "inputs: {n: {default: 5, min: 9, max: 1}}\nx-shown: ${inputs.n}\n"
    assert said(text) == ["x.yaml:2:31: error SQ126 `min` 9 is above `max` 1"]
    text = "inputs: {n: {default: a, max: 1}}\nx-shown: ${inputs.n}\n"
    assert said(text) == ["x.yaml:2:31: error SQ126 `max` is for numbers, and the input is text"]


@given(st.integers(-(10**6), 10**6), st.integers(0, 9999))
def test_ranges_are_read_as_written(first: int, length: int) -> None:
    last = first + length
    assert range_ends(f"{first}..{last}") == range_ends(f"{first}-{last}") == range_ends([first, last]) == (first, last)


# --- where values go ------------------------------------------------------------------------------------------------

YEARS = "inputs: {years: {type: range, default: 2000-2003}}\n"


def test_a_range_has_ends_and_members() -> None:
    text = YEARS + "x-shown: ['${inputs.years.first}', '${inputs.years.last}', '${inputs.years.all}']\n"
    assert shown(text) == [2000, 2003, [2000, 2001, 2002, 2003]]
    assert shown(text, years="1990-1991") == [1990, 1991, [1990, 1991]]


def test_only_a_range_has_parts() -> None:
    assert said(YEARS + "x-shown: ${inputs.years.middle}\n") == [
        "x.yaml:3:19: error SQ132 input `years` has no part `middle`"
    ]
    assert said("inputs: {n: 5}\nx-shown: ${inputs.n.first}\n") == [
        "x.yaml:3:19: error SQ132 input `n` has no part `first`"
    ]


def test_a_reference_inside_a_list_or_mapping_is_one_item() -> None:
    text = "inputs: {a: 1, b: [2, 3]}\nx-shown: {l: ['${inputs.a}', x, '${inputs.b}'], m: {k: '${inputs.b}'}}\n"
    assert shown(text) == {"l": [1, "x", [2, 3]], "m": {"k": [2, 3]}}


def test_a_list_reaches_the_parameters_of_a_kind() -> None:
    text = (
        "inputs: {breaks: [2, 17]}\nzones:\n  z: {kind: cut, of: MAT, breaks: '${inputs.breaks}', labels: [a, b, c]}\n"
    )
    assert spec(text).blocks["z"].params.breaks == [2.0, 17.0]
    assert spec(text, breaks="1, 2").blocks["z"].params.breaks == [1.0, 2.0]


def test_a_value_that_does_not_fit_is_reported_where_it_is_used() -> None:
    text = (
        "inputs: {breaks: [2, x]}\nzones:\n  z: {kind: cut, of: MAT, breaks: '${inputs.breaks}', labels: [a, b, c]}\n"
    )
    assert [m.partition(": ")[0] for m in said(text)] == ["x.yaml:4:35"]


def test_a_value_knows_where_it_was_written() -> None:
    found = spec("inputs: {s: data.csv}\ndatasets:\n  d: {kind: table, source: '${inputs.s}'}\n")
    node = found.blocks["d"].node_at("source")
    assert str(node.span) == "x.yaml:4:28"
    assert str(origin(node)) == "x.yaml:2:13"


# --- unused and unknown ---------------------------------------------------------------------------------------------


def test_an_unused_input_is_a_warning() -> None:
    (found,) = spec("inputs: {n: 5, m: 6}\nx-shown: ${inputs.n}\n").diagnostics
    assert (found.code, found.severity, str(found.span)) == ("SQ133", Severity.WARNING, "x.yaml:2:16")
    assert found.message == "nothing uses input `m`"


def test_a_misspelt_reference_does_not_make_its_input_unused_too() -> None:
    found = said("inputs: {trees: 5}\nx-shown: ${inputs.tree}\n")
    assert found == ["x.yaml:3:19: error SQ132 unknown input `tree`"]


def test_a_declaration_that_is_wrong_does_not_make_its_references_unknown() -> None:
    found = said("inputs: {n: {defualt: 5}}\nx-shown: ${inputs.n}\n")
    assert len(found) == 1
    assert "SQ120" in found[0]


def test_keys_for_notes_are_no_inputs() -> None:
    assert said("inputs: {x-note: anything}\n") == []


def test_findings_of_inputs_have_a_place_and_are_sorted() -> None:
    found: list[Diagnostic] = lint(spec("inputs: {n: 5}\n", m="1"))
    assert [d.code for d in found] == ["SQ130", "SQ133"]


def test_an_input_cannot_refer_to_another() -> None:
    found = said("inputs: {a: '${inputs.b}', b: 1}\nx-shown: ['${inputs.a}', '${inputs.b}']\n")
    assert found == ["x.yaml:2:13: error SQ132 an input cannot refer to another"]


def test_a_value_is_put_in_once() -> None:
    text = "inputs: {a: x}\nx-shown: ${inputs.a}\n"
    assert shown(text, a="${inputs.a}") == "${inputs.a}"


def test_the_section_itself_is_not_part_of_the_resolved_spec() -> None:
    resolved = spec("inputs: {n: 5}\nx-shown: ${inputs.n}\n").resolved
    assert isinstance(resolved, Mapping)
    assert [entry.name for entry in resolved] == ["soilql", "x-shown"]
