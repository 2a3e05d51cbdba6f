"""Offsets and the positions of the protocol, against Python's own encoders."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soilql.lsp.documents import document
from soilql.lsp.positions import Encoding, Positions

ENCODERS: dict[Encoding, tuple[str, int]] = {
    "utf-8": ("utf-8", 1),
    "utf-16": ("utf-16-le", 2),
    "utf-32": ("utf-32-le", 4),
}
texts = st.text(st.sampled_from("aé🌍\u2028\x0b\t\r\n"), max_size=12)


@pytest.mark.parametrize(
    ("encoding", "column"),
    [("utf-8", 6), ("utf-16", 3), ("utf-32", 2)],
)
def test_a_column_counts_code_units(encoding: Encoding, column: int) -> None:
    positions = Positions("x\né🌍b\n", encoding)
    assert positions.position(4) == (1, column)
    assert positions.offset(1, column) == 4


def test_line_ends_are_those_of_the_protocol_only() -> None:
    # str.splitlines would also break at a line separator and a vertical tab.
    positions = Positions("a\u2028b\x0bc\rd\r\ne\nf")
    assert [positions.position(at)[0] for at in range(11)] == [0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2]


def test_a_position_beyond_its_line_is_the_end_of_it() -> None:
    positions = Positions("ab\r\nc")
    assert positions.offset(0, 40) == 2
    assert positions.offset(9, 0) == 5


def test_a_position_inside_a_pair_of_surrogates_is_before_it() -> None:
    assert Positions("🌍b").offset(0, 1) == 0


@given(texts, st.sampled_from(["utf-8", "utf-16", "utf-32"]), st.data())
def test_columns_agree_with_the_encoders(text: str, encoding: Encoding, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text)))
    if text[at - 1 : at + 1] == "\r\n":
        return  # nothing stands between the two characters of a line end
    before = re.split(r"\r\n|\r|\n", text[:at])
    name, width = ENCODERS[encoding]
    expected = len(before) - 1, len(before[-1].encode(name)) // width
    positions = Positions(text, encoding)
    assert positions.position(at) == expected
    assert positions.offset(*expected) == at


def test_a_byte_order_mark_of_the_client_counts_on_the_first_line() -> None:
    doc = document("\ufeffsoilql: 1\nmeta: {}\n")
    assert doc.text.startswith("soilql")
    assert doc.positions.position(0) == (0, 1)
    assert doc.positions.offset(0, 1) == 0
    assert doc.positions.position(10) == (1, 0)
