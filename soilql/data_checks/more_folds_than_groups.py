"""With the data the folds are made, and what keeps them from being made is told, such as rows without a group.

Bad::

    by_site: {kind: kfold, folds: 10, group: site}         # of 7 sites

Good::

    by_site: {kind: leave_one_group_out, group: site}
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from soilql.errors import Diagnostic

if TYPE_CHECKING:
    from soilql.study.study import Study

CODE = "SQ606"
TITLE = "too few rows or groups for the folds"


def check(study: Study) -> Iterator[Diagnostic]:
    """Yield what is wrong with the folds of each test."""
    seen = set()
    for trial, problems in study.fold_problems():
        for one in problems:
            span = one.span or trial.span
            if (one.code, span) not in seen:
                seen.add((one.code, span))
                note = f"for the rows of `{trial.model.name}`"
                yield replace(one, span=span, notes=(*one.notes, note))
