"""A variant of the Mann-Kendall test that finds trends in noise more often than its level says.

Trend-free pre-whitening removes the autocorrelation together with a trend that noise alone has drawn, and leaves too
little of it in the series that is tested: of fifteen years of AR(1) noise with a correlation of 0.4, it calls 18 % a
trend at a nominal 5 %. The variance correction of Yue and Wang with all lags calls 40 % and more. Plain pre-whitening
(`pw`) keeps its level, at some loss of power.

Yue and Wang (2004), doi:10.1023/B:WARM.0000043140.61082.60; Hamed (2009), doi:10.1016/j.jhydrol.2009.01.040.

Bad::

    rs_trend: {kind: trend, of: rs, test: tfpw}

Good::

    rs_trend: {kind: trend, of: rs, test: pw}
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql import design
from soilql.errors import Diagnostic, Severity
from soilql.spec import Spec

CODE = "SQ673"
TITLE = "trend test that does not keep its level"

_FALSE = {"tfpw": "trend-free pre-whitening", "yue_wang": "the variance correction with all lags"}


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning at each test known to find too many trends."""
    for block in design.blocks(spec, "trend"):
        if block.params.test in _FALSE:
            message = f"{_FALSE[block.params.test]} finds too many trends in short autocorrelated series"
            help = f"{design.setting(block, 'test', 'pw')} keeps its level"
            yield Diagnostic(CODE, message, block.span("test"), help=help, severity=Severity.WARNING)
