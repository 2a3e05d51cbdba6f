"""Heterotrophic respiration is computed from a flux that is not of a year.

The equations of `rh_from_rs` were fitted to annual sums. The flux of a day or a growing season can be converted to the
unit of a year, but it is not the flux of a year: the equations then see a value that no year has, and the result holds
for no period at all. Sum up to the year first. A flux given per day that is a mean over the whole year is sound: state
its unit per year.

Bond-Lamberty, Wang & Gower (2004), doi:10.1111/j.1365-2486.2004.00816.x; Subke, Inglima & Cotrufo (2006),
doi:10.1111/j.1365-2486.2006.01117.x.

Bad::

    columns: {Rh: {expr: 'rh_from_rs(Rs_summer, "subke-2006")', unit: g C m-2 yr-1}}

Good::

    columns: {Rh: {expr: 'rh_from_rs(Rs_annual, "subke-2006")', unit: g C m-2 yr-1}}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from soilql import design, lineage
from soilql.errors import Diagnostic, Severity
from soilql.expr import ast
from soilql.expr.parse import Expression
from soilql.kinds import Block
from soilql.params import Ref
from soilql.spec import Spec
from soilql.units import UnitError, parse_unit

CODE = "SQ631"
TITLE = "heterotrophic respiration of another period than a year"

_PERIODS = {"s": "second", "min": "minute", "h": "hour", "d": "day", "week": "week", "month": "month"}


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning for each argument of `rh_from_rs` whose unit is that of another period."""
    for block in design.blocks(spec, "compute", "table", "grid"):
        for expression in _expressions(block):
            for call in ast.walk(expression.root):
                if not (isinstance(call, ast.Call) and call.function == "rh_from_rs"):
                    continue
                argument = call.arguments[0]
                period = _period(spec, block, argument.name) if isinstance(argument, ast.Name) else ""
                if period:
                    message = (
                        f"`{ast.to_text(argument)}` is a flux per {period}, and the equation is one of annual sums"
                    )
                    help = "sum it up to the year first; if it is a mean over the year, state its unit per year"
                    yield Diagnostic(CODE, message, expression.span(argument), help=help, severity=Severity.WARNING)


def _expressions(block: Block) -> Iterator[Expression]:
    if block.kind == "compute":
        yield block.params.expr
        return
    made: Mapping[str, object] = block.params.columns if block.kind == "table" else block.params.derive
    for one in made.values():
        expression = getattr(one, "expr", None)
        if expression is not None:
            yield expression


def _period(spec: Spec, block: Block, name: str) -> str:
    """Return the period of a flux, or an empty text where it is a year or not known."""
    try:
        factors = parse_unit(_unit(spec, block, name) or "1").factors
    except UnitError:
        return ""
    return next((_PERIODS[f.symbol] for f in factors if f.exponent == -1 and f.symbol in _PERIODS), "")


def _unit(spec: Spec, block: Block, name: str) -> str | None:
    if block.kind == "compute":
        known = spec.schema(Ref(name))
        units = {one.unit for one in known.variables.values()} if known is not None else set()
        return units.pop() if len(units) == 1 else None
    made = block.params.columns if block.kind == "table" else {**block.params.variables, **block.params.derive}
    if name in made and made[name].unit:
        return str(made[name].unit)
    found = lineage.variable(spec, lineage.Origin(block.name, str(getattr(made.get(name), "from_", None) or name)))
    return None if found is None else found.unit
