"""A search makes so many fits that it takes long.

Every combination of a grid is fitted in every inner fold, in every zone, and again in every fold of a test. A random
search of some fifty draws finds values about as good as a full grid, because few of the parameters matter.

Bergstra & Bengio (2012), Journal of Machine Learning Research 13, 281-305.

Bad::

    tune: {over: {C: {low: 0.1, high: 1000, log: true, steps: 30}, gamma: {low: 0.01, high: 10, log: true, steps: 30}}}

Good::

    tune: {over: {C: {low: 0.1, high: 1000, log: true}, gamma: {low: 0.01, high: 10, log: true}}, search: random}
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql import design
from soilql.errors import Diagnostic, Severity
from soilql.spec import Spec

CODE = "SQ652"
TITLE = "search of very many fits"

MANY = 2000


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a hint for each search of more than two thousand fits a zone."""
    for model in design.models(spec):
        tune = getattr(model.params, "tune", None)
        if tune is None:
            continue
        fits = tune.count * tune.folds
        if fits > MANY:
            message = f"`{model.name}` makes {fits:,} fits a zone: {tune.count:,} candidates in {tune.folds} folds"
            help = "list fewer values, or write `search: random`"
            yield Diagnostic(CODE, message, model.span("tune", "over"), help=help, severity=Severity.INFO)
