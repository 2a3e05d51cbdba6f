"""Many sites have no drivers.

Sites outside the grid, or in cells where a driver is missing (coasts, lakes, islands), are left out of what is
fitted. They are seldom a random part of all: coasts, wetlands and islands go first. `max_distance` lets a site take
the nearest cell that has all drivers; a driver that alone costs many sites may not be worth it. Up to a tenth is
counted in the notes of a run; more is reported here.

Bad::

    training: {kind: extract, at: obs, from: drivers}

Good::

    training: {kind: extract, at: obs, from: drivers, max_distance: 60}
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from soilql.errors import Diagnostic, Severity

if TYPE_CHECKING:
    from soilql.study.study import Study

CODE = "SQ730"
TITLE = "sites without drivers"

#: Share of the sites that may be lost without a word.
_FEW = 0.1


def check(study: Study) -> Iterator[Diagnostic]:
    """Yield a warning for each join in which more than a tenth of the sites lack drivers."""
    for block in study.joins():
        before, after = study.table(block.params.at.block), study.table(block.name)
        if before is None or after is None:
            continue
        said = next((note.message for note in after.notes if note.code == CODE), None)
        good = int((after.frame["status"] == "ok").sum()) if "status" in after.frame.columns else len(after.frame)
        if said is not None and good < (1 - _FEW) * len(before.frame):
            # The number of sites that each driver costs follows the colon.
            counts = said.partition(": ")[2]
            message = f"{good:,} of {len(before.frame):,} rows of `{block.params.at}` have all drivers"
            max_distance = getattr(block.params, "max_distance", None)
            help = "give `max_distance` for sites beside a cell with values" if max_distance is None else ""
            yield Diagnostic(CODE, message, block.span("at"), counts, help, Severity.WARNING)
