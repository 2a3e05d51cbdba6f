"""Observations in rows, from CSV, Excel or Parquet: filtered, converted, and averaged by place and time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from soilql.context import Context
from soilql.errors import Diagnostic, SoilqlError, Span
from soilql.io import defaults
from soilql.io.dates import compile_pattern
from soilql.io.grid_params import Long
from soilql.io.scope import check_conversion, check_expression, check_name, result_type
from soilql.kinds import Block, Schema, Scope, Size, Variable
from soilql.params import ColumnName, DataSource, Expr, Filter, NewName, Problem, UnitText, param
from soilql.params import Params as Base
from soilql.values import Table, ValueType

if TYPE_CHECKING:
    from soilql.io.frames import Columns
    from soilql.io.tables import RawTable

VERSION = 1
PRODUCES = ValueType.TABLE


@dataclass(frozen=True)
class Column(Base):
    """A new column: a copy of another, or an expression."""

    SHORTHAND = "from"

    from_: ColumnName | None = param(
        None, doc="column it is a copy of, which it replaces; default: the one of the same name"
    )
    expr: Expr | None = param(None, doc="expression over columns of the file and new columns above it")
    unit: UnitText | None = param(None, doc="unit of the new column; a copy is converted to it")
    from_unit: UnitText | None = param(
        None, doc="unit of the column it is a copy of; default: as the registry says, else `unit`"
    )
    type: Literal["number", "text", "boolean"] | None = param(
        None, doc="type of the values; default: number where every value is one, else text"
    )
    missing: list[str] | None = param(None, doc="values that mean missing in this column, besides the table's")

    def source(self, name: str) -> str | None:
        """Return the column that the new column of some name is a copy of; None for an expression."""
        return None if self.expr is not None else str(self.from_ or name)

    def problems(self) -> Iterator[Problem]:
        if self.from_ is not None and self.expr is not None:
            yield "a column has either `from` or `expr`, not both", "expr"
        if self.expr is not None and (self.from_unit or self.missing):
            yield "`from_unit` and `missing` go with `from`, not with `expr`", "expr"


@dataclass(frozen=True)
class Average(Base):
    """Means over the rows of each group."""

    of: list[ColumnName] = param(doc="columns to average; each also gets `NAME_n` and `NAME_sd`")
    by: list[ColumnName] = param(doc="roles or columns whose values make a group, such as [lat, lon, time]")
    min_count: int = param(1, ge=1, doc="values that a group needs for a mean; groups with fewer are left out")


@dataclass(frozen=True)
class Params(Base):
    """Parameters of `table`."""

    source: list[DataSource] = param(
        doc="`registry:NAME`, or paths or globs; several files are put one below the other"
    )
    format: Literal["csv", "excel", "parquet"] | None = param(None, doc="default: by the name of the file")
    delimiter: str | None = param(
        None, doc="character between fields; a blank means any white space; default: found out"
    )
    decimal: Literal[".", ","] | None = param(None, doc="decimal mark; default: found out")
    encoding: str | None = param(None, doc="such as latin-1; default: UTF-8, else Latin-1 with a note")
    comment: str | None = param(None, doc="lines that begin with it are skipped; default `#`, empty for none")
    header: list[str] | None = param(None, doc="names of the columns of a text file without a header row")
    sheet: str | int | None = param(None, doc="sheet of a workbook, by name or position from 1; default: the first")
    missing: list[str] | None = param(
        None,
        doc="values that mean missing, besides an empty field; default [NA, NaN, nan]. `None` is a text like any other",
    )
    long: Long | None = param(
        None, doc="columns whose names tell a time (1960_1, 1960_2 ...), turned into rows with a column of times"
    )
    columns: dict[NewName, Column] = param({}, doc="new columns, in order")
    where: Filter | None = param(
        None, doc="condition that rows must meet; sees the columns of the file and the new ones"
    )
    roles: dict[str, ColumnName] = param(
        {}, doc="columns that play a part: lat, lon (degrees), time, site; see `soilql explain roles`"
    )
    average: Average | None = param(None, doc="average rows that share a place, a year ...")
    select: list[ColumnName] | None = param(None, doc="columns to keep, besides those with a role; default: all")

    def problems(self) -> Iterator[Problem]:
        if self.long is not None and self.long.to is None and not self.long.names_itself:
            yield "`to` names the new column of values; or let {name} in `columns` tell it", "long"


def key_extra(params: Params) -> Any:
    """Return the registry's settings and units, which decide the result."""
    return defaults.key_extra(params.source)


