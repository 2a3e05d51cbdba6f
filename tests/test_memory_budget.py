"""A whole run keeps its data within the budget of memory it is given, from the file it reads to those it writes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.memory import peak_memory, write_study


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_trends_and_correlations_of_a_large_grid_stay_within_the_budget(tmp_path: Path) -> None:
    small, large = write_study(tmp_path / "small", 5.0), write_study(tmp_path / "large", 0.4)
    # In double precision, in which it is computed, the data are five times the budget.
    assert 2 * large.with_name("all.nc").stat().st_size > 5 * 64 << 20
    peak_memory(small, "64MB")  # compiles what is not compiled yet
    # Libraries and pictures take what they take for any grid.
    assert peak_memory(large, "64MB") - peak_memory(small, "64MB") < 64 << 20
