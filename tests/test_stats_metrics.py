"""Skill measures against worked examples, scikit-learn and statsmodels."""

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, mean_pinball_loss, mean_squared_error, r2_score

from soilql.errors import SoilqlError
from soilql.stats import metrics

OBS = np.array([1.0, 2.0, 10.0, 11.0])
PRED = np.array([1.5, 1.5, 10.5, 10.5])
FOLDS = np.array(["x", "x", "y", "y"])


@pytest.fixture
def sample():
    rng = np.random.default_rng(1)
    obs = rng.gamma(4, 200, 60)
    return obs, obs + rng.normal(0, 150, 60), rng.uniform(0.1, 3, 60)


def test_pooled_and_fold_r2_are_different_things():
    # Worked by hand: SSE = 4 x 0.25, SST = 82; within each fold the prediction is the fold's mean.
    assert metrics.r2(OBS, PRED) == pytest.approx(1 - 1 / 82, abs=1e-15)
    assert round(metrics.r2(OBS, PRED), 6) == 0.987805
    scores = metrics.fold_r2(OBS, PRED, FOLDS)
    assert (scores.mean, scores.sd, scores.n_undefined) == (0.0, 0.0, 0)
    assert scores.folds.tolist() == ["x", "y"]


def test_constant_fold_is_counted_and_left_out_of_the_mean():
    obs = np.array([5.0, 5.0, 1.0, 3.0, 2.0, 4.0])
    pred = np.array([5.0, 6.0, 1.0, 3.0, 3.0, 3.0])
    scores = metrics.fold_r2(obs, pred, [0, 0, 1, 1, 2, 2])
    assert np.isnan(scores.values[0])
    assert scores.n_undefined == 1
    # Folds 1 and 2 have R2 of 1 and 0: mean 0.5, SD with ddof 1 is sqrt(0.5).
    assert scores.mean == 0.5
    assert scores.sd == pytest.approx(np.sqrt(0.5), abs=1e-15)


def test_constant_of_a_value_that_has_no_exact_mean_is_still_constant():
    assert np.isnan(metrics.r2([0.1] * 3, [0.1, 0.2, 0.3]))
    assert np.isnan(metrics.squared_correlation([0.1] * 3, [0.1, 0.2, 0.3]))


def test_against_scikit_learn(sample):
    obs, pred, w = sample
    for weights in (None, w):
        assert metrics.r2(obs, pred, weights) == pytest.approx(r2_score(obs, pred, sample_weight=weights))
        assert metrics.rmse(obs, pred, weights) ** 2 == pytest.approx(
            mean_squared_error(obs, pred, sample_weight=weights)
        )
        assert metrics.mae(obs, pred, weights) == pytest.approx(mean_absolute_error(obs, pred, sample_weight=weights))
        loss = metrics.pinball_loss(obs, np.column_stack([pred, pred]), [0.1, 0.9], weights)
        for value, alpha in zip(loss, (0.1, 0.9), strict=True):
            assert value == pytest.approx(mean_pinball_loss(obs, pred, alpha=alpha, sample_weight=weights))


def test_bias_is_predicted_minus_observed():
    assert metrics.bias([1.0, 2.0], [2.0, 5.0]) == 2.0
    assert metrics.bias([1.0, 2.0], [2.0, 5.0], [3.0, 1.0]) == 1.5


def test_squared_correlation_against_numpy_and_blind_to_scale(sample):
    obs, pred, w = sample
    assert metrics.squared_correlation(obs, pred) == pytest.approx(np.corrcoef(obs, pred)[0, 1] ** 2)
    cov = np.cov(obs, pred, aweights=w)
    expected = cov[0, 1] ** 2 / (cov[0, 0] * cov[1, 1])
    assert metrics.squared_correlation(obs, pred, w) == pytest.approx(expected)
    for scale in (1e-200, 1e-8, 1e8, 1e200):
        assert metrics.squared_correlation(obs * scale, -pred) == pytest.approx(expected_unweighted(obs, pred))


def expected_unweighted(obs, pred):
    return np.corrcoef(obs, pred)[0, 1] ** 2


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_r2_does_not_change_with_the_unit(sample, scale):
    obs, pred, w = sample
    assert metrics.r2(obs * scale, pred * scale, w * scale) == pytest.approx(metrics.r2(obs, pred, w), rel=1e-12)


def test_coverage_counts_ends_and_weighs():
    assert metrics.coverage([1, 2, 3, 4], [1, 0, 4, 0], [2, 2, 9, np.inf]) == 0.75
    assert metrics.coverage([1, 9], [0, 0], [2, 2], weights=[3, 1]) == 0.75


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: metrics.r2([1.0, np.nan], [1.0, 2.0]), "SQ812"),
        (lambda: metrics.rmse([1.0, 2.0], [1.0, np.inf]), "SQ812"),
        (lambda: metrics.mae([1.0, 2.0], [1.0]), "SQ811"),
        (lambda: metrics.bias([], []), "SQ811"),
        (lambda: metrics.r2([1.0, 2.0], [1.0, 2.0], [1.0, -1.0]), "SQ813"),
        (lambda: metrics.pinball_loss([1.0], [[1.0]], [1.5]), "SQ813"),
        (lambda: metrics.coverage([1.0], [2.0], [0.0]), "SQ813"),
        (lambda: metrics.coverage([1.0], [np.nan], [0.0]), "SQ812"),
        (lambda: metrics.fold_r2([1.0, 2.0], [1.0, 2.0], [0]), "SQ811"),
    ],
)
def test_nothing_is_dropped_in_silence(call, code):
    with pytest.raises(SoilqlError) as caught:
        call()
    assert caught.value.diagnostics[0].code == code
