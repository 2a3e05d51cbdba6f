"""Which layers of the files the variables of a grid are: as the registry names them, as the spec asks, or all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from soilql.errors import Diagnostic, Severity, SoilqlError, Span
from soilql.io.dates import compile_pattern, parse_date, parse_years
from soilql.io.grid_params import GridVariable, Quality, Times
from soilql.io.layers import Layer, find_layer
from soilql.io.mosaic import Pick
from soilql.io.quality import Field, masked
from soilql.io.series import Timing, put_together
from soilql.units import UnitError, convert_or_raise, parse_unit
from soilql.values import Note


@dataclass(frozen=True)
class Found:
    """What the files hold.

    Attributes
    ----------
    layers : list of Layer
        Put together in time and space.
    leaves : list of Layer
        Of single files.
    offered : list of Offer
        Those that the registry names and describes.
    notes : list of Note
    timing : Timing
        Of the files.
    """

    layers: list[Layer]
    leaves: list[Layer]
    offered: list[Offer]
    notes: list[Note]
    timing: Timing

    def layer(self, name: str, span: Span | None = None) -> Layer:
        """Return the layer that a spec means by a name; ``FILE:NAME`` also where the file is one of a series.

        Raises
        ------
        SoilqlError
            As :func:`find_layer`.
        """
        try:
            return find_layer(name, self.layers, span)
        except SoilqlError:
            of_file = [leaf for leaf in self.leaves if name == leaf.key]
            if len(of_file) != 1:
                raise
            return put_together(of_file, Timing(period=self.timing.period), span)[0]


@dataclass(frozen=True)
class Offer:
    """A layer as a variable, and the quality flags that judge it.

    Attributes
    ----------
    pick : Pick
    quality : tuple of (str, tuple of Field)
        Layer of flags, and the bit fields that have to keep a pixel.
    """

    pick: Pick
    quality: tuple[tuple[str, tuple[Field, ...]], ...] = ()

    def final(self, found: Found) -> Pick:
        """Return the variable with its flags tied to it.

        Raises
        ------
        SoilqlError
            SQ704 where the flags are not there, SQ708 where they lie on another grid.
        """
        layer, span = self.pick.layer, self.pick.span
        for name, fields in self.quality:
            try:
                flags = found.layer(name, span)
            except SoilqlError as error:
                first = error.diagnostics[0]
                message = f"{first.message}, by which `{self.pick.name}` is masked"
                help = "add the files of the flags; or read the values without them by `qc: []`"
                raise SoilqlError(Diagnostic(first.code, message, span, help=help, notes=(first.help,))) from None
            layer = masked(layer, flags, fields, span)
        return replace(self.pick, layer=layer)


def timing(times: Times | None, listed: Mapping[str, Any], period: tuple[str, str] | None) -> Timing:
    """Return what the spec says of the times of files, else the registry.

    Parameters
    ----------
    times : Times or None
    listed : mapping
        Settings of the reader in the registry.
    period : (str, str) or None
        First and last part of it.
    """
    cut = None if period is None else (parse_date(period[0])[0], parse_date(period[1])[1])
    if times is None:
        own = listed.get("time", {})
        patterns = tuple(compile_pattern(text) for text in own.get("pattern", ()))
        start = own.get("start")
        return Timing(
            patterns, True, _labels(own.get("values"), own.get("years")),
            None if start is None else parse_date(str(start))[0], own.get("step"), cut,
        )  # fmt: skip
    patterns = tuple(compile_pattern(text) for text in times.pattern or ())
    start_date = None if times.start is None else parse_date(times.start)[0]
    return Timing(patterns, False, _labels(times.values, times.years), start_date, times.step, cut)


def _labels(values: Sequence[Any] | None, years: str | None) -> Any:
    if years is not None:
        return np.array(parse_years(str(years)))
    if values is None:
        return None
    if all(len(str(value).strip()) == 4 for value in values):
        return np.array([int(value) for value in values])
    return np.array([parse_date(str(value))[0] for value in values], dtype="datetime64[ns]")


def codes(value: Any) -> tuple[float, ...]:
    """Return one code, several or none as a tuple."""
    if value is None:
        return ()
    return tuple(float(code) for code in (value if isinstance(value, Sequence) else (value,)))


def fields_of(qualities: Iterable[Quality]) -> tuple[tuple[str, tuple[Field, ...]], ...]:
    """Return quality flags as the layer of each and its bit fields."""
    return tuple((str(q.flag), tuple((*k.field, tuple(k.values)) for k in q.keep)) for q in qualities)


def offers(
    listed: Mapping[str, Any],
    found: Found,
    paths: frozenset[Path],
    shared: tuple[float, ...],
    lenient: bool,
    span: Span,
) -> Iterator[Offer]:
    """Yield the layers of some files under the names and with the units that the registry gives them.

    Parameters
    ----------
    listed : mapping
        Settings of the reader.
    found : Found
        Layers of all files.
    paths : frozenset of Path
        Those that the settings are for.
    shared : tuple of float
        Codes for missing values of all layers.
    lenient : bool
        Whether layers that are not there are passed over: of a product one may have some layers only.
    span : Span
        Where the spec names the data.
    """
    own = [layer for layer in found.layers if any(leaf.path in paths for leaf in layer.leaves)]
    missing = shared + codes(listed.get("nodata"))
    for name, item in listed.get("variables", {}).items():
        try:
            layer = find_layer(str(item.get("from", name)), own, span)
        except SoilqlError:
            if lenient:
                continue
            raise
        valid = item.get("valid")
        pick = Pick(
            str(name), layer, item.get("unit"), float(item.get("scale", 1.0)), float(item.get("offset", 0.0)),
            missing + codes(item.get("nodata")), item.get("type") == "category", span,
            None if valid is None else (float(valid[0]), float(valid[1])),
        )  # fmt: skip
        yield Offer(pick, tuple(_listed_quality(item.get("qc", ()))))


def _listed_quality(items: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, tuple[Field, ...]]]:
    for item in items:
        fields = tuple((keep["bits"][0], keep["bits"][-1], tuple(keep["values"])) for keep in item["keep"])
        yield str(item["flag"]), fields


def readable(unit: str | None) -> str | None:
    """Return a file's unit if it is one."""
    try:
        parse_unit(unit or "")
    except UnitError:
        return None
    return unit


