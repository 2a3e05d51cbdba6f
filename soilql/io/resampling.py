"""Grids and tables brought to periods and grids to other cells, with counts of what was lost on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, get_args

import dask.array
import numpy as np
import pandas as pd
import xarray as xr

from soilql.io import aggregation
from soilql.io.amounts import amount, spread_unit
from soilql.io.period_plan import Plan, plan
from soilql.io.regridding import Regridder, Target
from soilql.io.seasons import Wanted
from soilql.io.times import written_dates
from soilql.stats import periods, regrid
from soilql.stats.periods import Reduction, Statistic
from soilql.units import conversion

# dask carries no types of its own.
da: Any = dask.array

#: Lazy counts of what was lost, by what was lost and of which variable.
Counts: TypeAlias = "dict[tuple[str, str], Any]"
DAYS, AREA = "days", "area"
#: Numbers from here on are no years, but dates such as 200001.
PAST_YEARS = 10_000


@dataclass(frozen=True)
class How:
    """What is done to one variable.

    Attributes
    ----------
    statistic : str
        Over time.
    unit : str or None
        Unit wanted of the result.
    method : str
        In space: one of the methods of :mod:`soilql.stats.regrid`, or ``fraction``.
    classes : mapping of str to sequence of float
        For fractions: classes by the name of their group.
    """

    statistic: Statistic = "mean"
    unit: str | None = None
    method: str = "average"
    classes: Mapping[str, Sequence[float]] = field(default_factory=dict)


def step_of(data: xr.Dataset) -> str | None:
    """Return the length of the steps of a grid where it says so."""
    step = data["time"].attrs.get("step")
    return None if step is None else str(step)


def plan_of(data: xr.Dataset, wanted: Wanted) -> Plan:
    """Return the plan of a grid with times.

    Raises
    ------
    PlanError
        As :func:`soilql.io.period_plan.plan`.
    """
    return plan(wanted, data["time"].to_numpy(), step_of(data))


def result_unit(unit: str | None, how: How, each: str) -> str | None:
    """Return the unit that the statistic over a period has by itself; `each` is ``year``, ``month`` or another word.

    Raises
    ------
    UnitError
        For the sum of a temperature.
    """
    if how.statistic == "sum":
        return amount(unit, each).unit
    return spread_unit(unit) if how.statistic == "sd" else unit


def reduction(unit: str | None, how: How, step: str, min_share: float) -> Reduction:
    """Return how a variable is brought to periods, given its unit and the length of the steps."""
    if how.statistic not in ("sum", "mean"):
        return Reduction(how.statistic, min_share=min_share)
    if how.statistic == "sum":
        found = amount(unit, "year")
        return Reduction("sum", found.is_total(step), found.per_day, min_share)
    # The mean of amounts of single months is that of the amounts, so that twelve of them make the sum.
    try:
        found = amount(unit, "year")
    except ValueError:
        return Reduction("mean", min_share=min_share)
    return Reduction("mean", found.is_rate and found.is_total(step), min_share=min_share)


def over_time(
    data: xr.Dataset, hows: Mapping[str, How], found: Plan, wanted: Wanted
) -> tuple[xr.Dataset, dict[str, str], Counts]:
    """Bring the variables of a grid to periods, lazily.

    Parameters
    ----------
    data : xarray.Dataset
        Its variables have dims ending in ``(time, lat, lon)``.
    hows : mapping of str to How
        Of each variable.
    found : Plan
    wanted : Wanted

    Returns
    -------
    data : xarray.Dataset
        With ``time`` as whole years or first days, or without it for means over the years.
    origins : dict of str to str
        For each new variable the one that it is made of.
    lost : dict
        Values lost for want of days, counted lazily.
    """
    rows = int((data["lat"].to_numpy() >= 0).sum())
    variables: dict[str, Any] = {}
    origins: dict[str, str] = {}
    lost: Counts = {}
    for name in map(str, data.data_vars):
        one, how = data[name], hows[name]
        series, unit = da.asarray(one.data), one.attrs.get("units")
        by = reduction(unit, how, found.step, wanted.min_share)
        for group in found.groups:
            new = name if group.suffix is None else f"{name}_{group.suffix}"
            reduced = aggregation.by_hemisphere(series, group.north, group.south, rows, by)
            values, lost[DAYS, new] = reduced.values, reduced.lacking.sum()
            dims: tuple[Any, ...] = one.dims
            if wanted.climatology:
                values = aggregation.mean_of_years(values, wanted.min_share).values[..., 0, :, :]
                dims = tuple(dim for dim in dims if dim != "time")
            values, attrs = _in_unit(values, one.attrs, how, wanted.each(group.suffix))
            variables[new] = (dims, values, attrs | _method(how, found, wanted))
            origins[new] = name
    coords = {str(dim): data[dim] for dim in data.dims if dim != "time"}
    if not wanted.climatology:
        coords["time"] = xr.DataArray(found.labels, dims="time", attrs={"step": found.each})
    return xr.Dataset(variables, coords), origins, lost


def _in_unit(values: Any, attrs: Mapping[Any, Any], how: How, each: str) -> tuple[Any, dict[Any, Any]]:
    """Return values and attributes with the unit of the result."""
    unit = result_unit(attrs.get("units"), how, each)
    if how.unit is not None and unit is not None:
        values, unit = conversion(unit, how.unit).apply(values), how.unit
    kept = {key: value for key, value in attrs.items() if key not in ("units", "cell_methods")}
    unit = how.unit if unit is None else unit
    return values, kept | ({} if unit is None else {"units": unit})


def _method(how: How, found: Plan, wanted: Wanted) -> dict[str, str]:
    words = {"sd": "standard_deviation", "min": "minimum", "max": "maximum"}
    inner = f"time: {words.get(how.statistic, how.statistic)} within years"
    if not wanted.climatology:
        return {"cell_methods": inner.removesuffix(" within years")}
    return {"cell_methods": f"{inner} time: mean over years", "years": f"{found.labels[0]}-{found.labels[-1]}"}


def over_space(
    data: xr.Dataset,
    hows: Mapping[str, How],
    grids: tuple[Target, Target],
    min_share: float | None,
    budget: int,
) -> tuple[xr.Dataset, Counts]:
    """Bring the variables of a grid to other cells, lazily.

    Parameters
    ----------
    data : xarray.Dataset
    hows : mapping of str to How
        Of each variable.
    grids : (Target, Target)
        The cells that it has and those wanted.
    min_share : float or None
        Share of a cell that must have values; by default as the method has it.
    budget : int
        Bytes that one block may take.

    Returns
    -------
    data : xarray.Dataset
    lost : dict
        Values lost for want of area, counted lazily.
    """
    source, target = grids
    makers: dict[str, Regridder] = {}
    variables: dict[str, Any] = {}
    lost: Counts = {}
    for name in map(str, data.data_vars):
        one, how = data[name], hows[name]
        method = "mode" if how.method == "fraction" else how.method
        assert method in get_args(regrid.Method)
        if method not in makers:
            share = regrid.default_share(method) if min_share is None else min_share  # type: ignore[arg-type]
            makers[method] = Regridder(source, target, method, share, budget)  # type: ignore[arg-type]
        lazy = da.asarray(one.data)
        if how.method == "fraction":
            attrs = {"units": "1", "long_name": f"share of `{name}`"}
            for group, classes in how.classes.items():
                variables[f"{name}_{group}"] = (one.dims, makers[method].class_share(lazy, classes), attrs)
            continue
        found = makers[method](lazy)
        variables[name] = (one.dims, found.values, dict(one.attrs))
        lost[AREA, name] = found.lacking.sum()
    coords = {str(dim): data[dim] for dim in data.dims if dim not in ("lat", "lon")}
    return xr.Dataset(variables, {**coords, "lat": target.lat.centres, "lon": target.lon.centres}), lost


@dataclass(frozen=True)
class Keys:
    """The columns of a table that say where and when.

    Attributes
    ----------
    places : tuple of str
        Columns that make a place.
    time : str
        Column of dates or years.
    lat : str or None
        Column of latitudes, where the south has other seasons.
    """

    places: tuple[str, ...]
    time: str
    lat: str | None = None


def times_of(column: pd.Series[Any], step: str | None) -> Any:
    """Return the times of rows as labels of steps: dates, or whole years; NaT or -1 where there is none.

    Texts are read as ISO dates; a decimal year is the day it falls on; 200001 and 20000131 are dates.

    Raises
    ------
    ValueError
        The column holds neither.
    """
    if column.dtype.kind == "M":
        return column.to_numpy(dtype="datetime64[ns]")
    numbers = pd.to_numeric(column, errors="coerce")
    if numbers.notna().any() and numbers.notna().sum() == column.notna().sum():
        known = numbers.to_numpy(dtype=np.float64, na_value=np.nan)
        if np.nanmax(np.abs(known)) >= PAST_YEARS:
            return _written(known)
        whole = np.floor(known)
        if step in (None, "year") and np.all((known == whole) | np.isnan(known)):
            return np.where(np.isnan(known), -1, known).astype(np.int64)
        first, after = (periods.month_starts(np.nan_to_num(whole).astype(np.int64), month) for month in (1, 13))
        # A decimal year written with four decimals may fall a little short of the day that it stands for.
        days = np.floor(first + (known - whole) * (after - first) + 0.05)
        days = np.where(np.isnan(known), np.nan, days)
        return pd.to_datetime(days, unit="D", origin="unix").to_numpy(dtype="datetime64[ns]")
    return pd.to_datetime(column, errors="raise", format="ISO8601").to_numpy(dtype="datetime64[ns]")


def _written(numbers: Any) -> Any:
    """Return the dates that numbers such as 200001 or 20000131 stand for, NaT for NaN."""
    missing = np.isnan(numbers)
    dates = written_dates(numbers[~missing])
    if dates.dtype.kind != "M":
        raise ValueError(f"{numbers[~missing].max():.12g} is no year")
    found = np.full(numbers.shape, np.datetime64("NaT"), dtype="datetime64[ns]")
    found[~missing] = dates
    return found


def table_over_time(
    frame: pd.DataFrame,
    keys: Keys,
    units: Mapping[str, str],
    hows: Mapping[str, How],
    found: Callable[[Any], Plan],
    wanted: Wanted,
) -> tuple[pd.DataFrame, dict[str, str], dict[str, int], Plan]:
    """Bring the rows of each place to periods.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row a place and time, without missing keys.
    keys : Keys
    units : mapping of str to str
        Of the columns.
    hows : mapping of str to How
        Of each column that is brought to periods.
    found : callable
        From the labels of the steps to the plan.
    wanted : Wanted

    Returns
    -------
    frame : pandas.DataFrame
        One row a place and period that has any value; of means over the years one row a place.
    units : dict of str to str
    lost : dict of str to int
        Values of each new column lost for want of days.
    plan : Plan
    """
    times, step = np.unique(times_of(frame[keys.time], wanted.step), return_inverse=True)
    planned = found(times)
    grouped = frame.groupby(list(keys.places), sort=True, dropna=False)
    place, places = grouped.ngroup().to_numpy(), grouped[list(keys.places)].head(1).sort_values(list(keys.places))
    south = np.zeros(len(places), dtype=bool) if keys.lat is None else (places[keys.lat].to_numpy() < 0)
    columns: dict[str, Any] = {}
    new_units: dict[str, str] = {}
    lost: dict[str, int] = {}
    for name, how in hows.items():
        values = np.full((times.size, len(places), 1), np.nan)
        values[step, place, 0] = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
        by = reduction(units.get(name), how, planned.step, wanted.min_share)
        for group in planned.groups:
            new = name if group.suffix is None else f"{name}_{group.suffix}"
            # The places stand for rows of a map, the southern ones beside the northern.
            halves = [aggregation.over_periods(da.asarray(values), one, by) for one in (group.north, group.south)]
            maps, lacking = (
                np.where(south[:, None], *(getattr(h, part).compute() for h in halves[::-1]))
                for part in ("values", "lacking")
            )
            if wanted.climatology:
                maps = aggregation.mean_of_years(da.asarray(maps), wanted.min_share).values.compute()
            attrs = {} if name not in units else {"units": units[name]}
            maps, attrs = _in_unit(maps, attrs, how, wanted.each(group.suffix))
            columns[new], lost[new] = maps[..., 0], int(lacking.sum())
            new_units |= {new: attrs["units"]} if "units" in attrs else {}
    return _rows(places.reset_index(drop=True), columns, planned, wanted), new_units, lost, planned


def _rows(places: pd.DataFrame, columns: Mapping[str, Any], planned: Plan, wanted: Wanted) -> pd.DataFrame:
    count = 1 if wanted.climatology else planned.labels.size
    result = places.loc[places.index.repeat(count)].reset_index(drop=True)
    if not wanted.climatology:
        time = "year" if planned.each == "year" else "time"
        result[time] = np.tile(planned.labels, len(places))
    for name, values in columns.items():
        result[name] = values.T.ravel()
    return result[result[list(columns)].notna().any(axis=1)].reset_index(drop=True)
