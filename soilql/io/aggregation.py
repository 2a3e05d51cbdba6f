"""Variables of a grid brought to periods, lazily: a period is carried through the series part by part.

A task holds one part of the series, as the source is cut, and a few maps of its size, never the whole series; only the
median needs all steps of a period at once.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import dask.array
import numpy as np

from soilql.stats import periods
from soilql.stats.periods import Reduction, Share

# dask carries no types of its own.
da: Any = dask.array

_TIME = -3


@dataclass(frozen=True, eq=False)
class Reduced:
    """Lazy maps of a variable.

    Attributes
    ----------
    values : dask.array.Array, shape (..., periods, lat, lon)
        NaN where missing.
    lacking : dask.array.Array of bool, of the same shape
        Where a value is missing although some days have one.
    """

    values: Any
    lacking: Any


def over_periods(series: Any, shares: Sequence[Share], reduction: Reduction) -> Reduced:
    """Bring a series of maps to periods.

    Parameters
    ----------
    series : dask.array.Array, shape (..., time, lat, lon)
        NaN where missing.
    shares : sequence of Share
        The steps of each period; a period without any is missing everywhere.
    reduction : Reduction

    Returns
    -------
    Reduced
        In the blocks of the source: all periods together where these hold the whole series, else one period each.
    """
    if len(series.chunks[_TIME]) == 1:
        both = _mapped(_Whole(tuple(shares), reduction), (series,), 2 * len(shares), series)
        values, lacking = both[..., : len(shares), :, :], both[..., len(shares) :, :, :]
        return Reduced(values, lacking.astype(bool))
    finished = [_one(series, share, reduction) for share in shares]
    return Reduced(*(da.concatenate([one[i] for one in finished], axis=_TIME) for i in (0, 1)))


def by_hemisphere(
    series: Any, north: Sequence[Share], south: Sequence[Share], rows: int, reduction: Reduction
) -> Reduced:
    """Bring a series to periods that differ between the hemispheres.

    Parameters
    ----------
    north, south : sequence of Share
        The steps of each period in either.
    rows : int
        Number of rows of the northern one, which come first.
    """
    if south is north or rows == series.shape[-2]:
        return over_periods(series, north, reduction)
    if rows == 0:
        return over_periods(series, south, reduction)
    parts = [
        over_periods(part, shares, reduction)
        for part, shares in ((series[..., :rows, :], north), (series[..., rows:, :], south))
    ]
    return Reduced(*(da.concatenate(list(both), axis=-2) for both in zip(*map(_pair, parts), strict=True)))


def _pair(one: Reduced) -> tuple[Any, Any]:
    return one.values, one.lacking


def mean_of_years(yearly: Any, min_share: float) -> Reduced:
    """Return the mean over the years of a period, each year with the same weight; shape (..., 1, lat, lon)."""
    count = yearly.shape[_TIME]
    every = Share(np.arange(count), np.ones(count), np.ones(count), float(count), True)
    return over_periods(yearly, [every], Reduction("mean", min_share=min_share))


def _one(series: Any, share: Share, reduction: Reduction) -> tuple[Any, Any]:
    if not share.steps.size:
        shape = (*series.shape[:_TIME], 1, *series.shape[-2:])
        chunks = (*series.chunks[:_TIME], (1,), *series.chunks[-2:])
        return da.full(shape, np.nan, chunks=chunks), da.zeros(shape, bool, chunks=chunks)
    if reduction.statistic == "median":
        # Steps in a row are a slice, which reads no more than it needs.
        first, last = int(share.steps[0]), int(share.steps[-1]) + 1
        row = share.steps.size == last - first
        own = series[..., first:last, :, :] if row else series[..., share.steps, :, :]
        own = own.rechunk({series.ndim + _TIME: -1})
        both = [_mapped(_Median(share, reduction, i), (own,), 1, own) for i in (0, 1)]
    else:
        state = _carried(series, share, reduction)
        both = [_mapped(_Finish(share, reduction, i), (state,), 1, state) for i in (0, 1)]
    return both[0], both[1].astype(bool)


def _carried(series: Any, share: Share, reduction: Reduction) -> Any:
    """Return what is known of a period after the last part of the series that touches it."""
    state: Any = None
    first = 0
    for i, size in enumerate(series.chunks[_TIME]):
        if np.any((share.steps >= first) & (share.steps < first + size)):
            part = series.blocks[(*(slice(None),) * (series.ndim + _TIME), slice(i, i + 1))]
            arguments = (part,) if state is None else (part, state)
            state = _mapped(_Update(share, first, reduction), arguments, periods.PLANES, part)
        first += size
    return state


def _mapped(function: Callable[..., Any], arrays: tuple[Any, ...], layers: int, like: Any) -> Any:
    chunks = (*like.chunks[:_TIME], (layers,), *like.chunks[-2:])
    # The name only keeps tasks apart.
    name = f"{type(function).__name__.lower()}-{uuid.uuid4().hex}"
    meta = np.empty((0,) * len(chunks))
    return da.map_blocks(function, *arrays, chunks=chunks, dtype=np.float64, name=name, meta=meta)


@dataclass(frozen=True, eq=False)
class _Whole:
    """All periods of a series at once: the values, and below them where they lack days."""

    shares: tuple[Share, ...]
    reduction: Reduction

    def __call__(self, series: Any) -> Any:
        count = len(self.shares)
        found = np.zeros((*series.shape[:_TIME], 2 * count, *series.shape[-2:]))
        for i, share in enumerate(self.shares):
            if not share.steps.size:
                found[..., i, :, :] = np.nan
                continue
            if self.reduction.statistic == "median":
                both = periods.median(series[..., share.steps, :, :], share, self.reduction)
            else:
                state = periods.update(None, series, share, 0, self.reduction)
                both = periods.finish(state, share, self.reduction)
            for at, part in zip((i, count + i), both, strict=True):
                found[..., at, :, :] = part[..., 0, :, :]
        return found


@dataclass(frozen=True, eq=False)
class _Update:
    share: Share
    first: int
    reduction: Reduction

    def __call__(self, values: Any, state: Any = None) -> Any:
        return periods.update(state, values, self.share, self.first, self.reduction)


@dataclass(frozen=True, eq=False)
class _Finish:
    share: Share
    reduction: Reduction
    part: int

    def __call__(self, state: Any) -> Any:
        return periods.finish(state, self.share, self.reduction)[self.part].astype(np.float64)


@dataclass(frozen=True, eq=False)
class _Median:
    share: Share
    reduction: Reduction
    part: int

    def __call__(self, values: Any) -> Any:
        return periods.median(values, self.share, self.reduction)[self.part].astype(np.float64)
