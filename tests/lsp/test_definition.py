"""Where things are made and mentioned, on both surfaces and across files."""

from __future__ import annotations

from pathlib import Path

import pytest

from soilql.lsp.definition import definition, highlights, references
from soilql.lsp.documents import document
from tests.lsp.specs import STUDIES, STUDY_YAML, opened, place

both = pytest.mark.parametrize("name", STUDIES)


def defined(part: str, name: str) -> list[str]:
    """Return the lines of the definitions, up to the name that is defined."""
    text = STUDIES[name]
    spans = definition(document(text, name), place(text, part))
    return [text[text.rfind("\n", 0, span.start) + 1 : span.end].strip() for span in spans]


@both
def test_blocks_inputs_columns_and_parameters(name: str) -> None:
    yaml = name.endswith("yaml")
    assert defined("[formula, li‸ne]", name) == ["line" if yaml else "model line"]
    assert defined("${inputs.fol‸ds}", name) == ["folds" if yaml else "input folds"]
    equals = ":" if yaml else " ="
    assert defined(f"T + P, data{equals} si‸tes", name) == ["sites" if yaml else "dataset sites"]
    (column,) = defined("log(R‸s)", name)
    assert column.endswith("Rs")
    (variable,) = defined("exp(b*‸T) * P / (P + k)", name)
    assert variable.endswith("T") and ("variables" in variable or yaml)
    (parameter,) = defined("(P + ‸k)", name)
    assert parameter.endswith("k") and not parameter.endswith("P + k")
    (source,) = defined("flux ~ M‸AT", name)
    assert source.endswith("registry:srdb-v5"), "a column of a data set leads to where that is named"


@both
def test_references_of_a_column_and_of_a_parameter(name: str) -> None:
    text = STUDIES[name]
    doc = document(text, name)
    found = references(doc, place(text, "‸flux ~ MAT"))
    assert [span.text for span in found] == ["flux", "flux"]
    assert found == references(doc, found[0].start)
    assert len(references(doc, found[0].start, definitions=False)) == 1
    parameter = references(doc, place(text, "(P + ‸k)"))
    assert [span.text for span in parameter] == ["k", "k"]
    assert len(highlights(doc, place(text, "[formula, li‸ne]"))) == 2


@both
def test_one_name_of_two_blocks_is_two_things(name: str) -> None:
    text = STUDIES[name]
    doc = document(text, name)
    # `year` is made by `srdb`; the simulated `sites` have a `year` of their own.
    years = references(doc, place(text, "MAT + ye‸ar"))
    assert len(years) == 3


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "base.yaml").write_text(STUDY_YAML, encoding="utf-8")
    (tmp_path / "child.yaml").write_text(
        "soilql: 1\nextends: base.yaml\nmodels:\n  line: {formula: log(Rs) ~ T}\n"
        "  more: {kind: linear, formula: Rs ~ P, data: sites}\n"
    )
    (tmp_path / "user.soilql").write_text(
        "soilql 1\nuse r = base.yaml\nanalysis t = total(of = r::double)\nanalysis u = total(of = r::rs.mean)\n"
    )
    return tmp_path


def test_definitions_in_the_files_that_a_spec_builds_on(files: Path) -> None:
    child = opened(files / "child.yaml")
    (span,) = definition(child, place(child.text, "data: si‸tes"))
    assert (Path(span.source.name).name, span.line, span.text) == ("base.yaml", 14, "sites")
    (span,) = definition(child, place(child.text, "extends: ba‸se.yaml"))
    assert (Path(span.source.name).name, span.start) == ("base.yaml", 0)
    (span,) = definition(child, place(child.text, "  li‸ne:"))
    assert (Path(span.source.name).name, span.text) == ("base.yaml", "line")
    (span,) = definition(child, place(child.text, "Rs ~ ‸P"))
    assert (span.text, span.line) == ("P", 13)


def test_definitions_in_a_recipe(files: Path) -> None:
    user = opened(files / "user.soilql")
    (span,) = definition(user, place(user.text, "r::dou‸ble"))
    assert (Path(span.source.name).name, span.text) == ("base.yaml", "double")
    (span,) = definition(user, place(user.text, "‸r::double"))
    assert (span.line, span.column) == (2, 5)
    (span,) = definition(user, place(user.text, "base‸.yaml"))
    assert span.source.path == files / "base.yaml"


def test_references_in_the_specs_that_build_on_one(files: Path) -> None:
    base = opened(files / "base.yaml", folders=(files,))
    found = references(base, place(base.text, "  dou‸ble:"))
    assert [(Path(span.source.name).name, span.line, span.text) for span in found] == [
        ("base.yaml", base.source.position(found[0].start)[0], "double"),
        ("base.yaml", base.source.position(found[1].start)[0], "double"),
        ("user.soilql", 3, "double"),
    ]
    found = references(base, place(base.text, "  si‸tes:\n"))
    assert ("child.yaml", 5) in [(Path(span.source.name).name, span.line) for span in found]
