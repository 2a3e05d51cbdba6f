"""How findings about formulas put things into words."""

from __future__ import annotations

from collections.abc import Mapping

from soilql.expr.ast import Node, name_text, to_text
from soilql.units import Unit

_LONGEST = 40


def quoted(node: Node | None, otherwise: str) -> str:
    """Return an expression in backquotes, or other words where it is long.

    Examples
    --------
    >>> from soilql.expr.parse import parse_expression
    >>> quoted(parse_expression("b*T").root, "the argument")
    '`b * T`'
    """
    text = "" if node is None else to_text(node)
    return f"`{text}`" if text and len(text) <= _LONGEST and "`" not in text else otherwise


def unit_text(unit: Unit) -> str:
    """Return a unit as text, an interval of the Celsius scale in ``degC`` as its column is.

    Examples
    --------
    >>> from soilql.units import parse_unit
    >>> unit_text(parse_unit("degC2") / parse_unit("degC"))
    'degC'
    """
    is_interval = unit.number == 1 and [(f.symbol, str(f.exponent)) for f in unit.factors] == [("degC", "1")]
    return "degC" if is_interval else str(unit)


def factor_text(factor: Unit) -> str:
    """Return by what two units differ, where that is a plain factor; else an empty text.

    Examples
    --------
    >>> from soilql.units import parse_unit
    >>> factor_text(parse_unit("g d-1") / parse_unit("g yr-1"))
    'a factor of 365.25'
    """
    if not factor.is_dimensionless:
        return ""
    scale = float(factor.scale)
    if abs(scale - 1) < 1e-9:
        return f"`{factor}`: not the same substance"
    return f"a factor of {scale:.6g}" if scale > 1 else f"a factor of 1/{1 / scale:.6g}"


def values_text(values: Mapping[str, float]) -> str:
    """Return names with values: ``T = -10, k = 5``.

    Examples
    --------
    >>> values_text({"T": -10.0})
    '`T` = -10'
    """
    return ", ".join(f"`{name_text(name).strip('`')}` = {value:.3g}" for name, value in values.items())
