"""Tables as CSV and Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest

from soilql.errors import SoilqlError
from soilql.outputs.tables import write_table
from soilql.values import Table

FRAME = pd.DataFrame({"zone": ["all", 'b,"x"'], "RMSE": [0.1 + 0.2, np.nan], "n": [3, 4], "mixed": [1, "a"]})


def test_numbers_and_texts_come_back_as_they_were(tmp_path: Path) -> None:
    paths = write_table(Table(FRAME, {"RMSE": "g C m-2 yr-1", "gone": "m"}), tmp_path, "skill", {"spec": "ab"})
    assert [path.name for path in paths] == ["skill.csv", "skill.parquet", "skill.units.csv"]
    csv = pd.read_csv(paths[0])
    # 0.1 + 0.2 is 0.30000000000000004; people read nine digits, programs the Parquet file.
    assert paths[0].read_text().splitlines()[1] == "all,0.3,3,1"
    assert csv["zone"].tolist() == FRAME["zone"].tolist()
    parquet: Any = pyarrow.parquet
    stored = parquet.read_table(paths[1])
    assert stored.schema.field("RMSE").metadata == {b"units": b"g C m-2 yr-1"}
    assert stored.schema.metadata == {b"spec": b"ab"}
    assert stored["n"].to_pylist() == [3, 4]
    assert stored["RMSE"].to_pylist()[0] == 0.1 + 0.2
    assert stored["mixed"].to_pylist() == ["1", "a"]
    assert paths[2].read_text() == "column,unit\nRMSE,g C m-2 yr-1\n"


def test_extras_are_written_beside_and_no_units_no_file(tmp_path: Path) -> None:
    table = Table(FRAME, extras={"predictions": Table(FRAME, {"RMSE": "m"})})
    names = [path.name for path in write_table(table, tmp_path / "new", "skill")]
    assert names == [
        "skill.csv", "skill.parquet",
        "skill.predictions.csv", "skill.predictions.parquet", "skill.predictions.units.csv",
    ]  # fmt: skip


def test_bytes_are_the_same_each_time(tmp_path: Path) -> None:
    first, second = (write_table(Table(FRAME, {"n": "1"}), tmp_path / name, "t", {"b": "2", "a": "1"}) for name in "xy")
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_an_empty_table_keeps_its_header(tmp_path: Path) -> None:
    write_table(Table(FRAME.iloc[:0]), tmp_path, "t")
    assert (tmp_path / "t.csv").read_text() == "zone,RMSE,n,mixed\n"


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "t.csv").mkdir()
    with pytest.raises(SoilqlError, match="SQ901"):
        write_table(Table(FRAME), tmp_path, "t")
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]
