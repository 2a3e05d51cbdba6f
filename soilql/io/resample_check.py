"""What lint says of `resample`: months that are none, statistics without meaning, units and tables that do not fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from soilql.errors import Diagnostic, did_you_mean
from soilql.io import defaults
from soilql.io.resample_names import results, statistic_of, unit_over_time, wanted_of
from soilql.io.scope import check_conversion, check_name
from soilql.io.seasons import MonthsError, read_months, read_years
from soilql.kinds import Block, Schema, Scope, Variable
from soilql.params import DataSource
from soilql.units import UnitError

FRACTION = "`fraction` and `classes` go together"
#: Methods that make sense of numbers of classes.
OF_CLASSES = ("nearest", "mode", "fraction")


def check_names(block: Block, known: Schema, what: str, keys: tuple[str, ...]) -> Iterator[Diagnostic]:
    """Yield variables and results that are not there, and two results of one name."""
    params = block.params
    for key, names in (("variables", params.variables or ()), ("static", params.static)):
        for i, name in enumerate(names):
            yield from check_name(name, _item(block, key, i, len(names)), known, what)
    made = results(params, known, keys)
    final = [str(params.rename.get(name, name)) for name in made]
    for name, new in params.rename.items():
        span = block.span("rename", name)
        if name not in made and not known.open:
            help = did_you_mean(name, made) or f"there are {', '.join(f'`{n}`' for n in list(made)[:8])}"
            yield Diagnostic("SQ704", f"no result is called `{name}`", span, help=help)
        elif final.count(str(new)) > 1:
            yield Diagnostic("SQ710", f"two results would be called `{new}`", span, help="give each a name of its own")


def _item(block: Block, key: str, i: int, count: int) -> Any:
    return block.span(key, i) if count > 1 else block.span(key)


def check_time(block: Block, scope: Scope, known: Schema) -> Iterator[Diagnostic]:
    """Yield what is wrong with periods, years, statistics and units; `known` holds the variables that are chosen."""
    time = block.params.time
    for name, words in time.periods.items():
        yield from _read(partial(read_months, words), block, "time", "periods", name)
    if time.years is not None:
        yield from _read(partial(read_years, time.years), block, "time", "years")
    for name in time.per:
        yield from check_name(name, block.span("time", "per", name), known, "not among those brought to periods")
    for name, one in known.variables.items():
        path = ("time", "per", name) if name in time.per else ("time", "statistic")
        if _is_class(block, scope, name):
            message = f"`{name}` holds numbers of classes, which have no {statistic_of(time, name)}"
            help = "leave it out with `variables`, or bring it to other cells by `mode`"
            yield Diagnostic("SQ126", message, block.span(*path), help=help)
        else:
            yield from _units(block, name, one, path)


def _read(read: Callable[[], Any], block: Block, *path: str) -> Iterator[Diagnostic]:
    try:
        read()
    except MonthsError as error:
        yield Diagnostic("SQ126", str(error), block.span(*path), help=error.help)


def _units(block: Block, name: str, one: Variable, path: tuple[str, ...]) -> Iterator[Diagnostic]:
    time, wanted = block.params.time, wanted_of(block.params.time)
    own = time.per.get(name)
    for suffix in wanted.suffixes:
        try:
            unit = unit_over_time(statistic_of(time, name), one.unit, wanted.each(suffix))
        except UnitError as error:
            yield Diagnostic("SQ302", f"`{name}`: {error.message}", block.span(*path), help=error.help)
            return
        if own is not None and own.unit is not None:
            found = list(check_conversion(unit, own.unit, block.span(*path, "unit")))
            yield from found
            if found:
                return


def check_space(block: Block, scope: Scope, known: Schema) -> Iterator[Diagnostic]:
    """Yield methods that have no meaning for numbers of classes, and names that are not there."""
    for name, own in block.params.space.per.items():
        span = block.span("space", "per", name)
        yield from check_name(name, span, known, "not among those brought to other cells")
        if (own.method == "fraction") != bool(own.classes):
            yield Diagnostic("SQ126", FRACTION, span, help="{method: fraction, classes: {forest: [1, 2]}}")
        if own.method is not None and own.method not in OF_CLASSES and _is_class(block, scope, name):
            message = f"`{name}` holds numbers of classes, which have no {own.method}"
            help = "`mode`, `nearest`, or `fraction` of the area of some classes"
            yield Diagnostic("SQ126", message, span, help=help)


def check_table(block: Block, known: Schema) -> Iterator[Diagnostic]:
    """Yield cells asked of a table, a table without times, and places that are no columns."""
    params = block.params
    if params.space is not None:
        message = f"`{params.of.block}` is a table, and has no cells"
        help = "read it as a grid (`kind: grid`, `format: table`) first"
        yield Diagnostic("SQ126", message, block.key_span("space"), help=help)
    if known.roles or not known.open:
        if "time" not in known.roles:
            message = f"`{params.of.block}` has no column with the role `time`"
            help = f"add `roles: {{time: ...}}` to `{params.of.block}`"
            yield Diagnostic("SQ704", message, block.span("of"), help=help)
        names = Schema({**known.variables, **dict.fromkeys(known.roles, Variable())}, known.open)
        for i, name in enumerate(params.by):
            what = f"neither a column nor a role of `{params.of.block}`"
            yield from check_name(name, _item(block, "by", i, len(params.by)), names, what)
    shifted = params.time is not None and params.time.southern == "shift"
    if shifted and not {"lat", known.roles.get("lat")} & set(params.by):
        message = "the south has other seasons, and `by` does not say which places are there"
        yield Diagnostic("SQ126", message, block.span("time", "southern"), help="add `lat` to `by`")


def _is_class(block: Block, scope: Scope, name: str) -> bool:
    """Whether the block that is read says, or the registry, that a variable holds numbers of classes."""
    source = scope.block(block.params.of.block)
    own = getattr(source.params, "variables", None) if source is not None else None
    stated = own.get(name) if isinstance(own, Mapping) else None
    if getattr(stated, "categorical", None) is not None:
        return bool(stated.categorical)  # type: ignore[union-attr]
    layer = getattr(stated, "from_", None) or name
    files = getattr(source.params, "source", None) if source is not None else None
    listed = defaults.entries([one for one in files or () if isinstance(one, DataSource)])
    return any(e.variables[layer].type == "category" for e in listed.values() if layer in e.variables)
