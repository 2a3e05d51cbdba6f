"""Units of a slope and of a change."""

from __future__ import annotations

from soilql.units import UnitError, parse_unit


def slope_unit(unit: str | None) -> str | None:
    """Return the unit of a change by year, or None where that of the values is not known.

    Examples
    --------
    >>> slope_unit("g C m-2 yr-1"), slope_unit("degC"), slope_unit(None)
    ('g C m-2 yr-2', 'degC yr-1', None)
    """
    if unit is None:
        return None
    try:
        return str(parse_unit(unit) / parse_unit("yr"))
    except UnitError:
        return None
