"""Runs: what is computed and what not, what failures do to the rest, and runs that are killed or run side by side."""

from __future__ import annotations

import errno
import io
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from soilql import export, manifest
from soilql.context import Context
from soilql.errors import SoilqlError
from soilql.outcomes import Report
from soilql.progress import Plain
from soilql.store import Store
from soilql.values import Grid, Table

from . import fake_study
from .fake_study import KINDS, RAN, STUDY, compile_study, files_of, run_alone, run_study

BROKEN = STUDY + "  bad: {kind: break, how: HOW, data: numbers}\n"


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw nothing: figures are another module's business, and slow."""
    _draw_nothing(monkeypatch.setattr)


def _draw_nothing(replace: Callable[[Any, str, Any], None]) -> None:
    from soilql.outputs import figures, maps

    def a_map(grid: Any, variable: str, path: Path, name: str) -> None:
        path.write_text(name)

    def a_figure(table: Any, path: Path, title: str) -> None:
        path.write_text(title)

    replace(maps, "write_map", a_map)
    replace(figures, "write_observed_predicted", a_figure)


def states(report: Report) -> dict[str, str]:
    return {outcome.name: str(outcome.state) for outcome in report.outcomes}


def rendered(report: Report) -> str:
    return "\n".join(diagnostic.render() for diagnostic in report.diagnostics)


# --- what is computed --------------------------------------------------------------------------------------------


def test_a_second_run_computes_nothing_and_touches_no_file(tmp_path: Path) -> None:
    first = run_study(tmp_path)
    assert first.ok
    assert states(first) == {
        "numbers": "done",
        "field": "made when needed",
        "mean": "done",
        "spread": "done",
        "score": "done",
    }
    times = {path: path.stat().st_mtime_ns for path in first.outputs}
    second = run_study(tmp_path)
    assert RAN == []
    assert set(states(second).values()) == {"stored", "made when needed"}
    assert second.outputs == first.outputs
    assert {path: path.stat().st_mtime_ns for path in second.outputs} == times
    assert second.lines()[0] == "5 blocks: 4 already stored; nothing to do"


def test_a_changed_block_runs_again_with_those_that_need_it(tmp_path: Path) -> None:
    run_study(tmp_path)
    assert states(run_study(tmp_path, STUDY.replace("sea is missing", "land is missing"))) == {
        "numbers": "stored",
        "field": "made when needed",
        "mean": "stored",
        "spread": "done",
        "score": "stored",
    }
    assert RAN == ["scale", "field"]


def test_the_parts_of_the_keys_are_remembered(tmp_path: Path) -> None:
    run_study(tmp_path)
    assert manifest.remembered(tmp_path / "out")["numbers"]["params.rows"] == 12
    assert "params.note" in manifest.remembered(tmp_path / "out")["field"]


def test_what_is_made_when_needed_is_made_once_a_run(tmp_path: Path) -> None:
    run_study(tmp_path, STUDY + "  again: {kind: scale, model: mean, on: field}\n")
    assert RAN.count("field") == 1


def test_notes_are_shown_also_when_the_value_was_stored(tmp_path: Path) -> None:
    shown = []
    for _ in range(2):
        stream = io.StringIO()
        report = run_study(tmp_path, progress=Plain(stream))
        shown.append(stream.getvalue())
        notes = {outcome.name: [note.code for note in outcome.notes] for outcome in report.outcomes}
        assert notes == {"numbers": ["SQ802"], "field": ["SQ802"], "mean": ["SQ803"], "spread": [], "score": []}
    for text in shown:
        assert text.count("warning SQ802 the sea is missing") == 1
        assert text.count("warning SQ803 did not converge in zone `x`") == 1


def test_a_damaged_value_is_told_and_made_again(tmp_path: Path) -> None:
    run_study(tmp_path)
    reference = files_of(tmp_path / "out")
    (numbers,) = _payload(tmp_path, "numbers")
    numbers.write_bytes(b"PAR1")
    stream = io.StringIO()
    report = run_study(tmp_path, progress=Plain(stream))
    assert states(report)["numbers"] == "done"
    assert "the stored `numbers` is damaged and made anew: `table.parquet` has 4 bytes" in stream.getvalue()
    assert files_of(tmp_path / "out") == reference


def test_a_value_that_cannot_be_read_is_made_again_when_it_is_asked_for(tmp_path: Path) -> None:
    run_study(tmp_path)
    (numbers,) = _payload(tmp_path, "numbers")
    numbers.write_bytes(bytes(numbers.stat().st_size))
    stream = io.StringIO()
    report = run_study(tmp_path, STUDY + "  bad: {kind: check, how: x, data: numbers}\n", progress=Plain(stream))
    assert report.ok
    assert "the stored `numbers` is damaged and made anew" in stream.getvalue()
    assert Store(tmp_path / "store").verify() == {}


