"""The unit symbols soilql knows: dimensions, scale to the base units, spellings; and the molar masses."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Literal, NamedTuple

DIMENSIONS = ("mass", "amount of substance", "temperature", "length", "time", "angle")
Basis = Literal["mass", "amount", "depth"]

# kg mol-1: CIAAW abridged standard atomic weights 2021, doi:10.1515/pac-2019-0603 (C 12.011, N 14.007, O 15.999,
# H 1.008). `element` is what one mole of the substance holds one mole of.
MOLAR_MASS = {
    "C": Fraction("0.012011"),
    "CO2": Fraction("0.044009"),
    "CH4": Fraction("0.016043"),
    "N": Fraction("0.014007"),
    "H2O": Fraction("0.018015"),
}
ELEMENT = {"C": "C", "CO2": "C", "CH4": "C", "N": "N", "H2O": "H2O"}
# Mass of an element bound in a compound, as soil science writes it: mg CO2-C, mg NO3-N.
SPELT_SUBSTANCES = {
    **{name: name for name in MOLAR_MASS},
    "CO2-C": "C",
    "CH4-C": "C",
    "NO3-N": "N",
    "NH4-N": "N",
    "N2O-N": "N",
}
WATER_DENSITY = Fraction(1000)
KELVIN_AT_0_DEGC = Fraction("273.15")


class Symbol(NamedTuple):
    """What a unit symbol stands for.

    Attributes
    ----------
    dimensions : tuple of int
        Exponents in the order of `DIMENSIONS`.
    scale : Fraction
        How many base units (kg, mol, K, m, s, degree) it is.
    basis : {"mass", "amount", "depth"} or None
        What a substance after the symbol is measured by; None where none can follow.
    """

    dimensions: tuple[int, ...]
    scale: Fraction
    basis: Basis | None = None


_MASS = (1, 0, 0, 0, 0, 0)
_AMOUNT = (0, 1, 0, 0, 0, 0)
_KELVIN = (0, 0, 1, 0, 0, 0)
_LENGTH = (0, 0, 0, 1, 0, 0)
_AREA = (0, 0, 0, 2, 0, 0)
_VOLUME = (0, 0, 0, 3, 0, 0)
_TIME = (0, 0, 0, 0, 1, 0)
_ANGLE = (0, 0, 0, 0, 0, 1)
_ENERGY = (1, 0, 0, 2, -2, 0)
_POWER = (1, 0, 0, 2, -3, 0)
_PRESSURE = (1, 0, 0, -1, -2, 0)
_NONE = (0, 0, 0, 0, 0, 0)

DAY = Fraction(86400)
# The Julian year of astronomy and of most flux sums (UDUNITS: the tropical year, 365.2422 d, 0.002 % shorter).
YEAR = Fraction("365.25") * DAY

_PLAIN = {
    "t": Symbol(_MASS, Fraction(1000), "mass"),
    "K": Symbol(_KELVIN, Fraction(1)),
    "degC": Symbol(_KELVIN, Fraction(1)),
    "ha": Symbol(_AREA, Fraction(10_000)),
    "min": Symbol(_TIME, Fraction(60)),
    "h": Symbol(_TIME, Fraction(3600)),
    "d": Symbol(_TIME, DAY),
    "week": Symbol(_TIME, 7 * DAY),
    "month": Symbol(_TIME, YEAR / 12),
    "yr": Symbol(_TIME, YEAR),
    "decade": Symbol(_TIME, 10 * YEAR),
    "century": Symbol(_TIME, 100 * YEAR),
    "bar": Symbol(_PRESSURE, Fraction(100_000)),
    "mbar": Symbol(_PRESSURE, Fraction(100)),
    "deg": Symbol(_ANGLE, Fraction(1)),
    "degrees_north": Symbol(_ANGLE, Fraction(1)),
    "degrees_east": Symbol(_ANGLE, Fraction(1)),
    "rad": Symbol(_ANGLE, Fraction(180 / math.pi)),
    "%": Symbol(_NONE, Fraction(1, 100), "mass"),
    "‰": Symbol(_NONE, Fraction(1, 1000), "mass"),
    "ppm": Symbol(_NONE, Fraction(1, 10**6), "amount"),
    "ppb": Symbol(_NONE, Fraction(1, 10**9), "amount"),
}

_POWERS_OF_TEN = {"E": 18, "P": 15, "T": 12, "G": 9, "M": 6, "k": 3, "h": 2, "": 0}
_POWERS_OF_TEN |= {"d": -1, "c": -2, "m": -3, "u": -6, "n": -9, "p": -12}

# Which prefixes a symbol takes: those in use, so that `dg` or `hm` is a misspelling and not a unit.
_PREFIXED: dict[str, tuple[Symbol, tuple[str, ...]]] = {
    "g": (Symbol(_MASS, Fraction(1, 1000), "mass"), ("", *"EPTGMkmunp")),
    "t": (_PLAIN["t"], tuple("kMG")),
    "mol": (Symbol(_AMOUNT, Fraction(1), "amount"), ("", *"PTGMkmunp")),
    "m": (Symbol(_LENGTH, Fraction(1), "depth"), ("", *"kdcmun")),
    "s": (Symbol(_TIME, Fraction(1)), ("", *"mun")),
    "J": (Symbol(_ENERGY, Fraction(1)), ("", *"EPTGMkm")),
    "W": (Symbol(_POWER, Fraction(1)), ("", *"PTGMkm")),
    "Pa": (Symbol(_PRESSURE, Fraction(1)), ("", *"MkhGm")),
    "L": (Symbol(_VOLUME, Fraction(1, 1000)), ("", *"dcmu")),
}

SYMBOLS: dict[str, Symbol] = {
    **_PLAIN,
    **{
        prefix + name: symbol._replace(scale=symbol.scale * Fraction(10) ** _POWERS_OF_TEN[prefix])
        for name, (symbol, prefixes) in _PREFIXED.items()
        for prefix in prefixes
    },
}

_ALIASES = {
    "g": "gram grams",
    "kg": "kilogram kilograms",
    "t": "tonne tonnes",
    "mol": "mole moles",
    "K": "kelvin Kelvin degK",
    "degC": "°C ℃ Celsius celsius degree_Celsius degrees_Celsius degree_C degrees_C deg_C",
    "m": "metre metres meter meters",
    "cm": "centimetre centimetres centimeter centimeters",
    "mm": "millimetre millimetres millimeter millimeters",
    "km": "kilometre kilometres kilometer kilometers",
    "ha": "hectare hectares",
    "s": "sec second seconds",
    "min": "minute minutes",
    "h": "hr hrs hour hours",
    "d": "day days",
    "week": "weeks",
    "month": "months mon mo",
    "yr": "year years yrs y a annum",
    "decade": "decades",
    "century": "centuries",
    "mbar": "mb millibar",
    "L": "l litre litres liter liters",
    "mL": "ml",
    "deg": "° degree degrees",
    "degrees_north": "degree_north degrees_N degree_N degreesN degreeN °N",
    "degrees_east": "degree_east degrees_E degree_E degreesE degreeE °E",
    "rad": "radian radians",
    "%": "percent pct",
    "ppm": "ppmv",
    "ppb": "ppbv",
}

SPELLINGS: dict[str, str] = {
    **{name: name for name in SYMBOLS},
    **{alias: name for name, aliases in _ALIASES.items() for alias in aliases.split()},
}
DIMENSIONLESS_WORDS = frozenset({"1", "-", "unitless", "dimensionless", "fraction", "ratio", "none"})
