"""An expression of other blocks, cell by cell of their grids or row by row of a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from soilql import params as p
from soilql.clipping import clipped_notes, counted, counts
from soilql.context import Context
from soilql.errors import Diagnostic, Severity, SoilqlError, did_you_mean
from soilql.gridding import difference
from soilql.kinds import Block, Schema, Scope, Size, Variable
from soilql.params import BlockExpr, NewName, Ref, UnitText, param
from soilql.values import Grid, Note, Table, ValueType

if TYPE_CHECKING:
    import xarray as xr

    from soilql.expr.ast import Call, Node
    from soilql.units import Unit

VERSION = 3

#: Unit in which the equations of `rh_from_rs` were fitted.
ANNUAL_CARBON = "g C m-2 yr-1"
#: Attributes that hold for the result too: what members are, and that the land fraction is in the map.
_CARRIED = ("source", "land_fraction_applied")
#: Those that hold where the expression is a reference alone: numbers made of classes are no classes.
_CARRIED_ALONE = ("categorical", "flag_values", "flag_meanings", "labels", "valid_range")
_SAME_UNIT = frozenset({"abs", "round", "floor", "ceil", "min", "max", "clip", "where"})


@dataclass(frozen=True)
class Params(p.Params):
    """The expression, and what to call its result."""

    expr: BlockExpr = param(
        doc="An expression of blocks: `rs.mean` is a variable of a grid or a column of a table; `rs` alone stands for "
        'each of its variables in turn, except `sd`: rh_from_rs(rs, "bond-lamberty-2004").'
    )
    unit: UnitText | None = param(
        None,
        doc="Unit of the result, taken as stated. Default: that of the values where it follows from theirs (sums, "
        "products, rh_from_rs); an expression with a number as a factor needs it stated.",
    )
    name: NewName | None = param(
        None, doc="Name of the result when it is one variable or column. Default: the block's."
    )


def run(params: Params, ctx: Context) -> Grid | Table:
    """Compute lazily on grids, at once on a table."""
    from soilql.expr.ast import names

    blocks = {Ref(name).block: ctx.inputs[Ref(name).block] for name in names(params.expr.root)}
    tables = [name for name, value in blocks.items() if isinstance(value, Table)]
    grids = {name: value for name, value in blocks.items() if isinstance(value, Grid)}
    if not blocks:
        raise ctx.error("SQ210", "the expression names no block", "expr", help="compute from a grid or a table")
    if tables and len(blocks) > 1:
        help = "join the tables first: rows of different tables do not belong together by their order"
        raise ctx.error("SQ204", f"`{tables[0]}` is a table and stands beside other blocks", "expr", help=help)
    return _on_table(params, ctx, tables[0]) if tables else _on_grids(params, ctx, grids)


def _on_table(params: Params, ctx: Context, name: str) -> Table:
    from soilql.expr.ast import names
    from soilql.expr.evaluate import evaluate

    table = ctx.table(Ref(name))
    columns = {}
    for ref in map(Ref, names(params.expr.root)):
        if ref.variable is None or ref.variable not in table.frame.columns:
            raise _unknown(params, ref, map(str, table.frame.columns))
        columns[str(ref)] = table.frame[ref.variable]
    root, unit, notes = _with_units(params, {str(r): table.units.get(str(r.variable)) for r in map(Ref, columns)})
    result = evaluate(root, columns)
    column = str(params.name or ctx.block.name)
    units = {**table.units, column: unit} if unit else {k: v for k, v in table.units.items() if k != column}
    frame = table.frame.assign(**{column: result})
    clipped = clipped_notes(counts({column: columns}, {column: root}))
    return replace(table, frame=frame, units=units, notes=(*table.notes, *notes, *clipped))


def _on_grids(params: Params, ctx: Context, grids: Mapping[str, Grid]) -> Grid:
    import xarray as xr

    _check_match(params, grids)
    picked, several, notes = _variables(params, grids)
    results: dict[str, xr.Variable] = {}
    environments: dict[str, dict[str, Any]] = {}
    coords: dict[str, Any] = {}
    roots: dict[str, Node] = {}
    for target in several or (str(params.name or ctx.block.name),):
        variables = {name: grids[Ref(name).block].data[variable or target] for name, variable in picked.items()}
        root, unit, said = _with_units(params, {name: one.attrs.get("units") for name, one in variables.items()})
        notes += tuple(note for note in said if note not in notes)
        roots[target] = root
        leading = _leading(params, variables)
        environments[target] = {name: _lazy(one, leading) for name, one in variables.items()}
        name = _described(params, picked, target)
        results[target] = _evaluated(params, root, variables, environments[target], leading, name, unit)
        coords |= {str(dim): one[dim] for one in variables.values() for dim in one.dims if dim in one.coords}
    first = next(iter(grids.values()))
    data, found = counted(xr.Dataset(results, coords), counts(environments, roots), ctx.resources.memory)
    return Grid(data, first.crs, (*notes, *clipped_notes(found)))


def _leading(params: Params, variables: Mapping[str, xr.DataArray]) -> tuple[str, ...]:
    """Return the dims before ``lat`` and ``lon`` along which the result varies: those of one of the variables."""
    of_each = [tuple(map(str, one.dims[:-2])) for one in variables.values()]
    widest = max(of_each, key=len)
    if others := [dim for dims in of_each for dim in dims if dim not in widest]:
        message = f"the grids vary along {' and '.join((*widest, others[0]))}, and none of them along both"
        span = params.expr.locate(0, len(params.expr.text))
        raise SoilqlError(Diagnostic("SQ708", message, span, help="reduce one of them first"))
    return widest


def _lazy(data: xr.DataArray, leading: tuple[str, ...]) -> Any:
    """Return the values, with the dims that they lack between others as dims of one step."""
    import dask.array

    da: Any = dask.array
    own = [dim for dim in leading if dim in data.dims]
    first = leading.index(own[0]) if own else len(leading)
    return da.asarray(data.data)[tuple(slice(None) if dim in own else None for dim in leading[first:])]


def _check_match(params: Params, grids: Mapping[str, Grid]) -> None:
    (name, first), *others = grids.items()
    for other, grid in others:
        found = difference(first.data, grid.data)
        if found is None and first.crs != grid.crs:
            found = f"the coordinate system is {first.crs} in one and {grid.crs} in the other"
        if found is not None:
            help = "bring one to the grid of the other by a block of kind `resample`"
            span = params.expr.locate(0, len(params.expr.text))
            raise SoilqlError(Diagnostic("SQ708", f"`{name}` and `{other}` do not match: {found}", span, help=help))


def _variables(
    params: Params, grids: Mapping[str, Grid]
) -> tuple[dict[str, str | None], tuple[str, ...], tuple[Note, ...]]:
    """Return the variable of each name, None for each in turn; the variables taken in turn; and notes."""
    from soilql.expr.ast import names

    picked: dict[str, str | None] = {}
    in_turn: dict[str, tuple[str, ...]] = {}
    for ref in map(Ref, names(params.expr.root)):
        have = tuple(map(str, grids[ref.block].data.data_vars))
        if ref.variable is not None and ref.variable not in have:
            raise _unknown(params, ref, have)
        elementwise = tuple(name for name in have if name != "sd") or have
        if ref.variable is None and len(elementwise) > 1:
            in_turn[str(ref)], picked[str(ref)] = elementwise, None
        else:
            picked[str(ref)] = ref.variable or elementwise[0]
    if not in_turn:
        return picked, (), ()
    (name, several), *others = in_turn.items()
    for other, variables in others:
        if set(variables) != set(several):
            only = ", ".join(f"`{v}`" for v in sorted(set(variables) ^ set(several)))
            message = f"`{name}` and `{other}` do not have the same variables: {only} in one only"
            span = params.expr.locate(0, len(params.expr.text))
            raise SoilqlError(Diagnostic("SQ708", message, span, help=f"pick a variable: `{name}.{several[0]}`"))
    if params.name is not None:
        message = f"`name` is for one result, and `{name}` has {len(several)} variables"
        raise SoilqlError(Diagnostic("SQ126", message, params.expr.locate(0, len(params.expr.text))))
    return picked, several, tuple(_turn_notes(in_turn, grids))


def _turn_notes(in_turn: Mapping[str, tuple[str, ...]], grids: Mapping[str, Grid]) -> Iterator[Note]:
    for name in in_turn:
        if "sd" in grids[name].data:
            yield Note("SQ814", f"`sd` of `{name}` is left out: it does not follow from `sd` alone", Severity.INFO)
    quantiles = any(v.startswith("q") and v[1:2].isdigit() for variables in in_turn.values() for v in variables)
    if quantiles and len(in_turn) > 1:
        names = " and ".join(f"`{name}`" for name in in_turn)
        yield Note("SQ807", f"quantiles are computed as if {names} rose and fell together in every cell")


def _unknown(params: Params, ref: Ref, known: Any) -> SoilqlError:
    from soilql.expr.ast import Name, walk

    names = list(known)
    what = f"no variable or column `{ref.variable}`" if ref.variable else "columns, of which one must be named"
    node = next(n for n in walk(params.expr.root) if isinstance(n, Name) and n.name == str(ref))
    help = did_you_mean(ref.variable or "", names) or f"it has {', '.join(f'`{n}`' for n in names[:12])}"
    return SoilqlError(Diagnostic("SQ704", f"`{ref.block}` has {what}", params.expr.span(node), help=help))


def _evaluated(
    params: Params,
    root: Node,
    variables: Mapping[str, xr.DataArray],
    arrays: Mapping[str, Any],
    leading: tuple[str, ...],
    name: str,
    unit: str | None,
) -> xr.Variable:
    import numpy as np
    import xarray as xr

    from soilql.expr.ast import Name
    from soilql.expr.evaluate import evaluate

    result = evaluate(root, arrays)
    if result.dtype == object:
        span = params.expr.locate(0, len(params.expr.text))
        raise SoilqlError(Diagnostic("SQ112", "the result is text, and a grid holds numbers", span))
    kept = np.result_type(np.float32, *(one.dtype for one in variables.values()))
    attrs = {"long_name": name} | ({"units": unit} if unit else {})
    carried = (*_CARRIED, *(_CARRIED_ALONE if isinstance(root, Name) else ()))
    for one in variables.values():
        attrs |= {key: one.attrs[key] for key in carried if key in one.attrs}
    return xr.Variable((*leading, "lat", "lon"), result.astype(kept), attrs)


def _described(params: Params, picked: Mapping[str, str | None], target: str) -> str:
    """Return the expression, with the variable that is taken in turn spelled out."""
    from soilql.expr.ast import Name, fold, to_text

    def spell_out(node: Node, below: tuple[Node, ...]) -> Node:
        if isinstance(node, Name):
            return node if picked[node.name] else Name(f"{node.name}.{target}")
        return node.with_children(below) if below else node

    return to_text(fold(params.expr.root, spell_out))


def _with_units(params: Params, units: Mapping[str, str | None]) -> tuple[Node, str | None, tuple[Note, ...]]:
    """Return the tree with the arguments of `rh_from_rs` in its unit, the unit of the result, and notes."""
    from soilql.expr.ast import Binary, Call, Number, fold
    from soilql.units import convert_or_raise, parse_unit

    notes: list[Note] = []

    def visit(node: Node, below: tuple[tuple[Node, Unit | None], ...]) -> tuple[Node, Unit | None]:
        rebuilt = node.with_children([child for child, _ in below]) if below else node
        if not (isinstance(node, Call) and node.function == "rh_from_rs"):
            return rebuilt, _unit_of(params, node, [unit for _, unit in below], units)
        argument, unit = below[0]
        if unit is None:
            notes.append(_assumed(params, node, units))
            return rebuilt, parse_unit(ANNUAL_CARBON)
        scale = convert_or_raise(unit, ANNUAL_CARBON, params.expr.span(node.arguments[0])).scale
        if scale != 1:
            argument = Binary("*", argument, Number(scale))
            notes.append(Note("SQ304", f"Rs converted from {unit} to {ANNUAL_CARBON}", Severity.INFO))
        return rebuilt.with_children([argument, *(child for child, _ in below[1:])]), parse_unit(ANNUAL_CARBON)

    root, unit = fold(params.expr.root, visit)
    if params.unit is not None:
        return root, str(params.unit), tuple(notes)
    return root, None if unit is None else str(unit), tuple(notes)


def _assumed(params: Params, call: Call, units: Mapping[str, str | None]) -> Note:
    from soilql.expr.ast import Name, to_text

    argument = call.arguments[0]
    if isinstance(argument, Name):
        help = f"give it one where it is read; rh_from_rs needs Rs in {ANNUAL_CARBON}"
        span = params.expr.span(argument)
        raise SoilqlError(Diagnostic("SQ303", f"`{argument.name}` has no unit", span, help=help))
    return Note("SQ303", f"`{to_text(argument)}` has no known unit and is taken to be in {ANNUAL_CARBON}")


def _unit_of(params: Params, node: Node, below: list[Unit | None], units: Mapping[str, str | None]) -> Unit | None:
    """Return the unit of a node, None where it does not follow from what is known.

    A number as a factor may be a conversion (365 days a year), so the unit of such a product is not known.
    """
    from soilql.expr.ast import Binary, Call, Name, Unary, to_text
    from soilql.units import UnitError, parse_unit

    if isinstance(node, Name):
        try:
            return parse_unit(str(units[node.name])) if units.get(node.name) else None
        except UnitError:
            return None
    if isinstance(node, Unary):
        return below[0]
    if isinstance(node, Binary) and node.operator in "*/" and below[0] and below[1]:
        return below[0] * below[1] if node.operator == "*" else below[0] / below[1]
    if isinstance(node, Binary) and node.operator in "+-":
        known = [unit for unit in below if unit is not None]
        if len(known) == 2 and known[0] != known[1]:
            message = f"`{to_text(node.left)}` is in {known[0]} and `{to_text(node.right)}` in {known[1]}"
            help = "bring them to one unit where they are read, or by a factor"
            raise SoilqlError(Diagnostic("SQ302", message, params.expr.span(node), help=help))
        return known[0] if len(known) == 2 else None
    if isinstance(node, Call) and node.function in _SAME_UNIT:
        known = [unit for unit in below if unit is not None]
        return known[0] if known and all(unit == known[0] for unit in known) else None
    return None


def produces(params: Params, scope: Scope) -> ValueType | None:
    """A grid if any block named is one, a table if all are."""
    from soilql.expr.ast import names

    found = {scope.value_type(Ref(name).block) for name in names(params.expr.root)}
    if ValueType.GRID in found:
        return ValueType.GRID
    return ValueType.TABLE if found == {ValueType.TABLE} else None


def _units_known(params: Params, scope: Scope) -> dict[str, str | None]:
    """Return the unit of each name of the expression, None where it is not known before a run."""
    from soilql.expr.ast import names

    units: dict[str, str | None] = {}
    for ref in map(Ref, names(params.expr.root)):
        known = scope.schema(ref.block)
        variables = {} if known is None or (known.open and ref.variable is None) else known.variables
        own = [ref.variable] if ref.variable else [name for name in variables if name != "sd"]
        variable = variables.get(own[0]) if len(own) == 1 else None
        units[str(ref)] = None if variable is None else variable.unit
    return units


def schema(block: Block, scope: Scope) -> Schema | None:
    """Variables of the result, where those of the blocks named are known."""
    from soilql.expr.ast import names

    params: Params = block.params
    refs = [Ref(name) for name in names(params.expr.root)]
    try:
        unit = _with_units(params, _units_known(params, scope))[1]
    except SoilqlError:  # what is wrong is told by `check`, or not wrong once the data are read
        unit = None if params.unit is None else str(params.unit)
    own = {str(params.name or block.name): Variable("number", unit)}
    kind = produces(params, scope)
    if kind is ValueType.TABLE:
        known = scope.schema(refs[0].block)
        return None if known is None else replace(known, variables={**known.variables, **own})
    for ref in refs:
        known = scope.schema(ref.block)
        if ref.variable is None and (known is None or known.open):
            return None
        several = [] if ref.variable or known is None else [name for name in known.variables if name != "sd"]
        if len(several) > 1:
            return Schema({name: Variable("number", unit) for name in several})
    return Schema(own)


def check(block: Block, scope: Scope) -> Iterator[Diagnostic]:
    """Say what is wrong with the functions, the variables named, and tables beside grids."""
    from soilql.expr.ast import Name, walk
    from soilql.expr.check import Scope as Names
    from soilql.expr.check import check as check_expression

    expression = block.params.expr
    found = [node for node in walk(expression.root) if isinstance(node, Name)]
    yield from check_expression(expression, Names(dict.fromkeys([n.name for n in found], "unknown"), open=True))
    kinds = {node.name: scope.value_type(Ref(node.name).block) for node in found}
    mixed = {ValueType.GRID, ValueType.TABLE} <= set(kinds.values())
    for node in found:
        ref, known = Ref(node.name), scope.schema(Ref(node.name).block)
        if mixed and kinds[node.name] is ValueType.TABLE:
            message = f"`{ref.block}` is a table and stands beside grids"
            yield Diagnostic("SQ204", message, expression.span(node), help="an expression is of grids or of a table")
        elif known is not None and not known.open and ref.variable and ref.variable not in known.variables:
            help = did_you_mean(ref.variable, known.variables)
            message = f"`{ref.block}` has no variable or column `{ref.variable}`"
            yield Diagnostic("SQ704", message, expression.span(node), help=help)
        elif kinds[node.name] is ValueType.TABLE and ref.variable is None:
            help = f"write `{ref.block}.column`"
            yield Diagnostic("SQ204", f"`{ref.block}` is a table: name a column", expression.span(node), help=help)
    try:
        _with_units(block.params, _units_known(block.params, scope))
    except SoilqlError as error:
        # A unit that the spec does not tell may still stand in the file.
        yield from (found for found in error.diagnostics if found.code != "SQ303")


def describe(params: Params) -> str:
    from soilql.expr.ast import to_text

    return f"compute {to_text(params.expr.root)}"


def size(params: Params, ctx: Context, sizes: Mapping[str, Size]) -> Size | None:
    """Return the size of the largest block of the expression; of one variable where it picks one."""
    from soilql.expr.ast import names

    found = [
        (name, sizes[name.partition(".")[0]]) for name in names(params.expr.root) if name.partition(".")[0] in sizes
    ]
    if not found:
        return None
    columns = max(1 if "." in name else one.columns for name, one in found)
    return Size(rows=found[0][1].rows, cells=found[0][1].cells, columns=columns)
