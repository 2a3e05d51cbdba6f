"""With the data the places are counted whose rows stand in several folds.

Bad::

    random: {kind: kfold, folds: 10}                # 187 of 245 places lie in several folds

Good::

    by_place: {kind: kfold, folds: 10, group: site}
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from soilql import design
from soilql.errors import Diagnostic, Severity

if TYPE_CHECKING:
    from soilql.study.study import Study

CODE = "SQ620"
TITLE = "folds that split a place"


def check(study: Study) -> Iterator[Diagnostic]:
    """Yield a warning for each test whose folds share a place out; folds by time do so on purpose."""
    seen = set()
    for trial, table, folds in study.folds():
        labels = table.labels("site")
        times = design.held_out(study.spec, trial.scheme, str(getattr(trial.model.params, "data", ""))) == "times"
        if labels is None or times or trial.span in seen:
            continue
        seen.add(trial.span)
        in_folds: dict[str, set[int]] = {}
        for label, fold in zip(labels, folds, strict=True):
            in_folds.setdefault(label, set()).add(int(fold))
        split = sum(len(found - {-1}) > 1 for found in in_folds.values())
        if split:
            message = f"`{trial.scheme.name}` puts rows of {split:,} of {len(in_folds):,} places in several folds"
            help = f"keep places together: {design.setting(trial.scheme, 'group', 'site')} in `{trial.scheme.name}`"
            yield Diagnostic(CODE, message, trial.span, "tested at places it has seen", help, Severity.WARNING)
