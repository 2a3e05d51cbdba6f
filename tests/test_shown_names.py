"""Names of blocks in keys: a block may be renamed without computing anew what does not show its name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from soilql import kinds

from .small_study import SPEC, Study
from .test_compose import RECIPE, clean, keys, write


def renamed(folder: Path, old: str, new: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return the keys of the recipe before and after a block is renamed, both under the old name."""
    write(folder, before=RECIPE, after=re.sub(rf"\b{old}\b(?!\()", new, RECIPE))
    before, after = keys(clean(folder, "before")), keys(clean(folder, "after"))
    return before, {old if name == new else name: key for name, key in after.items()}


@pytest.mark.parametrize(
    ("old", "changed"),
    [
        ("forest", {"skill"}),  # the column `model` of the test
        ("line", {"skill"}),
        ("rs", {"double", "budget"}),  # the variable of the formula's maps, and the column `of` of the totals
        ("double", {"double"}),  # a formula's variable is called after its block
        ("skill", set()),
        ("budget", set()),
    ],
)
def test_only_what_shows_a_name_is_computed_again(tmp_path: Path, old: str, changed: set[str]) -> None:
    before, after = renamed(tmp_path, old, "another")
    assert {name for name in before if before[name] != after[name]} == changed


def test_a_renamed_map_and_test_are_found_in_the_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = Study(tmp_path, capsys)
    assert study.main().status == 0
    study.write(SPEC.replace("skill:", "test:").replace("map:", "maps:").replace("of: map", "of: maps"))
    plan = study.main("plan").out
    lines = {line.split()[1 if line.split()[0].isdigit() else 0]: line for line in plan.splitlines() if line.split()}
    for name in ("test", "maps"):
        assert "stored" in lines[name], plan
    assert "stored" not in lines["budget"], plan


def test_every_kind_says_it_in_words_that_are_known() -> None:
    for section in kinds.SECTIONS:
        for name in kinds.names(section):
            kind = kinds.find(section, name)
            assert kind is not None
            assert set(getattr(kind.module, "SHOWS_NAMES", ())) <= {"own", "inputs"}, name
