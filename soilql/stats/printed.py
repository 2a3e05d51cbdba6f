"""Printed numbers as what they can stand for: the interval of all values that round to the printed digits."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal

# Intervals that miss each other by less than this share of their size differ by floating point alone.
_SLACK = 1e-9
_NUMBER = re.compile(
    r"(?P<about>~?)\s*(?P<digits>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(?P<percent>%?)\s*(?P<exact>!?)"
)
_SIGNS = str.maketrans({"−": "-", "–": "-", "≈": "~"})


@dataclass(frozen=True)
class Interval:
    """A closed range of numbers, with the arithmetic that keeps every possible result inside.

    A name that occurs twice in an expression counts as two numbers, so a range can come out too wide, never too
    narrow.

    Attributes
    ----------
    lower, upper : float
        Ends, both possible.

    Examples
    --------
    >>> Interval(1, 2) - Interval(0, 1)
    Interval(lower=0, upper=2)
    """

    lower: float
    upper: float

    def __add__(self, other: Interval) -> Interval:
        return Interval(self.lower + other.lower, self.upper + other.upper)

    def __neg__(self) -> Interval:
        return Interval(-self.upper, -self.lower)

    def __sub__(self, other: Interval) -> Interval:
        return self + -other

    def __mul__(self, other: Interval) -> Interval:
        ends = [_times(a, b) for a in (self.lower, self.upper) for b in (other.lower, other.upper)]
        return Interval(min(ends), max(ends))

    def __truediv__(self, other: Interval) -> Interval:
        if other.lower <= 0 <= other.upper:
            return Interval(-math.inf, math.inf)
        return self * Interval(1 / other.upper, 1 / other.lower)

    def __abs__(self) -> Interval:
        ends = sorted((abs(self.lower), abs(self.upper)))
        return Interval(0.0 if self.lower < 0 < self.upper else ends[0], ends[1])

    def power(self, exponent: int) -> Interval:
        """Return all values of ``x ** exponent``, for an exponent of 1 or more."""
        base = abs(self) if exponent % 2 == 0 else self
        return Interval(base.lower**exponent, base.upper**exponent)

    def sqrt(self) -> Interval:
        """Return all square roots of the values that have one; NaN where none has."""
        if self.upper < 0:
            return Interval(math.nan, math.nan)
        return Interval(math.sqrt(max(self.lower, 0.0)), math.sqrt(self.upper))

    def hull(self, other: Interval) -> Interval:
        """Return the smallest interval that holds both."""
        return Interval(min(self.lower, other.lower), max(self.upper, other.upper))

    def meets(self, other: Interval) -> bool:
        """Return whether some number lies in both, up to floating point.

        Examples
        --------
        >>> printed("0.13").interval.meets(Interval(0.135, 0.2))
        True
        """
        slack = _SLACK * max(map(_size, (self.lower, self.upper, other.lower, other.upper)))
        return self.lower <= other.upper + slack and other.lower <= self.upper + slack


@dataclass(frozen=True)
class Printed:
    """A number as it is printed.

    Attributes
    ----------
    text : str
        As printed.
    value : float
        The number itself, a percentage as a fraction.
    interval : Interval
        What it can stand for.
    percent : bool
        Whether it is printed with a percent sign.
    """

    text: str
    value: float
    interval: Interval
    percent: bool = False


def printed(text: str) -> Printed:
    """Read a printed number and the rounding in it.

    ``0.64`` stands for [0.635, 0.645]: both ends are kept, since papers round a half up, down or to even. ``~0.64``
    (about) is allowed twice that. ``14!`` is exact: a count or a constant. ``85%`` is [0.845, 0.855].

    Parameters
    ----------
    text : str
        Digits with an optional sign (a typographic minus too), exponent, ``%``, ``~`` before and ``!`` after.

    Returns
    -------
    Printed

    Raises
    ------
    ValueError
        The text is not such a number.

    Examples
    --------
    >>> printed("0.50").interval
    Interval(lower=0.495, upper=0.505)
    >>> printed("-1.53%").interval
    Interval(lower=-0.01535, upper=-0.01525)
    >>> printed("15!").interval
    Interval(lower=15.0, upper=15.0)
    """
    match = _NUMBER.fullmatch(text.strip().translate(_SIGNS))
    if match is None or (match["about"] and match["exact"]):
        raise ValueError(f"{text!r} is not a printed number")
    number = Decimal(match["digits"])
    exponent = number.as_tuple().exponent
    half = Decimal(1 if match["about"] else "0.5").scaleb(int(exponent)) if not match["exact"] else Decimal(0)
    scale = Decimal("0.01") if match["percent"] else Decimal(1)
    interval = Interval(float((number - half) * scale), float((number + half) * scale))
    if not all(map(math.isfinite, (interval.lower, interval.upper))):
        raise ValueError(f"{text!r} is too large")
    return Printed(text.strip(), float(number * scale), interval, bool(match["percent"]))


def _times(a: float, b: float) -> float:
    return 0.0 if a == 0 or b == 0 else a * b


def _size(number: float) -> float:
    return abs(number) if math.isfinite(number) else 0.0
