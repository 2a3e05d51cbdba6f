"""A quantile or standard deviation of each cell is added up as if it were one of the total.

The sum of the 95 % quantiles of all cells is the 95 % quantile of the sum only if every cell errs in the same direction
at the same time; it is the widest that the total can be. Adding variances instead takes all errors for independent and
gives next to nothing. Errors of a model are neither. Map members, each of which errs in its own way everywhere at once,
and total these: the interval is then that of the members' totals. `total` does so by itself for a block with members.

Wadoux & Heuvelink (2023), doi:10.1111/2041-210X.14106.

Bad::

    rs: {kind: predict, model: qrf, on: drivers, quantiles: [0.05, 0.95]}
    budget: {kind: total, of: [rs.q05, rs.q95]}

Good::

    rs: {kind: predict, model: qrf, on: drivers, quantiles: [0.05, 0.95], members: 200}
    budget: {kind: total, of: rs}
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql import design
from soilql.errors import Diagnostic, Severity
from soilql.spec import Spec

CODE = "SQ624"
TITLE = "total of a quantile or standard deviation"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning for each total of what is made of quantiles and standard deviations alone."""
    for total in design.blocks(spec, "total"):
        for i, ref in enumerate(total.params.of):
            uses = list(design.uses(spec, ref))
            taken = list(dict.fromkeys(use.variable for use in uses))
            if not taken or not all(name == "sd" or design.is_quantile(name) for name in taken):
                continue
            what = "standard deviations" if taken == ["sd"] else "medians" if taken == ["q50"] else "quantiles"
            message = f"`{ref}` adds up {what} of cells, which is no {what.rstrip('s')} of the total"
            main = uses[0].prediction
            wanted = "total" if main.params.members else f"add {design.setting(main, 'members', '200')} to it and total"
            help = f"{wanted} `{main.name}` itself: the members' totals give the interval"
            yield Diagnostic(CODE, message, total.span("of", i), help=help, severity=Severity.WARNING)
