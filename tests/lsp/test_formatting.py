"""The edits of the layout give what `soilql fmt` writes."""

from __future__ import annotations

import pytest

from soilql.errors import SoilqlError
from soilql.format import format_text
from soilql.lsp.documents import document
from soilql.lsp.edits import apply
from soilql.lsp.formatting import formatting
from tests.lsp.specs import STUDIES, STUDY_MINI, STUDY_YAML

MESSY = {
    "x.yaml": STUDY_YAML.replace(": {", ":   {").replace("models:\n", "models:\n\n\n").rstrip("\n"),
    "x.soilql": STUDY_MINI.replace(" = ", "= ").replace("model line", "\n\n\nmodel   line").rstrip("\n"),
}


@pytest.mark.parametrize("name", MESSY)
def test_the_edits_give_the_layout(name: str) -> None:
    doc = document(MESSY[name], name)
    edits = formatting(doc)
    assert len(edits) > 1
    assert apply(doc.text, edits) == format_text(doc.text, doc.surface)


@pytest.mark.parametrize("name", STUDIES)
def test_a_text_that_is_laid_out_has_no_edits(name: str) -> None:
    laid_out = format_text(STUDIES[name], "yaml" if name.endswith("yaml") else "soilql")
    assert formatting(document(laid_out, name)) == []


@pytest.mark.parametrize("name", MESSY)
def test_line_ends_and_a_byte_order_mark_stay(name: str) -> None:
    doc = document("\ufeff" + MESSY[name].replace("\n", "\r\n"), name)
    after = apply(doc.text, formatting(doc))
    assert "\n" not in after.replace("\r\n", "")
    assert after.replace("\r\n", "\n") == format_text(MESSY[name], doc.surface)
    assert doc.bom and not after.startswith("\ufeff")


def test_lines_that_are_right_are_not_touched() -> None:
    text = format_text(STUDY_YAML, "yaml").replace("  climate:", "  climate:  ")
    (edit,) = formatting(document(text))
    assert edit.span.text == "  climate:  \n"


def test_a_text_with_errors_is_left_alone() -> None:
    with pytest.raises(SoilqlError):
        formatting(document("soilql: 1\nmodels: [\n"))
    assert formatting(document("services: {web: {image:   x}}\n", "compose.yaml")) == []
