"""The work on a spec grows with its length and no faster: counted in function calls, which no load of a machine moves.

Calls of C functions count too, so that a scan of all blocks for each block is seen. What a regular expression or a copy
of a text does inside a single call is not; `python -m tests.fuzz --target pump` looks for that by the clock.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

import pytest

from soilql.convert import Surface, convert
from soilql.errors import SoilqlError, Source
from soilql.format import format_text
from tests.fuzz.large import NASTY, realistic
from tests.fuzz.targets import lint, names

SMALL, LARGE = 600, 2400
#: Work on four times the text, by that on the text, at the most; each name looked up among n sorted ones adds a little.
MOST = 1.3 * LARGE / SMALL


def calls(work: Callable[[], object]) -> int:
    """Return how many functions are called, those of C included."""
    count = 0

    def note(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    old = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(old)
    return count


def growth(work: Callable[[str], object], make: Callable[[int], str], small: int, large: int) -> float:
    """Return how much more work a large text is than a small one."""
    work(make(small))  # what is read or compiled once does not count
    few, many = (calls(partial(work, make(n))) for n in (small, large))
    return many / few


def laid_out(text: str, surface: Surface) -> None:
    """Format a text; syntax errors are an answer too."""
    try:
        format_text(text, surface)
    except SoilqlError as error:
        str(error)


WORK: dict[str, Callable[[str], object]] = {
    "lint": lambda text: lint(Source("x.yaml", text)),
    "format": lambda text: format_text(text, "yaml"),
    "convert": lambda text: convert(text, "yaml", "soilql"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", WORK)
def test_a_study_of_four_times_the_length_is_four_times_the_work(name: str) -> None:
    assert growth(WORK[name], realistic, SMALL, LARGE) < MOST


def test_the_realistic_study_is_as_long_as_asked_for_and_clean() -> None:
    text = realistic(SMALL)
    assert abs(text.count("\n") - SMALL) < 60
    assert [one.render() for one in lint(Source("x.yaml", text))] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", NASTY)
def test_what_is_made_to_be_slow_is_not(name: str) -> None:
    surface, make = NASTY[name]
    assert surface in ("yaml", "soilql")
    chosen: Surface = "soilql" if surface == "soilql" else "yaml"
    small, large = 100, 400
    assert growth(lambda text: lint(Source(names(chosen), text)), make, small, large) < 1.5 * large / small
    assert growth(lambda text: laid_out(text, chosen), make, small, large) < 1.5 * large / small


@pytest.mark.parametrize("name", ["aliases of aliases", "nested lists", "nested parentheses", "nested brackets"])
def test_what_is_nested_too_deeply_or_without_end_is_said(name: str) -> None:
    surface, make = NASTY[name]
    found = lint(Source(f"x.{surface}", make(5000)))
    assert {"SQ107", "SQ110"} & {one.code for one in found}
    assert all(len(line) < 400 for one in found for line in one.render().splitlines())
