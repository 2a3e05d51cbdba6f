"""Scores of several models on rows held out, zone by zone, and which is the best."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from soilql.stats import metrics
from soilql.stats.selection import choose

Floats = NDArray[np.float64]

#: Measures that are best when they are small.
ERRORS = ("RMSE", "MAE")


@dataclass(frozen=True)
class Rules:
    """How candidates are compared.

    Attributes
    ----------
    metric : str
        ``RMSE``, ``MAE``, ``R2`` or ``r2``.
    then : tuple of str
        Measures that decide between equals, in this order; at last the order of the models.
    average : str
        ``pooled`` over all rows held out, or ``folds``, the mean of the values of single folds.
    common : bool
        Whether the candidates of a zone are compared on the rows that all of them predict.
    min_share : float
        Least share of the rows which any candidate predicts that a candidate must predict itself.
    """

    metric: str
    then: tuple[str, ...]
    average: str
    common: bool
    min_share: float


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Rows that were held out, and what each candidate predicts of them.

    Attributes
    ----------
    fold : numpy.ndarray of int, shape (n,)
        Fold in which each row was held out.
    codes : numpy.ndarray of int, shape (n,)
        Its zone, -1 for none.
    observed : numpy.ndarray, shape (n,)
        Response.
    predicted : mapping of str to numpy.ndarray, each of shape (n,)
        Prediction by each candidate, NaN where there is none.
    failures : mapping of str to mapping of int to str
        Why the fit of a candidate failed, by fold.
    """

    fold: NDArray[np.int64]
    codes: NDArray[np.int64]
    observed: Floats
    predicted: Mapping[str, Floats]
    failures: Mapping[str, Mapping[int, str]]


def compare(held: HeldOut, labels: Sequence[str], unfit: Mapping[tuple[str, str], str], rules: Rules) -> pd.DataFrame:
    """Score every candidate in every zone and mark the best.

    Parameters
    ----------
    held : HeldOut
        Predictions of rows held out.
    labels : sequence of str
        Zones.
    unfit : mapping of (str, str) to str
        Why a candidate has no fit in a zone, by model and zone.
    rules : Rules
        How they are compared.

    Returns
    -------
    pandas.DataFrame
        One row a zone and candidate: ``zone``, ``model``, ``n`` (rows behind the scores), ``n_missing`` (rows of the
        zone that it does not predict), ``folds_failed``, the measures pooled and as means over folds, ``chosen`` and
        ``status``.
    """
    rows: list[dict[str, Any]] = []
    for code, label in enumerate(labels):
        inside = np.flatnonzero((held.codes == code) & np.isfinite(held.observed))
        rows += _of_zone(held, inside, label, unfit, rules)
    return pd.DataFrame(rows)


def _of_zone(
    held: HeldOut, inside: NDArray[np.intp], label: str, unfit: Mapping[tuple[str, str], str], rules: Rules
) -> list[dict[str, Any]]:
    seen = {name: np.isfinite(values[inside]) for name, values in held.predicted.items()}
    most = max((int(found.sum()) for found in seen.values()), default=0)
    status = {name: _why_not(held, name, label, found, most, unfit, rules) for name, found in seen.items()}
    able = [name for name, words in status.items() if not words]
    shared = np.logical_and.reduce([seen[name] for name in able]) if able else np.zeros(inside.size, bool)
    if able and rules.common and not shared.any():
        status |= dict.fromkeys(able, "no row that all candidates predict")
        able = []
    rows = []
    for name, found in seen.items():
        at = inside[(shared if rules.common and name in able else found)]
        scores = _scores(held.observed[at], held.predicted[name][at], held.fold[at])
        head = {"zone": label, "model": name, "n": at.size, "n_missing": int(inside.size - found.sum())}
        rows.append(
            {**head, "folds_failed": len(held.failures[name]), **scores, "chosen": False, "status": status[name]}
        )
    _mark(rows, rules)
    return rows


def _why_not(
    held: HeldOut,
    name: str,
    label: str,
    found: NDArray[np.bool_],
    most: int,
    unfit: Mapping[tuple[str, str], str],
    rules: Rules,
) -> str:
    """Return why a candidate cannot be chosen in a zone, or nothing."""
    if (name, label) in unfit:
        return unfit[name, label]
    count, needed = int(found.sum()), max(1, math.ceil(rules.min_share * most))
    if count >= needed:
        return ""
    words = f"predicts {count} of {found.size} rows held out, {needed} needed" if found.size else "no row held out"
    failed = held.failures[name]
    return words + (f" (fit failed in fold {next(iter(failed))}: {next(iter(failed.values()))})" if failed else "")


def _scores(observed: Floats, predicted: Floats, folds: NDArray[np.int64]) -> dict[str, float]:
    measures = {"RMSE": metrics.rmse, "R2": metrics.r2, "r2": metrics.squared_correlation, "MAE": metrics.mae}
    if observed.size == 0:
        return dict.fromkeys([*measures, "bias", *(f"{name}_fold_mean" for name in measures)], math.nan)
    pooled = {name: measure(observed, predicted) for name, measure in measures.items()}
    each = [folds == fold for fold in np.unique(folds)]
    by_fold = {name: [measure(observed[k], predicted[k]) for k in each] for name, measure in measures.items()}
    means = {f"{name}_fold_mean": _mean(values) for name, values in by_fold.items()}
    return {**pooled, "bias": metrics.bias(observed, predicted), **means}


def _mean(values: Sequence[float]) -> float:
    """Return the mean over the folds in which a measure is defined."""
    defined = [value for value in values if value == value]
    return math.fsum(defined) / len(defined) if defined else math.nan


def _column(metric: str, rules: Rules) -> str:
    return metric if rules.average == "pooled" else f"{metric}_fold_mean"


def _mark(rows: list[dict[str, Any]], rules: Rules) -> None:
    """Mark the best of a zone, and say of the others why they are not it."""
    column = _column(rules.metric, rules)
    for row in rows:
        if not row["status"] and row[column] != row[column]:
            row["status"] = f"{column} is not defined"
    able = [row for row in rows if not row["status"]]
    if not able:
        return
    ranked = [_ranked([row[_column(name, rules)] for row in able], name) for name in (rules.metric, *rules.then)]
    found = choose(ranked[0], ranked[1:])
    for k, row in enumerate(able):
        row["chosen"] = k == found.best
        row["status"] = "chosen" if row["chosen"] else "scored"
        if k in found.tied:
            row["status"] += f", ties in {column}"


def _ranked(values: Sequence[float], metric: str) -> Floats:
    """Return a measure so that larger is better; last where it is not defined."""
    signed = np.array(values) * (-1.0 if metric in ERRORS else 1.0)
    lowest = signed[np.isfinite(signed)].min(initial=0.0)
    return np.where(np.isfinite(signed), signed, lowest - 1.0)
