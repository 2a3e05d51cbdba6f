"""Findings as text, JSON, SARIF and workflow commands: what other programs will read, checked by their documents."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from soilql.errors import Diagnostic, Fix, Severity, Source
from soilql.explain import codes
from soilql.lint_files import Choice, FileFindings, chosen, find_specs, lint_files
from soilql.reporting import github, sarif, text
from soilql.reporting import json as as_json

CASES = Path(__file__).parent / "lint"
# A G clef takes two UTF-16 code units and one character (Unicode 15, U+1D11E).
SOURCE = Source("my specs/x.yaml", "a: 1\nb: 𝄞 tress, z\n")
START = SOURCE.text.index("tress")
SPAN = SOURCE.span(START, START + 5)
FOUND = Diagnostic(
    "SQ120",
    "unknown key `tress`",
    SPAN,
    label="not known",
    help="did you mean `trees`?",
    notes=("100 % sure",),
    fixes=(Fix(SPAN, "trees", True, "replace `tress` by `trees`"),),
)
WARNING = Diagnostic("SQ208", "nothing uses `z`", severity=Severity.WARNING)
MISSING = Diagnostic("SQ106", "no such spec: y.yaml")
RESULTS = [
    FileFindings("my specs/x.yaml", (FOUND, WARNING), hidden=2),
    FileFindings("y.yaml", (MISSING,), readable=False),
]


# --- JSON -------------------------------------------------------------------------------------------------------------


def test_json_says_all_that_is_known() -> None:
    document = json.loads(as_json.report(RESULTS))
    assert [one["file"] for one in document["files"]] == ["my specs/x.yaml", "y.yaml"]
    assert [one["readable"] for one in document["files"]] == [True, False]
    first, second, third = document["findings"]
    assert (first["code"], first["severity"], first["file"]) == ("SQ120", "error", "my specs/x.yaml")
    assert (first["start"], first["end"]) == (
        {"line": 2, "column": 6, "offset": START},
        {"line": 2, "column": 11, "offset": START + 5},
    )
    (fix,) = first["fixes"]
    assert SOURCE.text[fix["start"]["offset"] : fix["end"]["offset"]] == "tress"
    assert (fix["replacement"], fix["safe"]) == ("trees", True)
    assert (second["start"], second["severity"]) == (None, "warning")
    assert (third["file"], third["code"]) == ("y.yaml", "SQ106")


# --- SARIF ------------------------------------------------------------------------------------------------------------


def strict(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


# What SARIF 2.1.0 (OASIS standard, 27 March 2020) says of the objects used here: §3.13 sarifLog, §3.14 run, §3.18 tool,
# §3.49 reportingDescriptor, §3.20 invocation, §3.58 notification, §3.27 result, §3.29 physicalLocation, §3.30 region,
# §3.4 artifactLocation, §3.55 fix, §3.56 artifactChange, §3.57 replacement.
MESSAGE = strict({"text": {"type": "string", "minLength": 1}}, "text")
POSITION = {"type": "integer", "minimum": 1}
REGION = strict(
    {"startLine": POSITION, "startColumn": POSITION, "endLine": POSITION, "endColumn": POSITION}, "startLine"
)
ARTIFACT = strict(
    {"uri": {"type": "string", "pattern": r"^[A-Za-z0-9/._~:%-]+$"}, "uriBaseId": {"const": "SRCROOT"}}, "uri"
)
PLACE = strict({"artifactLocation": ARTIFACT, "region": REGION}, "artifactLocation")
REPLACEMENT = strict(
    {"deletedRegion": REGION, "insertedContent": strict({"text": {"type": "string"}})}, "deletedRegion"
)
CHANGE = strict(
    {"artifactLocation": ARTIFACT, "replacements": {"type": "array", "minItems": 1, "items": REPLACEMENT}},
    "artifactLocation",
    "replacements",
)
FIX = strict(
    {
        "description": MESSAGE,
        "artifactChanges": {"type": "array", "minItems": 1, "items": CHANGE},
        "properties": {"type": "object"},
    },
    "artifactChanges",
)
LEVEL = {"enum": ["none", "note", "warning", "error"]}
RESULT = strict(
    {
        "ruleId": {"type": "string"},
        "ruleIndex": {"type": "integer", "minimum": 0},
        "level": LEVEL,
        "message": MESSAGE,
        "locations": {"type": "array", "items": strict({"physicalLocation": PLACE})},
        "fixes": {"type": "array", "items": FIX},
    },
    "message",
)
TAGS = strict({"tags": {"type": "array", "uniqueItems": True, "items": {"type": "string"}}})
RULE = strict({"id": {"type": "string"}, "shortDescription": MESSAGE, "help": MESSAGE, "properties": TAGS}, "id")
DRIVER = strict(
    {"name": {"type": "string"}, "semanticVersion": {"type": "string"}, "rules": {"type": "array", "items": RULE}},
    "name",
)
NOTIFICATION = strict(
    {"descriptor": strict({"id": {"type": "string"}}, "id"), "level": LEVEL, "message": MESSAGE}, "message"
)
INVOCATION = strict(
    {
        "executionSuccessful": {"type": "boolean"},
        "toolExecutionNotifications": {"type": "array", "items": NOTIFICATION},
    },
    "executionSuccessful",
)
RUN = strict(
    {
        "tool": strict({"driver": DRIVER}, "driver"),
        "invocations": {"type": "array", "items": INVOCATION},
        "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
        "results": {"type": "array", "items": RESULT},
    },
    "tool",
)
LOG = strict(
    {"$schema": {"type": "string"}, "version": {"const": "2.1.0"}, "runs": {"type": "array", "items": RUN}},
    "version",
    "runs",
)


def test_sarif_has_the_form_that_the_standard_gives_it() -> None:
    every = lint_files([str(path) for path in sorted((CASES / "err").glob("*.yaml"))], {})
    for results in (RESULTS, every, []):
        jsonschema.validate(json.loads(sarif.report(results)), LOG)


def test_sarif_gives_places_in_utf16_code_units(tmp_path: Path) -> None:
    (run,) = json.loads(sarif.report(RESULTS, Path.cwd()))["runs"]
    assert run["columnKind"] == "utf16CodeUnits"
    result = run["results"][0]
    place = result["locations"][0]["physicalLocation"]
    # `b: 𝄞 ` is five characters and six code units.
    assert place["region"] == {"startLine": 2, "startColumn": 7, "endLine": 2, "endColumn": 12}
    assert place["artifactLocation"] == {"uri": "my%20specs/x.yaml", "uriBaseId": "SRCROOT"}
    elsewhere = json.loads(sarif.report(RESULTS, tmp_path))["runs"][0]["results"][0]
    uri = elsewhere["locations"][0]["physicalLocation"]["artifactLocation"]
    assert uri == {"uri": Path("my specs/x.yaml").absolute().as_uri()}


def test_sarif_explains_each_rule_once_and_fixes_say_what_they_replace() -> None:
    (run,) = json.loads(sarif.report(RESULTS))["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["SQ120", "SQ208"]
    assert all(run["results"][i]["ruleId"] == rules[run["results"][i]["ruleIndex"]]["id"] for i in (0, 1))
    assert rules[0]["help"]["text"] in codes()["SQ120"]
    assert rules[1]["shortDescription"]["text"] == "unused block"
    assert rules[1]["properties"]["tags"] == ["names"]
    (change,) = run["results"][0]["fixes"][0]["artifactChanges"]
    (replacement,) = change["replacements"]
    assert replacement["insertedContent"]["text"] == "trees"
    assert replacement["deletedRegion"] == run["results"][0]["locations"][0]["physicalLocation"]["region"]
    assert "region" not in run["results"][1]["locations"][0]["physicalLocation"]


def test_sarif_says_that_a_file_could_not_be_read() -> None:
    (run,) = json.loads(sarif.report(RESULTS))["runs"]
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False
    assert [one["descriptor"]["id"] for one in invocation["toolExecutionNotifications"]] == ["SQ106"]
    assert json.loads(sarif.report(RESULTS[:1]))["runs"][0]["invocations"][0]["executionSuccessful"] is True


# --- workflow commands ------------------------------------------------------------------------------------------------


def test_workflow_commands_are_escaped() -> None:
    # github.com/actions/toolkit, packages/core/src/command.ts: `%`, CR and LF in values; `:` and `,` in properties too.
    first, second, third = github.report(RESULTS).splitlines()
    assert first == (
        "::error file=my specs/x.yaml,line=2,endLine=2,col=6,endColumn=11,title=SQ120::unknown key `tress`%0Anot known"
        "%0Anote: 100 %25 sure%0Ahelp: did you mean `trees`?"
    )
    assert second == "::warning file=my specs/x.yaml,title=SQ208::nothing uses `z`"
    assert third.startswith("::error file=y.yaml,title=SQ106::")


def test_a_place_of_several_lines_has_no_columns() -> None:
    found = Diagnostic("SQ301", "x", SOURCE.span(0, len(SOURCE.text) - 1), severity=Severity.INFO)
    line = github.report([FileFindings("a:b.yaml", (found,))])
    assert line == "::notice file=my specs/x.yaml,line=1,endLine=2,title=SQ301::x\n"
    assert github.report([FileFindings("a:b.yaml", (WARNING,))]).startswith("::warning file=a%3Ab.yaml,")


# --- text -------------------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colour_is_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    assert text.wants_colour(Terminal())
    assert not text.wants_colour(io.StringIO())
    assert text.wants_colour(io.StringIO(), "always")
    assert not text.wants_colour(Terminal(), "never")
    monkeypatch.setenv("NO_COLOR", "")  # no-color.org: when present and not an empty string
    assert text.wants_colour(Terminal())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not text.wants_colour(Terminal())
    assert text.wants_colour(Terminal(), "always")
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not text.wants_colour(Terminal())


def test_colour_changes_nothing_but_the_colour() -> None:
    import re

    painted = text.report(RESULTS, colour=True)
    assert re.sub(r"\x1b\[[\d;]*m", "", painted) == text.report(RESULTS)
    assert "\x1b[1;31m^^^^^\x1b[0m" in painted
    assert "\x1b[1;33mwarning SQ208\x1b[0m" in painted


@pytest.mark.parametrize(
    ("results", "words"),
    [
        ([], "0 files: no findings"),
        ([FileFindings("x", ())], "1 file: no findings"),
        ([FileFindings("x", (), hidden=3)], "1 file: no findings, 3 not selected"),
        (
            RESULTS,
            "2 findings in 2 files (1 error, 1 warning; 2 more not selected), 1 file not readable; --fix mends 1",
        ),
    ],
)
def test_the_last_line_sums_up(results: list[FileFindings], words: str) -> None:
    assert text.summary(results) == words


# --- choosing and finding ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choice", "codes_kept"),
    [
        (Choice(), ["SQ101", "SQ201", "SQ208", "SQ301"]),
        (Choice(select=("SQ3",)), ["SQ101", "SQ301"]),
        (Choice(select=("SQ2", "SQ301"), ignore=("SQ208",)), ["SQ101", "SQ201", "SQ301"]),
        (Choice(ignore=("SQ",)), ["SQ101"]),
        (Choice(select=("SQ208",), ignore=("SQ2",)), ["SQ101", "SQ208"]),
        (Choice(severity=Severity.ERROR), ["SQ101", "SQ201", "SQ301"]),
    ],
)
def test_the_longer_beginning_of_a_code_counts_and_unreadable_text_is_always_shown(
    choice: Choice, codes_kept: list[str]
) -> None:
    levels = {"SQ208": Severity.WARNING}
    found = tuple(
        Diagnostic(c, "", severity=levels.get(c, Severity.ERROR)) for c in ("SQ101", "SQ201", "SQ208", "SQ301")
    )
    one = chosen(FileFindings("x", found), choice)
    assert [finding.code for finding in one.findings] == codes_kept
    assert one.hidden == 4 - len(codes_kept)


def test_folders_stand_for_the_specs_in_them(tmp_path: Path) -> None:
    for name in ("b.yaml", "a/c.soilql", "a/d.yml", ".hidden/e.yaml", "f.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("soilql: 1\n")
    (tmp_path / "figures.yaml").write_text("- {id: a}\n")
    (tmp_path / "no_version.yaml").write_text("# a study\nmodels:\n")
    specs, others = find_specs([str(tmp_path), str(tmp_path / "b.yaml"), "gone.yaml"])
    names = [Path(path).name for path in specs]
    assert names == ["c.soilql", "d.yml", "b.yaml", "no_version.yaml", "gone.yaml"]
    assert [Path(path).name for path in others] == ["figures.yaml"]


def test_several_processes_find_what_one_finds() -> None:
    paths = [str(path) for path in sorted((CASES / "err").glob("*.yaml"))[:24]]
    alone = lint_files(paths, {}, many=10**6)
    together = lint_files(paths, {}, many=2)
    assert [one.name for one in together] == paths
    assert text.report(together) == text.report(alone)
    assert as_json.report(together) == as_json.report(alone)
