"""Zones made of the zones of other partitions: all their combinations, or some put together under a name."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from soilql import params as p
from soilql.context import Context
from soilql.errors import Diagnostic, Severity, SoilqlError
from soilql.fits.zoning import labels_of, load_zones, needs_of, no_such_zone, packed, unpacked
from soilql.kinds import Block, Scope
from soilql.params import Problem, ZonesRef, param
from soilql.references import absolute, scope_of
from soilql.values import State, ValueType, Zones

if TYPE_CHECKING:
    import numpy as np

VERSION = 1
PRODUCES = ValueType.ZONES
STORED = False
#: `zones` names the partitions, so that their names decide the result.
SHOWS_NAMES = ("inputs",)

#: Between the zones that make up a combination.
_BETWEEN = " x "
_MOST_COMBINATIONS = 32_000


@dataclass(frozen=True)
class Params(p.Params):
    """The partitions, and which of their combinations make up each zone."""

    of: list[ZonesRef] = param(doc="Partitions that are crossed, two or more.")
    zones: dict[str, dict[str, list[str]]] | None = param(
        None,
        doc="Zones and what each asks of the partitions: {boreal: {climate: boreal}, temperate ENF: {climate: "
        "temperate, veg: ENF}, grassland: {veg: [GRA, SAV]}}. A place belongs to the first zone it meets, whatever "
        "the partitions not named say; one that meets none is in no zone and counted. Default: every combination.",
    )
    others: str | None = param(
        None, doc="Zone of the combinations that no zone asks for; a place in no zone of a partition stays in none."
    )

    def problems(self) -> Iterator[Problem]:
        names = [str(ref) for ref in self.of]
        if len(names) < 2 or len(set(names)) < len(names):
            yield "`of` names two or more different partitions", "of"
        if self.zones is None:
            if self.others is not None:
                yield "without `zones` every combination is a zone and none is left over", "others"
            return
        if not self.zones:
            yield "`zones` is empty", "zones"
        empty = next((zone for zone, asked in self.zones.items() if not asked or not all(asked.values())), None)
        if empty is not None:
            yield f"the zone `{empty}` asks for nothing", "zones"
        if self.others in self.zones:
            yield f"`{self.others}` is a zone already", "others"


@dataclass(frozen=True, eq=False)
class Cross:
    """The partition of places by the zones of several others.

    Attributes
    ----------
    labels : tuple of str
        The zones in the order they were given, then the one of all others if there is one.
    names : tuple of str
        Names of the partitions that are crossed.
    parts : tuple of Zones
        The partitions.
    table : numpy.ndarray of int16, shape (zones of the first + 1, zones of the second + 1, ...)
        Zone of each combination, -1 for none; the last position of each axis stands for no zone of that partition.

    Examples
    --------
    >>> import numpy as np
    >>> from soilql.zones.cut import Cut
    >>> warm = Cut(("T",), (10.0,), ("left",), ("cold", "warm"))
    >>> wet = Cut(("P",), (500.0,), ("left",), ("dry", "wet"))
    >>> both = Cross(("cold", "rain"), ("t", "p"), (warm, wet), np.array([[0, 0, 0], [-1, 1, -1], [-1, -1, -1]]))
    >>> both.codes({"T": np.array([5.0, 5.0, 20.0, 20.0]), "P": np.array([9.0, np.nan, 900.0, 9.0])})
    array([ 0,  0,  1, -1], dtype=int16)
    """

    labels: tuple[str, ...]
    names: tuple[str, ...]
    parts: tuple[Zones, ...]
    table: np.ndarray[Any, Any]

    @property
    def variables(self) -> tuple[str, ...]:
        """What the partitions look at."""
        return tuple(dict.fromkeys(name for part in self.parts for name in part.variables))

    def codes(self, columns: Mapping[str, Any]) -> Any:
        """Return the position in `labels` of each point, -1 for none; numpy or dask as given."""
        import numpy as np

        flat = self._combinations(columns)
        zones = self.table.ravel().astype(np.int16)
        if hasattr(flat, "map_blocks"):
            return flat.map_blocks(zones.take, dtype=np.int16)
        return zones[flat]

    def _combinations(self, columns: Mapping[str, Any]) -> Any:
        """Return the position of each point's combination in the flattened table."""
        import numpy as np

        flat: Any = 0
        for part, size in zip(self.parts, self.table.shape, strict=True):
            code = part.codes(columns)
            flat = flat * size + np.where(code < 0, size - 1, code).astype(np.int64)
        return flat

    def outside(self, columns: Mapping[str, Any]) -> dict[str, int]:
        """Return the combinations of the points outside every zone, with their number."""
        import numpy as np

        flat = np.asarray(self._combinations(columns))
        lost, counts = np.unique(flat[np.asarray(self.codes(columns)) < 0], return_counts=True)
        found = {}
        for position, count in zip(lost, counts, strict=True):
            codes = np.unravel_index(position, self.table.shape)
            words = [
                part.labels[code] if code < len(part.labels) else f"no zone of `{name}`"
                for part, name, code in zip(self.parts, self.names, codes, strict=True)
            ]
            found[_BETWEEN.join(words)] = int(count)
        return found

    def state(self) -> State:
        """Return what a model fitted by these zones stores of them."""
        import numpy as np

        arrays = {"table": np.asarray(self.table)}
        parts = []
        for i, part in enumerate(self.parts):
            state = part.state()
            parts.append(dict(state.meta))
            arrays |= packed(f"part{i}", state)
        meta = {"kind": "cross", "labels": list(self.labels), "names": list(self.names), "parts": parts}
        return State(meta, arrays)


