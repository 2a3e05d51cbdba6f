"""How long linting, formatting and converting take, in seconds of the processor, and how that grows with the length.

    python -m benchmarks.language                 sizes 1,250 to 10,000 lines, best of 3
    python -m benchmarks.language --nasty 2000    texts made to be slow, at a quarter of the size and at the size

Each number stands beside the time that PyYAML's pure-Python loader takes for the same text in the same run
(`yaml.compose`: characters to nodes, nothing checked), so that runs on different machines can be compared. The
exponent is the slope of log(time) on log(lines): 1 is linear, 2 quadratic.
"""

from __future__ import annotations

import argparse
import gc
import math
import time
from collections.abc import Callable, Sequence

import yaml

from soilql.convert import Surface, convert
from soilql.errors import SoilqlError, Source
from soilql.format import format_text
from soilql.minilang.parse import parse_soilql
from tests.fuzz.large import NASTY, realistic
from tests.fuzz.targets import lint

SIZES = (1250, 2500, 5000, 10_000)


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.language", description=__doc__.partition("\n")[0])
    parser.add_argument("--repeat", type=int, default=3, help="take the best of so many")
    parser.add_argument("--nasty", type=int, metavar="N", help="time texts made to be slow instead, up to this size")
    options = parser.parse_args()
    gc.set_threshold(50_000, 20, 100)  # as the commands do
    if options.nasty:
        _nasty(options.nasty)
    else:
        _realistic(options.repeat)


def _realistic(repeat: int) -> None:
    texts = [realistic(size) for size in SIZES]
    mini = [convert(text, "yaml", "soilql") for text in texts]
    works: list[tuple[str, Sequence[str], Callable[[str], object]]] = [
        ("yaml.compose (the peer)", texts, lambda text: yaml.compose(text, Loader=yaml.BaseLoader)),
        ("lint, YAML", texts, lambda text: lint(Source("x.yaml", text))),
        ("lint, .soilql", mini, lambda text: lint(Source("x.soilql", text))),
        ("parse, .soilql", mini, lambda text: parse_soilql(Source("x.soilql", text))),
        ("fmt, YAML", texts, lambda text: format_text(text, "yaml")),
        ("fmt, .soilql", mini, lambda text: format_text(text, "soilql")),
        ("convert, YAML to .soilql", texts, lambda text: convert(text, "yaml", "soilql")),
        ("convert, .soilql to YAML", mini, lambda text: convert(text, "soilql", "yaml")),
    ]
    lines = [text.count("\n") for text in texts]
    print(f"{'seconds for lines':<26}" + "".join(f"{n:>9,}" for n in lines) + f"{'exponent':>10}{'to peer':>9}")
    peer: list[float] = []
    for name, made, work in works:
        work(made[0])  # what is loaded once does not count
        found = [min(_seconds(work, text) for _ in range(repeat)) for text in made]
        peer = peer or found
        row = "".join(f"{seconds:>9.3f}" for seconds in found)
        print(f"{name:<26}{row}{_slope(lines, found):>10.2f}{found[-1] / peer[-1]:>8.2f}x", flush=True)


def _nasty(size: int) -> None:
    small = max(1, size // 4)
    print(f"{'seconds':<36}{'lint':>8}{'lint':>9}{'exponent':>10}{'fmt':>9}{'fmt':>9}{'exponent':>10}")
    print(f"{'':<36}{small:>8}{size:>9}{'':>10}{small:>9}{size:>9}")
    for name, (surface, make) in NASTY.items():
        chosen: Surface = "soilql" if surface == "soilql" else "yaml"
        row = ""
        for work in (
            lambda text, at=chosen: lint(Source(f"x.{at}", text)),
            lambda text, at=chosen: _laid_out(text, at),
        ):
            found = [_seconds(work, make(n)) for n in (small, size)]
            row += f"{found[0]:>8.3f}{found[1]:>9.3f}{_slope((small, size), found):>10.2f} "
        print(f"{name:<36}{row}", flush=True)


def _laid_out(text: str, surface: Surface) -> None:
    try:
        format_text(text, surface)
    except SoilqlError:
        return


def _seconds(work: Callable[[str], object], text: str) -> float:
    gc.collect()
    start = time.process_time()
    work(text)
    return time.process_time() - start


def _slope(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    """Return the least-squares slope of log(seconds) on log(size)."""
    x, y = [math.log(size) for size in sizes], [math.log(one) for one in seconds]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    above = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return above / sum((a - mean_x) ** 2 for a in x)


if __name__ == "__main__":
    main()
