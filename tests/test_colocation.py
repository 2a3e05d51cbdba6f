"""How often a driver changed where the response did, counted by hand on cells of the same area."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from soilql.values import Table
from tests.overlays import fraction, trends
from tests.support import run_kind


def colocation(text: str = "", **inputs: Any) -> Table:
    drivers = ", ".join(name for name in inputs if name not in ("rs", "land"))
    found = run_kind("analyses", "colocation", f"of: rs\ndrivers: [{drivers}]\n{text}", inputs)
    assert isinstance(found, Table)
    return found


def test_the_share_of_the_changed_area_with_a_changed_driver() -> None:
    rs = trends([1, -1, 1, 1], [1, 1, 0, 1])
    tem, sv = trends([1, 1, 1, 1], [1, 0, 1, 0]), trends([1, 1, 1, 1], [0, 0, 0, 0])
    found = colocation("land_fraction: land", rs=rs, tem=tem, sv=sv, land=fraction([1, 2, 4, 1])).frame
    found = found.set_index("driver")
    # Area(rs and tem) = 1, area(rs) = 1 + 2 + 1.
    assert found.loc["tem", "share"] == pytest.approx(0.25, abs=1e-9)
    assert found.loc["tem", "driver_share"] == pytest.approx(5 / 8, abs=1e-9)
    assert found.loc["sv", "share"] == 0


def test_by_chance_the_share_is_that_of_the_driver() -> None:
    rng = np.random.default_rng(1)
    rs, tem = (trends(rng.normal(size=300), rng.random(300) < 0.3) for _ in range(2))
    row = colocation("shuffles: 500", rs=rs, tem=tem).frame.iloc[0]
    assert row["null_mean"] == pytest.approx(row["driver_share"], abs=0.01)
    assert row["null_lower"] < row["share"] < row["null_upper"]
    assert row["p"] > 0.01


def test_a_response_without_any_change_has_a_status() -> None:
    found = colocation(rs=trends([1, 1, 1], [0, 0, 0]), tem=trends([1, 1, 1], [1, 0, 0]))
    assert found.frame.loc[0, "status"] == "no significant change"
    assert np.isnan(found.frame.loc[0, "share"])
    assert [note.code for note in found.notes] == ["SQ802"]


def test_cells_where_a_driver_has_no_trend_are_counted() -> None:
    rs, tem = trends([1, -1, 1, 1], [1, 1, 0, 1]), trends([1, np.nan, 1, np.nan], [1, 0, 1, 0])
    found = colocation(rs=rs, tem=tem)
    (note,) = found.notes
    assert note.message == "`tem` has no trend in 2 of 4 cells with one of `rs`: no change there"
    assert found.frame.loc[0, "share"] == pytest.approx(1 / 3)


def test_without_shuffles_there_is_no_null() -> None:
    from soilql.steps.colocation import headline

    found = colocation("shuffles: 0", rs=trends([1, 1], [1, 1]), tem=trends([1, 1], [1, 0]))
    assert found.frame.loc[0, ["null_mean", "null_lower", "p"]].isna().all()
    assert headline(found) == ["global  tem 50%"]
