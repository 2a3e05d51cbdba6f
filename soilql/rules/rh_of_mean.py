"""Heterotrophic respiration is computed from a mean of several years or places.

The equations of `rh_from_rs` bend: the share of heterotrophic respiration falls as total respiration grows. By Jensen's
inequality the result for a mean flux is larger than the mean of the results, the more so the more the fluxes differ.
Compute first, average afterwards.

Bond-Lamberty, Wang & Gower (2004), doi:10.1111/j.1365-2486.2004.00816.x; Ruel & Ayres (1999),
doi:10.1016/S0169-5347(99)01664-X.

Bad::

    srdb: {kind: table, ..., average: {of: Rs, by: [lat, lon]}}
    ...
    rh: {kind: compute, expr: 'rh_from_rs(srdb.Rs, "subke-2006")'}

Good::

    srdb:
      kind: table
      columns: {Rh: {expr: 'rh_from_rs(Rs_annual, "subke-2006")', unit: g C m-2 yr-1}}
      average: {of: Rh, by: [lat, lon]}
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql import design
from soilql.errors import Diagnostic, Severity
from soilql.expr import ast
from soilql.params import Ref
from soilql.spec import Spec

CODE = "SQ630"
TITLE = "heterotrophic respiration of a mean"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning for each argument of `rh_from_rs` that is a mean."""
    for block in design.blocks(spec, "compute"):
        expression = block.params.expr
        for call in ast.walk(expression.root):
            if not (isinstance(call, ast.Call) and call.function == "rh_from_rs"):
                continue
            argument = call.arguments[0]
            why = "the argument is a mean" if _is_mean(argument) else _averaged(spec, argument)
            if why:
                message = f"heterotrophic respiration of a mean is not the mean of it: {why}"
                help = "compute it from each flux, and average the results"
                yield Diagnostic(CODE, message, expression.span(argument), help=help, severity=Severity.WARNING)


def _is_mean(node: ast.Node) -> bool:
    """Return whether a node is a sum divided by the number of its summands."""
    if not (isinstance(node, ast.Binary) and node.operator == "/" and isinstance(node.right, ast.Number)):
        return False
    summands, left = 1, node.left
    while isinstance(left, ast.Binary) and left.operator == "+":
        summands, left = summands + 1, left.left
    return summands > 1 and node.right.value == summands


def _averaged(spec: Spec, node: ast.Node) -> str:
    """Return why a column is an average over times, or an empty text."""
    ref = Ref(node.name) if isinstance(node, ast.Name) else Ref("")
    table = design.sites(spec, ref.block)
    if table is None or table.kind != "table" or table.params.average is None or ref.variable is None:
        return ""
    average, roles = table.params.average, table.params.roles
    times = {"time", "year", str(roles.get("time", "time"))}
    if ref.variable not in average.of or times & set(map(str, average.by)):
        return ""
    return f"`{table.name}` averages `{ref.variable}` by {', '.join(average.by)} and not by time"
