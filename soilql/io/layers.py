"""Layers of gridded files: what is known of each without reading its data, and lazy arrays in the project's order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np

from soilql.errors import Diagnostic, SoilqlError, Span, did_you_mean
from soilql.io.axes import Axis
from soilql.values import Note

Array: TypeAlias = "np.ndarray[Any, Any]"
Range: TypeAlias = tuple[int, int]


class ReadWindow(Protocol):
    """Reads a window of a layer as the file stores it."""

    def __call__(self, times: Range | None, rows: Range, columns: Range) -> Array:
        """Return stored values, shape ``(times,) rows, columns`` in the file's order."""
        ...


@dataclass(frozen=True, eq=False)
class Layer:
    """One variable of one file.

    Attributes
    ----------
    name : str
        As the file calls it.
    path : Path
        The file.
    lat, lon : Axis
        Its axes.
    read : callable
        Reads a window.
    dtype : numpy.dtype
        As stored.
    unit : str or None
        As the file writes it.
    band : int
        Position in the file, from 1.
    missing : tuple of float
        Stored values that mean no value.
    scale, offset : float
        From stored to real values: ``stored * scale + offset``.
    leading : str or None
        Name of the dimension before latitude, ``time`` or ``member``.
    steps : ndarray or None
        Its labels.
    block : (int, int)
        Rows and columns that the file stores together.
    crs : str or None
        Coordinate reference system, None where the file has none.
    """

    name: str
    path: Path
    lat: Axis
    lon: Axis
    read: ReadWindow
    dtype: np.dtype[Any]
    unit: str | None = None
    band: int = 1
    missing: tuple[float, ...] = ()
    scale: float = 1.0
    offset: float = 0.0
    leading: str | None = None
    steps: Array | None = None
    block: tuple[int, int] = (1, 1)
    crs: str | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape in the project's order."""
        plane = (self.lat.centres.size, self.lon.centres.size)
        return plane if self.steps is None else (self.steps.size, *plane)

    @property
    def key(self) -> str:
        """Name that tells it from layers of the same name in other files."""
        return f"{self.path.stem}:{self.name}"


@dataclass(frozen=True)
class Opened:
    """What a file holds: layers that can be used, and notes on those that cannot."""

    layers: tuple[Layer, ...]
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, eq=False)
class LazyValues:
    """A layer as an array that is read window by window, decoded to float64 with NaN where missing.

    Attributes
    ----------
    layer : Layer
    missing : tuple of float
        Stored values that mean no value, besides those that the file declares.
    scale, offset : float
        From real values in the file's unit to those wanted: ``value * scale + offset``.
    token : tuple
        What tells it from others.
    """

    layer: Layer
    missing: tuple[float, ...]
    scale: float = 1.0
    offset: float = 0.0
    token: tuple[Any, ...] = ()

    dtype = np.dtype(np.float64)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.layer.shape

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        return self.token

    def __getitem__(self, index: Any) -> Array:
        keys = index if isinstance(index, tuple) else (index,)
        keys = (*keys, *([slice(None)] * (self.ndim - len(keys))))
        ranges: list[Range] = []
        rest: list[Any] = []
        for key, size in zip(keys, self.shape, strict=True):
            low, high, within = _range(key, size)
            ranges.append((low, high))
            rest.append(within)
        values: Array = self._window(ranges)[tuple(rest)]
        return values

    def _window(self, ranges: Sequence[Range]) -> Array:
        layer = self.layer
        times = ranges[0] if layer.steps is not None else None
        rows, columns = ranges[-2:]
        if any(low >= high for low, high in ranges):
            return np.empty([max(high - low, 0) for low, high in ranges])
        (row_range,) = layer.lat.windows(*rows)
        parts = []
        for column_range in layer.lon.windows(*columns):
            part = layer.read(times, row_range, column_range)
            part = part[..., ::-1, :] if layer.lat.reverse else part
            parts.append(part[..., ::-1] if layer.lon.reverse else part)
        stored = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)
        return self._decode(stored)

    def _decode(self, stored: Array) -> Array:
        values = stored.astype(np.float64)
        for code in (*self.layer.missing, *self.missing):
            values[_equals(stored, code)] = np.nan
        # Stored in float64 even where the file has float32: the same numbers whatever a file was packed in.
        for scale, offset in ((self.layer.scale, self.layer.offset), (self.scale, self.offset)):
            if scale != 1.0:
                values *= scale
            if offset != 0.0:
                values += offset
        return values


