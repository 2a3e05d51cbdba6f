"""`stack`: variables side by side or maps one after the other, years brought together, and what is computed of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from soilql.context import Context
from soilql.errors import Diagnostic, SoilqlError
from soilql.kinds import Block, Schema, Size, Variable
from soilql.readers import stack as reader
from soilql.values import Grid, ValueType
from tests.support import bind_block, run_kind

LAT, LON = [45.0, -45.0], [-135.0, -45.0, 45.0, 135.0]


def yearly(*years: int, name: str = "LC", lat: list[float] = LAT, **attrs: Any) -> Grid:
    values = np.array(years, dtype=float)[:, None, None] + np.zeros((1, 2, 4))
    return Grid(
        xr.Dataset(
            {name: (("time", "lat", "lon"), values, attrs)}, {"time": list(years), "lat": lat, "lon": LON}
        ).chunk(time=1)
    )


def static(**variables: Any) -> Grid:
    data = {
        name: (("lat", "lon"), np.broadcast_to(np.asarray(v, float), (2, 4)).copy()) for name, v in variables.items()
    }
    return Grid(xr.Dataset(data, {"lat": LAT, "lon": LON}).chunk(lat=1))


def stack(yaml: str = "", **grids: Grid) -> Grid:
    value = run_kind("datasets", "stack", f"of: [{', '.join(grids)}]\n{yaml}", inputs=grids)
    assert isinstance(value, Grid)
    return value


def failure(yaml: str = "", **grids: Grid) -> Diagnostic:
    with pytest.raises(SoilqlError) as caught:
        stack(yaml, **grids)
    return caught.value.diagnostics[0]


def test_static_maps_beside_yearly_ones() -> None:
    found = stack("derive: {ratio: {expr: LC / soil, unit: 1}}", a=yearly(2000, 2001), b=static(soil=[0, 1, 2, 4]))
    assert list(found.data) == ["LC", "soil", "ratio"]
    assert found.data["soil"].dims == ("lat", "lon")
    assert found.data["ratio"].dims == ("time", "lat", "lon")
    # A division by zero has no value.
    np.testing.assert_array_equal(found.data["ratio"][1, 0], [np.nan, 2001, 1000.5, 500.25])
    assert found.data["ratio"].attrs == {"units": "1"}
    assert found.data["time"].values.tolist() == [2000, 2001]
    assert found.notes == ()


def test_years_that_all_have() -> None:
    found = stack(a=yearly(2000, 2001, 2002), b=yearly(2001, 2002, 2003, name="T"))
    assert found.data["time"].values.tolist() == [2001, 2002]
    assert found.data["LC"][:, 0, 0].values.tolist() == [2001, 2002]
    assert found.data["T"][:, 0, 0].values.tolist() == [2001, 2002]
    assert [note.message for note in found.notes] == [
        "2000 of `a` left out, which others lack",
        "2003 of `b` left out, which others lack",
    ]
    found_none = failure(a=yearly(2000), b=yearly(2001, name="T"))
    assert found_none.message == "the grids have no time in common: `a` has 2000; `b` has 2001"


def test_years_that_are_filled_from_the_nearest() -> None:
    climate, cover = yearly(2000, 2001, 2002, 2003, 2004, 2005, name="T"), yearly(2001, 2004)
    found = stack("fill: {years: 2000-2005, of: cover}", climate=climate, cover=cover)
    # 2002 is as far from 2001 as 2003 is from 2004; of two as near the earlier is taken.
    assert found.data["LC"][:, 0, 0].values.tolist() == [2001, 2001, 2001, 2004, 2004, 2004]
    assert [note.message for note in found.notes] == [
        "`cover` has no map of some years, and repeats that of the nearest: 2000 from 2001, 2002 from 2001, 2003 from "
        "2004, 2005 from 2004"
    ]
    tie = stack("fill: {years: 2000-2002}", a=yearly(2000, 2002))
    assert tie.data["LC"][:, 0, 0].values.tolist() == [2000, 2000, 2002]
    near = stack("fill: {years: [2000, 2004], reach: 1}", a=yearly(2000, 2001))
    np.testing.assert_array_equal(near.data["LC"][:, 0, 0], [2000, 2001, 2001, np.nan, np.nan])
    assert "2003, 2004" in near.notes[-1].message
    none = stack("fill: {years: 2000-2002, method: none}", a=yearly(2001))
    np.testing.assert_array_equal(none.data["LC"][:, 0, 0], [np.nan, 2001, np.nan])
    assert none.data["LC"].dims == ("time", "lat", "lon")


def test_one_after_the_other() -> None:
    found = stack("along: time", late=yearly(2003, 2004), early=yearly(2000, 2001))
    assert found.data["time"].values.tolist() == [2000, 2001, 2003, 2004]
    assert found.data["LC"][:, 0, 0].values.tolist() == [2000, 2001, 2003, 2004]
    assert [note.message for note in found.notes] == ["no map of 2002"]
    filled = stack("along: time\nfill: {years: 2000-2004}", late=yearly(2003, 2004), early=yearly(2000, 2001))
    assert filled.data["LC"][:, 0, 0].values.tolist() == [2000, 2001, 2001, 2003, 2004]
    assert failure("along: time", a=yearly(2000, 2001), b=yearly(2001)).message == "2001 is both in `a` and in `b`"
    other = failure("along: time", a=yearly(2000), b=yearly(2001, name="T"))
    assert other.message == "`a` and `b` do not have the same variables: `LC`, `T` in one only"
    units = failure("along: time", a=yearly(2000, units="K"), b=yearly(2001, units="degC"))
    assert units.message == "`LC` has another unit in `a` than in `b`: K and degC"
    assert "has no times" in failure("along: time", a=yearly(2000), b=static(LC=1)).message


def test_other_cells_or_other_steps_name_the_way_out() -> None:
    found = failure(a=static(x=1), b=yearly(2000, lat=[50.0, -50.0]))
    assert found.message.startswith("`a` and `b` do not have the same cells: `lat` is")
    assert "`kind: resample`, `of: b`, `space: {to: a}`" in found.help
    assert found.span is not None
    assert found.span.text == "b"
    labels = np.array(["2000-01-01", "2000-02-01"], dtype="datetime64[ns]")
    months = Grid(yearly(2000, 2001, name="T").data.assign_coords(time=labels))
    found = failure(a=yearly(2000), b=months)
    assert found.message == "`a` has steps of years and `b` of months"
    assert "resample" in found.help


def test_labels_of_the_same_years_and_months_go_together() -> None:
    dates = np.array(["2000-07-01", "2001-07-01"], dtype="datetime64[ns]")
    found = stack(a=yearly(2000, 2001), b=Grid(yearly(2000, 2001, name="T").data.assign_coords(time=dates)))
    assert found.data["time"].values.tolist() == [2000, 2001]
    first, middle = (np.array([f"2000-{m:02d}-{d}" for m in (1, 2, 3)], "datetime64[ns]") for d in ("01", "16"))
    grids = [Grid(yearly(1, 2, 3, name=n).data.assign_coords(time=t)) for n, t in (("T", first), ("P", middle))]
    months = stack(a=grids[0], b=grids[1])
    np.testing.assert_array_equal(months.data["time"].values, first)


def test_names_that_would_be_there_twice() -> None:
    found = failure(a=static(x=1), b=static(x=2))
    assert (found.code, found.message) == ("SQ710", "both `a` and `b` have `x`")
    assert "prefix: {b: b_}" in found.help
    assert list(stack("prefix: {b: b_}", a=static(x=1), b=static(x=2)).data) == ["x", "b_x"]


def test_indices_of_reflectances() -> None:
    bands = static(nir=[0.5, 0.3, 0.0, 0.4], red=[0.1, 0.1, 0.0, 0.4], blue=0.05, swir=[0.25, 0.3, 0, 0.1])
    yaml = 'derive: {NDVI: "ndvi(nir, red)", EVI: "evi(nir, red, blue)", LSWI: "lswi(nir, swir)"}'
    yaml += "\nselect: [NDVI, EVI, LSWI]"
    found = stack(yaml, bands=bands).data
    assert list(found) == ["NDVI", "EVI", "LSWI"]
    np.testing.assert_allclose(found["NDVI"][0], [2 / 3, 0.5, np.nan, 0.0], atol=1e-15)
    np.testing.assert_allclose(found["LSWI"][0], [1 / 3, 0.0, np.nan, 0.6], atol=1e-15)
    # Huete et al. (2002): 2.5 (0.5 - 0.1) / (0.5 + 6 0.1 - 7.5 0.05 + 1) = 1 / 1.725.
    assert float(found["EVI"][0, 0]) == pytest.approx(1 / 1.725)


def test_derived_variables_may_use_those_above_them_and_the_place() -> None:
    found = stack(
        "derive: {a: day - night, b: a * 2 + lat, warm: day > 20}", g=static(day=[10, 20, 30, 40], night=5)
    ).data
    assert found["b"][0].values.tolist() == [55.0, 75.0, 95.0, 115.0]
    assert found["warm"][0].values.tolist() == [0, 0, 1, 1]
    assert found["b"].chunks is not None


def test_the_result_does_not_depend_on_blocks() -> None:
    grids = {"a": yearly(2000, 2001, 2003), "b": static(s=[1, 0, 2, 3])}
    yaml = "fill: {years: 2000-2003}\nderive: {x: LC / s}"
    one = stack(yaml, **grids).data.compute()
    other = stack(yaml, **{k: Grid(g.data.chunk(lat=2, lon=3)) for k, g in grids.items()}).data.compute()
    xr.testing.assert_identical(one, other)


class Known:
    """A spec of grids with known variables."""

    def __init__(self, **schemas: Schema | None) -> None:
        self.schemas = schemas

    def block(self, name: str) -> Block | None: ...
    def value_type(self, name: str) -> ValueType | None:
        return ValueType.GRID

    def schema(self, ref: str) -> Schema | None:
        return self.schemas.get(ref)

    def names(self) -> tuple[str, ...]:
        return tuple(self.schemas)


def test_what_lint_finds_and_knows() -> None:
    scope = Known(
        a=Schema({"T": Variable("number", "degC")}), b=Schema({"T": Variable("number", "K"), "P": Variable("number")})
    )

    def lint(yaml: str) -> list[tuple[str, str, str]]:
        block = bind_block("datasets", "stack", f"of: [a, b]\n{yaml}")
        return [(d.code, d.message, d.span.text if d.span else "") for d in reader.check(block, scope)]

    assert lint("") == [("SQ710", "both `a` and `b` have `T`", "b")]
    yaml = "prefix: {b: b_}\nfill: {years: 2000-2014, of: a}\nderive: {x: {expr: T / b_P, unit: 1}}\nselect: [x, T]"
    assert lint(yaml) == []
    assert [code for code, _, _ in lint(yaml.replace("b_P", "b_Q"))] == ["SQ201"]
    assert lint("prefix: {b: b_, c: c_}")[0][:2] == ("SQ704", "`c` is not among `of`")
    assert lint("prefix: {b: b_}\nfill: {years: 2014-2000}")[0][0] == "SQ126"
    assert lint("prefix: {b: b_}\nfill: {years: 2000-2014, of: c}")[0][0] == "SQ704"
    assert lint("prefix: {b: b_}\nselect: [TT]")[0][:2] == ("SQ704", "no column `TT`")
    found = reader.schema(bind_block("datasets", "stack", f"of: [a, b]\n{yaml}"), scope)
    assert {name: one.unit for name, one in found.variables.items()} == {"x": "1", "T": "degC"}
    unknown = reader.schema(bind_block("datasets", "stack", "of: [a, c]"), scope)
    assert unknown.open


def test_size_is_that_of_all_together() -> None:
    block = bind_block("datasets", "stack", "of: [a, b]\nderive: {x: T + P}")
    sizes = {"a": Size(cells=8, columns=30), "b": Size(cells=8, columns=2)}
    assert str(reader.size(block.params, Context(block), sizes)) == "at most 8 cells x 62"
