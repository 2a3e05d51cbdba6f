"""The formula of a model block with what is declared and known of its names, as the checks of formulas need it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from soilql.errors import SoilqlError, Span
from soilql.expr import ast
from soilql.expr.ast import Node
from soilql.expr.functions import CONSTANTS, FUNCTIONS
from soilql.formula.domain import Hazard, hazards
from soilql.formula.drivers import Driver, by_unit, driver, made_columns, raw_units, source_unit
from soilql.formula.identify import Identifiability, Prior, covers, identify
from soilql.formula.interval import EMPTY, Interval, point
from soilql.formula.memo import once
from soilql.formula.units import Inference, infer

if TYPE_CHECKING:
    from soilql.expr.parse import Expression
    from soilql.kinds import Block, Scope


@dataclass(frozen=True)
class Parameter:
    """What is declared of a parameter.

    Attributes
    ----------
    unit : str or None
    start : float or None
    bounds : Interval or None
    """

    unit: str | None = None
    start: float | None = None
    bounds: Interval | None = None


@dataclass(frozen=True, eq=False)
class FormulaModel:
    """A model whose formula names its parameters.

    Attributes
    ----------
    block : Block
        The model.
    formula : Expression
        Its formula.
    parameters : mapping of str to Parameter
        Declared parameters, in order; empty for a formula of terms or features.
    constants : mapping of str to float
        Names with fixed values.
    drivers : mapping of str to Driver
        Every other name of the right side, in order of appearance.
    response : Node
        The left side.
    response_unit : str or None
        Unit of the column on the left side.
    """

    block: Block
    formula: Expression
    parameters: Mapping[str, Parameter]
    constants: Mapping[str, float]
    drivers: Mapping[str, Driver]
    response: Node
    response_unit: str | None

    @property
    def right(self) -> Node:
        """The right side."""
        return self.formula.formula.predictors

    @property
    def column_units(self) -> dict[str, str | None]:
        """Units of the columns of both sides by name."""
        found = {name: known.unit for name, known in self.drivers.items()}
        return found | dict.fromkeys(ast.names(self.response), self.response_unit)

    def parameter_span(self, name: str) -> Span:
        """Return where a parameter is declared."""
        declared = self.block.params.params
        if isinstance(declared, list):
            return self.block.span("params", declared.index(name))
        return self.block.span("params", name)

    def unit_span(self, name: str) -> Span:
        """Return where the unit of a parameter stands."""
        return self.block.span("params", name, "unit")


def of_block(block: Block, scope: Scope) -> FormulaModel | None:
    """Return the formula of a block, or None where it has none, or one with a name that nothing has.

    Parameters
    ----------
    block : Block
        Any block; its kind counts as a model with a formula when its parameters have `formula` and `data`, and as one
        with declared parameters when they also have `known`.
    scope : Scope
        The other blocks.
    """
    return once(scope, (of_block, block), lambda: _of_block(block, scope))


def _of_block(block: Block, scope: Scope) -> FormulaModel | None:
    formula, data = getattr(block.params, "formula", None), getattr(block.params, "data", None)
    if formula is None or data is None or not isinstance(formula.root, ast.Formula) or not well_formed(formula.root):
        return None
    parameters = {str(name): _parameter(one) for name, one in getattr(block.params, "known", {}).items()}
    constants = {str(name): float(value) for name, value in getattr(block.params, "constants", {}).items()}
    other = {*parameters, *constants, *CONSTANTS}
    names = [name for name in ast.names(formula.root.predictors) if name not in other]
    schema = scope.schema(data)
    if schema is not None and not schema.open and any(name not in schema.variables for name in names):
        return None
    drivers = _cut({name: driver(name, data, scope) for name in names}, block, scope)
    left = formula.root.response
    columns = ast.names(left)
    unit = driver(columns[0], data, scope).unit if len(columns) == 1 else None
    return FormulaModel(block, formula, parameters, constants, drivers, left, unit)


def _cut(drivers: dict[str, Driver], block: Block, scope: Scope) -> dict[str, Driver]:
    """Return the drivers; one that the model's zones cut takes values on both sides of every break."""
    by = getattr(block.params, "by", None)
    zones = None if by is None else scope.block(by.block)
    name, breaks = getattr(zones and zones.params, "of", None), getattr(zones and zones.params, "breaks", ())
    if not isinstance(name, str) or name not in drivers or not breaks:
        return drivers
    known = drivers[name]
    reached = Interval(min(breaks), max(breaks)).join(known.occurring or EMPTY).meet(known.within)
    return {**drivers, name: replace(known, occurring=None if reached.is_empty else reached)}


def _parameter(declared: Any) -> Parameter:
    bounds = getattr(declared, "bounds", None)
    unit = getattr(declared, "unit", None)
    interval = None if bounds is None else Interval(float(bounds[0]), float(bounds[1]))
    return Parameter(None if unit is None else str(unit), getattr(declared, "start", None), interval)


