"""No position of a text, whole or cut off anywhere, makes a capability fail."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soilql.lsp.actions import actions
from soilql.lsp.completion import complete
from soilql.lsp.definition import definition, highlights
from soilql.lsp.diagnostics import findings
from soilql.lsp.documents import Document, document
from soilql.lsp.hover import hover
from soilql.lsp.outline import Outlined, outline
from soilql.lsp.rename import RefusedError, prepare, rename
from tests.lsp.specs import STUDIES

NASTY = (
    "", " ", "\x00", "a", "- a", "{", "[", ":", "soilql", "soilql 1\nmodel", "soilql: 1\nmodels:", "&a *a", "!!x",
    "soilql: 1\nextends: x.yaml\n", "soilql: 1\nextends: .\n", "soilql: 1\nuse: {a: /}\n", "\ufeff",
    "\ufeffsoilql: 1", "soilql: 1\r\nmodels:\r\n  a:\r\n", "%YAML", "---\n---\n", "soilql: 1\n<<: {a: b}\n",
    "a: &a [*a]\n", "soilql 1\nmodel m = linear(((((", 'soilql 1\nmeta(title = "', "🌍: 1\nsoilql: 1\n",
    "soilql: 1\nmodels: {m: {kind: linear, formula: 'y ~ ", "soilql: 1\nmodels: 3\n", "soilql: 1\ninputs: [1]\n",
    "soilql: 1\nuse: [1]\n", "soilql: 1\nmodels: {m: {kind: [a]}}\n", "soilql: 1\nx-a: ${inputs.}\n",
)  # fmt: skip


def ask_everything(doc: Document, at: int) -> None:
    hover(doc, at)
    definition(doc, at)
    highlights(doc, at)
    for one in complete(doc, at):
        assert 0 <= one.start <= one.end <= len(doc.text)
        assert "\n" not in doc.text[one.start : one.end]
    try:
        prepare(doc, at)
    except RefusedError as refused:
        assert str(refused)


def check_places(lines: list[Outlined], start: int, end: int) -> None:
    for one in lines:
        assert start <= one.span.start <= one.key.start <= one.key.end <= one.span.end <= end
        check_places(list(one.inner), one.span.start, one.span.end)


@pytest.mark.parametrize("name", STUDIES)
def test_positions_of_a_whole_text(name: str) -> None:
    doc = document(STUDIES[name], name)
    check_places(outline(doc), 0, len(doc.text))
    for at in range(0, len(doc.text) + 1, 11):
        ask_everything(doc, at)


@pytest.mark.parametrize("name", STUDIES)
def test_the_end_of_truncated_texts(name: str) -> None:
    text = STUDIES[name]
    for at in range(0, len(text) + 1, 23):
        doc = document(text[:at], name)
        ask_everything(doc, at)
        check_places(outline(doc), 0, at)
        for one in findings(doc):
            assert 0 <= one.span.start <= one.span.end <= at


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDIES)
def test_many_positions_whole_and_truncated(name: str) -> None:
    text = STUDIES[name]
    whole = document(text, name)
    for at in range(0, len(text) + 1, 7):
        ask_everything(whole, at)
        doc = document(text[:at], name)
        ask_everything(doc, at)
        findings(doc)
        actions(doc, 0, at)


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("text", NASTY)
def test_nasty_texts(text: str, name: str) -> None:
    doc = document(text, name)
    findings(doc)
    outline(doc)
    for at in range(len(doc.text) + 1):
        ask_everything(doc, at)


@pytest.mark.parametrize("name", STUDIES)
@settings(max_examples=25)
@given(data=st.data())
def test_texts_with_a_part_exchanged(name: str, data: st.DataObject) -> None:
    text = STUDIES[name]
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 40)))
    put = data.draw(st.text(st.sampled_from("ab {}[]():=|~#\"'\n\t$,.-é"), max_size=6))
    doc = document(text[:start] + put + text[end:], name)
    findings(doc)
    check_places(outline(doc), 0, len(doc.text))
    ask_everything(doc, start + len(put))
    try:
        rename(doc, data.draw(st.integers(0, len(doc.text))), "other")
    except RefusedError as refused:
        assert str(refused)
