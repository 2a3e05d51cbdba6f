"""Classes of a continuous variable by explicit boundaries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from soilql.stats.checks import choice, fail, vector

NO_CLASS = -1


def cut_codes(x: Any, breaks: ArrayLike, closed: str | Sequence[str] = "left") -> Any:
    """Return the class of each value, given the breaks between classes.

    k breaks make k + 1 classes without outer ends. A value equal to a break falls in the class that is closed
    there: with ``"left"`` the class above ([a, b)), with ``"right"`` the class below ((a, b]). One word a break
    is allowed, since published classes are often closed on both sides.

    Parameters
    ----------
    x : array of float, any shape
        Values, numpy or dask; compared in float64.
    breaks : array_like, shape (k,)
        Strictly increasing boundaries in the unit of `x`.
    closed : {"left", "right"} or sequence of them, shape (k,)
        To which side a boundary itself belongs.

    Returns
    -------
    array of int8 (int16 from 127 breaks on), shape of `x`
        0 for the lowest class to k for the highest, -1 where `x` is NaN.

    Raises
    ------
    SoilqlError
        SQ811 or SQ813 for breaks that do not increase or for another word.

    Examples
    --------
    Boreal below 2 degrees, temperate from 2 to 17 with both ends, tropical above 17:

    >>> import numpy as np
    >>> cut_codes(np.array([1.9, 2.0, 17.0, 17.1, np.nan]), [2, 17], closed=["left", "right"])
    array([ 0,  1,  1,  2, -1], dtype=int8)
    """
    edges = vector(breaks, "breaks")
    if not edges.size or np.any(np.diff(edges) <= 0):
        fail("SQ813", "`breaks` must be one or more strictly increasing numbers")
    sides = [closed] * edges.size if isinstance(closed, str) else list(closed)
    if len(sides) != edges.size:
        fail("SQ811", f"`closed` has {len(sides)} words for {edges.size} breaks")
    # A break owned by the class below is moved up by one representable number: then x >= break is x > break.
    lifted = [
        np.nextafter(edge, np.inf) if choice(side, ("left", "right"), "closed") == "right" else edge
        for edge, side in zip(edges, sides, strict=True)
    ]
    dtype = np.int8 if edges.size < np.iinfo(np.int8).max else np.int16
    codes = np.digitize(x, np.asarray(lifted))
    return np.where(np.isnan(x), NO_CLASS, codes).astype(dtype)
