"""Comments that hide findings: where they hold, what they may hide, and how they are found in a text."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from soilql.errors import Diagnostic, Severity, Source
from soilql.suppress import Suppression, apply, apply_comments, read_suppression
from soilql.yaml_comments import find_comments

ROOT = Path(__file__).parent.parent


def finding(source: Source, word: str, code: str = "SQ620", severity: Severity = Severity.WARNING) -> Diagnostic:
    assert source.text.count(word) == 1
    start = source.text.index(word)
    return Diagnostic(code, "m", source.span(start, start + len(word)), severity=severity)


def kept(text: str, word: str, code: str = "SQ620", severity: Severity = Severity.WARNING) -> list[str]:
    """Return the codes left of one finding at a word."""
    source = Source("x.yaml", text)
    return [d.code for d in apply([finding(source, word, code, severity)], source).kept]


def test_the_end_of_a_line_holds_for_that_line() -> None:
    text = "a: one  # soilql: ignore[SQ620] why\nb: two\n"
    assert kept(text, "one") == []
    assert kept(text, "two") == ["SQ691", "SQ620"]
    assert kept(text, "one", "SQ621") == ["SQ621", "SQ691"]


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_a_line_of_its_own_holds_for_the_key_below_and_all_of_it(ends: str) -> None:
    text = ends.join(
        [
            "x:",
            "  # soilql: ignore[SQ620] why",
            "  # another remark",
            "",
            "  a: head",
            "  b: sibling",
            "# soilql: ignore[SQ621] why",
            "y: top",
            "z: {",
            "  c: inner",
            "}",
            "",
        ]
    )
    source = Source("x.yaml", text)
    words = {word: finding(source, word) for word in ("head", "sibling", "inner")}
    assert apply([words["head"]], source).hidden[0][1].reason == "why"
    assert [d.code for d in apply([words["sibling"]], source).kept] == ["SQ691", "SQ620", "SQ691"]
    assert [d.code for d in apply([finding(source, "top", "SQ621")], source).kept] == ["SQ691"]


def test_what_belongs_to_a_key() -> None:
    text = (
        "# soilql: ignore[SQ620] why\n"
        "a:\n- one\n- {x: two}\n"
        "b: 1\n"
        "# soilql: ignore[SQ621] why\n"
        "c: {\n  d: three\n}\n"
        "e: four\n"
    )
    source = Source("x.yaml", text)
    found = [finding(source, "one"), finding(source, "two"), finding(source, "three", "SQ621")]
    assert apply(found, source).kept == ()
    left = apply([*found, finding(source, "four", "SQ621")], source).kept
    assert [(d.code, d.span.text) for d in left if d.span] == [("SQ621", "four")]


def test_an_item_of_a_list_is_suppressed_by_itself() -> None:
    text = "a:\n  # soilql: ignore[SQ620] why\n  - one\n  - two\n"
    assert kept(text, "one") == []
    assert kept(text, "two") == ["SQ691", "SQ620"]


def test_several_codes_each_have_to_hide_something() -> None:
    source = Source("x.yaml", "a: one  # soilql: ignore[SQ620, SQ621 SQ622] why\n")
    applied = apply([finding(source, "one"), finding(source, "one", "SQ622")], source)
    assert [(d.code, d.span.text) for d in applied.kept if d.span] == [("SQ691", "SQ621")]
    assert [d.code for d, _ in applied.hidden] == ["SQ620", "SQ622"]


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ("a: 1  # soilql: ignore[SQ620] why\nb: 2\n", "a: 1\nb: 2\n"),
        ("a: 1  # remark  # soilql: ignore[SQ620] why\n", "a: 1  # remark\n"),
        ("x:\n  # soilql: ignore[SQ620] why\n  a: 1\n", "x:\n  a: 1\n"),
    ],
)
def test_a_suppression_of_nothing_can_be_deleted(text: str, mended: str) -> None:
    source = Source("x.yaml", text)
    (found,) = apply([], source).kept
    (fix,) = found.fixes
    assert text[: fix.span.start] + fix.replacement + text[fix.span.end :] == mended
    assert apply([], Source("x.yaml", mended)).kept == ()


def test_a_suppression_behind_another_remark_counts() -> None:
    assert kept("a: one  # boreal < 2  # soilql: ignore[SQ620] why\n", "one") == []


def test_a_reason_is_required_and_the_finding_stays_hidden() -> None:
    assert kept("a: one  # soilql: ignore[SQ620]\n", "one") == ["SQ690"]
    assert kept("a: one  # soilql: ignore[SQ620] -- \n", "one") == ["SQ690"]


@pytest.mark.parametrize("code", ["SQ101", "SQ120", "SQ201", "SQ203"])
def test_errors_of_structure_and_names_cannot_be_hidden(code: str) -> None:
    text = f"a: one  # soilql: ignore[{code}] why\n"
    assert kept(text, "one", code, Severity.ERROR) == [code, "SQ692"]
    assert kept(text, "one", code, Severity.WARNING) == []


def test_an_error_of_design_can_be_accepted() -> None:
    assert kept("a: one  # soilql: ignore[SQ633] an upper bound of skill\n", "one", "SQ633", Severity.ERROR) == []


def test_nothing_is_called_unused_while_errors_are_left() -> None:
    text = "a: one  # soilql: ignore[SQ621] why\n"
    assert kept(text, "one", "SQ203", Severity.ERROR) == ["SQ203"]
    assert kept(text, "one", "SQ620") == ["SQ620", "SQ691"]


@pytest.mark.parametrize(
    "comment", ["# soilql: ignore", "# soilql: ignore[] why", "# soilql: ignore SQ620", "#soilql:ignore[a]"]
)
def test_a_suppression_that_cannot_be_read_is_reported(comment: str) -> None:
    assert kept(f"a: one  {comment}\n", "one") == ["SQ620", "SQ692"]


@pytest.mark.parametrize(
    "comment", ["# soilql: 1", "# ignore[SQ620]", "# see soilql.ignore[SQ620]", "# soilql: ignored"]
)
def test_other_comments_mean_nothing(comment: str) -> None:
    assert kept(f"a: one  {comment}\n", "one") == ["SQ620"]


def test_findings_in_included_files_are_hidden_by_comments_there() -> None:
    main, parent = Source("x.yaml", "a: 1\n"), Source("y.yaml", "b: one  # soilql: ignore[SQ620, SQ621] why\n")
    assert apply([finding(parent, "one")], main).kept == ()


def test_comments_of_the_mini_language_hold_for_a_statement() -> None:
    text = (
        "soilql 1\n"
        "# soilql: ignore[SQ620] why\n"
        "analysis a = evaluate(m, scheme = folds)\n"
        "  | by zones\n"
        "analysis b = total(rest)\n"
    )
    source = Source("x.soilql", text)
    assert apply([finding(source, "folds"), finding(source, "zones")], source).kept == ()
    assert [d.code for d in apply([finding(source, "rest")], source).kept] == ["SQ691", "SQ620"]


def test_comments_may_come_from_any_list() -> None:
    source = Source("x.txt", "one -- # soilql: ignore[SQ620] why\n")
    comments = [source.span(7, 34), source.span(0, 3)]
    assert apply_comments([finding(source, "one")], comments).kept == ()
    found = read_suppression(comments[0])
    assert isinstance(found, Suppression)
    assert (found.codes[0][0], found.reason, found.first, found.last) == ("SQ620", "why", 1, 1)


def comments(text: str) -> list[tuple[int, str]]:
    return [(span.start, span.text) for span in find_comments(Source("x.yaml", text))]


def by_tokens(text: str) -> list[tuple[int, str]]:
    """Return the comments as PyYAML's own scanner leaves them out: every `#` behind white space between its tokens."""
    inside = []
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        if isinstance(token, yaml.ScalarToken):
            start, end = token.start_mark.index, token.end_mark.index
            header = text.find("\n", start) if token.style in ("|", ">") else start
            inside.append((header if "#" in text[start:header] else start, end))
    found, at = [], 0
    while (at := text.find("#", at)) >= 0:
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        hidden = any(first <= at < last for first, last in inside)
        if not hidden and (at == 0 or text[at - 1] in " \t\n"):
            found.append((at, text[at:end]))
            at = end
        at += 1
    return found


