"""Delimited text as it comes: any line end, encoding and delimiter, comments, quotes; ragged rows found and named."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from soilql.errors import Diagnostic, Severity, SoilqlError, Span
from soilql.values import Note

_BATCH = 50_000
_WHITESPACE = " "
_DELIMITERS = (",", ";", "\t", "|")
_COMMA_NUMBER = re.compile(r"[-+]?\d+,\d+(?:[eE][-+]?\d+)?")
_POINT_NUMBER = re.compile(r"[-+]?\d*\.\d+(?:[eE][-+]?\d+)?")

# A field of a scanned appendix can be longer than csv's default limit of 131,072 characters.
csv.field_size_limit(1 << 30)


@dataclass(frozen=True)
class TextFormat:
    """How a text table is written; None is found out from the file.

    Attributes
    ----------
    delimiter : str or None
        A character; a blank stands for any run of blanks and tabs.
    decimal : str or None
        ``.`` or ``,``.
    encoding : str or None
        Such as ``latin-1``; otherwise a byte order mark decides, then whether the bytes are UTF-8.
    comment : str
        Lines that begin with it are skipped; empty for none.
    header : tuple of str
        Names of the columns of a file that has no header row.
    """

    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    comment: str = "#"
    header: tuple[str, ...] = ()


@dataclass(frozen=True)
class TextTable:
    """The fields of a text table, still as text.

    Attributes
    ----------
    names : tuple of str
        Names of the columns, distinct.
    columns : tuple of list of str
        Fields of each column.
    lines : list of int
        Line of the file on which each row begins, from 1.
    decimal : str
        Decimal mark of its numbers.
    notes : tuple of Note
        What was guessed or left out.
    """

    names: tuple[str, ...]
    columns: tuple[list[str], ...]
    lines: list[int]
    decimal: str
    notes: tuple[Note, ...]


def read_bytes(path: Path, span: Span | None = None) -> bytes:
    """Return what a file holds, unpacked if it is gzipped (told by its content, not its name).

    Raises
    ------
    SoilqlError
        SQ701 where the file is missing, SQ702 where it is truncated, damaged or unreadable.
    """
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except FileNotFoundError:
        raise SoilqlError(Diagnostic("SQ701", f"no file `{path.name}`", span, help=f"looked for {path}")) from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        message = f"`{path.name}` is truncated or damaged: {error}"
        raise SoilqlError(Diagnostic("SQ702", message, span, help="fetch the file again")) from None
    except OSError as error:
        message = f"cannot read `{path.name}`: {error.strerror or error}"
        raise SoilqlError(Diagnostic("SQ702", message, span)) from None


def count_lines(path: Path) -> int:
    """Return the number of lines of a text file, gzipped or not, in any of the three line ends, without decoding it.

    Raises
    ------
    OSError, EOFError
        The file cannot be read or unpacked.
    """
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    with gzip.open(path) if packed else path.open("rb") as file:
        newlines = returns = pairs = 0
        before = b""
        while block := file.read(1 << 20):
            newlines += block.count(b"\n")
            returns += block.count(b"\r")
            pairs += block.count(b"\r\n") + (before == b"\r" and block[:1] == b"\n")
            before = block[-1:]
    return newlines + returns - pairs + (before not in (b"", b"\n", b"\r"))


def decode(data: bytes, encoding: str | None, name: str, span: Span | None = None) -> tuple[str, tuple[Note, ...]]:
    """Return bytes as text without a byte order mark.

    Parameters
    ----------
    data : bytes
    encoding : str or None
        None tries byte order marks, then UTF-8, then Latin-1, which is noted.
    name : str
        Of the file, for messages.
    span : Span, optional
        Where the spec names the file.

    Raises
    ------
    SoilqlError
        SQ702 for bytes that are not text in that encoding, or an unknown encoding.

    Examples
    --------
    >>> decode("Küste".encode(), None, "a.csv")
    ('Küste', ())
    >>> text, notes = decode("Küste".encode("latin-1"), None, "a.csv")
    >>> text, len(notes)
    ('Küste', 1)
    """
    tried = encoding or _marked_encoding(data)
    try:
        return data.decode(tried).removeprefix("\ufeff"), ()
    except LookupError:
        message = f"unknown encoding `{encoding}`"
        raise SoilqlError(Diagnostic("SQ702", message, span, help="such as `utf-8` or `latin-1`")) from None
    except UnicodeDecodeError as error:
        if encoding is not None:
            message = f"`{name}` is not {encoding}: byte {error.start} is 0x{data[error.start]:02x}"
            help = "try `encoding: latin-1`, which can read any byte"
            raise SoilqlError(Diagnostic("SQ702", message, span, help=help)) from None
        message = f"`{name}` is not UTF-8 (byte {error.start} is 0x{data[error.start]:02x}) and was read as Latin-1"
        return data.decode("latin-1"), (Note("SQ726", message, Severity.INFO),)


def _marked_encoding(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    return "utf-8-sig"


class _Lines:
    """Lines of a text with any line ends; comments are skipped where a record may begin, not inside quotes."""

    def __init__(self, text: str, comment: str, squeeze: bool) -> None:
        self._lines = enumerate(io.StringIO(text, newline=""), start=1)
        self._comment = comment
        self._squeeze = squeeze
        self.fresh = True
        self.first = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        for number, line in self._lines:
            if self.fresh and self._is_comment(line):
                continue
            if self.fresh:
                self.fresh, self.first = False, number
            return re.sub(r"[ \t]+", " ", line.strip()) if self._squeeze else line
        raise StopIteration

    def _is_comment(self, line: str) -> bool:
        # Spreadsheets put quotes around a comment that holds the delimiter.
        return bool(self._comment) and line.lstrip(' \t"').startswith(self._comment)


def _records(text: str, comment: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line on which each record begins and its fields; blank lines are left out."""
    lines = _Lines(text, comment, delimiter == _WHITESPACE)
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=delimiter == _WHITESPACE)
    while True:
        lines.fresh = True
        fields = next(reader, None)
        if fields is None:
            return
        if fields and not (len(fields) == 1 and not fields[0].strip()):
            yield lines.first, fields


