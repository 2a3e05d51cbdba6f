"""The inner folds of a search put rows of one place on both sides.

Rows of one place resemble each other. Where a fold holds out some of them and trains on the others, the candidate wins
that remembers places best: narrow kernels, deep trees, many neurons. Left out, `group` keeps places together.

Roberts et al. (2017), doi:10.1111/ecog.02881.

Bad::

    svm: {kind: svr, formula: Rs ~ MAT + MAP, data: training, tune: {over: {C: [1, 10, 100]}, group: rows}}

Good::

    svm: {kind: svr, formula: Rs ~ MAT + MAP, data: training, tune: {over: {C: [1, 10, 100]}}}
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql import design
from soilql.errors import Diagnostic, Severity
from soilql.fits.tuning import ROWS
from soilql.spec import Spec

CODE = "SQ653"
TITLE = "search by folds that split a place"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning for each search by single rows of a table with several rows a place."""
    for model in design.models(spec):
        tune = getattr(model.params, "tune", None)
        if tune is None or tune.group != ROWS:
            continue
        why = design.why_places_repeat(spec, str(model.params.data))
        if why:
            message = f"the search of `{model.name}` splits places: {why}"
            help = f"leave `group: {ROWS}` out"
            yield Diagnostic(CODE, message, model.span("tune", "group"), help=help, severity=Severity.WARNING)
