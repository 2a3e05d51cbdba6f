"""A model is tested by folds whose rows had a part in choosing its hyperparameters.

With `nested: false` the best values are sought once, on all rows, and kept in every fold: the rows held out have been
looked at already, and the score is too good, the more so the fewer the rows and the more the candidates. Left out,
`nested` makes the search anew inside the training rows of each fold, and the score is that of the whole procedure.

Varma & Simon (2006), doi:10.1186/1471-2105-7-91; Cawley & Talbot (2010), Journal of Machine Learning Research 11,
2079-2107.

Bad::

    svm: {kind: svr, formula: Rs ~ MAT + MAP, data: training, tune: {over: {C: [1, 10, 100]}, nested: false}}
    skill: {kind: evaluate, models: svm, scheme: by_site}

Good::

    svm: {kind: svr, formula: Rs ~ MAT + MAP, data: training, tune: {over: {C: [1, 10, 100]}}}
    skill: {kind: evaluate, models: svm, scheme: by_site}
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql import design
from soilql.errors import Diagnostic, Severity
from soilql.spec import Spec

CODE = "SQ650"
TITLE = "tuned outside the folds"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning for each tested model whose search is not part of the folds."""
    seen = set()
    for trial in design.trials(spec):
        model = trial.model
        tune = getattr(model.params, "tune", None)
        if tune is None or tune.nested or model.name in seen:
            continue
        seen.add(model.name)
        message = f"`{model.name}` is tested by folds that had a part in choosing its hyperparameters"
        help = "leave `nested: false` out: the search is then made anew in each fold"
        yield Diagnostic(CODE, message, model.span("tune", "nested"), help=help, severity=Severity.WARNING)
