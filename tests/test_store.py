"""The store: values come back as they were put, and nothing is ever seen half written."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from soilql.context import Resources
from soilql.errors import Severity, SoilqlError
from soilql.store import DamagedError, Store, codec
from soilql.store.codec import chunk_shape
from soilql.store.locks import Workplace, locked, remove_abandoned
from soilql.values import Grid, Note, State, Table, Value, ValueType

from .fake_study import KINDS, Mean

KEY, OTHER = "ab" + "1" * 62, "cd" + "2" * 62
NUMBERS, FIELD, MEAN = KINDS["datasets", "numbers"], KINDS["datasets", "field"], KINDS["models", "mean"]


def put(store: Store, value: Value, value_type: ValueType, key: str = KEY, workers: int = 2) -> Any:
    kind = MEAN if value_type is ValueType.MODEL else NUMBERS
    store.put(key, value, {"version": 1}, value_type, kind, resources=Resources(workers=workers))
    return store.load(key, kind, None)


def a_table(rows: int = 3) -> Table:
    return Table(pd.DataFrame({"y": np.arange(float(rows))}), {"y": "g"})


# --- tables ------------------------------------------------------------------------------------------------------


def test_a_table_comes_back_with_its_types_and_missing_values(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "text": pd.Series(["a", None, "", "None"], dtype=object),
            "empty": np.array([None] * 4, dtype=object),
            "single": np.array([1.5, np.nan, -0.0, np.inf], dtype="f4"),
            "double": [0.1, np.nan, 1e-300, -np.inf],
            "whole": np.array([1, 2, 3, 2**53 + 1]),
            "nullable": pd.array([1, None, 3, 4], dtype="Int64"),
            "flag": [True, False, True, False],
            "class": pd.Categorical(["x", "y", None, "x"], categories=["y", "x", "z"]),
            "when": pd.to_datetime(["2001-01-01", None, "2003-05-06", "1999-12-31"]),
        }
    )
    back = put(Store(tmp_path), Table(frame, {"single": "g m-2"}, {"lat": "double"}), ValueType.TABLE)
    assert back.frame["text"].isna().tolist() == [False, True, False, False]
    assert back.frame["text"].dropna().tolist() == ["a", "", "None"]
    pd.testing.assert_frame_equal(back.frame.drop(columns="text"), frame.drop(columns="text"))
    assert np.signbit(back.frame["single"][2])
    assert (dict(back.units), dict(back.roles)) == ({"single": "g m-2"}, {"lat": "double"})


def test_extras_and_notes_come_back_also_within_extras(tmp_path: Path) -> None:
    inner = Table(pd.DataFrame({"k": [1]}), notes=(Note("SQ803", "inner", Severity.INFO),))
    middle = Table(pd.DataFrame({"j": [2.0]}), {"j": "1"}, extras={"a/b c": inner})
    table = Table(pd.DataFrame({"i": [3]}), notes=(Note("SQ802", "outer"),), extras={"folds": middle})
    back = put(Store(tmp_path), table, ValueType.TABLE)
    assert back.notes == table.notes
    assert back.extras["folds"].units == {"j": "1"}
    assert back.extras["folds"].extras["a/b c"].notes == inner.notes
    assert back.extras["folds"].extras["a/b c"].frame["k"].tolist() == [1]


def test_an_empty_table_comes_back(tmp_path: Path) -> None:
    frame = pd.DataFrame({"y": np.empty(0), "name": pd.Series([], dtype=object)})
    back = put(Store(tmp_path), Table(frame), ValueType.TABLE)
    assert list(back.frame.columns) == ["y", "name"]
    assert len(back.frame) == 0


def test_a_value_of_another_type_than_planned_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(TypeError, match="a grid was expected, not a Table"):
        put(store, a_table(), ValueType.GRID)
    assert not store.has(KEY)


# --- grids -------------------------------------------------------------------------------------------------------


def a_grid(chunks: Any = None, dtype: str = "f4") -> Grid:
    rng = np.random.default_rng(1)
    lat, lon = np.linspace(89.5, -89.5, 60), np.linspace(-179, 179, 40)
    values = rng.normal(size=(4, 60, 40)).astype(dtype)
    values[:, :7] = np.nan
    data = xr.Dataset(
        {
            "rs": (("time", "lat", "lon"), values, {"units": "g m-2 yr-1"}),
            "biome": (("lat", "lon"), np.floor(values[0] * 3), {"categorical": 1, "labels": ["a", "b"]}),
        },
        {"time": [2000, 2001, 2002, 2003], "lat": lat, "lon": lon},
    )
    return Grid(data if chunks is None else data.chunk(chunks), notes=(Note("SQ802", "sea"),))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("chunks", [None, {"lat": 7}, {"time": 1}, {"lat": 13, "lon": 11, "time": 3}])
def test_a_grid_comes_back_whatever_its_blocks(tmp_path: Path, chunks: Any, dtype: str) -> None:
    grid = a_grid(chunks, dtype)
    back = put(Store(tmp_path), grid, ValueType.GRID)
    xr.testing.assert_identical(back.data.compute(), a_grid(None, dtype).data)
    assert [back.data[name].dtype for name in ("rs", "biome")] == [np.dtype(dtype)] * 2
    assert list(back.data.data_vars) == ["rs", "biome"]
    assert back.notes == grid.notes


def test_a_grid_is_read_lazily(tmp_path: Path) -> None:
    back = put(Store(tmp_path), a_grid({"lat": 7}), ValueType.GRID)
    assert all(back.data[name].chunks is not None for name in back.data.data_vars)


def test_blocks_larger_than_a_chunk_that_do_not_align_are_not_torn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codec, "CHUNK_CELLS", 40 * 5)
    grid = a_grid({"lat": 13, "time": 1})
    back = put(Store(tmp_path), grid, ValueType.GRID, workers=8)
    xr.testing.assert_identical(back.data.compute(), a_grid().data)
    assert set(back.data["rs"].chunks[1]) == {5}


def test_attributes_that_look_like_an_encoding_change_no_number(tmp_path: Path) -> None:
    data = a_grid().data.rename(rs="season")
    data["season"].attrs = {"units": "days", "scale_factor": 2.0, "add_offset": 1.0, "missing_value": 0.0}
    data["biome"].attrs = {"units": "days since 2000-01-01"}
    data["season"].encoding = {"dtype": "int16", "scale_factor": 0.01, "_FillValue": -1}
    back = put(Store(tmp_path), Grid(data), ValueType.GRID)
    xr.testing.assert_identical(back.data.compute(), data)
    assert back.data["season"].dtype == np.float32


def test_dates_members_and_scalar_coordinates_come_back(tmp_path: Path) -> None:
    dates = pd.date_range("1982-01-01", periods=3, freq="MS")
    data = xr.Dataset(
        {"x": (("time", "lat", "lon"), da.ones((3, 2, 2), chunks=1))},
        {"time": dates, "lat": [1.0, -1.0], "lon": [0.0, 2.0], "spatial_ref": 0, "season": ("time", ["a", "b", "c"])},
    )
    back = put(Store(tmp_path), Grid(data, "EPSG:4258"), ValueType.GRID)
    assert back.data["time"].values.tolist() == data["time"].values.astype("M8[ns]").tolist()
    assert back.data["season"].values.tolist() == ["a", "b", "c"]
    assert set(back.data.coords) == set(data.coords)
    assert back.crs == "EPSG:4258"


def test_what_two_variables_share_is_computed_once(tmp_path: Path) -> None:
    calls: list[int] = []

    def slow(block: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        calls.append(1)
        return block + 1

    shared = da.ones((60, 40), chunks=(10, 40)).map_blocks(slow, dtype="f8", meta=np.empty((0, 0)))
    coords = {"lat": np.linspace(89, -89, 60), "lon": np.linspace(-179, 179, 40)}
    data = xr.Dataset({name: (("lat", "lon"), shared * i) for i, name in enumerate(("a", "b", "c"))}, coords)
    calls.clear()
    put(Store(tmp_path), Grid(data), ValueType.GRID)
    assert len(calls) == 6


def test_no_more_threads_than_workers_compute_a_grid(tmp_path: Path) -> None:
    running, most, lock = [0], [0], threading.Lock()

    def watch(block: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.01)
        with lock:
            running[0] -= 1
        return block

    values = da.ones((60, 40), chunks=(5, 40)).map_blocks(watch, dtype="f8", meta=np.empty((0, 0)))
    coords = {"lat": np.linspace(89, -89, 60), "lon": np.linspace(-179, 179, 40)}
    put(Store(tmp_path), Grid(xr.Dataset({"a": (("lat", "lon"), values)}, coords)), ValueType.GRID, workers=2)
    assert 1 <= most[0] <= 2


def test_progress_of_a_grid_ends_with_all_tasks_done(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    store = Store(tmp_path)
    store.put(
        KEY, a_grid({"lat": 7}), {}, ValueType.GRID, FIELD, progress=lambda done, total: seen.append((done, total))
    )
    assert seen[-1][0] == seen[-1][1] > 1
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_chunks_hold_a_bounded_number_of_cells() -> None:
    for shape in [(3600, 7200), (1000, 360, 720), (12, 17999, 36000), (1, 1), (5,)]:
        chunks = chunk_shape(shape)
        assert np.prod(chunks) <= codec.CHUNK_CELLS
        assert all(1 <= chunk <= size for chunk, size in zip(chunks, shape, strict=True))


# --- models ------------------------------------------------------------------------------------------------------


def test_a_model_comes_back_through_its_kind(tmp_path: Path) -> None:
    back = put(Store(tmp_path), Mean(0.1 + 0.2, 7), ValueType.MODEL)
    assert (back.value, back.rows) == (0.1 + 0.2, 7)


def test_arrays_of_objects_are_refused(tmp_path: Path) -> None:
    class Odd(Mean):
        def state(self) -> State:
            return State({}, {"trees": np.array([{}, {}], dtype=object)})

    with pytest.raises(TypeError, match="`trees`"):
        put(Store(tmp_path), Odd(1.0, 1), ValueType.MODEL)
    assert Store(tmp_path).keys() == []


# --- entries -----------------------------------------------------------------------------------------------------


def test_info_reads_no_numbers(tmp_path: Path) -> None:
    put(Store(tmp_path), Table(pd.DataFrame({"a": [1, 2], "b": [3, 4]}), notes=(Note("SQ802", "n"),)), ValueType.TABLE)
    code = (
        "import sys; from pathlib import Path; from soilql.store import Store\n"
        f"info = Store(Path({str(tmp_path)!r})).info({KEY!r})\n"
        "print(info.shape, info.columns, info.notes[0].message, info.parts, info.describe())\n"
        "print([m for m in ('numpy', 'pandas', 'xarray', 'dask', 'zarr', 'pyarrow', 'rich') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()
    assert out == ["{'rows': 2, 'columns': 2} ('a', 'b') n {'version': 1} table, 2 rows x 2 columns", "[]"]


@pytest.mark.parametrize("damage", ["cut", "missing", "json", "format", "no json"])
def test_a_damaged_entry_counts_as_absent_and_can_be_put_again(tmp_path: Path, damage: str) -> None:
    store = Store(tmp_path)
    put(store, a_table(), ValueType.TABLE)
    folder = tmp_path / "ab" / KEY
    payload, meta = folder / "table.parquet", folder / "value.json"
    if damage == "cut":
        payload.write_bytes(payload.read_bytes()[:-1])
    elif damage == "missing":
        payload.unlink()
    elif damage == "json":
        meta.write_bytes(meta.read_bytes()[:-20])
    elif damage == "format":
        meta.write_text(json.dumps(json.loads(meta.read_text()) | {"format": 999}))
    else:
        meta.unlink()
    assert not store.has(KEY)
    assert store.info(KEY) is None
    assert KEY in store.damages
    assert KEY in store.verify()
    with pytest.raises(DamagedError):
        store.load(KEY, NUMBERS, None)
    assert put(store, a_table(5), ValueType.TABLE).frame["y"].tolist() == [0, 1, 2, 3, 4]
    assert store.verify() == {}
    assert not store.damages


def test_verify_finds_a_flipped_bit(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, a_grid({"lat": 7}), ValueType.GRID)
    assert store.verify() == {}
    chunk = next(path for path in sorted((tmp_path / "ab" / KEY).rglob("c/0/*")) if path.is_file())
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 1
    chunk.write_bytes(content)
    assert store.has(KEY)
    assert list(store.verify()) == [KEY]


def test_the_second_of_two_equal_values_is_dropped(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, a_table(3), ValueType.TABLE)
    before = (tmp_path / "ab" / KEY / "value.json").stat().st_ino
    put(store, a_table(3), ValueType.TABLE)
    assert (tmp_path / "ab" / KEY / "value.json").stat().st_ino == before


def test_notes_of_what_is_not_stored_are_kept_and_give_way_to_the_value(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put_notes(KEY, [Note("SQ802", "n")], {"version": 1}, ValueType.TABLE, NUMBERS)
    info = store.info(KEY)
    assert info is not None
    assert (info.notes, info.stored, store.has(KEY)) == ((Note("SQ802", "n"),), False, False)
    put(store, a_table(), ValueType.TABLE)
    assert store.has(KEY)


def test_prune_keeps_what_it_is_told_to(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, a_table(), ValueType.TABLE)
    put(store, a_table(), ValueType.TABLE, key=OTHER)
    assert store.prune([KEY]) > 0
    assert store.keys() == [KEY]
    assert store.verify() == {}


def test_prune_leaves_a_store_in_use_alone(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, a_table(), ValueType.TABLE)
    with Store(tmp_path).in_use(), Store(tmp_path).in_use(), pytest.raises(SoilqlError, match="SQ907"):
        store.prune([])
    assert store.keys() == [KEY]
    store.prune([])
    assert store.keys() == []


def test_a_closed_store_leaves_nothing_in_tmp(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        put(store, a_table(), ValueType.TABLE)
        with store.scratch() as scratch:
            (scratch / "x").write_text("x")
        assert not scratch.exists()
        assert len(list((tmp_path / "tmp").iterdir())) == 1
    assert list((tmp_path / "tmp").iterdir()) == []


# --- disks that refuse -------------------------------------------------------------------------------------------


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        (args[1] / "half").write_text("half")
        raise error

    monkeypatch.setattr(codec, "_write_table", refuse)


def wrapped() -> Exception:
    error = RuntimeError("writing failed")
    error.__cause__ = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return error


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "x"), OSError(errno.EDQUOT, "x"), wrapped(), OSError("[Errno 28] No space left on device")],
)
def test_a_full_disk_is_told_and_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    store = Store(tmp_path)
    put(store, a_table(), ValueType.TABLE, key=OTHER)
    failing(monkeypatch, error)
    with pytest.raises(SoilqlError, match="SQ901") as caught:
        put(store, a_table(), ValueType.TABLE)
    (diagnostic,) = caught.value.diagnostics
    assert str(tmp_path) in diagnostic.message
    assert any("free there" in note for note in diagnostic.notes)
    assert store.keys() == [OTHER]
    assert store.verify() == {}
    assert not list((tmp_path / "tmp").rglob("half"))


def test_a_grid_that_does_not_fit_is_told_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(block: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    values = da.ones((60, 40), chunks=(30, 40)).map_blocks(full, dtype="f8", meta=np.empty((0, 0)))
    coords = {"lat": np.linspace(89, -89, 60), "lon": np.linspace(-179, 179, 40)}
    with pytest.raises(SoilqlError) as caught:
        put(Store(tmp_path), Grid(xr.Dataset({"a": (("lat", "lon"), values)}, coords)), ValueType.GRID)
    # 60 x 40 cells of 8 bytes and 100 coordinates of 8 bytes
    assert "the grid needs up to 20 kB" in caught.value.diagnostics[0].notes


def test_other_errors_are_not_blamed_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, PermissionError(errno.EACCES, "denied", "/elsewhere/driver.nc"))
    with pytest.raises(PermissionError):
        put(Store(tmp_path), a_table(), ValueType.TABLE)


def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    mounted = tmp_path / "small"
    mounted.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(mounted)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        store = Store(mounted / "store")
        put(store, a_table(), ValueType.TABLE, key=OTHER)
        noise = Table(pd.DataFrame({"y": np.random.default_rng(0).normal(size=200_000)}))
        rough = np.random.default_rng(0).normal(size=(600, 400))
        coords = {"lat": np.linspace(89, -89, 600), "lon": np.linspace(-179, 179, 400)}
        grid = Grid(xr.Dataset({"a": (("lat", "lon"), rough)}, coords).chunk({"lat": 100}))
        for value, value_type in ((noise, ValueType.TABLE), (grid, ValueType.GRID)):
            with pytest.raises(SoilqlError, match="SQ901"):
                put(store, value, value_type)
        assert store.keys() == [OTHER]
        assert store.verify() == {}
        put(store, a_table(), ValueType.TABLE)
        store.close()
    finally:
        subprocess.run(["umount", str(mounted)], check=True)


# --- processes ---------------------------------------------------------------------------------------------------

HOLD = """
import sys, time
from pathlib import Path
from soilql.store import Store
store = Store(Path(sys.argv[1]))
with store.scratch() as scratch, store.lock(sys.argv[2]):
    (scratch / "mine").write_text("x")
    print("held", flush=True)
    time.sleep(60)
