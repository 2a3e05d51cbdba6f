"""The topics of `soilql explain` that no kind documents, and that their examples are what they say."""

from __future__ import annotations

import re
import shutil
import textwrap
from pathlib import Path

import pytest

from soilql.cli import main
from soilql.errors import Diagnostic
from soilql.explain import explain
from soilql.lint import lint
from soilql.lock import lock
from soilql.recipes import read_lock
from soilql.spec import Spec, load
from soilql.topics import TOPICS

RECIPES = Path(__file__).parent.parent / "specs"


def example(topic: str) -> str:
    return textwrap.dedent(TOPICS[topic].partition("\nExample:\n\n")[2])


def studied(folder: Path, topic: str) -> tuple[Spec, list[Diagnostic]]:
    """Return the example of a topic as a spec beside the recipes, with the errors in it."""
    for path in RECIPES.glob("*.yaml"):
        shutil.copy(path, folder)
    path = folder / "study.yaml"
    path.write_text(example(topic), encoding="utf-8")
    lock(path)
    spec = load(path)
    return spec, [one for one in lint(spec) if one.severity == "error"]


@pytest.mark.parametrize("topic", ["use", "extends", "inputs", "roles", "units", "members"])
def test_an_example_is_a_study_without_errors(tmp_path: Path, topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOILQL_CACHE", str(tmp_path / "cache"))
    (tmp_path / "here").mkdir()
    spec, errors = studied(tmp_path / "here", topic)
    assert [one.render() for one in errors] == []
    if topic == "use":
        assert spec.blocks["warner::qrf"].params.trees == 200
    if topic == "extends":
        assert "rh_subke" not in spec.blocks
        assert spec.blocks["qrf"].params.min_leaf == 5
    if topic == "inputs":
        assert spec.blocks["qrf"].params.trees == 500


def test_the_example_of_a_lock_file_is_one(tmp_path: Path) -> None:
    (tmp_path / "soilql.lock").write_text(example("lock"), encoding="utf-8")
    assert list(read_lock(tmp_path / "soilql.lock")) == ["registry:warner2019"]


@pytest.mark.parametrize("topic", sorted(TOPICS))
def test_topics_are_explained(topic: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", topic]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"{topic}: ")
    assert "\n    soilql" in shown
    for code in re.findall(r"SQ\d{3}", shown):
        assert explain(code)


def test_the_keys_of_recipes_and_inputs_are_listed() -> None:
    assert "\nkeys of each recipe\n" in explain("use", 100) and "\n  from: " in explain("use", 100)
    assert "\nkeys of each input\n" in explain("inputs", 100) and "\n  choices: " in explain("inputs", 100)
