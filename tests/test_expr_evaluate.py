"""Values of expressions: hand-worked, with missing data, on numpy, pandas and dask alike."""

from __future__ import annotations

import math
import warnings
from typing import Any

import dask
import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from soilql.errors import SoilqlError
from soilql.expr.evaluate import evaluate
from soilql.expr.parse import parse_expression, parse_formula

NAN = math.nan
COLUMNS: dict[str, Any] = {
    "x": np.array([1.0, 2.0, NAN, -4.0]),
    "count": np.array([3, 2, 1, 0], dtype="int16"),
    "grid": np.array([0.1, 0.2, 0.3, 0.4], dtype="float32"),
    "flag": np.array([True, False, True, True]),
    "kind": np.array(["a", None, "b", "Ab"], dtype=object),
    "void": np.array([None] * 4, dtype=object),
}


def value(text: str, **columns: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return evaluate(parse_expression(text), {**COLUMNS, **columns})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # R: -2^2 is -4, -1 %% 3 is 2, 5 %% -3 is -1, 2^-1 is 0.5, 2^3^2 is 512.
        ("-2^2", -4.0),
        ("-1 % 3", 2.0),
        ("5 % -3", -1.0),
        ("2^-1", 0.5),
        ("2^3^2", 512.0),
        ("7 / 2", 3.5),
        ("1 / 0", math.inf),
        ("log(0)", -math.inf),
        # R: round(0.5) is 0, round(2.5) is 2, round(-1.5) is -2.
        ("round(0.5) + 10 * round(2.5) + 100 * round(-1.5)", -180.0),
        ("floor(-1.5) + ceil(1.2) + sign(-3) + abs(-2)", 1.0),
        ("cos(pi)", -1.0),
        ("log10(1000) + log2(8) + log(exp(2))", 8.0),
        ("log1p(1e-20) + expm1(1e-20)", 2e-20),
        ("tanh(0) + sin(0) + tan(0) + sqrt(16)", 4.0),
        ("min(3, 1, 2) + 10 * max(3, 1, 2)", 31.0),
        ("clip(5, 0, 3) + clip(-1, 0, 3)", 3.0),
        ("0 < 3 < 5", True),
        ("5 > 3 > 4", False),
        ("not 1 > 2 and 'a' < 'b'", True),
        ("'x' in ['y', 'x']", True),
        ("3 not in [1, 2]", True),
        ("upper('ab')", "AB"),
        ("where(2 > 1, 'yes', 'no')", "yes"),
    ],
)
def test_scalars(text: str, expected: object) -> None:
    found = value(text)
    assert found == (pytest.approx(expected, rel=1e-15) if isinstance(expected, float) else expected)


@pytest.mark.parametrize(
    "text", ["0 / 0", "log(-1)", "sqrt(-1)", "(-8)^(1/3)", "5 % 0", "min(1, 0/0)", "clip(0/0, 0, 1)"]
)
def test_what_has_no_value_is_missing(text: str) -> None:
    assert math.isnan(value(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x + count", [4.0, 4.0, NAN, -4.0]),
        ("count / 2", [1.5, 1.0, 0.5, 0.0]),
        ("count^-1", [1 / 3, 0.5, 1.0, math.inf]),
        ("count * 30000", [90000.0, 60000.0, 30000.0, 0.0]),  # int16 would overflow
        ("flag + 1", [2.0, 1.0, 2.0, 2.0]),
        ("x > 1", [False, True, False, False]),
        ("x == 1", [True, False, False, False]),
        ("x != 1", [False, True, False, True]),
        ("not x == 1", [False, True, True, True]),
        ("x in [1, 2]", [True, True, False, False]),
        ("x not in [1, 2]", [False, False, False, True]),
        ("missing(x)", [False, False, True, False]),
        ("0 < x < 2", [True, False, False, False]),
        ("kind == 'a'", [True, False, False, False]),
        ("kind != 'a'", [False, False, True, True]),
        ("kind in ['a', 'b']", [True, False, True, False]),
        ("kind not in ['a', 'b']", [False, False, False, True]),
        ("missing(kind)", [False, True, False, False]),
        ("kind < 'b'", [True, False, False, True]),
        ("contains(lower(kind), 'b')", [False, False, True, True]),
        ("startswith(kind, 'A') or endswith(kind, 'a')", [True, False, False, True]),
        ("where(x > 1, x, -1)", [-1.0, 2.0, -1.0, -1.0]),
        ("where(missing(kind), 'none', upper(kind))", ["A", "none", "B", "AB"]),
        ("flag and x < 3", [True, False, False, True]),
        ("void == 'a' or void != 'a'", [False] * 4),
        ("void + 1", [NAN] * 4),
        ("max(x, count)", [3.0, 2.0, NAN, 0.0]),
    ],
)
def test_columns(text: str, expected: list[Any]) -> None:
    # Worked by hand from the rules at the top of the module: a missing value compares as false.
    found = value(text)
    assert isinstance(found, np.ndarray)
    np.testing.assert_array_equal(found, np.array(expected, dtype=object if isinstance(expected[0], str) else None))
    lazy = {name: da.from_array(column, chunks=3) for name, column in COLUMNS.items()}
    blocked = evaluate(parse_expression(text), lazy)
    assert dask.is_dask_collection(blocked)
    assert blocked.dtype == found.dtype
    np.testing.assert_array_equal(blocked.compute(), found)