"""


def holder(root: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(root), KEY], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_living_process_keeps_its_folder_and_its_lock_and_a_dead_one_loses_both(tmp_path: Path) -> None:
    process = holder(tmp_path)
    try:
        remove_abandoned(tmp_path / "tmp")
        assert len(list((tmp_path / "tmp").rglob("mine"))) == 1
        waited: list[float] = []
        threading.Timer(0.3, process.kill).start()
        with Store(tmp_path).lock(KEY, waiting=lambda: waited.append(time.monotonic())):
            assert len(waited) == 1
            assert time.monotonic() - waited[0] > 0.1
        process.wait()
        remove_abandoned(tmp_path / "tmp")
        assert list((tmp_path / "tmp").iterdir()) == []
    finally:
        process.kill()
        process.wait()


def test_a_folder_of_another_machine_is_left_alone(tmp_path: Path) -> None:
    for name, owner in {"a": {"host": "elsewhere", "boot": "0", "pid": 1}, "b": "nonsense"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "owner.json").write_text(json.dumps(owner))
    Workplace(tmp_path).close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_folder_that_was_never_locked_is_removed_when_it_is_old(tmp_path: Path) -> None:
    for name, age in ((".new-old", 2 * 86400), (".new-young", 0)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    remove_abandoned(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".new-young"]


def test_a_lock_file_that_was_deleted_meanwhile_protects_nobody_and_is_not_trusted(tmp_path: Path) -> None:
    order: list[str] = []
    path = tmp_path / "lock"

    def work(name: str) -> None:
        with locked(path):
            order.append(f"{name} in")
            time.sleep(0.02)
            order.append(f"{name} out")

    threads = [threading.Thread(target=work, args=(str(i),)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(order[i].split()[0] == order[i + 1].split()[0] for i in range(0, 12, 2))
    assert not path.exists()
