"""Members made by fits anew: what they are drawn from, that they are the same everywhere, and that they are kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestRegressor

from soilql.errors import SoilqlError
from soilql.fits.learner_members import draw
from tests.models.diabetes import COLUMNS, SITES, X, Y, fitted, in_parts, reloaded, seen, standard


def test_whole_sites_are_drawn_as_many_as_there_are() -> None:
    sites = np.array([3, 3, 3, 7, 9, 9])
    rng = np.random.default_rng(0)
    for _ in range(50):
        drawn = draw(sites, 6, rng)
        counts = np.bincount(drawn, minlength=6)
        assert counts[0] == counts[1] == counts[2]
        assert counts[4] == counts[5]
        assert counts[0] + counts[3] + counts[4] == 3
    rows = draw(None, 6, rng)
    assert rows.size == 6
    assert draw(np.zeros(6, int), 6, np.random.default_rng(1)).size == 6


def test_rows_are_missed_as_often_as_a_bootstrap_misses_them() -> None:
    # (1 - 1/n)^n of the rows of each replicate: 0.3660 for n = 100 (Efron & Tibshirani 1993).
    rng = np.random.default_rng(0)
    missed = [100 - np.unique(draw(None, 100, rng)).size for _ in range(2000)]
    assert np.mean(missed) / 100 == pytest.approx(0.99**100, abs=0.003)


def test_a_line_through_sites_drawn_anew_has_the_spread_of_the_sites() -> None:
    # The mean of k sites with m equal rows each: its standard error is that of k values, not of k m.
    rng = np.random.default_rng(5)
    sites = np.repeat(np.arange(50), 8)
    frame = pd.DataFrame({"x": rng.normal(size=400), "Rs": rng.normal(size=50)[sites], "place": sites})
    text = "depth: 1\ntrees: 1\nlearning_rate: 1.0e-12\n"  # one tree that hardly counts: the mean
    head = "formula: Rs ~ x\ndata: t\n"
    by_site = fitted("gradient_boosting", text, frame, head).predict({"x": np.zeros(1)}, members=400)["members"]
    by_row = fitted("gradient_boosting", text, frame.drop(columns="place"), head)
    apart = by_row.predict({"x": np.zeros(1)}, members=400)["members"]
    values = frame.groupby("place")["Rs"].first()
    assert by_site.std() == pytest.approx(values.std(ddof=0) / np.sqrt(50), rel=0.12)
    assert apart.std() == pytest.approx(frame["Rs"].std(ddof=0) / np.sqrt(400), rel=0.12)


def test_forests_grown_on_sites_drawn_anew() -> None:
    text = "trees: 30\nmember_trees: 20\nmembers_from: rows\n"
    model = fitted("random_forest", text, SITES)
    ask: dict[str, Any] = {"members": 6, "seed": 8}
    members = model.predict(COLUMNS, **ask)["members"]
    np.testing.assert_array_equal(reloaded("random_forest", model).predict(COLUMNS, **ask)["members"], members)
    np.testing.assert_array_equal(in_parts(model, COLUMNS, 91, **ask)["members"], members)
    fit = model.fits[0]
    for number, (one, drawn) in enumerate(next(iter(fit._refits._made.values()))):
        assert one.forest.count == 20
        root = np.random.SeedSequence([8, 0])
        rng = np.random.default_rng(np.random.SeedSequence(root.entropy, spawn_key=(number,)))
        np.testing.assert_array_equal(draw(fit.data.sites, len(Y), rng), drawn)
        seed = int(rng.integers(2**32))
        forest = RandomForestRegressor(20, min_samples_leaf=5, max_features=3, random_state=seed)
        x, y = fit.data.X[drawn], fit.data.y[drawn]
        forest.fit(seen(standard(x, x)).astype(np.float32), seen(standard(y, y)))
        expected = forest.predict(seen(standard(X, x)).astype(np.float32)) * y.std() + y.mean()
        np.testing.assert_allclose(members[number], expected, rtol=1e-8)
    assert model.member_source == "forests grown on sites drawn anew"


@pytest.mark.parametrize(
    ("kind", "text"),
    # The products of the network are so large that the linear algebra would go through them with several threads.
    [("svr", ""), ("mlp", "hidden: 80\nmax_iterations: 15\n"), ("gradient_boosting", "trees: 10\n")],
)
def test_members_are_made_once_also_for_threads_that_ask_at_the_same_time(kind: str, text: str) -> None:
    model = fitted(kind, text, SITES)
    parts = [{name: values[i : i + 50] for name, values in COLUMNS.items()} for i in range(0, 400, 50)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda part: model.predict(part, members=8, seed=1)["members"], parts))
    made = model.fits[0]._refits._made
    assert [len(one) for one in made.values()] == [8]
    alone = fitted(kind, text, SITES)
    for part, members in zip(parts, found, strict=True):
        np.testing.assert_array_equal(alone.predict(part, members=8, seed=1)["members"], members)


def test_more_members_begin_with_the_same_and_another_seed_has_others() -> None:
    model = fitted("gradient_boosting", "trees: 10\n", SITES)
    few, many = (model.predict(COLUMNS, members=n, seed=1)["members"] for n in (3, 6))
    np.testing.assert_array_equal(many[:3], few)
    other = model.predict(COLUMNS, members=3, seed=2)["members"]
    assert (other != few).any(axis=1).all()


def test_members_need_candidates_to_be_drawn_among_them() -> None:
    for kind in ("random_forest", "gradient_boosting"):
        with pytest.raises(SoilqlError) as error:
            fitted(kind, "members_from: tuned\n")
        assert error.value.diagnostics[0].code == "SQ126"


def test_a_zone_of_one_site_draws_rows() -> None:
    members = fitted("svr", "", SITES.assign(place="s")).predict(COLUMNS, members=3)["members"]
    assert (members.std(axis=0) > 0).any()