def _payload(folder: Path, name: str) -> list[Path]:
    key = compile_study()[1].node(name).key
    return sorted((folder / "store" / key[:2] / key).glob("table.parquet"))


# --- refits ------------------------------------------------------------------------------------------------------


def test_a_refit_sees_only_its_rows(tmp_path: Path) -> None:
    run_study(tmp_path)
    _, plan = compile_study()
    node = plan.node("score")
    table: Any = Store(tmp_path / "store").load(node.key, node.kind, node.block.params)
    frame = table.extras["predictions"].frame
    y = np.random.default_rng(3).normal(size=12)
    # the mean of all rows but one, in closed form
    np.testing.assert_allclose(frame["predicted"], (y.sum() - y) / 11, rtol=1e-12)
    assert set(frame["rows"]) == {11}


def test_a_refit_goes_through_models_of_models_and_everything_made_from_the_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = STUDY.replace("mean, data: numbers}", "mean, data: numbers}\n  both: {kind: mean, of: [mean]}").replace(
        "models: [mean]", "models: [both]"
    )
    run_study(tmp_path, text)
    _, plan = compile_study(text)
    node = plan.node("score")
    table: Any = Store(tmp_path / "store").load(node.key, node.kind, node.block.params)
    y = np.random.default_rng(3).normal(size=12)
    np.testing.assert_allclose(table.extras["predictions"].frame["predicted"], (y.sum() - y) / 11, rtol=1e-12)


def test_a_refit_leaves_the_fitted_model_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def look(params: Any, ctx: Context) -> Table:
        before: Any = ctx.model(params.models[0])
        ctx.refits["mean"](np.array([0, 1]))
        again: Any = ctx.refits["mean"](np.array([0, 1]))
        seen.append((before.rows, again.rows, ctx.inputs["mean"] is before, len(ctx.trainings["mean"]().frame)))
        return fake_study.run_score(params, ctx)

    monkeypatch.setattr(KINDS["analyses", "score"].module, "run", look)
    assert run_study(tmp_path).ok
    assert seen == [(12, 2, True, 12)]


def test_inputs_are_loaded_when_asked_for_and_no_others_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(params: Any, ctx: Context) -> Table:
        assert list(ctx.inputs) == ["mean"]
        with pytest.raises(KeyError):
            ctx.inputs["numbers"]
        (ctx.scratch / "x").write_text("x")
        scratch.append(ctx.scratch)
        return Table(ctx.trainings["mean"]().frame)

    scratch: list[Path] = []
    monkeypatch.setattr(KINDS["analyses", "score"].module, "run", look)
    assert run_study(tmp_path).ok
    assert not scratch[0].exists()
    assert list((tmp_path / "store" / "tmp").iterdir()) == []


# --- failures ----------------------------------------------------------------------------------------------------


def test_an_unforeseen_failure_names_the_node_its_inputs_and_the_traceback(tmp_path: Path) -> None:
    report = run_study(tmp_path, BROKEN.replace("HOW", "oops"))
    assert states(report)["bad"] == "failed"
    assert states(report)["score"] == "done"
    (found,) = report.diagnostics
    assert found.code == "SQ899"
    assert found.message == ("`bad` (break) failed unexpectedly: ValueError: operands could not be broadcast together")
    assert "its input `numbers`: table of 12 rows: `y`" in found.notes
    log = tmp_path / "out" / "log" / "bad.txt"
    assert f"the traceback is in {log}" in found.notes
    assert "Traceback" in log.read_text()
    assert found.span is not None
    assert found.span.text == "bad"
    run_study(tmp_path, STUDY + "  bad: {kind: score, models: [mean]}\n")
    assert not log.exists()


def test_what_pure_statistics_refuse_is_said_at_the_node(tmp_path: Path) -> None:
    report = run_study(tmp_path, BROKEN.replace("HOW", "statistics"))
    (found,) = report.diagnostics
    assert (found.code, found.message) == ("SQ812", "some values are infinite")
    assert found.span is not None
    assert found.span.text == "bad"


