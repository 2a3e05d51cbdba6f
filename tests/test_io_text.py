"""Delimited text: whatever the line ends, encoding, delimiter and quotes, the same fields come out."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from soilql.errors import SoilqlError
from soilql.io.text import TextFormat, count_lines, decode, read_text, sniff_delimiter

FIELD = st.text(
    st.characters(codec="utf-8", exclude_characters="\x00\r\n", exclude_categories=["Cs", "Cc"]), max_size=8
)


def write(folder: Path, text: str, name: str = "a.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_gives_the_same_rows_and_line_numbers(tmp_path: Path, end: str) -> None:
    found = read_text(write(tmp_path, end.join(["# about", "a,b", "1,2", "", "3,4"]) + end))
    assert found.names == ("a", "b")
    assert found.columns == (["1", "3"], ["2", "4"])
    assert found.lines == [3, 5]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(FIELD, FIELD, FIELD), min_size=1, max_size=6),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    packed=st.booleans(),
)
def test_what_the_csv_module_writes_is_read_back(
    tmp_path: Path, rows: list[tuple[str, str, str]], end: str, delimiter: str, packed: bool
) -> None:
    rows = [row for row in rows if any(field.strip() for field in row)]
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([("x", "y", "z"), *rows])
    data = text.getvalue().encode()
    path = tmp_path / ("a.csv.gz" if packed else "a.csv")
    path.write_bytes(gzip.compress(data) if packed else data)
    found = read_text(path, TextFormat(delimiter=delimiter, comment=""))
    assert list(zip(*found.columns, strict=True)) == rows


def test_a_quoted_field_may_hold_delimiters_line_ends_and_comment_marks(tmp_path: Path) -> None:
    found = read_text(write(tmp_path, 'a,b\n"x, y\n# z",2\n5,6\n'))
    assert found.columns == (["x, y\n# z", "5"], ["2", "6"])
    assert found.lines == [2, 4]


def test_comments_in_quotes_and_trailing_empty_columns(tmp_path: Path) -> None:
    text = '"# Global estimates, by year",,\n# more,,\nRs,SD,,\n98,12,,\n'
    found = read_text(write(tmp_path, text))
    assert found.names == ("Rs", "SD")
    assert found.columns == (["98"], ["12"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a;b\n1,5;2", ";"), ("a\tb\n1\t2", "\t"), ("a b c\n1 2  3", " "), ("one\n1", ","), ("mean rate\n1", ",")],
)
def test_delimiters_are_found_out(text: str, expected: str) -> None:
    assert sniff_delimiter(text) == expected


def test_decimal_commas_go_with_semicolons(tmp_path: Path) -> None:
    assert read_text(write(tmp_path, "a;b\n1,5;2\n")).decimal == ","
    assert read_text(write(tmp_path, "a;b\n1.5;2\n")).decimal == "."


def test_ragged_rows_are_named_by_their_line(tmp_path: Path) -> None:
    with pytest.raises(SoilqlError) as caught:
        read_text(write(tmp_path, "# c\na,b\n1,2\n3\n4,5,6\n7,8,,\n"))
    (found,) = caught.value.diagnostics
    assert (found.code, found.message) == ("SQ703", "`a.csv` line 4 has 1 field, expected 2")
    assert found.notes == ("also lines 5 (3 fields)",)


def test_a_truncated_gzip_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 5000)[:60])
    with pytest.raises(SoilqlError) as caught:
        read_text(path)
    assert caught.value.diagnostics[0].code == "SQ702"
    assert "`a.csv.gz` is truncated or damaged" in caught.value.diagnostics[0].message


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n"])
def test_an_empty_file_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(SoilqlError) as caught:
        read_text(write(tmp_path, text))
    assert (caught.value.diagnostics[0].code, caught.value.diagnostics[0].message) == ("SQ702", "`a.csv` is empty")


def test_encodings(tmp_path: Path) -> None:
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "latin-1"):
        found = read_text(write(tmp_path, "Gebiet,Rs\nKüste,5\n", encoding=encoding))
        assert found.names == ("Gebiet", "Rs")
        assert found.columns[0] == ["Küste"]
        assert [note.code for note in found.notes] == (["SQ726"] if encoding == "latin-1" else [])
    with pytest.raises(SoilqlError, match="is not ascii: byte 1 is 0xfc"):
        decode("Küste".encode("latin-1"), "ascii", "a.csv")
    with pytest.raises(SoilqlError, match="unknown encoding `klingon`"):
        decode(b"a", "klingon", "a.csv")


def test_names_that_are_blank_or_repeated_get_a_number(tmp_path: Path) -> None:
    found = read_text(write(tmp_path, '"",Lat,Lat,Lat_2\n1,2,3,4\n'))
    assert found.names == ("column_1", "Lat", "Lat_3", "Lat_2")
    assert [note.code for note in found.notes] == ["SQ724"]


def test_a_header_can_be_given(tmp_path: Path) -> None:
    found = read_text(write(tmp_path, "#DataThief\n1990, 51.023\n1991, 50.5929\n"), TextFormat(header=("year", "Rh")))
    assert found.names == ("year", "Rh")
    assert found.columns[0] == ["1990", "1991"]


def test_rows_without_values_are_left_out_and_counted(tmp_path: Path) -> None:
    found = read_text(write(tmp_path, "a,b\n1,2\n,\n , \n3,4\n"))
    assert found.columns == (["1", "3"], ["2", "4"])
    assert "2 rows without any value left out" in found.notes[0].message


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
@pytest.mark.parametrize("last", ["", "end"])
def test_lines_are_counted_in_any_line_ends(tmp_path: Path, end: str, last: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes((f"a,b{end}" * 3 + last).encode())
    assert count_lines(path) == 3 + bool(last)
    packed = tmp_path / "x.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert count_lines(packed) == count_lines(path)


def test_a_line_end_over_two_blocks_counts_once(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"x" * ((1 << 20) - 1) + b"\r\nlast\n")
    assert count_lines(path) == 2
