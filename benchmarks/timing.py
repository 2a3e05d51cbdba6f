"""Timing two or more ways of doing one thing beside each other.

The ways take turns (A B A B ...), so that a machine that slows down slows them all. What counts is processor time: on a
machine that others use as well, wall-clock time measures the others.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median

Job = Callable[[], object]


@dataclass(frozen=True)
class Way:
    """One way of doing it: a name, a call, and the pixels that the call does."""

    name: str
    call: Job
    pixels: int


def pixels_per_second(ways: Sequence[Way], rounds: int) -> dict[str, float]:
    """Return pixels per second of processor time of each way: medians over rounds in which they take turns."""
    for way in ways:
        way.call()  # what is compiled or loaded once does not count
    found: dict[str, list[float]] = {way.name: [] for way in ways}
    for _ in range(rounds):
        for way in ways:
            start = time.process_time()
            way.call()
            found[way.name].append(way.pixels / (time.process_time() - start))
    return {name: median(rates) for name, rates in found.items()}


def speedup_of_two_threads(call: Callable[[int], object], rounds: int) -> float:
    """Return how much sooner two threads finish two halves than one thread does, by the clock on the wall."""
    ratios = []
    with ThreadPoolExecutor(2) as pool:
        for _ in range(rounds):
            start = time.perf_counter()
            for half in (0, 1):
                call(half)
            middle = time.perf_counter()
            list(pool.map(call, (0, 1)))
            ratios.append((middle - start) / (time.perf_counter() - middle))
    return median(ratios)


def show(title: str, rates: dict[str, float], ours: str) -> None:
    """Print a table: rate of each way, and how many times as fast ours is."""
    print(f"\n{title}")
    for name, rate in rates.items():
        times = "" if name == ours else f"{rates[ours] / rate:>12,.1f} x"
        print(f"  {name:<44}{rate:>14,.0f} px per core-second{times}")


def machine() -> str:
    """Return the processor, the cores and the versions of what is timed."""
    import numba
    import numpy
    import scipy

    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0] if names else model
    versions = f"Python {platform.python_version()}, numpy {numpy.__version__}, scipy {scipy.__version__}"
    return f"{model}, {os.cpu_count()} cores; {versions}, numba {numba.__version__}"
