"""Each Monte Carlo member is one tree of the forest, so there cannot be more members than trees.

A tree is grown on rows of its own and stands for what another sample of sites would have given. Taking trees twice
would add members and no knowledge.

Bad::

    qrf: {kind: quantile_forest, formula: Rs ~ MAT + MAP, data: training, trees: 100}
    rs: {kind: predict, model: qrf, on: drivers, members: 200}

Good::

    qrf: {kind: quantile_forest, formula: Rs ~ MAT + MAP, data: training, trees: 500}
    rs: {kind: predict, model: qrf, on: drivers, members: 200}
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql import design
from soilql.errors import Diagnostic
from soilql.spec import Spec

CODE = "SQ805"
TITLE = "more members than trees"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield an error for each prediction that asks a forest for more members than it has trees."""
    for prediction, model in design.mappings(spec):
        if model.kind not in design.FORESTS or model.params.members_from != "trees":
            continue
        members, trees = prediction.params.members, model.params.trees
        if members > trees:
            message = f"{members} members asked of the {trees} trees of `{model.name}`"
            yield Diagnostic(
                CODE, message, prediction.span("members"), help="grow more trees, or ask for fewer members"
            )
