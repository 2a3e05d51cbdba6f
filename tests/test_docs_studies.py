"""The page of small studies: each is linted, also with data, run on small files, and leaves the files that it names."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from soilql.cli import main
from soilql.errors import Source
from soilql.format import format_text
from soilql.minilang.parse import parse_soilql
from soilql.source import parse_yaml
from soilql.surface.same import plain
from tests.grid_files import tiff

PAGE = (Path(__file__).parent.parent / "docs" / "studies.md").read_text(encoding="utf-8")
STUDIES = dict(re.findall(r"^```yaml (\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
SIZE = 15.0
#: Settings of the page that only make it slow.
SMALLER = {
    "trees: 500": "trees: 20",
    "members: 200": "members: 20",
    "C: [1, 10, 100], epsilon: [0.01, 0.1]": "C: [1, 10]",
    "folds: 5": "folds: 2",
}
#: What the text says that a run leaves.
FILES = {
    "q10": ["models/q10/q10.txt", "models/q10/q10.csv", "models/q10/q10.zones.csv", "analyses/rs/rs.nc"]
    + [f"analyses/rs/rs_{name}.{suffix}" for name in ("mean", "sd", "lower", "upper") for suffix in ("tif", "png")],
    "forest": [f"analyses/rs/rs_{name}.tif" for name in ("q05", "q95", "lower", "upper")],
    "years": ["analyses/budget/budget.csv", "analyses/budget/budget.period.csv"]
    + [f"analyses/rs_trend/rs_trend_{name}.png" for name in ("slope", "class", "significant")],
    "partial": ["analyses/drivers/drivers.regions.csv"]
    + [f"analyses/drivers/drivers_{name}.tif" for name in ("r_TEM", "significant_TEM", "dominant")],
    "selection": [f"models/chosen/chosen.path.{suffix}" for suffix in ("csv", "png")]
    + [f"models/best/best.candidates.{suffix}" for suffix in ("csv", "png")]
    + ["analyses/skill/skill.predictions.png"],
}


def write_data(folder: Path) -> None:
    """Write a planet of 15 degrees, all land, and three years of 60 sites on it."""
    rng = np.random.default_rng(1)
    lat = np.arange(90 - SIZE / 2, -90, -SIZE)
    lats, lons = np.meshgrid(lat, np.arange(-180 + SIZE / 2, 180, SIZE), indexing="ij")
    mat = 27 - 0.0075 * lats**2 + rng.normal(0, 1, lats.shape)
    rain = 400 + 1500 * np.exp(-((lats / 30) ** 2)) * rng.uniform(0.7, 1.3, lats.shape)
    biome = np.select([mat < 2, mat < 17, rain < 1500], [1, 2, 3], 4)
    maps = {"MAT": mat, "LST": mat + rng.normal(0, 1, mat.shape), "MAP": rain, "soc": 9 + rng.normal(0, 1, mat.shape)}
    for name, values in maps.items():
        tiff(folder / f"maps/{name}.tif", values, size=SIZE, west=-180, north=90)
    tiff(folder / "maps/biome.tif", biome, "uint8", size=SIZE, west=-180, north=90)
    tas, pr = mat + rng.normal(0.1, 1, (15, *mat.shape)), rain * rng.uniform(0.8, 1.2, (15, *mat.shape))
    dims, lon = ("time", "lat", "lon"), lons[0]
    axes = {"time": pd.date_range("2000-01-01", periods=15, freq="YS"), "lat": lat, "lon": lon}
    yearly = {"tas": (dims, tas, {"units": "degC"}), "pr": (dims, pr, {"units": "mm yr-1"})}
    xr.Dataset(yearly, axes).to_netcdf(folder / "climate.nc")
    drawn = rng.choice(mat.size, 60, replace=False)
    rows = []
    for site in drawn:
        i, j = np.unravel_index(site, mat.shape)
        for year in (2001, 2006, 2011):
            t, p = tas[year - 2000, i, j], pr[year - 2000, i, j]
            flux = 500 * np.exp(0.04 * t) * p / (p + 500) * np.exp(rng.normal(0, 0.1))
            rows.append((f"S{site}", lats[i, j], lons[i, j], year, "a biome", t, p, flux))
    columns = "Site,Lat,Lon,Year,Biome,Tair,Precip,Rs"
    assert columns in PAGE
    pd.DataFrame(rows, columns=columns.split(",")).to_csv(folder / "sites.csv", index=False)


def test_every_study_has_its_files() -> None:
    assert set(STUDIES) == set(FILES)


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_lints_clean_and_is_laid_out(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / f"{name}.yaml"
    path.write_text(STUDIES[name], encoding="utf-8")
    assert main(["lint", str(path)]) == 0, capsys.readouterr().out
    assert format_text(STUDIES[name], "yaml") == STUDIES[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDIES)
def test_a_study_runs_and_leaves_the_files_of_the_text(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path)
    text = STUDIES[name]
    for slow, quick in SMALLER.items():
        text = text.replace(slow, quick)
    Path("study.yaml").write_text(text, encoding="utf-8")
    assert main(["lint", "--data", "--severity", "error", "study.yaml"]) == 0, capsys.readouterr().err
    assert main(["run", "study.yaml"]) == 0, capsys.readouterr().err
    assert [file for file in FILES[name] if not (tmp_path / "runs/study" / file).is_file()] == []


def test_the_lines_of_the_other_surface_are_those_of_the_study() -> None:
    shown = re.findall(r"^```soilql\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(shown) == 1
    study = STUDIES["years"].partition("analyses:\n")[2]
    same = "analyses:\n" + "".join(re.findall(r"^  budget.*\n", study, re.MULTILINE))
    assert plain(parse_soilql(Source("x.soilql", shown[0])).root) == plain(parse_yaml(Source("x.yaml", same)).root)