def formulas(blocks: Mapping[str, Block], scope: Scope) -> Iterator[Block]:
    """Yield the blocks, and in the place of one with several formulas a block for each of them.

    The parameters of such a block have ``formula_parts(block)``, which gives these blocks.
    """
    for block in blocks.values():
        own = getattr(block.params, "formula_parts", None)
        yield from (block,) if own is None else once(scope, (formulas, block), partial(_parts, own, block))


def _parts(own: Callable[[Block], Iterable[Block]], block: Block) -> tuple[Block, ...]:
    return tuple(own(block))


def models(blocks: Mapping[str, Block], scope: Scope) -> Iterator[FormulaModel]:
    """Yield the formulas of blocks that declare their parameters and can be derived, in order."""
    for block in formulas(blocks, scope):
        found = of_block(block, scope)
        if found is not None and found.parameters:
            yield found


def joint_node(root: Node, names: set[str]) -> Node:
    """Return the smallest part of a tree that holds every occurrence of some names; the root where there is none.

    Examples
    --------
    >>> from soilql.expr.parse import parse_expression
    >>> joint_node(parse_expression("k * exp(a*T + b*T)").root, {"a", "b"})
    <Binary a * T + b * T>
    """
    total = _count(root, names)
    node = root
    while True:
        below = next((child for child in node.children if _count(child, names) == total), None)
        if below is None or not total:
            return node
        node = below


def _count(node: Node, names: set[str]) -> int:
    return sum(isinstance(n, ast.Name) and n.name in names for n in ast.walk(node))


def well_formed(root: Node) -> bool:
    """Return whether every function called is there and gets as many arguments as it takes."""
    calls = [node for node in ast.walk(root) if isinstance(node, ast.Call)]
    return all(c.function in FUNCTIONS and FUNCTIONS[c.function].accepts(len(c.arguments)) for c in calls)


@dataclass(frozen=True, eq=False)
class Derived:
    """A column or variable that a block makes by an expression.

    Attributes
    ----------
    block : Block
    name : str
        The new column.
    expression : Expression
    unit : str or None
        Unit stated for it.
    units : mapping of str to str or None
        Units of the names it uses, as far as they are known.
    """

    block: Block
    name: str
    expression: Expression
    unit: str | None
    units: Mapping[str, str | None]


def derived(block: Block, scope: Scope) -> Iterator[Derived]:
    """Yield the columns or variables that a block makes by expressions, in order.

    A block makes columns where one of its parameters maps new names to an `expr` and, perhaps, a `unit`. An expression
    sees the columns that come from elsewhere and those made above it.
    """
    yield from once(scope, (derived, block), lambda: tuple(_derived(block, scope)))


def _derived(block: Block, scope: Scope) -> Iterator[Derived]:
    units = raw_units(block, scope)
    for made in made_columns(block):
        for name, one in made.items():
            expression, unit = getattr(one, "expr", None), getattr(one, "unit", None)
            if expression is not None and well_formed(expression.root):
                known = {used: units[used] for used in ast.names(expression.root) if used in units}
                yield Derived(block, str(name), expression, unit, known)
            units[str(name)] = unit or (None if expression is not None else source_unit(str(name), block))


@dataclass(frozen=True, eq=False)
class Inferred:
    """An expression with the units inferred in it.

    Attributes
    ----------
    expression : Expression
    inference : Inference
    result : str
        What the expression gives, for messages.
    model : FormulaModel or None
        None for a derived column.
    """

    expression: Expression
    inference: Inference
    result: str
    model: FormulaModel | None = None


def inferences(blocks: Mapping[str, Block], scope: Scope) -> Iterator[Inferred]:
    """Yield the units of all formulas with declared parameters and of all derived columns."""
    for block in formulas(blocks, scope):
        yield from _inferences_of(block, scope)


def _inferences_of(block: Block, scope: Scope) -> tuple[Inferred, ...]:
    return once(scope, (inferences, block), lambda: tuple(_inferences(block, scope)))


def _inferences(block: Block, scope: Scope) -> Iterator[Inferred]:
    model = of_block(block, scope)
    if model is not None and model.parameters:
        result = f"the response `{ast.to_text(model.response)}`"
        yield Inferred(model.formula, infer_model(model), result, model)
    for column in derived(block, scope):
        found = infer(column.expression, column.units, (), result=column.unit)
        yield Inferred(column.expression, found, f"`{column.name}`")


def infer_model(model: FormulaModel) -> Inference:
    """Return the units of a model's parameters."""

    def find() -> Inference:
        stated = {name: one.unit for name, one in model.parameters.items()}
        return infer(model.formula, model.column_units, stated, constants=model.constants)

    return once(model, infer_model, find)


def priors(model: FormulaModel) -> dict[str, Prior]:
    """Return what is known of the parameters that the formula uses, or does not use."""
    return {name: Prior(one.start, one.bounds) for name, one in model.parameters.items()}


