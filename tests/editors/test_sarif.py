"""Our SARIF by the judgement of its authors: the SARIF Multitool of Microsoft, which has the schema of SARIF 2.1.0."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from soilql.lint_files import lint_files
from soilql.reporting import sarif

pytestmark = pytest.mark.slow

CASES = Path(__file__).parents[1] / "lint" / "err"


@pytest.fixture(scope="module")
def multitool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    if sys.platform != "linux":
        pytest.skip("the program of the package for this system is elsewhere")
    folder = tmp_path_factory.mktemp("npm")
    command = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--loglevel=error"]
    name = "@microsoft/sarif-multitool@5"
    ran = subprocess.run([*command, name], capture_output=True, text=True, check=False, timeout=300)
    program = folder / "node_modules" / "@microsoft" / "sarif-multitool-linux" / "Sarif.Multitool"
    if ran.returncode or not program.exists():
        pytest.skip(f"npm cannot install {name}: {ran.stderr.strip()[-300:]}")
    program.chmod(0o755)
    return program


def judged(multitool: Path, folder: Path, log: str) -> list[dict[str, Any]]:
    """Return what the validator finds in a log, apart from notes."""
    (folder / "log.sarif").write_text(log, encoding="utf-8")
    command = [str(multitool), "validate", "log.sarif", "--output", "found.sarif", "--log", "ForceOverwrite"]
    environment = {**os.environ, "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1"}
    subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False, timeout=300)
    (run,) = json.loads((folder / "found.sarif").read_text(encoding="utf-8-sig"))["runs"]
    found: list[dict[str, Any]] = run["results"]
    return found


def test_the_log_of_all_cases_is_valid(multitool: Path, tmp_path: Path) -> None:
    results = lint_files([str(path) for path in sorted(CASES.glob("*.yaml"))], {})
    assert sum(len(one.findings) for one in results) > 100
    found = judged(multitool, tmp_path, sarif.report(results, CASES))
    # SARIF2005 asks for the address of a page about the tool, of which there is none.
    assert [one for one in found if one["ruleId"] != "SARIF2005"] == []


def test_a_log_that_is_not_valid_is_told(multitool: Path, tmp_path: Path) -> None:
    path = CASES / "misspelt_key.yaml"
    log = json.loads(sarif.report(lint_files([str(path)], {}), CASES))
    del log["runs"][0]["results"][0]["message"]
    found = judged(multitool, tmp_path, json.dumps(log))
    assert any(one["ruleId"].startswith("JSON") and one.get("level") == "error" for one in found)
