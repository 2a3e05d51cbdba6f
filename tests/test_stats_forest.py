"""Quantile forest weights against brute force, scikit-learn, quantile-forest and R."""

import numpy as np
import pytest
from quantile_forest import RandomForestQuantileRegressor
from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor

from soilql.errors import SoilqlError
from soilql.stats.forest import (
    Distribution,
    LeafTable,
    in_bag_counts,
    leaf_weights,
    weighted_quantiles,
)

# R's mtcars$mpg.
MPG = np.fromstring(
    """21 21 22.8 21.4 18.7 18.1 14.3 24.4 22.8 19.2 17.8 16.4 17.3 15.2 10.4 10.4
    14.7 32.4 30.4 33.9 21.5 15.5 15.2 13.3 19.2 27.3 26 30.4 15.8 19.7 15 21.4""",
    sep=" ",
)
QUARTILES = [0.25, 0.5, 0.75]


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(250, 4))
    return x, 700 * np.exp(0.5 * x[:, 0] + 0.3 * rng.normal(size=250)), rng.normal(size=(150, 4))


def test_root_only_trees_on_mtcars():
    # R: quantile(mtcars$mpg, type = 1) and type = 7.
    leaves = np.zeros((32, 3), dtype=int)
    weights = leaf_weights(leaves, None, np.zeros((1, 3), dtype=int))
    assert weighted_quantiles(weights, MPG, QUARTILES).tolist() == [[15.2, 19.2, 22.8]]
    assert weighted_quantiles(weights, MPG, QUARTILES, "linear")[0] == pytest.approx([15.425, 19.2, 22.8], rel=1e-14)
    distribution = Distribution(weights, MPG)
    # R: mean(mtcars$mpg) 20.09062; sqrt(mean((mpg - mean(mpg))^2)) = sd * sqrt(31/32) = 5.932030.
    assert round(distribution.mean().item(), 5) == 20.09062
    assert round(distribution.sd().item(), 6) == 5.93203


@pytest.mark.parametrize("bootstrap", [True, False])
def test_weights_by_brute_force(data, bootstrap):
    x, y, query = data
    forest = RandomForestRegressor(7, min_samples_leaf=5, bootstrap=bootstrap, random_state=1).fit(x, y)
    counts = in_bag_counts(forest, len(y))
    train, leaves = forest.apply(x), forest.apply(query[:20])
    expected = np.zeros((20, len(y)))
    for q in range(20):
        for t in range(7):
            member = counts[:, t] * (train[:, t] == leaves[q, t])
            expected[q] += member / member.sum() / 7
    found = leaf_weights(train, counts, leaves).toarray()
    assert np.allclose(found, expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    "forest",
    [
        RandomForestRegressor(50, min_samples_leaf=3, max_features=2, random_state=5),
        RandomForestRegressor(50, max_samples=0.6, random_state=5),
        ExtraTreesRegressor(50, min_samples_leaf=4, random_state=5),
    ],
    ids=["bootstrap", "subsample", "extra-trees"],
)
def test_mean_is_the_prediction_of_the_forest(data, forest):
    x, y, query = data
    forest.fit(x, y)
    weights = leaf_weights(forest.apply(x), in_bag_counts(forest, len(y)), forest.apply(query))
    assert np.allclose(weights.sum(axis=1), 1.0, rtol=0, atol=1e-13)
    assert np.allclose(Distribution(weights, y).mean(), forest.predict(query), rtol=1e-12, atol=0)


def test_quantile_forest_agrees(data):
    x, y, query = data
    forest = RandomForestQuantileRegressor(
        60, min_samples_leaf=5, max_samples_leaf=None, max_features=2, random_state=0
    ).fit(x, y)
    counts = in_bag_counts(forest, len(y))
    train, leaves = forest.apply(x), forest.apply(query)
    weights = leaf_weights(train, counts, leaves)
    options = {"quantiles": QUARTILES, "weighted_quantile": True, "weighted_leaves": True}
    low = forest.predict(query, interpolation="lower", **options)
    high = forest.predict(query, interpolation="higher", **options)
    ours = weighted_quantiles(weights, y, QUARTILES)
    assert np.all((low <= ours) & (ours <= high))
    # The package reads weights as frequencies that sum to S, the in-bag rows in the leaves of all trees; "higher" is
    # the first value whose cumulative frequency exceeds q (S - 1) + 1, the inverse CDF at that share of S.
    per_leaf = [np.bincount(train[:, t], counts[:, t]) for t in range(60)]
    total = sum(per_leaf[t][leaves[:, t]] for t in range(60))
    dense = weights.toarray()
    for k, q in enumerate(QUARTILES):
        level = (q * (total - 1) + 1) / total + 1e-9
        for row in range(len(query)):
            assert high[row, k] == weighted_quantiles(dense[row : row + 1], y, [level[row]]).item()


def test_out_of_bag_weights_leave_the_row_itself_out(data):
    x, y, _ = data
    forest = RandomForestRegressor(80, min_samples_leaf=5, oob_score=True, random_state=2).fit(x, y)
    counts = in_bag_counts(forest, len(y))
    leaves = forest.apply(x)
    weights = LeafTable.build(leaves, counts).weights(leaves, use=counts == 0)
    assert np.all(weights.diagonal() == 0)
    assert np.allclose(Distribution(weights, y).mean(), forest.oob_prediction_, rtol=1e-12, atol=0)


