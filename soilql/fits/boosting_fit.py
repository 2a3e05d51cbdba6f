"""Gradient boosting: grown by scikit-learn with exact splits, kept as plain arrays of nodes, predicted from them.

`GradientBoostingRegressor` rather than `HistGradientBoostingRegressor`: the tables of this field have hundreds to
some thousand rows, for which exact splits cost nothing, no binning hides the values of rare sites, and the trees are
the same arrays of nodes that forests keep.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from soilql.fits.forests import Forest, Settings, from_arrays, nodes_of, prepared
from soilql.fits.learner_data import Floats, Training, scaling_of, spread_of, steadily, steady
from soilql.stats.folds import grouped_kfold, kfold
from soilql.values import State, quantile_name

_LOSSES = {"squared": "squared_error", "absolute": "absolute_error", "huber": "huber"}


@dataclass(frozen=True)
class BoostingSettings:
    """Hyperparameters, as the parameters of the kind `gradient_boosting` say."""

    trees: int = 100
    learning_rate: float = 0.1
    depth: int = 3
    min_leaf: int = 5
    subsample: float = 1.0
    max_features: int | float | str = "all"
    loss: str = "squared"
    early_stopping: int | None = None
    held_out: float = 0.2
    quantiles: tuple[float, ...] = ()
    seed: int = 1

    def words(self) -> str:
        """Return the hyperparameters that have a part in the fit."""
        most = "" if self.early_stopping is None else f", early stopping after {self.early_stopping} without gain"
        return (
            f"at most {self.trees} trees of depth {self.depth}, learning_rate {self.learning_rate:g}, at least "
            f"{self.min_leaf} rows a leaf, subsample {self.subsample:g}, {self.loss} loss{most}"
        ).removeprefix("" if most else "at most ")

    def fit(self, data: Training, like: BoostingModel | None = None) -> BoostingModel:
        """Grow the trees, for the mean and for each quantile.

        Parameters
        ----------
        data : Training
            Rows.
        like : BoostingModel, optional
            Not needed: what a tree makes of features hangs on their order alone.
        """
        del like
        mean = self._grown(data, _LOSSES[self.loss])
        levels = {level: self._grown(data, "quantile", level) for level in self.quantiles}
        return BoostingModel(mean, levels)

    def _grown(self, data: Training, loss: str, level: float = 0.9) -> Boosted:
        scaling, (center, scale) = scaling_of(data, True), spread_of(data.y)
        X, y = prepared(data.X, scaling), steady((data.y - center) / scale)
        count = self.trees if self.early_stopping is None else self._stopped(data, X, y, loss, level)
        estimator = self._estimator(X.shape[1], loss, level, count)
        with steadily():
            estimator.fit(X, y)
        trees = [tree.tree_ for tree in estimator.estimators_[:, 0]]
        sizes, nodes, values = nodes_of(trees, 0.0, scale)
        start = float(estimator.init_.constant_.ravel()[0]) * scale + center
        forest = Forest(scaling, sizes, nodes, values, np.zeros_like(values))
        return Boosted(start, self.learning_rate, forest, estimator.feature_importances_)

    def _estimator(self, columns: int, loss: str, level: float, trees: int) -> Any:
        from sklearn import ensemble

        tried = Settings(1, 1, self.max_features, None, True, 1).features(columns)
        estimator: Any = ensemble.GradientBoostingRegressor
        return estimator(
            loss=loss,
            alpha=level,
            n_estimators=trees,
            learning_rate=self.learning_rate,
            max_depth=self.depth,
            min_samples_leaf=self.min_leaf,
            subsample=self.subsample,
            max_features=tried,
            random_state=self.seed,
        )

    def _stopped(self, data: Training, X: NDArray[np.float32], y: Floats, loss: str, level: float) -> int:
        """Return the number of trees after which rows held out, whole sites at a time, are predicted no better."""
        assert self.early_stopping is not None
        k = max(2, round(1 / self.held_out))
        sites = None if data.sites is None or np.unique(data.sites).size < k else data.sites
        if sites is None and data.count < k:
            return self.trees
        folds = kfold(data.count, k, self.seed) if sites is None else grouped_kfold(sites, k, self.seed)
        out = folds == 0
        estimator = self._estimator(X.shape[1], loss, level, self.trees)
        with steadily():
            estimator.fit(X[~out], y[~out])
        best, at = np.inf, 1
        for number, predicted in enumerate(estimator.staged_predict(X[out]), start=1):
            error = _error(loss, y[out], predicted, level)
            if error < best * (1 - 1e-4):
                best, at = error, number
            elif number - at >= self.early_stopping:
                break
        return at


def _error(loss: str, y: Floats, predicted: Floats, level: float) -> float:
    gap = y - predicted
    if loss == "quantile":
        return float(np.mean(np.maximum(level * gap, (level - 1) * gap)))
    return float(np.mean(gap**2 if loss == "squared_error" else np.abs(gap)))


@dataclass(frozen=True, eq=False)
class Boosted:
    """A start and trees that correct it one after the other.

    Attributes
    ----------
    start : float
        First prediction of every point.
    rate : float
        Share of each tree's correction that is taken.
    forest : Forest
        The trees.
    importances : numpy.ndarray, shape (columns,)
        Share of each column in the decrease of the error at splits.
    """

    start: float
    rate: float
    forest: Forest
    importances: Floats

    def predict(self, X: Floats) -> Floats:
        """Return the response, shape (n,)."""
        return self.forest.added(self.forest.prepared(X), self.start, self.rate)


@dataclass(frozen=True, eq=False)
class BoostingModel:
    """Boosted trees for the mean (or what the loss makes of it) and for some quantiles."""

    mean: Boosted
    levels: dict[float, Boosted]
    notes: tuple[str, ...] = ()

    def predict(self, X: Floats) -> Floats:
        """Return the response, shape (n,)."""
        return self.mean.predict(X)

    def quantiles(self, X: Floats, levels: Sequence[float]) -> Floats:
        """Return quantiles, shape (levels, n).

        Each level is boosted apart and may cross its neighbour where data are few; the values of a point are put in
        order over all fitted levels (Chernozhukov et al. 2010, doi:10.3982/ECTA7880).
        """
        fitted = sorted(self.levels)
        ordered = np.sort([self.levels[level].predict(X) for level in fitted], axis=0)
        return np.asarray(ordered[[fitted.index(level) for level in levels]])

    @property
    def importances(self) -> Floats:
        """Share of each column in the decrease of the error at splits."""
        return self.mean.importances

    def facts(self) -> dict[str, float]:
        """Return the number of trees."""
        return {"trees": self.mean.forest.count}

    def state(self) -> State:
        """Return what has to be stored; the inverse is :func:`load_model`."""
        arrays: dict[str, NDArray[Any]] = {}
        for name, one in {"mean": self.mean, **{quantile_name(q): one for q, one in self.levels.items()}}.items():
            own = {**one.forest.arrays(), "importances": one.importances, "numbers": np.array([one.start, one.rate])}
            arrays |= {f"{name}.{key}": array for key, array in own.items()}
        return State({"levels": list(self.levels)}, arrays)


def load_model(state: State) -> BoostingModel:
    """Return the trees whose :meth:`BoostingModel.state` was stored."""

    def loaded(name: str) -> Boosted:
        own = {key.removeprefix(f"{name}."): a for key, a in state.arrays.items() if key.startswith(f"{name}.")}
        start, rate = (float(value) for value in own["numbers"])
        return Boosted(start, rate, from_arrays(own), own["importances"])

    return BoostingModel(loaded("mean"), {level: loaded(quantile_name(level)) for level in state.meta["levels"]})


def without_quantiles(settings: BoostingSettings) -> BoostingSettings:
    """Return the settings for the mean alone, which is all that a trial or a member needs."""
    return replace(settings, quantiles=())
