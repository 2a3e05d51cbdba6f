"""Messages that differ in numbers or zones alone are said once, and nothing else is put together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from soilql.alike import gathered, with_ranges, without_numbers
from soilql.errors import Severity
from soilql.values import Note


def said(*messages: str, code: str = "SQ802") -> list[str]:
    return [note.message for note in gathered(Note(code, message) for message in messages)]


def test_zones_are_listed_and_numbers_that_differ_are_ranges() -> None:
    assert said(*(f"`rf`, {k} of 5 folds: zone `zone {k}`: 1,{k}00 rows, 10 needed" for k in (2, 1, 3))) == [
        "`rf`, 1 to 3 of 5 folds: zones `zone 2`, `zone 1` and `zone 3`: 1,100 to 1,300 rows, 10 needed"
    ]


def test_of_many_zones_the_first_are_named() -> None:
    five, nine = ([f"`rs`: zone `z{k}` has no cell with a value" for k in range(count)] for count in (5, 9))
    assert said(*five) == ["`rs`: zones `z0`, `z1`, `z2`, `z3` and `z4` have no cell with a value"]
    assert said(*nine) == ["`rs`: zones `z0`, `z1`, `z2`, `z3` and 5 more have no cell with a value"]


def test_a_range_and_a_number_are_alike() -> None:
    assert said("zone `a`: 3 to 7 rows of 20", "zone `b`: -1.5 rows of 20") == [
        "zones `a` and `b`: -1.5 to 7 rows of 20"
    ]


def test_what_differs_in_more_than_the_zone_stays_apart_in_its_order() -> None:
    messages = [
        "zone `a`: the best `C`, 2, is the least that was tried",
        "the search has 12 candidates",
        "zone `a`: the best `epsilon`, 2, is the least that was tried",
        "the search has 9 candidates",
        "fallback `a`: the best `C`, 2, is the least that was tried",
        "`rf`: the best `C`, 2, is the least that was tried",
        "`gb`: the best `C`, 2, is the least that was tried",
    ]
    assert said(*messages) == messages
    apart = [Note("SQ802", "zone `a`: x"), Note("SQ803", "zone `b`: x"), Note("SQ802", "zone `c`: x", Severity.INFO)]
    assert gathered(apart) == apart


@given(st.lists(st.integers(0, 10**7) | st.floats(-1e6, 1e6).map(lambda x: round(x, 3)), min_size=1, max_size=6))
def test_a_range_goes_from_the_least_to_the_greatest(numbers: list[float]) -> None:
    messages = [f"{number:,} rows of `m 5`, T2" for number in numbers]
    assert len(set(map(without_numbers, messages))) == 1
    low, high = f"{min(numbers):,}", f"{max(numbers):,}"
    found = with_ranges(messages).removesuffix(" rows of `m 5`, T2")
    ends = [float(end.replace(",", "")) for end in found.split(" to ")]
    assert ends == ([float(low.replace(",", ""))] if len(ends) == 1 else [min(numbers), max(numbers)])
    assert len(ends) == 1 + (low != high)
