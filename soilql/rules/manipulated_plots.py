"""Plots that were warmed, fertilised, trenched or cut train the model.

Nearly a third of the annual fluxes of the Soil Respiration Database come from plots that an experiment changed. A map
of today's soil respiration must not learn from them: their climate and vegetation are those of the site, and their flux
is not. `None` in the column `Manipulation` is the word for an unchanged plot, and no missing value.

Jian et al. (2021), doi:10.5194/essd-13-255-2021.

Bad::

    srdb: {kind: table, source: registry:srdb-v5, where: Rs_annual > 0}

Good::

    srdb: {kind: table, source: registry:srdb-v5, where: Rs_annual > 0 and Manipulation == "None"}
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql import design, lineage
from soilql.errors import Diagnostic, Severity
from soilql.spec import Spec

CODE = "SQ636"
TITLE = "manipulated plots among the training rows"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning for each table of the database that trains a model with its manipulated plots."""
    for table, flux in design.srdb_tables(spec):
        if "Manipulation" not in lineage.filtered(spec, table):
            message = f"`{table.name}` trains on `{flux}` of manipulated plots"
            help = 'add `Manipulation == "None"` to its filter'
            yield Diagnostic(CODE, message, table.key_span("where"), help=help, severity=Severity.WARNING)
