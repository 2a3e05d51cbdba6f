"""Grids that come as tables of cells, or as plain numbers one after the other, brought onto a raster."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from soilql.errors import Diagnostic, SoilqlError, Span
from soilql.io.axes import Axis, latitude_axis, longitude_axis
from soilql.io.dates import compile_pattern, match_name, parse_date
from soilql.io.grid_params import Cells
from soilql.io.layers import Array, Layer, Opened, Range
from soilql.io.longer import timed_columns
from soilql.io.series import Timing
from soilql.io.tables import RawTable, read_table
from soilql.io.text import TextFormat, read_bytes
from soilql.io.times import label_text, written_dates
from soilql.values import Note

# Share of a cell by which a row may lie off its centre: coordinates are often cut to two decimals.
_OFF = 0.05
_MISSING = ("NA", "NaN", "nan")
# Bytes of a member of an archive.
_LARGEST = 1 << 30


@dataclass(frozen=True, eq=False)
class ReadCells:
    """Reads windows of a raster of which only some cells are held.

    Attributes
    ----------
    rows, columns : ndarray of int, shape (n,)
        Positions of the cells, rows rising.
    values : ndarray, shape (n, steps) or (n,)
    """

    rows: Array
    columns: Array
    values: Array

    def __call__(self, times: Range | None, rows: Range, columns: Range) -> Array:
        first, last = np.searchsorted(self.rows, rows)
        across = self.columns[first:last]
        inside = np.flatnonzero((across >= columns[0]) & (across < columns[1]))
        steps = () if times is None else (times[1] - times[0],)
        window = np.full((*steps, rows[1] - rows[0], columns[1] - columns[0]), np.nan)
        found = self.values[first:last][inside] if times is None else self.values[first:last, slice(*times)][inside].T
        window[..., self.rows[first:last][inside] - rows[0], across[inside] - columns[0]] = found
        return window


@dataclass(frozen=True, eq=False)
class _Raster:
    lat: Axis
    lon: Axis
    rows: Array
    columns: Array
    used: Array


def open_cells(
    path: Path, how: Cells, timing: Timing, bounds: Sequence[float] | None = None, span: Span | None = None
) -> Opened:
    """Return the columns of a table of cells as layers.

    Parameters
    ----------
    path : Path
        Text, gzipped or not, workbook or Parquet.
    how : Cells
        Where the table has its places, times and values.
    timing : Timing
        What the name of the file tells.
    bounds : sequence of float, optional
        West, south, east and north edge of the raster; by default the globe where the resolution divides it, else the
        rectangle round the cells.
    span : Span, optional
        Where the spec names the file.

    Raises
    ------
    SoilqlError
        As :func:`read_table`; SQ704 for columns that are not there, SQ709 for places that are no numbers, SQ733 where
        no row lies on the centre of a cell, SQ734 for two rows of one cell and time.
    """
    text = TextFormat(
        how.delimiter, how.decimal, how.encoding, "#" if how.comment is None else how.comment, tuple(how.header or ())
    )
    raw = read_table(path, None, text, how.sheet, span)
    codes = list(_MISSING if how.missing is None else how.missing)
    lat, lon, taken = _places(raw, how, codes, path, span)
    raster, notes = _raster(lat, lon, how.resolution, bounds, path, span)
    if how.long is not None:
        series = _wide(raw, how, timing, codes, path, span)
        _require_once(raster, None, raw, path, span)
    elif how.time is not None:
        series, raster = _by_column(raw, how, raster, {*taken, how.time}, codes, path, span)
    else:
        series = {name: (None, values) for name, values in _numeric(raw, taken, codes).items()}
        _require_once(raster, None, raw, path, span)
    if not series:
        help = f"its columns: {', '.join(f'`{name}`' for name in list(raw.cells)[:8])}"
        raise SoilqlError(
            Diagnostic("SQ704", f"`{path.name}` has no column of numbers beside the places", span, help=help)
        )
    order = np.lexsort((raster.columns, raster.rows))
    layers = []
    for i, (name, (labels, values)) in enumerate(series.items(), start=1):
        kept = values if labels is not None and how.time is not None else values[raster.used]
        read = ReadCells(raster.rows[order], raster.columns[order], kept[order])
        leading = None if labels is None else "time"
        layers.append(
            Layer(name, path, raster.lat, raster.lon, read, np.dtype(np.float64), band=i, leading=leading,
                  steps=labels, crs="EPSG:4326", block=(1, raster.lon.centres.size))
        )  # fmt: skip
    return Opened(tuple(layers), (*raw.notes, *notes))


def _places(
    raw: RawTable, how: Cells, codes: Sequence[str], path: Path, span: Span | None
) -> tuple[Array, Array, set[str]]:
    wanted = [how.key] if how.key is not None else [how.lat, how.lon]
    for name in wanted:
        if name not in raw.cells:
            help = f"its columns: {', '.join(f'`{column}`' for column in list(raw.cells)[:8])}"
            raise SoilqlError(Diagnostic("SQ704", f"`{path.name}` has no column `{name}`", span, help=help))
    if how.key is not None:
        pairs = [str(text or "").replace(",", " ").split() for text in raw.cells[how.key].texts(codes)]
        try:
            numbers = np.array([[float(a), float(b)] for a, b in pairs])
        except ValueError:
            row = next(i for i, pair in enumerate(pairs) if len(pair) != 2 or not all(map(_is_number, pair)))
            message = f"`{how.key}` holds `{' '.join(pairs[row])}` where a latitude and a longitude are needed"
            raise SoilqlError(Diagnostic("SQ709", message, span, raw.place(row))) from None
        return numbers[:, 0], numbers[:, 1], {str(how.key)}
    found = []
    for name in wanted:
        values, bad = raw.cells[str(name)].numbers(codes)
        if bad is not None:
            message = f"column `{name}` holds `{bad.text.strip()}` where a number is needed"
            raise SoilqlError(Diagnostic("SQ709", message, span, raw.place(bad.row)))
        found.append(values)
    return found[0], found[1], {str(name) for name in wanted}


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def _raster(
    lat: Array, lon: Array, size: float, bounds: Sequence[float] | None, path: Path, span: Span | None
) -> tuple[_Raster, list[Note]]:
    """Return the raster that rows lie on, with the position of each row that lies on the centre of a cell."""
    east = np.where(lon >= 180, lon - 360, lon)
    west, south, right, north = bounds or (-180.0, -90.0, 180.0, 90.0)
    halves = [_half(east, west, size), _half(lat, south, size)]
    columns, rows = (east - west) / size - halves[0], (lat - south) / size - halves[1]
    near = (np.abs(columns - np.rint(columns)) <= _OFF) & (np.abs(rows - np.rint(rows)) <= _OFF)
    counts = [round((right - west) / size), round((north - south) / size) + (halves[1] == 0)]
    near &= (np.rint(columns) >= 0) & (np.rint(columns) < counts[0])
    near &= (np.rint(rows) >= 0) & (np.rint(rows) < counts[1])
    notes = []
    if not near.all():
        worst = int(np.flatnonzero(~near)[0])
        message = f"{int((~near).sum()):,} of {near.size:,} rows of `{path.name}` lie on no centre of a cell "
        message += f"of {size:g} degrees, such as {lat[worst]:g} N, {lon[worst]:g} E"
        if not near.any():
            raise SoilqlError(
                Diagnostic(
                    "SQ733",
                    message,
                    span,
                    help="is `resolution` another one, or does the raster begin elsewhere (`bounds`)?",
                )
            )
        notes.append(Note("SQ733", f"{message}; they were left out"))
    used = np.flatnonzero(near)
    c, r = np.rint(columns[used]).astype(np.int64), np.rint(rows[used]).astype(np.int64)
    is_whole = bounds is not None or abs(360 / size - round(360 / size)) < 1e-9
    c0, r0 = (0, 0) if is_whole else (int(c.min()), int(r.min()))
    c1, r1 = counts if is_whole else (int(c.max()) + 1, int(r.max()) + 1)
    lats = latitude_axis(south + (np.arange(r0, r1) + halves[1]) * size, path.name, span)
    lons = longitude_axis(west + (np.arange(c0, c1) + halves[0]) * size, path.name, span)
    n = lats.centres.size
    axes = Axis(lats.centres, False, 0, n), Axis(lons.centres, False, 0, lons.centres.size)
    return _Raster(*axes, n - 1 - (r - r0), (c - c0 - lons.shift) % lons.centres.size, used), notes


def _half(values: Array, edge: float, size: float) -> float:
    """Return where in a cell most rows lie: in the middle (0.5), or on the edge of the lattice (0)."""
    shares = np.mod((values - edge) / size, 1.0)
    on_edge = np.minimum(shares, 1 - shares) <= _OFF
    return 0.0 if np.count_nonzero(on_edge) > np.count_nonzero(np.abs(shares - 0.5) <= _OFF) else 0.5


def _wide(
    raw: RawTable, how: Cells, timing: Timing, codes: Sequence[str], path: Path, span: Span | None
) -> dict[str, tuple[Array | None, Array]]:
    assert how.long is not None
    match = match_name(path, timing.patterns)
    known = {} if match is None else {key: value for key, value in match.parts.items() if key != "name"}
    name = how.long.to or (match.name if match is not None and not how.long.names_itself else None)
    found = timed_columns(raw.cells, compile_pattern(how.long.columns), name, known, path.name, span)
    series: dict[str, tuple[Array | None, Array]] = {}
    for variable, items in found.items():
        labels = np.array([item.start for item in items], dtype="datetime64[ns]")
        if all(item.precision == "year" for item in items):
            labels = labels.astype("datetime64[Y]").astype(np.int64) + 1970
        columns = [_numbers(raw, item.column, codes, span) for item in items]
        series[variable] = labels, np.stack(columns, axis=1)
    return series


def _numbers(raw: RawTable, column: str, codes: Sequence[str], span: Span | None) -> Array:
    values, bad = raw.cells[column].numbers(codes)
    if bad is not None:
        message = f"column `{column}` holds `{bad.text.strip()}` where a number is needed"
        help = f'if it means missing: `missing: [..., "{bad.text.strip()}"]`'
        raise SoilqlError(Diagnostic("SQ709", message, span, raw.place(bad.row), help))
    return values


def _numeric(raw: RawTable, without: set[str], codes: Sequence[str]) -> dict[str, Array]:
    """Return the columns in which every value is a number or missing."""
    found = {}
    for name, cells in raw.cells.items():
        values, bad = cells.numbers(codes) if name not in without else (np.empty(0), None)
        if name not in without and bad is None:
            found[name] = values
    return found


def _by_column(
    raw: RawTable, how: Cells, raster: _Raster, without: set[str], codes: Sequence[str], path: Path, span: Span | None
) -> tuple[dict[str, tuple[Array | None, Array]], _Raster]:
    """Return series of cells from a table with one row for each cell and time."""
    if how.time not in raw.cells:
        help = f"its columns: {', '.join(f'`{column}`' for column in list(raw.cells)[:8])}"
        raise SoilqlError(Diagnostic("SQ704", f"`{path.name}` has no column `{how.time}`", span, help=help))
    times = _times(raw, str(how.time), codes, span)[raster.used]
    labels, steps = np.unique(times, return_inverse=True)
    _require_once(raster, labels[steps], raw, path, span)
    width = raster.lon.centres.size
    cells, places = np.unique(raster.rows * width + raster.columns, return_inverse=True)
    series: dict[str, tuple[Array | None, Array]] = {}
    for name, values in _numeric(raw, without, codes).items():
        table = np.full((cells.size, labels.size), np.nan)
        table[places, steps] = values[raster.used]
        series[name] = labels, table
    return series, replace(raster, rows=cells // width, columns=cells % width)


def _times(raw: RawTable, column: str, codes: Sequence[str], span: Span | None) -> Array:
    values, bad = raw.cells[column].numbers(codes)
    if bad is None and np.isfinite(values).all():
        dates = written_dates(values)
        whole = dates.dtype.kind == "f" and np.array_equal(np.floor(dates), dates)
        return dates.astype(np.int64) if whole else dates
    found = []
    for row, text in enumerate(raw.cells[column].texts(codes)):
        try:
            found.append(parse_date(str(text)[:10])[0])
        except ValueError as error:
            raise SoilqlError(Diagnostic("SQ731", str(error), span, raw.place(row))) from None
    return np.array(found, dtype="datetime64[ns]")


def _require_once(raster: _Raster, labels: Array | None, raw: RawTable, path: Path, span: Span | None) -> None:
    """Make sure that no two rows hold the same cell at the same time."""
    cells = raster.rows * raster.lon.centres.size + raster.columns
    steps = np.zeros(cells.size, dtype=np.int64) if labels is None else np.unique(labels, return_inverse=True)[1]
    order = np.lexsort((steps, cells))
    again = np.flatnonzero((np.diff(cells[order]) == 0) & (np.diff(steps[order]) == 0))
    if not again.size:
        return
    one, other = (int(raster.used[order[again[0] + i]]) for i in (0, 1))
    when = "" if labels is None else f" at {label_text(labels[order[again[0]]])}"
    message = f"{raw.place(min(one, other))} and {raw.place(max(one, other))} hold the same cell{when}"
    help = "say which column has the time: `table: {time: ...}`" if labels is None else "take one of them out"
    raise SoilqlError(Diagnostic("SQ734", message, span, help=help))


def open_numbers(path: Path, shape: Sequence[int], bounds: Sequence[float], span: Span | None = None) -> Opened:
    """Return grids written as plain numbers, from north to south and west to east, without any header.

    Parameters
    ----------
    path : Path
        Text, gzipped or not, or a ZIP archive of such texts, each a layer of its name.
    shape : (int, int)
        Rows and columns.
    bounds : sequence of float
        West, south, east and north edge in degrees.
    span : Span, optional
        Where the spec names the file.

    Raises
    ------
    SoilqlError
        SQ702 for a file that cannot be read or has another number of values, SQ709 for one with other words.
    """
    west, south, east, north = bounds
    rows, columns = shape
    lat = latitude_axis(north + (np.arange(rows) + 0.5) * (south - north) / rows, path.name, span)
    lon = longitude_axis(west + (np.arange(columns) + 0.5) * (east - west) / columns, path.name, span)
    layers = []
    for band, (name, data) in enumerate(_texts(path, span), start=1):
        values = _plain_numbers(data, name, span)
        if values.size != rows * columns:
            message = f"`{name}` of `{path.name}` has {values.size:,} numbers, expected {rows} x {columns}"
            raise SoilqlError(Diagnostic("SQ702", message, span, help="is `shape` [rows, columns] another one?"))
        read = _ReadArray(values.reshape(rows, columns))
        layers.append(
            Layer(name, path, lat, lon, read, values.dtype, band=band, crs="EPSG:4326", block=(rows, columns))
        )
    return Opened(tuple(layers))


@dataclass(frozen=True, eq=False)
class _ReadArray:
    values: Array

    def __call__(self, times: Range | None, rows: Range, columns: Range) -> Array:
        return np.asarray(self.values[slice(*rows), slice(*columns)])


def _texts(path: Path, span: Span | None) -> list[tuple[str, bytes]]:
    """Return the name of each grid of a file, and its text."""
    if path.suffix.lower() != ".zip":
        return [(path.name.removesuffix(".gz").rpartition(".")[0] or path.name, read_bytes(path, span))]
    try:
        with zipfile.ZipFile(path) as archive:
            members = [
                m
                for m in archive.infolist()
                if not m.is_dir() and m.filename.lower().endswith((".asc", ".dat", ".txt"))
            ]
            large = next((m for m in members if m.file_size > _LARGEST), None)
            if large is not None:
                raise SoilqlError(Diagnostic("SQ702", f"`{large.filename}` in `{path.name}` is too large", span))
            return [(Path(member.filename).stem, archive.read(member)) for member in members]
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as error:
        message = f"`{path.name}` is truncated, damaged or no ZIP archive: {error}"
        raise SoilqlError(Diagnostic("SQ702", message, span, help="fetch the file again")) from None


def _plain_numbers(data: bytes, name: str, span: Span | None) -> Array:
    words = data.split()
    try:
        return np.array(words, dtype=np.float64)
    except ValueError:
        bad = next(word for word in words if not _is_number(word.decode("latin-1")))
        message = f"`{name}` holds `{bad.decode('latin-1')[:20]}` where a number is needed"
        raise SoilqlError(Diagnostic("SQ709", message, span, help="plain numbers have no header")) from None
