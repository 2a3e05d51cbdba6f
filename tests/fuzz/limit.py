"""A limit of time for what should be quick."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TooSlowError(Exception):
    """Something took longer than it may."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise `TooSlowError` inside the block after a time of the processor; in the main thread of a POSIX system."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TooSlowError(f"took longer than {seconds} s")

    old = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, old)
