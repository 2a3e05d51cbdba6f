"""A model is mapped to places without observations, and no test holds places out.

A map is prediction at places that were never measured. Folds of single rows, or of whole years, leave every place
among the training rows, and so answer another question: how well are gaps filled at places that are known? Observations
gather in a few regions, so that the answer is far better than the map. At least one scheme should hold out whole
places. Where places are a random sample of the region, folds of single places are enough (Wadoux et al. 2021).

Meyer & Pebesma (2022), doi:10.1038/s41467-022-29838-9; Wadoux et al. (2021), doi:10.1016/j.ecolmodel.2021.109692.

Bad::

    validation:
      by_year: {kind: leave_one_group_out, group: time}

Good::

    validation:
      by_year: {kind: leave_one_group_out, group: time}
      by_place: {kind: kfold, folds: 10, group: site}
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql import design
from soilql.errors import Diagnostic, Severity
from soilql.spec import Spec

CODE = "SQ621"
TITLE = "no test at places that were not seen"

_WORDS = {"rows": "single rows", "times": "whole years"}


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning for each model that is mapped and tested, but never at places held out."""
    seen = set()
    for prediction, model in design.mappings(spec):
        trials = list(design.trials(spec, model.name))
        table = str(getattr(model.params, "data", ""))
        held = {design.held_out(spec, trial.scheme, table) for trial in trials}
        if model.name in seen or not held or "places" in held or not design.is_whole(spec):
            continue
        seen.add(model.name)
        # Rows of places that repeat have a finding of their own, and rows that are places hold places out.
        if held >= {"rows"} and (design.why_places_repeat(spec, table) or design.rows_are_places(spec, table)):
            continue
        words = " and ".join(_WORDS[one] for one in sorted(held))
        message = f"`{model.name}` is mapped, and its tests hold out {words} but no places"
        help = "add a scheme by place, such as `{kind: kfold, folds: 10, group: site}`"
        yield Diagnostic(CODE, message, prediction.span("model"), help=help, severity=Severity.WARNING)
