"""Nonlinear regression of a formula with declared parameters, fitted to all rows or apart in each zone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from soilql import params as p
from soilql.context import Context
from soilql.edits import one_letter_off
from soilql.errors import Diagnostic, SoilqlError
from soilql.fits import fitted, fitting, regression, training
from soilql.kinds import Block, Scope
from soilql.params import Formula, NewName, TableRef, UnitText, ZonesRef, param
from soilql.source import Mapping as MappingNode
from soilql.source import Scalar
from soilql.values import State, ValueType

VERSION = 1
PRODUCES = ValueType.MODEL


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

    def __post_init__(self) -> None:
        if self.bounds is None:
            return
        if len(self.bounds) != 2 or not self.bounds[0] < self.bounds[1]:
            raise ValueError("`bounds` are two numbers, the first below the second", "bounds")
        if self.start is not None and not self.bounds[0] <= self.start <= self.bounds[1]:
            raise ValueError(f"the start {self.start:g} lies outside its bounds", "start")


@dataclass(frozen=True)
class Params(p.Params):
    """The formula, its parameters, and how it is fitted."""

    formula: Formula = param(
        doc="Response and model: `Rs ~ a*exp(b*T)`. The response is a column, or `log()` of one for a fit on the log "
        "scale."
    )
    data: TableRef = param(doc="Table of training rows; rows with a missing value are left out and counted.")
    params: list[NewName] | dict[NewName, Parameter | None] = param(
        doc="Every parameter of the formula: [a, b], or {a: {start: 400, bounds: [0, .inf], unit: g C m-2 yr-1}, b: "
        "0.05} with what is known beforehand (a bare number is a start)."
    )
    by: ZonesRef | None = param(None, doc="Partition in each of whose zones the model is fitted anew.")
    min_rows: int | None = param(
        None, ge=2, doc="Fewest complete rows of a zone that is fitted; by default one more than there are parameters."
    )
    constants: dict[NewName, float] = param({}, doc="Names in the formula with fixed values: {Tref: 10}.")
    interval: Literal["wald", "profile"] = param(
        "wald",
        doc="Intervals of the parameters: `wald`, symmetric, or `profile`, by profile likelihood (slower, honest).",
    )
    level: float = param(0.95, gt=0, lt=1, doc="Confidence level of the intervals.")
    starts: int = param(16, ge=0, doc="Number of starting points that are tried besides the given and log-linear ones.")
    seed: int = param(1, ge=0, doc="Seed of the starting points.")
    uncertainty: Literal["vcov", "cv10", "bootstrap"] = param(
        "vcov",
        doc="How the parameters of Monte Carlo members are drawn: `vcov` from their covariance, `cv10` each apart with "
        "a coefficient of variation of 10 % (Huang et al. 2020), `bootstrap` by refits to resampled residuals.",
    )
    back_transform: regression.BackTransform = param("none", doc=regression.BACK_TRANSFORM_DOC)

    def __post_init__(self) -> None:
        names = list(self.params)
        if not names:
            raise ValueError("`params` is empty: a model without parameters is no model", "params")
        if len(set(names)) < len(names):
            raise ValueError("`params` names a parameter twice", "params")
        both = [name for name in names if name in self.constants]
        if both:
            raise ValueError(f"`{both[0]}` is both a parameter and a constant", "constants")

    @property
    def known(self) -> dict[str, Parameter]:
        """What is known of each parameter, in their order."""
        if isinstance(self.params, list):
            return {str(name): Parameter() for name in self.params}
        return {str(name): found or Parameter() for name, found in self.params.items()}


def run(params: Params, ctx: Context) -> fitted.FittedModel:
    from soilql.fits.nonlinear_fit import Settings, fit_zone

    problems = [*regression.response_problems(params.formula), *_unused(params, ctx.block), *_underivable(params)]
    if problems:
        raise SoilqlError(problems)
    response = regression.response_of(params.formula)
    drivers = _drivers(params)
    known = params.known
    settings = Settings(
        formula=params.formula.text,
        params=tuple(known),
        constants={str(name): value for name, value in params.constants.items()},
        response=response,
        drivers=drivers,
        starts={name: one.start for name, one in known.items() if one.start is not None},
        bounds={name: (one.bounds[0], one.bounds[1]) for name, one in known.items() if one.bounds is not None},
        units={name: str(one.unit) for name, one in known.items() if one.unit is not None},
        truths={name: one.truth for name, one in known.items() if one.truth is not None},
        interval=params.interval,
        level=params.level,
        n_starts=params.starts,
        seed=params.seed,
        uncertainty=params.uncertainty,
        back_transform=params.back_transform,
    )
    rows = training.complete_rows(ctx, params.data, (response.name, *drivers), params.formula)
    rows = regression.with_median_note(regression.positive_rows(rows, response), params.back_transform, response)
    needed = params.min_rows if params.min_rows is not None else len(known) + 1
    return fitting.fit_model(
        ctx, rows, lambda columns: fit_zone(columns, settings), response=response.name, drivers=drivers, needed=needed
    )


def check(block: Block, scope: Scope) -> Iterable[Diagnostic]:
    params: Params = block.params
    yield from regression.response_problems(params.formula)
    names = [*params.known, *map(str, params.constants)]
    yield from fitting.check_formula(block, scope, linear=False, parameters=names)
    yield from _unused(params, block)
    yield from _underivable(params)


def complete(key: str, node: MappingNode, scope: Scope) -> list[str]:
    """Return the parameters of a formula that declares none: its names that are no columns of the data.

    A name one letter off a column's is left out: it will be reported as a column that is misspelt.
    """
    from soilql.expr import ast
    from soilql.expr.functions import CONSTANTS
    from soilql.expr.parse import parse_formula

    formula, data, constants = (node.get(name) for name in ("formula", "data", "constants"))
    schema = scope.schema(data.text) if isinstance(data, Scalar) else None
    if key != "params" or schema is None or schema.open or not isinstance(formula, Scalar):
        return []
    try:
        names = ast.names(parse_formula(formula.text).formula.predictors)
    except SoilqlError:
        return []
    fixed = [entry.name for entry in constants] if isinstance(constants, MappingNode) else []
    columns = [name.lower() for name in schema.variables]
    misspelt = {n for n in names if len(n) > 2 and any(one_letter_off(n.lower(), column) for column in columns)}
    free = [n for n in names if not (n in schema.variables or n in CONSTANTS or n in fixed or n in misspelt)]
    return free if all(n.isidentifier() for n in free) else []


def load(state: State, params: Params) -> fitted.FittedModel:
    """Return the model whose state was stored."""
    from soilql.fits.nonlinear_fit import load_fit

    return fitted.load_model(state, load_fit)


def describe(params: Params) -> str:
    by = f" in each zone of {params.by}" if params.by else ""
    return f"fit {params.formula.text.strip()}{by}"


def _drivers(params: Params) -> tuple[str, ...]:
    from soilql.expr import ast
    from soilql.expr.functions import CONSTANTS

    other = {*params.known, *params.constants, *CONSTANTS}
    return tuple(name for name in ast.names(params.formula.formula.predictors) if name not in other)


def _unused(params: Params, block: Block) -> Iterator[Diagnostic]:
    """Say which declared parameters and constants the formula does not use."""
    from soilql.expr import ast

    used = set(ast.names(params.formula.formula.predictors))
    for i, name in enumerate(params.known):
        if name not in used:
            place = block.span("params", i if isinstance(params.params, list) else name)
            yield Diagnostic("SQ401", f"the formula does not use the parameter `{name}`", place, help="leave it out")
    for name in params.constants:
        if name not in used:
            place = block.span("constants", name)
            yield Diagnostic("SQ209", f"the formula does not use the constant `{name}`", place, help="leave it out")


def _underivable(params: Params) -> Iterator[Diagnostic]:
    """Say which parameters stand where a model has no derivative."""
    from soilql.expr.derivative import differentiate

    seen = set()
    for name in params.known:
        try:
            differentiate(params.formula.formula.predictors, name, params.formula)
        except SoilqlError as error:
            for found in error.diagnostics:
                if found.span not in seen:
                    seen.add(found.span)
                    yield found
