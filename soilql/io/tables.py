"""Tables from text, workbooks and Parquet in one form: columns of text whose numbers can be asked for."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias
from zipfile import BadZipFile

import numpy as np
import openpyxl
import pyarrow
import pyarrow.compute
import pyarrow.parquet

from soilql.errors import Diagnostic, SoilqlError, Span, did_you_mean
from soilql.io.text import TextFormat, read_text
from soilql.values import Note

_SUFFIXES = {".parquet": "parquet", ".pq": "parquet", ".xlsx": "excel", ".xlsm": "excel"}
# What the cast below reads; it would also take "0x1A" and blanks, and "+1" it would not.
_NUMBER = r"^[-]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$|^[-]?(?i:inf|infinity)$"
_TRUTH = {"true": True, "false": False, "t": True, "f": False, "yes": True, "no": False, "1": True, "0": False}

Array: TypeAlias = "np.ndarray[Any, Any]"

# These libraries carry no types of their own.
pa: Any = pyarrow
pc: Any = pyarrow.compute
pq: Any = pyarrow.parquet
xl: Any = openpyxl


@dataclass(frozen=True)
class BadValue:
    """A value that is not what its column should hold: its row, from 0, and its text."""

    row: int
    text: str


@dataclass(frozen=True)
class Cells:
    """One column as read, before missing codes and types.

    Attributes
    ----------
    stored : pyarrow.ChunkedArray
        Texts, or numbers or truth values where the format keeps types (Parquet).
    decimal : str
        Decimal mark of numbers in texts.
    """

    stored: Any
    decimal: str = "."

    def __len__(self) -> int:
        return len(self.stored)

    @property
    def is_text(self) -> bool:
        """Whether the values are texts (of which some may be numbers)."""

        return bool(pa.types.is_string(self.stored.type))

    @property
    def is_dates(self) -> bool:
        """Whether the values are dates."""
        return bool(pa.types.is_timestamp(self.stored.type))

    def dates(self) -> Array:
        """Return the column as datetime64[ns]."""
        return np.asarray(self.stored.to_numpy(zero_copy_only=False), dtype="datetime64[ns]")

    def _trimmed(self) -> Any:

        return pc.utf8_trim_whitespace(self.stored)

    def missing(self, codes: Sequence[str]) -> Array:
        """Return where the column holds nothing or a missing code; ``-9999`` also stands for ``-9999.0``."""

        absent = np.asarray(pc.is_null(self.stored, nan_is_null=True))
        if self.is_text:
            known = pa.array(["", *codes], pa.string())
            absent |= np.asarray(pc.fill_null(pc.is_in(self._trimmed(), value_set=known), True))
        numeric = [number for code in codes if (number := _as_number(code)) is not None]
        if numeric:
            absent |= np.isin(self._parsed()[0], numeric)
        return absent

    def _parsed(self) -> tuple[Array, Array]:
        """Return the values as numbers, NaN where they are none, and which of them are numbers."""

        if not self.is_text:
            cast = pc.cast(self.stored, pa.float64())
            return np.asarray(cast.to_numpy(zero_copy_only=False)), np.asarray(pc.is_valid(cast))
        text = self._trimmed()
        if self.decimal != ".":
            text = pc.replace_substring(text, pattern=self.decimal, replacement=".", max_replacements=1)
        # Arrow reads no plus sign before a number.
        text = pc.replace_substring_regex(text, pattern=r"^\+([\d.])", replacement=r"\1")
        valid = pc.fill_null(pc.match_substring_regex(text, pattern=_NUMBER), False)
        numbers = pc.cast(pc.if_else(valid, text, pa.scalar(None, pa.string())), pa.float64())
        return np.asarray(numbers.to_numpy(zero_copy_only=False)), np.asarray(valid)

    def numbers(self, codes: Sequence[str]) -> tuple[Array, BadValue | None]:
        """Return the column as numbers.

        Parameters
        ----------
        codes : sequence of str
            Missing codes.

        Returns
        -------
        values : ndarray of float64
            NaN where missing or not a number.
        bad : BadValue or None
            The first value that is neither a number nor missing.
        """
        absent = self.missing(codes)
        values, valid = self._parsed()
        bad = np.flatnonzero(~valid & ~absent)
        numbers = np.where(absent, np.nan, values)
        return numbers, BadValue(int(bad[0]), str(self.stored[int(bad[0])].as_py())) if bad.size else None

    def texts(self, codes: Sequence[str]) -> Array:
        """Return the column as an object array of texts as they stand, None where missing."""

        absent = self.missing(codes)
        stored = self.stored if self.is_text else pc.cast(self.stored, pa.string())
        values: Array = np.array(stored.to_numpy(zero_copy_only=False), dtype=object)
        values[absent] = None
        return values

    def truths(self, codes: Sequence[str]) -> tuple[Array, BadValue | None]:
        """Return the column as an object array of True, False and None, and the first value that is none of them."""
        words = [None if text is None else text.strip().lower() for text in self.texts(codes)]
        for row, word in enumerate(words):
            if word is not None and word not in _TRUTH:
                return np.empty(0, dtype=object), BadValue(row, str(self.stored[row].as_py()))
        return np.array([None if word is None else _TRUTH[word] for word in words], dtype=object), None


def _as_number(text: str) -> float | None:
    return float(text) if re.match(_NUMBER, text.strip()) else None


@dataclass(frozen=True)
class RawTable:
    """A table as read.

    Attributes
    ----------
    cells : dict of str to Cells
        Columns by name, in order.
    origin : tuple of (str, list of int or None)
        For each file its name and the line of each of its rows; None where rows have no lines.
    notes : tuple of Note
    """

    cells: dict[str, Cells]
    origin: tuple[tuple[str, Sequence[int], str], ...]
    notes: tuple[Note, ...] = ()

    def place(self, row: int) -> str:
        """Return where a row stands, such as ``line 17 of `a.csv` ``."""
        for name, lines, word in self.origin:
            if row < len(lines):
                return f"{word} {lines[row]} of `{name}`"
            row -= len(lines)
        raise IndexError(row)

    def __len__(self) -> int:
        return sum(len(lines) for _, lines, _ in self.origin)


def guess_format(path: Path) -> str:
    """Return the format of a table by its file name; delimited text unless it says otherwise.

    Examples
    --------
    >>> guess_format(Path("a.xlsx")), guess_format(Path("a.csv.gz"))
    ('excel', 'csv')
    """
    return _SUFFIXES.get(path.suffix.lower(), "csv")


def read_table(
    path: Path,
    format: str | None = None,
    how: TextFormat | None = None,
    sheet: str | int | None = None,
    span: Span | None = None,
) -> RawTable:
    """Read one file of any supported format.

    Parameters
    ----------
    path : Path
    format : {"csv", "parquet", "excel"}, optional
        By default by the name of the file.
    how : TextFormat, optional
        How a text table is written.
    sheet : str or int, optional
        Sheet of a workbook by name or position from 1; the first by default.
    span : Span, optional
        Where the spec names the file.

    Raises
    ------
    SoilqlError
        SQ701, SQ702, SQ703 as :func:`soilql.io.text.read_text`; SQ702 for a workbook without that sheet.
    """
    chosen = format or guess_format(path)
    if not path.exists():
        raise SoilqlError(Diagnostic("SQ701", f"no file `{path.name}`", span, help=f"looked for {path}"))
    if chosen == "parquet":
        return _read_parquet(path, span)
    if chosen == "excel":
        return _read_workbook(path, sheet, span)

    found = read_text(path, how, span)
    cells = {
        name: Cells(pa.chunked_array([pa.array(values, pa.string())]), found.decimal)
        for name, values in zip(found.names, found.columns, strict=True)
    }
    return RawTable(cells, ((path.name, found.lines, "line"),), found.notes)


def _unreadable(path: Path, error: Exception, span: Span | None) -> SoilqlError:
    reason = str(error).strip().splitlines()
    message = f"`{path.name}` is truncated or damaged: {reason[0] if reason else type(error).__name__}"
    return SoilqlError(Diagnostic("SQ702", message, span, help="fetch the file again, or is `format` another one?"))


def _read_parquet(path: Path, span: Span | None) -> RawTable:

    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error, span) from None
    cells = {name: Cells(_plain(table.column(name))) for name in table.column_names if name != "__index_level_0__"}
    return RawTable(cells, ((path.name, range(1, table.num_rows + 1), "row"),))


def _plain(column: Any) -> Any:
    """Return a Parquet column as text, float64 or boolean."""

    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(pc.cast(column, kind.value_type))
    if pa.types.is_boolean(kind):
        return column
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        # Integers beyond 2^53 are identifiers of some kind: the nearest double has to do.
        return pc.cast(column, pa.float64(), safe=False)
    return pc.cast(column, pa.string())


def _read_workbook(path: Path, sheet: str | int | None, span: Span | None) -> RawTable:

    try:
        book = xl.load_workbook(path, read_only=True, data_only=True)
    except (BadZipFile, xl.utils.exceptions.InvalidFileException, KeyError, OSError, ValueError) as error:
        raise _unreadable(path, error, span) from None
    try:
        rows = [
            (number, [_cell_text(value) for value in row])
            for number, row in enumerate(_sheet(book, sheet, path, span).iter_rows(values_only=True), start=1)
        ]
    finally:
        book.close()
    rows = [(number, row) for number, row in rows if any(row)]
    if not rows:
        raise SoilqlError(Diagnostic("SQ702", f"the sheet of `{path.name}` is empty", span))
    header = [name.strip() for name in rows[0][1]]
    named = [(i, name) for i, name in enumerate(header) if name]
    repeated = next((name for i, name in named if name in header[:i]), None)
    if repeated is not None:
        message = f"two columns of `{path.name}` are called `{repeated}`"
        raise SoilqlError(Diagnostic("SQ724", message, span, help="rename one of them in the workbook"))
    cells = {
        name: Cells(pa.chunked_array([pa.array([row[i] if i < len(row) else "" for _, row in rows[1:]], pa.string())]))
        for i, name in named
    }
    return RawTable(cells, ((path.name, [number for number, _ in rows[1:]], "row"),))


def _sheet(book: Any, sheet: str | int | None, path: Path, span: Span | None) -> Any:
    names: list[str] = book.sheetnames
    if sheet is None or (isinstance(sheet, int) and 1 <= sheet <= len(names)):
        return book[names[(sheet or 1) - 1]]
    if str(sheet) in names:
        return book[str(sheet)]
    help = did_you_mean(str(sheet), names) or f"its sheets: {', '.join(names)}"
    raise SoilqlError(Diagnostic("SQ702", f"`{path.name}` has no sheet `{sheet}`", span, help=help))


def _cell_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return repr(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    return str(value)


def concatenate(tables: Sequence[RawTable], span: Span | None = None) -> RawTable:
    """Return several tables with the same columns one below the other.

    Raises
    ------
    SoilqlError
        SQ704 where a column of the first is not in another, or the other way round.
    """

    first = tables[0]
    if len(tables) == 1:
        return first
    for table in tables[1:]:
        odd = [name for name in first.cells if name not in table.cells]
        odd_here = [name for name in table.cells if name not in first.cells]
        if odd or odd_here:
            has, lacks = (first, table) if odd else (table, first)
            name = (odd or odd_here)[0]
            message = f"`{lacks.origin[0][0]}` has no column `{name}`, which `{has.origin[0][0]}` has"
            help = did_you_mean(name, lacks.cells) or "files of one table have the same columns"
            raise SoilqlError(Diagnostic("SQ704", message, span, help=help))
    cells = {name: _joined([table.cells[name] for table in tables]) for name in first.cells}
    origin = tuple(place for table in tables for place in table.origin)
    return RawTable(cells, origin, tuple(note for table in tables for note in table.notes))


def _joined(parts: Sequence[Cells]) -> Cells:
    if len({part.stored.type for part in parts}) > 1:
        parts = [part if part.is_text else Cells(part.stored.cast(pa.string())) for part in parts]
    decimals = {part.decimal for part in parts if part.is_text}
    if len(decimals) > 1:
        parts = [Cells(_with_points(part), ".") for part in parts]
    chunks = [chunk for part in parts for chunk in part.stored.chunks]
    return Cells(pa.chunked_array(chunks, parts[0].stored.type), parts[0].decimal)


def _with_points(part: Cells) -> Any:
    """Return texts whose numbers have a decimal point."""

    if part.decimal == ".":
        return part.stored
    numeric = pc.match_substring_regex(part.stored, pattern=r"^\s*[-+]?\d+,\d+([eE][-+]?\d+)?\s*$")
    return pc.if_else(numeric, pc.replace_substring(part.stored, pattern=",", replacement="."), part.stored)
