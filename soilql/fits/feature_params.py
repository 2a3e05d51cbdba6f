"""What models made of features share: what is modelled from which drivers, by a formula or as another model chose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from soilql import params as p
from soilql.errors import Diagnostic, SoilqlError
from soilql.fits import tuning
from soilql.fits.fitting import FALLBACK_DOC, Fallback, check_formula
from soilql.kinds import Block, Scope
from soilql.params import Formula, ModelRef, TableRef, ZonesRef, param

if TYPE_CHECKING:
    from soilql.expr.ast import Node
    from soilql.expr.parse import Expression


@dataclass(frozen=True, kw_only=True)
class FeatureParams(p.Params):
    """What is modelled from what, and by which zones."""

    #: Parameters that a search may go over.
    TUNABLE: ClassVar[tuple[str, ...]] = ()

    formula: Formula = param(
        doc="Response and features: `Rs ~ MAT + log(MAP) + C(biome)`. Text and class numbers are features as `C(x)`, "
        "one column of 0 and 1 a category. With `drivers_of` it names the response alone: `Rs ~ 1`."
    )
    data: TableRef = param(doc="Table of training rows; rows with a missing value are left out and counted.")
    drivers_of: ModelRef | None = param(
        None,
        doc="Model whose drivers are taken in each zone, such as a `staged_selection`, fitted by the same zones. It "
        "is part of this model: a test by folds makes the selection anew in each fold.",
    )
    by: ZonesRef | None = param(None, doc="Partition in each of whose zones a fit of its own is made.")
    fallback: Fallback = param("none", doc=FALLBACK_DOC)
    tune: tuning.Tune | None = param(
        None,
        doc="Search for the best parameters of this block, anew in each zone: {over: {NAME: [values]}, folds: 5}.",
    )

    def words(self) -> str:
        """Return formula, zones and search in words."""
        by = f" in each zone of {self.by}" if self.by else ""
        chosen = f" of the drivers of {self.drivers_of}" if self.drivers_of else ""
        tuned = f", tuned over {', '.join(map(str, self.tune.over))}" if self.tune else ""
        return f"{self.formula.text.strip()}{chosen}{by}{tuned}"


def formula_problems(formula: Expression, chosen: bool = False) -> Iterator[Diagnostic]:
    """Say what of a formula's form is not for a learner.

    Parameters
    ----------
    formula : Expression
        Of the block.
    chosen : bool
        Whether another model chooses the drivers, so that the right side is `1`.
    """
    from soilql.expr import ast
    from soilql.expr.terms import features

    root = formula.formula
    if chosen and ast.to_text(root.predictors) != "1":
        message = "`drivers_of` gives the drivers, and the formula names some of its own"
        response = ast.to_text(root.response)
        help = f"write `{response} ~ 1`, or leave `drivers_of` out"
        yield Diagnostic("SQ113", message, formula.span(root.predictors), help=help)
    try:
        if not chosen:
            features(formula)
    except SoilqlError as error:
        yield from error.diagnostics
    if not isinstance(root.response, ast.Name):
        message = "the response of a learner is a column"
        help = "make a column of it under `columns` of the table, and name that"
        yield Diagnostic("SQ113", message, formula.span(root.response), help=help)


def text_feature(formula: Expression, node: Node) -> Diagnostic:
    """Return the diagnostic of a text column that stands bare among the features."""
    from soilql.expr.ast import to_text

    text = to_text(node)
    message = f"`{text}` is text, which is no number"
    return Diagnostic("SQ112", message, formula.span(node), help=f"write `C({text})` for one feature a category")


def check(block: Block, scope: Scope) -> Iterator[Diagnostic]:
    """Check formula, names, zones and search of a block, without data."""
    from soilql.expr import ast
    from soilql.expr.terms import features

    params: FeatureParams = block.params
    formula, chosen = params.formula, params.drivers_of is not None
    problems = tuple(formula_problems(formula, chosen))
    yield from problems
    schema = scope.schema(params.data)
    for node in () if problems or chosen or schema is None else features(formula):
        known = schema.variables.get(node.name) if schema and isinstance(node, ast.Name) else None
        if known is not None and known.type == "text":
            yield text_feature(formula, node)
    yield from check_formula(block, scope, linear=True)
    if chosen:
        yield from _check_zones_of_drivers(block, scope)
    if params.tune is not None:
        yield from tuning.check(block, params.TUNABLE)


def _check_zones_of_drivers(block: Block, scope: Scope) -> Iterator[Diagnostic]:
    """Say where a model and the one that chooses its drivers have not the same zones."""
    params: FeatureParams = block.params
    assert params.drivers_of is not None
    other = scope.block(params.drivers_of.block)
    theirs = None if other is None else getattr(other.params, "by", None)
    if other is None or theirs == params.by:
        return
    ways = [f"by `{by}`" if by else "for all rows together" for by in (theirs, params.by)]
    message = f"`{other.name}` chooses drivers {ways[0]}, and `{block.name}` is fitted {ways[1]}"
    help = f"write `by: {theirs}`" if theirs else "leave `by` out"
    yield Diagnostic("SQ126", message, block.span("by" if params.by else "drivers_of"), help=help)
