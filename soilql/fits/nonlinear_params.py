"""Parameters of blocks that kinds with a nonlinear formula share, and what can be said of a formula without data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from soilql import params as p
from soilql.errors import Diagnostic, SoilqlError
from soilql.kinds import Block
from soilql.params import Formula, NewName, Problem, TableRef, UnitText, ZonesRef, param

if TYPE_CHECKING:
    from soilql.expr.parse import Expression

#: Parameters of one formula: each needs a derivative of its own.
_MOST = 200

Interval: TypeAlias = Literal["wald", "profile"]
INTERVAL_DOC = (
    "Intervals of the parameters: `wald`, symmetric, or `profile`, by profile likelihood (slower, honest). Those of "
    "predictions go by `uncertainty`."
)

Uncertainty: TypeAlias = Literal["vcov", "profile", "bootstrap", "cv10"]
UNCERTAINTY_DOC = (
    "How the parameters of Monte Carlo members are drawn: `vcov`, from their covariance; `profile`, each along its "
    "profile likelihood with the correlation of the estimates, skewed and within bounds as the profiles are; "
    "`bootstrap`, by refits to resampled residuals; `cv10`, each apart with a coefficient of variation of 10 % (Huang "
    "et al. 2020)."
)

PARAMS_DOC = (
    "Every parameter of the formula: [a, b], or {a: {start: 400, bounds: [0, .inf], unit: g C m-2 yr-1}, b: 0.05} with "
    "what is known beforehand (a bare number is a start)."
)


@dataclass(frozen=True)
class Parameter(p.Params):
    """What is known of one parameter beforehand."""

    SHORTHAND = "start"

    start: float | None = param(None, doc="Where one of the searches begins; without it starts are found.")
    bounds: list[float] | None = param(None, doc="Least and greatest value: [0, .inf] for one that is not negative.")
    unit: UnitText | None = param(None, doc="Unit of the parameter.")
    truth: float | None = param(
        None, doc="True value, where the data are simulated: the summary shows it beside the estimate."
    )

    def problems(self) -> Iterator[Problem]:
        if self.bounds is None:
            return
        if len(self.bounds) != 2 or not self.bounds[0] < self.bounds[1]:
            yield "`bounds` are two numbers, the first below the second", "bounds"
        elif self.start is not None and not self.bounds[0] <= self.start <= self.bounds[1]:
            yield f"the start {self.start:g} lies outside its bounds", "start"


#: The field `params`: names alone, or with what is known of each.
Declared: TypeAlias = list[NewName] | dict[NewName, Parameter | None]


def known(declared: list[NewName] | dict[NewName, Parameter | None]) -> dict[str, Parameter]:
    """Return what is known of each declared parameter, in their order."""
    if isinstance(declared, list):
        return {str(name): Parameter() for name in declared}
    return {str(name): found or Parameter() for name, found in declared.items()}


@dataclass(frozen=True)
class Part(p.Params):
    """One formula of a model that has several, for the rules that look at formulas."""

    formula: Formula = param(doc="Response and model.")
    data: TableRef = param(doc="Table of training rows.")
    params: Declared = param(doc=PARAMS_DOC)
    constants: dict[NewName, float] = param({}, doc="Names with fixed values.")
    by: ZonesRef | None = param(None, doc="Partition.")

    @property
    def known(self) -> dict[str, Parameter]:
        """What is known of each parameter, in their order."""
        return known(self.params)


def with_columns(formula: Expression, columns: Mapping[str, str]) -> Expression:
    """Return a formula in which columns stand for placeholders, each at the place of its placeholder."""
    from soilql.expr import ast

    def visit(node: ast.Node, below: tuple[ast.Node, ...]) -> ast.Node:
        if isinstance(node, ast.Name):
            return replace(node, name=columns.get(node.name, node.name))
        return node.with_children(below) if below else node

    return replace(formula, root=ast.fold(formula.root, visit))


def problems(declared: Iterable[str], constants: Iterable[str]) -> Iterator[Problem]:
    """Yield where parameters and constants contradict one another."""
    names, fixed = list(declared), set(constants)
    if not names:
        yield "`params` is empty: a model without parameters is no model", "params"
    if len(set(names)) < len(names):
        yield "`params` names a parameter twice", "params"
    if len(names) > _MOST:
        yield f"`params` has {len(names)} parameters; a fit takes at most {_MOST}", "params"
    both = [name for name in names if name in fixed]
    if both:
        yield f"`{both[0]}` is both a parameter and a constant", "constants"


def drivers(formula: Expression, others: Iterable[str]) -> tuple[str, ...]:
    """Return the columns on the right side of a formula: its names that are no parameters and no constants."""
    from soilql.expr import ast
    from soilql.expr.functions import CONSTANTS

    other = {*others, *CONSTANTS}
    return tuple(name for name in ast.names(formula.formula.predictors) if name not in other)


def unused(
    formula: Expression,
    declared: list[NewName] | dict[NewName, Parameter | None],
    constants: Mapping[NewName, float],
    block: Block,
    path: tuple[str, ...] = (),
) -> Iterator[Diagnostic]:
    """Say which declared parameters and constants a formula does not use.

    Parameters
    ----------
    formula, declared, constants
        Of a block, or of a part of it.
    block : Block
        The block.
    path : tuple of str
        Where the part stands in it.
    """
    from soilql.expr import ast

    used = set(ast.names(formula.formula.predictors))
    for i, name in enumerate(known(declared)):
        if name not in used:
            place = block.span(*path, "params", i if isinstance(declared, list) else name)
            yield Diagnostic("SQ401", f"the formula does not use the parameter `{name}`", place, help="leave it out")
    for name in constants:
        if name not in used:
            place = block.span(*path, "constants", name)
            yield Diagnostic("SQ209", f"the formula does not use the constant `{name}`", place, help="leave it out")


def underivable(formula: Expression, declared: Iterable[str]) -> Iterator[Diagnostic]:
    """Say which parameters stand where a model has no derivative."""
    from soilql.expr.derivative import differentiate

    seen = set()
    for name in declared:
        try:
            differentiate(formula.formula.predictors, name, formula)
        except SoilqlError as error:
            for found in error.diagnostics:
                if found.span not in seen:
                    seen.add(found.span)
                    yield found