LINES = st.sampled_from(
    [
        "key: value",
        "  # remark",
        "# soilql: ignore[SQ620] it's why",
        "k: 'single # no'  # yes",
        'k: "double \\" # no"  # yes',
        "k: plain 'quote' # yes",
        "k: Bond's # it's",
        'k: a == "b"  # yes',
        "k: |  # yes",
        "k: >-",
        "k: |2",
        "- |",
        "- key: |",
        "  indented # maybe",
        "    deep # maybe",
        "",
        "l: [a, 'b # no', \"c\"]  # yes",
        "m: {a: 'x # no', b: y}  # yes",
        "n: 'begun",
        "  # within",
        "  ended'  # yes",
        'o: "begun',
        '  ended"',
        "p: x#no # yes",
        "q: a > b # yes",
        "r: &a 'x # no'",
        "s: >",
        "t: a |",
    ]
)


@settings(max_examples=600)
@given(st.lists(LINES, min_size=1, max_size=8))
def test_comments_are_those_that_pyyaml_leaves_out(lines: list[str]) -> None:
    text = "\n".join(lines) + "\n"
    try:
        yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return
    assert comments(text) == by_tokens(text)


@pytest.mark.parametrize("path", sorted(ROOT.glob("**/*.yaml")), ids=lambda path: path.stem)
def test_comments_of_every_spec_here(path: Path) -> None:
    text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    try:
        yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        return
    if path.name != "registry.yaml":  # nearly two thousand tokens a second
        assert comments(text) == by_tokens(text)
