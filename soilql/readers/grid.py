"""Gridded variables from GeoTIFF, NetCDF or Zarr, read lazily in blocks and brought to one order and notation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from soilql.context import Context
from soilql.errors import Diagnostic, Severity, SoilqlError, Span
from soilql.io import defaults
from soilql.io.scope import check_conversion, check_expression, check_name
from soilql.kinds import Block, Schema, Scope, Size, Variable
from soilql.params import ColumnName, DataSource, Expr, NewName, UnitText, param
from soilql.params import Params as Base
from soilql.units import UnitError, convert_or_raise, parse_unit
from soilql.values import Grid, Note, ValueType

if TYPE_CHECKING:
    from soilql.io.layers import Layer
    from soilql.io.mosaic import Pick

VERSION = 1
PRODUCES = ValueType.GRID
STORED = False


@dataclass(frozen=True)
class GridVariable(Base):
    """A variable of the grid, and which layer of the files it is."""

    SHORTHAND = "from"

    from_: ColumnName | None = param(
        None, doc="layer: its name, the number of its band, or `FILE:NAME` without suffix; default: the variable's name"
    )
    unit: UnitText | None = param(None, doc="unit of the variable; values are converted to it")
    from_unit: UnitText | None = param(
        None, doc="unit in the file; default: as the registry or the file says, else `unit`"
    )
    scale: float | None = param(None, doc="factor on the values of the file, after its own packing; default 1")
    offset: float | None = param(None, doc="added after `scale`, in the file's unit; default 0")
    nodata: list[float] | None = param(None, doc="stored values that mean no value, besides the file's own")
    categorical: bool | None = param(None, doc="whether the numbers stand for classes")


@dataclass(frozen=True)
class Derived(Base):
    """A variable computed from others, cell by cell."""

    SHORTHAND = "expr"

    expr: Expr = param(doc="expression over variables, `lat` and `lon`")
    unit: UnitText | None = param(None, doc="unit of the result")


@dataclass(frozen=True)
class Dims(Base):
    """What the axes of a NetCDF or Zarr are called."""

    lat: str | None = param(None, doc="dimension or variable of latitudes")
    lon: str | None = param(None, doc="dimension or variable of longitudes")
    time: str | None = param(None, doc="dimension of times")


@dataclass(frozen=True)
class Params(Base):
    """Parameters of `grid`."""

    source: list[DataSource] = param(
        doc="`registry:NAME`, or paths or globs; variables of all files are put side by side"
    )
    format: Literal["geotiff", "netcdf", "zarr", "ascii"] | None = param(None, doc="default: by the name of the file")
    variables: dict[NewName, GridVariable] = param(
        {}, doc="variables wanted; default: all, under the names of the layers"
    )
    dims: Dims | None = param(None, doc="names of the axes, where the file does not describe them")
    crs: str | None = param(None, doc="coordinate reference system of files that have none, such as EPSG:4326")
    bounds: list[float] | None = param(
        None, doc="[west, south, east, north] edges in degrees, of rasters that do not say where they lie"
    )
    nodata: list[float] | None = param(
        None, doc="stored values that mean no value in all variables, besides the files' own"
    )
    derive: dict[NewName, Derived] = param({}, doc="further variables computed from these, in order")

    def __post_init__(self) -> None:
        if self.bounds is None:
            return
        if len(self.bounds) != 4:
            raise ValueError("`bounds` are four numbers: west, south, east, north", "bounds")
        west, south, east, north = self.bounds
        if not (-90 <= south < north <= 90 and -180 <= west < east <= 360 and east - west <= 360):
            raise ValueError("`bounds` must be [west, south, east, north] in degrees", "bounds")


def key_extra(params: Params) -> Any:
    """Return the registry's settings and units, which decide the result."""
    return defaults.key_extra(params.source)


def describe(params: Params) -> str:
    """Return what will be read."""
    names = [*params.variables, *params.derive]
    return f"open {', '.join(params.source)}" + (f": {', '.join(names)}" if params.variables else "")


def _known(params: Params) -> Schema:
    """Return the variables before derived ones."""
    listed = defaults.known_columns(params.source, "grid")
    if not params.variables:
        return listed
    found = {}
    for name, variable in params.variables.items():
        source = listed.variables.get(variable.from_ or name, Variable("number"))
        unit = variable.unit or variable.from_unit or source.unit
        found[str(name)] = Variable("number", unit, source.description)
    return Schema(found)


def schema(block: Block, scope: Scope) -> Schema:
    """Return the variables, open where they are all those of a file that is not in the registry."""
    params: Params = block.params
    known = _known(params)
    derived = {str(name): Variable("number", d.unit) for name, d in params.derive.items()}
    return Schema({**known.variables, **derived}, known.open)


def check(block: Block, scope: Scope) -> Iterable[Diagnostic]:
    """Yield what is wrong with names, units and the data set's name."""
    params: Params = block.params
    yield from defaults.check_sources(block, params.source, "grid")
    listed = defaults.known_columns(params.source, "grid")
    what = f"not a variable of {' or '.join(f'`{source}`' for source in params.source)}"
    for name, variable in params.variables.items():
        wanted = variable.from_ or name
        span = block.span("variables", name, "from")
        yield from check_name(wanted, span, listed, what)
        old = variable.from_unit or listed.variables.get(wanted, Variable()).unit
        yield from check_conversion(old, variable.unit, block.span("variables", name, "unit"))
    known = _known(params)
    variables = {"lat": Variable("number"), "lon": Variable("number"), **known.variables}
    for name, derived in params.derive.items():
        absent = "neither a variable of the grid nor a derived one above"
        yield from check_expression(derived.expr, Schema(variables, known.open), absent)
        variables[str(name)] = Variable("number", derived.unit)


