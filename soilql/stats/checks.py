"""What the statistics demand of their arguments: shapes, finite values, ranges; each with an error for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from soilql.errors import Diagnostic, SoilqlError


def fail(code: str, message: str, help: str = "", notes: Iterable[str] = ()) -> NoReturn:
    """Raise a `SoilqlError` that has no place in a text.

    Raises
    ------
    SoilqlError
        Always.
    """
    raise SoilqlError(Diagnostic(code, message, help=help, notes=tuple(notes)))


def vector(values: ArrayLike, name: str, length: int | None = None) -> NDArray[np.float64]:
    """Return values as a finite float vector.

    Parameters
    ----------
    values : array_like, shape (n,)
        Numbers.
    name : str
        What an error calls them.
    length : int, optional
        The length they must have.

    Returns
    -------
    ndarray of float64, shape (n,)

    Raises
    ------
    SoilqlError
        SQ811 for the wrong shape, SQ812 for NaN or infinite values.

    Examples
    --------
    >>> vector([1, 2], "obs")
    array([1., 2.])
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or (length is not None and array.shape[0] != length):
        wanted = "(n,)" if length is None else f"({length},)"
        fail("SQ811", f"`{name}` has shape {array.shape}, expected {wanted}")
    bad = int(np.count_nonzero(~np.isfinite(array)))
    if bad:
        fail(
            "SQ812",
            f"`{name}` has {bad} missing or infinite values among {array.size}",
            help="drop or fill these rows before the computation, so that their number is known",
        )
    return array


def weight_vector(weights: ArrayLike | None, length: int) -> NDArray[np.float64]:
    """Return weights as a vector of non-negative numbers, ones when there are none given.

    Parameters
    ----------
    weights : array_like, shape (length,), optional
        Relative weights of the rows.
    length : int
        Number of rows.

    Returns
    -------
    ndarray of float64, shape (length,)

    Raises
    ------
    SoilqlError
        SQ811, SQ812, or SQ813 for a negative weight or a sum of zero.

    Examples
    --------
    >>> weight_vector(None, 2)
    array([1., 1.])
    """
    if weights is None:
        return np.ones(length)
    w = vector(weights, "weights", length)
    if w.size and (w.min() < 0 or w.max() == 0):
        fail("SQ813", "`weights` must be zero or positive, with a sum above zero")
    return w


def fractions(values: ArrayLike, name: str, *, open_ends: bool = False) -> NDArray[np.float64]:
    """Return numbers between 0 and 1 as a vector.

    Parameters
    ----------
    values : array_like, shape (n,) or scalar
        Probabilities.
    name : str
        What an error calls them.
    open_ends : bool
        Whether 0 and 1 themselves are refused.

    Returns
    -------
    ndarray of float64, shape (n,)

    Raises
    ------
    SoilqlError
        SQ812, or SQ813 for a number outside the range.

    Examples
    --------
    >>> fractions(0.95, "level")
    array([0.95])
    """
    array = vector(np.atleast_1d(np.asarray(values, dtype=np.float64)), name)
    outside = (array <= 0) | (array >= 1) if open_ends else (array < 0) | (array > 1)
    if outside.any():
        where = "strictly between 0 and 1" if open_ends else "between 0 and 1"
        fail("SQ813", f"`{name}` must lie {where}, got {array[outside][0]:g}")
    return array


def choice(value: str, known: Iterable[str], name: str) -> str:
    """Return a word that is one of the known ones.

    Parameters
    ----------
    value : str
        What was given.
    known : iterable of str
        What may be given.
    name : str
        What an error calls it.

    Returns
    -------
    str

    Raises
    ------
    SoilqlError
        SQ813 for any other word.

    Examples
    --------
    >>> choice("vcov", ("cv10", "vcov"), "method")
    'vcov'
    """
    options = tuple(known)
    if value not in options:
        fail("SQ813", f"unknown {name} `{value}`", help="one of " + ", ".join(f"`{o}`" for o in options))
    return value


def whole_number(value: Any, name: str, least: int) -> int:
    """Return a whole number that is not below a limit.

    Parameters
    ----------
    value : int
        What was given.
    name : str
        What an error calls it.
    least : int
        The smallest value allowed.

    Returns
    -------
    int

    Raises
    ------
    SoilqlError
        SQ813 for anything else.

    Examples
    --------
    >>> whole_number(10, "folds", 2)
    10
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        fail("SQ813", f"`{name}` must be a whole number of at least {least}, got {value!r}")
    return int(value)
