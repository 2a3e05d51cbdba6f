"""What a unit is: symbols with exponents and substances, their dimensions and scale, and arithmetic on them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from soilql.units.table import DIMENSIONS, KELVIN_AT_0_DEGC, SYMBOLS, Basis


class UnitError(ValueError):
    """A unit that cannot be read or converted.

    Parameters
    ----------
    message : str
        What is wrong.
    start, end : int
        Where in the text of the unit the bad part stands.
    help : str
        How to mend it, perhaps empty.
    """

    def __init__(self, message: str, start: int = 0, end: int = 0, help: str = "") -> None:
        super().__init__(f"{message} ({help})" if help else message)
        self.message = message
        self.start = start
        self.end = end
        self.help = help


class Factor(NamedTuple):
    """One symbol of a unit, with the substance measured and the exponent: ``g C`` to the 1."""

    symbol: str
    substance: str
    exponent: Fraction

    def __str__(self) -> str:
        power = "" if self.exponent == 1 else str(self.exponent)
        power = f"^({power})" if "/" in power else power
        return f"{self.symbol}{power} {self.substance}".rstrip()


class Substance(NamedTuple):
    """A substance in a unit: its name, whether by mass, amount or water depth, and the exponent."""

    name: str
    basis: Basis
    exponent: Fraction


@dataclass(frozen=True)
class Unit:
    """A unit of measure; units are equal when they mean the same, whatever their spelling.

    Attributes
    ----------
    factors : tuple of Factor
        The symbols as they are shown.
    number : Fraction
        A number before the symbols, as in ``10 mm``.
    dimensions : tuple of Fraction
        Exponents of mass, amount of substance, temperature, length, time and angle.
    substances : tuple of Substance
        What the masses and amounts are of, sorted by name.
    scale, offset : Fraction
        ``x`` of this unit is ``x * scale + offset`` in kg, mol, K, m, s and degrees of angle. Only ``degC`` by itself,
        a point on the scale, has an offset; in a compound, and after any arithmetic, it is an interval in K.

    Examples
    --------
    >>> from soilql.units import parse_unit
    >>> str(parse_unit("gC/m2/yr"))
    'g C m-2 yr-1'
    >>> str(parse_unit("g C m-2 d-1") * parse_unit("d"))
    'g C m-2'
    """

    factors: tuple[Factor, ...] = field(compare=False, repr=False)
    number: Fraction = field(compare=False, repr=False)
    dimensions: tuple[Fraction, ...]
    substances: tuple[Substance, ...]
    scale: Fraction
    offset: Fraction

    @property
    def is_dimensionless(self) -> bool:
        """Whether nothing but a number is left; ``%`` and ``m3 m-3`` are dimensionless, degrees of angle are not."""
        return not any(self.dimensions)

    def __mul__(self, other: Unit) -> Unit:
        if other == ONE:
            return self
        if self == ONE:
            return other
        return build(self.number * other.number, (*self.factors, *other.factors), interval=True)

    def __truediv__(self, other: Unit) -> Unit:
        return self * other**-1

    def __pow__(self, exponent: int | Fraction) -> Unit:
        power = Fraction(exponent)
        factors = (f._replace(exponent=f.exponent * power) for f in self.factors)
        return build(rational_power(self.number, power), factors, interval=power != 1 or not self.offset)

    def __str__(self) -> str:
        symbols = " ".join(map(str, self.factors))
        if self.number == 1:
            # A lone degC reads back as a point, so the interval is shown by its equal, the kelvin.
            return "K" if symbols == "degC" and not self.offset else symbols or "1"
        return f"{self.number} {symbols}".rstrip()


def rational_power(base: Fraction, power: Fraction) -> Fraction:
    """Return ``base ** power``, exact wherever the result is a fraction."""
    if power.denominator == 1:
        return Fraction(base**power.numerator)
    try:
        roots = [round(part ** (1 / power.denominator)) for part in (base.numerator, base.denominator)]
        root = Fraction(*roots)
        return Fraction(root**power.numerator if root**power.denominator == base else float(base) ** float(power))
    except OverflowError as error:
        raise UnitError("the unit is beyond what a number can hold") from error


def _merged(factors: Iterable[Factor]) -> list[Factor]:
    exponents: dict[tuple[str, str], Fraction] = {}
    for factor in factors:
        key = (factor.symbol, factor.substance)
        exponents[key] = exponents.get(key, Fraction(0)) + factor.exponent
    kept = [Factor(*key, exponent) for key, exponent in exponents.items() if exponent]
    return sorted(kept, key=_display_order)


def _display_order(factor: Factor) -> tuple[bool, list[int], str, str]:
    dimensions = SYMBOLS[factor.symbol].dimensions
    return factor.exponent < 0, [-abs(d) for d in dimensions], factor.symbol, factor.substance


def build(number: Fraction, factors: Iterable[Factor], interval: bool = False) -> Unit:
    return _built(number, tuple(factors), interval)


@lru_cache(maxsize=4096)
def _built(number: Fraction, factors: tuple[Factor, ...], interval: bool) -> Unit:
    merged = _merged(factors)
    scale = number
    dimensions = [Fraction(0)] * len(DIMENSIONS)
    substances: dict[tuple[str, Basis], Fraction] = {}
    for symbol, substance, exponent in merged:
        known = SYMBOLS[symbol]
        scale *= rational_power(known.scale, exponent)
        dimensions = [total + exponent * d for total, d in zip(dimensions, known.dimensions, strict=True)]
        if substance and known.basis:
            key = (substance, known.basis)
            substances[key] = substances.get(key, Fraction(0)) + exponent
    is_point = not interval and number == 1 and merged == [Factor("degC", "", Fraction(1))]
    return Unit(
        tuple(merged),
        number,
        tuple(dimensions),
        tuple(sorted(Substance(*key, power) for key, power in substances.items() if power)),
        scale,
        KELVIN_AT_0_DEGC if is_point else Fraction(0),
    )


ONE = build(Fraction(1), ())


# How a product of dimensions is called; exponents as in `DIMENSIONS`.
_NAMED: tuple[tuple[tuple[int, ...], str], ...] = (
    ((1, 0, 0, 2, -3, 0), "power"),
    ((1, 0, 0, 2, -2, 0), "energy"),
    ((1, 0, 0, 0, -3, 0), "power per area"),
    ((1, 0, 0, 0, -2, 0), "energy per area"),
    ((1, 0, 0, -1, -2, 0), "pressure"),
)
_LENGTHS = {2: "area", 3: "volume"}


def describe(unit: Unit) -> str:
    """Return what a unit measures, in words.

    Parameters
    ----------
    unit : Unit

    Returns
    -------
    str

    Examples
    --------
    >>> from soilql.units import parse_unit
    >>> describe(parse_unit("g C m-2 yr-1"))
    'mass of C per area per time'
    >>> describe(parse_unit("%"))
    'a plain number'
    """
    for dimensions, name in _NAMED:
        if unit.dimensions == tuple(map(Fraction, dimensions)):
            return name
    above: list[str] = []
    below: list[str] = []
    for dimension, power in zip(DIMENSIONS, unit.dimensions, strict=True):
        name, size = dimension, abs(power)
        if dimension == "length" and size in _LENGTHS:
            name, size = _LENGTHS[int(size)], Fraction(1)
        name += _of_what(unit, dimension, power > 0) + (f"^{size}" if size != 1 else "")
        if power:
            (above if power > 0 else below).append(name)
    start = " times ".join(above) or ("a number" if below else "a plain number")
    return " ".join([start, *(f"per {part}" for part in below)])


def _of_what(unit: Unit, dimension: str, above: bool) -> str:
    basis = {"mass": "mass", "amount of substance": "amount"}.get(dimension)
    found = [s.name for s in unit.substances if s.basis == basis and (s.exponent > 0) is above]
    return f" of {' and '.join(found)}" if found else ""
