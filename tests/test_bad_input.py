"""Whatever is wrong with a study, a run says what, where and how to mend it, and does all the rest."""

from __future__ import annotations

import ctypes
import gzip
import itertools
import json
import os
import re
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr

from soilql import export
from soilql.outputs import figures, maps

from .small_study import ALL, LIGHT, WITHOUT_GRID, Outcome, Study, write_tif

RUN, FINDINGS, UNUSABLE, FAILED = 0, 1, 2, 3


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw nothing: figures are another module's business, and slow."""

    def draw(what: Any, *names: Any) -> None:
        next(name for name in names if isinstance(name, Path)).write_text("drawn")

    monkeypatch.setattr(maps, "write_map", draw)
    monkeypatch.setattr(figures, "write_observed_predicted", draw)
    monkeypatch.setattr(figures, "write_bars", draw)


@pytest.fixture
def study(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.setenv("SOILQL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SOILQL_OFFLINE", "1")
    monkeypatch.delenv("SOILQL_DATA", raising=False)
    return Study(tmp_path, capsys)


def said(outcome: Outcome, status: int, *words: str) -> None:
    """Check a command's exit status, and that it said something without a traceback."""
    assert outcome.status == status, outcome.err
    assert "Traceback" not in outcome.err
    assert "failed unexpectedly" not in outcome.err
    for word in words:
        assert word in outcome.err, outcome.err


# --- files and columns -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Spoilt:
    """A way to spoil the study: how, what is said of it and where, and which results there are all the same."""

    spoil: Callable[[Study], None]
    words: tuple[str, ...]
    place: str
    results: tuple[str, ...] = ()


def _spec(*pairs: tuple[str, str]) -> Callable[[Study], None]:
    return lambda study: study.replace(*pairs)


def _table(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Study], None]:
    return lambda study: study.edit(change)


def _bytes(name: str, change: Callable[[bytes], bytes]) -> Callable[[Study], None]:
    return lambda study: (study.folder / name).write_bytes(change((study.folder / name).read_bytes())) and None


def _packed(change: Callable[[bytes], bytes]) -> Callable[[Study], None]:
    def spoil(study: Study) -> None:
        packed = gzip.compress((study.folder / "obs.csv").read_bytes())
        (study.folder / "obs.csv.gz").write_bytes(change(packed))
        study.replace(("source: obs.csv", "source: obs.csv.gz"))

    return spoil


def _tif(*values: Any, **how: Any) -> Callable[[Study], None]:
    return lambda study: write_tif(study.folder / "T.tif", *values, **how)


def _ragged(study: Study) -> None:
    lines = (study.folder / "obs.csv").read_text().splitlines()
    lines[7] += ",one,two"
    lines[9] = "s4,10.2"
    (study.folder / "obs.csv").write_text("\n".join(lines))


def _cell(column: str, row: int, value: object) -> Callable[[Study], None]:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame[column] = frame[column].astype(object)
        frame.loc[row, column] = value
        return frame

    return _table(change)


