"""Where tiles lie: whether they are parts of one grid, and the rectangle round them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from soilql.errors import Diagnostic, SoilqlError, Span
from soilql.io.axes import Axis, find_lattice, same_axis
from soilql.io.layers import Array, Layer

Box: TypeAlias = "tuple[tuple[int, int], tuple[int, int]]"


def are_tiles(group: Sequence[Layer]) -> bool:
    """Return whether layers without time are parts of one map: on one lattice, each at a place of its own.

    Parameters
    ----------
    group : sequence of Layer
        Of single files.
    """
    found = _offsets(group)
    if found is None or any(layer.steps is not None for layer in group):
        return False
    sizes = [(layer.lat.centres.size, layer.lon.centres.size) for layer in group]
    boxes = list(zip(found[2], sizes, strict=True))
    return not any(meet(a, b) for i, a in enumerate(boxes) for b in boxes[:i])


def rectangle(group: Sequence[Layer], span: Span | None) -> tuple[Axis, Axis, list[tuple[int, int]]]:
    """Return the axes of the rectangle round layers, and the place of each in it.

    Parameters
    ----------
    group : sequence of Layer
        Of single files.
    span : Span, optional
        Where the spec names them.

    Returns
    -------
    lat, lon : Axis
    places : list of (int, int)
        Row and column of the north-western cell of each.

    Raises
    ------
    SoilqlError
        SQ708 where they have neither one grid nor one lattice.
    """
    first = group[0]
    if all(same_axis(first.lat.centres, x.lat.centres) and same_axis(first.lon.centres, x.lon.centres) for x in group):
        lat, lon = first.lat.centres, first.lon.centres
        return Axis(lat, False, 0, lat.size), Axis(lon, False, 0, lon.size), [(0, 0)] * len(group)
    found = _offsets(group)
    if found is not None:
        return found
    odd = next(layer for layer in group[1:] if _offsets((first, layer)) is None)
    sizes = [f"{layer.lat.centres.size} x {layer.lon.centres.size}" for layer in (first, odd)]
    message = f"`{first.path.name}` ({sizes[0]} cells) and `{odd.path.name}` ({sizes[1]}) are no parts of one grid"
    help = "files of one series have one grid; tiles have one resolution and one lattice"
    raise SoilqlError(Diagnostic("SQ708", message, span, help=help))


def _offsets(group: Sequence[Layer]) -> tuple[Axis, Axis, list[tuple[int, int]]] | None:
    lat = _union([layer.lat.centres[::-1] for layer in group], -90)
    lon = _union([layer.lon.centres for layer in group], -180)
    if lat is None or lon is None or len({layer.crs for layer in group}) > 1:
        return None
    rows = lat[0].size
    norths = [rows - at - layer.lat.centres.size for at, layer in zip(lat[1], group, strict=True)]
    axes = Axis(lat[0][::-1].copy(), False, 0, rows), Axis(lon[0], False, 0, lon[0].size)
    return *axes, list(zip(norths, lon[1], strict=True))


def _union(axes: Sequence[Array], origin: int) -> tuple[Array, list[int]] | None:
    """Return the axis round rising axes on one lattice, and where each begins; None where they are on none."""
    lattices = [find_lattice(axis, origin) for axis in axes]
    first = lattices[0]
    if first is None:
        return None
    starts = []
    for lattice in lattices:
        if lattice is None or lattice.step != first.step or (lattice.first - first.first) % 2:
            return None
        starts.append(lattice.first)
    low = min(starts)
    high = max(start + 2 * axis.size for start, axis in zip(starts, axes, strict=True))
    return first.centres(np.arange(low, high, 2)), [(start - low) // 2 for start in starts]


def meet(a: Box, b: Box) -> bool:
    """Return whether two boxes, each a place and a size, have cells in common.

    Examples
    --------
    >>> meet(((0, 0), (2, 2)), ((1, 1), (2, 2))), meet(((0, 0), (2, 2)), ((0, 2), (2, 2)))
    (True, False)
    """
    return all(at < other + length and other < at + size for at, size, other, length in zip(*a, *b, strict=True))
