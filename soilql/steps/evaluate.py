"""Skill of models on rows that they were not fitted to, fold by fold of a scheme."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from soilql import params as p
from soilql.alike import with_ranges, without_numbers
from soilql.context import Context
from soilql.errors import Severity, SoilqlError, did_you_mean
from soilql.gridding import sample, table_columns
from soilql.kinds import Block, Schema, Scope, Variable
from soilql.params import ModelRef, SchemeRef, ZonesRef, param
from soilql.values import Fitted, Note, Table, ValueType, quantile_name

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

VERSION = 2
PRODUCES = ValueType.TABLE
#: The column `model` names the models.
SHOWS_NAMES = ("inputs",)

Metric: TypeAlias = Literal["R2", "R2_folds", "r2", "RMSE", "MAE", "bias", "pinball", "coverage"]

#: Row of the result that takes all zones together.
WHOLE = "all"
_IN_UNIT = ("RMSE", "MAE", "bias")
_OF_QUANTILES = ("pinball", "coverage")
#: Code of a model that is asked for quantiles that it does not have.
_NO_QUANTILES = "SQ804"


@dataclass(frozen=True)
class Params(p.Params):
    """Which models, how they are tested, and by which measures."""

    models: list[ModelRef] = param(doc="Models to test; each is fitted anew on the training rows of every fold.")
    scheme: SchemeRef = param(doc="How the rows are shared out into folds.")
    metrics: list[Metric] | None = param(
        None,
        doc="Measures: `R2` (pooled, 1 - SSE/SST), `R2_folds` (mean and SD over folds), `r2` (squared correlation), "
        "`RMSE`, `MAE`, `bias` (predicted - observed), and of models with quantiles `pinball` (loss by quantile) and "
        "`coverage` (share inside each central interval). Default: all that apply.",
    )
    quantiles: list[float] = param(
        [0.05, 0.25, 0.5, 0.75, 0.95],
        gt=0,
        lt=1,
        doc="Quantiles asked of the models that have them; two that are symmetric make a central interval.",
    )
    by: ZonesRef | None = param(None, doc="Partition whose zones get a row each, beside the one of all rows.")


def run(params: Params, ctx: Context) -> Table:
    """Evaluate every model.

    Returns
    -------
    Table
        One row a model and zone: ``model``, ``zone``, ``n`` (rows observed and predicted), ``n_missing`` (rows of test
        folds without an observation or a prediction), ``folds``, ``folds_failed``, then the measures, which rest on
        the ``n`` rows. ``extras["predictions"]`` has one row for each row tested.
    """
    import pandas as pd

    tested = [_test(params, ctx, ref) for ref in params.models]
    rows = [row for one in tested for row in _rows(params, one)]
    units = {one.unit for one in tested}
    frame = pd.DataFrame(rows)
    if len(units) > 1:
        frame.insert(1, "unit", [one.unit for one in tested for _ in one.zones])
    unit = units.pop() if len(units) == 1 else None
    predictions = pd.concat([one.frame for one in tested], ignore_index=True)
    return Table(
        frame,
        {} if unit is None else {name: unit for name in frame.columns if _has_unit(name)},
        notes=(*(note for one in tested for note in one.notes), *_unlike(tested)),
        extras={"predictions": _predictions(predictions, unit)},
    )


def _unlike(tested: Sequence[_Tested]) -> Iterator[Note]:
    """Say how many rows each model is scored on, where they are not the same for all."""
    if len({one.scored for one in tested}) > 1:
        counts = ", ".join(f"`{one.model}` {len(one.scored)}" for one in tested)
        yield Note("SQ645", f"the models are scored on different rows, those that each predicts: {counts}")


def _has_unit(column: str) -> bool:
    return column in _IN_UNIT or column.startswith("pinball_")


def _predictions(frame: pd.DataFrame, unit: str | None) -> Table:
    measured = [name for name in frame.columns if name in ("observed", "predicted") or name.startswith("q")]
    roles = {axis: axis for axis in ("lat", "lon") if axis in frame.columns}
    return Table(frame, {} if unit is None else dict.fromkeys(measured, unit), roles)


@dataclass(frozen=True)
class _Tested:
    """One model's predictions of the rows of all test folds."""

    model: str
    unit: str | None
    frame: pd.DataFrame
    zones: tuple[str, ...]
    quantiles: tuple[float, ...]
    folds: int
    failed: int
    notes: tuple[Note, ...]

    @property
    def scored(self) -> frozenset[int]:
        """Rows of the training table that are observed and predicted."""
        usable = self.frame[["observed", "predicted"]].notna().all(axis=1)
        return frozenset(self.frame.loc[usable, "row"])


