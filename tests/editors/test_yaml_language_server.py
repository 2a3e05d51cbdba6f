"""Editors with the common YAML language server and our schema alone: what it says, offers and shows.

The server is the npm package `yaml-language-server` of Red Hat, which VS Code, Neovim, Emacs and others use.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from soilql import kinds, params
from tests.editors.language_client import LanguageClient

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "schemas" / "soilql.schema.json"
HEAD = "soilql: 1\n"
MODEL = HEAD + "models:\n  m:\n    kind: {}\n    formula: y ~ x\n    data: t\n"
CURSOR = "@"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LanguageClient]:
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("npm and node are not installed")
    folder = tmp_path_factory.mktemp("npm")
    command = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--loglevel=error"]
    ran = subprocess.run([*command, "yaml-language-server@1"], capture_output=True, text=True, check=False, timeout=300)
    if ran.returncode:
        pytest.skip(f"npm cannot install yaml-language-server: {ran.stderr.strip()[-300:]}")
    server = folder / "node_modules" / "yaml-language-server" / "bin" / "yaml-language-server"
    yaml = {
        "schemas": {SCHEMA.as_uri(): "*.yaml"},
        "validate": True,
        "completion": True,
        "hover": True,
        "schemaStore": {"enable": False},
        "yamlVersion": "1.2",
    }
    with LanguageClient([node, str(server), "--stdio"], {"yaml": yaml}) as one:
        yield one


class Editor:
    """Opens texts under names of their own."""

    def __init__(self, client: LanguageClient, folder: Path) -> None:
        self.client = client
        self._folder = folder
        self._numbers = count()

    def _new(self) -> Path:
        return self._folder / f"{next(self._numbers)}.yaml"

    def diagnostics(self, text: str) -> list[tuple[str, str]]:
        """Return what is underlined, and what is said of it."""
        lines = text.splitlines()
        found = []
        for one in self.client.open(self._new(), text):
            start, end = one["range"]["start"], one["range"]["end"]
            assert start["line"] == end["line"]
            found.append((lines[start["line"]][start["character"] : end["character"]], one["message"]))
        return found

    def _at_cursor(self, text: str) -> tuple[Path, int, int]:
        before, after = text.split(CURSOR)
        path = self._new()
        self.client.open(path, before + after)
        return path, before.count("\n"), len(before) - before.rfind("\n") - 1

    def completions(self, text: str) -> dict[str, dict[str, Any]]:
        return self.client.complete(*self._at_cursor(text))

    def hover(self, text: str) -> str:
        return self.client.hover(*self._at_cursor(text))


@pytest.fixture
def editor(client: LanguageClient, tmp_path: Path) -> Editor:
    return Editor(client, tmp_path)


@pytest.mark.parametrize(
    "path", [*ROOT.glob("specs/*.yaml"), *ROOT.glob("examples/*.yaml")], ids=lambda path: path.stem
)
def test_recipes_and_examples_have_no_diagnostics(editor: Editor, path: Path) -> None:
    assert editor.diagnostics(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", sorted(ROOT.glob("tests/lint/ok/*.yaml")), ids=lambda path: path.stem)
def test_what_lints_clean_has_no_diagnostics(editor: Editor, path: Path) -> None:
    text = path.read_bytes().decode("utf-8-sig")
    text = re.sub(r"\r(?!\n)", "\n", text)  # editors show lone carriage returns as line breaks, and send those
    assert editor.diagnostics(text) == []


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        (MODEL.format("liner"), "liner", ("not accepted", '"linear"', '"quantile_forest"')),
        (MODEL.format("kfold"), "kfold", ("not accepted", '"linear"')),
        (MODEL.format("linear") + "    trees: 5\n", "trees", ("trees is not allowed",)),
        (MODEL.format("quantile_forest") + "    trees: -5\n", "-5", ("minimum of 1",)),
        (MODEL.format("quantile_forest") + "    min_leaf: few\n", "few", ("Expected", "integer")),
        (MODEL.format("nonlinear") + "    params: {a: {strat: 1}}\n", "strat", ("strat is not allowed",)),
        (HEAD + "models:\n  m:\n    formula: y ~ x\n", "m", ('Missing property "kind"',)),
        (HEAD + "models:\n  m:\n    kind: linear\n    data: t\n", "m", ('Missing property "formula"',)),
        (HEAD + "modles:\n  m: {}\n", "modles", ("modles is not allowed",)),
        (HEAD + "datasets:\n  t: {kind: table, source: x.csv, format: xls}\n", "xls", ("not accepted", '"csv"')),
        (
            HEAD + "datasets:\n  t: {kind: table, source: x, columns: {Rs: {form: x}}}\n",
            "form",
            ("form is not allowed",),
        ),
        ("soilql: 2\n", "2", ("1",)),
        # What the whole file lacks is said at its first character.
        ("models:\n  m: {kind: linear, formula: y ~ x, data: t}\n", "m", ('Missing property "soilql"',)),
    ],
)
def test_a_mistake_is_named_once_at_its_place(editor: Editor, text: str, place: str, words: tuple[str, ...]) -> None:
    ((found, message),) = editor.diagnostics(text)
    assert found == place
    for word in words:
        assert word in message


@pytest.mark.parametrize("section", kinds.SECTIONS)
def test_all_kinds_of_a_section_are_offered_with_what_they_are(editor: Editor, section: str) -> None:
    offered = editor.completions(f"{HEAD}{section}:\n  b:\n    kind: {CURSOR}\n")
    for name in kinds.names(section):
        kind = kinds.find(section, name)
        assert kind is not None
        assert kind.doc.partition("\n")[0] in str(offered[name]["documentation"])
    assert not {name for other in kinds.SECTIONS if other != section for name in kinds.names(other)} & set(offered)


@pytest.mark.parametrize(("section", "name"), [(s, name) for s in kinds.SECTIONS for name in kinds.names(s)])
def test_the_keys_of_a_kind_are_offered_and_no_others(editor: Editor, section: str, name: str) -> None:
    kind = kinds.find(section, name)
    assert kind is not None
    offered = editor.completions(f"{HEAD}{section}:\n  b:\n    kind: {name}\n    {CURSOR}\n")
    keys = {field.key for field in params.fields(kind.params_type)}
    assert keys <= set(offered)
    assert {label for label in offered if "." not in label} <= keys


def test_a_new_block_comes_with_its_kind_and_what_it_must_have(editor: Editor) -> None:
    offered = editor.completions(f"{HEAD}models:\n  {CURSOR}\n")
    assert offered["linear"]["insertText"] == "${1:name}:\n  kind: linear\n  formula: $2\n  data: $3"
    sections = editor.completions(f"{HEAD}{CURSOR}")
    assert set(kinds.SECTIONS) <= set(sections)
    assert sections["models"]["insertText"] == "models:\n  "


def test_choices_are_offered(editor: Editor) -> None:
    assert {"nearest", "bilinear"} <= set(
        editor.completions(HEAD + f"datasets:\n  t:\n    kind: extract\n    method: {CURSOR}\n")
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEAD + "mod@els:\n  m: {kind: linear}\n", ("Formulas and learners",)),
        (HEAD + "models:\n  m:\n    ki@nd: linear\n", ("Kind of the block", "`linear`: Linear regression")),
        (HEAD + "models:\n  m:\n    kind: line@ar\n", ("`linear`: Linear regression",)),
        (HEAD + "models:\n  m:\n    kind: linear\n    for@mula: y ~ x\n", ("`log(Rs) ~ MAT * MAP",)),
        (HEAD + "datasets:\n  t:\n    kind: extract\n    met@hod: nearest\n", ("nearest", "bilinear")),
        (HEAD + "validation:\n  f:\n    kind: kfold\n    fol@ds: 5\n", ("fold",)),
    ],
)  # fmt: skip
def test_hovering_shows_what_a_word_means(editor: Editor, text: str, words: tuple[str, ...]) -> None:
    shown = editor.hover(text)
    for word in words:
        assert word in shown
