"""The linter as a whole: pairs of a spec and the exact text expected of it, the command, its speed and its calm."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from soilql.cli import main
from soilql.errors import Diagnostic, Severity, SoilqlError, Source
from soilql.explain import codes
from soilql.lint import lint
from soilql.source import parse_yaml
from soilql.spec import build, load

ROOT = Path(__file__).parent.parent
CASES = Path(__file__).parent / "lint"
OK = sorted((CASES / "ok").glob("*.yaml"))
ERR = sorted((CASES / "err").glob("*.yaml"))
STUDY = ROOT / "specs" / "warner2019.yaml"
HEAVY = ("numpy", "pandas", "xarray", "scipy", "sklearn", "rasterio", "matplotlib", "dask", "zarr", "pooch", "rich")


def findings(path: Path) -> list[Diagnostic]:
    return lint(load(path, name=path.name))


def stem(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize("path", OK, ids=stem)
def test_sound_specs_pass_in_silence(path: Path) -> None:
    assert [d.render() for d in findings(path)] == []


@pytest.mark.parametrize("path", ERR, ids=stem)
def test_mistakes_are_described_exactly(path: Path) -> None:
    found = findings(path)
    assert "\n".join(d.render() for d in found) + "\n" == path.with_suffix(".txt").read_text(encoding="utf-8")
    assert all(d.code in codes() for d in found)


@pytest.mark.parametrize("path", [p for p in ERR if p.stem != "eight"], ids=stem)
def test_one_mistake_is_reported_at_most_once_at_a_place(path: Path) -> None:
    places = Counter((d.span.start, d.span.end) for d in findings(path) if d.span is not None)
    assert max(places.values()) == 1


def test_every_text_belongs_to_a_case() -> None:
    assert {path.stem for path in (CASES / "err").glob("*.txt")} == {path.stem for path in ERR}
    assert len(OK) >= 15
    assert len(ERR) >= 40


def test_eight_mistakes_are_all_found_in_one_pass_at_their_places() -> None:
    path = CASES / "err" / "eight.yaml"
    text = path.read_text(encoding="utf-8")
    wrong = [
        ("SQ131", "default: 0", "0"),
        ("SQ201", "Anual_coverage", "Anual_coverage"),
        ("SQ301", "yrr-1", "yrr"),
        ("SQ207", "registry:land-fractions", "registry:land-fractions"),
        ("SQ126", "[17, 2]", "[17, 2]"),
        ("SQ204", "data: drivers", "drivers"),
        ("SQ120", "fold: 10", "fold"),
        ("SQ110", '(rs, "subke-2006"', "("),
    ]
    expected = []
    for code, context, word in wrong:
        assert text.count(context) == 1
        start = text.index(context) + context.index(word)
        line = text.count("\n", 0, start) + 1
        column = start - text.rfind("\n", 0, start)
        expected.append((code, line, column, word))
    found = [(d.code, d.span.line, d.span.column, d.span.text) for d in findings(path) if d.span is not None]
    assert found == expected


def test_the_recipes_lint_clean() -> None:
    for path in [*(ROOT / "specs").glob("*.yaml"), *(ROOT / "examples").glob("*.yaml")]:
        assert [d.render() for d in findings(path)] == []


def test_exit_status_of_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clean, wrong = str(CASES / "ok" / "study.yaml"), str(CASES / "err" / "misspelt_block.yaml")
    assert main(["lint", clean]) == 0
    assert capsys.readouterr().err == "1 file: no findings\n"
    assert main(["lint", wrong]) == 1
    assert capsys.readouterr().err.endswith("1 finding in 1 file (1 error); --unsafe-fixes mends 1\n")
    assert main(["lint", str(tmp_path / "none.yaml")]) == 2
    assert "SQ106" in capsys.readouterr().err
    (tmp_path / "latin.yaml").write_bytes("soilql: 1 # é".encode("latin-1"))
    assert main(["lint", clean, str(tmp_path / "latin.yaml"), wrong]) == 2
    captured = capsys.readouterr()
    assert "SQ102" in captured.err
    assert "1 finding in 3 files" in captured.err
    assert captured.out == ""


def test_a_warning_alone_is_a_finding(capsys: pytest.CaptureFixture[str]) -> None:
    path = CASES / "err" / "unused_block.yaml"
    assert [d.severity for d in findings(path)] == [Severity.WARNING]
    assert main(["lint", str(path)]) == 1
    assert "warning SQ208" in capsys.readouterr().err


def test_text_that_is_not_yaml_is_a_finding(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", str(CASES / "err" / "tab_indent.yaml")]) == 1
    assert "SQ101" in capsys.readouterr().err


def test_linting_imports_no_heavy_library() -> None:
    program = (
        "import sys; from soilql.cli import main; status = main(sys.argv[1:]); "
        f"print([name for name in {HEAVY!r} if name in sys.modules]); sys.exit(status)"
    )
    paths = [STUDY, *(ROOT / "examples").glob("*.yaml"), *OK]
    ran = subprocess.run(
        [sys.executable, "-c", program, "lint", *map(str, paths)], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert (ran.returncode, ran.stdout) == (0, "[]\n"), ran.stderr


EDITS = st.lists(
    st.tuples(
        st.sampled_from(["delete", "double", "replace", "insert", "delete line", "double line", "cut"]),
        st.integers(0, 10**6),
        st.integers(1, 12),
        st.sampled_from(
            [*"{}[]()\"'`:,-#&*!|>%@~^=\\ \t\n$0aé", "${", "- ", ": ", "&a ", "*a", "<<: ", "1e999", "None", "\r"]
        ),
    ),
    min_size=1,
    max_size=4,
)


def edited(text: str, edits: list[tuple[str, int, int, str]]) -> str:
    for how, where, length, put in edits:
        at = where % (len(text) + 1)
        if how.endswith("line"):
            lines = text.splitlines(keepends=True) or [""]
            row = where % len(lines)
            lines[row] = "" if how.startswith("delete") else lines[row] * 2
            text = "".join(lines)
            continue
        middle = {
            "delete": "",
            "double": text[at : at + length] * 2,
            "replace": put,
            "insert": put + text[at : at + length],
        }
        text = text[:at] if how == "cut" else text[:at] + middle[how] + text[at + length :]
    return text


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(EDITS)
def test_no_edit_of_a_study_ends_in_a_traceback(edits: list[tuple[str, int, int, str]]) -> None:
    source = Source("x.yaml", edited(STUDY.read_text(encoding="utf-8"), edits))
    try:
        found = lint(build(parse_yaml(source), {}))
    except SoilqlError as error:
        found = list(error.diagnostics)
    for diagnostic in found:
        assert diagnostic.code in codes()
        assert diagnostic.message
        assert diagnostic.render().startswith("x.yaml:")
