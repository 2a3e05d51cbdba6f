"""Zones by groups of classes: of a categorical column or grid variable, or of a class map looked up at each place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from soilql import params as p
from soilql.context import Context
from soilql.errors import Diagnostic, SoilqlError, did_you_mean
from soilql.kinds import Block, Scope
from soilql.params import ColumnName, GridRef, Problem, param
from soilql.values import State, ValueType

if TYPE_CHECKING:
    import numpy as np

VERSION = 1
PRODUCES = ValueType.ZONES
STORED = False

Class: TypeAlias = int | float | str


@dataclass(frozen=True)
class Params(p.Params):
    """Where the classes are found, and which of them make up each zone."""

    groups: dict[str, list[int | float | str]] = param(
        doc="Zones and the classes that belong to each, numbers or text: {temperate forest: [4, 5], grassland: [10]}."
    )
    of: ColumnName | None = param(None, doc="Categorical column or grid variable. Give either this or `grid`.")
    grid: GridRef | None = param(
        None,
        doc="Class map (`block.variable`) in which sites and pixels alike are looked up by the nearest cell centre.",
    )
    others: str | None = param(
        None,
        doc="Zone of the classes that no group lists; without it they belong to no zone and are counted.",
    )

    def problems(self) -> Iterator[Problem]:
        if (self.of is None) == (self.grid is None):
            yield "give either `of` or `grid`", "grid" if self.of else "groups"
        if not self.groups:
            yield "`groups` is empty", "groups"
        if self.others in self.groups:
            yield f"`{self.others}` is a group already", "others"
        owner: dict[str, str] = {}
        for zone, members in self.groups.items():
            for member in map(_text, members):
                if owner.setdefault(member, zone) != zone:
                    yield f"class `{member}` is in both `{owner[member]}` and `{zone}`", "groups"


@dataclass(frozen=True, eq=False)
class ClassMap:
    """The zone of each cell of a class map.

    Attributes
    ----------
    lat, lon : numpy.ndarray
        Cell centres in degrees; `lat` falls, `lon` rises within -180..180.
    codes : numpy.ndarray of int16, shape (lat, lon)
        Zone of each cell, -1 in none.
    unlisted : mapping of str to int
        Classes of the map that belong to no zone, with their number of cells.
    """

    lat: np.ndarray[Any, Any]
    lon: np.ndarray[Any, Any]
    codes: np.ndarray[Any, Any]
    unlisted: Mapping[str, int] = field(default_factory=dict)

    def at(self, lat: Any, lon: Any) -> Any:
        """Return the zone at each place, -1 off the map; numpy or dask as given."""
        import numpy as np

        if hasattr(lat, "map_blocks"):
            return lat.map_blocks(self.at, lon, dtype=np.int16)
        from soilql.stats.sphere import nearest_cells

        north, east = np.asarray(lat, float).ravel(), np.asarray(lon, float).ravel()
        known = np.isfinite(north) & np.isfinite(east)
        cells = nearest_cells(north[known], east[known], self.lat, self.lon)
        found = np.full(known.shape, -1, np.int16)
        found[known] = np.where(cells.inside, self.codes[cells.rows, cells.columns], -1)
        return found.reshape(np.shape(lat))


@dataclass(frozen=True)
class Classes:
    """The partition of places into groups of classes.

    Attributes
    ----------
    labels : tuple of str
        The groups in the order they were given, then the zone of all other classes if there is one.
    groups : tuple of tuple
        Classes of each group.
    others : bool
        Whether the last label stands for every class that no group lists.
    variables : tuple of str
        The column or grid variable with the classes; empty where `map` is used.
    map : ClassMap or None
        The class map in which places are looked up.

    Examples
    --------
    >>> import numpy as np
    >>> biomes = Classes(("forest", "open"), ((1, 2, 3), (10,)), False, ("igbp",))
    >>> biomes.codes({"igbp": np.array([2.0, 10.0, 7.0, np.nan])})
    array([ 0,  1, -1, -1], dtype=int16)
    """

    labels: tuple[str, ...]
    groups: tuple[tuple[Class, ...], ...]
    others: bool
    variables: tuple[str, ...] = ()
    map: ClassMap | None = None

    def codes(self, columns: Mapping[str, Any]) -> Any:
        """Return the position in `labels` of each point, -1 for none; numpy or dask as given.

        Raises
        ------
        SoilqlError
            The variable holds numbers and a group lists text (SQ709), or the places are not given (SQ704).
        """
        if self.map is None:
            return _group_codes(columns[self.variables[0]], self.groups, self.others, self.variables[0])
        if not {"lat", "lon"} <= set(columns):
            message = "the zones are looked up in a map by place, but the data have no latitude and longitude"
            raise SoilqlError(Diagnostic("SQ704", message, help="give the table its roles `lat` and `lon`"))
        return self.map.at(columns["lat"], columns["lon"])

    def outside(self, columns: Mapping[str, Any]) -> dict[str, int]:
        """Return what the points outside every zone are, with their number."""
        import numpy as np

        lost = np.asarray(self.codes(columns)) < 0
        if self.map is not None:
            return {"off the map or in an unlisted class": int(lost.sum())} if lost.any() else {}
        values = np.asarray(columns[self.variables[0]])[lost]
        names, counts = np.unique([_text(value) for value in values], return_counts=True)
        return {str(name): int(count) for name, count in zip(names, counts, strict=True)}

    def state(self) -> State:
        """Return what a model fitted by these zones stores of them."""
        own = {"labels": self.labels, "groups": self.groups, "others": self.others, "variables": self.variables}
        meta = {"kind": "classes", **own}
        if self.map is None:
            return State(meta, {})
        arrays = {"lat": self.map.lat, "lon": self.map.lon, "codes": self.map.codes}
        return State({**meta, "unlisted": dict(self.map.unlisted)}, arrays)


def run(params: Params, ctx: Context) -> Classes:
    names = (*params.groups, *((params.others,) if params.others else ()))
    groups = tuple(tuple(members) for members in params.groups.values())
    partition = Classes(names, groups, params.others is not None)
    if params.grid is None:
        return Classes(partition.labels, groups, partition.others, (str(params.of),))
    return Classes(partition.labels, groups, partition.others, (), _class_map(params.grid, partition, ctx))


def load(state: State, params: Params | None = None) -> Classes:
    """Return the partition whose `state` was stored."""
    meta, arrays = state.meta, state.arrays
    found = None
    if arrays:
        found = ClassMap(arrays["lat"], arrays["lon"], arrays["codes"], meta["unlisted"])
    groups = tuple(tuple(members) for members in meta["groups"])
    return Classes(tuple(meta["labels"]), groups, meta["others"], tuple(meta["variables"]), found)


def needs(params: Params, scope: Scope) -> tuple[str, ...]:
    """Return the columns or grid variables that the partition looks at."""
    return () if params.of is None else (str(params.of),)


def labels(params: Params, scope: Scope) -> tuple[str, ...]:
    """Return the zones."""
    return (*params.groups, *((params.others,) if params.others else ()))


def check(block: Block, scope: Scope) -> Iterable[Diagnostic]:
    """Say whether the class map exists and is one variable."""
    ref = block.params.grid
    known = None if ref is None else scope.schema(ref.block)
    if known is None or known.open:
        return
    span = block.span("grid")
    if ref.variable is None and len(known.variables) > 1:
        help = f"write `{ref.block}.{next(iter(known.variables))}`, for one"
        yield Diagnostic("SQ714", f"`{ref.block}` has {len(known.variables)} variables", span, "which?", help)
    elif ref.variable is not None and ref.variable not in known.variables:
        help = did_you_mean(ref.variable, known.variables)
        yield Diagnostic("SQ704", f"`{ref.block}` has no variable `{ref.variable}`", span, help=help)


def describe(params: Params) -> str:
    return f"{len(params.groups) + (params.others is not None)} zones by the classes of {params.of or params.grid}"


def _text(value: Any) -> str:
    """Return a class as text: 1, 1.0 and "1" are one class; a missing one is called so."""
    if isinstance(value, str):
        return value
    if value is None or value != value:
        return "missing"
    return f"{value:.15g}"


def _group_codes(values: Any, groups: tuple[tuple[Class, ...], ...], others: bool, name: str) -> Any:
    import numpy as np

    numeric = values.dtype.kind in "fiub"
    if numeric:
        members: list[list[Any]] = [[_number(member, name) for member in group] for group in groups]
        missing = np.isnan(values)
    else:
        import pandas as pd

        members = [[_text(member) for member in group] for group in groups]
        isna = pd.isna if isinstance(values, np.ndarray) else None
        missing = isna(values) if isna else values.map_blocks(pd.isna, dtype=bool)
    rest = len(groups) if others else -1
    codes = np.where(missing, np.int16(-1), np.int16(rest))
    for code, group in enumerate(members):
        listed = np.isin(values, group) if numeric else _any_of(values, group)
        codes = np.where(~missing & listed, np.int16(code), codes)
    return codes


def _any_of(values: Any, group: list[Any]) -> Any:
    """Return where text values are in a group; numpy's own `isin` sorts, which text mixed with None does not bear."""
    found = values == group[0] if group else values != values
    for member in group[1:]:
        found = found | (values == member)
    return found


