"""Units of the carbon cycle: what `g C m-2 yr-1` means, and how values go from one unit to another.

The parser is our own because the field's notation is: `C` is carbon and not coulomb, `umol CO2` becomes `g C` by the
molar mass, `mm` of water is `kg H2O m-2`, and ``degC-2`` is a plain inverse square of an interval. A year is the Julian
year of 365.25 d and a month a twelfth of it (30.4375 d). All scales are exact fractions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from soilql.errors import Diagnostic, SoilqlError, Span
from soilql.units.core import Substance, Unit, UnitError, describe, rational_power
from soilql.units.parse import parse_unit
from soilql.units.table import ELEMENT, MOLAR_MASS, WATER_DENSITY, Basis

__all__ = [
    "Conversion",
    "Unit",
    "UnitError",
    "check_unit",
    "conversion",
    "convert_or_raise",
    "describe",
    "is_convertible",
    "parse_unit",
]


@dataclass(frozen=True)
class Conversion:
    """``y = x * scale + offset``.

    Attributes
    ----------
    scale, offset : float
        A spread (standard deviation, interval) goes by `scale` alone, a variance by its square.
    """

    scale: float
    offset: float = 0.0

    @property
    def is_identity(self) -> bool:
        return self.scale == 1 and self.offset == 0

    def apply(self, x: Any) -> Any:
        """Return `x` in the new unit; `x` is a number or any array that multiplies and adds.

        Examples
        --------
        >>> conversion("degC", "K").apply(10.0)
        283.15
        """
        scaled = x if self.scale == 1 else x * self.scale
        return scaled if self.offset == 0 else scaled + self.offset


def _molar(unit: Unit) -> tuple[tuple[Fraction, ...], tuple[tuple[str, Fraction], ...], Fraction]:
    """Every named substance in moles of its element, so that g CO2, mol CO2 and g C meet."""
    mass, amount, temperature, length, *rest = unit.dimensions
    scale = unit.scale
    elements: dict[str, Fraction] = {}
    for name, basis, power in unit.substances:
        if basis == "depth":
            length, mass, scale = length - 3 * power, mass + power, scale * rational_power(WATER_DENSITY, power)
        if basis != "amount":
            mass, amount, scale = (
                mass - power,
                amount + power,
                scale / rational_power(MOLAR_MASS[name], power),
            )
        element = ELEMENT[name]
        elements[element] = elements.get(element, Fraction(0)) + power
    kept = tuple(sorted((name, power) for name, power in elements.items() if power))
    return (mass, amount, temperature, length, *rest), kept, scale


def _as_water(unit: Unit, basis: Basis, power: Fraction) -> Unit:
    """The same unit with a mass or depth of water named as such."""
    return Unit((), unit.number, unit.dimensions, (Substance("H2O", basis, power),), unit.scale, unit.offset)


def _ratio(source: Unit, target: Unit) -> Fraction | None:
    ours, theirs = set(source.substances), set(target.substances)
    if source.dimensions == target.dimensions and (ours <= theirs or ours >= theirs):
        return source.scale / target.scale
    if source.substances and target.substances:
        dimensions, elements, scale = _molar(source)
        other_dimensions, other_elements, other_scale = _molar(target)
        same = dimensions == other_dimensions and elements == other_elements
        return scale / other_scale if same else None
    named, plain = (source, target) if source.substances else (target, source)
    if len(named.substances) == 1 and named.substances[0].name == "H2O":
        # A depth names water by itself, and so does a mass beside a depth that says so.
        _, basis, power = named.substances[0]
        water = _as_water(plain, "mass" if basis == "depth" else "depth", power)
        pair = (named, water) if named is source else (water, target)
        return _ratio(*pair)
    return None


def conversion(source: Unit | str, target: Unit | str) -> Conversion:
    """Return how values in one unit become values in another.

    A substance named on one side only matches any; masses and amounts meet only when both sides name a substance, and
    ``mm`` meets ``kg m-2`` only where one of them says ``H2O``.

    Parameters
    ----------
    source, target : Unit or str

    Returns
    -------
    Conversion

    Raises
    ------
    UnitError
        When the two measure different things; the message says both in words.

    Examples
    --------
    >>> round(conversion("umol CO2 m-2 s-1", "g C m-2 d-1").scale, 4)
    1.0378
    >>> conversion("mm d-1", "kg H2O m-2 s-1") == conversion("kg m-2 d-1", "kg m-2 s-1")
    True
    """
    old = parse_unit(source) if isinstance(source, str) else source
    new = parse_unit(target) if isinstance(target, str) else target
    ratio = _ratio(old, new)
    if ratio is None:
        message = f"`{old}` ({describe(old)}) does not convert to `{new}` ({describe(new)})"
        raise UnitError(message, help=_conversion_help(old, new))
    try:
        return Conversion(float(ratio), float((old.offset - new.offset) / new.scale))
    except OverflowError as error:
        raise UnitError(f"the factor from `{old}` to `{new}` is beyond what a number can hold") from error


def is_convertible(source: Unit, target: Unit) -> bool:
    """Return whether `conversion` would succeed.

    Examples
    --------
    >>> is_convertible(parse_unit("t/ha"), parse_unit("g C m-2"))
    True
    """
    return _ratio(source, target) is not None


def _conversion_help(old: Unit, new: Unit) -> str:
    """What to write where only the name of a substance is missing."""
    for unit, other in ((old, new), (new, old)):
        for power in (1, -1):
            mass, amount, temperature, length, *rest = unit.dimensions
            if (mass - power, amount + power, temperature, length, *rest) == other.dimensions:
                return "name the substance on both sides, as in `umol CO2 m-2 s-1` and `g C m-2 s-1`"
            if (mass - power, amount, temperature, length + 3 * power, *rest) == other.dimensions:
                return "a depth of water meets a mass only where that names it, as in `kg H2O m-2 s-1`"
    return ""


def check_unit(text: str, locate: Callable[[int, int], Span]) -> list[Diagnostic]:
    """Return what is wrong with the text of a unit.

    Parameters
    ----------
    text : str
        The unit as written.
    locate : callable
        Gives the span of ``text[start:end]`` in the spec.

    Returns
    -------
    list of Diagnostic
        Empty, or one SQ301.

    Examples
    --------
    >>> from soilql.errors import Source
    >>> source = Source("x.yaml", "g C m-2 yrr-1")
    >>> [d.help for d in check_unit(source.text, source.span)]
    ['did you mean `yr`?']
    """
    try:
        parse_unit(text)
    except UnitError as error:
        return [Diagnostic("SQ301", error.message, locate(error.start, error.end), help=error.help)]
    return []


def convert_or_raise(source: Unit | str, target: Unit | str, span: Span | None = None) -> Conversion:
    """Return the conversion between two units, or raise a diagnostic at `span`.

    Parameters
    ----------
    source, target : Unit or str
    span : Span, optional
        Where the spec asks for it.

    Returns
    -------
    Conversion

    Raises
    ------
    SoilqlError
        SQ301 for a text that is no unit, SQ302 for units of different things.

    Examples
    --------
    >>> convert_or_raise("t/ha", "g m-2").scale
    100.0
    """
    units: list[Unit] = []
    for unit in (source, target):
        try:
            units.append(parse_unit(unit) if isinstance(unit, str) else unit)
        except UnitError as error:
            raise SoilqlError(Diagnostic("SQ301", error.message, span, help=error.help)) from error
    try:
        return conversion(*units)
    except UnitError as error:
        raise SoilqlError(Diagnostic("SQ302", error.message, span, help=error.help)) from error
