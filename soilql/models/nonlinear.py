"""Nonlinear regression of a formula with declared parameters, fitted to all rows or apart in each zone.

In R: `nls`; `params` are its `start`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from soilql import params as p
from soilql.context import Context
from soilql.edits import one_letter_off
from soilql.errors import Diagnostic, SoilqlError
from soilql.fits import fitted, fitting, nonlinear_params, regression, training
from soilql.kinds import Block, Scope
from soilql.params import Formula, NewName, Problem, TableRef, ZonesRef, param
from soilql.source import Mapping as MappingNode
from soilql.source import Scalar
from soilql.values import State, ValueType

VERSION = 2
PRODUCES = ValueType.MODEL


@dataclass(frozen=True)
class Params(p.Params):
    """The formula, its parameters, and how it is fitted."""

    formula: Formula = param(
        doc="Response and model: `Rs ~ a*exp(b*T)`. The response is a column, or `log()` of one for a fit on the log "
        "scale."
    )
    data: TableRef = param(doc="Table of training rows; rows with a missing value are left out and counted.")
    params: nonlinear_params.Declared = param(doc=nonlinear_params.PARAMS_DOC)
    by: ZonesRef | None = param(None, doc="Partition in each of whose zones the model is fitted anew.")
    min_rows: int | None = param(
        None, ge=2, doc="Fewest complete rows of a zone that is fitted; by default one more than there are parameters."
    )
    fallback: fitting.Fallback = param("none", doc=fitting.FALLBACK_DOC)
    constants: dict[NewName, float] = param({}, doc="Names in the formula with fixed values: {Tref: 10}.")
    interval: nonlinear_params.Interval = param("wald", doc=nonlinear_params.INTERVAL_DOC)
    level: float = param(0.95, gt=0, lt=1, doc="Confidence level of the intervals.")
    starts: int = param(
        16,
        ge=0,
        doc="Largest number of starting points that are tried besides the given and log-linear ones. The searches end "
        "early once those that found the best fit are four more than those that ended elsewhere.",
    )
    seed: int = param(1, ge=0, doc="Seed of the starting points.")
    uncertainty: nonlinear_params.Uncertainty = param("vcov", doc=nonlinear_params.UNCERTAINTY_DOC)
    back_transform: regression.BackTransform = param("none", doc=regression.BACK_TRANSFORM_DOC)

    def problems(self) -> Iterator[Problem]:
        yield from nonlinear_params.problems(self.params, self.constants)

    @property
    def known(self) -> dict[str, nonlinear_params.Parameter]:
        """What is known of each parameter, in their order."""
        return nonlinear_params.known(self.params)


def run(params: Params, ctx: Context) -> fitted.FittedModel:
    from soilql.fits.nonlinear_fit import fit_zone
    from soilql.fits.nonlinear_settings import Settings, of_parameters

    problems = [*regression.response_problems(params.formula), *_problems(params, ctx.block)]
    if problems:
        raise SoilqlError(problems)
    response = regression.response_of(params.formula)
    known = params.known
    drivers = nonlinear_params.drivers(params.formula, [*known, *params.constants])
    settings = Settings(
        formula=params.formula.text,
        constants={str(name): value for name, value in params.constants.items()},
        response=response,
        drivers=drivers,
        **of_parameters(known),
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
    yield from _problems(params, block)


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
    from soilql.fits.nonlinear_zone import load_fit

    return fitted.load_model(state, load_fit)


def describe(params: Params) -> str:
    by = f" in each zone of {params.by}" if params.by else ""
    return f"fit {params.formula.text.strip()}{by}"


def _problems(params: Params, block: Block) -> Iterator[Diagnostic]:
    """Say which parameters the formula does not use, or has no derivative in."""
    yield from nonlinear_params.unused(params.formula, params.params, params.constants, block)
    yield from nonlinear_params.underivable(params.formula, params.known)
