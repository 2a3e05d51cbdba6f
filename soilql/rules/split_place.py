"""Rows of one place stand in the training rows and in the test rows of the same fold.

Rows that share a place share its soil, its climate and its vegetation, and often the author and the chamber. A model
that has seen one of them is tested on little that is new when it meets the next: it recalls the place, and its skill
says nothing of places without observations. Of the annual fluxes of the Soil Respiration Database four in five share
their place with others. Keep whole places together. Where both kinds of folds are reported, say so in a suppression.

Roberts et al. (2017), doi:10.1111/ecog.02881; Ploton et al. (2020), doi:10.1038/s41467-020-18321-y.

Bad::

    average: {of: Rs, by: [lat, lon, time]}
    ...
    validation:
      random: {kind: kfold, folds: 10}

Good::

    validation:
      by_place: {kind: kfold, folds: 10, group: site}
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql import design
from soilql.errors import Diagnostic, Severity
from soilql.spec import Spec

CODE = "SQ620"
TITLE = "folds that split a place"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning for each test whose folds shuffle single rows of a table in which places repeat."""
    seen = set()
    for trial in design.trials(spec):
        table = str(getattr(trial.model.params, "data", ""))
        why = design.why_places_repeat(spec, table)
        if not why or trial.span in seen or design.held_out(spec, trial.scheme, table) != "rows":
            continue
        seen.add(trial.span)
        message = f"`{trial.scheme.name}` shuffles single rows, and {why}"
        help = f"keep places together: {design.setting(trial.scheme, 'group', 'site')} in `{trial.scheme.name}`"
        yield Diagnostic(CODE, message, trial.span, "tested at places it has seen", help, Severity.WARNING)