def run(params: Params, ctx: Context) -> Cross:
    """Cross the partitions.

    Raises
    ------
    SoilqlError
        A zone asks for what no partition has (SQ661), no place can ever be in it (SQ662), or there are too many
        combinations (SQ663).
    """
    import numpy as np

    parts = tuple(ctx.zones(ref) for ref in params.of)
    axes = {str(ref): part.labels for ref, part in zip(params.of, parts, strict=True)}
    wrong = [d for d in _problems(params, ctx.block, axes, axes) if d.severity is Severity.ERROR]
    if wrong:
        raise SoilqlError(wrong)
    names, codes = _crossed(params, axes)
    shape = tuple(len(labels) + 1 for labels in axes.values())
    return Cross(names, tuple(axes), parts, np.array(codes, np.int16).reshape(shape))


def load(state: State, params: Params | None = None) -> Cross:
    """Return the partition whose `state` was stored."""
    meta, arrays = state.meta, state.arrays
    parts = tuple(load_zones(unpacked(f"part{i}", own, arrays)) for i, own in enumerate(meta["parts"]))
    return Cross(tuple(meta["labels"]), tuple(meta["names"]), parts, arrays["table"])


def needs(params: Params, scope: Scope) -> tuple[str, ...]:
    """Return the columns or grid variables that the partitions look at."""
    return tuple(dict.fromkeys(name for ref in params.of for name in needs_of(ref, scope)))


def labels(params: Params, scope: Scope) -> tuple[str, ...] | None:
    """Return the zones; None where those of a partition are not known without data."""
    if params.zones is not None:
        return _named(params)
    axes = [labels_of(ref, scope) for ref in params.of]
    return None if None in axes else tuple(map(_BETWEEN.join, itertools.product(*(axis or () for axis in axes))))


def check(block: Block, scope: Scope) -> Iterable[Diagnostic]:
    """Say which zones cannot be, as far as those of the partitions are known without data."""
    params: Params = block.params
    # In a recipe the keys of `zones` are the names of its own file.
    names = [str(ref) for ref in params.of]
    inside = {absolute(key, scope_of(block.name)): key for asked in (params.zones or {}).values() for key in asked}
    known = {inside.get(name, name): labels_of(ref, scope) for name, ref in zip(names, params.of, strict=True)}
    yield from _problems(params, block, known, {name: axis for name, axis in known.items() if axis is not None})


def describe(params: Params) -> str:
    partitions = " and ".join(map(str, params.of))
    return (
        f"all combinations of {partitions}" if params.zones is None else f"{len(_named(params))} zones of {partitions}"
    )


def _named(params: Params) -> tuple[str, ...]:
    return (*(params.zones or ()), *((params.others,) if params.others else ()))


