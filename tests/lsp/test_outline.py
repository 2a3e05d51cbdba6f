"""The outline of a spec."""

from __future__ import annotations

from soilql.lsp.documents import document
from soilql.lsp.outline import outline
from tests.lsp.specs import STUDY_MINI, STUDY_YAML


def test_yaml_has_sections_blocks_and_what_they_make() -> None:
    found = {one.name: one for one in outline(document(STUDY_YAML))}
    assert list(found) == ["soilql", "meta", "inputs", "datasets", "zones", "models", "validation", "analyses"]
    models = {one.name: one for one in found["models"].inner}
    assert [(one.name, one.detail) for one in models.values()] == [
        ("formula", "nonlinear"), ("line", "linear"), ("field", "linear"),
    ]  # fmt: skip
    assert [one.name for one in models["formula"].inner] == ["a", "b", "k"]
    assert models["formula"].span.text.startswith("formula:\n    kind: nonlinear")


def test_the_mini_language_has_its_statements() -> None:
    found = outline(document(STUDY_MINI, "x.soilql"))
    assert [one.name for one in found][:6] == ["soilql", "meta", "folds", "years", "planet", "sites"]
    (formula,) = [one for one in found if one.name == "formula"]
    assert (formula.detail, [one.name for one in formula.inner]) == ("models: nonlinear", ["a", "b", "k"])


def test_what_cannot_be_read_is_left_out() -> None:
    found = outline(document(STUDY_YAML.replace("  field: {kind", "  field: {kind: [")))
    assert [one.name for one in found if one.name == "models"] == ["models"]