def _test(params: Params, ctx: Context, ref: ModelRef) -> _Tested:
    import numpy as np
    import pandas as pd

    table = ctx.trainings[ref.block]()
    fitted = ctx.model(ref)
    observed = _observed(ctx, ref, table, fitted)
    folds = np.asarray(ctx.scheme(params.scheme).folds(table))
    labels = [int(fold) for fold in np.unique(folds) if fold >= 0]
    if not labels:
        raise ctx.error("SQ608", f"`{params.scheme}` puts no row of `{ref}` in a test fold", "scheme")
    columns = table_columns(table)
    quantiles, unheard = _quantiles(params, str(ref), fitted, columns)
    found = {name: np.full(len(folds), np.nan) for name in ("predicted", *map(quantile_name, quantiles))}
    failures: list[tuple[int, SoilqlError]] = []
    said: dict[Note, int] = {}
    without: list[int] = []  # folds whose model has no quantiles
    for done, fold in enumerate(labels):
        held_out = np.flatnonzero(folds == fold)
        try:
            model = ctx.refits[ref.block](np.flatnonzero(folds != fold))
        except SoilqlError as error:
            failures.append((fold, error))
            continue
        for note in dict.fromkeys(model.notes):
            said[note] = said.get(note, 0) + 1
        part = {name: values[held_out] for name, values in columns.items()}
        try:
            predicted = model.predict(part, quantiles=quantiles)
        except SoilqlError as error:
            if not quantiles or error.diagnostics[0].code != _NO_QUANTILES:
                raise
            predicted, without = model.predict(part), [*without, fold]
        for name, values in predicted.items():
            found["predicted" if name == "mean" else name][held_out] = values
        ctx.progress(done + 1, len(labels))
    if without:
        found, quantiles = {"predicted": found["predicted"]}, ()
        words = f"`{ref}` has no quantiles in {len(without)} of {len(labels)} folds: no interval is scored"
        unheard = (Note(_NO_QUANTILES, words),)
    tested = np.flatnonzero(folds >= 0)
    zones, zone, notes = _zones(params, ctx, ref, columns, tested)
    frame = pd.DataFrame({"model": str(ref), "row": tested, "fold": folds[tested], "zone": zone})
    for axis in ("lat", "lon"):
        if axis in table.roles:
            frame[axis] = columns[table.roles[axis]][tested]
    frame = frame.assign(observed=observed[tested], **{name: values[tested] for name, values in found.items()})
    notes += _unpredicted(str(ref), frame[~frame["fold"].isin([fold for fold, _ in failures])])
    notes += (*unheard, *_notes(str(ref), said, failures, len(labels)))
    unit = fitted.unit or table.units.get(fitted.response)
    return _Tested(str(ref), unit, frame, zones, quantiles, len(labels), len(failures), notes)


def _observed(ctx: Context, ref: ModelRef, table: Table, fitted: Fitted) -> np.ndarray[Any, Any]:
    if fitted.response not in table.frame.columns:
        help = did_you_mean(fitted.response, map(str, table.frame.columns))
        message = f"`{ref}` models `{fitted.response}`, which its training table does not have as a column"
        raise ctx.error("SQ704", message, "models", help=help or "make it a column of the table and model that")
    return table.frame[fitted.response].to_numpy(dtype=float, na_value=float("nan"))


def _quantiles(
    params: Params, model: str, fitted: Fitted, columns: dict[str, np.ndarray[Any, Any]]
) -> tuple[tuple[float, ...], tuple[Note, ...]]:
    """Return the quantiles to ask of a model, those that it says it has, and what to say of the others."""
    asked = params.metrics is not None and any(metric in params.metrics for metric in _OF_QUANTILES)
    if params.metrics is not None and not asked:
        return (), ()
    levels = tuple(sorted(set(params.quantiles)))
    rows = sample(columns, fitted.variables)
    if _has(fitted, rows, levels):
        return levels, ()
    known = tuple(level for level in levels if _has(fitted, rows, (level,)))
    if known:
        lost = ", ".join(f"{level:g}" for level in levels if level not in known)
        words = f"`{model}` has no quantiles {lost}: scored by {', '.join(f'{level:g}' for level in known)}"
        return known, (Note(_NO_QUANTILES, words, Severity.INFO),)
    measures = " and ".join(metric for metric in _OF_QUANTILES if asked and metric in (params.metrics or ()))
    return (), (Note(_NO_QUANTILES, f"`{model}` has no quantiles: {measures} left out"),) if asked else ()


