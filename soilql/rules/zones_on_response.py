"""The zones of a test or a model are cut on the response.

Rows sorted by the value that is to be predicted are no fair test: among the smallest observations every sound model
predicts too much, among the largest too little, and R2 falls within each class because the classes took the variance
away. A model fitted apart in such zones needs the answer to know which zone a place belongs to. Make zones of what is
known beforehand: climate, biome, or the prediction.

Lerch et al. (2017), doi:10.1214/16-STS588.

Bad::

    zones:
      level: {kind: cut, of: Rs, breaks: [500, 1000], labels: [low, middle, high]}
    analyses:
      skill: {kind: evaluate, models: qrf, scheme: by_place, by: level}

Good::

    zones:
      climate: {kind: cut, of: MAT, breaks: [2, 17], labels: [boreal, temperate, tropical]}
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql import design, lineage
from soilql.errors import Diagnostic, Severity
from soilql.fits.zoning import needs_of
from soilql.kinds import Block
from soilql.spec import Spec

CODE = "SQ643"
TITLE = "zones cut on the response"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning for each test or model by zones of the response."""
    for trial in design.trials(spec):
        yield from _problem(spec, trial.analysis, trial.model, "a test by the value to be predicted misleads")
    for model in design.models(spec):
        yield from _problem(spec, model, model, "where it is to predict, the zone is not known")


def _problem(spec: Spec, block: Block, model: Block, why: str) -> Iterator[Diagnostic]:
    by = getattr(block.params, "by", None)
    if by is None or not hasattr(model.params, "formula"):
        return
    response, data = design.response(model), str(model.params.data)
    wanted = lineage.origins(spec, data, response) if response is not None else frozenset()
    for column in needs_of(by, spec) if wanted else ():
        if column != response and not wanted <= lineage.origins(spec, data, column):
            continue
        message = f"the zones `{by}` are cut on `{column}`, the response of `{model.name}`"
        help = "cut on what is known beforehand, such as climate"
        yield Diagnostic(CODE, message, block.span("by"), why, help, Severity.WARNING)