def _number(member: Class, name: str) -> float:
    try:
        return float(member)
    except ValueError:
        message = f"`{name}` holds numbers, so no class of it is `{member}`"
        help = "list the numbers of the classes"
        raise SoilqlError(Diagnostic("SQ709", message, help=help)) from None


def _class_map(ref: GridRef, partition: Classes, ctx: Context) -> ClassMap:
    import numpy as np

    grid = ctx.grid(ref)
    names = list(map(str, grid.data.data_vars))
    if len(names) != 1:
        have = ", ".join(f"`{ref.block}.{name}`" for name in names)
        raise ctx.error("SQ714", f"`{ref.block}` has {len(names)} variables", "grid", help=f"pick one of {have}")
    variable = grid.data[names[0]]
    if set(variable.dims) != {"lat", "lon"}:
        extra = ", ".join(str(d) for d in variable.dims if d not in ("lat", "lon"))
        raise ctx.error("SQ714", f"`{ref}` varies along {extra}; zones need one map", "grid")
    values = np.asarray(variable.transpose("lat", "lon").to_numpy())
    codes = _group_codes(values, partition.groups, partition.others, names[0])
    lost = values[(codes < 0) & ~np.isnan(values)]
    classes, counts = np.unique(lost, return_counts=True)
    unlisted = {_text(c): int(n) for c, n in zip(classes, counts, strict=True)}
    if not (codes >= 0).any():
        raise ctx.error("SQ809", f"no cell of `{ref}` belongs to any group", "groups", help=_found(unlisted))
    lat, lon = (grid.data[axis].to_numpy().astype(float) for axis in ("lat", "lon"))
    return ClassMap(lat, lon, codes, unlisted)


def _found(unlisted: Mapping[str, int]) -> str:
    most = sorted(unlisted, key=lambda name: (-unlisted[name], name))[:10]
    return f"its commonest classes are {', '.join(most)}" if most else "the map has no values"
