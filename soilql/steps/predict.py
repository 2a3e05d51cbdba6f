"""A fitted model applied to every cell of a grid: mean, quantiles, standard deviation, Monte Carlo members."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from soilql import params as p
from soilql.context import Context
from soilql.errors import Diagnostic, Severity, did_you_mean
from soilql.fits.fitting import at_span
from soilql.gridding import Bands, sample, table_columns
from soilql.kinds import Block, Schema, Scope, Size, Variable
from soilql.params import ColumnName, GridRef, ModelRef, param
from soilql.values import MEMBER_SOURCE, SD_MEANING, Fitted, Grid, Note, Table, ValueType, quantile_name

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import xarray as xr

VERSION = 2
PRODUCES = ValueType.GRID

#: More cells at once gain no speed, and fewer blocks leave threads without work.
MAX_CELLS = 1 << 16
#: Copies of the drivers and of the result that a model may hold while it predicts.
_COPIES = 6


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
    seed: int = param(1, ge=0, doc="Seed of the members.")
    rename: dict[ColumnName, ColumnName] = param(
        {}, doc="Grid variable that stands for a variable of the model where the names differ: {MAT: bio1}."
    )
    dtype: Literal["float32", "float64"] = param("float32", doc="Precision in which the maps are kept.")


def run(params: Params, ctx: Context) -> Grid:
    """Predict lazily, in bands of rows.

    Returns
    -------
    Grid
        ``mean``, a variable for each quantile, ``sd`` and ``members`` of dims (member, lat, lon), in the unit of the
        response; with a leading ``time`` where a driver has one. A cell with a missing driver is NaN.
        ``extras["coverage"]``: for each driver the cells where it is missing, where it alone is, and where it lies
        outside the range of the training data.
    """
    fitted = ctx.model(params.model)
    grid = ctx.grid(params.on)
    training = ctx.trainings[params.model.block]() if params.model.block in ctx.trainings else None
    drivers, notes = _drivers(params, ctx, fitted, grid, training)
    layers = _layers(params, fitted)
    _probe(params, ctx, fitted, training)
    need = 8 * _COPIES * (len(drivers) + 2 + len(layers) + params.members)
    cells = min(MAX_CELLS, ctx.resources.memory // max(1, ctx.resources.workers) // need)
    blocks = Bands.of(grid.data, drivers, cells)
    _check_dims(params, ctx, blocks)
    coverage, found = _coverage(params, ctx, fitted, blocks, training)
    data = _predicted(params, fitted, blocks, layers)
    return Grid(data, grid.crs, (*fitted.notes, *notes, *found), {"coverage": coverage})


def _drivers(
    params: Params, ctx: Context, fitted: Fitted, grid: Grid, training: Table | None
) -> tuple[dict[str, xr.DataArray], tuple[Note, ...]]:
    """Return the grid variable of each variable of the model, in the unit the model was fitted in."""
    found: dict[str, xr.DataArray] = {}
    notes: list[Note] = []
    for name in map(str, params.rename):
        if name not in fitted.variables:
            help = did_you_mean(name, fitted.variables)
            raise ctx.error("SQ704", f"`{params.model}` has no variable `{name}`", "rename", name, help=help)
    missing = []
    for name in fitted.variables:
        source = str(params.rename.get(ColumnName(name), name))
        if source in grid.data:
            found[name], note = _in_training_unit(params, ctx, name, grid.data[source], training)
            notes += note
        else:
            missing.append(source)
    if missing:
        names = ", ".join(f"`{name}`" for name in missing)
        guess = did_you_mean(missing[0], map(str, grid.data.data_vars))
        help = guess or "give the grid this variable, or name the one that stands for it under `rename`"
        raise ctx.error(
            "SQ704", f"`{params.on}` has no variable {names}, which `{params.model}` needs", "on", help=help
        )
    return found, tuple(notes)


def _in_training_unit(
    params: Params, ctx: Context, name: str, data: xr.DataArray, training: Table | None
) -> tuple[xr.DataArray, list[Note]]:
    from soilql.units import convert_or_raise

    if training is not None and name in training.frame.columns:
        _check_type(params, ctx, name, training)
    wanted = None if training is None else training.units.get(name)
    have = data.attrs.get("units")
    if wanted is None or have is None or str(have) == wanted:
        return data, []
    conversion = convert_or_raise(str(have), wanted, ctx.block.span("on"))
    if conversion.is_identity:
        return data, []
    words = f"`{data.name}` of `{params.on}` converted from {have} to {wanted}, the unit `{params.model}` was fitted in"
    return conversion.apply(data.astype("float64")), [Note("SQ304", words, Severity.INFO)]


def _check_type(params: Params, ctx: Context, name: str, training: Table) -> None:
    import pandas as pd

    if not pd.api.types.is_numeric_dtype(training.frame[name].dtype):
        message = f"`{name}` is text in the training table of `{params.model}` and a number in `{params.on}`"
        raise ctx.error("SQ709", message, "on", help="train on the numbers of the grid's classes")


def _layers(params: Params, fitted: Fitted) -> dict[str, str]:
    """Return the variables of the result, members left out, each with its long name."""
    head = f"predicted {fitted.response}"
    layers = {"mean": f"{head}, mean"}
    for level in sorted(set(params.quantiles)):
        layers[quantile_name(level)] = f"{head}, {level * 100:.10g} % quantile"
    if params.sd:
        layers["sd"] = f"{head}, {getattr(fitted, 'sd_meaning', SD_MEANING)}"
    return layers


def _probe(params: Params, ctx: Context, fitted: Fitted, training: Table | None) -> None:
    """Ask the model for a few points now: what it cannot do is said here and not halfway through a map."""
    if training is None:
        return
    few = sample(table_columns(training), fitted.variables, rows=20)
    asked = {"quantiles": bool(params.quantiles), "sd": params.sd, "members": params.members > 0}
    key = next((name for name, wanted in asked.items() if wanted), "model")
    with at_span(ctx.block.span(key)):
        fitted.predict(few, quantiles=params.quantiles, sd=params.sd, members=params.members, seed=params.seed)


def _check_dims(params: Params, ctx: Context, blocks: Bands) -> None:
    leading = blocks.dims[:-2]
    if "member" in leading:
        help = "reduce the members first, or pick a variable without them"
        raise ctx.error("SQ708", f"drivers in `{params.on}` have members", "on", help=help)
    if leading and params.members:
        message = f"`{params.on}` varies along {' and '.join(leading)}, and members would be a dimension more"
        raise ctx.error("SQ708", message, "members", help="predict one time at a time, or leave `members` out")


def _coverage(
    params: Params, ctx: Context, fitted: Fitted, blocks: Bands, training: Table | None
) -> tuple[Table, tuple[Note, ...]]:
    """Count, in one pass over the drivers, the cells that cannot be predicted and those beyond the training data."""
    import dask
    import numpy as np
    import pandas as pd

    names = [name for name in blocks.arrays if name in fitted.variables]
    ranges = _ranges(fitted, names, training)
    counter = _Counter(tuple(names), ranges, getattr(fitted, "zones", None))
    counts = blocks.summarise(counter, 3 + 4 * len(names), np.dtype(np.int64))
    with dask.config.set(scheduler="threads", num_workers=max(1, ctx.resources.workers)):
        total = counts.sum(axis=tuple(range(1, counts.ndim))).compute()
    cells, complete, zoneless = (int(n) for n in total[:3])
    missing, alone, below, above = total[3:].reshape(4, -1)
    for name, lost in zip(names, missing, strict=True):
        if lost == cells:
            source = params.rename.get(ColumnName(name), name)
            help = "check the reader's `missing` and scale, and whether the file holds this variable at all"
            raise ctx.error("SQ706", f"all values of `{source}` in `{params.on}` are missing", "on", help=help)
    low, high = np.array(ranges).reshape(-1, 2).T
    frame = pd.DataFrame(
        {
            "driver": names, "cells": cells, "missing": missing, "missing_alone": alone,
            "training_min": low, "training_max": high, "below": below, "above": above,
            "share_outside": (below + above) / max(1, complete),
        }
    )  # fmt: skip
    return Table(frame), tuple(_coverage_notes(params, frame, cells, complete, zoneless))


def _coverage_notes(params: Params, frame: pd.DataFrame, cells: int, complete: int, zoneless: int) -> Iterator[Note]:
    if complete == 0:
        yield Note("SQ706", f"no cell of `{params.on}` has all drivers of `{params.model}`: the maps are empty")
    elif complete < cells:
        alone = [f"`{d}` {n:,}" for d, n in zip(frame["driver"], frame["missing_alone"], strict=True) if n]
        words = f"{cells - complete:,} of {cells:,} cells have no prediction because a driver is missing"
        yield Note("SQ713", words + (f"; one driver alone: {', '.join(alone)}" if alone else ""), Severity.INFO)
    outside = frame[frame["share_outside"] > 0].sort_values("share_outside", ascending=False, kind="stable")
    if len(outside):
        worst = ", ".join(f"`{d}` {s:.1%}" for d, s in zip(outside["driver"], outside["share_outside"], strict=True))
        yield Note("SQ609", f"share of cells outside the range of the training data of `{params.model}`: {worst}")
    if zoneless:
        yield Note("SQ809", f"{zoneless:,} cells with all drivers lie in no zone of `{params.model}`: not predicted")


def _ranges(fitted: Fitted, names: Sequence[str], training: Table | None) -> tuple[tuple[float, float], ...]:
    """Return the range of each driver over the rows that could be fitted; infinite where it is not known."""
    import numpy as np

    unknown = (float("-inf"), float("inf"))
    if training is None:
        return (unknown,) * len(names)
    columns = [name for name in (*names, fitted.response) if name in training.frame.columns]
    rows = training.frame[columns].replace([np.inf, -np.inf], np.nan).dropna()
    known = set(columns) if len(rows) else set()
    return tuple((float(rows[n].min()), float(rows[n].max())) if n in known else unknown for n in names)


@dataclass(frozen=True, eq=False)
class _Counter:
    """Counts of one block: cells, complete cells, those in no zone; by driver missing, alone missing, below, above."""

    drivers: tuple[str, ...]
    ranges: tuple[tuple[float, float], ...]
    zones: Any

    def __call__(self, columns: Mapping[str, np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
        import numpy as np

        size = columns["lat"].size
        gaps = np.array([~np.isfinite(columns[name]) for name in self.drivers]).reshape(-1, size)
        lost = gaps.sum(axis=0)
        known = lost == 0
        sides = np.zeros((2, len(self.drivers)), np.int64)
        for i, (name, (low, high)) in enumerate(zip(self.drivers, self.ranges, strict=True)):
            values = columns[name][known]
            sides[:, i] = np.sum(_less(values, low)), np.sum(_less(-values, -high))
        zoneless = 0
        if self.zones is not None and known.any():
            codes = np.asarray(self.zones.codes({name: values[known] for name, values in columns.items()}))
            zoneless = int((codes < 0).sum())
        counts = np.concatenate(
            [[known.size, known.sum(), zoneless], gaps.sum(axis=1), (gaps & (lost == 1)).sum(axis=1), sides.ravel()]
        )
        return counts.astype(np.int64)


def _less(values: np.ndarray[Any, Any], limit: float) -> np.ndarray[Any, Any]:
    """Return where values lie below a limit by more than the rounding of a float32 grid."""
    found: np.ndarray[Any, Any] = values < limit - 1e-6 * abs(limit) if abs(limit) < float("inf") else values < limit
    return found


def _predicted(params: Params, fitted: Fitted, blocks: Bands, layers: Mapping[str, str]) -> xr.Dataset:
    import numpy as np
    import xarray as xr

    predictor = _Predictor(params, fitted, tuple(layers))
    out = blocks.map(predictor, len(layers) + params.members, np.dtype(params.dtype))
    unit = {} if fitted.unit is None else {"units": fitted.unit}
    variables = {
        name: xr.Variable(blocks.dims, out[i], {"long_name": described, **unit})
        for i, (name, described) in enumerate(layers.items())
    }
    coords = dict(blocks.coords)
    if params.members:
        source = str(getattr(fitted, "member_source", MEMBER_SOURCE))
        attrs = {"long_name": f"predicted {fitted.response}, {source}", "source": source, **unit}
        variables["members"] = xr.Variable(("member", *blocks.dims), out[len(layers) :], attrs)
        coords["member"] = np.arange(1, params.members + 1)
    return xr.Dataset(variables, coords)


@dataclass(frozen=True, eq=False)
class _Predictor:
    """Predicts one block: only the cells with all drivers are given to the model."""

    params: Params
    fitted: Fitted
    layers: tuple[str, ...]

    def __call__(self, columns: Mapping[str, np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
        import numpy as np

        known = np.ones(columns["lat"].size, bool)
        for name in self.fitted.variables:
            known &= np.isfinite(columns[name])
        count = len(self.layers) + self.params.members
        out = np.full((count, known.size), np.nan, np.dtype(self.params.dtype))
        if known.any():
            part = {name: values[known].astype(np.float64) for name, values in columns.items()}
            ask = self.params
            found = self.fitted.predict(part, quantiles=ask.quantiles, sd=ask.sd, members=ask.members, seed=ask.seed)
            for i, name in enumerate(self.layers):
                out[i, known] = found[name]
            if self.params.members:
                out[len(self.layers) :, known] = found["members"]
        return out


def schema(block: Block, scope: Scope) -> Schema:
    """Variables of the result, in the unit of the response where that is known."""
    params: Params = block.params
    unit = _response_unit(scope.block(params.model.block), scope)
    names = ["mean", *(quantile_name(level) for level in sorted(set(params.quantiles)))]
    names += ["sd"] * params.sd + ["members"] * (params.members > 0)
    return Schema({name: Variable("number", unit) for name in names})


def _response_unit(model: Block | None, scope: Scope) -> str | None:
    from soilql.expr.ast import Formula, Name

    root = getattr(getattr(model and model.params, "formula", None), "root", None)
    if not isinstance(root, Formula) or not isinstance(root.response, Name):
        return None
    training = scope.schema(getattr(model and model.params, "data", ""))
    variable = None if training is None else training.variables.get(root.response.name)
    return None if variable is None else variable.unit


def check(block: Block, scope: Scope) -> Iterator[Diagnostic]:
    """Say which drivers in the model's formula the grid lacks, where both are known without data."""
    from soilql.expr.ast import Formula, names

    params: Params = block.params
    model, grid = scope.block(params.model.block), scope.schema(params.on)
    root = getattr(getattr(model and model.params, "formula", None), "root", None)
    training = scope.schema(getattr(model and model.params, "data", ""))
    if not isinstance(root, Formula) or training is None or grid is None or grid.open:
        return
    for name in names(root.predictors):
        source = str(params.rename.get(ColumnName(name), name))
        # Names of the formula that are no columns are parameters of the model.
        if name in training.variables and source not in grid.variables:
            help = did_you_mean(source, grid.variables) or "name the variable that stands for it under `rename`"
            message = f"`{params.on}` has no variable `{source}`, which `{params.model}` needs"
            yield Diagnostic("SQ704", message, block.span("on"), help=help)


def describe(params: Params) -> str:
    extra = [f"{len(params.quantiles)} quantiles"] * bool(params.quantiles) + ["sd"] * params.sd
    extra += [f"{params.members} members"] * (params.members > 0)
    return f"predict {params.model} on {params.on}" + (f" with {', '.join(extra)}" if extra else "")


def size(params: Params, ctx: Context, sizes: Mapping[str, Size]) -> Size | None:
    """Return the cells of the grid and the maps made on it."""
    grid = sizes.get(params.on.block)
    maps = 1 + len(params.quantiles) + params.sd + params.members
    return None if grid is None else Size(rows=grid.rows, cells=grid.cells, columns=maps)
