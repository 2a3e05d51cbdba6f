"""There are too few members for the limits of the interval that is made of them.

The interval of a total is read off the ordered totals of the members. For 95 % at least one member must lie beyond each
limit, which takes 39; with fewer, the limits are the smallest and the largest member, and a new run with another seed
moves them. A few hundred give limits that stay.

Davison & Hinkley (1997), doi:10.1017/CBO9780511802843, section 5.2.

Bad::

    rs: {kind: predict, model: qrf, on: drivers, members: 20}
    budget: {kind: total, of: rs}

Good::

    rs: {kind: predict, model: qrf, on: drivers, members: 200}
    budget: {kind: total, of: rs}
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from soilql import design
from soilql.errors import Diagnostic, Severity, Span
from soilql.spec import Spec

CODE = "SQ626"
TITLE = "too few members for the interval"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning for each prediction whose members cannot give the interval of a total."""
    seen = set()
    for total in design.blocks(spec, "total"):
        level = total.params.interval
        needed = math.ceil(2 / (1 - level) - 1 - 1e-9)
        for use in (use for ref in total.params.of for use in design.uses(spec, ref)):
            name, members = use.prediction.name, use.prediction.params.members
            if 0 < members < needed and name not in seen:
                seen.add(name)
                yield _finding(members, level, needed, total.name, use.prediction.span("members"))
        if 0 < total.params.members < needed:
            yield _finding(total.params.members, level, needed, total.name, total.span("members"))


def _finding(members: int, level: float, needed: int, total: str, span: Span) -> Diagnostic:
    message = f"{members} members cannot give the {100 * level:g} % interval of `{total}`"
    help = f"at least {needed} are needed, and a few hundred are better"
    return Diagnostic(CODE, message, span, help=help, severity=Severity.WARNING)
