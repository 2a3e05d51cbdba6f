"""Linear regression in R's formula algebra, fitted to all rows or apart in each zone.

In R: `lm`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from soilql import params as p
from soilql.context import Context
from soilql.errors import Diagnostic, SoilqlError
from soilql.fits import fitted, fitting, regression, training
from soilql.kinds import Block, Scope
from soilql.params import Formula, TableRef, ZonesRef, param
from soilql.values import State, ValueType

if TYPE_CHECKING:
    from soilql.expr.parse import Expression
    from soilql.expr.terms import Terms

VERSION = 2
PRODUCES = ValueType.MODEL


@dataclass(frozen=True)
class Params(p.Params):
    """The formula, and what it is fitted to."""

    formula: Formula = param(
        doc="Response and terms as in R: `log(Rs) ~ MAT * MAP + I(MAT^2) + C(biome)`. Text is a category, numbers are "
        "one as `C(x)`; the first level in rising order is the reference."
    )
    data: TableRef = param(doc="Table of training rows; rows with a missing value are left out and counted.")
    by: ZonesRef | None = param(None, doc="Partition in each of whose zones the model is fitted anew.")
    min_rows: int | None = param(
        None,
        ge=2,
        doc="Fewest complete rows of a zone that is fitted; by default one more than there are coefficients.",
    )
    fallback: fitting.Fallback = param("none", doc=fitting.FALLBACK_DOC)
    level: float = param(0.95, gt=0, lt=1, doc="Confidence level of the coefficients' intervals.")
    back_transform: regression.BackTransform = param("none", doc=regression.BACK_TRANSFORM_DOC)


def run(params: Params, ctx: Context) -> fitted.FittedModel:
    from soilql.expr import ast
    from soilql.expr.functions import CONSTANTS
    from soilql.fits.linear_fit import fit_zone

    problems = tuple(_problems(params.formula))
    if problems:
        raise SoilqlError(problems)
    response, terms = regression.response_of(params.formula), _terms(params.formula)
    factors = [factor for term in terms.terms for factor in term.factors]
    names = dict.fromkeys(name for factor in factors for name in ast.names(factor))
    drivers = tuple(name for name in names if name not in CONSTANTS)
    rows = training.complete_rows(ctx, params.data, (response.name, *drivers), params.formula)
    rows = training.defined_rows(regression.positive_rows(rows, response), factors)
    rows = regression.with_median_note(rows, params.back_transform, response)
    least = len(terms.terms) + terms.intercept + 1
    return fitting.fit_model(
        ctx,
        rows,
        lambda columns: fit_zone(columns, params.formula.text, response, terms, params.level, params.back_transform),
        response=response.name,
        drivers=drivers,
        needed=params.min_rows if params.min_rows is not None else least,
    )


def check(block: Block, scope: Scope) -> Iterable[Diagnostic]:
    yield from _problems(block.params.formula)
    yield from fitting.check_formula(block, scope, linear=True)


def load(state: State, params: Params) -> fitted.FittedModel:
    """Return the model whose state was stored."""
    from soilql.fits.linear_fit import load_fit

    return fitted.load_model(state, load_fit)


def describe(params: Params) -> str:
    by = f" in each zone of {params.by}" if params.by else ""
    return f"fit {params.formula.text.strip()}{by}"


def _terms(formula: Expression) -> Terms:
    from soilql.expr.terms import terms

    return terms(formula)


def _problems(formula: Expression) -> Iterator[Diagnostic]:
    """Say what of a formula's form cannot be fitted by this kind."""
    from soilql.expr import ast

    yield from regression.response_problems(formula)
    try:
        _terms(formula)
    except SoilqlError as error:
        yield from error.diagnostics
    for node in ast.walk(formula.root):
        if isinstance(node, ast.GroupTerm):
            help = "leave it out, or give the group a coefficient of its own: `C(site)`"
            message = "`kind: linear` has no random effects: it fits by ordinary least squares"
            yield Diagnostic("SQ113", message, formula.span(node), help=help)
