"""Where formulas have no finite value, and what is known of drivers before any data are read."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soilql.errors import Source
from soilql.expr.parse import parse_expression
from soilql.formula.domain import Hazard, hazards, optima
from soilql.formula.drivers import Driver, driver, filtered
from soilql.formula.interval import WHOLE, Interval, point
from soilql.formula.tape import value_at
from soilql.source import parse_yaml
from soilql.spec import Spec, build

BOX = {"T": Interval(-10.0, 30.0), "M": Interval(0.0, 100.0), "k": Interval(-5.0, 5.0)}


def found(text: str, box: dict[str, Interval] = BOX) -> list[Hazard]:
    return list(hazards(parse_expression(text).root, box, box))


@pytest.mark.parametrize(
    ("text", "kind", "witness"),
    [
        ("log(T)", "log", {"T": -10.0}),
        ("log10(T - 40)", "log", {"T": -10.0}),
        ("log1p(T)", "log", {"T": -10.0}),
        ("sqrt(T)", "root", {"T": -10.0}),
        ("T^0.5", "power", {"T": -10.0}),
        ("T^q", "power", {"T": -10.0}),
        ("a/T", "divide", {"T": -10.0}),
        ("T^-2", "divide", {"T": -10.0}),
        ("M/(M + k)", "divide", {"M": 0.0, "k": -5.0}),
        ("exp(T^2)", "overflow", {"T": 30.0}),
    ],
)
def test_hazards_come_with_values_that_show_them(text: str, kind: str, witness: dict[str, float]) -> None:
    (hazard,) = found(text)
    assert (hazard.kind, dict(hazard.witness)) == (kind, witness)
    assert value_at(hazard.argument, hazard.witness) == hazard.value


@pytest.mark.parametrize(
    "text",
    [
        "log(T + 10)",  # 0 at the end of what occurs
        "log(M)",
        "a/M",
        "sqrt(T^2)",
        "log(T*T + 1)",  # interval arithmetic alone would see -299
        "log(max(T, 0.1))",
        "1/(T + 46.02)",
        "1/(1 + exp(-T))",
        "T^2 + T^-0",
        "log(unknown)",
        "log(T + unknown)",
        "1/(M + free)",
        "where(T > 0, log(T), 0)",
        "exp(T/10)",
        "exp(free*T)",
        "2^T",
    ],
)
def test_what_is_safe_or_unknown_is_not_reported(text: str) -> None:
    assert found(text) == []


def test_what_never_has_a_value_is_certain_without_knowing_what_occurs() -> None:
    within = {"x": Interval(-math.inf, -1.0)}
    (hazard,) = hazards(parse_expression("log(x)").root, within, {})
    assert hazard.always
    (constant,) = found("a/0")
    assert constant.always


@settings(max_examples=100)
@given(
    st.sampled_from(["log(T + s)", "sqrt(T*s)", "log(T^2 - s)", "(T - s)^0.5", "exp(s*T)", "log(s - exp(T/10))"]),
    st.floats(-900, 900),
    st.floats(-50, 50),
    st.floats(0, 50),
)
def test_a_hazard_is_real_and_silence_is_safe(text: str, s: float, low: float, width: float) -> None:
    """Dense values of the driver show what the search claims, and little of what it does not."""
    tree = parse_expression(text).root
    box = {"T": Interval(low, low + width), "s": point(s)}
    kinds = {hazard.kind for hazard in hazards(tree, box, box)}
    values = [value_at(tree, {"T": low + width * i / 500, "s": s}) for i in range(501)]
    bad = sum(has_no_value(value) for value in values)
    for hazard in hazards(tree, box, box):
        assert has_no_value(value_at(hazard.node, hazard.witness))
    if not kinds:
        assert bad <= 25, "a share of the driver that a search over 400 values cannot miss"


def has_no_value(value: float) -> bool:
    return math.isnan(value) or value == math.inf


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a*exp(b*T + c*T^2)", [20.0]),
        ("a*exp(-((T - best)/width)^2)", [24.0]),
        ("a*exp(b*T - c*T^2)", []),  # c is negative, so this one has a minimum
        ("a*exp(b*T + c*T^3)", []),
        ("a*exp(b*T + c*T^2)*exp(d*M)", [20.0]),
        ("a*exp(b*T + c*T^2 + d*M)", [20.0]),
        ("a*exp(b*T + free*T^2)", []),
    ],
)
def test_optimum_of_a_quadratic_is_at_minus_b_over_2c(text: str, expected: list[float]) -> None:
    values = {"a": 1.0, "b": 0.2, "c": -0.005, "best": 24.0, "width": 8.0, "d": 0.1}
    tree = parse_expression(text).root
    assert [o.at for o in optima(tree, values, {"T": Interval(-10.0, 30.0)})] == pytest.approx(expected)


SPEC = """\
soilql: 1
datasets:
  srdb:
    kind: table
    source: registry:srdb-v5
    where: Rs_annual > 0 and Rs_annual <= 5000 and Collar_depth in [5, 10] and MAT > -5 and Soil_drainage == "Dry"
    columns:
      Rs: {from: Rs_annual, unit: kg C m-2 yr-1}
      depth: {from: Collar_depth, unit: mm}
      one: {expr: 3 - 2}
      warm: {expr: MAT + 1, unit: degC}
      clay: {from: Soil_clay, unit: 1}
    roles: {lat: Latitude, lon: Longitude}
    select: [Rs, depth, one, warm, clay, Annual_coverage]
  drivers:
    kind: grid
    source: registry:jian2021-drivers
    variables: {K: {from: MAT, unit: K}, cover: {from: EVI, scale: 100}, EVI: , MAT: }
  training: {kind: extract, at: srdb, from: drivers}
