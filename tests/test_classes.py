"""Zones by groups of classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from soilql import kinds
from soilql.convert import convert
from soilql.errors import SoilqlError, Source
from soilql.source import parse_yaml
from soilql.surface.same import plain
from soilql.values import Grid
from tests.support import bind_block, run_kind

GROUPS = "groups: {forest: [1, 2, 3], grass: [10]}\n"


def classes(text: str, **inputs: Any) -> Any:
    return run_kind("zones", "classes", text, inputs)


def class_map(values: Any, lat: Any, lon: Any) -> Grid:
    array = xr.DataArray(np.asarray(values, float), {"lat": lat, "lon": lon}, ("lat", "lon"), attrs={"categorical": 1})
    return Grid(xr.Dataset({"igbp": array}))


WORLD = class_map(
    np.array([[1, 2, 10, 7], [3, np.nan, 1, 10]]), np.array([45.0, -45.0]), np.array([-135.0, -45.0, 45.0, 135.0])
)


def test_numbers() -> None:
    zones = classes("of: igbp\n" + GROUPS)
    assert zones.labels == ("forest", "grass")
    values = np.array([3.0, 10.0, 7.0, np.nan, 1.0, 7.0, 8.0])
    codes = zones.codes({"igbp": values})
    assert codes.dtype == np.int16
    assert codes.tolist() == [0, 1, -1, -1, 0, -1, -1]
    assert zones.codes({"igbp": da.from_array(values, chunks=3)}).compute().tolist() == codes.tolist()
    assert zones.outside({"igbp": values}) == {"7": 2, "8": 1, "missing": 1}


def test_text_and_the_numbers_in_it() -> None:
    values = np.array(["Forest", None, "3", "Wetland", np.nan], dtype=object)
    zones = classes("of: biome\ngroups: {trees: [Forest, 3]}\nothers: rest\n")
    assert zones.labels == ("trees", "rest")
    codes = zones.codes({"biome": values})
    assert codes.tolist() == [0, -1, 0, 1, -1]
    assert zones.codes({"biome": da.from_array(values, chunks=2)}).compute().tolist() == codes.tolist()
    assert zones.outside({"biome": values}) == {"missing": 2}


def test_zones_of_several_words_go_to_the_other_surface_and_back() -> None:
    text = (Path(__file__).parent / "lint" / "ok" / "zones_of_several_words.yaml").read_text(encoding="utf-8")
    there = convert(text, "yaml", "soilql", "x.yaml")
    assert '"temperate forest": [4, 5]' in there
    back = convert(there, "soilql", "yaml", "x.soilql")
    assert plain(parse_yaml(Source("b.yaml", back)).root) == plain(parse_yaml(Source("x.yaml", text)).root)
    zones = classes("of: igbp\ngroups: {temperate forest: [4, 5], no: [10]}\nothers: all the rest\n")
    assert zones.labels == ("temperate forest", "no", "all the rest")
    assert zones.codes({"igbp": np.array([5.0, 10.0, 1.0])}).tolist() == [0, 1, 2]


def test_map_is_looked_up_by_the_nearest_cell() -> None:
    zones = classes("grid: cover\n" + GROUPS, cover=WORLD)
    assert zones.variables == ()
    lat = np.array([80.0, 10.0, 45.0, -1.0, -45.0, -80.0, np.nan, 45.0])
    lon = np.array([-179.0, -1.0, 1.0, -179.99, -45.0, 405.0, 0.0, 179.9])
    # By hand, from the centres nearest along each axis; 405 degrees east is 45.
    codes = [0, 0, 1, 0, -1, 0, -1, -1]
    assert zones.codes({"lat": lat, "lon": lon}).tolist() == codes
    lazy = zones.codes({"lat": da.from_array(lat, chunks=3), "lon": da.from_array(lon, chunks=3)})
    assert lazy.compute().tolist() == codes
    assert zones.map.unlisted == {"7": 1}


def test_places_off_a_regional_map_lie_in_no_zone() -> None:
    region = class_map(np.ones((2, 2)), np.array([1.5, 0.5]), np.array([10.5, 11.5]))
    zones = classes("grid: cover.igbp\n" + GROUPS, cover=region)
    places = {"lat": np.array([1.9, 2.1, 0.0, 1.0]), "lon": np.array([10.1, 10.5, 11.9, 12.1])}
    assert zones.codes(places).tolist() == [0, -1, 0, -1]
    assert zones.outside(places) == {"off the map or in an unlisted class": 2}


def test_shape_of_the_places_is_kept() -> None:
    zones = classes("grid: cover\n" + GROUPS, cover=WORLD)
    lat, lon = np.meshgrid([45.0, -45.0], [-135.0, -45.0, 45.0], indexing="ij")
    assert zones.codes({"lat": lat, "lon": lon}).tolist() == [[0, 0, 1], [0, -1, 0]]


@pytest.mark.parametrize("text", ["of: igbp\n" + GROUPS, "grid: cover\n" + GROUPS])
def test_state_is_the_partition(text: str) -> None:
    zones = classes(text, cover=WORLD)
    kind = kinds.find("zones", "classes")
    assert kind is not None
    again: Any = kind.load(zones.state(), None)
    columns = {"igbp": np.array([1.0, 7.0]), "lat": np.array([45.0, 45.0]), "lon": np.array([45.0, -45.0])}
    assert again.codes(columns).tolist() == zones.codes(columns).tolist()
    assert (again.labels, again.variables) == (zones.labels, zones.variables)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GROUPS, "either `of` or `grid`"),
        ("of: a\ngrid: g\n" + GROUPS, "either `of` or `grid`"),
        ("of: a\ngroups: {x: [1], y: [1.0]}\n", "class `1` is in both `x` and `y`"),
        ("of: a\ngroups: {}\n", "empty"),
        ("of: a\ngroups: {x: [1]}\nothers: x\n", "`x` is a group already"),
    ],
)
def test_mistakes_in_the_parameters(text: str, words: str) -> None:
    with pytest.raises(SoilqlError, match=words):
        classes(text)


def test_text_group_of_a_numeric_variable() -> None:
    zones = classes("of: igbp\ngroups: {forest: [ENF]}\n")
    with pytest.raises(SoilqlError, match="holds numbers"):
        zones.codes({"igbp": np.array([1.0])})


def test_map_without_any_listed_class() -> None:
    with pytest.raises(SoilqlError) as error:
        classes("grid: cover\ngroups: {sea: [99]}\n", cover=WORLD)
    found = error.value.diagnostics[0]
    assert found.code == "SQ809"
    assert found.help == "its commonest classes are 1, 10, 2, 3, 7"


def test_map_with_a_time_axis() -> None:
    data = WORLD.data.expand_dims(time=[0, 1])
    with pytest.raises(SoilqlError, match="varies along time"):
        classes("grid: cover\n" + GROUPS, cover=Grid(data))


def test_table_without_places() -> None:
    zones = classes("grid: cover\n" + GROUPS, cover=WORLD)
    with pytest.raises(SoilqlError, match="no latitude and longitude"):
        zones.codes({"MAT": np.array([1.0])})


class Scope:
    def schema(self, ref: str) -> kinds.Schema:
        return kinds.Schema({"igbp": kinds.Variable(), "koeppen": kinds.Variable()})


@pytest.mark.parametrize(("ref", "codes"), [("m.igbp", []), ("m.igpb", ["SQ704"]), ("m", ["SQ714"])])
def test_lint_of_the_map(ref: str, codes: list[str]) -> None:
    kind = kinds.find("zones", "classes")
    assert kind is not None
    scope: Any = Scope()
    block = bind_block("zones", "classes", f"grid: {ref}\n{GROUPS}")
    assert [found.code for found in kind.check(block, scope)] == codes
