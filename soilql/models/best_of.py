"""The best of several models in each zone, by their scores on rows held out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from soilql import params as p
from soilql.context import Context
from soilql.errors import Diagnostic, Severity, SoilqlError, did_you_mean
from soilql.fits.fitted import FALLBACK, WHOLE
from soilql.gridding import table_columns
from soilql.kinds import Block, Scope
from soilql.params import ModelRef, Problem, SchemeRef, ZonesRef, param
from soilql.values import Fitted, Note, State, Table, ValueType, Zones

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from soilql.fits.best_of_fit import BestOf
    from soilql.fits.best_of_scores import HeldOut

VERSION = 2
PRODUCES = ValueType.MODEL
#: The tables name the candidates.
SHOWS_NAMES = ("inputs",)

Metric: TypeAlias = Literal["RMSE", "R2", "r2", "MAE"]


@dataclass(frozen=True)
class Params(p.Params):
    """The candidates, how they are tested, and what makes the best."""

    models: list[ModelRef] = param(
        doc="Candidates: models of one response, fitted to one table. The first wins a tie that nothing else decides."
    )
    scheme: SchemeRef = param(
        doc="How rows are held out; every candidate is fitted anew for every fold. A test of this model by folds "
        "repeats all of that in each of its folds, so that the choice is made without the rows held out."
    )
    by: ZonesRef | None = param(
        None, doc="Partition in each of whose zones the best is chosen. Default: the zones of the candidates."
    )
    metric: Metric = param(
        "RMSE", doc="What makes the best: least `RMSE` or `MAE`, or largest `R2` (1 - SSE/SST) or `r2` (correlation)."
    )
    then: list[Metric] = param(["R2", "MAE"], doc="What decides between equals, in this order.")
    average: Literal["pooled", "folds"] = param(
        "pooled",
        doc="Whether a measure is that of all rows held out together, or the mean of its values in single folds, "
        "those where it is defined (Huang et al. 2020).",
    )
    sample: Literal["common", "own"] = param(
        "common",
        doc="Rows on which the candidates of a zone are compared: `common`, those that all of them predict, or `own`.",
    )
    min_share: float = param(
        0.9,
        gt=0,
        le=1,
        doc="Least share of the rows of a zone, of those that any candidate predicts, that a candidate must predict.",
    )

    fallback: Literal["none", "all"] = param(
        "none",
        doc="What predicts in a zone in which no candidate could be chosen: `none`, or `all`, the candidate that is "
        "the best over all rows held out.",
    )

    def problems(self) -> Iterator[Problem]:
        if len(set(self.models)) < max(2, len(self.models)):
            yield "`models` names two or more different models", "models"


def run(params: Params, ctx: Context) -> BestOf:
    """Compare the candidates and keep the best of each zone.

    Raises
    ------
    SoilqlError
        The candidates model different things or have different tables (SQ669), the zones are not given and differ
        (SQ669), or no candidate could be chosen in any zone (SQ801).
    """
    from dataclasses import replace

    import numpy as np
    import pandas as pd

    from soilql.fits.best_of_fit import BestOf
    from soilql.fits.best_of_scores import Rules, compare

    fitted = {str(ref): ctx.model(ref) for ref in params.models}
    table = _table(params, ctx, fitted)
    zones = _zones(params, ctx, fitted)
    labels = (WHOLE,) if zones is None else zones.labels
    held = _held_out(params, ctx, table, zones, next(iter(fitted.values())).response)
    rules = Rules(params.metric, tuple(params.then), params.average, params.sample == "common", params.min_share)
    unfit = _unfit(fitted, zones)
    candidates = compare(held, labels, unfit, rules)
    best = candidates[candidates["chosen"]]
    chosen: dict[str, str] = dict(zip(best["zone"], best["model"], strict=True))
    others = None
    if params.fallback == "all" and len(chosen) < len(labels):
        over_all = compare(replace(held, codes=np.zeros_like(held.codes)), [f"{FALLBACK}{WHOLE}"], {}, rules)
        candidates = pd.concat([candidates, over_all], ignore_index=True)
        others = next(iter(over_all.loc[over_all["chosen"], "model"]), None)
    helped = {label: others for label in labels if label not in chosen and (others, label) not in unfit}
    notes = tuple(_notes(params, candidates, chosen, labels, held, others, helped))
    if not chosen:
        message = f"no candidate of `{ctx.block.name}` could be chosen"
        why = tuple(note.message for note in notes)
        raise SoilqlError(Diagnostic("SQ801", message, ctx.block.span("models"), notes=why))
    first = next(iter(fitted.values()))
    choice = tuple(chosen.get(label, helped.get(label)) for label in labels)
    kept = {name: model for name, model in fitted.items() if name in choice}
    said = [replace(n, message=f"`{name}`: {n.message}") for name, model in kept.items() for n in model.notes]
    return BestOf(
        first.response,
        first.unit,
        (*notes, *said),
        zones,
        choice,
        kept,
        candidates,
        held,
        f"{params.metric} ({'mean over folds' if params.average == 'folds' else 'pooled'}), "
        f"{ctx.scheme(params.scheme).describe()}",
        params.average,
    )


def _table(params: Params, ctx: Context, fitted: Mapping[str, Fitted]) -> Table:
    """Return the table that all candidates are fitted to."""
    tables = [ctx.trainings[ref.block]() for ref in params.models]
    first = next(iter(fitted.values()))
    for i, (model, table) in enumerate(zip(fitted.values(), tables, strict=True)):
        if (model.response, model.unit) != (first.response, first.unit):
            ways = [f"`{m.response}`{f' in {m.unit}' if m.unit else ''}" for m in (first, model)]
            message = f"`{params.models[0]}` models {ways[0]}, and `{params.models[i]}` {ways[1]}"
            raise ctx.error("SQ669", message, "models", i, help="compare models of one response in one unit")
        if table is not tables[0] and not table.frame.equals(tables[0].frame):
            message = f"`{params.models[0]}` and `{params.models[i]}` are fitted to different tables"
            help = "fit them to one table, so that the same rows are held out"
            raise ctx.error("SQ669", message, "models", i, help=help)
    return tables[0]


def _zones(params: Params, ctx: Context, fitted: Mapping[str, Fitted]) -> Zones | None:
    """Return the partition that is given, or that all candidates share."""
    if params.by is not None:
        return ctx.zones(params.by)
    found: list[Any] = [getattr(model, "zones", None) for model in fitted.values()]
    for name, zones in zip(fitted, found, strict=True):
        if not _same(zones, found[0]):
            message = f"`{params.models[0]}` and `{name}` are fitted by different zones"
            help = "say under `by` in which zones the best is chosen"
            raise ctx.error("SQ669", message, "models", list(fitted).index(name), help=help)
    shared: Zones | None = found[0]
    return shared


def _same(one: Any, other: Any) -> bool:
    """Whether two partitions are the same, or both none."""
    import numpy as np

    if one is None or other is None:
        return one is other
    first, second = one.state(), other.state()
    alike = first.meta == second.meta and set(first.arrays) == set(second.arrays)
    return alike and all(np.array_equal(first.arrays[name], second.arrays[name]) for name in first.arrays)


def _held_out(params: Params, ctx: Context, table: Table, zones: Zones | None, response: str) -> HeldOut:
    """Fit every candidate for every fold and predict the rows held out."""
    import numpy as np

    from soilql.fits.best_of_scores import HeldOut

    columns = table_columns(table)
    folds = np.asarray(ctx.scheme(params.scheme).folds(table))
    labels = [int(fold) for fold in np.unique(folds) if fold >= 0]
    if not labels:
        raise ctx.error("SQ608", f"`{params.scheme}` puts no row in a test fold", "scheme")
    predicted = {str(ref): np.full(folds.size, np.nan) for ref in params.models}
    failures: dict[str, dict[int, str]] = {str(ref): {} for ref in params.models}
    for i, ref in enumerate(params.models):
        for k, fold in enumerate(labels):
            test = np.flatnonzero(folds == fold)
            try:
                model = ctx.refits[ref.block](np.flatnonzero(folds != fold))
            except SoilqlError as error:
                failures[str(ref)][fold] = error.diagnostics[0].message
                continue
            part = {name: values[test] for name, values in columns.items()}
            predicted[str(ref)][test] = model.predict(part)["mean"]
            ctx.progress(i * len(labels) + k + 1, len(labels) * len(params.models))
    at = np.flatnonzero(folds >= 0)
    return HeldOut(
        folds[at].astype(np.int64),
        _codes(params, ctx, zones, columns, folds.size)[at],
        columns[response][at].astype(np.float64),
        {name: values[at] for name, values in predicted.items()},
        failures,
    )


def _codes(
    params: Params, ctx: Context, zones: Zones | None, columns: Mapping[str, np.ndarray[Any, Any]], rows: int
) -> np.ndarray[Any, Any]:
    import numpy as np

    if zones is None:
        return np.zeros(rows, np.int64)
    for name in zones.variables:
        if name not in columns:
            message = f"the zones look at `{name}`, which the table of the candidates does not have"
            raise ctx.error("SQ704", message, "by", help=did_you_mean(name, columns))
    return np.asarray(zones.codes(columns)).astype(np.int64)


def _unfit(fitted: Mapping[str, Fitted], zones: Zones | None) -> dict[tuple[str, str], str]:
    """Return why a candidate has no fit in a zone, where it is fitted by the zones in which the best is chosen."""
    found: dict[tuple[str, str], str] = {}
    for name, model in fitted.items():
        fits, statuses = getattr(model, "fits", None), getattr(model, "statuses", ())
        if fits is None or getattr(model, "fallback", None) is not None:
            continue
        if _same(getattr(model, "zones", None), zones):
            lost = (status for code, status in enumerate(statuses) if code not in fits)
            found |= {(name, status.zone): status.status for status in lost}
    return found


def _notes(
    params: Params,
    candidates: pd.DataFrame,
    chosen: Mapping[str, str],
    labels: Sequence[str],
    held: HeldOut,
    others: str | None,
    helped: Mapping[str, str | None],
) -> Iterator[Note]:
    """Yield what has to be known of the choice: zones without one, ties, fits that failed."""
    for label in labels:
        rows = candidates[candidates["zone"] == label].to_dict("records")
        if label not in chosen:
            why = "; ".join(f"`{row['model']}`: {row['status']}" for row in rows)
            used = f"; `{others}`, the best of all rows, {'is used' if label in helped else 'has no fit there either'}"
            used = used if others else ""
            yield Note("SQ802", f"zone `{label}`: no candidate could be chosen ({why}){used}")
        tied = [f"`{row['model']}`" for row in rows if "ties" in row["status"]]
        if tied:
            yield Note("SQ666", f"zone `{label}`: `{chosen[label]}` ties with {', '.join(tied)}", Severity.INFO)
    folds = len(set(held.fold.tolist()))
    for name, failed in held.failures.items():
        if failed:
            first = next(iter(failed))
            words = f"`{name}`: fit failed in {len(failed)} of {folds} folds, first in fold {first}: {failed[first]}"
            yield Note("SQ801", words)
    lost = int((held.codes < 0).sum())
    if lost:
        where = f"of `{params.by}`" if params.by else "of the candidates"
        yield Note("SQ809", f"{lost} of {held.codes.size} rows held out lie in no zone {where}")


def check(block: Block, scope: Scope) -> Iterator[Diagnostic]:
    """Say which candidates model something else, or are fitted to another table or by other zones."""
    params: Params = block.params
    known = [scope.block(ref.block) for ref in params.models]
    first: dict[str, tuple[str, Any]] = {}  # of each trait that is known: the first model that has it, and what it is
    for i, (ref, model) in enumerate(zip(params.models, known, strict=True)):
        if model is None:
            continue
        traits = {"models": _response(model), "is fitted to": getattr(model.params, "data", None)}
        traits |= {"zones": getattr(model.params, "by", None) or "none"} if params.by is None else {}
        for trait, value in traits.items():
            other, same = first.setdefault(trait, (str(ref), value)) if value else (str(ref), value)
            if value != same:
                yield _unlike(block, i, trait, (other, same), (str(ref), value))
                break


def _unlike(block: Block, i: int, trait: str, one: tuple[str, Any], other: tuple[str, Any]) -> Diagnostic:
    """Return what keeps two candidates from being compared."""
    span = block.span("models", i)
    if trait == "zones":
        message = f"`{one[0]}` and `{other[0]}` are fitted by different zones"
        return Diagnostic("SQ669", message, span, help="say under `by` in which zones the best is chosen")
    message = f"`{one[0]}` {trait} `{one[1]}`, and `{other[0]}` {trait} `{other[1]}`"
    table = "fit them to one table, so that the same rows are held out"
    return Diagnostic("SQ669", message, span, help="compare models of one response" if trait == "models" else table)


def _response(model: Block | None) -> str | None:
    """Return the column that a model is fitted to, where its formula says so."""
    from soilql.expr import ast

    stages = getattr(model and model.params, "stages", None)
    formula = getattr(next(iter(stages.values())) if stages else model and model.params, "formula", None)
    if formula is None or not isinstance(formula.root, ast.Formula):
        return None
    names = ast.names(formula.root.response)
    return names[0] if len(names) == 1 else None


def load(state: State, params: Params) -> BestOf:
    """Return the model whose state was stored."""
    from soilql.fits.best_of_fit import load_best

    return load_best(state)


def describe(params: Params) -> str:
    by = f" in each zone of {params.by}" if params.by else ""
    return f"choose among {', '.join(params.models)}{by} by {params.metric} under {params.scheme}"
