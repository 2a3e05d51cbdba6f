"""Area-weighted totals by zone, added up block by block with a result that does not depend on the blocks.

Sums are exact: every product of value and weight is split over bins of fixed powers of two, each bin adds whole
numbers without rounding, and only the final total is rounded, once. So the order and the size of the blocks and the
number of workers leave no trace in the last digit, and the sums of fine zones roll up to those of coarse ones.

References
----------
Demmel and Nguyen (2015), Parallel reproducible summation, IEEE Transactions on Computers 64, 2060-2070,
doi:10.1109/TC.2014.2345391 (the idea of bins of fixed exponents).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from soilql.stats.checks import fail, fractions

Floats = NDArray[np.float64]
PG_PER_G_M2_KM2 = 1e-9
"""1 g m-2 over 1 km2 is 1e6 g, and 1 Pg is 1e15 g."""
_BIN_BITS = 26
#: Numbers that are worked on at a time, so that they stay in the cache; fewer than 2^26, see `_digits`.
_TILE = 1 << 15


@dataclass(frozen=True)
class ExactSums:
    """Exact sums of floating-point numbers: for each row (member) one in each group (zone).

    Attributes
    ----------
    bins : dict of int to ndarray of int64, shape (rows, groups)
        Whole multiples of 2^(26 k) for each bin k that occurred.
    shape : (int, int)
        Number of rows and groups.
    """

    bins: dict[int, NDArray[np.int64]]
    shape: tuple[int, int]

    @classmethod
    def of(cls, x: ArrayLike, groups: ArrayLike, n_groups: int) -> ExactSums:
        """Return the sums of each row of x by group.

        Parameters
        ----------
        x : array_like, shape (rows, n)
            Finite numbers.
        groups : array_like of int, shape (n,)
            The group of each column, 0 to n_groups - 1.
        n_groups : int
            Number of groups.

        Returns
        -------
        ExactSums

        Examples
        --------
        >>> ExactSums.of([[1e300, 1.0, -1e300, 7.0]], [1, 1, 1, 0], 2).values()
        array([[7., 1.]])
        """
        numbers, codes = np.asarray(x, dtype=np.float64), np.asarray(groups)
        order = np.argsort(codes, kind="stable")
        sums = cls({}, (numbers.shape[0], n_groups))
        for rows, columns in _tiles(*numbers.shape):
            sums._add(rows, numbers[rows][:, order[columns]], codes[order[columns]])
        return sums

    def _add(self, rows: slice, x: Floats, groups: NDArray[np.intp]) -> None:
        """Add a tile of numbers, whose groups stand side by side, to some rows."""
        if not x.size:
            return
        starts = np.flatnonzero(np.concatenate([[True], groups[1:] != groups[:-1]]))
        for k, digits in _digits(x, starts):
            table = self.bins.setdefault(k, np.zeros(self.shape, dtype=np.int64))
            table[rows, groups[starts]] += digits

    def __add__(self, other: ExactSums) -> ExactSums:
        if self.shape != other.shape:
            fail("SQ811", f"sums of shapes {self.shape} and {other.shape} cannot be added")
        keys = sorted(set(self.bins) | set(other.bins))
        zero = np.zeros(self.shape, dtype=np.int64)
        return ExactSums({k: self.bins.get(k, zero) + other.bins.get(k, zero) for k in keys}, self.shape)

    def __neg__(self) -> ExactSums:
        return ExactSums({k: -digits for k, digits in self.bins.items()}, self.shape)

    def repeated(self, rows: int) -> ExactSums:
        """Return the sums of a single row for many rows that are all the same."""
        return ExactSums({k: np.repeat(digits, rows, axis=0) for k, digits in self.bins.items()}, (rows, self.shape[1]))

    def rolled_up(self, into: NDArray[np.intp], n_groups: int) -> ExactSums:
        """Return the sums by coarser groups; see `ZoneSums.rolled_up`."""
        bins = {k: _rolled_up(digits, into, n_groups) for k, digits in self.bins.items()}
        return ExactSums(bins, (self.shape[0], n_groups))

    def values(self) -> Floats:
        """Return the sums, each rounded once to float64, shape (rows, groups)."""
        out = np.zeros(self.shape)
        lowest = min(self.bins, default=0)
        occupied = reduce(operator.or_, (digits != 0 for digits in self.bins.values()), np.zeros(self.shape, bool))
        for row, group in np.argwhere(occupied):
            whole = sum(int(digits[row, group]) << (_BIN_BITS * (k - lowest)) for k, digits in self.bins.items())
            out[row, group] = _scaled(whole, _BIN_BITS * lowest)
        return out


@dataclass(frozen=True)
class ZoneSums:
    """Sums over the cells of each zone; parts of a map are added with ``+``.

    Attributes
    ----------
    weighted : ExactSums, shape (n_members, n_zones)
        Sum of value x weight over cells with a value.
    weight : ExactSums, shape (n_members, n_zones)
        Weight (area) of cells with a value.
    missing : ExactSums, shape (n_members, n_zones)
        Weight of cells without a value.
    counts : ndarray of int64, shape (n_members, n_zones)
        Number of cells with a value.
    """

    weighted: ExactSums
    weight: ExactSums
    missing: ExactSums
    counts: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, int]:
        """Number of members and zones."""
        return self.weighted.shape

    def __add__(self, other: ZoneSums) -> ZoneSums:
        if self.shape != other.shape:
            fail("SQ811", f"zone sums of shapes {self.shape} and {other.shape} cannot be added")
        return ZoneSums(
            self.weighted + other.weighted,
            self.weight + other.weight,
            self.missing + other.missing,
            self.counts + other.counts,
        )

    def rolled_up(self, into: ArrayLike, n_zones: int) -> ZoneSums:
        """Return the sums of coarser zones that are made of whole zones of this one.

        Parameters
        ----------
        into : array_like of int, shape (zones of this one,)
            The coarser zone that each zone is part of; negative for one that is part of none.
        n_zones : int
            Number of coarser zones.

        Returns
        -------
        ZoneSums
            To the last bit what `weighted_sums` gives for the coarser zones.

        Examples
        --------
        >>> fine = weighted_sums([1.0, 2.0, 4.0], [1.0, 1.0, 1.0], [0, 1, 2], 3)
        >>> fine.rolled_up([1, -1, 1], 2).total()
        array([[nan,  5.]])
        """
        groups = np.asarray(into, dtype=np.intp)
        return ZoneSums(
            self.weighted.rolled_up(groups, n_zones),
            self.weight.rolled_up(groups, n_zones),
            self.missing.rolled_up(groups, n_zones),
            _rolled_up(self.counts, groups, n_zones),
        )

    def total(self) -> Floats:
        """Return the weighted sums, shape (n_members, n_zones); NaN where no cell has a value."""
        return np.where(self.counts > 0, self.weighted.values(), np.nan)

    def mean(self) -> Floats:
        """Return the weighted means, shape (n_members, n_zones); NaN where no weight has a value."""
        area = self.area()
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(area > 0, self.total() / area, np.nan)

    def area(self) -> Floats:
        """Return the weight of cells with a value, shape (n_members, n_zones)."""
        return self.weight.values()

    def missing_area(self) -> Floats:
        """Return the weight of cells of the zone that have no value, shape (n_members, n_zones)."""
        return self.missing.values()


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
        SQ811 for shapes that do not match, SQ812 for infinite values or missing weights of cells in a zone, SQ813 for
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
        fail("SQ811", f"shapes do not match: values {v.shape}, weights {w.shape}, zone codes {codes.shape}")
    if codes.dtype.kind not in "iu" or (codes.size and codes.max() >= n_zones):
        fail("SQ813", f"zone codes must be whole numbers below {n_zones}")
    # Sorted by zone, so that the cells of a zone stand side by side.
    order = np.argsort(codes.ravel(), kind="stable")
    cells = order[np.count_nonzero(codes < 0) :]
    area, zone = w.ravel()[cells], codes.ravel()[cells].astype(np.intp)
    if not np.all(np.isfinite(area)):
        fail("SQ812", f"{int(np.sum(~np.isfinite(area)))} cells of a zone have no finite weight")
    if area.size and area.min() < 0:
        fail("SQ813", "weights must be zero or positive")
    return _sums_of_members(v.reshape(-1, w.size), cells, area, zone, n_zones)


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
        SQ811 for parts of different zones or members.

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
        SQ811 for fewer than two members, SQ813 for a level outside (0, 1).

    Examples
    --------
    >>> [float(x) for x in ensemble_interval([1.0, 2.0, 3.0, 4.0, 5.0], level=0.5)]
    [2.0, 3.0, 4.0]
    """
    array = np.asarray(totals, dtype=np.float64)
    if array.ndim < 1 or array.shape[0] < 2:
        fail("SQ811", "an interval needs the totals of at least two members")
    p = float(fractions(level, "level", open_ends=True)[0])
    lower, median, upper = np.quantile(array, [(1 - p) / 2, 0.5, (1 + p) / 2], axis=0)
    return np.asarray(lower), np.asarray(median), np.asarray(upper)