def _equals(stored: Array, code: float) -> Array:
    """Return where stored values are a code, taken in the precision in which they are stored."""
    if stored.dtype.kind == "f":
        with np.errstate(over="ignore"):
            return np.asarray(stored == stored.dtype.type(code))
    return np.asarray(stored == code)


def _range(key: Any, size: int) -> tuple[int, int, Any]:
    """Split one index into the range that covers it and the index within that range."""
    if isinstance(key, slice):
        start, stop, step = key.indices(size)
        if step == 1:
            return start, stop, slice(None)
        positions = np.arange(start, stop, step)
    else:
        positions = np.asarray(key)
        positions = np.where(positions < 0, positions + size, positions)
    if not positions.size:
        return 0, 0, slice(None)
    low, high = int(positions.min()), int(positions.max()) + 1
    return low, high, positions - low


def block_shape(rows: int, columns: int, bytes_per_cell: int, budget: int, stored: tuple[int, int]) -> tuple[int, int]:
    """Return how many rows and columns to compute together.

    Parameters
    ----------
    rows, columns : int
        Size of the grid.
    bytes_per_cell : int
        Of all variables and times together.
    budget : int
        Bytes that a block may take.
    stored : (int, int)
        Rows and columns that the files store together; whole multiples of them are read only once.

    Returns
    -------
    (int, int)
        Stripes over the whole width where one row fits into the budget, else parts of rows.

    Examples
    --------
    >>> block_shape(360, 720, 8, 100_000, (10, 720)), block_shape(10, 1000, 8, 4000, (1, 1))
    ((10, 720), (1, 500))
    """
    cells = max(1, budget // max(1, bytes_per_cell))
    if cells < columns:
        return 1, _aligned(cells, stored[1], columns)
    return _aligned(cells // columns, stored[0], rows), columns


def _aligned(size: int, stored: int, whole: int) -> int:
    if size >= whole:
        return whole
    return size - size % stored if size >= stored else size


def find_layer(name: str, layers: Sequence[Layer], span: Span | None = None) -> Layer:
    """Return the layer that a spec means by a name, ``file:name``, or a band's number.

    Raises
    ------
    SoilqlError
        SQ704 where no layer has that name, SQ710 where several files have one.
    """
    found = [layer for layer in layers if name in (layer.name, layer.key)]
    if not found and name.isdigit():
        found = [layer for layer in layers if str(layer.band) == name]
    if not found:
        stem, _, band = name.rpartition(":")
        found = [layer for layer in layers if (layer.path.stem, str(layer.band)) == (stem, band)]
    if len(found) == 1:
        return found[0]
    if found:
        keys = ", ".join(f"`{layer.key}`" for layer in found[:6])
        message = f"`{name}` is in {len(found)} files"
        raise SoilqlError(Diagnostic("SQ710", message, span, help=f"say which with `from`: {keys}"))
    known = [layer.name for layer in layers]
    help = did_you_mean(name, known) or f"there are {', '.join(f'`{k}`' for k in known[:12])}"
    raise SoilqlError(Diagnostic("SQ704", f"no layer `{name}` in the files", span, help=help))


def unreadable(path: Path, error: BaseException, span: Span | None = None) -> SoilqlError:
    """Return the error for a gridded file that cannot be opened or read."""
    # The text of a system's error ends with the whole path.
    words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    reason = " ".join(words.split()) or type(error).__name__
    message = f"`{path.name}` is truncated, damaged or of another format: {reason}"
    return SoilqlError(Diagnostic("SQ702", message, span, help="fetch the file again"))