def _cut_netcdf(study: Study) -> None:
    lat, lon = np.arange(87.5, -90, -5), np.arange(-177.5, 180, 5)
    axes = {"lat": ("lat", lat, {"units": "degrees_north"}), "lon": ("lon", lon, {"units": "degrees_east"})}
    values = np.random.default_rng(0).normal(size=(36, 72))
    xr.Dataset({"T": (("lat", "lon"), values, {"units": "degC"})}, axes).to_netcdf(study.folder / "T.nc")
    content = (study.folder / "T.nc").read_bytes()
    (study.folder / "T.nc").write_bytes(content[: len(content) // 2])
    study.replace(("source: T.tif", "source: T.nc"))


def _folder(study: Study) -> None:
    (study.folder / "data").mkdir()
    shutil.copy(study.folder / "obs.csv", study.folder / "data")
    study.replace(("source: obs.csv", "source: data"))


SPOILT: dict[str, Spoilt] = {
    "a missing file": Spoilt(
        lambda study: (study.folder / "obs.csv").unlink(),
        ("no file at `obs.csv`", "paths start from the spec's folder", "5 blocks skipped for it: `q10`"),
        "obs.csv",
    ),
    "a misspelt file": Spoilt(
        _spec(("source: obs.csv", "source: Obs.csv")), ("no file at `Obs.csv`", "did you mean `obs.csv`?"), "Obs.csv"
    ),
    "a glob that matches nothing": Spoilt(
        _spec(("source: obs.csv", 'source: "data/*.csv"')), ("no file at `data/*.csv`",), '"data/*.csv"'
    ),
    "a folder": Spoilt(_folder, ("`data` is a folder, not a file", "a glob such as"), "data"),
    "an empty path": Spoilt(_spec(("source: obs.csv", 'source: ""')), ("`source` is empty",), '""'),
    "an empty file": Spoilt(_bytes("obs.csv", lambda content: b""), ("`obs.csv` is empty",), "obs.csv"),
    "a header alone": Spoilt(_table(lambda frame: frame[:0]), ("`obs.csv` has no rows",), "obs.csv"),
    "a damaged gzip": Spoilt(
        _packed(lambda packed: packed[:100] + bytes(50) + packed[150:]),
        ("obs.csv.gz` is a truncated or damaged gzip file", "fetch or unpack the file again"),
        "obs.csv.gz",
    ),
    "half a gzip": Spoilt(
        _packed(lambda packed: packed[: len(packed) // 2]),
        ("obs.csv.gz` is a truncated or damaged gzip file",),
        "obs.csv.gz",
    ),
    "ragged rows": Spoilt(
        _ragged,
        ("`obs.csv` line 8 has 7 fields, expected 5", "also lines 10 (2 fields)", "needs quotes around the field"),
        "obs.csv",
    ),
    "text among numbers": Spoilt(
        _cell("T", 4, "n.d."),
        ("column `T` holds `n.d.` where a number is needed", "line 6 of `obs.csv`", "if it means missing: `missing:"),
        "{from: T, unit: degC}",
    ),
    "a column that is not there": Spoilt(
        _spec(("{from: Rs,", "{from: Rs_anual,")),
        ("the table has no column `Rs_anual`", "it has `site`, `lat`, `lon`, `T`, `Rs`"),
        "Rs_anual",
    ),
    "a role that is not there": Spoilt(
        _spec(("lon: lon", "lon: Lon")), ("the table has no column `Lon`", "did you mean `lon`?"), "Lon"
    ),
    "a formula with a column that is not there": Spoilt(
        _spec(("formula: Rs ~ T,", "formula: Rs ~ Tair,")),
        ("`obs` has no column `Tair`", "it has `site`"),
        "Tair",
        ("models/q10", "analyses/map", "analyses/budget"),
    ),
    "latitudes times a hundred": Spoilt(
        _table(lambda frame: frame.assign(lat=frame.lat * 1e4)),
        ("no row of `obs.csv` is left for `obs`", "60 rows left out: `lat` beyond 90 degrees, such as"),
        "obs.csv",
    ),
    "a filter that leaves nothing": Spoilt(
        _spec(("    columns:\n", "    where: Rs > 0 and site == 'Tundra'\n    columns:\n")),
        ("no row of 60 meets the condition", "`Rs > 0` is met by 60 rows; 60 are left", "are values spelt as in"),
        "site == 'Tundra'",
    ),
    "infinite fluxes": Spoilt(
        _table(lambda frame: frame.assign(Rs=np.inf)),
        ("`line` could not be fitted: 0 complete rows, 3 needed", "infinite values in `Rs`"),
        "Rs ~ T",
    ),
    "one temperature": Spoilt(
        _table(lambda frame: frame.assign(T=10.0)),
        ("cannot be told apart", "`T` is 10 in all rows"),
        "Rs ~ a * exp(b * T)",
    ),
    "a formula with two drivers that are one": Spoilt(
        _spec(
            (
                "      T: {from: T, unit: degC}\n",
                "      T: {from: T, unit: degC}\n      U: {expr: 2 * T, unit: degC}\n",
            ),
            ("Rs ~ a * exp(b * T)", "Rs ~ a * exp(b * T + c * U)"),
            ("[a, b]", "[a, b, c]"),
        ),
        ("`q10` could not be fitted", "`b`", "`c`", "cannot be told apart", "leave one of them out, or fix it under"),
        "Rs ~ a * exp(b * T + c * U)",
        ("models/line", "analyses/skill"),
    ),
    "more folds than groups": Spoilt(
        _spec(("folds: 5", "folds: 50, group: site")),
        ("50 folds asked of 30 groups", "at most 30 folds"),
        "50",
        ("models/q10", "models/line", "analyses/map", "analyses/budget"),
    ),
    "more folds than anything": Spoilt(
        _spec(("folds: 5", "folds: 99999999999999999999999")),
        ("folds asked of 60 rows", "at most 60 folds"),
        "99999999999999999999999",
        ("models/q10", "models/line", "analyses/map", "analyses/budget"),
    ),
}
for _name, _grid in {
    "half a header of a GeoTIFF": Spoilt(
        _bytes("T.tif", lambda content: content[:200]), ("`T.tif` is truncated, damaged or of another format",), "T.tif"
    ),
    "half a NetCDF": Spoilt(_cut_netcdf, ("`T.nc` is truncated, damaged or of another", "HDF error"), "T.nc"),
    "an empty GeoTIFF": Spoilt(_bytes("T.tif", lambda content: b""), ("`T.tif` is truncated, damaged or",), "T.tif"),
    "a text for a GeoTIFF": Spoilt(_bytes("T.tif", lambda content: b"a,b\n1,2\n"), ("`T.tif` is truncated",), "T.tif"),
    "a table for a grid": Spoilt(
        _spec(("source: T.tif", "source: obs.csv")), ("`obs.csv` is no GeoTIFF, NetCDF, Zarr", "`format:"), "obs.csv"
    ),
    "a grid without a coordinate system": Spoilt(
        _tif(crs=None), ("`T.tif` does not say its coordinate reference system", "add `crs: EPSG:4326`"), "T.tif"
    ),
    "a projected grid": Spoilt(
        _tif(crs="EPSG:6933", corner=(-17367530.0, 7314540.0), cell=1e6),
        ("`T.tif` is in the projection EPSG:6933", "gdalwarp -t_srs EPSG:4326"),
        "T.tif",
    ),
    "a grid without any value": Spoilt(
        _tif(np.full((6, 12), np.nan)), ("all values of `T` in `grid` are missing",), "grid"
    ),
    "a grid of its nodata alone": Spoilt(
        _tif(np.full((6, 12), -9999.0), nodata=-9999.0),
        ("all values of `T` in `grid` are missing",),
        "grid",
    ),
    "a unit that does not convert": Spoilt(
        _spec(("T.tif}", "T.tif, variables: {T: {unit: mm yr-1}}}")),
        ("`degC` (temperature) does not convert to `mm yr-1`", "the data are in `degC`", "as `from_unit`"),
        "mm yr-1",
    ),
    "a layer that is not there": Spoilt(
        _spec(("T.tif}", "T.tif, variables: {T: {from: Tair}}}")), ("no layer `Tair` in the files", "`T`"), "Tair"
    ),
    "a data set that cannot be fetched": Spoilt(
        _spec(
            ("source: T.tif", "source: registry:land-fraction"),
            ("on: grid}", "on: grid, rename: {T: land_fraction}}"),
        ),
        ("data set `land-fraction` is not at hand and may not be downloaded", "SOILQL_DATA"),
        "registry:land-fraction",
    ),
}.items():
    SPOILT[_name] = Spoilt(_grid.spoil, _grid.words, _grid.place, WITHOUT_GRID)


@pytest.mark.parametrize("name", SPOILT)
def test_what_is_spoilt_is_told_at_its_place_and_the_rest_is_done(study: Study, name: str) -> None:
    spoilt = SPOILT[name]
    spoilt.spoil(study)
    outcome = study.main()
    said(outcome, FAILED, *spoilt.words)
    assert spoilt.place in set(_marked(outcome.problems))
    assert study.results(spoilt.results)


@pytest.mark.parametrize(
    ("name", "computed"),
    [
        ("a missing file", 6),
        ("text among numbers", 6),
        ("a formula with a column that is not there", 2),
        ("more folds than groups", 1),
        ("a grid without any value", 2),
    ],
)
def test_what_is_mended_runs_and_nothing_that_was_done_runs_again(study: Study, name: str, computed: int) -> None:
    files = {path: path.read_bytes() for path in study.folder.iterdir() if path.is_file()}
    SPOILT[name].spoil(study)
    said(study.main(), FAILED, "")
    for path, content in files.items():
        path.write_bytes(content)
    mended = study.main()
    said(mended, RUN, "")
    assert f"9 blocks: {computed} computed" in mended.out
    assert study.results(ALL)
    assert json.loads((study.folder / "out" / "manifest.json").read_text())["complete"]


def _marked(text: str) -> Iterator[str]:
    """Yield what stands above the carets of each excerpt."""
    for line, below in itertools.pairwise(text.splitlines()):
        if re.match(r" +\| +\^", below) and "| " in line:
            shown, carets = line.split("| ", 1)[1], below.split("| ", 1)[1]
            yield "".join(char for char, mark in zip(shown, carets, strict=False) if mark == "^")


# --- findings before anything runs -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("unit: degC", "unit: degC, from_unit: mm yr-1", ("does not convert to `degC` (temperature)", "`from_unit`")),
        ("unit: degC", "unit: degX", ("unknown unit `degX`", "did you mean")),
        ("T.tif}", "registry:land-fractoin}", ("unknown data set `land-fractoin`", "did you mean `land-fraction`?")),
        ("kind: linear", "kind: liner", ("`models` has no kind `liner`", "did you mean `linear`")),
        ("of: map", "of: mpa", ("no block is named `mpa`", "did you mean `map`?")),
        ("kind: linear, formula: Rs ~ T", "kind: random_forest, trees: -5, formula: Rs ~ T", ("at least 1", "is -5")),
        (
            "kind: linear, formula: Rs ~ T",
            "kind: random_forest, trees: 1000000000000, formula: Rs ~ T",
            ("`trees` must be at least 1 and at most 100000",),
        ),
        ("on: grid", "on: grid, quantiles: [0.5, 7]", ("`quantiles` must be above 0 and below 1", "is 7")),
        (
            "Rs ~ a * exp(b * T), data: obs, by: climate, params: [a, b]",
            "Rs ~ k * exp(a + b * T), data: obs, params: [k, a, b]",
            ("`k` and `a` cannot be told apart", "leave one of them out"),
        ),
        ("folds: 5", "folds: 5, seed: -1", ("`seed` must be at least 0", "is -1")),
        ("Rs ~ a * exp(b * T)", "Rs ~ a * exp(b * T", ("spec.yaml:14",)),
        ("  map:", "  ../evil:", ("`../evil` cannot be a name",)),
        ("  map:", "  /tmp/evil:", ("`/tmp/evil` cannot be a name",)),
        ("  map:", "  " + "n" * 300 + ":", ("is too long", "at most 80 letters")),
        ("Rs ~ T,", f"Rs ~ {'(' * 3000}T{')' * 3000},", ("nested more than 200 deep",)),
    ],
)
def test_a_finding_keeps_the_run_from_starting(study: Study, old: str, new: str, words: tuple[str, ...]) -> None:
    study.replace((old, new))
    said(study.main(), FINDINGS, *words)
    assert not (study.folder / "out").exists()
    assert not (study.folder / "store").exists()
    said(study.main("lint"), FINDINGS, *words)


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        (b"", FINDINGS, ("the file is empty", "begin with `soilql: 1`")),
        (b"- a\n- b\n", FINDINGS, ("a spec is a mapping",)),
        (b"soilql: 1\ndatasets:\n\tx: 1\n", FINDINGS, ("spec.yaml:3:1", "indent with spaces")),
        (bytes(range(256)), UNUSABLE, ("is not UTF-8: byte 128 is 0x80", "save the file as UTF-8")),
        ("soilql: 1\n".encode("utf-16"), UNUSABLE, ("is not UTF-8",)),
        (None, UNUSABLE, ("Is a directory",)),
    ],
)
def test_a_file_that_is_no_spec(study: Study, content: bytes | None, status: int, words: tuple[str, ...]) -> None:
    path = study.folder / "spec.yaml"
    path.unlink()
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    said(study.main(), status, *words)