"""


def spec() -> Spec:
    found = build(parse_yaml(Source("x.yaml", SPEC)), {})
    assert found.ok, [d.render() for d in found.diagnostics]
    return found


@pytest.mark.parametrize("block", ["srdb", "training"])
def test_filters_units_and_copies_are_followed_to_their_source(block: str) -> None:
    scope = spec()
    Rs = driver("Rs", block, scope)
    assert (Rs.within.low, Rs.within.high) == pytest.approx((0.0, 5.0))
    assert Rs.occurring is None
    depth = driver("depth", block, scope)
    assert depth.choices == pytest.approx((50.0, 100.0))
    assert driver("one", block, scope).choices == (1.0,)
    assert driver("clay", block, scope).occurring == Interval(0.0, 1.0)
    assert driver("Annual_coverage", block, scope).within == Interval(0.0, 1.0)
    assert driver("warm", block, scope).occurring == Interval(-10.0, 30.0)
    assert driver("nothing", block, scope) == Driver()


def test_variables_of_grids_reach_the_training_table() -> None:
    scope = spec()
    assert driver("EVI", "training", scope).within == Interval(-1.0, 1.0)
    assert driver("cover", "training", scope).within == WHOLE  # rescaled: the registry's range says nothing of it
    assert driver("MAT", "training", scope).occurring == Interval(-10.0, 30.0)  # not the filtered column of the sites
    assert driver("K", "training", scope).occurring is None


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("x > 0", 0, math.inf),
        ("0 < x < 5", 0, 5),
        ("5 >= x and -1 <= x", -1, 5),
        ("x > 0 or x < -1", -math.inf, math.inf),
        ("not x > 0", -math.inf, math.inf),
        ("x > y", -math.inf, math.inf),
        ("x == 2", 2, 2),
        ("abs(x) < 3", -math.inf, math.inf),
        ("x > 1e3/2 and kind == 'a'", 500, math.inf),
    ],
)
def test_what_filters_say_of_a_column(text: str, low: float, high: float) -> None:
    assert filtered(parse_expression(text).root, "x").within == Interval(low, high)


def test_realistic_values_lie_within_what_is_known() -> None:
    assert Driver("degC", Interval(0.0, math.inf)).realistic() == (0.0, 30.0)
    assert Driver("mm d-1").realistic() == pytest.approx((100 / 365.25, 3000 / 365.25))
    assert Driver(None, Interval(50.0, math.inf)).realistic() == pytest.approx((50.0, 59.9))
    assert Driver(None, Interval(50.0, 60.0)).realistic() == (50.0, 60.0)
