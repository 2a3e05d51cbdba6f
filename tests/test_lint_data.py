"""`soilql lint --data`: pairs of a spec on small faulty files and the exact text expected, and what it leaves alone."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from soilql import registry
from soilql.cli import main
from soilql.context import Resources
from soilql.errors import Diagnostic, Severity
from soilql.explain import codes, explain
from soilql.lint import check_modules, rule_modules
from soilql.lint_data import Looked, lint_data
from soilql.plan import make_plan
from soilql.spec import load
from soilql.store import Store
from soilql.study.study import Study
from soilql.study.values import Places

from .data_files import write_all
from .support import data_path, needs_data

CASES = Path(__file__).parent / "lint_data"
OK = sorted((CASES / "ok").glob("*.yaml"))
ERR = sorted((CASES / "err").glob("*.yaml"))
STUDY = CASES / "ok" / "study.yaml"
RECIPE = Path(__file__).parent.parent / "specs" / "warner2019.yaml"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every data file."""
    made = tmp_path_factory.mktemp("lint_data")
    write_all(made)
    return made


@pytest.fixture(autouse=True)
def no_public_data(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Public data sets are not at hand, whatever this machine has; nothing may be downloaded."""
    if request.node.get_closest_marker("data") is None:
        monkeypatch.delenv("SOILQL_DATA", raising=False)
        monkeypatch.setenv("SOILQL_CACHE", str(Path(request.getfixturevalue("folder")) / "cache"))
        monkeypatch.setenv("SOILQL_OFFLINE", "1")


def look(
    path: Path, folder: Path, settings: Mapping[str, str] | None = None, *, store: str = "store", memory: int = 1 << 30
) -> Looked:
    """Return what is found on a spec beside the data."""
    target = folder / path.name
    shutil.copy(path, target)
    spec = load(target, settings, name=path.name)
    return lint_data(spec, Places(folder / store, Resources(memory, 1)))


def text(found: Looked) -> str:
    return "".join(f"{one.render()}\n" for one in found.findings)


def stem(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize("path", OK, ids=stem)
def test_sound_studies_pass_in_silence(path: Path, folder: Path) -> None:
    assert text(look(path, folder)) == ""


@pytest.mark.parametrize("path", ERR, ids=stem)
def test_faults_are_described_exactly(path: Path, folder: Path) -> None:
    found = look(path, folder)
    assert text(found) == path.with_suffix(".txt").read_text(encoding="utf-8")
    assert all(one.code in codes() for one in found.findings)
    places = Counter((one.span.start, one.span.end) for one in found.findings if one.span is not None)
    assert max(places.values()) == 1


def test_every_check_has_a_study_that_it_finds_fault_with() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (CASES / "err").glob("*.txt")]
    assert {path.stem for path in (CASES / "err").glob("*.txt")} == {path.stem for path in ERR}
    shown = {module.CODE for module in check_modules() if any(f" {module.CODE} " in one for one in texts)}
    assert shown == {module.CODE for module in check_modules()}


@pytest.mark.parametrize("module", check_modules(), ids=lambda module: module.__name__.rpartition(".")[2])
def test_a_check_explains_itself_with_an_example_of_both(module: object) -> None:
    shown = explain(getattr(module, "CODE", ""), 100)
    assert "\nBad:\n\n    " in shown
    assert "\nGood:\n\n    " in shown
    assert len(shown.split()) > 40


def test_a_check_with_the_code_of_a_rule_has_its_title() -> None:
    titles = {module.CODE: module.TITLE for module in rule_modules()}
    both = [module for module in check_modules() if module.CODE in titles]
    assert len(both) >= 6
    assert all(titles[module.CODE] == module.TITLE for module in both)


# --- what is left alone -----------------------------------------------------------------------------------------------


def test_what_was_made_is_kept_for_the_run_and_no_model_is_fitted(folder: Path) -> None:
    assert text(look(STUDY, folder, store="kept")) == ""
    plan, store = make_plan(load(folder / STUDY.name)), Store(folder / "kept")
    assert {node.name for node in plan.nodes if node.kind.stored and store.has(node.key)} == {"obs", "training"}
    before = {path: path.stat().st_mtime_ns for path in (folder / "kept").glob("??/*/*") if path.is_file()}
    look(STUDY, folder, store="kept")
    after = {path: path.stat().st_mtime_ns for path in (folder / "kept").glob("??/*/*") if path.is_file()}
    assert before == after


def test_nothing_is_downloaded_unless_asked_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def resolve(name: str, report: object = None) -> list[Path]:
        asked.append(name)
        return []

    monkeypatch.setattr(registry, "resolve", resolve)
    path = CASES / "err" / "not_at_hand.yaml"
    assert [one.code for one in look(path, folder, store="a").findings] == ["SQ740"]
    assert asked == []
    spec = load(folder / path.name)
    assert [one.code for one in lint_data(spec, Places(folder / "b", fetch=True)).findings] == ["SQ740"]
    assert asked == ["jian2021-drivers"]


def test_a_download_that_fails_is_a_finding(folder: Path) -> None:
    path = folder / "not_at_hand.yaml"
    shutil.copy(CASES / "err" / "not_at_hand.yaml", path)
    found = lint_data(load(path), Places(folder / "c", fetch=True)).findings
    assert [(one.code, one.span.text if one.span else "") for one in found] == [("SQ904", "registry:jian2021-drivers")]


def test_an_error_in_the_spec_hides_only_what_is_made_from_it(folder: Path) -> None:
    changed = STUDY.read_text(encoding="utf-8").replace("folds: 5", "fold: 5").replace("Agriculture", "agriculture")
    path = folder / "both.yaml"
    path.write_text(changed, encoding="utf-8")
    found = lint_data(load(path, name="both.yaml"), Places(folder / "store")).findings
    assert [one.code for one in found] == ["SQ742", "SQ120"]


def test_a_check_that_breaks_is_a_finding_and_does_not_hide_the_rest(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from soilql.data_checks import null_island

    def broken(study: object) -> list[Diagnostic]:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(null_island, "check", broken)
    found = look(CASES / "err" / "absent_category.yaml", folder).findings
    assert [one.code for one in found] == ["SQ899", "SQ742"]
    assert "SQ744" in found[0].message and "ZeroDivisionError: oh" in found[0].message


# --- invariances ------------------------------------------------------------------------------------------------------


def test_neither_the_order_of_rows_nor_the_size_of_blocks_changes_a_finding(folder: Path, tmp_path: Path) -> None:
    for path in folder.glob("*.csv"):
        frame = pd.read_csv(path, keep_default_na=False)
        frame.sample(frac=1, random_state=5).to_csv(tmp_path / path.name, index=False)
    for path in [*folder.glob("*.nc"), *folder.glob("*.tif")]:
        shutil.copy(path, tmp_path)
    for name in ("extrapolation", "rows_in_no_zone", "sites_without_drivers", "zone_too_small", "conditioning"):
        case = CASES / "err" / f"{name}.yaml"
        assert text(look(case, folder)) == text(look(case, tmp_path, memory=40_000))


def test_the_unit_of_a_response_changes_no_number(folder: Path) -> None:
    case = (CASES / "err" / "conditioning.yaml").read_text(encoding="utf-8")
    old = "Rs: {from: Rs, unit: g C m-2 yr-1}"
    assert case.count(old) == 1
    (folder / "daily.yaml").write_text(
        case.replace(old, "Rs: {from: Rs, from_unit: g C m-2 yr-1, unit: umol CO2 m-2 s-1}"), encoding="utf-8"
    )
    found = lint_data(load(folder / "daily.yaml"), Places(folder / "store")).findings
    assert [(one.code, one.label) for one in found] == [
        ("SQ646", "all rows: 18 for 3"),
        ("SQ405", "condition index 2,576"),
    ]


# --- the command ------------------------------------------------------------------------------------------------------


def command(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    status = main(["lint", *arguments])
    printed = capsys.readouterr()
    return status, printed.out, printed.err


@pytest.fixture
def case(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(folder)
    shutil.copy(CASES / "err" / "absent_category.yaml", "case.yaml")
    shutil.copy(STUDY, "study.yaml")
    return "case.yaml"


def test_the_command_says_what_it_looked_at(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    places = ("--data", "--store", "store")
    assert command(capsys, "study.yaml", *places) == (
        0,
        "",
        "looked at\n"
        "  obs       96 rows\n"
        "  climate   36 x 72 cells, 3 variables\n"
        "  training  96 of 96 rows have all drivers\n"
        "  q10       96 complete rows: cold 38, warm 58\n"
        "1 file: no findings\n",
    )
    assert command(capsys, case) == (0, "", "1 file: no findings\n")
    status, _, err = command(capsys, case, "study.yaml", *places)
    assert status == 1
    assert "warning SQ742" in err and "looked at in study.yaml\n" in err
    assert err.endswith("1 finding in 2 files (1 warning); --unsafe-fixes mends 1\n")


@pytest.mark.parametrize("format", ["json", "sarif", "github"])
def test_findings_about_data_have_every_format(case: str, format: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = command(capsys, case, "--data", "--store", "store", "--format", format)
    assert (status, err) == (1, "")
    assert "SQ742" in out
    if format == "json":
        (found,) = json.loads(out)["findings"]
        assert (found["start"]["line"], found["start"]["column"]) == (6, 20)


def test_findings_about_data_are_chosen_as_others_are(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    places = ("--data", "--store", "store")
    assert command(capsys, case, *places, "--ignore", "SQ742")[0] == 0
    assert command(capsys, case, *places, "--select", "SQ6")[0] == 0
    assert command(capsys, case, *places, "--select", "SQ7")[0] == 1
    assert command(capsys, case, *places, "--severity", "error")[0] == 0


def test_the_text_is_mended_where_only_the_data_tell_how(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(capsys, case, "--data", "--store", "store", "--unsafe-fixes")[0] == 0
    assert 'kind != "Agriculture"' in Path(case).read_text(encoding="utf-8")


def test_inputs_are_set_from_outside(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    spec = STUDY.read_text(encoding="utf-8").replace("source: sites.csv", "source: ${inputs.table}")
    Path("inputs.yaml").write_text(spec.replace("soilql: 1", "soilql: 1\ninputs: {table: sites.csv}"), encoding="utf-8")
    places = ("--data", "--store", "store")
    assert command(capsys, "inputs.yaml", *places)[0] == 0
    assert "SQ701" in command(capsys, "inputs.yaml", *places, "--set", "table=none.csv")[2]


def test_a_suppression_of_what_only_data_show_is_not_needless_without_them(
    case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(CASES / "err" / "suppressed_without_need.yaml", "needless.yaml")
    assert command(capsys, "needless.yaml")[0] == 0
    assert "SQ691" in command(capsys, "needless.yaml", "--data", "--store", "store")[2]


def test_fetch_needs_data(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = command(capsys, case, "--fetch")
    assert status == 2
    assert "SQ142" in err


# --- real data --------------------------------------------------------------------------------------------------------


@pytest.mark.data
@needs_data
def test_findings_on_the_recipe_are_true(tmp_path: Path) -> None:
    spec = load(RECIPE, name=RECIPE.name)
    found = lint_data(spec, Places(tmp_path / "store", Resources(1 << 30, 2)))
    assert [(one.code, one.severity) for one in found.findings] == [
        ("SQ730", Severity.WARNING),
        ("SQ609", Severity.WARNING),
    ]
    # The same counts by pandas and xarray alone.
    path = data_path("srdb/srdb-data-v5.csv.gz")
    table = pd.read_csv(path, encoding="latin-1", keep_default_na=False, na_values=["", "NA"], low_memory=False)
    keep = (table["Rs_annual"] > 0) & (table["Manipulation"] == "None") & (table["Annual_coverage"] >= 0.9)
    # A comparison with a missing value is not true.
    keep &= table["Ecosystem_type"].notna() & (table["Ecosystem_type"] != "Agriculture")
    keep &= table["Meas_method"].isin(["IRGA", "Gas chromatography"])
    sites = table[keep & table[["Latitude", "Longitude", "Study_midyear"]].notna().all(axis=1)]
    sites = sites.assign(year=np.floor(sites["Study_midyear"]))
    sites = sites.groupby(["Latitude", "Longitude", "year"], as_index=False)["Rs_annual"].mean()
    drivers = xr.open_dataset(data_path("rc-stack/global_Rt_contribution_to_Rs2.nc"))
    names = ["MAT", "MAP", "BMa", "BMb", "N_deposition", "BD", "Clay", "SOC", "EVI"]
    cells = np.stack([drivers[name].transpose("lat", "lon").to_numpy() for name in names])
    rows = np.clip(np.floor((90 - sites["Latitude"]) / 0.5).astype(int), 0, 359)
    columns = np.clip(np.floor((sites["Longitude"] + 180) / 0.5).astype(int), 0, 719)
    at_sites = cells[:, rows, columns]
    complete = np.isfinite(at_sites).all(axis=0)
    good, rest = found.findings[0].message.split(" of ", 1)
    assert rest == f"{len(sites):,} rows of `srdb` have all drivers"
    # A site on the edge between two cells may be given either.
    on_edge = ((sites[["Latitude", "Longitude"]] % 0.5) == 0).any(axis=1)
    assert abs(int(good.replace(",", "")) - int(complete.sum())) <= 0.05 * on_edge.sum() < 10
    # So the ranges are those of the sites as they were joined; the area is computed anew.
    with Study(spec, Places(tmp_path / "store")) as study:
        joined = study.table("training")
        assert joined is not None
        ends = joined.frame[names].agg(["min", "max"]).to_numpy() / [*[1.0] * 8, 1e4]
    low, high = ends[0] * (1 - 1e-6 * np.sign(ends[0])), ends[1] * (1 + 1e-6)
    known = np.isfinite(cells).all(axis=0)
    area = np.broadcast_to(np.cos(np.radians(89.75 - 0.5 * np.arange(360)))[:, None], known.shape)
    beyond = ((cells < low[:, None, None]) | (cells > high[:, None, None])).any(axis=0) & known
    percent, rest = found.findings[1].message.split(" % ", 1)
    assert rest == "of the area of `drivers` lies outside the rows of `qrf`"
    assert abs(float(percent) - 100 * area[beyond].sum() / area[known].sum()) < 0.5
    assert found.lines[0].split() == ["srdb", f"{len(sites):,}", "rows"]
