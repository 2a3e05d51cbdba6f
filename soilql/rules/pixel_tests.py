"""Cells are counted as changed one by one, although some of many tests are significant by chance.

Of a thousand cells without any change, fifty have p < 0.05, more where neighbours resemble one another. A false
discovery rate says which of them still count together: `significance: field`. A study that counted single tests can be
repeated by stating so.

Wilks (2016), doi:10.1175/BAMS-D-15-00267.1.

Bad::

    together: {kind: colocation, of: rs_trend, drivers: {TEM: tem_trend}}

Good::

    together: {kind: colocation, of: rs_trend, drivers: {TEM: tem_trend}, significance: field}
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql import design
from soilql.errors import Diagnostic, Severity
from soilql.spec import Spec

CODE = "SQ676"
TITLE = "tests of single cells"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning at each count of cells that does not say which significance it means."""
    for block in design.blocks(spec, "attribution", "colocation"):
        if block.node.entry("significance") is None:
            message = f"`{block.name}` counts cells with p below the level, of which some are so by chance"
            field, p = (design.setting(block, "significance", one) for one in ("field", "p"))
            help = f"say {field}, or state {p}"
            yield Diagnostic(CODE, message, block.name_span, help=help, severity=Severity.WARNING)