def _crossed(params: Params, axes: Mapping[str, Sequence[str]]) -> tuple[tuple[str, ...], list[int]]:
    """Return the zones, and the zone of each combination; the last one of each axis is no zone of that partition."""
    sizes = [len(labels) for labels in axes.values()]
    if params.zones is None:
        names = tuple(map(_BETWEEN.join, itertools.product(*axes.values())))
        count = itertools.count()
        every = itertools.product(*(range(size + 1) for size in sizes))
        return names, [-1 if any(map(int.__eq__, codes, sizes)) else next(count) for codes in every]
    asked = [[_codes(zone.get(name), axis) for name, axis in axes.items()] for zone in params.zones.values()]
    found = []
    for codes in itertools.product(*(range(size + 1) for size in sizes)):
        meets = (
            k for k, zone in enumerate(asked) if all(o is None or c in o for o, c in zip(zone, codes, strict=True))
        )
        outside = any(map(int.__eq__, codes, sizes))
        found.append(next(meets, len(asked) if params.others and not outside else -1))
    return _named(params), found


def _codes(wanted: Sequence[str] | None, axis: Sequence[str]) -> set[int] | None:
    return None if wanted is None else {axis.index(label) for label in wanted if label in axis}


def _problems(
    params: Params, block: Block, names: Iterable[str], known: Mapping[str, Sequence[str]]
) -> Iterator[Diagnostic]:
    """Say what of the zones cannot be, or is left over; `known` has the zones of the partitions, as far as known."""
    axes = {name: tuple(axis) for name, axis in known.items()}
    whole = list(names) == list(axes)
    combinations = math.prod(len(axis) + 1 for axis in axes.values())
    if combinations > _MOST_COMBINATIONS:
        message = f"{combinations:,} combinations of zones, more than {_MOST_COMBINATIONS:,}"
        yield Diagnostic("SQ663", message, block.span("of"), help="cross fewer partitions, or coarser ones")
        return
    unknown = list(_unknown(params, block, list(names), axes))
    yield from unknown
    if unknown or not whole or params.zones is None:
        return
    codes = _crossed(params, axes)[1]
    for k, zone in enumerate(params.zones):
        if k not in codes:
            yield Diagnostic(
                "SQ662",
                f"no place can be in the zone `{zone}`: the zones before it take all that it asks for",
                block.span("zones", zone),
                help="put it before them, or leave it out",
            )
    yield from _left_over(params, block, axes, codes)


def _unknown(
    params: Params, block: Block, names: Sequence[str], axes: Mapping[str, tuple[str, ...]]
) -> Iterator[Diagnostic]:
    for zone, asked in (params.zones or {}).items():
        for name, wanted in asked.items():
            if name not in names:
                message = f"`{name}` is not among the partitions that are crossed"
                help = no_such_zone("`of`", name, tuple(names)).replace("`of` has", "they are")
                yield Diagnostic("SQ661", message, block.span("zones", zone, name), help=help)
                continue
            for i, label in enumerate(wanted):
                if name in axes and label not in axes[name]:
                    message = f"`{name}` has no zone `{label}`"
                    span = block.span("zones", zone, name, i)
                    yield Diagnostic("SQ661", message, span, help=no_such_zone(name, label, axes[name]))


def _left_over(
    params: Params, block: Block, axes: Mapping[str, tuple[str, ...]], codes: Sequence[int]
) -> Iterator[Diagnostic]:
    """Say which combinations are in no zone, by the zones of one partition where they are wholly left over."""
    every = list(itertools.product(*(range(len(axis) + 1) for axis in axes.values())))
    inside = [all(c < len(axis) for c, axis in zip(combination, axes.values(), strict=True)) for combination in every]
    lost = [combination for combination, code, real in zip(every, codes, inside, strict=True) if real and code < 0]
    if not lost or params.others:
        return
    words, rest = [], set(lost)
    for i, (name, axis) in enumerate(axes.items()):
        others = math.prod(len(other) for other in axes.values()) // len(axis)
        gone = [k for k in range(len(axis)) if sum(combination[i] == k for combination in lost) == others]
        words += [f"{_listed([axis[k] for k in gone])} of `{name}`"] if gone else []
        rest = {combination for combination in rest if combination[i] not in gone}
    shown = [_BETWEEN.join(axis[c] for c, axis in zip(one, axes.values(), strict=True)) for one in sorted(rest)]
    words += [_listed(shown)] if shown else []
    message = f"in no zone: {'; '.join(words)}"
    help = "a place there is counted and has no zone; `others` would give it one"
    yield Diagnostic("SQ664", message, block.key_span("zones"), help=help, severity=Severity.INFO)


def _listed(names: Sequence[str], most: int = 6) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
