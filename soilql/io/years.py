"""The labels of time steps as years: whole years, decimal years and dates are all understood."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Array: TypeAlias = "np.ndarray[Any, Any]"


def years_of(labels: ArrayLike) -> Array:
    """Return the calendar year that each label lies in.

    Parameters
    ----------
    labels : array_like, shape (n,)
        Years, decimal years (2005.5 is the middle of 2005), or dates (datetime64).

    Returns
    -------
    ndarray of int64, shape (n,)

    Raises
    ------
    ValueError
        A label is no time: NaN, NaT or a text.

    Examples
    --------
    >>> years_of([2000, 2001]).tolist(), years_of([1999.5, 2000.0]).tolist()
    ([2000, 2001], [1999, 2000])
    >>> years_of(np.array(["1969-12-31", "2000-01-01"], "datetime64[ns]")).tolist()
    [1969, 2000]
    """
    given = _times(labels)
    if given.dtype.kind == "M":
        return given.astype("datetime64[Y]").astype(np.int64) + 1970
    return np.floor(given).astype(np.int64)


def decimal_years(labels: ArrayLike) -> Array:
    """Return labels as decimal years: whole years stay whole, a date is its year and the share of it that has passed.

    Parameters
    ----------
    labels : array_like, shape (n,)
        As for :func:`years_of`.

    Returns
    -------
    ndarray of float64, shape (n,)

    Raises
    ------
    ValueError
        As :func:`years_of`.

    Examples
    --------
    >>> decimal_years([2000, 2001]).tolist()
    [2000.0, 2001.0]
    >>> decimal_years(np.array(["2001-01-01", "2001-07-02T12"], "datetime64[ns]")).tolist()
    [2001.0, 2001.5]
    """
    given = _times(labels)
    if given.dtype.kind != "M":
        return given.astype(np.float64)
    year = given.astype("datetime64[Y]")
    start, end = (edge.astype("datetime64[s]") for edge in (year, year + 1))
    passed = (given.astype("datetime64[s]") - start) / (end - start)
    return np.asarray(year.astype(np.int64) + 1970 + passed, dtype=np.float64)


def is_yearly(labels: ArrayLike) -> bool:
    """Return whether the labels hold each year at most once.

    Parameters
    ----------
    labels : array_like, shape (n,)
        As for :func:`years_of`.

    Raises
    ------
    ValueError
        As :func:`years_of`.

    Examples
    --------
    >>> is_yearly([2000, 2002]), is_yearly(np.array(["2000-01", "2000-02"], "datetime64[ns]"))
    (True, False)
    """
    years = years_of(labels)
    return bool(np.unique(years).size == years.size)


def _times(labels: ArrayLike) -> Array:
    given = np.atleast_1d(np.asarray(labels))
    if given.dtype.kind not in "Miuf":
        raise ValueError(f"labels of type {given.dtype} are neither years nor dates")
    absent = np.isnat(given) if given.dtype.kind == "M" else ~np.isfinite(given)
    if absent.any():
        raise ValueError(f"label {int(np.flatnonzero(absent)[0]) + 1} of {given.size} is no time")
    return given