def describe(params: Params) -> str:
    """Return what will be read."""
    words = [f"read {', '.join(params.source)}"]
    words += [f"turn columns {params.long.columns} into rows"] if params.long is not None else []
    words += ["filter rows"] if params.where is not None else []
    words += [f"average {', '.join(params.average.of)} by {', '.join(params.average.by)}"] if params.average else []
    return ", ".join(words)


def _environment(params: Params, raw: Schema) -> Schema:
    """Return the columns of the file and the new ones."""
    known = [columns for _, columns in _one_by_one(params, raw)]
    return known[-1] if known else raw


def _one_by_one(params: Params, raw: Schema) -> Iterator[tuple[NewName, Schema]]:
    """Yield each new column with the columns above it, which include it as soon as the next is asked for."""
    variables = dict(raw.variables)
    known = Schema(variables, raw.open)
    for name, column in params.columns.items():
        yield name, known
        source = raw.variables.get(column.source(name) or "", Variable())
        kind = result_type(column.expr, known) if column.expr is not None else source.type
        unit = column.unit or (column.from_unit or source.unit if column.expr is None else None)
        variables[name] = Variable(column.type or kind, unit, source.description if column.expr is None else "")


def _result(params: Params, everything: Schema) -> Schema:
    """Return the columns and roles of the result."""
    replaced = _replaced(params)
    variables = {name: v for name, v in everything.variables.items() if name not in replaced}
    roles = {role: final_name(params, name) for role, name in params.roles.items()}
    is_open = everything.open
    if params.average is not None:
        variables = _averaged(params.average, roles, variables)
        roles = {role: name for role, name in roles.items() if name in variables}
        is_open = False
    if params.select is not None:
        kept = dict.fromkeys([*params.select, *roles.values()])
        variables = {name: variables.get(name, Variable()) for name in kept}
        is_open = False
    return Schema(variables, is_open, roles)


def _replaced(params: Params) -> set[str]:
    """Return the columns of the file that the result has under other names."""
    sources = {column.source(name) for name, column in params.columns.items()} - set(params.columns)
    return {name for name in sources if name is not None}


def final_name(params: Params, name: str) -> str:
    """Return what a column of the file is called in the result."""
    if name in params.columns:
        return name
    return next((str(new) for new, column in params.columns.items() if column.from_ == name), name)


def _averaged(average: Average, roles: Mapping[str, str], variables: Mapping[str, Variable]) -> dict[str, Variable]:
    keys = [roles.get(name, name) for name in average.by]
    found = {name: variables.get(name, Variable()) for name in keys}
    for name in average.of:
        one = variables.get(name, Variable("number"))
        found |= {name: one, f"{name}_n": Variable("number", "1"), f"{name}_sd": Variable("number", one.unit)}
    return found


def schema(block: Block, scope: Scope) -> Schema:
    """Return the columns of the result, open where they depend on a file that is not in the registry."""
    params: Params = block.params
    return _result(params, _environment(params, _raw(params)))


def _raw(params: Params) -> Schema:
    """Return the columns before new ones, as far as the registry knows them."""
    listed = defaults.known_columns(params.source, "table")
    if params.long is None:
        return listed
    pattern = compile_pattern(params.long.columns)
    kept = {name: variable for name, variable in listed.variables.items() if pattern.match(name) is None}
    new = [params.long.time, "year", *([] if params.long.to is None else [params.long.to])]
    return Schema({**kept, **dict.fromkeys(new, Variable("number"))}, True, listed.roles)


def check(block: Block, scope: Scope) -> Iterable[Diagnostic]:
    """Yield what is wrong with names, units and the data set's name."""
    params: Params = block.params
    yield from defaults.check_sources(block, params.source, "table")
    yield from _check_names(block, _raw(params))


def check_files(params: Params, ctx: Context) -> Iterable[Diagnostic]:
    """Yield every name that is not among the columns of the files."""
    known = {name: Variable() for name in _read(params, ctx).cells}
    yield from _check_names(ctx.block, Schema(known))