def sniff_delimiter(text: str, comment: str = "#") -> str:
    r"""Return the delimiter that the first record holds most of; the comma where it holds none.

    Examples
    --------
    >>> sniff_delimiter('"Rs; annual",lat,lon\n1;2')
    ','
    >>> sniff_delimiter("lat lon rs\n1 2 3")
    ' '
    """
    counts = {}
    for delimiter in _DELIMITERS:
        _, fields = next(_records(text, comment, delimiter), (0, [""]))
        counts[delimiter] = len(fields) - 1
    best = max(_DELIMITERS, key=lambda d: counts[d])
    if counts[best]:
        return best
    _, fields = next(_records(text, comment, _WHITESPACE), (0, [""]))
    # A header of one column may hold blanks; a table set in blanks has as many fields in its next row.
    rows = list(islice(_records(text, comment, _WHITESPACE), 2))
    return _WHITESPACE if len(fields) > 1 and len({len(row) for _, row in rows}) == 1 else ","


def sniff_decimal(text: str, comment: str, delimiter: str) -> str:
    r"""Return the decimal mark: a comma where numbers are written with one and none with a point.

    Examples
    --------
    >>> sniff_decimal("a;b\n1,5;2", "#", ";"), sniff_decimal("a,b\n1,5", "#", ",")
    (',', '.')
    """
    if delimiter == ",":
        return "."
    fields = [field for _, row in islice(_records(text, comment, delimiter), 200) for field in row]
    commas = any(_COMMA_NUMBER.fullmatch(field.strip()) for field in fields)
    points = any(_POINT_NUMBER.fullmatch(field.strip()) for field in fields)
    return "," if commas and not points else "."


