"""References to trends: their names, and what lint can say of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from soilql.errors import Diagnostic
from soilql.kinds import Block, Scope
from soilql.params import GridRef, NewName, Problem, Ref


def named_refs(given: Sequence[GridRef] | Mapping[NewName, GridRef]) -> dict[str, GridRef]:
    """Return references by name: as given, else that of the block."""
    if isinstance(given, Mapping):
        return {str(name): ref for name, ref in given.items()}
    return {ref.block: ref for ref in given}


def named_twice(given: Sequence[Ref] | Mapping[NewName, Any], key: str) -> Iterator[Problem]:
    """Say which reference a list or mapping holds twice.

    Examples
    --------
    >>> list(named_twice([Ref("tc"), Ref("sv"), Ref("tc")], "land_cover"))
    [('`tc` is named twice: leave one out', 'land_cover')]
    """
    seen: set[str] = set()
    for ref in given.values() if isinstance(given, Mapping) else given:
        if ref in seen:
            yield f"`{ref}` is named twice: leave one out", key
        seen.add(ref)


def by_chance(row: Mapping[Any, Any]) -> str:
    """Write a share beside that under shuffled flags.

    Examples
    --------
    >>> by_chance({"share": 0.41, "null_mean": 0.22}), by_chance({"share": 0.41, "null_mean": float("nan")})
    ('41% (by chance 22%)', '41%')
    """
    chance = "" if row["null_mean"] != row["null_mean"] else f" (by chance {row['null_mean']:.0%})"
    return f"{row['share']:.0%}{chance}"


def check_trends(block: Block, scope: Scope, *keys: str) -> Iterator[Diagnostic]:
    """Say which references lead to a grid that has no trends in it."""
    for key in keys:
        given = getattr(block.params, key)
        places: list[tuple[GridRef, tuple[str | int, ...]]]
        if isinstance(given, GridRef):
            places = [(given, (key,))]
        elif isinstance(given, Mapping):
            places = [(ref, (key, str(name))) for name, ref in given.items()]
        else:
            places = [(ref, (key, i)) for i, ref in enumerate(given)]
        for ref, path in places:
            known = scope.schema(ref.block)
            if known is not None and not known.open and not {"class", "p", "slope"} <= set(known.variables):
                message = f"`{ref.block}` has no trends in it"
                help = f"name a block of kind `trend` with `of: {ref}`"
                yield Diagnostic("SQ204", message, block.span(*path), help=help)
            elif ref.variable is not None:
                message = f"`{ref}` is one map, and a trend is several"
                yield Diagnostic("SQ204", message, block.span(*path), help=f"write `{ref.block}`")
