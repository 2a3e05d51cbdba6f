"""A total counts every cell with a value in full, also where a part of it is sea.

At half a degree that adds a few per cent to a global total. Give `land_fraction`, or state that cells count in full:
`land_fraction: none`, as for a flux per area of the cell, for cells so small that coasts do not matter, or to compare
with a study that did so.

Bad::

    budget: {kind: total, of: rs}

Good::

    budget: {kind: total, of: rs, land_fraction: land.land_fraction}
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql import design
from soilql.errors import Diagnostic, Severity
from soilql.spec import Spec

CODE = "SQ611"
TITLE = "no land fraction"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning for each total that says nothing of a land fraction, of grids that are not made up."""
    for total in design.blocks(spec, "total"):
        if total.node.entry("land_fraction") is not None:
            continue
        added = [(ref, "of", i) for i, ref in enumerate(total.params.of)]
        added += [(total.params.on, "models", i) for i in range(len(total.params.models))]
        for ref, key, i in added:
            real = any(block.kind == "grid" for block in design.upstream(spec, ref.block))
            if real and design.land_fraction_in(spec, ref) is None:
                message = f"`{total.name}` counts cells in full, coasts and lakes included"
                given, none = (design.setting(total, "land_fraction", one) for one in ("GRID.VARIABLE", "none"))
                help = f"give {given}, or state {none}"
                yield Diagnostic(CODE, message, total.span(key, i), help=help, severity=Severity.WARNING)
                break
