"""Whether the cost of a text grows with its length and no faster."""

from __future__ import annotations

import time
from collections.abc import Callable

from soilql.errors import Source
from tests.fuzz.targets import lint

#: Repetitions of a piece, few and many; work that is linear in the text grows by their ratio at the most.
FEW, MANY = 60, 480
#: Seconds below which nothing is said: a clock is too coarse.
_SHORT = 0.4


def check_growth(before: str, piece: str, after: str) -> None:
    """Raise where a piece that stands eight times as often takes more than twenty times as long to lint."""
    surface = "soilql" if before.lstrip().startswith("soilql 1") else "yaml"

    def cost(times: int) -> float:
        source = Source(f"x.{surface}", before + piece * times + after)
        return _seconds(lambda: lint(source))

    if (many := cost(MANY)) < _SHORT:
        return
    few = cost(FEW)
    if many > 20 * few:
        again = min(cost(FEW) for _ in range(3)), min(cost(MANY) for _ in range(2))
        assert again[1] < 20 * again[0], f"{MANY / FEW:g} times the text took {again[1] / again[0]:.0f} times as long"


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start
