"""With the data any drivers of one unit are found that add up to one number in all rows, whatever they are called.

Bad::

    formula: Rs ~ MAT + forest + grass + crops        # 100 % in each of 1,122 rows

Good::

    formula: Rs ~ MAT + forest + grass
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING, Any

from soilql import design
from soilql.errors import Diagnostic, Severity
from soilql.kinds import Block
from soilql.study.words import listed

if TYPE_CHECKING:
    from soilql.study.rows import Rows
    from soilql.study.study import Study

CODE = "SQ632"
TITLE = "shares that add up to a constant"

#: Largest spread of a sum, against its mean, that rounding explains.
_ROUNDING = 0.01
#: Shares of one unit among which sums are looked for; of n there are 2^n.
_MOST = 12


def check(study: Study) -> Iterator[Diagnostic]:
    """Yield a warning for each set of drivers of a regression that adds up to one number in all rows."""
    for model, rows in study.models(*design.REGRESSIONS):
        formula = model.params.formula
        for names, total in _sums(study, model, rows):
            message = f"{listed(names, 6)} add up to {total:.4g} in all rows: one follows from the others"
            span = formula.span(design.find_name(formula, max(names, key=design.driver_names(model).index)))
            yield Diagnostic(CODE, message, span, help="leave one of them out", severity=Severity.WARNING)


def _sums(study: Study, model: Block, rows: Rows) -> Iterator[tuple[tuple[str, ...], float]]:
    """Yield the smallest sets of shares with a constant sum, and the sum."""
    data = model.params.data.block
    by_unit: dict[str, list[str]] = {}
    for name in design.driver_names(model):
        values = rows.columns[name]
        if values.dtype.kind == "f" and values.size > 2 and values.min() >= 0 and values.min() < values.max():
            by_unit.setdefault(study.unit(data, name) or "", []).append(name)
    for names in by_unit.values():
        if len(names) > _MOST:
            continue
        found: list[tuple[str, ...]] = []
        for size in range(2, len(names) + 1):
            for some in combinations(names, size):
                if any(set(smaller) <= set(some) for smaller in found):
                    continue
                total: Any = sum(rows.columns[name] for name in some)
                if _is_constant(total):
                    found.append(some)
                    yield some, float(total.mean())


def _is_constant(total: Any) -> bool:
    return bool(total.max() - total.min() <= _ROUNDING * abs(total.mean()))