def all_layers(found: Found, missing: tuple[float, ...], only_offered: bool = False) -> list[Offer]:
    """Return what the registry names, else every layer under its own name.

    Parameters
    ----------
    found : Found
    missing : tuple of float
        Codes for missing values of all layers.
    only_offered : bool
        Whether layers that the registry does not name, such as flags, are no variables.

    Raises
    ------
    SoilqlError
        SQ710 for two layers of one name.
    """
    result = list(found.offered)
    named = {leaf.path for offer in result for leaf in offer.pick.layer.leaves}
    for layer in () if only_offered else found.layers:
        if layer.path in named:
            continue
        unit = readable(layer.unit)
        if layer.unit is not None and unit is None:
            message = f"`{layer.name}` of `{layer.path.name}`: `{layer.unit}` is no unit and was left out"
            found.notes.append(Note("SQ301", message, Severity.INFO))
        result.append(Offer(Pick(layer.name, layer, unit, missing=missing)))
    for i, offer in enumerate(result):
        pick = offer.pick
        twin = next((other.pick for other in result[:i] if other.pick.name == pick.name), None)
        if twin is not None:
            message = f"`{pick.name}` is in `{twin.layer.path.name}` and in `{pick.layer.path.name}`"
            help = f"name them under `variables`, such as `a: {twin.layer.key}` and `b: {pick.layer.key}`"
            raise SoilqlError(Diagnostic("SQ710", message, help=help))
    return result


def wanted(
    name: str, variable: GridVariable, found: Found, missing: tuple[float, ...], spans: Mapping[str, Span]
) -> Offer:
    """Return the layer that the spec names, converted to the unit it wants.

    Parameters
    ----------
    name : str
        Of the new variable.
    variable : GridVariable
        What the spec says of it.
    found : Found
    missing : tuple of float
        Codes for missing values of all layers.
    spans : mapping of str to Span
        Places of ``from`` and ``unit`` in the spec.

    Raises
    ------
    SoilqlError
        SQ704 or SQ710 for a layer that is not there or in several files, SQ302 for units that do not convert.
    """
    source = str(variable.from_ or name)
    base = next((offer for offer in found.offered if offer.pick.name == source), None)
    if base is None:
        layer = found.layer(source, spans["from"])
        base = Offer(Pick(source, layer, readable(layer.unit), missing=missing, span=spans["from"]))
    pick = base.pick
    scale = pick.scale if variable.scale is None else variable.scale
    offset = pick.offset if variable.offset is None else variable.offset
    old = variable.from_unit or pick.unit
    if variable.unit is not None and old is not None:
        factor = _conversion(old, variable, spans["unit"])
        scale, offset = scale * factor[0], offset * factor[0] + factor[1]
    changed = replace(
        pick,
        name=name,
        unit=variable.unit or old,
        scale=scale,
        offset=offset,
        missing=pick.missing + codes(variable.nodata),
        categorical=pick.categorical if variable.categorical is None else variable.categorical,
        valid=pick.valid if variable.valid is None else (variable.valid[0], variable.valid[1]),
        span=spans["from"],
    )
    return Offer(changed, base.quality if variable.qc is None else fields_of(variable.qc))


def _conversion(old: str, variable: GridVariable, span: Span) -> tuple[float, float]:
    assert variable.unit is not None
    try:
        found = convert_or_raise(old, variable.unit, span)
    except SoilqlError as error:
        if variable.from_unit is not None:
            raise
        first = error.diagnostics[0]
        help = first.help or "if the file's unit is wrong, say the right one as `from_unit`"
        raise SoilqlError(Diagnostic(first.code, first.message, span, f"the data are in `{old}`", help)) from None
    return found.scale, found.offset
