"""Units of the carbon cycle: notation, conversions against published factors, algebra, and messages."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soilql.errors import SoilqlError, Source
from soilql.units import (
    Unit,
    UnitError,
    check_unit,
    conversion,
    convert_or_raise,
    describe,
    is_convertible,
    parse_unit,
)
from soilql.units.table import MOLAR_MASS, SPELLINGS, SYMBOLS


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("g C m-2 yr-1", "g C m-2 yr-1"),
        ("gC/m2/yr", "g C m-2 yr-1"),
        ("yr-1 m-2 g C", "g C m-2 yr-1"),
        ("gC m–2 yr–1", "g C m-2 yr-1"),
        ("kgC m⁻² s⁻¹", "kg C m-2 s-1"),
        ("g C per m2 per year", "g C m-2 yr-1"),
        ("g.m-2.d-1", "g m-2 d-1"),
        ("µmol CO2 m-2 s-1", "umol CO2 m-2 s-1"),
        ("μmol CO₂/(m² s)", "umol CO2 m-2 s-1"),
        ("mg CO2-C kg-1 h-1", "mg C kg-1 h-1"),
        ("Pg C yr-1", "Pg C yr-1"),
        ("PgC a-1", "Pg C yr-1"),
        ("t/ha", "t ha-1"),
        ("MgC ha-1", "Mg C ha-1"),
        ("mm/month", "mm month-1"),
        ("degC", "degC"),
        ("°C", "degC"),
        ("deg C", "degC"),
        ("℃", "degC"),
        ("1/degC", "degC-1"),
        ("degC^2", "degC2"),
        ("°C-1", "degC-1"),
        ("%", "%"),
        ("1", "1"),
        ("unitless", "1"),
        ("m3 m-3", "1"),
        ("g cm-3", "g cm-3"),
        ("mg N m-2 yr-1", "mg N m-2 yr-1"),
        ("g C g-1 N", "g C g-1 N"),
        ("W m-2", "W m-2"),
        ("MJ m-2 d-1", "MJ m-2 d-1"),
        ("hPa", "hPa"),
        ("degrees_north", "degrees_north"),
        ("m^-2", "m-2"),
        ("m**-2", "m-2"),
        ("m^{-2}", "m-2"),
        ("m2", "m2"),
        ("m^(1/2)", "m^(1/2)"),
        ("0.01 K", "1/100 K"),
        ("ppm CO2", "ppm CO2"),
    ],
)
def test_notation(text: str, canonical: str) -> None:
    unit = parse_unit(text)
    assert str(unit) == canonical
    assert parse_unit(canonical) == unit


@pytest.mark.parametrize(
    ("source", "target", "factor"),
    [
        # 12.011 g of C in a mole of CO2 and 86400 * 365.25 s in a Julian year (IAU).
        ("umol CO2 m-2 s-1", "g C m-2 yr-1", 1e-6 * 12.011 * 86400 * 365.25),
        # A flux of 1 umol CO2 m-2 s-1 is the familiar 1.0377 to 1.0378 g C m-2 d-1.
        ("umol CO2 m-2 s-1", "g C m-2 d-1", 1.0377504),
        ("g CO2 m-2", "g C m-2", 12.011 / 44.009),
        ("mol CO2 m-2", "mol C m-2", 1),
        ("mg CO2-C kg-1 h-1", "umol CO2 kg-1 s-1", 1e3 / 12.011 / 3600),
        ("g CH4", "g C", 12.011 / 16.043),
        ("ppm CO2", "umol CO2 mol-1", 1),
        ("g C g-1 N", "mol C mol-1 N", 14.007 / 12.011),
        ("% C", "g C kg-1", 10),
        # A tonne to the hectare is 100 g to the square metre.
        ("t/ha", "g C m-2", 100),
        ("Mg C ha-1", "kg C m-2", 0.1),
        ("Pg C yr-1", "g C yr-1", 1e15),
        ("Gt C", "Pg C", 1),
        ("g m-2 yr-1", "g C m-2 yr-1", 1),
        # One kg of water on a square metre stands 1 mm deep.
        ("kg H2O m-2", "mm", 1),
        ("kg H2O m-2 s-1", "mm d-1", 86400),
        ("mm H2O yr-1", "kg m-2 yr-1", 1),
        ("mol H2O m-2", "mm", 0.018015),
        ("mm/month", "mm yr-1", 12),
        ("W m-2", "MJ m-2 d-1", 0.0864),
        ("hPa", "Pa", 100),
        ("degC-1", "K-1", 1),
        ("%", "1", 0.01),
        ("g cm-3", "kg m-3", 1000),
        ("L m-2", "mm", 1),
        ("degC decade-1", "K yr-1", 0.1),
        ("rad", "deg", 57.29577951308232),
    ],
)
def test_factors(source: str, target: str, factor: float) -> None:
    assert conversion(source, target).scale == pytest.approx(factor, rel=1e-12)
    assert conversion(target, source).scale == pytest.approx(1 / factor, rel=1e-12)
    assert conversion(source, target).offset == 0


def test_powers_of_ten_convert_exactly() -> None:
    assert conversion("g C m-2 yr-1", "kg C m-2 yr-1").scale == 0.001
    assert conversion("g C m-2 yr-1", "gC/m2/yr").is_identity


def test_degrees_are_points_alone_and_intervals_in_compounds() -> None:
    # The triple point of water and absolute zero, by the definition of the Celsius scale.
    assert conversion("degC", "K").apply(0.01) == pytest.approx(273.16)
    assert conversion("K", "degC").apply(0.0) == -273.15
    assert conversion("degC", "degC").is_identity
    assert conversion("degC yr-1", "K yr-1").offset == 0
    degree = parse_unit("degC")
    assert (degree * parse_unit("1")).offset == degree.offset
    assert ((degree / parse_unit("yr")) * parse_unit("yr")) == parse_unit("K")
    assert str(degree / parse_unit("yr") * parse_unit("yr")) == "K"


def test_apply_leaves_the_type_of_its_argument_to_arithmetic() -> None:
    numpy = pytest.importorskip("numpy")
    values = conversion("t ha-1", "g m-2").apply(numpy.array([1.0, numpy.nan]))
    assert values[0] == 100
    assert numpy.isnan(values[1])
    marker = object()
    assert conversion("g", "g").apply(marker) is marker
    assert conversion("t", "kg").apply(Fraction(1, 2)) == 500


@pytest.mark.parametrize(
    ("text", "bad", "help"),
    [
        ("", "", "write `1`"),
        ("g C m-2 yrr-1", "yrr", "did you mean `yr`?"),
        ("umoll CO2 m-2 s-1", "umoll", "did you mean `umol`"),
        ("gC m-2d-1", "m-2d-1", "put a space between units"),
        ("C", "C", "did you mean `degC`?"),
        ("g C-1", "C-1", "`g-1 C`"),
        ("m C", "C", "`mm H2O`"),
        ("g/(m2 d", "(", ""),
        ("g m-2)", ")", ""),
        ("g//m2", "/", ""),
        ("g *", "*", ""),
        ("0 m", "0", ""),
        ("m^", "m^", "put a space between units"),
        ("m-2-1", "m-2-1", "put a space between units"),
        ("mm & d", "&", ""),
        ("10mm", "10mm", "did you mean `mm`?"),
    ],
)
def test_messages_point_at_the_bad_part(text: str, bad: str, help: str) -> None:
    with pytest.raises(UnitError) as caught:
        parse_unit(text)
    assert text[caught.value.start : caught.value.end] == bad
    assert help in caught.value.help


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        ("g C m-2", "g C m-2 yr-1", ("mass of C per area", "mass of C per area per time")),
        ("g C m-2", "g N m-2", ("mass of C per area", "mass of N per area")),
        ("umol m-2 s-1", "g C m-2 s-1", ("amount of substance per area per time", "name the substance on both sides")),
        ("mm yr-1", "kg m-2 s-1", ("length per time", "`kg H2O m-2 s-1`")),
        ("degC", "mm", ("temperature", "length")),
        ("J", "W", ("energy", "power")),
        ("g C", "mol CO2 mol-1", ("mass of C", "a plain number")),
    ],
)
def test_units_of_different_things_do_not_convert(source: str, target: str, words: tuple[str, str]) -> None:
    with pytest.raises(UnitError) as caught:
        conversion(source, target)
    for word in words:
        assert word in str(caught.value)
    assert not is_convertible(parse_unit(source), parse_unit(target))


def test_diagnostics_have_the_place_in_the_spec() -> None:
    source = Source("x.yaml", "unit: g C m-2 yrr-1")
    (found,) = check_unit("g C m-2 yrr-1", lambda start, end: source.span(start + 6, end + 6))
    assert (found.code, found.span and found.span.text) == ("SQ301", "yrr")
    assert check_unit("g C m-2 yr-1", source.span) == []
    with pytest.raises(SoilqlError) as caught:
        convert_or_raise("degC", "mm", source.span(0, 4))
    assert [d.code for d in caught.value.diagnostics] == ["SQ302"]
    with pytest.raises(SoilqlError) as caught:
        convert_or_raise("degX", "mm")
    assert [d.code for d in caught.value.diagnostics] == ["SQ301"]


def test_numbers_beyond_reason_are_refused_quickly() -> None:
    for text in ("1e999999999 m", "m^999999", "(" * 5000 + "m" + ")" * 5000):
        with pytest.raises(UnitError):
            parse_unit(text)
    with pytest.raises(UnitError, match="beyond"):
        conversion("Eg99", "pg99")


def test_every_spelling_reads_as_its_symbol() -> None:
    for spelling, symbol in SPELLINGS.items():
        assert parse_unit(f"{spelling} m-9") == parse_unit(f"{symbol} m-9"), spelling


def test_describe_dimensionless() -> None:
    assert describe(parse_unit("%")) == "a plain number"
    assert parse_unit("%").is_dimensionless
    assert parse_unit("m2 ha-1").is_dimensionless
    assert not parse_unit("degrees_north").is_dimensionless


def test_reading_units_loads_no_numpy() -> None:
    code = "import sys, soilql.units; assert not {'numpy', 'pint'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def _factor(symbol: str, substance: str, exponent: int) -> str:
    tagged = substance if SYMBOLS[symbol].basis in ("mass", "amount") else ""
    return f"{symbol}{exponent if exponent != 1 else ''} {tagged}".strip()


FACTORS = st.builds(
    _factor,
    st.sampled_from(sorted(SYMBOLS)),
    st.sampled_from(["", *sorted(MOLAR_MASS)]),
    st.integers(-3, 3).filter(bool),
)
UNITS = st.lists(FACTORS, min_size=1, max_size=4).map(" ".join).map(parse_unit)
# Masses, amounts and depths that always name what they are of, so that no tag is left to be guessed.
CARBON = st.builds(
    "{} {} {}".format,
    st.sampled_from(["ug", "g", "Pg", "t", "umol", "mol"]),
    st.sampled_from(["C", "CO2", "CH4"]),
    st.sampled_from(["m-2 s-1", "ha-1 yr-1", "cm-2 month-1"]),
).map(parse_unit)


@given(UNITS)
def test_round_trip_through_text(unit: Unit) -> None:
    assert parse_unit(str(unit)) == unit
    assert str(parse_unit(str(unit))) == str(unit)


@given(UNITS, UNITS)
def test_multiplication_commutes_and_division_undoes_it(a: Unit, b: Unit) -> None:
    assert a * b == b * a or a.offset or b.offset
    assert (a * b) / b == a or a.offset or b.offset
    assert (a**2) ** Fraction(1, 2) == a or a.offset


@given(CARBON, CARBON, st.floats(-1e6, 1e6))
def test_there_and_back(a: Unit, b: Unit, x: float) -> None:
    assert conversion(b, a).apply(conversion(a, b).apply(x)) == pytest.approx(x, rel=1e-12)


@given(CARBON, CARBON, CARBON)
def test_conversion_is_transitive(a: Unit, b: Unit, c: Unit) -> None:
    direct, by_way = conversion(a, c).scale, conversion(a, b).scale * conversion(b, c).scale
    assert by_way == pytest.approx(direct, rel=1e-12)


@given(st.text(max_size=30))
def test_any_text_is_a_unit_or_a_located_error(text: str) -> None:
    try:
        unit = parse_unit(text)
    except UnitError as error:
        assert 0 <= error.start <= error.end <= len(text)
    else:
        assert parse_unit(str(unit)) == unit
