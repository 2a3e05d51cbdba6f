"""The edits that diagnostics offer: what they make of a text, that they never break it, and how files are written."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from soilql.edits import one_letter_off, removed, replaced, respelled
from soilql.errors import Diagnostic, Fix, SoilqlError, Source
from soilql.fix import MAX_ROUNDS, difference, mend, write_text
from soilql.lint_files import lint_source
from soilql.parse import parse_source
from soilql.source import parse_yaml
from tests.test_lint import EDITS, STUDY, edited

SPEC = """\
soilql: 1
datasets:
  srdb:
    kind: table
    source: registry:srdb-v5
    where: Rs_annual > 0 and Annual_coverage >= 0.9 and Manipulation == "None"
    columns: {Rs: {from: Rs_annual, unit: g C m-2 yr-1}, year: {expr: floor(Study_midyear)}}
    roles: {lat: Latitude, lon: Longitude, time: year}
    average: {of: Rs, by: [lat, lon, time]}
  drivers: {kind: grid, source: registry:jian2021-drivers}
  training: {kind: extract, at: srdb, from: drivers, variables: [MAT, MAP, SOC]}
models:
  # the response to temperature
  resp: {kind: nonlinear, formula: Rs ~ a * exp(b * MAT), params: [a, b], data: training}
  lm: {kind: linear, formula: log(Rs) ~ MAT + MAP, data: training}
validation:
  by_site: {kind: kfold, folds: 10, group: site}
analyses:
  skill: {kind: evaluate, models: [resp, lm], scheme: by_site}
  rs: {kind: predict, model: resp, on: drivers}