def test_settings_that_make_no_sense(study: Study) -> None:
    said(study.main("run", "--set", "trees=3"), FINDINGS, "the spec has no input `trees`")
    said(study.main("run", "--set", "trees"), UNUSABLE, "expected NAME=VALUE")
    said(study.main("run", "--memory", "2"), UNUSABLE, "'2' is 2 bytes; blocks need at least 1MB, such as 2GB")
    said(study.main("run", "--workers", "0"), UNUSABLE, "'0' is not a number of threads")
    (study.folder / "spec.yaml").unlink()
    said(study.main(), UNUSABLE, "no such spec")


def test_a_plan_counts_what_cannot_run(study: Study) -> None:
    (study.folder / "obs.csv").unlink()
    outcome = study.main("plan")
    said(outcome, UNUSABLE, "no file at `obs.csv`")
    assert "9 nodes: 0 to run, 3 stored or read when needed, 6 blocked" in outcome.out
    assert not (study.folder / "out").exists()


# --- grids, zones and numbers ------------------------------------------------------------------------------------


def test_grids_of_different_cells_are_not_mixed(study: Study) -> None:
    write_tif(study.folder / "fine.tif", np.ones((12, 24)), cell=15)
    study.replace(
        (
            "  grid:",
            "  fine: {kind: grid, source: fine.tif, variables: {share: {from: T, unit: 1, from_unit: 1}}}\n  grid:",
        ),
        ("{kind: total, of: map}", "{kind: total, of: map, land_fraction: fine.share}"),
        ("analyses:\n", "analyses:\n  more: {kind: compute, expr: map.mean * fine.share}\n"),
    )
    outcome = study.main()
    said(outcome, FAILED, "`map` and `fine` do not match: `lat` is 6 centres from 75 to -75 in one and 12 from")
    assert "`more`, `budget`" in outcome.problems or outcome.problems.count("do not match") == 2
    assert study.results((*WITHOUT_GRID, "analyses/map"))


