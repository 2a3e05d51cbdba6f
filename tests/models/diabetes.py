"""The diabetes data of scikit-learn as a table of sites, and models fitted to them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.datasets import load_diabetes

from soilql import kinds
from soilql.values import State, Table
from tests.support import run_kind

X, Y = load_diabetes(return_X_y=True)
NAMES = ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")
FRAME = pd.DataFrame(X, columns=list(NAMES)).assign(Rs=Y)
#: The same with 60 made-up sites of seven or eight rows.
SITES = FRAME.assign(place=[f"s{i % 60}" for i in range(len(Y))])
COLUMNS = {name: X[:, k] for k, name in enumerate(NAMES)}
FORMULA = f"formula: Rs ~ {' + '.join(NAMES)}\ndata: t\n"
#: The order in which learners see the rows, whatever that of the table is.
ORDER = np.lexsort([Y, *X.T[::-1]])


def standard(features: NDArray[Any], like: NDArray[Any] = X) -> NDArray[Any]:
    """Return features in the standard units of others."""
    return np.asarray((features - like.mean(axis=0)) / like.std(axis=0))


def seen(values: NDArray[Any]) -> NDArray[Any]:
    """Return numbers in standard units as an iterative fit sees them, to the eighth decimal."""
    return np.round(values, 8)


def fitted(kind: str, text: str = "", frame: pd.DataFrame = FRAME, head: str = FORMULA, **more: Any) -> Any:
    """Return a model of some kind, fitted to a table."""
    roles = {"site": "place"} if "place" in frame else {}
    inputs = {"t": Table(frame, {"Rs": "g C m-2 yr-1"}, roles), **more.pop("inputs", {})}
    return run_kind("models", kind, head + text, inputs, **more)


def reloaded(kind: str, model: Any) -> Any:
    """Return a model after it was stored as JSON and plain arrays."""
    state = model.state()
    assert all(not np.asarray(array).dtype.hasobject for array in state.arrays.values())
    found = kinds.find("models", kind)
    assert found is not None
    return found.load(State(json.loads(json.dumps(state.meta)), dict(state.arrays)), None)


def in_parts(model: Any, columns: Mapping[str, NDArray[Any]], size: int, **ask: Any) -> dict[str, NDArray[Any]]:
    """Return the predictions of a model that is given some points at a time."""
    n = len(next(iter(columns.values())))
    parts = [model.predict({k: v[i : i + size] for k, v in columns.items()}, **ask) for i in range(0, n, size)]
    return {name: np.concatenate([part[name] for part in parts], axis=-1) for name in parts[0]}


def out_of_fold(fit: Callable[[NDArray[Any]], Callable[[NDArray[Any]], NDArray[Any]]], folds: NDArray[Any]) -> float:
    """Return the pooled R2 of predictions of rows held out."""
    predicted = np.empty(len(Y))
    for fold in np.unique(folds):
        predicted[folds == fold] = fit(np.flatnonzero(folds != fold))(np.flatnonzero(folds == fold))
    return float(1 - np.sum((Y - predicted) ** 2) / np.sum((Y - Y.mean()) ** 2))
