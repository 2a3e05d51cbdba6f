"""Runs of the quickstart that are killed, repeated, changed a little, or run side by side."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from soilql.errors import Source
from soilql.outputs import figures, maps
from soilql.source import parse_yaml, plain
from soilql.store import Store

from .fake_study import files_of
from .small_study import MAIN, Study

QUICKSTART = Path(__file__).parents[1] / "examples" / "quickstart.yaml"
SMALLER = {
    "resolution: 2": "resolution: 10",
    "trees: 200": "trees: 20",
    "members: 100": "members: 5",
    "sites: 400": "sites: 80",
}
#: What the process runs in tests that need no pictures.
UNDRAWN = """\
import sys
from pathlib import Path
from soilql.outputs import figures, maps
def draw(what, *names):
    next(name for name in names if isinstance(name, Path)).write_text("drawn")
maps.write_map = figures.write_bars = figures.write_observed_predicted = draw
from soilql.cli import main
sys.exit(main())
"""


def quickstart() -> str:
    """Return the quickstart with fewer cells, sites, trees and members."""
    text = QUICKSTART.read_text(encoding="utf-8")
    for old, new in SMALLER.items():
        assert old in text
        text = text.replace(old, new)
    return text


def start(folder: Path, *, store: Path | None = None, code: str = UNDRAWN) -> subprocess.Popen[str]:
    """Begin to run the quickstart into a folder, as a process of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "quickstart.yaml").write_text(quickstart(), encoding="utf-8")
    arguments = ["run", "quickstart.yaml", "--store", str(store or folder / "store"), "--out", "out", "--workers", "2"]
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "SOILQL_CACHE": str(folder / "cache")},
    )


def finish(process: subprocess.Popen[str]) -> str:
    """Wait for a run to end well and return what it printed."""
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return out


def kill(process: subprocess.Popen[str], seconds: float) -> bool:
    """Kill a run after some time; return whether it was still going."""
    time.sleep(seconds)
    process.kill()
    process.communicate(timeout=60)
    return process.returncode == -signal.SIGKILL


def check_whole(folder: Path, reference: dict[str, bytes]) -> None:
    """Check that a run folder holds what an undisturbed run writes, and that the store is sound."""
    found = files_of(folder / "out")
    assert found.keys() == reference.keys()
    assert [name for name in found if found[name] != reference[name]] == []
    store = Store(folder / "store")
    assert store.verify() == {}
    assert not list((folder / "store" / "tmp").iterdir())


@pytest.fixture(scope="module")
def undrawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], float]:
    """Files of a run without pictures that nothing disturbed, and its seconds."""
    return _undisturbed(tmp_path_factory.mktemp("undrawn"), UNDRAWN)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], float]:
    """Files of a run that nothing disturbed, and its seconds."""
    return _undisturbed(tmp_path_factory.mktemp("drawn"), MAIN)


def _undisturbed(folder: Path, code: str) -> tuple[dict[str, bytes], float]:
    begin = time.monotonic()
    finish(start(folder, code=code))
    files = files_of(folder / "out")
    assert "manifest.json" in files
    return files, time.monotonic() - begin


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(
    undrawn: tuple[dict[str, bytes], float], tmp_path: Path
) -> None:
    process, store = start(tmp_path), Store(tmp_path / "store")
    while len(store.keys()) < 5 and process.poll() is None:
        time.sleep(0.01)
    assert kill(process, 0)
    assert "computed" in finish(start(tmp_path))
    check_whole(tmp_path, undrawn[0])


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2, *(pytest.param(one, marks=pytest.mark.long) for one in (3, 4))])
def test_a_run_killed_at_a_random_moment_ends_with_the_same_bytes(
    drawn: tuple[dict[str, bytes], float], tmp_path: Path, seed: int
) -> None:
    reference, seconds = drawn
    kill(start(tmp_path, code=MAIN), random.Random(seed).uniform(0.1, 1.0) * seconds)
    finish(start(tmp_path, code=MAIN))
    check_whole(tmp_path, reference)


@pytest.mark.slow
def test_a_run_killed_again_and_again_ends_with_the_same_bytes(
    drawn: tuple[dict[str, bytes], float], tmp_path: Path
) -> None:
    reference, seconds = drawn
    moments = random.Random(7)
    killed = sum(kill(start(tmp_path, code=MAIN), moments.uniform(0.1, 0.4) * seconds) for _ in range(5))
    assert killed >= 3
    finish(start(tmp_path, code=MAIN))
    check_whole(tmp_path, reference)


@pytest.mark.parametrize("folders", [("a", "b"), ("a", "a")])
def test_two_runs_at_once_on_one_store_give_the_same_bytes(
    undrawn: tuple[dict[str, bytes], float], tmp_path: Path, folders: tuple[str, str]
) -> None:
    both = [start(tmp_path / name, store=tmp_path / "store") for name in folders]
    printed = [finish(process) for process in both]
    for name in set(folders):
        assert files_of(tmp_path / name / "out") == undrawn[0]
    assert Store(tmp_path / "store").verify() == {}
    # Each block was computed by one of the two.
    assert sum(_computed(text) for text in printed) == 8


def _computed(out: str) -> int:
    match = re.search(r"(\d+) computed", out)
    return int(match[1]) if match else 0


# --- what is the same, and what is not ---------------------------------------------------------------------------