def file_units(params: Params, ctx: Context) -> dict[str, str]:
    """Return the unit that the registry, or the name of the column in the file, gives to what is copied."""
    listed = defaults.units(params.source)
    found = {}
    for name, column in params.columns.items():
        source = column.source(name)
        unit = None if source is None else listed.get(source) or defaults.unit_in_name(source)
        if unit is not None:
            found[str(name)] = unit
    return found


def before_filter(params: Params, ctx: Context) -> Columns:
    """Return the columns of the files and the new ones, for all rows."""
    from soilql.io.frames import Columns

    columns = Columns(_read(params, ctx), *_missing_and_types(params), units=defaults.units(params.source))
    _add_columns(params, columns, ctx)
    return columns


def _check_names(block: Block, raw: Schema) -> Iterable[Diagnostic]:
    params: Params = block.params
    what = f"not a column of {' or '.join(f'`{source}`' for source in params.source)}"
    yield from _check_columns(block, raw, what)
    everything = _environment(params, raw)
    if params.where is not None:
        yield from check_expression(params.where, everything, f"{what} nor a new one", "boolean")
    for role, name in params.roles.items():
        yield from check_name(name, block.span("roles", role), everything, what)
    replaced = _replaced(params)
    present = {name: v for name, v in everything.variables.items() if name not in replaced}
    left = Schema(present, everything.open)
    roles = {role: final_name(params, name) for role, name in params.roles.items()}
    if params.average is not None:
        for i, name in enumerate(params.average.of):
            yield from check_name(name, block.span("average", "of", i), left, what)
        known = Schema({**left.variables, **dict.fromkeys(roles, Variable())}, left.open)
        for i, name in enumerate(params.average.by):
            yield from check_name(name, block.span("average", "by", i), known, f"{what}, nor a role")
        left = Schema(_averaged(params.average, roles, left.variables))
    for i, name in enumerate(params.select or ()):
        yield from check_name(name, block.span("select", i), left, "not a column of the result")


def _check_columns(block: Block, raw: Schema, what: str) -> Iterable[Diagnostic]:
    params: Params = block.params
    for name, known in _one_by_one(params, raw):
        column = params.columns[name]
        if column.expr is not None:
            yield from check_expression(column.expr, known, f"{what} nor a new one above")
            continue
        source = str(column.source(name))
        yield from check_name(source, block.span("columns", name, "from"), raw, what)
        old = column.from_unit or raw.variables.get(source, Variable()).unit
        yield from check_conversion(old, column.unit, block.span("columns", name, "unit"))


def run(params: Params, ctx: Context) -> Table:
    """Read, type, derive, filter, average and select."""
    from soilql.io import averaging, coordinates
    from soilql.io.frames import filter_rows

    columns = before_filter(params, ctx)
    if params.where is not None:
        filter_rows(columns, params.where)
    for role, name in params.roles.items():
        _known(columns, name, ctx, "roles", role)
    roles = {role: final_name(params, name) for role, name in params.roles.items()}
    for axis in ("lat", "lon"):
        if axis in roles:
            columns.want_numbers(roles[axis], ctx.block.span("roles", axis))
    if params.average is not None:
        for i, name in enumerate(params.average.of):
            columns.want_numbers(_known(columns, name, ctx, "average", "of", i), ctx.block.span("average", "of", i))
        for i, name in enumerate(params.average.by):
            _known(columns, roles.get(name, name), ctx, "average", "by", i)
    table = coordinates.checked(columns.table(_replaced(params), roles))
    _require_rows(table, ctx)
    if params.average is not None:
        by = [roles.get(name, name) for name in params.average.by]
        table = averaging.average(table, params.average.of, by, params.average.min_count)
    return _select(params, table, ctx)


def _read(params: Params, ctx: Context) -> Any:
    from soilql.io.tables import concatenate, read_table
    from soilql.io.text import TextFormat

    tables = []
    for path in ctx.sources["source"]:
        found = defaults.settings(defaults.entry_of(path, params.source))
        comment = found.get("comment", "#") if params.comment is None else params.comment
        how = TextFormat(
            params.delimiter or found.get("delimiter"),
            params.decimal or found.get("decimal"),
            params.encoding or found.get("encoding"),
            str(comment or ""),
            tuple(params.header or found.get("header", ())),
        )
        sheet = params.sheet if params.sheet is not None else found.get("sheet")
        span = defaults.place(ctx.block, path, params.source)
        table = read_table(path, params.format or found.get("format"), how, sheet, span)
        tables.append(_lengthened(table, params.long, ctx.block.span("long")))
    return concatenate(tables, ctx.block.span("source"))


