"""The recipe after Huang et al. (2020) on the real data: what must hold whatever the numbers are.

The study's global flux is 72.6 Pg C yr-1 with drivers at 1 km that are not at hand; all 23 published totals run from 68
to 108.6 (`GlobalRs.csv` of Jian et al. 2022, Nature Communications). The climate of a model at 10 degrees stands for
the globe here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

from tests.support import needs_data
from tests.test_warner2019 import command

pytestmark = [pytest.mark.slow, pytest.mark.data, needs_data]

RECIPE = Path(__file__).parents[1] / "specs" / "huang2020.yaml"
YEARS = list(range(2000, 2015))
REGIONS = ("boreal", "temperate", "tropical")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("huang2020") / "store"


@pytest.fixture(scope="module")
def folder(store: Path) -> Path:
    """The run folder of the recipe with fewer draws."""
    out = store.parent / "out"
    status, _, err = command("run", str(RECIPE), "--store", str(store), "--out", str(out), "--set", "draws=40")
    assert status == 0, err
    return out


def table(folder: Path, block: str, part: str = "", section: str = "analyses") -> Any:
    """Return a table of a block with all its digits, which CSV files cut."""
    return pd.read_parquet(folder / section / block / f"{block}{part}.parquet")


def test_totals_of_every_year_with_their_interval(folder: Path) -> None:
    totals = table(folder, "budget")
    globe = totals[totals["region"] == "global"]
    assert globe["time"].tolist() == YEARS
    assert globe["total"].between(60, 108.6).all()
    assert (globe["total_lower"] < globe["total"]).all() and (globe["total"] < globe["total_upper"]).all()
    parts = totals[totals["region"].isin(REGIONS)].groupby("time")["total"].sum()
    # Cells in no climate zone are those without a mean temperature, which have no prediction either.
    np.testing.assert_allclose(parts, globe.set_index("time")["total"], rtol=1e-12)
    assert (globe["land_fraction"] == "here, from model_land.land").all()


def test_maps_are_what_was_added_up(folder: Path) -> None:
    with xr.open_dataset(folder / "analyses" / "rs" / "rs.nc") as file:
        maps = file.load()
    assert maps["mean"].shape == (15, 19, 36)
    inside = np.isfinite(maps["mean"])
    assert bool((maps["mean"].where(inside, 1) > 0).all())
    assert bool((maps["lower"] <= maps["upper"]).where(inside, True).all())


def test_each_biome_has_its_best_model_or_says_why_not(folder: Path) -> None:
    candidates = table(folder, "best", ".candidates", "models")
    for zone, rows in candidates.groupby("zone"):
        chosen = rows[rows["chosen"]]
        if (rows["n"] == 0).all():
            assert zone == "temperate DNF"  # no site of the database lies in it
            assert chosen.empty
            continue
        assert len(chosen) == 1
        assert chosen["RMSE_fold_mean"].iloc[0] == rows["RMSE_fold_mean"].min()


def test_the_path_of_the_selection_is_phi(folder: Path) -> None:
    path = table(folder, "mnlr", ".path", "models")
    for _, rows in path.groupby(["zone", "stage"]):
        scored = rows[np.isfinite(rows["phi"])]
        if scored.empty:
            continue
        # Huang et al. (2020), Eq. 5.
        phi = (
            0.25 * scored["RMSE"].min() / scored["RMSE"]
            + 0.25 * scored["R2"] / scored["R2"].max()
            + 0.5 * scored["n"] / scored["n"].max()
        )
        np.testing.assert_allclose(scored["phi"], phi, rtol=1e-9)
        assert scored.loc[scored["chosen"], "phi"].iloc[0] == pytest.approx(scored["phi"].max())


def test_trends_of_totals_are_those_of_scipy(folder: Path) -> None:
    totals, trends = table(folder, "budget"), table(folder, "budget_trend").set_index("region")
    for region in ("global", *REGIONS):
        series = totals[totals["region"] == region].sort_values("time")["total"].to_numpy()
        slope = stats.theilslopes(series, YEARS)[0]
        assert trends.loc[region, "slope"] == pytest.approx(slope, rel=1e-9)
        p = stats.kendalltau(YEARS, series, method="exact").pvalue
        assert trends.loc[region, "p"] == pytest.approx(p, abs=1e-9)


def test_shares_stand_beside_their_null(folder: Path) -> None:
    shares = table(folder, "shares").set_index(["region", "component"])
    for region in ("global", *REGIONS):
        assert shares.loc[(region, "land cover"), "share"] + shares.loc[(region, "climate"), "share"] == pytest.approx(
            1
        )
        assert 0 < shares.loc[(region, "land cover"), "null_mean"] < 1
    together = table(folder, "together")
    assert set(together["driver"]) == {"TEM", "PRE", "GPP"}


def test_partial_correlations_charge_the_drivers_and_the_trend(folder: Path) -> None:
    regions = table(folder, "drivers_of_rs", ".regions")
    # Fifteen years less two for the correlation, two held fixed and one for the line.
    assert (regions["df"] == 15 - 2 - 2 - 1).all()
    p = 2 * stats.t.sf(np.abs(regions["t"]), regions["df"])
    np.testing.assert_allclose(regions["p"], p, rtol=1e-9)


def test_a_second_run_does_nothing(folder: Path, store: Path) -> None:
    again = ("run", str(RECIPE), "--store", str(store), "--out", str(folder), "--set", "draws=40")
    status, out, _ = command(*again)
    assert status == 0
    assert "nothing to do" in out
