"""Neural networks kept as plain arrays of weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.neural_network import MLPRegressor
from threadpoolctl import threadpool_limits

from soilql.errors import SoilqlError
from soilql.values import Fitted
from tests.models.diabetes import COLUMNS, ORDER, SITES, X, Y, fitted, in_parts, reloaded, seen, standard


def of_sklearn(**options: Any) -> Any:
    """Return what scikit-learn predicts for the same rows in standard units."""
    defaults = {
        "hidden_layer_sizes": (10,), "activation": "tanh", "solver": "lbfgs", "alpha": 0.01, "max_iter": 1000,
        "random_state": 1,
    }  # fmt: skip
    model = MLPRegressor(**{**defaults, **options})
    with threadpool_limits(1):
        # An iteration makes the last digit of a mean the first of its result: the rows come in the learner's order.
        x, y = X[ORDER], Y[ORDER]
        model.fit(seen(standard(x, x)), seen((y - y.mean()) / y.std()))
    return model.predict(standard(X, x)) * y.std() + y.mean()


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("", {}),
        ("hidden: [8, 4]\nactivation: logistic\ndecay: 1\nseed: 7\n",
         {"hidden_layer_sizes": (8, 4), "activation": "logistic", "alpha": 1, "random_state": 7}),
        ("hidden: 1\n", {"hidden_layer_sizes": (1,)}),
        ("training: adam\nactivation: relu\nlearning_rate: 0.01\nbatch: 50\nmax_iterations: 60\n",
         {"solver": "adam", "activation": "relu", "learning_rate_init": 0.01, "batch_size": 50, "max_iter": 60}),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_predictions_are_those_of_sklearn(text: str, options: dict[str, Any]) -> None:
    model = fitted("mlp", text)
    assert isinstance(model, Fitted)
    got = model.predict(COLUMNS)["mean"]
    np.testing.assert_allclose(got, of_sklearn(**options), rtol=1e-10)
    np.testing.assert_array_equal(reloaded("mlp", model).predict(COLUMNS)["mean"], got)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_several_networks_are_averaged() -> None:
    model = fitted("mlp", "networks: 3\nhidden: 4\nseed: 5\n")
    each = [of_sklearn(hidden_layer_sizes=(4,), random_state=seed) for seed in (5, 6, 7)]
    np.testing.assert_allclose(model.predict(COLUMNS)["mean"], np.mean(each, axis=0), rtol=1e-10)


def test_decay_is_that_of_nnet() -> None:
    # nnet minimises the sum of squares plus decay times the sum of squared weights; at its optimum the gradient with
    # respect to a weight of the last layer vanishes: sum of residual x activation = decay x weight.
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=200)})
    frame["Rs"] = np.sin(2 * frame["x"]) + 0.1 * rng.normal(size=200)
    text = "hidden: 3\ndecay: 0.5\ntolerance: 1e-9\nmax_iterations: 20000\n"
    model = fitted("mlp", text, frame, "formula: Rs ~ x\ndata: t\n").fits[0].model
    (first, last), (bias, end) = model.networks[0]
    x = standard(frame[["x"]].to_numpy(), frame[["x"]].to_numpy())
    y = (frame["Rs"].to_numpy() - model.center) / model.scale
    hidden = np.tanh(x @ first + bias)
    residual = y - (hidden @ last + end)[:, 0]
    np.testing.assert_allclose(hidden.T @ residual, 0.5 * last[:, 0], atol=0.02)


def test_order_of_rows_blocks_and_threads_change_nothing() -> None:
    text = "hidden: [4, 3]\nmax_iterations: 50\n"
    model = fitted("mlp", text, SITES)
    ask: dict[str, Any] = {"members": 3, "seed": 5}
    expected = model.predict(COLUMNS, **ask)
    shuffled = SITES.sample(frac=1, random_state=3).reset_index(drop=True)
    for name, values in expected.items():
        np.testing.assert_array_equal(fitted("mlp", text, shuffled).predict(COLUMNS, **ask)[name], values)
        np.testing.assert_array_equal(in_parts(model, COLUMNS, 53, **ask)[name], values)
        np.testing.assert_array_equal(reloaded("mlp", model).predict(COLUMNS, **ask)[name], values)
        for threads in (1, 2):
            with threadpool_limits(threads):
                np.testing.assert_array_equal(fitted("mlp", text, SITES).predict(COLUMNS, **ask)[name], values)


def test_units_of_rows_and_drivers_change_nothing() -> None:
    # 1e-8 is no power of two: the standardised numbers differ in their last digit, which training must not see.
    text = "hidden: [4, 3]\n"
    ask: dict[str, Any] = {"members": 3, "seed": 5}
    expected = fitted("mlp", text, SITES).predict(COLUMNS, **ask)
    small = SITES.assign(Rs=SITES["Rs"] * 1e-8, bmi=SITES["bmi"] * 1e-8)
    got = fitted("mlp", text, small).predict({**COLUMNS, "bmi": COLUMNS["bmi"] * 1e-8}, **ask)
    for name, values in expected.items():
        np.testing.assert_allclose(got[name] * 1e8, values, rtol=1e-12)


def test_members_start_from_weights_of_their_own() -> None:
    # Sites drawn anew and first weights drawn anew: members differ from one another everywhere.
    members = fitted("mlp", "hidden: 3\n", SITES).predict(COLUMNS, members=4, seed=1)["members"]
    assert (members.std(axis=0) > 0).all()


def test_a_fit_that_does_not_converge_says_so() -> None:
    one = fitted("mlp", "max_iterations: 3\n")
    several = fitted("mlp", "max_iterations: 3\nnetworks: 2\n")
    said = [(note.code, note.message) for model in (one, several) for note in model.notes]
    assert said == [
        ("SQ803", "the network had not converged after 3 iterations"),
        ("SQ803", "2 of 2 networks had not converged after 3 iterations"),
    ]
    assert "10 hidden tanh neurons, lbfgs, decay 0.01" in one.report()


@pytest.mark.parametrize(("text", "place"), [("hidden: []\n", "[]"), ("hidden: [5, 0]\n", "0"), ("decay: -1\n", "-1")])
def test_parameters_that_cannot_be(text: str, place: str) -> None:
    with pytest.raises(SoilqlError) as error:
        fitted("mlp", text)
    span = error.value.diagnostics[0].span
    assert span is not None
    assert span.text == place
