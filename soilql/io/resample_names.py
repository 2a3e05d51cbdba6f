"""What `resample` makes of its parameters: names and units of the results, known without data and without numpy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from soilql.io.amounts import amount, spread_unit
from soilql.io.seasons import Months, MonthsError, Wanted, read_months, read_years
from soilql.kinds import Schema, Variable
from soilql.units import UnitError


def wanted_of(time: Any, *, strict: bool = False) -> Wanted:
    """Return the periods that the parameters ask for.

    Parameters
    ----------
    time : Params
        Of the block.
    strict : bool
        Whether words that are no months or years are an error, or periods without months.

    Raises
    ------
    MonthsError
        For such words.
    """
    periods = {str(name): _months(words, strict) for name, words in time.periods.items()}
    years = None
    try:
        years = None if time.years is None else read_years(time.years)
    except MonthsError:
        if strict:
            raise
    return Wanted(
        time.every, periods, years, time.climatology, time.southern == "shift", time.year_of,
        time.incomplete == "keep", time.min_share, time.step, not time.suffix,
    )  # fmt: skip


def _months(words: list[str], strict: bool) -> Months:
    try:
        return read_months(words)
    except MonthsError:
        if strict:
            raise
        return Months(())


def chosen(params: Any, known: Schema, keys: Iterable[str] = ()) -> dict[str, Variable]:
    """Return the variables that are brought to periods or cells; `keys` are columns that say where and when."""
    named = [params.of.variable] if params.of.variable is not None else params.variables
    if named is not None:
        return {str(name): known.variables.get(name, Variable("number")) for name in named}
    left_out = {*keys, *map(str, params.static)}
    return {name: v for name, v in known.variables.items() if name not in left_out and v.type in ("number", "unknown")}


def statistic_of(time: Any, name: str) -> Any:
    """Return the statistic of a variable."""
    own = time.per.get(name)
    return own.statistic if own is not None and own.statistic is not None else time.statistic


def unit_over_time(statistic: str, unit: str | None, each: str) -> str | None:
    """Return the unit that a result has by itself; `each` is the length of a period.

    Raises
    ------
    UnitError
        For the sum of a temperature.
    """
    if statistic == "sum":
        return amount(unit, each).unit
    return spread_unit(unit) if statistic == "sd" else unit


def _over_time(params: Any, name: str, one: Variable) -> dict[str, Variable]:
    """Return the results that one variable makes over time."""
    if params.time is None:
        return {name: one}
    own, wanted = params.time.per.get(name), wanted_of(params.time)
    found = {}
    for suffix in wanted.suffixes:
        try:
            unit = unit_over_time(statistic_of(params.time, name), one.unit, wanted.each(suffix))
        except UnitError:  # the check says so
            unit = None
        unit = str(own.unit) if own is not None and own.unit is not None else unit
        found[name if suffix is None else f"{name}_{suffix}"] = Variable("number", unit, one.description)
    return found


def _over_space(params: Any, origin: str, variables: Mapping[str, Variable]) -> dict[str, Variable]:
    """Return the results that those of one variable make in space."""
    own = None if params.space is None else params.space.per.get(origin)
    if own is None or not own.classes:
        return dict(variables)
    return {f"{name}_{group}": Variable("number", "1") for name in variables for group in own.classes}


def results(params: Any, known: Schema, keys: Iterable[str] = ()) -> dict[str, Variable]:
    """Return the variables of the result, before they are renamed."""
    found: dict[str, Variable] = {}
    for name, one in chosen(params, known, keys).items():
        found |= _over_space(params, name, _over_time(params, name, one))
    for name in map(str, params.static):
        found |= _over_space(params, name, {name: known.variables.get(name, Variable("number"))})
    return found


def new_name(params: Any, name: str) -> str:
    """Return what a result is called in the end."""
    return str(params.rename.get(name, name))
