"""Layers of gridded files: what is known of each without reading its data, and how they are found by name."""

from __future__ import annotations

import re
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


class Warp(Protocol):
    """Brings values from the projection of a file to longitude and latitude."""

    @property
    def place(self) -> tuple[Any, ...]:
        """What tells where the file lies: its projection, its place in it and its size."""
        ...

    def fineness(self, categorical: bool) -> int:
        """Return how many points along each side of a cell are taken, 1 where a cell is no more than its centre."""
        ...

    def source_window(self, rows: Range, columns: Range, fineness: int = 1) -> tuple[Range, Range] | None:
        """Return the rows and columns of the file that a window of the result needs; None where it has none."""
        ...

    def onto(
        self, values: Array, source: tuple[Range, Range], rows: Range, columns: Range, smooth: bool, fineness: int = 1
    ) -> Array:
        """Return values of a window of the file, shape ``(..., rows, columns)``, at the points of a window."""
        ...

    def over_cells(self, points: Array, lat: Array, fineness: int) -> Array:
        """Return what the points of each cell make together, shape ``(rows, columns)``."""
        ...


@dataclass(frozen=True, eq=False)
class Flag:
    """A layer of quality flags, and which of its numbers keep a value.

    Attributes
    ----------
    layer : Layer
        On the grid of the values.
    first, last : int
        Bits of the field, counted from the right from 0, both included.
    values : tuple of int
        Values of the field that keep a value.
    """

    layer: Layer
    first: int
    last: int
    values: tuple[int, ...]

    def keeps(self, stored: Array) -> Array:
        """Return where flags as stored keep a value.

        Examples
        --------
        >>> layer: Any = None
        >>> Flag(layer, 0, 1, (0, 1)).keeps(np.array([0b0001, 0b1100, 0b0110], "uint8")).tolist()
        [True, True, False]
        """
        known = np.isfinite(stored) if stored.dtype.kind == "f" else np.ones(stored.shape, dtype=bool)
        numbers = np.where(known, stored, 0).astype(np.int64)
        field = (numbers >> self.first) & ((1 << (self.last - self.first + 1)) - 1)
        return np.asarray(known & np.isin(field, self.values))


@dataclass(frozen=True, eq=False)
class Part:
    """Where a layer lies in a larger one.

    Attributes
    ----------
    layer : Layer
        Of one file.
    step : int
        Position of its first step among those of the whole.
    row, column : int
        Position of its north-western cell.
    first : int
        Its first step that is used.
    count : int
        Number of its steps that are used; a layer without time has one.
    """

    layer: Layer
    step: int
    row: int = 0
    column: int = 0
    first: int = 0
    count: int = 1


@dataclass(frozen=True, eq=False)
class Layer:
    """One variable of one file, or of several put together.

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
    label : datetime64, number or None
        The label of a time axis with one step, which is no dimension of the layer.
    calendar : str or None
        Length of the steps, such as ``month``, where it is known.
    warp : Warp or None
        Where the file is in a projection; the axes are then those of the result.
    flags : tuple of Flag
        What decides whether a value counts; all have to keep it.
    parts : tuple of Part
        Layers of single files that this one is put together from; none for the layer of one file.
    notes : tuple of Note
        Gaps in time and space.
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
    label: Any = None
    calendar: str | None = None
    warp: Warp | None = None
    flags: tuple[Flag, ...] = ()
    parts: tuple[Part, ...] = ()
    notes: tuple[Note, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape in the project's order."""
        plane = (self.lat.centres.size, self.lon.centres.size)
        return plane if self.steps is None else (self.steps.size, *plane)

    @property
    def key(self) -> str:
        """Name that tells it from layers of the same name in other files."""
        return f"{self.path.stem}:{self.name}"

    @property
    def leaves(self) -> tuple[Layer, ...]:
        """The layers of single files that it is made of, those of flags included."""
        if self.parts:
            return tuple(leaf for part in self.parts for leaf in part.layer.leaves)
        return (self, *(flag.layer for flag in self.flags))


@dataclass(frozen=True)
class Opened:
    """What a file holds: layers that can be used, and notes on those that cannot."""

    layers: tuple[Layer, ...]
    notes: tuple[Note, ...] = ()


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

    A blank, a dot or another sign in a name also stands for the underscore that a program put in its place.

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
    if not found:
        found = [layer for layer in layers if _plain(layer.name) == _plain(name)]
    if len(found) == 1:
        return found[0]
    if found:
        keys = ", ".join(f"`{layer.key}`" for layer in found[:6])
        message = f"`{name}` is in {len(found)} files"
        raise SoilqlError(Diagnostic("SQ710", message, span, help=f"say which with `from`: {keys}"))
    known = list(dict.fromkeys(layer.name for layer in layers))
    help = did_you_mean(name, known) or f"there are {', '.join(f'`{k}`' for k in known[:12])}"
    raise SoilqlError(Diagnostic("SQ704", f"no layer `{name}` in the files", span, help=help))


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "_", name).strip("_").lower()


def unreadable(path: Path, error: BaseException, span: Span | None = None) -> SoilqlError:
    """Return the error for a gridded file that cannot be opened or read."""
    # The text of a system's error ends with the whole path.
    words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    reason = " ".join(words.split()) or type(error).__name__
    message = f"`{path.name}` is truncated, damaged or of another format: {reason}"
    return SoilqlError(Diagnostic("SQ702", message, span, help="fetch the file again"))
