from __future__ import annotations

import pytest

from soilql.errors import Diagnostic, SoilqlError, Source, did_you_mean


@pytest.mark.parametrize(
    ("text", "offset", "position"),
    [("ab\ncd", 3, (2, 1)), ("ab\r\ncd", 4, (2, 1)), ("ab\rcd", 3, (2, 1)), ("ab", 2, (1, 3)), ("\n\n", 2, (3, 1))],
)
def test_positions_count_lines_whatever_their_ends(text: str, offset: int, position: tuple[int, int]) -> None:
    assert Source("x", text).position(offset) == position


def test_excerpt_keeps_tabs_under_tabs() -> None:
    source = Source("x.yaml", "\ta\tb: 1")
    shown = Diagnostic("SQ120", "unknown key `b`", source.span(3, 4), "not known").render()
    assert shown.splitlines()[1:] == ["1 | \ta\tb: 1", "  | \t \t^ not known"]


def test_a_span_over_several_lines_is_underlined_to_the_end_of_the_first() -> None:
    source = Source("x.yaml", "one two\nthree")
    assert "  |     ^^^" in Diagnostic("SQ1", "m", source.span(4, 10)).render().splitlines()


def test_an_error_carries_all_its_diagnostics() -> None:
    found = [Diagnostic("SQ1", "first"), Diagnostic("SQ2", "second", help="mend it")]
    error = SoilqlError(iter(found))
    assert error.diagnostics == tuple(found)
    assert str(error) == "error SQ1 first\nerror SQ2 second\n  = help: mend it"


def test_did_you_mean_ignores_case_first() -> None:
    assert did_you_mean("mat", ["MAP", "MAT", "mats"]) == "did you mean `MAT`?"
