"""Select the drivers of a zone stage by stage, and fit the model of the last one (Huang et al. 2020)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from soilql.errors import Diagnostic, Severity, SoilqlError
from soilql.fits.fitting import UnfittedError
from soilql.fits.nonlinear_fit import fit_zone, predicted, search
from soilql.fits.nonlinear_settings import Settings
from soilql.fits.selection_plan import GROUP, SelectedFit, Selection, Stage
from soilql.fits.training import missing
from soilql.stats import metrics
from soilql.stats.folds import grouped_kfold, kfold
from soilql.stats.nonlinear import NonlinearFit
from soilql.stats.selection import choose, phi
from soilql.values import Note

Floats = NDArray[np.float64]
Columns = Mapping[str, NDArray[Any]]

_FITTED = "fitted"


@dataclass
class _Trial:
    """One candidate of a stage."""

    candidate: str
    n: int = 0
    scores: dict[str, float] = field(default_factory=dict)
    folds: int = 0
    status: str = "not tried"
    fit: NonlinearFit | None = None
    chosen: bool = False

    def row(self, stage: Stage, rules: Selection) -> dict[str, Any]:
        """Return the candidate as a row of the table of the path."""
        shown = {name: self.scores.get(name, math.nan) for name in dict.fromkeys(["RMSE", "R2", rules.metric])}
        folds = {"folds": self.folds} if rules.folds else {}
        head = {"stage": stage.name, "variable": stage.variable, "candidate": self.candidate, "n": self.n}
        return {**head, **folds, **shown, "chosen": self.chosen, "status": self.status}


@dataclass
class _Path:
    """How far the selection of a zone has come."""

    columns: dict[str, str] = field(default_factory=dict)  # of placeholders
    chosen: dict[str, str] = field(default_factory=dict)  # by stage
    estimates: dict[str, float] = field(default_factory=dict)
    last: Stage | None = None
    fit: NonlinearFit | None = None  # of the last stage
    held: dict[str, float] = field(default_factory=dict)  # estimates that the last stage kept
    rows: list[dict[str, Any]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)


def select_zone(columns: Columns, rules: Selection, zone: str) -> SelectedFit:
    """Select the drivers of one zone and fit the model that they make.

    Parameters
    ----------
    columns : mapping of str to array, each of shape (n,)
        The response, complete; all other columns that a stage may need, NaN where missing; :data:`GROUP` where
        candidates are scored by folds of groups.
    rules : Selection
        What is selected and how.
    zone : str
        Name of the zone.

    Raises
    ------
    UnfittedError
        No stage could be fitted (SQ801), with the table of the path.
    """
    path = _Path()
    kept = None if rules.keep is None else rules.keep(zone)
    for stage in rules.stages:
        if rules.keep is not None and stage.name not in (kept or {}):
            continue
        trials = [_Trial(name) for name in ([kept[stage.name]] if kept else stage.candidates)]
        failure = _run_stage(stage, trials, path, columns, rules, kept is not None)
        path.rows += [trial.row(stage, rules) for trial in trials]
        if failure:
            path.lines.append(f"  {stage.name}: nothing selected: {failure}")
            words = f"stage `{stage.name}` selects nothing: {failure}"
            path.notes.append(Note("SQ665", words))
    tables = {"path": path.rows}
    if path.last is None:
        words = "; ".join(f"{row['candidate']}: {row['status']}" for row in path.rows) or "nothing was selected before"
        raise UnfittedError(Diagnostic("SQ801", f"no stage could be fitted ({words})"), tables)
    if kept is not None:
        path.notes.append(
            Note("SQ667", "the selection made on all rows is kept: scores of rows held out are optimistic")
        )
    settings = rules.settings(path.last, path.held, path.columns)
    complete = _complete(columns, settings.drivers)
    # On common rows the candidate was fitted to fewer than it has.
    known = path.fit if path.fit is not None and path.fit.n == int(complete.sum()) else None
    model = fit_zone({name: values[complete] for name, values in columns.items()}, settings, known)
    head = [f"Selection by {_words(rules)}:", *path.lines, *_held_lines(path)]
    return SelectedFit(model, path.chosen, path.last.name, tuple(head), tuple(path.notes), tables)


def _run_stage(
    stage: Stage, trials: Sequence[_Trial], path: _Path, columns: Columns, rules: Selection, given: bool
) -> str:
    """Try the candidates of a stage and go on with the best; returns why none was selected, or nothing."""
    absent = [other.name for other in rules.stages if other.variable in stage.drivers and other is not stage]
    absent = [name for name in absent if name not in path.chosen]
    if absent:
        return f"its formula needs the variable of stage `{absent[0]}`"
    settings = rules.settings(stage, path.estimates)
    held = stage.held(path.estimates)
    actual = {name: path.columns.get(name, name) for name in settings.drivers if name != stage.variable}
    named = {name: columns[column] for name, column in actual.items()}
    shared = _complete(columns, list(actual.values()))
    if rules.common:
        shared &= _complete(columns, [trial.candidate for trial in trials])
    for trial in trials:
        kept = shared & _complete(columns, [trial.candidate])
        part = {**named, stage.variable: columns[trial.candidate], rules.response.name: columns[rules.response.name]}
        part |= {GROUP: columns[GROUP]} if GROUP in columns else {}
        _try(trial, {name: values[kept] for name, values in part.items()}, settings, rules, rules.needed(stage))
    competing = [trial for trial in trials if trial.status == _FITTED]
    if not competing:
        return "; ".join(f"`{trial.candidate}`: {trial.status}" for trial in trials)
    try:
        best, tied = (competing[0], []) if given else _best(competing, rules)
    except SoilqlError as error:
        reason = error.diagnostics[0].message
        for trial in competing:
            trial.status = f"fitted, not scored: {reason}"
        return reason
    best.chosen = True
    _go_on(path, stage, best, held)
    path.lines.append(_line(stage, best, competing, rules))
    if tied:
        also = ", ".join(f"`{trial.candidate}`" for trial in tied)
        words = f"stage `{stage.name}`: `{best.candidate}` ties with {also}; taken by {_TIES}"
        path.notes.append(Note("SQ666", words, Severity.INFO))
        for trial in tied:
            trial.status = f"fitted, ties with `{best.candidate}`"
    return ""


#: The rule for ties, in the order in which it is applied.
_TIES = "more rows, then smaller RMSE, then larger R2, then the order of the candidates"


def _go_on(path: _Path, stage: Stage, best: _Trial, held: dict[str, float]) -> None:
    assert best.fit is not None
    path.columns[stage.variable] = best.candidate
    path.chosen[stage.name] = best.candidate
    path.estimates |= dict(zip(best.fit.names, best.fit.estimates.tolist(), strict=True))
    path.last, path.fit, path.held = stage, best.fit, held


def _best(competing: Sequence[_Trial], rules: Selection) -> tuple[_Trial, list[_Trial]]:
    """Return the best candidate and those that score as well."""
    rmse, r2, n = ([trial.scores[name] for trial in competing] for name in ("RMSE", "R2", "n"))
    if rules.metric == "phi":
        score = phi(rmse, r2, n, rules.weights)
        for trial, value in zip(competing, score, strict=True):
            trial.scores["phi"] = float(value)
    else:
        sign = 1.0 if rules.metric == "R2" else -1.0
        score = np.array([sign * trial.scores[rules.metric] for trial in competing])
    found = choose(score, [n, np.negative(rmse), r2])
    return competing[found.best], [competing[k] for k in found.tied]


def _try(trial: _Trial, columns: Columns, settings: Settings, rules: Selection, needed: int) -> None:
    """Fit and score one candidate, or say in its status why not."""
    y = np.asarray(columns[settings.response.name], dtype=np.float64)
    trial.n = y.size
    if y.size < needed:
        trial.status = f"{y.size} complete row{'' if y.size == 1 else 's'}, {needed} needed"
        return
    try:
        trial.fit = search(columns, settings)
        if rules.folds:
            guess, trial.folds = _out_of_fold(columns, settings, trial.fit, rules)
        else:
            guess = predicted(trial.fit, settings, columns)
    except SoilqlError as error:
        trial.status = error.diagnostics[0].message
        return
    if not np.isfinite(guess).all():
        trial.status = f"the model has no value for {int(np.count_nonzero(~np.isfinite(guess)))} rows"
        return
    explained = metrics.r2(y, guess)
    if explained != explained:
        trial.status = f"`{settings.response.name}` is {y[0]:g} in all rows"
        return
    k = len(settings.params) + 1  # the variance counts, as in R
    aicc = trial.fit.aic + (2 * k * (k + 1) / (y.size - k - 1) if y.size > k + 1 else math.inf)
    trial.status = _FITTED
    trial.scores = {"n": float(y.size), "RMSE": metrics.rmse(y, guess), "R2": explained, "AICc": aicc}


def _out_of_fold(columns: Columns, settings: Settings, fit: NonlinearFit, rules: Selection) -> tuple[Floats, int]:
    """Return the prediction of each row by a fit to the other folds, and the number of folds."""
    y = np.asarray(columns[settings.response.name], dtype=np.float64)
    # In an order of their own, so that the folds of single rows do not depend on that of the table.
    order = np.lexsort([*(columns[name] for name in settings.drivers), y])
    groups = columns.get(GROUP)
    most = y.size if groups is None else np.unique(groups).size
    count = min(rules.folds, most)
    if count < 2:
        raise SoilqlError(Diagnostic("SQ606", "all rows belong to one group: no fold can be held out"))
    if groups is None:
        codes = np.empty(y.size, np.intp)
        codes[order] = kfold(y.size, count, rules.seed)
    else:
        codes = grouped_kfold(groups, count, rules.seed)
    near = dict(zip(fit.names, fit.estimates.tolist(), strict=True))
    out = np.full(y.size, np.nan)
    for fold in range(count):
        test = codes == fold
        try:
            again = search({name: values[~test] for name, values in columns.items()}, settings, near)
        except SoilqlError as error:
            first = error.diagnostics[0]
            raise SoilqlError(Diagnostic(first.code, f"fold {fold + 1} of {count}: {first.message}")) from None
        out[test] = predicted(again, settings, {name: values[test] for name, values in columns.items()})
    return out, count


def _complete(columns: Columns, names: Sequence[str]) -> NDArray[np.bool_]:
    size = len(next(iter(columns.values())))
    gaps = [missing(columns[name]) for name in names]
    found: NDArray[np.bool_] = ~np.logical_or.reduce(gaps) if gaps else np.ones(size, dtype=bool)
    return found


def _words(rules: Selection) -> str:
    """Return in words how candidates are scored."""
    how = f"cross-validated in {rules.folds} folds" if rules.folds else "on the rows they are fitted to"
    weights = f" (weights {', '.join(f'{w:g}' for w in rules.weights)})" if rules.metric == "phi" else ""
    return f"{rules.metric}{weights}, candidates scored {how}{', on common rows' if rules.common else ''}"


def _line(stage: Stage, best: _Trial, competing: Sequence[_Trial], rules: Selection) -> str:
    """Return the outcome of a stage as a line of the report."""
    names = dict.fromkeys(["RMSE", "R2", rules.metric])
    scores = ", ".join(f"{name} {best.scores[name]:.4g}" for name in names if name in best.scores)
    others = f", {len(competing)} of {len(stage.candidates)} candidates scored" if len(stage.candidates) > 1 else ""
    return f"  {stage.name}: {stage.variable} = {best.candidate} (n {best.n}, {scores}{others})"


def _held_lines(path: _Path) -> list[str]:
    values = ", ".join(f"{name} = {value:.6g}" for name, value in path.held.items())
    return [f"  held at the estimates of earlier stages: {values}"] if values else []