"""


def check(source: Source) -> list[Diagnostic]:
    return lint_source(source, {})


def mended(text: str, *, unsafe: bool = False, name: str = "x.yaml") -> str:
    return mend(Source(name, text), check, parse_source, unsafe=unsafe).source.text


def errors(text: str, name: str = "x.yaml") -> list[str]:
    return [d.render() for d in check(Source(name, text)) if d.severity == "error"]


def test_the_spec_of_these_tests_is_sound() -> None:
    assert errors(SPEC) == []


# What stands in the spec, what was written instead.
SAFE = {
    "key": ("folds: 10", "fold: 10"),
    "key with letters swapped": ("average: {of", "avearge: {of"),
    "required key": ("from: drivers,", "form: drivers,"),
    "kind": ("kind: extract", "kind: extrct"),
    "section": ("validation:\n", "validations:\n"),
    "upper case": ("models: [resp, lm]", "Models: [resp, lm]"),
    "and": ("0 and Annual", "0 && Annual"),
    "and without blanks": ("0 and Annual", "0&&Annual"),
    "vectorised and of R": ("0 and Annual", "0 & Annual"),
    "or": (' and Manipulation == "None"', ' || Manipulation == "None"'),
    "equals": ('Manipulation == "None"', 'Manipulation = "None"'),
    "arrow": ("Annual_coverage >= 0.9", "Annual_coverage => 0.9"),
    "greater or equal of mathematics": ("Annual_coverage >= 0.9", "Annual_coverage ≥ 0.9"),
    "typographic quotes": ('"None"', "“None”"),
    "version": ("soilql: 1\n", ""),
    "version in quotes": ("soilql: 1\n", "soilql: '1'\n"),
    "number in quotes": ("folds: 10", 'folds: "10"'),
    "parameters": (", params: [a, b], data", ", data"),
}


@pytest.mark.parametrize("what", SAFE)
def test_what_is_certain_is_mended_unasked(what: str) -> None:
    right, wrong = SAFE[what]
    assert SPEC.count(right) == 1
    text = SPEC.replace(right, wrong)
    expected = SPEC.replace(' and Manipulation == "None"', ' or Manipulation == "None"') if what == "or" else SPEC
    assert mended(text) == expected


@pytest.mark.parametrize(
    ("old", "wrong", "right"),
    [
        ("~ MAT + MAP,", "~ MAT + MAP^2,", "~ MAT + I(MAP^2),"),
        ("~ MAT + MAP,", "~ MAT + MAP²,", "~ MAT + I(MAP^2),"),
        ("~ MAT + MAP,", "= MAT + MAP,", "~ MAT + MAP,"),
        ('0 and Annual_coverage >= 0.9 and Manipulation == "None"', "0 and !missing(Rs_annual)", None),
        ("Rs_annual > 0", "(! (Rs_annual <= 0))", "(not (Rs_annual <= 0))"),
        ("expr: floor(Study_midyear)", "expr: Study_midyear − 1", "expr: Study_midyear - 1"),
    ],
)
def test_operators_of_other_languages(old: str, wrong: str, right: str | None) -> None:
    assert SPEC.count(old) == 1
    expected = wrong.replace("!", "not ") if right is None else right
    assert mended(SPEC.replace(old, wrong)) == SPEC.replace(old, expected)


def test_not_inside_a_comparison_is_left_to_the_author() -> None:
    text = SPEC.replace('Manipulation == "None"', "missing(Rs_annual) == !missing(Manipulation)")
    assert mended(text, unsafe=True) == text


UNSAFE = {
    "column": ("exp(b * MAT)", "exp(b * MATT)"),
    "role": ("lat: Latitude", "lat: Lattitude"),
    "block": ("scheme: by_site", "scheme: by_sit"),
    "function": ("floor(", "flor("),
}


@pytest.mark.parametrize("what", UNSAFE)
def test_what_the_author_named_is_respelled_only_when_asked(what: str) -> None:
    right, wrong = UNSAFE[what]
    assert SPEC.count(right) == 1
    text = SPEC.replace(right, wrong)
    assert mended(text) == text
    assert mended(text, unsafe=True) == SPEC


def test_an_unused_block_is_deleted_only_when_asked() -> None:
    text = SPEC.replace("validation:\n", "validation:\n  by_chance: {kind: kfold, folds: 5}  # for comparison\n")
    assert mended(text) == text
    assert mended(text, unsafe=True) == SPEC
    last = SPEC.replace("group: site}\n", "group: site}\n  by_chance:\n    kind: kfold\n    folds: 5\n")
    assert mended(last, unsafe=True) == SPEC


def test_a_duplicate_key_goes_only_if_both_say_the_same() -> None:
    again = "    source: registry:srdb-v5\n"
    assert mended(SPEC.replace(again, 2 * again)) == SPEC
    other = SPEC.replace(again, again + "    source: registry:srdb-v3\n")
    assert mended(other, unsafe=True) == other
    braces = SPEC.replace("folds: 10, group", "folds: 10, folds: 10, group")
    assert mended(braces) == SPEC
    number_and_text = SPEC.replace("folds: 10, group", "folds: 10, folds: '10', group")
    assert mended(number_and_text) == number_and_text


def test_two_misspellings_of_one_key_leave_one_to_the_author() -> None:
    text = SPEC.replace("folds: 10", "fold: 10, foldss: 5")
    assert "folds: 10, foldss: 5" in mended(text)


def test_several_close_names_are_left_to_the_author() -> None:
    text = SPEC.replace("[MAT, MAP, SOC]", "[MAT, MAP]").replace("~ MAT + MAP,", "~ MAT + MAX,")
    (found,) = [d for d in check(Source("x.yaml", text)) if d.code == "SQ201"]
    assert {fix.replacement for fix in found.fixes} == {"MAT", "MAP"}
    assert mended(text, unsafe=True) == text


# --- parameters of a formula ------------------------------------------------------------------------------------------


def test_parameters_are_written_in_the_manner_of_the_block() -> None:
    flow = "  resp: {kind: nonlinear, formula: Rs ~ a * exp(b * MAT), params: [a, b], data: training}\n"
    block = (
        "  resp:\n    kind: nonlinear\n    formula: >-  # Lloyd and Taylor\n      Rs ~ a\n      * exp(b * MAT)\n"
        "    data: training\n"
    )
    written = block.replace("exp(b * MAT)\n", "exp(b * MAT)\n    params: [a, b]\n")
    assert mended(SPEC.replace(flow, block)) == SPEC.replace(flow, written)
    plain = "  resp:\n    formula: Rs ~ a * exp(b * MAT)  # as in 1994\n    kind: nonlinear\n    data: training\n"
    with_key = plain.replace("1994\n", "1994\n    params: [a, b]\n")
    assert mended(SPEC.replace(flow, plain)) == SPEC.replace(flow, with_key)


def test_a_misspelt_column_never_becomes_a_parameter() -> None:
    text = SPEC.replace("exp(b * MAT), params: [a, b]", "exp(b * MATT + SOCC / k)")
    result = mend(Source("x.yaml", text), check, parse_source)
    assert "exp(b * MATT + SOCC / k), params: [a, b, k]" in result.source.text
    assert sorted(d.span.text for d in result.findings if d.code == "SQ201" and d.span) == ["MATT", "SOCC"]


def test_parameters_are_not_guessed_where_the_columns_are_unknown() -> None:
    text = SPEC.replace(", params: [a, b]", "").replace("source: registry:srdb-v5", "source: own.csv")
    text = text.replace("    average: {of: Rs, by: [lat, lon, time]}\n", "")
    assert mended(text, unsafe=True) == text


def test_constants_are_no_parameters() -> None:
    text = SPEC.replace("exp(b * MAT), params: [a, b],", "exp(b * (MAT - T0)) * pi, constants: {T0: 10},")
    assert "pi, params: [a, b], constants" in mended(text)


def test_the_mini_language_is_mended_too() -> None:
    text = """\
