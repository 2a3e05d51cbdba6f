"""Sites lie at latitude 0 and longitude 0.

Nothing was measured on land there: it is sea. A missing coordinate was written as 0, and such a site gets the drivers
of the nearest cell with values, in Africa.

Bad::

    lat,lon,Rs
    0,0,812

Good::

    lat,lon,Rs
    ,,812
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from soilql.errors import Diagnostic, Severity
from soilql.study.words import counted

if TYPE_CHECKING:
    from soilql.study.study import Study

CODE = "SQ744"
TITLE = "sites at 0 degrees north and east"


def check(study: Study) -> Iterator[Diagnostic]:
    """Yield a warning for each table with rows at 0, 0."""
    for block in study.sources():
        table = study.table(block.name)
        if table is None or not {"lat", "lon"} <= set(table.roles):
            continue
        lat, lon = (table.frame[table.roles[axis]] for axis in ("lat", "lon"))
        number = int(((lat == 0) & (lon == 0)).sum())
        if number:
            verb = "lies" if number == 1 else "lie"
            message = f"{counted(number, 'row')} of `{block.name}` {verb} at 0 degrees north and 0 degrees east"
            help = f"add `{table.roles['lat']} != 0 or {table.roles['lon']} != 0` to its filter, or mend the file"
            yield Diagnostic(CODE, message, block.span("roles", "lat"), "in the sea", help, Severity.WARNING)
