"""What is known of a column before its data are read: its unit, and between which values it lies."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args, get_origin

from soilql import params as p
from soilql import registry
from soilql.errors import SoilqlError
from soilql.formula.interval import WHOLE, Interval, point
from soilql.formula.memo import once
from soilql.formula.tape import constant
from soilql.units import Conversion, Unit, UnitError, conversion, parse_unit
from soilql.values import ValueType

if TYPE_CHECKING:
    from soilql.expr.ast import Node
    from soilql.kinds import Block, Scope

# Values that occur in nearly every data set of the unit, and so may be counted on to occur in this one.
_OCCURRING = (("degC", Interval(-10.0, 30.0)), ("degrees_north", Interval(-50.0, 65.0)))
# Realistic values of drivers, from which points are drawn; the first unit that a column's converts to counts.
_REALISTIC = (
    ("degC", -10.0, 30.0),
    ("mm yr-1", 100.0, 3000.0),
    ("g C m-2 yr-1", 50.0, 2000.0),
    ("umol CO2 m-2 s-1", 0.5, 10.0),
    ("t C ha-1", 5.0, 300.0),
    ("W m-2", 20.0, 400.0),
    ("mm", 5.0, 300.0),
    ("1", 0.05, 0.95),
    ("degrees_north", -60.0, 75.0),
)
_UNKNOWN = (0.1, 10.0)


@dataclass(frozen=True)
class Driver:
    """A column or grid variable that a formula uses.

    Attributes
    ----------
    unit : str or None
        None where it is not known.
    within : Interval
        No value lies outside, as far as the filters of the data and the registry say.
    occurring : Interval or None
        Values over this whole interval are all but certain to occur; None where nothing is known of that.
    choices : tuple of float
        The only values there are, where a filter lists them.
    """

    unit: str | None = None
    within: Interval = WHOLE
    occurring: Interval | None = None
    choices: tuple[float, ...] = ()

    def realistic(self) -> tuple[float, float]:
        """Return the ends of a range of plausible values, within what is known.

        Examples
        --------
        >>> Driver("K", Interval(280.0)).realistic()
        (280.0, 303.15)
        """
        low, high = _realistic(self.unit)
        inside = Interval(low, high).meet(self.within)
        if inside.is_empty or inside.low == inside.high:
            return _beside(self.within, high - low)
        return inside.low, inside.high


def _realistic(unit: str | None) -> tuple[float, float]:
    for known, low, high in _REALISTIC if unit else ():
        try:
            change = conversion(known, unit or "")
        except UnitError:
            continue
        return change.apply(low), change.apply(high)
    return _UNKNOWN


def _beside(within: Interval, width: float) -> tuple[float, float]:
    if within.is_finite:
        return within.low, within.high
    return (within.low, within.low + width) if math.isfinite(within.low) else (within.high - width, within.high)


def driver(name: str, ref: str, scope: Scope) -> Driver:
    """Return what is known of a column of a block's value.

    Parameters
    ----------
    name : str
        The column or grid variable.
    ref : str
        Reference to the block that holds it.
    scope : Scope
        The other blocks.
    """
    return once(scope, (driver, name, ref), lambda: _driver(name, ref, scope))


def _driver(name: str, ref: str, scope: Scope) -> Driver:
    schema = scope.schema(ref)
    variable = None if schema is None else schema.variables.get(name)
    unit = None if variable is None else variable.unit
    known = _known(name, ref, scope, unit, frozenset())
    if len(known.choices) > 0:
        ends = Interval(min(known.choices), max(known.choices))
        return Driver(unit, known.within.meet(ends), ends, known.choices)
    measured = None if variable is None or variable.range is None else Interval(*variable.range)
    occurring = measured or known.occurring or by_unit(unit)
    if occurring is not None:
        inside = occurring.meet(known.within)
        occurring = None if inside.is_empty else inside
    return Driver(unit, known.within, occurring)


def by_unit(unit: str | None) -> Interval | None:
    """Return the values of a unit that occur in nearly every data set; None for most units."""
    return next((interval for known, interval in _OCCURRING if unit and _same(known, unit)), None)


def _same(known: str, unit: str) -> bool:
    try:
        return bool(parse_unit(known) == parse_unit(unit))
    except UnitError:
        return False


def _known(name: str, ref: str, scope: Scope, unit: str | None, seen: frozenset[str]) -> Driver:
    """Return what a block and those it is made of say of a column, in the unit given."""
    block = scope.block(ref.partition(".")[0])
    if block is None or block.name in seen:
        return Driver()
    found = _by_filters(name, block)
    made = _definition(name, block)
    if made is not None and (value := _fixed(made)) is not None:
        return Driver(unit, point(value), point(value), (value,))
    if made is None and not _is_rescaled(name, block):
        source = _source_name(name, block)
        old = unit
        if source != name or _registered(source, block) is not None:
            old = source_unit(name, block) or unit
            found = _both(found, _converted(_by_filters(source, block), old, unit)) if source != name else found
        found = _both(found, _converted(_by_registry(source, block), old, unit))
        for upstream in _upstream(name, block, scope):
            found = _both(found, _known(name, upstream, scope, unit, seen | {block.name}))
    return found


def _both(one: Driver, other: Driver) -> Driver:
    choices = one.choices or other.choices
    return Driver(None, one.within.meet(other.within), one.occurring or other.occurring, choices)


def _converted(found: Driver, old: str | None, new: str | None) -> Driver:
    if old is None or new is None or old == new:
        return found
    try:
        change = conversion(old, new)
    except UnitError:
        return Driver()
    occurring = None if found.occurring is None else _moved(found.occurring, change)
    return Driver(None, _moved(found.within, change), occurring, tuple(map(change.apply, found.choices)))


def _moved(interval: Interval, change: Conversion) -> Interval:
    return Interval(change.apply(interval.low), change.apply(interval.high))


def _definition(name: str, block: Block) -> Any:
    """Return the expression that makes a column in this block, or None where it is not made here by one."""
    for made in made_columns(block):
        if name in made:
            return getattr(made[name], "expr", None)
    return None


@cache
def _fields(cls: Any) -> tuple[p.Field, ...]:
    return p.fields(cls)


def _values(block: Block) -> Iterator[tuple[p.Field, Any]]:
    """Yield the parameters of a block with their values."""
    for field in _fields(cast("Hashable", type(block.params))):
        yield field, getattr(block.params, field.name)


def made_columns(block: Block) -> Iterator[Mapping[str, Any]]:
    """Yield the mappings of new names to how a block makes them."""
    for _, value in _values(block):
        if isinstance(value, dict) and any(isinstance(item, p.Params) for item in value.values()):
            yield value


def _fixed(expression: Any) -> float | None:
    return constant(expression.root)


def _source_name(name: str, block: Block) -> str:
    """Return the column of the data that a new column is a copy of; its own name for any other."""
    for made in made_columns(block):
        if name in made:
            return str(getattr(made[name], "from_", None) or name)
    return name


def _is_rescaled(name: str, block: Block) -> bool:
    """Whether a variable is made of another by a factor or a shift."""
    stated = [made[name] for made in made_columns(block) if name in made]
    return any(getattr(one, key, None) is not None for one in stated for key in ("scale", "offset"))


def source_unit(name: str, block: Block) -> str | None:
    """Return the unit that the data give to what a new column is a copy of; None where it is not known."""
    for made in made_columns(block):
        if name in made and (stated := getattr(made[name], "from_unit", None)):
            return str(stated)
    variable = _registered(_source_name(name, block), block)
    return None if variable is None else variable.unit or None


def raw_units(block: Block, scope: Scope) -> dict[str, str | None]:
    """Return the units of the columns that a block's expressions see before any that it makes itself."""
    units: dict[str, str | None] = {}
    for ref in _references(block):
        schema = scope.schema(ref)
        units |= {} if schema is None else {name: variable.unit for name, variable in schema.variables.items()}
    for entry in _entries(block):
        units |= {name: variable.unit or None for name, variable in entry.variables.items()}
    return units


