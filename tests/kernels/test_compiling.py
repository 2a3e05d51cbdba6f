"""How kernels are compiled: not at import, kept in the user's cache, and without any folder too."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SHORT = """
import numpy as np
from soilql.kernels.student import two_sided_p
print(round(two_sided_p(0.6319, 8), 4), len(two_sided_p.stats.cache_hits), sum(two_sided_p.stats.cache_hits.values()))
"""


def run(code: str, **environment: str) -> str:
    found = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, timeout=120
    )
    assert found.returncode == 0, found.stderr
    return found.stdout.strip()


def test_nothing_is_compiled_and_numba_is_not_loaded_until_it_is_used():
    code = """
import sys
import soilql.stats.trend, soilql.stats.partial_correlation, soilql.stats.theil_sen_bootstrap
assert "numba" not in sys.modules
import soilql.kernels.bootstrap, soilql.kernels.mann_kendall, soilql.kernels.partial_correlation
from numba.core.dispatcher import Dispatcher
kernels = [value for name, module in list(sys.modules.items()) if name.startswith("soilql.kernels")
           for value in vars(module).values() if isinstance(value, Dispatcher)]
assert len(kernels) > 20, kernels
assert not any(kernel.signatures for kernel in kernels)
"""
    run(code)


def test_machine_code_is_kept_in_the_users_cache(tmp_path: Path):
    assert run(SHORT, SOILQL_CACHE=str(tmp_path), NUMBA_CACHE_DIR="").split() == ["0.05", "0", "0"]
    assert list(tmp_path.glob("kernels/*/*/student.two_sided_p-*.nbi"))
    assert run(SHORT, SOILQL_CACHE=str(tmp_path), NUMBA_CACHE_DIR="").split() == ["0.05", "1", "1"]


def test_kernels_work_where_no_folder_can_be_written(tmp_path: Path):
    # A file in place of the folder; and numba is told not to look elsewhere.
    blocked = tmp_path / "file"
    blocked.write_text("")
    where = {"SOILQL_CACHE": str(blocked), "NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator"}
    assert run(SHORT, **where, NUMBA_CACHE_DIR="").split()[0] == "0.05"
