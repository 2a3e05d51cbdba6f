"""Layers as lazy arrays: read window by window, decoded, masked by flags, reprojected and put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from soilql.io.layers import Array, Layer, Range, Warp

# Points within cells that are held at a time: 8 bytes each, and a few copies.
_MOST_POINTS = 1 << 20


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
    valid : (float, float) or None
        Least and greatest stored value that is one.
    categorical : bool
        Whether the numbers stand for classes, between which there is nothing.
    """

    layer: Layer
    missing: tuple[float, ...]
    scale: float = 1.0
    offset: float = 0.0
    token: tuple[Any, ...] = ()
    valid: tuple[float, float] | None = None
    categorical: bool = False

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
        if any(low >= high for low, high in ranges):
            return np.empty([max(high - low, 0) for low, high in ranges])
        times = ranges[0] if self.layer.steps is not None else None
        warps = [w for w in (self.layer.warp, *(part.layer.warp for part in self.layer.parts)) if w is not None]
        fineness = max((warp.fineness(self.categorical) for warp in warps), default=1)
        rows, columns = ranges[-2:]
        if fineness == 1:
            values = self._points(times, rows, columns, 1)
        else:
            values = self._cells(warps[0], times, rows, columns, fineness)
        _scale(values, self.scale, self.offset)
        return values

    def _points(self, times: Range | None, rows: Range, columns: Range, fineness: int) -> Array:
        """Return values at the points of a window, which lie `fineness` to a cell."""
        if self.layer.parts:
            return self._joined(times, rows, columns, fineness)
        return self._leaf(self.layer, times, rows, columns, fineness)

    def _cells(self, warp: Warp, times: Range | None, rows: Range, columns: Range, fineness: int) -> Array:
        """Return what many points of each cell make together, no more of them at a time than memory has room for."""
        values = np.empty([high - low for low, high in (times or (0, 1), rows, columns)])
        along = (columns[0] * fineness, columns[1] * fineness)
        height = max(1, _MOST_POINTS // (fineness * (along[1] - along[0])))
        for step, plane in enumerate(values, start=0 if times is None else times[0]):
            for low in range(*rows, height):
                high = min(low + height, rows[1])
                across = (low * fineness, high * fineness)
                points = self._points(None if times is None else (step, step + 1), across, along, fineness)
                lat = self.layer.lat.centres[low:high]
                plane[low - rows[0] : high - rows[0]] = warp.over_cells(
                    points.reshape(points.shape[-2:]), lat, fineness
                )
        return values if times is not None else values[0]

    def _joined(self, times: Range | None, rows: Range, columns: Range, fineness: int) -> Array:
        """Return values of a layer that several are put together to; NaN where none of them lies."""
        wanted = (times or (0, 1), rows, columns)
        values = np.full([high - low for low, high in wanted], np.nan)
        for part in self.layer.parts:
            places = (part.step, part.row * fineness, part.column * fineness)
            shape = (part.layer.lat.centres.size * fineness, part.layer.lon.centres.size * fineness)
            sizes = (part.count, *shape)
            cut = [_overlap(w, at, size) for w, at, size in zip(wanted, places, sizes, strict=True)]
            if any(low >= high for low, high in cut):
                continue
            own, across, along = ((low - at, high - at) for (low, high), at in zip(cut, places, strict=True))
            steps = None if part.layer.steps is None else (own[0] + part.first, own[1] + part.first)
            found = self._leaf(part.layer, steps, across, along, fineness)
            place = tuple(slice(low - w[0], high - w[0]) for (low, high), w in zip(cut, wanted, strict=True))
            found = found if found.ndim == 3 else found[None]
            # Reprojected tiles overlap at their slanted edges, where each has cells without a value.
            values[place] = np.where(np.isnan(values[place]), found, values[place])
        return values if times is not None else values[0]

    def _leaf(self, layer: Layer, times: Range | None, rows: Range, columns: Range, fineness: int) -> Array:
        """Return values of the layer of one file in its unit."""
        if layer.warp is None:
            return self._decoded(layer, *(_stored(item, times, rows, columns) for item in layer.leaves))
        source = layer.warp.source_window(rows, columns, fineness)
        if source is None:
            extent = [high - low for low, high in (rows, columns)]
            return np.full(extent if times is None else [times[1] - times[0], *extent], np.nan)
        values = self._decoded(layer, *(_read(item, times, *source) for item in layer.leaves))
        return layer.warp.onto(values, source, rows, columns, not self.categorical, fineness)

    def _decoded(self, layer: Layer, stored: Array, *flags: Array) -> Array:
        values = stored.astype(np.float64)
        # Divisions by zero of those who made the file, as in SPEIbase.
        values[np.isinf(values)] = np.nan
        for code in (*layer.missing, *self.missing):
            values[_equals(stored, code)] = np.nan
        if self.valid is not None:
            values[(stored < self.valid[0]) | (stored > self.valid[1])] = np.nan
        for flag, found in zip(layer.flags, flags, strict=True):
            values[~np.broadcast_to(flag.keeps(found), values.shape)] = np.nan
        # Stored in float64 even where the file has float32: the same numbers whatever a file was packed in.
        _scale(values, layer.scale, layer.offset)
        return values


def _scale(values: Array, scale: float, offset: float) -> None:
    if scale != 1.0:
        values *= scale
    if offset != 0.0:
        values += offset


def _overlap(wanted: Range, at: int, size: int) -> Range:
    return max(wanted[0], at), min(wanted[1], at + size)


def _read(layer: Layer, times: Range | None, rows: Range, columns: Range) -> Array:
    return layer.read(None if layer.steps is None else times, rows, columns)


def _stored(layer: Layer, times: Range | None, rows: Range, columns: Range) -> Array:
    """Return stored values of one file in the project's order."""
    (row_range,) = layer.lat.windows(*rows)
    parts = []
    for column_range in layer.lon.windows(*columns):
        part = _read(layer, times, row_range, column_range)
        part = part[..., ::-1, :] if layer.lat.reverse else part
        parts.append(part[..., ::-1] if layer.lon.reverse else part)
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)


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
