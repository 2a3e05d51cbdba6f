"""One group left out at a time."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from soilql.errors import SoilqlError
from soilql.values import Table
from tests.support import run_kind

TABLE = Table(pd.DataFrame({"year": [2004, 2003, 2004, 2010], "k": ["a"] * 4}), roles={"time": "year"})


def scheme(group: str) -> Any:
    return run_kind("validation", "leave_one_group_out", f"group: {group}\n")


@pytest.mark.parametrize("group", ["year", "time"])
def test_each_year_is_a_fold(group: str) -> None:
    found = scheme(group)
    assert found.folds(TABLE).tolist() == [1, 0, 1, 2]
    assert found.describe() == f"each {group} left out once"


def test_a_single_group_cannot_be_left_out() -> None:
    with pytest.raises(SoilqlError) as error:
        scheme("k").folds(TABLE)
    found = error.value.diagnostics[0]
    assert found.code == "SQ606"
    assert found.span is not None
    assert found.span.text == "k"


def test_missing_labels_and_unknown_groups() -> None:
    with pytest.raises(SoilqlError, match="no column or role `site`"):
        scheme("site").folds(TABLE)
    table = Table(pd.DataFrame({"plot": ["a", None, "b"]}))
    with pytest.raises(SoilqlError, match="1 of 3 rows have no `plot`"):
        scheme("plot").folds(table)
