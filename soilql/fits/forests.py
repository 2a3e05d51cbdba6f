"""Random forests as plain arrays: kept without pickle, rebuilt to predict the same bits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from soilql.fits.learner_data import Floats, Scaling

#: Points that are sent down the trees at a time; results do not depend on it.
BLOCK = 2048

_FIELDS = {
    "left_child": np.int32,
    "right_child": np.int32,
    "feature": np.int32,
    "threshold": np.float64,
    "n_node_samples": np.int32,
    "weighted_n_node_samples": np.float64,
    "impurity": np.float64,
    "missing_go_to_left": np.uint8,
}


@dataclass(frozen=True)
class Settings:
    """How a forest is grown.

    Attributes
    ----------
    trees : int
        Number of trees.
    min_leaf : int
        Fewest rows of a leaf.
    max_features : int, float or str
        Features tried at a split: a number, a share, ``sqrt``, ``third`` or ``all``.
    max_depth : int or None
        Deepest level; None for no limit.
    bootstrap : bool
        Whether each tree is grown on rows drawn with replacement.
    seed : int
        Seed of the rows and features drawn.
    """

    trees: int
    min_leaf: int
    max_features: int | float | str
    max_depth: int | None
    bootstrap: bool
    seed: int

    def features(self, p: int) -> int:
        """Return the number of features tried at a split, of p.

        Examples
        --------
        >>> [Settings(1, 5, m, None, True, 1).features(10) for m in ("third", "sqrt", "all", 0.5, 4)]
        [3, 3, 10, 5, 4]
        """
        if isinstance(self.max_features, int):
            return min(self.max_features, p)
        share = {"third": p / 3, "sqrt": p**0.5, "all": p}
        wanted = share[self.max_features] if isinstance(self.max_features, str) else self.max_features * p
        return max(1, int(wanted))


@dataclass(frozen=True, eq=False)
class Forest:
    """A grown forest: the nodes of all trees, one tree after the other.

    Attributes
    ----------
    scaling : Scaling
        Of the features, see :meth:`prepared`.
    sizes : numpy.ndarray of int64, shape (trees,)
        Number of nodes of each tree.
    nodes : mapping of str to numpy.ndarray, each of shape (nodes,)
        What scikit-learn keeps of a node, field by field.
    values : numpy.ndarray, shape (nodes,)
        Mean response of the rows drawn into the node.
    variances : numpy.ndarray, shape (nodes,)
        Variance of the response of the rows drawn into the leaf (no ddof); zero for nodes that are split.
    trees : sequence of sklearn.tree._tree.Tree, optional
        The trees as they were grown; without them they are built from the nodes.
    """

    scaling: Scaling
    sizes: NDArray[np.int64]
    nodes: Mapping[str, NDArray[Any]]
    values: Floats
    variances: Floats
    trees: Sequence[Any] | None = None

    @property
    def n_features(self) -> int:
        """Number of columns of the matrices it takes."""
        return int(self.scaling.scale.size)

    def prepared(self, features: Floats) -> NDArray[np.float32]:
        """Return features, shape (n, features), in the units and the single precision in which trees compare them."""
        return prepared(features, self.scaling)

    @property
    def count(self) -> int:
        """Number of trees."""
        return int(self.sizes.size)

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """Position of the root of each tree, and the end of the last tree."""
        return np.concatenate([[0], np.cumsum(self.sizes)]).astype(np.int64)

    @cached_property
    def _trees(self) -> Sequence[Any]:
        if self.trees is not None:
            return self.trees
        return [self._rebuilt(int(a), int(b)) for a, b in zip(self.starts[:-1], self.starts[1:], strict=True)]

    def _rebuilt(self, start: int, end: int) -> Any:
        """Return one tree as scikit-learn's own object, which takes its nodes as one structured array."""
        from sklearn.tree._tree import NODE_DTYPE, Tree

        nodes = np.zeros(end - start, dtype=NODE_DTYPE)
        for name in nodes.dtype.names or ():
            if name in self.nodes:
                nodes[name] = self.nodes[name][start:end]
        tree = Tree(self.n_features, np.array([1], dtype=np.intp), 1)
        values = np.ascontiguousarray(self.values[start:end]).reshape(-1, 1, 1)
        # The depth is that of a path in a tree of so many nodes; it is used for nothing but a limit of memory.
        tree.__setstate__({"max_depth": end - start, "node_count": end - start, "nodes": nodes, "values": values})
        return tree

    def leaves(self, X: NDArray[np.float32]) -> NDArray[np.int32]:
        """Return the leaf of each row in each tree.

        Parameters
        ----------
        X : numpy.ndarray of float32, shape (n, features)
            Without missing values.

        Returns
        -------
        numpy.ndarray of int32, shape (trees, n)
            Numbers within each tree.
        """
        out = np.empty((self.count, len(X)), np.int32)
        for t, tree in enumerate(self._trees):
            out[t] = tree.apply(X)
        return out

    def means(self, X: NDArray[np.float32]) -> Floats:
        """Return the mean over trees of each row, shape (n,); added up in the order of the trees."""
        total = np.zeros(len(X))
        for rows in blocks(len(X)):
            for tree, start in zip(self._trees, self.starts, strict=False):
                total[rows] += self.values[start + tree.apply(X[rows])]
        return total / self.count

    def added(self, X: NDArray[np.float32], start: float, rate: float) -> Floats:
        """Return a start plus a share of what each tree says, shape (n,); added up in the order of the trees."""
        total = np.full(len(X), start)
        for rows in blocks(len(X)):
            for tree, first in zip(self._trees, self.starts, strict=False):
                total[rows] += rate * self.values[first + tree.apply(X[rows])]
        return total

    def of_trees(self, X: NDArray[np.float32], trees: NDArray[np.int64]) -> Floats:
        """Return the predictions of some trees by themselves, shape (len(trees), n)."""
        out = np.empty((len(trees), len(X)))
        for row, t in enumerate(trees):
            out[row] = self.values[self.starts[t] + self._trees[t].apply(X)]
        return out

    def resampled(self, X: NDArray[np.float32], draws: NDArray[np.int64]) -> Floats:
        """Return means over trees drawn anew.

        Parameters
        ----------
        X : numpy.ndarray of float32, shape (n, features)
            Points.
        draws : numpy.ndarray of int, shape (members, trees)
            How often each tree counts for each member.

        Returns
        -------
        numpy.ndarray, shape (members, n)
        """
        out = np.zeros((len(draws), len(X)))
        for rows in blocks(len(X)):
            for t, (tree, start) in enumerate(zip(self._trees, self.starts, strict=False)):
                values = self.values[start + tree.apply(X[rows])]
                # Member by member and tree by tree: a matrix product adds up in an order that depends on the block.
                for member in np.flatnonzero(draws[:, t]):
                    out[member, rows] += draws[member, t] * values
        out /= draws.sum(axis=1)[:, None]
        return out

    def moments(self, leaves: NDArray[np.int32]) -> tuple[Floats, Floats]:
        """Return mean and standard deviation of the conditional distribution from leaf numbers.

        The variance of the forest's weighted training values is the mean variance within leaves plus the variance
        of the leaves' means over trees.

        Parameters
        ----------
        leaves : numpy.ndarray of int, shape (trees, n)
            As :meth:`leaves` returns them.
        """
        mean, within, between = (np.zeros(leaves.shape[1]) for _ in range(3))
        for t, start in enumerate(self.starts[:-1]):
            mean += self.values[start + leaves[t]]
            within += self.variances[start + leaves[t]]
        mean /= self.count
        for t, start in enumerate(self.starts[:-1]):
            between += (self.values[start + leaves[t]] - mean) ** 2
        return mean, np.sqrt((within + between) / self.count)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the forest as arrays to be stored; the inverse is :func:`from_arrays`."""
        own = {
            "center": self.scaling.center,
            "scale": self.scaling.scale,
            "sizes": self.sizes,
            "values": self.values,
            "variances": self.variances,
        }
        return {**own, **{f"node_{name}": array for name, array in self.nodes.items()}}


def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> Forest:
    """Return the forest whose :meth:`Forest.arrays` were stored."""
    nodes = {name: arrays[f"node_{name}"] for name in _FIELDS}
    scaling = Scaling(arrays["center"], arrays["scale"])
    return Forest(scaling, arrays["sizes"], nodes, arrays["values"], arrays["variances"])


def prepared(features: Floats, scaling: Scaling) -> NDArray[np.float32]:
    """Return features in standard units and single precision.

    scikit-learn compares features in single precision and takes those that differ by less than 1e-7 for equal; what it
    is given must not hang on their unit, nor may a point that lies where a tree splits.
    """
    return np.ascontiguousarray(scaling.apply_steadily(features), dtype=np.float32)


def nodes_of(
    trees: Sequence[Any], center: float, scale: float
) -> tuple[NDArray[np.int64], dict[str, NDArray[Any]], Floats]:
    """Return the number of nodes of each of scikit-learn's trees, what it keeps of a node, and the values of nodes.

    Parameters
    ----------
    trees : sequence of sklearn.tree._tree.Tree
        Grown trees.
    center, scale : float
        Of the response, which was standardised.
    """
    states = [tree.__getstate__() for tree in trees]
    nodes = {
        name: np.concatenate([state["nodes"][name] for state in states]).astype(dtype)
        for name, dtype in _FIELDS.items()
    }
    nodes["impurity"] *= scale**2
    values = np.concatenate([state["values"][:, 0, 0] for state in states]) * scale + center
    return np.array([tree.node_count for tree in trees], dtype=np.int64), nodes, values


def blocks(n: int, size: int = BLOCK) -> Iterator[slice]:
    """Yield slices of at most `size` points that cover n points."""
    for start in range(0, n, size):
        yield slice(start, min(n, start + size))
