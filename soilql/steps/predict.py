"""A fitted model applied to every cell of a grid: mean, quantiles, standard deviation, Monte Carlo members.

In R: `predict`, of terra.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from soilql import params as p
from soilql.context import Context
from soilql.errors import Diagnostic, did_you_mean
from soilql.fits.zoning import needs_of
from soilql.kinds import Block, Schema, Scope, Size, Variable
from soilql.params import ColumnName, GridRef, ModelRef, Problem, ZonesRef, param
from soilql.prediction import ONE_CODE, Request, predict
from soilql.values import PLACES, Grid, ValueType, quantile_name

VERSION = 3
PRODUCES = ValueType.GRID
#: Variables are called `mean`, `q05`, ... and not after the block or the model.
SHOWS_NAMES = ()


@dataclass(frozen=True)
class Params(p.Params):
    """Which model, on which grid, and what to predict."""

    model: ModelRef = param(doc="The fitted model.")
    on: GridRef = param(doc="The grid with the model's drivers.")
    quantiles: list[float] = param(
        [], gt=0, lt=1, doc="Quantiles of the conditional distribution: variables `q05`, `q50`, ... Default: none."
    )
    sd: bool = param(
        False,
        doc="Whether to add `sd`: of a forest the standard deviation of the conditional distribution, of a linear "
        "model that of a new observation, of a nonlinear model the standard error of the mean; its long name says so.",
    )
    members: int = param(
        0,
        ge=0,
        doc="Number of Monte Carlo members of the mean: the variable `members`, from which totals take intervals.",
    )
    interval: float | None = param(
        None, gt=0, lt=1, doc="Probability of the interval of the members in each cell: adds `lower` and `upper`."
    )
    keep_members: bool = param(
        True,
        doc="Whether the map of each member is kept; without them `lower` and `upper` remain, and `total` can take "
        "the members from the model itself (`models`).",
    )
    seed: int = param(1, ge=0, doc="Seed of the members.")
    rename: dict[ColumnName, ColumnName] = param(
        {}, doc="Grid variable that stands for a variable of the model where the names differ: {MAT: bio1}."
    )
    dtype: Literal["float32", "float64"] = param("float32", doc="Precision in which the maps are kept.")

    def problems(self) -> Iterator[Problem]:
        if self.members == 1:
            yield "one member makes no interval: ask for two or more, better some hundreds", "members"
        elif self.interval is not None and self.members < 2:
            yield "`interval` is that of the members, of which there must be two or more", "interval"
        if not self.keep_members and self.interval is None:
            yield "without `interval`, nothing of the members would be left", "keep_members"


def run(params: Params, ctx: Context) -> Grid:
    """Predict lazily, in bands of rows.

    Returns
    -------
    Grid
        ``mean``, a variable for each quantile, ``sd``, ``lower`` and ``upper``, and ``members`` of dims
        (member, lat, lon), in the unit of the response; with ``time`` before ``lat`` where a driver has one. A cell
        with a missing driver is NaN. ``extras["coverage"]``: for each driver the cells where it is missing, where it
        alone is, and where it lies outside the range of the training data.
    """
    request = Request(
        params.model,
        params.on,
        quantiles=params.quantiles,
        sd=params.sd,
        members=params.members,
        seed=params.seed,
        interval=params.interval,
        keep_members=params.keep_members,
        rename=params.rename,
        dtype=params.dtype,
    )
    found = predict(request, ctx)
    coverage, notes = found.coverage()
    return Grid(found.data, ctx.grid(params.on).crs, (*found.notes, *notes), {"coverage": coverage})


def schema(block: Block, scope: Scope) -> Schema:
    """Variables of the result, in the unit of the response where that is known."""
    params: Params = block.params
    unit = _response_unit(scope.block(params.model.block), scope)
    names = ["mean", *(quantile_name(level) for level in sorted(set(params.quantiles)))]
    names += ["sd"] * params.sd + ["lower", "upper"] * (params.interval is not None)
    names += ["members"] * (params.members > 0 and params.keep_members)
    return Schema({name: Variable("number", unit) for name in names})


def _response_unit(model: Block | None, scope: Scope, above: tuple[str, ...] = ()) -> str | None:
    """Return the unit of what a model predicts; of a choice among models that of the first whose unit is known."""
    from soilql.expr.ast import Formula, Name
    from soilql.formula.model import formulas

    if model is None or model.name in above:
        return None
    units = [
        _response_unit(scope.block(ref.block), scope, (*above, model.name))
        for ref in getattr(model.params, "models", ())
    ]
    for part in formulas({model.name: model}, scope):
        root = getattr(getattr(part.params, "formula", None), "root", None)
        if isinstance(root, Formula) and isinstance(root.response, Name):
            training = scope.schema(getattr(model.params, "data", ""))
            variable = None if training is None else training.variables.get(root.response.name)
            units.append(None if variable is None else variable.unit)
    return next((unit for unit in units if unit is not None), None)


def check(block: Block, scope: Scope) -> Iterator[Diagnostic]:
    """Say which drivers the grid lacks, and which it has as numbers and the training table as text, as far as known."""
    params: Params = block.params
    model, grid = scope.block(params.model.block), scope.schema(params.on)
    training = scope.schema(getattr(model and model.params, "data", ""))
    if model is None or training is None or grid is None:
        return
    drivers, text = _drivers(model), []
    for name in dict.fromkeys([*drivers, *_zoned(model, scope)]):
        source = str(params.rename.get(ColumnName(name), name))
        # Names of the formula that are no columns are parameters of the model.
        known = training.variables.get(name)
        if known is None:
            continue
        if source in grid.variables:
            text += [f"`{name}`"] * (known.type == "text")
        elif name in drivers and not grid.open and source not in PLACES:
            help = did_you_mean(source, grid.variables) or "name the variable that stands for it under `rename`"
            message = f"`{params.on}` has no variable `{source}`, which `{params.model}` needs"
            yield Diagnostic("SQ704", message, block.span("on"), help=help)
    if text:
        here, there = ("is text", "a number") if len(text) == 1 else ("are text", "numbers")
        message = f"{' and '.join(text)} {here} in the training table of `{params.model}` and {there} in `{params.on}`"
        yield Diagnostic("SQ709", message, block.span("on"), help=ONE_CODE)


def _drivers(model: Block) -> tuple[str, ...]:
    """Return the names on the right side of a model's formula."""
    from soilql.expr.ast import Formula, names

    root = getattr(getattr(model.params, "formula", None), "root", None)
    return tuple(names(root.predictors)) if isinstance(root, Formula) else ()


def _zoned(model: Block, scope: Scope) -> Iterator[str]:
    """Yield the variables that the zones of a model look at."""
    for ref in (getattr(model.params, key, None) for key in ("by", "fallback")):
        if isinstance(ref, ZonesRef):
            yield from needs_of(ref, scope)


def describe(params: Params) -> str:
    extra = [f"{len(params.quantiles)} quantiles"] * bool(params.quantiles) + ["sd"] * params.sd
    extra += [f"{params.members} members"] * (params.members > 0)
    return f"predict {params.model} on {params.on}" + (f" with {', '.join(extra)}" if extra else "")


def size(params: Params, ctx: Context, sizes: Mapping[str, Size]) -> Size | None:
    """Return the cells of the grid and the maps made on it."""
    grid = sizes.get(params.on.block)
    maps = 1 + len(params.quantiles) + params.sd + params.members * params.keep_members
    maps += 2 * (params.interval is not None)
    return None if grid is None else Size(rows=grid.rows, cells=grid.cells, columns=maps)
