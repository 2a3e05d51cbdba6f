"""Times in words: those that a mean is of, for titles and headlines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

#: Years with gaps between them that are named one by one, at most.
_NAMED = 3


def times_in_words(labels: ArrayLike) -> str:
    """Return times in words.

    Parameters
    ----------
    labels : array_like, shape (n,)
        Years, decimal years or dates (datetime64), one or more, in any order.

    Examples
    --------
    >>> times_in_words([2001, 2000, 2002]), times_in_words([2000, 2002]), times_in_words([2005])
    ('2000-2002', '2000 and 2002', '2005')
    >>> times_in_words([2000, 2001, 2003, 2004])
    '4 years within 2000-2004'
    >>> times_in_words(np.array(["2000-01", "2000-02", "2001-01"], "datetime64[ns]"))
    '3 times from 2000-01 to 2001-01'
    """
    times = np.sort(np.atleast_1d(np.asarray(labels)))
    whole = times.dtype.kind in "iu" or (times.dtype.kind == "f" and bool(np.all(times == np.floor(times))))
    words = _words(times)
    if times.size == 1:
        return words[0]
    if not whole:
        return f"{times.size} times from {words[0]} to {words[-1]}"
    if np.all(np.diff(times) == 1):
        return f"{words[0]}-{words[-1]}"
    if times.size <= _NAMED:
        return f"{', '.join(words[:-1])} and {words[-1]}"
    return f"{times.size} years within {words[0]}-{words[-1]}"


def _words(times: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> list[str]:
    if times.dtype.kind != "M":
        return [f"{time:.10g}" for time in times]
    # A month is named as such: its label is its first day.
    monthly = bool(np.all(times == times.astype("datetime64[M]")))
    return [str(time) for time in times.astype("datetime64[M]" if monthly else "datetime64[D]")]
