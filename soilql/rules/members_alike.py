"""The members of a forest do not show what another sample of sites would have given.

An interval of a total should say how far the total would move with other observations. Members do so when each is a
tree grown on rows drawn anew (`members_from: trees` with `bootstrap: true`). Without the bootstrap all trees see the
same rows. With `members_from: resample` a member is the mean of as many trees drawn again from the forest: such means
differ by 1/sqrt(trees) of what trees differ, so that the interval can be made as narrow as one likes by growing more.

Breiman (2001), doi:10.1023/A:1010933404324; Wager, Hastie & Efron (2014), Journal of Machine Learning Research 15.

Bad::

    qrf: {kind: quantile_forest, formula: Rs ~ MAT + MAP, data: training, bootstrap: false}
    rs: {kind: predict, model: qrf, on: drivers, members: 200}

Good::

    qrf: {kind: quantile_forest, formula: Rs ~ MAT + MAP, data: training}
    rs: {kind: predict, model: qrf, on: drivers, members: 200}
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql import design
from soilql.errors import Diagnostic, Severity
from soilql.spec import Spec

CODE = "SQ627"
TITLE = "members that show no sampling error"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning for each prediction with members of a forest that are too much alike."""
    for prediction, model in design.mappings(spec):
        if model.kind not in design.FORESTS or not prediction.params.members:
            continue
        why = ""
        if not model.params.bootstrap and model.params.members_from in ("trees", "resample"):
            why = f"the trees of `{model.name}` all see the same rows"
            help = f"leave out {design.setting(model, 'bootstrap', 'false')}"
        elif model.params.members_from == "resample":
            why = f"resampled means of `{model.name}` draw together as trees are added"
            help = f"leave out {design.setting(model, 'members_from', 'resample')}"
        if why:
            message = f"the members of `{prediction.name}` show no sampling error: {why}"
            yield Diagnostic(CODE, message, prediction.span("members"), help=help, severity=Severity.WARNING)
