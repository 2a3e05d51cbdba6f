"""Memory of trends and partial correlations from file to file, beside the budget they are given (Linux only).

    python -m benchmarks.memory                0.25 degree x 15 years x 7 variables, budgets of 256MB and 2GB

The same study on cells of 5 degrees takes what libraries and pictures take; what the large one takes beyond that is its
data. Counted is memory of the process's own (`RssAnon`): pages of files that are mapped can be dropped at any time.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import xarray as xr

YEARS = 15
VARIABLES = {"Rs": "g C m-2 yr-1", "T": "degC", "P": "mm yr-1", "S": "1", "V": "%", "C": "%", "B": "%"}
SPEC = """\
soilql: 1
datasets:
  all: {kind: grid, source: all.nc}
analyses:
  trends: {kind: trend, of: all.Rs}
  drivers: {kind: partial_correlation, of: all.Rs, drivers: [all.T, all.P, all.S, all.V, all.C, all.B]}
"""


def write_study(folder: Path, step: float) -> Path:
    """Write a spec and its data on cells of `step` degrees, three tenths of them without values; returns the spec."""
    folder.mkdir(parents=True)
    lat, lon = np.arange(90 - step / 2, -90, -step), np.arange(-180 + step / 2, 180, step)
    rng = np.random.default_rng(0)
    gaps = rng.random((lat.size, lon.size)) < 0.3
    chunk = (1, min(180, lat.size), min(360, lon.size))
    for number, (name, unit) in enumerate(VARIABLES.items()):
        values = rng.normal(100, 10, (YEARS, lat.size, lon.size)).astype(np.float32)
        values[:, gaps] = np.nan
        coords = {"time": np.arange(2000, 2000 + YEARS), "lat": lat, "lon": lon}
        data = xr.Dataset({name: (("time", "lat", "lon"), values, {"units": unit})}, coords)
        data.to_netcdf(folder / "all.nc", "a" if number else "w", encoding={name: {"chunksizes": chunk}})
    spec = folder / "study.yaml"
    spec.write_text(SPEC)
    return spec


def peak_memory(spec: Path, budget: str) -> int:
    """Run a spec from nothing in a process of its own, and return the most memory it took, in bytes.

    Raises
    ------
    RuntimeError
        The run did not succeed.
    """
    with tempfile.TemporaryDirectory(dir=spec.parent) as folder:
        command = [sys.executable, "-m", "soilql", "run", spec, "--memory", budget]
        command += ["--store", f"{folder}/store", "--out", f"{folder}/out"]
        process = subprocess.Popen([*map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        status = Path(f"/proc/{process.pid}/status")
        most = 0
        while process.poll() is None:
            found = re.search(r"RssAnon:\s+(\d+) kB", status.read_text()) if status.exists() else None
            most = max(most, 1024 * int(found[1]) if found else 0)
            time.sleep(0.02)
    if process.returncode:
        message = f"soilql ended with {process.returncode}"
        raise RuntimeError(message)
    return most


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__.partition("\n")[0])
    parser.add_argument("--step", type=float, default=0.25, help="size of the cells in degrees")
    step = parser.parse_args().step
    with tempfile.TemporaryDirectory() as folder:
        small, large = write_study(Path(folder, "small"), 5.0), write_study(Path(folder, "large"), step)
        data = large.with_name("all.nc").stat().st_size
        print(f"{data / 1e6:,.0f} MB of data on cells of {step:g} degrees")
        peak_memory(small, "256MB")  # compiles what is not compiled yet, which takes more memory than anything else
        for budget in ("256MB", "2GB"):
            least, most = (peak_memory(spec, budget) / 1e6 for spec in (small, large))
            print(f"  --memory {budget:<6} {most:,.0f} MB, of which cells of 5 degrees take {least:,.0f} MB as well")


if __name__ == "__main__":
    main()
