"""Names of files: those of recipes' blocks are allowed on every operating system, and no two blocks share one."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from soilql.cli import main
from soilql.outputs.names import file_stem

from .small_study import LIGHT, observations

NAME = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,6}", fullmatch=True)
BLOCK = st.lists(NAME, min_size=1, max_size=3).map("::".join)
#: Characters that Windows refuses in the name of a file (Microsoft, Naming Files, Paths, and Namespaces).
REFUSED = re.compile(r'[<>:"/\\|?*\x00-\x1f]')


@given(st.lists(BLOCK, unique=True))
def test_blocks_have_names_of_their_own_that_windows_allows(blocks: list[str]) -> None:
    stems = [file_stem(block) for block in blocks]
    assert len(set(stems)) == len(blocks)
    assert not any(REFUSED.search(stem) or stem.endswith(".") for stem in stems)


def test_the_results_of_a_recipe_are_written_under_such_names(tmp_path: Path) -> None:
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "recipe.yaml").write_text(LIGHT, encoding="utf-8")
    observations(20).to_csv(tmp_path / "specs" / "obs.csv", index=False)
    spec = tmp_path / "study.yaml"
    spec.write_text("soilql: 1\nuse: {w: {from: specs/recipe.yaml, blocks: line}}\n", encoding="utf-8")
    places = ["--store", str(tmp_path / "store"), "--out", str(tmp_path / "out"), "--workers", "1", "--quiet"]
    for _ in range(2):  # the second finds them there
        assert main(["run", str(spec), *places]) == 0
        found = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*")}
        assert {"models/w.line/w.line.csv", "models/w.line/w.line.txt"} <= found
        assert not any(":" in name for name in found)
