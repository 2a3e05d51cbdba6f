"""Area-weighted totals by zone, added up block by block with a result that does not depend on the blocks.

Sums are exact: every product of value and weight is split over bins of fixed powers of two, each bin adds whole
numbers without rounding, and only the final total is rounded, once. So the order and the size of the blocks and the
number of workers leave no trace in the last digit.

References
----------
Demmel and Nguyen (2015), Parallel reproducible summation, IEEE Transactions on Computers 64, 2060-2070,
doi:10.1109/TC.2014.2345391 (the idea of bins of fixed exponents).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import ArrayLike, NDArray

from soilql.stats.checks import fail, fractions

Floats = NDArray[np.float64]
PG_PER_G_M2_KM2 = 1e-9
"""1 g m-2 over 1 km2 is 1e6 g, and 1 Pg is 1e15 g."""
_BIN_BITS = 26


@dataclass(frozen=True)
class ExactSums:
    """Exact sums of floating-point numbers, one a slot.

    Attributes
    ----------
    bins : dict of int to ndarray of int64, shape (n_slots,)
        Whole multiples of 2^(26 k) for each bin k that occurred.
    n_slots : int
        Number of sums.
    """

    bins: dict[int, NDArray[np.int64]]
    n_slots: int

    @classmethod
    def of(cls, x: Floats, slots: NDArray[np.intp], n_slots: int) -> ExactSums:
        """Return the sums of x by slot; x is finite, slots lie in 0 to n_slots - 1.

        Parameters
        ----------
        x : ndarray, shape (n,)
            Numbers.
        slots : ndarray of intp, shape (n,)
            The sum each number belongs to.
        n_slots : int
            Number of sums.

        Returns
        -------
        ExactSums

        Examples
        --------
        >>> ExactSums.of(np.array([1e300, 1.0, -1e300]), np.array([0, 0, 0]), 1).values()
        array([1.])
        """
        bins: dict[int, NDArray[np.int64]] = {}
        rest = x[x != 0.0]
        where = slots[x != 0.0]
        while rest.size:
            k = int((np.frexp(rest)[1].max() - 1) // _BIN_BITS)
            digits = np.trunc(np.ldexp(rest, -_BIN_BITS * k))
            # Digits are below 2^26, so that 2^26 of them add up without rounding in float64.
            bins[k] = np.zeros(n_slots, dtype=np.int64)
            for start in range(0, rest.size, 1 << 26):
                part = slice(start, start + (1 << 26))
                bins[k] += np.bincount(where[part], weights=digits[part], minlength=n_slots).astype(np.int64)
            rest = rest - np.ldexp(digits, _BIN_BITS * k)
            where, rest = where[rest != 0.0], rest[rest != 0.0]
        return cls(bins, n_slots)

    def __add__(self, other: ExactSums) -> ExactSums:
        if self.n_slots != other.n_slots:
            fail("SQ710", f"sums over {self.n_slots} and {other.n_slots} slots cannot be added")
        keys = sorted(set(self.bins) | set(other.bins))
        zero = np.zeros(self.n_slots, dtype=np.int64)
        return ExactSums({k: self.bins.get(k, zero) + other.bins.get(k, zero) for k in keys}, self.n_slots)

    def values(self) -> Floats:
        """Return the sums, each rounded once to float64, shape (n_slots,)."""
        if not self.bins:
            return np.zeros(self.n_slots)
        lowest = min(self.bins)
        out = np.empty(self.n_slots)
        for slot in range(self.n_slots):
            whole = sum(int(digits[slot]) << (_BIN_BITS * (k - lowest)) for k, digits in self.bins.items())
            out[slot] = _scaled(whole, _BIN_BITS * lowest)
        return out


@dataclass(frozen=True)
class ZoneSums:
    """Sums over the cells of each zone; parts of a map are added with ``+``.

    Attributes
    ----------
    weighted : ExactSums
        Sum of value x weight over cells with a value; slot = member x n_zones + zone.
    weight : ExactSums
        Weight (area) of cells with a value, same slots.
    missing : ExactSums
        Weight of cells without a value, same slots.
    counts : ndarray of int64, shape (n_members, n_zones)
        Number of cells with a value.
    shape : (int, int)
        n_members, n_zones.
    """

    weighted: ExactSums
    weight: ExactSums
    missing: ExactSums
    counts: NDArray[np.int64]
    shape: tuple[int, int]

    def __add__(self, other: ZoneSums) -> ZoneSums:
        if self.shape != other.shape:
            fail("SQ710", f"zone sums of shapes {self.shape} and {other.shape} cannot be added")
        return ZoneSums(
            self.weighted + other.weighted,
            self.weight + other.weight,
            self.missing + other.missing,
            self.counts + other.counts,
            self.shape,
        )

    def total(self) -> Floats:
        """Return the weighted sums, shape (n_members, n_zones); NaN where no cell has a value."""
        sums = self.weighted.values().reshape(self.shape)
        return np.where(self.counts > 0, sums, np.nan)

    def mean(self) -> Floats:
        """Return the weighted means, shape (n_members, n_zones); NaN where no weight has a value."""
        area = self.area()
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(area > 0, self.total() / area, np.nan)

    def area(self) -> Floats:
        """Return the weight of cells with a value, shape (n_members, n_zones)."""
        return self.weight.values().reshape(self.shape)

    def missing_area(self) -> Floats:
        """Return the weight of cells of the zone that have no value, shape (n_members, n_zones)."""
        return self.missing.values().reshape(self.shape)


def weighted_sums(values: ArrayLike, weights: ArrayLike, zone_codes: ArrayLike, n_zones: int) -> ZoneSums:
    """Return sums of value x weight by zone for one block of a map.

    Parameters
    ----------
    values : array_like, shape (...) or (n_members, ...)
        A flux density (g m-2 yr-1) or anything else, of one map or of the members of an ensemble; NaN where a cell
        has none.
    weights : array_like, shape (...)
        Area of each cell (km2), times its land fraction if that is to be counted.
    zone_codes : array_like of int, shape (...)
        Zone of each cell, 0 to n_zones - 1; negative for cells outside every zone, which are left out.
    n_zones : int
        Number of zones.

    Returns
    -------
    ZoneSums
        With one member for a single map. ``sums.total() * PG_PER_G_M2_KM2`` is in Pg yr-1 for the units above.

    Raises
    ------
    SoilqlError
        SQ710 for shapes that do not match, SQ711 for infinite values or missing weights of cells in a zone, SQ712 for
        negative weights or codes beyond the zones.

    Examples
    --------
    >>> parts = [weighted_sums([500.0, float("nan")], [2.0, 1.0], [0, 0], 1), weighted_sums([300.0], [1.0], [0], 1)]
    >>> both = add_up(parts)
    >>> both.total(), both.area(), both.missing_area()
    (array([[1300.]]), array([[3.]]), array([[1.]]))
    """
    v, w, codes = np.asarray(values), np.asarray(weights, dtype=np.float64), np.asarray(zone_codes)
    if w.shape != codes.shape or v.shape[v.ndim - w.ndim :] != w.shape or v.ndim > w.ndim + 1:
        fail("SQ710", f"shapes do not match: values {v.shape}, weights {w.shape}, zone codes {codes.shape}")
    zoned = codes >= 0
    if codes.dtype.kind not in "iu" or (codes.size and codes.max() >= n_zones):
        fail("SQ712", f"zone codes must be whole numbers below {n_zones}")
    members = v.reshape(-1, *w.shape)[:, zoned].astype(np.float64)
    area, zone = w[zoned], codes[zoned].astype(np.intp)
    if not np.all(np.isfinite(area)):
        fail("SQ711", f"{int(np.sum(~np.isfinite(area)))} cells of a zone have no finite weight")
    if area.size and area.min() < 0:
        fail("SQ712", "weights must be zero or positive")
    if np.isinf(members).any():
        fail("SQ711", f"{int(np.isinf(members).sum())} values are infinite")
    return _sums_of_members(members, area, zone, n_zones)


def add_up(parts: Iterable[ZoneSums]) -> ZoneSums:
    """Return the sum of the sums of blocks; the same to the last bit for any blocks in any order.

    Parameters
    ----------
    parts : iterable of ZoneSums
        At least one.

    Returns
    -------
    ZoneSums

    Raises
    ------
    SoilqlError
        SQ710 for parts of different zones or members.

    Examples
    --------
    >>> parts = [weighted_sums([x], [1.0], [0], 1) for x in (1e16, 1.0, -1e16)]
    >>> add_up(parts).total().item()
    1.0
    """
    return reduce(operator.add, parts)


def ensemble_interval(totals: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats, Floats]:
    """Return the median and the interval of ensemble totals.

    Percentiles of the members' totals: errors that cells share are kept, as they are not in a root of summed
    variances of cells.

    Parameters
    ----------
    totals : array_like, shape (n_members, ...)
        Total of each member.
    level : float
        Probability of the central interval.

    Returns
    -------
    lower, median, upper : ndarray, shape (...)
        Percentiles, type 7 of Hyndman and Fan (doi:10.1080/00031305.1996.10473566); NaN where a member is NaN.

    Raises
    ------
    SoilqlError
        SQ710 for fewer than two members, SQ712 for a level outside (0, 1).

    Examples
    --------
    >>> [float(x) for x in ensemble_interval([1.0, 2.0, 3.0, 4.0, 5.0], level=0.5)]
    [2.0, 3.0, 4.0]
    """
    array = np.asarray(totals, dtype=np.float64)
    if array.ndim < 1 or array.shape[0] < 2:
        fail("SQ710", "an interval needs the totals of at least two members")
    p = float(fractions(level, "level", open_ends=True)[0])
    lower, median, upper = np.quantile(array, [(1 - p) / 2, 0.5, (1 + p) / 2], axis=0)
    return np.asarray(lower), np.asarray(median), np.asarray(upper)


def _sums_of_members(members: Floats, area: Floats, zone: NDArray[np.intp], n_zones: int) -> ZoneSums:
    n_members = members.shape[0]
    n_slots = n_members * n_zones
    slots = (np.arange(n_members)[:, None] * n_zones + zone).ravel()
    areas = np.broadcast_to(area, members.shape).ravel()
    flat = members.ravel()
    present = ~np.isnan(flat)
    return ZoneSums(
        weighted=ExactSums.of(flat[present] * areas[present], slots[present], n_slots),
        weight=ExactSums.of(areas[present], slots[present], n_slots),
        missing=ExactSums.of(areas[~present], slots[~present], n_slots),
        counts=np.bincount(slots[present], minlength=n_slots).reshape(n_members, n_zones).astype(np.int64),
        shape=(n_members, n_zones),
    )


def _scaled(whole: int, exponent: int) -> float:
    """Return whole x 2^exponent, rounded once."""
    excess = max(0, abs(whole).bit_length() - 1000)
    if excess == 0:
        return math.ldexp(float(whole), exponent)
    return math.ldexp(float(whole >> excess), exponent + excess)
