"""What lint says of the quantiles of a model is what the fitted model does."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from soilql import kinds
from soilql.errors import Severity, SoilqlError, Source
from soilql.lint import lint
from soilql.source import parse_yaml
from soilql.spec import build
from soilql.values import Table

from .support import run_kind

#: What each kind needs.
SETTINGS = {
    "best_of": "models: [line, learner]\nscheme: folds",
    "gradient_boosting": "formula: Rs ~ T\ndata: obs\ntrees: 5",
    "linear": "formula: Rs ~ T\ndata: obs",
    "mlp": "formula: Rs ~ T\ndata: obs\nhidden: [2]\nmax_iterations: 5",
    "nonlinear": "formula: Rs ~ a * exp(b * T)\ndata: obs\nparams: [a, b]",
    "quantile_forest": "formula: Rs ~ T\ndata: obs\ntrees: 5",
    "random_forest": "formula: Rs ~ T\ndata: obs\ntrees: 5",
    "staged_selection": "data: obs\n"
    "stages: {one: {formula: Rs ~ a * exp(b * X), params: [a, b], variable: X, candidates: [T]}}",
    "svr": "formula: Rs ~ T\ndata: obs",
}
CASES = [*((kind, "") for kind in SETTINGS), ("gradient_boosting", "\nquantiles: [0.1, 0.5, 0.9]")]


def found_by_lint(kind: str, settings: str) -> list[Severity]:
    """Return how lint judges a map of the 10 % and 90 % quantiles by a model."""
    body = settings.replace("\n", "\n    ")
    text = (
        "soilql: 1\n"
        "datasets:\n  obs: {kind: table, source: obs.csv}\n  grid: {kind: grid, source: T.tif}\n"
        "models:\n  line: {kind: linear, formula: Rs ~ T, data: obs}\n"
        "  learner: {kind: random_forest, formula: Rs ~ T, data: obs}\n"
        f"  tried:\n    kind: {kind}\n    {body}\n"
        "validation:\n  folds: {kind: kfold, folds: 3}\n"
        "analyses:\n  map: {kind: predict, model: tried, on: grid, quantiles: [0.1, 0.9]}\n"
    )
    spec = build(parse_yaml(Source("x.yaml", text)), {})
    assert spec.ok, [one.render() for one in spec.diagnostics]
    return [one.severity for one in lint(spec) if one.code == "SQ804"]


def test_every_kind_of_model_is_tried() -> None:
    assert set(SETTINGS) == set(kinds.names("models"))


@pytest.mark.parametrize(("kind", "more"), CASES)
def test_lint_says_what_the_fitted_model_does(kind: str, more: str) -> None:
    found = found_by_lint(kind, SETTINGS[kind] + more)
    if kind == "best_of":  # its second candidate has none, and which is taken is known after the fits
        assert found == [Severity.WARNING]
        return
    warmth = np.linspace(0, 30, 40)
    rows = pd.DataFrame({"T": warmth, "Rs": 400 * np.exp(0.05 * warmth) + 20 * np.sin(warmth)})
    model = run_kind("models", kind, SETTINGS[kind] + more, {"obs": Table(rows)})
    refused = False
    try:
        model.predict({"T": warmth}, quantiles=(0.1, 0.9))
    except SoilqlError as error:
        assert error.diagnostics[0].code == "SQ804"
        refused = True
    assert found == [Severity.ERROR] * refused
