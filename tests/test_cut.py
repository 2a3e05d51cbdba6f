"""Zones by cutting one variable."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from soilql import kinds
from soilql.errors import SoilqlError
from soilql.zones.cut import Cut
from tests.support import run_kind

MAT = np.array([-10.0, 1.999, 2.0, 2.001, 16.999, 17.0, 17.001, np.nan, np.inf])


def cut(text: str) -> Cut:
    found: Cut = run_kind("zones", "cut", f"of: MAT\nbreaks: [2, 17]\nlabels: [boreal, temperate, tropical]\n{text}")
    return found


@pytest.mark.parametrize(
    ("closed", "codes"),
    [
        # R: findInterval(x, c(2, 17), left.open = TRUE) and FALSE.
        ("right", [0, 0, 0, 1, 1, 1, 2, -1, 2]),
        ("left", [0, 0, 1, 1, 1, 2, 2, -1, 2]),
        # Huang et al. (2020): boreal < 2, temperate 2 to 17, tropical > 17.
        ("[left, right]", [0, 0, 1, 1, 1, 1, 2, -1, 2]),
    ],
)
def test_boundaries(closed: str, codes: list[int]) -> None:
    zones = cut(f"closed: {closed}\n")
    assert zones.labels == ("boreal", "temperate", "tropical")
    assert zones.variables == ("MAT",)
    found = zones.codes({"MAT": MAT})
    assert found.dtype == np.int16
    assert found.tolist() == codes
    lazy = zones.codes({"MAT": da.from_array(MAT, chunks=4)})
    assert lazy.compute().tolist() == codes


def test_float32_grid_and_integers() -> None:
    zones = cut("")
    assert zones.codes({"MAT": MAT.astype(np.float32)}).tolist() == zones.codes({"MAT": MAT}).tolist()
    assert zones.codes({"MAT": np.array([2, 3, 17, 18])}).tolist() == [0, 1, 1, 2]


def test_missing_values_are_counted() -> None:
    assert cut("").outside({"MAT": MAT}) == {"MAT missing": 1}


def test_state_is_the_partition() -> None:
    zones = cut("closed: [left, right]\n")
    kind = kinds.find("zones", "cut")
    assert kind is not None
    assert kind.load(zones.state(), None) == zones
    assert zones.state().meta["kind"] == "cut"


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("breaks: [17, 2]\nlabels: [a, b, c]", "[17, 2]", "must rise"),
        ("breaks: [2, 2]\nlabels: [a, b, c]", "[2, 2]", "must rise"),
        ("breaks: [2, 17]\nlabels: [a, b]", "[a, b]", "2 breaks make 3 zones"),
        ("breaks: [2, 17]\nlabels: [a, b, a]", "[a, b, a]", "differ"),
        ("breaks: [2, .inf]\nlabels: [a, b, c]", "[2, .inf]", "finite"),
        ("breaks: []\nlabels: [a]", "[]", "no partition"),
        ("breaks: [2]\nlabels: [a, b]\nclosed: [left, left]", "[left, left]", "one for each break"),
    ],
)
def test_mistakes_in_the_parameters(text: str, place: str, words: str) -> None:
    with pytest.raises(SoilqlError) as error:
        run_kind("zones", "cut", f"of: MAT\n{text}\n")
    found = error.value.diagnostics[0]
    assert words in found.message
    assert found.span is not None
    assert found.span.text == place


def test_text_cannot_be_cut() -> None:
    with pytest.raises(SoilqlError) as error:
        cut("").codes({"MAT": np.array(["warm"], dtype=object)})
    assert error.value.diagnostics[0].code == "SQ709"
