"""Rows of a small table, CSV or YAML, as cells that know where they stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from soilql.errors import Diagnostic, SoilqlError, Source, Span
from soilql.source import Entry, Mapping, Node, Scalar, Sequence, parse_yaml


@dataclass(frozen=True)
class Cell:
    """The text of a cell, unquoted and stripped, and its place."""

    text: str
    span: Span


@dataclass(frozen=True)
class Row:
    """The filled cells of a row by column, and the place of the whole row."""

    cells: dict[str, Cell]
    span: Span


@dataclass(frozen=True)
class Rows:
    """A table: its rows, the places of its column names, and what was wrong with its form."""

    rows: tuple[Row, ...]
    columns: tuple[Cell, ...]
    problems: tuple[Diagnostic, ...]


_Record: TypeAlias = list[Cell]


def read_text(path: Path, name: str | None = None) -> Source:
    """Read a table as UTF-8 text.

    Raises
    ------
    SoilqlError
        The file is missing (SQ701), or cannot be read as UTF-8 text (SQ702).
    """
    shown = name or str(path)
    try:
        return Source(shown, path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        raise SoilqlError(Diagnostic("SQ701", f"no such file: {shown}", help="check the path")) from None
    except UnicodeDecodeError as error:
        message = f"{shown} is not UTF-8: byte {error.start} is 0x{error.object[error.start]:02x}"
        raise SoilqlError(Diagnostic("SQ702", message, help="save the file as UTF-8")) from None
    except OSError as error:
        raise SoilqlError(Diagnostic("SQ702", f"cannot read {shown}: {error.strerror}")) from None


def read_rows(source: Source) -> Rows:
    """Split a text into rows: YAML where the name ends in .yaml or .yml, else CSV with a header.

    Parameters
    ----------
    source : Source
        The text. CSV may be delimited by commas, semicolons or tabs, has quotes doubled inside quotes, and comments on
        lines that begin with ``#``. YAML is a list of mappings, or a mapping with such a list under `rows`.

    Returns
    -------
    Rows

    Examples
    --------
    >>> rows = read_rows(Source("x.csv", "id,value\\n# a comment\\na,0.64\\n"))
    >>> cell = rows.rows[0].cells["value"]
    >>> cell.text, str(cell.span)
    ('0.64', 'x.csv:3:3')
    """
    if source.name.lower().endswith((".yaml", ".yml")):
        return _yaml_rows(source)
    return _csv_rows(source)


def _csv_rows(source: Source) -> Rows:
    problems: list[Diagnostic] = []
    records = list(_records(source, problems))
    if not records:
        return Rows((), (), tuple(problems))
    header = records[0]
    rows = []
    for record in records[1:]:
        span = Span(source, record[0].span.start, record[-1].span.end)
        extra = record[len(header) :]
        if any(cell.text for cell in extra) or len(record) < len(header):
            message = f"the row has {len(record)} cells where the header has {len(header)}"
            help = "put a cell that holds the delimiter in double quotes, or add the missing delimiters"
            at = extra[0].span if extra else span
            problems.append(Diagnostic("SQ703", message, at, help=help))
        named = zip(header, record, strict=False)
        rows.append(Row({name.text: cell for name, cell in named if cell.text}, span))
    return Rows(tuple(rows), tuple(header), tuple(problems))


def _records(source: Source, problems: list[Diagnostic]) -> Iterator[_Record]:
    """Yield the cells of each record that is neither blank nor a comment."""
    text, at, delimiter = source.text, 0, ""
    while at < len(text):
        end = _line_end(text, at)
        line = text[at:end]
        if not line.strip() or line.lstrip().startswith("#"):
            at = _next_line(text, end)
            continue
        delimiter = delimiter or max(",;\t", key=line.count)
        record: _Record = []
        while True:
            cell, at = _cell(source, at, delimiter, problems)
            record.append(cell)
            if text[at : at + 1] != delimiter:
                break
            at += 1
        at = _next_line(text, at)
        if any(cell.text for cell in record):
            yield record


def _cell(source: Source, at: int, delimiter: str, problems: list[Diagnostic]) -> tuple[Cell, int]:
    text = source.text
    end = at
    while end < len(text) and text[end] not in delimiter + "\r\n":
        end += 1
    raw = text[at:end]
    start = at + len(raw) - len(raw.lstrip())
    if text[start : start + 1] != '"' or start == end:
        stop = max(start, at + len(raw.rstrip()))
        return Cell(raw.strip(), source.span(start, stop)), end
    close = start + 1
    while (close := text.find('"', close)) >= 0 and text[close + 1 : close + 2] == '"':
        close += 2
    if close < 0:
        problems.append(Diagnostic("SQ703", "a quote opened here and never closed", source.span(start, start + 1)))
        return Cell(raw.strip(), source.span(start, end)), len(text)
    after = close + 1
    while after < len(text) and text[after] not in delimiter + "\r\n":
        after += 1
    if text[close + 1 : after].strip():
        help = "double a quote inside quotes"
        problems.append(Diagnostic("SQ703", "text after the closing quote", source.span(close + 1, after), help=help))
    content = text[start + 1 : close].replace('""', '"')
    return Cell(" ".join(content.split()), source.span(start, close + 1)), after


def _line_end(text: str, at: int) -> int:
    ends = [end for end in (text.find("\n", at), text.find("\r", at)) if end >= 0]
    return min(ends, default=len(text))


def _next_line(text: str, at: int) -> int:
    return at + (2 if text[at : at + 2] == "\r\n" else 1)


def _yaml_rows(source: Source) -> Rows:
    tree = parse_yaml(source)
    problems = list(tree.diagnostics)
    root: Node | None = tree.root
    if isinstance(root, Mapping):
        entry = root.entry("rows")
        if entry is None:
            help = "write a list of figures, each a mapping, or such a list under `rows`"
            problems.append(Diagnostic("SQ121", "no list of figures", root.span, help=help))
            return Rows((), (), tuple(problems))
        root = entry.value
    if root is None:
        return Rows((), (), tuple(problems))
    if not isinstance(root, Sequence):
        problems.append(Diagnostic("SQ122", "a list of figures is expected", root.span))
        return Rows((), (), tuple(problems))
    rows, columns = [], []
    for item in root.items:
        if not isinstance(item, Mapping):
            problems.append(Diagnostic("SQ122", "a figure is a mapping such as `{id: a, statistic: r}`", item.span))
            continue
        cells = [_yaml_cell(entry, problems) for entry in item]
        columns += [Cell(entry.name, entry.key.span) for entry in item]
        rows.append(Row({name: cell for name, cell in cells if cell.text}, item.span))
    first = {cell.text: cell for cell in reversed(columns)}
    return Rows(tuple(rows), tuple(first.values()), tuple(problems))


def _yaml_cell(entry: Entry, problems: list[Diagnostic]) -> tuple[str, Cell]:
    value = entry.value
    if isinstance(value, Scalar):
        return entry.name, Cell("" if value.value is None else " ".join(value.text.split()), value.span)
    problems.append(Diagnostic("SQ122", f"`{entry.name}` is a number or a text", value.span))
    return entry.name, Cell("", value.span)
