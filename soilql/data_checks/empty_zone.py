"""A zone of a partition has no row of the data.

Its row of a table of skill is empty, its map and subtotal cannot be made from data of its own. Mostly the classes are
numbered otherwise than the spec has them, or the breaks are in another unit than the data.

Bad::

    zones:
      climate: {kind: cut, of: MAT, breaks: [275, 290], labels: [cold, mild, warm]}      # MAT is in degC

Good::

    zones:
      climate: {kind: cut, of: MAT, breaks: [2, 17], labels: [cold, mild, warm]}
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from soilql.errors import Diagnostic, Severity
from soilql.study.words import listed

if TYPE_CHECKING:
    from soilql.study.study import Study

CODE = "SQ748"
TITLE = "zone without rows"


def check(study: Study) -> Iterator[Diagnostic]:
    """Yield a warning for each test by zones of which some hold no row; of a model that is another finding."""
    seen: set[tuple[str, ...]] = set()
    for block, rows in study.zoned():
        counts = {zone: count for zone, _, count in rows.by_zone()}
        empty = [zone for zone, count in counts.items() if not count]
        key = (str(block.params.by), *empty)
        new = empty and key not in seen
        seen.add(key)
        if not new or block.section == "models":
            continue
        full = ", ".join(f"{zone}: {count:,}" for zone, count in counts.items() if count)
        message = f"no row lies in {listed(empty)} of `{block.params.by}`"
        help = "are the breaks in the unit of the data, and the classes those of the data?"
        yield Diagnostic(CODE, message, block.span("by"), full or "nor in any other zone", help, Severity.WARNING)
