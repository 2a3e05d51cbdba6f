"""What steps over regions ask for alike: zones, bands of latitude, the grid the zones look at, a land fraction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from soilql.context import Context
from soilql.errors import Diagnostic, did_you_mean
from soilql.fits.zoning import needs_of
from soilql.gridding import difference
from soilql.kinds import Block, Scope
from soilql.params import GridRef, Problem, Ref
from soilql.regional.regions import Regions
from soilql.regional.sums import Cells
from soilql.values import PLACES, Grid

if TYPE_CHECKING:
    import xarray as xr


#: Documentation of the parameters that steps over regions have alike.
BY = "Partition whose zones get a row each."
ON = "Grid with the variables that the zones look at. Default: the grid of the values."
BANDS = (
    "Bands of latitude: their limits from south to north (degrees), or their width. A cell belongs to the band of its "
    "centre."
)
LAND_FRACTION = "Share of each cell that is land, 0 to 1 or in %. `none` counts cells with a value in full."
#: Usual widths of bands, which are proposed for others.
_WIDTHS = (0.5, 1, 2, 2.5, 3, 5, 6, 7.5, 9, 10, 12, 15, 18, 20, 22.5, 30, 36, 45, 60, 90, 180)


@dataclass(frozen=True, eq=False)
class RegionMaker:
    """The regions of a step and its land fraction, and the cells of any grid in them.

    Attributes
    ----------
    ctx : Context
        Of the step, whose parameters have ``by``, ``on``, ``bands`` and ``land_fraction``.
    regions : Regions
        What is added up over.
    fraction : (Grid, xarray.DataArray) or None
        The land fraction, 0 to 1.
    """

    ctx: Context
    regions: Regions
    fraction: tuple[Grid, xr.DataArray] | None

    @classmethod
    def of(cls, ctx: Context) -> RegionMaker:
        """Read the parameters of a step.

        Raises
        ------
        SoilqlError
            The land fraction is not one map (SQ714).
        """
        params = ctx.block.params
        regions = Regions.of(None if params.by is None else ctx.zones(params.by), _limits(params.bands))
        named = params.land_fraction
        return cls(ctx, regions, None if named == "none" else one_map(ctx, GridRef(named), "land_fraction"))

    def cells(self, grid: Grid, times: Sequence[Any], name: str, ref: Ref | None = None) -> Cells:
        """Return the cells of a grid whose values have some times.

        Parameters
        ----------
        grid : Grid
            Whose cells they are, and what the zones look at unless the step names another grid under `on`.
        times : sequence
            Labels of the times of the values, or one None.
        name : str
            What the values are called, for diagnostics.
        ref : Ref, optional
            The block that they are of, where its other variables are looked at too.

        Raises
        ------
        SoilqlError
            The zones look at a variable that is not there (SQ704) or lacks one of the times (SQ708), or grids do not
            match (SQ708).
        """
        zones = self.regions.zones
        maps = {} if zones is None else self._zone_maps(grid, times, name, zones.variables, ref)
        if self.fraction is not None:
            same_cells(self.ctx, grid, self.fraction[0], "land_fraction")
        return Cells(grid, self.regions, maps, None if self.fraction is None else self.fraction[1])

    def _zone_maps(
        self, grid: Grid, times: Sequence[Any], name: str, wanted: Sequence[str], ref: Ref | None
    ) -> dict[str, xr.DataArray]:
        """Return what the zones look at: one map for all times, or one for each."""
        ctx, params = self.ctx, self.ctx.block.params
        ref = params.on or ref
        # A reference that picks a variable of a block does not hide the others from the zones.
        source = grid if ref is None else ctx.grid(Ref(ref.block))
        looked_at = [one for one in wanted if one not in PLACES]  # of these, every cell knows its own
        for one in looked_at:
            if one not in source.data:
                guess = did_you_mean(one, map(str, source.data.data_vars))
                what = "the grid of the values" if params.on is None else f"`{params.on}`"
                message = f"the zones `{params.by}` look at `{one}`, which {what} lacks"
                raise ctx.error("SQ704", message, "by", help=guess or "name the grid that has it under `on`")
            if "member" in source.data[one].dims:
                raise ctx.error("SQ714", f"the zones `{params.by}` look at `{one}`, which has members", "by")
        same_cells(ctx, grid, source, "on")
        return {one: self._at_times(source.data[one], times, name) for one in looked_at}

    def _at_times(self, data: xr.DataArray, times: Sequence[Any], name: str) -> xr.DataArray:
        if "time" not in data.dims:
            return data
        by = self.ctx.block.params.by
        if tuple(times) == (None,):
            help = "give the values their years, or cut the zones' map to one year"
            message = f"the zones `{by}` change in time by `{data.name}`, and `{name}` is one map"
            raise self.ctx.error("SQ714", message, "by", help=help)
        have, kind = data["time"].to_numpy().tolist(), data["time"].dtype.type
        lacking = [time for time in times if kind(time).item() not in have]
        if lacking:
            help = "a block of kind `stack` with `fill` repeats the map of the nearest year"
            message = f"`{data.name}`, at which the zones `{by}` look, has no map of {listed(lacking)}"
            raise self.ctx.error("SQ708", message, "by", help=help)
        return data.sel(time=list(times))


def listed(times: Sequence[Any]) -> str:
    """Return the first of some times in words."""
    shown = ", ".join(str(time)[:10] for time in times[:5])
    return shown + (f" and {len(times) - 5} more times" if len(times) > 5 else "")


def one_map(ctx: Context, ref: Ref, key: str) -> tuple[Grid, xr.DataArray]:
    """Return the one map that a reference names, percent as a share.

    Raises
    ------
    SoilqlError
        It names several variables, or one with times or members (SQ714).
    """
    grid = ctx.grid(ref)
    names = list(map(str, grid.data.data_vars))
    if len(names) != 1 or grid.data[names[0]].ndim != 2:
        help = f"pick one of {', '.join(f'`{ref.block}.{name}`' for name in names)}"
        raise ctx.error("SQ714", f"`{ref}` is not one map", key, help=help)
    data = grid.data[names[0]]
    return grid, data / 100 if data.attrs.get("units") == "%" else data


def cells_differ(grid: Grid, other: Grid) -> str | None:
    """Return in words how the cells of two grids differ, or None."""
    return difference(grid.data[["lat", "lon"]], other.data[["lat", "lon"]])


def same_cells(ctx: Context, grid: Grid, other: Grid, *path: str | int) -> None:
    """Make sure that the grid that a parameter names has the cells of another (SQ708)."""
    if (found := cells_differ(grid, other)) is not None:
        help = "bring one to the grid of the other by a block of kind `resample`"
        raise ctx.error("SQ708", f"the grids of `of` and `{path[0]}` do not match: {found}", *path, help=help)


def check_zone_variables(block: Block, scope: Scope, refs: Sequence[Ref]) -> Iterator[Diagnostic]:
    """Say which variables of the zones the grids lack, where both are known without data.

    Parameters
    ----------
    block : Block
        Of the step.
    scope : Scope
        The other blocks.
    refs : sequence of Ref
        The grids of the values, which the zones look at unless the step names another under `on`.
    """
    params = block.params
    if params.land_fraction != "none":
        yield from check_single(block, scope, GridRef(params.land_fraction), "land_fraction", likely=())
    for ref in () if params.by is None else [params.on] if params.on is not None else refs:
        known = scope.schema(ref.block)
        if known is None or known.open:
            continue
        for name in needs_of(params.by, scope):
            if name not in known.variables and name not in PLACES:
                message = f"the zones `{params.by}` look at `{name}`, which `{ref.block}` does not have"
                help = did_you_mean(name, known.variables) or "name the grid that has it under `on`"
                yield Diagnostic("SQ704", message, block.span("on" if params.on is not None else "by"), help=help)


def check_single(
    block: Block, scope: Scope, ref: Ref, *path: str | int, likely: Sequence[str] = ("mean",)
) -> Iterator[Diagnostic]:
    """Say that a reference names several variables where one is needed, as far as is known without data.

    Parameters
    ----------
    block : Block
        Of the step.
    scope : Scope
        The other blocks.
    ref : Ref
        What it names.
    *path : str or int
        Parameter that names it.
    likely : sequence of str
        Variables that are meant where they are there and none is picked.
    """
    known = None if ref.variable is not None else scope.schema(ref.block)
    if known is None or len(known.variables) < 2 or any(name in known.variables for name in likely):
        return
    if known.open and likely:
        return
    help = f"pick one of {', '.join(f'`{ref.block}.{name}`' for name in known.variables)}"
    yield Diagnostic("SQ714", f"`{ref}` has several variables", block.span(*path), help=help)


def bands_problems(bands: float | list[float] | None) -> Iterator[Problem]:
    """Say why bands of latitude, or their width, make no sense.

    Examples
    --------
    >>> list(bands_problems(50.0))
    [('bands 50 degrees wide do not fill 180 degrees: take 45 or 60', 'bands')]
    >>> list(bands_problems(30.0)), list(bands_problems([-60.0, 0.0, 60.0]))
    ([], [])
    """
    if isinstance(bands, list):
        if len(bands) < 2 or any(b <= a for a, b in pairwise(bands)) or bands[0] < -90 or bands[-1] > 90:
            message = "`bands` must be two or more latitudes from south to north: [-90, -23.5, 23.5, 66.5, 90]"
            yield message, "bands"
    elif bands is not None and bands <= 0:
        yield f"bands have a width above 0, not {bands:g}", "bands"
    elif bands is not None and not _fills(bands):
        near = [max((w for w in _WIDTHS if w < bands), default=0), min((w for w in _WIDTHS if w > bands), default=0)]
        fitting = " or ".join(f"{width:g}" for width in near if width)
        yield f"bands {bands:g} degrees wide do not fill 180 degrees: take {fitting}", "bands"


def _fills(width: float) -> bool:
    count = 180 / width
    return count > 1 - 1e-9 and abs(count - round(count)) <= 1e-9


def _limits(bands: float | list[float] | None) -> list[float]:
    """Return the limits of bands that make sense."""
    if bands is None or isinstance(bands, list):
        return bands or []
    return [-90 + bands * i for i in range(round(180 / bands))] + [90.0]
