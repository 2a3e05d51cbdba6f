"""A share of overlapping changes is reported without what chance alone would give.

Where a fifth of the land has a changed cover, a fifth of any other change falls there by chance, and by construction an
attribution puts it down to land cover. Only what exceeds the share under shuffled flags says something about land
cover. `shuffles` gives that share beside the one found.

Huang et al. (2020), doi:10.1126/sciadv.abb8508, whose method this is.

Bad::

    shares: {kind: attribution, of: rs_trend, land_cover: sv_trend, shuffles: 0}

Good::

    shares: {kind: attribution, of: rs_trend, land_cover: sv_trend, shuffles: 1000}
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql import design
from soilql.errors import Diagnostic, Severity
from soilql.spec import Spec

CODE = "SQ674"
TITLE = "share without its null"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning at each attribution or colocation without enough shuffles."""
    for block in design.blocks(spec, "attribution", "colocation"):
        if block.params.shuffles < 100:
            message = f"the shares of `{block.name}` stand without what chance alone would give"
            help = "shuffle 1000 times"
            yield Diagnostic(CODE, message, block.span("shuffles"), help=help, severity=Severity.WARNING)
