"""Partial correlations of grids and tables through the step, against residuals of regressions and Student's t."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

from soilql.context import Resources
from soilql.errors import SoilqlError
from soilql.values import Grid, Table
from tests.support import run_kind

YEARS = np.arange(2000, 2015)
NAMES = ("TEM", "PRE", "SPEI", "TC", "SV", "BG")


def grid(years: Any = YEARS, **variables: Any) -> Grid:
    shape = next(iter(variables.values())).shape
    lat, lon = 60 - min(10.0, 120 / shape[1]) * np.arange(shape[1]), 10.0 * np.arange(shape[2])
    data = {name: (("time", "lat", "lon"), np.asarray(values, float)) for name, values in variables.items()}
    return Grid(xr.Dataset(data, {"time": years, "lat": lat, "lon": lon}))


def world(seed: int = 1, shape: tuple[int, int] = (3, 4), drivers: int = 6) -> tuple[Grid, Grid]:
    rng = np.random.default_rng(seed)
    made = {name: rng.normal(size=(15, *shape)) for name in NAMES[:drivers]}
    response = 2 * made["TEM"] - made["PRE"] + rng.normal(size=(15, *shape)) + 0.3 * np.arange(15)[:, None, None]
    return grid(rs=response), grid(**made)


def correlate(rs: Grid, climate: Grid, text: str = "", **more: Any) -> Grid:
    drivers = ", ".join(f"climate.{name}" for name in climate.data.data_vars)
    context: dict[str, Any] = {"scratch": Path("/nonexistent")}
    context |= {key: more.pop(key) for key in ("resources", "scratch") if key in more}
    text = text if "drivers:" in text else f"drivers: [{drivers}]\n{text}"
    inputs = {"rs": rs, "climate": climate, **more}
    found = run_kind("analyses", "partial_correlation", f"of: rs\n{text}", inputs, **context)
    assert isinstance(found, Grid)
    return found


def by_residuals(y: Any, x: Any, others: Any, trend: bool) -> float:
    """Correlation of what regressions on the other drivers (and time) leave of both series: the definition."""
    controls = [np.ones(15), *others] + ([np.arange(15.0)] if trend else [])
    basis = np.column_stack(controls)
    left = [v - basis @ np.linalg.lstsq(basis, v, rcond=None)[0] for v in (y, x)]
    return float(np.corrcoef(*left)[0, 1])


@pytest.mark.parametrize(("detrend", "df"), [("linear", 7), ("none", 8)])
def test_cells_have_the_correlation_of_residuals_and_its_p(detrend: str, df: int) -> None:
    rs, climate = world()
    found = correlate(rs, climate, f"detrend: {detrend}\ndtype: float64").data
    assert (found["df"] == df).all()
    for i, j in ((0, 0), (2, 3)):
        series = {name: climate.data[name].to_numpy()[:, i, j] for name in NAMES}
        for name in NAMES:
            others = [series[other] for other in NAMES if other != name]
            r = by_residuals(rs.data["rs"].to_numpy()[:, i, j], series[name], others, detrend == "linear")
            assert found[f"r_{name}"].to_numpy()[i, j] == pytest.approx(r, abs=1e-12)
            p = 2 * stats.t.sf(abs(r) * np.sqrt(df / (1 - r * r)), df)
            assert found[f"p_{name}"].to_numpy()[i, j] == pytest.approx(p, rel=1e-9)


@pytest.mark.parametrize(
    ("detrend", "critical"),
    # statistics.md, n = 15 and five controls: |r| at p = .01/.05/.1/.2/.5 without and with the line charged.
    [("none", (0.7646, 0.6319, 0.5494, 0.4428, 0.2423)), ("linear", (0.7977, 0.6664, 0.5822, 0.4716, 0.2596))],
)
def test_critical_correlations_of_fifteen_years_and_six_drivers(detrend: str, critical: tuple[float, ...]) -> None:
    rs, climate = world(2, (30, 30))
    found = correlate(rs, climate, f"detrend: {detrend}\ndtype: float64").data
    r, p = (np.concatenate([found[f"{head}_{name}"].to_numpy().ravel() for name in NAMES]) for head in ("r", "p"))
    for limit, level in zip(critical, (0.01, 0.05, 0.1, 0.2, 0.5), strict=True):
        above = np.abs(r) > limit + 5e-5
        below = np.abs(r) < limit - 5e-5
        assert above.any() and below.any()
        assert (p[above] < level).all() and (p[below] > level).all()


def test_bands_threads_order_and_units_leave_no_trace(tmp_path: Path) -> None:
    rs, climate = world(3, (12, 5))
    text = "bands: 30\ndtype: float64"
    whole = correlate(rs, climate, text)
    chunked = {"time": 4, "lat": 5, "lon": 2}
    parts = correlate(
        Grid(rs.data.chunk(chunked)),
        Grid(climate.data.chunk(chunked)),
        text,
        resources=Resources(memory=1 << 14, workers=2),
        scratch=tmp_path,
    )
    assert list(tmp_path.glob("*.map")), "maps beyond the budget are kept in files"
    xr.testing.assert_identical(whole.data.compute(), parts.data.compute())
    for name, extra in whole.extras.items():
        pd.testing.assert_frame_equal(extra.frame, parts.extras[name].frame)
    small = correlate(Grid(rs.data * 1e-8), Grid(climate.data * 1e-8), text).data
    for name in NAMES:
        np.testing.assert_allclose(small[f"r_{name}"], whole.data[f"r_{name}"], atol=1e-12)
    order = np.random.default_rng(1).permutation(5)
    turned = correlate(*(Grid(g.data.assign({k: (v.dims, v.to_numpy()[:, :, order]) for k, v in g.data.items()}))
                         for g in (rs, climate)), "dtype: float64").data  # fmt: skip
    np.testing.assert_array_equal(turned["r_TEM"].to_numpy(), whole.data["r_TEM"].to_numpy()[:, order])


def covers(seed: int = 4) -> tuple[Grid, Grid]:
    rng = np.random.default_rng(seed)
    parts = rng.dirichlet([4, 3, 2], size=(15, 3, 3)) * 100
    made = {name: parts[..., k] for k, name in enumerate(("TC", "SV", "BG"))}
    response = made["SV"] + rng.normal(size=(15, 3, 3))
    return grid(rs=response), grid(TEM=rng.normal(size=(15, 3, 3)), **made)


def test_parts_of_a_whole_are_named_and_resolved_as_asked() -> None:
    rs, climate = covers()
    with pytest.raises(SoilqlError, match="SQ632") as caught:
        correlate(rs, climate)
    message = caught.value.diagnostics[0].message
    assert all(name in message for name in ("TC", "SV", "BG")) and "TEM" not in message
    dropped = correlate(rs, climate, "parts: drop").data
    assert "r_BG" not in dropped and "r_TC" in dropped
    assert (dropped["status"] == 0).all()
    ratios = correlate(rs, climate, "parts: log_ratio").data
    assert {"r_TEM", "r_log_TC_BG", "r_log_SV_BG"} <= set(ratios.data_vars)
    assert (ratios["status"] == 0).all()


def test_a_driver_below_its_least_does_not_count_in_a_cell_and_others_do() -> None:
    rs, climate = world(5, drivers=3)
    data = climate.data + 30
    data["PRE"][:, 0, :] -= 20
    found = correlate(rs, Grid(data), "least: {PRE: 25}").data
    assert np.isnan(found["r_PRE"].to_numpy()[0]).all()
    assert np.isfinite(found["r_PRE"].to_numpy()[1:]).all()
    assert np.isfinite(found["r_TEM"].to_numpy()).all()


def test_a_mask_leaves_cells_out_of_maps_and_regions() -> None:
    rs, climate = world(6, drivers=3)
    mask = xr.Dataset({"m": (("lat", "lon"), np.array([[0.0] * 4, [1.0] * 4, [np.nan] * 4]))}, climate.data.coords)
    found = correlate(rs, climate, "mask: land", land=Grid(mask.drop_vars("time")))
    assert np.isfinite(found.data["r_TEM"].to_numpy()).all(axis=1).tolist() == [False, True, False]
    alone = correlate(Grid(rs.data.isel(lat=[1])), Grid(climate.data.isel(lat=[1])))
    pd.testing.assert_frame_equal(found.extras["regions"].frame, alone.extras["regions"].frame)


def test_the_dominant_driver_is_the_strongest_significant_one() -> None:
    rs, climate = world(7, (6, 6))
    found = correlate(rs, climate).data
    r = np.stack([found[f"r_{name}"].to_numpy() for name in NAMES])
    p = np.stack([found[f"p_{name}"].to_numpy() for name in NAMES])
    strength = np.where(p < 0.05, np.abs(r), 0)
    expected = np.where(strength.max(axis=0) > 0, strength.argmax(axis=0) + 1, 0)
    np.testing.assert_array_equal(found["dominant"].to_numpy(), expected)
    assert found["dominant"].attrs["flag_meanings"] == ["none significant", *NAMES]


def test_constant_and_missing_series_have_a_status() -> None:
    rs, climate = world(8, (1, 4), drivers=3)
    climate.data["PRE"][:, 0, 1] = 5.0
    rs.data["rs"][:, 0, 2] = 1.0
    rs.data["rs"][4:, 0, 3] = np.nan
    found = correlate(rs, climate).data
    words = dict(zip(found["status"].attrs["flag_values"], found["status"].attrs["flag_meanings"], strict=True))
    status = [words[int(code)] for code in found["status"].to_numpy()[0]]
    assert status == ["done", "constant driver", "constant response", "too short"]
    assert np.isfinite(found["r_TEM"].to_numpy()[0]).tolist() == [True, False, False, False]


def test_years_that_not_all_have_are_left_out_with_a_note() -> None:
    rs, climate = world(9, drivers=2)
    short = Grid(climate.data.isel(time=slice(2, None)))
    found = correlate(rs, short)
    assert (found.data["n"] == 13).all()
    assert any("2000, 2001" in note.message for note in found.notes)
    dated = Grid(climate.data.assign_coords(time=pd.to_datetime([f"{y}-01-01" for y in YEARS])))
    assert (correlate(rs, dated).data["n"] == 15).all()
    months = pd.date_range("2000-01-01", periods=15, freq="MS")
    with pytest.raises(SoilqlError, match="resample"):
        correlate(rs, Grid(climate.data.assign_coords(time=months)))


def test_a_table_gives_a_row_a_series_and_driver() -> None:
    rs, climate = world(10, (1, 2), drivers=3)
    frame = pd.DataFrame(
        {
            "region": np.repeat(["a", "b"], 15),
            "year": np.tile(YEARS, 2),
            "Rs": rs.data["rs"].to_numpy()[:, 0, :].T.ravel(),
            **{name: climate.data[name].to_numpy()[:, 0, :].T.ravel() for name in NAMES[:3]},
        }
    )
    table = Table(frame, {}, {"time": "year"})
    text = "of: t.Rs\ndrivers: [t.TEM, t.PRE, t.SPEI]"
    found = run_kind("analyses", "partial_correlation", text, {"t": table}).frame.set_index(["region", "driver"])
    maps = correlate(rs, climate, "dtype: float64").data
    for j, region in enumerate("ab"):
        for name in NAMES[:3]:
            assert found.loc[(region, name), "r"] == pytest.approx(maps[f"r_{name}"].to_numpy()[0, j], abs=1e-12)


@pytest.mark.parametrize("text", ["drivers: [climate.TEM]", "drivers: [climate.TEM, climate.TEM]", "least: {XX: 1}"])
def test_bad_requests_are_named(text: str) -> None:
    with pytest.raises(SoilqlError, match="SQ126"):
        correlate(*world(11, drivers=2), text)


def test_drivers_that_follow_from_one_another_are_named() -> None:
    rng = np.random.default_rng(11)
    tree, rain = rng.normal(30, 5, (15, 2, 2)), rng.normal(800, 80, (15, 2, 2))
    found = correlate(grid(rs=rng.normal(size=(15, 2, 2))), grid(TC=tree, PRE=rain, cover=3 - 2 * tree))
    assert (found.data["status"] == 4).all()
    words = [note.message for note in found.notes if note.code == "SQ802"]
    assert "`rs`: of 4 cells with values 4 singular; see the map `status`" in words
    assert "no partial correlations of global: singular, as `TC` and `cover` follow from one another" in words


def test_maps_of_correlations_name_their_map_of_significance() -> None:
    found = correlate(*world()).data
    assert found["r_TEM"].attrs["ancillary_variables"] == "significant_TEM"


@pytest.mark.parametrize(
    ("detrend", "line", "words"),
    [
        ("linear", 2.0, "constant driver, as `line` does not vary but for its line in time"),
        ("none", 0.0, "constant driver, as `line` does not vary"),
    ],
)
def test_a_driver_that_does_not_vary_is_named(detrend: str, line: float, words: str) -> None:
    rng = np.random.default_rng(12)
    frame = pd.DataFrame({"year": YEARS, "Rs": rng.normal(size=15), "T": rng.normal(size=15), "line": 3 + line * YEARS})
    table = Table(frame, {}, {"time": "year"})
    text = f"of: t.Rs\ndrivers: [t.T, t.line]\ndetrend: {detrend}"
    found = run_kind("analyses", "partial_correlation", text, {"t": table})
    assert [note.message for note in found.notes] == [f"no partial correlations of the series: {words}"]


def test_diagnostics_call_series_by_the_references_of_the_spec() -> None:
    rs, climate = world(shape=(1, 2), drivers=2)
    late = Grid(climate.data.assign_coords(time=YEARS + 40))
    drivers = "drivers: {warmth: climate.TEM, rain: climate.PRE}"
    with pytest.raises(SoilqlError, match="SQ706 there is no time that all have") as caught:
        correlate(rs, late, drivers)
    (found,) = caught.value.diagnostics
    assert found.label == "`rs` 2000 to 2014; `climate.TEM` 2040 to 2054; `climate.PRE` 2040 to 2054"
    with pytest.raises(SoilqlError, match="within 1900-1910") as caught:
        correlate(rs, climate, f"{drivers}\nperiod: [1900, 1910]")
    span = caught.value.diagnostics[0].span
    assert span is not None and span.text == "[1900, 1910]"
    months = np.arange("2000-01", "2001-04", dtype="datetime64[M]").astype("datetime64[ns]")
    with pytest.raises(SoilqlError, match="SQ708 `rs` has several times a year"):
        correlate(Grid(rs.data.assign_coords(time=months)), climate, drivers)
    with pytest.raises(SoilqlError, match=r"SQ714 `climate\.TEM` is one map"):
        correlate(rs, Grid(climate.data.isel(time=0, drop=True)), drivers)
    one_less = Grid(rs.data.isel(time=slice(1, None)))
    (note,) = (note for note in correlate(one_less, climate, drivers).notes if note.code == "SQ706")
    assert note.message == "`rs` has no value for 2000, which others have: left out"


def test_a_variable_or_table_that_is_no_driver_is_told_at_its_place() -> None:
    rs, climate = world(shape=(1, 2), drivers=2)
    for inputs, words in (
        ({"climate": climate}, "SQ704 `climate` has no variable `SUN`"),
        ({"climate": Table(pd.DataFrame({"SUN": [1.0]}))}, "SQ204 `climate` is not a grid"),
    ):
        with pytest.raises(SoilqlError, match=words) as caught:
            text = "of: rs\ndrivers: {light: climate.SUN, rain: rain.PRE}"
            run_kind("analyses", "partial_correlation", text, {"rs": rs, "rain": climate, **inputs})
        span = caught.value.diagnostics[0].span
        assert span is not None and span.text == "climate.SUN"
