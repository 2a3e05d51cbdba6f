"""The share of a change put down to land cover, against the exact example of the definition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from soilql.errors import SoilqlError
from soilql.values import Grid, Table
from tests.overlays import fraction, trends
from tests.support import run_kind

# statistics.md: areas 1, 1, 2, 1; N 10, -4, 3, 1; flags 1, 0, 1, 0 give 0.761905 (exact).
RESPONSE = trends([10, -4, 3, 1], [1, 0, 0, 0])
AREAS = fraction([1, 1, 2, 1])


def attribution(text: str = "", **inputs: Any) -> Table:
    given = {"rs": RESPONSE, "land": AREAS, **inputs}
    covers = ", ".join(name for name in inputs if name not in ("rs", "land", "zones", "map"))
    found = run_kind("analyses", "attribution", f"of: rs\nland_cover: [{covers}]\nland_fraction: land\n{text}", given)
    assert isinstance(found, Table)
    return found


def test_the_exact_example() -> None:
    found = attribution(sv=trends([5, 1, -2, 1], [1, 0, 1, 0])).frame.set_index("component")
    assert found.loc["land cover", "share"] == pytest.approx(16 / 21, abs=1e-9)
    assert found.loc["climate", "share"] == pytest.approx(5 / 21, abs=1e-9)
    assert found.loc["sv", "share"] == pytest.approx(16 / 21, abs=1e-9)
    assert (found["cells"] == 4).all()
    assert found.loc["land cover", "flagged"] == 2


def test_a_change_of_any_part_of_land_cover_counts_once() -> None:
    tc, sv = trends([5, 1, -2, 1], [1, 0, 0, 0]), trends([5, 1, -2, 1], [1, 0, 1, 0])
    found = attribution(tc=tc, sv=sv).frame.set_index("component")["share"]
    assert found["tc"] == pytest.approx(10 / 21, abs=1e-9)
    assert found["land cover"] == pytest.approx(16 / 21, abs=1e-9)


def test_only_cells_whose_response_is_significant() -> None:
    found = attribution("pixels: significant", sv=trends([5, 1, -2, 1], [1, 0, 1, 0])).frame
    assert found.loc[0, "share"] == 1
    assert found.loc[0, "cells"] == 1


def test_shuffled_flags_give_what_chance_gives() -> None:
    found = attribution("shuffles: 4000", sv=trends([5, 1, -2, 1], [1, 0, 1, 0])).frame.iloc[0]
    # Two of four cells are flagged at random: each holds its part of the change in half of the cases.
    assert found["null_mean"] == pytest.approx(0.5, abs=0.02)
    # Of the six pairs only {1, 3} holds as much as 16 of 21 (10 + 6), {1, 2} 14: p = 1/6.
    assert found["p"] == pytest.approx(1 / 6, abs=0.03)
    assert attribution("shuffles: 4000", sv=trends([5, 1, -2, 1], [1, 0, 1, 0])).frame.equals(
        attribution("shuffles: 4000", sv=trends([5, 1, -2, 1], [1, 0, 1, 0])).frame
    )


class Half:
    """Cells with z above zero, and a zone without cells."""

    labels = ("west", "east", "nowhere")
    variables = ("z",)

    def codes(self, columns: Mapping[str, Any]) -> Any:
        return (columns["z"] > 0).astype(np.int16)


def test_zones_have_shares_of_their_own_and_an_empty_one_a_status() -> None:
    z = Grid(AREAS.data.rename(f="z") * 0 + np.array([[-1.0, -1, 1, 1]]))
    found = attribution(
        "by: zones\non: map", sv=trends([5, 1, -2, 1], [1, 0, 1, 0]), zones=Half(), map=z
    ).frame.set_index(["region", "component"])
    assert found.loc[("west", "land cover"), "share"] == pytest.approx(10 / 14, abs=1e-9)
    assert found.loc[("east", "land cover"), "share"] == pytest.approx(6 / 7, abs=1e-9)
    assert found.loc[("nowhere", "land cover"), "status"] == "no cells"
    assert np.isnan(found.loc[("nowhere", "climate"), "share"])


def test_the_field_or_the_single_test_says_what_changed() -> None:
    sv = trends([5, 1, -2, 1], [1, 0, 1, 0])
    sv.data["significant"][...] = np.array([[1.0, 0, 0, 0]])
    assert attribution("significance: field", sv=sv).frame.loc[0, "share"] == pytest.approx(10 / 21, abs=1e-9)


def test_what_is_no_trend_is_named() -> None:
    with pytest.raises(SoilqlError, match="SQ714"):
        attribution(sv=AREAS)
