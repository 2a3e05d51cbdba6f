"""Parameters that the kinds of forests share, and what can be said of them without data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from soilql import params as p
from soilql.errors import Diagnostic, SoilqlError
from soilql.fits.fitting import check_formula
from soilql.kinds import Block, Scope
from soilql.params import Formula, TableRef, ZonesRef, param

if TYPE_CHECKING:
    from soilql.expr.ast import Node
    from soilql.expr.parse import Expression


@dataclass(frozen=True)
class ForestParams(p.Params):
    """What is modelled, and how the trees are grown."""

    formula: Formula = param(
        doc="Response and features: `Rs ~ MAT + log(MAP) + C(biome)`. Text and class numbers are features as `C(x)`."
    )
    data: TableRef = param(doc="Table of training rows; rows with a missing value are left out and counted.")
    by: ZonesRef | None = param(None, doc="Partition in each of whose zones a forest of its own is grown.")
    min_rows: int | None = param(
        None, ge=2, doc="Fewest complete rows of a zone that gets a forest; by default twice `min_leaf`."
    )
    trees: int = param(500, ge=1, le=100_000, doc="Number of trees.")
    min_leaf: int = param(5, ge=1, doc="Fewest rows of a leaf (R's `nodesize`).")
    max_features: int | float | Literal["sqrt", "third", "all"] = param(
        "third",
        gt=0,
        doc="Features tried at each split: a whole number, a share such as 0.5, `sqrt`, `all`, or `third` of them as "
        "R's packages do for regression. The levels of a category count as features.",
    )
    max_depth: int | None = param(None, ge=1, doc="Deepest level of a tree; unlimited by default.")
    bootstrap: bool = param(True, doc="Whether each tree is grown on rows drawn with replacement.")
    seed: int = param(1, ge=0, le=2**32 - 1, doc="Seed of the rows and features drawn.")
    members_from: Literal["trees", "resample"] = param(
        "trees",
        doc="What a Monte Carlo member is: `trees`, a single tree (each a bootstrap replicate of the training rows), "
        "or `resample`, the mean of as many trees drawn anew with replacement.",
    )

    def __post_init__(self) -> None:
        if isinstance(self.max_features, float) and self.max_features > 1:
            raise ValueError("`max_features` as a share is at most 1", "max_features")

    @property
    def needed(self) -> int:
        """Fewest rows of a zone: with fewer than two leaves a forest is a constant."""
        return self.min_rows if self.min_rows is not None else max(2, 2 * self.min_leaf)

    def words(self) -> str:
        """Return trees, zones and formula in words."""
        by = f" in each zone of {self.by}" if self.by else ""
        return f"{self.trees} trees{by}: {self.formula.text.strip()}"


def formula_problems(formula: Expression) -> Iterator[Diagnostic]:
    """Say what of a formula's form is not for a forest."""
    from soilql.expr import ast
    from soilql.expr.terms import features

    try:
        features(formula)
    except SoilqlError as error:
        yield from error.diagnostics
    response = formula.formula.response
    if not isinstance(response, ast.Name):
        message = "the response of a forest is a column"
        help = "make a column of it under `columns` of the table, and name that"
        yield Diagnostic("SQ113", message, formula.span(response), help=help)


def text_feature(formula: Expression, node: Node) -> Diagnostic:
    """Return the diagnostic of a text column that stands bare among the features."""
    from soilql.expr.ast import to_text

    text = to_text(node)
    message = f"`{text}` is text, which a tree cannot split"
    return Diagnostic("SQ112", message, formula.span(node), help=f"write `C({text})` for one feature a category")


def check(block: Block, scope: Scope) -> Iterator[Diagnostic]:
    """Check the formula of a forest and its names, without data."""
    from soilql.expr import ast
    from soilql.expr.terms import features

    formula = block.params.formula
    problems = tuple(formula_problems(formula))
    yield from problems
    schema = scope.schema(block.params.data)
    for node in () if problems or schema is None else features(formula):
        known = schema.variables.get(node.name) if schema and isinstance(node, ast.Name) else None
        if known is not None and known.type == "text":
            yield text_feature(formula, node)
    yield from check_formula(block, scope, linear=True)
