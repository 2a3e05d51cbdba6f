"""What the sum over a period is measured in: rates become amounts, and amounts of whole years are per year again."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from soilql.units import Unit, UnitError, parse_unit

_DAY = Fraction(86400)
#: Units of time that the unit of a rate may hold, and the step whose amount a value in it then is.
_STEP_OF = {"month": "month", "d": "day", "yr": "year"}
_TIMES = ("s", "min", "h", "d", "week", "month", "yr", "decade", "century")
_EACH = {"year": "yr-1", "month": "month-1"}


@dataclass(frozen=True)
class Amount:
    """The sum of a variable over a period.

    Attributes
    ----------
    unit : str or None
        Of the sum; None where that of the variable is not known.
    per_day : float
        What a value of 1 amounts to in a day, where it is a rate.
    step : str or None
        The length of step whose amount a value is (mm month-1 of a month); any where the unit has no time.
    is_rate : bool
        Whether the unit has a time at all.
    """

    unit: str | None
    per_day: float = 1.0
    step: str | None = None
    is_rate: bool = False

    def is_total(self, step: str) -> bool:
        """Return whether a value is the amount of its step, where steps have some length."""
        return not self.is_rate or self.step == step


def amount(unit: str | None, period: str) -> Amount:
    """Return what the sum of a variable over periods is.

    Parameters
    ----------
    unit : str or None
        Of the variable.
    period : str
        ``year``, ``month``, or any other word for a season or composite, whose sum is an amount without a time.

    Raises
    ------
    UnitError
        For a temperature, which has no sum.

    Examples
    --------
    >>> amount("mm month-1", "year").unit, amount("kg C m-2 s-1", "season").unit, amount("kg C m-2", "year").unit
    ('mm yr-1', 'kg C m-2', 'kg C m-2 yr-1')
    """
    if unit is None:
        return Amount(None)
    given = parse_unit(unit)
    if given == parse_unit("degC") or given == parse_unit("K"):
        raise UnitError(f"temperatures have no sum, and the unit is {given}", help="take the mean")
    if given.is_dimensionless:
        return Amount(unit)
    rate = _as_rate(given)
    if rate is None:
        return Amount(_each(given, period))
    whole, time = rate
    seconds = parse_unit(time).scale
    return Amount(_each(whole, period), float(_DAY / seconds), _STEP_OF.get(time), True)


def _each(whole: Unit, period: str) -> str:
    return str(whole * parse_unit(_EACH[period])) if period in _EACH else str(whole)


def _as_rate(unit: Unit) -> tuple[Unit, str] | None:
    """Return the amount of a rate and the time it is per; None where the unit is no rate."""
    for factor in unit.factors:
        if factor.symbol in _TIMES and factor.exponent == -1:
            return unit * parse_unit(factor.symbol), factor.symbol
        if factor.symbol.endswith("W") and factor.exponent == 1:  # a watt is a joule per second
            joule = parse_unit(factor.symbol[:-1] + "J") / parse_unit(factor.symbol)
            return unit * joule, "s"
    return None


def spread_unit(unit: str | None) -> str | None:
    """Return the unit of a standard deviation: that of a difference of two values.

    Examples
    --------
    >>> spread_unit("degC"), spread_unit("mm")
    ('K', 'mm')
    """
    if unit is None:
        return None
    given = parse_unit(unit)
    return "K" if given.offset else unit
