"""Members are drawn as if the parameters of a model were independent of one another.

`uncertainty: cv10` gives each parameter an error of 10 % of its own, whatever the data say. The estimates of a
temperature response are strongly correlated: when one rises the other falls, and the curve stays where the data are.
Drawn apart, they leave the data: for the quadratic response of Huang et al. (2020) the standard error of the curve at
28 degrees comes out three times that of the covariance (268 against 87 g C m-2 yr-1). `vcov` draws from the covariance
of the estimates; `bootstrap` refits. Keep `cv10` to repeat a study that used it, and say so in a suppression.

Huang et al. (2020), doi:10.1126/sciadv.abb8508; Seber & Wild (1989), doi:10.1002/0471725315.

Bad::

    q10: {kind: nonlinear, ..., uncertainty: cv10}
    rs: {kind: predict, model: q10, on: drivers, members: 200}

Good::

    q10: {kind: nonlinear, ..., uncertainty: vcov}
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql import design
from soilql.errors import Diagnostic, Severity
from soilql.spec import Spec

CODE = "SQ642"
TITLE = "parameters drawn apart"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning for each model whose members ignore the covariance of several parameters."""
    seen = set()
    for prediction, model in design.mappings(spec):
        several = model.kind == "staged_selection" or len(design.parameters(model)) > 1
        drawn_apart = several and getattr(model.params, "uncertainty", "") == "cv10"
        if not drawn_apart or not prediction.params.members or model.name in seen:
            continue
        seen.add(model.name)
        message = f"the members of `{prediction.name}` ignore how the parameters of `{model.name}` go together"
        help = f"write {design.setting(model, 'uncertainty', 'vcov')}"
        yield Diagnostic(CODE, message, model.span("uncertainty"), help=help, severity=Severity.WARNING)