def _sums_of_members(
    members: NDArray[Any], cells: NDArray[np.intp], area: Floats, zone: NDArray[np.intp], n_zones: int
) -> ZoneSums:
    """Return the sums over some cells of each member; cells without any value are left out at once."""
    n_members = members.shape[0]
    some, every = _presence(members, cells)
    whole = ExactSums.of(area[None], zone, n_zones).repeated(n_members)
    cells, area, zone, shared = cells[some], area[some], zone[some], bool(np.array_equal(some, every))
    weighted, weight = (ExactSums({}, (n_members, n_zones)) for _ in range(2))
    counts = np.zeros((n_members, n_zones), np.int64)
    for rows, columns in _tiles(n_members, cells.size):
        values = np.take(members[rows], cells[columns], axis=1).astype(np.float64, copy=False)
        if not shared:
            present = ~np.isnan(values)
            values[~present] = 0.0
            weight._add(rows, np.where(present, area[columns], 0.0), zone[columns])
            np.add.at(counts[rows].T, zone[columns], present.T)
        values *= area[columns]
        if not np.isfinite(values).all():
            fail("SQ812", "some values are infinite, or their product with the weight is")
        weighted._add(rows, values, zone[columns])
    if shared:
        weight = ExactSums.of(area[None], zone, n_zones).repeated(n_members)
        counts[:] = np.bincount(zone, minlength=n_zones)
    return ZoneSums(weighted, weight, whole + -weight, counts)


