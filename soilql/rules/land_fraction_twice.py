"""The flux is already multiplied by the land fraction, and `land_fraction` would do so once more.

Coasts, islands and lake districts would count too little: a cell that is half land would give a quarter of its flux.
Leave one of the two out.

Bad::

    rs_land: {kind: compute, expr: rs * land.land_fraction}
    budget: {kind: total, of: rs_land, land_fraction: land.land_fraction}

Good::

    budget: {kind: total, of: rs, land_fraction: land.land_fraction}
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql import design
from soilql.errors import Diagnostic
from soilql.spec import Spec

CODE = "SQ610"
TITLE = "land fraction applied twice"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield an error for each flux that a total multiplies by a land fraction that is in it already."""
    for total in design.blocks(spec, "total"):
        fraction = total.params.land_fraction
        for i, ref in enumerate(total.params.of if fraction != "none" else ()):
            if (where := design.land_fraction_in(spec, ref, str(fraction))) is not None:
                by = "" if where == ref.block else f", by `{where}`,"
                message = f"the land fraction is in `{ref}` already{by} and would be applied twice"
                yield Diagnostic(CODE, message, total.span("of", i), help="leave `land_fraction` out, or the product")
