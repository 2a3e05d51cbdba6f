"""Annual fluxes that were measured for a part of the year train the model.

Nearly one annual flux in six of the Soil Respiration Database rests on measurements of less than nine tenths of a year;
the rest was filled in by each author's own assumption, often that the winter flux is nil. In cold and dry places, where
seasons are missed most often, that is a bias and no noise. `Annual_coverage` is the share of the year that was
measured.

Bond-Lamberty & Thomson (2010), doi:10.5194/bg-7-1915-2010.

Bad::

    where: Rs_annual > 0 and Manipulation == "None"

Good::

    where: Rs_annual > 0 and Manipulation == "None" and Annual_coverage >= 0.9
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql import design, lineage
from soilql.errors import Diagnostic, Severity
from soilql.spec import Spec

CODE = "SQ638"
TITLE = "fluxes of a part of the year among the training rows"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning for each table of the database that trains a model whatever part of the year was measured."""
    for table, flux in design.srdb_tables(spec):
        if flux.endswith("_annual") and "Annual_coverage" not in lineage.filtered(spec, table):
            message = f"`{table.name}` trains on `{flux}` whatever part of the year was measured"
            help = "add a condition such as `Annual_coverage >= 0.9` to its filter"
            yield Diagnostic(CODE, message, table.key_span("where"), help=help, severity=Severity.WARNING)
