"""Quantiles are read off a forest of few trees.

A quantile forest estimates a whole distribution from the training rows that share leaves with a place. Its mean settles
with some tens of trees; the tails, which few rows hold, take hundreds: with 50 trees the outer quantiles change from
seed to seed and the maps show it as noise.

Meinshausen (2006), Journal of Machine Learning Research 7, 983-999 (1,000 trees); Probst & Boulesteix (2018), Journal
of Machine Learning Research 18, 1-18.

Bad::

    qrf: {kind: quantile_forest, formula: Rs ~ MAT + MAP, data: training, trees: 50}

Good::

    qrf: {kind: quantile_forest, formula: Rs ~ MAT + MAP, data: training, trees: 500}
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql import design
from soilql.errors import Diagnostic, Severity
from soilql.spec import Spec

CODE = "SQ628"
TITLE = "too few trees for quantiles"

FEWEST = 100


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning for each quantile forest of few trees whose quantiles are mapped."""
    seen = set()
    for prediction, model in design.mappings(spec):
        if model.kind != "quantile_forest" or model.params.trees >= FEWEST or model.name in seen:
            continue
        if prediction.params.quantiles:
            seen.add(model.name)
            message = f"quantiles of {model.params.trees} trees change from seed to seed"
            help = f"grow at least {FEWEST}, better 500"
            yield Diagnostic(CODE, message, model.span("trees"), help=help, severity=Severity.WARNING)
