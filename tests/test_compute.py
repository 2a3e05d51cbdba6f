"""Expressions of blocks: names, units, clipping, grids that do not match."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from soilql.errors import SoilqlError
from soilql.values import Grid, Table
from tests.support import run_kind

FLUX = "g C m-2 yr-1"
LAT, LON = np.array([1.5, 0.5]), np.array([0.5, 1.5])


def grid(unit: str | None = FLUX, lon: Any = LON, crs: str = "EPSG:4326", **variables: Any) -> Grid:
    attrs = {} if unit is None else {"units": unit}
    data = {name: (("lat", "lon"), np.asarray(v, "f4") * np.ones((2, 2), "f4"), attrs) for name, v in variables.items()}
    return Grid(xr.Dataset(data, {"lat": LAT, "lon": lon}).chunk({"lat": 1}), crs)


def compute(text: str, **inputs: Any) -> Any:
    return run_kind("analyses", "compute", text, inputs)


RH = 'expr: rh_from_rs(rs.mean, "bond-lamberty-2004")'


@pytest.mark.parametrize(("rs", "rh"), [(200.0, 162.028), (500.0, 316.291), (1000.0, 524.613)])
def test_rh_from_rs_by_bond_lamberty_2004(rs: float, rh: float) -> None:
    # Reference values of ln Rh = 1.22 + 0.73 ln Rs (Bond-Lamberty et al. 2004).
    found = compute(RH, rs=grid(mean=rs))
    np.testing.assert_allclose(found.data["block"], rh, atol=6e-4)
    assert found.unit("block") == FLUX
    assert found.notes == ()


def test_rs_by_day_is_converted_before_the_equation() -> None:
    found = compute(RH, rs=grid("g C m-2 d-1", mean=500 / 365.25))
    np.testing.assert_allclose(found.data["block"], 316.291, rtol=2e-6)
    assert found.unit("block") == FLUX
    assert [note.code for note in found.notes] == ["SQ304"]


def test_rs_without_a_unit_is_an_error_and_so_is_one_of_another_kind() -> None:
    with pytest.raises(SoilqlError, match=r"SQ303 `rs\.mean` has no unit"):
        compute(RH, rs=grid(None, mean=500))
    with pytest.raises(SoilqlError, match="SQ302"):
        compute(RH, rs=grid("degC", mean=500))


def test_clipped_cells_are_counted_by_variable() -> None:
    # The equation gives more than Rs below 91.70.
    source = grid(mean=[[50.0, 500.0], [91.8, np.nan]], q05=[[50.0, 60.0], [91.6, np.nan]])
    found = compute('expr: rh_from_rs(rs, "bond-lamberty-2004")', rs=source)
    assert list(found.data.data_vars) == ["mean", "q05"]
    assert found.data["mean"].to_numpy()[0, 0] == 50.0
    messages = [note.message for note in found.notes]
    assert "1 of 3 cells (33.33%)" in messages[0] and messages[0].startswith("`mean`")
    assert "3 of 3 cells (100.00%)" in messages[1] and messages[1].startswith("`q05`")


def test_a_reference_alone_stays_a_class_and_numbers_made_of_classes_are_none() -> None:
    cover = grid(None, igbp=[[1, 2], [2, 3]], share=0.5)
    meant = {"categorical": 1, "flag_values": [1, 2, 3], "flag_meanings": ["ENF", "EBF", "DNF"]}
    cover.data["igbp"].attrs |= meant
    alone = compute("expr: cover.igbp", cover=cover).data["block"].attrs
    assert {name: alone.get(name) for name in meant} == meant
    assert not set(meant) & set(compute("expr: cover.igbp + cover.share", cover=cover).data["block"].attrs)
    both = compute("expr: cover", cover=cover).data
    assert both["igbp"].attrs.get("categorical") and not both["share"].attrs.get("categorical")


def test_a_bare_grid_leaves_sd_out_and_says_so() -> None:
    found = compute("expr: abs(rs)", rs=grid(mean=-1, q05=-2, sd=3))
    assert list(found.data.data_vars) == ["mean", "q05"]
    assert "`sd` of `rs` is left out" in found.notes[0].message
    assert found.unit("q05") == FLUX


def test_quantiles_of_two_grids_carry_a_warning() -> None:
    found = compute("expr: a - b", a=grid(mean=3, q05=2), b=grid(mean=1, q05=1))
    np.testing.assert_array_equal(found.data["q05"], 1.0)
    assert "SQ807" in [note.code for note in found.notes]


def test_a_picked_variable_stands_beside_every_variable_of_a_bare_grid() -> None:
    found = compute("expr: rs - other.x", rs=grid(mean=3, q05=2), other=grid(x=1, y=9))
    np.testing.assert_array_equal(found.data["mean"], 2.0)
    np.testing.assert_array_equal(found.data["q05"], 1.0)


def test_name_and_unit_of_a_single_result() -> None:
    found = compute("expr: rs.mean * 365.25\nunit: g C m-2 yr-1\nname: annual", rs=grid("g C m-2 d-1", mean=2))
    assert found.unit("annual") == FLUX
    np.testing.assert_allclose(found.data["annual"], 730.5)
    assert found.data["annual"].chunks is not None
    assert found.data["annual"].dtype == np.float32


def test_units_that_follow_and_units_that_do_not() -> None:
    two = {"a": grid(x=2), "b": grid("yr", x=3)}
    assert compute("expr: a.x * b.x", **two).unit("block") == "g C m-2"
    assert compute("expr: a.x - a.x", **two).unit("block") == FLUX
    # A number may be a conversion, so the unit of the product is not known.
    assert compute("expr: a.x * 365", **two).unit("block") is None


def test_a_sum_of_different_units_is_an_error() -> None:
    with pytest.raises(SoilqlError, match=r"SQ302 `a\.x` is in g C m-2 yr-1 and `b\.x` in g C m-2 d-1"):
        compute("expr: a.x + b.x", a=grid(x=1), b=grid("g C m-2 d-1", x=1))


def test_grids_that_do_not_match_say_in_what() -> None:
    with pytest.raises(SoilqlError, match=r"SQ708 .*`lon` is 2 centres from 0.5 to 1.5 in one and 2 from 10.5 to 11.5"):
        compute("expr: a.x + b.x", a=grid(x=1), b=grid(lon=LON + 10, x=1))
    with pytest.raises(SoilqlError, match=r"SQ708 .*coordinate system"):
        compute("expr: a.x + b.x", a=grid(x=1), b=grid(crs="EPSG:4258", x=1))
    with pytest.raises(SoilqlError, match=r"SQ708 .*do not have the same variables: `q`"):
        compute("expr: a + b", a=grid(x=1, y=2), b=grid(x=1, y=2, q=3))


def test_an_unknown_variable_has_a_suggestion() -> None:
    with pytest.raises(SoilqlError, match="did you mean `mean`"):
        compute("expr: rs.meen", rs=grid(mean=1))


def test_time_and_a_map_go_together_but_time_and_members_do_not() -> None:
    moving = xr.Dataset(
        {"x": (("time", "lat", "lon"), np.ones((3, 2, 2)))}, {"lat": LAT, "lon": LON, "time": [1, 2, 3]}
    )
    found = compute("expr: a.x + b.x", a=grid(None, x=1), b=Grid(moving))
    assert found.data["block"].dims == ("time", "lat", "lon")
    assert found.data["time"].to_numpy().tolist() == [1, 2, 3]
    with pytest.raises(SoilqlError, match="SQ708"):
        compute("expr: a.x + b.x", a=Grid(moving), b=Grid(moving.rename(time="member")))


def test_members_of_several_times_stand_beside_maps_with_some_of_their_dims() -> None:
    times, members = np.array([1.0, 2.0, 3.0]), np.array([10.0, 20.0])
    ones = np.ones((2, 2))
    of = {
        "mean": (("time", "lat", "lon"), times[:, None, None] * ones, {"units": FLUX}),
        "members": (
            ("member", "time", "lat", "lon"),
            members[:, None, None, None] * times[:, None, None] * ones,
            {"units": FLUX},
        ),
    }
    coords = {"lat": LAT, "lon": LON, "time": [2001, 2002, 2003], "member": [1, 2]}
    rs = Grid(xr.Dataset(of, coords).chunk({"lat": 1}))
    by_member = Grid(xr.Dataset({"x": (("member", "lat", "lon"), members[:, None, None] * ones)}, {**coords}))
    found = compute('expr: rh_from_rs(rs * 0 + 500, "subke-2006")', rs=rs).data
    assert found["mean"].dims == ("time", "lat", "lon")
    assert found["members"].dims == ("member", "time", "lat", "lon")
    assert found["time"].to_numpy().tolist() == [2001, 2002, 2003]
    ratio = compute("expr: rs.members / rs.mean / b.x\nunit: '1'", rs=rs, b=by_member).data["block"]
    np.testing.assert_allclose(ratio, np.ones((2, 3, 2, 2)))


def test_a_column_is_added_to_a_table() -> None:
    table = Table(pd.DataFrame({"Rs": [500.0, 50.0], "site": ["a", "b"]}), {"Rs": FLUX})
    found = compute('expr: rh_from_rs(t.Rs, "subke-2006")\nname: Rh', t=table)
    # Rh/Rs = 1.482 - 0.138 ln Rs (Subke et al. 2006) gives 312.192 at 500.
    assert found.frame["Rh"].iloc[0] == pytest.approx(312.192, abs=5e-4)
    assert found.units["Rh"] == FLUX
    assert list(found.frame.columns) == ["Rs", "site", "Rh"]


def test_a_table_stands_alone_and_its_columns_are_named() -> None:
    table = Table(pd.DataFrame({"Rs": [1.0]}))
    with pytest.raises(SoilqlError, match="SQ204"):
        compute("expr: t.Rs + g.x", t=table, g=grid(x=1))
    with pytest.raises(SoilqlError, match="SQ704"):
        compute("expr: t + 1", t=table)


def test_little_memory_changes_nothing() -> None:
    from soilql.context import Resources

    rng = np.random.default_rng(0)
    source = grid(mean=rng.gamma(2, 100, (2, 2)), q05=rng.gamma(2, 40, (2, 2)))
    text = 'expr: rh_from_rs(rs, "subke-2006")'
    whole, lazy = (
        run_kind("analyses", "compute", text, {"rs": source}, resources=Resources(memory=memory))
        for memory in (1 << 30, 1)
    )
    assert whole.notes == lazy.notes
    xr.testing.assert_identical(whole.data.compute(), lazy.data.compute())


def test_the_variable_taken_in_turn_is_spelled_out_and_what_members_are_is_kept() -> None:
    source = grid(mean=500.0, q05=100.0)
    source.data["q05"].attrs["source"] = "single trees"
    found = compute('expr: rh_from_rs(rs, "subke-2006") / other.x', rs=source, other=grid("1", x=2.0)).data
    assert found["q05"].attrs["long_name"] == 'rh_from_rs(rs.q05, "subke-2006") / other.x'
    assert found["q05"].attrs["source"] == "single trees"
    assert "source" not in found["mean"].attrs


def test_the_land_fraction_that_is_in_a_map_is_not_forgotten() -> None:
    source = grid(mean=500.0)
    source.data["mean"].attrs["land_fraction_applied"] = 1
    assert compute(RH, rs=source).data["block"].attrs["land_fraction_applied"] == 1
