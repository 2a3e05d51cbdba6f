"""A trend or a partial correlation over so few years that hardly anything can be significant.

With fewer than eight years even a steady rise is no proof: of four years in order, one permutation in 24 rises all the
way, and a two-sided p below 0.05 cannot be had. A partial correlation has no more degrees of freedom than years less
the drivers, the mean and the trend removed. What such a test does not find may well be there.

Hamed (2009), doi:10.1016/j.jhydrol.2009.01.040.

Bad::

    rs_trend: {kind: trend, of: rs, period: [2010, 2014]}

Good::

    rs_trend: {kind: trend, of: rs, period: [2000, 2014]}
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql import design
from soilql.errors import Diagnostic, Severity
from soilql.spec import Spec

CODE = "SQ670"
TITLE = "short series"

#: Fewest years of a trend; a partial correlation needs as many degrees of freedom as leave a test some power.
_YEARS, _DEGREES = 8, 5


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning at each period that is too short for what is asked of it."""
    for block in design.blocks(spec, "trend", "partial_correlation"):
        period = block.params.period
        if period is None:
            continue
        years = int(period[1]) - int(period[0]) + 1
        if block.kind == "trend" and years < _YEARS:
            message = f"{years} years: a trend is hardly ever significant with fewer than {_YEARS}"
        elif block.kind == "partial_correlation" and (degrees := _degrees(block.params, years)) < _DEGREES:
            left = "none" if degrees < 1 else str(degrees)
            drivers = len(block.params.drivers)
            message = f"{years} years and {drivers} drivers leave {left} of at least {_DEGREES} degrees of freedom"
        else:
            continue
        help = "take a longer period, or fewer drivers" if block.kind != "trend" else "take a longer period"
        yield Diagnostic(CODE, message, block.span("period"), help=help, severity=Severity.WARNING)


def _degrees(params: object, years: int) -> int:
    drivers, detrended = len(getattr(params, "drivers", ())), getattr(params, "detrend", "none") != "none"
    return years - 2 - (drivers - 1) - detrended
