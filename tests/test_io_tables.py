"""Columns of text as numbers, texts and truth values; workbooks and Parquet in the same form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soilql.errors import SoilqlError
from soilql.io.tables import Cells, concatenate, read_table


def cells(*values: str | None, decimal: str = ".") -> Cells:
    return Cells(pa.chunked_array([pa.array(values, pa.string())]), decimal)


@given(st.lists(st.floats(allow_nan=False), min_size=1))
def test_numbers_are_those_that_python_reads(values: list[float]) -> None:
    numbers, bad = cells(*map(repr, values)).numbers([])
    assert bad is None
    assert numbers.tolist() == values


def test_spellings_of_numbers() -> None:
    numbers, bad = cells("5.", ".5", "+3", " 7 ", "1e3", "-Inf").numbers([])
    assert bad is None
    assert numbers.tolist() == [5, 0.5, 3, 7, 1000, -np.inf]
    for text in ("1,5", "0x1A", "1_000", "--1", "1 2", "e5", "True"):
        assert cells(text).numbers([])[1] is not None, text


def test_decimal_commas() -> None:
    numbers, bad = cells("-8,85000038146973", "27", decimal=",").numbers([])
    assert bad is None
    assert numbers.tolist() == [-8.85000038146973, 27]


def test_missing_codes_match_as_texts_and_as_numbers() -> None:
    column = cells("-9999", "-9999.0", "NA", "", None, " NA ", "None", "1")
    assert column.missing(["NA", "-9999"]).tolist() == [True] * 6 + [False, False]
    assert column.texts(["NA", "-9999"]).tolist() == [None] * 6 + ["None", "1"]


def test_the_first_bad_value_is_named() -> None:
    _, bad = cells("1", "NA", "12 (est.)", "x").numbers(["NA"])
    assert bad is not None
    assert (bad.row, bad.text) == (2, "12 (est.)")


def test_truth_values() -> None:
    values, bad = cells("TRUE", "f", "NA", "yes").truths(["NA"])
    assert bad is None
    assert values.tolist() == [True, False, None, True]
    assert cells("TRUE", "maybe").truths([])[1] is not None


def test_parquet_keeps_types_and_workbooks_read_alike(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"n": [1.5, np.nan], "i": [3, 4], "t": ["None", "a"], "b": [True, False], "c": pd.Categorical(["x", "y"])}
    )
    frame.to_parquet(tmp_path / "a.parquet")
    frame.to_excel(tmp_path / "a.xlsx", index=False)
    for name in ("a.parquet", "a.xlsx"):
        found = read_table(tmp_path / name)
        assert list(found.cells) == ["n", "i", "t", "b", "c"]
        np.testing.assert_array_equal(found.cells["n"].numbers([])[0], [1.5, np.nan])
        assert found.cells["i"].numbers([])[0].tolist() == [3, 4]
        assert found.cells["t"].texts([]).tolist() == ["None", "a"]
        assert found.cells["b"].truths([])[0].tolist() == [True, False]
        assert found.cells["c"].texts([]).tolist() == ["x", "y"]


def test_sheets_by_name_and_position(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["a"])
    book.active.append([1])
    other = book.create_sheet("Second")
    other.append(["b"])
    other.append([2])
    book.save(tmp_path / "a.xlsx")
    assert list(read_table(tmp_path / "a.xlsx").cells) == ["a"]
    assert list(read_table(tmp_path / "a.xlsx", sheet="Second").cells) == ["b"]
    assert list(read_table(tmp_path / "a.xlsx", sheet=2).cells) == ["b"]
    with pytest.raises(SoilqlError, match="has no sheet `Secnd`") as caught:
        read_table(tmp_path / "a.xlsx", sheet="Secnd")
    assert caught.value.diagnostics[0].help == "did you mean `Second`?"


@pytest.mark.parametrize("name", ["a.xlsx", "a.parquet"])
def test_damaged_files_are_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(SoilqlError) as caught:
        read_table(tmp_path / name)
    assert caught.value.diagnostics[0].code == "SQ702"
    assert name in caught.value.diagnostics[0].message


def test_files_with_other_columns_cannot_be_one_table(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("site,Rs\na,1\n")
    (tmp_path / "b.csv").write_text("site,rs\nb,2\n")
    tables = [read_table(tmp_path / name) for name in ("a.csv", "b.csv")]
    with pytest.raises(SoilqlError, match=r"`b\.csv` has no column `Rs`, which `a\.csv` has"):
        concatenate(tables)
    both = concatenate([tables[0], tables[0]])
    assert len(both) == 2
    assert both.place(1) == "line 2 of `a.csv`"
