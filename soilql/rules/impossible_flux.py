"""Fluxes that cannot be train the model.

The annual soil respiration in the Soil Respiration Database runs from -200 to 23,046 g C m-2 yr-1, and in its later
versions to 40,997: slips of units and signs that the database keeps as they were published. A least-squares fit follows
its largest values, and a forest repeats them on the map.

Jian et al. (2021), doi:10.5194/essd-13-255-2021.

Bad::

    srdb: {kind: table, source: registry:srdb-v5, where: Manipulation == "None"}

Good::

    srdb: {kind: table, source: registry:srdb-v5, where: Rs_annual > 0 and Manipulation == "None"}
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql import design, lineage
from soilql.errors import Diagnostic, Severity
from soilql.spec import Spec

CODE = "SQ637"
TITLE = "impossible fluxes among the training rows"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning for each table of the database that trains a model with its impossible fluxes."""
    for table, flux in design.srdb_tables(spec):
        if flux not in lineage.filtered(spec, table):
            message = f"`{table.name}` trains on `{flux}` whatever its value"
            help = f"add `{flux} > 0` to its filter, and a limit above which you take no value for right"
            yield Diagnostic(CODE, message, table.key_span("where"), help=help, severity=Severity.WARNING)
