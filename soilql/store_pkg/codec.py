"""Values to files and back: tables as Parquet, grids as Zarr, fitted models as plain JSON and plain arrays.

What :func:`write` returns is JSON and describes the value; nothing is ever pickled.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soilql.errors import Severity
from soilql.kinds import Kind
from soilql.values import Grid, Note, State, Table, Value, ValueType

if TYPE_CHECKING:
    import xarray as xr

#: Cells of one stored chunk: large enough to read fast, small enough that many fit in any memory budget.
CHUNK_CELLS = 1 << 19

Progress = Callable[[int, int], None]


def write(value: Value, value_type: ValueType, folder: Path, workers: int, progress: Progress) -> dict[str, Any]:
    """Write a value into an empty folder.

    Parameters
    ----------
    value : Value
        A grid is computed here, block by block.
    value_type : ValueType
        What it is.
    folder : Path
        Receives the files.
    workers : int
        Number of threads that compute a grid.
    progress : callable
        ``progress(done, total)``, in tasks.

    Returns
    -------
    dict
        JSON that :func:`read` needs, with ``notes`` and ``shape``.

    Raises
    ------
    TypeError
        The value is not what the node should make, or has no plain form.
    OSError
        A file cannot be written.
    """
    if value_type is ValueType.TABLE and isinstance(value, Table):
        return _write_table(value, folder, "table")
    if value_type is ValueType.GRID and isinstance(value, Grid):
        return _write_grid(value, folder, workers, progress)
    if isinstance(value, Table | Grid) or value_type in (ValueType.TABLE, ValueType.GRID):
        raise TypeError(f"a {value_type} was expected, not a {type(value).__name__}")
    return _write_state(value, folder)


def read(meta: Mapping[str, Any], value_type: ValueType, folder: Path, kind: Kind, params: Any) -> Value:
    """Read a value back; a grid stays on disk until it is asked for."""
    if value_type is ValueType.TABLE:
        return _read_table(meta, folder)
    if value_type is ValueType.GRID:
        return _read_grid(meta, folder)
    return _read_state(meta, folder, kind, params)


def note_to_json(note: Note) -> dict[str, str]:
    """Return a note as JSON."""
    return {"code": note.code, "message": note.message, "severity": str(note.severity)}


def note_from_json(data: Mapping[str, str]) -> Note:
    """Return a note from JSON."""
    return Note(data["code"], data["message"], Severity(data["severity"]))


def describe(value: Value) -> str:
    """Return the shape of a value in words, such as ``table of 120 rows: `Rs`, `T```."""
    if isinstance(value, Table):
        return f"table of {len(value.frame)} rows: {_names(value.frame.columns)}"
    if isinstance(value, Grid):
        sizes = " x ".join(f"{size} {dim}" for dim, size in value.data.sizes.items())
        return f"grid of {sizes}: {_names(value.data.data_vars)}"
    return type(value).__name__


def _names(names: Iterable[Any]) -> str:
    quoted = [f"`{name}`" for name in names]
    return ", ".join(quoted[:20]) + (f" and {len(quoted) - 20} more" if len(quoted) > 20 else "")


def _write_table(table: Table, folder: Path, stem: str) -> dict[str, Any]:
    import pyarrow
    import pyarrow.parquet

    pa: Any = pyarrow
    columns = [str(name) for name in table.frame.columns]
    if len(set(columns)) < len(columns):
        raise TypeError(f"a table has two columns of one name: {_names(columns)}")
    path = folder / f"{stem}.parquet"
    with path.open("wb") as file:
        pa.parquet.write_table(pa.Table.from_pandas(table.frame, preserve_index=False), file, compression="zstd")
    return {
        "file": path.name,
        "shape": {"rows": len(table.frame), "columns": len(columns)},
        "columns": columns,
        "units": dict(table.units),
        "roles": dict(table.roles),
        "notes": [note_to_json(note) for note in table.notes],
        "extras": _write_extras(table.extras, folder, stem),
    }


def _write_extras(extras: Mapping[str, Table], folder: Path, stem: str) -> dict[str, Any]:
    return {name: _write_table(table, folder, f"{stem}.{i}") for i, (name, table) in enumerate(extras.items())}


def _read_table(meta: Mapping[str, Any], folder: Path) -> Table:
    import pyarrow.parquet

    pa: Any = pyarrow
    # Read through one thread and a closed file: the value must not hold on to files of the store.
    with (folder / meta["file"]).open("rb") as file:
        frame = pa.parquet.read_table(file, use_threads=False).to_pandas()
    extras = {name: _read_table(extra, folder) for name, extra in meta["extras"].items()}
    return Table(frame, meta["units"], meta["roles"], tuple(map(note_from_json, meta["notes"])), extras)


def _write_grid(grid: Grid, folder: Path, workers: int, progress: Progress) -> dict[str, Any]:
    import dask.base

    # The source's own packing (int16 with a scale, say) must not come back: it would round the numbers.
    data = grid.data.drop_encoding()
    chunks = {name: chunk_shape(array.shape, array.chunks) for name, array in data.variables.items() if array.ndim}
    aligned = data.assign({name: _align(data[name], chunks[name]) for name in data.data_vars if name in chunks})
    encoding: dict[Any, dict[str, Any]] = {name: {"chunks": shape} for name, shape in chunks.items()}
    for name, array in data.variables.items():
        if array.dtype.kind in "fc":
            encoding.setdefault(name, {})["_FillValue"] = None
    with _quiet_zarr(), _watched(progress):
        # One computation for all variables, so that what they share is computed once.
        pending = aligned.to_zarr(
            folder / "grid.zarr", compute=False, consolidated=False, zarr_format=3, encoding=encoding
        )
        compute: Any = dask.base.compute
        compute(pending, scheduler="threads", num_workers=max(1, workers))
    times = [str(name) for name, array in data.variables.items() if array.dtype.kind == "M"]
    return {
        "file": "grid.zarr",
        "shape": {str(dim): int(size) for dim, size in data.sizes.items()},
        "columns": [str(name) for name in data.data_vars],
        "coords": [str(name) for name in data.coords],
        "times": times,
        "crs": grid.crs,
        "notes": [note_to_json(note) for note in grid.notes],
        "extras": _write_extras(grid.extras, folder, "table"),
    }


def chunk_shape(shape: tuple[int, ...], blocks: tuple[tuple[int, ...], ...] | None = None) -> tuple[int, ...]:
    """Return the stored chunks of a variable: bands of whole rows with all times or members, as far as these fit.

    Parameters
    ----------
    shape : tuple of int
        Its shape, ending in latitude and longitude.
    blocks : tuple of tuple of int, optional
        Blocks it is computed in. Where these split the times or members, the chunks do so too: to turn a long series
        of maps into bands of rows would need all of it in memory.

    Examples
    --------
    >>> chunk_shape((360, 720)), chunk_shape((3600, 7200)), chunk_shape((432, 360, 720))
    ((360, 720), (72, 7200), (432, 1, 720))
    >>> chunk_shape((432, 360, 720), blocks=((1,) * 432, (360,), (720,)))
    (1, 360, 720)
    """
    left = CHUNK_CELLS
    chunks = dict.fromkeys(range(len(shape)), 1)
    last = len(shape) - 1
    for axis in (last, *range(last - 1), last - 1):
        if axis < 0:
            continue
        limit = shape[axis] if blocks is None or axis >= last - 1 else max(blocks[axis], default=1)
        chunks[axis] = max(1, min(limit, left))
        left //= chunks[axis]
    return tuple(chunks.values())


def _align(array: xr.DataArray, shape: tuple[int, ...]) -> xr.DataArray:
    """Return the array in blocks made of whole stored chunks: two threads must never write to one file."""
    if array.chunks is None:
        return array
    blocks = []
    for sizes, chunk, length in zip(array.chunks, shape, array.shape, strict=True):
        step = max(chunk, max(sizes, default=1) // chunk * chunk)
        blocks.append(tuple(min(step, length - start) for start in range(0, length, step)) or (0,))
    return array.chunk(dict(zip(array.dims, blocks, strict=True)))


@contextmanager
def _watched(progress: Progress) -> Iterator[None]:
    from dask.callbacks import Callback as DaskCallback

    callback: Any = DaskCallback

    def report(_key: Any, _result: Any, _graph: Any, state: Any, _worker: Any) -> None:
        done = len(state["finished"])
        progress(done, done + sum(len(state[part]) for part in ("ready", "waiting", "running")))

    with callback(posttask=report):
        yield


@contextmanager
def _quiet_zarr() -> Iterator[None]:
    with warnings.catch_warnings():
        # Text coordinates have no specification in Zarr yet; they are read by what wrote them.
        warnings.filterwarnings("ignore", message=".*does not have a Zarr V3 specification.*")
        yield


def _read_grid(meta: Mapping[str, Any], folder: Path) -> Grid:
    import xarray as xr

    names = [*meta["coords"], *meta["columns"]]
    # A variable in days is no time span and a missing value is NaN: attributes say nothing about the stored numbers.
    with _quiet_zarr():
        stored = xr.open_zarr(
            folder / meta["file"],
            chunks={},
            consolidated=False,
            mask_and_scale=False,
            decode_times={name: name in meta["times"] for name in names},
            decode_timedelta=False,
        )
    data = stored[meta["columns"]].assign_coords({name: stored[name].variable for name in meta["coords"]})
    data = data.assign_coords({name: data[name].load() for name in meta["coords"]}).drop_encoding()
    extras = {name: _read_table(extra, folder) for name, extra in meta["extras"].items()}
    return Grid(data, meta["crs"], tuple(map(note_from_json, meta["notes"])), extras)


def _write_state(value: Any, folder: Path) -> dict[str, Any]:
    import numpy as np

    state: State = value.state()
    objects = [name for name, array in state.arrays.items() if np.asarray(array).dtype.hasobject]
    if objects:
        raise TypeError(f"arrays of Python objects cannot be stored: {_names(objects)}")
    with (folder / "arrays.npz").open("wb") as file:
        arrays = {f"a{i}": np.asarray(array) for i, array in enumerate(state.arrays.values())}
        np.savez(file, allow_pickle=False, **arrays)
    return {
        "file": "arrays.npz",
        "shape": {},
        "columns": [],
        "arrays": list(state.arrays),
        "state": dict(state.meta),
        "notes": [note_to_json(note) for note in getattr(value, "notes", ())],
    }


def _read_state(meta: Mapping[str, Any], folder: Path, kind: Kind, params: Any) -> Value:
    import numpy as np

    with np.load(folder / meta["file"], allow_pickle=False) as stored:
        arrays = {name: stored[f"a{i}"] for i, name in enumerate(meta["arrays"])}
    return kind.load(State(meta["state"], arrays), params)