def with_constants(model: FormulaModel) -> Node:
    """Return the right side with the values of constants in their places."""
    return ast.substitute(model.right, {name: ast.number(value) for name, value in model.constants.items()})


def identified(model: FormulaModel) -> Identifiability | None:
    """Return which parameters of a model can be told apart; None where that cannot be said."""
    return once(model, identified, lambda: identify(with_constants(model), priors(model), model.drivers))


def with_numbers(model: FormulaModel) -> tuple[Node, dict[str, Prior], dict[str, Driver]]:
    """Return a model in which the numbers that may have a unit are parameters too, with its parameters and drivers.

    Constants and literals may stand for quantities (``T + 46.02``, ``0.05*T``); exponents and 1 are plain.
    """
    found = priors(model) | {name: Prior(value) for name, value in model.constants.items() if value}
    plain = {id(n.right) for n in ast.walk(model.right) if isinstance(n, ast.Binary) and n.operator == "^"}

    def swap(node: Node, below: tuple[Node, ...]) -> Node:
        if isinstance(node, ast.Number) and node.value not in (0.0, 1.0) and id(node) not in plain:
            name = f"#{len(found)}"
            found[name] = Prior(node.value)
            return ast.Name(name)
        return node.with_children(below) if below else node

    root = ast.fold(model.right, swap)
    zeros = {name: ast.number(0.0) for name, value in model.constants.items() if not value}
    return ast.substitute(root, zeros), found, dict(model.drivers)


def takes_up_unit(model: FormulaModel, column: str | None = None) -> bool | None:
    """Return whether the parameters can make up for another unit of a column.

    Parameters
    ----------
    model : FormulaModel
    column : str, optional
        A driver; default the response. Another unit multiplies its numbers by a factor.

    Returns
    -------
    bool or None
        None where it cannot be told.
    """
    from soilql.expr.derivative import differentiate
    from soilql.expr.simplify import ONE, multiply

    root, params, drivers = with_numbers(model)
    if column is None:
        # The response is multiplied, or its logarithm shifted by a constant.
        return covers(root, params, drivers, ONE if isinstance(model.response, ast.Call) else root)
    try:
        change = multiply(ast.Name(column), differentiate(root, column))
    except SoilqlError:
        return None
    return covers(root, params, drivers, change)


def hazards_of(
    blocks: Mapping[str, Block], scope: Scope, *, at_start: bool = False
) -> Iterator[tuple[Expression, Hazard]]:
    """Yield where formulas and derived columns have no finite value.

    Parameters
    ----------
    blocks, scope
        Of the spec.
    at_start : bool
        Whether parameters count with their starts; else with their bounds.
    """
    for block in formulas(blocks, scope):
        yield from _hazards_of(block, scope, at_start)


def _hazards_of(block: Block, scope: Scope, at_start: bool) -> tuple[tuple[Expression, Hazard], ...]:
    return once(scope, (hazards_of, block, at_start), lambda: tuple(_find_hazards(block, scope, at_start)))


def _find_hazards(block: Block, scope: Scope, at_start: bool) -> Iterator[tuple[Expression, Hazard]]:
    model = of_block(block, scope)
    if model is not None:
        within, occurring = _intervals(model, at_start)
        for part in _arithmetic(model):
            yield from ((model.formula, hazard) for hazard in hazards(part, within, occurring))
    for column in derived(block, scope):
        known = {name: driver(name, block.name, scope) for name in ast.names(column.expression.root)}
        own = {n: replace(d, occurring=d.occurring or by_unit(column.units.get(n))) for n, d in known.items()}
        limits = {name: one.within for name, one in own.items()}
        sure = {name: one.occurring for name, one in own.items() if one.occurring is not None}
        yield from ((column.expression, hazard) for hazard in hazards(column.expression.root, limits, sure))


def _intervals(model: FormulaModel, at_start: bool) -> tuple[dict[str, Interval], dict[str, Interval]]:
    """Return what the names of a model never exceed, and what surely occurs."""
    within = {name: one.within for name, one in model.drivers.items()}
    occurring = {name: one.occurring for name, one in model.drivers.items() if one.occurring is not None}
    for name, value in model.constants.items():
        within[name] = occurring[name] = point(value)
    for name, one in model.parameters.items():
        if one.bounds is not None:
            within[name] = one.bounds
        if at_start and one.start is not None:
            occurring[name] = point(one.start)
        elif not at_start and one.bounds is not None and one.bounds.is_finite:
            occurring[name] = one.bounds
    return within, occurring


def _arithmetic(model: FormulaModel) -> list[Node]:
    """Return the parts of a formula in which operators mean arithmetic: all of it, or the calls in one of terms."""
    if model.parameters:
        return [model.right]
    found: list[Node] = []
    stack = [model.right]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Call):
            found.append(node)
        else:
            stack += node.children
    return found