def test_what_depends_on_a_failure_is_skipped_and_the_rest_goes_on(tmp_path: Path) -> None:
    text = STUDY.replace("  numbers: {kind: numbers, rows: 12, seed: 3}", "  numbers: {kind: break, how: fit}")
    report = run_study(tmp_path, text + "  free: {kind: break, how: fit}\n")
    assert states(report) == {
        "numbers": "failed",
        "field": "made when needed",
        "mean": "skipped",
        "spread": "skipped",
        "score": "skipped",
        "free": "failed",
    }
    because = {outcome.name: outcome.because for outcome in report.outcomes}
    assert (because["mean"], because["spread"]) == ("`numbers` failed", "`mean` was skipped")
    (found,) = report.diagnostics
    assert found.code == "SQ801"
    assert found.notes == (
        "2 blocks failed for this reason: `numbers`, `free`",
        "3 blocks skipped for it: `mean`, `spread`, `score`",
    )
    assert not report.ok
    content = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert not content["complete"]
    assert [(node["status"], node.get("problem")) for node in content["nodes"]][:3] == [
        ("failed", "SQ801"),
        ("ok", None),
        ("skipped", None),
    ]


def test_a_failure_of_what_is_made_when_needed_is_its_own(tmp_path: Path) -> None:
    text = STUDY.replace("the sea is missing", "fails") + "  again: {kind: scale, model: mean, on: field}\n"
    report = run_study(tmp_path, text)
    assert states(report) == {
        "numbers": "done",
        "field": "failed",
        "mean": "done",
        "spread": "skipped",
        "score": "done",
        "again": "skipped",
    }
    assert RAN.count("field") == 1
    (found,) = report.diagnostics
    assert (found.code, found.notes) == ("SQ702", ("2 blocks skipped for it: `spread`, `again`",))


def test_too_little_memory_comes_with_advice(tmp_path: Path) -> None:
    report = run_study(tmp_path, BROKEN.replace("HOW", "memory"))
    (found,) = report.diagnostics
    assert found.code == "SQ905"
    assert "lower --memory (now 67.1 MB)" in found.help
    assert "--workers (now 2)" in found.help


def test_a_full_disk_ends_the_run_and_keeps_what_is_stored(tmp_path: Path) -> None:
    text = STUDY.replace("  field:", "  bad: {kind: break, how: full}\n  field:")
    report = run_study(tmp_path, text)
    assert states(report)["numbers"] == "done"
    assert states(report)["bad"] == "failed"
    assert (states(report)["mean"], states(report)["score"]) == ("not run", "skipped")
    (found,) = report.diagnostics
    assert found.code == "SQ901"
    assert str(tmp_path / "store") in found.message
    assert run_study(tmp_path).ok
    assert "numbers" not in RAN


def test_a_result_that_cannot_be_written_out_fails_but_serves_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(export, "_write_model", refuse)
    report = run_study(tmp_path)
    assert states(report)["mean"] == "failed"
    assert "SQ901" in rendered(report)
    monkeypatch.undo()
    _draw_nothing(monkeypatch.setattr)
    assert run_study(tmp_path).ok
    assert "mean" not in RAN[:1]


def test_an_interrupted_run_says_so_and_goes_on_later(tmp_path: Path) -> None:
    text = STUDY.replace("  score:", "  bad: {kind: break, how: interrupt}\n  score:")
    report = run_study(tmp_path, text)
    assert report.interrupted == "bad"
    assert not report.ok
    assert report.lines()[1] == (
        "interrupted while `bad` was running; what is finished is stored: the same command goes on from there"
    )
    assert Store(tmp_path / "store").verify() == {}
    assert list((tmp_path / "store" / "tmp").iterdir()) == []
    assert not (tmp_path / "out" / "manifest.json").exists()
    run_study(tmp_path)
    assert set(RAN) == {"score", "mean"}


def test_a_run_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(SoilqlError, match="SQ901"):
        run_study(tmp_path)


# --- the run folder ----------------------------------------------------------------------------------------------


def test_files_that_were_changed_or_deleted_are_written_again(tmp_path: Path) -> None:
    run_study(tmp_path)
    reference = files_of(tmp_path / "out")
    (tmp_path / "out/models/mean/mean.txt").write_text("mine")
    (tmp_path / "out/analyses/spread/spread.nc").unlink()
    assert run_study(tmp_path).ok
    assert RAN == []
    assert files_of(tmp_path / "out") == reference


def test_files_of_a_block_that_is_gone_are_removed_and_those_of_the_user_stay(tmp_path: Path) -> None:
    run_study(tmp_path)
    (tmp_path / "out/analyses/spread/mine.txt").write_text("mine")
    (tmp_path / "out/notes.txt").write_text("mine")
    run_study(tmp_path, STUDY.replace("  spread: {kind: scale, model: mean, on: field}\n", ""))
    names = set(files_of(tmp_path / "out"))
    assert {"analyses/spread/mine.txt", "notes.txt"} <= names
    assert not any(name.startswith("analyses/spread/spread") for name in names)
    run_study(tmp_path, STUDY.partition("  score:")[0])
    assert not (tmp_path / "out/analyses/score").exists()