def _registered(name: str, block: Block) -> registry.Variable | None:
    return next((entry.variables[name] for entry in _entries(block) if name in entry.variables), None)


def _entries(block: Block) -> Iterator[registry.Entry]:
    """Yield what the registry says of the data sets that a block reads; unknown ones are reported elsewhere."""
    for _, value in _values(block):
        for source in value if isinstance(value, list) else (value,):
            if isinstance(source, p.DataSource) and source.registry is not None:
                try:
                    yield registry.find(source.registry)
                except SoilqlError:
                    continue


def _by_registry(name: str, block: Block) -> Driver:
    variable = _registered(name, block)
    if variable is None or variable.range is None:
        return Driver()
    interval = Interval(*variable.range)
    return Driver(None, interval, interval)


def _upstream(name: str, block: Block, scope: Scope) -> Iterator[str]:
    """Yield the tables and grids that a block takes the column from."""
    for ref in _references(block):
        schema = scope.schema(ref)
        if schema is not None and name in schema.variables:
            yield ref


def _references(block: Block) -> Iterator[str]:
    """Yield the tables and grids that a block names."""
    for _, value in _values(block):
        for ref in value if isinstance(value, list) else (value,):
            if isinstance(ref, p.Ref) and ref.accepts & {ValueType.TABLE, ValueType.GRID}:
                yield str(ref)