def run(params: Params, ctx: Context) -> Grid:
    """Open the files, pick and check their layers, and assemble them without reading data."""
    from soilql.io.mosaic import assemble, require_same_grid, with_derived

    layers, offered, notes = _open(params, ctx)
    picks = _wanted(params, ctx, layers, offered) if params.variables else _all(ctx, layers, offered, notes)
    require_same_grid([pick.layer for pick in picks], ctx.block.span("source"))
    budget = ctx.resources.memory // (8 * ctx.resources.workers)
    data = assemble(picks, budget, len(params.derive))
    data = with_derived(data, {str(name): (d.expr, d.unit) for name, d in params.derive.items()})
    return Grid(data, picks[0].layer.crs or "EPSG:4326", tuple(notes))


def _open(params: Params, ctx: Context) -> tuple[list[Layer], list[Pick], list[Note]]:
    """Return all layers, those among them that the registry names and describes, and notes."""
    from soilql.io.mosaic import open_grid
    from soilql.io.netcdf import Names

    layers: list[Layer] = []
    offered: list[Pick] = []
    notes: list[Note] = []
    for path in ctx.sources["source"]:
        found = defaults.settings(defaults.entry_of(path, params.source))
        span = defaults.place(ctx.block, path, params.source)
        listed = {**found.get("dims", {}), **found.get("coords", {})}
        own = params.dims or Dims()
        names = Names(own.lat or listed.get("lat"), own.lon or listed.get("lon"), own.time or listed.get("time"))
        crs, bounds = params.crs or found.get("crs"), params.bounds or found.get("bounds")
        opened = open_grid(path, params.format or found.get("format"), names, crs, bounds, span)
        layers += opened.layers
        offered += _offered(found, opened.layers, params, span)
        notes += [] if found.get("variables") or params.variables else opened.notes
    return layers, offered, notes


def _codes(value: Any) -> tuple[float, ...]:
    if value is None:
        return ()
    return tuple(float(code) for code in (value if isinstance(value, Sequence) else (value,)))


def _offered(found: Mapping[str, Any], layers: Sequence[Layer], params: Params, span: Span) -> Iterable[Pick]:
    """Return the layers under the names and with the units that the registry gives them."""
    from soilql.io.layers import find_layer
    from soilql.io.mosaic import Pick

    shared = _codes(found.get("nodata")) + _codes(params.nodata)
    for name, item in found.get("variables", {}).items():
        layer = find_layer(str(item.get("from", name)), layers, span)
        missing = shared + _codes(item.get("nodata"))
        scale, offset = float(item.get("scale", 1.0)), float(item.get("offset", 0.0))
        yield Pick(str(name), layer, item.get("unit"), scale, offset, missing, item.get("type") == "category", span)


def _all(ctx: Context, layers: Sequence[Layer], offered: Sequence[Pick], notes: list[Note]) -> list[Pick]:
    """Return what the registry names, else every layer under its own name."""
    from soilql.io.mosaic import Pick

    params: Params = ctx.block.params
    picks = list(offered)
    named = {pick.layer.path for pick in offered}
    for layer in layers:
        if layer.path in named:
            continue
        unit = _readable(layer.unit)
        if layer.unit is not None and unit is None:
            message = f"`{layer.name}` of `{layer.path.name}`: `{layer.unit}` is no unit and was left out"
            notes.append(Note("SQ301", message, Severity.INFO))
        picks.append(Pick(layer.name, layer, unit, missing=_codes(params.nodata)))
    for i, pick in enumerate(picks):
        twin = next((other for other in picks[:i] if other.name == pick.name), None)
        if twin is not None:
            message = f"`{pick.name}` is in `{twin.layer.path.name}` and in `{pick.layer.path.name}`"
            help = f"name them under `variables`, such as `a: {twin.layer.key}` and `b: {pick.layer.key}`"
            raise ctx.error("SQ710", message, "source", help=help)
    return picks


def _readable(unit: str | None) -> str | None:
    """Return a file's unit if it is one."""
    try:
        parse_unit(unit or "")
    except UnitError:
        return None
    return unit


def _wanted(params: Params, ctx: Context, layers: Sequence[Layer], offered: Sequence[Pick]) -> list[Pick]:
    """Return the layers that the spec names, converted to the units it wants."""
    from dataclasses import replace

    from soilql.io.layers import find_layer
    from soilql.io.mosaic import Pick

    by_name = {pick.name: pick for pick in offered}
    picks = []
    for name, variable in params.variables.items():
        wanted = str(variable.from_ or name)
        span = ctx.block.span("variables", name, "from")
        base = by_name.get(wanted)
        if base is None:
            layer = find_layer(wanted, layers, span)
            base = Pick(wanted, layer, _readable(layer.unit), missing=_codes(params.nodata))
        scale = base.scale if variable.scale is None else variable.scale
        offset = base.offset if variable.offset is None else variable.offset
        old = variable.from_unit or base.unit
        if variable.unit is not None and old is not None:
            factor = _conversion(old, variable, ctx.block.span("variables", name, "unit"))
            scale, offset = scale * factor[0], offset * factor[0] + factor[1]
        categorical = base.categorical if variable.categorical is None else variable.categorical
        missing = base.missing + _codes(variable.nodata)
        unit = variable.unit or old
        picks.append(
            replace(
                base, name=str(name), unit=unit, scale=scale, offset=offset, missing=missing, categorical=categorical
            )
        )
    return picks


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


def size(params: Params, ctx: Context, sizes: Mapping[str, Size]) -> Size:
    """Return the cells and variables, from the headers of the files."""
    grid = run(params, ctx)
    rows, columns = grid.shape
    layers = sum(data.size for data in grid.data.values()) // (rows * columns)
    return Size(cells=rows * columns, columns=layers)
