"""Support vector regression: fitted by libsvm through scikit-learn, kept as plain arrays, predicted from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from soilql.fits.learner_data import Floats, Scaling, Training, scaling_of, spread_of, steadily, steady
from soilql.kernels.learners import weighted_kernels
from soilql.values import State

_SKLEARN_KERNELS = {"rbf": "rbf", "linear": "linear", "polynomial": "poly", "sigmoid": "sigmoid"}


@dataclass(frozen=True)
class Kernel:
    """How alike two points are.

    Attributes
    ----------
    name : str
        ``rbf``: exp(-gamma |a - b|^2); ``linear``: a.b; ``polynomial``: (gamma a.b + offset)^degree; ``sigmoid``:
        tanh(gamma a.b + offset).
    gamma, offset, degree
        See `name`.
    """

    name: str
    gamma: float
    offset: float
    degree: int

    def sums(self, points: Floats, vectors: Floats, weights: Floats) -> Floats:
        """Return weighted sums of the kernel of points with support vectors, shape (columns of weights, n)."""
        return weighted_kernels(points, vectors, weights, self.name, self.gamma, self.offset, self.degree)


@dataclass(frozen=True)
class SvrSettings:
    """Hyperparameters, as the parameters of the kind `svr` say."""

    C: float = 1.0
    epsilon: float = 0.1
    epsilon_in: str = "sd"
    kernel: str = "rbf"
    gamma: float | str = "auto"
    kernel_scale: float | None = None
    degree: int = 3
    offset: float = 0.0
    standardize: bool = True
    tolerance: float = 1e-3
    max_iterations: int = 1_000_000

    def fit(self, data: Training, like: SvrModel | None = None) -> SvrModel:
        """Fit by sequential minimal optimisation.

        Parameters
        ----------
        data : Training
            Rows.
        like : SvrModel, optional
            Fit of the same settings whose scaling of the features and whose kernel are taken over, so that points
            have one kernel with the training rows for all members.
        """
        from sklearn.svm import SVR

        scaling = scaling_of(data, self.standardize) if like is None else like.scaling
        X = scaling.apply_steadily(data.X)
        kernel = Kernel(self.kernel, self._gamma(X), self.offset, self.degree) if like is None else like.kernel
        center, scale = spread_of(data.y)
        machine: Any = SVR  # without type hints
        estimator = machine(
            kernel=_SKLEARN_KERNELS[self.kernel],
            C=self.C,
            epsilon=float(steady(np.array(self.epsilon / scale))) if self.epsilon_in == "response" else self.epsilon,
            gamma=kernel.gamma,
            degree=self.degree,
            coef0=self.offset,
            tol=self.tolerance,
            max_iter=self.max_iterations,
        )
        with steadily():
            estimator.fit(X, steady((data.y - center) / scale))
        stopped = bool(estimator.fit_status_) or int(np.max(estimator.n_iter_)) >= self.max_iterations
        return SvrModel(
            scaling,
            kernel,
            np.ascontiguousarray(estimator.support_vectors_),
            estimator.dual_coef_[0] * scale,
            float(estimator.intercept_[0]) * scale + center,
            float(center),
            float(scale),
            (f"the optimisation stopped after {self.max_iterations} iterations",) if stopped else (),
            estimator.support_,
        )

    def words(self) -> str:
        """Return the hyperparameters that have a part in the fit."""
        own = {"linear": (), "rbf": ("gamma",), "sigmoid": ("gamma", "offset")}.get(
            self.kernel, ("gamma", "offset", "degree")
        )
        numbers = {name: getattr(self, name) for name in own}
        if self.kernel_scale is not None and "gamma" in numbers:
            numbers = {"kernel_scale": self.kernel_scale, **numbers}
            del numbers["gamma"]
        inner = "".join(f", {name} {n if isinstance(n, str) else f'{n:g}'}" for name, n in numbers.items())
        unit = " standard deviations" if self.epsilon_in == "sd" else " in the unit of the response"
        plain = "" if self.standardize else ", features as they are"
        return f"{self.kernel} kernel{inner}, C {self.C:g}, epsilon {self.epsilon:g}{unit}{plain}"

    def _gamma(self, X: Floats) -> float:
        if self.kernel_scale is not None:
            return 1 / self.kernel_scale**2
        if isinstance(self.gamma, str):
            variance = float(X.var())
            return 1 / (X.shape[1] * variance) if variance > 0 else 1.0
        return self.gamma


@dataclass(frozen=True, eq=False)
class SvrModel:
    """A fitted support vector regression.

    Attributes
    ----------
    scaling : Scaling
        Of the features.
    kernel : Kernel
        With its numbers.
    vectors : numpy.ndarray, shape (support vectors, columns)
        In standard units.
    weights : numpy.ndarray, shape (support vectors,)
        Of the kernel with each support vector, in the unit of the response.
    intercept : float
        In the unit of the response.
    center, scale : float
        Mean and standard deviation of the response.
    notes : tuple of str
        Convergence.
    support : numpy.ndarray of int, shape (support vectors,)
        Training rows that the support vectors are; not stored.
    """

    scaling: Scaling
    kernel: Kernel
    vectors: Floats
    weights: Floats
    intercept: float
    center: float
    scale: float
    notes: tuple[str, ...] = ()
    support: NDArray[Any] | None = None

    def predict(self, X: Floats) -> Floats:
        """Return the response, shape (n,)."""
        found = self.kernel.sums(self.scaling.apply(X), self.vectors, self.weights[:, None])
        return np.asarray(found[0] + self.intercept)

    def facts(self) -> dict[str, float]:
        """Return the number of support vectors."""
        return {"support vectors": len(self.weights)}

    def state(self) -> State:
        """Return what has to be stored; the inverse is :func:`load_model`."""
        meta = {"kernel": asdict(self.kernel), "notes": list(self.notes)}
        numbers = np.array([self.intercept, self.center, self.scale])
        scaling = {"center": self.scaling.center, "scale": self.scaling.scale}
        return State(meta, {"vectors": self.vectors, "weights": self.weights, "numbers": numbers, **scaling})


def load_model(state: State) -> SvrModel:
    """Return the fit whose :meth:`SvrModel.state` was stored."""
    arrays = state.arrays
    intercept, center, scale = (float(value) for value in arrays["numbers"])
    return SvrModel(
        Scaling(arrays["center"], arrays["scale"]),
        Kernel(**state.meta["kernel"]),
        arrays["vectors"],
        arrays["weights"],
        intercept,
        center,
        scale,
        tuple(state.meta["notes"]),
    )


def together(models: Sequence[SvrModel], drawn: Sequence[NDArray[Any]], data: Training) -> Callable[[Floats], Floats]:
    """Return a function that predicts by many fits at once, from points, shape (n, columns), to (fits, n).

    Fits that share a kernel and a scaling are taken together: each gives every training row a weight, and the kernel
    of a point with a training row is computed once for all of them.

    Parameters
    ----------
    models : sequence of SvrModel
        The fits, with their support.
    drawn : sequence of array of int
        The training rows that each was fitted to, in the order in which it saw them.
    data : Training
        All training rows.
    """
    shared: dict[tuple[bytes, bytes, Kernel], list[int]] = {}
    for i, model in enumerate(models):
        scaling = model.scaling
        shared.setdefault((scaling.center.tobytes(), scaling.scale.tobytes(), model.kernel), []).append(i)
    parts = []
    for members in shared.values():
        weights = np.zeros((data.count, len(members)))
        for column, i in enumerate(members):
            assert models[i].support is not None
            np.add.at(weights[:, column], drawn[i][models[i].support], models[i].weights)
        first = models[members[0]]
        used = np.flatnonzero(weights.any(axis=1))
        parts.append((members, first, first.scaling.apply_steadily(data.X[used]), weights[used]))
    intercepts = np.array([model.intercept for model in models])

    def predict(X: Floats) -> Floats:
        out = np.empty((len(models), len(X)))
        for members, first, vectors, weights in parts:
            out[members] = first.kernel.sums(first.scaling.apply(X), vectors, weights)
        out += intercepts[:, None]
        return out

    return predict
