"""The server as an editor meets it: a process that is spoken to over its standard input and output."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from soilql.cli import main
from soilql.format import format_text
from tests.lsp.client import ROOT, Client, applied
from tests.lsp.specs import STUDY_MINI, STUDY_YAML, place

CHILD = """\
soilql: 1
extends: base.yaml
models:
  more: {kind: linear, formula: Rs ~ Größe, data: sites}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "base.yaml").write_text(STUDY_YAML, encoding="utf-8")
    (tmp_path / "child.yaml").write_text(CHILD, encoding="utf-8")
    return tmp_path


@pytest.fixture
def client(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    client = Client(folder, tmp_path_factory.mktemp("cache"))
    yield client
    if client.process.poll() is None:
        client.process.kill()
        client.process.wait()


def uri(folder: Path, name: str) -> str:
    return (folder / name).as_uri()


def test_a_session(client: Client, folder: Path) -> None:
    result = client.begin(folder)
    told = result["capabilities"]
    assert result["serverInfo"]["name"] == "soilql"
    assert told["textDocumentSync"]["change"] == 1, "whole texts"
    assert told["renameProvider"] == {"prepareProvider": True}
    for name in ("hover", "definition", "references", "documentFormatting", "documentSymbol", "documentHighlight"):
        assert told[f"{name}Provider"]
    child = uri(folder, "child.yaml")
    assert client.open(child, CHILD) == []

    hover = client.at("textDocument/hover", child, CHILD, place(CHILD, "Rs ~ Grö‸ße"))["result"]
    assert hover["contents"]["value"].startswith("**Größe**: `degC`")
    assert hover["range"] == {"start": {"line": 3, "character": 37}, "end": {"line": 3, "character": 42}}

    (found,) = client.at("textDocument/definition", child, CHILD, place(CHILD, "data: si‸tes"))["result"]
    assert found["uri"] == uri(folder, "base.yaml")
    assert found["range"]["start"] == {"line": 13, "character": 2}

    typed = CHILD.replace("data: sites}", "data: ")
    client.change(child, typed, 2)
    items = client.at("textDocument/completion", child, typed, len(typed) - 1)["result"]["items"]
    assert "sites" in [one["label"] for one in items]
    assert items[0]["textEdit"]["range"]["start"]["line"] == 3

    client.change(child, CHILD.replace("Größe", "Grosse"), 3)
    findings = client.wait("textDocument/publishDiagnostics", child)
    while findings["version"] != 3:
        findings = client.wait("textDocument/publishDiagnostics", child)
    (one,) = findings["diagnostics"]
    assert (one["code"], one["severity"], one["source"]) == ("SQ201", 1, "soilql")
    assert one["range"] == {"start": {"line": 3, "character": 37}, "end": {"line": 3, "character": 43}}
    page = Path(unquote(urlsplit(one["codeDescription"]["href"]).path))
    assert page.read_text(encoding="utf-8").startswith("SQ201 ")
    assert client.end() == 0


def test_changes_of_the_text(client: Client, folder: Path) -> None:
    client.begin(folder)
    base = uri(folder, "base.yaml")
    assert client.open(base, STUDY_YAML) == []
    at = place(STUDY_YAML, "  si‸tes:\n")
    answer = client.at("textDocument/prepareRename", base, STUDY_YAML, at)["result"]
    assert answer == {
        "range": {"start": {"line": 13, "character": 2}, "end": {"line": 13, "character": 7}},
        "placeholder": "sites",
    }
    changes = client.at("textDocument/rename", base, STUDY_YAML, at, newName="orte")["result"]["changes"]
    assert set(changes) == {base, uri(folder, "child.yaml")}
    assert "data: orte}" in applied(CHILD, changes[uri(folder, "child.yaml")])
    assert applied(STUDY_YAML, changes[base]).count("orte") == 3

    refused = client.at("textDocument/rename", base, STUDY_YAML, at, newName="planet")
    assert refused["error"] == {"code": -32803, "message": "`planet` is already a block in `datasets`"}

    options = {"textDocument": {"uri": base}, "options": {"tabSize": 2, "insertSpaces": True}}
    edits = client.ask("textDocument/formatting", options)["result"]
    assert applied(STUDY_YAML, edits) == format_text(STUDY_YAML, "yaml")
    symbols = client.ask("textDocument/documentSymbol", {"textDocument": {"uri": base}})["result"]
    assert [one["name"] for one in symbols][-1] == "analyses"
    assert client.end() == 0


def test_code_actions(client: Client, folder: Path) -> None:
    client.begin(folder)
    text = STUDY_MINI.replace("kfold", "kfolds")
    mini = "untitled:Untitled-1"
    (one,) = client.open(mini, text, "soilql")
    params = {"textDocument": {"uri": mini}, "range": one["range"], "context": {"diagnostics": [one]}}
    found = client.ask("textDocument/codeAction", params)["result"]
    assert [action["title"] for action in found] == [
        "Replace `kfolds` by `kfold`", "Explain SQ205", "Mend 1 finding of soilql",
    ]  # fmt: skip
    assert applied(text, found[0]["edit"]["changes"][mini]) == STUDY_MINI
    assert found[0]["isPreferred"] and found[0]["diagnostics"] == [one]
    command = found[1]["command"]
    client.ask("workspace/executeCommand", {"command": command["command"], "arguments": command["arguments"]})
    assert client.wait("window/showMessage")["message"].startswith("SQ205 ")
    only = {**params, "context": {"diagnostics": [], "only": ["source.fixAll"]}}
    assert [one["kind"] for one in client.ask("textDocument/codeAction", only)["result"]] == ["source.fixAll"]
    assert client.end() == 0


def test_a_change_of_a_parent_in_the_editor_reaches_its_child(client: Client, folder: Path) -> None:
    client.begin(folder)
    child, base = uri(folder, "child.yaml"), uri(folder, "base.yaml")
    assert client.open(child, CHILD) == []
    client.open(base, STUDY_YAML)
    client.change(base, STUDY_YAML.replace("Größe: {expr", "Grosse: {expr"), 2)
    while not (found := client.wait("textDocument/publishDiagnostics", child)["diagnostics"]):
        pass
    assert [one["code"] for one in found] == ["SQ201"]
    client.notify("textDocument/didClose", {"textDocument": {"uri": base}})
    while client.wait("textDocument/publishDiagnostics", child)["diagnostics"]:
        pass  # the file itself counts again


@pytest.mark.parametrize(("encoding", "column"), [("utf-8", 51), ("utf-16", 49), ("utf-32", 48)])
def test_the_encoding_that_the_client_prefers(client: Client, folder: Path, encoding: str, column: int) -> None:
    told = client.begin(folder, [encoding])["capabilities"]
    assert told["positionEncoding"] == encoding
    text = CHILD.replace("{kind", "{x-note: 🌍, kind").replace("Größe", "To")
    found = client.open(uri(folder, "child.yaml"), text)
    assert {one["range"]["start"]["character"] for one in found if one["code"] == "SQ201"} == {column}


def test_windows_line_ends_and_a_byte_order_mark(client: Client, folder: Path) -> None:
    client.begin(folder)
    text = "\ufeff" + CHILD.replace("Größe", "Grosse").replace("\n", "\r\n")
    (one,) = client.open(uri(folder, "child.yaml"), text)
    assert one["range"]["start"] == {"line": 3, "character": 37}
    hover = client.at("textDocument/hover", uri(folder, "child.yaml"), text, text.index("oilql"))["result"]
    assert hover["range"]["start"] == {"line": 0, "character": 1}


def test_it_survives_any_text_and_other_files(client: Client, folder: Path) -> None:
    client.begin(folder)
    for i, text in enumerate(
        ["\x00", "&a [*a]", "a: &b {<<: *b}", "soilql: 1\nextends: .", "- [", "soilql 1\nmodel m = (("]
    ):
        name = uri(folder, f"{i}.soilql" if i % 2 else f"{i}.yaml")
        client.notify(
            "textDocument/didOpen",
            {"textDocument": {"uri": name, "languageId": "yaml", "version": 1, "text": text}},
        )
        for method in ("hover", "completion", "definition", "documentHighlight"):
            assert "error" not in client.at(f"textDocument/{method}", name, text, len(text))
    assert client.open(uri(folder, "base.yaml"), STUDY_YAML) == []
    assert client.end() == 0


def test_editing_needs_no_numpy() -> None:
    program = (
        "import sys; from tests.lsp.specs import STUDIES; from tests.lsp.test_every_position import ask_everything\n"
        "from soilql.lsp.documents import document; from soilql.lsp.diagnostics import findings\n"
        "from soilql.lsp.formatting import formatting; import soilql.lsp.server\n"
        "for name, text in STUDIES.items():\n"
        "    doc = document(text, name); findings(doc); formatting(doc)\n"
        "    [ask_everything(doc, at) for at in range(0, len(text), 97)]\n"
        "print([name for name in ('numpy', 'pandas', 'xarray', 'scipy') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


def test_without_pygls_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["lsp"]) == 2
    assert capsys.readouterr().err == "soilql lsp needs pygls: pip install 'soilql[lsp]'\n"
