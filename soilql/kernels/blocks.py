"""The form in which kernels take arrays: contiguous float64, in pieces that stay in the second cache."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

PIECE = 512
"""Pixels that are copied at a time: reading rows of this length is faster than reaching for 64 pixels of each."""


def pieces(values: ArrayLike) -> Iterator[tuple[int, Floats]]:
    """Yield consecutive pieces of a block, each to be used before the next is asked for: they share one buffer.

    Parameters
    ----------
    values : array_like, shape (..., pixels)
        Any numbers in any layout. The last piece may have fewer pixels.

    Yields
    ------
    first : int
        The first pixel of the piece.
    piece : ndarray of float64, shape (..., up to PIECE)

    Examples
    --------
    >>> [(first, piece.shape) for first, piece in pieces(np.zeros((15, 700), np.float32))]
    [(0, (15, 512)), (512, (15, 188))]
    """
    array = np.asarray(values)
    buffer = np.empty((*array.shape[:-1], min(PIECE, array.shape[-1])))
    for first in range(0, array.shape[-1], PIECE):
        piece = array[..., first : first + PIECE]
        if piece.shape != buffer.shape:
            buffer = np.empty(piece.shape)
        np.copyto(buffer, piece)
        yield first, buffer


def as_floats(values: ArrayLike) -> Floats:
    """Return values as a contiguous array of float64.

    Examples
    --------
    >>> as_floats([2001, 2002])
    array([2001., 2002.])
    """
    return np.ascontiguousarray(values, dtype=np.float64)
