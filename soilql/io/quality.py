"""Quality flags tied to the layers whose values they judge, file by file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from soilql.errors import Diagnostic, SoilqlError, Span
from soilql.io.axes import same_axis
from soilql.io.layers import Flag, Layer
from soilql.io.times import label_text

Field = tuple[int, int, tuple[int, ...]]


def masked(layer: Layer, flags: Layer, fields: Sequence[Field], span: Span | None = None) -> Layer:
    """Return a layer of whose values only those count that quality flags keep.

    Parameters
    ----------
    layer : Layer
        Of one file or of several.
    flags : Layer
        Flags of the same places and times; those of a single file without time hold at all times.
    fields : sequence of (int, int, tuple of int)
        First bit, last bit and the values that keep a pixel; all fields have to.
    span : Span, optional
        Where the spec asks for it.

    Raises
    ------
    SoilqlError
        SQ704 where a time or a tile has no flags, SQ708 where flags lie on another grid.
    """
    leaves = [part.layer for part in flags.parts] if flags.parts else [flags]
    by_place = {_place(leaf): leaf for leaf in leaves}
    if not layer.parts:
        return _flagged(layer, _counterpart(layer, flags, by_place, span), fields, span)
    parts = tuple(
        replace(part, layer=_flagged(part.layer, _counterpart(part.layer, flags, by_place, span), fields, span))
        for part in layer.parts
    )
    return replace(layer, parts=parts)


def _flagged(layer: Layer, flags: Layer, fields: Sequence[Field], span: Span | None) -> Layer:
    sources = (layer.warp.place if layer.warp else None, flags.warp.place if flags.warp else None)
    same = same_axis(layer.lat.centres, flags.lat.centres) and same_axis(layer.lon.centres, flags.lon.centres)
    if sources[0] != sources[1] or not same:
        message = f"`{flags.name}` of `{flags.path.name}` is on another grid than `{layer.name}` of `{layer.path.name}`"
        raise _error("SQ708", message, span, "flags have a value for each cell that they judge")
    return replace(layer, flags=(*layer.flags, *(Flag(flags, *field) for field in fields)))


def _counterpart(layer: Layer, flags: Layer, by_place: Mapping[tuple[Any, ...], Layer], span: Span | None) -> Layer:
    """Return the layer of one file that holds the flags for the layer of one file."""
    found = by_place.get(_place(layer))
    if found is not None:
        return found
    if not flags.parts and flags.steps is None and flags.label is None:
        return flags
    labels = np.atleast_1d(np.asarray(layer.label)) if layer.steps is None else layer.steps
    when = f" for {label_text(labels[0])}" if labels.size and labels[0] is not None else ""
    message = f"`{flags.name}` has no file{when} beside `{layer.path.name}`, whose `{layer.name}` it judges"
    raise _error("SQ704", message, span, "add the file; or read the values without flags by `qc: []`")


def _place(layer: Layer) -> tuple[Any, ...]:
    steps = () if layer.steps is None else tuple(str(label) for label in layer.steps)
    source = layer.warp.place if layer.warp else None
    corner = (float(layer.lat.centres[0]), float(layer.lon.centres[0])) if source is None else source
    return corner, str(layer.label), steps


def _error(code: str, message: str, span: Span | None, help: str) -> SoilqlError:
    return SoilqlError(Diagnostic(code, message, span, help=help))
