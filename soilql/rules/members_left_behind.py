"""A flux is computed from the mean map alone, and its total loses the interval.

`rs.mean` is one map. `rs` alone stands for each variable of the block in turn, so that the expression is computed for
the mean, for every quantile and for every member, and a total of the result has an interval. It also keeps the mean
right: the mean of a curved function of the members is not the function of their mean.

Wadoux & Heuvelink (2023), doi:10.1111/2041-210X.14106.

Bad::

    rs: {kind: predict, model: qrf, on: drivers, members: 200}
    rh: {kind: compute, expr: 'rh_from_rs(rs.mean, "subke-2006")'}
    budget: {kind: total, of: [rs, rh]}

Good::

    rs: {kind: predict, model: qrf, on: drivers, members: 200}
    rh: {kind: compute, expr: 'rh_from_rs(rs, "subke-2006")'}
    budget: {kind: total, of: [rs, rh]}
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql import design
from soilql.errors import Diagnostic, Severity
from soilql.expr.ast import Name, walk
from soilql.params import Ref
from soilql.spec import Spec

CODE = "SQ629"
TITLE = "members left behind"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning at each mean taken of a block with members, in an expression that is added up."""
    added = {ref.block for total in design.blocks(spec, "total") for ref in total.params.of}
    for block in design.blocks(spec, "compute"):
        for node in walk(block.params.expr.root) if block.name in added else ():
            ref = Ref(node.name) if isinstance(node, Name) else Ref("")
            source = spec.block(ref.block)
            if ref.variable == "mean" and source is not None and source.kind == "predict" and source.params.members:
                message = (
                    f"`{ref}` leaves the members of `{ref.block}` behind: the total of `{block.name}` has no interval"
                )
                help = f"write `{ref.block}`, which stands for the mean and each member"
                yield Diagnostic(CODE, message, block.params.expr.span(node), help=help, severity=Severity.WARNING)
