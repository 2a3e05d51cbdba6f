"""`resample` at work: the plan of a grid or table, what is done to each variable, and notes on what was lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from soilql.context import Context
from soilql.errors import Severity, SoilqlError, did_you_mean
from soilql.io import regridding, resampling
from soilql.io.period_plan import Plan, PlanError, plan
from soilql.io.resample_check import FRACTION, OF_CLASSES
from soilql.io.resample_names import new_name, statistic_of, wanted_of
from soilql.io.resampling import AREA, DAYS, Counts, How, Keys
from soilql.io.seasons import MonthsError, Wanted
from soilql.units import UnitError
from soilql.values import Grid, Note, Table

#: Blocks that are computed at a time, for each thread: what waits for another and what is written count too.
_IN_FLIGHT = 2


def resampled_grid(params: Any, ctx: Context) -> tuple[xr.Dataset, list[Note], Counts]:
    """Return the variables of a grid in new periods and cells, lazily, with notes and counts to be computed.

    Raises
    ------
    SoilqlError
        SQ704, SQ708, SQ126 or SQ302 where the grid cannot be brought to them.
    """
    grid = ctx.grid(params.of)
    data, notes = _picked(params, ctx, grid)
    origins = {str(name): str(name) for name in data.data_vars}
    hows = {name: _how(params, ctx, name, data[name].attrs) for name in origins}
    lost: Counts = {}
    if params.time is not None:
        wanted = _wanted(params, ctx)
        found = _planned(ctx, lambda: resampling.plan_of(data, wanted))
        notes += [Note("SQ736", f"`{params.of}`: {text}", Severity.WARNING) for text in found.notes]
        timed = data[[name for name in data.data_vars if "time" in data[name].dims]]
        made, came_from, lost = _with_units(ctx, lambda: resampling.over_time(timed, hows, found, wanted))
        kept = data.drop_dims("time")
        data, origins = made.assign(kept.data_vars), {**came_from, **{str(k): str(k) for k in kept.data_vars}}
    if params.space is not None:
        budget = max(1 << 20, ctx.resources.memory // (max(1, ctx.resources.workers) * _IN_FLIGHT))
        source = regridding.axes(data)
        cells = source, _target(params, ctx, source)
        by_name = {name: hows[origin] for name, origin in origins.items()}
        data, lacking = resampling.over_space(data, by_name, cells, params.space.min_share, budget)
        lost = lost | lacking
    return _renamed(params, ctx, data), notes, lost


def _picked(params: Any, ctx: Context, grid: Grid) -> tuple[xr.Dataset, list[Note]]:
    """Return the variables wanted, with a note on those without a time that are left out."""
    static = list(map(str, params.static))
    names = [str(name) for name in params.variables or grid.data.data_vars if name not in static]
    for key, listed in (("variables", params.variables or ()), ("static", static)):
        for i, name in enumerate(listed):
            if name not in grid.data:
                help = did_you_mean(name, map(str, grid.data.data_vars))
                raise ctx.error("SQ704", f"`{params.of}` has no variable `{name}`", key, i, help=help)
    notes = []
    if params.time is not None:
        timeless = [name for name in names if "time" not in grid.data[name].dims]
        if timeless and (params.variables is not None or len(timeless) == len(names)):
            listed = ", ".join(f"`{name}`" for name in timeless)
            help = "name it under `static` to keep it as it is"
            if len(timeless) == len(names):
                help = f"say in `{params.of.block}` how names of files tell their times, `time: {{pattern: ...}}`; "
                help += "or leave `time` out here"
            raise ctx.error("SQ708", f"{listed} of `{params.of}` has no time", "of", help=help)
        if timeless:
            listed = ", ".join(f"`{name}`" for name in timeless)
            message = f"{listed} of `{params.of}` have no time and were left out; `static` keeps them"
            notes.append(Note("SQ727", message))
        names = [name for name in names if name not in timeless]
    return grid.data[[*names, *static]], notes


def _how(params: Any, ctx: Context, name: str, attrs: Mapping[Any, Any]) -> How:
    """Return what is done to one variable, which for classes is less than for quantities."""
    is_class = bool(attrs.get("categorical"))
    statistic: Any = "mean"
    unit, method, classes = None, "average", {}
    if params.time is not None and name not in params.static:
        statistic = statistic_of(params.time, name)
        own = params.time.per.get(name)
        unit = None if own is None or own.unit is None else str(own.unit)
        if is_class:
            key = ("time", "per", name) if own is not None else ("time", "statistic")
            message = f"`{name}` holds numbers of classes, which have no {statistic}"
            help = "leave it out with `variables`, or bring it to other cells by `mode`"
            raise ctx.error("SQ126", message, *key, help=help)
    if params.space is not None:
        stated = params.space.per.get(name)
        own_method = None if stated is None else stated.method
        method = own_method or ("mode" if is_class and params.space.method not in OF_CLASSES else params.space.method)
        if stated is not None and (method == "fraction") != bool(stated.classes):
            raise ctx.error("SQ126", FRACTION, "space", "per", name)
        if is_class and method not in OF_CLASSES:
            message = f"`{name}` holds numbers of classes, which have no {method}"
            raise ctx.error("SQ126", message, "space", "per", name, help="`mode`, `nearest` or `fraction`")
        classes = {} if stated is None else {str(group): list(codes) for group, codes in stated.classes.items()}
    return How(statistic, unit, method, classes)


def _wanted(params: Any, ctx: Context) -> Wanted:
    try:
        return wanted_of(params.time, strict=True)
    except MonthsError as error:
        raise ctx.error("SQ126", str(error), "time", help=error.help) from None


def _planned(ctx: Context, make: Callable[[], Plan]) -> Plan:
    try:
        return make()
    except PlanError as error:
        raise ctx.error("SQ708", str(error), "time", error.key, help=error.help) from None


def _with_units(ctx: Context, make: Callable[[], Any]) -> Any:
    try:
        return make()
    except UnitError as error:
        raise ctx.error("SQ302", error.message, "time", help=error.help) from None


def _target(params: Any, ctx: Context, source: regridding.Target) -> regridding.Target:
    space = params.space
    if space.to is not None:
        return regridding.axes(ctx.grid(space.to).data)
    return regridding.regular(space.resolution, space.bounds, source, ctx.block.span("space", "resolution"))


def _renamed(params: Any, ctx: Context, data: xr.Dataset) -> xr.Dataset:
    names = {str(name): new_name(params, str(name)) for name in data.data_vars}
    _check_renamed(params, ctx, names)
    return data.rename({name: new for name, new in names.items() if new != name})


def _check_renamed(params: Any, ctx: Context, names: Mapping[str, str]) -> None:
    for name, new in params.rename.items():
        if name not in names:
            help = did_you_mean(name, names)
            raise ctx.error("SQ704", f"no result is called `{name}`", "rename", name, help=help)
        if list(names.values()).count(str(new)) > 1:
            raise ctx.error("SQ710", f"two results would be called `{new}`", "rename", name)


def lost_notes(params: Any, lost: Mapping[tuple[str, str], int], places: str) -> Iterator[Note]:
    """Say of each result how many values were lost for want of days or of area."""
    for (what, name), count in lost.items():
        if not count:
            continue
        share, why = 0.0, ""
        if what == DAYS:
            share, why = params.time.min_share, f"values on less than {params.time.min_share:.0%} of the days"
        elif what == AREA:
            share = params.space.min_share
            why = (
                "values in too small a part of the cell" if share is None else f"values in less than {share:.0%} of it"
            )
        where = f"{int(count):,} {places} and periods" if what == DAYS else f"{int(count):,} cells and times"
        yield Note("SQ737", f"`{new_name(params, name)}` is missing in {where} that have {why}")


def resampled_table(params: Any, ctx: Context, table: Table) -> Table:
    """Return the rows of a table in new periods.

    Raises
    ------
    SoilqlError
        SQ704, SQ708, SQ709, SQ710, SQ126 or SQ302 where it cannot be brought to them.
    """
    if params.space is not None:
        raise ctx.error("SQ126", f"`{params.of}` is a table, and has no cells", "space")
    if "time" not in table.roles:
        help = f"add `roles: {{time: ...}}` to `{params.of.block}`"
        raise ctx.error("SQ704", f"`{params.of}` has no column with the role `time`", "of", help=help)
    keys = _keys(params, ctx, table)
    wanted = _wanted(params, ctx)
    names = _columns(params, ctx, table, keys)
    hows = {name: _how(params, ctx, name, {}) for name in names}
    frame = table.frame[list(dict.fromkeys([*keys.places, keys.time, *names]))]
    keyless = frame[[*keys.places, keys.time]].isna().any(axis=1).to_numpy()
    frame = frame[~keyless].reset_index(drop=True)
    try:
        resampling.times_of(frame[keys.time], wanted.step)
    except ValueError as error:
        raise _no_dates(params, ctx, keys.time, error) from None
    _require_single(params, ctx, frame, keys)
    notes = list(table.notes)
    if keyless.any():
        notes.append(Note("SQ729", f"{int(keyless.sum()):,} rows of `{params.of}` have no place or time"))
    rows, units, lost, planned = _with_units(
        ctx,
        lambda: resampling.table_over_time(frame, keys, table.units, hows, _planner(ctx, wanted), wanted),
    )
    notes += [Note("SQ736", f"`{params.of}`: {text}", Severity.WARNING) for text in planned.notes]
    notes += lost_notes(params, {(DAYS, name): count for name, count in lost.items()}, "places")
    renames = {name: new_name(params, name) for name in lost}
    _check_renamed(params, ctx, renames)
    own_units = {name: table.units[name] for name in keys.places if name in table.units}
    return _as_table(
        table, rows.rename(columns=renames), {**own_units, **{renames[n]: u for n, u in units.items()}}, notes
    )


def _as_table(table: Table, rows: Any, units: Mapping[str, str], notes: Sequence[Note]) -> Table:
    roles = {role: name for role, name in table.roles.items() if role != "time" and name in rows.columns}
    time = next((name for name in ("year", "time") if name in rows.columns), None)
    return Table(rows, units, roles | ({} if time is None else {"time": time}), tuple(notes))


def _planner(ctx: Context, wanted: Wanted) -> Callable[[Any], Plan]:
    return lambda times: _planned(ctx, lambda: plan(wanted, times))


def _no_dates(params: Any, ctx: Context, name: str, error: ValueError) -> SoilqlError:
    message = f"column `{name}` of `{params.of}`, which has the role `time`, holds neither years nor dates"
    return ctx.error(
        "SQ709", message, "of", label=str(error).partition("\n")[0][:80], help="dates are written 2000-01-31"
    )


def _keys(params: Any, ctx: Context, table: Table) -> Keys:
    places = []
    for i, name in enumerate(params.by):
        column = table.roles.get(name, str(name))
        if column not in table.frame.columns:
            help = did_you_mean(name, [*table.roles, *map(str, table.frame.columns)])
            raise ctx.error("SQ704", f"`{params.of}` has no column or role `{name}`", "by", i, help=help)
        places.append(column)
    time = table.roles["time"]
    if time in places:
        raise ctx.error("SQ126", f"`{time}` is the time, and no part of a place", "by")
    lat = table.roles.get("lat")
    shifted = params.time.southern == "shift"
    if shifted and lat not in places:
        message = "the south has other seasons, and `by` does not say which places are there"
        raise ctx.error("SQ126", message, "time", "southern", help="add `lat` to `by`")
    return Keys(tuple(dict.fromkeys(places)), time, lat if shifted else None)


def _columns(params: Any, ctx: Context, table: Table, keys: Keys) -> list[str]:
    """Return the columns that are brought to periods."""
    own = {*keys.places, keys.time}
    if params.variables is None:
        listed = [params.of.variable] if params.of.variable is not None else list(table.frame.columns)
        numbers = [str(name) for name in listed if table.frame[name].dtype.kind in "iuf" and name not in own]
        if not numbers:
            raise ctx.error("SQ709", f"`{params.of}` has no column of numbers to bring to periods", "of")
        return numbers
    for i, name in enumerate(params.variables):
        if name not in table.frame.columns:
            help = did_you_mean(name, map(str, table.frame.columns))
            raise ctx.error("SQ704", f"`{params.of}` has no column `{name}`", "variables", i, help=help)
        if table.frame[name].dtype.kind not in "iufb":
            raise ctx.error("SQ709", f"column `{name}` of `{params.of}` holds no numbers", "variables", i)
    return list(map(str, params.variables))


def _require_single(params: Any, ctx: Context, frame: Any, keys: Keys) -> None:
    twice = frame.duplicated([*keys.places, keys.time])
    if twice.any():
        where = ", ".join(f"{name} {frame[name][int(np.flatnonzero(twice)[0])]}" for name in (*keys.places, keys.time))
        message = f"{int(twice.sum()):,} rows of `{params.of}` are of the same place and time as another: {where}"
        help = "average them first (`average` of `table`), or tell them apart by another column in `by`"
        raise ctx.error("SQ710", message, "by", help=help)
