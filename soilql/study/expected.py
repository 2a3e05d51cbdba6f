"""Which values a quantity can have, and which it mostly has, by its unit and its name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from soilql.formula.drivers import readable
from soilql.study.summaries import Summary
from soilql.units import UnitError, conversion, parse_unit

# A word of a name: parts between underscores and digits, and humps of camel case.
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_DIFFERENCE = {"range", "diff", "difference", "anomaly", "anom", "sd", "std", "se", "err", "error", "trend", "slope"}
_DIFFERENCE |= {"delta", "amplitude", "seasonality", "var", "variance", "cv", "change", "bias"}
_SHARE = {"clay", "sand", "silt", "cover", "coverage", "fraction", "frac", "share", "percent", "percentage", "swc"}
_SHARE |= {"vwc", "porosity", "humidity", "moisture", "wfps"}
_GREENNESS = {"evi", "ndvi", "fpar", "fapar", "savi"}
_RAIN = {"map", "precip", "precipitation", "prec", "ppt", "rain", "rainfall", "pr"}
_FLUX = {"rs", "rh", "ra", "gpp", "npp", "reco", "er", "rsoil"}

#: Coldest and hottest air or soil that was measured: Vostok 1983 and the ground of the Lut desert, with a margin.
_TEMPERATURE = (-95.0, 90.0)
_KELVIN = 273.15


@dataclass(frozen=True)
class Limits:
    """Between which values a quantity has to lie, and why."""

    low: float
    high: float
    why: str

    def holds(self, summary: Summary) -> bool:
        """Return whether all values lie within."""
        return not summary.count or (summary.low >= self.low and summary.high <= self.high)


def words_of(name: str) -> set[str]:
    """Return the words of a name in small letters.

    Examples
    --------
    >>> sorted(words_of("Soil_clay")), sorted(words_of("landFraction")), sorted(words_of("MAT_sd"))
    (['clay', 'soil'], ['fraction', 'land'], ['mat', 'sd'])
    """
    return {word.lower() for word in _WORD.findall(name)}


def is_difference(name: str) -> bool:
    """Return whether a name speaks of a difference or a spread rather than of a level."""
    return bool(words_of(name) & _DIFFERENCE)


def possible(name: str, unit: str | None) -> Limits | None:
    """Return the limits that no value of a quantity can exceed; None where none are known.

    Examples
    --------
    >>> possible("MAT", "degC").high, possible("clay", "%").high, possible("MAT_sd", "degC")
    (90.0, 100.0, None)
    """
    known = readable(unit)
    if known is None or unit is None or is_difference(name):
        return None
    if known == parse_unit("degC"):
        return Limits(*_TEMPERATURE, "no air or soil is colder than -95 or hotter than 90 degC")
    if known == parse_unit("K"):
        return Limits(0.0, _TEMPERATURE[1] + _KELVIN, "nothing is colder than 0 K, and no soil hotter than 363 K")
    if known == parse_unit("%") and words_of(name) & _SHARE:
        return Limits(0.0, 100.0, "a share lies between 0 and 100 %")
    if known == parse_unit("1") and words_of(name) & _GREENNESS:
        return Limits(-1.0, 1.0, "an index of greenness lies between -1 and 1")
    for other, low, high, why in _LIMITS:
        if _same_kind(other, unit):
            scale = conversion(other, unit).scale
            low = 0.0 if other.startswith("mm") and words_of(name) & _RAIN else low * scale
            return Limits(low, high * scale, why)
    return None


_LIMITS = (
    ("mm yr-1", -30_000.0, 30_000.0, "no place on Earth has more than 30,000 mm of rain a year"),
    ("g C m-2 yr-1", -20_000.0, 20_000.0, "no ecosystem takes up or gives off 20 kg C m-2 a year"),
    ("g cm-3", 0.0, 3.0, "no soil is denser than the minerals in it, 2.65 g cm-3"),
    ("degrees_north", -90.0, 90.0, "latitudes lie between -90 and 90"),
    ("W m-2", -1_500.0, 1_500.0, "the sun gives at most 1,361 W m-2"),
)


def _same_kind(known: str, unit: str) -> bool:
    """Return whether limits in one unit say something in another: rates by the year only of rates by the year."""
    if known.startswith("mm") and not unit.startswith("mm"):  # metres a second are a speed
        return False
    if known.endswith("yr-1") and not re.search(r"(yr-1|/\s*yr|a-1|year-1)$", unit.strip()):
        return False
    try:
        conversion(known, unit)
    except UnitError:
        return False
    return True


@dataclass(frozen=True)
class Suspicion:
    """What the values of a quantity look like, and how to say so."""

    looks_like: str
    help: str


def suspicion(name: str, unit: str | None, values: Summary) -> Suspicion | None:
    """Return what values look like that do not suit their unit; None where they do.

    Examples
    --------
    >>> kelvin = Summary(3, 0, 268.0, 270.0, 285.0, 299.0, 301.0)
    >>> suspicion("T", "degC", kelvin).looks_like
    'kelvin'
    """
    if values.count < 3 or values.low == values.high:
        return None
    return next(_suspicions(name, unit, values), None)


def _suspicions(name: str, unit: str | None, values: Summary) -> Iterator[Suspicion]:
    known, named = readable(unit), words_of(name)
    if known == parse_unit("degC") and not is_difference(name):
        if values.low > 150 and values.high < 400:
            yield Suspicion("kelvin", "state `from_unit: K`")
        elif max(-values.low, values.high) > 100 and max(-values.low, values.high) < 900 and abs(values.median) < 500:
            yield Suspicion("tenths of a degree, as in WorldClim 1", "state `from_unit: 0.1 degC` or a `scale` of 0.1")
    if known == parse_unit("K") and not is_difference(name) and values.high < 100 and values.low < 0:
        yield Suspicion("degrees Celsius", "state `from_unit: degC`")
    is_percent, is_number = known == parse_unit("%"), known is None or known == parse_unit("1")
    if is_percent and named & _SHARE and values.low >= 0 and 0.05 < values.high <= 1:
        yield Suspicion("fractions", 'state `from_unit: "1"`')
    if is_number and known is not None and named & _SHARE and values.low >= 0 and 1.5 < values.high <= 100.5:
        yield Suspicion("percentages", 'state `from_unit: "%"`')
    if is_number and named & _GREENNESS:
        if values.high < 0.01:
            yield Suspicion("an index 1e-4 too small, scaled twice", "give a `scale` of 1e4")
        elif values.high > 100:
            yield Suspicion("an index stored as whole numbers, 1e4 too large", "give a `scale` of 1e-4")
    if unit is not None and unit.startswith("mm") and _same_kind("mm yr-1", unit) and named & _RAIN:
        if values.high < 1e-2:
            yield Suspicion("kg m-2 s-1", "state `from_unit: kg m-2 s-1`")
        elif values.high < 60:
            yield Suspicion("mm d-1, or metres", "state the unit of the file as `from_unit`")
    if unit is not None and _same_kind("g C m-2 yr-1", unit) and named & _FLUX:
        annual = conversion(unit, "g C m-2 yr-1").scale
        if 0 < values.q95 * annual < 40 and values.low >= 0:
            yield Suspicion("a flux by the day or the second", "state the unit of the file as `from_unit`")
