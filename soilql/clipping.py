"""How often an equation for heterotrophic respiration had to be clipped to the total, counted beside the maps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from soilql.values import Note

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr

    from soilql.expr.ast import Call, Node

#: Values clipped and valid values, of each equation and variable of the result; lazy where the values are.
Counts: TypeAlias = "dict[tuple[str, str], Any]"


def counts(environments: Mapping[str, Mapping[str, Any]], roots: Mapping[str, Node]) -> Counts:
    """Count the values where an equation gave more than Rs, which cannot be, or less than nothing.

    Parameters
    ----------
    environments : mapping
        For each variable of the result, the values of the names in its expression.
    roots : mapping of str to Node
        The expression of each variable.
    """
    from soilql.expr.ast import Text
    from soilql.expr.evaluate import evaluate

    found: Counts = {}
    for target, root in roots.items():
        for call in _rh_calls(root):
            rs, equation = evaluate(call.arguments[0], environments[target]), call.arguments[1]
            assert isinstance(equation, Text)
            both = _clipped_and_valid(rs, equation.value)
            found[equation.value, target] = found.get((equation.value, target), 0) + both
    return found


def _clipped_and_valid(rs: Any, equation: str) -> Any:
    """Return both numbers, shape (2,), of numpy or dask values; most cells of a map have no value and cost nothing."""
    import dask.array
    import numpy as np

    from soilql.stats.heterotrophic import clipped_mask

    def of_block(block: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        values = np.asarray(block, float)
        values = values[np.isfinite(values)]
        counts = np.array([np.count_nonzero(clipped_mask(values, equation)), values.size], np.int64)
        return counts.reshape(2, *(1,) * np.ndim(block))

    if not hasattr(rs, "__dask_graph__"):
        return of_block(rs).ravel()
    da: Any = dask.array
    chunks = ((2,), *((1,) * size for size in rs.numblocks))
    counts = da.map_blocks(of_block, rs, new_axis=0, chunks=chunks, dtype=np.int64, meta=np.empty((0,) * len(chunks)))
    return counts.sum(axis=tuple(range(1, counts.ndim)))


def counted(data: xr.Dataset, lazy: Counts, memory: int) -> tuple[xr.Dataset, Counts]:
    """Return maps and counts, the counts computed; the maps too, in the same pass, where they fit into memory.

    Parameters
    ----------
    data : xarray.Dataset
        The maps, lazy.
    lazy : Counts
        What was counted in them.
    memory : int
        Budget in bytes; the maps are kept where they take no more than a third of it.
    """
    import dask

    if not lazy:
        return data, lazy
    maps = {str(name): one.data for name, one in data.items()} if data.nbytes <= memory // 3 else {}
    persist: Callable[..., Any] = dask.base.persist
    kept, small = persist((maps, lazy))[0]
    compute: Callable[..., Any] = dask.base.compute
    return data.assign({name: data[name].copy(data=one) for name, one in kept.items()}), compute(small)[0]


def clipped_notes(found: Counts) -> Iterator[Note]:
    """Say for each equation in which variables values were clipped."""
    equations = dict.fromkeys(equation for equation, _ in found)
    for equation, target in ((e, t) for e in equations for f, t in found if e == f):
        clipped, valid = map(int, found[equation, target])
        if clipped:
            words = f"`{target}`: {equation} clipped to Rs in {clipped:,} of {valid:,} cells ({clipped / valid:.2%})"
            yield Note("SQ808", words)


def _rh_calls(root: Node) -> list[Call]:
    from soilql.expr.ast import Call, walk

    return [node for node in walk(root) if isinstance(node, Call) and node.function == "rh_from_rs"]
