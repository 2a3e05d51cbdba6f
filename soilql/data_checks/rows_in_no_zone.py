"""Rows or cells belong to no zone.

They are in no model, subtotal or score of a zone, and the zones do not add up to the whole. A class that no group
lists, a value beyond the outermost break, or a missing value is the reason; the label counts them. Extend the breaks,
list the classes, or name the rest with `others`.

Bad::

    biome: {kind: classes, of: IGBP, groups: {forest: [1, 2, 3, 4, 5]}}

Good::

    biome: {kind: classes, of: IGBP, groups: {forest: [1, 2, 3, 4, 5]}, others: open}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from soilql.errors import Diagnostic, Severity
from soilql.study.words import counted

if TYPE_CHECKING:
    from soilql.study.study import Study

CODE = "SQ809"
TITLE = "rows or cells in no zone"

_SHOWN = 5


def check(study: Study) -> Iterator[Diagnostic]:
    """Yield a warning for each model and each test with rows in no zone."""
    for block, rows in study.zoned():
        lost = int((rows.codes < 0).sum())
        if lost:
            verb = "lies" if lost == 1 else "lie"
            message = f"{counted(lost, 'row')} of {rows.count:,} {verb} in no zone of `{block.params.by}`"
            help = "extend the breaks, list the classes, or filter these rows out"
            yield Diagnostic(CODE, message, block.span("by"), _most(rows.outside), help, Severity.WARNING)


def _most(outside: Mapping[str, int]) -> str:
    ranked = sorted(outside.items(), key=lambda item: (-item[1], item[0]))
    more = f", and {len(ranked) - _SHOWN} more" if len(ranked) > _SHOWN else ""
    return ", ".join(f"{name}: {count:,}" for name, count in ranked[:_SHOWN]) + more
