"""Drivers are selected on the rows that a test holds out.

A test by folds says how well a study would do at places that it has not seen. If the drivers were chosen with those
places among the data, they fit them by chance as well, and the test does not notice: on pure noise, one driver of 6, 12
and 9 selected in three stages, R2 is +0.05 where the selection was made before the folds and -0.22 where it is part of
them. `nested: false` repeats studies that did so; say beside their scores that they are too good.

Ambroise & McLachlan (2002), doi:10.1073/pnas.102102699; Hastie, Tibshirani & Friedman (2009), section 7.10.2.

Bad::

    models:
      staged: {kind: staged_selection, data: training, stages: {...}, nested: false}
    analyses:
      skill: {kind: evaluate, models: staged, scheme: by_site}

Good::

    models:
      staged: {kind: staged_selection, data: training, stages: {...}}
    analyses:
      skill: {kind: evaluate, models: staged, scheme: by_site}
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql import design
from soilql.errors import Diagnostic, Severity
from soilql.spec import Spec

CODE = "SQ667"
TITLE = "drivers selected outside the folds"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning at each selection that a test does not make anew."""
    seen: set[str] = set()
    for trial in design.trials(spec):
        for block in design.upstream(spec, trial.model.name):
            if block.kind == "staged_selection" and not block.params.nested and block.name not in seen:
                seen.add(block.name)
                message = f"`{block.name}` selects its drivers on the rows that `{trial.analysis.name}` holds out"
                why = "the scores are too good"
                help = (
                    f"leave {design.setting(block, 'nested', 'false')} out, so that each fold makes the selection anew"
                )
                yield Diagnostic(CODE, message, block.span("nested"), why, help, Severity.WARNING)
