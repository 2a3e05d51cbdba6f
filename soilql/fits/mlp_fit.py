"""Multilayer perceptrons: trained by scikit-learn, kept as plain arrays of weights, predicted from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from soilql.fits.learner_data import Floats, Scaling, Training, scaling_of, spread_of, steadily, steady
from soilql.kernels.learners import network_output
from soilql.values import State


@dataclass(frozen=True)
class MlpSettings:
    """Hyperparameters, as the parameters of the kind `mlp` say."""

    hidden: int | list[int] = 10
    activation: str = "tanh"
    training: str = "lbfgs"
    decay: float = 0.01
    learning_rate: float = 0.001
    batch: int = 200
    max_iterations: int = 1000
    tolerance: float = 1e-4
    networks: int = 1
    standardize: bool = True
    seed: int = 1

    @property
    def sizes(self) -> tuple[int, ...]:
        """Neurons of each hidden layer."""
        return (self.hidden,) if isinstance(self.hidden, int) else tuple(self.hidden)

    def words(self) -> str:
        """Return the hyperparameters that have a part in the fit."""
        step = "" if self.training == "lbfgs" else f", learning_rate {self.learning_rate:g}, batch {self.batch}"
        several = "" if self.networks == 1 else f", {self.networks} networks"
        plain = "" if self.standardize else ", features as they are"
        layers = "-".join(map(str, self.sizes))
        return f"{layers} hidden {self.activation} neurons, {self.training}{step}, decay {self.decay:g}{several}{plain}"

    def fit(self, data: Training, like: MlpModel | None = None) -> MlpModel:
        """Train the networks, each from weights of its own.

        Parameters
        ----------
        data : Training
            Rows.
        like : MlpModel, optional
            Fit whose scaling of the features is taken over.
        """
        scaling = scaling_of(data, self.standardize) if like is None else like.scaling
        center, scale = spread_of(data.y)
        X, y = scaling.apply_steadily(data.X), steady((data.y - center) / scale)
        networks, iterations, unfinished = [], [], 0
        for i in range(self.networks):
            estimator = self._estimator((self.seed + i) % 2**32, data.count)
            with steadily() as said:
                estimator.fit(X, y)
            unfinished += bool(said)
            iterations.append(int(estimator.n_iter_))
            networks.append((tuple(estimator.coefs_), tuple(estimator.intercepts_)))
        notes: tuple[str, ...] = ()
        if unfinished:
            which = "the network" if self.networks == 1 else f"{unfinished} of {self.networks} networks"
            notes = (f"{which} had not converged after {self.max_iterations} iterations",)
        return MlpModel(scaling, self.activation, tuple(networks), center, scale, float(np.mean(iterations)), notes)

    def _estimator(self, seed: int, rows: int) -> Any:
        from sklearn.neural_network import MLPRegressor

        network: Any = MLPRegressor  # without type hints
        return network(
            hidden_layer_sizes=self.sizes,
            activation=self.activation,
            solver=self.training,
            alpha=self.decay,
            learning_rate_init=self.learning_rate,
            batch_size=min(self.batch, rows),
            max_iter=self.max_iterations,
            max_fun=max(15_000, 2 * self.max_iterations),
            tol=self.tolerance,
            random_state=seed,
        )


Network = tuple[tuple[Floats, ...], tuple[Floats, ...]]


@dataclass(frozen=True, eq=False)
class MlpModel:
    """Trained networks, whose predictions are averaged.

    Attributes
    ----------
    scaling : Scaling
        Of the features.
    activation : str
        ``tanh``, ``relu`` or ``logistic``.
    networks : tuple of (weights, biases)
        Each with one array a layer.
    center, scale : float
        Mean and standard deviation of the response.
    iterations : float
        Mean over networks.
    notes : tuple of str
        Convergence.
    """

    scaling: Scaling
    activation: str
    networks: tuple[Network, ...]
    center: float
    scale: float
    iterations: float
    notes: tuple[str, ...] = ()

    def predict(self, X: Floats) -> Floats:
        """Return the response, shape (n,)."""
        standard = self.scaling.apply(X)
        total = np.zeros(len(X))
        for weights, sizes in self._flat:
            total += network_output(standard, weights, sizes, self.activation)
        return np.asarray(total / len(self.networks) * self.scale + self.center)

    @cached_property
    def _flat(self) -> list[tuple[Floats, NDArray[np.int64]]]:
        """All numbers of each network in a row, with the sizes of its layers."""
        found = []
        for weights, biases in self.networks:
            numbers = [np.ravel(one) for layer in zip(weights, biases, strict=True) for one in layer]
            sizes = np.array([len(weights[0]), *(len(bias) for bias in biases)], dtype=np.int64)
            found.append((np.concatenate(numbers), sizes))
        return found

    def facts(self) -> dict[str, float]:
        """Return the number of weights of a network and of iterations that it took."""
        weights, biases = self.networks[0]
        return {"weights": sum(a.size for a in (*weights, *biases)), "iterations": self.iterations}

    def state(self) -> State:
        """Return what has to be stored; the inverse is :func:`load_model`."""
        arrays = {"center": self.scaling.center, "scale": self.scaling.scale}
        arrays["numbers"] = np.array([self.center, self.scale, self.iterations])
        for i, (weights, biases) in enumerate(self.networks):
            arrays |= {f"weights{i}_{k}": array for k, array in enumerate(weights)}
            arrays |= {f"biases{i}_{k}": array for k, array in enumerate(biases)}
        shape = [len(self.networks), len(self.networks[0][0])]
        return State({"activation": self.activation, "shape": shape, "notes": list(self.notes)}, arrays)


def load_model(state: State) -> MlpModel:
    """Return the networks whose :meth:`MlpModel.state` was stored."""
    arrays = state.arrays
    count, layers = state.meta["shape"]
    networks = tuple(
        (
            tuple(arrays[f"weights{i}_{k}"] for k in range(layers)),
            tuple(arrays[f"biases{i}_{k}"] for k in range(layers)),
        )
        for i in range(count)
    )
    center, scale, iterations = (float(value) for value in arrays["numbers"])
    scaling = Scaling(arrays["center"], arrays["scale"])
    notes = tuple(state.meta["notes"])
    return MlpModel(scaling, state.meta["activation"], networks, center, scale, iterations, notes)
