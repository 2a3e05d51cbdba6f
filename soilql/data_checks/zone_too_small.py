"""A zone has fewer rows than the model has parameters.

Nothing can be estimated there. The zone is not fitted and has no map, which a global total then lacks; without the
data that is found out at the end of a run. Merge zones, or fit a model with fewer parameters.

Bad::

    zones:
      climate: {kind: cut, of: MAT, breaks: [-5, 2, 17], labels: [polar, boreal, temperate, tropical]}
    models:
      q10: {kind: nonlinear, formula: Rs ~ a*exp(b*MAT), data: training, params: [a, b], by: climate}   # 1 polar row

Good::

    zones:
      climate: {kind: cut, of: MAT, breaks: [2, 17], labels: [boreal, temperate, tropical]}
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from soilql import design
from soilql.errors import Diagnostic, Severity
from soilql.study.words import counted

if TYPE_CHECKING:
    from soilql.study.study import Study

CODE = "SQ802"
TITLE = "zone with too few rows or cells"


def check(study: Study) -> Iterator[Diagnostic]:
    """Yield an error for each model with fewer rows than parameters somewhere, a warning where more are asked for."""
    for model, rows in study.models():
        if not rows.count and rows.missing:
            continue  # it is the missing values that are to be mended
        span = model.span("by" if rows.labels else "data")
        for zone, columns, count in rows.by_zone():
            parameters = study.coefficients(model, columns)
            asked = getattr(model.params, "min_rows", None) or getattr(model.params, "needed", 0)
            needed = max(int(asked or 0), parameters)
            if count >= needed:
                continue
            where = f"the zone `{zone}` has {counted(count, 'row')}" if zone else f"there are {counted(count, 'row')}"
            few = count < parameters
            why = f"{counted(parameters, 'parameter')}" if few else f"{needed} are asked for"
            message = f"{where} for `{model.name}`, {'which has ' if few else 'of which '}{why}"
            help = "merge zones, or take a model with fewer parameters" if zone and few else "it is not fitted"
            severity = Severity.ERROR if few and model.kind in design.REGRESSIONS else Severity.WARNING
            if zone and (fallback := getattr(model.params, "fallback", "none")) != "none":
                help, severity = f"it is predicted by `fallback: {fallback}`", Severity.WARNING
            yield Diagnostic(CODE, message, span, help=help, severity=severity)
