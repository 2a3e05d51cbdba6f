"""R2 is averaged over folds that hold one place each.

R2 compares the errors with the variance of the observations of the fold. A place with one row has no variance, and one
with two or three has little: its R2 is undefined or a large negative number, and the mean over folds is ruled by the
worst. With single places left out, take `R2`, which pools the predictions of all folds first.

Bad::

    by_site: {kind: leave_one_group_out, group: site}
    skill: {kind: evaluate, models: qrf, scheme: by_site, metrics: [R2_folds]}

Good::

    skill: {kind: evaluate, models: qrf, scheme: by_site, metrics: [R2, RMSE]}
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql import design
from soilql.errors import Diagnostic, Severity
from soilql.spec import Spec

CODE = "SQ647"
TITLE = "R2 averaged over tiny folds"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning for each test that asks for R2 by fold where each fold is a site."""
    seen = set()
    for trial in design.trials(spec):
        metrics = getattr(trial.analysis.params, "metrics", None) or ()
        each_site = trial.scheme.kind == "leave_one_group_out" and str(trial.scheme.params.group) in ("site", "Site_ID")
        if each_site and "R2_folds" in metrics and trial.span not in seen:
            seen.add(trial.span)
            message = f"`R2_folds` has no meaning where each fold of `{trial.scheme.name}` is one site"
            span = trial.analysis.span("metrics", list(metrics).index("R2_folds"))
            yield Diagnostic(CODE, message, span, help="take `R2`, which pools the folds", severity=Severity.WARNING)
