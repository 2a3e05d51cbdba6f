"""What columns and maps hold, against numpy on the whole array."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from soilql.study import summaries
from soilql.study.expected import possible, suspicion
from soilql.study.summaries import Summary, summarise, summarise_grid
from soilql.values import Grid


@given(st.lists(st.floats(-1e6, 1e6) | st.just(np.nan) | st.just(np.inf), max_size=60))
def test_a_column_is_summed_up_as_numpy_does(values: list[float]) -> None:
    array = np.array(values)
    found, there = summarise(array), array[np.isfinite(array)]
    assert (found.count, found.missing) == (there.size, array.size - there.size)
    if there.size:
        expected = [there.min(), *np.quantile(there, [0.05, 0.5, 0.95]), there.max()]
        assert [found.low, found.q05, found.median, found.q95, found.high] == pytest.approx(expected)


def grid(chunk: int) -> Grid:
    values = np.random.default_rng(3).gamma(2, 100, (3, 90, 40))
    values[:, :5] = np.nan
    data = xr.Dataset(
        {"P": (("time", "lat", "lon"), values), "M": (("lat", "lon"), values[0])},
        coords={"lat": 89 - 2.0 * np.arange(90), "lon": np.arange(40.0), "time": [1, 2, 3]},
    )
    return Grid(data.chunk({"lat": chunk}))


def test_every_cell_has_its_latitude_and_longitude() -> None:
    found = {name: summarise_grid(grid(7), name) for name in ("lat", "lon")}
    assert [(one.count, one.low, one.high) for one in found.values()] == [(3600, -89, 89), (3600, 0, 39)]
    parts = list(summaries.bands(grid(10), ["lat", "M"]))
    assert all(part["lat"].shape == part["M"].shape == part["area"].shape for part in parts)
    lat = np.concatenate([part["lat"] for part in parts])
    assert np.concatenate([part["area"] for part in parts]) == pytest.approx(np.cos(np.radians(lat)))


@pytest.mark.parametrize("chunk", [1, 7, 90])
def test_blocks_do_not_matter(chunk: int) -> None:
    values = grid(90).data["P"].to_numpy()
    there = values[np.isfinite(values)]
    found = summarise_grid(grid(chunk), "P")
    assert (found.count, found.missing, found.whole) == (there.size, values.size - there.size, True)
    assert [found.low, found.median, found.high] == pytest.approx([there.min(), np.median(there), there.max()])


def test_a_large_grid_is_sampled_in_bands_all_over_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summaries, "MOST_VALUES", 1000)
    found = summarise_grid(grid(10), "M")
    whole = grid(10).data["M"].to_numpy()
    assert not found.whole
    assert 500 <= found.count + found.missing <= 1000
    assert found.median == pytest.approx(np.nanmedian(whole), rel=0.15)
    rows = {float(lat) for part in summaries.bands(grid(10), ["M"]) for lat in np.round(part["area"], 6)}
    assert min(rows) < 0.1 and max(rows) > 0.99


def test_area_is_the_cosine_of_the_latitude() -> None:
    parts = list(summaries.bands(grid(10), ["M"]))
    area = np.concatenate([part["area"] for part in parts])
    assert area == pytest.approx(np.repeat(np.cos(np.radians(89 - 2.0 * np.arange(90))), 40))


@pytest.mark.parametrize(
    ("name", "unit", "low", "median", "high", "looks_like"),
    [
        # Ranges of the public data sets: WorldClim 1.4 stores tenths of a degree, CMIP6 kelvin and kg m-2 s-1,
        # MODIS MOD13 an index times 1e4, SoilGrids clay in g kg-1 and HWSD in %.
        ("bio1", "degC", -290.0, 80.0, 320.0, "tenths"),
        ("tas", "degC", 215.0, 280.0, 312.0, "kelvin"),
        ("tas", "K", -40.0, 8.0, 31.0, "Celsius"),
        ("tas", "K", 215.0, 280.0, 312.0, None),
        ("bio2", "K", 2.0, 9.0, 20.0, None),
        ("T_range", "degC", 150.0, 200.0, 390.0, None),
        ("EVI", "1", -2000.0, 2100.0, 9900.0, "whole numbers"),
        ("EVI", "1", -0.2, 0.2, 0.9, None),
        ("clay", "%", 0.0, 0.2, 0.66, "fractions"),
        ("clay", "1", 0.0, 20.0, 66.0, "percentages"),
        ("pr", "mm yr-1", 0.0, 2e-5, 3e-4, "kg m-2 s-1"),
        ("MAP", "mm yr-1", 10.0, 700.0, 8000.0, None),
        ("Rs", "g C m-2 yr-1", 0.1, 2.0, 12.0, "day or the second"),
        ("Rs", "umol CO2 m-2 s-1", 0.1, 2.0, 12.0, None),
        ("Rs", "g C m-2 yr-1", 20.0, 700.0, 5000.0, None),
    ],
)
def test_values_are_recognised(
    name: str, unit: str, low: float, median: float, high: float, looks_like: str | None
) -> None:
    found = suspicion(name, unit, Summary(100, 0, low, low + (median - low) / 9, median, high * 0.95, high))
    assert (found is None) if looks_like is None else (found is not None and looks_like in found.looks_like)


def test_limits_are_those_of_nature() -> None:
    # Records of the World Meteorological Organization (wmo.asu.edu): -89.2 and 56.7 degC, 26,470 mm in twelve months.
    for name, unit, value in (("T", "degC", -89.2), ("T", "degC", 56.7), ("MAP", "mm yr-1", 26_470.0)):
        limits = possible(name, unit)
        assert limits is not None and limits.low < value < limits.high
    assert possible("wind", "m s-1") is None
    assert possible("T", None) is None
    rain = possible("MAP", "cm yr-1")
    assert rain is None or rain.high == pytest.approx(3000.0)