soilql 1
dataset srdb = table(registry:srdb-v5)
  | where Rs_annual > 0 && Annual_coverage >= 0.9 and Manipulation == "None"
  | columns Rs = Rs_annual [g C m-2 yr-1]
  | roles lat = Latitude, lon = Longitude
  | select Rs
dataset drivers = grid(registry:jian2021-drivers)
dataset training = extract(at = srdb, from = drivers, variables = [MAT, MAP])
model resp = nonlinear(Rs ~ a * exp(b * MAT), data = training)
validation by_site = kfold(fold = 10, group = site)
analysis skill = evaluate(models = resp, scheme = by_site)
analysis rs = predict(resp, on = drivers)
"""
    new = mended(text, name="x.soilql")
    expected = (
        text.replace("&&", "and").replace("MAT), data", "MAT), params = [a, b], data").replace("fold =", "folds =")
    )
    assert new == expected
    assert errors(new, "x.soilql") == []
    assert mended(text.removeprefix("soilql 1\n"), name="x.soilql") == new


# --- the machinery ----------------------------------------------------------------------------------------------------


def offers(*edits: tuple[int, int, str]) -> list[Diagnostic]:
    source = Source("x.yaml", "a: [b, c]\n")
    return [Diagnostic("SQ110", "", fixes=(Fix(source.span(i, j), new, True, new),)) for i, j, new in edits]


def once(found: list[Diagnostic], text: str = "a: [b, c]\n") -> str:
    """Mend a text by these findings, of which none is left afterwards."""
    return mend(Source("x.yaml", text), lambda s: found if s.text == text else [], parse_yaml).source.text


def test_edits_that_touch_one_another_are_not_made_together() -> None:
    assert once(offers((4, 5, "x"), (7, 8, "y"))) == "a: [x, y]\n"
    assert once(offers((4, 5, "x"), (4, 8, "y"))) == "a: [x, c]\n"
    assert once(offers((4, 5, "x"), (5, 7, "; "))) == "a: [x, c]\n"


def test_an_edit_that_would_break_the_text_is_left_out_and_the_others_are_made() -> None:
    assert once(offers((4, 5, "x"), (8, 9, ""))) == "a: [x, c]\n"
    assert once(offers((4, 5, "x, y"), (7, 8, "z"))) == "a: [b, z]\n"  # one item would become two


def test_an_edit_of_another_file_or_another_state_of_it_is_not_made() -> None:
    other = Source("y.yaml", "a: [b, c]\n")
    assert once([Diagnostic("SQ110", "", fixes=(Fix(other.span(4, 5), "x", True, ""),))]) == "a: [b, c]\n"
    old = Source("x.yaml", "a: [bb, c]\n")
    assert once([Diagnostic("SQ110", "", fixes=(Fix(old.span(4, 6), "x", True, ""),))]) == "a: [b, c]\n"


def test_edits_without_end_stop_after_some_rounds() -> None:
    def flip(source: Source) -> list[Diagnostic]:
        new = "c" if source.text[3] == "b" else "b"
        return [Diagnostic("SQ110", "", fixes=(Fix(source.span(3, 4), new, True, "flip"),))]

    assert len(mend(Source("x.yaml", "a: b\n"), flip, parse_yaml).done) == MAX_ROUNDS


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(EDITS)
def test_no_text_is_broken(edits: list[tuple[str, int, int, str]]) -> None:
    source = Source("x.yaml", edited(STUDY.read_text(encoding="utf-8"), edits))
    try:
        before = parse_yaml(source)
        result = mend(source, check, parse_source, unsafe=True)
    except SoilqlError:
        return
    after = parse_yaml(result.source)
    assert (after.root is None) == (before.root is None)
    assert len(after.diagnostics) <= len(before.diagnostics)
    assert (result.source.text != source.text) <= bool(result.done)


def test_an_input_is_not_written_over() -> None:
    text = SPEC.replace("soilql: 1\n", "soilql: 1\ninputs: {how: neares}\n").replace(
        "from: drivers, v", "from: drivers, method: '${inputs.how}', v"
    )
    assert any("neares" in message for message in errors(text))
    assert mended(text, unsafe=True) == text


def test_an_escaped_or_folded_word_is_left_alone() -> None:
    source = Source("x.yaml", "")
    assert replaced(source.span(0, 0), "fold", "folds", safe=True) == ()


# Damerau (1964, doi:10.1145/363958.363994): one letter wrong, missing, too many, or two neighbours swapped.
@pytest.mark.parametrize(
    ("a", "b", "close"),
    [
        ("folds", "folds", True),
        ("fold", "folds", True),
        ("folds", "fold", True),
        ("folbs", "folds", True),
        ("fodls", "folds", True),
        ("dolfs", "folds", False),
        ("flods", "folds", True),
        ("fo", "folds", False),
        ("", "f", True),
        ("odlfs", "folds", False),
    ],
)
def test_one_letter_off(a: str, b: str, close: bool) -> None:
    assert one_letter_off(a, b) == close
    assert one_letter_off(b, a) == close


def test_a_word_that_is_further_off_is_no_certain_edit() -> None:
    span = Source("x.yaml", "tresss").span(0, 6)
    assert [fix.safe for fix in respelled(span, "tresss", ["trees"], safe=True)] == [False]


@pytest.mark.parametrize(
    ("text", "part", "left"),
    [
        ("{a: 1, b: 2}", "a: 1", "{b: 2}"),
        ("{a: 1, b: 2}", "b: 2", "{a: 1}"),
        ("{a: 1}", "a: 1", None),
        ("x:\n  a: 1  # one\n  b: 2\n", "a: 1", "x:\n  b: 2\n"),
        ("x:\r\n  a: 1\r\n  b: 2", "b: 2", "x:\r\n  a: 1\r\n"),
        ("- a: 1\n  b: 2\n", "a: 1", None),
    ],
)
def test_an_entry_goes_with_its_line_or_its_comma(text: str, part: str, left: str | None) -> None:
    start = text.index(part)
    fixes = removed(Source("x.yaml", text).span(start, start + len(part)), safe=True, title="")
    assert [text[: fix.span.start] + text[fix.span.end :] for fix in fixes] == ([] if left is None else [left])


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_file_keeps_its_mark_its_line_ends_its_permissions_and_its_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.yaml", tmp_path / "link.yaml"
    real.write_bytes(b"\xef\xbb\xbfa: 1\r\n")
    real.chmod(0o640)
    link.symlink_to(real)
    write_text(link, "a: 2\r\n")
    assert real.read_bytes() == b"\xef\xbb\xbfa: 2\r\n"
    assert real.stat().st_mode & 0o777 == 0o640
    assert link.is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.yaml", "real.yaml"]


def test_windows_line_ends_stay() -> None:
    text = SPEC.replace("soilql: 1\n", "").replace("\n", "\r\n")
    assert mended(text) == SPEC.replace("\n", "\r\n")


def test_a_disk_that_is_full_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("a: 1\n")

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(SoilqlError, match="SQ901"):
        write_text(path, "a: 2\n")
    assert path.read_text() == "a: 1\n"
    assert [one.name for one in tmp_path.iterdir()] == ["x.yaml"]


def test_differences_are_unified() -> None:
    old, new = Source("x.yaml", "a: 1\nb: 2"), Source("x.yaml", "a: 1\nb: 3")
    assert difference(old, new) == (
        "--- x.yaml\n+++ x.yaml\n@@ -1,2 +1,2 @@\n a: 1\n-b: 2\n\\ No newline at end of file\n"
        "+b: 3\n\\ No newline at end of file\n"
    )
    assert difference(old, old) == ""
