"""Gridded variables from GeoTIFF, NetCDF, Zarr or tables of cells, lazily in blocks and in one order and notation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from soilql.context import Context
from soilql.errors import Diagnostic, SoilqlError, Span, did_you_mean
from soilql.io import defaults
from soilql.io.dates import compile_pattern, match_name
from soilql.io.grid_params import Cells, Derived, Dims, GridVariable, Reproject, Times, bounds_problems, parse_period
from soilql.io.scope import check_conversion, check_expression, check_name
from soilql.kinds import Block, Schema, Scope, Size, Variable
from soilql.params import DataSource, Filter, NewName, Problem, param
from soilql.params import Params as Base
from soilql.values import Grid, Note, ValueType

if TYPE_CHECKING:
    from soilql.io.layers import Layer, Opened
    from soilql.io.picks import Found
    from soilql.io.series import Timing

VERSION = 3
PRODUCES = ValueType.GRID
STORED = False


@dataclass(frozen=True)
class Params(Base):
    """Parameters of `grid`."""

    source: list[DataSource] = param(
        doc="`registry:NAME`, or paths or globs; layers of one name are put together in time and space"
    )
    product: DataSource | None = param(
        None,
        doc="`registry:NAME` of a product that the files are of: names, scales, codes, flags and dates of its guide",
    )
    format: Literal["geotiff", "netcdf", "zarr", "ascii", "table", "numbers"] | None = param(
        None, doc="default: by the name of the file; `table` of cells, `numbers` without any header"
    )
    variables: dict[NewName, GridVariable] = param(
        {}, doc="variables wanted; default: all, under the names of the layers"
    )
    dims: Dims | None = param(None, doc="names of the axes, where the file does not describe them")
    time: Times | None = param(None, doc="which times the files and their steps belong to; default: as the files say")
    bands: Literal["variables", "time"] | None = param(
        None, doc="whether the bands of a raster are variables or the steps of one; default variables"
    )
    period: list[str] | None = param(None, doc="first and last year or date to read, such as [2000, 2014]")
    reproject: Reproject | None = param(None, doc="how rasters in a projection are brought to longitude and latitude")
    table: Cells | None = param(None, doc="where a table of cells has their places, times and values")
    shape: list[int] | None = param(None, doc="[rows, columns] of `format: numbers`, from north to south", ge=1)
    crs: str | None = param(None, doc="coordinate reference system of files that have none, such as EPSG:4326")
    bounds: list[float] | None = param(
        None, doc="[west, south, east, north] edges in degrees, of rasters that do not say where they lie"
    )
    nodata: list[float] | None = param(
        None, doc="stored values that mean no value in all variables, besides the files' own"
    )
    derive: dict[NewName, Derived] = param({}, doc="further variables computed from these, in order")
    where: Filter | None = param(
        None, doc="condition that cells must meet; the others are missing in all variables, derived ones included"
    )

    def problems(self) -> Iterator[Problem]:
        if self.bounds is not None:
            yield from bounds_problems(self.bounds, east=360)
        if self.period is not None:
            try:
                parse_period(self.period)
            except ValueError as error:
                yield str(error.args[0]), "period"
        if self.product is not None and self.product.registry is None:
            yield "`product` is a name of the registry, such as registry:mod11a2", "product"
        if self.format == "table" and self.table is None and self.product is None and not _registered(self.source):
            yield "`format: table` needs `table`, such as {lat: Latitude, lon: Longitude, resolution: 0.5}", "format"
        if self.table is not None and self.format not in (None, "table"):
            yield "`table` goes with `format: table`", "table"
        if self.shape is not None and len(self.shape) != 2:
            yield "`shape` is the number of rows and of columns, such as [360, 720]", "shape"
        if self.format == "numbers" and not _registered(self.source) and (self.shape is None or self.bounds is None):
            yield "`format: numbers` needs `shape: [rows, columns]` and `bounds`", "format"


def _registered(sources: list[DataSource]) -> bool:
    return any(source.registry is not None for source in sources)


def _data_sets(params: Params) -> list[DataSource]:
    """Return what the block names of the registry and of files."""
    return [*params.source, *([] if params.product is None else [params.product])]


def key_extra(params: Params) -> Any:
    """Return the registry's settings and units, which decide the result."""
    return defaults.key_extra(_data_sets(params))