def test_row_without_trees_has_no_distribution():
    table = LeafTable.build([[1], [1]])
    weights = table.weights([[1], [1]], use=[[True], [False]])
    distribution = Distribution(weights, [1.0, 3.0])
    assert np.array_equal(distribution.mean(), [2.0, np.nan], equal_nan=True)
    assert np.array_equal(distribution.quantiles([0.5]), [[1.0], [np.nan]], equal_nan=True)


def test_block_size_and_order_of_training_rows_do_not_matter(data):
    x, y, query = data
    forest = RandomForestRegressor(30, min_samples_leaf=3, random_state=1).fit(x, y)
    counts, train, leaves = in_bag_counts(forest, len(y)), forest.apply(x), forest.apply(query)
    table = LeafTable.build(train, counts)
    whole = Distribution(table.weights(leaves), y).quantiles(QUARTILES)
    blocks = [Distribution(table.weights(leaves[s : s + 17]), y).quantiles(QUARTILES) for s in range(0, 150, 17)]
    assert np.array_equal(np.vstack(blocks), whole)
    order = np.random.default_rng(0).permutation(len(y))
    shuffled = leaf_weights(train[order], counts[order], leaves)
    assert np.array_equal(weighted_quantiles(shuffled, y[order], QUARTILES), whole)


def test_weights_are_left_as_they_were(data):
    x, y, query = data
    forest = RandomForestRegressor(10, min_samples_leaf=5, random_state=0).fit(x, y)
    weights = leaf_weights(forest.apply(x), in_bag_counts(forest, len(y)), forest.apply(query))
    before = weights.toarray()
    weighted_quantiles(weights, y, QUARTILES)
    assert np.array_equal(weights.toarray(), before)


def test_order_of_rows_does_not_matter_among_ties():
    rng = np.random.default_rng(0)
    y, w = rng.integers(0, 6, 40).astype(float), rng.uniform(0, 1, (8, 40)) * (rng.random((8, 40)) < 0.7)
    q, order = np.linspace(0, 1, 21), rng.permutation(40)
    for method in ("inverse_cdf", "linear"):
        one, other = weighted_quantiles(w, y, q, method), weighted_quantiles(w[:, order], y[order], q, method)
        assert np.allclose(one, other, rtol=0, atol=1e-10)


def test_round_off_of_cumulative_sums_does_not_move_a_quantile():
    # 0.1 added ten times falls short of 1 and passes 0.3 by rounding; the inverse CDF at k/10 is the k-th value.
    y = np.arange(1.0, 11.0)
    for scale in (0.1, 1 / 3, 7.0, 1e-8, 1e8):
        found = weighted_quantiles(np.full((1, 10), scale), y, np.arange(1, 11) / 10)
        assert found.tolist() == [y.tolist()]


def test_linear_is_type_7_for_equal_weights_and_symmetric_for_others():
    rng = np.random.default_rng(0)
    y, q = rng.normal(size=41).round(1), np.linspace(0, 1, 23)
    assert np.allclose(weighted_quantiles(np.ones((1, 41)), y, q, "linear")[0], np.quantile(y, q), rtol=0, atol=1e-12)
    w = rng.uniform(0, 1, (5, 41)) * (rng.random((5, 41)) < 0.6)
    up, down = weighted_quantiles(w, y, q, "linear"), weighted_quantiles(w, -y, 1 - q, "linear")
    assert np.allclose(up, -down, rtol=0, atol=1e-9)
    assert np.allclose(up, weighted_quantiles(w * 1e8, y, q, "linear"), rtol=0, atol=1e-9)
    assert np.all(np.diff(up, axis=1) >= -1e-12)


def test_values_without_weight_are_no_support():
    w = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    y = [1.0, 100.0, 3.0]
    for method in ("inverse_cdf", "linear"):
        assert weighted_quantiles(w, y, [0.0, 1.0], method).tolist() == [[1.0, 3.0], [100.0, 100.0]]
    assert weighted_quantiles(w, y, [0.5], "linear").tolist() == [[2.0], [100.0]]


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: LeafTable.build([[1.5]]), "SQ811"),
        (lambda: LeafTable.build([[1]], [[1, 2]]), "SQ811"),
        (lambda: LeafTable.build([[1]], [[-1]]), "SQ813"),
        (lambda: LeafTable.build([[1]]).weights([[1, 1]]), "SQ811"),
        (lambda: LeafTable.build([[1]]).weights([[0]]), "SQ813"),
        (lambda: LeafTable.build([[1]]).weights([[9]]), "SQ813"),
        (lambda: weighted_quantiles([[1.0, 1.0]], [1.0], [0.5]), "SQ811"),
        (lambda: weighted_quantiles([[1.0, -1.0]], [1.0, 2.0], [0.5]), "SQ813"),
        (lambda: weighted_quantiles([[1.0]], [1.0], [1.5]), "SQ813"),
        (lambda: weighted_quantiles([[1.0]], [1.0], [0.5], "type-9"), "SQ813"),
        (lambda: weighted_quantiles([[1.0, 1.0]], [1.0, np.nan], [0.5]), "SQ812"),
    ],
)
def test_errors(call, code):
    with pytest.raises(SoilqlError) as caught:
        call()
    assert caught.value.diagnostics[0].code == code
