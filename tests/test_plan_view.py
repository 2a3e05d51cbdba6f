from __future__ import annotations

from pathlib import Path

import pytest

from soilql.context import Resources
from soilql.plan import make_plan, reasons
from soilql.plan_view import plan_lines
from soilql.spec import load
from soilql.store import Store

QUICKSTART = Path(__file__).parent.parent / "examples" / "quickstart.yaml"


@pytest.fixture
def lines(tmp_path: Path) -> list[str]:
    plan = make_plan(load(QUICKSTART))
    return list(plan_lines(plan, Store(tmp_path / "store"), tmp_path / "out", Resources(1 << 30, 2)))


# 2 degree cells: 90 x 180; 400 sites twice; 1 mean and 100 members; 1 mean, 5 quantiles and 100 members.
@pytest.mark.parametrize(
    ("block", "size"),
    [
        ("planet", "[16,200 cells x 3]"),
        ("sites", "[800 rows x 1]"),
        ("rs_formula", "[16,200 cells x 101]"),
        ("rs_forest", "[16,200 cells x 106]"),
        ("error", "[16,200 cells x 1]"),
        ("rh", "[16,200 cells x 106]"),
    ],
)
def test_sizes_are_known_before_anything_runs(lines: list[str], block: str, size: str) -> None:
    (line,) = [line for line in lines if line.split()[1:2] == [block] and line.split()[0].isdigit()]
    assert line.endswith(size)


def test_what_never_ran_says_so(lines: list[str]) -> None:
    assert sum(line.strip() == "why: never run" for line in lines) == 8
    assert "12 nodes: 8 to run, 4 stored or read when needed" in lines


def test_reasons_name_what_changed() -> None:
    old = {"version": 1, "params.where": "Rs > 0", "input.srdb": "a", "file.source": ["x"]}
    new = {"version": 2, "params.where": "Rs > 1", "input.srdb": "b", "file.source": ["y"]}
    assert reasons(old, new) == [
        "the files of `source` changed",
        "its input `srdb` changed",
        "`where` changed from Rs > 0 to Rs > 1",
        "this version of soilql computes it differently (1 to 2)",
    ]
