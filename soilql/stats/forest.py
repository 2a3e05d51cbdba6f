"""Exact quantile regression forest weights (Meinshausen 2006) and what follows from them.

w_i(x) is the mean over trees of m_i 1{i in leaf(x)} / (sum of m in leaf(x)), with m_i how often row i was drawn for
the tree. The conditional distribution is F(y|x) = sum of w_i over Y_i <= y, and the forest's mean is sum w_i Y_i.

References
----------
Meinshausen (2006), Quantile regression forests, Journal of Machine Learning Research 7, 983-999,
https://jmlr.org/papers/v7/meinshausen06a.html.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from soilql.stats.checks import choice, fail, fractions, vector

Floats = NDArray[np.float64]
QUANTILE_METHODS = ("inverse_cdf", "linear")
_ROUND_OFF = 1e-12


def in_bag_counts(forest: Any, n_train: int) -> NDArray[np.int32]:
    """Return how often each training row was drawn for each tree.

    Parameters
    ----------
    forest : sklearn.ensemble.RandomForestRegressor or similar
        A fitted forest with the public attribute ``estimators_samples_`` (scikit-learn 1.4 or later).
    n_train : int
        Number of rows the forest was fitted to.

    Returns
    -------
    ndarray of int32, shape (n_train, n_trees)
        All ones for a forest without bootstrap.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import RandomForestRegressor
    >>> forest = RandomForestRegressor(3, random_state=0).fit(np.eye(4), [1, 2, 3, 4])
    >>> in_bag_counts(forest, 4).sum(axis=0)
    array([4, 4, 4])
    """
    counts = [np.bincount(rows, minlength=n_train) for rows in forest.estimators_samples_]
    return np.stack(counts, axis=1).astype(np.int32)


@dataclass(frozen=True)
class LeafTable:
    """What each training row weighs in each leaf of a forest.

    Attributes
    ----------
    matrix : scipy.sparse.csr_array, shape (n_nodes, n_train)
        m_i / (T sum of m in the leaf); rows are nodes of all trees one tree after the other.
    offsets : ndarray of int64, shape (n_trees + 1,)
        First row of each tree, and the end of the last.
    """

    matrix: sp.csr_array
    offsets: NDArray[np.int64]

    @classmethod
    def build(cls, train_leaves: ArrayLike, multiplicity: ArrayLike | None = None) -> LeafTable:
        """Return the table of a forest.

        Parameters
        ----------
        train_leaves : array_like of int, shape (n_train, n_trees)
            Node number of the leaf of each training row in each tree (``forest.apply(X)``).
        multiplicity : array_like of int, shape (n_train, n_trees), optional
            How often each row was drawn for each tree (`in_bag_counts`); ones when left out.

        Returns
        -------
        LeafTable

        Raises
        ------
        SoilqlError
            SQ811 for shapes that do not match, SQ813 for negative counts or node numbers.
        """
        leaves = _leaf_array(train_leaves, "train_leaves")
        counts = np.ones(leaves.shape) if multiplicity is None else np.asarray(multiplicity, dtype=np.float64)
        if counts.shape != leaves.shape:
            fail("SQ811", f"`multiplicity` has shape {counts.shape}, expected {leaves.shape}")
        if not np.all(counts >= 0) or not np.all(np.isfinite(counts)):
            fail("SQ813", "`multiplicity` must be zero or positive")
        n_train, n_trees = leaves.shape
        offsets = np.concatenate([[0], np.cumsum(leaves.max(axis=0) + 1)])
        nodes = (leaves + offsets[:-1]).ravel()
        rows = np.repeat(np.arange(n_train), n_trees)
        m = counts.ravel()
        in_leaf = np.bincount(nodes, weights=m, minlength=int(offsets[-1]))
        drawn = m > 0
        share = m[drawn] / (in_leaf[nodes[drawn]] * n_trees)
        matrix = sp.csr_array((share, (nodes[drawn], rows[drawn])), shape=(int(offsets[-1]), n_train))
        return cls(matrix, offsets)

    def weights(self, query_leaves: ArrayLike, use: ArrayLike | None = None) -> sp.csr_array:
        """Return the weights of all training rows for each query row.

        The result of a row does not depend on the other rows, so that queries may come in blocks of any size; the
        memory needed grows with the block.

        Parameters
        ----------
        query_leaves : array_like of int, shape (n_query, n_trees)
            Node number of the leaf of each query row in each tree.
        use : array_like of bool, shape (n_query, n_trees), optional
            Which trees count for a row: ``in_bag_counts(...) == 0`` gives out-of-bag weights of the training rows.

        Returns
        -------
        scipy.sparse.csr_array, shape (n_query, n_train)
            Rows sum to 1; a row is empty where no tree counts, and then has no distribution (NaN in
            `Distribution`).

        Raises
        ------
        SoilqlError
            SQ811 for another number of trees, SQ813 for a leaf that holds no training row.
        """
        leaves = _leaf_array(query_leaves, "query_leaves")
        n_query, n_trees = leaves.shape
        if n_trees != self.offsets.size - 1:
            fail("SQ811", f"`query_leaves` has {n_trees} trees, the forest {self.offsets.size - 1}")
        keep = np.ones(leaves.shape, dtype=bool) if use is None else np.asarray(use, dtype=bool)
        if keep.shape != leaves.shape:
            fail("SQ811", f"`use` has shape {keep.shape}, expected {leaves.shape}")
        nodes = leaves + self.offsets[:-1]
        occupied = np.diff(self.matrix.indptr) > 0
        known = (leaves < np.diff(self.offsets)) & occupied[np.minimum(nodes, occupied.size - 1)]
        if not np.all(known | ~keep):
            fail("SQ813", "a query row falls in a leaf without training rows: the leaves are of another forest")
        used = keep.sum(axis=1)
        # Out of bag, the mean is over the trees that count.
        factor = np.repeat(n_trees / np.maximum(used, 1), used)
        pick = sp.csr_array(
            (factor, nodes[keep], np.concatenate([[0], np.cumsum(used)])), shape=(n_query, self.matrix.shape[0])
        )
        return sp.csr_array(pick @ self.matrix)


def leaf_weights(train_leaves: ArrayLike, multiplicity: ArrayLike | None, query_leaves: ArrayLike) -> sp.csr_array:
    """Return the forest's weights of the training rows for each query row.

    For queries in several blocks build a `LeafTable` once.

    Parameters
    ----------
    train_leaves : array_like of int, shape (n_train, n_trees)
        Leaf of each training row in each tree.
    multiplicity : array_like of int, shape (n_train, n_trees), or None
        How often each row was drawn for each tree.
    query_leaves : array_like of int, shape (n_query, n_trees)
        Leaf of each query row in each tree.

    Returns
    -------
    scipy.sparse.csr_array, shape (n_query, n_train)
        Rows sum to 1.

    Raises
    ------
    SoilqlError
        SQ811 or SQ813 for leaves that do not belong together.

    Examples
    --------
    Two trees; the first has split off the third row, the second row was drawn twice for the second tree:

    >>> leaf_weights([[1, 0], [1, 0], [2, 0]], [[1, 0], [1, 2], [1, 1]], [[1, 0]]).toarray().round(4)
    array([[0.25  , 0.5833, 0.1667]])
    """
    return LeafTable.build(train_leaves, multiplicity).weights(query_leaves)


class Distribution:
    """Discrete distributions over the training values, one a row of weights.

    Parameters
    ----------
    weights : sparse array or array_like, shape (n_query, n_train)
        Non-negative weights; scaled to a sum of 1 in each row. A row of zeros has no distribution: every statistic
        of it is NaN.
    y : array_like, shape (n_train,)
        Training values.

    Raises
    ------
    SoilqlError
        SQ811 for shapes that do not match, SQ812 for missing values, SQ813 for negative weights.

    Examples
    --------
    >>> d = Distribution([[1, 1, 2]], [10.0, 20.0, 30.0])
    >>> d.mean(), d.sd().round(4), d.quantiles([0.5, 0.51])
    (array([22.5]), array([8.2916]), array([[20., 30.]]))
    """

    def __init__(self, weights: Any, y: ArrayLike) -> None:
        values = vector(y, "y")
        w = _rows(weights)
        if w.shape[1] != values.size:
            fail("SQ811", f"`weights` have {w.shape[1]} columns for {values.size} training values")
        if w.data.size and not (np.all(np.isfinite(w.data)) and w.data.min() >= 0):
            fail("SQ813", "`weights` must be zero or positive")
        order = np.argsort(values, kind="stable")
        rank = np.empty_like(order)
        rank[order] = np.arange(order.size)
        self._weights, self._values = _left_packed(w, rank, values[order])
        total = self._weights.sum(axis=1, keepdims=True)
        with np.errstate(invalid="ignore"):
            self._weights /= total

    def mean(self) -> Floats:
        """Return the mean of each row, shape (n_query,); the prediction of the forest itself."""
        return np.asarray(np.einsum("ij,ij->i", self._weights, self._values))

    def sd(self) -> Floats:
        """Return the standard deviation of each conditional distribution, shape (n_query,), without a ddof."""
        deviation = self._values - self.mean()[:, None]
        return np.asarray(np.sqrt(np.einsum("ij,ij,ij->i", self._weights, deviation, deviation)))

    def quantiles(self, q: ArrayLike, method: str = "inverse_cdf") -> Floats:
        """Return quantiles of each row; see `weighted_quantiles`."""
        probabilities = fractions(q, "quantiles")
        choice(method, QUANTILE_METHODS, "quantile method")
        cumulative = np.cumsum(self._weights, axis=1)
        out = np.empty((self._weights.shape[0], probabilities.size))
        if method == "inverse_cdf":
            for k, alpha in enumerate(probabilities):
                index = np.count_nonzero(cumulative < alpha - _ROUND_OFF, axis=1)
                out[:, k] = self._at(index)
        else:
            position = self._type7_positions(cumulative)
            for k, alpha in enumerate(probabilities):
                out[:, k] = self._interpolated(position, alpha)
        out[np.isnan(cumulative[:, -1])] = np.nan
        return out

    def _at(self, index: NDArray[np.intp]) -> Floats:
        last = self._values.shape[1] - 1
        return np.asarray(np.take_along_axis(self._values, np.minimum(index, last)[:, None], axis=1)[:, 0])

    def _type7_positions(self, cumulative: Floats) -> Floats:
        """Return where each value lies between 0 and 1: (k - 1)/(n - 1) for equal weights.

        Equal values are treated as if they shared their weight equally, so that their order leaves no trace.
        """
        n_rows, width = self._weights.shape
        place = np.arange(width)
        has_weight = self._weights > 0
        starts = np.ones((n_rows, width), dtype=bool)
        starts[:, 1:] = (self._values[:, 1:] != self._values[:, :-1]) | ~has_weight[:, 1:]
        first = np.maximum.accumulate(np.where(starts, place, 0), axis=1)
        ends = np.ones((n_rows, width), dtype=bool)
        ends[:, :-1] = starts[:, 1:]
        last = np.minimum.accumulate(np.where(ends, place, width - 1)[:, ::-1], axis=1)[:, ::-1]
        below = np.take_along_axis(cumulative - self._weights, first, axis=1)
        above = cumulative[:, -1:] - np.take_along_axis(cumulative, last, axis=1)
        shared = (cumulative[:, -1:] - above - below) / (last - first + 1)
        others = cumulative[:, -1:] - shared
        with np.errstate(invalid="ignore", divide="ignore"):
            position = (below + (place - first) * shared) / others
        # A value without weight is no support of the distribution; padding repeats the last that has some.
        return np.where(has_weight, np.clip(position, 0.0, 1.0), 1.0)

    def _interpolated(self, position: Floats, alpha: float) -> Floats:
        count = np.count_nonzero(position <= alpha + _ROUND_OFF, axis=1)
        low = np.maximum(count - 1, 0)
        high = np.minimum(low + 1, position.shape[1] - 1)
        p0 = np.take_along_axis(position, low[:, None], axis=1)[:, 0]
        p1 = np.take_along_axis(position, high[:, None], axis=1)[:, 0]
        gap = p1 - p0
        with np.errstate(invalid="ignore"):
            share = np.where(gap > 0, np.clip((alpha - p0) / np.where(gap > 0, gap, 1.0), 0.0, 1.0), 0.0)
        v0, v1 = self._at(low), self._at(high)
        return v0 + share * (v1 - v0)


def weighted_quantiles(weights: Any, y: ArrayLike, q: ArrayLike, method: str = "inverse_cdf") -> Floats:
    """Return quantiles of weighted samples, one sample a row.

    ``inverse_cdf`` is inf{y: F(y) >= alpha}, always one of the training values; the cumulative sum may fall short of
    alpha by 1e-12 of the total, which is round-off. ``linear`` interpolates between values placed at the share of
    the other values' weight that lies below them, B/(B + A): type 7 of Hyndman and Fan when weights are equal,
    symmetric under a change of sign, and the same for weights of any scale and rows in any order.

    Parameters
    ----------
    weights : sparse array or array_like, shape (n_query, n_train)
        Non-negative weights; rows of zeros give NaN.
    y : array_like, shape (n_train,)
        Values, in any order.
    q : array_like, shape (k,)
        Probabilities.
    method : {"inverse_cdf", "linear"}
        Which definition.

    Returns
    -------
    ndarray, shape (n_query, k)
        In the unit of `y`.

    Raises
    ------
    SoilqlError
        As `Distribution`; SQ813 for a probability outside [0, 1] or an unknown method.

    References
    ----------
    Meinshausen (2006), JMLR 7, 983-999, eq. 6. Hyndman and Fan (1996), The American Statistician 50, 361-365,
    doi:10.1080/00031305.1996.10473566.

    Examples
    --------
    >>> weighted_quantiles([[1, 1, 1, 1]], [4.0, 1.0, 3.0, 2.0], [0.25, 0.5])
    array([[1., 2.]])
    >>> weighted_quantiles([[1, 1, 1, 1]], [4.0, 1.0, 3.0, 2.0], [0.25, 0.5], method="linear")
    array([[1.75, 2.5 ]])
    """
    return Distribution(weights, y).quantiles(q, method)


def _leaf_array(leaves: ArrayLike, name: str) -> NDArray[np.int64]:
    array = np.asarray(leaves)
    if array.ndim != 2 or not array.size or array.dtype.kind not in "iu":
        fail("SQ811", f"`{name}` must be whole numbers of shape (rows, trees), got {array.dtype} {array.shape}")
    if array.min() < 0:
        fail("SQ813", f"`{name}` has a negative node number")
    return array.astype(np.int64)


def _rows(weights: Any) -> sp.csr_array:
    table: Any = weights if sp.issparse(weights) else np.asarray(weights, dtype=np.float64)
    if table.ndim != 2:
        fail("SQ811", f"`weights` have shape {table.shape}, expected (n_query, n_train)")
    return sp.csr_array(table)


def _left_packed(weights: sp.csr_array, rank: NDArray[np.intp], values: Floats) -> tuple[Floats, Floats]:
    """Return the non-zero weights of each row and their values, sorted by value and padded on the right."""
    # Sorting happens in place: on copies, since the weights are the caller's.
    ranked = sp.csr_array((weights.data.copy(), rank[weights.indices], weights.indptr.copy()), shape=weights.shape)
    ranked.sum_duplicates()
    ranked.eliminate_zeros()
    counts = np.diff(ranked.indptr)
    n_rows, width = ranked.shape[0], max(1, int(counts.max(initial=0)))
    filled = np.arange(width) < counts[:, None]
    packed_weights = np.zeros((n_rows, width))
    packed_weights[filled] = ranked.data
    last = np.full(n_rows, values[-1])
    some = counts > 0
    last[some] = values[ranked.indices[ranked.indptr[1:][some] - 1]]
    packed_values = np.repeat(last[:, None], width, axis=1)
    packed_values[filled] = values[ranked.indices]
    return packed_weights, packed_values