def _has(fitted: Fitted, rows: dict[str, np.ndarray[Any, Any]], levels: tuple[float, ...]) -> bool:
    """Whether a model has some quantiles."""
    try:
        fitted.predict(rows, quantiles=levels)
    except SoilqlError as error:
        if error.diagnostics[0].code != _NO_QUANTILES:
            raise
        return False
    return True


def _zones(
    params: Params, ctx: Context, ref: ModelRef, columns: dict[str, np.ndarray[Any, Any]], tested: np.ndarray[Any, Any]
) -> tuple[tuple[str, ...], list[str | None], tuple[Note, ...]]:
    """Return the rows of the result, the zone of each row tested, and how many rows are in none."""
    import numpy as np

    if params.by is None:
        return (WHOLE,), [None] * tested.size, ()
    zones = ctx.zones(params.by)
    for name in zones.variables:
        if name not in columns:
            message = f"the zones `{params.by}` look at `{name}`, which the training table of `{ref}` does not have"
            raise ctx.error("SQ704", message, "by", help=did_you_mean(name, columns))
    codes = np.asarray(zones.codes({name: values[tested] for name, values in columns.items()}))
    names = [zones.labels[code] if code >= 0 else None for code in codes]
    lost = int((codes < 0).sum())
    words = f"`{ref}`: {lost} of {codes.size} rows lie in no zone of `{params.by}` and count only under `{WHOLE}`"
    return (WHOLE, *zones.labels), names, (Note("SQ809", words),) if lost else ()


def _unpredicted(model: str, frame: pd.DataFrame) -> tuple[Note, ...]:
    """Say how many observed rows have no prediction by the fit of their fold."""
    observed = frame["observed"].notna()
    lost, rows = int((observed & frame["predicted"].isna()).sum()), int(observed.sum())
    words = (
        f"`{model}`: {lost} of {rows} rows held out have no prediction, for want of a driver, of a fit "
        "of their zone, or of their category in the other folds"
    )
    return (Note("SQ713", words, Severity.INFO if lost < rows else Severity.WARNING),) if lost else ()


def _notes(model: str, said: dict[Note, int], failures: list[tuple[int, SoilqlError]], folds: int) -> tuple[Note, ...]:
    """Return what the fits of the folds said, each distinct message once, failures by their cause."""
    causes: dict[tuple[str, str], list[int]] = {}
    for fold, error in failures:
        first = error.diagnostics[0]
        causes.setdefault((first.code, first.message), []).append(fold)
    failed = [
        Note(code, f"`{model}`: fit failed in {len(where)} of {folds} folds, first in fold {where[0]}: {message}")
        for (code, message), where in causes.items()
    ]
    alike: dict[tuple[str, str], list[tuple[Note, int]]] = {}  # what differs in its numbers alone is one thing to say
    for note, count in said.items():
        if note.severity is not Severity.INFO:
            alike.setdefault((note.code, without_numbers(note.message)), []).append((note, count))
    heard = []
    for found in alike.values():
        note, message = found[0][0], with_ranges([note.message for note, _ in found])
        words = f"`{model}`, {sum(count for _, count in found)} of {folds} folds: {message}"
        heard.append(Note(note.code, words, note.severity))
    return (*failed, *heard)


def _rows(params: Params, tested: _Tested) -> list[dict[str, Any]]:
    wanted: Sequence[str] = params.metrics or ("R2", "R2_folds", "r2", "RMSE", "MAE", "bias", *_OF_QUANTILES)
    rows = []
    for zone in tested.zones:
        part = tested.frame if zone == WHOLE else tested.frame[tested.frame["zone"] == zone]
        usable = part[["observed", "predicted"]].notna().all(axis=1)
        kept = part[usable]
        rows.append(
            {
                "model": tested.model, "zone": zone, "n": len(kept), "n_missing": len(part) - len(kept),
                "folds": tested.folds, "folds_failed": tested.failed, **_scores(kept, wanted, tested.quantiles),
            }
        )  # fmt: skip
    return rows