def _by_filters(name: str, block: Block) -> Driver:
    """Return what the filters of a block leave of a column."""
    found = Driver()
    for field, expression in _values(block):
        if expression is not None and _is_filter(field.type):
            found = _both(found, filtered(expression.root, name))
    return found


def _is_filter(annotation: Any) -> bool:
    """Whether a parameter is a filter, or perhaps one."""
    roles = getattr(annotation, "__metadata__", ())
    return any(getattr(role, "role", None) == "filter" for role in roles) or any(
        _is_filter(inner) for inner in get_args(annotation) if get_origin(inner) is Annotated
    )


def filtered(root: Node, name: str) -> Driver:
    """Return what a filter says of a name by comparing it with numbers, in the parts that hold together by `and`.

    Examples
    --------
    >>> from soilql.expr.parse import parse_expression
    >>> filtered(parse_expression("0 < Rs <= 5000 and depth in [5, 10] or false").root, "Rs").within
    Interval(low=-inf, high=inf)
    >>> filtered(parse_expression("0 < Rs <= 5000 and depth in [5, 10]").root, "Rs").within
    Interval(low=0.0, high=5000.0)
    """
    from soilql.expr import ast

    found = Driver()
    stack = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Logical) and node.operator == "and":
            stack += node.operands
        elif isinstance(node, ast.Compare):
            for symbol, left, right in zip(node.operators, node.operands[:-1], node.operands[1:], strict=True):
                found = _both(found, _comparison(symbol, left, right, name))
        elif isinstance(node, ast.Membership) and not node.negated and node.operand == ast.Name(name):
            values = [constant(choice) for choice in node.choices]
            if all(value is not None for value in values):
                found = _both(found, Driver(choices=tuple(sorted({v for v in values if v is not None}))))
    return found


_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "=="}


def _comparison(symbol: str, left: Node, right: Node, name: str) -> Driver:
    from soilql.expr import ast

    if right == ast.Name(name):
        symbol, left, right = _MIRRORED.get(symbol, ""), right, left
    value = constant(right) if left == ast.Name(name) else None
    if value is None:
        return Driver()
    if symbol == "==":
        return Driver(None, point(value), point(value), (value,))
    if symbol in ("<", "<="):
        return Driver(None, Interval(high=value))
    return Driver(None, Interval(low=value)) if symbol in (">", ">=") else Driver()


def readable(unit: str | None) -> Unit | None:
    """Return the unit of a text; None for none, or one that cannot be read, which is reported where it stands."""
    try:
        return None if not unit else parse_unit(unit)
    except UnitError:
        return None
