"""The recipe after Warner et al. (2019) on both surfaces: the same tree, the same keys, the same bytes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from soilql.cli import main
from soilql.convert import convert
from soilql.errors import Source
from soilql.format import format_text
from soilql.lint import lint
from soilql.minilang.parse import parse_soilql
from soilql.source import parse_yaml
from soilql.spec import load
from soilql.surface.same import plain

from .support import needs_data

SPECS = Path(__file__).parents[1] / "specs"
YAML, MINI = SPECS / "warner2019.yaml", SPECS / "warner2019.soilql"
#: A few trees make maps of no use in a tenth of the time.
CUT_DOWN = ("trees=8", "members=3")


def test_the_two_files_say_the_same() -> None:
    text = MINI.read_text(encoding="utf-8")
    tree, other = parse_soilql(Source(MINI.name, text)), parse_yaml(Source(YAML.name, YAML.read_text(encoding="utf-8")))
    assert (tree.diagnostics, other.diagnostics) == ((), ())
    assert plain(tree.root) == plain(other.root)


def test_the_mini_language_file_is_laid_out_and_lints_clean() -> None:
    text = MINI.read_text(encoding="utf-8")
    assert format_text(text, "soilql") == text
    assert text.count("#") > 4
    assert [one.render() for one in lint(load(MINI, name=MINI.name))] == []


@dataclass(frozen=True)
class Run:
    """A run folder and what the command printed."""

    folder: Path
    printed: str

    def outputs(self) -> dict[str, bytes]:
        """Return the content of every result that the manifest lists."""
        record = json.loads((self.folder / "manifest.json").read_text(encoding="utf-8"))
        assert record["complete"]
        names = [item["path"] for item in record["outputs"]]
        return {name: (self.folder / name).read_bytes() for name in names}


def run(spec: Path, store: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    settings = [part for item in CUT_DOWN for part in ("--set", item)]
    places = ["--store", str(store), "--out", str(folder), "--quiet"]
    capsys.readouterr()
    assert main(["run", str(spec), *settings, *places]) == 0
    return Run(folder, capsys.readouterr().out)


def keys(store: Path) -> set[str]:
    """Return the keys of the results in a store."""
    return {path.name for path in store.glob("??/*") if path.is_dir()}


@pytest.mark.long
@pytest.mark.data
@needs_data
def test_runs_of_both_surfaces_are_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = run(YAML, tmp_path / "store", tmp_path / "yaml", capsys)
    assert "computed" in first.printed
    expected = first.outputs()
    assert len(expected) > 30
    twin = tmp_path / "twin.soilql"
    twin.write_text(convert(YAML.read_text(encoding="utf-8"), "yaml", "soilql"), encoding="utf-8")

    on_the_same_store = run(twin, tmp_path / "store", tmp_path / "again", capsys)
    assert "nothing to do" in on_the_same_store.printed
    assert "computed" not in on_the_same_store.printed
    assert on_the_same_store.outputs() == expected

    from_nothing = run(MINI, tmp_path / "empty", tmp_path / "anew", capsys)
    assert "computed" in from_nothing.printed
    assert keys(tmp_path / "empty") == keys(tmp_path / "store")
    assert len(keys(tmp_path / "store")) > 5
    assert from_nothing.outputs() == expected
