"""Zones made of the zones of other partitions."""

from __future__ import annotations

import json
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from soilql import kinds
from soilql.errors import Severity, SoilqlError
from soilql.values import Grid, State, Table
from soilql.zones.cross import Cross
from tests.support import bind_block, run_kind

VEG = "of: igbp\ngroups: {ENF: 1, DBF: 4, grass: [8, 9, 10]}\n"
CLIMATE = "of: MAT\nbreaks: [2, 17]\nlabels: [boreal, temperate, tropical]\n"
OF = "of: [veg, climate]\n"
BIOMES = OF + (
    "zones:\n"
    "  boreal: {climate: boreal}\n"
    "  temperate ENF: {veg: ENF, climate: temperate}\n"
    "  forest: {veg: [ENF, DBF]}\n"
)


def parts() -> dict[str, Any]:
    return {"veg": run_kind("zones", "classes", VEG), "climate": run_kind("zones", "cut", CLIMATE)}


def cross(text: str, inputs: dict[str, Any] | None = None) -> Cross:
    found: Cross = run_kind("zones", "cross", text, inputs or parts())
    return found


POINTS = {
    #                 boreal, boreal, t. ENF, forest, forest, none, no veg, no MAT, forest without MAT
    "igbp": np.array([1.0, np.nan, 1.0, 1.0, 4.0, 8.0, 7.0, 10.0, 4.0]),
    "MAT": np.array([-5.0, 0.0, 10.0, 20.0, 10.0, 10.0, 10.0, np.nan, np.nan]),
}


def test_a_place_belongs_to_the_first_zone_whose_conditions_it_meets() -> None:
    zones = cross(BIOMES)
    assert zones.labels == ("boreal", "temperate ENF", "forest")
    assert zones.variables == ("igbp", "MAT")
    found = zones.codes(POINTS)
    assert found.dtype == np.int16
    assert found.tolist() == [0, 0, 1, 2, 2, -1, -1, -1, 2]
    lazy = zones.codes({name: da.from_array(values, chunks=4) for name, values in POINTS.items()})
    assert lazy.compute().tolist() == found.tolist()


def test_points_outside_are_counted_by_combination() -> None:
    assert cross(BIOMES).outside(POINTS) == {
        "grass x temperate": 1,
        "grass x no zone of `climate`": 1,
        "no zone of `veg` x temperate": 1,
    }


def test_others_takes_combinations_but_no_place_that_a_partition_does_not_know() -> None:
    zones = cross(BIOMES + "others: rest\n")
    assert zones.labels[-1] == "rest"
    assert zones.codes(POINTS).tolist() == [0, 0, 1, 2, 2, 3, -1, -1, 2]


def test_without_zones_every_combination_is_one() -> None:
    zones = cross(OF)
    assert zones.labels[:4] == ("ENF x boreal", "ENF x temperate", "ENF x tropical", "DBF x boreal")
    assert len(zones.labels) == 9
    named = [zones.labels[code] if code >= 0 else None for code in zones.codes(POINTS)]
    assert named == ["ENF x boreal", None, "ENF x temperate", "ENF x tropical", "DBF x temperate", "grass x temperate",
                     None, None, None]  # fmt: skip


def test_order_of_zones_decides_and_order_of_partitions_does_not() -> None:
    turned = "of: [climate, veg]\n" + BIOMES.removeprefix(OF)
    assert cross(turned).codes(POINTS).tolist() == cross(BIOMES).codes(POINTS).tolist()
    first = OF + "zones: {forest: {veg: [ENF, DBF]}, boreal: {climate: boreal}}\n"
    assert cross(first).codes(POINTS).tolist() == [0, 1, 0, 0, 0, -1, -1, -1, 0]


def test_zones_follow_classes_that_change_by_year() -> None:
    zones = cross(BIOMES)
    cover = np.array([[1.0, 4.0], [8.0, 4.0]])  # two years of two cells: the first turns to grass
    columns = {"igbp": cover.ravel(), "MAT": np.tile([10.0, 10.0], 2)}
    assert zones.codes(columns).reshape(2, 2).tolist() == [[1, 2], [-1, 2]]


def reloaded(zones: Cross) -> Any:
    kind = kinds.find("zones", "cross")
    assert kind is not None
    state = zones.state()
    return kind.load(State(json.loads(json.dumps(dict(state.meta))), dict(state.arrays)), None)


def test_stored_partition_is_the_same_with_what_it_is_made_of() -> None:
    inner = cross(BIOMES)
    outer = cross("of: [biome, climate]\n", {**parts(), "biome": inner})
    again = reloaded(outer)
    assert again.labels == outer.labels
    assert again.codes(POINTS).tolist() == outer.codes(POINTS).tolist()
    assert again.outside(POINTS) == outer.outside(POINTS)


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("of: [veg]\n", "[veg]", "two or more"),
        ("of: [veg, veg]\n", "[veg, veg]", "different"),
        (OF + "zones: {a: {}}\n", "a", "asks for nothing"),
        (OF + "others: rest\n", "rest", "none is left over"),
        (OF + "zones: {a: {veg: ENF}}\nothers: a\n", "a", "a zone already"),
    ],
)
def test_what_does_not_fit_together(text: str, place: str, words: str) -> None:
    with pytest.raises(SoilqlError, match=words) as error:
        cross(text)
    found = error.value.diagnostics[0]
    assert (found.code, found.span.text if found.span else "") == ("SQ126", place)


