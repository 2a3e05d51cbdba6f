"""A model applied lazily to a grid: its drivers found and brought to its units, its maps, what they do not cover."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from soilql.context import Context
from soilql.errors import Severity, did_you_mean
from soilql.fits.fitting import at_span
from soilql.gridding import Bands, sample, table_columns
from soilql.params import ColumnName, GridRef, ModelRef
from soilql.values import MEMBER_SOURCE, PLACES, SD_MEANING, Fitted, Note, Table, quantile_name

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import xarray as xr

#: More cells at once gain no speed, and fewer blocks leave threads without work.
MAX_CELLS = 1 << 16
#: Copies of the drivers and of the result that a model may hold while it predicts.
_COPIES = 6
#: What to do where a driver is text at the sites and a number on the map.
ONE_CODE = (
    "take the numbers of the grid to the sites by `extract` and train on them, or, for zones of kind `classes`, name "
    "the variable of the grid under `grid` in the place of `of`, and both are looked up in it"
)


@dataclass(frozen=True)
class Request:
    """What is wanted of a model on a grid.

    Attributes
    ----------
    model, on : ModelRef, GridRef
        The fitted model and the grid with its drivers.
    at : tuple of str or int
        Where the block names the model, for diagnostics.
    quantiles, sd, members, seed
        As :meth:`soilql.values.Fitted.predict` takes them.
    interval : float or None
        Probability of the interval of the members in each cell: `lower` and `upper`.
    keep_members : bool
        Whether the maps of the members are part of the result.
    rename : mapping of str to str
        Grid variable that stands for a variable of the model.
    dtype : str
        Of the maps.
    """

    model: ModelRef
    on: GridRef
    at: tuple[str | int, ...] = ("model",)
    quantiles: Sequence[float] = ()
    sd: bool = False
    members: int = 0
    seed: int = 0
    interval: float | None = None
    keep_members: bool = True
    rename: Mapping[ColumnName, ColumnName] = field(default_factory=dict)
    dtype: str = "float32"

    @property
    def kept(self) -> int:
        """Number of member maps in the result."""
        return self.members if self.keep_members else 0


@dataclass(frozen=True, eq=False)
class Prediction:
    """Lazy maps of a model, and how to tell what they do not cover.

    Attributes
    ----------
    data : xarray.Dataset
        ``mean``, a variable for each quantile, ``sd``, ``lower`` and ``upper``, dims ``(time, lat, lon)`` where a
        driver has times, and ``members`` with a leading ``member``.
    notes : tuple of Note
        Of the model, and of conversions of units.
    """

    data: xr.Dataset
    notes: tuple[Note, ...]
    _request: Request
    _ctx: Context
    _fitted: Fitted
    _blocks: Bands
    _training: Table | None

    def coverage(self) -> tuple[Table, tuple[Note, ...]]:
        """Count, in a pass over the drivers, the cells that cannot be predicted and those beyond the training data."""
        return _coverage(self._request, self._ctx, self._fitted, self._blocks, self._training)


def predict(ask: Request, ctx: Context) -> Prediction:
    """Apply a model to every cell of a grid, lazily in bands of rows, one time after the other.

    Raises
    ------
    SoilqlError
        The grid lacks a driver (SQ704) or has it in another kind of unit or type, the model cannot do what is asked
        (SQ804, SQ805), or drivers have members (SQ708).
    """
    fitted, grid = ctx.model(ask.model), ctx.grid(ask.on)
    training = ctx.trainings[ask.model.block]() if ask.model.block in ctx.trainings else None
    drivers, notes = _drivers(ask, ctx, fitted, grid.data, training)
    layers = _layers(ask, fitted)
    _probe(ask, ctx, fitted, training)
    need = 8 * _COPIES * (len(drivers) + 2 + len(layers) + ask.members)
    cells = min(MAX_CELLS, ctx.resources.memory // max(1, ctx.resources.workers) // need)
    blocks = Bands.of(grid.data, drivers, cells)
    if "member" in blocks.dims[:-2]:
        help = "reduce the members first, or pick a variable without them"
        raise ctx.error("SQ708", f"drivers in `{ask.on}` have members", "on", help=help)
    data = _predicted(ask, fitted, blocks, layers)
    return Prediction(data, (*fitted.notes, *notes), ask, ctx, fitted, blocks, training)


def _drivers(
    ask: Request, ctx: Context, fitted: Fitted, grid: xr.Dataset, training: Table | None
) -> tuple[dict[str, xr.DataArray], tuple[Note, ...]]:
    """Return the grid variable of each variable of the model, in the unit the model was fitted in.

    Latitude and longitude are known of every cell.
    """
    import xarray as xr

    found: dict[str, xr.DataArray] = {}
    notes: list[Note] = []
    for name in map(str, ask.rename):
        if name not in fitted.variables:
            help = did_you_mean(name, fitted.variables)
            raise ctx.error("SQ704", f"`{ask.model}` has no variable `{name}`", "rename", name, help=help)
    missing = []
    for name in fitted.variables:
        source = str(ask.rename.get(ColumnName(name), name))
        if source in grid.data_vars:
            found[name], note = _in_training_unit(ask, ctx, name, grid[source], training)
            notes += note
        elif source in PLACES:
            found |= {} if name == source else {name: xr.broadcast(grid["lat"], grid["lon"])[PLACES.index(source)]}
        else:
            missing.append(source)
    if missing:
        names = ", ".join(f"`{name}`" for name in missing)
        guess = did_you_mean(missing[0], map(str, grid.data_vars))
        help = guess or "give the grid this variable, or name the one that stands for it under `rename`"
        raise ctx.error("SQ704", f"`{ask.on}` has no variable {names}, which `{ask.model}` needs", "on", help=help)
    return found, tuple(notes)


def _in_training_unit(
    ask: Request, ctx: Context, name: str, data: xr.DataArray, training: Table | None
) -> tuple[xr.DataArray, list[Note]]:
    from soilql.units import convert_or_raise

    if training is not None and name in training.frame.columns:
        _check_type(ask, ctx, name, training)
    wanted = None if training is None else training.units.get(name)
    have = data.attrs.get("units")
    if wanted is None or have is None or str(have) == wanted:
        return data, []
    conversion = convert_or_raise(str(have), wanted, ctx.block.span("on"))
    if conversion.is_identity:
        return data, []
    words = f"`{data.name}` of `{ask.on}` converted from {have} to {wanted}, the unit `{ask.model}` was fitted in"
    return conversion.apply(data.astype("float64")), [Note("SQ304", words, Severity.INFO)]


def _check_type(ask: Request, ctx: Context, name: str, training: Table) -> None:
    import pandas as pd

    if not pd.api.types.is_numeric_dtype(training.frame[name].dtype):
        message = f"`{name}` is text in the training table of `{ask.model}` and a number in `{ask.on}`"
        raise ctx.error("SQ709", message, "on", help=ONE_CODE)


def _layers(ask: Request, fitted: Fitted) -> dict[str, str]:
    """Return the variables of the result, members left out, each with its long name."""
    head = f"predicted {fitted.response}"
    layers = {"mean": f"{head}, mean"}
    for level in sorted(set(ask.quantiles)):
        layers[quantile_name(level)] = f"{head}, {level * 100:.10g} % quantile"
    if ask.sd:
        layers["sd"] = f"{head}, {getattr(fitted, 'sd_meaning', SD_MEANING)}"
    if ask.interval is not None:
        source = f"of the {ask.interval * 100:.10g} % interval of {ask.members} {_member_source(fitted)}"
        layers |= {"lower": f"{head}, lower limit {source}", "upper": f"{head}, upper limit {source}"}
    return layers


def _member_source(fitted: Fitted) -> str:
    return str(getattr(fitted, "member_source", MEMBER_SOURCE))


def _probe(ask: Request, ctx: Context, fitted: Fitted, training: Table | None) -> None:
    """Ask the model for a few points now: what it cannot do is said here and not halfway through a map."""
    if training is None:
        return
    few = sample(table_columns(training), fitted.variables, rows=20)
    asked = {"quantiles": bool(ask.quantiles), "sd": ask.sd, "members": ask.members > 0}
    key = next((name for name, wanted in asked.items() if wanted), None)
    with at_span(ctx.block.span(*(ask.at if key is None else (key,)))):
        fitted.predict(few, quantiles=ask.quantiles, sd=ask.sd, members=ask.members, seed=ask.seed)


def _coverage(
    ask: Request, ctx: Context, fitted: Fitted, blocks: Bands, training: Table | None
) -> tuple[Table, tuple[Note, ...]]:
    """Count, in one pass over the drivers, the cells that cannot be predicted and those beyond the training data."""
    import dask
    import numpy as np
    import pandas as pd

    names = [name for name in blocks.arrays if name in fitted.variables]
    ranges = _ranges(fitted, names, training)
    counter = _Counter(tuple(names), ranges, fitted)
    counts = blocks.summarise(counter, 3 + 4 * len(names), np.dtype(np.int64))
    with dask.config.set(scheduler="threads", num_workers=max(1, ctx.resources.workers)):
        total = counts.sum(axis=tuple(range(1, counts.ndim))).compute()
    cells, complete, zoneless = (int(n) for n in total[:3])
    missing, alone, below, above = total[3:].reshape(4, -1)
    for name, lost in zip(names, missing, strict=True):
        if lost == cells:
            source = ask.rename.get(ColumnName(name), name)
            help = "check the reader's `missing` and scale, and whether the file holds this variable at all"
            raise ctx.error("SQ706", f"all values of `{source}` in `{ask.on}` are missing", "on", help=help)
    low, high = np.array(ranges).reshape(-1, 2).T
    frame = pd.DataFrame(
        {
            "driver": names, "cells": cells, "missing": missing, "missing_alone": alone,
            "training_min": low, "training_max": high, "below": below, "above": above,
            "share_outside": (below + above) / max(1, complete),
        }
    )  # fmt: skip
    notes = [*_coverage_notes(ask, frame, cells, complete, zoneless), *_year_notes(ask, blocks, training)]
    return Table(frame), tuple(notes)


def _year_notes(ask: Request, blocks: Bands, training: Table | None) -> Iterator[Note]:
    """Say which years of the grid lie outside those of the training rows."""
    import numpy as np

    from soilql.io.years import years_of

    column = None if training is None else training.roles.get("time")
    if training is None or column not in training.frame.columns or "time" not in blocks.coords:
        return
    seen = training.frame[column].dropna().to_numpy()
    if not seen.size or seen.dtype.kind not in "iufM":
        return
    first, last = int(years_of(seen).min()), int(years_of(seen).max())
    years = np.unique(years_of(blocks.coords["time"].to_numpy()))
    outside = years[(years < first) | (years > last)]
    if outside.size:
        shown = ", ".join(map(str, outside[:6])) + (f" and {outside.size - 6} more" if outside.size > 6 else "")
        words = f"`{ask.on}` has {shown}, and the training rows of `{ask.model}` are of {first}-{last}"
        yield Note("SQ675", words)


def _coverage_notes(ask: Request, frame: pd.DataFrame, cells: int, complete: int, zoneless: int) -> Iterator[Note]:
    if complete == 0:
        yield Note("SQ706", f"no cell of `{ask.on}` has all drivers of `{ask.model}`: the maps are empty")
    elif complete < cells:
        alone = [f"`{d}` {n:,}" for d, n in zip(frame["driver"], frame["missing_alone"], strict=True) if n]
        words = f"{cells - complete:,} of {cells:,} cells have no prediction because a driver is missing"
        yield Note("SQ713", words + (f"; one driver alone: {', '.join(alone)}" if alone else ""), Severity.INFO)
    outside = frame[frame["share_outside"] > 0].sort_values("share_outside", ascending=False, kind="stable")
    if len(outside):
        worst = ", ".join(f"`{d}` {s:.1%}" for d, s in zip(outside["driver"], outside["share_outside"], strict=True))
        yield Note("SQ609", f"share of cells outside the range of the training data of `{ask.model}`: {worst}")
    if zoneless:
        yield Note("SQ809", f"{zoneless:,} cells with all drivers lie in no zone of `{ask.model}`: not predicted")


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
    fitted: Fitted

    def __call__(self, columns: Mapping[str, np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
        import numpy as np

        size = columns["lat"].size
        gaps = np.array([~np.isfinite(columns[name]) for name in self.drivers], bool).reshape(-1, size)
        lost = gaps.sum(axis=0)
        known = complete(self.fitted, columns)
        sides = np.zeros((2, len(self.drivers)), np.int64)
        for i, (name, (low, high)) in enumerate(zip(self.drivers, self.ranges, strict=True)):
            values = columns[name][known]
            sides[:, i] = np.sum(_less(values, low)), np.sum(_less(-values, -high))
        zoneless = 0
        zones: Any = getattr(self.fitted, "zones", None)
        if zones is not None and known.any():
            codes = np.asarray(zones.codes({name: values[known] for name, values in columns.items()}))
            zoneless = int((codes < 0).sum())
        counts = np.concatenate(
            [[known.size, known.sum(), zoneless], gaps.sum(axis=1), (gaps & (lost == 1)).sum(axis=1), sides.ravel()]
        )
        return counts.astype(np.int64)


def _less(values: np.ndarray[Any, Any], limit: float) -> np.ndarray[Any, Any]:
    """Return where values lie below a limit by more than the rounding of a float32 grid."""
    found: np.ndarray[Any, Any] = values < limit - 1e-6 * abs(limit) if abs(limit) < float("inf") else values < limit
    return found


def _predicted(ask: Request, fitted: Fitted, blocks: Bands, layers: Mapping[str, str]) -> xr.Dataset:
    import numpy as np
    import xarray as xr

    out = blocks.map(_Predictor(ask, fitted, tuple(layers)), len(layers) + ask.kept, np.dtype(ask.dtype))
    unit = {} if fitted.unit is None else {"units": fitted.unit}
    variables = {
        name: xr.Variable(blocks.dims, out[i], {"long_name": described, **unit})
        for i, (name, described) in enumerate(layers.items())
    }
    coords = dict(blocks.coords)
    if ask.kept:
        source = _member_source(fitted)
        attrs = {"long_name": f"predicted {fitted.response}, {source}", "source": source, **unit}
        variables["members"] = xr.Variable(("member", *blocks.dims), out[len(layers) :], attrs)
        coords["member"] = np.arange(1, ask.members + 1)
    return xr.Dataset(variables, coords)


@dataclass(frozen=True, eq=False)
class _Predictor:
    """Predicts one block: only the cells with all the drivers they need are given to the model."""

    ask: Request
    fitted: Fitted
    layers: tuple[str, ...]

    def __call__(self, columns: Mapping[str, np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
        import numpy as np

        ask, known = self.ask, complete(self.fitted, columns)
        out = np.full((len(self.layers) + ask.kept, known.size), np.nan, np.dtype(ask.dtype))
        if known.any():
            part = {name: values[known].astype(np.float64) for name, values in columns.items()}
            found = self.fitted.predict(part, quantiles=ask.quantiles, sd=ask.sd, members=ask.members, seed=ask.seed)
            if ask.interval is not None:
                ends = [(1 - ask.interval) / 2, (1 + ask.interval) / 2]
                found["lower"], found["upper"] = np.quantile(found["members"], ends, axis=0)
            for i, name in enumerate(self.layers):
                out[i, known] = found[name]
            if ask.kept:
                out[len(self.layers) :, known] = found["members"]
        return out


def complete(fitted: Fitted, columns: Mapping[str, np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    """Return the points that have all the drivers which the model needs there.

    A model whose zones need different drivers says so by a method of this name; any other needs all its variables.

    Parameters
    ----------
    fitted : Fitted
        The model.
    columns : mapping of str to array, each of shape (n,)
        At least its variables.

    Returns
    -------
    array of bool, shape (n,)
    """
    import numpy as np

    own = getattr(fitted, "complete", None)
    if own is not None:
        found: np.ndarray[Any, Any] = np.asarray(own(columns))
        return found
    gaps = [~np.isfinite(columns[name]) for name in fitted.variables]
    none: np.ndarray[Any, Any] = ~np.logical_or.reduce(gaps) if gaps else np.ones(columns["lat"].size, bool)
    return none
