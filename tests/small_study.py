"""A small study in files of its own, to be spoilt and run through the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rasterio
from rasterio.transform import from_origin

from soilql.cli import main

MAIN = "import sys; from soilql.cli import main; sys.exit(main())"

SPEC = """\
soilql: 1
datasets:
  obs:
    kind: table
    source: obs.csv
    columns:
      Rs: {from: Rs, unit: g C m-2 yr-1}
      T: {from: T, unit: degC}
    roles: {lat: lat, lon: lon, site: site}
  grid: {kind: grid, source: T.tif}
zones:
  climate: {kind: cut, of: T, breaks: [5, 17], labels: [boreal, temperate, tropical]}
models:
  q10: {kind: nonlinear, formula: Rs ~ a * exp(b * T), data: obs, by: climate, params: [a, b]}
  line: {kind: linear, formula: Rs ~ T, data: obs}
validation:
  folds: {kind: kfold, folds: 5}
analyses:
  skill: {kind: evaluate, models: [line], scheme: folds}
  map: {kind: predict, model: q10, on: grid}
  budget: {kind: total, of: map}
"""

#: The part of it that takes no time.
LIGHT = """\
soilql: 1
datasets:
  obs: {kind: table, source: obs.csv, roles: {lat: lat, lon: lon, site: site}}
models:
  line: {kind: linear, formula: Rs ~ T, data: obs}
"""

#: Results of the blocks that need no grid, and of those that need no table of observations.
WITHOUT_GRID = ("models/q10", "models/line", "analyses/skill")


@dataclass(frozen=True)
class Outcome:
    """What a command left: its exit status and what it printed."""

    status: int
    out: str
    err: str

    @property
    def problems(self) -> str:
        """What it said of problems, after the lines on its progress."""
        return self.err[self.err.rfind("\n[") + 1 :]


def observations(rows: int = 60) -> pd.DataFrame:
    """Return sites whose flux rises with temperature."""
    random = np.random.default_rng(1)
    place = {"lat": random.uniform(-60, 60, rows).round(3), "lon": random.uniform(-170, 170, rows).round(3)}
    temperature = random.uniform(0, 30, rows).round(3)
    flux = (400 * np.exp(0.05 * temperature) * (1 + 0.1 * random.normal(size=rows))).round(3)
    return pd.DataFrame({"site": [f"s{i // 2}" for i in range(rows)], **place, "T": temperature, "Rs": flux})


def write_tif(
    path: Path,
    values: np.ndarray[Any, Any] | None = None,
    *,
    crs: str | None = "EPSG:4326",
    corner: tuple[float, float] = (-180.0, 90.0),
    cell: float = 30.0,
    **profile: Any,
) -> None:
    """Write a GeoTIFF with the layer `T`."""
    data = np.linspace(-5, 35, 72).reshape(6, 12) if values is None else values
    rows, columns = data.shape
    place = {"crs": crs, "transform": from_origin(*corner, cell, cell)}
    size = {"height": rows, "width": columns, "count": 1, "dtype": "float64"}
    with rasterio.open(path, "w", driver="GTiff", **size, **place, **profile) as file:
        file.write(data, 1)
        file.set_band_unit(1, "degC")
        file.set_band_description(1, "T")


class Study:
    """The study in a folder: `spec.yaml`, `obs.csv` and `T.tif`, and commands on it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str] | None = None) -> None:
        self.folder = folder
        self._capsys = capsys
        self.text = SPEC
        self.write(SPEC)
        observations().to_csv(folder / "obs.csv", index=False)
        write_tif(folder / "T.tif")

    def write(self, text: str) -> None:
        """Write the spec."""
        self.text = text
        (self.folder / "spec.yaml").write_text(text, encoding="utf-8")

    def replace(self, *pairs: tuple[str, str]) -> None:
        """Replace parts of the spec that it holds once."""
        text = self.text
        for old, new in pairs:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        self.write(text)

    def edit(self, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
        """Change the observations."""
        path = self.folder / "obs.csv"
        change(pd.read_csv(path)).to_csv(path, index=False)

    def arguments(self, command: str = "run", *more: str, out: str = "out") -> list[str]:
        """Return the arguments of a command on the spec."""
        places = [] if command == "lint" else ["--store", str(self.folder / "store"), "--out", str(self.folder / out)]
        threads = ["--workers", "1"] if command == "run" else []
        return [command, str(self.folder / "spec.yaml"), *places, *threads, *more]

    def main(self, command: str = "run", *more: str, out: str = "out") -> Outcome:
        """Run a command in this process."""
        assert self._capsys is not None
        self._capsys.readouterr()
        try:
            status = main(self.arguments(command, *more, out=out))
        except SystemExit as stop:
            status = int(str(stop.code))
        printed = self._capsys.readouterr()
        return Outcome(status, printed.out, printed.err)

    def process(
        self, *arguments: str, environment: Mapping[str, str] | None = None, before: Callable[[], None] | None = None
    ) -> Outcome:
        """Run the command line in a process of its own."""
        done = subprocess.run(
            [sys.executable, "-c", MAIN, *(arguments or self.arguments())],
            capture_output=True,
            text=True,
            cwd=self.folder,
            env={**os.environ, **(environment or {})},
            preexec_fn=before,
            timeout=120,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def results_table(self, name: str) -> pd.DataFrame:
        """Return a table of the run folder."""
        return pd.read_csv(self.folder / "out" / name)

    def results(self, names: Sequence[str], out: str = "out") -> bool:
        """Return whether there are files of some results, and of no others."""
        found = {
            path.parent.relative_to(self.folder / out).as_posix()
            for section in ("models", "analyses")
            for path in (self.folder / out / section).rglob("*")
            if path.is_file()
        }
        return found == set(names)


ALL = (*WITHOUT_GRID, "analyses/map", "analyses/budget")