@pytest.mark.parametrize(("breaks", "rows"), [("[-50, 17]", 0), ("[1, 17]", 1)])
def test_a_zone_with_too_few_rows_has_a_status_and_no_map(study: Study, breaks: str, rows: int) -> None:
    study.replace(("[5, 17]", breaks))
    border = float(breaks[1:].split(",")[0])
    cells = np.linspace(border - 10, 35, 72).reshape(6, 12)
    write_tif(study.folder / "T.tif", cells)
    study.edit(lambda frame: frame[(frame["T"] > border) | (frame.index < 0)].head(40))
    if rows:
        study.edit(lambda frame: pd.concat([frame, frame[:1].assign(T=border - 0.5)]))
    outcome = study.main()
    words = f"zone `boreal`: {rows} complete row{'' if rows == 1 else 's'}, 3 needed: not fitted"
    said(outcome, RUN, words)
    zones = pd.read_csv(study.folder / "out/models/q10/q10.zones.csv").set_index("zone")
    assert zones.loc["boreal", "n"] == rows
    assert "not fitted" in str(zones.loc["boreal", "status"])
    with rasterio.open(study.folder / "out/analyses/map/map_mean.tif") as file:
        mean = file.read(1, masked=True).filled(np.nan)
    np.testing.assert_array_equal(np.isnan(mean), cells <= border)
    manifest = json.loads((study.folder / "out/manifest.json").read_text())
    assert any(words in note["message"] for node in manifest["nodes"] for note in node["notes"])


