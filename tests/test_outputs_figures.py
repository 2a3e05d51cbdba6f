"""Figures: the projection against published values, pixels where they belong, the same bytes each time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from soilql.errors import SoilqlError
from soilql.outputs.figures import write_bars, write_observed_predicted
from soilql.outputs.maps import _coarsened, _flattened, _frame, _sampled, write_map
from soilql.outputs.projection import Frame, equal_earth, equal_earth_inverse
from soilql.values import Grid, Table


def globe(step: float = 2.0, unit: str = "g C m-2 yr-1") -> Grid:
    lat, lon = np.arange(90 - step / 2, -90, -step), np.arange(-180 + step / 2, 180, step)
    values = np.where(np.abs(lat)[:, None] < 60, 1000 - 10 * np.abs(lat)[:, None] + 0 * lon, np.nan)
    return Grid(xr.Dataset({"Rs": (("lat", "lon"), values, {"units": unit})}, {"lat": lat, "lon": lon}))


def test_equal_earth_keeps_areas_and_has_its_published_extent() -> None:
    # Savric et al. (2019): the map is 2.05458 times as wide as high, the pole 0.59247 as long as the equator.
    width = 2 * float(equal_earth(0, 180)[0])
    height = 2 * float(equal_earth(90, 0)[1])
    assert width / height == pytest.approx(2.05458, abs=5e-6)
    assert float(equal_earth(90, 180)[0]) * 2 / width == pytest.approx(0.59247, abs=5e-6)
    # Equal area: |dx/dlon dy/dlat| = cos(lat) on the unit sphere.
    lat = np.linspace(-85, 85, 35)
    h = 1e-5
    dx = (equal_earth(lat, h)[0] - equal_earth(lat, -h)[0]) / (2 * np.radians(h))
    dy = (equal_earth(lat + h, 0)[1] - equal_earth(lat - h, 0)[1]) / (2 * np.radians(h))
    np.testing.assert_allclose(dx * dy, np.cos(np.radians(lat)), rtol=1e-7)


def test_the_inverse_projection_and_the_outside_of_the_globe() -> None:
    lat, lon = np.meshgrid(np.linspace(-90, 90, 19), np.linspace(-179, 179, 15))
    back = equal_earth_inverse(*equal_earth(lat, lon))
    np.testing.assert_allclose(back[0], lat, atol=1e-5)
    np.testing.assert_allclose(back[1], lon, atol=1e-5)
    assert np.isnan(equal_earth_inverse(2.7, 1.2)[0])


def test_every_pixel_of_a_map_shows_the_cell_it_lies_in() -> None:
    lat, lon = np.arange(49.5, 39, -1.0), np.arange(0.5, 20)
    data = xr.Dataset({"x": (("lat", "lon"), lat[:, None] * 1000 + lon)}, {"lat": lat, "lon": lon})
    frame = Frame(0.0, 39.0, 20.0, 50.0)
    image = _sampled(data, "x", frame, np.arange(50.0, 38, -1), np.arange(0.0, 21))
    assert image[0, 0] == 49500.5
    assert image[-1, -1] == 39519.5
    assert np.isfinite(image).all()
    assert np.unique(image).size == data["x"].size


def test_a_fine_grid_is_averaged_and_a_categorical_one_thinned() -> None:
    fine = globe(0.1)
    coarse = _coarsened(fine.data.chunk({"lat": 500}), "Rs")
    assert coarse["Rs"].shape == (900, 1800)
    np.testing.assert_allclose(coarse["Rs"][450, 0], fine.data["Rs"][900:902, :2].mean())
    fine.data["Rs"].attrs["categorical"] = 1
    thin = np.unique(_coarsened(fine.data, "Rs")["Rs"].fillna(-1))
    assert set(thin) <= set(np.unique(fine.data["Rs"].fillna(-1)))


def yearly(values: list[float], **attrs: Any) -> Grid:
    """One value a year from 2000 on all over the globe."""
    grid = globe(10).data
    cube = np.ones((len(values), *grid["Rs"].shape)) * np.reshape(values, (-1, 1, 1))
    years = np.arange(2000, 2000 + len(values))
    coords = {"time": years, "lat": grid["lat"], "lon": grid["lon"]}
    return Grid(xr.Dataset({"x": (("time", "lat", "lon"), cube, attrs)}, coords).chunk({"time": 1}))


@pytest.mark.parametrize(
    ("values", "attrs", "shown", "words"),
    [
        ([1.0, 2.0, 6.0], {}, 3.0, "mean of 2000-2002"),
        ([np.nan, 2.0, 6.0], {}, 4.0, "mean of 2001-2002"),
        ([1.0, np.nan, 6.0], {}, 3.5, "mean of 2000 and 2002"),
        ([5.0], {}, 5.0, "2000"),
        ([np.nan, np.nan], {}, np.nan, "mean of 2000-2001"),
        ([1.0, 2.0, 6.0], {"categorical": 1}, 6.0, "2002, the last of 2000-2002"),
        ([1.0, 2.0, np.nan], {"categorical": 1}, 2.0, "2001, the last with values of 2000-2002"),
        ([5.0], {"categorical": 1}, 5.0, "2000"),
    ],
)
def test_a_map_of_several_times_says_which_it_shows(
    values: list[float], attrs: dict[str, Any], shown: float, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    monkeypatch.setattr("soilql.outputs.maps.save", lambda figure, path: seen.append(figure.axes[0].get_title("left")))
    grid = yearly(values, **attrs)
    flat, said = _flattened(grid.data, "x")
    np.testing.assert_array_equal(np.unique(flat["x"]), [shown])
    assert said == words
    assert flat["x"].attrs == attrs
    write_map(grid, "x", Path("unused.png"), "block.x")
    assert seen == [f"block.x, {words}"]


def test_the_mean_of_members_is_called_so() -> None:
    grid = yearly([1.0, 3.0]).data.rename(time="member")
    assert _flattened(grid, "x")[1] == "mean of 2 members"


def test_a_map_of_cells_across_the_date_line_reaches_both_rims() -> None:
    # The cell centred on the date line: its eastern half is seen in the west, its western half in the east.
    lat, lon = np.arange(85.0, -90, -10), np.arange(-180.0, 180, 10)
    data = xr.Dataset({"x": (("lat", "lon"), 0 * lat[:, None] + lon)}, {"lat": lat, "lon": lon})
    ends = np.arange(90.0, -91, -10), np.arange(-185.0, 176, 10)
    frame = _frame(*ends)
    assert (frame.west, frame.east) == (-180.0, 180.0)
    image = _sampled(data, "x", frame, *ends)
    middle = image[image.shape[0] // 2]
    # Along the equator longitude runs evenly from -180 to 180 over the picture.
    degrees = -180 + 360 * (np.arange(middle.size) + 0.5) / middle.size
    expected = (10 * np.floor((degrees + 5) / 10) + 180) % 360 - 180
    np.testing.assert_array_equal(middle, expected)


def test_the_frame_of_a_region_is_its_own() -> None:
    assert _frame(np.array([10.0, 0.0]), np.array([-185.0, -175.0, -165.0])).west == -185.0
    assert _frame(np.array([10.0, 0.0]), np.array([-100.0, 0.0, 110.0])).west == -100.0


def test_maps_are_the_same_bytes_and_carry_no_version(tmp_path: Path) -> None:
    for name in "ab":
        write_map(globe(), "Rs", tmp_path / f"{name}.png", "rs.Rs")
    first = (tmp_path / "a.png").read_bytes()
    assert first == (tmp_path / "b.png").read_bytes()
    assert b"atplotlib" not in first
    pixels = matplotlib.image.imread(tmp_path / "a.png")
    assert pixels.shape[1] == 1800


@pytest.mark.parametrize("values", [np.nan, 5.0, 0.0])
def test_maps_without_a_value_or_of_one_value(tmp_path: Path, values: float) -> None:
    grid = globe()
    grid.data["Rs"][:] = values
    write_map(grid, "Rs", tmp_path / "m.png", "empty")
    grid.data["Rs"].attrs["categorical"] = 1
    write_map(grid, "Rs", tmp_path / "c.png", "empty")
    assert (tmp_path / "m.png").stat().st_size > 1000


def test_figures_of_tables(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    observed = rng.gamma(3, 250, 5000)
    frame = pd.DataFrame({"model": "qrf", "observed": observed, "predicted": observed + rng.normal(0, 100, 5000)})
    frame.loc[:3, "predicted"] = np.nan
    for count in (5000, 200, 0):
        write_observed_predicted(Table(frame.iloc[:count], {"observed": "g C m-2 yr-1"}), tmp_path / f"op{count}.png")
    bars = pd.DataFrame(
        {"of": "rs", "kind": ["global", "zone"], "region": ["global", "north"], "total": [91.0, np.nan]}
    )
    for name in "ab":
        write_bars(Table(bars, {"total": "Pg C yr-1"}), tmp_path / f"{name}.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert matplotlib.image.imread(tmp_path / "op5000.png").std() > 0.01


def test_a_figure_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "m.png").mkdir()
    with pytest.raises(SoilqlError, match="SQ901"):
        write_map(globe(10), "Rs", tmp_path / "m.png", "x")


def test_a_map_is_titled_by_its_long_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def look(figure: Any, path: Path) -> None:
        seen.extend([*(axes.get_title(loc="left") for axes in figure.axes[:1]), *(t.get_text() for t in figure.texts)])

    monkeypatch.setattr("soilql.outputs.maps.save", look)
    grid = globe()
    for name in ("predicted Rs, 5 % quantile", 'rh_from_rs(rs.q05, "subke-2006")'):
        grid.data["Rs"].attrs["long_name"] = name
        write_map(grid, "Rs", tmp_path / "x.png", "rs.q05")
    assert seen == ["Predicted Rs, 5 % quantile", "rs.q05", 'rh_from_rs(rs.q05, "subke-2006")', "rs.q05"]


def test_numbers_without_a_unit_are_not_labelled_by_a_one(monkeypatch: pytest.MonkeyPatch) -> None:
    labels: list[str] = []
    save = "save", lambda figure, path: labels.extend(axes.get_xlabel() for axes in figure.axes)
    for module in ("maps", "figures"):
        monkeypatch.setattr(f"soilql.outputs.{module}.{save[0]}", save[1])
    bars = pd.DataFrame({"of": "share", "kind": "global", "region": ["global"], "total": 2.0, "area_Mkm2": 1.0})
    for unit in ("1", "kg m-2"):
        write_map(globe(30.0, unit), "Rs", Path("unused.png"), "rs.mean")
        write_bars(Table(bars, {"total": unit}), Path("unused.png"))
    assert labels == ["", "", "total", "", "kg m⁻²", "total (kg m⁻²)"]


def test_bars_of_a_long_table_stay_a_picture(tmp_path: Path) -> None:
    rows = [
        {"of": f"flux{i}", "kind": "global", "region": "global", "time": t, "total": 1.0}
        for i in range(6)
        for t in range(300)
    ]
    write_bars(Table(pd.DataFrame(rows), {"total": "Pg C yr-1"}), tmp_path / "x.png")
    height, width, _ = matplotlib.image.imread(tmp_path / "x.png").shape
    assert height <= 8000
    assert width <= 4000


def test_dots_stand_where_the_map_of_significance_says(monkeypatch: pytest.MonkeyPatch) -> None:
    dots: list[Any] = []
    words: list[str] = []

    def look(figure: Any, path: Path) -> None:
        dots.extend(np.asarray(one.get_offsets()) for one in figure.axes[0].collections)
        words.extend(text.get_text() for text in figure.texts)

    monkeypatch.setattr("soilql.outputs.maps.save", look)
    grid = globe(10)
    grid.data["marks"] = xr.zeros_like(grid.data["Rs"])
    grid.data["marks"][4, 20] = -1  # 40 to 50 degrees north, 20 to 30 east
    grid.data["Rs"].attrs["ancillary_variables"] = "marks"
    write_map(grid, "Rs", Path("unused.png"), "x")
    lat, lon = equal_earth_inverse(*dots[0].T)
    assert lat.size > 3
    assert ((lat > 40) & (lat < 50) & (lon > 20) & (lon < 30)).all()
    assert "dots: significant in the field" in words
    grid.data["marks"][:] = 0
    write_map(grid, "Rs", Path("unused.png"), "x")
    assert "nothing significant in the field" in words


def test_categories_of_maps_and_bars_have_the_same_colours() -> None:
    from matplotlib.colors import to_hex

    from soilql.outputs.figures import PALETTE
    from soilql.outputs.maps import _category_colours

    attrs = {"flag_values": [0, 1, 2], "flag_meanings": ["none", "TEM", "PRE"]}
    colours = _category_colours(xr.DataArray([0.0, 2.0], attrs=attrs), np.array([0.0, 1, 2]))
    assert [to_hex(one).upper() for one in colours[1:]] == [one.upper() for one in PALETTE[:2]]


def test_limits_of_a_count_that_few_cells_fall_short_of() -> None:
    from soilql.outputs.maps import robust_limits

    assert robust_limits(np.array([15.0] * 99 + [12.0])) == (12.0, 15.0)


def series_table(**columns: Any) -> Table:
    years = np.arange(2000, 2010)
    frame = pd.DataFrame(
        {"kind": "global", "region": "global", "time": years, "value": years - 2000.0, "area_Mkm2": 1.0}
    )
    return Table(frame.assign(**columns), {"value": "g C m-2 yr-1"}, {"time": "time"})


def test_series_show_the_trend_of_their_table_with_its_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    from soilql.outputs.series_figures import write_series

    drawn: list[Any] = []
    monkeypatch.setattr("soilql.outputs.series_figures.save", lambda figure, path: drawn.append(figure.axes))
    write_series(series_table(line=2.0 * np.arange(10), p=0.3, significant=False), Path("unused.png"))
    write_series(series_table(), Path("unused.png"))
    write_series(series_table(value=np.nan), Path("unused.png"))
    given, own, empty = (axes[0] for axes in drawn)
    assert given.texts[0].get_text() == "+2 g C m⁻² yr⁻², p = 0.3"
    assert given.lines[-1].get_linestyle() == "--"
    assert own.texts[0].get_text().startswith("+1 g C m⁻² yr⁻², p = ")
    assert own.lines[-1].get_linestyle() == "-"
    assert empty.texts[0].get_text() == "no values"


def test_an_endless_interval_keeps_its_p_and_long_names_are_broken_at_underscores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from soilql.outputs.region_figures import write_correlations
    from soilql.outputs.series_figures import write_slopes

    drawn: list[Any] = []
    for module in ("series_figures", "region_figures"):
        monkeypatch.setattr(f"soilql.outputs.{module}.save", lambda figure, path: drawn.append(figure.axes[0]))
    row = {"region": "a", "n": 4, "slope": 1.0, "lower": -np.inf, "upper": np.inf, "p": 0.083, "significant": False}
    write_slopes(Table(pd.DataFrame([row | {"status": "done"}])), Path("unused.png"))
    (label,) = drawn[0].texts
    assert label.get_text() == "p = 0.083"
    assert label.xy[0] == 1.0
    names = ["temperate_evergreen_needleleaf", "cropland"]
    rows = [
        {"kind": "zone", "region": name, "driver": d, "r": 0.5, "significant": d == "P"} for name in names for d in "TP"
    ]
    write_correlations(Table(pd.DataFrame(rows)), Path("unused.png"))
    shown = drawn[1].get_xticklabels()[0].get_text()
    assert shown.replace("\n", "") == names[0]
    assert all(line.rstrip("_") in names[0].split("_") for line in shown.split("\n"))
    assert [text.get_text() for text in drawn[1].get_legend().get_texts()] == ["T", "P", "not significant"]