def test_float32_grids_are_computed_in_float64() -> None:
    found = value("grid * 3")
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, COLUMNS["grid"].astype(float) * 3)


@pytest.mark.parametrize("dtype", ["object", "string", "category", "str"])
def test_texts_of_every_pandas_type(dtype: str) -> None:
    column = pd.Series(["a", None, "b"], dtype=object).astype(dtype if dtype != "str" else object)
    assert value("kind != 'a'", kind=column).tolist() == [False, False, True]
    assert value("missing(kind)", kind=column).tolist() == [False, True, False]
    assert value("where(kind == 'a', 'A', kind)", kind=column)[[0, 2]].tolist() == ["A", "b"]


def test_nullable_pandas_columns() -> None:
    number = pd.Series([1, None, 3], dtype="Int64")
    flag = pd.Series([True, None, False], dtype="boolean")
    np.testing.assert_array_equal(value("n * 2", n=number), [2.0, NAN, 6.0])
    assert value("f", f=pd.Series([True, False])).tolist() == [True, False]
    assert value("f and true", f=flag).tolist() == [True, False, False]
    assert value("not f", f=flag).tolist() == [False, True, True]
    assert value("f == false", f=flag).tolist() == [False, False, True]
    np.testing.assert_array_equal(value("f + 1", f=flag), [2.0, NAN, 1.0])
    assert value("missing(f)", f=flag).tolist() == [False, True, False]
    np.testing.assert_array_equal(value("m + 1", m=np.ma.masked_array([1, 2], [False, True])), [2.0, NAN])


def test_heterotrophic_respiration() -> None:
    # Bond-Lamberty et al. (2004): ln Rh = 1.22 + 0.73 ln Rs; Rs 200/500/1000 give 162.028/316.291/524.613.
    rs = np.array([200.0, 500.0, 1000.0])
    found = value('rh_from_rs(rs.mean, "bond-lamberty-2004")', **{"rs.mean": rs})
    np.testing.assert_allclose(found, [162.028, 316.291, 524.613], atol=5e-4)
    lazy = evaluate(parse_expression("rh_from_rs(rs, 'subke-2006')"), {"rs": da.from_array(rs, chunks=2)})
    np.testing.assert_allclose(lazy.compute(), [150.166, 312.192, 528.730], atol=5e-4)


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("1 + kind", "SQ112", (0, 8)),
        ("x > 0 or kind == 1", "SQ112", (9, 18)),
        ("flag and x", "SQ112", (0, 10)),
        ("2 * Mo", "SQ201", (4, 6)),
        ("where(flag, kind, 1)", "SQ112", (0, 20)),
        ("lower(x)", "SQ112", (0, 8)),
        ("not kind", "SQ112", (0, 8)),
        ("sine(x)", "SQ202", (0, 7)),
    ],
)
def test_wrong_values_are_explained(text: str, code: str, place: tuple[int, int]) -> None:
    with pytest.raises(SoilqlError) as caught:
        value(text)
    (found,) = caught.value.diagnostics
    assert found.span is not None
    assert (found.code, (found.span.start, found.span.end)) == (code, place)