def test_a_record_that_was_tampered_with_removes_nothing_outside(tmp_path: Path) -> None:
    run_study(tmp_path)
    (tmp_path / "precious.txt").write_text("mine")
    path = tmp_path / "out/manifest.json"
    content = json.loads(path.read_text())
    entry = {"path": "../precious.txt", "sha256": "", "bytes": 4, "block": "gone", "key": ""}
    path.write_text(json.dumps(content | {"outputs": [*content["outputs"], entry]}))
    run_study(tmp_path)
    assert (tmp_path / "precious.txt").exists()


def test_files_of_a_block_that_failed_now_stay_with_their_old_key(tmp_path: Path) -> None:
    run_study(tmp_path)
    old = compile_study()[1].node("score").key
    report = run_study(tmp_path, STUDY.replace("{kind: score, models: [mean]}", "{kind: break, how: oops}"))
    assert states(report)["score"] == "failed"
    content = json.loads((tmp_path / "out/manifest.json").read_text())
    assert {item["key"] for item in content["outputs"] if item["block"] == "score"} == {old}
    assert {node["name"]: node["status"] for node in content["nodes"]}["score"] == "failed"


def test_what_was_left_half_written_is_removed(tmp_path: Path) -> None:
    run_study(tmp_path)
    reference = files_of(tmp_path / "out")
    (tmp_path / "out/.partial/analyses/spread").mkdir(parents=True)
    (tmp_path / "out/.partial/analyses/spread/x.nc").write_text("half")
    run_study(tmp_path)
    assert files_of(tmp_path / "out") == reference


def test_workers_do_not_change_a_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for workers, memory in ((1, 1 << 20), (8, 1 << 30)):
        monkeypatch.setattr(fake_study, "Resources", lambda *_, w=workers, m=memory: _resources(m, w))
        run_study(tmp_path / str(workers))
    assert files_of(tmp_path / "1/out") == files_of(tmp_path / "8/out")


def _resources(memory: int, workers: int) -> Any:
    from soilql.context import Resources

    return Resources(memory, workers)


def test_running_loads_no_heavy_library_before_a_node_needs_one() -> None:
    code = """
import sys
import soilql.run, soilql.progress
print([m for m in ("numpy", "pandas", "xarray", "dask", "zarr", "pyarrow", "rich", "rasterio") if m in sys.modules])
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out == "[]\n"


# --- killed and side by side -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def processes() -> Iterator[Any]:
    """Processes that have loaded everything already, so that a kill hits the run and not its imports."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.test_run", "matplotlib.figure", "rasterio", "netCDF4", "zarr", "dask.array"])
    yield context


def child(folder: Path, store: Path | None, nap: float, die_at: int) -> None:
    _draw_nothing(setattr)
    run_alone(folder, store, nap, die_at)


def start(context: Any, folder: Path, store: Path | None = None, nap: float = 0.0, die_at: int = 0) -> Any:
    process = context.Process(target=child, args=(folder, store, nap, die_at))
    process.start()
    return process


def finish(process: Any) -> int:
    process.join(60)
    assert process.exitcode is not None, "the run hangs"
    return int(process.exitcode)


@pytest.fixture(scope="module")
def undisturbed(processes: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], float]:
    """Files of a run that nothing disturbs, and how long it takes."""
    folder = tmp_path_factory.mktemp("undisturbed")
    finish(start(processes, folder / "warm"))
    began = time.monotonic()
    assert finish(start(processes, folder, nap=0.02)) == 0
    return files_of(folder / "out"), time.monotonic() - began


def check_resumed(context: Any, folder: Path, reference: dict[str, bytes]) -> None:
    assert finish(start(context, folder)) == 0
    assert files_of(folder / "out") == reference
    assert Store(folder / "store").verify() == {}
    assert list((folder / "store" / "tmp").glob("[!.]*")) == []


@pytest.mark.slow
def test_runs_killed_at_random_moments_end_with_the_same_bytes(
    processes: Any, undisturbed: tuple[dict[str, bytes], float], tmp_path: Path
) -> None:
    reference, seconds = undisturbed
    moments = random.Random(20190101)
    killed = 0
    for i in range(10):
        process = start(processes, tmp_path / str(i), nap=0.02)
        time.sleep(moments.uniform(0.05, 1) * seconds)
        process.kill()
        killed += finish(process) == -signal.SIGKILL
        check_resumed(processes, tmp_path / str(i), reference)
    assert killed >= 5