def key_names(params: Params, files: Mapping[str, tuple[Path, ...]]) -> Any:
    """Return the layers and dates that the names of the files tell, which decide the result."""
    found = []
    for path in files.get("source", ()):
        told = match_name(path, _patterns(params, path))
        if told is not None:
            found.append([told.name, str(told.start)])
    return found or None


def _patterns(params: Params, path: Path) -> list[Any]:
    texts = params.time.pattern if params.time is not None else _settings(params, path).get("time", {}).get("pattern")
    return [compile_pattern(text) for text in texts or ()]


def _settings(params: Params, path: Path) -> Mapping[str, Any]:
    """Return the registry's settings of the reader for a file."""
    if params.product is not None:
        return defaults.settings(defaults.entry_of(path, [params.product]))
    return defaults.settings(defaults.entry_of(path, params.source))


def describe(params: Params) -> str:
    """Return what will be read."""
    names = [*params.variables, *params.derive]
    product = "" if params.product is None else f" as {params.product.registry}"
    return f"open {', '.join(params.source)}{product}" + (f": {', '.join(names)}" if params.variables else "")


def _listed(params: Params) -> Schema:
    """Return the variables that the registry lists; open where the files may have more."""
    if params.product is None:
        return defaults.known_columns(params.source, "grid")
    return defaults.known_columns([params.product], "grid")


def _known(params: Params) -> Schema:
    """Return the variables before derived ones."""
    listed = _listed(params)
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
    if params.product is not None:
        yield from defaults.check_product(block, params.product, "grid")
    listed = _listed(params)
    named = params.source if params.product is None else [params.product]
    what = f"not a variable of {' or '.join(f'`{source}`' for source in named)}"
    for name, variable in params.variables.items():
        wanted = variable.from_ or name
        span = block.span("variables", name, "from")
        if params.product is None or _looks_misspelt(params.product, wanted):
            yield from check_name(wanted, span, listed, what)
        old = variable.from_unit or listed.variables.get(wanted, Variable()).unit
        yield from check_conversion(old, variable.unit, block.span("variables", name, "unit"))
    known = _known(params)
    variables = {"lat": Variable("number"), "lon": Variable("number"), **known.variables}
    absent = "neither a variable of the grid nor a derived one above"
    for name, derived in params.derive.items():
        yield from check_expression(derived.expr, Schema(variables, known.open), absent)
        variables[str(name)] = Variable("number", derived.unit)
    if params.where is not None:
        absent = "neither a variable of the grid nor a derived one"
        yield from check_expression(params.where, Schema(variables, known.open), absent, "boolean")


def _looks_misspelt(product: DataSource, name: str) -> bool:
    """Return whether a name is close to one of a product; other names may be of layers that the registry leaves out."""
    layers = defaults.layer_names(product)
    return name not in layers and not name.isdigit() and bool(did_you_mean(name, layers))


def check_files(params: Params, ctx: Context) -> Iterable[Diagnostic]:
    """Yield every variable whose layer is not in the files."""
    found = _open(params, ctx)
    known = {offer.pick.name for offer in found.offered}
    for name, variable in params.variables.items():
        wanted = str(variable.from_ or name)
        try:
            _ = wanted in known or found.layer(wanted, ctx.block.span("variables", name, "from"))
        except SoilqlError as error:
            yield from error.diagnostics


def file_units(params: Params, ctx: Context) -> dict[str, str]:
    """Return the unit that the registry, or the file, gives to the layer behind each variable."""
    from soilql.io.picks import readable

    found = _open(params, ctx)
    by_name = {offer.pick.name: offer.pick.unit for offer in found.offered}
    units = {}
    for name, variable in params.variables.items():
        wanted = str(variable.from_ or name)
        unit = by_name[wanted] if wanted in by_name else readable(found.layer(wanted).unit)
        if unit is not None:
            units[str(name)] = unit
    return units


def run(params: Params, ctx: Context) -> Grid:
    """Open the files, pick and check their layers, and assemble them without reading data."""
    from soilql.io import mosaic, picks

    found = _open(params, ctx)
    shared = picks.codes(params.nodata)
    if params.variables:
        chosen = [
            picks.wanted(str(name), variable, found, shared, _spans(ctx.block, name))
            for name, variable in params.variables.items()
        ]
    else:
        try:
            chosen = picks.all_layers(found, shared, params.product is not None)
        except SoilqlError as error:
            raise SoilqlError(_at(d, ctx.block.span("source")) for d in error.diagnostics) from None
    final = [offer.final(found) for offer in chosen]
    mosaic.require_same_grid([pick.layer for pick in final], ctx.block.span("source"))
    budget = ctx.resources.memory // (8 * ctx.resources.workers)
    data = mosaic.assemble(final, budget, len(params.derive))
    data = mosaic.with_derived(data, {str(name): (d.expr, d.unit) for name, d in params.derive.items()})
    if params.where is not None:
        data = mosaic.where(data, params.where)
    # All variables with times have the same ones.
    said = next((pick.layer.notes for pick in final if pick.layer.notes), ())
    return Grid(data, final[0].layer.crs or "EPSG:4326", (*found.notes, *said))


