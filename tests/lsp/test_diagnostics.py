"""Findings in the editor: those of `soilql lint`, at a place in the document itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from soilql.lint_files import lint_file
from soilql.lsp.diagnostics import findings
from soilql.lsp.documents import document
from tests.lsp.specs import STUDIES, STUDY_YAML, opened

CASES = sorted((Path(__file__).parent.parent / "lint").rglob("*.yaml"))


def codes(text: str, name: str = "study.yaml") -> list[tuple[str, str]]:
    return [(one.found.code, one.span.text) for one in findings(document(text, name))]


@pytest.mark.parametrize("name", STUDIES)
def test_a_sound_study_has_none(name: str) -> None:
    assert codes(STUDIES[name], name) == []


@pytest.mark.parametrize("path", CASES[:: max(1, len(CASES) // 40)], ids=lambda path: path.stem)
def test_they_are_those_of_the_linter(path: Path) -> None:
    doc = opened(path)
    linted = [(one.code, one.span and one.span.start) for one in lint_file(str(path), {}).findings]
    if doc.is_spec and doc.readable.blanked == ():
        assert [(one.found.code, one.found.span and one.found.span.start) for one in findings(doc)] == linted


def test_message_label_and_help_are_together() -> None:
    text = STUDY_YAML.replace("exp(b*T) * P / (P + k)", "exp(b*To) * P / (P + k)")
    (one,) = [one for one in findings(document(text)) if one.found.code == "SQ201"]
    assert one.span.text == "To"
    assert one.message.split("\n")[0] == "unknown name `To`"
    assert "help: did you mean `T`?" in one.message


def test_what_nothing_uses_is_faded() -> None:
    text = STUDY_YAML.replace("  by_place:", "  other: {kind: kfold, seed: 3}\n  by_place:")
    assert [(one.found.code, one.unnecessary) for one in findings(document(text))] == [("SQ208", True)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.yaml", STUDY_YAML.replace("breaks: [10]", "breaks: [10").replace("exp(b*T) * P", "exp(b*To) * P")),
        ("x.soilql", STUDIES["study.soilql"].replace("breaks = [10]", "breaks = [10").replace("exp(b*T)", "exp(b*To)")),
    ],
)
def test_behind_a_syntax_error_what_is_certain_is_still_said(name: str, text: str) -> None:
    found = dict(codes(text, name))
    assert set(found) == {"SQ101" if name.endswith("yaml") else "SQ150", "SQ201"}
    assert found["SQ201"] == "To"


def test_a_missing_part_is_not_blamed_on_the_rest() -> None:
    # The line that cannot be read makes `sites`; that nothing is named so is no finding.
    text = STUDY_YAML.replace("  sites:\n    kind: simulate\n", "  sites: [\n    kind: simulate\n")
    assert {code for code, _ in codes(text)} == {"SQ101"}


def test_yaml_of_other_tools_is_left_alone() -> None:
    assert codes("version: 2\nmodels:\n  - name: x\n", "schema.yml") == []
    assert codes("services: [", "compose.yaml") == []
    assert codes("", "empty.yaml") == []
    assert findings(document("models:\n  a: 1\n", "a.yaml", declared=True)) != ()


def test_a_finding_in_a_parent_is_shown_where_the_parent_is_named(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(STUDY_YAML.replace("kind: kfold", "kind: kfolds"), encoding="utf-8")
    (tmp_path / "middle.yaml").write_text("soilql: 1\nextends: base.yaml\n")
    child = opened(tmp_path / "child.yaml", "soilql: 1\nextends: middle.yaml\n")
    one = next(one for one in findings(child) if one.found.code == "SQ205")
    assert one.span.text == "middle.yaml"
    assert "base.yaml:" in one.message
    places = [(Path(span.source.name).name, span.text, text) for span, text in one.related]
    assert places == [
        ("base.yaml", "kfolds", "`validation` has no kind `kfolds`"),
        ("middle.yaml", "base.yaml", "extended by"),
    ]


def test_a_parent_counts_as_it_stands_in_the_editor(tmp_path: Path) -> None:
    base = tmp_path / "base.yaml"
    base.write_text(STUDY_YAML, encoding="utf-8")
    text = "soilql: 1\nextends: base.yaml\nmodels: {m: {kind: linear, formula: Rs ~ T, data: places}}\n"
    assert [one.found.code for one in findings(opened(tmp_path / "c.yaml", text))] == ["SQ203"]
    changed = STUDY_YAML.replace("sites:\n    kind", "places:\n    kind").replace(": sites", ": places")
    assert findings(opened(tmp_path / "c.yaml", text, others={base.resolve(): changed})) == ()
