"""What is shown under the pointer, on both surfaces."""

from __future__ import annotations

import pytest

from soilql.lsp.documents import document
from soilql.lsp.hover import hover
from tests.lsp.specs import STUDIES, STUDY_MINI, STUDY_YAML, place


def shown(part: str, name: str = "study.yaml") -> str:
    text = STUDIES[name]
    found = hover(document(text, name), place(text, part))
    return "" if found is None else found.text


both = pytest.mark.parametrize("name", STUDIES)


@both
def test_a_column_of_a_public_data_set_has_unit_description_range_and_origin(name: str) -> None:
    found = shown("Annual_cov‸erage >= 0.9", name)
    assert found.startswith("**Annual_coverage**: `1`")
    assert "Annual coverage of Rs measurements" in found
    assert "from 0 to 1" in found
    assert "`srdb`" in found and "`registry:srdb-v5`" in found


@both
def test_a_new_column_shows_how_it_is_made(name: str) -> None:
    found = shown("flux‸ ~ MAT", name)
    assert "`g C m-2 yr-1`" in found
    assert "in `columns of srdb`: `flux = Rs_annual`" in found


@both
def test_a_column_through_several_blocks(name: str) -> None:
    assert shown("Rs ~ a * exp(b*‸T)", name).startswith("**T**: `degC`")
    assert "planet" in shown("Rs ~ a * exp(b*‸T)", name)


@both
def test_a_parameter_has_its_unit_stated_or_inferred(name: str) -> None:
    # a and k follow from the units of Rs, T and P: Rs = a * number * P/(P + k).
    a = shown("Rs ~ ‸a * exp", name)
    assert a.startswith("**a**: `g C m-2 yr-1`")
    assert "a parameter of `formula`" in a and "follows from the formula" in a
    assert "start 400" in a and "from 0 to 5000" in a
    assert shown("(P + ‸k)", name).startswith("**k**: `mm yr-1`")
    assert "1/degC" in shown("exp(‸b*T) * P / (P + k)", name)


@both
def test_a_block_says_what_it_does_and_what_it_has(name: str) -> None:
    assert shown("[rs, dou‸ble]", name).startswith("**double**: compute, in `analyses`")
    model = shown("[for‸mula, line]", name)
    assert "parameter  a   g C m-2 yr-1  inferred, start 400, from 0 to 5000" in model
    assert "───" in model, "the formula as on paper"
    equals = ":" if name.endswith("yaml") else " ="
    assert "| `Größe` | degC |" in shown(f"T + P, data{equals} si‸tes", name)


@both
def test_functions_have_a_signature(name: str) -> None:
    assert "floor(number) -> number" in shown("flo‸or(Study", name)


@both
def test_kinds_keys_and_inputs(name: str) -> None:
    yaml = name.endswith("yaml")
    assert "**kfold**, a kind of `validation`" in shown("kf‸old", name)
    assert shown("fol‸ds: '$" if yaml else "(fol‸ds = $", name).startswith("**folds**: a whole number, at least 2")
    assert "folds of the test" in shown("${inputs.fo‸lds}", name)
    assert "registry:srdb-v5" in shown("registry:srdb‸-v5", name)
    assert shown("tit‸le", name).startswith("**title**: text")


def test_sections_and_statement_words() -> None:
    assert shown("mod‸els:\n").startswith("**models**")
    assert shown("mod‸el formula", "study.soilql").startswith("**models**")
    assert shown("anal‸ysis skill", "study.soilql").startswith("**analyses**")


def test_codes_in_a_suppression() -> None:
    text = STUDY_YAML.replace("zones:\n", "# soilql: ignore[SQ620] why\nzones:\n")
    found = hover(document(text), place(text, "SQ‸620"))
    assert found is not None and found.text.startswith("**SQ620 folds that split a place**")
    assert "```yaml\n" in found.text


@both
def test_the_place_is_the_thing_itself(name: str) -> None:
    text = STUDIES[name]
    found = hover(document(text, name), place(text, "floor(Study_mid‸year)"))
    assert found is not None and found.span.text == "Study_midyear"
    value = hover(document(text, name), place(text, "Grö‸ße und"))
    assert value is not None and value.text.startswith("**title**")


def test_a_text_with_errors_is_known_where_it_can_be_read() -> None:
    text = STUDY_MINI.replace("labels = [cold, warm]", "labels = [cold, warm")
    found = hover(document(text, "x.soilql"), place(text, "Rs ~ ‸a *"))
    assert found is not None and "`g C m-2 yr-1`" in found.text