@pytest.fixture
def study(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Study:
    def draw(what: Any, *names: Any) -> None:
        next(name for name in names if isinstance(name, Path)).write_text("drawn")

    monkeypatch.setattr(maps, "write_map", draw)
    monkeypatch.setattr(figures, "write_observed_predicted", draw)
    monkeypatch.setattr(figures, "write_bars", draw)
    monkeypatch.setenv("SOILQL_CACHE", str(tmp_path / "cache"))
    return Study(tmp_path, capsys)


def test_a_second_run_does_nothing_and_says_so(study: Study) -> None:
    first = study.main()
    assert "9 blocks: 6 computed" in first.out
    times = {path: path.stat().st_mtime_ns for path in (study.folder / "out").rglob("*") if "log" not in path.parts}
    second = study.main()
    assert second.status == 0
    assert "9 blocks: 6 already stored" in second.out
    # The summary of numbers is the same, though nothing was computed.
    assert second.out.replace("already stored; nothing to do", "computed") == first.out
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_a_second_run_loads_no_numerical_library(study: Study) -> None:
    study.main()
    code = (
        "import sys; from soilql.cli import main; main(); "
        "print([m for m in ('pandas', 'xarray', 'dask', 'rasterio', 'sklearn', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, *study.arguments()], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def _moved(study: Study) -> None:
    (study.folder / "data").mkdir()
    (study.folder / "obs.csv").rename(study.folder / "data" / "observations of 2019.csv")
    study.replace(("source: obs.csv", "source: data/observations of 2019.csv"))


def _reordered(study: Study) -> None:
    """Turn all mappings of parameters round and write the file in another style."""

    def turned(value: Any, depth: int) -> Any:
        if not isinstance(value, dict):
            return value
        items = [(key, turned(item, depth + 1)) for key, item in value.items()]
        return dict(reversed(items) if depth >= 2 else items)

    content = turned(plain(parse_yaml(Source("", study.text)).root), 0)
    # New columns are made one after the other, and their order means something.
    columns = content["datasets"]["obs"]["columns"]
    content["datasets"]["obs"]["columns"] = dict(reversed(columns.items()))
    study.write(yaml.safe_dump(content, sort_keys=False, default_flow_style=False))


@pytest.mark.parametrize(
    "change",
    [
        lambda study: study.write("# A comment.\n" + study.text.replace("kind: total", "kind:   total")),
        lambda study: study.replace(("soilql: 1\n", "soilql: 1\nmeta: {title: Another title, authors: [Anyone]}\n")),
        lambda study: study.replace(("kind: kfold", "kind: 'kfold'"), ("[line]", '["line"]')),
        lambda study: study.replace(("Rs ~ a * exp(b * T)", "Rs ~ a*exp( b*T )")),
        _reordered,
        _moved,
    ],
    ids=["comment", "title", "quotes", "blanks", "order", "moved"],
)
def test_what_means_the_same_is_not_computed_again(study: Study, change: Callable[[Study], None]) -> None:
    study.main()
    change(study)
    planned = study.main("plan")
    assert "9 nodes: 0 to run" in planned.out, planned.out
    again = study.main()
    assert again.status == 0, again.err
    assert "9 blocks: 6 already stored" in again.out


def test_a_changed_filter_runs_what_depends_on_it_again_and_the_plan_says_why(study: Study) -> None:
    study.replace(
        ("    columns:\n", "    where: Rs > 0\n    columns:\n"),
        ("  grid:", "  other: {kind: table, source: obs.csv}\n  grid:"),
        ("  line:", "  mean: {kind: linear, formula: Rs ~ T, data: other}\n  line:"),
    )
    study.main()
    study.replace(("where: Rs > 0", "where: Rs > 500"))
    planned = study.main("plan").out
    stale = {line.split()[1] for line in planned.splitlines() if re.match(r" *\d+  \w+ +to run ", line)}
    assert stale == {"obs", "q10", "line", "skill", "map", "budget"}, planned
    assert "why: `where` changed from Rs > 0 to Rs > 500" in planned
    assert len(re.findall(r"why: its input `\w+` changed", planned)) >= 4
    outcome = study.main()
    assert "11 blocks: 6 computed, 2 already stored" in outcome.out
    computed = set(re.findall(r"^\[\d+/\d+\] (\w+) \w+ \.\.\. \d", outcome.err, re.MULTILINE))
    assert computed == stale


def test_columns_in_another_order_are_other_columns(study: Study) -> None:
    columns = "      T: {expr: T + 1000}\n", "      x: {expr: T * 2}\n"
    study.replace(("      T: {from: T, unit: degC}\n", "".join(columns)), ("formula: Rs ~ T,", "formula: Rs ~ x,"))
    study.main()
    shifted = float(study.results_table("models/line/line.csv")["estimate"][0])
    study.replace(("".join(columns), "".join(reversed(columns))))
    assert "why: the order of `columns` changed" in study.main("plan").out
    study.main()
    found = study.results_table("models/line/line.csv")
    # Rs ~ x with x = 2 (T + 1000) has another intercept than with x = 2 T: a' = a - 2000 b.
    np.testing.assert_allclose(shifted, found["estimate"][0] - 2000 * found["estimate"][1], rtol=1e-6)


def test_the_way_back_is_stored(study: Study) -> None:
    study.main()
    good = study.text
    study.replace(("folds: 5", "folds: 6"))
    assert "1 computed" in study.main().out
    study.write(good)
    assert "6 already stored" in study.main().out