def test_the_logarithm_of_a_negative_flux_is_left_out_and_counted(study: Study) -> None:
    study.edit(lambda frame: frame.assign(Rs=frame.Rs.where(frame.index != 4, -12.0)))
    study.replace(("formula: Rs ~ T,", "formula: log(Rs) ~ T,"))
    said(study.main(), RUN, "1 of 60 rows left out: `log(Rs)` has no value")


def test_data_may_lie_above_the_folder_of_the_spec(study: Study) -> None:
    (study.folder / "obs.csv").rename(study.folder.parent / f"{study.folder.name}.csv")
    study.replace(("source: obs.csv", f"source: ../{study.folder.name}.csv"))
    said(study.main(), RUN, "")
    assert study.results(ALL)


# --- disks -------------------------------------------------------------------------------------------------------


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Make folders on disks of 64 kB; skip where that is not allowed."""
    mounted: list[Path] = []

    def mount(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
        if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("a small file system can be mounted by root only")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("where", ["store", "out"])
def test_a_full_disk_ends_the_run_with_what_fits(study: Study, tiny_disk: Callable[[str], Path], where: str) -> None:
    disk = tiny_disk(where)
    outcome = study.main()
    said(outcome, FAILED, "No space left on device", "free some space or choose another", "nothing more can be written")
    assert str(disk) in outcome.problems
    assert (study.folder / "out/models/q10/q10.csv").is_file()
    subprocess.run(["mount", "-o", "remount,size=64M", str(disk)], check=True)
    mended = study.main()
    said(mended, RUN, "q10 nonlinear ... stored")
    assert study.results(ALL)


def test_a_limit_on_the_size_of_files_is_told_like_a_full_disk(study: Study) -> None:
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    outcome = study.process(before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (6 << 10, limit[1])))
    said(outcome, FAILED, "File too large", "allows no larger file", "what is stored is kept")
    said(study.process(), RUN, "obs table ... stored")


def test_a_disk_that_fills_while_a_result_is_written_out(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(export, "_write_grid", refuse)
    said(study.main(), FAILED, "No space left on device", str(study.folder / "out"))
    monkeypatch.undo()
    assert not study.results(ALL)
    mended = study.main()
    said(mended, RUN, "map predict ... stored")
    assert study.results(ALL)


def _without_rights() -> None:
    """Have this process obey the permissions of files also as root."""
    if os.geteuid() == 0:
        ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE
        ctypes.CDLL(None).prctl(24, 2, 0, 0, 0)  # CAP_DAC_READ_SEARCH


def test_folders_that_may_not_be_written_to(study: Study) -> None:
    study.write(LIGHT)
    folder = study.folder
    (folder / "out").mkdir(mode=0o555)
    outcome = study.process(before=_without_rights)
    said(outcome, UNUSABLE, f"cannot write in `{folder / 'out'}`: Permission denied", "that you may write to")
    (folder / "store").mkdir(mode=0o555, exist_ok=True)
    (folder / "store").chmod(0o555)
    (folder / "out").chmod(0o755)
    outcome = study.process(before=_without_rights)
    said(outcome, FAILED, f"cannot write in `{folder / 'store'}`: Permission denied", "that you may write to")
    (folder / "store").chmod(0o755)
    said(study.main(), RUN, "")
    # Who may only read the store can still write out what is in it.
    for path in [folder / "store", *(folder / "store").rglob("*")]:
        path.chmod(path.stat().st_mode & 0o555)
    outcome = study.process(*study.arguments(out="other"), before=_without_rights)
    for path in [folder / "store", *(folder / "store").rglob("*")]:
        path.chmod(path.stat().st_mode | 0o700)
    said(outcome, RUN, "")
    assert study.results(["models/line"], "other")


def test_a_file_where_a_folder_is_needed(study: Study) -> None:
    (study.folder / "out").write_text("mine")
    said(study.main(), UNUSABLE, "a file stands where a folder is needed", "choose another run folder")
    (study.folder / "out").unlink()
    (study.folder / "store").write_text("mine")
    said(study.main(), UNUSABLE, "a file stands where a folder is needed", "--store")
    assert (study.folder / "store").read_text() == "mine"


def test_a_run_folder_may_be_a_link_and_nothing_is_written_beside_it(study: Study) -> None:
    study.write(LIGHT)
    (study.folder / "real").mkdir()
    (study.folder / "out").symlink_to("real")
    before = {path.name for path in study.folder.iterdir()}
    said(study.main(), RUN, "")
    assert study.results(["models/line"], "real")
    assert {path.name for path in study.folder.iterdir()} - before <= {"store", "cache"}


def test_a_link_in_the_run_folder_is_replaced_and_not_followed(study: Study) -> None:
    study.write(LIGHT)
    precious = study.folder / "precious.txt"
    precious.write_text("mine")
    target = study.folder / "out/models/line/line.csv"
    target.parent.mkdir(parents=True)
    target.symlink_to(precious)
    said(study.main(), RUN, "")
    assert precious.read_text() == "mine"
    assert not target.is_symlink()


def test_an_edited_manifest_removes_nothing_outside_the_run_folder(study: Study) -> None:
    study.write(LIGHT)
    precious = study.folder / "precious.txt"
    precious.write_text("mine")
    said(study.main(), RUN, "")
    path = study.folder / "out/manifest.json"
    content = json.loads(path.read_text())
    content["outputs"] += [content["outputs"][0] | {"path": name} for name in ("../precious.txt", str(precious))]
    path.write_text(json.dumps(content))
    study.replace(("Rs ~ T", "Rs ~ lat"))
    said(study.main(), RUN, "")
    assert precious.read_text() == "mine"


# --- the store ---------------------------------------------------------------------------------------------------


def _cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _flip(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 16]) + content[middle + 1 :]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study that has run, once with pictures."""
    study = Study(tmp_path_factory.mktemp("stored"))
    assert study.process().status == 0
    return study.folder


@pytest.mark.parametrize(
    ("which", "change"),
    [
        ("value.json", _cut),
        ("table.parquet", _cut),
        ("value.json", _flip),
        ("table.parquet", _flip),
        ("arrays.npz", _flip),
        ("zarr.json", _flip),
        ("0", _flip),
    ],
)
def test_a_damaged_store_is_mended_by_the_next_run(
    study: Study, stored: Path, which: str, change: Callable[[bytes], bytes]
) -> None:
    shutil.copytree(stored / "store", study.folder / "store")
    for path in (study.folder / "store").rglob(which):
        if path.is_file() and path.stat().st_size:
            path.write_bytes(change(path.read_bytes()))
    said(study.main(), RUN, "is damaged and made anew")
    found, reference = _files(study.folder / "out"), _files(stored / "out")
    assert found.keys() == reference.keys()
    # The record lists the pictures, which are not drawn here.
    assert [name for name in found if found[name] != reference[name] and name[-4:] not in (".png", "json")] == []


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] != "log"
    }