def _presence(members: NDArray[Any], cells: NDArray[np.intp]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the cells in which some members have a value, and those in which all have."""
    some, every = np.zeros(cells.size, bool), np.ones(cells.size, bool)
    for values in members:
        present = ~np.isnan(values)[cells]
        some |= present
        every &= present
    return some, every & some


def _tiles(rows: int, columns: int) -> Iterator[tuple[slice, slice]]:
    """Yield slices of rows and columns that cut a table into tiles."""
    width = max(1, min(columns, _TILE))
    height = _TILE // width
    for top in range(0, rows, height):
        for left in range(0, columns, width):
            yield slice(top, min(top + height, rows)), slice(left, min(left + width, columns))


def _digits(x: Floats, starts: NDArray[np.intp]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yield for each bin k the sums of the digits of x between starts, shape (rows, starts)."""
    rest = x
    while (largest := max(float(rest.max()), -float(rest.min()))) > 0.0:
        k = (math.frexp(largest)[1] - 1) // _BIN_BITS
        digits = np.trunc(_shifted(rest, -_BIN_BITS * k))
        # Digits are below 2^26, so that 2^26 of them add up without rounding in float64.
        yield k, np.add.reduceat(digits, starts, axis=1).astype(np.int64)
        rest = rest - _shifted(digits, _BIN_BITS * k)


def _shifted(x: Floats, exponent: int) -> Floats:
    """Return x 2^exponent."""
    return np.asarray(x * 2.0**exponent if abs(exponent) < 1000 else np.ldexp(x, exponent))


def _rolled_up(table: NDArray[np.int64], into: NDArray[np.intp], n_groups: int) -> NDArray[np.int64]:
    out = np.zeros((n_groups, table.shape[0]), dtype=np.int64)
    np.add.at(out, into[into >= 0], table.T[into >= 0])
    return np.ascontiguousarray(out.T)


def _scaled(whole: int, exponent: int) -> float:
    """Return whole x 2^exponent, rounded once."""
    excess = max(0, abs(whole).bit_length() - 1000)
    if excess == 0:
        return math.ldexp(float(whole), exponent)
    # What is shifted out still decides a tie.
    lost = whole & ((1 << excess) - 1) != 0
    return math.ldexp(float((whole >> excess) | lost), exponent + excess)
