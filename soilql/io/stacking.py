"""Grids of one geometry put side by side or one after the other in time, and variables computed from several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import dask.array
import numpy as np
import xarray as xr

from soilql.errors import Diagnostic, SoilqlError
from soilql.expr.ast import names as names_in
from soilql.expr.evaluate import evaluate
from soilql.expr.parse import Expression
from soilql.io.years import is_yearly, years_of

# dask carries no types of its own.
da: Any = dask.array
Array: TypeAlias = "np.ndarray[Any, Any]"


class StackError(ValueError):
    """Grids that do not fit together; ``position`` is the one to blame."""

    def __init__(self, message: str, position: int | None = None, help: str = "") -> None:
        super().__init__(message)
        self.position = position
        self.help = help


def calendar(labels: Array) -> tuple[str, Array]:
    """Return the length of the steps in a word, and labels that are the same whatever day stands for a year or month.

    Returns
    -------
    word : str
        ``years``, ``months``, or ``dates``.
    labels : ndarray
        int64 years, first days of months, or the labels as they are.

    Examples
    --------
    >>> calendar(np.array(["2000-07-01", "2001-07-01"], "datetime64[ns]"))
    ('years', array([2000, 2001]))
    """
    if is_yearly(labels):
        return "years", years_of(labels)
    if labels.dtype.kind == "M":
        months = labels.astype("datetime64[M]")
        gaps = np.diff(months.astype(np.int64))
        # Composites fall into one month now and then twice, and so are no months.
        if np.all(gaps > 0):
            return "months", months.astype("datetime64[ns]")
    return "dates", labels


@dataclass(frozen=True)
class Filling:
    """Years wanted of grids that lack some of them.

    Attributes
    ----------
    years : (int, int)
        First and last.
    nearest : bool
        Whether the map of the nearest year is repeated, the earlier one of two as near; else the map is missing.
    reach : int or None
        How many years away that map may be.
    of : tuple of int
        Positions of the grids to be filled; the others have missing maps.
    """

    years: tuple[int, int]
    nearest: bool
    reach: int | None
    of: tuple[int, ...]


def aligned(
    grids: Sequence[xr.Dataset], names: Sequence[str], filling: Filling | None
) -> tuple[list[xr.Dataset], list[str]]:
    """Return grids on common times, and what that changed.

    Parameters
    ----------
    grids : sequence of xarray.Dataset
        With or without times.
    names : sequence of str
        What each is called.
    filling : Filling, optional
        By default the times that all of them have.

    Raises
    ------
    StackError
        Times of different length, or none in common.
    """
    timed = [i for i, data in enumerate(grids) if "time" in data.dims]
    if not timed:
        return list(grids), []
    found = {i: calendar(grids[i]["time"].to_numpy()) for i in timed}
    word = found[timed[0]][0]
    for i in timed:
        if found[i][0] != word:
            message = f"`{names[timed[0]]}` has steps of {word} and `{names[i]}` of {found[i][0]}"
            help = "bring both to the same periods with `kind: resample`, such as `time: {every: year}`"
            raise StackError(
                message.replace("steps of dates", "steps within months").replace("of dates", "within months"), i, help
            )
    if filling is not None:
        return _filled(grids, names, found, word, filling)
    common = found[timed[0]][1]
    for i in timed[1:]:
        common = np.intersect1d(common, found[i][1])
    if not common.size:
        listed = "; ".join(f"`{names[i]}` has {_range(found[i][1])}" for i in timed)
        raise StackError(f"the grids have no time in common: {listed}", timed[-1])
    result, notes = list(grids), []
    for i in timed:
        labels = found[i][1]
        lost = np.setdiff1d(labels, common)
        if lost.size:
            notes.append(f"{_listed(lost)} of `{names[i]}` left out, which others lack")
        result[i] = _at(grids[i], np.searchsorted(labels, common), common)
    return result, notes


def _at(data: xr.Dataset, positions: Array, labels: Array) -> xr.Dataset:
    attrs = data["time"].attrs | ({"step": "year"} if labels.dtype.kind != "M" else {})
    whole = positions.size == data.sizes["time"] and np.array_equal(positions, np.arange(positions.size))
    cut = data if whole else data.isel(time=positions)
    return cut.assign_coords(time=xr.DataArray(labels, dims="time", attrs=attrs))


def _filled(
    grids: Sequence[xr.Dataset],
    names: Sequence[str],
    found: Mapping[int, tuple[str, Array]],
    word: str,
    filling: Filling,
) -> tuple[list[xr.Dataset], list[str]]:
    if word != "years":
        raise StackError(
            "only grids with one map a year can be filled", min(found), "bring them to years with `kind: resample`"
        )
    years = np.arange(filling.years[0], filling.years[1] + 1)
    result, notes = list(grids), []
    for i, (_, labels) in found.items():
        # The first of the smallest distances is the earlier year.
        order = np.argsort(labels, kind="stable")
        nearest = order[np.abs(years[:, None] - labels[order][None, :]).argmin(axis=1)]
        distance = np.abs(labels[nearest] - years)
        usable = distance == 0
        if filling.nearest and i in filling.of:
            usable = distance <= (np.inf if filling.reach is None else filling.reach)
            pairs = [(y, labels[n]) for y, n, d, u in zip(years, nearest, distance, usable, strict=True) if d and u]
            if pairs:
                words = ", ".join(f"{y} from {of}" for y, of in pairs[:8]) + (" and others" if len(pairs) > 8 else "")
                notes.append(f"`{names[i]}` has no map of some years, and repeats that of the nearest: {words}")
        if not usable.all():
            notes.append(f"`{names[i]}` has no map of {_listed(years[~usable])} and is missing then")
        data = _at(grids[i], nearest, years)
        if not usable.all():
            kept = xr.DataArray(usable, dims="time", coords={"time": data["time"]})
            timed = [name for name in data.data_vars if "time" in data[name].dims]
            data = data.assign({name: data[name].where(kept).transpose(*data[name].dims) for name in timed})
        result[i] = data
    return result, notes


def _listed(labels: Array) -> str:
    """Return times in words, years in a row as a range."""
    words = [_text(label) for label in labels]
    if labels.dtype.kind != "M":
        runs = np.split(labels, np.flatnonzero(np.diff(labels) != 1) + 1)
        words = [_range(run) if run.size > 2 else ", ".join(map(_text, run)) for run in runs]
    return ", ".join(words[:8]) + (f" and {len(words) - 8} more" if len(words) > 8 else "")


def _text(label: Any) -> str:
    return str(np.datetime_as_string(label, "D")) if isinstance(label, np.datetime64) else f"{label:g}"


def _range(labels: Array) -> str:
    ends = [_text(labels.min()), _text(labels.max())]
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def joined(grids: Sequence[xr.Dataset], names: Sequence[str]) -> tuple[xr.Dataset, list[str]]:
    """Return grids one after the other in time, in its order, and a note on gaps between years.

    Raises
    ------
    StackError
        A grid without times or with other variables or units, steps of different length, a time that is there twice.
    """
    first = grids[0]
    for i, data in enumerate(grids):
        if "time" not in data.dims:
            raise StackError(f"`{names[i]}` has no times, along which it could be joined", i)
        only = set(map(str, data.data_vars)) ^ set(map(str, first.data_vars))
        if only:
            listed = ", ".join(f"`{name}`" for name in sorted(only))
            raise StackError(f"`{names[0]}` and `{names[i]}` do not have the same variables: {listed} in one only", i)
        for name in data.data_vars:
            _require_alike(first[name], data[name], (names[0], names[i]), i)
    calendars = [calendar(data["time"].to_numpy()) for data in grids]
    for i, (word, _) in enumerate(calendars):
        if word != calendars[0][0]:
            message = f"`{names[0]}` has steps of {calendars[0][0]} and `{names[i]}` of {word}"
            raise StackError(message, i, "bring both to the same periods with `kind: resample`")
    labels = np.concatenate([found for _, found in calendars])
    order = np.argsort(labels, kind="stable")
    twice = np.flatnonzero(labels[order][1:] == labels[order][:-1])
    if twice.size:
        owner = np.repeat(np.arange(len(grids)), [found.size for _, found in calendars])
        a, b = owner[order[twice[0]]], owner[order[twice[0] + 1]]
        raise StackError(f"{_text(labels[order[twice[0]]])} is both in `{names[a]}` and in `{names[b]}`", int(b))
    parts = [_at(data, np.arange(found.size), found) for data, (_, found) in zip(grids, calendars, strict=True)]
    whole = xr.concat(parts, dim="time", data_vars="minimal", coords="minimal", compat="override", join="override")
    notes = []
    if calendars[0][0] == "years":
        gaps = np.setdiff1d(np.arange(labels.min(), labels.max() + 1), labels)
        notes += [f"no map of {_listed(gaps)}"] if gaps.size else []
    return whole if np.array_equal(order, np.arange(order.size)) else whole.isel(time=order), notes


def _require_alike(one: xr.DataArray, other: xr.DataArray, names: tuple[str, str], position: int) -> None:
    for what, key in (("unit", "units"), ("kind of numbers", "categorical")):
        a, b = one.attrs.get(key), other.attrs.get(key)
        if a != b:
            message = f"`{one.name}` has another {what} in `{names[0]}` than in `{names[1]}`: {a} and {b}"
            raise StackError(message, position, "bring both to one unit where they are read")
    if "time" not in one.dims and other is not one:
        message = f"`{one.name}` has no time, and would be there twice, in `{names[0]}` and in `{names[1]}`"
        raise StackError(message, position, "leave it out where the grids are read")


def with_derived(data: xr.Dataset, derived: Mapping[str, tuple[Expression, str | None]]) -> xr.Dataset:
    """Return a dataset with variables computed from others, lazily and in order.

    Parameters
    ----------
    data : xarray.Dataset
        Variables of dims ``([member,] [time,] lat, lon)``; those without a time hold for all times.
    derived : mapping of str to (Expression, str or None)
        Expression and unit of each new variable; ``lat`` and ``lon`` are the coordinates of the cells (degrees).

    Returns
    -------
    xarray.Dataset
        What has no value, also a division by zero, is NaN; conditions become 1 and 0.

    Raises
    ------
    SoilqlError
        SQ112 for a text.
    """
    result = data
    for name, (expression, unit) in derived.items():
        used = [str(n) for n in names_in(expression.root) if n in result.data_vars]
        env: dict[str, Any] = {n: da.asarray(result[n].data) for n in used}
        env = {"lat": result["lat"].to_numpy()[:, None], "lon": result["lon"].to_numpy()[None, :]} | env
        dims = max((result[n].dims for n in used), key=len, default=("lat", "lon"))
        values = evaluate(expression, env)
        if isinstance(values, str) or getattr(getattr(values, "dtype", None), "kind", "") == "O":
            message = f"`{name}` is a text; grids hold numbers"
            raise SoilqlError(Diagnostic("SQ112", message, expression.span(expression.root)))
        shape = tuple(result.sizes[dim] for dim in dims)
        chunks = next((result[n].data.chunks for n in used if result[n].dims == dims and result[n].chunks), "auto")
        values = da.broadcast_to(da.asarray(values), shape)
        values = (values if chunks == "auto" else values.rechunk(chunks)).astype(np.float64)
        values = da.where(da.isfinite(values), values, np.nan)
        result = result.assign({name: (dims, values, {} if unit is None else {"units": unit})})
    return result