def _scores(part: pd.DataFrame, wanted: Sequence[str], quantiles: Sequence[float]) -> dict[str, float]:
    from soilql.stats import metrics

    observed, predicted = part["observed"].to_numpy(), part["predicted"].to_numpy()
    empty = len(part) == 0
    plain = {
        "R2": metrics.r2, "r2": metrics.squared_correlation, "RMSE": metrics.rmse, "MAE": metrics.mae,
        "bias": metrics.bias,
    }  # fmt: skip
    scores: dict[str, float] = {}
    for name in dict.fromkeys(wanted):
        if name == "R2_folds":
            by_fold = None if empty else metrics.fold_r2(observed, predicted, part["fold"].to_numpy())
            scores["R2_fold_mean"] = float("nan") if by_fold is None else by_fold.mean
            scores["R2_fold_sd"] = float("nan") if by_fold is None else by_fold.sd
            scores["R2_folds_defined"] = 0 if by_fold is None else by_fold.values.size - by_fold.n_undefined
        elif name in plain:
            scores[name] = float("nan") if empty else plain[name](observed, predicted)
    if quantiles and "pinball" in wanted:
        scores |= _pinball(part, quantiles)
    if quantiles and "coverage" in wanted:
        scores |= _coverage(part, quantiles)
    return scores


def _pinball(part: pd.DataFrame, quantiles: Sequence[float]) -> dict[str, float]:
    from soilql.stats.metrics import pinball_loss

    names = [quantile_name(level) for level in quantiles]
    if not len(part):
        return {f"pinball_{name}": float("nan") for name in names}
    losses = pinball_loss(part["observed"], part[names].to_numpy(), quantiles)
    return {f"pinball_{name}": float(loss) for name, loss in zip(names, losses, strict=True)}


def _coverage(part: pd.DataFrame, quantiles: Sequence[float]) -> dict[str, float]:
    """Return the coverage of the interval between each two quantiles that are symmetric about the median."""
    from soilql.stats.metrics import coverage

    found: dict[str, float] = {}
    for low in quantiles:
        high = next((level for level in quantiles if abs(level - (1 - low)) < 1e-9), None)
        if low >= 0.5 or high is None:
            continue
        name = f"coverage_{(high - low) * 100:.6g}"
        ends = part[quantile_name(low)], part[quantile_name(high)]
        found[name] = coverage(part["observed"], *ends) if len(part) else float("nan")
    return dict(sorted(found.items(), key=lambda item: float(item[0].removeprefix("coverage_"))))


def schema(block: Block, scope: Scope) -> Schema:
    """Columns of the result that are there whatever the models are."""
    counts = ("n", "n_missing", "folds", "folds_failed")
    return Schema(
        {"model": Variable("text"), "zone": Variable("text"), **{name: Variable("number") for name in counts}},
        open=True,
    )


def headline(table: Table) -> list[str]:
    """Say the skill of each model over all rows: ``qrf R2 0.32, RMSE 437 g C m-2 yr-1, coverage 90 % 0.88``."""
    frame = table.frame[table.frame["zone"] == WHOLE]
    width = max((len(str(name)) for name in frame["model"]), default=0)
    shown = [name for name in ("R2", "RMSE") if name in frame.columns]
    shown = shown or [name for name in ("R2_fold_mean", "r2", "MAE", "bias") if name in frame.columns]
    widest = [name for name in frame.columns if str(name).startswith("coverage_")][-1:]
    lines = []
    for row in frame.to_dict("records"):
        if row.get("n") == 0:
            lines.append(f"{row['model']:<{width}} no row held out has a prediction")
            continue
        unit = row.get("unit") or table.units.get(shown[-1] if shown else "", "")
        words = [f"{name} {row[name]:.3g} {unit if _has_unit(name) else ''}".rstrip() for name in shown]
        # A model without quantiles beside one that has them covers nothing.
        known = [name for name in widest if row[name] == row[name]]
        words += [f"coverage {name.removeprefix('coverage_')} % {row[name]:.3g}" for name in known]
        lines.append(f"{row['model']:<{width}} {', '.join(words)}".rstrip())
    return lines


def describe(params: Params) -> str:
    return f"test {', '.join(params.models)} by {params.scheme}"