@pytest.mark.parametrize("start_at", [1, 16, 40, 70, 100, 130, 160, 190, 215, 230])
def test_runs_that_die_touching_the_disk_end_with_the_same_bytes(
    processes: Any, undisturbed: tuple[dict[str, bytes], float], tmp_path: Path, start_at: int
) -> None:
    """Die at one write, rename or sync, resume and die at a later one, and so on to the end."""
    die_at = start_at
    for _ in range(3):
        if finish(start(processes, tmp_path, die_at=die_at)) == 0:
            break
        die_at += 7
    check_resumed(processes, tmp_path, undisturbed[0])


def test_two_runs_on_one_store_compute_each_node_once_and_agree(
    processes: Any, undisturbed: tuple[dict[str, bytes], float], tmp_path: Path
) -> None:
    both = [start(processes, tmp_path / name, tmp_path / "store", nap=0.05) for name in ("a", "b")]
    assert [finish(process) for process in both] == [0, 0]
    for name in ("a", "b"):
        assert files_of(tmp_path / name / "out") == undisturbed[0]
    assert Store(tmp_path / "store").verify() == {}
    states = [(tmp_path / name / "out/log/run.txt").read_text() for name in ("a", "b")]
    for node in ("numbers", "mean", "spread", "score"):
        lines = [next(line for line in text.splitlines() if line.startswith(f"{node} ")) for text in states]
        assert sum(line.endswith("stored") for line in lines) == 1, lines


def test_two_runs_into_one_folder_take_turns(
    processes: Any, undisturbed: tuple[dict[str, bytes], float], tmp_path: Path
) -> None:
    both = [start(processes, tmp_path, nap=0.02) for _ in range(2)]
    assert [finish(process) for process in both] == [0, 0]
    assert files_of(tmp_path / "out") == undisturbed[0]


def test_a_run_goes_on_when_another_that_made_the_same_node_dies(
    processes: Any, undisturbed: tuple[dict[str, bytes], float], tmp_path: Path
) -> None:
    first = start(processes, tmp_path / "a", tmp_path / "store", nap=5)
    time.sleep(0.5)
    second = start(processes, tmp_path / "b", tmp_path / "store")
    time.sleep(0.3)
    first.kill()
    finish(first)
    assert finish(second) == 0
    assert files_of(tmp_path / "b/out") == undisturbed[0]


def test_key_results_are_shown_also_when_everything_was_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = KINDS["analyses", "score"].module
    lines = [f"line {i}" for i in range(10)]
    monkeypatch.setattr(module, "headline", lambda table: lines, raising=False)
    first = run_study(tmp_path).lines()
    assert first[:2] == ["score  line 0", "score  line 1"]
    assert first[8:10] == ["score  and 2 more", "5 blocks: 4 computed"]
    monkeypatch.delattr(module, "headline")
    assert run_study(tmp_path).lines()[:9] == first[:9]


def test_a_changed_title_or_comment_writes_no_output_again(tmp_path: Path) -> None:
    run_study(tmp_path)
    out = tmp_path / "out"
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*/*/*") if path.is_file()}
    assert before
    report = run_study(tmp_path, "# a comment\n" + STUDY.replace("A study of nothing", "Another title"))
    assert RAN == []
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*/*/*") if path.is_file()} == before
    content = json.loads((out / "manifest.json").read_text())
    assert content["spec"]["title"] == "Another title"
    assert {out / item["path"] for item in content["outputs"]} == set(report.outputs)


def test_members_are_drawn_neither_as_maps_nor_as_bars(tmp_path: Path) -> None:
    run_study(tmp_path, STUDY)
    grid = Grid(
        xr.Dataset(
            {"mean": (("lat", "lon"), np.ones((2, 2))), "members": (("member", "lat", "lon"), np.ones((3, 2, 2)))},
            {"lat": [1.0, -1.0], "lon": [0.0, 2.0], "member": [1, 2, 3]},
        )
    )
    totals = pd.DataFrame({"of": ["rs"], "kind": ["global"], "region": ["global"], "member": [1], "total": [1.0]})
    names = {path.name for path in export._write(grid, tmp_path, "rs", {})}
    assert {"rs.nc", "rs_mean.tif", "rs_mean.png"} == names
    extras = {"members": Table(totals)}
    names = {path.name for path in export._write(Table(totals.assign(area_Mkm2=1.0), extras=extras), tmp_path, "b", {})}
    assert {"b.png", "b.csv", "b.members.csv"} <= names
    assert "b.members.png" not in names
