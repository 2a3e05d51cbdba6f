"""Folds at random, by row or by group."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from soilql.errors import SoilqlError
from soilql.values import Table
from tests.support import run_kind


def scheme(text: str) -> Any:
    return run_kind("validation", "kfold", text)


def sites(counts: list[int]) -> Table:
    lat = np.repeat(np.arange(len(counts), dtype=float), counts)
    frame = pd.DataFrame({"Latitude": lat, "Longitude": lat / 2, "year": np.arange(lat.size) % 3})
    return Table(frame, roles={"lat": "Latitude", "lon": "Longitude"})


def test_rows_are_shared_out_evenly() -> None:
    folds = scheme("folds: 4\n").folds(sites([10, 1]))
    assert np.bincount(folds).tolist() == [3, 3, 3, 2]


def test_a_site_never_straddles_folds() -> None:
    table = sites([7, 1, 3, 3, 9, 2])
    found = scheme("folds: 3\ngroup: site\n")
    folds = found.folds(table)
    assert set(folds) == {0, 1, 2}
    places = table.frame.assign(fold=folds).groupby("Latitude")["fold"].nunique()
    assert (places == 1).all()
    assert found.describe() == "3 folds by site"


def test_folds_of_groups_do_not_depend_on_the_order_of_rows() -> None:
    table, found = sites([7, 1, 3, 3, 9, 2]), scheme("folds: 3\ngroup: site\n")
    order = np.random.default_rng(0).permutation(len(table.frame))
    np.testing.assert_array_equal(found.folds(table.rows(order)), found.folds(table)[order])


def test_seed_decides() -> None:
    table = sites([50])
    one, same, other = (scheme(f"folds: 5\nseed: {seed}\n").folds(table) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("folds: 7\ngroup: site\n", "7 folds asked of 6 groups"),
        ("folds: 26\n", "26 folds asked of 25 rows"),
    ],
)
def test_more_folds_than_there_can_be(text: str, words: str) -> None:
    with pytest.raises(SoilqlError) as error:
        scheme(text).folds(sites([7, 1, 3, 3, 9, 2]))
    found = error.value.diagnostics[0]
    assert (found.code, found.message) == ("SQ606", words)
    assert found.span is not None
    assert found.span.text == text.split()[1]


def test_unknown_group_and_rows_without_one() -> None:
    with pytest.raises(SoilqlError) as error:
        scheme("group: yeer\n").folds(sites([20]))
    assert (error.value.diagnostics[0].code, error.value.diagnostics[0].help) == ("SQ704", "did you mean `year`?")
    table = sites([10, 10])
    table.frame.loc[3, "Latitude"] = np.nan
    with pytest.raises(SoilqlError, match="1 of 20 rows have no `site`"):
        scheme("folds: 2\ngroup: site\n").folds(table)
