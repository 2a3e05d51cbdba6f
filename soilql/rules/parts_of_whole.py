"""Shares that add up to a constant are all in one regression.

Sand, silt and clay add up to 100 %, and so do trees, short vegetation and bare ground, or the kinds of mycorrhiza. With
an intercept beside them one share follows from the others: the coefficients cannot be told apart, or only by the
rounding of the data, and say nothing. Leave one share out, which is then what the others are compared with, or take
logarithms of their ratios.

Aitchison (1982), doi:10.1111/j.2517-6161.1982.tb01195.x.

Bad::

    formula: Rs ~ MAT + Soil_sand + Soil_silt + Soil_clay

Good::

    formula: Rs ~ MAT + Soil_sand + Soil_clay
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from soilql import design
from soilql.errors import Diagnostic, Severity, SoilqlError
from soilql.expr import ast
from soilql.expr.terms import terms
from soilql.kinds import Block
from soilql.spec import Spec

CODE = "SQ632"
TITLE = "shares that add up to a constant"

#: Each whole as its parts, and each part as the words that a column's name has for it.
_WHOLES = (
    (("sand",), ("silt",), ("clay",)),
    (("am",), ("ecm",), ("erm",), ("nm",)),
    (("tree", "trees"), ("short", "nontree", "herbaceous", "grass"), ("bare", "nonveg")),
)


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning for each regression with all parts of a whole."""
    for model in design.models(spec, *design.REGRESSIONS):
        names = _main_effects(model)
        for whole in _WHOLES:
            parts = [next((name for name in names if _words(name) & set(part)), None) for part in whole]
            found = [name for name in parts if name is not None]
            if len(found) < len(whole):
                continue
            formula = model.params.formula
            listed = ", ".join(f"`{name}`" for name in found[:-1]) + f" and `{found[-1]}`"
            message = f"{listed} add up to a constant: one follows from the others"
            span = formula.span(design.find_name(formula, max(found, key=names.index)))
            yield Diagnostic(CODE, message, span, help="leave one of them out", severity=Severity.WARNING)


def _words(name: str) -> set[str]:
    return set(re.findall(r"[a-z]+", name.lower()))


def _main_effects(model: Block) -> Sequence[str]:
    """Return the columns that stand by themselves beside an intercept; in a nonlinear formula, all."""
    if model.kind != "linear":
        return design.driver_names(model)
    try:
        found = terms(model.params.formula)
    except SoilqlError:
        return ()
    single = [term.factors[0] for term in found.terms if len(term.factors) == 1]
    return [one.name for one in single if isinstance(one, ast.Name)] if found.intercept else ()