def _spans(block: Block, name: str) -> dict[str, Span]:
    return {key: block.span("variables", name, key) for key in ("from", "unit")}


def _at(found: Diagnostic, span: Span) -> Diagnostic:
    return Diagnostic(found.code, found.message, found.span or span, found.label, found.help, notes=found.notes)


def _open(params: Params, ctx: Context) -> Found:
    """Return all layers put together, those among them that the registry names and describes, and notes."""
    from soilql.io import picks, series

    period = None if params.period is None else parse_period(params.period)
    settings: list[tuple[Mapping[str, Any], set[Path]]] = []
    leaves: list[Layer] = []
    notes: list[Note] = []
    for path in ctx.sources["source"]:
        listed = _settings(params, path)
        span = defaults.place(ctx.block, path, params.source)
        timing = picks.timing(params.time, listed, period)
        opened = _open_one(params, path, listed, timing, span)
        leaves += series.dated(opened.layers, timing, span if params.time is None else ctx.block.span("time"))
        notes += [] if listed.get("variables") or params.variables else opened.notes
        known = next((paths for other, paths in settings if other is listed), None)
        if known is None:
            settings.append((listed, known := set()))
        known.add(path)
    timing = picks.timing(params.time, settings[0][0] if len(settings) == 1 else {}, period)
    place, within = ("source" if ctx.block.node.get(key) is None else key for key in ("time", "period"))
    layers = series.put_together(leaves, timing, ctx.block.span(place), ctx.block.span(within))
    found = picks.Found(layers, leaves, [], notes, timing)
    shared, span = picks.codes(params.nodata), ctx.block.span("source")
    for listed, paths in settings:
        found.offered.extend(picks.offers(listed, found, frozenset(paths), shared, params.product is not None, span))
    if params.product is not None and not found.offered:
        names = ", ".join(f"`{layer.name}`" for layer in layers[:6])
        message = f"the files have no layer of `{params.product}`"
        raise ctx.error("SQ704", message, "product", help=f"they have {names}; `time: {{pattern: ...}}` may tell names")
    return found


def _open_one(params: Params, path: Path, listed: Mapping[str, Any], timing: Timing, span: Span) -> Opened:
    from soilql.io.cells import open_cells, open_numbers
    from soilql.io.geotiff import Target
    from soilql.io.mosaic import Opening, open_grid
    from soilql.io.netcdf import Names

    chosen = params.format or ("table" if params.table is not None else listed.get("format"))
    bounds = params.bounds or listed.get("bounds")
    if chosen == "table":
        return open_cells(path, params.table or defaults.cells(listed), timing, bounds, span)
    if chosen == "numbers":
        return open_numbers(path, params.shape or listed["shape"], bounds or (-180, -90, 180, 90), span)
    axes = {**listed.get("dims", {}), **listed.get("coords", {})}
    own = params.dims or Dims()
    names = Names(own.lat or axes.get("lat"), own.lon or axes.get("lon"), own.time or axes.get("time"))
    target = None if params.reproject is None else Target(params.reproject.resolution, params.reproject.method)
    bands = params.bands or listed.get("bands")
    crs = params.crs or listed.get("crs")
    return open_grid(path, Opening(chosen, names, crs, bounds, target, bands == "time"), span)


def size(params: Params, ctx: Context, sizes: Mapping[str, Size]) -> Size | None:
    """Return the cells and variables, from the headers of the files; None for texts, which have none that tells."""
    formats = {params.format or _settings(params, path).get("format") for path in ctx.sources.get("source", ())}
    if params.table is not None or formats & {"table", "numbers"}:
        return None
    grid = run(params, ctx)
    rows, columns = grid.shape
    layers = sum(data.size for data in grid.data.values()) // (rows * columns)
    return Size(cells=rows * columns, columns=layers)