def read_text(path: Path, how: TextFormat | None = None, span: Span | None = None) -> TextTable:
    """Read a delimited text file, gzipped or not, into columns of text.

    Parameters
    ----------
    path : Path
    how : TextFormat, optional
        How it is written.
    span : Span, optional
        Where the spec names the file.

    Returns
    -------
    TextTable

    Raises
    ------
    SoilqlError
        SQ701, SQ702 for a file that cannot be read or holds nothing, SQ703 for rows with too many or too few fields.
    """
    how = how or TextFormat()
    text, notes = decode(read_bytes(path, span), how.encoding, path.name, span)
    delimiter = how.delimiter or sniff_delimiter(text, how.comment)
    decimal = how.decimal or sniff_decimal(text, how.comment, delimiter)
    records = _records(text, how.comment, delimiter)
    try:
        header = list(how.header) or next(records, (0, []))[1]
        if not header:
            raise SoilqlError(Diagnostic("SQ702", f"`{path.name}` is empty", span, help="fetch the file again"))
        lines, columns, blank = _columns(records, len(header), path.name, span)
    except csv.Error as error:
        message = f"`{path.name}` cannot be split into fields: {error}"
        raise SoilqlError(Diagnostic("SQ702", message, span, help="is it a text table?")) from None
    if blank:
        message = f"`{path.name}`: {blank} row{'s' * (blank > 1)} without any value left out"
        notes = (*notes, Note("SQ725", message, Severity.INFO))
    names, kept, named = _named(header, columns, path.name)
    return TextTable(names, tuple(columns[i] for i in kept), lines, decimal, (*notes, *named))


def _columns(
    records: Iterator[tuple[int, list[str]]], width: int, name: str, span: Span | None
) -> tuple[list[int], list[list[str]], int]:
    lines: list[int] = []
    columns: list[list[str]] = [[] for _ in range(width)]
    ragged: list[tuple[int, int]] = []
    blank = 0
    while batch := list(islice(records, _BATCH)):
        kept: list[list[str]] = []
        for line, fields in batch:
            if not any(field and not field.isspace() for field in fields):
                blank += 1
                continue
            if len(fields) != width and not (len(fields) > width and not any(map(str.strip, fields[width:]))):
                ragged.append((line, len(fields)))
                continue
            lines.append(line)
            kept.append(fields[:width])
        for column, values in zip(columns, zip(*kept, strict=True), strict=False):
            column.extend(values)
    if ragged:
        raise SoilqlError(_ragged(ragged, width, name, span))
    return lines, columns, blank


def _ragged(ragged: list[tuple[int, int]], width: int, name: str, span: Span | None) -> Diagnostic:
    line, found = ragged[0]
    fields = "1 field" if found == 1 else f"{found} fields"
    message = f"`{name}` line {line} has {fields}, expected {width}"
    shown = ", ".join(f"{n} ({k} fields)" for n, k in ragged[1:6])
    more = f" and {len(ragged) - 6} more" if len(ragged) > 6 else ""
    notes = (f"also lines {shown}{more}",) if shown else ()
    help = "a delimiter inside a field needs quotes around the field; or is `delimiter` another one?"
    return Diagnostic("SQ703", message, span, help=help, notes=notes)


def _named(
    header: list[str], columns: list[list[str]], file: str
) -> tuple[tuple[str, ...], list[int], tuple[Note, ...]]:
    """Name the columns: those without name or values go, the others without name and repeated ones get a number."""
    taken = {name.strip() for name in header}
    names: list[str] = []
    kept: list[int] = []
    renamed: list[str] = []
    for i, raw in enumerate(header):
        name = raw.strip()
        if not name and not any(value.strip() for value in columns[i]):
            continue
        if not name or name in names:
            stem, number = name or "column", 2 if name else i + 1
            while f"{stem}_{number}" in taken:
                number += 1
            renamed.append(f"column {i + 1} (`{name}`) is called `{stem}_{number}`")
            name = f"{stem}_{number}"
            taken.add(name)
        names.append(name)
        kept.append(i)
    notes = (Note("SQ724", f"`{file}`: {'; '.join(renamed)}", Severity.INFO),) if renamed else ()
    return tuple(names), kept, notes
