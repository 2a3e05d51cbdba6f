"""Latitude and longitude axes as files have them, turned and snapped to the one order and place that grids keep.

The same axis written by two programs differs in its last digits (0.25000001 in single precision, 0.08333333 cut after
eight digits). Where the centres are regular and sit on a lattice that starts at the south pole or the date line, they
are replaced by the exact rational lattice, so that grids of different files match bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np

from soilql.errors import Diagnostic, SoilqlError, Span

Array: TypeAlias = "np.ndarray[Any, Any]"

# Of a step: how far a centre may lie off its lattice.
_RELATIVE = 1e-3
# Degrees: rounding of a longitude in single precision.
_ABSOLUTE = 3e-5


@dataclass(frozen=True, eq=False)
class Axis:
    """One axis of a grid: its centres in the project's order and where they stand in the file.

    Attributes
    ----------
    centres : ndarray of float64, shape (n,)
        Degrees; latitudes from north to south, longitudes rising within [-180, 180).
    reverse : bool
        Whether the file runs the other way.
    shift : int
        Position, counted in the project's direction, of the first centre in the file's order.
    length : int
        Size of the axis in the file; n + 1 where the file repeats its first meridian at the end.
    """

    centres: Array
    reverse: bool
    shift: int
    length: int

    def windows(self, start: int, stop: int) -> list[tuple[int, int]]:
        """Return the ranges of the file that hold ``centres[start:stop]``, one after the other.

        Returns
        -------
        list of (int, int)
            Half-open ranges in the file's order; each is read and, if :attr:`reverse`, turned.
        """
        n = self.centres.size
        pieces = []
        first, last = start + self.shift, stop + self.shift
        for low, high in ((first, min(last, n)), (max(first, n), last)):
            if low < high:
                low, high = (low - n, high - n) if low >= n else (low, high)
                pieces.append((self.length - high, self.length - low) if self.reverse else (low, high))
        return pieces


def simplest_fraction(low: float, high: float) -> Fraction:
    """Return the fraction with the smallest denominator in a closed range of positive numbers.

    Examples
    --------
    >>> simplest_fraction(0.0833332, 0.0833334)
    Fraction(1, 12)
    """
    a, b = Fraction(low), Fraction(high)
    terms = []
    # While both ends lie between two whole numbers, turn the rest upside down and look again (Stern-Brocot).
    while (whole := -(-a.numerator // a.denominator)) > b:
        terms.append(whole - 1)
        a, b = 1 / (b - whole + 1), 1 / (a - whole + 1)
    found = Fraction(whole)
    for term in reversed(terms):
        found = term + 1 / found
    return found


@dataclass(frozen=True)
class Lattice:
    """Centres at ``origin + (first + 2 i) step / 2``: positions count half steps."""

    origin: int
    first: int
    step: Fraction

    def centres(self, positions: Array) -> Array:
        """Return centres at positions in half steps; equal positions give equal bits, whatever the file."""
        numerator, denominator = self.step.numerator, 2 * self.step.denominator
        exact = self.origin * denominator + positions.astype(np.int64) * numerator
        return np.asarray(exact / denominator)


def find_lattice(centres: Array, origin: int) -> Lattice | None:
    """Return the lattice that rising, regular centres sit on, or None where they sit on none.

    Parameters
    ----------
    centres : ndarray, shape (n,)
        Degrees, rising.
    origin : int
        Where the lattice starts: -90 or -180.

    Examples
    --------
    >>> found = find_lattice(np.array([0.25000001, 0.75, 1.2499999]), -180)
    >>> found.centres(np.array([found.first])).tolist()
    [0.25]
    """
    if centres.size < 2:
        return None
    width = (centres[-1] - centres[0]) / (centres.size - 1)
    tolerance = max(_RELATIVE * width, min(_ABSOLUTE, 0.05 * width))
    if np.abs(centres - (centres[0] + width * np.arange(centres.size))).max() > tolerance:
        return None
    slack = tolerance / (centres.size - 1)
    step = simplest_fraction(float(width - slack), float(width + slack))
    halves = 2 * (centres[0] - origin) / float(step)
    first = round(float(halves))
    if abs(halves - first) * float(step) / 2 > tolerance:
        return None
    return Lattice(origin, first, step)


def latitude_axis(values: Array, file: str, span: Span | None = None) -> Axis:
    """Return the axis of latitudes of a file, in either direction.

    Raises
    ------
    SoilqlError
        SQ723 for latitudes that are not strictly monotonic or lie beyond the poles.

    Examples
    --------
    >>> latitude_axis(np.array([-45.0, 45.0]), "a.nc").centres.tolist()
    [45.0, -45.0]
    """
    rising, falling = _direction(values, "latitudes", file, span)
    if np.abs(rising).max() > 90 + _ABSOLUTE:
        message = f"latitudes of `{file}` reach {rising[np.abs(rising).argmax()]:g}"
        help = "these may be projected coordinates: reproject the file to longitude and latitude first"
        raise SoilqlError(Diagnostic("SQ723", message, span, help=help))
    lattice = find_lattice(rising, -90)
    centres = rising if lattice is None else lattice.centres(lattice.first + 2 * np.arange(rising.size))
    return Axis(np.clip(centres, -90, 90)[::-1].copy(), not falling, 0, rising.size)


def longitude_axis(values: Array, file: str, span: Span | None = None) -> Axis:
    """Return the axis of longitudes of a file, in -180..180 or 0..360 and in either direction.

    Raises
    ------
    SoilqlError
        SQ723 for longitudes that are not strictly monotonic, go round the globe more than once, or belong to a region
        across the date line, which no rising axis can hold.

    Examples
    --------
    >>> longitude_axis(np.array([45.0, 135.0, 225.0, 315.0]), "a.nc").centres.tolist()
    [-135.0, -45.0, 45.0, 135.0]
    """
    rising, falling = _direction(values, "longitudes", file, span)
    lattice = find_lattice(rising, -180)
    length = rising.size
    turns = Fraction(720) / lattice.step if lattice is not None else None
    if lattice is not None and turns is not None and turns.denominator == 1:
        period = turns.numerator
        if length == period // 2 + 1 and period % 2 == 0:
            length -= 1
        positions = (lattice.first + 2 * np.arange(length)) % period
        centres = lattice.centres(positions)
    else:
        centres = np.mod(rising + 180.0, 360.0) - 180.0
        if length > 1 and abs(rising[-1] - rising[0] - 360.0) < _ABSOLUTE:
            length -= 1
            centres = centres[:length]
    shift = int(np.argmin(centres))
    # With its first meridian repeated at the end, a falling file begins with the repeated one.
    ordered = np.roll(centres, -shift)
    if np.any(np.diff(ordered) <= 0):
        message = f"longitudes of `{file}` span {rising[-1] - rising[0]:g} degrees, more than the globe"
        raise SoilqlError(Diagnostic("SQ723", message, span))
    if shift and _has_gap(ordered, length - shift):
        message = f"`{file}` lies across the date line ({rising[0]:g} to {rising[-1]:g} degrees east)"
        help = "cut it at 180 degrees east into two files, or extend it to the globe"
        raise SoilqlError(Diagnostic("SQ723", message, span, help=help))
    return Axis(ordered, falling, shift, rising.size)


def _has_gap(ordered: Array, seam: int) -> bool:
    """Return whether the two parts that a roll put side by side are no neighbours."""
    steps = np.diff(ordered)
    others = np.delete(steps, seam - 1)
    return bool(others.size and steps[seam - 1] > 1.5 * others.max())


def _direction(values: Array, what: str, file: str, span: Span | None) -> tuple[Array, bool]:
    """Return the centres in rising order and whether the file has them falling."""
    given = np.asarray(values, dtype=np.float64)
    steps = np.diff(given)
    if (
        given.ndim != 1
        or not given.size
        or not np.isfinite(given).all()
        or not (np.all(steps > 0) or np.all(steps < 0))
    ):
        message = f"{what} of `{file}` are not strictly rising or falling"
        help = "soilql reads grids with one latitude a row and one longitude a column"
        raise SoilqlError(Diagnostic("SQ723", message, span, help=help))
    falling = given.size > 1 and bool(steps[0] < 0)
    return (given[::-1] if falling else given), falling


def same_axis(first: Sequence[float] | Array, second: Sequence[float] | Array) -> bool:
    """Return whether two axes have the same centres, but for rounding."""
    a, b = np.asarray(first), np.asarray(second)
    if a.shape != b.shape:
        return False
    step = np.abs(np.diff(a)).min() if a.size > 1 else 1.0
    return bool(np.abs(a - b).max() <= max(_RELATIVE * step, min(_ABSOLUTE, 0.05 * step)))
