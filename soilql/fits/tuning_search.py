"""The search for the best hyperparameters of one zone: every candidate tried by the same folds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from soilql.errors import Diagnostic, SoilqlError
from soilql.fits.learner_data import Floats, Training
from soilql.fits.tuning import Axis, Tune, candidates
from soilql.stats import metrics
from soilql.stats.folds import grouped_kfold, kfold
from soilql.values import Note

#: Scores that differ by less than this share are equal.
_TIE = 1e-9
#: A value this close to the end of a range, as a share of it, lies at its edge.
_EDGE = 0.05
_METRICS = ("RMSE", "R2", "MAE")

Predictor = Callable[[Floats], Floats]
Try = Callable[[Mapping[str, Any], Training], tuple[Predictor, Sequence[str]]]


@dataclass(frozen=True)
class Search:
    """What a search found.

    Attributes
    ----------
    chosen : dict
        Best value of each parameter; empty where nothing could be tried.
    candidates : list of dict
        All combinations that could be fitted, among which members are drawn.
    trials : list of dict
        A row for each combination: its values, mean and standard deviation over folds of each metric, `folds`
        (predicted), `status` and `chosen`.
    said : list of (code, text)
        What there is to note.
    """

    chosen: dict[str, Any]
    candidates: list[dict[str, Any]]
    trials: list[dict[str, Any]]
    said: list[tuple[str, str]] = field(default_factory=list)

    @property
    def notes(self) -> tuple[Note, ...]:
        """What there is to note."""
        return tuple(Note(code, text) for code, text in self.said)

    @property
    def score(self) -> dict[str, float]:
        """Scores of the best, such as ``tuned RMSE``."""
        best = next((row for row in self.trials if row["chosen"]), None)
        return {} if best is None else {f"tuned {name}": best[name] for name in _METRICS}

    def to_json(self) -> dict[str, Any]:
        """Return the search as JSON, in which what is not a number is null."""
        trials = [{name: None if value != value else value for name, value in row.items()} for row in self.trials]
        return {**asdict(self), "trials": trials}


def from_json(stored: Mapping[str, Any] | None) -> Search | None:
    """Return the search that was stored."""
    if stored is None:
        return None
    trials = [{n: np.nan if value is None else value for n, value in row.items()} for row in stored["trials"]]
    said = [(code, text) for code, text in stored["said"]]
    return Search(dict(stored["chosen"]), list(stored["candidates"]), trials, said)


def search(tune: Tune, axes: Sequence[Axis], data: Training, attempt: Try) -> Search:
    """Try every candidate by the same folds and choose the best.

    A candidate's score is the mean over folds, each fold counting the same. Between candidates whose scores are equal
    to 1e-9 the second metric decides, then the order in which they are listed.

    Parameters
    ----------
    tune : Tune
        Folds and metric.
    axes : sequence of Axis
        What is searched.
    data : Training
        Rows of the zone; `groups` stay in one fold.
    attempt : callable
        ``attempt(candidate, rows)`` returns a function that predicts, and what is to be said of its convergence.

    Raises
    ------
    SoilqlError
        No candidate could be fitted (SQ801).
    """
    combinations = candidates(axes, tune)
    folds, said = _folds(tune, data)
    if folds is None:
        return Search({}, combinations, [], said)
    trials = [_trial(number, one, data, folds, attempt) for number, one in enumerate(combinations, start=1)]
    fine = [i for i, row in enumerate(trials) if np.isfinite(row["RMSE"])]
    if not fine:
        raise SoilqlError(Diagnostic("SQ801", f"no candidate of `tune` could be fitted: {trials[0]['status']}"))
    best = _best(tune, [trials[i] for i in fine], fine)
    trials[best]["chosen"] = True
    chosen = combinations[best]
    said += [("SQ654", text) for axis in axes if (text := _at_edge(axis, chosen[axis.name]))]
    return Search(chosen, [combinations[i] for i in fine], trials, said)


def _folds(tune: Tune, data: Training) -> tuple[NDArray[Any] | None, list[tuple[str, str]]]:
    """Return the fold of each row, as many folds as there are groups at most; None where there is one group."""
    groups = data.groups
    most, what = (data.count, "rows") if groups is None else (int(np.unique(groups).size), "groups")
    if most < 2:
        words = f"not tuned: all {data.count} rows are of one group, and the values of the block itself are used"
        return None, [("SQ651", words)]
    said = []
    k = min(tune.folds, most)
    if k < tune.folds:
        said.append(("SQ651", f"tuned by {k} folds instead of {tune.folds}: there are {most} {what}"))
    folds = kfold(data.count, k, tune.seed) if groups is None else grouped_kfold(groups, k, tune.seed)
    return folds, said


def _trial(
    number: int, candidate: Mapping[str, Any], data: Training, folds: NDArray[Any], attempt: Try
) -> dict[str, Any]:
    scores: dict[str, list[float]] = {name: [] for name in _METRICS}
    failed, unfinished = "", 0
    for fold in range(int(folds.max()) + 1):
        out = folds == fold
        try:
            predict, said = attempt(candidate, data.rows(np.flatnonzero(~out)))
            predicted = predict(data.X[out])
        except (SoilqlError, ValueError) as error:
            failed = str(error).partition("\n")[0]
            break
        if not np.isfinite(predicted).all():
            failed = "predictions without end: the fit diverged"
            break
        unfinished += bool(said)
        observed = data.y[out]
        scores["RMSE"].append(metrics.rmse(observed, predicted))
        scores["MAE"].append(metrics.mae(observed, predicted))
        scores["R2"].append(metrics.r2(observed, predicted) if np.ptp(observed) > 0 else np.nan)
    row: dict[str, Any] = {"trial": number, **candidate}
    row = {name: str(value) if isinstance(value, list) else value for name, value in row.items()}
    for name, values in scores.items():
        known = [value for value in values if np.isfinite(value)] if not failed else []
        row[name] = float(np.mean(known)) if known else np.nan
        row[f"{name}_sd"] = float(np.std(known, ddof=1)) if len(known) > 1 else np.nan
    row["folds"] = len(scores["RMSE"])
    row["status"] = failed or (f"not converged in {unfinished} folds" if unfinished else "fitted")
    return {**row, "chosen": False}


def _best(tune: Tune, rows: Sequence[Mapping[str, Any]], positions: Sequence[int]) -> int:
    """Return the position of the best row."""
    left = list(range(len(rows)))
    for metric in (tune.metric, tune.second):
        # R2 has no value where each fold holds one value; then the other metric decides.
        losses = np.array([-rows[i][metric] if metric == "R2" else rows[i][metric] for i in left])
        if np.isfinite(losses).any():
            least = float(np.nanmin(losses))
            left = [i for i, loss in zip(left, losses, strict=True) if loss <= least + _TIE * abs(least)]
    return positions[left[0]]


def _at_edge(axis: Axis, value: Any) -> str:
    """Return a note where the best value is the least or greatest tried, and could be exceeded."""
    if isinstance(value, bool | str | list):
        return ""
    if axis.values:
        numbers = sorted({v for v in axis.values if not isinstance(v, bool | str | list)})
        ends = (numbers[0], numbers[-1]) if len(numbers) > 2 else (None, None)
        low, high = value == ends[0], value == ends[1]
    else:
        assert axis.range is not None
        low, high = value <= axis.range.at(_EDGE), value >= axis.range.at(1 - _EDGE)
    if (low and value != axis.least) or (high and value != axis.most):
        side = "least" if low else "greatest"
        return f"the best `{axis.name}`, {value:g}, is the {side} that was tried: the optimum may lie beyond"
    return ""