def _lengthened(table: RawTable, long: Long | None, span: Span) -> RawTable:
    from soilql.io.longer import lengthen

    return table if long is None else lengthen(table, compile_pattern(long.columns), long.to, long.time, span)


def _missing_and_types(params: Params) -> tuple[list[str], dict[str, str]]:
    """Return the missing codes of the table and the types that the registry gives to columns."""
    found = defaults.entries(params.source)
    codes = params.missing
    if codes is None:
        listed = [str(code) for entry in found.values() for code in entry.reader.get("missing", ())]
        codes = list(dict.fromkeys(listed)) or ["NA", "NaN", "nan"]
    types = {name: v.type for entry in found.values() for name, v in entry.variables.items() if v.type == "text"}
    return codes, dict(types)


def _add_columns(params: Params, columns: Columns, ctx: Context) -> None:
    for name, column in params.columns.items():
        if column.expr is not None:
            columns.derive(name, column.expr, column.unit, column.type)
            continue
        source = str(column.source(name))
        try:
            columns.copy(name, source, column.unit, column.from_unit, column.type, column.missing or ())
        except SoilqlError as error:
            key = {"SQ302": "unit", "SQ704": "from"}.get(error.diagnostics[0].code)
            path = ("columns", name, key) if key else ("columns", name)
            raise SoilqlError(_placed(d, ctx.block, *path) for d in error.diagnostics) from None


def _placed(found: Diagnostic, block: Block, *path: str) -> Diagnostic:
    span = found.span or block.span(*path)
    return Diagnostic(found.code, found.message, span, found.label, found.help, found.severity, found.notes)


def _require_rows(table: Table, ctx: Context) -> None:
    if len(table.frame):
        return
    files = ", ".join(f"`{path.name}`" for path in ctx.sources["source"])
    said = tuple(note.message for note in table.notes)
    help = (
        "see why rows were left out"
        if said
        else "the file has a header only: fetch it again, or is `delimiter` another?"
    )
    message = f"no row of {files} is left for `{ctx.block.name}`" if said else f"{files} has no rows"
    raise SoilqlError(Diagnostic("SQ707", message, ctx.block.span("source"), help=help, notes=said))


def _known(columns: Columns, name: str, ctx: Context, *path: str | int) -> str:
    if not columns.has(name):
        raise ctx.error("SQ704", f"the table has no column `{name}`", *path, help=columns.hint(name))
    return name


def _select(params: Params, table: Table, ctx: Context) -> Table:
    from dataclasses import replace

    from soilql.errors import did_you_mean

    if params.select is None:
        return table
    for i, name in enumerate(params.select):
        if name not in table.frame.columns:
            help = did_you_mean(name, map(str, table.frame.columns))
            raise ctx.error("SQ704", f"the result has no column `{name}`", "select", i, help=help)
    kept = list(dict.fromkeys([*map(str, params.select), *table.roles.values()]))
    units = {name: unit for name, unit in table.units.items() if name in kept}
    return replace(table, frame=table.frame[kept], units=units)


def size(params: Params, ctx: Context, sizes: Mapping[str, Size]) -> Size | None:
    """Return the rows of the files before the filter; None where the files would have to be read for that."""
    from soilql.io.tables import guess_format
    from soilql.io.text import count_lines

    rows = 0
    if params.long is not None:
        return None
    for path in ctx.sources.get("source", ()):
        how = params.format or defaults.settings(defaults.entry_of(path, params.source)).get("format")
        if (how or guess_format(path)) == "excel":
            return None
        if (how or guess_format(path)) == "parquet":
            from pyarrow.parquet import read_metadata

            rows += int(read_metadata(path).num_rows)  # type: ignore[no-untyped-call]
        else:
            rows += max(0, count_lines(path) - 1)
    if not ctx.sources.get("source"):
        return None
    known = _result(params, _environment(params, _raw(params)))
    return Size(rows=rows, columns=max(1, len(known.variables)), at_most=True)
