"""Random forests grown by scikit-learn, tree by tree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from soilql.fits.forests import Forest, Settings, nodes_of, prepared
from soilql.fits.learner_data import Floats, Training, scaling_of, spread_of, steady


@dataclass(frozen=True, eq=False)
class Grown:
    """A forest as it comes from its training.

    Attributes
    ----------
    forest : Forest
        The trees.
    drawn : numpy.ndarray of int32, shape (n, trees)
        How often each training row was drawn for each tree.
    leaves : numpy.ndarray of int32, shape (trees, n)
        Leaf of each training row in each tree.
    importances : numpy.ndarray, shape (features,)
        Share of each feature in the total decrease of the squared error at splits.
    """

    forest: Forest
    drawn: NDArray[np.int32]
    leaves: NDArray[np.int32]
    importances: Floats


def grow(data: Training, settings: Settings, workers: int) -> Grown:
    """Grow a forest; the same for any number of workers.

    Parameters
    ----------
    data : Training
        Rows without missing values.
    settings : Settings
        How.
    workers : int
        Threads.
    """
    bare, trees, drawn, leaves = _grown(data, settings, workers)
    variances = _leaf_means(bare, leaves, drawn, lambda values: (data.y - values) ** 2)
    return Grown(replace(bare, variances=variances), drawn, leaves, _importances(trees, bare.n_features))


def grow_mean(data: Training, settings: Settings, workers: int) -> Forest:
    """Grow a forest of which only the mean is asked, as :func:`grow` does; its leaves have no variances."""
    return _grown(data, settings, workers)[0]


def _grown(
    data: Training, settings: Settings, workers: int
) -> tuple[Forest, list[Any], NDArray[np.int32], NDArray[np.int32]]:
    """Return a forest, its trees as scikit-learn's, how often each row was drawn for each, and the leaf it is in.

    The trees are those of scikit-learn's forest of the standardised numbers, with the same settings and seed. They are
    grown one by one because the forest spends more on copying and checking each tree than it takes to grow it on some
    hundred rows.
    """
    scaling, (center, scale), n = scaling_of(data, True), spread_of(data.y), data.count
    X, target = prepared(data.X, scaling), steady((data.y - center) / scale)
    seeds = np.random.RandomState(settings.seed).randint(np.iinfo(np.int32).max, size=settings.trees).tolist()

    def tree(seed: int) -> tuple[Any, NDArray[np.int32]]:
        drawn = np.ones(n, np.int32)
        if settings.bootstrap:
            rows = np.random.RandomState(seed).randint(0, n, n, dtype=np.int32)
            drawn = np.bincount(rows, minlength=n).astype(np.int32)
        return _tree(X, target, drawn if settings.bootstrap else None, settings, seed), drawn

    if workers > 1:
        with ThreadPoolExecutor(workers) as pool:
            found = list(pool.map(tree, seeds))
    else:
        found = [tree(seed) for seed in seeds]
    trees, drawn = [one for one, _ in found], np.stack([drawn for _, drawn in found], axis=1)
    sizes, nodes, values = nodes_of(trees, center, scale)
    rough = Forest(scaling, sizes, nodes, values, np.zeros_like(values), trees)
    leaves = rough.leaves(X)
    # Of the response itself, which was rounded to grow the trees.
    exact = _leaf_means(rough, leaves, drawn, lambda _: data.y)
    forest = replace(rough, values=np.where(nodes["feature"] < 0, exact, values))
    return forest, trees, drawn, leaves


def _tree(X: NDArray[np.float32], y: Floats, drawn: NDArray[np.int32] | None, settings: Settings, seed: int) -> Any:
    import sklearn
    from sklearn import tree

    library: Any = sklearn  # without type hints
    tree_type: Any = tree.DecisionTreeRegressor
    model = tree_type(
        min_samples_leaf=settings.min_leaf,
        max_features=settings.features(X.shape[1]),
        max_depth=settings.max_depth,
        random_state=seed,
    )
    weight = None if drawn is None else drawn.astype(np.float64)
    with library.config_context(skip_parameter_validation=True, assume_finite=True):
        model.fit(X, y, sample_weight=weight, check_input=False)
    return model.tree_


def _importances(trees: Sequence[Any], size: int) -> Floats:
    """Return the share of each feature in the decrease of the squared error, the mean over trees that split."""
    shares = [tree.compute_feature_importances() for tree in trees if tree.node_count > 1]
    if not shares:
        return np.zeros(size)
    mean = np.mean(shares, axis=0, dtype=np.float64)
    return np.asarray(mean / np.sum(mean))


def _leaf_means(
    forest: Forest, leaves: NDArray[np.int32], drawn: NDArray[np.int32], what: Callable[[Floats], Floats]
) -> Floats:
    """Return the mean over the rows drawn into each leaf of what comes of the values of their leaves; else zero."""
    out = np.zeros_like(forest.values)
    for t, (start, size) in enumerate(zip(forest.starts, forest.sizes, strict=False)):
        leaf, weight = leaves[t], drawn[:, t]
        total = np.bincount(leaf, weights=weight, minlength=int(size))
        summed = np.bincount(leaf, weights=weight * what(forest.values[start + leaf]), minlength=int(size))
        out[start : start + size] = summed / np.maximum(total, 1)
    return out


def out_of_bag(grown: Grown) -> Floats:
    """Return the prediction of each training row by the trees it was not drawn for; NaN where there is none.

    Returns
    -------
    numpy.ndarray, shape (n,)
    """
    forest = grown.forest
    total, count = np.zeros(len(grown.drawn)), np.zeros(len(grown.drawn))
    for t, start in enumerate(forest.starts[:-1]):
        out = grown.drawn[:, t] == 0
        total[out] += forest.values[start + grown.leaves[t, out]]
        count[out] += 1
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