def test_wrong_inputs_are_refused() -> None:
    with pytest.raises(TypeError, match="named dimensions"):
        value("g + 1", g=xr.DataArray(np.zeros((2, 2)), dims=("lat", "lon")))
    with pytest.raises(TypeError, match="neither numbers"):
        value("d", d=pd.Series(pd.to_datetime(["2001-01-01"])))
    with pytest.raises(SoilqlError, match="SQ113"):
        evaluate(parse_formula("y ~ x").root, {"y": 1.0, "x": 1.0})
    with pytest.raises(SoilqlError, match="SQ201"):
        evaluate(parse_expression("x + y"), {"x": da.ones(3)})


def test_lazy_stays_lazy_and_one_task_a_block() -> None:
    grid = da.ones((40, 60), chunks=(10, 20), dtype="float32")
    found = evaluate(parse_expression("where(exp(0.1*t) * t^2 > 1, t * 2, sqrt(t))"), {"t": grid})
    assert found.chunks == grid.chunks
    layers = [layer for name, layer in found.dask.layers.items() if name.startswith("expression")]
    assert len(layers) == 1
    assert len(dict(layers[0])) == grid.npartitions
    again = evaluate(parse_expression("where(exp(0.1 * t)*t**2 > 1, t*2, sqrt(t))"), {"t": grid})
    assert again.name == found.name


def test_lazy_values_give_no_warning() -> None:
    grid = da.from_array(np.array([-1.0, 0.0, 1.0]), chunks=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = evaluate(parse_expression("log(t) / t"), {"t": grid}).compute(scheduler="threads")
    np.testing.assert_array_equal(found, [NAN, -math.inf, 0.0])


def test_grids_broadcast_over_a_missing_dimension() -> None:
    grid, mean = da.ones((5, 4, 3), chunks=2), np.arange(12.0).reshape(4, 3)
    found = evaluate(parse_expression("g - m"), {"g": grid, "m": mean})
    np.testing.assert_array_equal(found.compute(), np.ones((5, 4, 3)) - mean)


@settings(max_examples=60)
@given(
    st.sampled_from(
        [
            "x + y * 2 - x^2", "where(x > y, x, y) % 3", "x > y or missing(x)", "exp(x) / log(y)",
            "min(x, y, 1) * clip(x, -1, 1)", "x != y and not x in [0, 1]", "round(x) + floor(y) - sign(x)",
        ]
    ),
    st.lists(
        st.tuples(*[st.one_of(st.floats(-50, 50), st.sampled_from([NAN, math.inf, 0.0, 1.0]))] * 2),
        min_size=1,
        max_size=12,
    ),
    st.integers(1, 5),
)  # fmt: skip
def test_blocks_change_nothing(text: str, rows: list[tuple[float, float]], chunk: int) -> None:
    x, y = np.array(rows, dtype=float).T
    expression = parse_expression(text)
    whole = evaluate(expression, {"x": x, "y": y})
    lazy = evaluate(expression, {"x": da.from_array(x, chunks=chunk), "y": y})
    np.testing.assert_array_equal(lazy.compute(scheduler="synchronous"), whole)
    rowwise = [evaluate(expression, {"x": a, "y": b}) for a, b in rows]
    np.testing.assert_array_equal(np.array(rowwise), whole)


def test_long_sums_do_not_recurse() -> None:
    text = " + ".join(f"x * {k}" for k in range(5000))
    assert evaluate(parse_expression(text), {"x": np.array([1.0])}).tolist() == [5000 * 4999 / 2]
    lazy = evaluate(parse_expression(text), {"x": da.ones(2, chunks=1)})
    assert lazy.compute().tolist() == [12497500.0] * 2
