"""A model loses half of its rows to one missing column.

Rows without a value in any column of the formula are left out. Where that takes more than half of them, what is left
may be another population than the one that the map is made for: studies that report soil carbon are not a sample of
all.

Bad::

    formula: Rs ~ MAT + MAP + LAI          # LAI was reported in one study of ten

Good::

    formula: Rs ~ MAT + MAP
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from soilql import design
from soilql.errors import Diagnostic, Severity
from soilql.study.words import share

if TYPE_CHECKING:
    from soilql.study.study import Study

CODE = "SQ713"
TITLE = "missing values"

_MUCH = 0.5


def check(study: Study) -> Iterator[Diagnostic]:
    """Yield a warning for each model that keeps less than half of the rows of its table."""
    for model, rows in study.models():
        if not rows.total or rows.count >= _MUCH * rows.total or not rows.missing:
            continue
        worst = max(rows.missing, key=lambda name: (rows.missing[name], name))
        if rows.missing[worst] == rows.total:
            continue  # that it has no value at all is a finding of its own
        formula = model.params.formula
        is_response = worst == design.response(model)
        node = formula.formula.response if is_response else design.find_name(formula, worst)
        message = f"`{model.name}` has {rows.count:,} complete rows of {rows.total:,} in `{model.params.data}`"
        label = f"`{worst}` is missing in {share(rows.missing[worst], rows.total)}"
        help = "filter the table to what you mean to model" if is_response else "is it worth these rows?"
        yield Diagnostic(CODE, message, formula.span(node), label, help, Severity.WARNING)
