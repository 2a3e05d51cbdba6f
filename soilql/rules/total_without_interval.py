"""A map with its uncertainty is added up to a total without any.

Quantiles and standard deviations belong to single cells. They cannot be added up, and so `total` shows the sums of the
quantile maps only as the widest limits there can be. For an interval of the total ask for members: maps, each of which
is one outcome of the model everywhere at once, whose totals spread as the total does.

Wadoux & Heuvelink (2023), doi:10.1111/2041-210X.14106.

Bad::

    rs: {kind: predict, model: qrf, on: drivers, quantiles: [0.05, 0.95]}
    budget: {kind: total, of: rs}

Good::

    rs: {kind: predict, model: qrf, on: drivers, quantiles: [0.05, 0.95], members: 200}
    budget: {kind: total, of: rs}
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql import design
from soilql.errors import Diagnostic, Severity
from soilql.spec import Spec

CODE = "SQ625"
TITLE = "total without an interval"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning for each prediction with quantiles, a spread or members that keeps no members and is added up."""
    seen = set()
    for total in design.blocks(spec, "total"):
        for i, ref in enumerate(total.params.of):
            for use in design.uses(spec, ref):
                params, name = use.prediction.params, use.prediction.name
                uncertain = bool(params.quantiles) or params.sd or params.members > 0
                kept = params.members and params.keep_members
                if name in seen or kept or not uncertain or use.variable not in (None, "mean"):
                    continue
                seen.add(name)
                if params.members:
                    message = f"`{name}` does not keep its members, so its total has no interval"
                    dropped = design.setting(use.prediction, "keep_members", "false")
                    models = design.setting(total, "models", str(params.model))
                    help = f"leave {dropped} out, or add up the model: {models}"
                else:
                    what = "quantiles" if params.quantiles else "a standard deviation"
                    message = f"`{name}` has {what} but no members, so its total has no interval"
                    help = f"add {design.setting(use.prediction, 'members', '200')} to `{name}`"
                yield Diagnostic(CODE, message, total.span("of", i), help=help, severity=Severity.WARNING)
