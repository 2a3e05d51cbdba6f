"""The page on reading data: every example is bound, linted, and run on small files of the layout it names."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from soilql import registry
from soilql.errors import Source
from soilql.format import format_text
from soilql.lint import lint
from soilql.source import parse_yaml
from soilql.spec import build
from tests.grid_files import netcdf, tiff
from tests.support import run_kind
from tests.test_io_warp import tile

PAGE = (Path(__file__).parent.parent / "docs" / "data.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"^```yaml (\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
PLANE = np.arange(8.0).reshape(2, 4)


def lst(folder: Path) -> None:
    for layer, values, kind in (("LST_Day_1km", [[14000, 14000]], "uint16"), ("QC_Day", [[0, 0b10000000]], "uint8")):
        tiff(folder / f"lst/MOD11A2.061_{layer}_doy2001001_aid0001.tif", values, kind)


def tiles(folder: Path) -> None:
    for layer, value, kind in (("LST_Day_1km", 14000, "uint16"), ("QC_Day", 0, "uint8")):
        tiff(folder / f"tiles/{layer}.A2001001.h18v08.tif", np.full((60, 60), value), kind, **tile(18, 8, 60))


def weather(folder: Path) -> None:
    for name, unit in (("tas", "K"), ("pr", "mm")):
        (folder / "weather").mkdir(exist_ok=True)
        for year in (2000, 2001):
            path = folder / f"weather/{name}_{year}.nc"
            months = [12 * (year - 2000) + month for month in range(12)]
            netcdf(
                path,
                name,
                PLANE + np.array(months)[:, None, None],
                months,
                "months since 2000-01-01",
                attributes={"units": unit},
            )


def wide(folder: Path) -> None:
    names = [f"{year}_{month}" for year in (1960, 1961) for month in range(1, 13)]
    rows = [",".join(["Site.match", *names]), ",".join(["-0.25 102.25", *map(str, range(24))])]
    (folder / "temp_696cells.csv.gz").write_text("\n".join(rows))


def bands(folder: Path) -> None:
    tiff(folder / "sm_2000-2001.tif", np.ones((24, 2, 2)))
    for letter in "ab":
        tiff(folder / f"cover_{letter}.tif", PLANE, descriptions=["layer"])


def cells(folder: Path) -> None:
    wide(folder)
    (folder / "gpp.csv").write_text("Latitude,Longitude,GPP\n0.25,0.25,3\n")
    (folder / "fire.csv").write_text("lat,lon,year,burnt\n0.5,0.5,2000,3\n0.5,0.5,2001,4\n")
    (folder / "clay.dat").write_text("1 2 3 4 5 6 7 -99")


FILES: dict[str, Callable[[Path], object]] = {
    "yearly": lambda folder: [tiff(folder / f"tas/tas_{year}.tif", PLANE + year) for year in range(2000, 2005)],
    "layers": weather,
    "bands": bands,
    "product": lst,
    "flags": lst,
    "sinusoidal": tiles,
    "water": lambda folder: tiff(
        folder / "vcf/VCF5KYR_2001001_001_2018.tif", [[[60, 0]], [[30, 0]], [[10, 0]]], "uint8"
    ),
    "cells": cells,
    "long": wide,
}
SIZES = {
    "tas": {"time": 3, "lat": 2, "lon": 4},
    "weather": {"time": 24, "lat": 2, "lon": 4},
    "soil_moisture": {"time": 24, "lat": 2, "lon": 2},
    "lst": {"time": 1},
    "cover": {},
    "gpp": {"lat": 360, "lon": 720},
    "temperature": {"time": 24, "lat": 360, "lon": 720},
    "fire": {"time": 2, "lat": 180, "lon": 360},
    "clay": {"lat": 2, "lon": 4},
}


def test_every_example_has_its_files() -> None:
    assert set(EXAMPLES) == set(FILES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_are_sound_and_run(name: str, tmp_path: Path) -> None:
    FILES[name](tmp_path)
    spec = build(parse_yaml(Source("study.yaml", "soilql: 1\n" + EXAMPLES[name])), {})
    assert [found.render() for found in lint(spec) if found.code != "SQ208"] == []
    for key, block in yaml.safe_load(EXAMPLES[name])["datasets"].items():
        kind = block.pop("kind")
        sources = block["source"] if isinstance(block["source"], list) else [block["source"]]
        paths = [path for source in sources for path in sorted(tmp_path.glob(source))]
        value = run_kind("datasets", kind, yaml.safe_dump(block), sources={"source": paths})
        if kind == "table":
            assert value.frame[["year", "T"]].to_numpy().tolist() == [[1960, 6], [1961, 18]]
            continue
        sizes = dict(value.data.sizes)
        assert sizes | SIZES[key] == sizes
        assert all(variable.notnull().any() for variable in value.data.values())


def test_flags_of_the_page_differ_as_it_says(tmp_path: Path) -> None:
    lst(tmp_path)
    block = yaml.safe_load(EXAMPLES["flags"])["datasets"]["lst"]
    block.pop("kind")
    paths = sorted(tmp_path.glob(block["source"]))
    data = run_kind("datasets", "grid", yaml.safe_dump(block), sources={"source": paths}).data
    # The second pixel has a mean error of up to 3 K: bits 6-7 are 10.
    assert [np.isfinite(data[name].values[0, 0]).tolist() for name in ("strict", "all")] == [
        [True, False],
        [True, True],
    ]


def test_the_layout_is_that_of_the_formatter() -> None:
    for text in EXAMPLES.values():
        assert format_text(text, "yaml") == text


def test_products_of_the_page_are_in_the_registry() -> None:
    for name in re.findall(r"registry:([\w-]+)|soilql data list ([\w-]+)", PAGE):
        assert registry.find(name[0] or name[1])
