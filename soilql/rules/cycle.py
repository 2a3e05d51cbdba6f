"""A block needs its own result.

The blocks form a graph that is computed from its beginning to its end; a block that needs itself, directly or through
others, has no beginning.

Bad::

    analyses:
      a: {kind: compute, expr: b * 2}
      b: {kind: compute, expr: a / 2}
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql.errors import Diagnostic
from soilql.spec import Spec

CODE = "SQ206"
TITLE = "circular reference"

_LONGEST = 20


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield one finding for each cycle, at the first block of it in the file."""
    seen: set[frozenset[str]] = set()
    for cycle in {id(cycle): cycle for cycle in spec.cyclic.values()}.values():  # all members of one share it
        members = frozenset(cycle)
        if members in seen:
            continue
        seen.add(members)
        first = min(members, key=lambda name: spec.blocks[name].name_span.start)
        start = cycle.index(first)
        way = (*cycle[start:-1], *cycle[:start], first)
        if len(way) > _LONGEST:
            way = (*way[: _LONGEST // 2], f"({len(way) - _LONGEST} more)", *way[-_LONGEST // 2 :])
        message = f"`{first}` needs its own result: {' -> '.join(way)}"
        yield Diagnostic(CODE, message, spec.blocks[first].name_span, help="break the circle in one of these blocks")