def test_zones_that_cannot_be_stop_a_run() -> None:
    with pytest.raises(SoilqlError) as error:
        cross(OF + "zones: {a: {veg: ENG}, b: {climat: boreal}}\n")
    assert [(d.code, d.help) for d in error.value.diagnostics] == [
        ("SQ661", "did you mean `ENF`?"),
        ("SQ661", "did you mean `climate`?"),
    ]
    with pytest.raises(SoilqlError, match="no place can be in the zone `b`"):
        cross(OF + "zones: {a: {veg: [ENF, DBF]}, b: {veg: ENF, climate: boreal}}\n")


class Scope:
    """A scope that knows the two partitions."""

    blocks = {"veg": bind_block("zones", "classes", VEG), "climate": bind_block("zones", "cut", CLIMATE)}  # noqa: RUF012

    def block(self, name: str) -> kinds.Block | None:
        return self.blocks.get(name)

    def schema(self, ref: str) -> kinds.Schema:
        return kinds.Schema({"igbp": kinds.Variable("number"), "Rs": kinds.Variable("number")})


def test_lint_knows_the_zones_and_what_they_look_at() -> None:
    kind = kinds.find("zones", "cross")
    assert kind is not None
    scope: Any = Scope()
    block = bind_block("zones", "cross", BIOMES)
    assert kind.module.needs(block.params, scope) == ("igbp", "MAT")
    assert kind.module.labels(block.params, scope) == ("boreal", "temperate ENF", "forest")
    assert len(kind.module.labels(bind_block("zones", "cross", OF).params, scope)) == 9
    left = list(kind.check(block, scope))
    assert [(d.code, d.severity) for d in left] == [("SQ664", Severity.INFO)]
    assert left[0].message == "in no zone: `grass x temperate`, `grass x tropical`"
    unknown = bind_block("zones", "cross", OF + "zones: {a: {veg: EN}}\n")
    assert [(d.code, d.span.text if d.span else "") for d in kind.check(unknown, scope)] == [("SQ661", "EN")]


def test_a_model_takes_the_partition_along() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"igbp": rng.choice([1.0, 4.0, 8.0], 200), "MAT": rng.uniform(-10, 25, 200)})
    frame["Rs"] = 100 + 10 * frame["MAT"] + 50 * (frame["igbp"] == 4)
    inputs = {"t": Table(frame), "biome": cross(BIOMES)}
    model = run_kind("models", "linear", "formula: Rs ~ MAT + igbp\ndata: t\nby: biome\nmin_rows: 5\n", inputs)
    kind = kinds.find("models", "linear")
    assert kind is not None
    again: Any = kind.load(model.state(), None)
    np.testing.assert_array_equal(model.predict(POINTS)["mean"], again.predict(POINTS)["mean"])


def test_maps_and_totals_follow_zones_that_change_by_year() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"igbp": np.repeat([1.0, 8.0], 50), "MAT": rng.uniform(5, 15, 100)})
    frame["Rs"] = np.where(frame["igbp"] == 1, 1000.0, 200.0) + frame["MAT"]
    biome = cross(OF + "zones: {forest: {veg: ENF, climate: temperate}, grassland: {veg: grass}}\n")
    training = Table(frame, {"Rs": "g C m-2 yr-1"})
    text = "formula: Rs ~ MAT\ndata: t\nby: biome\n"
    model = run_kind("models", "linear", text, {"t": training, "biome": biome})
    cover = np.array([[[1.0, 8.0]], [[8.0, 8.0]]])  # the first cell turns from forest to grassland
    data = xr.Dataset(
        {"igbp": (("time", "lat", "lon"), cover), "MAT": (("lat", "lon"), np.array([[10.0, 10.0]]))},
        {"time": [2000, 2001], "lat": [0.25], "lon": [0.25, 0.75]},
    )
    inputs = {"m": model, "g": Grid(data), "biome": biome}
    maps = run_kind("analyses", "predict", "model: m\non: g\n", inputs)
    np.testing.assert_allclose(maps.data["mean"].to_numpy().ravel(), [1010, 210, 210, 210], rtol=1e-6)
    total = run_kind("analyses", "total", "of: p\nby: biome\non: g\n", {**inputs, "p": maps})
    zones = total.frame[total.frame["kind"] == "zone"]
    cells = zones.set_index(["time", "region"])["cells"]
    assert cells.to_dict() == {
        (2000, "forest"): 1,
        (2000, "grassland"): 1,
        (2001, "forest"): 0,
        (2001, "grassland"): 2,
    }
    # 0.5 degree cells at the equator have 3077.230008 km2 each (reference): 1010 and 2 x 210 g C m-2 yr-1.
    pg = zones.set_index(["time", "region"])["total"]
    assert pg[(2000, "forest")] == pytest.approx(1010 * 3077.230008e6 / 1e15, rel=1e-6)
    assert pg[(2001, "grassland")] == pytest.approx(420 * 3077.230008e6 / 1e15, rel=1e-6)
