"""The command line: what each command prints and returns, and that the commands of the README work."""

from __future__ import annotations

import io
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from soilql.cli import main

ROOT = Path(__file__).parent.parent
CASES = Path(__file__).parent / "lint"
COMMANDS = ["lint", "fmt", "convert", "render", "lock", "plan", "run", "audit", "data", "schema", "explain", "lsp"]

SOUND = """\
soilql: 1
datasets:
  planet:
    kind: simulate
    seed: 1
    grid: {resolution: 30}
    variables: {T: {expr: 15 - lat / 3}}
  sites: {kind: simulate, seed: 2, on: planet, sites: 20, columns: {Rs: {expr: exp(0.05*T)}}}
models:
  resp: {kind: linear, formula: log(Rs) ~ T, data: sites}
"""
WRONG = SOUND.replace("sites: 20", "site: 20").replace("kind: linear", "kind: liner")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("SOILQL_STORE", "GITHUB_ACTIONS", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "sound.yaml").write_text(SOUND)
    (tmp_path / "wrong.yaml").write_text(WRONG)
    return tmp_path


def stdin(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


# --- the command line itself ------------------------------------------------------------------------------------------


def test_without_arguments_it_shows_its_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    out = capsys.readouterr().out
    assert all(re.search(rf"^    {command} ", out, re.MULTILINE) for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert f"example: soilql {command} " in capsys.readouterr().out


def test_it_runs_as_a_module(here: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "soilql", "lint", "wrong.yaml"],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "wrong.yaml:8:48: error SQ120 unknown key `site`" in ran.stderr


def test_an_interrupt_ends_with_the_status_of_the_shell(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("soilql.plan.make_plan", interrupt)
    assert main(["run", "sound.yaml"]) == 130  # 128 and the number of SIGINT


@pytest.mark.parametrize("arguments", [["lint"], ["lint", "--format", "xml", "x"], ["nonsense"], ["fmt", "--check"]])
def test_wrong_usage_is_status_two(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


# --- lint -------------------------------------------------------------------------------------------------------------


def test_the_last_line_says_what_can_be_mended(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", "wrong.yaml"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.endswith("\n2 findings in 1 file (2 errors); --fix mends 2\n")


@pytest.mark.parametrize("form", ["json", "sarif", "github"])
def test_formats_for_machines_go_to_the_standard_output(
    form: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lint", "--format", form, "wrong.yaml", "sound.yaml"]) == 1
    captured = capsys.readouterr()
    assert captured.err == ""
    if form == "github":
        assert [line.partition(",")[0] for line in captured.out.splitlines()] == ["::error file=wrong.yaml"] * 2
    else:
        document = json.loads(captured.out)
        found = document["findings"] if form == "json" else document["runs"][0]["results"]
        assert [one["code" if form == "json" else "ruleId"] for one in found] == ["SQ120", "SQ205"]
    assert main(["lint", "--format", form, "sound.yaml"]) == 0


@pytest.mark.parametrize(
    ("options", "codes", "status"),
    [
        (["--select", "SQ12,SQ3"], ["SQ120"], 1),
        (["--select", "sq205", "--select", "SQ120"], ["SQ120", "SQ205"], 1),
        (["--ignore", "SQ1"], ["SQ205"], 1),
        (["--ignore", "SQ1,SQ205"], [], 0),
        (["--severity", "error"], ["SQ120", "SQ205"], 1),
    ],
)
def test_findings_are_chosen_by_code_and_severity(
    options: list[str], codes: list[str], status: int, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lint", "wrong.yaml", *options]) == status
    err = capsys.readouterr().err
    assert re.findall(r"error (SQ\d+)", err) == codes
    if len(codes) < 2:
        assert f"{2 - len(codes)} {'more ' if codes else ''}not selected" in err


def test_a_code_that_does_not_exist_is_wrong_usage(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", "wrong.yaml", "--select", "SQ999"]) == 2
    assert "no code begins with `SQ999`" in capsys.readouterr().err


def test_a_folder_is_linted_and_a_file_that_is_not_there_is_status_two(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "figures.yaml").write_text("- {id: a, statistic: r}\n")
    assert main(["lint", "."]) == 1
    err = capsys.readouterr().err
    assert "2 findings in 2 files" in err
    assert "not taken for specs: figures.yaml" in err
    assert main(["lint", ".", "gone.yaml"]) == 2
    assert "1 file not readable" in capsys.readouterr().err
    (here / "empty").mkdir()
    assert main(["lint", "empty"]) == 2
    assert "SQ106" in capsys.readouterr().err


def test_the_standard_input_is_linted_under_the_name_given(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stdin(monkeypatch, WRONG)
    assert main(["lint", "-", "--stdin-filename", "study.yaml"]) == 1
    assert "study.yaml:8:48: error SQ120" in capsys.readouterr().err
    stdin(monkeypatch, "soilql 1\nvalidation f = kfold(fold = 5)\n")
    assert main(["lint", "-", "--stdin-filename", "study.soilql"]) == 1
    assert "study.soilql:2:22: error SQ120" in capsys.readouterr().err
    stdin(monkeypatch, WRONG)
    assert main(["lint", "-", "sound.yaml"]) == 2
    assert "SQ142" in capsys.readouterr().err


def test_colour_is_asked_for_or_not(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["lint", "wrong.yaml", "--color", "always"])
    assert "\x1b[1;31merror SQ120\x1b[0m" in capsys.readouterr().err
    main(["lint", "wrong.yaml"])
    assert "\x1b" not in capsys.readouterr().err


# --- lint --fix -------------------------------------------------------------------------------------------------------


def test_fix_mends_files_and_says_what_it_did(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", "wrong.yaml", "--fix"]) == 0
    err = capsys.readouterr().err
    assert "mended wrong.yaml:8:48: SQ120 replace `site` by `sites`" in err
    assert "mended wrong.yaml:10:16: SQ205 replace `liner` by `linear`" in err
    assert err.endswith("1 file: 2 mended, no findings\n")
    assert (here / "wrong.yaml").read_text() == SOUND
    assert main(["lint", "wrong.yaml", "--fix"]) == 0
    assert capsys.readouterr().err == "1 file: no findings\n"


def test_diff_shows_and_writes_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", "wrong.yaml", "--diff"]) == 1
    captured = capsys.readouterr()
    assert "-  resp: {kind: liner," in captured.out
    assert "+  resp: {kind: linear," in captured.out
    assert "2 edits not made, as --diff was given" in captured.err
    assert (here / "wrong.yaml").read_text() == WRONG
    assert main(["lint", "sound.yaml", "--diff"]) == 0
    assert main(["lint", "wrong.yaml", "--diff", "--format", "json"]) == 2


def test_only_what_is_selected_is_mended(here: Path) -> None:
    assert main(["lint", "wrong.yaml", "--fix", "--select", "SQ205"]) == 0
    assert (here / "wrong.yaml").read_text() == WRONG.replace("liner,", "linear,")


def test_fix_takes_what_is_certain_and_unsafe_fixes_the_rest(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = WRONG.replace("data: sites", "data: site")
    (here / "wrong.yaml").write_text(text)
    assert main(["lint", "wrong.yaml", "--fix"]) == 1
    assert "--unsafe-fixes mends 1" in capsys.readouterr().err
    assert main(["lint", "wrong.yaml", "--unsafe-fixes"]) == 0
    assert (here / "wrong.yaml").read_text() == SOUND


def test_the_standard_input_is_mended_to_the_standard_output(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stdin(monkeypatch, WRONG)
    assert main(["lint", "-", "--fix"]) == 0
    assert capsys.readouterr().out == SOUND
    stdin(monkeypatch, WRONG)
    assert main(["lint", "-", "--fix", "--format", "sarif"]) == 2


def test_machines_read_what_is_left_after_mending(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "wrong.yaml").write_text(WRONG.replace("data: sites", "data: site"))
    assert main(["lint", "wrong.yaml", "--fix", "--format", "json"]) == 1
    assert [one["code"] for one in json.loads(capsys.readouterr().out)["findings"]] == ["SQ203"]


# --- surfaces ---------------------------------------------------------------------------------------------------------


def test_a_spec_goes_to_the_other_surface_and_back(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", "sound.yaml", "sound.soilql"]) == 0
    assert main(["lint", "sound.soilql"]) == 0
    assert main(["convert", "sound.soilql", "again.yaml"]) == 0
    capsys.readouterr()
    assert main(["render", "sound.yaml"]) == 0
    first = capsys.readouterr().out
    assert main(["render", "again.yaml"]) == 0
    assert capsys.readouterr().out == first
    assert main(["convert", "sound.yaml"]) == 0
    assert capsys.readouterr().out == (here / "sound.soilql").read_text()


def test_convert_writes_over_a_file_only_when_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "x.soilql").write_text("mine")
    assert main(["convert", "sound.yaml", "x.soilql"]) == 2
    assert "SQ142" in capsys.readouterr().err
    assert (here / "x.soilql").read_text() == "mine"
    assert main(["convert", "sound.yaml", "x.soilql", "--force"]) == 0
    assert (here / "x.soilql").read_text().startswith("soilql 1\n")


def test_plan_and_run_take_the_mini_language(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", "sound.yaml", "sound.soilql"]) == 0
    assert main(["plan", "sound.soilql"]) == 0
    assert "resp" in capsys.readouterr().out
    assert main(["run", "sound.soilql", "--quiet"]) == 0
    assert (here / "runs" / "sound" / "manifest.json").is_file()
    capsys.readouterr()
    assert main(["run", "sound.yaml", "--quiet"]) == 0
    assert "nothing to do" in capsys.readouterr().out  # the surface is no part of what a result is known by


def test_fmt_lays_out_checks_and_shows(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "x.yaml").write_text("soilql:   1  # first\nvalidation: {f: {kind: kfold,   folds: 5}}\n")
    before = (here / "x.yaml").read_text()
    assert main(["fmt", "--check", "x.yaml"]) == 1
    assert "would lay out x.yaml" in capsys.readouterr().err
    assert main(["fmt", "--diff", "x.yaml"]) == 1
    assert "-soilql:   1  # first\n" in capsys.readouterr().out
    assert (here / "x.yaml").read_text() == before
    assert main(["fmt", "x.yaml"]) == 0
    assert "soilql: 1  # first\n" in (here / "x.yaml").read_text()
    assert main(["fmt", "--check", "x.yaml"]) == 0
    (here / "broken.yaml").write_text("a: [1\n")
    assert main(["fmt", "x.yaml", "broken.yaml"]) == 2
    assert "broken.yaml" in capsys.readouterr().err


def test_fmt_lays_out_the_standard_input(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stdin(monkeypatch, "soilql:   1\n")
    assert main(["fmt", "-"]) == 0
    assert capsys.readouterr().out == "soilql: 1\n"


def test_render_puts_inputs_in(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = SOUND.replace("soilql: 1\n", "soilql: 1\ninputs: {count: 20}\n").replace("20,", "'${inputs.count}',")
    (here / "sound.yaml").write_text(text)
    assert main(["render", "sound.yaml", "--set", "count=30"]) == 0
    assert "sites: 30" in capsys.readouterr().out
    with pytest.raises(SystemExit) as caught:
        main(["render", "wrong.yaml"])
    assert caught.value.code == 1


def test_lock_pins_what_a_spec_uses(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lock", "sound.yaml"]) == 0
    assert "nothing that has to be pinned" in capsys.readouterr().out
    assert not (here / "soilql.lock").exists()
    (here / "child.yaml").write_text("soilql: 1\nextends: sound.yaml\n")
    assert main(["lock", "child.yaml", "--local"]) == 0
    assert "1 pinned in soilql.lock" in capsys.readouterr().out
    assert (here / "soilql.lock").is_file()
    assert main(["lock", "child.yaml", "--local"]) == 0
    assert "kept     sound.yaml" in capsys.readouterr().out


# --- audit and explain ------------------------------------------------------------------------------------------------


def test_audit_checks_printed_figures(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # r = 0.67 of 15 years gives t = 3.25 with 13 degrees of freedom, so p = 0.006 (Student's t).
    (here / "fits.csv").write_text("id,statistic,value,p,n\nwarm,r,0.67,<0.05,15\n")
    assert main(["audit", "fits.csv"]) == 0
    assert "warm: fits together" in capsys.readouterr().out
    (here / "misfits.csv").write_text("id,statistic,value,p,n\nwarm,r,0.10,<0.001,15\n")
    assert main(["audit", "misfits.csv", "--format", "json"]) == 1
    assert json.loads(capsys.readouterr().out)["table"] == "misfits.csv"
    assert main(["audit", "gone.csv"]) == 2


def test_explain_shows_a_model_of_a_spec(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "model", "resp", "in", "sound.yaml"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("resp, linear\n")
    assert "log(Rs)" in out
    assert main(["explain", "model", "rsp", "in", "sound.yaml"]) == 2
    assert "did you mean `resp`?" in capsys.readouterr().err
    assert main(["explain", "models"]) == 0


# --- the README -------------------------------------------------------------------------------------------------------


def readme_commands() -> list[str]:
    blocks = re.findall(
        r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    lines = [line for block in blocks for line in block.splitlines() if line.strip()]
    return list(dict.fromkeys(part.strip() for line in lines for part in line.split("&&")))


def marked(command: str) -> object:
    words = shlex.split(command, comments=True)
    marks = []
    if words[0] != "soilql":
        reason = "installs packages or runs these tests: .ci/run does it in a fresh environment"
        marks.append(pytest.mark.skip(reason=reason))
    elif words[1] == "run":
        study = any(word.startswith("specs/") for word in words)
        # The tests of a recipe run it just so, and with every version of its database.
        marks.append(pytest.mark.long if study else pytest.mark.slow)
        marks += [pytest.mark.data] if study else []
    return pytest.param(words, marks=marks, id=" ".join(words))


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readme")
    for name in ("examples", "specs", "schemas"):
        shutil.copytree(ROOT / name, folder / name)
    return folder


@pytest.mark.parametrize("words", [marked(command) for command in readme_commands()])
def test_the_commands_of_the_readme_work(
    words: list[str], copy: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    import os

    if request.node.get_closest_marker("data") and "SOILQL_DATA" not in os.environ:
        pytest.skip("needs the real data named by SOILQL_DATA")
    monkeypatch.chdir(copy)
    monkeypatch.delenv("SOILQL_STORE", raising=False)
    assert main(words[1:]) == 0


def test_the_readme_has_commands() -> None:
    assert [command for command in readme_commands() if command.startswith("soilql ")]
